//! The index on disk: entry by entry, or in pages of columns.
//!
//! The local order only grows, so a page never changes once written: a log is saved by writing what came since the last
//! page.

use icn_types::{Cid, Did, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::index::NewRow;
use super::{Idx, Log, LogLimits, Refusal};
use crate::id::digest_of;
use crate::topic::LogId;

/// The version of the form.
const SNAPSHOT_VERSION: u8 = 1;
/// Stands for "no entry before".
const NONE: u32 = u32::MAX;

/// What the index keeps of an applied entry, as read from the own disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The entry's id.
    pub id: Cid,
    /// Its author.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The author's entry before.
    pub prev: Option<Cid>,
    /// The heads of others that it names.
    pub deps: Vec<Cid>,
    /// Further entries of which its body speaks.
    pub refs: Vec<Cid>,
}

/// Why an index cannot be read back.
///
/// Blame: us; the own disk holds something else than was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are not a snapshot.
    #[error(
        "the snapshot of the log cannot be read: remove it, the log is then indexed anew from its entries"
    )]
    Codec(#[from] codec::CodecError),
    /// It is of a version that this program does not know.
    #[error(
        "the snapshot of the log has version {0}: remove it, the log is then indexed anew from its entries"
    )]
    Version(u8),
    /// It belongs to another log.
    #[error("the snapshot belongs to another log: remove it, the log is then indexed anew from its entries")]
    WrongLog,
    /// It does not go on where the index ends.
    #[error("the snapshot starts at entry {start}, but {len} entries are here: read its pages in order")]
    Gap {
        /// Where it starts.
        start: u64,
        /// How many entries are here.
        len: u64,
    },
    /// Its columns do not fit together.
    #[error("the snapshot of the log is damaged: remove it, the log is then indexed anew from its entries")]
    Damaged,
    /// An entry names another that is not here.
    #[error("entry `{0}` was read before its past: read entries in the order in which they were applied")]
    PastMissing(Cid),
    /// An entry cannot stand.
    #[error("entry `{id}` cannot be restored")]
    Refused {
        /// The entry.
        id: Cid,
        /// The reason.
        #[source]
        refusal: Refusal,
    },
}

/// A page of the index. Layout: a DAG-CBOR map; numbers in columns are little-endian, `u32` unless said otherwise.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    v: u8,
    log: LogId,
    /// The local place of the first entry.
    start: u64,
    /// The authors of the page, 32 bytes each.
    authors: ByteBuf,
    /// The digests, 32 bytes each.
    ids: ByteBuf,
    /// For each entry the number of its author in `authors`.
    author: ByteBuf,
    /// For each entry its place in the chain, as `u64`.
    seq: ByteBuf,
    /// For each entry the local place of the one before, or `u32::MAX`.
    prev: ByteBuf,
    /// For each entry how many deps and how many refs it has, as two `u16`.
    counts: ByteBuf,
    /// The local places of all deps and refs, entry by entry.
    links: ByteBuf,
}

impl Log {
    /// Takes an applied entry from the own disk; entries come in the order in which they were applied.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] when its past is not here, or it cannot stand.
    pub fn restore(&mut self, entry: &Restored) -> Result<Idx, SnapshotError> {
        let missing = || SnapshotError::PastMissing(entry.id);
        let refused = |refusal| SnapshotError::Refused { id: entry.id, refusal };
        let find = |ids: &[Cid]| {
            ids.iter()
                .map(|id| self.idx(id).map(|idx| idx.0))
                .collect::<Option<Vec<u32>>>()
                .ok_or_else(missing)
        };
        let prev = entry.prev.map(|prev| self.idx(&prev).ok_or_else(missing)).transpose()?;
        let row = NewRow { prev: prev.map(|idx| idx.0), deps: find(&entry.deps)?, extra: find(&entry.refs)? };
        let digest = digest_of(&entry.id).ok_or_else(|| refused(Refusal::NotAnEntry))?;
        if let Some(known) = self.index.find(&digest) {
            return Ok(Idx(known));
        }
        let at = self.index.push(digest, entry.author, entry.seq, &row).map_err(refused)?;
        self.digest.take();
        Ok(Idx(at))
    }

    /// Returns what [`Self::restore`] would take for the entry at a local place.
    #[must_use]
    pub fn restored(&self, idx: Idx) -> Option<Restored> {
        self.index.restored(idx.0)
    }

