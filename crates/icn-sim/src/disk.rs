//! A disk that survives its node, and the writes that do not.

use std::collections::{BTreeMap, VecDeque};

use icn_mesh::{ExecutionRecord, JobRecord, OfferRecord, Persist};
use icn_types::Cid;

/// What is durable, and what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) jobs: BTreeMap<Cid, JobRecord>,
    pub(crate) executions: BTreeMap<Cid, ExecutionRecord>,
    pub(crate) offers: BTreeMap<Cid, OfferRecord>,
    pub(crate) blocks: BTreeMap<Cid, Vec<u8>>,
    queue: VecDeque<(u64, Vec<Persist>)>,
    last: u64,
    /// When the last write in the queue will be durable: writes become durable in order.
    pub(crate) busy_until: u64,
}

impl Disk {
    /// Puts a write into the queue and gives its number.
    pub(crate) fn write(&mut self, writes: Vec<Persist>) -> u64 {
        self.last += 1;
        self.queue.push_back((self.last, writes));
        self.last
    }

    /// Tells whether a write is durable.
    pub(crate) fn is_durable(&self, number: u64) -> bool {
        self.queue.front().is_none_or(|(first, _)| *first > number)
    }

    /// Makes everything up to a write durable.
    pub(crate) fn sync(&mut self, number: u64) {
        while self.queue.front().is_some_and(|(first, _)| *first <= number) {
            if let Some((_, writes)) = self.queue.pop_front() {
                writes.into_iter().for_each(|write| self.apply(write));
            }
        }
    }

    /// Loses power: some of the queue, its front, may have reached the platter without anybody being told.
    pub(crate) fn kill(&mut self, survivors: usize) {
        let number = self.queue.iter().take(survivors).next_back().map_or(0, |(number, _)| *number);
        self.sync(number);
        self.queue.clear();
        self.busy_until = 0;
    }

    pub(crate) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    fn apply(&mut self, write: Persist) {
        match write {
            Persist::Job(record) => drop(self.jobs.insert(record.id, *record)),
            Persist::Execution(record) => drop(self.executions.insert(record.job, *record)),
            Persist::Offer(offer) => drop(self.offers.insert(offer.job, offer)),
            Persist::OfferGone(job) => drop(self.offers.remove(&job)),
            Persist::Block { cid, bytes } => drop(self.blocks.insert(cid, bytes)),
        }
    }
}
