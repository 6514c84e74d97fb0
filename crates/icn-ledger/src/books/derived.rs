//! Transfers that no account's own chain writes: their cause is a seal or an act of somebody else.
//!
//! A transfer is effective in every past that holds its cause, and there only: what an account may spend counts those that
//! its entry's past has, what is booked counts those that are known. Which of several causes counts (two resolutions of one
//! dispute, two write-offs with one number, two seals on one) is decided by the same rule in every past, so each
//! has its two legs or none. Nothing is stored but the causes, so there is nothing that could be applied twice.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use super::Books;
use super::facts::Facts;
use super::judge_money::clamp;
use super::lens::Lens;
use super::reason::derived_id;
use super::state::{DisputeStep, Event, NONE, Rule, State, cid_of};
use super::view::View;
use super::views::{Transfer, TransferCause};
use crate::act::OrderRef;

/// What makes a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// A rule event, by number.
    Event(u32),
    /// A seal, by the place of its entry.
    Seal(u32),
}

/// One leg of a transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    cause: Cause,
    currency: u32,
    /// Below 0 for who pays.
    amount: i64,
    /// The other side; [`NONE`] for a sum of several.
    other: u32,
}

/// What an event moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) currency: u32,
    pub(super) amount: i64,
}

/// What a seal charges in one currency, by DID: computed from the books of its past alone, and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) currency: String,
    pub(super) fund: Did,
    /// The act that set the rule.
    rule_entry: Cid,
    rule_index: u32,
    pub(super) fees: Vec<(Did, i64)>,
}

/// The same by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealCharge {
    pub(super) currency: u32,
    pub(super) fund: u32,
    pub(super) rule_entry: Cid,
    pub(super) rule_index: u32,
    pub(super) fees: Vec<(u32, i64)>,
}

impl Charge {
    pub(super) fn numbered(&self, currency: u32, mut account: impl FnMut(Did) -> u32) -> SealCharge {
        SealCharge {
            currency,
            fund: account(self.fund),
            rule_entry: self.rule_entry,
            rule_index: self.rule_index,
            fees: self.fees.iter().map(|(did, fee)| (account(*did), *fee)).collect(),
        }
    }
}

impl Rule {
    /// Returns what the event moves, if it counts.
    pub(super) const fn moved(&self) -> Option<&Moved> {
        match self {
            Self::Dispute { step: DisputeStep::Resolve { moved, .. }, .. } => moved.as_ref(),
            Self::WriteOff { moved, .. } => Some(moved),
            Self::Dispute { .. }
            | Self::Found { .. }
            | Self::Policy(_)
            | Self::Appoint(_)
            | Self::Dismiss(_)
            | Self::Admit(..)
            | Self::Expel(_)
            | Self::Join(..)
            | Self::Currency { .. }
            | Self::Line { .. }
            | Self::Freeze(..)
            | Self::Unfreeze(_)
            | Self::Witnesses { .. }
            | Self::Treasury { .. }
            | Self::SetCertified { .. }
            | Self::Sealed(_)
            | Self::Branch
            | Self::Demurrage { .. }
            | Self::Treasuries(_) => None,
        }
    }
}

impl State {
    /// Remembers the legs of what an event moves.
    pub(super) fn index_moved(&mut self, event_number: u32, event: &Event) {
        let Some(moved) = event.rule.moved().copied() else { return };
        let cause = Cause::Event(event_number);
        let Moved { from, to, currency, amount } = moved;
        self.add_leg(from, Leg { cause, currency, amount: -amount, other: to });
        self.add_leg(to, Leg { cause, currency, amount, other: from });
    }

    /// Remembers the legs of what a seal charges.
    pub(super) fn index_charges(&mut self, entry: u32, charges: &[SealCharge]) {
        for SealCharge { currency, fund, fees, .. } in charges {
            let (cause, currency) = (Cause::Seal(entry), *currency);
            for (account, fee) in fees {
                self.add_leg(*account, Leg { cause, currency, amount: -fee, other: *fund });
            }
            let sum: i128 = fees.iter().map(|(_, fee)| i128::from(*fee)).sum();
            self.add_leg(*fund, Leg { cause, currency, amount: clamp(sum), other: NONE });
        }
    }

    fn add_leg(&mut self, account: u32, leg: Leg) {
        self.derived.entry(account).or_default().push(leg);
    }

