//! What is on disk of a job. Types of this module are stored as strict DAG-CBOR and carry their version.

use icn_protocol::{ExecutionReceipt, JobStatus, PriceRates};
use icn_types::{Cid, Did, End, NodeCapacity, Region, StandardJobStatus, Timestamp, TokenAmount};
use serde::{Deserialize, Serialize};

use crate::payment::{DueRecord, PaymentRecord};

/// How many turns a job's history keeps; when full, the oldest `Progress` and `Log` lines go first.
pub const HISTORY_MAX: usize = 400;

/// One turn in the life of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// The state entered, or `Progress`, `Log`, `Note` for what was said.
    pub state: String,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Why a job ended without a receipt that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A bid as it came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidRecord {
    /// Who bids.
    pub executor: Did,
    /// The CID of the signed bid.
    pub cid: Cid,
    /// What it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<TokenAmount>,
    /// By which rates the receipt will be priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<PriceRates>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// What it can give.
    #[serde(default)]
    pub capacity: NodeCapacity,
    /// How many jobs wait there.
    #[serde(default)]
    pub queue_depth: u64,
    /// How long until it would start, in milliseconds.
    #[serde(default)]
    pub estimated_start_ms: u64,
    /// How many of the job's blocks it has.
    #[serde(default)]
    pub blobs_held: u64,
    /// When it came in.
    pub at: Timestamp,
    /// Until when it binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the placement made of it, in parts per million.
    #[serde(default)]
    pub score: u64,
    /// Why it cannot be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ineligible: Option<String>,
    /// What became of it once chosen: `paying`, `unpaid: …`, `assigned`, `accepted`, `kept`, `refused: …`, `unreachable`, `silent`, `lost`, `broken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// A refusal to bid, or (code `interest`) the wish to bid later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclineRecord {
    /// Who declines.
    pub executor: Did,
    /// By which rule.
    pub code: String,
    /// With which figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it came in.
    pub at: Timestamp,
}

/// An assignment that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentRecord {
    /// The lease epoch, from 1.
    pub epoch: u64,
    /// To whom.
    pub executor: Did,
    /// The CID of the signed assignment, which the receipt must name.
    pub cid: Cid,
    /// The signed map, as a block.
    #[serde(with = "serde_bytes")]
    pub block: Vec<u8>,
    /// The message, as sent.
    #[serde(with = "serde_bytes")]
    pub message: Vec<u8>,
    /// When.
    pub at: Timestamp,
    /// The receipt that came for it, counted or late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Cid>,
}

/// A job of this originator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The version of this record: 1.
    pub version: u8,
    /// The announcement id.
    pub id: Cid,
    /// The parameters as they were announced.
    #[serde(with = "serde_bytes")]
    pub params: Vec<u8>,
    /// What the parameters say for people, kept apart so that showing a job needs no decoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether this node's own executor stays out of it.
    pub remote: bool,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// How it stands, in detail.
    pub state: JobStatus,
    /// How it stands, in five words.
    pub status: StandardJobStatus,
    /// How often bidding was opened.
    pub round: u64,
    /// The bids, in order of arrival.
    pub bids: Vec<BidRecord>,
    /// The refusals to bid, at most 64.
    pub declines: Vec<DeclineRecord>,
    /// The assignments, in order of epochs.
    pub assignments: Vec<AssignmentRecord>,
    /// The payments, in order of epochs; none for a free job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<PaymentRecord>,
    /// The CID of the receipt that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_cid: Option<Cid>,
    /// The receipt that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ExecutionReceipt>,
    /// Why it ended without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why the originator took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<String>,
    /// Every turn.
    pub history: Vec<Turn>,
}

impl JobRecord {
    /// Returns the assignment that counts now.
    #[must_use]
    pub fn assignment(&self) -> Option<&AssignmentRecord> {
        self.assignments.last()
    }

