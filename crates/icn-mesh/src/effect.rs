//! What the machines ask of the shell.

use icn_protocol::Response;
use icn_types::{Cid, Did, Duration, JobOutcome, Timestamp, TokenAmount};

use crate::record::{ExecutionRecord, JobRecord, OfferRecord};

/// Names one outgoing direct message, so that its answer finds the one who waits for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestId {
    /// A decline or interest: nobody waits.
    Forget,
    /// A bid.
    Bid {
        /// The job.
        job: Cid,
        /// The signed bid.
        bid: Cid,
    },
    /// The assignment of a job under a lease epoch.
    Assignment {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// A cancellation.
    Cancel {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// A status update.
    Status {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// Which update.
        sequence: u64,
    },
    /// The announcement of a receipt to its originator.
    Receipt {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
}

/// What came back for a direct message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The peer answered.
    Response(Response),
    /// Nothing came in time: the peer may have received the message all the same.
    Silent,
    /// The peer cannot be reached, and has certainly not received this message.
    Unsent,
}

/// On which side of a hold a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldRole {
    /// The originator, who pays.
    Payer,
    /// The executor, who is paid.
    Payee,
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldEnd {
    /// The payer took this much out of it for the payee; the rest is free.
    Captured(TokenAmount),
    /// The payee gave it back.
    Released,
    /// Nobody used it in time.
    Expired,
    /// The payee claimed this much of it, because no capture came.
    Claimed(TokenAmount),
}

/// What a machine waits for. Each names what it belongs to, so that a stale one has no effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The bidding window of a round closes.
    BiddingCloses {
        /// The job.
        job: Cid,
        /// Which round of bidding.
        round: u64,
    },
    /// It is time to announce again while nobody bids.
    Reannounce {
        /// The job.
        job: Cid,
        /// Which round of bidding.
        round: u64,
    },
    /// Nobody took the job in all the time that its announcement allowed.
    BiddingFails {
        /// The job.
        job: Cid,
    },
    /// The lease of an assignment may be over.
    LeaseChecked {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// It is time to fetch the receipt again.
    RefetchReceipt {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// It is time to send the cancellation once more.
    ResendCancel {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// The executor's own bid is no longer binding.
    BidExpires {
        /// The job.
        job: Cid,
    },
    /// It is time to send an unheard bid once more.
    ResendBid {
        /// The job.
        job: Cid,
        /// The signed bid.
        bid: Cid,
    },
    /// It is time for the next status update.
    Beat {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// Which update this timer belongs to.
        sequence: u64,
    },
    /// The executor's lease may be over.
    LeaseEnds {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// It is time to tell the originator of the receipt once more.
    ResendReceipt {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// The executor has waited long enough to see that a hold covers the job.
    HoldWaited {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// The hold ends soon, and what the executor is owed may still be missing.
    ClaimDue {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
}

/// What is written down.
#[expect(clippy::large_enum_variant, reason = "a write lives for a moment, and most are offers")]
#[derive(Debug, Clone, PartialEq)]
pub enum Persist {
    /// A job of this originator.
    Job(Box<JobRecord>),
    /// An execution on this executor.
    Execution(Box<ExecutionRecord>),
    /// A bid that binds this executor.
    Offer(OfferRecord),
    /// A bid that binds no longer.
    OfferGone(Cid),
    /// A block that must be found by its CID as long as the node lives.
    Block {
        /// Its name.
        cid: Cid,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// What the shell does for a machine, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Writes all of these at once; what follows is done only after they are durable.
    Persist(Vec<Persist>),
    /// Writes these without waiting: losing them costs a detail of the history, not a promise.
    Note(Vec<Persist>),
    /// Publishes signed bytes on a gossip topic.
    Publish {
        /// The topic.
        topic: String,
        /// The message.
        bytes: Vec<u8>,
        /// Whether the node's own executor must not hear it.
        remote_only: bool,
    },
    /// Sends signed bytes to a member, who may be this node itself.
    Send {
        /// To whom.
        to: Did,
        /// The message.
        bytes: Vec<u8>,
        /// Whose answer it is.
        request: RequestId,
        /// How long to wait for the answer.
        patience: Duration,
    },
    /// Answers a direct message that was given with this ticket.
    Reply {
        /// The ticket of the request.
        ticket: u64,
        /// The answer.
        response: Response,
    },
    /// Wakes the machine after a while.
    Wake {
        /// With what.
        timer: Timer,
        /// After how long.
        after: Duration,
    },
    /// Fetches and verifies a receipt, then its outputs.
    FetchReceipt {
        /// The job.
        job: Cid,
        /// The lease epoch whose assignment must stand behind it.
        epoch: u64,
        /// The receipt.
        receipt: Cid,
        /// Who has it.
        executor: Did,
        /// More addresses where it can be had.
        providers: Vec<String>,
    },
    /// Starts an execution: fetch module and inputs, then run.
    Start {
        /// What to run, with its assignment.
        record: Box<ExecutionRecord>,
    },
    /// Stops an execution; its end comes back as [`crate::ExecutorEvent::Ended`].
    Stop {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// Offers a receipt to the network beside the direct way: DHT record and provider record.
    Provide {
        /// The receipt.
        receipt: Cid,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Asks the ledger for a hold; [`crate::OriginatorEvent::HoldPlaced`] tells what came of it. However often it is asked
    /// for one job and epoch, there is one hold: the first.
    PlaceHold {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose ledger has it; the node's own choice when absent.
        space: Option<Did>,
        /// The executor's account.
        to: Did,
        /// The price of its bid.
        amount: TokenAmount,
        /// When the hold ends by itself.
        expires: Timestamp,
    },
    /// Takes the price of a receipt out of a hold; [`crate::OriginatorEvent::Captured`] tells what came of it. However often
    /// it is asked for one job and epoch, the price is taken once.
    Capture {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose ledger has it; the node's own choice when absent.
        space: Option<Did>,
        /// The hold.
        hold: String,
        /// The price of the receipt; the rest of the hold is free.
        amount: TokenAmount,
        /// The receipt.
        receipt: Cid,
    },
    /// Asks whether a hold pays for a job; [`crate::ExecutorEvent::HoldChecked`] tells. Not before the hold is seen covered,
    /// or certainly is not.
    CheckHold {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose ledger has it; the node's own choice when absent.
        space: Option<Did>,
        /// The hold, as the assignment names it.
        hold: String,
        /// The originator, who must be its payer.
        from: Did,
        /// This node's account, which must be its payee.
        to: Did,
        /// What it must hold at least.
        amount: TokenAmount,
        /// How long it must last at least.
        expires_min: Timestamp,
    },
    /// Gives a hold back that nothing is owed for. Nothing happens to one that is not between these two for this job.
    ReleaseHold {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose ledger has it; the node's own choice when absent.
        space: Option<Did>,
        /// The hold.
        hold: String,
        /// The originator, who must be its payer.
        from: Did,
        /// Why, for people.
        reason: String,
    },
    /// Claims what is owed out of a hold that ends soon without a capture.
    Claim {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose ledger has it; the node's own choice when absent.
        space: Option<Did>,
        /// The hold.
        hold: String,
        /// The price of the receipt.
        amount: TokenAmount,
        /// The signed assignment.
        assignment: Cid,
        /// The receipt.
        receipt: Cid,
    },
    /// Asks to be told once when a hold ends, at once when it has: [`crate::OriginatorEvent::HoldEnded`] for the payer,
    /// [`crate::ExecutorEvent::HoldEnded`] for the payee.
    WatchHold {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose ledger has it; the node's own choice when absent.
        space: Option<Did>,
        /// The hold.
        hold: String,
        /// Who asks.
        role: HoldRole,
    },
    /// Tells the books of a space what came of an executor's work. Losing it costs a word, never a promise.
    Rate {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The space whose books hear it; the node's own choice when absent.
        space: Option<Did>,
        /// Who did the work, or did not.
        executor: Did,
        /// The receipt, if one came.
        receipt: Option<Cid>,
        /// What came of it.
        outcome: JobOutcome,
    },
    /// Tells followers that a job changed.
    Changed {
        /// The job.
        job: Cid,
    },
}
