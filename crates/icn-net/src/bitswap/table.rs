//! Who asked whom for what: sorts what comes in, and finds out what nobody asked for.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use icn_types::Cid;
use libp2p::PeerId;
use tokio::sync::mpsc;

use super::message::WantType;

/// Wants that are remembered for one peer, so that a late block is told from a lie. Full: the oldest is forgotten.
const ASKED_MAX: usize = 8_192;

/// What a fetch hears.
#[derive(Debug)]
pub(super) enum Notice {
    /// A block that was checked.
    Block { from: PeerId, cid: Cid, data: Bytes },
    /// A peer says whether it has a block.
    Presence { from: PeerId, cid: Cid, has_it: bool },
    /// A peer left or broke off, or (`lied`) sent what nobody asked for.
    Gone { peer: PeerId, lied: bool },
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A fetch took it.
    Wanted,
    /// It was asked for, but has come from somebody else meanwhile.
    Late,
    /// This peer was never asked for it.
    Unasked,
}

#[derive(Debug, Default)]
struct Asked {
    /// What was asked, and whether an answer is outstanding.
    cids: HashMap<Cid, (WantType, bool)>,
    order: VecDeque<Cid>,
}

/// The fetches under way and what each peer was asked.
#[derive(Debug, Default)]
pub(super) struct Table {
    next_id: u64,
    // The channels are unbounded, yet hold little: only what was asked for passes, and each answer once.
    sessions: HashMap<u64, mpsc::UnboundedSender<Notice>>,
    wanted: HashMap<Cid, HashSet<u64>>,
    asked: HashMap<PeerId, Asked>,
}

impl Table {
    pub(super) fn open(&mut self) -> (u64, mpsc::UnboundedReceiver<Notice>) {
        let (tx, rx) = mpsc::unbounded_channel();
        self.next_id += 1;
        self.sessions.insert(self.next_id, tx);
        (self.next_id, rx)
    }

    pub(super) fn close(&mut self, id: u64) {
        self.sessions.remove(&id);
        self.wanted.retain(|_, ids| {
            ids.remove(&id);
            !ids.is_empty()
        });
    }

    pub(super) fn want(&mut self, id: u64, cid: Cid) {
        self.wanted.entry(cid).or_default().insert(id);
    }

    /// Tells whether any fetch still wants a block.
    pub(super) fn is_wanted(&self, cid: &Cid) -> bool {
        self.wanted.contains_key(cid)
    }

    pub(super) fn unwant(&mut self, id: u64, cid: &Cid) {
        if let Some(ids) = self.wanted.get_mut(cid) {
            ids.remove(&id);
            if ids.is_empty() {
                self.wanted.remove(cid);
            }
        }
    }

    pub(super) fn asked(&mut self, peer: PeerId, wants: &[(Cid, WantType)]) {
        let asked = self.asked.entry(peer).or_default();
        for (cid, kind) in wants {
            if asked.cids.insert(*cid, (*kind, true)).is_none() {
                asked.order.push_back(*cid);
            }
        }
        while asked.order.len() > ASKED_MAX {
            if let Some(oldest) = asked.order.pop_front() {
                asked.cids.remove(&oldest);
            }
        }
    }

    /// Lists what a peer has not answered and is still wanted.
    pub(super) fn unanswered(&self, peer: PeerId) -> Vec<(Cid, WantType)> {
        let Some(asked) = self.asked.get(&peer) else { return Vec::new() };
        let open = asked.cids.iter().filter(|(cid, (_, is_open))| *is_open && self.is_wanted(cid));
        open.map(|(cid, (kind, _))| (*cid, *kind)).collect()
    }

    pub(super) fn block(&mut self, from: PeerId, cid: Cid, data: &Bytes) -> Heard {
        if self.answered(from, &cid).is_none() {
            return Heard::Unasked;
        }
        let Some(ids) = self.wanted.remove(&cid) else { return Heard::Late };
        for id in ids {
            self.notify(id, Notice::Block { from, cid, data: data.clone() });
        }
        Heard::Wanted
    }