    /// Writes the whole index.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.page(Idx(0), usize::MAX)
    }

    /// Writes the index from one local place on, at most `max` entries.
    #[must_use]
    pub fn page(&self, from: Idx, max: usize) -> Vec<u8> {
        let mut page = Page {
            v: SNAPSHOT_VERSION,
            log: self.id.clone(),
            start: u64::from(from.0),
            authors: ByteBuf::new(),
            ids: ByteBuf::new(),
            author: ByteBuf::new(),
            seq: ByteBuf::new(),
            prev: ByteBuf::new(),
            counts: ByteBuf::new(),
            links: ByteBuf::new(),
        };
        let mut numbers = std::collections::BTreeMap::new();
        for (at, digest) in (from.0..).zip(self.index.digests_from(from.0)).take(max) {
            let (Some((author, seq)), Some(row)) = (self.index.author_seq(at), self.index.row(at)) else {
                break;
            };
            let next = u32::try_from(numbers.len()).unwrap_or(NONE);
            let number = *numbers.entry(author).or_insert_with(|| {
                page.authors.extend_from_slice(author.public_key());
                next
            });
            page.ids.extend_from_slice(&digest);
            page.author.extend_from_slice(&number.to_le_bytes());
            page.seq.extend_from_slice(&seq.to_le_bytes());
            page.prev.extend_from_slice(&row.prev.unwrap_or(NONE).to_le_bytes());
            for links in [&row.deps, &row.extra] {
                page.counts.extend_from_slice(&u16::try_from(links.len()).unwrap_or(u16::MAX).to_le_bytes());
            }
            for link in row.deps.iter().chain(&row.extra) {
                page.links.extend_from_slice(&link.to_le_bytes());
            }
        }
        // Byte strings and numbers always have a DAG-CBOR form.
        codec::encode(&page).unwrap_or_default()
    }

    /// Reads the index back from [`Self::snapshot`].
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] when it was not written by this log, or was damaged.
    pub fn from_snapshot(id: LogId, limits: LogLimits, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut log = Self::new(id, limits);
        log.read_page(bytes)?;
        Ok(log)
    }

    /// Reads a page that goes on where the index ends; returns how many entries it had.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] when it does not, or was damaged. What was read before the damage stays.
    pub fn read_page(&mut self, bytes: &[u8]) -> Result<usize, SnapshotError> {
        let page: Page = codec::decode(bytes)?;
        if page.v != SNAPSHOT_VERSION {
            return Err(SnapshotError::Version(page.v));
        }
        if page.log != self.id {
            return Err(SnapshotError::WrongLog);
        }
        let len = self.index.len();
        if page.start != len as u64 {
            return Err(SnapshotError::Gap { start: page.start, len: len as u64 });
        }
        let read = self.read_columns(&page);
        self.index.index_ids();
        self.digest.take();
        // An id that stands twice would be found in one place only.
        if self.index.set().len() != self.index.len() {
            return Err(SnapshotError::Damaged);
        }
        read.map(|()| self.index.len() - len)
    }

    fn read_columns(&mut self, page: &Page) -> Result<(), SnapshotError> {
        let ids = page.ids.as_chunks::<32>().0;
        let authors = page.authors.as_chunks::<32>().0;
        let author = words(&page.author);
        let seq = page.seq.as_chunks::<8>().0;
        let prev = words(&page.prev);
        let counts = page.counts.as_chunks::<4>().0;
        let mut links = words(&page.links).into_iter();
        let lens = [author.len(), seq.len(), prev.len(), counts.len()];
        if !page.ids.len().is_multiple_of(32) || lens.iter().any(|len| *len != ids.len()) {
            return Err(SnapshotError::Damaged);
        }
        for ((((id, author), seq), prev), counts) in ids.iter().zip(author).zip(seq).zip(prev).zip(counts) {
            let author = authors.get(author as usize).ok_or(SnapshotError::Damaged)?;
            let [a, b, c, d] = *counts;
            let deps = usize::from(u16::from_le_bytes([a, b]));
            let extra = usize::from(u16::from_le_bytes([c, d]));
            let row = NewRow {
                prev: Some(prev).filter(|prev| *prev != NONE),
                deps: links.by_ref().take(deps).collect(),
                extra: links.by_ref().take(extra).collect(),
            };
            let here = self.index.len();
            let is_past = |at: &u32| (*at as usize) < here;
            let is_whole = row.deps.len() == deps && row.extra.len() == extra;
            if !is_whole || !row.prev.iter().chain(&row.deps).chain(&row.extra).all(is_past) {
                return Err(SnapshotError::Damaged);
            }
            let author = Did::from_public_key(*author);
            self.index
                .append(*id, author, u64::from_le_bytes(*seq), &row)
                .map_err(|_| SnapshotError::Damaged)?;
        }
        Ok(())
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
