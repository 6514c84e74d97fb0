//! The two reasons from outside for which a guest stops: its time, and whoever asked for it.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::stop::Stop;

/// Tells a running guest, and the host calls it makes, whether to go on.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    pub(crate) deadline: Instant,
    pub(crate) timeout: Duration,
    pub(crate) cancel: CancellationToken,
}

impl Interrupt {
    /// Starts the clock.
    pub(crate) fn after(timeout: Duration, cancel: CancellationToken) -> Self {
        // A century stands for durations that no clock can add.
        let now = Instant::now();
        let deadline =
            now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400));
        Self { deadline, timeout, cancel }
    }

    /// Fails when the guest has to stop.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            Err(Stop::Cancelled)
        } else if Instant::now() >= self.deadline {
            Err(Stop::Timeout(self.timeout.as_millis()))
        } else {
            Ok(())
        }
    }
}
