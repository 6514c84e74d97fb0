//! Judging one entry: what it may do follows from its past, and all that it changes is drawn up before anything is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use icn_types::Did;
use serde::{Deserialize, Serialize};

use super::Item;
use super::derived::Charge;
use super::facts::{Facts, ForkRule, Stray};
use super::judge_treasuries::Leave;
use super::lens::Lens;
use super::reason::{Reason, Verdict};
use super::standings::{StandingRec, short_key};
use super::state::{
    CERTIFIED, ClaimRec, Event, Kind, NONE, Order, Purse, Rule, SHOWN, SealRec, Standing, State, hash_of,
    number,
};
use super::treasuries::{Draw, Errand};
use super::view::View;
use super::words::Word;
use crate::act::{Act, OrderRef};
use crate::certificate::Certificate;

/// How an entry is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As it arrives: what would change earlier verdicts makes the books stale.
    Live,
    /// Before anything is decided: what a forked author says from the fork on does not count.
    Survey,
    /// With facts.
    Replay,
}

/// What an entry changes in a purse.
#[derive(Debug, Clone, Default)]
pub(super) struct PurseChange {
    pub(super) credits: i128,
    pub(super) debits: i128,
    pub(super) lost: i128,
    pub(super) booked: i128,
    pub(super) pending: BTreeMap<u32, Option<u8>>,
    pub(super) open: BTreeMap<u32, bool>,
}

/// What the books of a seal's past alone say of it: it never changes once known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealMemo {
    pub(super) is_right: bool,
    pub(super) charges: Vec<Charge>,
}

/// What an entry changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) author: u32,
    pub(super) is_void: bool,
    /// The place in the author's chain is not the next one that counts.
    pub(super) is_aside: bool,
    pub(super) is_stopped: bool,
    pub(super) is_fork: bool,
    pub(super) known_view: Option<u32>,
    pub(super) dids: Vec<Did>,
    pub(super) codes: Vec<String>,
    pub(super) events: Vec<Event>,
    pub(super) new_orders: Vec<Order>,
    pub(super) orders: BTreeMap<u32, Order>,
    pub(super) purses: BTreeMap<(u32, u32), PurseChange>,
    pub(super) claims: Vec<ClaimRec>,
    pub(super) certified: Vec<u32>,
    pub(super) sets_used: Vec<u64>,
    pub(super) seal: Option<SealRec>,
    pub(super) seal_memo: Option<SealMemo>,
    pub(super) wants_seal: bool,
    pub(super) repairs: Vec<(u64, Vec<[u8; 32]>)>,
    pub(super) relied: Vec<u32>,
    pub(super) void_declines: Vec<u32>,
    pub(super) key: Option<[u8; 16]>,
    pub(super) moved: Vec<u32>,
    pub(super) words: Vec<Word>,
    pub(super) evidence: Vec<(u32, u32)>,
    pub(super) standings: Vec<(u32, StandingRec)>,
    pub(super) ended: Vec<(u32, u32)>,
    /// What lets the author do what needs approvals; none until it is found out.
    pub(super) leave: Option<Result<Leave, Reason>>,
    pub(super) draws: Vec<Draw>,
    /// What the entry carries out for a treasury, whether it counts or not.
    pub(super) errand: Option<Errand>,
    pub(super) verdicts: Vec<Verdict>,
}

pub(super) struct Judge<'a> {
    pub(super) state: &'a State,
    pub(super) facts: &'a Facts,
    pub(super) memo: &'a BTreeMap<[u8; 32], SealMemo>,
    pub(super) mode: Mode,
    pub(super) item: &'a Item,
    pub(super) id: [u8; 32],
    pub(super) view: Arc<View>,
    pub(super) draft: Draft,
    pub(super) root: Did,
}

impl<'a> Judge<'a> {
    pub(super) fn run(
        state: &'a State,
        facts: &'a Facts,
        memo: &'a BTreeMap<[u8; 32], SealMemo>,
        mode: Mode,
        root: Did,
        item: &'a Item,
    ) -> (Draft, Arc<View>) {
        let views = parents(item).filter_map(|idx| state.entry(idx).map(|entry| entry.view));
        let (view, known_view) = match state.views.union(views) {
            Ok(known) => (state.views.get(known), Some(known)),
            Err(view) => (Arc::new(view), None),
        };
        let draft = Draft { known_view, ..Draft::default() };
        let id = hash_of(&item.id);
        let mut judge = Self { state, facts, memo, mode, item, id, view, draft, root };
        judge.all();
        (judge.draft, judge.view)
    }

