//! Entries whose past is not here yet.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::Did;

use super::{LogLimits, Past};
use crate::entry::VerifiedEntry;
use crate::id::Digest;

/// What an entry takes beside its bytes, about.
const OVERHEAD_BYTES: usize = 1_024;

#[derive(Debug, Clone)]
struct Waiting {
    entry: VerifiedEntry,
    past: Past,
    /// How many named entries are not applied yet.
    missing: usize,
    /// When it came, counted in arrivals.
    arrival: u64,
    bytes: usize,
}

/// The waiting entries, bounded by [`LogLimits`].
#[derive(Debug, Clone, Default)]
pub(super) struct WaitingStore {
    entries: BTreeMap<Digest, Waiting>,
    by_arrival: BTreeMap<u64, Digest>,
    by_author: BTreeMap<Did, BTreeSet<u64>>,
    /// Who waits for an entry.
    needs: BTreeMap<Digest, BTreeSet<Digest>>,
    arrivals: u64,
    bytes: usize,
}

impl WaitingStore {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.entries.contains_key(digest)
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<&VerifiedEntry> {
        self.entries.get(digest).map(|waiting| &waiting.entry)
    }

    /// Returns what is needed and is not waiting itself, in order of the ids.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Digest> {
        self.needs.keys().filter(|digest| !self.entries.contains_key(*digest))
    }

    /// Keeps an entry; returns how many older ones had to go.
    pub(super) fn insert(
        &mut self,
        digest: Digest,
        entry: VerifiedEntry,
        past: Past,
        missing: &BTreeSet<Digest>,
        limits: &LogLimits,
    ) -> u64 {
        let author = entry.entry().author;
        // The bytes are held twice: as they travel, and read.
        let bytes = 2 * entry.signed().entry().len() + 36 * past.len() + OVERHEAD_BYTES;
        let mut dropped = 0;
        while self.by_author.get(&author).is_some_and(|own| own.len() >= limits.waiting_per_author_max) {
            let oldest = self.by_author.get(&author).and_then(|own| own.first().copied());
            dropped += self.drop_arrival(oldest);
        }
        while self.entries.len() >= limits.waiting_max || self.bytes + bytes > limits.waiting_bytes_max {
            if self.entries.is_empty() {
                // It alone passes the bound.
                return dropped + 1;
            }
            let oldest = self.by_arrival.first_key_value().map(|(arrival, _)| *arrival);
            dropped += self.drop_arrival(oldest);
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        for needed in missing {
            self.needs.entry(*needed).or_default().insert(digest);
        }
        self.by_arrival.insert(arrival, digest);
        self.by_author.entry(author).or_default().insert(arrival);
        self.bytes += bytes;
        let waiting = Waiting { entry, past, missing: missing.len(), arrival, bytes };
        self.entries.insert(digest, waiting);
        dropped
    }

    /// Takes out the entries for which an applied entry was the last that they waited for.
    pub(super) fn release(&mut self, applied: &Digest) -> Vec<(VerifiedEntry, Past)> {
        let waiting = self.needs.remove(applied).unwrap_or_default();
        let mut free = Vec::new();
        for digest in waiting {
            let Some(entry) = self.entries.get_mut(&digest) else { continue };
            entry.missing = entry.missing.saturating_sub(1);
            if entry.missing == 0
                && let Some(entry) = self.remove(&digest)
            {
                free.push((entry.entry, entry.past));
            }
        }
        free
    }

    fn drop_arrival(&mut self, arrival: Option<u64>) -> u64 {
        let digest = arrival.and_then(|arrival| self.by_arrival.get(&arrival).copied());
        u64::from(digest.and_then(|digest| self.remove(&digest)).is_some())
    }

    fn remove(&mut self, digest: &Digest) -> Option<Waiting> {
        let waiting = self.entries.remove(digest)?;
        self.by_arrival.remove(&waiting.arrival);
        let author = waiting.entry.entry().author;
        if let Some(own) = self.by_author.get_mut(&author) {
            own.remove(&waiting.arrival);
            if own.is_empty() {
                self.by_author.remove(&author);
            }
        }
        for named in waiting.past.all() {
            if let Some(waiters) = self.needs.get_mut(named) {
                waiters.remove(digest);
                if waiters.is_empty() {
                    self.needs.remove(named);
                }
            }
        }
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        Some(waiting)
    }
}
