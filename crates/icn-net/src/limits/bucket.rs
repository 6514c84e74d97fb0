//! One limiter: GCRA, which a bucket of tokens that fills steadily is another picture of.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// A limiter of so many units a second and so many at once.
pub(crate) struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
    burst: u32,
}

impl Bucket {
    /// Makes a full one; zero counts as one, since a limiter that lets nothing through has no meaning in GCRA.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self::of(Quota::per_second(positive(per_second)), burst)
    }

    /// Makes a full one that gets one unit in each period of so many seconds.
    pub(crate) fn every(seconds: u32, burst: u32) -> Self {
        let second = Quota::per_second(NonZeroU32::MIN);
        let period = Duration::from_secs(u64::from(seconds));
        Self::of(Quota::with_period(period).unwrap_or(second), burst)
    }

    fn of(quota: Quota, burst: u32) -> Self {
        let quota = quota.allow_burst(positive(burst));
        let limiter = RateLimiter::direct(quota).with_middleware::<StateInformationMiddleware>();
        Self { limiter, burst: burst.max(1) }
    }

    /// Makes one with other figures and no more left than `self` has: a change is no gift.
    pub(crate) fn changed(&self, per_second: u32, burst: u32) -> Self {
        let next = Self::new(per_second, burst);
        let left = self.limiter.check().map_or(0, |state| state.remaining_burst_capacity().saturating_add(1));
        let spent = NonZeroU32::new(next.burst.saturating_sub(left));
        if let Some(spent) = spent {
            // Never more than the burst, which a new limiter has.
            let _ = next.limiter.check_n(spent);
        }
        next
    }

    /// Takes so many units, or as many as fit at all, or says no.
    pub(crate) fn take(&self, units: u32) -> bool {
        let units = NonZeroU32::new(units.min(self.burst)).unwrap_or(NonZeroU32::MIN);
        matches!(self.limiter.check_n(units), Ok(Ok(_)))
    }

    /// Waits until so many units, or as many as fit at all, can be taken, and takes them.
    pub(crate) async fn wait(&self, units: u32) {
        let units = NonZeroU32::new(units.min(self.burst)).unwrap_or(NonZeroU32::MIN);
        // It fits by what stands above.
        let _ = self.limiter.until_n_ready(units).await;
    }
}

fn positive(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &Bucket, tries: u32) -> usize {
        (0..tries).filter(|_| bucket.take(1)).count()
    }

    #[test]
    fn no_change_fills_it() {
        let five_left = || {
            let bucket = Bucket::new(1, 20);
            assert_eq!(taken(&bucket, 15), 15);
            bucket
        };
        for (burst, left) in [(3, 3), (20, 5), (1_000, 5)] {
            assert_eq!(taken(&five_left().changed(1, burst), 1_000), left, "{burst}");
        }
        assert_eq!(taken(&five_left().changed(1, 3).changed(1, 20), 100), 3, "down and up again");
        let empty = Bucket::new(1, 10);
        taken(&empty, 10);
        assert_eq!(taken(&empty.changed(1, 10_000), 100), 0);
    }

    #[test]
    fn what_is_larger_than_the_whole_burst_takes_the_whole_burst() {
        let bucket = Bucket::new(1, 4);
        assert!(bucket.take(100));
        assert!(!bucket.take(1));
    }
}
