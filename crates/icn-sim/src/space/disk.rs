//! What survives a crash, and the writes that do not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use icn_gossip::SignedEntry;
use icn_ledger::VoteRecord;
use icn_ledger::replica::{Entries, Write};
use icn_types::{Cid, Did};

type Pages = Arc<Mutex<BTreeMap<u32, SignedEntry>>>;

/// Reads the entries that are durable.
pub(super) struct Reader(Pages);

impl Entries for Reader {
    fn get(&self, idx: u32) -> Option<SignedEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&idx).cloned()
    }
}

/// A copy of a disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    pub(super) entries: BTreeMap<u32, SignedEntry>,
    pub(super) votes: Vec<(Did, VoteRecord)>,
    pub(super) has_peers: bool,
}

/// The disk of one node.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pages: Pages,
    pub(super) votes: Vec<(Did, VoteRecord)>,
    pub(super) has_peers: bool,
    queue: VecDeque<(u64, Vec<Write>)>,
    last: u64,
    /// When the last write in the queue will be durable: writes become durable in order.
    pub(super) busy_until: u64,
}

impl Disk {
    pub(super) fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.pages))
    }

    pub(super) fn image(&self) -> Image {
        Image { entries: self.entries(), votes: self.votes.clone(), has_peers: self.has_peers }
    }

    /// Replaces everything by a copy.
    pub(super) fn restore(&mut self, image: Image) {
        let Image { entries, votes, has_peers } = image;
        *self = Self { pages: Arc::new(Mutex::new(entries)), votes, has_peers, ..Self::default() };
    }

    pub(super) fn entries(&self) -> BTreeMap<u32, SignedEntry> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn has(&self, id: &Cid) -> bool {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.values().rev().any(|entry| Cid::of_dag_cbor(entry.entry()) == *id)
    }

    pub(super) fn has_vote(&self, witness: &Did, entry: &Cid) -> bool {
        self.votes.iter().rev().any(|(by, record)| by == witness && record.entry == *entry)
    }

    /// Puts a write into the queue and gives its number.
    pub(super) fn write(&mut self, writes: Vec<Write>) -> u64 {
        self.last += 1;
        self.queue.push_back((self.last, writes));
        self.last
    }

    pub(super) fn is_durable(&self, number: u64) -> bool {
        self.queue.front().is_none_or(|(first, _)| *first > number)
    }

    /// Makes everything up to a write durable.
    pub(super) fn sync(&mut self, number: u64) {
        while self.queue.front().is_some_and(|(first, _)| *first <= number) {
            if let Some((_, writes)) = self.queue.pop_front() {
                writes.into_iter().for_each(|write| self.apply(write));
            }
        }
    }

    /// Loses power: the front of the queue may have reached the platter without anybody being told.
    pub(super) fn kill(&mut self, survivors: usize) {
        let number = self.queue.iter().take(survivors).next_back().map_or(0, |(number, _)| *number);
        self.sync(number);
        self.queue.clear();
        self.busy_until = 0;
        // The dead node's reader must not see what comes now.
        self.pages = Arc::new(Mutex::new(self.entries()));
    }

    pub(super) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn lose_last(&mut self) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).pop_last();
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Entry { idx, entry } => {
                self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(idx, entry);
            }
            Write::Vote { witness, record } => self.votes.push((witness, record)),
            Write::HasPeers => self.has_peers = true,
            Write::Offence { .. } => {}
        }
    }
}
