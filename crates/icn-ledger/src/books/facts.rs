//! What is decided by the whole set of entries and not by one past: which branch of a fork counts, and which seals
//! make the line.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use icn_types::Did;
use serde::{Deserialize, Serialize};

use super::Item;
use super::snapshot::{column, pairs};
use super::state::{CERTIFIED, NONE, State};

/// Which rule chose the branch that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForkRule {
    /// A quorum of witnesses certified it, or what follows on it.
    Certified,
    /// It lies in the earliest sealed epoch.
    Sealed,
    /// Its author gave up the other one before anybody relied on it.
    Repaired,
    /// Its id is the lowest.
    LowestId,
}

/// A place with several entries of one author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) branches: Vec<u32>,
    pub(super) winner: u32,
    pub(super) rule: ForkRule,
    /// Up to where the winner's chain stands although the fork came to light: certified, or sealed without the others.
    pub(super) stands: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LineSeal {
    pub(super) entry: u32,
    pub(super) number: u64,
    pub(super) time: u64,
}

/// A seal in force beside the line. What it has ended for somebody who saw it stays ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stray {
    pub(super) entry: u32,
    pub(super) time: u64,
    /// The entries in its past, a bit for each.
    #[serde(with = "column")]
    cut: Vec<u32>,
}

impl Stray {
    pub(super) fn covers(&self, idx: u32) -> bool {
        has_bit(&self.cut, idx)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    /// By author and place; places on losing branches are not listed.
    #[serde(with = "pairs")]
    pub(super) places: BTreeMap<(u32, u32), Place>,
    /// The first entries of losing branches.
    pub(super) losers: BTreeSet<u32>,
    /// Every entry at a forked place.
    pub(super) branches: BTreeSet<u32>,
    /// While nothing is decided: from which place on an author's own words do not count, as it forked there.
    #[serde(with = "pairs")]
    pub(super) doubtful: BTreeMap<Did, u64>,
    pub(super) line: Vec<LineSeal>,
    #[serde(with = "column")]
    pub(super) marks: Vec<u32>,
    pub(super) strays: Vec<Stray>,
    /// The entries that are certified, a bit for each.
    #[serde(with = "column")]
    certified: Vec<u32>,
}

impl Facts {
    /// Tells whether a seal has ended an order with this time: one of the first `seals` of the line, or one beside it that
    /// `counts`, with none of the `decisions` in its cut. `mark` gives the place of the first seal that covers an entry.
    pub(super) fn ends(
        &self,
        expires: u64,
        decisions: &[u32],
        mark: impl Fn(u32) -> u32,
        seals: u32,
        counts: impl Fn(&Stray) -> bool,
    ) -> bool {
        let decided = |covers: &dyn Fn(u32) -> bool| decisions.iter().any(|idx| *idx != NONE && covers(*idx));
        let first = self.first_seal(expires).filter(|place| *place < seals);
        let mut strays = self.strays.iter().filter(|stray| stray.time >= expires && counts(stray));
        first.is_some_and(|place| !decided(&|idx| mark(idx) <= place))
            || strays.any(|stray| !decided(&|idx| stray.covers(idx)))
    }

    /// Returns the place in the line of the first seal at or after a time.
    fn first_seal(&self, expires: u64) -> Option<u32> {
        if expires == u64::MAX {
            return None;
        }
        let place = self.line.partition_point(|seal| seal.time < expires);
        (place < self.line.len()).then(|| super::state::number(place))
    }

    /// Tells whether a certificate for an entry is known: what it debits stands whatever becomes of its author's credits.
    pub(super) fn is_certified(&self, idx: u32) -> bool {
        has_bit(&self.certified, idx)
    }

    /// Notes which entries are certified; true when it is other than what was known.
    pub(super) fn note_certified(&mut self, state: &State) -> bool {
        let mut certified = vec![0_u32; state.entries.len().div_ceil(32)];
        for (idx, _) in state.entries.iter().enumerate().filter(|(_, entry)| entry.flags & CERTIFIED != 0) {
            set_bit(&mut certified, super::state::number(idx));
        }
        let is_new = certified != self.certified;
        self.certified = certified;
        is_new
    }

    pub(super) fn is_forked(&self, author: u32) -> bool {
        self.places_of(author).next().is_some()
    }

    pub(super) fn places_of(&self, author: u32) -> impl Iterator<Item = (u32, &Place)> {
        self.places.range((author, 0)..=(author, NONE)).map(|((_, seq), place)| (*seq, place))
    }

