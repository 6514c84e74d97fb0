//! The proof that an author said two things at one place.

use icn_identity::Verifier;
use icn_types::codec::{self, CodecError};
use icn_types::{Cid, Did};
use serde::{Deserialize, Serialize};

use crate::entry::{ENTRY_BYTES_MAX, RawEntry, SignedEntry};
use crate::error::EntryError;
use crate::topic::LogId;

/// The largest proof, in bytes: two entries and what is around them.
pub const FORK_PROOF_BYTES_MAX: usize = 2 * (ENTRY_BYTES_MAX + 256) + 64;

/// Two signed entries of one author at one place of one log: anybody can check it, and nothing else is needed.
///
/// Layout: a DAG-CBOR map `{"a": entry, "b": entry}`; `a` has the lower id, so one pair has one form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkProof {
    /// The entry with the lower id.
    #[serde(rename = "a")]
    pub first: SignedEntry,
    /// The entry with the higher id.
    #[serde(rename = "b")]
    pub second: SignedEntry,
}

/// What a proof proves, once it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The log.
    pub log: LogId,
    /// Who said two things.
    pub author: Did,
    /// At which place.
    pub seq: u64,
    /// The entry with the lower id.
    pub first: Cid,
    /// The entry with the higher id.
    pub second: Cid,
}

/// Why a proof proves nothing.
///
/// Blame: the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// The proof is larger than it can be.
    #[error("a fork proof has at most {FORK_PROOF_BYTES_MAX} bytes, not {0}")]
    TooLarge(usize),
    /// Not strict DAG-CBOR, or not of the shape of a proof.
    #[error("not a fork proof")]
    Codec(#[from] CodecError),
    /// One of the two is no entry, or not signed by its author.
    #[error("one of the two entries does not hold")]
    Entry(#[from] EntryError),
    /// One body stands twice, which proves nothing: a body may be signed twice.
    #[error("the proof names one entry twice")]
    SameEntry,
    /// The two are not in order of their ids.
    #[error("the two entries are in the wrong order: the lower id comes first")]
    Order,
    /// The two stand in different places.
    #[error("the two entries have different places: a fork has one space, topic, author and seq")]
    DifferentPlaces,
}

impl ForkProof {
    /// Makes a proof of two entries in any order.
    ///
    /// # Errors
    ///
    /// [`ForkError`] when they are not two entries at one place. Signatures are not checked.
    pub fn new(one: SignedEntry, other: SignedEntry) -> Result<Self, ForkError> {
        let ids = (Cid::of_dag_cbor(one.entry()), Cid::of_dag_cbor(other.entry()));
        let proof = if ids.0 <= ids.1 {
            Self { first: one, second: other }
        } else {
            Self { first: other, second: one }
        };
        proof.parts()?;
        Ok(proof)
    }

    /// Reads a proof. It proves nothing until it is checked.
    ///
    /// # Errors
    ///
    /// [`ForkError`] when the bytes are not a proof.
    pub fn parse(bytes: &[u8]) -> Result<Self, ForkError> {
        if bytes.len() > FORK_PROOF_BYTES_MAX {
            return Err(ForkError::TooLarge(bytes.len()));
        }
        Ok(codec::decode(bytes)?)
    }

    /// Encodes the proof.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Four byte strings always have a DAG-CBOR form.
        codec::encode(self).unwrap_or_default()
    }

    /// Checks everything: both are entries, of one place, different, in order, and signed by the author.
    ///
    /// # Errors
    ///
    /// [`ForkError`] with what is not right.
    pub fn check(&self, verifier: &dyn Verifier) -> Result<Fork, ForkError> {
        let (first, second) = self.parts()?;
        let fork = fork(&first, &second);
        first.verify(verifier)?;
        second.verify(verifier)?;
        Ok(fork)
    }

    fn parts(&self) -> Result<(RawEntry, RawEntry), ForkError> {
        let (first, second) = (self.first.clone().check()?, self.second.clone().check()?);
        match first.id().cmp(&second.id()) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Err(ForkError::SameEntry),
            std::cmp::Ordering::Greater => return Err(ForkError::Order),
        }
        let (a, b) = (first.unverified(), second.unverified());
        if (a.space, &a.topic, a.author, a.seq) != (b.space, &b.topic, b.author, b.seq) {
            return Err(ForkError::DifferentPlaces);
        }
        Ok((first, second))
    }
}

