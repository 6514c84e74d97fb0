//! The books of a space: the reducer that turns entries into members, lines, orders and balances.
//!
//! An act's verdict follows from its entry's causal past, so it can be given when the entry is applied. Three things are
//! decided by the whole set instead: which branch of a fork counts, which seals make the line, and what those end. When an
//! entry changes one of them for entries that were judged before, the books say so and are judged anew from all entries.
//! Either way the state is a function of the set of entries alone.

mod commit;
mod derived;
mod digest;
mod disputes;
mod errands;
mod explain;
mod facts;
mod flows;
mod judge;
mod judge_money;
mod judge_rules;
mod judge_treasuries;
mod lens;
mod query;
mod reason;
mod snapshot;
mod standings;
mod state;
mod treasuries;
mod view;
mod views;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use icn_types::{Cid, Did, Timestamp};

pub use self::facts::ForkRule;
use self::facts::{Facts, LineSeal};
use self::judge::{Draft, Judge, Mode, SealMemo};
pub use self::reason::{Reason, Verdict, derived_id};
pub use self::snapshot::BooksError;
use self::state::{NONE, Rule, STOPPED, State, hash_of, number};
use self::view::View;
pub use self::views::{
    Balance, BudgetView, ClaimCause, ClaimRecord, CurrencyView, DisputeStatus, DisputeView, Explanation,
    ForkView, Member, OrderKind, OrderStatus, OrderView, ProposalStatus, ProposalView, Quarantined, SealView,
    StandingView, Transfer, TransferCause, TreasuryView, WitnessSetView,
};
pub use self::words::{RATINGS_MAX, RatingView, TRUSTED_MAX, TrustEdge};
use crate::act::{Act, OrderRef, Post};

/// How often the line of seals and the verdicts are drawn from each other before the last result stands. A round that
/// finds the line it began with ends it; only invitations that lapse by the very seals of their bearers keep it going.
const ROUNDS_MAX: usize = 16;

/// An entry as the books take it: places in the order of application stand for ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the order of application, from 0.
    pub idx: u32,
    /// The author's entry before.
    pub prev: Option<u32>,
    /// The other heads that the author had applied.
    pub deps: Vec<u32>,
    /// What the post speaks of ([`Post::refs`]).
    pub refs: Vec<(Cid, u32)>,
    /// Its id.
    pub id: Cid,
    /// Who says it.
    pub author: Did,
    /// Its place in the author's chain, from 1.
    pub seq: u64,
    /// The author's clock, for people only.
    pub at: Timestamp,
    /// The space that it was written for.
    pub space: Did,
    /// What is said, with signatures checked.
    pub post: Post,
}

/// What came of applying an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// One for each act; none while a rejudgement is due.
    pub verdicts: Vec<Verdict>,
    /// The orders that it made or changed.
    pub orders: Vec<OrderRef>,
    /// Whose balances or orders it touched.
    pub accounts: Vec<Did>,
    /// Whether the books must be judged anew; until then they show what was known before.
    pub rejudge: bool,
}

/// The reduced state of a space.
#[derive(Debug, Clone)]
pub struct Books {
    space: Did,
    state: State,
    facts: Facts,
    /// What the past of a seal says of it: never changes once known.
    memo: BTreeMap<[u8; 32], SealMemo>,
    /// What was judged last and not applied yet, as long as nothing has changed since.
    considered: Option<(Item, Draft, Arc<View>)>,
    len: u32,
    is_stale: bool,
    /// Rises when trust, members or stewards change; not the same on other nodes.
    generation: u64,
    /// The same for what came of jobs.
    ratings_generation: u64,
}

impl Books {
    /// Opens empty books of the space with this root.
    #[must_use]
    pub fn new(space: Did) -> Self {
        Self {
            space,
            state: State::new(),
            facts: Facts::default(),
            memo: BTreeMap::new(),
            considered: None,
            len: 0,
            is_stale: false,
            generation: 0,
            ratings_generation: 0,
        }
    }

    /// Returns how many entries were applied.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Tells whether nothing was applied yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells whether [`Books::rejudge`] is due; until then entries are counted but not judged.
    #[must_use]
    pub const fn needs_rejudge(&self) -> bool {
        self.is_stale
    }

    /// Returns the space, by its root.
    #[must_use]
    pub const fn space(&self) -> Did {
        self.space
    }

