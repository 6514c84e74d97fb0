//! Chance, from one seed.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The one source of chance of a world.
#[derive(Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Gives a number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, (low, high): (u64, u64)) -> u64 {
        low + self.next() % (high.saturating_sub(low) + 1)
    }

    /// Says yes this often, in parts per million.
    pub(crate) fn chance(&mut self, ppm: u64) -> bool {
        self.next() % 1_000_000 < ppm
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.next() % (len.max(1) as u64)).unwrap_or(0)
    }
}