fn fork(first: &RawEntry, second: &RawEntry) -> Fork {
    let entry = first.unverified();
    Fork { log: entry.log(), author: entry.author, seq: entry.seq, first: first.id(), second: second.id() }
}

#[cfg(test)]
mod tests {
    use icn_identity::{Ed25519Verifier, Keypair};
    use icn_types::Timestamp;
    use serde_bytes::ByteBuf;

    use super::*;
    use crate::Entry;

    fn signed(key: u8, seq: u64, topic: &str, body: u8) -> SignedEntry {
        let keys = Keypair::from_seed([key; 32]);
        let entry = Entry {
            v: 1,
            space: Did::from_public_key([7; 32]),
            topic: topic.parse().unwrap(),
            author: keys.did(),
            seq,
            prev: (seq > 1).then(|| Cid::of_dag_cbor(b"before")),
            deps: vec![],
            at: Timestamp::from_millis(5),
            body: ByteBuf::from(vec![body]),
        };
        entry.sign(&keys).unwrap().signed().clone()
    }

    #[test]
    fn two_bodies_at_one_place_are_a_fork() {
        let (a, b) = (signed(1, 2, "t", 1), signed(1, 2, "t", 2));
        let proof = ForkProof::new(a.clone(), b.clone()).unwrap();
        assert_eq!(ForkProof::new(b, a).unwrap(), proof);
        let read = ForkProof::parse(&proof.to_bytes()).unwrap();
        assert_eq!(read, proof);
        let fork = read.check(&Ed25519Verifier::default()).unwrap();
        assert_eq!((fork.seq, fork.log.topic.as_str()), (2, "t"));
        assert!(fork.first < fork.second);
        let turned = ForkProof { first: proof.second, second: proof.first };
        assert_eq!(turned.check(&Ed25519Verifier::default()), Err(ForkError::Order));
    }

    // A proof that named one action twice got an innocent blocked in another network. The signature is no part of an
    // entry's id, so a second signature does not make a second entry either.
    #[test]
    fn one_body_twice_is_no_fork() {
        let a = signed(1, 2, "t", 1);
        let resigned = SignedEntry::new(a.entry().to_vec(), vec![9; 64]);
        for other in [a.clone(), resigned] {
            assert_eq!(ForkProof::new(a.clone(), other.clone()), Err(ForkError::SameEntry));
            let proof = ForkProof { first: a.clone(), second: other };
            assert_eq!(proof.check(&Ed25519Verifier::default()), Err(ForkError::SameEntry));
        }
    }

    #[test]
    fn different_places_are_no_fork() {
        let a = signed(1, 2, "t", 1);
        for other in [signed(2, 2, "t", 2), signed(1, 3, "t", 2), signed(1, 2, "u", 2)] {
            assert_eq!(ForkProof::new(a.clone(), other), Err(ForkError::DifferentPlaces));
        }
    }

    #[test]
    fn both_signatures_must_hold() {
        let (a, b) = (signed(1, 2, "t", 1), signed(1, 2, "t", 2));
        for side in 0..2 {
            let mut proof = ForkProof::new(a.clone(), b.clone()).unwrap();
            let entry = if side == 0 { &mut proof.first } else { &mut proof.second };
            let mut sig = entry.sig().to_vec();
            sig[10] ^= 1;
            *entry = SignedEntry::new(entry.entry().to_vec(), sig);
            assert!(matches!(proof.check(&Ed25519Verifier::default()), Err(ForkError::Entry(_))));
        }
    }
}
