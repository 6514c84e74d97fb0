//! The index of one log: which entries were applied, in which order, and what others wait for.
//!
//! The entries themselves are on the shell's disk; here stand about 130 bytes for each. An entry is applied when all that
//! it names is applied, so the local order is a topological order of the Merkle-DAG. Everything that a log tells about its
//! *set* of entries (heads, frontier, forks, digest) is a function of the set, whatever the order of arrival.

mod column;
mod frontier;
mod index;
mod proofs;
mod snapshot;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use icn_types::{Cid, Did};

pub use self::frontier::Tip;
use self::index::{Index, NewRow};
use self::proofs::ProofStore;
pub use self::snapshot::{Restored, SnapshotError};
use self::waiting::WaitingStore;
use crate::entry::VerifiedEntry;
use crate::id::{Digest, cid_of, digest_of};
use crate::idset::IdSet;
use crate::topic::LogId;

/// The most further entries that a body may speak of. More: the entry is refused.
pub const REFS_MAX: usize = 1_024;
/// The most ids that [`Log::missing`] lists. Full: the others follow once these are here.
pub const MISSING_MAX: usize = 1_024;

/// The place of an entry in the local order of application. It never leaves the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Idx(pub u32);

/// Where an entry stands, and after which others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Its own place.
    pub idx: Idx,
    /// The author's entry before.
    pub prev: Option<Idx>,
    /// The heads of others that it names.
    pub deps: Vec<Idx>,
    /// Further entries of which its body speaks; none of them is `prev` or one of `deps`.
    pub extra: Vec<Idx>,
}

/// An entry that was applied just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The entry.
    pub entry: VerifiedEntry,
    /// Its place.
    pub position: Position,
    /// Whether another entry stands at its author's place.
    pub forks: bool,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It was applied, and after it every waiting one that it released, in causal order.
    Applied(Vec<Applied>),
    /// It was applied before, or waits already.
    Known,
    /// It waits for its past.
    Waiting {
        /// What to ask for. Empty: all that it names is waiting itself.
        missing: Vec<Cid>,
    },
    /// It cannot stand in this log.
    Refused(Refusal),
}

/// Why an entry cannot stand in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another space or topic. Blame: the sender.
    #[error("the entry belongs to another log")]
    WrongLog,
    /// What it calls its author's entry before is somebody else's, or not at the place before. Blame: the author.
    #[error("`prev` is not the author's entry before this one")]
    ChainBroken,
    /// It names what cannot be an entry. Blame: the author.
    #[error("the entry names a CID that cannot be that of an entry")]
    NotAnEntry,
    /// Its body speaks of more than [`REFS_MAX`] entries. Blame: the author.
    #[error("the body speaks of more than {REFS_MAX} entries: spread it over several entries")]
    TooMany,
    /// The bound on entries or authors is reached. Blame: nobody.
    #[error("the log is full: raise `entries_max` or close the log")]
    Full,
}

/// The bounds of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// The most applied entries. Full: further ones are refused.
    pub entries_max: u64,
    /// The most authors. Full: entries of further ones are refused.
    pub authors_max: usize,
    /// The most waiting entries. Full: the oldest is dropped and counted; reconciliation asks for it again.
    pub waiting_max: usize,
    /// The most memory of waiting entries, in bytes. Full: the oldest is dropped and counted.
    pub waiting_bytes_max: usize,
    /// The most waiting entries of one author. Full: its oldest is dropped and counted.
    pub waiting_per_author_max: usize,
    /// The most fork proofs that are kept for places where the own index shows no fork. Full: further ones are refused.
    pub proofs_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            entries_max: 10_000_000,
            authors_max: 100_000,
            waiting_max: 4_096,
            waiting_bytes_max: 16 * 1024 * 1024,
            waiting_per_author_max: 512,
            proofs_max: 1_024,
        }
    }
}

/// What a log had to let go, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Waiting entries dropped because a bound was reached.
    pub waiting_dropped: u64,
    /// Waiting entries refused once their past was here.
    pub waiting_refused: u64,
}

