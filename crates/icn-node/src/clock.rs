//! The two clocks of the process.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use icn_mesh::{Now, Tick};
use icn_types::Timestamp;

/// Reads the time for the machines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let tick = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { at: wall(), tick: Tick(tick) }
    }
}

/// Reads the wall clock.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