    /// Lists what is derived for every account, as one view has it.
    pub(super) fn derived_totals(&self, facts: &Facts, view: &View) -> BTreeMap<(u32, u32), i128> {
        let lens = Lens { state: self, facts, view, own: &[], own_id: [0; 32] };
        let mut totals = BTreeMap::new();
        for (account, legs) in &self.derived {
            for leg in legs.iter().filter(|leg| lens.is_effective(leg.cause)) {
                *totals.entry((*account, leg.currency)).or_default() += i128::from(leg.amount);
            }
        }
        totals
    }

    /// Computes what a seal charges: by the rule that the seal before it had in its past, unless it has ended since, for the
    /// periods that end between the times of the two.
    pub(super) fn charges(
        &self,
        facts: &Facts,
        view: &View,
        prev: u32,
        time: u64,
        totals: &BTreeMap<(u32, u32), i128>,
    ) -> Vec<Charge> {
        let (Some(before), Some(seal)) = (self.entry(prev), self.seals.get(&prev)) else { return Vec::new() };
        let seen_before = self.views.get(before.view);
        let lens = |view| Lens { state: self, facts, view, own: &[], own_id: [0; 32] };
        let mut charges = Vec::new();
        for currency in self.demurrage.keys().copied() {
            let is_ended = lens(view).demurrage(currency).is_none();
            let Some((rule, fund, event)) = lens(&seen_before).demurrage(currency).filter(|_| !is_ended)
            else {
                continue;
            };
            let periods = rule.periods(seal.time, time);
            let held = totals.iter().filter(|((account, which), _)| *which == currency && *account != fund);
            let mut fees: Vec<(Did, i64)> = held
                .map(|((account, _), total)| (self.did(*account), rule.fee(clamp(*total), periods)))
                .filter(|(_, fee)| *fee > 0)
                .collect();
            fees.sort_unstable();
            if !fees.is_empty() {
                charges.push(Charge {
                    currency: self.code(currency).to_owned(),
                    fund: self.did(fund),
                    rule_entry: cid_of(&self.id(event.entry)),
                    rule_index: event.index,
                    fees,
                });
            }
        }
        charges.sort_by(|a, b| a.currency.cmp(&b.currency));
        charges
    }
}

impl<'a> Lens<'a> {
    /// Returns what others' acts and seals have moved into an account, less what they moved out of it.
    pub(super) fn derived(&self, account: u32, currency: u32) -> i128 {
        let legs = self.state.derived.get(&account).map_or(&[][..], Vec::as_slice);
        let seen = legs.iter().filter(|leg| leg.currency == currency && self.is_effective(leg.cause));
        let mut sum: i128 = seen.map(|leg| i128::from(leg.amount)).sum();
        // Whatever an entry itself causes is the only one of its kind: a second one is refused.
        for moved in self.own.iter().filter_map(|event| event.rule.moved()) {
            if moved.currency == currency {
                sum += if moved.to == account { i128::from(moved.amount) } else { 0 };
                sum -= if moved.from == account { i128::from(moved.amount) } else { 0 };
            }
        }
        sum
    }

    /// Returns what seals beside the line, which this past has in force, had moved into an account: it counts no more, and
    /// whoever was paid with it is not to suffer.
    pub(super) fn derived_lost(&self, account: u32, currency: u32) -> i128 {
        if self.facts.strays.is_empty() {
            return 0;
        }
        let legs = self.state.derived.get(&account).map_or(&[][..], Vec::as_slice);
        let lost = legs.iter().filter(|leg| leg.currency == currency && leg.amount > 0).filter(|leg| {
            matches!(leg.cause, Cause::Seal(seal) if self.facts.strays.iter().any(|stray| stray.entry == seal)
                && self.is_in_force(seal))
        });
        lost.map(|leg| i128::from(leg.amount)).sum()
    }

    /// Tells whether a transfer counts here: its cause is in this past, and none that goes before it.
    fn is_effective(&self, cause: Cause) -> bool {
        match cause {
            Cause::Seal(entry) => {
                // The line rises: a seal stands behind the one that it names.
                let place = self.facts.line.binary_search_by_key(&entry, |seal| seal.entry);
                place.is_ok_and(|place| place < self.view.seals as usize)
            }
            Cause::Event(number) => {
                self.view.contains(number)
                    && self.state.events.get(number as usize).is_some_and(|event| {
                        let first = if let Rule::Dispute { order, .. } = &event.rule {
                            self.resolution(*order)
                        } else if let Rule::WriteOff { moved, number } = &event.rule {
                            self.write_off(moved.to, moved.currency, *number)
                        } else {
                            None
                        };
                        first.is_some_and(|first| (first.entry, first.index) == (event.entry, event.index))
                    })
            }
        }
    }

