//! What the machines ask of the shell.

use icn_protocol::Response;
use icn_types::{Cid, Did, Duration};

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
}

/// What is written down.
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
    /// Tells followers that a job changed.
    Changed {
        /// The job.
        job: Cid,
    },
}
