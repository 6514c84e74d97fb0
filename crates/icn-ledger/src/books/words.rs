//! What members say of each other: whom they trust, and what came of their jobs. No verdict on money looks at it.
//!
//! An author's chain is one line, so its last word is plain: there is one edge for author, subject and context, and the
//! latest ratings for author and executor.

use std::collections::BTreeMap;

use icn_types::{Cid, Did, JobOutcome, Timestamp, TrustContext};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Books;
use super::judge::Judge;
use super::reason::Reason;
use super::state::{NONE, Rule, State, cid_of};
use crate::act::{Act, OrderRef};

/// How many edges one author may have at once. Full: further ones are refused until one is taken back.
pub const TRUSTED_MAX: usize = 1_024;
/// How many ratings of one author of one executor count. More: the oldest is forgotten.
pub const RATINGS_MAX: usize = 64;

/// One word, as its entry says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Trust { to: u32, context: TrustContext, said: Said },
    Rate { executor: u32, rated: Rated },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    entry: u32,
    index: u32,
    score_ppm: u32,
    at: u64,
    expires: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rated {
    job: ByteBuf,
    receipt: Option<Cid>,
    outcome: JobOutcome,
    at: u64,
}

/// All words that stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    trust: BTreeMap<(u32, u32, TrustContext), Said>,
    ratings: BTreeMap<(u32, u32), Vec<Rated>>,
}

/// The words, for a checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WordRows {
    trust: Vec<(u32, u32, TrustContext, Said)>,
    ratings: Vec<(u32, u32, Vec<Rated>)>,
}

/// How far somebody trusts somebody, as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustEdge {
    /// Who says it.
    pub from: Did,
    /// Of whom.
    pub to: Did,
    /// In which matter.
    pub context: TrustContext,
    /// How far, in parts per million, from 1 up.
    pub score_ppm: u32,
    /// When, by the author's clock.
    pub given: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// The act that says so.
    pub act: OrderRef,
}

/// What an originator said of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatingView {
    /// Who says it.
    pub by: Did,
    /// Who ran the job.
    pub executor: Did,
    /// The job.
    pub job: Cid,
    /// Its receipt, if one came.
    pub receipt: Option<Cid>,
    /// What came of it.
    pub outcome: JobOutcome,
    /// When it was said, by the author's clock.
    pub at: Timestamp,
}

impl Word {
    pub(super) const fn is_rating(&self) -> bool {
        matches!(self, Self::Rate { .. })
    }
}

impl<'a> Judge<'a> {
    pub(super) fn word(&mut self, index: u32, act: &'a Act) -> Result<(), Reason> {
        self.check_fork()?;
        self.check_approvals()?;
        let at = self.item.at.as_millis();
        if let Act::Trust { of, context, score_ppm, expires, .. } = act {
            self.check_other(of)?;
            let to = self.account(*of);
            if *score_ppm > 0 {
                self.check_room(to, *context)?;
            }
            let expires = expires.map(|time| time.as_millis());
            let said = Said { entry: self.item.idx, index, score_ppm: *score_ppm, at, expires };
            self.draft.words.push(Word::Trust { to, context: *context, said });
        } else if let Act::Rate { executor, job, receipt, outcome } = act {
            self.check_other(executor)?;
            let executor = self.account(*executor);
            let job = ByteBuf::from(job.to_bytes());
            let rated = Rated { job, receipt: *receipt, outcome: *outcome, at };
            self.draft.words.push(Word::Rate { executor, rated });
        }
        Ok(())
    }

    fn check_other(&self, did: &Did) -> Result<(), Reason> {
        if *did == self.item.author { Err(Reason::OwnWord) } else { Ok(()) }
    }

    /// Refuses an edge beyond what an author may have, counting what this entry says before it.
    fn check_room(&self, to: u32, context: TrustContext) -> Result<(), Reason> {
        let author = self.draft.author;
        let mut edges: BTreeMap<(u32, TrustContext), bool> =
            self.state.words.of(author).map(|(to, context, _)| ((to, context), true)).collect();
        for word in &self.draft.words {
            if let Word::Trust { to, context, said } = word {
                edges.insert((*to, *context), said.score_ppm > 0);
            }
        }
        edges.insert((to, context), true);
        let stands = edges.values().filter(|stands| **stands).count();
        if stands > TRUSTED_MAX { Err(Reason::TooManyEdges) } else { Ok(()) }
    }
}

