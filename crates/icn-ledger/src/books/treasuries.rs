//! Treasuries: what they are asked to do, who approves it, and what their budgets allow.
//!
//! A proposal is carried out by the treasury's own chain, once, wherever that chain has come to: two proposals at a time do not
//! exclude each other. What is said in proposals and approvals counts as far as the entry that carries them out has seen it.
//! It counts on a branch that lost, too: it moves nothing by itself, and a payee is not to lose what was paid in good faith.
//! Whoever has seen a fork of a proposer or approver takes no word of it until a steward lifts the fork.
//!
//! When the treasury itself forked, what it carried out on the lost branch is open again, and carried out once more where its
//! chain goes on. The two are one errand: its payee takes one of them. See [`super::errands`].

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Did, Timestamp};
use serde::{Deserialize, Serialize};

use super::Books;
use super::judge_money::clamp;
use super::lens::Lens;
use super::snapshot::{pairs, wide};
use super::state::{Event, Rule, State};
use super::views::{BudgetView, ProposalStatus, ProposalView};
use crate::act::OrderRef;
use crate::treasury::{Budget, Proposal};

/// An act, by entry and number.
pub(super) type Place = (u32, u32);

/// What happened about treasuries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TreasuryStep {
    Propose {
        treasury: u32,
        by: u32,
        proposal: Box<Proposal>,
    },
    /// An approval, or its withdrawal.
    Approve {
        proposal: Place,
        by: u32,
        is_given: bool,
    },
    /// The treasury has carried it out.
    Enact(Place),
    Budget {
        treasury: u32,
        holder: Option<u32>,
        currency: u32,
        terms: Box<Budget>,
    },
    EndBudget(Place),
}

/// What was spent of a budget in the last period in which something was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spent {
    period: u32,
    #[serde(with = "wide")]
    amount: i128,
}

/// What an entry of a treasury carries out: entries on different branches that carry out the same are one errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Errand {
    /// The proposal or standing order.
    pub(super) of: Place,
    /// Which payment of a standing order, by its key.
    pub(super) key: Option<[u8; 16]>,
}

/// Everything about treasuries that the books keep beside the events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Treasuries {
    #[serde(with = "pairs")]
    spent: BTreeMap<Place, Spent>,
    /// By entry of a treasury, on whatever branch.
    #[serde(with = "pairs")]
    errands: BTreeMap<u32, Errand>,
    /// Made from the errands: the entries of each.
    #[serde(skip)]
    carried: BTreeMap<Errand, Vec<u32>>,
    /// Made from the events: the act that proposed, and what was said about it.
    #[serde(skip)]
    proposals: BTreeMap<Place, Vec<u32>>,
    /// By treasury and proposer.
    #[serde(skip)]
    by_proposer: BTreeMap<(u32, u32), Vec<Place>>,
    /// By treasury: proposals that nothing is known to have ended.
    #[serde(skip)]
    open: BTreeMap<u32, BTreeSet<Place>>,
    /// Made from the events: the act that allotted, and what ended it.
    #[serde(skip)]
    pub(super) budgets: BTreeMap<Place, Vec<u32>>,
}

impl Treasuries {
    pub(super) fn index(&mut self, number: u32, event: &Event, step: &TreasuryStep) {
        let (map, place) = match step {
            TreasuryStep::Propose { treasury, by, .. } => {
                let place = (event.entry, event.index);
                self.by_proposer.entry((*treasury, *by)).or_default().push(place);
                self.open.entry(*treasury).or_default().insert(place);
                (&mut self.proposals, place)
            }
            TreasuryStep::Enact(proposal) => {
                self.open.values_mut().for_each(|open| open.retain(|one| one != proposal));
                (&mut self.proposals, *proposal)
            }
            TreasuryStep::Approve { proposal, .. } => (&mut self.proposals, *proposal),
            TreasuryStep::Budget { .. } => (&mut self.budgets, (event.entry, event.index)),
            TreasuryStep::EndBudget(budget) => (&mut self.budgets, *budget),
        };
        map.entry(place).or_default().push(number);
    }

    /// Remembers what an entry carries out.
    pub(super) fn carry(&mut self, entry: u32, errand: Errand) {
        self.errands.insert(entry, errand);
        self.carried.entry(errand).or_default().push(entry);
    }