/// The entries that an entry names, by digest; each stands once.
#[derive(Debug, Clone)]
struct Past {
    prev: Option<Digest>,
    deps: Vec<Digest>,
    extra: Vec<Digest>,
}

impl Past {
    fn of(entry: &VerifiedEntry, refs: &[Cid]) -> Result<Self, Refusal> {
        if refs.len() > REFS_MAX {
            return Err(Refusal::TooMany);
        }
        let read = |id: &Cid| digest_of(id).ok_or(Refusal::NotAnEntry);
        let prev = entry.entry().prev.as_ref().map(read).transpose()?;
        let deps = entry.entry().deps.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let mut extra = refs.iter().map(read).collect::<Result<BTreeSet<_>, _>>()?;
        extra.retain(|digest| Some(*digest) != prev && !deps.contains(digest));
        Ok(Self { prev, deps, extra: extra.into_iter().collect() })
    }

    const fn len(&self) -> usize {
        self.deps.len() + self.extra.len() + 1
    }

    fn all(&self) -> impl Iterator<Item = &Digest> {
        self.prev.iter().chain(&self.deps).chain(&self.extra)
    }
}

/// The index of one log. See the module.
#[derive(Debug, Clone)]
pub struct Log {
    id: LogId,
    limits: LogLimits,
    index: Index,
    waiting: WaitingStore,
    proofs: ProofStore,
    counts: LogCounts,
    /// The digest of the frontier, once somebody asked for it; forgotten with each applied entry.
    digest: OnceLock<[u8; 32]>,
}

impl Log {
    /// Makes an empty log.
    #[must_use]
    pub fn new(id: LogId, limits: LogLimits) -> Self {
        Self {
            id,
            limits,
            index: Index::new(),
            waiting: WaitingStore::default(),
            proofs: ProofStore::default(),
            counts: LogCounts::default(),
            digest: OnceLock::new(),
        }
    }

    /// Takes in an entry: applies it if its past is here, else lets it wait.
    ///
    /// `refs` are further entries of which the body speaks, as the reducer's decoder lists them; they must be applied
    /// first, as `deps` must.
    pub fn admit(&mut self, entry: VerifiedEntry, refs: Vec<Cid>) -> Admitted {
        match self.admit_inner(entry, &refs) {
            Ok(admitted) => admitted,
            Err(refusal) => Admitted::Refused(refusal),
        }
    }

    fn admit_inner(&mut self, entry: VerifiedEntry, refs: &[Cid]) -> Result<Admitted, Refusal> {
        let said = entry.entry();
        if said.space != self.id.space || said.topic != self.id.topic {
            return Err(Refusal::WrongLog);
        }
        let digest = digest_of(&entry.id()).ok_or(Refusal::NotAnEntry)?;
        if self.index.find(&digest).is_some() || self.waiting.contains(&digest) {
            return Ok(Admitted::Known);
        }
        self.check_room(&said.author)?;
        let past = Past::of(&entry, refs)?;
        if let Some(prev) = past.prev.and_then(|prev| self.index.find(&prev)) {
            self.index.check_chain(&said.author, said.seq, Some(prev))?;
        }
        let missing: BTreeSet<Digest> =
            past.all().filter(|named| self.index.find(named).is_none()).copied().collect();
        if missing.is_empty() {
            return self.apply_all(entry, past).map(Admitted::Applied);
        }
        let ask = missing.iter().filter(|named| !self.waiting.contains(named)).map(cid_of).collect();
        self.counts.waiting_dropped += self.waiting.insert(digest, entry, past, &missing, &self.limits);
        Ok(Admitted::Waiting { missing: ask })
    }

    fn check_room(&self, author: &Did) -> Result<(), Refusal> {
        let is_full = self.index.len() as u64 >= self.limits.entries_max
            || (self.index.authors_len() >= self.limits.authors_max && !self.index.knows_author(author));
        if is_full { Err(Refusal::Full) } else { Ok(()) }
    }

