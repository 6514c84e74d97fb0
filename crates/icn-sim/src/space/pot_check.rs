//! What must be true of a treasury at the end, counted from the entries and not from the books.

use std::collections::{BTreeMap, BTreeSet};

use icn_gossip::{Entry, Idx};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, Budget, ClaimCause, Mandate, OrderRef, Post, Proposal, Reason, approval_bytes};
use icn_types::{Cid, Did, Timestamp};

use super::check::is_taken;
use super::pot::Pot;
use super::world::Federation;
use crate::keys;

/// An entry, with the numbers of what stands directly before it.
struct Said {
    id: Cid,
    entry: Entry,
    post: Post,
    before: Vec<usize>,
}

/// All entries of a log, in the order of application.
pub(super) struct Story {
    said: Vec<Said>,
    places: BTreeMap<Cid, usize>,
}

/// What posts of a treasury carry out: a proposal, or a payment of a standing order.
type Errand = (OrderRef, Option<String>);

impl Story {
    fn of(replica: &Replica) -> Self {
        let mut story = Self { said: Vec::new(), places: BTreeMap::new() };
        for id in replica.log().ids_from(Idx(0)) {
            let raw = replica.entry(&id).and_then(|signed| signed.check().ok());
            let Some(entry) = raw.map(|raw| raw.unverified().clone()) else { continue };
            let Ok(post) = icn_ledger::post_of(&entry) else { continue };
            let named = entry.prev.into_iter().chain(entry.deps.iter().copied()).chain(post.refs());
            let before = named.filter_map(|id| story.places.get(&id).copied()).collect();
            story.places.insert(id, story.said.len());
            story.said.push(Said { id, entry, post, before });
        }
        story
    }

    fn act(&self, named: &OrderRef) -> Option<&Act> {
        let said = self.said.get(*self.places.get(&named.entry)?)?;
        said.post.acts.get(named.index as usize)
    }

    fn proposal(&self, named: &OrderRef) -> Option<&Proposal> {
        if let Some(Act::Propose(proposal)) = self.act(named) { Some(proposal) } else { None }
    }

    /// Lists what lies in the past of an entry, the earliest first.
    fn past(&self, of: usize) -> BTreeSet<usize> {
        let mut past = BTreeSet::new();
        let mut stack = vec![of];
        while let Some(at) = stack.pop() {
            let before = self.said.get(at).map_or(&[][..], |said| &said.before);
            stack.extend(before.iter().copied().filter(|one| past.insert(*one)));
        }
        past
    }
}

fn errand_of(post: &Post) -> Option<Errand> {
    match post.mandate? {
        Mandate::Proposal(named) => Some((named, None)),
        Mandate::Standing(named) => Some((named, Some(post.key.clone()?))),
    }
}