    /// Applies the next entry; everything in its past was applied before.
    pub fn apply(&mut self, item: Item) -> Outcome {
        self.take(&item)
    }

    fn take(&mut self, item: &Item) -> Outcome {
        let considered = self.considered.take().filter(|(same, _, _)| same == item);
        if self.is_stale || item.idx != self.len {
            self.is_stale = true;
            self.len = self.len.max(item.idx.saturating_add(1));
            return Outcome { rejudge: true, ..Outcome::default() };
        }
        let (draft, view) = considered.map_or_else(|| self.judged(item), |(_, draft, view)| (draft, view));
        self.len += 1;
        if draft.is_fork || draft.wants_seal || self.unsettles(item, &draft) {
            self.is_stale = true;
            return Outcome { rejudge: true, ..Outcome::default() };
        }
        if let Some(known) = &draft.seal_memo {
            self.memo.insert(hash_of(&item.id), known.clone());
        }
        let mut outcome = self.outcome(&draft);
        let is_sensitive = self.is_sensitive(item, &draft);
        let (ratings, trust): (Vec<_>, Vec<_>) = draft.words.iter().partition(|word| word.is_rating());
        self.generation += u64::from(!trust.is_empty() || !draft.events.is_empty());
        self.ratings_generation += u64::from(!ratings.is_empty());
        self.state.commit(item, draft, &view, &self.facts, Mode::Live);
        if is_sensitive {
            self.state.sensitive.insert(item.idx);
        }
        outcome.orders.sort_unstable();
        outcome.orders.dedup();
        self.extend_line(item.idx);
        outcome.rejudge = self.is_stale;
        outcome
    }

    /// Tells what the books would say of an entry that is not applied yet; it changes nothing.
    #[must_use]
    pub fn preview(&self, item: &Item) -> Vec<Verdict> {
        if self.is_stale {
            return vec![Verdict::Invalid(Reason::Pending); item.post.acts.len()];
        }
        self.judged(item).0.verdicts
    }

    /// As [`Books::preview`], for an entry that is likely to be applied next: it is not judged again then.
    pub fn consider(&mut self, item: Item) -> Vec<Verdict> {
        if self.is_stale {
            return self.preview(&item);
        }
        let (draft, view) = self.judged(&item);
        let verdicts = draft.verdicts.clone();
        self.considered = Some((item, draft, view));
        verdicts
    }

    fn judged(&self, item: &Item) -> (Draft, Arc<View>) {
        Judge::run(&self.state, &self.facts, &self.memo, Mode::Live, self.space, item)
    }

    /// Judges all entries anew, in any causal order with the same numbers.
    pub fn rejudge(&mut self, items: impl IntoIterator<Item = Item>) {
        let items: Vec<Item> = items.into_iter().collect();
        self.rejudge_all(&items);
    }

    fn rejudge_all(&mut self, items: &[Item]) {
        self.considered = None;
        let parents: Vec<Box<[u32]>> = items.iter().map(|item| judge::parents(item).collect()).collect();
        // Forks are decided by those who have not forked: a branch cannot vouch for itself.
        let doubts = Facts::doubts(items);
        let state = self.settled_round(items, &parents, &doubts, Mode::Survey);
        let mut facts = Facts::derive(&state, &parents);
        let is_plain = facts.line.is_empty() && facts.places.is_empty();
        self.state = state;
        for _ in 0..ROUNDS_MAX {
            if is_plain {
                break;
            }
            self.state = self.settled_round(items, &parents, &facts, Mode::Replay);
            let (line, strays) = (facts.line.clone(), facts.strays.clone());
            facts.redraw(&self.state, &parents);
            let is_new = facts.note_certified(&self.state);
            if facts.line == line && facts.strays == strays && !is_new {
                break;
            }
        }
        self.facts = facts;
        self.generation += 1;
        self.ratings_generation += 1;
        self.state.settle_base();
        self.settle_moves();
        self.len = number(items.len());
        self.is_stale = false;
        for item in items {
            if self.state.unsealed.contains(&item.idx) && self.names_forked(item) {
                self.state.sensitive.insert(item.idx);
            }
        }
    }

    /// Judges everything with these facts, once the seals in it are known to be right or wrong.
    fn settled_round(&mut self, items: &[Item], parents: &[Box<[u32]>], facts: &Facts, mode: Mode) -> State {
        loop {
            let (state, wanted) = self.round(items, facts, mode);
            if wanted.is_empty() {
                return state;
            }
            self.judge_seals(items, parents, &wanted);
        }
    }

