//! What members say in the books: the acts of an entry on `ledger:sync`, and the post that holds them.

mod form;
mod kinds;
mod order_ref;
mod post;
#[cfg(test)]
mod tests;

use icn_types::{Cid, Did, JobOutcome, Timestamp, TrustContext};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use self::form::{DECIMALS_MAX, EVIDENCE_MAX, MEMO_BYTES_MAX, NAME_BYTES_MAX, SET_MAX};
pub(crate) use self::form::{currency, memo, name, positive};
pub use self::order_ref::OrderRef;
pub(crate) use self::post::strict;
pub use self::post::{ACTS_MAX, POST_VERSION, PROOFS_MAX, Post, post_of};
use crate::demurrage::Demurrage;
use crate::dispute::DisputeAct;
use crate::invitation::Invitation;
use crate::policy::{CreditPolicy, SpacePolicy};
use crate::standing::StandingOrder;
use crate::treasury::{Budget, Proposal};

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Founds the space: only the root, first of all. The root is its first steward.
    Found {
        /// What people call it.
        name: String,
        /// When, by the founder's clock.
        created: Timestamp,
    },
    /// Sets what is final, and other rules of the space. Stewards only.
    Policy(SpacePolicy),
    /// Makes a member a steward. Stewards only.
    Appoint {
        /// Whom.
        member: Did,
    },
    /// Ends a stewardship; the root's cannot be ended. Stewards only.
    Dismiss {
        /// Whose.
        member: Did,
    },
    /// Takes a member in. Stewards only.
    Admit {
        /// Whom.
        member: Did,
        /// What people call it.
        nickname: Option<String>,
    },
    /// Ends a membership: nothing that the former member says later counts. Stewards only.
    Expel {
        /// Whose.
        member: Did,
    },
    /// Takes up an invitation: the new member's own first act.
    Join {
        /// The invitation.
        invitation: Box<Invitation>,
        /// What people are to call the member.
        nickname: Option<String>,
    },
    /// Brings in a currency, or changes its policy. Stewards only; the author is the issuer.
    Currency {
        /// Its code, as in [`TokenAmount`].
        code: String,
        /// How many decimals people see: 0 to 9. Never changes.
        decimals: u8,
        /// How credit lines are measured.
        policy: CreditPolicy,
    },
    /// Grants, raises or lowers a credit line. Stewards only.
    Line {
        /// Whose.
        account: Did,
        /// In which currency.
        currency: String,
        /// How far below zero the balance may go, in the smallest unit.
        limit: i64,
        /// Which grant this is; the highest that an entry's past holds counts.
        number: u64,
    },
    /// Stops an account from spending. Stewards only.
    Freeze {
        /// Whose.
        account: Did,
        /// Why, for people.
        reason: String,
        /// When it ends by itself: with the first seal at or after this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// Ends a freeze, the automatic one after a fork too. Stewards only.
    Unfreeze {
        /// Whose.
        account: Did,
    },
    /// Names the witnesses. Stewards only; a later set counts once the set before has certified this entry.
    Witnesses {
        /// From 1, each one more.
        number: u64,
        /// Who, sorted, each once; empty ends witnessing.
        members: Vec<Did>,
    },
    /// Makes an account a treasury, whose posts need approvals. Stewards only.
    Treasury {
        /// The account. Its own key signs its one chain.
        account: Did,
        /// Who may approve, sorted, each once.
        approvers: Vec<Did>,
        /// How many of them must.
        threshold: u32,
    },
    /// Pays.
    Pay {
        /// Whom.
        to: Did,
        /// How much, in the smallest unit; more than 0.
        amount: i64,
        /// In which currency.
        currency: String,
        /// For people.
        memo: Option<String>,
        /// The request that this answers.
        request: Option<OrderRef>,
        /// When it lapses unless it was accepted: with the first seal at or after this time.
        expires: Option<Timestamp>,
    },
    /// Asks a member for a payment.
    Request {
        /// Whom.
        of: Did,
        /// How much, in the smallest unit; more than 0.
        amount: i64,
        /// In which currency.
        currency: String,
        /// For people.
        memo: Option<String>,
        /// When it lapses, for display.
        expires: Option<Timestamp>,
    },
    /// Takes a payment, or what was captured of a hold. The payee's act.
    Accept {
        /// What.
        order: OrderRef,
    },
    /// Refuses a payment or request, or releases a hold. The payee's act (for a request: of whoever was asked).
    Decline {
        /// What.
        order: OrderRef,
        /// For people.
        reason: Option<String>,
    },
    /// Takes back what was declined. The payer's act.
    Return {
        /// What.
        order: OrderRef,
        /// The payee's entry that declined it.
        decline: Cid,
    },
    /// Sets credit aside for a payee, who is paid when the payer captures.
    Hold {
        /// For whom.
        to: Did,
        /// How much at most, in the smallest unit; more than 0.
        amount: i64,
        /// In which currency.
        currency: String,
        /// When it lapses: with the first seal at or after this time.
        expires: Timestamp,
        /// What for: a job's id, for instance.
        purpose: Option<Cid>,
    },
    /// Pays out a hold, in part or whole; the rest is free at once. The payer's act.
    Capture {
        /// Which.
        hold: OrderRef,
        /// How much; 0 frees all of it.
        amount: i64,
        /// What shows that it is due, such as a receipt.
        evidence: Option<Cid>,
    },
    /// Says that a hold is due although the payer did not capture it. The payee's act.
    Claim {
        /// Which.
        hold: OrderRef,
        /// How much.
        amount: i64,
        /// What shows it: assignment and receipt.
        evidence: Vec<Cid>,
    },
    /// Proposes the end of an epoch: everything in this entry's past. It counts once certified, or at once from a
    /// steward of a space without witnesses.
    Seal {
        /// Which epoch, rising.
        number: u64,
        /// The seal before.
        prev: Option<Cid>,
        /// The time of the epoch's end: the only time that a rule may use.
        time: Timestamp,
        /// SHA-256 of the reduced state of the cut, 32 bytes.
        digest: ByteBuf,
    },
    /// Reports the author's own fork, made by a restored backup.
    Repair {
        /// At which place of the chain.
        at: u64,
        /// The entries that are given up.
        lost: Vec<Cid>,
    },
    /// Says how far the author trusts somebody, a member or not. The last word of the author's chain counts.
    Trust {
        /// Whom.
        of: Did,
        /// In which matter.
        context: TrustContext,
        /// How far, in parts per million: 0 takes back what was said, 1,000,000 is full trust.
        score_ppm: u32,
        /// When it ends, by the clock of whoever asks; no verdict on money depends on it.
        expires: Option<Timestamp>,
        /// For people.
        note: Option<String>,
    },
    /// Says what came of a job that somebody ran for the author.
    Rate {
        /// Who ran it.
        executor: Did,
        /// The job.
        job: Cid,
        /// Its receipt, if one came.
        receipt: Option<Cid>,
        /// What came of it.
        outcome: JobOutcome,
    },
    /// Sets how idle balances of a currency are charged at each seal, or ends it. Stewards only.
    Demurrage {
        /// Of which currency.
        currency: String,
        /// How; absent: no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<Demurrage>,
        /// The member or treasury that gets the charge, and pays none itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fund: Option<Did>,
    },
    /// Takes a step of a dispute about an accepted payment.
    Dispute(DisputeAct),
    /// Ends a standing order. The payer's act.
    EndStanding {
        /// Which.
        standing: OrderRef,
    },
    /// Places a standing order: the payer's node pays whenever it is due.
    Standing(StandingOrder),
    /// Moves the debt of a former member to the community's fund. Stewards only.
    WriteOff {
        /// Whose.
        account: Did,
        /// In which currency.
        currency: String,
        /// How much of it, in the smallest unit; more than 0.
        amount: i64,
        /// Which write-off of this account and currency this is, from 1; of two with one number the first counts.
        number: u64,
        /// Why, for people.
        reason: String,
    },
    /// Asks a treasury to do something. For the treasury itself, its approvers, and holders of its budgets; an approver
    /// approves what it proposes.
    Propose(Box<Proposal>),
    /// Approves a proposal. It counts while the author is an approver.
    Approve {
        /// Which.
        proposal: OrderRef,
    },
    /// Takes back an approval; by whoever proposed: ends the proposal.
    Withdraw {
        /// Which.
        proposal: OrderRef,
    },
    /// Allots a sum that may be spent from a treasury without approvals. For stewards, and the treasury itself.
    Budget(Budget),
    /// Ends a budget. For stewards, the treasury itself, and the budget's holder.
    EndBudget {
        /// Which.
        budget: OrderRef,
    },
}
