//! Verdicts, and why an act does not count.

use icn_types::{Cid, Did};
use serde::{Deserialize, Serialize};

use crate::act::OrderRef;

/// What the books say of one act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It counts.
    Valid,
    /// It has no effect.
    Invalid(Reason),
}

/// Why an act does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
pub enum Reason {
    /// The author, or whom the act is about, is not a member in the entry's past.
    #[error("`{0}` is not a member as far as the entry's author had seen: have a steward admit it first")]
    NotAMember(Did),
    /// The act is for stewards.
    #[error("`{0}` is not a steward: ask one to do it")]
    NotASteward(Did),
    /// The seal is for members of the witness set, or for a steward where there are no witnesses.
    #[error("`{0}` is not a witness: ask one to seal")]
    NotAWitness(Did),
    /// Only the root founds a space, with its very first act.
    #[error("a space is founded once, by its root, with the root's first act")]
    NotTheFounder,
    /// The root's stewardship and membership cannot be ended.
    #[error("the root of the space stays a steward")]
    Root,
    /// The currency is not known in the entry's past.
    #[error("the currency is not known here: have a steward bring it in first")]
    UnknownCurrency,
    /// The decimals of a currency never change.
    #[error("the decimals of a currency never change: bring in another currency")]
    Decimals,
    /// Payments are for somebody else.
    #[error("nobody pays or asks itself: name another member")]
    SelfPayment,
    /// An amount is more than 0 and within its order.
    #[error("the amount does not fit: more than 0, and at most what was set aside")]
    Amount,
    /// The debit is larger than what the account may spend.
    #[error(
        "the account can spend {available}, but this takes {requested}: lower the amount or ask for a higher credit line"
    )]
    LimitExceeded {
        /// What may be spent, in the smallest unit; below 0 after a line was lowered.
        available: i64,
        /// What was asked for, in the smallest unit.
        requested: i64,
    },
    /// The debit relied on a credit that became void.
    #[error("the credit that this relied on is void: settle the claims first")]
    Uncovered,
    /// The balance would not fit its number.
    #[error("the balance would become too large: use another account")]
    Overflow,
    /// A steward stopped the account.
    #[error("the account is frozen: ask a steward")]
    Frozen,
    /// The author signed two entries at one earlier place.
    #[error(
        "the author has two entries at place {0} of its chain, and may not spend until a steward lifts it"
    )]
    Forked(u64),
    /// The entry is on a branch that lost.
    #[error("the entry is on a branch of its author's chain that does not count")]
    Void,
    /// The order named stands on a void or uncovered entry; a claim stands in its place.
    #[error("the order is void: a claim stands in its place")]
    OrderVoid,
    /// The order named never counted.
    #[error("the order does not count itself: ask for another payment")]
    OrderInvalid,
    /// There is no such order, or it is of another kind.
    #[error("there is no such order: name the entry and act of a payment, hold or capture")]
    NoSuchOrder,
    /// The act is for the other party of the order.
    #[error("this is for the other party of the order to do")]
    NotYours,
    /// A hold is accepted by naming its capture.
    #[error("the hold itself cannot be accepted: name its capture")]
    NotCaptured,
    /// The order was already accepted, declined, captured, returned or claimed.
    #[error("the order is decided already")]
    AlreadyDone,
    /// The payee did not decline it in the entry that is named.
    #[error("the payee's entry that declines the order is not the one named")]
    NotDeclined,
    /// The payee's decline is on a branch that lost, so the payment is open again.
    #[error("the payee's decline is on a branch that does not count: the payment is open again")]
    DeclineVoid,
    /// A seal at or after the expiry has ended it.
    #[error("it has expired: a sealed epoch ended after its time")]
    Expired,
    /// A post with the same word came before.
    #[error("the author's earlier post with the same key stands: this one repeats it")]
    Repeated,
    /// Too few approvers of the treasury signed.
    #[error("the treasury needs {needed} approvals and has {found}: collect more")]
    Approvals {
        /// How many approvers of the treasury's rule signed.
        found: u32,
        /// How many must.
        needed: u32,
    },
    /// The invitation is for another space or member, or was not issued by a steward.
    #[error("the invitation does not hold: ask a steward for another")]
    Invitation,
    /// The number does not follow.
    #[error("the number does not follow: the next one is {0}")]
    Number(u64),
    /// The seal before is not in force in the seal's past.
    #[error("the seal before is not in force in this seal's past: wait until it is certified")]
    SealPrev,
    /// The time of a seal rises.
    #[error("the time of a seal lies after that of the seal before")]
    SealTime,
    /// The seal's digest is not that of its past.
    #[error("the seal's digest is not that of the books in its past")]
    SealDigest,
    /// Nobody vouches for itself.
    #[error("nobody vouches for itself: name another")]
    OwnWord,
    /// The author trusts as many as it may.
    #[error("the author trusts {max} others already: take one back with `icn trust revoke`", max = super::words::TRUSTED_MAX)]
    TooManyEdges,
    /// The books wait for a rejudgement.
    #[error("the books are about to be judged anew: try again")]
    Pending,
    /// The credit would lift the payee's balance above what the currency allows.
    #[error("the balance would come to {would}, and may be {max} at most: spend some of it first")]
    BalanceMax {
        /// What a balance may be, in the smallest unit.
        max: i64,
        /// What it would be, in the smallest unit.
        would: i64,
    },
    /// There are too many of them already.
    #[error("there are too many of these already: end one first")]
    Full,
    /// What is disputed was not accepted in the entry's past.
    #[error("the payment was not accepted in the entry that is named: name the acceptance")]
    NotAccepted,
    /// The step is for the mediator, or for a steward who is no party once the dispute was handed on.
    #[error(
        "this is for the dispute's mediator to do, or once it is escalated for a steward who is no party"
    )]
    NotTheMediator,
    /// The time for mediation, counted by seals, is not over.
    #[error("the time for mediation is not over: wait for the mediator, or for a seal after that time")]
    TooEarly,
    /// The space has no fund that bears losses.
    #[error("the space has no fund for losses: have a steward name one with `icn space policy --fund`")]
    NoFund,
    /// Only the debt of a former member can be written off.
    #[error("`{0}` is still a member: its debt is its own until the membership ends")]
    StillAMember(Did),
    /// The account is no treasury in the entry's past.
    #[error("`{0}` is no treasury: name one, or have a steward make it one with `icn space treasury`")]
    NotATreasury(Did),
    /// The author approves nothing for this treasury.
    #[error("`{0}` is no approver of the treasury: ask one of its approvers")]
    NotAnApprover(Did),
    /// There is no such proposal.
    #[error("there is no such proposal: see `icn ledger proposal list --all`")]
    NoSuchProposal,
    /// The proposal was carried out or withdrawn.
    #[error("the proposal was carried out or withdrawn already: make another one")]
    ProposalOver,
    /// The entry does something else than what it says that it carries out.
    #[error("the acts are not those that were proposed: carry them out as they stand, and all of them")]
    NotProposed,
    /// There is no such budget of the treasury.
    #[error("there is no such budget of the treasury: see `icn ledger budget list --all`")]
    NoSuchBudget,
    /// The budget was ended, or its time is over.
    #[error("the budget has ended: have it set anew, or ask the approvers")]
    BudgetEnded,
    /// The payment is larger than what is left of the budget.
    #[error(
        "the budget has {left} left in this period, but this takes {requested}: lower the amount, wait for the next \
         period, or ask the approvers"
    )]
    OverBudget {
        /// What may be spent of it in this period, in the smallest unit.
        left: i64,
        /// What was asked for, in the smallest unit.
        requested: i64,
    },
    /// The holder of the budget signed two entries at one place.
    #[error(
        "the holder of the budget has two entries at one place of its chain: a steward has to lift it first"
    )]
    ForkedHolder,
}

