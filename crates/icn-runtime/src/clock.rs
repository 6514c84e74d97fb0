//! The time that a guest sees.

use std::time::{Duration, Instant, SystemTime};

use crate::interrupt::Interrupt;
use crate::stop::Stop;

const NANOS_PER_MS: u64 = 1_000_000;

/// 2000-01-01T00:00:00Z in nanoseconds after the Unix epoch.
const START_NANOS: u64 = 946_684_800_000 * NANOS_PER_MS;

/// How long fast mode sleeps at once, so that a sleeping guest still stops on time.
const NAP: Duration = Duration::from_millis(5);

/// Which of the WASI clocks is read. Canonical mode has one time for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockId {
    Realtime,
    /// Monotonic, process and thread time: all count from the guest's start in fast mode.
    Elapsed,
}

impl ClockId {
    pub(crate) const fn from_wasi(id: u32) -> Option<Self> {
        match id {
            0 => Some(Self::Realtime),
            1..=3 => Some(Self::Elapsed),
            _ => None,
        }
    }
}

/// The clock of one guest.
#[derive(Debug)]
pub(crate) enum Clock {
    /// Starts in the year 2000 and advances by a millisecond with each reading, and by as much as the guest sleeps.
    Virtual { now_nanos: u64 },
    /// The host's.
    Real { started: Instant },
}

impl Clock {
    pub(crate) const fn canonical() -> Self {
        Self::Virtual { now_nanos: START_NANOS }
    }

    pub(crate) fn real() -> Self {
        Self::Real { started: Instant::now() }
    }

    /// Reads the time in nanoseconds; in canonical mode the next reading is a millisecond later.
    pub(crate) fn read(&mut self, id: ClockId) -> u64 {
        let now = self.peek(id);
        if let Self::Virtual { now_nanos } = self {
            *now_nanos = now_nanos.saturating_add(NANOS_PER_MS);
        }
        now
    }

    /// Looks at the time without the reading being counted.
    pub(crate) fn peek(&self, id: ClockId) -> u64 {
        match self {
            Self::Virtual { now_nanos } => *now_nanos,
            Self::Real { started } => {
                let nanos = match id {
                    ClockId::Realtime => SystemTime::now()
                        .duration_since(SystemTime::UNIX_EPOCH)
                        .unwrap_or_default()
                        .as_nanos(),
                    ClockId::Elapsed => started.elapsed().as_nanos(),
                };
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        }
    }

    /// Returns the smallest step between two readings, in nanoseconds.
    pub(crate) const fn resolution(&self) -> u64 {
        match self {
            Self::Virtual { .. } => NANOS_PER_MS,
            Self::Real { .. } => 1,
        }
    }

    /// Passes `nanos`: at once in canonical mode, by waiting in fast mode.
    pub(crate) fn sleep(&mut self, nanos: u64, interrupt: &Interrupt) -> Result<(), Stop> {
        match self {
            Self::Virtual { now_nanos } => *now_nanos = now_nanos.saturating_add(nanos),
            Self::Real { .. } => {
                let started = Instant::now();
                let whole = Duration::from_nanos(nanos);
                while let Some(left) = whole.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
                    interrupt.check()?;
                    std::thread::sleep(left.min(NAP));
                }
            }
        }
        Ok(())
    }
}
