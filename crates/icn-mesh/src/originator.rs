//! The side that submits a job, chooses who runs it, and accepts one receipt.

mod assignment;
mod bidding;
mod cancel;
mod checking;
mod payment;
mod settlement;
#[cfg(test)]
mod tests;
mod why;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use icn_identity::Signer;
use icn_protocol::{
    ExecutionReceiptAvailable, JobBid, JobDecline, JobInterest, JobStatus, JobStatusUpdate, MeshJobParams,
    NodeCapability, Params, ProtocolError, Response,
};
use icn_types::{Cid, Did, Duration, StandardJobStatus};

pub use self::why::Standing;
use crate::clock::{Now, Tick};
use crate::directory::Directory;
use crate::effect::{Answer, Effect, HoldEnd, Persist, RequestId, Timer};
use crate::placement::Placement;
use crate::record::{Failure, JobRecord};
use crate::regard::{Gate, Regards};
use crate::track::Track;

/// How many final jobs stay in memory to answer latecomers.
const FINAL_MAX: usize = 1_024;

/// The figures by which an originator acts.
#[derive(Debug, Clone)]
pub struct OriginatorConfig {
    /// The length of a lease. Wire default 10 s.
    pub lease: Duration,
    /// How much longer than the lease the originator waits before it reassigns.
    pub lease_grace: Duration,
    /// How long one try of an assignment may stay unanswered.
    pub assignment_patience: Duration,
    /// How often an assignment is sent before its executor counts as silent.
    pub assignment_tries: u32,
    /// How many assignments a job may have before it fails, not counting those that were refused or never sent.
    pub assignments_max: u64,
    /// How long a job waits for an executor before it fails.
    pub bidding_duration: Duration,
    /// How often an unanswered announcement is repeated.
    pub reannounce: Duration,
    /// How many bids of one job are kept. Full: the bid is refused.
    pub bids_max: usize,
    /// How many jobs may be open at once. Full: submission is refused.
    pub open_max: usize,
    /// How often a receipt that cannot be fetched is tried again.
    pub refetches_max: u32,
    /// How much longer than the job's time limit a hold lasts, for waiting, delivery and a claim; executors ask for some.
    pub hold_slack: Duration,
}

impl Default for OriginatorConfig {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            lease_grace: Duration::from_secs(1),
            assignment_patience: Duration::from_secs(2),
            assignment_tries: 3,
            assignments_max: 8,
            bidding_duration: Duration::from_secs(600),
            reannounce: Duration::from_secs(120),
            bids_max: 256,
            open_max: 10_000,
            refetches_max: 5,
            hold_slack: Duration::from_secs(3_600),
        }
    }
}

/// A job to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// What to run; its nonce makes the job's id unique.
    pub params: MeshJobParams,
    /// Whether this node's own executor stays out of it.
    pub remote: bool,
    /// What people should know of how it was made; it stands in the job's history.
    pub note: Option<String>,
}

/// Why a job cannot be submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The bound on open jobs is reached.
    #[error("{0} jobs are open already: wait for some to end or cancel them")]
    Full(usize),
    /// The parameters break a rule of the protocol.
    #[error("the job's parameters are not valid")]
    Invalid(#[from] ProtocolError),
    /// The placement policy is not known.
    #[error("{0}")]
    Placement(String),
}

/// What can go wrong between the announcement of a receipt and its acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFailure {
    /// Somebody has to be asked again: the receipt or an output is not to be had now.
    Unavailable(String),
    /// The receipt does not hold, for the reason given.
    Invalid(String),
}

