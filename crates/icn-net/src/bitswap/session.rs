//! One fetch: splits what is wanted over the peers that have it, and goes on with the next when one fails.
//!
//! Peers named by the caller are asked for blocks at once. When none of them has a block, connected peers are asked
//! whether they do; then the DHT is asked. Only a no is a no: who was silent is asked once more. A peer that stalls or breaks off is asked again only when nobody else is left;
//! one that lies never is.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use icn_types::Cid;
use libp2p::PeerId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::message::WantType;
use super::table::Notice;
use super::{Exchange, lock};
use crate::error::FetchError;

/// Blocks that have arrived and that the caller has not taken. Full: no further block is asked for.
pub(super) const READY_MAX: usize = 8;
/// Blocks under way in one fetch, and from one peer.
const UNDER_WAY_MAX: usize = 48;
const UNDER_WAY_PER_PEER_MAX: usize = 16;
/// A peer that sends no byte for so long, or no block for longer, has stalled.
const SILENCE_MAX: Duration = Duration::from_secs(4);
const BLOCK_TIME_MAX: Duration = Duration::from_secs(30);
/// A peer that does not say in time whether it has a block is asked once more, after the others: the question or the
/// answer may have gone with a connection that ended.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// Connected peers asked about a block that no provider has.
const PROBES_MAX: usize = 16;
/// Providers taken from one DHT look-up, and look-ups at once.
const FOUND_MAX: usize = 16;
const SEARCHES_MAX: usize = 4;
/// How often peers that stalled or broke off get another chance, and how long after the last of them failed.
const REVIVALS_MAX: u32 = 2;
const REVIVAL_PAUSE: Duration = Duration::from_secs(1);
/// How often stalled peers are looked for; nothing else waits for it.
const TICK: Duration = Duration::from_millis(250);

type Item = Result<(Cid, Bytes), FetchError>;

/// How far the search for a peer that has a block has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The peers that are known to have blocks of this fetch.
    Providers,
    /// The connected peers were asked as well.
    Neighbours,
    /// A DHT look-up is under way.
    Searching,
    /// The DHT has answered.
    Searched,
}

#[derive(Debug)]
struct WantState {
    stage: Stage,
    asked: Option<(PeerId, Instant)>,
    probed: HashMap<PeerId, Instant>,
    /// Peers that say that they have it.
    holders: HashSet<PeerId>,
    /// Peers that did not say in time whether they have it.
    silent: HashSet<PeerId>,
    /// Peers that do not have it, failed to send it, or were silent twice.
    refused: HashSet<PeerId>,
}

pub(super) struct Session {
    exchange: Arc<Exchange>,
    id: u64,
    notices: mpsc::UnboundedReceiver<Notice>,
    out: mpsc::Sender<Item>,
    /// Not asked for yet.
    todo: VecDeque<Cid>,
    wants: HashMap<Cid, WantState>,
    ready: VecDeque<Item>,
    /// Peers that were named, or have sent a block of this fetch: worth asking for any block.
    providers: Vec<PeerId>,
    under_way: HashMap<PeerId, usize>,
    /// Peers that are not asked, and whether because they lied.
    failed: HashMap<PeerId, bool>,
    last_failure: Instant,
    revivals: u32,
    searches: JoinSet<(Cid, Vec<PeerId>)>,
    patience: Duration,
    last_block: Instant,
}