    /// Orders accepted or captured outside every seal.
    fn settle_moves(&mut self) {
        let state = &mut self.state;
        state.moves.clear();
        let unsealed = &state.unsealed;
        for (order, known) in state.orders.iter().enumerate() {
            if known.accepted != NONE && unsealed.contains(&known.accepted) {
                state.moves.entry(known.accepted).or_default().push(number(order));
            }
            let is_capture = known.kind == state::Kind::Capture && known.standing == state::Standing::Good;
            if is_capture && unsealed.contains(&known.entry) {
                state.moves.entry(known.entry).or_default().push(number(order));
            }
        }
    }

    fn round(&self, items: &[Item], facts: &Facts, mode: Mode) -> (State, Vec<u32>) {
        let mut state = State::new();
        let mut wanted = Vec::new();
        // Facts speak of authors by number, so authors have the same ones in each round.
        for item in items {
            state.intern_account(item.author);
        }
        for item in items {
            let (draft, view) = Judge::run(&state, facts, &self.memo, mode, self.space, item);
            if draft.wants_seal {
                wanted.push(item.idx);
            }
            state.commit(item, draft, &view, facts, mode);
        }
        (state, wanted)
    }

    /// Compares seals with the books of their pasts alone, each past judged by itself.
    fn judge_seals(&mut self, items: &[Item], parents: &[Box<[u32]>], wanted: &[u32]) {
        let mut rolling = Self::new(self.space);
        let mut places: BTreeMap<u32, u32> = BTreeMap::new();
        let mut taken: Vec<Item> = Vec::new();
        for seal in wanted {
            let Some(item) = items.get(*seal as usize) else { continue };
            let said = item.post.acts.iter().find_map(|act| {
                let Act::Seal { digest, prev, time, .. } = act else { return None };
                Some((digest, *prev, time.as_millis()))
            });
            let Some((digest, prev, time)) = said else { continue };
            let mut cut = BTreeSet::new();
            let mut stack: Vec<u32> = parents.get(*seal as usize).map_or_else(Vec::new, |list| list.to_vec());
            while let Some(idx) = stack.pop() {
                if cut.insert(idx) {
                    stack.extend(parents.get(idx as usize).map_or(&[][..], |list| list));
                }
            }
            if !places.keys().all(|idx| cut.contains(idx)) {
                rolling = Self::new(self.space);
                places.clear();
                taken.clear();
            }
            rolling.memo.clone_from(&self.memo);
            for idx in cut {
                let Some(item) = items.get(idx as usize).filter(|_| !places.contains_key(&idx)) else {
                    continue;
                };
                let place = |idx: &u32| places.get(idx).copied().unwrap_or(NONE);
                let moved = Item {
                    idx: number(taken.len()),
                    prev: item.prev.as_ref().map(place),
                    deps: item.deps.iter().map(place).collect(),
                    refs: item.refs.iter().map(|(id, idx)| (*id, place(idx))).collect(),
                    ..item.clone()
                };
                places.insert(idx, moved.idx);
                rolling.take(&moved);
                taken.push(moved);
            }
            if rolling.is_stale {
                rolling.rejudge_all(&taken);
            }
            let (heads, totals) = rolling.state.whole_totals(&rolling.facts);
            let is_right = rolling.state.digest_of(&heads, &totals).as_slice() == digest.as_slice();
            let named = item.refs.iter().find(|(id, _)| Some(*id) == prev);
            let prev = named.and_then(|(_, idx)| places.get(idx)).filter(|_| is_right);
            let charges = prev.map_or_else(Vec::new, |prev| {
                rolling.state.charges(&rolling.facts, &rolling.everything(), *prev, time, &totals)
            });
            self.memo.extend(rolling.memo.iter().map(|(seal, known)| (*seal, known.clone())));
            self.memo.insert(hash_of(&item.id), SealMemo { is_right, charges });
        }
    }

    fn outcome(&self, draft: &Draft) -> Outcome {
        let did = |account: u32| {
            let new = (account as usize).checked_sub(self.state.accounts.len());
            new.and_then(|new| draft.dids.get(new).copied()).unwrap_or_else(|| self.state.did(account))
        };
        let mut accounts: BTreeSet<Did> = draft.purses.keys().map(|(account, _)| did(*account)).collect();
        let mut orders = Vec::new();
        for order in draft.new_orders.iter().chain(draft.orders.values()) {
            accounts.extend([did(order.from), did(order.to)]);
            if order.entry != self.len - 1 {
                orders.push(self.state.order_ref(order));
            }
        }
        Outcome {
            verdicts: draft.verdicts.clone(),
            orders,
            accounts: accounts.into_iter().collect(),
            rejudge: false,
        }
    }

