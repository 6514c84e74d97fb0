//! A treasury: what it is asked for, who approves it, what its budgets pay, and who tries to get at it.

use icn_ledger::{Act, Approval, Budget, Every, Mandate, OrderRef, Post, Proposal, StandingOrder};
use icn_types::{Did, Timestamp};
use serde_bytes::ByteBuf;

use super::outside::{HOURS, Outside};
use super::work::STANDING_COUNT;
use super::world::{BEGIN_MS, Federation};

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// How often somebody looks for a proposal that has not arrived yet.
const LOOKS: u8 = 12;
/// How often a steward lifts forks of the treasury.
const LIFTS_MAX: usize = 8;
/// What the holder of the budget without periods may spend.
const ALLOTTED: i64 = 20;
/// What standing orders and holders may spend in a day.
const DAILY: i64 = 12;

/// The treasury of a federation.
#[derive(Debug, Clone)]
pub(super) struct Pot {
    /// Its account.
    pub(super) did: Did,
    /// The node with its key.
    pub(super) at: usize,
    /// Who approves what it does.
    pub(super) approvers: Vec<Did>,
    /// How many of them must.
    pub(super) threshold: u32,
    /// The act that allotted a sum to the first approver, once the space is founded.
    pub(super) once: Option<OrderRef>,
    /// The act that allotted a sum for each day to the last approver.
    pub(super) daily: Option<OrderRef>,
    /// The act that allotted a sum for each day to standing orders.
    pub(super) standing: Option<OrderRef>,
}

impl Pot {
    /// Makes the treasury whose key is on a node, and that others than its node look after if there are such.
    pub(super) fn new(did: Did, at: usize, members: &[Did]) -> Self {
        let mut approvers: Vec<Did> = members.iter().take(3).copied().collect();
        approvers.sort_unstable();
        let threshold = u32::try_from(approvers.len().min(2)).unwrap_or(1);
        Self { did, at, approvers, threshold, once: None, daily: None, standing: None }
    }

    /// Lists the acts that make it a treasury with budgets.
    pub(super) fn founding(&self) -> Vec<Act> {
        let (first, last) = (self.approvers.first().copied(), self.approvers.last().copied());
        let rule =
            Act::Treasury { account: self.did, approvers: self.approvers.clone(), threshold: self.threshold };
        let daily = Some(Every::Days(1));
        vec![
            rule,
            Act::Budget(self.budget(first, ALLOTTED, None)),
            Act::Budget(self.budget(last, DAILY, daily)),
            Act::Budget(self.budget(None, DAILY, daily)),
        ]
    }

    fn budget(&self, holder: Option<Did>, amount: i64, every: Option<Every>) -> Budget {
        let start = Timestamp::from_millis((BEGIN_MS / DAY_MS - 1) * DAY_MS);
        let (purpose, currency) = (None, HOURS.to_owned());
        Budget { treasury: self.did, holder, purpose, currency, amount, every, start, until: None }
    }
}

impl Federation {
    /// Notes which acts of the founding allotted the budgets.
    pub(super) fn note_budgets(&mut self, founding: icn_types::Cid, acts: &[Act]) {
        let places: Vec<u32> = acts
            .iter()
            .enumerate()
            .filter(|(_, act)| matches!(act, Act::Budget(_)))
            .filter_map(|(index, _)| u32::try_from(index).ok())
            .collect();
        let named = |nth: usize| places.get(nth).map(|index| OrderRef { entry: founding, index: *index });
        if let Some(pot) = &mut self.pot {
            (pot.once, pot.daily, pot.standing) = (named(0), named(1), named(2));
        }
    }

    /// Somebody wants something of the treasury.
    pub(super) fn ask_the_pot(&mut self) {
        let Some(pot) = self.pot.clone() else { return };
        let payees: Vec<Did> = self.nodes.iter().map(|node| node.did).collect();
        let to = payees.get(self.random.index(payees.len())).copied().unwrap_or(self.space);
        let amount = i64::try_from(self.random.within((1, 15))).unwrap_or(1);
        let memo = Some(format!("pot {}", self.intents.len()));
        let terms = |amount: i64| {
            let (currency, memo) = (HOURS.to_owned(), memo.clone());
            Act::Pay { to, amount, currency, memo, request: None, expires: None }
        };
        let approver = pot.approvers.get(self.random.index(pot.approvers.len())).copied();
        let (by, act, budget) = match self.random.index(10) {
            0 | 1 => (pot.approvers.first().copied(), terms(amount.min(9)), pot.once),
            2 | 3 => (pot.approvers.last().copied(), terms(amount.min(7)), pot.daily),
            // Two payments are overdue, and the third is due at midnight.
            4 => {
                let standing = StandingOrder {
                    to,
                    amount: amount.min(8),
                    currency: HOURS.to_owned(),
                    memo: memo.clone(),
                    start: Timestamp::from_millis((BEGIN_MS / DAY_MS - 1) * DAY_MS),
                    every: Every::Days(1),
                    count: Some(STANDING_COUNT),
                    until: None,
                    budget: pot.standing,
                };
                (approver, Act::Standing(standing), None)
            }
            5 if self.random.chance(200_000) => {
                let budget = if self.random.chance(500_000) { pot.once } else { pot.daily };
                let Some(budget) = budget else { return };
                self.intend(0, self.space, vec![Act::EndBudget { budget }]);
                return;
            }
            _ => (approver, terms(amount), None),
        };
        let Some((by, at)) = by.and_then(|by| Some((by, *self.by_did.get(&by)?))) else { return };
        let proposal = Proposal { treasury: pot.did, acts: vec![act], budget, expires: None };
        let intent = self.intend(at, by, vec![Act::Propose(Box::new(proposal))]);
        let later = self.random.within((300, 4_000));
        self.come(later, Outside::Follow(intent));
    }

