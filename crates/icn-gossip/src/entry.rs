//! One entry of a log: what its author says, what the author had seen, and the signature beside it.
//!
//! An entry's id is the CID of its canonical **unsigned** bytes. A signature is never part of an id, of a duplicate check
//! or of a fork test: one body may be signed twice without becoming two.

mod signed;

use std::sync::Arc;

use icn_identity::{SIGNATURE_BYTES, Signature, Signer, Verifier};
use icn_types::{Cid, Did, Timestamp, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use self::signed::SignedEntry;
use crate::error::EntryError;
use crate::topic::{LogId, TopicName};

/// The version of the form.
pub const ENTRY_VERSION: u8 = 1;
/// The name under which entries are signed: `icn-sig-v1/EntryV1`.
pub const ENTRY_SIGNATURE: &str = "EntryV1";
/// The largest entry, unsigned, in bytes.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// The most heads of others that an entry names.
pub const DEPS_MAX: usize = 64;

/// What an author says, at one place of its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of the form: 1.
    pub v: u8,
    /// The space, by its root DID.
    pub space: Did,
    /// The topic within it.
    pub topic: TopicName,
    /// Who says it.
    pub author: Did,
    /// Its place in the author's chain on this topic, from 1 up.
    pub seq: u64,
    /// The author's entry before; none at place 1.
    pub prev: Option<Cid>,
    /// Other heads that the author had applied: sorted, each once, at most [`DEPS_MAX`]. They are the causal past that is
    /// not behind `prev` already.
    pub deps: Vec<Cid>,
    /// The author's clock. It is shown to people; no rule relies on it.
    pub at: Timestamp,
    /// What is said: DAG-CBOR of the topic's own type.
    pub body: ByteBuf,
}

/// An entry whose form was checked; whether its signature holds is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    id: Cid,
    entry: Entry,
    signed: SignedEntry,
}

/// An entry that its author signed, or promised to. Whether it may stand is for the reducer of its topic to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEntry {
    id: Cid,
    entry: Entry,
    signed: SignedEntry,
}

impl Entry {
    /// Names the log that it belongs to.
    #[must_use]
    pub fn log(&self) -> LogId {
        LogId { space: self.space, topic: self.topic.clone() }
    }

    /// Encodes, checks, and signs as the author.
    ///
    /// # Errors
    ///
    /// [`EntryError`] when the entry would be refused by everybody else.
    pub fn sign(self, signer: &dyn Signer) -> Result<VerifiedEntry, EntryError> {
        let bytes = self.bytes_by(signer.did())?;
        let sig = signer.sign(ENTRY_SIGNATURE, &bytes).as_bytes().to_vec();
        let id = Cid::of_dag_cbor(&bytes);
        Ok(VerifiedEntry { id, entry: self, signed: SignedEntry::new(bytes, sig) })
    }

    /// Encodes, checks, and promises to sign as the author: the signature is made when somebody first asks for it
    /// ([`SignedEntry::sig`]), at most once, on the thread that asks. Nothing else tells the entry from a signed one.
    ///
    /// # Errors
    ///
    /// As [`Entry::sign`].
    pub fn promise(self, signer: Arc<dyn Signer>) -> Result<VerifiedEntry, EntryError> {
        let bytes = self.bytes_by(signer.did())?;
        let id = Cid::of_dag_cbor(&bytes);
        Ok(VerifiedEntry { id, entry: self, signed: SignedEntry::promised(bytes, signer) })
    }

    /// Encodes what a signer may sign.
    fn bytes_by(&self, signer: Did) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        if signer != self.author {
            return Err(EntryError::Field("author", "the entry is signed by somebody else"));
        }
        let bytes = codec::encode(self)?;
        if bytes.len() > ENTRY_BYTES_MAX { Err(EntryError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }

    fn check(&self) -> Result<(), EntryError> {
        if self.v != ENTRY_VERSION {
            return Err(EntryError::Version(self.v));
        }
        if self.seq == 0 || i64::try_from(self.seq).is_err() {
            return Err(EntryError::Field("seq", "it counts from 1"));
        }
        if (self.seq == 1) != self.prev.is_none() {
            return Err(EntryError::Field("prev", "the first entry has none, and every other has one"));
        }
        if self.deps.len() > DEPS_MAX {
            return Err(EntryError::Field("deps", "at most 64 heads are named"));
        }
        if !self.deps.is_sorted_by(|a, b| a < b) {
            return Err(EntryError::Field("deps", "they are sorted, and each stands once"));
        }
        if self.prev.is_some_and(|prev| self.deps.contains(&prev)) {
            return Err(EntryError::Field(
                "deps",
                "the author's own entry before is `prev`, not one of them",
            ));
        }
        Ok(())
    }
}

impl RawEntry {
    /// Returns the id: the CID of the unsigned bytes.
    #[must_use]
    pub const fn id(&self) -> Cid {
        self.id
    }

