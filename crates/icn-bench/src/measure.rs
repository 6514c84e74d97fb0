//! Timing: run something again and again, keep each duration.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The most durations that one measurement keeps: 8 bytes each.
const SAMPLES_MAX: usize = 4_000_000;

/// The durations of one measurement, in rising order; never empty.
#[derive(Debug, Clone)]
pub struct Samples {
    sorted_ns: Vec<u64>,
    /// From the first start to the last end.
    wall: Duration,
}

impl Samples {
    /// Calls `step` once to warm up and then, timed, for at least the time given.
    ///
    /// # Errors
    ///
    /// The error of the first step that fails.
    pub fn collect(at_least: Duration, mut step: impl FnMut() -> Result<()>) -> Result<Self> {
        step()?;
        let start = Instant::now();
        let mut nanoseconds = Vec::new();
        loop {
            let before = Instant::now();
            step()?;
            nanoseconds.push(as_ns(before.elapsed()));
            if start.elapsed() >= at_least || nanoseconds.len() >= SAMPLES_MAX {
                break;
            }
        }
        let wall = start.elapsed();
        nanoseconds.sort_unstable();
        Ok(Self { sorted_ns: nanoseconds, wall })
    }

    /// Takes over durations that were measured elsewhere, such as by many tasks at once; `wall` is the time of all.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn of(durations: &[Duration], wall: Duration) -> Result<Self> {
        anyhow::ensure!(!durations.is_empty(), "nothing was measured");
        let mut sorted_ns: Vec<u64> = durations.iter().copied().map(as_ns).collect();
        sorted_ns.sort_unstable();
        Ok(Self { sorted_ns, wall })
    }

    /// Returns the duration that `share` (0 to 1) of the steps did not exceed, in microseconds.
    pub fn quantile_us(&self, share: f64) -> f64 {
        self.quantile(share).as_secs_f64() * 1e6
    }

    /// Returns the duration that `share` (0 to 1) of the steps did not exceed: 0.5 is the median.
    pub fn quantile(&self, share: f64) -> Duration {
        // Nearest rank; the cast is of a small positive number.
        let last = self.sorted_ns.len().saturating_sub(1);
        let rank = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        Duration::from_nanos(self.sorted_ns.get(rank).copied().unwrap_or_default())
    }

    /// Returns the number of steps in a second, one after another.
    pub fn per_second(&self) -> f64 {
        self.sorted_ns.len() as f64 / self.wall.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Returns the megabytes (10^6 bytes) in a second, when each step handles so many bytes.
    pub fn megabytes_per_second(&self, bytes_each: usize) -> f64 {
        self.per_second() * bytes_each as f64 / 1e6
    }
}

fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let samples = Samples { sorted_ns: (1..=101).collect(), wall: Duration::from_secs(2) };
        assert_eq!(samples.quantile(0.0).as_nanos(), 1);
        assert_eq!(samples.quantile(0.5).as_nanos(), 51);
        assert_eq!(samples.quantile(0.99).as_nanos(), 100);
        assert_eq!(samples.quantile(1.0).as_nanos(), 101);
        assert!((samples.per_second() - 50.5).abs() < 1e-9);
        assert!((samples.megabytes_per_second(2_000_000) - 101.0).abs() < 1e-9);
    }

    #[test]
    fn warm_up_is_not_counted_and_errors_end_it() {
        let mut calls = 0;
        let samples = Samples::collect(Duration::ZERO, || {
            calls += 1;
            Ok(())
        });
        assert_eq!((samples.unwrap().sorted_ns.len(), calls), (1, 2));
        assert!(Samples::collect(Duration::ZERO, || anyhow::bail!("no")).is_err());
        assert!(Samples::of(&[], Duration::ZERO).is_err());
    }
}
