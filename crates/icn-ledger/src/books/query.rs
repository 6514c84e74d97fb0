//! Asking the books.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Cid, Did, Timestamp};

use super::Books;
use super::facts::ForkRule;
use super::lens::Lens;
use super::reason::{Verdict, derived_id};
use super::state::{
    CERTIFIED, CLAIMED, FINAL, Kind, LAPSED, NONE, Order, PAID, RELEASED, Rule, SHOWN, Standing, State, VOID,
    cid_of, hash_of, number,
};
use super::views::{
    ClaimCause, ClaimRecord, CurrencyView, ForkView, Member, OrderKind, OrderStatus, OrderView, Quarantined,
    SealView, TreasuryView, WitnessSetView,
};
use crate::act::OrderRef;
use crate::policy::SpacePolicy;

/// The most acts without effect that are listed; all of them are counted.
const QUARANTINE_MAX: usize = 10_000;

impl State {
    pub(super) fn order_ref(&self, order: &Order) -> OrderRef {
        OrderRef { entry: cid_of(&self.id(order.entry)), index: u32::from(order.index) }
    }
}

impl Books {
    pub(super) fn lens<'a>(&'a self, view: &'a super::view::View) -> Lens<'a> {
        Lens { state: &self.state, facts: &self.facts, view, own: &[], own_id: [0; 32] }
    }

    pub(super) fn account_of(&self, did: &Did) -> Option<u32> {
        self.state.by_did.get(did).copied()
    }

