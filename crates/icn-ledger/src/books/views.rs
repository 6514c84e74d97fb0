//! What the books show to people and to the other parts of a node.

use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use super::facts::ForkRule;
use super::reason::Reason;
use crate::act::OrderRef;
use crate::dispute::Outcome;
use crate::policy::CreditPolicy;
use crate::standing::StandingOrder;
use crate::treasury::{Budget, Proposal};

/// A member of the space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub did: Did,
    /// What people call it.
    pub nickname: Option<String>,
    /// Whether it may change the rules.
    pub is_steward: bool,
    /// Whether a steward stopped it from spending.
    pub is_frozen: bool,
}

/// A currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencyView {
    /// Its code.
    pub code: String,
    /// How many decimals people see.
    pub decimals: u8,
    /// The steward whose word about it is the latest.
    pub issuer: Did,
    /// How its lines are measured.
    pub policy: CreditPolicy,
}

/// A treasury and who must approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreasuryView {
    /// The account.
    pub account: Did,
    /// Who may approve.
    pub approvers: Vec<Did>,
    /// How many of them must.
    pub threshold: u32,
}

/// The witness set in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessSetView {
    /// Its number.
    pub number: u64,
    /// Its members, sorted.
    pub members: Vec<Did>,
    /// The members of the set before, if there was one.
    pub members_before: Option<Vec<Did>>,
    /// Who of the set before is known to have voted for the naming of this one.
    pub handed_over_by: Vec<Did>,
}

/// What an account has in one currency, in the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Both legs of everything accepted: what members see.
    pub booked: i64,
    /// How far below zero the account may go.
    pub line: i64,
    /// Set aside for own payments and holds that are not accepted yet.
    pub reserved: i64,
    /// Accepted, but not final enough to be spent.
    pub pending: i64,
    /// Sent by others and not accepted yet.
    pub incoming: i64,
    /// What may be spent now.
    pub available: i64,
    /// Whether a steward, or a fork of its own, stops the account from spending.
    pub frozen: bool,
}

/// What an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// A payment.
    Pay,
    /// Credit set aside.
    Hold,
    /// What was paid out of a hold.
    Capture,
    /// A request for a payment.
    Request,
}

/// How far an order has come: the highest that it reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The payer signed it; its amount is set aside.
    Sent,
    /// The payee took it.
    Accepted,
    /// A quorum of witnesses saw nothing else at its place, and the payee took it.
    Certified,
    /// It lies in a sealed epoch, and the payee took it.
    Sealed,
    /// The payee refused it; the payer may take it back.
    Declined,
    /// The payer took it back.
    Returned,
    /// A hold that waits.
    Placed,
    /// The payer paid it out; the payee may accept that.
    Captured,
    /// The payer freed all of it.
    Released,
    /// A seal ended it.
    Expired,
    /// The payee claims it.
    Claimed,
    /// It stands on a branch that lost, or relied on one.
    Void,
    /// It never counted.
    Invalid,
    /// A request that waits.
    Open,
    /// A request that was paid.
    Paid,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// Which.
    pub id: OrderRef,
    /// What it is.
    pub kind: OrderKind,
    /// Who pays; of a request, who asks.
    pub from: Did,
    /// Who is paid; of a request, who is asked.
    pub to: Did,
    /// How much, in the smallest unit.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// When it lapses.
    pub expires: Option<Timestamp>,
    /// The payer's clock.
    pub at: Timestamp,
    /// How far it has come.
    pub status: OrderStatus,
    /// Whether the payee may spend it.
    pub is_final: bool,
    /// The payee's entry that took it.
    pub accepted: Option<Cid>,
    /// The payee's entry that refused it.
    pub declined: Option<Cid>,
    /// Of a hold: its capture; of a capture: its hold.
    pub link: Option<OrderRef>,
    /// Of a hold: how much was captured.
    pub captured: Option<i64>,
}

/// Why a claim exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimCause {
    /// What was accepted became void.
    Void,
    /// A hold was due and not captured.
    Hold,
}

/// What a member is owed outside of the balances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// Derived from the acceptance or claim and the order: the same everywhere.
    pub id: Cid,
    /// Who is owed.
    pub creditor: Did,
    /// Who owes.
    pub debtor: Did,
    /// In which currency.
    pub currency: String,
    /// How much, in the smallest unit.
    pub amount: i64,
    /// The order that it is for.
    pub order: OrderRef,
    /// The creditor's act.
    pub by: OrderRef,
    /// Why.
    pub cause: ClaimCause,
    /// Whether it was paid after all: the hold was captured and accepted, or the treasury carried the payment out once more.
    pub is_settled: bool,
}