    /// Returns the first of several events, by the same order in every past.
    pub(super) fn first(&self, list: &'a [u32], wanted: impl Fn(&Rule) -> bool) -> Option<&'a Event> {
        self.seen(list).filter(|event| wanted(&event.rule)).min_by_key(|event| {
            let (height, Reverse(id), index) = self.rank(event);
            (height, id, index)
        })
    }

    /// Returns how idle balances of a currency are charged, the fund, and the act that says so.
    pub(super) fn demurrage(&self, currency: u32) -> Option<(crate::demurrage::Demurrage, u32, &'a Event)> {
        let list = self.state.demurrage.get(&currency).map_or(&[][..], Vec::as_slice);
        let latest = self.latest(
            list,
            |rule| matches!(rule, Rule::Demurrage { currency: which, .. } if *which == currency),
        )?;
        let Rule::Demurrage { charge: Some((rule, fund)), .. } = latest.rule else { return None };
        Some((rule, fund, latest))
    }

    /// Returns the write-off with this number that counts.
    fn write_off(&self, account: u32, currency: u32, wanted: u64) -> Option<&'a Event> {
        let list = self.state.write_offs.get(&(account, currency)).map_or(&[][..], Vec::as_slice);
        self.first(list, |rule| {
            matches!(rule, Rule::WriteOff { moved, number } if moved.to == account
            && moved.currency == currency && *number == wanted)
        })
    }

    /// Returns the highest number that a write-off of the account has.
    pub(super) fn write_off_number(&self, account: u32, currency: u32) -> u64 {
        let list = self.state.write_offs.get(&(account, currency)).map_or(&[][..], Vec::as_slice);
        let numbers = self.seen(list).filter_map(|event| {
            let Rule::WriteOff { moved, number } = event.rule else { return None };
            (moved.to == account && moved.currency == currency).then_some(number)
        });
        numbers.max().unwrap_or(0)
    }
}

impl Books {
    /// Returns what everybody sees in an account: both legs of what was accepted, and what was derived.
    pub(super) fn booked(&self, account: u32, currency: u32) -> i128 {
        let purse = self.state.purse(account, currency).map_or(0, |purse| purse.booked);
        purse + self.lens(&self.everything()).derived(account, currency)
    }

    /// Returns the next number of a write-off.
    #[must_use]
    pub fn next_write_off(&self, account: &Did, code: &str) -> u64 {
        let known = self.account_of(account).zip(self.state.by_code.get(code).copied());
        let view = self.everything();
        known.map_or(1, |(account, currency)| self.lens(&view).write_off_number(account, currency) + 1)
    }

    /// Lists the demurrage rules in force: currency, rule and fund, by currency.
    #[must_use]
    pub fn demurrage(&self) -> Vec<(String, crate::demurrage::Demurrage, Did)> {
        let view = self.everything();
        let rules = self.state.by_code.iter().filter_map(|(code, currency)| {
            let (rule, fund, _) = self.lens(&view).demurrage(*currency)?;
            Some((code.clone(), rule, self.state.did(fund)))
        });
        rules.collect()
    }

    /// Lists the transfers that nobody's chain wrote into or out of an account, the latest known first.
    #[must_use]
    pub fn transfers(&self, account: &Did, offset: usize, limit: usize) -> Vec<Transfer> {
        let Some(account) = self.account_of(account) else { return Vec::new() };
        let view = self.everything();
        let lens = self.lens(&view);
        let legs = self.state.derived.get(&account).map_or(&[][..], Vec::as_slice);
        let effective = legs.iter().rev().filter(|leg| lens.is_effective(leg.cause));
        effective.flat_map(|leg| self.show_leg(account, leg)).skip(offset).take(limit).collect()
    }