    fn apply_all(&mut self, entry: VerifiedEntry, past: Past) -> Result<Vec<Applied>, Refusal> {
        let mut applied = vec![self.apply(entry, &past)?];
        let mut next = 0;
        while let Some(last) = applied.get(next) {
            next += 1;
            let Some(digest) = digest_of(&last.entry.id()) else { continue };
            for (entry, past) in self.waiting.release(&digest) {
                match self.apply(entry, &past) {
                    Ok(released) => applied.push(released),
                    Err(_) => self.counts.waiting_refused += 1,
                }
            }
        }
        Ok(applied)
    }

    fn apply(&mut self, entry: VerifiedEntry, past: &Past) -> Result<Applied, Refusal> {
        let (author, seq) = (entry.entry().author, entry.entry().seq);
        self.check_room(&author)?;
        let digest = digest_of(&entry.id()).ok_or(Refusal::NotAnEntry)?;
        let find = |digests: &[Digest]| digests.iter().filter_map(|digest| self.index.find(digest)).collect();
        let row = NewRow {
            prev: past.prev.and_then(|prev| self.index.find(&prev)),
            deps: find(&past.deps),
            extra: find(&past.extra),
        };
        let at = self.index.push(digest, author, seq, &row)?;
        self.digest.take();
        let forks = self.index.is_forked(&author) && self.index.at(&author, seq).len() > 1;
        Ok(Applied { entry, position: position(at, row), forks })
    }

    /// Names the log.
    #[must_use]
    pub const fn log_id(&self) -> &LogId {
        &self.id
    }

    /// Returns its bounds.
    #[must_use]
    pub const fn limits(&self) -> &LogLimits {
        &self.limits
    }

    /// Returns the local place of an applied entry.
    #[must_use]
    pub fn idx(&self, id: &Cid) -> Option<Idx> {
        self.index.find(&digest_of(id)?).map(Idx)
    }

    /// Returns the id of the entry at a local place.
    #[must_use]
    pub fn id(&self, idx: Idx) -> Option<Cid> {
        self.index.digest(idx.0).map(|digest| cid_of(&digest))
    }

    /// Returns who said an entry, and at which place of its chain.
    #[must_use]
    pub fn author_seq(&self, idx: Idx) -> Option<(Did, u64)> {
        self.index.author_seq(idx.0)
    }

    /// Returns where an entry stands, and after which others.
    #[must_use]
    pub fn position(&self, idx: Idx) -> Option<Position> {
        self.index.row(idx.0).map(|row| position(idx.0, row))
    }

    /// Returns the ids of applied entries in local order, from one place on.
    pub fn ids_from(&self, idx: Idx) -> impl Iterator<Item = Cid> + '_ {
        self.index.digests_from(idx.0).map(|digest| cid_of(&digest))
    }

    /// Counts the applied entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Tells whether nothing was applied yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    /// Tells whether an entry was applied.
    #[must_use]
    pub fn contains(&self, id: &Cid) -> bool {
        self.idx(id).is_some()
    }

    /// Counts the waiting entries.
    #[must_use]
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns a waiting entry.
    #[must_use]
    pub fn waiting(&self, id: &Cid) -> Option<&VerifiedEntry> {
        self.waiting.get(&digest_of(id)?)
    }

    /// Returns what waiting entries need and nobody has sent yet, in order of the ids, at most [`MISSING_MAX`].
    #[must_use]
    pub fn missing(&self) -> Vec<Cid> {
        self.waiting.missing().take(MISSING_MAX).map(cid_of).collect()
    }

    /// Returns what had to be let go.
    #[must_use]
    pub const fn counts(&self) -> LogCounts {
        self.counts
    }

    /// Estimates the memory that the index and the waiting entries take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + self.waiting.bytes()
    }

    /// Returns the ids as reconciliation wants them.
    pub(crate) const fn set(&self) -> &IdSet {
        self.index.set()
    }

    pub(crate) fn digest_at(&self, at: u32) -> Option<Digest> {
        self.index.digest(at)
    }
}

fn position(at: u32, row: NewRow) -> Position {
    let idx = |links: Vec<u32>| links.into_iter().map(Idx).collect();
    Position { idx: Idx(at), prev: row.prev.map(Idx), deps: idx(row.deps), extra: idx(row.extra) }
}
