//! What a log knows of the entries that it applied: who, where, after what.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::Did;

use super::column::Column;
use super::{Refusal, Restored};
use crate::id::Digest;
use crate::idset::IdSet;

/// Stands for "no entry before".
const NONE: u32 = u32::MAX;

/// An entry's place, with the entries that it names found.
#[derive(Debug, Clone, Default)]
pub(super) struct NewRow {
    pub(super) prev: Option<u32>,
    pub(super) deps: Vec<u32>,
    pub(super) extra: Vec<u32>,
}

/// 24 bytes for each entry; what it names lies in a column of its own.
#[derive(Debug, Clone, Copy)]
struct Row {
    seq: u64,
    author: u32,
    prev: u32,
    links: u32,
    deps: u16,
    extra: u16,
}

/// The entries of one author.
#[derive(Debug, Clone, Default)]
struct Chain {
    /// The entry at each place, from place 1; at a fork the one that was applied first.
    places: Vec<u32>,
    /// The other entries at forked places.
    twins: BTreeMap<u64, Vec<u32>>,
    /// Entries that no later one of the author follows: one, unless the chain is forked.
    tips: Vec<u32>,
}

/// The index of all applied entries.
#[derive(Debug, Clone)]
pub(super) struct Index {
    ids: Column<Digest>,
    rows: Column<Row>,
    links: Column<u32>,
    set: IdSet,
    authors: Vec<Did>,
    numbers: BTreeMap<Did, u32>,
    chains: Vec<Chain>,
    heads: BTreeSet<Digest>,
    /// Places where two entries follow the same one.
    forked: BTreeSet<(Did, u64)>,
}

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            ids: Column::new(),
            rows: Column::new(),
            links: Column::new(),
            set: IdSet::new(),
            authors: Vec::new(),
            numbers: BTreeMap::new(),
            chains: Vec::new(),
            heads: BTreeSet::new(),
            forked: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) const fn set(&self) -> &IdSet {
        &self.set
    }

    pub(super) const fn heads(&self) -> &BTreeSet<Digest> {
        &self.heads
    }

    pub(super) const fn forked(&self) -> &BTreeSet<(Did, u64)> {
        &self.forked
    }

    /// Returns the authors, sorted.
    pub(super) fn authors(&self) -> impl Iterator<Item = &Did> {
        self.numbers.keys()
    }

    pub(super) fn authors_len(&self) -> usize {
        self.authors.len()
    }

    pub(super) fn knows_author(&self, author: &Did) -> bool {
        self.numbers.contains_key(author)
    }

    pub(super) fn find(&self, digest: &Digest) -> Option<u32> {
        self.set.get(digest)
    }

    pub(super) fn digest(&self, at: u32) -> Option<Digest> {
        self.ids.get(at)
    }

    pub(super) fn digests_from(&self, at: u32) -> impl Iterator<Item = Digest> + '_ {
        self.ids.iter_from(at)
    }

    pub(super) fn author_seq(&self, at: u32) -> Option<(Did, u64)> {
        let row = self.rows.get(at)?;
        Some((*self.authors.get(row.author as usize)?, row.seq))
    }

    pub(super) fn prev(&self, at: u32) -> Option<u32> {
        self.rows.get(at).map(|row| row.prev).filter(|prev| *prev != NONE)
    }

    /// Returns what an entry names.
    pub(super) fn row(&self, at: u32) -> Option<NewRow> {
        let row = self.rows.get(at)?;
        let (deps, extra) = (usize::from(row.deps), usize::from(row.extra));
        let mut links = self.links.iter_from(row.links);
        Some(NewRow {
            prev: self.prev(at),
            deps: links.by_ref().take(deps).collect(),
            extra: links.take(extra).collect(),
        })
    }

    fn chain(&self, author: &Did) -> Option<&Chain> {
        self.chains.get(*self.numbers.get(author)? as usize)
    }

    /// Returns an author's highest place; 0 for none.
    pub(super) fn height(&self, author: &Did) -> u64 {
        self.chain(author).map_or(0, |chain| chain.places.len() as u64)
    }

    /// Returns the entries at one place, lowest id first.
    pub(super) fn at(&self, author: &Did, seq: u64) -> Vec<u32> {
        let Some(chain) = self.chain(author) else { return Vec::new() };
        let first = seq.checked_sub(1).and_then(|place| chain.places.get(usize::try_from(place).ok()?));
        let twins = chain.twins.get(&seq).into_iter().flatten();
        self.by_id(first.into_iter().chain(twins))
    }

    /// Returns the entries that end an author's branches, lowest id first.
    pub(super) fn tips(&self, author: &Did) -> Vec<u32> {
        self.chain(author).map_or_else(Vec::new, |chain| self.by_id(&chain.tips))
    }

    pub(super) fn is_forked(&self, author: &Did) -> bool {
        self.chain(author).is_some_and(|chain| !chain.twins.is_empty())
    }

    /// Returns the entries of an unforked chain after a place.
    pub(super) fn after(&self, author: &Did, seq: u64) -> &[u32] {
        let places = self.chain(author).map_or(&[][..], |chain| &chain.places);
        usize::try_from(seq).ok().and_then(|seq| places.get(seq..)).unwrap_or_default()
    }

    /// Returns all entries of an author, those at forked places too.
    pub(super) fn all_of(&self, author: &Did) -> Vec<u32> {
        self.chain(author).map_or_else(Vec::new, |chain| {
            chain.places.iter().chain(chain.twins.values().flatten()).copied().collect()
        })
    }

    fn by_id<'a>(&self, entries: impl IntoIterator<Item = &'a u32>) -> Vec<u32> {
        let mut entries: Vec<u32> = entries.into_iter().copied().collect();
        entries.sort_by_key(|at| self.digest(*at));
        entries
    }

    /// Checks that an entry follows the one that it calls its author's last.
    pub(super) fn check_chain(&self, author: &Did, seq: u64, prev: Option<u32>) -> Result<(), Refusal> {
        match prev {
            None if seq == 1 => Ok(()),
            Some(prev) if self.author_seq(prev) == Some((*author, seq.saturating_sub(1))) => Ok(()),
            None | Some(_) => Err(Refusal::ChainBroken),
        }
    }

    /// Adds an entry whose past is here; returns its local index.
    pub(super) fn push(
        &mut self,
        digest: Digest,
        author: Did,
        seq: u64,
        row: &NewRow,
    ) -> Result<u32, Refusal> {
        let at = self.append(digest, author, seq, row)?;
        self.set.insert(digest, at);
        Ok(at)
    }

    /// Adds an entry, but not to the set of ids: [`Self::index_ids`] must follow.
    pub(super) fn append(
        &mut self,
        digest: Digest,
        author: Did,
        seq: u64,
        row: &NewRow,
    ) -> Result<u32, Refusal> {
        self.check_chain(&author, seq, row.prev)?;
        let at = u32::try_from(self.rows.len()).ok().filter(|at| *at < NONE).ok_or(Refusal::Full)?;
        let links = u32::try_from(self.links.len()).map_err(|_| Refusal::Full)?;
        let deps = u16::try_from(row.deps.len()).map_err(|_| Refusal::TooMany)?;
        let extra = u16::try_from(row.extra.len()).map_err(|_| Refusal::TooMany)?;
        let number = self.number(author)?;
        self.ids.push(digest);
        self.rows.push(Row { seq, author: number, prev: row.prev.unwrap_or(NONE), links, deps, extra });
        for link in row.deps.iter().chain(&row.extra) {
            self.links.push(*link);
        }
        for named in row.prev.iter().chain(&row.deps).chain(&row.extra) {
            if let Some(named) = self.ids.get(*named) {
                self.heads.remove(&named);
            }
        }
        self.heads.insert(digest);
        self.extend_chain(number, at, seq, row.prev);
        Ok(at)
    }

    fn number(&mut self, author: Did) -> Result<u32, Refusal> {
        if let Some(number) = self.numbers.get(&author) {
            return Ok(*number);
        }
        let number = u32::try_from(self.authors.len()).map_err(|_| Refusal::Full)?;
        self.authors.push(author);
        self.chains.push(Chain::default());
        self.numbers.insert(author, number);
        Ok(number)
    }

    fn extend_chain(&mut self, number: u32, at: u32, seq: u64, prev: Option<u32>) {
        let author = self.authors.get(number as usize).copied();
        let (Some(author), Some(chain)) = (author, self.chains.get_mut(number as usize)) else { return };
        match chain.tips.iter_mut().find(|tip| Some(**tip) == prev) {
            Some(tip) => *tip = at,
            None => chain.tips.push(at),
        }
        if chain.places.len() as u64 + 1 == seq {
            chain.places.push(at);
            return;
        }
        chain.twins.entry(seq).or_default().push(at);
        let has_sibling = self.at(&author, seq).into_iter().any(|twin| twin != at && self.prev(twin) == prev);
        if has_sibling {
            self.forked.insert((author, seq));
        }
    }

    /// Brings the set of ids up to date after many [`Self::append`].
    pub(super) fn index_ids(&mut self) {
        let known = self.set.len();
        let new = self.ids.len().saturating_sub(known);
        let from = u32::try_from(known).unwrap_or(NONE);
        if new < known / 8 {
            for (at, digest) in (from..).zip(self.ids.iter_from(from)) {
                self.set.insert(digest, at);
            }
        } else {
            self.set = IdSet::from_items(self.ids.iter_from(0).zip(0..).collect());
        }
    }

    /// Reads an entry back as it would be restored.
    pub(super) fn restored(&self, at: u32) -> Option<Restored> {
        let id = |at: &u32| self.digest(*at).map(|digest| crate::id::cid_of(&digest));
        let (author, seq) = self.author_seq(at)?;
        let row = self.row(at)?;
        Some(Restored {
            id: id(&at)?,
            author,
            seq,
            prev: row.prev.as_ref().and_then(id),
            deps: row.deps.iter().filter_map(id).collect(),
            refs: row.extra.iter().filter_map(id).collect(),
        })
    }

    /// Estimates the memory that it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let chains: usize = self
            .chains
            .iter()
            .map(|chain| (chain.places.capacity() + chain.tips.capacity()) * 4 + chain.twins.len() * 64)
            .sum();
        self.ids.memory_bytes()
            + self.rows.memory_bytes()
            + self.links.memory_bytes()
            + self.set.memory_bytes()
            + chains
            + self.chains.capacity() * size_of::<Chain>()
            + self.authors.len() * 96
            + self.heads.len() * 48
    }
}
