//! What an entry's past holds of the rules: a set of rule events, shared between entries that saw the same.

use std::collections::HashMap;
use std::sync::Arc;

const WORDS: usize = 8;
const BITS: u32 = 512;

type Chunk = [u64; WORDS];

/// A set of events, with what is derived from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct View {
    chunks: Vec<Arc<Chunk>>,
    /// The longest chain of events among them: an event is higher than all that its author had seen.
    pub(super) height: u32,
    /// How many seals of the line are in force here.
    pub(super) seals: u32,
}

impl View {
    pub(super) fn contains(&self, event: u32) -> bool {
        let word = (event % BITS / 64) as usize;
        let chunk = self.chunks.get((event / BITS) as usize);
        chunk.and_then(|chunk| chunk.get(word)).is_some_and(|word| word >> (event % 64) & 1 == 1)
    }

    pub(super) fn insert(&mut self, event: u32) {
        let chunk = (event / BITS) as usize;
        while self.chunks.len() <= chunk {
            self.chunks.push(Arc::new([0; WORDS]));
        }
        if let Some(word) = self
            .chunks
            .get_mut(chunk)
            .and_then(|chunk| Arc::make_mut(chunk).get_mut((event % BITS / 64) as usize))
        {
            *word |= 1 << (event % 64);
        }
    }

    fn union(&mut self, other: &Self) {
        for (index, chunk) in other.chunks.iter().enumerate() {
            match self.chunks.get_mut(index) {
                Some(own) if Arc::ptr_eq(own, chunk) || own == chunk => {}
                Some(own) => {
                    for (word, more) in Arc::make_mut(own).iter_mut().zip(chunk.iter()) {
                        *word |= more;
                    }
                }
                None => self.chunks.push(Arc::clone(chunk)),
            }
        }
        self.height = self.height.max(other.height);
        self.seals = self.seals.max(other.seals);
    }

    /// Returns the words of the set, without trailing zeros.
    pub(super) fn words(&self) -> Vec<u64> {
        let mut words: Vec<u64> = self.chunks.iter().flat_map(|chunk| chunk.iter().copied()).collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        words
    }

    pub(super) fn of_words(words: &[u64], height: u32, seals: u32) -> Self {
        let chunks = words.chunks(WORDS).map(|words| {
            let mut chunk = [0; WORDS];
            chunk.iter_mut().zip(words).for_each(|(to, from)| *to = *from);
            Arc::new(chunk)
        });
        Self { chunks: chunks.collect(), height, seals }
    }
}

/// Every view that some entry has, each kept once.
#[derive(Debug, Clone)]
pub(super) struct Views {
    list: Vec<Arc<View>>,
    /// For lookup alone.
    known: HashMap<Vec<u64>, Vec<u32>>,
    merged: HashMap<(u32, u32), u32>,
}

impl Views {
    /// Starts with the empty view, number 0.
    pub(super) fn new() -> Self {
        let mut views = Self { list: Vec::new(), known: HashMap::new(), merged: HashMap::new() };
        views.intern(View::default());
        views
    }

    pub(super) fn get(&self, number: u32) -> Arc<View> {
        self.list.get(number as usize).cloned().unwrap_or_default()
    }

    pub(super) fn all(&self) -> &[Arc<View>] {
        &self.list
    }

    /// Merges the views of an entry's parents: a known one, or a new one.
    pub(super) fn union(&self, numbers: impl IntoIterator<Item = u32>) -> Result<u32, View> {
        let mut known = 0;
        let mut merged: Option<View> = None;
        for number in numbers {
            if let Some(view) = &mut merged {
                view.union(&self.get(number));
            } else if number != known && number != 0 {
                if known == 0 {
                    known = number;
                } else if let Some(found) = self.merged.get(&(known.min(number), known.max(number))) {
                    known = *found;
                } else {
                    let mut view = (*self.get(known)).clone();
                    view.union(&self.get(number));
                    merged = Some(view);
                }
            }
        }
        merged.map_or(Ok(known), Err)
    }

    /// Remembers what two views give together.
    pub(super) fn remember(&mut self, a: u32, b: u32, merged: u32) {
        if self.merged.len() >= 65_536 {
            self.merged.clear();
        }
        self.merged.insert((a.min(b), a.max(b)), merged);
    }

    pub(super) fn intern(&mut self, view: View) -> u32 {
        let words = view.words();
        let numbers = self.known.entry(words).or_default();
        for number in numbers.iter() {
            if self
                .list
                .get(*number as usize)
                .is_some_and(|known| known.seals == view.seals && known.height == view.height)
            {
                return *number;
            }
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        numbers.push(number);
        self.list.push(Arc::new(view));
        number
    }
}
