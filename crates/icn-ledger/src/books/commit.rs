//! Carrying out what a judgement drew up, and the cuts of seals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use icn_types::Did;
use sha2::{Digest, Sha256};

use super::Item;
use super::facts::Facts;
use super::judge::{Draft, Mode};
use super::state::{CERTIFIED, DisputeStep, EntryRec, Event, Kind, NONE, Rule, STOPPED, State, VOID, number};
use super::view::View;

/// How many entries of each author count.
pub(super) type Lengths = BTreeMap<u32, u32>;
/// What is booked, by account and currency.
pub(super) type Totals = BTreeMap<(u32, u32), i128>;

impl State {
    /// Carries out a draft. The item must be the next one.
    pub(super) fn commit(&mut self, item: &Item, draft: Draft, past: &Arc<View>, facts: &Facts, mode: Mode) {
        let idx = number(self.entries.len());
        for did in &draft.dids {
            self.intern_account(*did);
        }
        for code in &draft.codes {
            self.intern_currency(code);
        }
        let view = self.commit_view(idx, &draft, past, facts);
        let mut flags = if draft.is_void { VOID } else { 0 };
        flags |= if draft.is_stopped { STOPPED } else { 0 };
        let sealed = facts.marks.get(idx as usize).copied().unwrap_or(NONE);
        let first_order = if draft.new_orders.is_empty() { NONE } else { number(self.orders.len()) };
        self.entries.push(EntryRec {
            id: super::state::hash_of(&item.id),
            author: draft.author,
            seq: u32::try_from(item.seq).unwrap_or(NONE),
            prev: item.prev.unwrap_or(NONE),
            view,
            first_order,
            acts: u16::try_from(item.post.acts.len()).unwrap_or(u16::MAX),
            flags,
            sealed,
            at: item.at.as_millis(),
            parents: super::judge::parents(item).collect::<BTreeSet<u32>>().into_iter().collect(),
        });
        if sealed == NONE {
            self.unsealed.insert(idx);
        }
        for entry in &draft.certified {
            if let Some(entry) = self.entries.get_mut(*entry as usize) {
                entry.flags |= CERTIFIED;
            }
        }
        if let Some(errand) = draft.errand {
            self.treasuries.carry(idx, errand);
        }
        self.commit_orders(&draft, sealed == NONE && mode != Mode::Survey, idx);
        let counts = !draft.is_void && !draft.is_aside;
        if let Some(account) = self.accounts.get_mut(draft.author as usize).filter(|_| counts) {
            account.chain.push(idx);
            account.seals = account.seals.max(past.seals);
            account.keys.extend(draft.key);
            self.words.take(draft.author, draft.words);
            self.treasuries.spend(&draft.draws);
        }
        for (index, verdict) in draft.verdicts.iter().enumerate() {
            if let Some(reason) = verdict.err() {
                self.invalid.insert((idx, number(index)), reason);
            }
        }
        if let Some(seal) = draft.seal {
            self.index_charges(idx, &seal.charges);
            self.seals.insert(idx, seal);
        }
        self.repairs.extend(draft.repairs.into_iter().map(|(at, lost)| (idx, at, lost)));
        self.relied.extend(draft.relied);
        self.void_declines.extend(draft.void_declines.into_iter().map(|order| (idx, order)));
        self.sets_used.extend(draft.sets_used);
        for (order, index) in draft.evidence {
            self.evidence.entry((order, draft.author)).or_default().push((idx, index));
        }
        self.standings.extend(draft.standings.into_iter().map(|(index, standing)| ((idx, index), standing)));
        for place in draft.ended {
            if let Some(standing) = self.standings.get_mut(&place) {
                standing.ended = idx;
            }
        }
    }

