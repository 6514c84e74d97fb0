//! What others did wrong, with the evidence. It is recorded here; what follows from it is decided elsewhere.
//!
//! Blame falls on whoever can be shown to have done it: a fork on the author that signed twice, a forged or malformed entry on
//! the node that passed it on, since anybody can write somebody else's name.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::codec::{self, CodecError};
use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sha2::{Digest as _, Sha256};

/// How many offences of one offender are kept. Full: the oldest that is no equivocation is dropped, else the oldest;
/// the counts go on.
const PER_OFFENDER_MAX: usize = 32;
/// How many offenders are kept. Full: whoever was last heard of longest ago is dropped, one without equivocation first.
const OFFENDERS_MAX: usize = 4_096;
/// How many bytes of evidence one offence keeps. More is kept as length and digest.
const EVIDENCE_BYTES_MAX: usize = 16 * 1024;
/// How many bytes of evidence are kept in all. Full: the oldest bytes become length and digest.
const EVIDENCE_TOTAL_MAX: usize = 16 * 1024 * 1024;
/// How many characters of a detail are kept. Full: the rest is cut.
const DETAIL_CHARS_MAX: usize = 200;

/// The version of the form on disk.
const SNAPSHOT_VERSION: u8 = 1;

/// A kind of offence (SEC-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// It passed on something whose signature does not hold.
    InvalidSignature,
    /// It signed two things at one place.
    Equivocation,
    /// It sent bytes that are no message.
    Malformed,
    /// It sent more than it may.
    ExcessiveRate,
}

/// What shows an offence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Nothing but this node's word.
    None,
    /// A block that the store holds, such as an entry.
    Block(Cid),
    /// The bytes themselves: a fork proof, a message.
    Bytes(ByteBuf),
    /// What is left of bytes that were too many.
    Digest {
        /// How many they were.
        len: u64,
        /// Their SHA-256, 32 bytes.
        sha256: ByteBuf,
    },
}

/// One offence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offence {
    /// Which in the order of recording, from 1.
    pub number: u64,
    /// When it was noticed, by this node's clock.
    pub at: Timestamp,
    /// Who did it.
    pub offender: Did,
    /// What kind.
    pub violation: Violation,
    /// What exactly, for people.
    pub detail: String,
    /// What shows it.
    pub evidence: Evidence,
}

/// How often somebody did what: what was dropped, and what was repeated, included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffenceCounts {
    /// Signatures that did not hold.
    pub invalid_signatures: u64,
    /// Places that were signed twice.
    pub equivocations: u64,
    /// Bytes that were no message.
    pub malformed: u64,
    /// Times that too much was sent.
    pub excessive_rates: u64,
}

/// The bounded record of offences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misbehaviour {
    offences: BTreeMap<u64, Offence>,
    offenders: BTreeMap<Did, Offender>,
    /// Offences that keep bytes: those that are no equivocation, and those that are.
    heavy: [BTreeSet<u64>; 2],
    evidence_bytes: usize,
    last_number: u64,
    dropped: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Offender {
    counts: OffenceCounts,
    last_number: u64,
    numbers: BTreeSet<u64>,
}

/// The form on disk.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    v: u8,
    offences: Vec<Offence>,
    offenders: Vec<(Did, OffenceCounts, u64)>,
    last_number: u64,
    dropped: u64,
}

impl Misbehaviour {
    /// Makes an empty record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records an offence. The same one again (kind, detail and evidence alike) is only counted; false then.
    pub fn record(
        &mut self,
        at: Timestamp,
        offender: Did,
        violation: Violation,
        detail: &str,
        evidence: Evidence,
    ) -> bool {
        let detail: String = detail.chars().take(DETAIL_CHARS_MAX).collect();
        let evidence = match evidence {
            Evidence::Bytes(bytes) if bytes.len() > EVIDENCE_BYTES_MAX => digest(&bytes),
            Evidence::None | Evidence::Block(_) | Evidence::Bytes(_) | Evidence::Digest { .. } => evidence,
        };
        self.make_room(&offender);
        self.last_number += 1;
        let number = self.last_number;
        let entry = self.offenders.entry(offender).or_default();
        entry.counts.add(violation);
        entry.last_number = number;
        let is_same = |known: &Offence| {
            known.violation == violation && known.detail == detail && known.is_shown_by(&evidence)
        };
        if entry.numbers.iter().filter_map(|number| self.offences.get(number)).any(is_same) {
            return false;
        }
        self.insert(Offence { number, at, offender, violation, detail, evidence });
        self.shed(&offender);
        true
    }

    /// Returns what is kept about one offender, newest first.
    pub fn of(&self, offender: &Did) -> impl Iterator<Item = &Offence> {
        let numbers = self.offenders.get(offender).into_iter().flat_map(|entry| entry.numbers.iter().rev());
        numbers.filter_map(|number| self.offences.get(number))
    }

    /// Returns how often somebody did what; all zeros for the blameless and the forgotten.
    #[must_use]
    pub fn counts(&self, offender: &Did) -> OffenceCounts {
        self.offenders.get(offender).map_or_else(OffenceCounts::default, |entry| entry.counts)
    }

    /// Lists what is kept, newest first.
    pub fn list(&self, offset: usize, limit: usize) -> impl Iterator<Item = &Offence> {
        self.offences.values().rev().skip(offset).take(limit)
    }