    pub(super) fn lens(&self) -> Lens<'_> {
        Lens {
            state: self.state,
            facts: self.facts,
            view: &self.view,
            own: &self.draft.events,
            own_id: self.id,
        }
    }

    fn all(&mut self) {
        self.draft.author = self.account(self.item.author);
        self.place();
        self.hear_certificates();
        let is_idle = self.draft.is_void || self.draft.is_aside;
        if !is_idle {
            self.take_account_of_the_past();
        }
        self.draft.errand = self.errand();
        let refused = if is_idle { None } else { self.check_key() };
        if !is_idle && refused.is_none() {
            self.take_leave();
        }
        for (index, act) in self.item.post.acts.iter().enumerate() {
            let index = number(index);
            let result = if self.draft.is_void {
                Err(Reason::Void)
            } else if let Some(reason) = refused {
                Err(reason)
            } else {
                self.act(index, act)
            };
            if result.is_err() {
                self.note_without_effect(index, act, result);
            }
            self.draft.verdicts.push(Verdict::from(result));
        }
    }

    /// Finds out where the entry stands in its author's chain.
    fn place(&mut self) {
        let chain = self.state.account(self.draft.author).map_or(0, |account| account.chain.len());
        let is_next = usize::try_from(self.item.seq).is_ok_and(|seq| seq == chain + 1);
        let after_void = self.item.prev.is_some_and(|prev| self.state.is_void(prev));
        match self.mode {
            Mode::Live if after_void => self.draft.is_void = true,
            Mode::Live => {
                self.draft.is_fork = !is_next;
                self.draft.is_aside = !is_next;
            }
            Mode::Survey => {
                let from = self.facts.doubtful.get(&self.item.author);
                self.draft.is_void = from.is_some_and(|from| self.item.seq >= *from);
            }
            Mode::Replay => {
                self.draft.is_void = after_void || self.facts.losers.contains(&self.item.idx) || !is_next;
            }
        }
        if self.facts.branches.contains(&self.item.idx) {
            self.event(0, Rule::Branch);
        }
    }

    pub(super) fn account(&mut self, did: Did) -> u32 {
        if let Some(account) = self.state.by_did.get(&did) {
            return *account;
        }
        let known = self.state.accounts.len();
        let place = self.draft.dids.iter().position(|one| *one == did).unwrap_or_else(|| {
            self.draft.dids.push(did);
            self.draft.dids.len() - 1
        });
        number(known + place)
    }

    pub(super) fn new_currency(&mut self, code: &str) -> u32 {
        if let Some(currency) = self.state.by_code.get(code) {
            return *currency;
        }
        let known = self.state.currencies.len();
        let place = self.draft.codes.iter().position(|one| one == code).unwrap_or_else(|| {
            self.draft.codes.push(code.to_owned());
            self.draft.codes.len() - 1
        });
        number(known + place)
    }

    pub(super) fn find_currency(&self, code: &str) -> Option<u32> {
        let known = self.state.by_code.get(code).copied();
        known.or_else(|| {
            let place = self.draft.codes.iter().position(|one| one == code)?;
            Some(number(self.state.currencies.len() + place))
        })
    }

    pub(super) fn event(&mut self, index: u32, rule: Rule) {
        let height = self.view.height.saturating_add(1);
        self.draft.events.push(Event { entry: NONE, index, height, rule });
    }

    pub(super) fn referred(&self, entry: &icn_types::Cid) -> Option<u32> {
        self.item.refs.iter().find(|(id, _)| id == entry).map(|(_, idx)| *idx)
    }

    /// Finds the order that an act names, as it is after the acts before.
    pub(super) fn order(&self, order: &OrderRef) -> Option<(u32, Order)> {
        let number = self.state.find_order(self.referred(&order.entry)?, order.index)?;
        Some((number, self.order_at(number)?))
    }

    pub(super) fn order_at(&self, number: u32) -> Option<Order> {
        let new = (number as usize).checked_sub(self.state.orders.len());
        match new {
            Some(new) => self.draft.new_orders.get(new).copied(),
            None => self.draft.orders.get(&number).or_else(|| self.state.order(number)).copied(),
        }
    }

    pub(super) fn put_order(&mut self, number: u32, order: Order) {
        self.draft.orders.insert(number, order);
    }

    pub(super) fn push_order(&mut self, order: Order) -> u32 {
        self.draft.new_orders.push(order);
        number(self.state.orders.len() + self.draft.new_orders.len() - 1)
    }

    pub(super) fn change(&mut self, account: u32, currency: u32) -> &mut PurseChange {
        self.draft.purses.entry((account, currency)).or_default()
    }

    /// Returns spendable credits less debits, and lost credits, of the author.
    pub(super) fn sums(&self, currency: u32) -> (i128, i128) {
        let author = self.draft.author;
        let purse = self.state.purse(author, currency);
        let (balance, lost) = purse.map_or((0, 0), |purse| (purse.credits - purse.debits, purse.lost));
        let change = self.draft.purses.get(&(author, currency));
        let lens = self.lens();
        let balance = balance + lens.derived(author, currency);
        let lost = lost + lens.derived_lost(author, currency);
        change
            .map_or((balance, lost), |change| (balance + change.credits - change.debits, lost + change.lost))
    }

    fn hear_certificates(&mut self) {
        for certificate in &self.item.post.certificates {
            let Some(entry) = self.certified_entry(certificate) else { continue };
            if self.state.entry(entry).is_some_and(|known| known.flags & CERTIFIED == 0) {
                self.draft.certified.push(entry);
            }
            let named = self.state.witnesses.iter().any(|event| {
                self.state.events.get(*event as usize).is_some_and(|event| event.entry == entry)
            });
            if named {
                let voters = certificate.votes.iter().map(|(voter, _)| *voter).collect();
                self.event(0, Rule::SetCertified { of: entry, set: certificate.set, voters });
            } else {
                self.draft.sets_used.push(certificate.set);
            }
            if self.state.seals.contains_key(&entry) {
                self.event(0, Rule::Sealed(entry));
            }
        }
    }

    /// Checks a certificate against the witness set that it names, as this entry's past knows it.
    pub(super) fn certified_entry(&self, certificate: &Certificate) -> Option<u32> {
        let idx = self.referred(&certificate.entry)?;
        let entry = self.state.entry(idx)?;
        let is_named = self.state.did(entry.author) == certificate.author
            && u64::from(entry.seq) == certificate.seq
            && self.state.did(entry.author) != Did::from_public_key([0; 32]);
        let lens = self.lens();
        let set = lens.sets().into_iter().find(|(_, number, _)| *number == certificate.set)?;
        (is_named && certificate.reaches(set.2)).then_some(idx)
    }

    /// Releases what seals and certificates in the entry's past and post make free.
    fn take_account_of_the_past(&mut self) {
        let author = self.draft.author;
        let Some(account) = self.state.account(author) else { return };
        let has_news = self.view.seals > account.seals || self.seen_strays().next().is_some();
        if !has_news && self.item.post.certificates.is_empty() {
            return;
        }
        let has_witnesses = self.lens().has_witnesses();
        for purse in &account.purses {
            for (number, level) in &purse.pending {
                let Some(mut order) = self.order_at(*number) else { continue };
                if self.show(&mut order) {
                    self.put_order(*number, order);
                }
                if self.is_final(&order, *level, has_witnesses) {
                    self.become_final(purse, *number);
                }
            }
            if has_news {
                for number in &purse.open {
                    self.lapse(purse.currency, *number);
                }
            }
        }
    }

    fn become_final(&mut self, purse: &Purse, number: u32) {
        let Some(mut order) = self.order_at(number) else { return };
        order.flags |= super::state::FINAL;
        let amount = i128::from(order.amount);
        let author = self.draft.author;
        self.put_order(number, order);
        let change = self.change(author, purse.currency);
        change.credits += amount;
        change.pending.insert(number, None);
    }

    /// Gives back what a seal in the entry's past has ended.
    fn lapse(&mut self, currency: u32, number: u32) {
        let Some(mut order) = self.order_at(number) else { return };
        if self.is_lapsed(&order) {
            order.flags |= super::state::RELEASED | super::state::LAPSED;
            let amount = i128::from(order.amount);
            let author = self.draft.author;
            self.put_order(number, order);
            let change = self.change(author, currency);
            change.debits -= amount;
            change.open.insert(number, false);
        }
    }

    /// Tells whether a seal in the entry's past ends an order that was not decided within that seal's own past.
    fn is_lapsed(&self, order: &Order) -> bool {
        let is_captured = order.kind == Kind::Hold && order.link != NONE;
        !is_captured && self.is_ended_by_the_past(order, &[order.accepted, order.declined])
    }

    /// Tells whether a seal has ended an order outside of whose past this entry lies, and whether its author could know.
    pub(super) fn ended(&self, order: &Order) -> Option<bool> {
        let here = [self.item.idx];
        let is_ended = self.facts.ends(order.expires, &here, |idx| self.mark_of(idx), NONE, |_| true);
        is_ended.then(|| self.is_ended_by_the_past(order, &here))
    }

    fn is_ended_by_the_past(&self, order: &Order, decisions: &[u32]) -> bool {
        let is_seen = |stray: &Stray| self.lens().is_in_force(stray.entry);
        self.facts.ends(order.expires, decisions, |idx| self.mark_of(idx), self.view.seals, is_seen)
    }

    /// Lists the seals beside the line that the entry's past has in force.
    fn seen_strays(&self) -> impl Iterator<Item = &'a Stray> {
        self.facts.strays.iter().filter(|stray| self.lens().is_in_force(stray.entry))
    }

    /// Returns the place of the first seal that covers an entry.
    pub(super) fn mark_of(&self, idx: u32) -> u32 {
        if idx == self.item.idx {
            return self.facts.marks.get(idx as usize).copied().unwrap_or(NONE);
        }
        self.state.sealed(idx)
    }

    /// Notes that the author has shown a certificate for an order; true when it is the first time.
    pub(super) fn show(&self, order: &mut Order) -> bool {
        let is_new = order.flags & SHOWN == 0
            && self.item.post.certificates.iter().any(|certificate| self.covers(certificate, order));
        if is_new {
            order.flags |= SHOWN;
        }
        is_new
    }

    /// Tells whether a credit has reached a level, as the author's chain shows.
    pub(super) fn is_final(&self, order: &Order, level: u8, has_witnesses: bool) -> bool {
        let is_sealed = self.state.sealed(order.entry) < self.view.seals
            || self.seen_strays().any(|stray| stray.covers(order.entry));
        order.is_final(level, is_sealed, has_witnesses)
    }

    /// Tells whether a certificate is for the payer's entry, or one that follows on it.
    fn covers(&self, certificate: &Certificate, order: &Order) -> bool {
        let Some(idx) = self.referred(&certificate.entry) else { return false };
        let (Some(certified), Some(paid)) = (self.state.entry(idx), self.state.entry(order.entry)) else {
            return false;
        };
        certified.author == paid.author
            && certified.seq >= paid.seq
            && !self.state.is_void(idx)
            && self.certified_entry(certificate).is_some()
    }

    fn check_key(&mut self) -> Option<Reason> {
        let key = self.item.post.key.as_ref()?;
        let short = short_key(key);
        if self.state.account(self.draft.author).is_some_and(|account| account.keys.contains(&short)) {
            return Some(Reason::Repeated);
        }
        self.draft.key = Some(short);
        None
    }

    fn act(&mut self, index: u32, act: &'a Act) -> Result<(), Reason> {
        let lets_in = matches!(act, Act::Found { .. } | Act::Join { .. });
        if !lets_in && !self.lens().is_member(self.draft.author) {
            return Err(Reason::NotAMember(self.item.author));
        }
        if act.is_rule() {
            self.rule(index, act)
        } else if act.is_word() {
            self.word(index, act)
        } else {
            self.money(index, act)
        }
    }

    /// Refuses what a fork of the author stops, unless it stands by a certificate, a seal, or a steward's word.
    pub(super) fn check_fork(&mut self) -> Result<(), Reason> {
        if self.mode == Mode::Survey || self.facts.places.is_empty() {
            return Ok(());
        }
        let author = self.draft.author;
        let seq = u32::try_from(self.item.seq).unwrap_or(NONE);
        for (at, place) in self.facts.places_of(author) {
            if place.stands >= seq || place.rule == ForkRule::Repaired {
                continue;
            }
            if !self.state.is_lifted(author, &place.branches, &self.view) {
                self.draft.is_stopped = true;
                return Err(Reason::Forked(u64::from(at)));
            }
        }
        Ok(())
    }

    pub(super) fn root(&mut self) -> u32 {
        self.account(self.root)
    }

    pub(super) fn standing_of(result: Result<(), Reason>) -> Standing {
        match result {
            Ok(()) => Standing::Good,
            Err(Reason::Void) => Standing::Void,
            Err(Reason::Forked(_)) => Standing::Stopped,
            Err(Reason::Uncovered) => Standing::Uncovered,
            Err(_) => Standing::Bad,
        }
    }
}

/// Lists what stands directly before an entry.
pub(super) fn parents(item: &Item) -> impl Iterator<Item = u32> {
    item.prev.into_iter().chain(item.deps.iter().copied()).chain(item.refs.iter().map(|(_, idx)| *idx))
}
