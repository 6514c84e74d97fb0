//! Judging what treasuries are asked to do, by whom, and what their budgets bear.

use icn_types::{Did, Timestamp};

use super::judge::Judge;
use super::judge_money::clamp;
use super::reason::Reason;
use super::standings;
use super::state::Rule;
use super::treasuries::{Asked, Draw, Place, TreasuryStep};
use crate::act::{Act, OrderRef};
use crate::treasury::{Budget, Mandate, Proposal};

/// How many proposals of one author to one treasury wait at a time. Full: withdraw one first.
const PROPOSALS_MAX: usize = 64;
/// How many budgets a treasury has at a time. Full: end one first.
const BUDGETS_MAX: usize = 256;

/// What lets the author of an entry do what needs approvals.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leave {
    /// It is no treasury, or enough of its approvers approve.
    Full,
    /// A budget, and how the approvals stand for what that does not cover.
    Within { budget: Place, missing: Reason },
}

impl Judge<'_> {
    pub(super) fn treasury_act(&mut self, index: u32, act: &Act) -> Result<(), Reason> {
        if let Act::Propose(proposal) = act {
            self.propose(index, proposal)
        } else if let Act::Approve { proposal } = act {
            self.approve(index, proposal)
        } else if let Act::Withdraw { proposal } = act {
            self.withdraw(index, proposal)
        } else if let Act::Budget(terms) = act {
            self.allot(index, terms)
        } else if let Act::EndBudget { budget } = act {
            self.end_budget(index, budget)
        } else {
            Ok(())
        }
    }

    fn say(&mut self, index: u32, step: TreasuryStep) {
        self.event(index, Rule::Treasuries(step));
    }

    pub(super) fn place_of(&self, named: &OrderRef) -> Option<Place> {
        self.referred(&named.entry).map(|entry| (entry, named.index))
    }

    fn propose(&mut self, index: u32, proposal: &Proposal) -> Result<(), Reason> {
        let by = self.draft.author;
        let treasury = self.account(proposal.treasury);
        let lens = self.lens();
        let Some((approvers, _)) = lens.treasury(treasury) else {
            return Err(Reason::NotATreasury(proposal.treasury));
        };
        let mut may = by == treasury || approvers.contains(&self.item.author);
        if let Some(named) = &proposal.budget {
            let place = self.budget_place(named).ok_or(Reason::NoSuchBudget)?;
            let budget = lens.budget(place).filter(|budget| budget.treasury == treasury);
            let budget = budget.ok_or(Reason::NoSuchBudget)?;
            let is_holder = budget.holder == Some(by);
            if !is_holder {
                return Err(Reason::NotYours);
            }
            may = true;
        }
        if !may {
            return Err(Reason::NotAnApprover(self.item.author));
        }
        if lens.proposals_waiting(treasury, by) >= PROPOSALS_MAX {
            return Err(Reason::Full);
        }
        self.say(index, TreasuryStep::Propose { treasury, by, proposal: Box::new(proposal.clone()) });
        Ok(())
    }

    /// Finds a proposal that is neither carried out nor withdrawn.
    fn open_proposal(&self, named: &OrderRef) -> Result<(Place, Asked<'_>), Reason> {
        let place = self.place_of(named).ok_or(Reason::NoSuchProposal)?;
        let lens = self.lens();
        let asked = lens.proposal(place).ok_or(Reason::NoSuchProposal)?;
        if lens.enacted(place).is_some() || lens.is_withdrawn(place, asked.by) {
            return Err(Reason::ProposalOver);
        }
        if lens.has_come(asked.proposal.expires) {
            return Err(Reason::Expired);
        }
        Ok((place, asked))
    }

    fn approve(&mut self, index: u32, named: &OrderRef) -> Result<(), Reason> {
        let by = self.draft.author;
        let (place, asked) = self.open_proposal(named)?;
        let approvers = self.lens().treasury(asked.treasury).map_or(&[][..], |(approvers, _)| approvers);
        if !approvers.contains(&self.item.author) {
            return Err(Reason::NotAnApprover(self.item.author));
        }
        if self.lens().approves(place, asked.by, by) {
            return Err(Reason::AlreadyDone);
        }
        self.say(index, TreasuryStep::Approve { proposal: place, by, is_given: true });
        Ok(())
    }

    fn withdraw(&mut self, index: u32, named: &OrderRef) -> Result<(), Reason> {
        let by = self.draft.author;
        let (place, asked) = self.open_proposal(named)?;
        if by != asked.by && !self.lens().approves(place, asked.by, by) {
            return Err(Reason::NotYours);
        }
        self.say(index, TreasuryStep::Approve { proposal: place, by, is_given: false });
        Ok(())
    }

    fn allot(&mut self, index: u32, terms: &Budget) -> Result<(), Reason> {
        let author = self.draft.author;
        let treasury = self.account(terms.treasury);
        if author != treasury && !self.lens().is_steward(author) {
            return Err(Reason::NotASteward(self.item.author));
        }
        self.check_fork()?;
        self.check_approvals()?;
        let holder = terms.holder.map(|holder| self.account(holder));
        let currency = self.find_currency(&terms.currency).ok_or(Reason::UnknownCurrency)?;
        let lens = self.lens();
        if lens.treasury(treasury).is_none() {
            return Err(Reason::NotATreasury(terms.treasury));
        }
        if lens.currency(currency).is_none() {
            return Err(Reason::UnknownCurrency);
        }
        if let Some((holder, did)) = holder.zip(terms.holder)
            && !lens.is_member(holder)
        {
            return Err(Reason::NotAMember(did));
        }
        if lens.budgets_of(treasury) >= BUDGETS_MAX {
            return Err(Reason::Full);
        }
        let terms = Box::new(terms.clone());
        self.say(index, TreasuryStep::Budget { treasury, holder, currency, terms });
        Ok(())
    }

    fn end_budget(&mut self, index: u32, named: &OrderRef) -> Result<(), Reason> {
        let author = self.draft.author;
        let place = self.budget_place(named).ok_or(Reason::NoSuchBudget)?;
        let lens = self.lens();
        let budget = lens.budget(place).ok_or(Reason::NoSuchBudget)?;
        if budget.holder != Some(author) && budget.treasury != author && !lens.is_steward(author) {
            return Err(Reason::NotASteward(self.item.author));
        }
        if lens.is_budget_ended(place) {
            return Err(Reason::AlreadyDone);
        }
        self.check_fork()?;
        self.check_approvals()?;
        self.say(index, TreasuryStep::EndBudget(place));
        Ok(())
    }

    /// Finds out once for an entry what lets its author do what needs approvals; notes which proposal it carries out.
    pub(super) fn take_leave(&mut self) {
        let Some(mandate) = &self.item.post.mandate else { return };
        let leave = self.find_leave(mandate);
        // What a fork of the treasury stops is not carried out: the proposal stays open.
        if let (Ok(_), Mandate::Proposal(named)) = (leave, mandate)
            && let Some(place) = self.place_of(named)
            && self.check_fork().is_ok()
        {
            self.say(0, TreasuryStep::Enact(place));
        }
        self.draft.leave = Some(leave);
    }

    fn find_leave(&self, mandate: &Mandate) -> Result<Leave, Reason> {
        let author = self.draft.author;
        let lens = self.lens();
        let Some(rule) = lens.treasury(author) else { return Err(Reason::NotATreasury(self.item.author)) };
        match mandate {
            Mandate::Proposal(named) => {
                let (place, asked) = self.open_proposal(named)?;
                if asked.treasury != author {
                    return Err(Reason::NotYours);
                }
                if asked.proposal.acts != self.item.post.acts {
                    return Err(Reason::NotProposed);
                }
                let approves = |did: &Did| {
                    let by = self.state.by_did.get(did).copied();
                    by.is_some_and(|by| lens.approves(place, asked.by, by) && !lens.has_seen_fork(by))
                };
                let Some(missing) = self.missing(rule, approves) else { return Ok(Leave::Full) };
                let Some(budget) = &asked.proposal.budget else { return Err(missing) };
                if lens.has_seen_fork(asked.by) {
                    return Err(Reason::ForkedHolder);
                }
                let budget = self.budget_place(budget).ok_or(Reason::NoSuchBudget)?;
                let is_holder = lens.budget(budget).is_some_and(|known| known.holder == Some(asked.by));
                if is_holder { Ok(Leave::Within { budget, missing }) } else { Err(missing) }
            }
            Mandate::Standing(named) => {
                let place = self.place_of(named).ok_or(Reason::NoSuchOrder)?;
                let missing = self.missing(rule, |_| false);
                let Some(missing) = missing else { return Ok(Leave::Full) };
                let terms = standings::open(self.state, author, place).ok_or(Reason::NoSuchOrder)?;
                if !matches!(self.item.post.acts.as_slice(), [act] if terms.is_payment(act)) {
                    return Err(Reason::NotProposed);
                }
                let budget = terms.budget.as_ref().and_then(|budget| self.budget_place(budget));
                budget.map_or(Err(missing), |budget| Ok(Leave::Within { budget, missing }))
            }
        }
    }

    /// Finds a budget that the past has. The entry need not name it itself: the proposal or standing order does.
    fn budget_place(&self, named: &OrderRef) -> Option<Place> {
        let hash = super::state::hash_of(&named.entry);
        let is_named = |place: &&Place| place.1 == named.index && self.state.id(place.0) == hash;
        let found = self.state.treasuries.budgets.keys().find(is_named).copied();
        found.filter(|place| self.lens().budget(*place).is_some())
    }

    /// Says what approvals an entry lacks; `approves` tells of those that stand in chains of approvers.
    fn missing(&self, rule: (&[Did], u32), approves: impl Fn(&Did) -> bool) -> Option<Reason> {
        let (approvers, needed) = rule;
        let signed = &self.item.post.approvals;
        let found = approvers.iter().filter(|by| signed.iter().any(|one| one.by == **by) || approves(by));
        let found = super::state::number(found.count());
        (found < needed).then_some(Reason::Approvals { found, needed })
    }

    /// Refuses what a treasury does without enough of its approvers.
    pub(super) fn check_approvals(&self) -> Result<(), Reason> {
        match self.draft.leave {
            // Acts before in the same entry may have made the author a treasury.
            None => self
                .lens()
                .treasury(self.draft.author)
                .and_then(|rule| self.missing(rule, |_| false))
                .map_or(Ok(()), Err),
            Some(Ok(Leave::Full)) => Ok(()),
            Some(Ok(Leave::Within { missing, .. }) | Err(missing)) => Err(missing),
        }
    }

    /// Lets a treasury place a standing order with enough approvals, or one within the budget that it is proposed under.
    pub(super) fn check_standing_approvals(&self, named: Option<&OrderRef>) -> Result<(), Reason> {
        if let Some(named) = named {
            let budget = self.budget_place(named).and_then(|place| self.lens().budget(place));
            if budget.is_none_or(|budget| budget.treasury != self.draft.author) {
                return Err(Reason::NoSuchBudget);
            }
        }
        match self.draft.leave {
            Some(Ok(Leave::Within { budget, .. }))
                if named.is_some_and(|named| self.budget_place(named) == Some(budget)) =>
            {
                Ok(())
            }
            _ => self.check_approvals(),
        }
    }

    /// Finds what a payment takes from a budget; nothing if it needs none.
    pub(super) fn check_budget(&self, currency: u32, amount: i64) -> Result<Option<Draw>, Reason> {
        let Some(Ok(Leave::Within { budget: place, missing })) = self.draft.leave else {
            return self.check_approvals().map(|()| None);
        };
        let lens = self.lens();
        let budget = lens.budget(place).ok_or(Reason::NoSuchBudget)?;
        if budget.currency != currency || budget.treasury != self.draft.author {
            return Err(missing);
        }
        if lens.is_budget_ended(place) || lens.has_come(budget.terms.until) {
            return Err(Reason::BudgetEnded);
        }
        if let Some(holder) = budget.holder.filter(|holder| !lens.is_member(*holder)) {
            return Err(Reason::NotAMember(self.state.did(holder)));
        }
        let period = budget.terms.period(lens.latest_time().map(Timestamp::from_millis));
        let here = self.draft.draws.iter().filter(|draw| draw.budget == place);
        let spent: i128 = self.state.treasuries.spent(place, period)
            + here.map(|draw| i128::from(draw.amount)).sum::<i128>();
        let left = i128::from(budget.terms.amount) - spent;
        if i128::from(amount) > left {
            return Err(Reason::OverBudget { left: clamp(left), requested: amount });
        }
        Ok(Some(Draw { budget: place, period, amount }))
    }
}