    fn commit_view(&mut self, idx: u32, draft: &Draft, past: &Arc<View>, facts: &Facts) -> u32 {
        if draft.events.is_empty() {
            if let Some(known) = draft.known_view {
                self.see(known);
                return known;
            }
            let view = self.views.intern((**past).clone());
            self.see(view);
            return view;
        }
        let mut view = (**past).clone();
        for event in &draft.events {
            let mut event = Event { entry: idx, ..event.clone() };
            if let Rule::Sealed(seal) = &mut event.rule {
                if *seal == NONE {
                    *seal = idx;
                }
                if let Some(place) = facts.line.iter().position(|one| one.entry == *seal) {
                    view.seals = view.seals.max(number(place) + 1);
                }
            }
            let event_number = number(self.events.len());
            self.index_event(event_number, &event);
            view.insert(event_number);
            view.height = view.height.max(event.height);
            self.events.push(event);
        }
        let view = self.views.intern(view);
        self.see(view);
        view
    }

    fn see(&mut self, view: u32) {
        if view == self.all {
            return;
        }
        let (a, b) = (self.all, view);
        self.all = match self.views.union([a, b]) {
            Ok(known) => known,
            Err(merged) => {
                let merged = self.views.intern(merged);
                self.views.remember(a, b, merged);
                merged
            }
        };
    }

    pub(super) fn index_event(&mut self, event_number: u32, event: &Event) {
        let accounts = &mut self.accounts;
        let mut with = |account: u32, list: fn(&mut super::state::Account) -> &mut Vec<u32>| {
            if let Some(account) = accounts.get_mut(account as usize) {
                list(account).push(event_number);
            }
        };
        match &event.rule {
            Rule::Found { .. } => {}
            Rule::Policy(_) => self.policies.push(event_number),
            Rule::Appoint(account) | Rule::Dismiss(account) => {
                with(*account, |account| &mut account.stewardship);
            }
            Rule::Admit(account, _) | Rule::Expel(account) | Rule::Join(account, ..) => {
                with(*account, |account| &mut account.membership);
            }
            Rule::Currency { currency, .. } => {
                self.currency_events.entry(*currency).or_default().push(event_number);
            }
            Rule::Line { account, currency, .. } => {
                self.lines.entry((*account, *currency)).or_default().push(event_number);
            }
            Rule::Freeze(account, _) | Rule::Unfreeze(account) => {
                with(*account, |account| &mut account.freezes)
            }
            Rule::Witnesses { .. } => self.witnesses.push(event_number),
            Rule::Treasury { account, .. } => with(*account, |account| &mut account.treasury),
            Rule::SetCertified { of, .. } => self.set_certified.entry(*of).or_default().push(event_number),
            Rule::Sealed(seal) => {
                self.seal_events.entry(*seal).or_default().push(event_number);
                if let Some(seal) = self.seals.get_mut(seal) {
                    seal.in_force = true;
                }
            }
            Rule::Branch => {
                self.branch_events.insert(event.entry, event_number);
            }
            Rule::Demurrage { currency, .. } => {
                self.demurrage.entry(*currency).or_default().push(event_number);
            }
            Rule::Dispute { order, step, .. } => {
                self.disputes.entry(*order).or_default().push(event_number);
                if *step == DisputeStep::File {
                    self.filings.insert((event.entry, event.index), *order);
                }
            }
            Rule::Treasuries(_) => {}
            Rule::WriteOff { moved, .. } => {
                self.write_offs.entry((moved.to, moved.currency)).or_default().push(event_number);
            }
        }
        self.index_moved(event_number, event);
        self.index_treasuries(event_number, event);
    }

    /// Lets an entry, and everybody behind it, know how long the line is.
    pub(super) fn advance_view(&mut self, idx: u32, view: u32, seals: u32) {
        let mut view = (*self.views.get(view)).clone();
        view.seals = view.seals.max(seals);
        let view = self.views.intern(view);
        if let Some(entry) = self.entries.get_mut(idx as usize) {
            entry.view = view;
        }
        self.see(view);
    }

    /// Tells whether a steward who had seen a fork lifted the freeze, as far as a past knows.
    pub(super) fn is_lifted(&self, author: u32, branches: &[u32], view: &View) -> bool {
        let Some(account) = self.account(author) else { return false };
        account.freezes.iter().filter(|event| view.contains(**event)).any(|event| {
            let Some(event) = self.events.get(*event as usize) else { return false };
            let Some(entry) = self.entry(event.entry) else { return false };
            let seen = self.views.get(entry.view);
            let knows = |idx: &&u32| self.branch_events.get(idx).is_some_and(|branch| seen.contains(*branch));
            event.rule == Rule::Unfreeze(author) && branches.iter().filter(knows).count() >= 2
        })
    }

