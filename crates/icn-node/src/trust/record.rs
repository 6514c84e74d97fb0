//! What the books of one space say of how executors did their jobs, weighed by trust.

use std::collections::BTreeMap;

use icn_ledger::Books;
use icn_trust::{Rating, Reputation, ReputationSettings, reputation};
use icn_types::{Did, TrustContext};

use super::Web;

/// The record of every executor of one space.
pub(crate) struct Record {
    pub(super) generation: u64,
    /// Whether a member of the space is on this node, as in [`Web`].
    pub(super) is_own: bool,
    /// How many results of each stand, and what they come to.
    executors: BTreeMap<Did, (usize, Reputation)>,
}

impl Record {
    /// Reads the books of a space, whose web was read before.
    pub(super) fn read(books: &Books, web: &Web, settings: &ReputationSettings) -> Self {
        let mut ratings: BTreeMap<Did, Vec<Rating>> = BTreeMap::new();
        for said in books.ratings() {
            ratings.entry(said.executor).or_default().push(rating(&said));
        }
        let weighed = |(executor, ratings): (Did, Vec<Rating>)| {
            let trust = |did: &Did| web.score(TrustContext::Compute, did);
            let reputation = reputation(&executor, &ratings, trust, settings);
            (executor, (ratings.len(), reputation))
        };
        Self {
            generation: books.ratings_generation(),
            is_own: web.is_own,
            executors: ratings.into_iter().map(weighed).collect(),
        }
    }

    /// Returns how many results of an executor stand.
    pub(crate) fn results(&self, did: &Did) -> usize {
        self.executors.get(did).map_or(0, |(results, _)| *results)
    }

    /// Returns an executor's reputation, with what is behind it.
    pub(crate) fn reputation(&self, did: &Did) -> Option<&Reputation> {
        self.executors.get(did).map(|(_, reputation)| reputation)
    }

    pub(super) fn reputation_ppm(&self, did: &Did) -> u32 {
        self.reputation(did).map_or(0, |reputation| reputation.score_ppm)
    }

    /// Lists executors with their reputations.
    pub(crate) fn reputations(&self) -> impl Iterator<Item = (&Did, &Reputation)> {
        self.executors.iter().map(|(did, (_, reputation))| (did, reputation))
    }
}

fn rating(said: &icn_ledger::RatingView) -> Rating {
    Rating {
        job: said.job,
        originator: said.by,
        executor: said.executor,
        outcome: said.outcome,
        at: said.at,
        // The originator has verified the receipt before it says that it holds.
        checked: true,
    }
}
