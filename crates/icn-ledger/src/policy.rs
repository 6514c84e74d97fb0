//! The rules that a space chooses for itself.

use icn_types::Did;
use serde::{Deserialize, Serialize};

use crate::dispute::DisputePolicy;
use crate::error::PostError;

/// The most tiers of finality.
const TIERS_MAX: usize = 8;

/// How far a payment has come. Each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// The payee took it.
    Accepted,
    /// A quorum of witnesses saw nothing else at its place.
    Certified,
    /// It lies in a sealed epoch.
    Sealed,
}

/// From which amount on which level is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// From this amount up, in the smallest unit.
    pub from: i64,
    /// The level that makes a credit spendable.
    pub level: Finality,
}

/// The rules of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpacePolicy {
    /// From which amount on which level is final, rising from 0. Empty: accepted without witnesses, certified with them.
    pub finality: Vec<Tier>,
    /// Whether members may run jobs for each other without payment.
    pub free_jobs: bool,
    /// How long an epoch lasts, in seconds; 0: nobody seals by itself.
    pub epoch_seconds: u64,
    /// How disputes go; absent: as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disputes: Option<DisputePolicy>,
    /// The account that bears what the community writes off; absent: nothing can be written off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<Did>,
}

/// How the credit lines of a currency are measured (conflict C-22), in whole units of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditPolicy {
    /// The line of a new member.
    pub initial: i64,
    /// The highest line.
    pub max: i64,
    /// How much a line grows each time `growth_per` was cleared.
    pub growth: i64,
    /// The step of cleared volume.
    pub growth_per: i64,
    /// How much of the base full trust adds, in parts per million: 1,000,000 doubles it.
    pub trust_multiplier_ppm: u32,
    /// Over how many days a newcomer's line rises to what it would be.
    pub ramp_days: u32,
    /// What must be cleared before a line exceeds `initial`.
    pub required_cleared: i64,
    /// The most that one counterparty adds to the cleared volume.
    pub per_counterparty_max: i64,
    /// What a balance may come to at most: what would lift it above is not accepted. Absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_max: Option<i64>,
}

impl Default for SpacePolicy {
    fn default() -> Self {
        Self { finality: Vec::new(), free_jobs: true, epoch_seconds: 60, disputes: None, fund: None }
    }
}

impl Default for CreditPolicy {
    /// The figures that the seeds' simulation settled on (seed 002, economic parameters).
    fn default() -> Self {
        Self {
            initial: 20,
            max: 500,
            growth: 10,
            growth_per: 50,
            trust_multiplier_ppm: 1_000_000,
            ramp_days: 90,
            required_cleared: 10,
            per_counterparty_max: 100,
            balance_max: None,
        }
    }
}

impl SpacePolicy {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        self.disputes.as_ref().map_or(Ok(()), DisputePolicy::check)?;
        let starts_at_zero = self.finality.first().is_none_or(|tier| tier.from == 0);
        let rises = self.finality.is_sorted_by(|a, b| a.from < b.from && a.level <= b.level);
        if self.finality.len() <= TIERS_MAX && starts_at_zero && rises {
            Ok(())
        } else {
            Err(PostError::Field("finality", "at most 8 tiers, from 0 up, amounts and levels rising"))
        }
    }

    /// Returns the level that makes a credit of this amount spendable.
    #[must_use]
    pub fn final_at(&self, amount: i64, has_witnesses: bool) -> Finality {
        let default = if has_witnesses { Finality::Certified } else { Finality::Accepted };
        self.finality.iter().rev().find(|tier| tier.from <= amount).map_or(default, |tier| tier.level)
    }
}

impl CreditPolicy {
    /// Reads negative amounts as their magnitudes: older configurations wrote lines as balances, such as -20 (B-56).
    #[must_use]
    pub const fn magnitudes(self) -> Self {
        Self {
            initial: self.initial.saturating_abs(),
            max: self.max.saturating_abs(),
            growth: self.growth.saturating_abs(),
            growth_per: self.growth_per.saturating_abs(),
            required_cleared: self.required_cleared.saturating_abs(),
            per_counterparty_max: self.per_counterparty_max.saturating_abs(),
            balance_max: match self.balance_max {
                Some(max) => Some(max.saturating_abs()),
                None => None,
            },
            ..self
        }
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        let amounts = [self.initial, self.max, self.growth, self.required_cleared, self.per_counterparty_max];
        if amounts.iter().any(|amount| !(0..=1_000_000_000).contains(amount)) {
            return Err(PostError::Field("policy", "its amounts are 0 to 1,000,000,000 whole units"));
        }
        if self.balance_max.is_some_and(|max| !(1..=1_000_000_000).contains(&max)) {
            return Err(PostError::Field("balance_max", "1 to 1,000,000,000 whole units"));
        }
        if !(1..=1_000_000_000).contains(&self.growth_per) || self.initial > self.max {
            return Err(PostError::Field(
                "policy",
                "`growth_per` is at least 1, and `max` at least `initial`",
            ));
        }
        Ok(())
    }
}