    /// Tells whether an entry may change what a fork, or a debit without cover, comes to.
    fn unsettles(&self, item: &Item, draft: &Draft) -> bool {
        let forked = |idx: u32| self.state.entry(idx).is_some_and(|entry| self.facts.is_forked(entry.author));
        let certifies = draft.certified.iter().any(|idx| forked(*idx) || !self.is_valid(*idx));
        if self.facts.places.is_empty() {
            return certifies;
        }
        let seals = item
            .post
            .acts
            .iter()
            .zip(&draft.verdicts)
            .any(|(act, verdict)| matches!(act, Act::Seal { .. }) && !verdict.is_valid());
        certifies
            || seals
            || (!draft.repairs.is_empty() && self.facts.is_forked(draft.author))
            || draft.relied.iter().any(|idx| forked(*idx) && !self.state.relied.contains(idx))
    }

    fn is_sensitive(&self, item: &Item, draft: &Draft) -> bool {
        !self.facts.places.is_empty() && (self.facts.is_forked(draft.author) || self.names_forked(item))
    }

    fn names_forked(&self, item: &Item) -> bool {
        item.refs
            .iter()
            .any(|(_, idx)| self.state.entry(*idx).is_some_and(|entry| self.facts.is_forked(entry.author)))
    }

    /// Lets the line grow by the seals that an entry brought into force.
    fn extend_line(&mut self, idx: u32) {
        let Some(view) = self.state.entry(idx).map(|entry| entry.view) else { return };
        let fresh: Vec<u32> = self
            .state
            .events
            .iter()
            .rev()
            .take_while(|event| event.entry == idx)
            .filter_map(|event| if let Rule::Sealed(seal) = event.rule { Some(seal) } else { None })
            .collect();
        for entry in fresh.into_iter().rev() {
            let is_known = self.facts.line.iter().any(|seal| seal.entry == entry)
                || self.facts.strays.iter().any(|stray| stray.entry == entry);
            if is_known {
                continue;
            }
            let Some(seal) = self.state.seals.get(&entry).cloned() else { continue };
            let tip = self.facts.line.last().map_or(NONE, |seal| seal.entry);
            // One beside the line may take the place of another, and ends orders all the same.
            if seal.prev != tip || self.is_line_in_doubt() {
                self.is_stale = true;
                return;
            }
            let place = number(self.facts.line.len());
            let before = self.facts.line.last().map_or(0, |seal| seal.time);
            self.facts.line.push(LineSeal { entry, number: seal.number, time: seal.time });
            let cut = self.state.mark(entry, place);
            self.check_cut(&cut, before, seal.time);
            self.state.advance_view(idx, view, place + 1);
        }
    }

    /// Tells whether forks may have been decided by another line than this one: one without the seals of who forked.
    fn is_line_in_doubt(&self) -> bool {
        let by_forked = |seal: &LineSeal| {
            self.state.entry(seal.entry).is_some_and(|entry| self.facts.is_forked(entry.author))
        };
        !self.facts.places.is_empty() && self.facts.line.iter().any(by_forked)
    }

    /// Looks for earlier verdicts that a new seal changes.
    fn check_cut(&mut self, cut: &BTreeSet<u32>, before: u64, time: u64) {
        let state = &self.state;
        let ended = |expires: u64| expires > before && expires <= time;
        let late = state.moves.values().flatten().filter_map(|order| state.order(*order));
        let undoes = late.into_iter().any(|order| match order.kind {
            state::Kind::Pay => ended(order.expires),
            state::Kind::Capture => ended(order.expires) && state.sealed(order.entry) == NONE,
            state::Kind::Hold | state::Kind::Request => false,
        });
        let decides = !self.facts.places.is_empty()
            && cut.iter().any(|idx| {
                self.facts.branches.contains(idx)
                    || state.entry(*idx).is_some_and(|entry| entry.flags & STOPPED != 0)
            });
        if undoes || decides {
            self.is_stale = true;
        }
    }

    fn everything(&self) -> Arc<View> {
        self.state.views.get(self.state.all)
    }
}