    /// Returns what people call the space, once it is founded.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.state
            .events
            .iter()
            .find_map(|event| if let Rule::Found { name } = &event.rule { Some(name.clone()) } else { None })
    }

    /// Lists the members, by DID.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let view = self.everything();
        let lens = self.lens(&view);
        let mut members: Vec<Member> = (0..number(self.state.accounts.len()))
            .filter(|account| lens.is_member(*account))
            .map(|account| Member {
                did: self.state.did(account),
                nickname: lens.nickname(account),
                is_steward: lens.is_steward(account),
                is_frozen: lens.is_frozen(account),
            })
            .collect();
        members.sort_by_key(|member| member.did);
        members
    }

    /// Tells whether a DID is a member.
    #[must_use]
    pub fn is_member(&self, did: &Did) -> bool {
        let view = self.everything();
        self.account_of(did).is_some_and(|account| self.lens(&view).is_member(account))
    }

    /// Lists the stewards, by DID.
    #[must_use]
    pub fn stewards(&self) -> Vec<Did> {
        self.members().into_iter().filter(|member| member.is_steward).map(|member| member.did).collect()
    }

    /// Tells whether a DID is a steward.
    #[must_use]
    pub fn is_steward(&self, did: &Did) -> bool {
        let view = self.everything();
        self.account_of(did).is_some_and(|account| self.lens(&view).is_steward(account))
    }

    /// Returns the rules of the space.
    #[must_use]
    pub fn policy(&self) -> SpacePolicy {
        self.lens(&self.everything()).policy()
    }

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

    /// Lists the entries whose payments and holds are not decided yet.
    #[must_use]
    pub fn open_entries(&self) -> BTreeSet<Cid> {
        let purses = self.state.accounts.iter().flat_map(|account| &account.purses);
        let orders = purses.flat_map(|purse| &purse.open).filter_map(|order| self.state.order(*order));
        orders.map(|order| cid_of(&self.state.id(order.entry))).collect()
    }

    /// Tells whether a certificate of this set is known, other than for the naming of a set.
    #[must_use]
    pub fn set_has_certified(&self, set: u64) -> bool {
        self.state.sets_used.contains(&set)
    }

    /// Returns the highest number that a line of the account has; 0 where none was granted.
    #[must_use]
    pub fn line_number(&self, account: &Did, currency: &str) -> u64 {
        let (Some(account), Some(currency)) =
            (self.state.by_did.get(account), self.state.by_code.get(currency))
        else {
            return 0;
        };
        let view = self.everything();
        let lens = self.lens(&view);
        lens.line_number(*account, *currency)
    }

    /// Lists the treasuries.
    #[must_use]
    pub fn treasuries(&self) -> Vec<TreasuryView> {
        let view = self.everything();
        let lens = self.lens(&view);
        let all = 0..number(self.state.accounts.len());
        let mut list: Vec<TreasuryView> = all
            .filter_map(|account| {
                let (approvers, threshold) = lens.treasury(account)?;
                Some(TreasuryView {
                    account: self.state.did(account),
                    approvers: approvers.to_vec(),
                    threshold,
                })
            })
            .collect();
        list.sort_by_key(|treasury| treasury.account);
        list
    }

    /// Lists the currencies, by code.
    #[must_use]
    pub fn currencies(&self) -> Vec<CurrencyView> {
        self.state.by_code.keys().filter_map(|code| self.currency(code)).collect()
    }

    /// Returns a currency.
    #[must_use]
    pub fn currency(&self, code: &str) -> Option<CurrencyView> {
        let view = self.everything();
        let (decimals, policy, entry) = self.lens(&view).currency(*self.state.by_code.get(code)?)?;
        let issuer = self.state.entry(entry).map_or(self.space, |entry| self.state.did(entry.author));
        Some(CurrencyView { code: code.to_owned(), decimals, issuer, policy: policy.clone() })
    }

    /// Returns an entry's id by its place in the order of application.
    #[must_use]
    pub fn id(&self, idx: u32) -> Option<Cid> {
        self.state.entry(idx).map(|entry| cid_of(&entry.id))
    }

    /// Tells whether a certificate for an entry is known.
    #[must_use]
    pub fn is_certified(&self, idx: u32) -> bool {
        self.state.entry(idx).is_some_and(|entry| entry.flags & CERTIFIED != 0)
    }

    /// Tells whether the line of seals covers an entry.
    #[must_use]
    pub fn is_sealed(&self, idx: u32) -> bool {
        self.state.sealed(idx) != NONE
    }

    /// Returns the verdict on each act of an entry.
    #[must_use]
    pub fn verdicts(&self, idx: u32) -> Vec<Verdict> {
        let acts = self.state.entry(idx).map_or(0, |entry| u32::from(entry.acts));
        (0..acts)
            .map(|act| {
                self.state.invalid.get(&(idx, act)).map_or(Verdict::Valid, |why| Verdict::Invalid(*why))
            })
            .collect()
    }

    /// Tells whether every act of an applied entry counts.
    #[must_use]
    pub fn is_valid(&self, idx: u32) -> bool {
        self.state.entry(idx).is_some_and(|entry| entry.flags & VOID == 0)
            && self.state.invalid.range((idx, 0)..=(idx, NONE)).next().is_none()
    }

    pub(super) fn status(&self, order: &Order) -> OrderStatus {
        match order.standing {
            Standing::Bad => return OrderStatus::Invalid,
            Standing::Void | Standing::Stopped | Standing::Uncovered => return OrderStatus::Void,
            Standing::Lapsed => return OrderStatus::Expired,
            Standing::Good => {}
        }
        let paid = if order.kind == Kind::Hold { self.state.order(order.link) } else { Some(order) };
        if let Some(paid) = paid.filter(|paid| paid.accepted != NONE) {
            let entry = self.state.entry(paid.entry);
            return match entry {
                Some(entry) if entry.sealed != NONE => OrderStatus::Sealed,
                Some(entry) if entry.flags & CERTIFIED != 0 => OrderStatus::Certified,
                Some(_) | None => OrderStatus::Accepted,
            };
        }
        if order.returned != NONE {
            return OrderStatus::Returned;
        }
        let is_lapsed = self.is_lapsed(order);
        if order.flags & CLAIMED != 0 {
            return OrderStatus::Claimed;
        }
        if is_lapsed || order.flags & LAPSED != 0 {
            return OrderStatus::Expired;
        }
        if order.declined != NONE {
            return OrderStatus::Declined;
        }
        match (order.kind, paid) {
            (Kind::Pay, _) => OrderStatus::Sent,
            (Kind::Hold, Some(capture)) if capture.amount == 0 => OrderStatus::Released,
            (Kind::Hold, Some(_)) | (Kind::Capture, _) => OrderStatus::Captured,
            (Kind::Hold, None) => OrderStatus::Placed,
            (Kind::Request, _) if order.flags & PAID != 0 => OrderStatus::Paid,
            (Kind::Request, _) => OrderStatus::Open,
        }
    }

    /// Tells whether a seal has ended an order, whether its payer has seen it or not.
    pub(super) fn is_lapsed(&self, order: &Order) -> bool {
        let is_undecided = matches!(order.kind, Kind::Pay | Kind::Hold) && order.accepted == NONE;
        let is_captured = order.kind == Kind::Hold && order.link != NONE;
        let mark = |idx| self.state.sealed(idx);
        let is_ended = || self.facts.ends(order.expires, &[order.declined], mark, NONE, |_| true);
        is_undecided && !is_captured && is_ended()
    }

    pub(super) fn show(&self, order: &Order) -> OrderView {
        let state = &self.state;
        let known = |idx: u32| (idx != NONE).then(|| cid_of(&state.id(idx)));
        let link = state.order(order.link);
        OrderView {
            id: state.order_ref(order),
            kind: match order.kind {
                Kind::Pay => OrderKind::Pay,
                Kind::Hold => OrderKind::Hold,
                Kind::Capture => OrderKind::Capture,
                Kind::Request => OrderKind::Request,
            },
            from: state.did(order.from),
            to: state.did(order.to),
            amount: order.amount,
            currency: state.code(order.currency).to_owned(),
            expires: (order.expires != u64::MAX).then(|| Timestamp::from_millis(order.expires)),
            at: Timestamp::from_millis(state.entry(order.entry).map_or(0, |entry| entry.at)),
            status: self.status(order),
            is_final: order.flags & FINAL != 0,
            accepted: known(order.accepted),
            declined: known(order.declined),
            link: link.map(|link| state.order_ref(link)),
            captured: link.filter(|_| order.kind == Kind::Hold).map(|capture| capture.amount),
        }
    }

    /// Returns an order by the place of its entry in the order of application, and its act.
    #[must_use]
    pub fn order_at(&self, idx: u32, act: u32) -> Option<OrderView> {
        self.state.order(self.state.find_order(idx, act)?).map(|order| self.show(order))
    }

    /// Returns an order by its name. Slow: prefer [`Books::order_at`] where the place of the entry is known.
    #[must_use]
    pub fn order(&self, order: &OrderRef) -> Option<OrderView> {
        let hash = hash_of(&order.entry);
        let idx = self.state.entries.iter().position(|entry| entry.id == hash)?;
        self.order_at(number(idx), order.index)
    }

    /// Lists orders and requests of an account, newest first.
    #[must_use]
    pub fn history(&self, account: &Did, offset: usize, limit: usize) -> Vec<OrderView> {
        let account = self.account_of(account).and_then(|account| self.state.account(account));
        let orders = account.map_or(&[][..], |account| &account.orders);
        let page = orders.iter().rev().skip(offset).take(limit);
        page.filter_map(|order| self.state.order(*order)).map(|order| self.show(order)).collect()
    }

    /// Counts orders and requests of an account.
    #[must_use]
    pub fn history_len(&self, account: &Did) -> usize {
        let account = self.account_of(account).and_then(|account| self.state.account(account));
        account.map_or(0, |account| account.orders.len())
    }

    fn with_captures(&self, account: &Did) -> Vec<&Order> {
        let account = self.account_of(account).and_then(|account| self.state.account(account));
        let orders = account.map_or(&[][..], |account| &account.orders);
        let own = orders.iter().filter_map(|order| self.state.order(*order));
        own.flat_map(|order| {
            let capture = (order.kind == Kind::Hold).then(|| self.state.order(order.link)).flatten();
            [Some(order), capture].into_iter().flatten()
        })
        .collect()
    }

    /// Lists what a payee may accept now: payments and captures.
    #[must_use]
    pub fn open_to(&self, account: &Did) -> Vec<OrderView> {
        let Some(payee) = self.account_of(account) else { return Vec::new() };
        let is_open = |order: &&Order| {
            let hold = (order.kind == Kind::Capture).then(|| self.state.order(order.link)).flatten();
            order.to == payee
                && matches!(order.kind, Kind::Pay | Kind::Capture)
                && matches!(self.status(order), OrderStatus::Sent | OrderStatus::Captured)
                && order.amount > 0
                && hold.is_none_or(|hold| hold.declined == NONE)
        };
        self.with_captures(account).into_iter().filter(is_open).map(|order| self.show(order)).collect()
    }

    /// Lists what a payer may take back: what its payee declined.
    #[must_use]
    pub fn declined_of(&self, account: &Did) -> Vec<OrderView> {
        let Some(payer) = self.account_of(account) else { return Vec::new() };
        let may_return = |order: &&Order| {
            order.from == payer
                && matches!(order.kind, Kind::Pay | Kind::Hold)
                && order.standing == Standing::Good
                && order.declined != NONE
                && order.flags & RELEASED == 0
        };
        self.with_captures(account).into_iter().filter(may_return).map(|order| self.show(order)).collect()
    }

    /// Lists the requests that wait for an account, newest first.
    #[must_use]
    pub fn requests(&self, of: &Did) -> Vec<OrderView> {
        let Some(asked) = self.account_of(of) else { return Vec::new() };
        let list = self.with_captures(of).into_iter().rev();
        list.filter(|order| order.kind == Kind::Request && order.to == asked)
            .filter(|order| self.status(order) == OrderStatus::Open)
            .map(|order| self.show(order))
            .collect()
    }

    /// Lists the claims, by id.
    #[must_use]
    pub fn claims(&self) -> Vec<ClaimRecord> {
        let show = |claim: &super::state::ClaimRec| {
            let order = self.state.order(claim.order)?;
            let by = OrderRef { entry: cid_of(&self.state.id(claim.entry)), index: claim.index };
            let named = self.state.order_ref(order);
            let capture = self.state.order(order.link).filter(|_| claim.is_hold);
            Some(ClaimRecord {
                id: derived_id("claim", &[named, by]),
                creditor: self.state.did(order.to),
                debtor: self.state.did(order.from),
                currency: self.state.code(order.currency).to_owned(),
                amount: claim.amount,
                order: named,
                by,
                cause: if claim.is_hold { ClaimCause::Hold } else { ClaimCause::Void },
                is_settled: if claim.is_hold {
                    capture.is_some_and(|capture| capture.accepted != NONE)
                } else {
                    order.flags & CLAIMED == 0
                },
            })
        };
        let mut claims: Vec<ClaimRecord> = self.state.claims.iter().filter_map(show).collect();
        claims.sort_by_key(|claim| claim.id);
        claims
    }

    /// Lists the forks, by author and place; those on losing branches are not told again.
    #[must_use]
    pub fn forks(&self) -> Vec<ForkView> {
        let view = self.everything();
        let mut forks: Vec<ForkView> = self
            .facts
            .places
            .iter()
            .map(|((author, seq), place)| ForkView {
                author: self.state.did(*author),
                seq: u64::from(*seq),
                branches: place.branches.iter().map(|idx| cid_of(&self.state.id(*idx))).collect(),
                winner: cid_of(&self.state.id(place.winner)),
                rule: place.rule,
                is_lifted: self.state.is_lifted(*author, &place.branches, &view),
            })
            .collect();
        forks.sort_by_key(|fork| (fork.author, fork.seq));
        forks
    }

    /// Tells whether a fork of this author stops it from spending: not repaired, and not lifted by a steward.
    #[must_use]
    pub fn is_forked(&self, author: &Did) -> bool {
        let view = self.everything();
        self.account_of(author).is_some_and(|account| {
            self.facts.places_of(account).any(|(_, place)| {
                place.rule != ForkRule::Repaired && !self.state.is_lifted(account, &place.branches, &view)
            })
        })
    }

    /// Tells whether no other entry is known at a place of a chain, or in place of what leads to it.
    #[must_use]
    pub fn is_alone(&self, author: &Did, seq: u64) -> bool {
        self.account_of(author)
            .is_none_or(|account| self.facts.places_of(account).all(|(at, _)| u64::from(at) > seq))
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

    /// Lists acts without effect that another entry may cure; at most the first 10,000 can be paged through.
    #[must_use]
    pub fn quarantine(&self, offset: usize, limit: usize) -> Vec<Quarantined> {
        let curable =
            self.state.invalid.iter().filter(|(_, reason)| reason.is_curable()).take(QUARANTINE_MAX);
        let page = curable.skip(offset).take(limit);
        page.map(|((entry, index), reason)| Quarantined {
            act: OrderRef { entry: cid_of(&self.state.id(*entry)), index: *index },
            author: self.state.entry(*entry).map_or(self.space, |entry| self.state.did(entry.author)),
            reason: *reason,
        })
        .collect()
    }

    /// Counts acts without effect by the word for their reason.
    #[must_use]
    pub fn invalid_counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for reason in self.state.invalid.values() {
            *counts.entry(reason.code()).or_default() += 1;
        }
        counts
    }
}