    pub(super) fn presence(&mut self, from: PeerId, cid: Cid, has_it: bool) {
        if self.answered(from, &cid) != Some(true) {
            return;
        }
        for id in self.wanted.get(&cid).cloned().unwrap_or_default() {
            self.notify(id, Notice::Presence { from, cid, has_it });
        }
    }

    /// Tells the fetches that a peer cannot be relied on. What it was asked is remembered: a block of it that is on its
    /// way already is late, not a lie.
    pub(super) fn gone(&mut self, peer: PeerId, lied: bool) {
        let Some(asked) = self.asked.get_mut(&peer) else { return };
        for (_, is_open) in asked.cids.values_mut() {
            *is_open = false;
        }
        for tx in self.sessions.values() {
            let _ = tx.send(Notice::Gone { peer, lied });
        }
    }

    /// Forgets a peer that is not connected any more.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.gone(peer, false);
        self.asked.remove(&peer);
    }

    /// Notes an answer. None when nothing was asked, else whether an answer was outstanding.
    fn answered(&mut self, peer: PeerId, cid: &Cid) -> Option<bool> {
        let (_, is_open) = self.asked.get_mut(&peer)?.cids.get_mut(cid)?;
        Some(std::mem::replace(is_open, false))
    }

    fn notify(&self, id: u64, notice: Notice) {
        if let Some(tx) = self.sessions.get(&id) {
            // A fetch that has ended needs nothing any more.
            let _ = tx.send(notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(n: u32) -> (Cid, Bytes) {
        let data = Bytes::copy_from_slice(&n.to_be_bytes());
        (Cid::of_raw(&data), data)
    }

    #[test]
    fn a_block_is_wanted_late_or_unasked() {
        let mut table = Table::default();
        let (asked, stranger) = (PeerId::random(), PeerId::random());
        let (id, mut notices) = table.open();
        let (cid, data) = block(1);
        table.want(id, cid);
        table.asked(asked, &[(cid, WantType::Block)]);
        assert_eq!(table.unanswered(asked), [(cid, WantType::Block)]);
        assert_eq!(table.block(stranger, cid, &data), Heard::Unasked);
        assert_eq!(table.block(asked, cid, &data), Heard::Wanted);
        assert_eq!(table.block(asked, cid, &data), Heard::Late);
        assert!(matches!(notices.try_recv(), Ok(Notice::Block { .. })));
        assert!(notices.try_recv().is_err() && table.unanswered(asked).is_empty());
    }

    #[test]
    fn a_block_of_a_peer_that_broke_off_is_late_not_a_lie() {
        let mut table = Table::default();
        let peer = PeerId::random();
        let (_, mut notices) = table.open();
        let (cid, data) = block(1);
        table.asked(peer, &[(cid, WantType::Block)]);
        table.gone(peer, false);
        assert!(matches!(notices.try_recv(), Ok(Notice::Gone { .. })));
        assert_eq!(table.block(peer, cid, &data), Heard::Late);
        table.forget(peer);
        assert_eq!(table.block(peer, cid, &data), Heard::Unasked);
    }

    #[test]
    fn a_repeated_presence_is_heard_once() {
        let mut table = Table::default();
        let peer = PeerId::random();
        let (id, mut notices) = table.open();
        let (cid, _) = block(1);
        table.want(id, cid);
        table.asked(peer, &[(cid, WantType::Have)]);
        for _ in 0..1_000 {
            table.presence(peer, cid, true);
        }
        assert!(notices.try_recv().is_ok() && notices.try_recv().is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_ends_with_the_fetch() {
        let mut table = Table::default();
        let peer = PeerId::random();
        let (id, _notices) = table.open();
        for n in 0..20_000 {
            let (cid, _) = block(n);
            table.want(id, cid);
            table.asked(peer, &[(cid, WantType::Block)]);
        }
        assert_eq!(table.asked[&peer].cids.len(), ASKED_MAX);
        table.close(id);
        assert!(table.wanted.is_empty() && table.sessions.is_empty());
    }
}