    /// Returns what is said, which nobody has vouched for yet.
    #[must_use]
    pub const fn unverified(&self) -> &Entry {
        &self.entry
    }

    /// Checks the signature: the only way to an entry that counts.
    ///
    /// # Errors
    ///
    /// [`EntryError::Signature`] when it does not hold.
    pub fn verify(self, verifier: &dyn Verifier) -> Result<VerifiedEntry, EntryError> {
        let Self { id, entry, signed } = self;
        verifier.verify(&entry.author, entry.at, ENTRY_SIGNATURE, signed.entry(), signed.sig())?;
        Ok(VerifiedEntry { id, entry, signed })
    }

    /// Takes an entry from the own disk, where only verified ones are written.
    #[must_use]
    pub fn trusted(self) -> VerifiedEntry {
        VerifiedEntry { id: self.id, entry: self.entry, signed: self.signed }
    }
}

impl VerifiedEntry {
    /// Returns the id: the CID of the unsigned bytes.
    #[must_use]
    pub const fn id(&self) -> Cid {
        self.id
    }

    /// Returns what is said.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Returns the form in which it travels and is stored.
    #[must_use]
    pub const fn signed(&self) -> &SignedEntry {
        &self.signed
    }

    /// Returns the signature; makes it, if it is promised.
    #[must_use]
    pub fn signature(&self) -> Signature {
        // The length was checked at the door.
        Signature::from_bytes(self.signed.sig().try_into().unwrap_or([0; SIGNATURE_BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_identity::{Ed25519Verifier, Keypair};

    fn keys() -> Keypair {
        Keypair::from_seed([3; 32])
    }

    fn entry() -> Entry {
        Entry {
            v: 1,
            space: Did::from_public_key([7; 32]),
            topic: "ledger:sync".parse().unwrap(),
            author: keys().did(),
            seq: 2,
            prev: Some(Cid::of_dag_cbor(b"before")),
            deps: vec![],
            at: Timestamp::from_millis(1_000),
            body: ByteBuf::from(vec![0xa0]),
        }
    }

    #[test]
    fn what_is_signed_is_read_back() {
        let signed = entry().sign(&keys()).unwrap();
        let bytes = signed.signed().to_bytes();
        let read = SignedEntry::parse(&bytes).unwrap().verify(&Ed25519Verifier::default()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.id(), Cid::of_dag_cbor(&codec::encode(&entry()).unwrap()));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let signed = entry().sign(&keys()).unwrap().signed().clone();
        for place in 0..signed.entry().len() {
            let mut changed = signed.entry().to_vec();
            changed[place] ^= 1;
            let changed = SignedEntry::new(changed, signed.sig().to_vec());
            let read = changed.check().and_then(|raw| raw.verify(&Ed25519Verifier::default()));
            assert!(read.is_err(), "byte {place}");
        }
    }

    #[test]
    fn the_form_is_strict() {
        let refuse = |edit: &dyn Fn(&mut Entry)| {
            let mut entry = entry();
            edit(&mut entry);
            assert!(entry.sign(&keys()).is_err());
        };
        let other = |n: u8| Cid::of_dag_cbor(&[n]);
        let mut sorted = [other(1), other(2)];
        sorted.sort();
        refuse(&|entry| entry.v = 2);
        refuse(&|entry| entry.seq = 0);
        refuse(&|entry| entry.seq = 1);
        refuse(&|entry| entry.prev = None);
        refuse(&|entry| entry.deps = vec![entry.prev.unwrap()]);
        refuse(&|entry| entry.deps = vec![sorted[0], sorted[0]]);
        refuse(&|entry| entry.deps = vec![sorted[1], sorted[0]]);
        refuse(&|entry| entry.deps = (0..=64).map(other).collect());
        refuse(&|entry| entry.body = ByteBuf::from(vec![0; ENTRY_BYTES_MAX]));
        refuse(&|entry| entry.author = Did::from_public_key([9; 32]));
    }
}