impl Words {
    fn of(&self, author: u32) -> impl Iterator<Item = (u32, TrustContext, &Said)> {
        let all = (author, 0, TrustContext::General)..=(author, NONE, TrustContext::Governance);
        self.trust.range(all).map(|((_, to, context), said)| (*to, *context, said))
    }

    /// Takes the words of an entry whose author's chain they continue.
    pub(super) fn take(&mut self, author: u32, words: Vec<Word>) {
        for word in words {
            match word {
                Word::Trust { to, context, said } if said.score_ppm == 0 => {
                    self.trust.remove(&(author, to, context));
                }
                Word::Trust { to, context, said } => {
                    self.trust.insert((author, to, context), said);
                }
                Word::Rate { executor, rated } => {
                    let list = self.ratings.entry((author, executor)).or_default();
                    list.retain(|known| known.job != rated.job);
                    list.push(rated);
                    if list.len() > RATINGS_MAX {
                        list.remove(0);
                    }
                }
            }
        }
    }

    pub(super) fn rows(&self) -> WordRows {
        let trust = self.trust.iter().map(|((from, to, context), said)| (*from, *to, *context, *said));
        let ratings = self.ratings.iter().map(|((by, executor), list)| (*by, *executor, list.clone()));
        WordRows { trust: trust.collect(), ratings: ratings.collect() }
    }

    pub(super) fn of_rows(rows: WordRows) -> Self {
        let trust = rows.trust.into_iter().map(|(from, to, context, said)| ((from, to, context), said));
        let ratings = rows.ratings.into_iter().map(|(by, executor, list)| ((by, executor), list));
        Self { trust: trust.collect(), ratings: ratings.collect() }
    }
}

impl State {
    fn edge(&self, (from, to, context): &(u32, u32, TrustContext), said: &Said) -> TrustEdge {
        TrustEdge {
            from: self.did(*from),
            to: self.did(*to),
            context: *context,
            score_ppm: said.score_ppm,
            given: Timestamp::from_millis(said.at),
            expires: said.expires.map(Timestamp::from_millis),
            act: OrderRef { entry: cid_of(&self.id(said.entry)), index: said.index },
        }
    }

    /// Lists the words that stand in terms that are the same everywhere.
    pub(super) fn reduced_words(&self) -> Vec<Vec<u8>> {
        let edges = self.words.trust.iter().map(|(key, said)| format!("{:?}", self.edge(key, said)));
        let ratings = self
            .words
            .ratings
            .iter()
            .map(|((by, executor), list)| format!("{} {} {list:?}", self.did(*by), self.did(*executor)));
        edges.chain(ratings).map(String::into_bytes).collect()
    }
}

impl Books {
    /// Lists who trusts whom, in no particular order.
    pub fn trust_edges(&self) -> impl Iterator<Item = TrustEdge> + '_ {
        self.state.words.trust.iter().map(|(key, said)| self.state.edge(key, said))
    }

    /// Lists what originators said of their jobs: for each of them and each executor the latest [`RATINGS_MAX`], oldest
    /// first.
    pub fn ratings(&self) -> impl Iterator<Item = RatingView> + '_ {
        self.state.words.ratings.iter().flat_map(|((by, executor), list)| {
            list.iter().filter_map(|rated| {
                Some(RatingView {
                    by: self.state.did(*by),
                    executor: self.state.did(*executor),
                    job: Cid::from_bytes(&rated.job).ok()?,
                    receipt: rated.receipt,
                    outcome: rated.outcome,
                    at: Timestamp::from_millis(rated.at),
                })
            })
        })
    }

    /// Lists for each member who let it in: the steward who admitted it first, or who signed its invitation.
    #[must_use]
    pub fn introducers(&self) -> BTreeMap<Did, Did> {
        let mut introducers = BTreeMap::new();
        for event in &self.state.events {
            let (member, by) = if let Rule::Join(member, _, by) = &event.rule {
                (*member, *by)
            } else if let Rule::Admit(member, _) = &event.rule {
                (*member, self.state.entry(event.entry).map_or(NONE, |entry| entry.author))
            } else {
                continue;
            };
            if member != by && by != NONE {
                introducers.entry(self.state.did(member)).or_insert_with(|| self.state.did(by));
            }
        }
        introducers
    }

    /// Counts the turns that who trusts whom, or who is a member or steward, has taken on this node.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Counts the turns that [`Books::ratings`] has taken on this node.
    #[must_use]
    pub const fn ratings_generation(&self) -> u64 {
        self.ratings_generation
    }
}