/// What happens to an originator.
#[derive(Debug, Clone, PartialEq)]
pub enum OriginatorEvent {
    /// An executor advertises itself.
    Capability(Box<NodeCapability>),
    /// A peer subscribed to the topic of announcements.
    ListenerAppeared,
    /// A bid came in; its signature holds.
    Bid {
        /// Where its answer goes.
        ticket: u64,
        /// The bid.
        bid: Box<JobBid>,
        /// The CID of the signed bid.
        cid: Cid,
    },
    /// An executor will not bid; its signature holds.
    Decline {
        /// Where its answer goes.
        ticket: u64,
        /// The refusal.
        decline: JobDecline,
    },
    /// An executor would like to bid later; its signature holds.
    Interest {
        /// Where its answer goes.
        ticket: u64,
        /// The interest.
        interest: JobInterest,
    },
    /// A status update came in; its signature holds.
    Status {
        /// Where its answer goes.
        ticket: u64,
        /// The update.
        update: Box<JobStatusUpdate>,
    },
    /// A receipt is available; the announcement's signature holds.
    ReceiptAvailable {
        /// Where its answer goes; absent when it came by gossip.
        ticket: Option<u64>,
        /// The announcement.
        available: Box<ExecutionReceiptAvailable>,
    },
    /// A fetch ended.
    ReceiptFetched {
        /// The job.
        job: Cid,
        /// The receipt.
        cid: Cid,
        /// Who announced it.
        executor: Did,
        /// The verified receipt, its outputs stored; or why not.
        result: Result<Box<icn_protocol::ExecutionReceipt>, FetchFailure>,
    },
    /// An answer to a direct message came in, or did not.
    Answered {
        /// Which message.
        request: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// The ledger was asked for a hold.
    HoldPlaced {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// The hold, `<entry CID>#<act index>`; or why the ledger refuses it, with its figures.
        result: Result<String, String>,
    },
    /// The ledger was asked to capture.
    Captured {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// Whether it is done; or why the ledger refuses it.
        result: Result<(), String>,
    },
    /// A hold has ended.
    HoldEnded {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// How.
        how: HoldEnd,
    },
    /// A finished job was run again.
    Checked {
        /// The job.
        job: Cid,
        /// What the receipt says otherwise, one line each; none when they agree.
        differences: Vec<String>,
    },
    /// The user takes a job back.
    Cancel {
        /// The job.
        job: Cid,
        /// Why.
        reason: Option<String>,
    },
    /// A timer fired.
    Fired(Timer),
}

/// A job in memory: what is on disk, and what only matters while the process lives.
#[derive(Debug)]
struct Job {
    record: JobRecord,
    params: Params,
    placement: Placement,
    live: Live,
}

impl Job {
    /// Tells whether no executor has it: bids are compared, or the hold for the next assignment is asked for.
    fn is_between(&self) -> bool {
        self.live.bidding_since.is_some() || self.record.state == JobStatus::BiddingClosed
    }
}

#[derive(Debug, Default)]
struct Live {
    /// Whether bids are being compared now, and since when.
    bidding_since: Option<Tick>,
    /// Since when nobody has the job: refusals do not begin this time anew.
    waiting_since: Option<Tick>,
    /// Whether the closing of the window is timed already.
    closing: bool,
    /// How often the current assignment was sent.
    tries: u32,
    /// When the current executor was last heard; before it answers, when the assignment was last sent.
    heard: Tick,
    /// Whether the current assignment may have reached its executor.
    may_have_arrived: bool,
    /// Since when the guest runs, as far as is known.
    running_since: Option<Tick>,
    /// The newest status update seen.
    sequence: Option<u64>,
    /// Since when this process tries to take the job back.
    cancelling_since: Option<Tick>,
    /// The receipt that is being fetched, and how often that was tried.
    fetching: Option<(Cid, u32)>,
    /// Where the receipt can be had besides its executor.
    providers: Vec<String>,
}

/// The originator's machine. See the crate's documentation for what it promises.
pub struct Originator {
    me: Did,
    signer: Arc<dyn Signer>,
    config: OriginatorConfig,
    jobs: BTreeMap<Cid, Job>,
    finals: VecDeque<Cid>,
    /// Final jobs with a payment that is not closed; they stay in memory until it is.
    unsettled: BTreeSet<Cid>,
    directory: Directory,
    tracks: BTreeMap<Did, Track>,
    regards: Arc<Regards>,
}

impl Originator {
    /// Makes a machine without jobs.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, config: OriginatorConfig) -> Self {
        Self {
            me: signer.did(),
            signer,
            config,
            jobs: BTreeMap::new(),
            finals: VecDeque::new(),
            unsettled: BTreeSet::new(),
            directory: Directory::default(),
            tracks: BTreeMap::new(),
            regards: Arc::default(),
        }
    }

