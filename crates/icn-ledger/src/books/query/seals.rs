//! Asking the books for witnesses, what they have certified, and the seals.

use icn_types::{Cid, Did, Timestamp};

use crate::books::Books;
use crate::books::state::{Kind, NONE, Rule, SHOWN, Standing, cid_of};
use crate::books::views::{SealView, WitnessSetView};

impl Books {
    /// Returns the witness set in force; none: the space has no witnesses.
    #[must_use]
    pub fn witness_set(&self) -> Option<WitnessSetView> {
        let view = self.everything();
        let lens = self.lens(&view);
        let sets = lens.sets();
        let (event, set, members) = sets.last()?;
        let before = sets.len().checked_sub(2).and_then(|before| sets.get(before));
        let mut voters: Vec<Did> = Vec::new();
        for naming in self.state.set_certified.get(&event.entry).into_iter().flatten() {
            if let Some(Rule::SetCertified { voters: more, .. }) =
                self.state.events.get(*naming as usize).map(|event| &event.rule)
            {
                voters.extend(more);
            }
        }
        voters.sort_unstable();
        voters.dedup();
        (!members.is_empty()).then(|| WitnessSetView {
            number: *set,
            members: members.to_vec(),
            members_before: before.map(|(_, _, members)| members.to_vec()),
            handed_over_by: voters,
        })
    }

    /// Lists the members of the witness set with this number, if it is or was in force.
    #[must_use]
    pub fn witnesses_of(&self, set: u64) -> Option<Vec<Did>> {
        let view = self.everything();
        let sets = self.lens(&view).sets();
        sets.into_iter().find(|(_, number, _)| *number == set).map(|(_, _, members)| members.to_vec())
    }

    /// Lists entries of others whose certificates an account's next entry is to show: it has accepted what they pay.
    #[must_use]
    pub fn to_show(&self, account: &Did) -> Vec<Cid> {
        let account = self.state.by_did.get(account).and_then(|account| self.state.account(*account));
        let pending =
            account.into_iter().flat_map(|account| &account.purses).flat_map(|purse| purse.pending.keys());
        let orders = pending.filter_map(|order| self.state.order(*order));
        let unshown = orders.filter(|order| order.flags & SHOWN == 0);
        unshown.map(|order| cid_of(&self.state.id(order.entry))).collect()
    }

    /// Tells whether a certificate of this set is known, other than for the naming of a set.
    #[must_use]
    pub fn set_has_certified(&self, set: u64) -> bool {
        self.state.sets_used.contains(&set)
    }

    /// Lists the valid seals, by number.
    #[must_use]
    pub fn seals(&self) -> Vec<SealView> {
        let mut seals: Vec<SealView> = self
            .state
            .seals
            .iter()
            .map(|(entry, seal)| SealView {
                entry: cid_of(&self.state.id(*entry)),
                number: seal.number,
                time: Timestamp::from_millis(seal.time),
                is_in_force: seal.in_force,
                is_in_line: self.facts.line.iter().any(|one| one.entry == *entry),
            })
            .collect();
        seals.sort_by_key(|seal| (seal.number, seal.entry));
        seals
    }

    /// Returns the last seal of the line.
    #[must_use]
    pub fn last_seal(&self) -> Option<SealView> {
        let last = self.facts.line.last()?;
        Some(SealView {
            entry: cid_of(&self.state.id(last.entry)),
            number: last.number,
            time: Timestamp::from_millis(last.time),
            is_in_force: true,
            is_in_line: true,
        })
    }

    /// Tells whether something has a time that is over, and a seal at this time would show it: an open order, a freeze, a
    /// dispute, a period of demurrage.
    #[must_use]
    pub fn awaits_seal(&self, now: Timestamp) -> bool {
        self.state.orders.iter().any(|order| {
            let is_open = order.accepted == NONE && order.returned == NONE && order.declined == NONE;
            let is_over = order.expires <= now.as_millis() && order.standing == Standing::Good;
            let is_captured = order.kind == Kind::Hold && order.link != NONE;
            is_open
                && is_over
                && !is_captured
                && matches!(order.kind, Kind::Pay | Kind::Hold)
                && !self.is_lapsed(order)
        }) || self.awaits_sealed_time(now)
    }

    /// Tells whether a seal of this entry is valid, its digest with it.
    #[must_use]
    pub fn seal_is_right(&self, idx: u32) -> bool {
        self.state.seals.contains_key(&idx)
    }

    /// Computes the digest that a seal on the last one needs, of an entry that stands directly behind these; none while
    /// what is known beyond them bears on it: name all heads.
    #[must_use]
    pub fn cut_digest(&self, parents: &[u32]) -> Option<[u8; 32]> {
        if self.is_stale { None } else { self.state.cut_digest(&self.facts, parents) }
    }
}