impl Verdict {
    /// Returns why the act does not count, if so.
    #[must_use]
    pub const fn err(self) -> Option<Reason> {
        match self {
            Self::Valid => None,
            Self::Invalid(reason) => Some(reason),
        }
    }

    /// Tells whether the act counts.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Valid)
    }
}

impl From<Result<(), Reason>> for Verdict {
    fn from(result: Result<(), Reason>) -> Self {
        match result {
            Ok(()) => Self::Valid,
            Err(reason) => Self::Invalid(reason),
        }
    }
}

impl Reason {
    /// Returns the stable word for it, in listings and counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAMember(_) => "not_a_member",
            Self::NotASteward(_) => "not_a_steward",
            Self::NotAWitness(_) => "not_a_witness",
            Self::NotTheFounder => "not_the_founder",
            Self::Root => "root",
            Self::UnknownCurrency => "unknown_currency",
            Self::Decimals => "decimals",
            Self::SelfPayment => "self_payment",
            Self::Amount => "amount",
            Self::LimitExceeded { .. } => "limit_exceeded",
            Self::Uncovered => "uncovered",
            Self::Overflow => "overflow",
            Self::Frozen => "frozen",
            Self::Forked(_) => "forked",
            Self::Void => "void",
            Self::OrderVoid => "order_void",
            Self::OrderInvalid => "order_invalid",
            Self::NoSuchOrder => "no_such_order",
            Self::NotYours => "not_yours",
            Self::NotCaptured => "not_captured",
            Self::AlreadyDone => "already_done",
            Self::NotDeclined => "not_declined",
            Self::DeclineVoid => "decline_void",
            Self::Expired => "expired",
            Self::Repeated => "repeated",
            Self::Approvals { .. } => "approvals",
            Self::Invitation => "invitation",
            Self::Number(_) => "number",
            Self::SealPrev => "seal_prev",
            Self::SealTime => "seal_time",
            Self::SealDigest => "seal_digest",
            Self::OwnWord => "own_word",
            Self::TooManyEdges => "too_many_edges",
            Self::Pending => "pending",
            Self::BalanceMax { .. } => "balance_max",
            Self::Full => "full",
            Self::NotAccepted => "not_accepted",
            Self::NotTheMediator => "not_the_mediator",
            Self::TooEarly => "too_early",
            Self::NoFund => "no_fund",
            Self::StillAMember(_) => "still_a_member",
            Self::NotATreasury(_) => "not_a_treasury",
            Self::NotAnApprover(_) => "not_an_approver",
            Self::NoSuchProposal => "no_such_proposal",
            Self::ProposalOver => "proposal_over",
            Self::NotProposed => "not_proposed",
            Self::NoSuchBudget => "no_such_budget",
            Self::BudgetEnded => "budget_ended",
            Self::OverBudget { .. } => "over_budget",
            Self::ForkedHolder => "forked_holder",
        }
    }

    /// Tells whether another entry may yet change this verdict, or the author can do it again later with success.
    #[must_use]
    pub const fn is_curable(&self) -> bool {
        matches!(
            self,
            Self::NotAMember(_)
                | Self::UnknownCurrency
                | Self::LimitExceeded { .. }
                | Self::Uncovered
                | Self::Frozen
                | Self::Forked(_)
                | Self::Void
                | Self::OrderVoid
                | Self::OrderInvalid
                | Self::DeclineVoid
                | Self::BalanceMax { .. }
                | Self::NotAccepted
                | Self::TooEarly
                | Self::NoFund
                | Self::OverBudget { .. }
                | Self::ForkedHolder
        )
    }
}

/// Names what no author writes (a claim, an expiry) by its cause, so that any node may compute it and exactly one exists.
#[must_use]
pub fn derived_id(kind: &str, of: &[OrderRef]) -> Cid {
    #[derive(Serialize)]
    struct Derived<'a> {
        derived: &'a str,
        of: &'a [OrderRef],
    }
    // Text and ids always have a DAG-CBOR form.
    Cid::of_dag_cbor(&icn_types::codec::encode(&Derived { derived: kind, of }).unwrap_or_default())
}
