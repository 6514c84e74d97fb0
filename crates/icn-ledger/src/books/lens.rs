//! The rules of the space as one past shows them.

use std::cmp::Reverse;

use icn_types::Did;

use super::facts::Facts;
use super::state::{Event, NONE, Rule, State};
use super::view::View;
use crate::policy::{CreditPolicy, SpacePolicy};

/// State seen through a view, and the events of the entry that is being judged.
pub(super) struct Lens<'a> {
    pub(super) state: &'a State,
    pub(super) facts: &'a Facts,
    pub(super) view: &'a View,
    pub(super) own: &'a [Event],
    pub(super) own_id: [u8; 32],
}

pub(super) type Rank = (u32, Reverse<[u8; 32]>, u32);

impl<'a> Lens<'a> {
    pub(super) fn rank(&self, event: &Event) -> Rank {
        let id = if event.entry == NONE { self.own_id } else { self.state.id(event.entry) };
        (event.height, Reverse(id), event.index)
    }

    pub(super) fn seen(&self, list: &'a [u32]) -> impl Iterator<Item = &'a Event> {
        let past = list.iter().filter(|event| self.view.contains(**event));
        past.filter_map(|event| self.state.events.get(*event as usize)).chain(self.own)
    }

    pub(super) fn latest(&self, list: &'a [u32], wanted: impl Fn(&Rule) -> bool) -> Option<&'a Event> {
        self.seen(list).filter(|event| wanted(&event.rule)).max_by_key(|event| self.rank(event))
    }

    /// Tells whether an account is a member; who was put out comes back by admission only.
    pub(super) fn is_member(&self, account: u32) -> bool {
        let list = self.state.account(account).map_or(&[][..], |account| &account.membership);
        let decided = self.latest(
            list,
            |rule| matches!(rule, Rule::Admit(whom, _) | Rule::Expel(whom) if *whom == account),
        );
        match decided.map(|event| &event.rule) {
            Some(Rule::Expel(_)) => false,
            Some(_) => true,
            None => {
                self.latest(list, |rule| matches!(rule, Rule::Join(whom, ..) if *whom == account)).is_some()
            }
        }
    }

    pub(super) fn is_expelled(&self, account: u32) -> bool {
        let list = self.state.account(account).map_or(&[][..], |account| &account.membership);
        let decided = self.latest(
            list,
            |rule| matches!(rule, Rule::Admit(whom, _) | Rule::Expel(whom) if *whom == account),
        );
        matches!(decided.map(|event| &event.rule), Some(Rule::Expel(_)))
    }

    pub(super) fn nickname(&self, account: u32) -> Option<String> {
        let list = self.state.account(account).map_or(&[][..], |account| &account.membership);
        let named = self.latest(
            list,
            |rule| matches!(rule, Rule::Admit(whom, Some(_)) | Rule::Join(whom, Some(_), _) if *whom == account),
        );
        if let Some(Rule::Admit(_, name) | Rule::Join(_, name, _)) = named.map(|event| &event.rule) {
            name.clone()
        } else {
            None
        }
    }

    pub(super) fn is_steward(&self, account: u32) -> bool {
        let list = self.state.account(account).map_or(&[][..], |account| &account.stewardship);
        let latest = self.latest(
            list,
            |rule| matches!(rule, Rule::Appoint(whom) | Rule::Dismiss(whom) if *whom == account),
        );
        matches!(latest.map(|event| &event.rule), Some(Rule::Appoint(_))) && self.is_member(account)
    }

    pub(super) fn is_frozen(&self, account: u32) -> bool {
        let time = self.latest_time();
        self.freeze(account)
            .is_some_and(|until| until.is_none_or(|until| time.is_none_or(|time| time < until)))
    }

    /// Returns when the freeze of an account ends by itself, whether it has or not.
    pub(super) fn frozen_until(&self, account: u32) -> Option<u64> {
        self.freeze(account).flatten()
    }

    fn freeze(&self, account: u32) -> Option<Option<u64>> {
        let list = self.state.account(account).map_or(&[][..], |account| &account.freezes);
        let latest = self.latest(
            list,
            |rule| matches!(rule, Rule::Freeze(whom, _) | Rule::Unfreeze(whom) if *whom == account),
        );
        let Some(Rule::Freeze(_, until)) = latest.map(|event| &event.rule) else { return None };
        Some(*until)
    }

    /// Returns the time of the last seal of the line that is in force here, in milliseconds.
    pub(super) fn sealed_time(&self) -> Option<u64> {
        let last = self.view.seals.checked_sub(1)?;
        self.facts.line.get(last as usize).map(|seal| seal.time)
    }

    /// Returns the latest time of a seal that is in force here, in the line or beside it, in milliseconds: what was over for
    /// an author stays over when another seal takes the place of the one it saw.
    pub(super) fn latest_time(&self) -> Option<u64> {
        let strays = self.facts.strays.iter().filter(|stray| self.is_in_force(stray.entry));
        strays.map(|stray| stray.time).chain(self.sealed_time()).max()
    }

    pub(super) fn treasury(&self, account: u32) -> Option<(&'a [Did], u32)> {
        let list = self.state.account(account).map_or(&[][..], |account| &account.treasury);
        let latest = self
            .latest(list, |rule| matches!(rule, Rule::Treasury { account: whom, .. } if *whom == account));
        if let Some(Rule::Treasury { approvers, threshold, .. }) = latest.map(|event| &event.rule) {
            Some((approvers, *threshold))
        } else {
            None
        }
    }

    /// Returns decimals, policy, and the number of the last author's entry.
    pub(super) fn currency(&self, currency: u32) -> Option<(u8, &'a CreditPolicy, u32)> {
        let list = self.state.currency_events.get(&currency).map_or(&[][..], Vec::as_slice);
        let latest = self.latest(
            list,
            |rule| matches!(rule, Rule::Currency { currency: which, .. } if *which == currency),
        );
        latest.and_then(|event| {
            let Rule::Currency { decimals, policy, .. } = &event.rule else { return None };
            Some((*decimals, policy, event.entry))
        })
    }

    /// Returns what a balance may come to at most, in the smallest unit.
    pub(super) fn balance_max(&self, currency: u32) -> Option<i64> {
        let (decimals, policy, _) = self.currency(currency)?;
        let scale = 10_i64.checked_pow(u32::from(decimals)).unwrap_or(i64::MAX);
        policy.balance_max.map(|max| max.saturating_mul(scale))
    }

    /// Returns the credit line in force, and the entry that granted it ([`NONE`]: the currency's policy).
    pub(super) fn line(&self, account: u32, currency: u32) -> (i64, u32) {
        let list = self.state.lines.get(&(account, currency)).map_or(&[][..], Vec::as_slice);
        let granted = self.seen(list).filter_map(|event| {
            let Rule::Line { account: whom, currency: which, limit, number } = event.rule else {
                return None;
            };
            let (_, id, index) = self.rank(event);
            (whom == account && which == currency).then_some(((number, id, index), (limit, event.entry)))
        });
        if let Some((_, line)) = granted.max_by_key(|(rank, _)| *rank) {
            return line;
        }
        match self.currency(currency) {
            Some((decimals, policy, _)) if self.is_member(account) => {
                let scale = 10_i64.checked_pow(u32::from(decimals)).unwrap_or(i64::MAX);
                (policy.initial.saturating_mul(scale), NONE)
            }
            Some(_) | None => (0, NONE),
        }
    }

    /// Returns the highest number that a line of the account has.
    pub(super) fn line_number(&self, account: u32, currency: u32) -> u64 {
        let list = self.state.lines.get(&(account, currency)).map_or(&[][..], Vec::as_slice);
        let numbers = self.seen(list).filter_map(|event| {
            let Rule::Line { account: whom, currency: which, number, .. } = event.rule else { return None };
            (whom == account && which == currency).then_some(number)
        });
        numbers.max().unwrap_or(0)
    }

    pub(super) fn policy(&self) -> SpacePolicy {
        let latest = self.latest(&self.state.policies, |rule| matches!(rule, Rule::Policy(_)));
        if let Some(Rule::Policy(policy)) = latest.map(|event| &event.rule) {
            policy.clone()
        } else {
            SpacePolicy::default()
        }
    }

    /// Returns the level that makes a credit of this amount spendable.
    pub(super) fn final_at(&self, amount: i64) -> crate::policy::Finality {
        let latest = self.latest(&self.state.policies, |rule| matches!(rule, Rule::Policy(_)));
        if let Some(Rule::Policy(policy)) = latest.map(|event| &event.rule) {
            policy.final_at(amount, self.has_witnesses())
        } else {
            SpacePolicy::default().final_at(amount, self.has_witnesses())
        }
    }

    /// Lists the witness sets in force one after the other: each certified by the one before.
    pub(super) fn sets(&self) -> Vec<(&'a Event, u64, &'a [Did])> {
        let mut sets: Vec<(&'a Event, u64, &'a [Did])> = Vec::new();
        if self.state.witnesses.is_empty() && self.own.is_empty() {
            return sets;
        }
        loop {
            let next = sets.last().map_or(1, |(_, number, _)| number + 1);
            let before = sets.last().copied();
            let found = self
                .seen(&self.state.witnesses)
                .filter_map(|event| {
                    let Rule::Witnesses { number, members } = &event.rule else { return None };
                    (*number == next).then_some((event, next, members.as_slice()))
                })
                .filter(|(event, ..)| match before {
                    Some((_, number, members)) if !members.is_empty() => self.is_certified(event, number),
                    Some(_) | None => true,
                })
                .min_by_key(|(event, ..)| {
                    let (height, Reverse(id), index) = self.rank(event);
                    (height, id, index)
                });
            match found {
                Some(set) => sets.push(set),
                None => return sets,
            }
        }
    }

    fn is_certified(&self, named: &Event, by: u64) -> bool {
        let list = self.state.set_certified.get(&named.entry).map_or(&[][..], Vec::as_slice);
        let found = self.latest(
            list,
            |rule| matches!(rule, Rule::SetCertified { of, set, .. } if *of == named.entry && *set == by),
        );
        found.is_some()
    }

    /// Returns number and members of the set in force; none, or an empty one: no witnesses.
    pub(super) fn set(&self) -> Option<(u64, &'a [Did])> {
        if self.state.witnesses.is_empty() && self.own.is_empty() {
            return None;
        }
        self.sets().last().map(|(_, number, members)| (*number, *members))
    }

    pub(super) fn has_witnesses(&self) -> bool {
        self.set().is_some_and(|(_, members)| !members.is_empty())
    }

    /// Tells whether the seal of this entry is in force here.
    pub(super) fn is_in_force(&self, seal: u32) -> bool {
        let list = self.state.seal_events.get(&seal).map_or(&[][..], Vec::as_slice);
        list.iter().any(|event| self.view.contains(*event))
    }
}