    /// Finds again which entries carry out the same, after a checkpoint was read.
    pub(super) fn index_errands(&mut self) {
        self.carried.clear();
        for (entry, errand) in &self.errands {
            self.carried.entry(*errand).or_default().push(*entry);
        }
    }

    /// Lists the other entries that carry out what this one does.
    pub(super) fn others_of(&self, entry: u32) -> impl Iterator<Item = u32> {
        let same = self.errands.get(&entry).and_then(|errand| self.carried.get(errand));
        same.into_iter().flatten().copied().filter(move |other| *other != entry)
    }

    pub(super) fn spend(&mut self, draws: &[Draw]) {
        for draw in draws {
            let spent = self.spent.entry(draw.budget).or_default();
            if spent.period != draw.period {
                *spent = Spent { period: draw.period, amount: 0 };
            }
            spent.amount += i128::from(draw.amount);
        }
    }

    pub(super) fn spent(&self, budget: Place, period: u32) -> i128 {
        self.spent.get(&budget).filter(|spent| spent.period == period).map_or(0, |spent| spent.amount)
    }
}

/// What a payment takes from a budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) budget: Place,
    pub(super) period: u32,
    pub(super) amount: i64,
}

/// A proposal as a past shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) treasury: u32,
    pub(super) by: u32,
    pub(super) proposal: &'a Proposal,
}

/// A budget as a past shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allotted<'a> {
    pub(super) treasury: u32,
    pub(super) holder: Option<u32>,
    pub(super) currency: u32,
    pub(super) terms: &'a Budget,
}