    /// Takes a job on from disk after a restart. Nothing is forgotten: an open auction is announced again, an assignment
    /// gets a whole lease to be heard of, an announced receipt is fetched.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn restore(&mut self, now: Now, record: JobRecord) -> Vec<Effect> {
        let Ok(params) = Params::from_bytes(&record.params) else { return Vec::new() };
        self.remember_track(&record);
        let id = record.id;
        let placement = placement_of(&params).unwrap_or_default();
        if record.status.is_final() {
            self.jobs.insert(id, Job { record, params, placement, live: Live::default() });
            self.keep_final(id);
            return self.resume_payments(&id);
        }
        let cancelling_since = record.cancelled.as_ref().map(|_| now.tick);
        let live = Live { heard: now.tick, cancelling_since, ..Live::default() };
        let mut job = Job { record, params, placement, live };
        job.record.say(now.at, "Note", Some("the originator was started again".into()));
        let state = job.record.state.clone();
        self.jobs.insert(id, job);
        let mut effects = self.resume_payments(&id);
        effects.extend(match state {
            JobStatus::AwaitingAssignmentConfirmation => self.resume_assignment(now, &id),
            JobStatus::Assigned
            | JobStatus::PreparingExecution
            | JobStatus::Running
            | JobStatus::AwaitingInputs
            | JobStatus::ProducingOutputs
            | JobStatus::Completed
            | JobStatus::Failed
            | JobStatus::ReceiptGenerated
            // Only the report of an executor, whose lease goes on, puts an open job into one of these.
            | JobStatus::ReceiptAnchored
            | JobStatus::Cancelled
            | JobStatus::Other(_) => self.resume_lease(now, &id),
            JobStatus::BiddingClosed => self.resume_placing(now, &id),
            JobStatus::PendingAnnouncement | JobStatus::Announced | JobStatus::BiddingOpen => {
                self.open_bidding(now, &id, None)
            }
        });
        effects
    }

    /// Takes a job on from its user: it is durable before anybody hears of it. One that is known already stays as it is.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing is changed then.
    pub fn submit(&mut self, now: Now, submission: Submission) -> Result<(Cid, Vec<Effect>), SubmitError> {
        let open = self.open_len();
        if open >= self.config.open_max {
            return Err(SubmitError::Full(open));
        }
        let Submission { params, remote, note } = submission;
        let placement = placement_of(&params).map_err(SubmitError::Placement)?;
        let params = Params::new(params)?;
        let id = icn_protocol::announcement_id(&params, &self.me);
        if self.jobs.contains_key(&id) {
            return Ok((id, Vec::new()));
        }
        let mut record = JobRecord {
            version: 1,
            id,
            params: params.bytes().to_vec(),
            description: params.description.clone(),
            remote,
            submitted_at: now.at,
            state: JobStatus::PendingAnnouncement,
            status: StandardJobStatus::Pending,
            round: 0,
            bids: Vec::new(),
            declines: Vec::new(),
            assignments: Vec::new(),
            payments: Vec::new(),
            receipt_cid: None,
            receipt: None,
            failure: None,
            cancelled: None,
            history: Vec::new(),
        };
        record.enter(now.at, JobStatus::PendingAnnouncement, Some("submitted".into()));
        if note.is_some() {
            record.say(now.at, "Note", note);
        }
        let params_block = Persist::Block { cid: params.cid(), bytes: params.bytes().to_vec() };
        self.jobs.insert(id, Job { record, params, placement, live: Live::default() });
        let effects = self.open_bidding(now, &id, Some(params_block));
        Ok((id, effects))
    }

    /// Advances the machine by one event. Never blocks, never fails; input out of place has no effects.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn handle(&mut self, now: Now, event: OriginatorEvent) -> Vec<Effect> {
        match event {
            OriginatorEvent::Capability(capability) => self.hear_capability(now, &capability),
            OriginatorEvent::ListenerAppeared => self.announce_waiting(now),
            OriginatorEvent::Bid { ticket, bid, cid } => self.hear_bid(now, ticket, &bid, cid),
            OriginatorEvent::Decline { ticket, decline } => {
                let code = decline.code.as_str().to_owned();
                self.hear_decline(
                    now,
                    ticket,
                    &decline.announcement_id,
                    decline.executor_did,
                    code,
                    decline.detail,
                )
            }
            OriginatorEvent::Interest { ticket, interest } => {
                let (job, executor) = (interest.announcement_id, interest.executor_did);
                self.hear_decline(now, ticket, &job, executor, "interest".into(), None)
            }
            OriginatorEvent::Status { ticket, update } => self.hear_status(now, ticket, &update),
            OriginatorEvent::ReceiptAvailable { ticket, available } => {
                self.hear_receipt(now, ticket, &available)
            }
            OriginatorEvent::ReceiptFetched { job, cid, executor, result } => {
                self.receipt_fetched(now, &job, cid, executor, result)
            }
            OriginatorEvent::Answered { request, answer } => self.answered(now, request, answer),
            OriginatorEvent::HoldPlaced { job, epoch, result } => self.hold_placed(now, &job, epoch, result),
            OriginatorEvent::Captured { job, epoch, result } => self.captured(now, &job, epoch, result),
            OriginatorEvent::HoldEnded { job, epoch, how } => self.hold_ended(now, &job, epoch, how),
            OriginatorEvent::Checked { job, differences } => self.checked(now, &job, &differences),
            OriginatorEvent::Cancel { job, reason } => self.cancel(now, &job, reason),
            OriginatorEvent::Fired(timer) => self.fired(now, timer),
        }
    }

    fn answered(&mut self, now: Now, request: RequestId, answer: Answer) -> Vec<Effect> {
        match request {
            RequestId::Assignment { job, epoch } => self.assignment_answered(now, &job, epoch, answer),
            RequestId::Cancel { job, epoch } => self.cancel_answered(&job, epoch, &answer),
            RequestId::Forget
            | RequestId::Bid { .. }
            | RequestId::Status { .. }
            | RequestId::Receipt { .. } => Vec::new(),
        }
    }

    fn fired(&mut self, now: Now, timer: Timer) -> Vec<Effect> {
        match timer {
            Timer::BiddingCloses { job, round } => self.bidding_closes(now, &job, round),
            Timer::Reannounce { job, round } => self.reannounce(now, &job, round),
            Timer::BiddingFails { job } => self.bidding_fails(now, &job),
            Timer::LeaseChecked { job, epoch } => self.check_lease(now, &job, epoch),
            Timer::RefetchReceipt { job, epoch } => self.refetch(&job, epoch),
            Timer::ResendCancel { job, epoch } => self.resend_cancel(now, &job, epoch),
            Timer::BidExpires { .. }
            | Timer::ResendBid { .. }
            | Timer::Beat { .. }
            | Timer::LeaseEnds { .. }
            | Timer::ResendReceipt { .. }
            | Timer::HoldWaited { .. }
            | Timer::ClaimDue { .. } => Vec::new(),
        }
    }

    /// Returns a job that is in memory: every open one and the newest final ones.
    #[must_use]
    pub fn job(&self, id: &Cid) -> Option<&JobRecord> {
        self.jobs.get(id).map(|job| &job.record)
    }

    /// Forgets a job whose submission could not be written down: nobody has heard of it.
    pub fn forget(&mut self, id: &Cid) {
        self.jobs.remove(id);
    }

    /// Returns how many jobs are not final.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.jobs.len().saturating_sub(self.finals.len()).saturating_sub(self.unsettled.len())
    }

    /// Returns the executors heard of.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Takes over what policy thinks of members from now on.
    pub fn set_regards(&mut self, regards: Arc<Regards>) {
        self.regards = regards;
    }

    /// Returns an executor's reputation: what the words of members add up to, where trust counts, else the own experience.
    /// The two are different scales, and bids are compared by one.
    fn reputation(&self, executor: &Did) -> u64 {
        if self.regards.trust_min_ppm.is_some() {
            return self.regards.reputation(executor);
        }
        self.tracks.get(executor).copied().unwrap_or_default().reputation()
    }

    /// Returns trust in an executor, where trust counts; a node trusts itself.
    fn gate(&self, executor: &Did) -> Option<Gate> {
        self.regards.gate(executor).filter(|_| *executor != self.me)
    }

    fn remember_track(&mut self, record: &JobRecord) {
        for bid in &record.bids {
            match bid.outcome.as_deref() {
                Some("kept") => self.tracks.entry(bid.executor).or_default().kept += 1,
                Some("lost" | "broken") => self.tracks.entry(bid.executor).or_default().broken += 1,
                _ => {}
            }
        }
    }

    /// Ends a job: the record is final, durable, then told.
    fn finish(&mut self, id: &Cid, more: Vec<Persist>) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        job.live = Live::default();
        let mut writes = more;
        writes.push(Persist::Job(Box::new(job.record.clone())));
        self.keep_final(*id);
        vec![Effect::Persist(writes), Effect::Changed { job: *id }]
    }

    fn keep_final(&mut self, id: Cid) {
        if self.jobs.get(&id).is_some_and(|job| !job.record.is_settled()) {
            self.unsettled.insert(id);
            return;
        }
        self.finals.push_back(id);
        if self.finals.len() > FINAL_MAX
            && let Some(oldest) = self.finals.pop_front()
        {
            self.jobs.remove(&oldest);
        }
    }

    /// Ends a job without a receipt.
    fn fail(&mut self, now: Now, id: &Cid, code: &str, message: String) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let cancelled = job.record.cancelled.is_some();
        let state = if cancelled { JobStatus::Cancelled } else { JobStatus::Failed };
        job.record.status = if cancelled { StandardJobStatus::Cancelled } else { StandardJobStatus::Failed };
        job.record.enter(now.at, state, Some(message.clone()));
        job.record.failure = Some(Failure { code: code.to_owned(), message });
        self.finish(id, Vec::new())
    }
}

fn placement_of(params: &MeshJobParams) -> Result<Placement, String> {
    match params.execution_policy.as_ref().and_then(|policy| policy.placement.as_deref()) {
        Some(name) => name.parse(),
        None => Ok(Placement::default()),
    }
}

/// Answers a direct message with an acknowledgement.
fn ack(ticket: u64) -> Effect {
    Effect::Reply { ticket, response: Response::Ack }
}