    /// Returns how many offences are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offences.len()
    }

    /// Tells whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offences.is_empty()
    }

    /// Returns how many offences were dropped for want of room.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Encodes everything for the disk.
    ///
    /// # Errors
    ///
    /// [`CodecError`] when it has no DAG-CBOR form.
    pub fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        codec::encode(&Snapshot {
            v: SNAPSHOT_VERSION,
            offences: self.offences.values().cloned().collect(),
            offenders: self
                .offenders
                .iter()
                .map(|(did, entry)| (*did, entry.counts, entry.last_number))
                .collect(),
            last_number: self.last_number,
            dropped: self.dropped,
        })
    }

    /// Reads what [`Self::snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`CodecError`] when it is something else.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, CodecError> {
        let Snapshot { v, offences, offenders, last_number, dropped } = codec::decode(bytes)?;
        if v != SNAPSHOT_VERSION {
            return Err(CodecError::Shape(format!("version {v} of the record of offences is not known")));
        }
        let mut record = Self { last_number, dropped, ..Self::default() };
        for (did, counts, last_number) in offenders {
            record.offenders.insert(did, Offender { counts, last_number, numbers: BTreeSet::new() });
        }
        offences.into_iter().for_each(|offence| record.insert(offence));
        Ok(record)
    }

    fn insert(&mut self, offence: Offence) {
        if let Evidence::Bytes(bytes) = &offence.evidence {
            self.evidence_bytes += bytes.len();
            if let Some(heavy) = self.heavy.get_mut(offence.weight()) {
                heavy.insert(offence.number);
            }
        }
        self.offenders.entry(offence.offender).or_default().numbers.insert(offence.number);
        self.offences.insert(offence.number, offence);
    }

    fn remove(&mut self, number: u64) {
        self.lighten(number);
        if let Some(offence) = self.offences.remove(&number)
            && let Some(entry) = self.offenders.get_mut(&offence.offender)
        {
            entry.numbers.remove(&number);
            self.dropped += 1;
        }
    }

    /// Keeps of the bytes of an offence their length and digest only.
    fn lighten(&mut self, number: u64) {
        let Some(offence) = self.offences.get_mut(&number) else { return };
        if let Evidence::Bytes(bytes) = &offence.evidence {
            self.evidence_bytes -= bytes.len();
            offence.evidence = digest(bytes);
        }
        self.heavy.iter_mut().for_each(|heavy| {
            heavy.remove(&number);
        });
    }

    /// Makes room for a new offender.
    fn make_room(&mut self, offender: &Did) {
        if self.offenders.contains_key(offender) || self.offenders.len() < OFFENDERS_MAX {
            return;
        }
        let rank = |entry: &Offender| (entry.counts.equivocations > 0, entry.last_number);
        let Some(victim) = self.offenders.iter().min_by_key(|(_, entry)| rank(entry)).map(|(did, _)| *did)
        else {
            return;
        };
        let numbers = self.offenders.get(&victim).map(|entry| entry.numbers.clone());
        numbers.into_iter().flatten().for_each(|number| self.remove(number));
        self.offenders.remove(&victim);
    }

    /// Keeps one offender, and all bytes together, within their bounds.
    fn shed(&mut self, offender: &Did) {
        let numbers = self.offenders.get(offender).map(|entry| &entry.numbers);
        if let Some(numbers) = numbers.filter(|numbers| numbers.len() > PER_OFFENDER_MAX) {
            let is_light =
                |number: &&u64| self.offences.get(*number).is_some_and(|offence| offence.weight() == 0);
            if let Some(victim) = numbers.iter().find(is_light).or_else(|| numbers.first()).copied() {
                self.remove(victim);
            }
        }
        while self.evidence_bytes > EVIDENCE_TOTAL_MAX {
            let Some(oldest) = self.heavy.iter().find_map(|heavy| heavy.first().copied()) else { return };
            self.lighten(oldest);
        }
    }
}

impl Offence {
    /// 1 for an equivocation, whose proof stands by itself and is kept longest, else 0.
    fn weight(&self) -> usize {
        usize::from(self.violation == Violation::Equivocation)
    }

    /// Tells whether this is the same evidence, even if only the digest of its bytes is left here.
    fn is_shown_by(&self, evidence: &Evidence) -> bool {
        self.evidence == *evidence
            || match (&self.evidence, evidence) {
                (Evidence::Digest { .. }, Evidence::Bytes(bytes)) => self.evidence == digest(bytes),
                (
                    Evidence::None | Evidence::Block(_) | Evidence::Bytes(_) | Evidence::Digest { .. },
                    Evidence::None | Evidence::Block(_) | Evidence::Bytes(_) | Evidence::Digest { .. },
                ) => false,
            }
    }
}

impl OffenceCounts {
    const fn add(&mut self, violation: Violation) {
        let count = match violation {
            Violation::InvalidSignature => &mut self.invalid_signatures,
            Violation::Equivocation => &mut self.equivocations,
            Violation::Malformed => &mut self.malformed,
            Violation::ExcessiveRate => &mut self.excessive_rates,
        };
        *count = count.saturating_add(1);
    }
}

fn digest(bytes: &[u8]) -> Evidence {
    Evidence::Digest { len: bytes.len() as u64, sha256: ByteBuf::from(Sha256::digest(bytes).to_vec()) }
}

#[cfg(test)]
mod tests;
