//! All ids of a log in order: for the lookup of an entry, and for set reconciliation.
//!
//! The ids lie in chunks of at most [`CHUNK_MAX`]; each chunk keeps the sum of its ids modulo 2^256, which is what the
//! fingerprints of Negentropy v1 are made of. So a fingerprint of any range costs two searches and at most two chunks,
//! not a walk over the range.

mod view;

pub(crate) use self::view::IdSetView;

use crate::id::Digest;

/// The most ids in one chunk. Full: it is cut in two.
const CHUNK_MAX: usize = 512;
/// How full chunks are made when many ids come at once: room for later ones without a cut.
const CHUNK_FILL: usize = 448;

/// A sum of ids modulo 2^256, least significant word first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum([u64; 4]);

impl Sum {
    /// Reads an id as Negentropy does: a little-endian number.
    fn of(id: &Digest) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(id.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(words)
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        let mut words = [0; 4];
        for ((out, a), b) in words.iter_mut().zip(self.0).zip(other.0) {
            let (sum, first) = a.overflowing_add(b);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *out = sum;
            carry = first | second;
        }
        Self(words)
    }

    fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        let mut words = [0; 4];
        for ((out, a), b) in words.iter_mut().zip(self.0).zip(other.0) {
            let (rest, first) = a.overflowing_sub(b);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            *out = rest;
            borrow = first | second;
        }
        Self(words)
    }

    fn to_id(self) -> Digest {
        let mut id = [0; 32];
        for (bytes, word) in id.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *bytes = word.to_le_bytes();
        }
        id
    }
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    ids: Vec<Digest>,
    /// The local index of each.
    at: Vec<u32>,
    sum: Sum,
}

impl Chunk {
    fn of(items: &[(Digest, u32)]) -> Self {
        let ids: Vec<Digest> = items.iter().map(|(id, _)| *id).collect();
        let at = items.iter().map(|(_, at)| *at).collect();
        let sum = total(&ids);
        Self { ids, at, sum }
    }
}

fn total(ids: &[Digest]) -> Sum {
    ids.iter().fold(Sum::default(), |sum, id| sum.plus(Sum::of(id)))
}

/// A sorted set of ids, each with its local index.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdSet {
    /// The lowest id of each chunk, side by side so that a search stays in the cache.
    firsts: Vec<Digest>,
    chunks: Vec<Chunk>,
    len: usize,
}

impl IdSet {
    pub(crate) const fn new() -> Self {
        Self { firsts: Vec::new(), chunks: Vec::new(), len: 0 }
    }

    /// Builds the set of many ids at once; of two equal ids one is kept.
    pub(crate) fn from_items(mut items: Vec<(Digest, u32)>) -> Self {
        items.sort_unstable();
        items.dedup_by_key(|(id, _)| *id);
        let chunks: Vec<Chunk> = items.chunks(CHUNK_FILL).map(Chunk::of).collect();
        let firsts = chunks.iter().filter_map(|chunk| chunk.ids.first().copied()).collect();
        Self { firsts, chunks, len: items.len() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Estimates the memory that it takes, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|c| c.ids.capacity() * 32 + c.at.capacity() * 4).sum();
        chunks + self.chunks.capacity() * size_of::<Chunk>() + self.firsts.capacity() * 32
    }

    /// Names the chunk in which an id is, or would be.
    fn chunk_of(&self, id: &Digest) -> usize {
        self.firsts.partition_point(|first| first <= id).saturating_sub(1)
    }

    /// Returns the local index of an id.
    pub(crate) fn get(&self, id: &Digest) -> Option<u32> {
        let chunk = self.chunks.get(self.chunk_of(id))?;
        chunk.at.get(chunk.ids.binary_search(id).ok()?).copied()
    }

    /// Adds an id; `false` when it was there.
    pub(crate) fn insert(&mut self, id: Digest, at: u32) -> bool {
        let number = self.chunk_of(&id);
        let Some(chunk) = self.chunks.get_mut(number) else {
            self.chunks.push(Chunk::of(&[(id, at)]));
            self.firsts.push(id);
            self.len = 1;
            return true;
        };
        let Err(place) = chunk.ids.binary_search(&id) else { return false };
        chunk.ids.insert(place, id);
        chunk.at.insert(place, at);
        chunk.sum = chunk.sum.plus(Sum::of(&id));
        self.len += 1;
        if place == 0
            && let Some(first) = self.firsts.get_mut(number)
        {
            *first = id;
        }
        if chunk.ids.len() > CHUNK_MAX {
            self.cut(number);
        }
        true
    }

    fn cut(&mut self, number: usize) {
        let Some(chunk) = self.chunks.get_mut(number) else { return };
        let half = chunk.ids.len() / 2;
        let ids = chunk.ids.split_off(half);
        let at = chunk.at.split_off(half);
        chunk.ids.shrink_to(CHUNK_FILL);
        chunk.at.shrink_to(CHUNK_FILL);
        let sum = total(&ids);
        chunk.sum = chunk.sum.minus(sum);
        if let Some(first) = ids.first() {
            self.firsts.insert(number + 1, *first);
        }
        self.chunks.insert(number + 1, Chunk { ids, at, sum });
    }

    /// Returns the ids in order.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Digest> {
        self.chunks.iter().flat_map(|chunk| &chunk.ids)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_add_and_take_away() {
        let (a, b) = (Sum::of(&[0xff; 32]), Sum::of(&[0xee; 32]));
        assert_eq!(a.plus(b).minus(b), a);
        assert_eq!(a.plus(Sum([1, 0, 0, 0])), Sum::default());
        assert_eq!(a.to_id(), [0xff; 32]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_is_a_sorted_map(
            first in proptest::collection::vec(any::<[u8; 3]>(), 0..1500),
            then in proptest::collection::vec(any::<[u8; 3]>(), 0..3000),
        ) {
            let id = |bytes: &[u8; 3]| { let mut id = [0; 32]; id[..3].copy_from_slice(bytes); id };
            let mut model = BTreeMap::new();
            let mut items = Vec::new();
            for bytes in &first {
                let at = *model.entry(id(bytes)).or_insert(items.len() as u32);
                items.push((id(bytes), at));
            }
            let mut set = IdSet::from_items(items);
            for (at, bytes) in then.iter().enumerate() {
                let is_new = !model.contains_key(&id(bytes));
                prop_assert_eq!(set.insert(id(bytes), at as u32), is_new);
                model.entry(id(bytes)).or_insert(at as u32);
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert!(set.ids().eq(model.keys()));
            for (id, at) in &model {
                prop_assert_eq!(set.get(id), Some(*at));
            }
            prop_assert_eq!(set.get(&[0xfe; 32]), model.get(&[0xfe; 32]).copied());
            for (chunk, first) in set.chunks.iter().zip(&set.firsts) {
                prop_assert_eq!(chunk.sum, total(&chunk.ids));
                prop_assert_eq!(chunk.ids.first(), Some(first));
                prop_assert!(chunk.ids.len() <= CHUNK_MAX);
            }
        }
    }
}
