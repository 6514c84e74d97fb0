//! Orders that repeat: what a member pays somebody every so often, until it ends.

use icn_types::{Did, Timestamp};
use jiff::{Span, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::act::{Act, OrderRef};
use crate::books::derived_id;
use crate::error::PostError;

/// The longest step, in days or months.
const EVERY_MAX: u32 = 3_660;
/// The most payments that one standing order makes.
pub const STANDING_COUNT_MAX: u32 = 100_000;

/// How often a standing order pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// So many days of 24 hours.
    Days(u32),
    /// So many months of the calendar, UTC: on the day of the first payment, or the month's last day before it.
    Months(u32),
}

/// A standing order: the payer's node makes a payment of it whenever one is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingOrder {
    /// Whom it pays.
    pub to: Did,
    /// How much each time, in the smallest unit; more than 0.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// For people; each payment carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
    /// When the first payment is due.
    pub start: Timestamp,
    /// How often.
    pub every: Every,
    /// How many payments at most; absent: until it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Nothing is due after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of a treasury: the budget that its payments are within, so that they need no approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<OrderRef>,
}

impl Every {
    pub(crate) fn check(self) -> Result<(), PostError> {
        let (Self::Days(step) | Self::Months(step)) = self;
        if (1..=EVERY_MAX).contains(&step) {
            Ok(())
        } else {
            Err(PostError::Field("every", "1 to 3,660 days or months"))
        }
    }
}

/// Returns the time so many steps after a start. A month that lacks the day of the start has it on its last day.
pub(crate) fn due_at(start: Timestamp, every: Every, number: u32) -> Option<Timestamp> {
    let start = start.as_millis();
    let due = match every {
        Every::Days(days) => {
            let step = u64::from(days).checked_mul(86_400_000)?;
            start.checked_add(step.checked_mul(u64::from(number))?)?
        }
        Every::Months(months) => {
            let first = jiff::Timestamp::from_millisecond(i64::try_from(start).ok()?).ok()?;
            let span = Span::new().try_months(i64::from(months) * i64::from(number)).ok()?;
            let due = first.to_zoned(TimeZone::UTC).checked_add(span).ok()?;
            u64::try_from(due.timestamp().as_millisecond()).ok()?
        }
    };
    Some(Timestamp::from_millis(due))
}

impl StandingOrder {
    /// Returns when the payment with this number, from 0, is due; none when there is no such payment.
    ///
    /// A month that lacks the day of the first payment has it on its last day; the next one is on the right day again.
    #[must_use]
    pub fn due(&self, number: u32) -> Option<Timestamp> {
        if number >= self.count.unwrap_or(STANDING_COUNT_MAX).min(STANDING_COUNT_MAX) {
            return None;
        }
        let due = due_at(self.start, self.every, number)?;
        self.until.is_none_or(|until| due <= until).then_some(due)
    }

    /// Makes one payment of it.
    #[must_use]
    pub fn payment(&self) -> Act {
        Act::Pay {
            to: self.to,
            amount: self.amount,
            currency: self.currency.clone(),
            memo: self.memo.clone(),
            request: None,
            expires: None,
        }
    }

    /// Tells whether an act is one payment of it.
    #[must_use]
    pub fn is_payment(&self, act: &Act) -> bool {
        *act == self.payment()
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        self.every.check()?;
        if self.count.is_some_and(|count| !(1..=STANDING_COUNT_MAX).contains(&count)) {
            return Err(PostError::Field("count", "1 to 100,000 payments"));
        }
        if self.until.is_some_and(|until| until < self.start) {
            return Err(PostError::Field("until", "it lies before the first payment"));
        }
        Ok(())
    }
}

/// Returns the word that makes one payment of a standing order happen once: the key of its post.
#[must_use]
pub fn standing_key(standing: &OrderRef, number: u32) -> String {
    // 4 letters and 59 of an id: within the 64 that a key may have.
    format!("due:{}", derived_id("standing", &[*standing, OrderRef { entry: standing.entry, index: number }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::NAME_BYTES_MAX;

    fn order(start: &str, every: Every) -> StandingOrder {
        StandingOrder {
            to: Did::from_public_key([2; 32]),
            amount: 5,
            currency: "hours".into(),
            memo: None,
            start: start.parse().unwrap(),
            every,
            count: None,
            until: None,
            budget: None,
        }
    }

    #[test]
    fn days_and_months_follow_the_calendar() {
        let rows = [
            ("2026-01-31T08:00:00.000Z", Every::Days(7), 2, "2026-02-14T08:00:00.000Z"),
            ("2026-01-31T08:00:00.000Z", Every::Months(1), 1, "2026-02-28T08:00:00.000Z"),
            ("2026-01-31T08:00:00.000Z", Every::Months(1), 2, "2026-03-31T08:00:00.000Z"),
            ("2024-02-29T00:00:00.000Z", Every::Months(12), 1, "2025-02-28T00:00:00.000Z"),
            ("2024-02-29T00:00:00.000Z", Every::Months(12), 4, "2028-02-29T00:00:00.000Z"),
        ];
        for (start, every, number, due) in rows {
            assert_eq!(order(start, every).due(number), Some(due.parse().unwrap()), "{start} {every:?}");
        }
    }

    #[test]
    fn an_end_ends_it() {
        let mut standing = order("2026-01-01T00:00:00.000Z", Every::Days(1));
        standing.until = Some("2026-01-03T00:00:00.000Z".parse().unwrap());
        assert!(standing.due(2).is_some() && standing.due(3).is_none());
        standing.count = Some(2);
        assert!(standing.due(1).is_some() && standing.due(2).is_none());
        standing.check().unwrap();
        assert!(StandingOrder { every: Every::Months(0), ..standing.clone() }.check().is_err());
        assert!(StandingOrder { count: Some(0), ..standing.clone() }.check().is_err());
        assert!(
            StandingOrder { until: Some(Timestamp::from_millis(1)), ..standing.clone() }.check().is_err()
        );
        // Far away is no panic.
        let far = StandingOrder {
            start: Timestamp::from_millis(u64::MAX / 2),
            until: None,
            count: None,
            ..standing
        };
        assert_eq!(StandingOrder { every: Every::Months(3_660), ..far.clone() }.due(90_000), None);
        assert!(StandingOrder { every: Every::Days(3_660), ..far }.due(90_000).is_some());
    }

    #[test]
    fn each_payment_has_a_key_of_its_own() {
        let standing = OrderRef { entry: icn_types::Cid::of_dag_cbor(b"one"), index: 1 };
        let keys: std::collections::BTreeSet<String> = (0..50).map(|n| standing_key(&standing, n)).collect();
        assert_eq!(keys.len(), 50);
        assert!(keys.iter().all(|key| key.len() <= NAME_BYTES_MAX));
        assert!(!keys.contains(&standing_key(&OrderRef { index: 0, ..standing }, 0)));
    }
}
