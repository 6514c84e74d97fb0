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
        let weight = self.kept.saturating_add(self.broken.saturating_mul(4)).saturating_add(4);
        self.kept.saturating_mul(1_000_000) / weight
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
        check(u64::MAX, u64::MAX, 0);
    }
}