/// A place of a chain with more than one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkView {
    /// Whose chain.
    pub author: Did,
    /// Which place.
    pub seq: u64,
    /// The entries, sorted.
    pub branches: Vec<Cid>,
    /// The one that counts.
    pub winner: Cid,
    /// By which rule.
    pub rule: ForkRule,
    /// Whether a steward who had seen it has lifted the freeze.
    pub is_lifted: bool,
}

/// A seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealView {
    /// Its entry.
    pub entry: Cid,
    /// Its number.
    pub number: u64,
    /// The end of the epoch.
    pub time: Timestamp,
    /// Whether it is certified, or was made by a steward without witnesses.
    pub is_in_force: bool,
    /// Whether it is part of the line.
    pub is_in_line: bool,
}

/// An act without effect that another entry may cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Which act.
    pub act: OrderRef,
    /// Whose.
    pub author: Did,
    /// Why.
    pub reason: Reason,
}

/// What an account may spend, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The rule that would refuse the amount; none: it would pass.
    pub rule: Option<Reason>,
    /// The figures.
    pub balance: Balance,
    /// What of the balance seals and acts of others have moved, in the smallest unit.
    pub derived: i64,
    /// The entry that granted the line; none: the currency's policy for new members.
    pub line_from: Option<Cid>,
    /// What would raise what is available, for people.
    pub would_raise: Vec<String>,
}

/// Why money moved without a word of the account's own chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferCause {
    /// A seal charged an idle balance.
    Demurrage {
        /// The act that set the rule.
        rule: OrderRef,
    },
    /// A dispute was resolved.
    Dispute {
        /// About which payment.
        order: OrderRef,
    },
    /// A steward wrote a debt off.
    WriteOff,
}

/// A transfer that follows from a seal, or from somebody else's act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Derived from its cause: the same everywhere.
    pub id: Cid,
    /// Who pays.
    pub from: Did,
    /// Who is paid.
    pub to: Did,
    /// In which currency.
    pub currency: String,
    /// How much, in the smallest unit.
    pub amount: i64,
    /// The act that causes it.
    pub by: OrderRef,
    /// Why.
    pub cause: TransferCause,
    /// The time of the seal, or the clock of the act's author.
    pub at: Timestamp,
}

/// How far a dispute has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// Nobody mediates yet.
    Contested,
    /// A mediator is to resolve it.
    UnderMediation,
    /// A steward who is no party is to resolve it.
    Escalated,
    /// It is over.
    Resolved,
}

/// A dispute about an accepted payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeView {
    /// The act that opened it.
    pub id: OrderRef,
    /// What it is about.
    pub order: OrderRef,
    /// Who opened it.
    pub by: Did,
    /// Who paid.
    pub payer: Did,
    /// Who was paid.
    pub payee: Did,
    /// How much was paid, in the smallest unit.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// How far it has come.
    pub status: DisputeStatus,
    /// Who mediates.
    pub mediator: Option<Did>,
    /// What became of the payment.
    pub outcome: Option<Outcome>,
    /// The act that said so.
    pub resolved_by: Option<OrderRef>,
    /// From when on any member may hand it to the stewards, in sealed time; none before it lies in a sealed epoch.
    pub escalates_at: Option<Timestamp>,
    /// What the parties have shown since: who, and the act.
    pub evidence: Vec<(Did, OrderRef)>,
}

/// A standing order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingView {
    /// The act that placed it.
    pub id: OrderRef,
    /// What it says.
    pub terms: StandingOrder,
    /// Whether its payer ended it.
    pub is_ended: bool,
    /// How many payments it has made.
    pub paid: u32,
    /// When the next one is due; none when there is none.
    pub next_due: Option<Timestamp>,
}

/// What a treasury was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalView {
    /// The act that proposed it.
    pub id: OrderRef,
    /// Who proposed it.
    pub by: Did,
    /// What it says.
    pub proposal: Proposal,
    /// When, by the proposer's clock.
    pub at: Timestamp,
    /// Who may approve it.
    pub approvers: Vec<Did>,
    /// Who of them does.
    pub approved: Vec<Did>,
    /// How many of them must, unless a budget covers it.
    pub needed: u32,
    /// What became of it.
    pub status: ProposalStatus,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalStatus {
    /// It is not carried out yet.
    Waiting,
    /// The treasury's entry that carried it out.
    Enacted(Cid),
    /// Whoever proposed it ended it.
    Withdrawn,
    /// Its time is over.
    Expired,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetView {
    /// The act that allotted it.
    pub id: OrderRef,
    /// What it says.
    pub terms: Budget,
    /// The number of the period that the last seal lies in, from 0.
    pub period: u32,
    /// What was spent in it, in the smallest unit.
    pub spent: i64,
    /// What is left in it, in the smallest unit.
    pub left: i64,
    /// Whether somebody ended it.
    pub is_ended: bool,
    /// Whether its time is over.
    pub is_over: bool,
}