impl Federation {
    /// A proposal is paid once at most, with the approvals that its treasury asks for or within a budget, and no budget is
    /// overdrawn: by what stands in the end.
    pub(super) fn check_pot(&self) -> Result<(), String> {
        let (Some(pot), Some(replica)) = (&self.pot, self.replica(0)) else { return Ok(()) };
        let story = Story::of(replica);
        let mut done: BTreeMap<OrderRef, Cid> = BTreeMap::new();
        let mut spent: BTreeMap<OrderRef, i64> = BTreeMap::new();
        for (at, said) in story.said.iter().enumerate().filter(|(_, said)| said.entry.author == pot.did) {
            let verdicts = replica.books().verdicts(u32::try_from(at).unwrap_or(u32::MAX));
            let counting = said.post.acts.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_valid());
            let paid = counting
                .filter_map(|(act, _)| if let Act::Pay { amount, .. } = act { Some(*amount) } else { None });
            let (payments, sum) = paid.fold((0, 0), |(payments, sum), amount| (payments + 1, sum + amount));
            if payments == 0 {
                continue;
            }
            if let Some(Mandate::Proposal(named)) = said.post.mandate
                && let Some(first) = done.insert(named, said.id)
            {
                return Err(format!(
                    "the treasury carried out {} in {first} and in {}",
                    named.entry, said.id
                ));
            }
            let found = self.approvals(&story, pot, at);
            if found >= pot.threshold as usize {
                continue;
            }
            match budget_of(&story, &said.post) {
                Some(budget) => *spent.entry(budget).or_default() += sum,
                None => {
                    return Err(format!(
                        "the treasury paid {sum} in {} with {found} of {} approvals",
                        said.id, pot.threshold
                    ));
                }
            }
        }
        for (budget, sum) in spent {
            let Some(Act::Budget(terms)) = story.act(&budget) else {
                return Err(format!("the treasury spent {sum} of {}, which is no budget", budget.entry));
            };
            let most = terms.amount * periods(terms, replica);
            if sum > most {
                return Err(format!(
                    "of a budget of {most} {sum} was spent: {}#{}",
                    budget.entry, budget.index
                ));
            }
        }
        self.check_errands(&story, pot, replica)
    }

    /// Counts the approvers who had approved an entry of the treasury, as far as it had seen them: in its favour.
    fn approvals(&self, story: &Story, pot: &Pot, at: usize) -> usize {
        let Some(said) = story.said.get(at) else { return 0 };
        let verifier = keys::verifier(self.plan.real_signatures);
        let entry = &said.entry;
        let bytes = approval_bytes(entry.space, entry.author, entry.seq, &said.post.acts).unwrap_or_default();
        let signed = |by: &Did| {
            let mut of = said.post.approvals.iter().filter(|one| one.by == *by);
            of.any(|one| one.verify(&bytes, verifier.as_ref()).is_ok())
        };
        let past = story.past(at);
        let in_chain = |by: &Did| {
            let Some(Mandate::Proposal(named)) = said.post.mandate else { return false };
            let mut words: Vec<(u64, bool)> = Vec::new();
            for one in past.iter().filter_map(|at| story.said.get(*at)).filter(|one| one.entry.author == *by)
            {
                words.extend((one.id == named.entry).then_some((one.entry.seq, true)));
                let yes = Act::Approve { proposal: named };
                let no = Act::Withdraw { proposal: named };
                let spoken = one.post.acts.iter().filter(|act| **act == yes || **act == no);
                words.extend(spoken.map(|act| (one.entry.seq, *act == yes)));
            }
            words.sort_unstable();
            // Who signed twice at one place may have said both.
            let said_yes = words.iter().any(|(_, yes)| *yes);
            if self.is_honest(by) { words.last().is_some_and(|(_, yes)| *yes) } else { said_yes }
        };
        pot.approvers.iter().filter(|by| signed(by) || in_chain(by)).count()
    }

    /// Whatever became of its branches: what a treasury owes for one errand it owes once.
    fn check_errands(&self, story: &Story, pot: &Pot, replica: &Replica) -> Result<(), String> {
        let claims = replica.books().claims();
        let open: BTreeSet<OrderRef> = claims
            .iter()
            .filter(|claim| claim.cause == ClaimCause::Void && !claim.is_settled)
            .map(|claim| claim.order)
            .collect();
        let mut owed: BTreeMap<(Errand, u32), OrderRef> = BTreeMap::new();
        for said in story.said.iter().filter(|said| said.entry.author == pot.did) {
            let Some(errand) = errand_of(&said.post) else { continue };
            let is_whole =
                |named: &OrderRef| story.proposal(named).is_none_or(|it| it.acts == said.post.acts);
            if !is_whole(&errand.0) {
                continue;
            }
            for index in 0..u32::try_from(said.post.acts.len()).unwrap_or(0) {
                let order = OrderRef { entry: said.id, index };
                let view = replica.order(&order);
                let counts = view.is_some_and(|view| is_taken(view.status)) || open.contains(&order);
                if counts && let Some(first) = owed.insert((errand.clone(), index), order) {
                    return Err(format!(
                        "one payment of the treasury is taken or claimed twice: {} and {}",
                        first.entry, order.entry
                    ));
                }
            }
        }
        Ok(())
    }

    /// Tells whether a cheat with the treasury's key is why what somebody honest says does not count: it came after what was
    /// done on a branch that did not count then, or is about a payment that was taken or claimed on another branch.
    pub(super) fn comes_from_the_pot(&self, act: &Act, reason: Reason) -> bool {
        let cheats = self.pot.as_ref().is_some_and(|pot| !self.is_honest(&pot.did));
        let is_late = matches!(act, Act::Approve { .. } | Act::Withdraw { .. });
        let is_again = matches!(act, Act::Accept { .. });
        cheats && ((is_late && reason == Reason::ProposalOver) || (is_again && reason == Reason::AlreadyDone))
    }

    /// Tells whether another payment of the same errand was taken, or is claimed, in place of this one.
    pub(super) fn is_paid_elsewhere(&self, replica: &Replica, order: &OrderRef) -> bool {
        let Some(pot) = &self.pot else { return false };
        let story = Story::of(replica);
        let place = |id: &Cid| story.places.get(id).and_then(|at| story.said.get(*at));
        let Some(errand) = place(&order.entry).and_then(|said| errand_of(&said.post)) else { return false };
        let same = story.said.iter().filter(|said| {
            said.entry.author == pot.did
                && said.id != order.entry
                && errand_of(&said.post).as_ref() == Some(&errand)
        });
        let mut orders = same.map(|said| OrderRef { entry: said.id, index: order.index });
        let claims = replica.books().claims();
        let is_claimed =
            |other: &OrderRef| claims.iter().any(|claim| claim.order == *other && !claim.is_settled);
        orders.any(|other| {
            is_claimed(&other) || replica.order(&other).is_some_and(|view| is_taken(view.status))
        })
    }

    /// Finds a proposal that an honest treasury could carry out and has not.
    pub(super) fn open_proposal(&self) -> Option<String> {
        let pot = self.pot.as_ref()?;
        let replica = self.replica(pot.at)?;
        if !self.is_honest(&pot.did) || self.watch.limited.contains(&pot.did) {
            return None;
        }
        let open = replica.books().open_proposals(&pot.did);
        let waiting = open.into_iter().find(|one| {
            let is_covered = one.approved.len() >= one.needed as usize || one.proposal.budget.is_some();
            is_covered && replica.trouble_of(self.clock(pot.at), one).is_none()
        });
        waiting.map(|one| format!("the treasury has not done what {} asks for", one.id.entry.short()))
    }
}

fn budget_of(story: &Story, post: &Post) -> Option<OrderRef> {
    match post.mandate? {
        Mandate::Proposal(named) => story.proposal(&named)?.budget,
        Mandate::Standing(named) => {
            if let Some(Act::Standing(terms)) = story.act(&named) {
                terms.budget
            } else {
                None
            }
        }
    }
}

/// Counts the periods of a budget that can have begun for somebody.
fn periods(terms: &Budget, replica: &Replica) -> i64 {
    let sealed = replica.books().seals().into_iter().map(|seal| terms.period(Some(seal.time)));
    let all: BTreeSet<u32> = sealed.chain([terms.period(None::<Timestamp>)]).collect();
    i64::try_from(all.len()).unwrap_or(i64::MAX)
}
