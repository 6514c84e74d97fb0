//! The two clocks that the shell reads for the machines.

use icn_types::{Duration, Timestamp};

/// Milliseconds of a clock that never goes back; its zero means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// Returns the tick `later` after this one.
    #[must_use]
    pub const fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_millis()))
    }

    /// Returns how long it is until `then`, nothing when it has passed.
    #[must_use]
    pub const fn until(self, then: Self) -> Duration {
        Duration::from_millis(then.0.saturating_sub(self.0))
    }
}

/// The time at which an event is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For what is signed and stored.
    pub at: Timestamp,
    /// For waiting and for leases.
    pub tick: Tick,
}
