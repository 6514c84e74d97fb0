//! Asking the books for entries: their verdicts, their forks, and what does not count.

use std::collections::BTreeMap;

use icn_types::{Cid, Did};

use crate::act::OrderRef;
use crate::books::Books;
use crate::books::facts::ForkRule;
use crate::books::reason::Verdict;
use crate::books::state::{CERTIFIED, NONE, VOID, cid_of};
use crate::books::views::{ForkView, Quarantined};

/// The most acts without effect that are listed; all of them are counted.
const QUARANTINE_MAX: usize = 10_000;

impl Books {
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