impl<'a> Lens<'a> {
    pub(super) fn about(
        &self,
        map: &'a BTreeMap<Place, Vec<u32>>,
        place: Place,
    ) -> impl Iterator<Item = &'a Event> {
        let list = map.get(&place).map_or(&[][..], Vec::as_slice);
        self.seen(list)
    }

    pub(super) fn proposal(&self, place: Place) -> Option<Asked<'a>> {
        let mut steps = self.about(&self.state.treasuries.proposals, place);
        steps.find_map(|event| {
            let Rule::Treasuries(TreasuryStep::Propose { treasury, by, proposal }) = &event.rule else {
                return None;
            };
            let asked = Asked { treasury: *treasury, by: *by, proposal };
            ((event.entry, event.index) == place).then_some(asked)
        })
    }

    pub(super) fn budget(&self, place: Place) -> Option<Allotted<'a>> {
        let mut steps = self.about(&self.state.treasuries.budgets, place);
        steps.find_map(|event| {
            let Rule::Treasuries(TreasuryStep::Budget { treasury, holder, currency, terms }) = &event.rule
            else {
                return None;
            };
            let known = Allotted { treasury: *treasury, holder: *holder, currency: *currency, terms };
            ((event.entry, event.index) == place).then_some(known)
        })
    }

    /// Returns the entry that carried a proposal out.
    pub(super) fn enacted(&self, place: Place) -> Option<u32> {
        let mut steps = self.about(&self.state.treasuries.proposals, place);
        let is_it = |event: &&Event| matches!(&event.rule, Rule::Treasuries(TreasuryStep::Enact(which)) if *which == place);
        steps.find(is_it).map(|event| event.entry)
    }

    /// Returns the last word of an account about a proposal.
    pub(super) fn word(&self, place: Place, by: u32) -> Option<bool> {
        let steps = self.about(&self.state.treasuries.proposals, place);
        let said = steps.filter_map(|event| {
            let Rule::Treasuries(TreasuryStep::Approve { proposal, by: who, is_given }) = &event.rule else {
                return None;
            };
            (*proposal == place && *who == by).then(|| (self.rank(event), *is_given))
        });
        said.max_by_key(|(rank, _)| *rank).map(|(_, is_given)| is_given)
    }

    pub(super) fn is_withdrawn(&self, place: Place, proposer: u32) -> bool {
        self.word(place, proposer) == Some(false)
    }

    /// Tells whether somebody approves a proposal: by an own word, or because it is its own.
    pub(super) fn approves(&self, place: Place, proposer: u32, by: u32) -> bool {
        self.word(place, by).unwrap_or(by == proposer)
    }

    pub(super) fn is_budget_ended(&self, place: Place) -> bool {
        let mut steps = self.about(&self.state.treasuries.budgets, place);
        steps.any(|event| {
            matches!(&event.rule, Rule::Treasuries(TreasuryStep::EndBudget(which)) if *which == place)
        })
    }

    /// Tells whether a seal in force in the past has this time or a later one.
    pub(super) fn has_come(&self, time: Option<Timestamp>) -> bool {
        time.zip(self.latest_time()).is_some_and(|(time, now)| now >= time.as_millis())
    }

    /// Tells whether the past has two branches of somebody's fork, and no steward's word that lifts it.
    pub(super) fn has_seen_fork(&self, author: u32) -> bool {
        self.facts.places_of(author).any(|(_, place)| {
            let seen = place.branches.iter().filter(|idx| {
                self.state.branch_events.get(idx).is_some_and(|event| self.view.contains(*event))
            });
            seen.count() >= 2 && !self.state.is_lifted(author, &place.branches, self.view)
        })
    }

    pub(super) fn proposals_waiting(&self, treasury: u32, by: u32) -> usize {
        let made = self.state.treasuries.by_proposer.get(&(treasury, by)).into_iter().flatten();
        made.filter(|place| {
            let asked = self.proposal(**place);
            asked.is_some_and(|asked| !self.has_come(asked.proposal.expires))
                && self.enacted(**place).is_none()
                && !self.is_withdrawn(**place, by)
        })
        .count()
            + self.own.iter().filter(|event| is_proposal_to(event, treasury)).count()
    }

    /// Tells whether a time of a budget or an open proposal is over of which no seal knows: an end, or a period in which
    /// something was spent.
    pub(super) fn treasuries_await(&self, sealed: u64, now: u64) -> bool {
        let [sealed, now] = [sealed, now].map(Timestamp::from_millis);
        let is_due = |time: Option<Timestamp>| time.is_some_and(|time| sealed < time && time <= now);
        let treasuries = &self.state.treasuries;
        let open = treasuries.open.values().flatten();
        let mut proposals = open.filter_map(|place| self.proposal(*place).map(|asked| (*place, asked)));
        let mut budgets = treasuries.budgets.keys().filter(|place| !self.is_budget_ended(**place));
        proposals.any(|(place, asked)| is_due(asked.proposal.expires) && !self.is_withdrawn(place, asked.by))
            || budgets.any(|place| {
                self.budget(*place).is_some_and(|budget| {
                    let period = budget.terms.period(Some(sealed));
                    let is_spent = treasuries.spent(*place, period) > 0 && !self.has_come(budget.terms.until);
                    is_due(budget.terms.until) || (is_spent && budget.terms.period(Some(now)) > period)
                })
            })
    }

    pub(super) fn budgets_of(&self, treasury: u32) -> usize {
        let known = self.state.treasuries.budgets.keys().filter(|place| {
            self.budget(**place)
                .is_some_and(|budget| budget.treasury == treasury && !self.has_come(budget.terms.until))
                && !self.is_budget_ended(**place)
        });
        let own = self.own.iter().filter(|event| {
            matches!(&event.rule,
                Rule::Treasuries(TreasuryStep::Budget { treasury: whose, .. }) if *whose == treasury)
        });
        known.count() + own.count()
    }
}

fn is_proposal_to(event: &Event, treasury: u32) -> bool {
    matches!(&event.rule, Rule::Treasuries(TreasuryStep::Propose { treasury: to, .. }) if *to == treasury)
}

impl Books {
    /// Lists what treasuries were asked to do, oldest first: one treasury, or all of them.
    #[must_use]
    pub fn proposals(&self, of: Option<&Did>) -> Vec<ProposalView> {
        self.shown(of, self.state.treasuries.proposals.keys())
    }

    /// Lists what a treasury was asked to do and has not done.
    #[must_use]
    pub fn open_proposals(&self, of: &Did) -> Vec<ProposalView> {
        let open = self.account_of(of).and_then(|account| self.state.treasuries.open.get(&account));
        let mut list = self.shown(Some(of), open.into_iter().flatten());
        list.retain(|proposal| proposal.status == ProposalStatus::Waiting);
        list
    }