    /// Finds the forks: more than one entry of one author behind the same one.
    pub(super) fn structure(state: &State) -> BTreeMap<(u32, u32), Vec<u32>> {
        let mut children: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
        for (idx, entry) in state.entries.iter().enumerate() {
            children.entry((entry.author, entry.prev)).or_default().push(super::state::number(idx));
        }
        children.retain(|_, list| list.len() > 1);
        for list in children.values_mut() {
            list.sort_by_key(|idx| state.id(*idx));
        }
        children
    }

    /// Finds the authors that forked, before anything is judged.
    pub(super) fn doubts(items: &[Item]) -> Self {
        let mut places: BTreeMap<(Did, Option<u32>), (u64, u32)> = BTreeMap::new();
        for item in items {
            places.entry((item.author, item.prev)).or_insert((item.seq, 0)).1 += 1;
        }
        let mut facts = Self::default();
        for ((author, _), (seq, _)) in places.into_iter().filter(|(_, (_, entries))| *entries > 1) {
            let from = facts.doubtful.entry(author).or_insert(seq);
            *from = seq.min(*from);
        }
        facts
    }

    /// Replaces the line of seals by that which a round found out.
    pub(super) fn redraw(&mut self, state: &State, parents: &[Box<[u32]>]) {
        self.line.clear();
        self.strays.clear();
        self.marks = vec![NONE; state.entries.len()];
        self.draw_line(state, parents);
    }

    /// Decides the forks, by what a round found out that took no forked author's word for it.
    pub(super) fn derive(state: &State, parents: &[Box<[u32]>]) -> Self {
        let mut facts = Self { marks: vec![NONE; state.entries.len()], ..Self::default() };
        facts.note_certified(state);
        facts.draw_line(state, parents);
        let forks = Self::structure(state);
        let mut authors: BTreeMap<u32, BTreeMap<u32, &Vec<u32>>> = BTreeMap::new();
        for ((author, prev), list) in &forks {
            authors.entry(*author).or_default().insert(*prev, list);
        }
        for (author, forks) in &authors {
            facts.choose(state, *author, forks);
        }
        facts
    }

    /// Follows the seals in force from the first one on. Of several on one the line takes that on which the most were built:
    /// one that is certified late takes the place of none that others went on from.
    fn draw_line(&mut self, state: &State, parents: &[Box<[u32]>]) {
        let mut next: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        // How many seals in force follow on each, at most: a seal stands behind the one that it names.
        let mut lengths: BTreeMap<u32, u32> = BTreeMap::new();
        for (entry, seal) in state.seals.iter().rev().filter(|(_, seal)| seal.in_force) {
            next.entry(seal.prev).or_default().push(*entry);
            let length = lengths.get(entry).copied().unwrap_or(0) + 1;
            let before = lengths.entry(seal.prev).or_default();
            *before = length.max(*before);
        }
        let rank = |entry: &u32| {
            let length = lengths.get(entry).copied().unwrap_or(0);
            (Reverse(length), state.seals.get(entry).map_or(0, |seal| seal.number), state.id(*entry))
        };
        let mut tip = NONE;
        while let Some(siblings) = next.remove(&tip) {
            let Some(entry) = siblings.iter().copied().min_by_key(rank) else { break };
            let Some(seal) = state.seals.get(&entry) else { break };
            let place = super::state::number(self.line.len());
            self.line.push(LineSeal { entry, number: seal.number, time: seal.time });
            let marks = &mut self.marks;
            walk_past(parents, entry, |idx| match marks.get_mut(idx as usize) {
                Some(mark) if *mark == NONE => {
                    *mark = place;
                    true
                }
                Some(_) | None => false,
            });
            tip = entry;
        }
        for (entry, seal) in state.seals.iter().filter(|(_, seal)| seal.in_force) {
            if self.line.iter().any(|one| one.entry == *entry) {
                continue;
            }
            let mut cut = vec![0_u32; parents.len().div_ceil(32)];
            walk_past(parents, *entry, |idx| set_bit(&mut cut, idx));
            self.strays.push(Stray { entry: *entry, time: seal.time, cut });
        }
    }

    fn mark(&self, idx: u32) -> u32 {
        self.marks.get(idx as usize).copied().unwrap_or(NONE)
    }

