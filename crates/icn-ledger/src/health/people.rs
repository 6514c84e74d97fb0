//! Signs that are about members: who gives only, who takes only, through whom everything goes.

use std::cmp::Reverse;

use super::rule::{ACTIVE_MIN, ATTEMPTS_MIN, LONG_DAYS, NEWCOMERS_MIN};
use super::{AccountFacts, Figure, Found, Subject, count, debt_of, narrow, percent, share};

impl Subject<'_> {
    /// The share of the volume of 90 days in which one of the busiest 10 % of the active accounts is a side.
    pub(super) fn concentration(&self) -> Found {
        let turnover = |place: &usize| self.long.given(*place) + self.long.received(*place);
        let mut active: Vec<usize> = self.places().filter(|place| self.long.is_active(*place)).collect();
        active.sort_by_key(|place| (Reverse(turnover(place)), *place));
        let total = active.len();
        let busiest: Vec<usize> = active.into_iter().take(total.div_ceil(10)).collect();
        let mut is_busy = vec![false; self.facts.accounts.len()];
        for place in &busiest {
            if let Some(busy) = is_busy.get_mut(*place) {
                *busy = true;
            }
        }
        let busy = |place: u32| is_busy.get(place as usize).copied().unwrap_or_default();
        let moved = self.facts.movements.iter().filter(|movement| movement.at >= self.long.from);
        let theirs: i128 = moved
            .filter(|movement| busy(movement.from) || busy(movement.to))
            .map(|movement| i128::from(movement.amount))
            .sum();
        let figure = share(theirs, self.long.volume);
        Found {
            figure,
            is_judged: total >= ACTIVE_MIN,
            more: vec![
                ("payments_90", Figure::Count(self.long.payments)),
                ("active", Figure::Count(count(total))),
            ],
            finding: format!(
                "the busiest {} of {total} active accounts take part in {} of what was paid in {LONG_DAYS} days",
                busiest.len(),
                percent(figure)
            ),
            who: busiest,
        }
    }

    /// The share of members of more than 90 days who hold credit and have spent nothing for as long.
    pub(super) fn hoarders(&self) -> Found {
        let keeps = |place: usize, account: &AccountFacts| account.booked > 0 && self.long.given(place) == 0;
        let (mut who, settled) = self.settled(keeps);
        who.sort_by_key(|place| (Reverse(self.booked(*place)), *place));
        let held: i128 = who.iter().map(|place| i128::from(self.booked(*place))).sum();
        let of_credit = share(held, self.credit());
        let figure = share(who.len() as i128, settled as i128);
        Found {
            figure,
            is_judged: settled >= ACTIVE_MIN,
            more: vec![("held", Figure::Amount(narrow(held))), ("of_credit", Figure::Ppm(of_credit))],
            finding: format!(
                "{} of {settled} members hold credit and have spent none for {LONG_DAYS} days: {} of all credit",
                who.len(),
                percent(of_credit)
            ),
            who,
        }
    }

    /// The share of members of more than 90 days who owe and have earned nothing for as long.
    pub(super) fn takers(&self) -> Found {
        let takes =
            |place: usize, account: &AccountFacts| account.booked < 0 && self.long.received(place) == 0;
        let (mut who, settled) = self.settled(takes);
        who.sort_by_key(|place| (self.booked(*place), *place));
        let owed: i128 = who.iter().map(|place| i128::from(self.booked(*place)).abs()).sum();
        let of_debt = share(owed, self.debt());
        let figure = share(who.len() as i128, settled as i128);
        Found {
            figure,
            is_judged: settled >= ACTIVE_MIN,
            more: vec![("owed", Figure::Amount(narrow(owed))), ("of_debt", Figure::Ppm(of_debt))],
            finding: format!(
                "{} of {settled} members owe and have earned nothing for {LONG_DAYS} days: {} of all debt",
                who.len(),
                percent(of_debt)
            ),
            who,
        }
    }

    /// The share of active members of fewer than 90 days who have spent and never earned.
    pub(super) fn newcomers(&self) -> Found {
        let since = self.ago(LONG_DAYS);
        let is_new = |place: &usize| {
            self.account(*place).is_some_and(|account| account.is_member && account.since > since)
        };
        let traded = |place: &usize| self.long.is_active(*place);
        let new: Vec<usize> = self.places().filter(is_new).filter(traded).collect();
        let mut who: Vec<usize> =
            new.iter().copied().filter(|place| self.long.received(*place) == 0).collect();
        who.sort_by_key(|place| (self.booked(*place), *place));
        let figure = share(who.len() as i128, new.len() as i128);
        Found {
            figure,
            is_judged: new.len() >= NEWCOMERS_MIN,
            more: vec![("newcomers", Figure::Count(count(new.len())))],
            finding: format!("{} of {} newcomers who trade have only spent so far", who.len(), new.len()),
            who,
        }
    }

    /// The share of the payments and holds of 90 days that were declined or lapsed.
    pub(super) fn unmet(&self) -> Found {
        let begun: Vec<bool> = self
            .facts
            .attempts
            .iter()
            .filter(|attempt| attempt.at >= self.long.from)
            .map(|attempt| attempt.has_failed)
            .collect();
        let failed = begun.iter().filter(|has_failed| **has_failed).count();
        let figure = share(failed as i128, begun.len() as i128);
        Found {
            figure,
            is_judged: begun.len() >= ATTEMPTS_MIN,
            more: vec![
                ("begun", Figure::Count(count(begun.len()))),
                ("failed", Figure::Count(count(failed))),
            ],
            who: Vec::new(),
            finding: format!(
                "{failed} of {} payments and holds of {LONG_DAYS} days were declined or lapsed",
                begun.len()
            ),
        }
    }

    /// Lists the members of more than 90 days of whom something is true, and counts all of them. Treasuries are left out.
    fn settled(&self, is_so: impl Fn(usize, &AccountFacts) -> bool) -> (Vec<usize>, usize) {
        let before = self.ago(LONG_DAYS);
        let mut total = 0;
        let mut who = Vec::new();
        for (place, account) in self.facts.accounts.iter().enumerate() {
            if account.is_member && !account.is_treasury && account.since <= before {
                // Whoever never traded is a name on a list, not a member of the circle.
                let has_traded = account.booked != 0 || self.long.is_active(place);
                total += usize::from(has_traded);
                if has_traded && is_so(place, account) {
                    who.push(place);
                }
            }
        }
        (who, total)
    }

    pub(super) fn places(&self) -> std::ops::Range<usize> {
        0..self.facts.accounts.len()
    }

    pub(super) fn account(&self, place: usize) -> Option<&AccountFacts> {
        self.facts.accounts.get(place)
    }

    pub(super) fn booked(&self, place: usize) -> i64 {
        self.account(place).map_or(0, |account| account.booked)
    }

    pub(super) fn debt_at(&self, place: usize) -> i128 {
        self.account(place).map_or(0, debt_of)
    }
}
