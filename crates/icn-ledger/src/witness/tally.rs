//! Collecting votes into certificates.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use icn_types::Did;
use serde_bytes::ByteBuf;

use crate::certificate::{Certificate, SignedVote, Vote, quorum};

/// How many votes of one witness wait for a quorum. Full: its oldest is dropped; it can be sent again.
const PENDING_PER_WITNESS_MAX: usize = 4_096;
/// How many places are remembered as certified, so that late votes open nothing. Full: the oldest is forgotten.
const CERTIFIED_MAX: usize = 16_384;

/// Votes that wait for a quorum. Every witness and every payer may keep one; it holds no secret and decides nothing.
#[derive(Debug, Default)]
pub struct Tally {
    places: BTreeMap<Place, BTreeMap<(Did, u64), Noted>>,
    /// For each witness, its places and their sets in the order in which its votes came.
    by_witness: BTreeMap<Did, BTreeMap<u64, (Place, u64)>>,
    counter: u64,
    certified: BTreeSet<Place>,
    certified_order: VecDeque<Place>,
    dropped: u64,
}

type Place = (Did, u64);

#[derive(Debug)]
struct Noted {
    vote: SignedVote,
    number: u64,
}

/// What a vote came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Noted; no quorum yet.
    New,
    /// It was known, or its place is certified already.
    Known,
    /// The quorum is complete.
    Certified(Certificate),
    /// The witness has voted for two entries at one place. The first vote stands; both together prove the lie.
    Conflict(Box<(SignedVote, SignedVote)>),
    /// The signer is not in the set that the vote names.
    NotAWitness,
}

impl Tally {
    /// Makes an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a vote whose signature holds, among the members of the set that it names. Votes of different sets do not add
    /// up: what an earlier set certified stands all the same.
    pub fn add(&mut self, vote: &SignedVote, members: &[Did]) -> Counted {
        if !members.contains(&vote.by) {
            return Counted::NotAWitness;
        }
        let Vote { author, seq, entry, set, .. } = vote.vote;
        let place = (author, seq);
        if self.certified.contains(&place) {
            return Counted::Known;
        }
        let known = self.places.get(&place).into_iter().flatten();
        let mut of_witness = known.filter(|((by, _), _)| *by == vote.by).map(|(_, noted)| noted);
        if let Some(other) = of_witness.find(|noted| noted.vote.vote.entry != entry) {
            return Counted::Conflict(Box::new((other.vote.clone(), vote.clone())));
        }
        if self.places.get(&place).is_some_and(|votes| votes.contains_key(&(vote.by, set))) {
            return Counted::Known;
        }
        let number = self.make_room(vote.by, place, set);
        let votes = self.places.entry(place).or_default();
        votes.insert((vote.by, set), Noted { vote: vote.clone(), number });
        let agreeing: Vec<(Did, ByteBuf)> = votes
            .values()
            .filter(|other| other.vote.vote == vote.vote)
            .map(|other| (other.vote.by, other.vote.sig.clone()))
            .collect();
        if agreeing.len() < quorum(members.len()) {
            return Counted::New;
        }
        self.certified(author, seq);
        Counted::Certified(Certificate { author, seq, entry, set, votes: agreeing })
    }

    /// Notes that a place has its certificate, and drops the votes for it.
    pub fn certified(&mut self, author: Did, seq: u64) {
        let place = (author, seq);
        for ((by, _), noted) in self.places.remove(&place).unwrap_or_default() {
            if let Some(places) = self.by_witness.get_mut(&by) {
                places.remove(&noted.number);
            }
        }
        if self.certified.insert(place) {
            self.certified_order.push_back(place);
        }
        if self.certified.len() > CERTIFIED_MAX
            && let Some(oldest) = self.certified_order.pop_front()
        {
            self.certified.remove(&oldest);
        }
    }

    /// Lists votes that wait, at most `max`: what to offer to others in a reconciliation.
    #[must_use]
    pub fn pending(&self, max: usize) -> Vec<SignedVote> {
        let all = self.places.values().flat_map(BTreeMap::values);
        all.take(max).map(|noted| noted.vote.clone()).collect()
    }

    /// Returns how many votes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.values().map(BTreeMap::len).sum()
    }

    /// Tells whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns how many votes were dropped for want of room.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Notes where a witness votes, and returns the number of that vote.
    fn make_room(&mut self, by: Did, place: Place, set: u64) -> u64 {
        self.counter += 1;
        let places = self.by_witness.entry(by).or_default();
        places.insert(self.counter, (place, set));
        if places.len() > PENDING_PER_WITNESS_MAX
            && let Some((_, (oldest, set))) = places.pop_first()
        {
            self.dropped += 1;
            if let Some(votes) = self.places.get_mut(&oldest) {
                votes.remove(&(by, set));
                if votes.is_empty() {
                    self.places.remove(&oldest);
                }
            }
        }
        self.counter
    }
}

