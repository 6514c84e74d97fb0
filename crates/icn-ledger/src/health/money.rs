//! Signs that are about money: how much there is, who has it, how fast it moves, how old the debts are.

use std::cmp::Reverse;

use icn_types::Timestamp;

use super::rule::{ACTIVE_MIN, AT_LIMIT_PPM, LONG_DAYS, OLD_DEBT_DAYS, SHORT_DAYS};
use super::{DAY_SECONDS, Figure, Found, Subject, count, debt_of, narrow, percent, share, times};

impl Subject<'_> {
    /// The Gini coefficient of the balances above zero, without treasuries.
    pub(super) fn inequality(&self) -> Found {
        let holds = |place: &usize| {
            self.account(*place).is_some_and(|account| account.booked > 0 && !account.is_treasury)
        };
        let mut who: Vec<usize> = self.places().filter(holds).collect();
        who.sort_by_key(|place| (Reverse(self.booked(*place)), *place));
        let rising: Vec<i64> = who.iter().rev().map(|place| self.booked(*place)).collect();
        let figure = gini(&rising);
        Found {
            figure,
            is_judged: who.len() >= ACTIVE_MIN,
            more: vec![("holders", Figure::Count(count(who.len())))],
            finding: format!("the balances of {} holders have a Gini of {}", who.len(), times(figure)),
            who,
        }
    }

    /// Credit in existence, for each unit that moved in 30 days.
    pub(super) fn deficit_ratio(&self) -> Found {
        let credit = self.credit();
        let is_still = self.short.volume == 0 && credit > 0;
        let figure = if is_still { u64::MAX / 1_000 } else { share(credit, self.short.volume) };
        let volume = self.amount(self.short.volume);
        let finding = if is_still {
            format!("{} of credit exist, and nothing was paid in {SHORT_DAYS} days", self.amount(credit))
        } else {
            format!(
                "{} of credit exist, {} times the {volume} that were paid in {SHORT_DAYS} days",
                self.amount(credit),
                times(figure)
            )
        };
        Found {
            figure,
            is_judged: credit > 0,
            more: vec![
                ("credit", Figure::Amount(narrow(credit))),
                ("volume_30", Figure::Amount(narrow(self.short.volume))),
            ],
            who: Vec::new(),
            finding,
        }
    }

    /// What moved in 30 days, beside a third of what moved in 90.
    pub(super) fn velocity(&self) -> Found {
        let figure = share(self.short.volume * 3, self.long.volume);
        let credit = self.credit();
        let (short, long) = (share(self.short.volume, credit), share(self.long.volume, credit));
        let first = self.facts.movements.first().map_or(self.now, |movement| movement.at);
        Found {
            figure,
            is_judged: first <= self.ago(LONG_DAYS) && self.long.volume > 0,
            more: vec![("turnover_30", Figure::Ppm(short)), ("turnover_90", Figure::Ppm(long))],
            who: Vec::new(),
            finding: format!(
                "trade of the last {SHORT_DAYS} days runs at {} of the pace of {LONG_DAYS}; all credit changed hands {} times in \
                 {SHORT_DAYS} days and {} times in {LONG_DAYS}",
                percent(figure),
                times(short),
                times(long)
            ),
        }
    }

    /// How much of all members' lines is used.
    pub(super) fn lines_used(&self) -> Found {
        let members = || self.facts.accounts.iter().filter(|account| account.is_member);
        let lines: i128 = members().map(|account| i128::from(account.line.max(0))).sum();
        let used: i128 = members().map(debt_of).sum();
        let figure = share(used, lines);
        Found {
            figure,
            is_judged: lines > 0,
            more: vec![("lines", Figure::Amount(narrow(lines))), ("used", Figure::Amount(narrow(used)))],
            who: Vec::new(),
            finding: format!(
                "{} of all credit lines is used: {} of {}",
                percent(figure),
                self.amount(used),
                self.amount(lines)
            ),
        }
    }

    /// The share of members with a line who have used 90 % of it or more.
    pub(super) fn at_limit(&self) -> Found {
        let with_line: Vec<usize> = self
            .places()
            .filter(|place| self.account(*place).is_some_and(|account| account.is_member && account.line > 0))
            .collect();
        let is_at_end = |place: &usize| {
            let line = self.account(*place).map_or(0, |account| i128::from(account.line));
            share(self.debt_at(*place), line) >= AT_LIMIT_PPM
        };
        let mut who: Vec<usize> = with_line.iter().copied().filter(is_at_end).collect();
        who.sort_by_key(|place| (Reverse(self.debt_at(*place)), *place));
        let figure = share(who.len() as i128, with_line.len() as i128);
        Found {
            figure,
            is_judged: with_line.len() >= ACTIVE_MIN,
            more: vec![("with_line", Figure::Count(count(with_line.len())))],
            finding: format!(
                "{} of {} members have used {} of their line or more",
                who.len(),
                with_line.len(),
                percent(AT_LIMIT_PPM)
            ),
            who,
        }
    }

    /// The share of all debt that is owed by accounts that have been below zero for half a year.
    pub(super) fn debt_age(&self) -> Found {
        let since = self.below_since();
        let days = |place: &usize| {
            let from = since.get(*place).copied().flatten().unwrap_or(self.now);
            self.now.since(from).as_millis() / (DAY_SECONDS * 1_000)
        };
        let debtors: Vec<usize> = self.places().filter(|place| self.booked(*place) < 0).collect();
        let mut who: Vec<usize> =
            debtors.iter().copied().filter(|place| days(place) >= OLD_DEBT_DAYS).collect();
        who.sort_by_key(|place| (Reverse(days(place)), *place));
        let old: i128 = who.iter().map(|place| self.debt_at(*place)).sum();
        let oldest = debtors.iter().map(days).max().unwrap_or(0);
        let figure = share(old, self.debt());
        Found {
            figure,
            is_judged: !debtors.is_empty(),
            more: vec![
                ("oldest", Figure::Days(oldest)),
                ("old_debt", Figure::Amount(narrow(old))),
                ("debtors", Figure::Count(count(debtors.len()))),
            ],
            finding: format!(
                "{} of all debt is owed by {} accounts that have been below zero for {OLD_DEBT_DAYS} days or longer; the oldest \
                 for {oldest} days",
                percent(figure),
                who.len()
            ),
            who,
        }
    }

    /// Finds since when each account has been below zero; nothing for those that are not.
    fn below_since(&self) -> Vec<Option<Timestamp>> {
        let mut balances = vec![0_i128; self.facts.accounts.len()];
        let mut since = vec![None; self.facts.accounts.len()];
        for movement in &self.facts.movements {
            let legs =
                [(movement.from, -i128::from(movement.amount)), (movement.to, i128::from(movement.amount))];
            for (place, change) in legs {
                let (Some(balance), Some(since)) =
                    (balances.get_mut(place as usize), since.get_mut(place as usize))
                else {
                    continue;
                };
                *balance += change;
                if *balance >= 0 {
                    *since = None;
                } else if since.is_none() {
                    *since = Some(movement.at.min(self.now));
                }
            }
        }
        since
    }

    /// The share of all debt that is owed by accounts that are no members any more, or cannot act.
    pub(super) fn lost_debt(&self) -> Found {
        let is_lost = |place: &usize| {
            self.account(*place).is_some_and(|account| !account.is_member || account.is_frozen)
        };
        let mut who: Vec<usize> =
            self.places().filter(|place| self.booked(*place) < 0).filter(is_lost).collect();
        who.sort_by_key(|place| (Reverse(self.debt_at(*place)), *place));
        let lost: i128 = who.iter().map(|place| self.debt_at(*place)).sum();
        let figure = share(lost, self.debt());
        Found {
            figure,
            is_judged: self.debt() > 0,
            more: vec![("lost", Figure::Amount(narrow(lost)))],
            finding: format!(
                "{} of all debt is owed by {} accounts that have left or are frozen",
                percent(figure),
                who.len()
            ),
            who,
        }
    }

    /// Open claims beside all credit.
    pub(super) fn claims(&self) -> Found {
        let claims = &self.facts.claims;
        let sum: i128 = claims.iter().map(|(_, amount)| i128::from(*amount)).sum();
        // So that no claim is too small to be seen.
        let figure = share(sum, self.credit().max(1)).max(u64::from(!claims.is_empty()));
        let creditors = claims.iter().map(|(creditor, _)| creditor);
        let mut who: Vec<usize> = creditors
            .filter_map(|creditor| self.facts.accounts.iter().position(|account| account.did == *creditor))
            .collect();
        who.sort_unstable();
        who.dedup();
        Found {
            figure,
            is_judged: true,
            more: vec![
                ("claims", Figure::Count(count(claims.len()))),
                ("claimed", Figure::Amount(narrow(sum))),
            ],
            who,
            finding: format!("{} claims are open, over {}", claims.len(), self.amount(sum)),
        }
    }
}

/// Computes the Gini coefficient of amounts above zero in rising order, in parts per million: 0 where all are equal.
#[must_use]
pub fn gini(rising: &[i64]) -> u64 {
    let n = rising.len() as i128;
    let sum: i128 = rising.iter().map(|amount| i128::from(*amount)).sum();
    // Σ (2i − n − 1) · x, with i from 1, over n · Σ x.
    let weighted: i128 = rising
        .iter()
        .zip(1_i128..)
        .map(|(amount, place)| (2 * place - n - 1).saturating_mul(i128::from(*amount)))
        .sum();
    share(weighted, n.saturating_mul(sum))
}