    /// Lets the other approvers decide about what was proposed.
    pub(super) fn hand_round(&mut self, proposal: OrderRef, proposer: Did) {
        let Some(pot) = self.pot.clone() else { return };
        for by in pot.approvers {
            let later = self.random.within((100, 6_000));
            let changes_mind = self.random.chance(120_000);
            if by != proposer && self.random.chance(700_000) {
                self.come(later, Outside::Decide { proposal, by, approves: true, looks: LOOKS });
            }
            if changes_mind {
                let after = self.random.within((0, 6_000));
                self.come(later + after, Outside::Decide { proposal, by, approves: false, looks: LOOKS });
            }
        }
    }

    /// An approver approves, or withdraws, as soon as it has seen the proposal.
    pub(super) fn decide(&mut self, proposal: OrderRef, by: Did, approves: bool, looks: u8) {
        let Some(at) = self.by_did.get(&by).copied() else { return };
        if self.replica(at).is_some_and(|replica| replica.log().contains(&proposal.entry)) {
            let act = if approves { Act::Approve { proposal } } else { Act::Withdraw { proposal } };
            self.intend(at, by, vec![act]);
        } else if looks > 0 {
            let looks = looks - 1;
            self.come(1_500, Outside::Decide { proposal, by, approves, looks });
        }
    }

    /// A steward lets the treasury go on after a fork, once it has seen it.
    pub(super) fn lift_the_pot(&mut self) {
        let Some(account) = self.pot.as_ref().map(|pot| pot.did) else { return };
        let is_forked = self.replica(0).is_some_and(|replica| replica.books().is_forked(&account));
        let act = Act::Unfreeze { account };
        let lifts = self.intents.iter().filter(|intent| intent.acts.first() == Some(&act));
        let (known, waits) =
            lifts.fold((0, false), |(known, waits), intent| (known + 1, waits || intent.answer.is_none()));
        if is_forked && !waits && known < LIFTS_MAX && self.random.chance(400_000) {
            self.intend(0, self.space, vec![act]);
        }
    }

    /// Drafts what a cheat with the treasury's key signs: what it was asked for, on as many branches as it likes, or a
    /// payment that nobody approved.
    pub(super) fn draft_for_the_pot(&mut self, view: usize) -> Option<Post> {
        let pot = self.pot.clone()?;
        let open = self.replica(view)?.books().open_proposals(&pot.did);
        let picked = self.random.index(open.len());
        let thief = self.nodes.get(pot.at).map(|node| node.did)?;
        let asked = open.get(picked).filter(|_| !self.random.chance(150_000));
        Some(match asked {
            Some(asked) => {
                let mandate = Some(Mandate::Proposal(asked.id));
                Post { mandate, ..Post::new(asked.proposal.acts.clone()) }
            }
            None => Post::new(vec![self.theft(thief)]),
        })
    }

    fn theft(&mut self, to: Did) -> Act {
        let memo = Some(format!("theft {}", self.number()));
        Act::Pay { to, amount: 5, currency: HOURS.to_owned(), memo, request: None, expires: None }
    }

    /// A cheat with the treasury's key pays itself under approvals that nobody gave.
    pub(super) fn forge_approvals(&mut self, at: usize) {
        let Some(pot) = self.pot.clone().filter(|pot| pot.at == at) else { return };
        let (Some(signer), Some(view)) = (self.pot_signer(), self.view()) else { return };
        let to = self.nodes.get(at).map_or(self.space, |node| node.did);
        let act = self.theft(to);
        let forged = |by: &Did| Approval { by: *by, sig: ByteBuf::from(vec![7; 64]) };
        let approvals = pot.approvers.iter().map(forged).collect();
        let post = Post { approvals, ..Post::new(vec![act]) };
        let now = self.clock(at);
        let drafted = self.replica(view).and_then(|it| it.next_entry(now, pot.did, &post).ok());
        let Some(signed) = drafted.and_then(|entry| entry.sign(signer.as_ref()).ok()) else { return };
        self.story.tell(self.now_ms, || format!("n{at} forges approvals in {}", signed.id().short()));
        for to in 0..self.nodes.len() {
            self.show(at, to, signed.signed().clone());
        }
    }
}
