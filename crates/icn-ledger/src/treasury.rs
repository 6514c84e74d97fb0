//! What a treasury does without a signature of each approver under each entry: proposals that approvers approve in their own
//! chains, and budgets that need no approval.

use icn_types::{Did, Timestamp};
use serde::{Deserialize, Serialize};

use crate::act::{ACTS_MAX, Act, OrderRef, currency, memo, positive};
use crate::error::PostError;
use crate::standing::{Every, due_at};

/// What a treasury is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Which treasury.
    pub treasury: Did,
    /// What it is to do: these acts, all in one entry.
    pub acts: Vec<Act>,
    /// The budget that pays for it. With one it needs no approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<OrderRef>,
    /// When it lapses: with the first seal at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What lets a treasury write an entry, beside the approvals in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mandate {
    /// A proposal: the entry has its acts.
    Proposal(OrderRef),
    /// A standing order of the treasury within a budget: the entry is one payment of it.
    Standing(OrderRef),
}

/// A sum that may be spent from a treasury without approvals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Of which treasury.
    pub treasury: Did,
    /// Who may spend it; absent: only the treasury's standing orders do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Did>,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// In which currency.
    pub currency: String,
    /// How much in each period, in the smallest unit; more than 0.
    pub amount: i64,
    /// How long a period is; absent: there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
    /// When the first period begins.
    pub start: Timestamp,
    /// When it ends: with the first seal at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Proposal {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        if self.acts.is_empty() || self.acts.len() > ACTS_MAX {
            return Err(PostError::Field("acts", "a proposal has 1 to 256 of them"));
        }
        if !self.acts.iter().all(is_proposable) {
            return Err(PostError::Field("acts", "a proposal holds only what needs a treasury's approvals"));
        }
        self.acts.iter().try_for_each(Act::check)
    }
}

impl Budget {
    /// Returns the number of the period, from 0, that a sealed time lies in. What comes before the start, or has no time, is
    /// in the first.
    #[must_use]
    pub fn period(&self, sealed: Option<Timestamp>) -> u32 {
        let (Some(every), Some(now)) = (self.every, sealed) else { return 0 };
        let begins = |number: u32| due_at(self.start, every, number);
        // The number of the last period that has begun; each is a day long or longer.
        let (mut low, mut high) = (0, PERIODS_MAX);
        while low < high {
            let middle = high - (high - low) / 2;
            if begins(middle).is_some_and(|begin| begin <= now) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// Returns when a period ends: with the beginning of the next one.
    #[must_use]
    pub fn period_end(&self, number: u32) -> Option<Timestamp> {
        due_at(self.start, self.every?, number.checked_add(1)?)
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        positive(self.amount)?;
        currency(&self.currency)?;
        memo("purpose", self.purpose.as_deref())?;
        self.every.map_or(Ok(()), Every::check)?;
        if self.holder == Some(self.treasury) {
            return Err(PostError::Field("holder", "a treasury holds no budget of its own: leave it out"));
        }
        if self.until.is_some_and(|until| until <= self.start) {
            return Err(PostError::Field("until", "it lies before the first period"));
        }
        Ok(())
    }
}

/// More periods than a budget lives to see: 10,000 years of days.
const PERIODS_MAX: u32 = 3_660_000;

/// Tells whether an act is one that a treasury needs approvals for.
const fn is_proposable(act: &Act) -> bool {
    match act {
        Act::Policy(_)
        | Act::Appoint { .. }
        | Act::Dismiss { .. }
        | Act::Admit { .. }
        | Act::Expel { .. }
        | Act::Currency { .. }
        | Act::Line { .. }
        | Act::Freeze { .. }
        | Act::Unfreeze { .. }
        | Act::Witnesses { .. }
        | Act::Treasury { .. }
        | Act::Pay { .. }
        | Act::Hold { .. }
        | Act::Capture { .. }
        | Act::Trust { .. }
        | Act::Demurrage { .. }
        | Act::EndStanding { .. }
        | Act::Standing(_)
        | Act::WriteOff { .. }
        | Act::Budget(_)
        | Act::EndBudget { .. } => true,
        Act::Found { .. }
        | Act::Join { .. }
        | Act::Request { .. }
        | Act::Accept { .. }
        | Act::Decline { .. }
        | Act::Return { .. }
        | Act::Claim { .. }
        | Act::Seal { .. }
        | Act::Repair { .. }
        | Act::Rate { .. }
        | Act::Dispute(_)
        | Act::Propose(_)
        | Act::Approve { .. }
        | Act::Withdraw { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(every: Option<Every>, start: &str) -> Budget {
        Budget {
            treasury: Did::from_public_key([1; 32]),
            holder: Some(Did::from_public_key([2; 32])),
            purpose: None,
            currency: "hours".into(),
            amount: 5,
            every,
            start: start.parse().unwrap(),
            until: None,
        }
    }

    #[test]
    fn periods_follow_the_calendar() {
        let month = budget(Some(Every::Months(1)), "2026-01-31T08:00:00.000Z");
        let rows = [
            ("2020-01-01T00:00:00.000Z", 0),
            ("2026-01-31T08:00:00.000Z", 0),
            ("2026-02-28T07:59:59.999Z", 0),
            ("2026-02-28T08:00:00.000Z", 1),
            ("2026-03-31T08:00:00.000Z", 2),
            ("2036-01-31T08:00:00.000Z", 120),
        ];
        for (now, number) in rows {
            assert_eq!(month.period(Some(now.parse().unwrap())), number, "{now}");
        }
        assert_eq!(month.period(None), 0);
        assert_eq!(month.period_end(0), Some("2026-02-28T08:00:00.000Z".parse().unwrap()));
        let week = budget(Some(Every::Days(7)), "2026-01-01T00:00:00.000Z");
        assert_eq!(week.period(Some("2026-01-14T23:59:59.999Z".parse().unwrap())), 1);
        assert_eq!(week.period(Some("2026-01-15T00:00:00.000Z".parse().unwrap())), 2);
        let once = budget(None, "2026-01-01T00:00:00.000Z");
        assert_eq!(once.period(Some("2090-01-01T00:00:00.000Z".parse().unwrap())), 0);
        assert_eq!(once.period_end(0), None);
        // Far away is no panic.
        assert!(week.period(Some(Timestamp::from_millis(u64::MAX))) > 0);
        assert!(month.period(Some(Timestamp::from_millis(u64::MAX))) > 0);
    }

    #[test]
    fn the_form_is_checked() {
        let good = budget(Some(Every::Days(1)), "2026-01-01T00:00:00.000Z");
        good.check().unwrap();
        assert!(Budget { amount: 0, ..good.clone() }.check().is_err());
        assert!(Budget { every: Some(Every::Months(0)), ..good.clone() }.check().is_err());
        assert!(Budget { until: Some(good.start), ..good.clone() }.check().is_err());
        assert!(Budget { holder: Some(good.treasury), ..good.clone() }.check().is_err());
        let id = OrderRef { entry: icn_types::Cid::of_dag_cbor(b"one"), index: 0 };
        let proposal = |acts| Proposal { treasury: good.treasury, acts, budget: None, expires: None };
        proposal(vec![Act::EndBudget { budget: id }]).check().unwrap();
        assert!(proposal(vec![]).check().is_err());
        assert!(proposal(vec![Act::Accept { order: id }]).check().is_err());
        let inner = proposal(vec![Act::EndBudget { budget: id }]);
        assert!(proposal(vec![Act::Propose(Box::new(inner))]).check().is_err());
    }
}
