//! The set of ids as the `negentropy` crate wants to see it, for one frame.

use std::cell::Cell;

use negentropy::{Bound, Error, Id, Item, NegentropyStorageBase};

use super::{IdSet, Sum};

/// Ranges shorter than this are sent as lists of ids by the `negentropy` crate (twice its 16 buckets).
const LIST_MAX: usize = 32;

/// The set during the handling of one frame.
///
/// The crate sums the ids of a range one by one to make a fingerprint, and its type of fingerprints cannot be made
/// outside. But a sum may be taken in larger steps: this view hands out the cached sum of all whole chunks as if it were
/// one id. That must only happen where the crate adds, never where it lists. It lists a long range in one case: the peer
/// sent a list of ids for it. Then it walks the range at most twice, to compare and to answer, before it adds anything.
/// `lists` tells for which ranges of the peer's frame.
pub(crate) struct IdSetView<'a> {
    set: &'a IdSet,
    /// The position of the first id of each chunk, and of the end.
    starts: Vec<usize>,
    /// The sum of all chunks before each.
    sums: Vec<Sum>,
    lists: Vec<bool>,
    /// How many ranges of the peer's frame were begun.
    begun: Cell<usize>,
    /// How often ids were read since the last range was begun.
    reads: Cell<u32>,
}

impl<'a> IdSetView<'a> {
    /// Looks at the set for one frame of the peer; `lists` says of each range in it whether it is a list of ids.
    pub(crate) fn new(set: &'a IdSet, lists: Vec<bool>) -> Self {
        let (mut start, mut sum) = (0, Sum::default());
        let mut starts = vec![start];
        let mut sums = vec![sum];
        for chunk in &set.chunks {
            start += chunk.ids.len();
            sum = sum.plus(chunk.sum);
            starts.push(start);
            sums.push(sum);
        }
        Self { set, starts, sums, lists, begun: Cell::new(0), reads: Cell::new(0) }
    }

    /// Names the chunk of a position.
    fn chunk_at(&self, position: usize) -> usize {
        self.starts.partition_point(|start| *start <= position).saturating_sub(1)
    }

    fn must_list(&self, length: usize) -> bool {
        let reads = self.reads.get();
        self.reads.set(reads.saturating_add(1));
        let is_list = self.begun.get().checked_sub(1).and_then(|range| self.lists.get(range));
        length < LIST_MAX || (reads < 2 && is_list.copied().unwrap_or_default())
    }

    fn list(
        &self,
        begin: usize,
        end: usize,
        cb: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let mut position = begin;
        while position < end {
            let number = self.chunk_at(position);
            let (Some(chunk), Some(start)) = (self.set.chunks.get(number), self.starts.get(number)) else {
                return Err(Error::BadRange);
            };
            for id in chunk.ids.iter().skip(position - start).take(end - position) {
                if !cb(Item::with_timestamp_and_id(0, Id::from_byte_array(*id)), position)? {
                    return Ok(false);
                }
                position += 1;
            }
        }
        Ok(true)
    }

    fn add_up(
        &self,
        begin: usize,
        end: usize,
        cb: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        // Whole chunks in between: from the first that starts at `begin` or later to the last that ends at `end`.
        let first = self.starts.partition_point(|start| *start < begin);
        let last = self.starts.partition_point(|start| *start <= end).saturating_sub(1);
        let at = |number: usize| self.starts.get(number).copied().ok_or(Error::BadRange);
        if first >= last {
            return self.list(begin, end, cb).map(drop);
        }
        self.list(begin, at(first)?, cb)?;
        let (Some(before), Some(until)) = (self.sums.get(first), self.sums.get(last)) else {
            return Err(Error::BadRange);
        };
        let sum = Id::from_byte_array(until.minus(*before).to_id());
        cb(Item::with_timestamp_and_id(0, sum), at(first)?)?;
        self.list(at(last)?, end, cb).map(drop)
    }
}

impl NegentropyStorageBase for IdSetView<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.set.len())
    }

    fn get_item(&self, i: usize) -> Result<Option<Item>, Error> {
        let mut found = None;
        if i < self.set.len() {
            self.list(i, i + 1, &mut |item, _| {
                found = Some(item);
                Ok(true)
            })?;
        }
        Ok(found)
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        cb: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        if begin > end || end > self.set.len() {
            return Err(Error::BadRange);
        }
        if self.must_list(end - begin) {
            self.list(begin, end, cb).map(drop)
        } else {
            self.add_up(begin, end, cb)
        }
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        self.begun.set(self.begun.get() + 1);
        self.reads.set(0);
        if value.item.timestamp > 0 {
            return last;
        }
        let id = value.item.id.to_bytes();
        let number = self.set.chunk_of(&id);
        let inside =
            self.set.chunks.get(number).map_or(0, |chunk| chunk.ids.partition_point(|own| *own < id));
        let position = self.starts.get(number).copied().unwrap_or_default() + inside;
        // Bounds that go backwards give empty ranges.
        position.max(first).min(last.max(first))
    }
}