    fn shown<'a>(&self, of: Option<&Did>, places: impl Iterator<Item = &'a Place>) -> Vec<ProposalView> {
        let view = self.everything();
        let lens = self.lens(&view);
        let list = places.filter_map(|place| {
            let asked = lens.proposal(*place)?;
            let treasury = self.state.did(asked.treasury);
            if of.is_some_and(|of| *of != treasury) {
                return None;
            }
            let (approvers, needed) = lens.treasury(asked.treasury)?;
            let approves = |did: &&Did| {
                let by = self.account_of(did);
                by.is_some_and(|by| lens.approves(*place, asked.by, by) && !lens.has_seen_fork(by))
            };
            let status = if let Some(entry) = lens.enacted(*place) {
                ProposalStatus::Enacted(super::state::cid_of(&self.state.id(entry)))
            } else if lens.is_withdrawn(*place, asked.by) {
                ProposalStatus::Withdrawn
            } else if lens.has_come(asked.proposal.expires) {
                ProposalStatus::Expired
            } else {
                ProposalStatus::Waiting
            };
            Some(ProposalView {
                id: self.named(*place),
                by: self.state.did(asked.by),
                proposal: asked.proposal.clone(),
                at: Timestamp::from_millis(self.state.entry(place.0).map_or(0, |entry| entry.at)),
                approvers: approvers.to_vec(),
                approved: approvers.iter().filter(approves).copied().collect(),
                needed,
                status,
            })
        });
        list.collect()
    }

    /// Lists budgets, oldest first: of one treasury, or of all of them.
    #[must_use]
    pub fn budgets(&self, of: Option<&Did>) -> Vec<BudgetView> {
        let view = self.everything();
        let lens = self.lens(&view);
        let sealed = lens.latest_time().map(Timestamp::from_millis);
        let list = self.state.treasuries.budgets.keys().filter_map(|place| {
            let budget = lens.budget(*place)?;
            if of.is_some_and(|of| *of != budget.terms.treasury) {
                return None;
            }
            let period = budget.terms.period(sealed);
            let spent = clamp(self.state.treasuries.spent(*place, period));
            Some(BudgetView {
                id: self.named(*place),
                terms: budget.terms.clone(),
                period,
                spent,
                left: budget.terms.amount.saturating_sub(spent),
                is_ended: lens.is_budget_ended(*place),
                is_over: lens.has_come(budget.terms.until),
            })
        });
        list.collect()
    }

    fn named(&self, place: Place) -> OrderRef {
        OrderRef { entry: super::state::cid_of(&self.state.id(place.0)), index: place.1 }
    }
}

impl State {
    /// Writes what was spent of budgets by names instead of numbers.
    pub(super) fn reduced_spending(&self) -> impl Iterator<Item = Vec<u8>> {
        self.treasuries.spent.iter().map(|(place, spent)| {
            let mut bytes = self.id(place.0).to_vec();
            bytes.extend(place.1.to_be_bytes());
            bytes.extend(spent.period.to_be_bytes());
            bytes.extend(spent.amount.to_be_bytes());
            bytes
        })
    }

    pub(super) fn treasury_text(&self, step: &TreasuryStep) -> String {
        let named = |place: &Place| format!("{}#{}", super::state::cid_of(&self.id(place.0)), place.1);
        match step {
            TreasuryStep::Propose { by, proposal, .. } => format!("propose {} {proposal:?}", self.did(*by)),
            TreasuryStep::Approve { proposal, by, is_given } => {
                format!("approve {} {} {is_given}", named(proposal), self.did(*by))
            }
            TreasuryStep::Enact(proposal) => format!("enact {}", named(proposal)),
            TreasuryStep::Budget { terms, .. } => format!("budget {terms:?}"),
            TreasuryStep::EndBudget(budget) => format!("end budget {}", named(budget)),
        }
    }

    pub(super) fn index_treasuries(&mut self, number: u32, event: &Event) {
        if let Rule::Treasuries(step) = &event.rule {
            self.treasuries.index(number, event, step);
        }
    }
}