    /// Walks an author's chain from its start and chooses at each fork.
    fn choose(&mut self, state: &State, author: u32, forks: &BTreeMap<u32, &Vec<u32>>) {
        let chain_of = |mut idx: u32, into: &mut BTreeSet<u32>| {
            while idx != NONE && into.insert(idx) {
                idx = state.entry(idx).map_or(NONE, |entry| entry.prev);
            }
        };
        let mine = |idx: &u32| state.entry(*idx).is_some_and(|entry| entry.author == author);
        let mut certified = BTreeSet::new();
        let mut relied = BTreeSet::new();
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (idx, entry) in state.entries.iter().enumerate().filter(|(_, entry)| entry.author == author) {
            let idx = super::state::number(idx);
            children.entry(entry.prev).or_default().push(idx);
            if entry.flags & CERTIFIED != 0 {
                chain_of(idx, &mut certified);
            }
        }
        for idx in state.relied.iter().filter(|idx| mine(idx)) {
            chain_of(*idx, &mut relied);
        }
        // Whoever reports a fork speaks from the branch that it keeps.
        let repairs: Vec<_> = state
            .repairs
            .iter()
            .filter(|(entry, ..)| mine(entry))
            .map(|(entry, at, lost)| {
                let mut kept = BTreeSet::new();
                chain_of(*entry, &mut kept);
                (kept, *at, lost, self.mark(*entry))
            })
            .collect();
        let mut at = NONE;
        loop {
            let Some(branches) = forks.get(&at) else {
                match children.get(&at).and_then(|list| list.first()) {
                    Some(next) => at = *next,
                    None => return,
                }
                self.stand(state, author, at, certified.contains(&at));
                continue;
            };
            let seq = branches.first().and_then(|idx| state.entry(*idx)).map_or(0, |entry| entry.seq);
            let given_up = |kept: &u32| {
                let others = || branches.iter().filter(|other| *other != kept);
                others().all(|other| !certified.contains(other) && !relied.contains(other))
                    && repairs.iter().any(|(chain, place, lost, mark)| {
                        // A seal that has the repair in its past covers what is given up with it.
                        let is_given_up =
                            |other: &u32| lost.contains(&state.id(*other)) && self.mark(*other) >= *mark;
                        chain.contains(kept) && *place == u64::from(seq) && others().all(is_given_up)
                    })
            };
            let mut kept = branches.iter().copied().filter(given_up);
            let (winner, rule) = match (kept.next(), kept.next()) {
                (Some(winner), None) => (winner, ForkRule::Repaired),
                (None | Some(_), _) => {
                    let best = branches
                        .iter()
                        .map(|idx| (!certified.contains(idx), self.mark(*idx), state.id(*idx), *idx))
                        .min();
                    let Some((uncertified, mark, _, winner)) = best else { return };
                    let lone = branches.iter().filter(|idx| self.mark(**idx) == mark).count() == 1;
                    let rule = match (uncertified, mark != NONE && lone) {
                        (false, _) => ForkRule::Certified,
                        (true, true) => ForkRule::Sealed,
                        (true, false) => ForkRule::LowestId,
                    };
                    (winner, rule)
                }
            };
            self.losers.extend(branches.iter().filter(|idx| **idx != winner));
            self.branches.extend(branches.iter());
            self.places
                .insert((author, seq), Place { branches: branches.to_vec(), winner, rule, stands: seq });
            self.stand(state, author, winner, certified.contains(&winner));
            at = winner;
        }
    }

    /// Notes that an entry behind forked places stands in spite of them.
    fn stand(&mut self, state: &State, author: u32, idx: u32, is_certified: bool) {
        let seq = state.entry(idx).map_or(0, |entry| entry.seq);
        let mark = self.mark(idx);
        let marks = &self.marks;
        for (_, place) in self.places.range_mut((author, 0)..=(author, NONE)) {
            let mut others = place.branches.iter().filter(|other| **other != place.winner);
            let later = |other: &u32| marks.get(*other as usize).is_none_or(|other| *other > mark);
            if is_certified || (mark != NONE && others.all(later)) {
                place.stands = place.stands.max(seq);
            }
        }
    }
}

fn has_bit(bits: &[u32], idx: u32) -> bool {
    bits.get((idx / 32) as usize).is_some_and(|word| word >> (idx % 32) & 1 == 1)
}

/// Sets a bit within the set; true when it was not set before.
fn set_bit(bits: &mut [u32], idx: u32) -> bool {
    let Some(word) = bits.get_mut((idx / 32) as usize) else { return false };
    let is_new = *word >> (idx % 32) & 1 == 0;
    *word |= 1 << (idx % 32);
    is_new
}

/// Visits what lies in the past of an entry; nothing before what `is_new` calls known.
fn walk_past(parents: &[Box<[u32]>], entry: u32, mut is_new: impl FnMut(u32) -> bool) {
    let before = |idx: u32| parents.get(idx as usize).map_or(&[][..], |list| list);
    let mut stack = before(entry).to_vec();
    while let Some(idx) = stack.pop() {
        if is_new(idx) {
            stack.extend(before(idx));
        }
    }
}