impl Session {
    pub(super) fn new(
        exchange: Arc<Exchange>,
        cids: Vec<Cid>,
        providers: Vec<PeerId>,
        patience: Duration,
        out: mpsc::Sender<Item>,
    ) -> Self {
        let (id, notices) = lock(&exchange.table).open();
        let mut seen = HashSet::new();
        let myself = exchange.shared.peer_id;
        Self {
            id,
            notices,
            out,
            todo: cids.into_iter().filter(|cid| seen.insert(*cid)).collect(),
            wants: HashMap::new(),
            ready: VecDeque::new(),
            providers: providers.into_iter().filter(|peer| *peer != myself).collect(),
            under_way: HashMap::new(),
            failed: HashMap::new(),
            last_failure: Instant::now(),
            revivals: 0,
            searches: JoinSet::new(),
            patience,
            last_block: Instant::now(),
            exchange,
        }
    }

    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let out = self.out.clone();
        loop {
            self.pump();
            if self.ready.is_empty() && self.wants.is_empty() && self.todo.is_empty() {
                break;
            }
            let is_waiting = !self.wants.is_empty();
            tokio::select! {
                permit = out.reserve(), if !self.ready.is_empty() => {
                    let (Ok(permit), Some(item)) = (permit, self.ready.pop_front()) else { break };
                    permit.send(item);
                    // A caller that is slow does not make the peers late.
                    self.last_block = Instant::now();
                }
                Some(notice) = self.notices.recv() => self.hear(notice),
                Some(found) = self.searches.join_next(), if !self.searches.is_empty() => self.found(found.ok()),
                _ = ticks.tick(), if is_waiting => {
                    if self.tick() {
                        break;
                    }
                }
                () = out.closed() => break,
            }
        }
        self.end();
    }

    /// Asks for as much as may be under way.
    fn pump(&mut self) {
        while self.wants.len() + self.ready.len() < UNDER_WAY_MAX {
            let Some(cid) = self.todo.pop_front() else { break };
            self.wants.insert(cid, WantState::new());
            lock(&self.exchange.table).want(self.id, cid);
        }
        let mut asks: HashMap<PeerId, Vec<(Cid, WantType)>> = HashMap::new();
        let open: Vec<Cid> =
            self.wants.iter().filter(|(_, want)| want.asked.is_none()).map(|(cid, _)| *cid).collect();
        for cid in open {
            self.place(cid, &mut asks);
        }
        for (peer, wants) in asks {
            self.exchange.ask(peer, &wants);
        }
    }

    /// Finds somebody to ask for one block.
    fn place(&mut self, cid: Cid, asks: &mut HashMap<PeerId, Vec<(Cid, WantType)>>) {
        let can_revive = self.can_revive();
        let Some(want) = self.wants.get_mut(&cid) else { return };
        let suits = |peer: &&PeerId| !want.refused.contains(peer) && !self.failed.contains_key(peer);
        let load = |peer: &PeerId| self.under_way.get(peer).copied().unwrap_or_default();
        let able: Vec<PeerId> = self.providers.iter().chain(&want.holders).filter(suits).copied().collect();
        if let Some(peer) = able.iter().copied().min_by_key(load) {
            // All busy: one of them will be free.
            if load(&peer) < UNDER_WAY_PER_PEER_MAX {
                want.asked = Some((peer, Instant::now()));
                *self.under_way.entry(peer).or_default() += 1;
                asks.entry(peer).or_default().push((cid, WantType::Block));
            }
            return;
        }
        if !want.probed.is_empty() {
            return;
        }
        match want.stage {
            Stage::Providers => {
                want.stage = Stage::Neighbours;
                let neighbours = self.exchange.shared.connected();
                let suits = |peer: &PeerId| !want.refused.contains(peer) && !self.failed.contains_key(peer);
                for peer in neighbours.into_iter().filter(suits).take(PROBES_MAX) {
                    want.probed.insert(peer, Instant::now());
                    asks.entry(peer).or_default().push((cid, WantType::Have));
                }
                if want.probed.is_empty() {
                    self.place(cid, asks);
                }
            }
            Stage::Neighbours if self.searches.len() < SEARCHES_MAX => {
                want.stage = Stage::Searching;
                let exchange = Arc::clone(&self.exchange);
                self.searches.spawn(async move { (cid, exchange.providers(&cid).await) });
            }
            Stage::Neighbours | Stage::Searching => {}
            // The tick gives them another chance.
            Stage::Searched if can_revive => {}
            Stage::Searched => {
                let suits = |peer: &&PeerId| !want.refused.contains(peer) && !self.failed.contains_key(peer);
                let again: Vec<PeerId> = want.silent.iter().filter(suits).copied().collect();
                if again.is_empty() {
                    self.drop_want(cid);
                    self.ready.push_back(Err(FetchError::NotFound(cid)));
                    return;
                }
                for peer in again {
                    want.probed.insert(peer, Instant::now());
                    asks.entry(peer).or_default().push((cid, WantType::Have));
                }
            }
        }
    }

    fn hear(&mut self, notice: Notice) {
        match notice {
            Notice::Block { from, cid, data } => self.arrived(from, cid, data),
            Notice::Presence { from, cid, has_it } => {
                let Some(want) = self.wants.get_mut(&cid) else { return };
                want.probed.remove(&from);
                if has_it {
                    want.holders.insert(from);
                } else {
                    self.give_up(cid, from);
                }
            }
            Notice::Gone { peer, lied } => self.fail(peer, lied),
        }
    }

    fn arrived(&mut self, from: PeerId, cid: Cid, data: Bytes) {
        self.last_block = Instant::now();
        let Some(want) = self.wants.get(&cid) else { return };
        let others: Vec<PeerId> =
            want.asked.iter().map(|(peer, _)| *peer).filter(|peer| *peer != from).collect();
        self.drop_want(cid);
        for peer in others {
            self.exchange.cancel(peer, &[cid]);
        }
        // A peer that was only slow is welcome back.
        if self.failed.get(&from) == Some(&false) {
            self.failed.remove(&from);
        }
        if !self.providers.contains(&from) && !self.failed.contains_key(&from) {
            self.providers.push(from);
        }
        self.ready.push_back(Ok((cid, data)));
    }

    fn found(&mut self, found: Option<(Cid, Vec<PeerId>)>) {
        let Some((cid, peers)) = found else { return };
        let myself = self.exchange.shared.peer_id;
        if let Some(want) = self.wants.get_mut(&cid) {
            want.stage = Stage::Searched;
            want.holders.extend(peers.into_iter().filter(|peer| *peer != myself).take(FOUND_MAX));
        }
    }

    /// Looks for peers that have stalled; true when the whole fetch has.
    fn tick(&mut self) -> bool {
        let now = Instant::now();
        let mut stalled = Vec::new();
        let mut late = Vec::new();
        for (cid, want) in &mut self.wants {
            if let Some((peer, since)) = want.asked {
                let heard = self.exchange.link(peer).last_active().max(since);
                if now.duration_since(heard) > SILENCE_MAX {
                    stalled.push(peer);
                } else if now.duration_since(since) > BLOCK_TIME_MAX {
                    late.push((*cid, peer));
                }
            }
            let quiet: Vec<PeerId> = want
                .probed
                .iter()
                .filter(|(_, since)| now.duration_since(**since) > PROBE_TIME_MAX)
                .map(|(peer, _)| *peer)
                .collect();
            for peer in quiet {
                want.probed.remove(&peer);
                if !want.silent.insert(peer) {
                    want.refused.insert(peer);
                }
            }
        }
        for peer in stalled {
            self.fail(peer, false);
        }
        let is_stuck = self.wants.values().any(|want| want.stage == Stage::Searched && want.asked.is_none());
        if is_stuck && self.can_revive() && now.duration_since(self.last_failure) >= REVIVAL_PAUSE {
            self.revivals += 1;
            self.failed.retain(|_, lied| *lied);
        }
        for (cid, peer) in late {
            self.give_up(cid, peer);
            self.exchange.cancel(peer, &[cid]);
        }
        if !self.ready.is_empty() || now.duration_since(self.last_block) <= self.patience {
            return false;
        }
        let missing = self.wants.len() + self.todo.len();
        if let Some(first) = self.wants.keys().min().copied() {
            // The channel has room, since nothing was ready.
            let _ = self.out.try_send(Err(FetchError::Timeout { first, missing }));
        }
        true
    }

    /// Tells whether a peer that failed may get another chance.
    fn can_revive(&self) -> bool {
        self.revivals < REVIVALS_MAX && self.failed.values().any(|lied| !lied)
    }

    /// Asks a peer nothing more, as long as there are others.
    fn fail(&mut self, peer: PeerId, lied: bool) {
        let known = self.failed.get(&peer).copied();
        self.failed.insert(peer, lied || known == Some(true));
        if known.is_some() {
            return;
        }
        self.last_failure = Instant::now();
        self.under_way.remove(&peer);
        let mut taken_back = Vec::new();
        for (cid, want) in &mut self.wants {
            want.probed.remove(&peer);
            if want.asked.is_some_and(|(asked, _)| asked == peer) {
                want.asked = None;
                taken_back.push(*cid);
            }
        }
        self.exchange.cancel(peer, &taken_back);
    }

    /// Does not ask a peer for one block again.
    fn give_up(&mut self, cid: Cid, peer: PeerId) {
        let Some(want) = self.wants.get_mut(&cid) else { return };
        want.refused.insert(peer);
        want.holders.remove(&peer);
        if want.asked.is_some_and(|(asked, _)| asked == peer) {
            want.asked = None;
            self.free(peer);
        }
    }

    fn drop_want(&mut self, cid: Cid) {
        let want = self.wants.remove(&cid);
        lock(&self.exchange.table).unwant(self.id, &cid);
        if let Some((peer, _)) = want.and_then(|want| want.asked) {
            self.free(peer);
        }
    }

    fn free(&mut self, peer: PeerId) {
        if let Some(count) = self.under_way.get_mut(&peer) {
            *count = count.saturating_sub(1);
        }
    }

    fn end(self) {
        lock(&self.exchange.table).close(self.id);
        let mut cancels: HashMap<PeerId, Vec<Cid>> = HashMap::new();
        for (cid, want) in &self.wants {
            if let Some((peer, _)) = want.asked {
                cancels.entry(peer).or_default().push(*cid);
            }
        }
        for (peer, cids) in cancels {
            self.exchange.cancel(peer, &cids);
        }
    }
}

impl WantState {
    fn new() -> Self {
        Self {
            stage: Stage::Providers,
            asked: None,
            probed: HashMap::new(),
            holders: HashSet::new(),
            silent: HashSet::new(),
            refused: HashSet::new(),
        }
    }
}
