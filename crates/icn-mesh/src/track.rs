//! What an originator has seen of an executor with its own eyes.

/// Counts of how an executor's assignments to this originator ended.
///
/// Until reputation is computed from everybody's receipts, this is the figure behind `min_reputation` and `rep_weight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Track {
    /// Receipts that held.
    pub kept: u64,
    /// Leases lost, receipts refused, faults of the node.
    pub broken: u64,
}

impl Track {
    /// Gives the reputation in parts per million: 0 for a stranger, near 1,000,000 after many kept assignments; a broken
    /// one weighs as much as four kept.
    #[must_use]
    pub fn reputation(&self) -> u64 {
        let (kept, broken) = (u128::from(self.kept), u128::from(self.broken));
        u64::try_from(kept * 1_000_000 / (kept + broken * 4 + 4)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reputation_is_earned_slowly_and_lost_fast() {
        let check = |kept, broken, expected| assert_eq!(Track { kept, broken }.reputation(), expected);
        check(0, 0, 0);
        check(4, 0, 500_000);
        check(4, 1, 333_333);
        check(996, 0, 996_000);
        check(u64::MAX, u64::MAX, 199_999);
    }
}