    /// Returns the current lease epoch; 0 before the first assignment.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.assignment().map_or(0, |assignment| assignment.epoch)
    }

    /// Returns the epoch of the next assignment. One whose hold was refused is not used again: the ledger knows it.
    #[must_use]
    pub(crate) fn next_epoch(&self) -> u64 {
        self.epoch().max(self.payments.last().map_or(0, |payment| payment.epoch)) + 1
    }

    /// Tells whether all its payments are closed, so that nothing of it has to be known any more once it is final.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.payments.iter().all(|payment| payment.state.is_closed())
    }

    /// Returns the bid that the current assignment took.
    pub(crate) fn bid_taken(&self) -> Option<&BidRecord> {
        let executor = self.assignment()?.executor;
        self.bids.iter().rev().find(|bid| bid.executor == executor && bid.outcome.is_some())
    }

    /// Returns how the execution ended, if a receipt says so.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receipt.as_ref().map(|receipt| receipt.end)
    }

    /// Enters a state.
    pub(crate) fn enter(&mut self, at: Timestamp, state: JobStatus, detail: Option<String>) {
        let name = state.as_str().to_owned();
        self.state = state;
        self.say(at, &name, detail);
    }

    /// Adds a line to the history, within its bound.
    pub(crate) fn say(&mut self, at: Timestamp, state: &str, detail: Option<String>) {
        push_turn(&mut self.history, Turn { at, state: state.to_owned(), detail });
    }
}

/// Cuts a text that is too long, between characters.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

/// Adds a turn; a full history loses its oldest line that is no state.
fn push_turn(history: &mut Vec<Turn>, turn: Turn) {
    if history.len() >= HISTORY_MAX {
        let chatter =
            history.iter().position(|turn| matches!(turn.state.as_str(), "Progress" | "Log" | "Note"));
        history.remove(chatter.unwrap_or(1).min(history.len() - 1));
    }
    history.push(turn);
}

/// A bid that this executor made and is bound by until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRecord {
    /// The job.
    pub job: Cid,
    /// Who announced it.
    pub originator: Did,
    /// The parameters as they were announced.
    #[serde(with = "serde_bytes")]
    pub params: Vec<u8>,
    /// The CID of the signed bid.
    pub bid_cid: Cid,
    /// The CIDs of earlier bids on the same terms, which bind as well: an assignment may have crossed a new bid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Cid>,
    /// The price that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<TokenAmount>,
    /// By which rates the receipt will be priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<PriceRates>,
    /// Until when the bid binds.
    pub expires_at: Timestamp,
}

/// An execution on this executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// The version of this record: 1.
    pub version: u8,
    /// The job.
    pub job: Cid,
    /// Who assigned it.
    pub originator: Did,
    /// The lease epoch.
    pub epoch: u64,
    /// The length of the lease in seconds.
    pub lease_seconds: u64,
    /// The CID of the signed assignment.
    pub assignment_cid: Cid,
    /// The signed assignment, as a block.
    #[serde(with = "serde_bytes")]
    pub assignment: Vec<u8>,
    /// The parameters as they were announced.
    #[serde(with = "serde_bytes")]
    pub params: Vec<u8>,
    /// The price that was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<TokenAmount>,
    /// By which rates the receipt will be priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<PriceRates>,
    /// What is due for it, and for earlier epochs of the job as long as they are not settled; nothing for a free job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dues: Vec<DueRecord>,
    /// How it stands.
    pub state: JobStatus,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The receipt, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_cid: Option<Cid>,
    /// The receipt itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ExecutionReceipt>,
    /// Whether the originator has acknowledged the receipt, or nobody waits for it any more.
    pub delivered: bool,
    /// Every turn.
    pub history: Vec<Turn>,
}

impl ExecutionRecord {
    /// Tells whether all that is due for the job is closed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.dues.iter().all(|due| due.state.is_closed())
    }

    /// Enters a state.
    pub(crate) fn enter(&mut self, at: Timestamp, state: JobStatus, detail: Option<String>) {
        push_turn(&mut self.history, Turn { at, state: state.as_str().to_owned(), detail });
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_history_keeps_its_states() {
        let mut history = vec![Turn { at: Timestamp::default(), state: "Announced".into(), detail: None }];
        for n in 0..1_000_u64 {
            push_turn(
                &mut history,
                Turn { at: Timestamp::from_millis(n), state: "Progress".into(), detail: None },
            );
        }
        push_turn(&mut history, Turn { at: Timestamp::default(), state: "Completed".into(), detail: None });
        assert_eq!(history.len(), HISTORY_MAX);
        assert_eq!(history.first().unwrap().state, "Announced");
        assert_eq!(history.last().unwrap().state, "Completed");
    }
}