    fn commit_orders(&mut self, draft: &Draft, tracks_moves: bool, idx: u32) {
        let first = number(self.orders.len());
        for (place, order) in draft.new_orders.iter().enumerate() {
            self.orders.push(*order);
            if order.kind != Kind::Capture {
                for party in [order.from, order.to] {
                    if let Some(account) = self.accounts.get_mut(party as usize) {
                        account.orders.push(first + number(place));
                    }
                }
            }
        }
        for (order, changed) in &draft.orders {
            self.with_order(*order, |order| *order = *changed);
        }
        for ((account, currency), change) in &draft.purses {
            self.with_purse(*account, *currency, |purse| {
                purse.credits += change.credits;
                purse.debits += change.debits;
                purse.lost += change.lost;
                purse.booked += change.booked;
                for (order, level) in &change.pending {
                    match level {
                        Some(level) => {
                            purse.pending.insert(*order, *level);
                        }
                        None => {
                            purse.pending.remove(order);
                        }
                    }
                }
                for (order, is_open) in &change.open {
                    if *is_open {
                        purse.open.insert(*order);
                    } else {
                        purse.open.remove(order);
                    }
                }
            });
        }
        for claim in &draft.claims {
            self.claims.push(claim.clone());
        }
        if tracks_moves && !draft.moved.is_empty() {
            self.moves.insert(idx, draft.moved.clone());
        }
    }

    /// Lists what lies in the past of these and outside the line so far.
    pub(super) fn cut(&self, parents: &[u32]) -> BTreeSet<u32> {
        let mut cut = BTreeSet::new();
        let mut stack = parents.to_vec();
        while let Some(idx) = stack.pop() {
            let Some(entry) = self.entry(idx) else { continue };
            if entry.sealed == NONE && cut.insert(idx) {
                stack.extend(entry.parents.iter());
            }
        }
        cut
    }

    /// Computes the digest of the books in a past that lies on the tip of the line; none when the entries outside of it
    /// bear on what it holds.
    pub(super) fn cut_digest(&self, facts: &Facts, parents: &[u32]) -> Option<[u8; 32]> {
        let (heads, totals) = self.cut_totals(facts, parents)?;
        Some(self.digest_of(&heads, &totals))
    }

    /// Computes lengths of chains and balances of such a past.
    pub(super) fn cut_totals(&self, facts: &Facts, parents: &[u32]) -> Option<(Lengths, Totals)> {
        let cut = self.cut(parents);
        if cut.len() != self.unsealed.len() {
            let outside = |idx: &&u32| !cut.contains(*idx);
            let bears = |idx: &u32| {
                self.sensitive.contains(idx)
                    || self.entry(*idx).is_some_and(|entry| facts.is_forked(entry.author))
            };
            let is_in_doubt = !facts.places.is_empty() && self.unsealed.iter().filter(outside).any(bears);
            // What a seal beside the line ended here may count in a past that does not have it.
            if is_in_doubt || !facts.strays.is_empty() {
                return None;
            }
        }
        let mut heads: BTreeMap<u32, u32> = self.base_len.clone();
        let mut totals = self.base.clone();
        for idx in &cut {
            let Some(entry) = self.entry(*idx) else { continue };
            if entry.flags & VOID == 0 {
                let head = heads.entry(entry.author).or_default();
                *head = (*head).max(entry.seq);
            }
            self.add_moves(*idx, &mut totals);
        }
        let views = parents.iter().filter_map(|idx| self.entry(*idx).map(|entry| entry.view));
        let view = self.views.union(views).map_or_else(Arc::new, |known| self.views.get(known));
        for (account, derived) in self.derived_totals(facts, &view) {
            *totals.entry(account).or_default() += derived;
        }
        Some((heads, totals))
    }

