//! Sums over the last days.

use icn_types::{Duration, Timestamp};

use super::{DAY_SECONDS, HealthFacts};

/// What moved in the last days.
pub(super) struct Window {
    /// What each account gave, by its place.
    pub(super) given: Vec<i128>,
    /// What each account received, by its place.
    pub(super) received: Vec<i128>,
    /// All that moved.
    pub(super) volume: i128,
    /// How often.
    pub(super) payments: u64,
    /// From when on it counts.
    pub(super) from: Timestamp,
}

impl Window {
    pub(super) fn of(facts: &HealthFacts, now: Timestamp, days: u64) -> Self {
        let from = now.minus(Duration::from_secs(days * DAY_SECONDS));
        let accounts = facts.accounts.len();
        let mut window =
            Self { given: vec![0; accounts], received: vec![0; accounts], volume: 0, payments: 0, from };
        for movement in facts.movements.iter().filter(|movement| movement.at >= from) {
            let amount = i128::from(movement.amount);
            if let Some(given) = window.given.get_mut(movement.from as usize) {
                *given += amount;
            }
            if let Some(received) = window.received.get_mut(movement.to as usize) {
                *received += amount;
            }
            window.volume += amount;
            window.payments += 1;
        }
        window
    }

    pub(super) fn given(&self, place: usize) -> i128 {
        self.given.get(place).copied().unwrap_or_default()
    }

    pub(super) fn received(&self, place: usize) -> i128 {
        self.received.get(place).copied().unwrap_or_default()
    }

    /// Tells whether an account took part.
    pub(super) fn is_active(&self, place: usize) -> bool {
        self.given(place) > 0 || self.received(place) > 0
    }

    /// Counts the accounts that took part.
    pub(super) fn active(&self) -> usize {
        (0..self.given.len()).filter(|place| self.is_active(*place)).count()
    }
}