    fn show_leg(&self, account: u32, leg: &Leg) -> Vec<Transfer> {
        let state = &self.state;
        let pair = |from: u32, to: u32| (state.did(from), state.did(to));
        match leg.cause {
            Cause::Event(number) => {
                let Some(event) = state.events.get(number as usize) else { return Vec::new() };
                let by = OrderRef { entry: cid_of(&state.id(event.entry)), index: event.index };
                let (from, to) =
                    if leg.amount < 0 { pair(account, leg.other) } else { pair(leg.other, account) };
                let cause = if let Rule::Dispute { order, .. } = &event.rule {
                    let order = state.order(*order).map_or(by, |order| state.order_ref(order));
                    TransferCause::Dispute { order }
                } else {
                    TransferCause::WriteOff
                };
                let at = state.entry(event.entry).map_or(0, |entry| entry.at);
                vec![Transfer {
                    id: derived_id("transfer", &[by]),
                    from,
                    to,
                    currency: state.code(leg.currency).to_owned(),
                    amount: leg.amount.saturating_abs(),
                    by,
                    cause,
                    at: Timestamp::from_millis(at),
                }]
            }
            Cause::Seal(entry) => self.show_charges(account, entry, leg.currency),
        }
    }

    fn show_charges(&self, account: u32, entry: u32, currency: u32) -> Vec<Transfer> {
        let state = &self.state;
        let Some(seal) = state.seals.get(&entry) else { return Vec::new() };
        let Some(charge) = seal.charges.iter().find(|charge| charge.currency == currency) else {
            return Vec::new();
        };
        let by = OrderRef { entry: cid_of(&state.id(entry)), index: seal.index };
        let rule = OrderRef { entry: charge.rule_entry, index: charge.rule_index };
        let fees = charge.fees.iter().filter(|(payer, _)| *payer == account || charge.fund == account);
        fees.map(|(payer, fee)| {
            let payer = state.did(*payer);
            Transfer {
                id: charge_id(self.space, state.code(currency), &by, &rule, &payer),
                from: payer,
                to: state.did(charge.fund),
                currency: state.code(currency).to_owned(),
                amount: *fee,
                by,
                cause: TransferCause::Demurrage { rule },
                at: Timestamp::from_millis(seal.time),
            }
        })
        .collect()
    }

    /// Tells whether a freeze, a period or the time for a mediation is over by this time, and not by the last seal.
    pub(super) fn awaits_sealed_time(&self, now: Timestamp) -> bool {
        let view = self.everything();
        let lens = self.lens(&view);
        let now = now.as_millis();
        let Some(sealed) = lens.sealed_time() else { return false };
        let is_due = |due: u64| sealed < due && due <= now;
        let mut freezes = 0..super::state::number(self.state.accounts.len());
        let mut currencies = self.state.demurrage.keys();
        freezes.any(|account| lens.frozen_until(account).is_some_and(is_due))
            || currencies.any(|currency| {
                lens.demurrage(*currency).is_some_and(|(rule, ..)| rule.periods(sealed, now) > 0)
            })
            || self.state.disputes.keys().any(|order| lens.times_of(*order).into_iter().any(is_due))
            || lens.treasuries_await(sealed, now)
    }

    /// Lists the accounts that have a balance, or had one, in a currency.
    pub(super) fn holders(&self, currency: u32) -> BTreeSet<u32> {
        let has_purse = |account: &u32| self.state.purse(*account, currency).is_some();
        let with_purse = (0..super::state::number(self.state.accounts.len())).filter(has_purse);
        let derived = self.state.derived.iter();
        let derived = derived.filter(|(_, legs)| legs.iter().any(|leg| leg.currency == currency));
        with_purse.chain(derived.map(|(account, _)| *account)).collect()
    }

    /// Lists what resolved disputes have moved between an account and others.
    pub(super) fn refunds(&self, account: u32, currency: u32) -> Vec<(Did, i64)> {
        let view = self.everything();
        let lens = self.lens(&view);
        let legs = self.state.derived.get(&account).map_or(&[][..], Vec::as_slice);
        let refunds = legs.iter().filter(|leg| leg.currency == currency && lens.is_effective(leg.cause));
        let refunds = refunds.filter(|leg| {
            matches!(leg.cause, Cause::Event(number) if self.state.events.get(number as usize).is_some_and(
                |event| matches!(event.rule, Rule::Dispute { step: DisputeStep::Resolve { is_refund: true, .. }, .. })
            ))
        });
        refunds.map(|leg| (self.state.did(leg.other), leg.amount)).collect()
    }
}

/// Names a charge by space, currency, seal, rule and account.
fn charge_id(space: Did, currency: &str, seal: &OrderRef, rule: &OrderRef, account: &Did) -> Cid {
    derived_id(&format!("demurrage {space} {currency} {account}"), &[*seal, *rule])
}