    fn add_moves(&self, idx: u32, totals: &mut BTreeMap<(u32, u32), i128>) {
        for order in self.moves.get(&idx).into_iter().flatten().filter_map(|order| self.order(*order)) {
            if order.accepted == idx {
                *totals.entry((order.from, order.currency)).or_default() -= i128::from(order.amount);
                *totals.entry((order.to, order.currency)).or_default() += i128::from(order.amount);
            }
        }
    }

    pub(super) fn digest_of(&self, heads: &Lengths, totals: &Totals) -> [u8; 32] {
        let mut by_did: BTreeMap<Did, (u32, BTreeMap<&str, i128>)> = BTreeMap::new();
        for (account, seq) in heads.iter().filter(|(_, seq)| **seq > 0) {
            by_did.entry(self.did(*account)).or_default().0 = *seq;
        }
        for ((account, currency), total) in totals.iter().filter(|(_, total)| **total != 0) {
            by_did.entry(self.did(*account)).or_default().1.insert(self.code(*currency), *total);
        }
        let mut hash = Sha256::new();
        hash.update(b"icn-books-cut-v1");
        for (did, (seq, totals)) in by_did {
            hash.update(did.public_key());
            hash.update(u64::from(seq).to_be_bytes());
            let account = self.by_did.get(&did).and_then(|account| self.account(*account));
            let head = account.and_then(|account| account.chain.get((seq as usize).wrapping_sub(1)));
            hash.update(head.map_or([0; 32], |head| self.id(*head)));
            hash.update((totals.len() as u64).to_be_bytes());
            for (code, total) in totals {
                hash.update((code.len() as u64).to_be_bytes());
                hash.update(code);
                hash.update(total.to_be_bytes());
            }
        }
        hash.finalize().into()
    }

    /// Computes lengths of chains and balances of a cut that is everything there is.
    pub(super) fn whole_totals(&self, facts: &Facts) -> (Lengths, Totals) {
        let heads = self.accounts.iter().enumerate();
        let heads = heads.map(|(account, known)| (number(account), number(known.chain.len()))).collect();
        let mut totals = self.derived_totals(facts, &self.views.get(self.all));
        for (account, known) in self.accounts.iter().enumerate() {
            for purse in &known.purses {
                *totals.entry((number(account), purse.currency)).or_default() += purse.booked;
            }
        }
        (heads, totals)
    }

    /// Puts a cut under the newest seal of the line. Returns the entries.
    pub(super) fn mark(&mut self, seal: u32, place: u32) -> BTreeSet<u32> {
        let parents = self.entry(seal).map_or_else(Vec::new, |entry| entry.parents.to_vec());
        let cut = self.cut(&parents);
        let mut totals = std::mem::take(&mut self.base);
        for idx in &cut {
            self.add_moves(*idx, &mut totals);
            self.moves.remove(idx);
            self.unsealed.remove(idx);
            self.sensitive.remove(idx);
            if let Some(entry) = self.entries.get_mut(*idx as usize) {
                entry.sealed = place;
                entry.parents = Box::default();
                if entry.flags & VOID == 0 {
                    let head = self.base_len.entry(entry.author).or_default();
                    *head = (*head).max(entry.seq);
                }
            }
        }
        totals.retain(|_, total| *total != 0);
        self.base = totals;
        cut
    }

    /// Computes the totals under the line afresh, after a round with facts.
    pub(super) fn settle_base(&mut self) {
        let mut totals: BTreeMap<(u32, u32), i128> = BTreeMap::new();
        for order in &self.orders {
            if order.accepted != NONE && self.sealed(order.accepted) != NONE {
                *totals.entry((order.from, order.currency)).or_default() -= i128::from(order.amount);
                *totals.entry((order.to, order.currency)).or_default() += i128::from(order.amount);
            }
        }
        totals.retain(|_, total| *total != 0);
        self.base = totals;
        self.base_len.clear();
        for entry in &mut self.entries {
            if entry.sealed != NONE {
                entry.parents = Box::default();
                if entry.flags & VOID == 0 {
                    let head = self.base_len.entry(entry.author).or_default();
                    *head = (*head).max(entry.seq);
                }
            }
        }
    }
}
