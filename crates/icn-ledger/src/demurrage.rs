//! The charge on what an account holds beyond a threshold (conflict C-23).
//!
//! For each period: `fee = ⌊max(0, balance − threshold) · rate⌋`, moved to a fund of the community, never destroyed, so that
//! every currency goes on summing to zero. Several periods are charged one after the other, each on what the one before
//! left: the closed form would differ in the last digits, and two nodes must not.

use serde::{Deserialize, Serialize};

use crate::error::PostError;

/// The most periods that are charged at once. More have passed: the rest is forgiven.
pub const PERIODS_MAX: u32 = 120;

const PPM: i128 = 1_000_000;

/// How idle balances are charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demurrage {
    /// What is free of charge, in the smallest unit.
    pub threshold: i64,
    /// The part of what lies above it that is charged for each period, in parts per million: 20,000 is 2 %.
    pub rate_ppm: u32,
    /// The length of a period, in days; periods count from the Unix epoch.
    pub period_days: u32,
}

impl Demurrage {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        if self.threshold < 0 {
            return Err(PostError::Field("threshold", "what is free of charge is 0 or more"));
        }
        if !(1..=1_000_000).contains(&self.rate_ppm) {
            return Err(PostError::Field("rate_ppm", "1 to 1,000,000 parts per million"));
        }
        if !(1..=3_660).contains(&self.period_days) {
            return Err(PostError::Field("period_days", "1 to 3,660 days"));
        }
        Ok(())
    }

    /// Returns how many periods end after one time and not after another, in milliseconds since the Unix epoch.
    #[must_use]
    pub(crate) fn periods(&self, after: u64, until: u64) -> u32 {
        let period = u64::from(self.period_days.max(1)) * 86_400_000;
        u32::try_from((until / period).saturating_sub(after / period)).unwrap_or(u32::MAX)
    }

    /// Charges a balance for so many periods: what goes to the fund, in the smallest unit. Nothing is charged below the
    /// threshold, and never so much that the balance would fall below it.
    #[must_use]
    pub fn fee(&self, balance: i64, periods: u32) -> i64 {
        let threshold = i128::from(self.threshold.max(0));
        let above = (i128::from(balance) - threshold).max(0);
        let rate = i128::from(self.rate_ppm).min(PPM);
        let left = (0..periods.min(PERIODS_MAX)).fold(above, |left, _| left - left * rate / PPM);
        i64::try_from(above - left).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Demurrage = Demurrage { threshold: 5_000, rate_ppm: 20_000, period_days: 30 };

    #[test]
    fn a_period_charges_what_lies_above_the_threshold() {
        let rows = [(-900, 0), (5_000, 0), (5_049, 0), (5_050, 1), (12_345, 146)];
        for (balance, fee) in rows {
            assert_eq!(RULE.fee(balance, 1), fee, "{balance}");
        }
        assert_eq!(RULE.fee(1_000_000_000_000_001, 1), 19_999_999_999_900);
        assert_eq!(RULE.fee(i64::MAX, 1), 184_467_440_737_095_416);
    }

    #[test]
    fn periods_are_charged_one_after_the_other() {
        let (mut balance, mut charged) = (123_456_789_i64, 0);
        for periods in 1..=24 {
            let fee = RULE.fee(balance, 1);
            balance -= fee;
            charged += fee;
            assert_eq!(RULE.fee(123_456_789, periods), charged, "{periods}");
        }
        assert_eq!(RULE.fee(123_456_789, u32::MAX), RULE.fee(123_456_789, PERIODS_MAX));
    }

    #[test]
    fn no_rate_takes_more_than_there_is() {
        let all = Demurrage { rate_ppm: u32::MAX, ..RULE };
        assert_eq!(all.fee(7_000, 3), 2_000);
        assert_eq!(Demurrage { threshold: -10, ..RULE }.fee(0, 5), 0);
    }
}