#[cfg(test)]
mod tests {
    use icn_identity::{Ed25519Verifier, Keypair};
    use icn_types::Cid;

    use super::*;

    fn did(n: u8) -> Did {
        Keypair::from_seed([n; 32]).did()
    }

    fn set(of: std::ops::Range<u8>) -> Vec<Did> {
        let mut members: Vec<Did> = of.map(did).collect();
        members.sort();
        members
    }

    fn vote(seq: u64, entry: &[u8], number: u64) -> Vote {
        Vote { space: did(1), author: did(2), seq, entry: Cid::of_dag_cbor(entry), set: number }
    }

    fn signed(by: u8, seq: u64, entry: &[u8], number: u64) -> SignedVote {
        vote(seq, entry, number).sign(&Keypair::from_seed([by; 32])).unwrap()
    }

    #[test]
    fn a_quorum_makes_a_certificate_that_verifies() {
        let (mut tally, set) = (Tally::new(), set(10..14));
        assert_eq!(tally.add(&signed(12, 1, b"x", 1), &set), Counted::New);
        assert_eq!(tally.add(&signed(12, 1, b"x", 1), &set), Counted::Known);
        assert_eq!(tally.add(&signed(10, 1, b"x", 1), &set), Counted::New);
        let Counted::Certified(certificate) = tally.add(&signed(13, 1, b"x", 1), &set) else {
            panic!("three of four are a quorum")
        };
        certificate.check().unwrap();
        certificate.verify(did(1), &Ed25519Verifier::new()).unwrap();
        assert!(certificate.reaches(&set));
        assert!(tally.is_empty() && tally.by_witness.values().all(BTreeMap::is_empty));
        assert_eq!(tally.add(&signed(11, 1, b"x", 1), &set), Counted::Known);
        assert!(tally.is_empty());
    }

    #[test]
    fn a_witness_that_votes_twice_is_found_out_and_counts_once() {
        let (mut tally, set) = (Tally::new(), set(10..14));
        tally.add(&signed(10, 1, b"x", 1), &set);
        let (first, second) = (signed(10, 1, b"x", 1), signed(10, 1, b"y", 1));
        assert_eq!(tally.add(&second, &set), Counted::Conflict(Box::new((first, second.clone()))));
        tally.add(&signed(11, 1, b"y", 1), &set);
        assert_eq!(tally.add(&signed(12, 1, b"y", 1), &set), Counted::New);
        assert_eq!(tally.len(), 3);
    }

    #[test]
    fn strangers_do_not_count_and_each_set_counts_by_itself() {
        let mut tally = Tally::new();
        assert_eq!(tally.add(&signed(20, 1, b"x", 1), &set(10..14)), Counted::NotAWitness);
        // A vote again under the newer set adds up with those of that set.
        tally.add(&signed(10, 1, b"x", 1), &set(10..12));
        assert_eq!(tally.add(&signed(11, 1, b"x", 2), &set(10..12)), Counted::New);
        assert!(matches!(tally.add(&signed(10, 1, b"x", 2), &set(10..12)), Counted::Certified(_)));
        // It does not take the place of the vote under the older one.
        tally.add(&signed(10, 2, b"x", 2), &set(10..12));
        tally.add(&signed(10, 2, b"x", 1), &set(10..12));
        assert!(matches!(tally.add(&signed(11, 2, b"x", 1), &set(10..12)), Counted::Certified(_)));
        // Two entries at one place are a lie whatever the sets.
        tally.add(&signed(10, 3, b"x", 1), &set(10..12));
        assert!(matches!(tally.add(&signed(10, 3, b"y", 2), &set(10..12)), Counted::Conflict(_)));
    }

    #[test]
    fn one_witness_fills_only_its_own_room() {
        let (mut tally, set) = (Tally::new(), set(10..14));
        tally.add(&signed(11, 1, b"x", 1), &set);
        for seq in 0..PENDING_PER_WITNESS_MAX as u64 + 10 {
            // Signatures were checked outside; here they need not hold.
            let vote = vote(seq + 1, b"x", 1);
            tally.add(&SignedVote { vote, by: did(10), sig: ByteBuf::new() }, &set);
        }
        assert_eq!((tally.len(), tally.dropped()), (PENDING_PER_WITNESS_MAX + 1, 10));
        assert_eq!(tally.pending(5).len(), 5);
    }
}
