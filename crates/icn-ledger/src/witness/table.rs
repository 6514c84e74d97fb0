//! Which entry a witness voted for, by place.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Cid, Did};

use super::VoteRecord;

/// CIDv1, DAG-CBOR, SHA-256, 32 bytes: what the id of every entry starts with. The table keeps only the rest.
const PREFIX: [u8; 4] = [0x01, 0x71, 0x12, 0x20];

/// What is known of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    /// The vote, and the latest set for which it was cast.
    For { entry: Cid, set: u64 },
    /// There is a certificate; the vote is forgotten.
    Forgotten,
}

#[derive(Debug)]
pub(super) struct VoteTable {
    authors: BTreeMap<Did, Places>,
    latest_set: u64,
    handed: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Places {
    /// Every place up to here is forgotten.
    floor: u64,
    /// Places above it that are forgotten too.
    above: BTreeSet<u64>,
    votes: BTreeMap<u64, ([u8; 32], u64)>,
}

impl VoteTable {
    pub(super) const fn new() -> Self {
        Self { authors: BTreeMap::new(), latest_set: 0, handed: BTreeSet::new() }
    }

    /// Notes a vote. A place that has another one keeps it; false then, and for what cannot be the id of an entry.
    pub(super) fn insert(&mut self, record: &VoteRecord) -> bool {
        let Some(digest) = digest_of(&record.entry) else { return false };
        let places = self.authors.entry(record.author).or_default();
        let vote = places.votes.entry(record.seq).or_insert((digest, record.set));
        if vote.0 != digest {
            return false;
        }
        vote.1 = vote.1.max(record.set);
        self.latest_set = self.latest_set.max(record.set);
        self.handed.extend(record.hands_over);
        true
    }

    pub(super) fn at(&self, author: &Did, seq: u64) -> Option<Cast> {
        let places = self.authors.get(author)?;
        if seq <= places.floor || places.above.contains(&seq) {
            return Some(Cast::Forgotten);
        }
        places.votes.get(&seq).map(|(digest, set)| Cast::For { entry: cid_of(digest), set: *set })
    }

    pub(super) fn forget(&mut self, author: &Did, seq: u64) {
        let places = self.authors.entry(*author).or_default();
        places.votes.remove(&seq);
        if seq > places.floor {
            places.above.insert(seq);
        }
        while places.above.remove(&(places.floor.saturating_add(1))) {
            places.floor += 1;
        }
    }

    /// Returns the number of the latest set for which a vote was cast, 0 without votes.
    pub(super) const fn latest_set(&self) -> u64 {
        self.latest_set
    }

    /// Returns the highest number of a set whose naming was voted for, 0 when none was.
    pub(super) fn handed_over(&self) -> u64 {
        self.handed.last().copied().unwrap_or_default()
    }

    pub(super) fn has_handed_over_to(&self, set: u64) -> bool {
        self.handed.contains(&set)
    }
}

fn digest_of(id: &Cid) -> Option<[u8; 32]> {
    id.to_bytes().strip_prefix(&PREFIX)?.try_into().ok()
}

fn cid_of(digest: &[u8; 32]) -> Cid {
    // The prefix is that of a CID which can always be read.
    Cid::from_bytes(&[&PREFIX[..], digest].concat()).unwrap_or_else(|_| Cid::of_dag_cbor(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, entry: &[u8], set: u64) -> VoteRecord {
        let author = Did::from_public_key([1; 32]);
        VoteRecord { author, seq, entry: Cid::of_dag_cbor(entry), set, hands_over: None }
    }

    #[test]
    fn a_place_keeps_its_first_vote_whatever_comes() {
        let mut table = VoteTable::new();
        assert!(table.insert(&record(1, b"x", 2)));
        assert!(!table.insert(&record(1, b"y", 3)));
        assert!(table.insert(&record(1, b"x", 1)));
        let author = record(1, b"x", 1).author;
        assert_eq!(table.at(&author, 1), Some(Cast::For { entry: Cid::of_dag_cbor(b"x"), set: 2 }));
        assert_eq!((table.latest_set(), table.at(&author, 2)), (2, None));
        assert!(!table.insert(&VoteRecord { entry: Cid::of_raw(b"x"), ..record(2, b"", 1) }));
    }

    #[test]
    fn forgotten_places_stay_decided_and_cost_nothing() {
        let mut table = VoteTable::new();
        let author = record(1, b"x", 1).author;
        for seq in [3, 1, 2, 7, 4] {
            table.insert(&record(seq, b"x", 1));
            table.forget(&author, seq);
        }
        for (seq, expected) in [(1, true), (4, true), (5, false), (7, true), (8, false)] {
            assert_eq!(table.at(&author, seq).is_some(), expected, "{seq}");
        }
        let places = &table.authors[&author];
        assert_eq!((places.floor, places.above.len(), places.votes.len()), (4, 1, 0));
        // A record from disk does not bring a forgotten place back.
        table.insert(&record(2, b"y", 1));
        assert_eq!(table.at(&author, 2), Some(Cast::Forgotten));
    }
}
