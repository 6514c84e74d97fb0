//! The side that bids, runs under a lease, and signs the receipt.

mod lease;
mod offer;
mod payment;
mod quota;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use icn_identity::Signer;
use icn_protocol::{CancelJob, JobAnnouncement, JobAssignment, NodeCapability, RefusalCode};
use icn_types::{Cid, Did, Duration, NodeCapacity, Region, Timestamp, TokenAmount};

use self::payment::Checking;
pub use self::report::ExecutionReport;
use crate::clock::{Now, Tick};
use crate::effect::{Answer, Effect, HoldEnd, RequestId, Timer};
use crate::quota::{Quotas, Usage};
use crate::record::{ExecutionRecord, OfferRecord};
use crate::regard::Regards;

/// How many announcements are remembered because this node was too busy for them. Full: the oldest is forgotten.
const WAITING_MAX: usize = 1_024;

/// How many delivered executions stay in memory to answer a repeated assignment or cancellation.
const DONE_MAX: usize = 1_024;

/// The figures by which an executor acts.
#[derive(Debug, Clone)]
pub struct ExecutorConfig {
    /// Where the node stands.
    pub region: Option<Region>,
    /// What it offers, and the limits it sets on one job.
    pub capacity: NodeCapacity,
    /// The runtimes it has, such as `wasmtime-48.0.8`.
    pub runtimes: Vec<String>,
    /// How many jobs run at once.
    pub running_max: usize,
    /// How many accepted jobs may wait beside those that run. Full: it does not bid.
    pub queued_max: usize,
    /// What it asks for a job as such, and in which currency; it runs jobs for nothing when absent.
    pub price_base: Option<TokenAmount>,
    /// What it asks beside that for each million of fuel, in the same currency.
    pub price_per_million_fuel: u64,
    /// What each co-op may take of it.
    pub quotas: Quotas,
    /// How long it waits to see that the hold of an assignment covers its price.
    pub hold_patience: Duration,
    /// How much longer than the job's time limit a hold must last, so that waiting, delivery and a claim fit in.
    pub hold_slack_min: Duration,
    /// How long before the end of a hold it claims what it is owed; less than `hold_slack_min`.
    pub claim_margin: Duration,
    /// How long a bid binds.
    pub bid_validity: Duration,
    /// How many bids may be binding at once. Full: it does not bid.
    pub offers_max: usize,
    /// How long one try of a message may stay unanswered.
    pub patience: Duration,
    /// How long the receipt of a finished job is offered to an originator that does not answer.
    pub deliver_for: Duration,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            region: None,
            capacity: NodeCapacity::default(),
            runtimes: Vec::new(),
            running_max: 10,
            queued_max: 246,
            price_base: None,
            price_per_million_fuel: 0,
            quotas: Quotas::default(),
            hold_patience: Duration::from_secs(5),
            hold_slack_min: Duration::from_secs(600),
            claim_margin: Duration::from_secs(300),
            bid_validity: Duration::from_secs(120),
            offers_max: 16_384,
            patience: Duration::from_secs(2),
            deliver_for: Duration::from_secs(24 * 3_600),
        }
    }
}

/// What happens to an executor.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecutorEvent {
    /// A job was announced; the signature holds.
    Announced {
        /// The announcement.
        announcement: Box<JobAnnouncement>,
        /// Which blocks of the job are stored here.
        blobs_held: Vec<Cid>,
    },
    /// A job was assigned; the signature holds.
    Assigned {
        /// Where its answer goes.
        ticket: u64,
        /// The assignment.
        assignment: Box<JobAssignment>,
        /// The CID of the signed assignment.
        cid: Cid,
        /// The signed map, as a block.
        block: Vec<u8>,
    },
    /// The network heard that somebody has finished a job: bids for it bind nobody any more.
    FinishedElsewhere {
        /// The job.
        job: Cid,
        /// Who announced the receipt.
        executor: Did,
        /// Who had announced the job.
        originator: Did,
    },
    /// A job was cancelled; the signature holds.
    Cancelled {
        /// Where its answer goes.
        ticket: u64,
        /// The cancellation.
        cancel: CancelJob,
    },
    /// The guest runs now.
    Started {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
    },
    /// The guest said something: a line that starts with `progress` or `log`.
    Said {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// What.
        line: String,
    },
    /// The execution ended; its outputs are stored.
    Ended {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// What came of it.
        report: Box<ExecutionReport>,
    },
    /// An answer to a direct message came in, or did not.
    Answered {
        /// Which message.
        request: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// The ledger was asked whether a hold pays for a job.
    HoldChecked {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// Until when it holds; or why it does not pay.
        result: Result<Timestamp, String>,
    },
    /// A hold that pays, or should have paid, for a job has ended.
    HoldEnded {
        /// The job.
        job: Cid,
        /// The lease epoch.
        epoch: u64,
        /// How.
        how: HoldEnd,
    },
    /// The process is to end: no more bids; what runs may finish.
    Drain,
    /// The process ends now: what still runs is handed back.
    HandBack,
    /// A timer fired.
    Fired(Timer),
}

/// An execution in memory.
#[derive(Debug)]
struct Execution {
    record: ExecutionRecord,
    live: Live,
}

#[derive(Debug, Default)]
struct Live {
    /// When the lease is over unless it is renewed.
    lease_until: Tick,
    /// The update that is next, from 1.
    sequence: u64,
    /// When each unanswered update was sent.
    sent: BTreeMap<u64, Tick>,
    /// Whether a timer for the next update is set, and for which update.
    beat: Option<u64>,
    /// What the guest said since the last update.
    said: Vec<String>,
    /// Why it is being stopped.
    stopping: Option<(icn_types::End, &'static str, String)>,
    /// How often the receipt was offered in vain.
    deliveries: u32,
}

/// The executor's machine. See the crate's documentation for what it promises.
pub struct Executor {
    me: Did,
    signer: Arc<dyn Signer>,
    config: ExecutorConfig,
    offers: BTreeMap<Cid, OfferRecord>,
    /// Bids that their originator has not answered yet, and how often each was sent.
    unheard: BTreeMap<Cid, (Vec<u8>, u32)>,
    /// The newest assignment of each job, so that an epoch never comes back.
    executions: BTreeMap<Cid, Execution>,
    /// Assignments that wait for their holds; each takes a place as if it ran.
    checking: BTreeMap<Cid, Checking>,
    done: VecDeque<Cid>,
    /// Announcements that wait for a free place, oldest first.
    waiting: VecDeque<JobAnnouncement>,
    draining: bool,
    regards: Arc<Regards>,
    /// What others' jobs take, where there are quotas.
    usage: Usage,
}

impl Executor {
    /// Makes a machine without jobs.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, config: ExecutorConfig) -> Self {
        Self {
            me: signer.did(),
            signer,
            config,
            offers: BTreeMap::new(),
            unheard: BTreeMap::new(),
            executions: BTreeMap::new(),
            checking: BTreeMap::new(),
            done: VecDeque::new(),
            waiting: VecDeque::new(),
            draining: false,
            regards: Arc::default(),
            usage: Usage::default(),
        }
    }

    /// Takes a bid on from disk after a restart: it binds until it expires.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn restore_offer(&mut self, now: Now, offer: OfferRecord) -> Vec<Effect> {
        let after = offer.expires_at.since(now.at);
        let timer = Timer::BidExpires { job: offer.job };
        self.count_offer(&offer);
        self.offers.insert(offer.job, offer);
        vec![Effect::Wake { timer, after }]
    }

    /// Takes an execution on from disk after a restart. One that was running is handed back with a receipt that says so:
    /// its lease cannot be known to have lasted. One that has its receipt goes on offering it, and what is due goes on being
    /// due.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn restore(&mut self, now: Now, record: ExecutionRecord) -> Vec<Effect> {
        let (job, epoch) = (record.job, record.epoch);
        let (finished, delivered) = (record.receipt.is_some(), record.delivered);
        self.count_paid(now.at, &record);
        if delivered && record.is_settled() {
            return Vec::new();
        }
        let live = Live { lease_until: now.tick, ..Live::default() };
        self.executions.insert(job, Execution { record, live });
        if finished {
            let mut effects = self.offer_receipt(now, &job, epoch);
            effects.extend(self.resume_dues(now, &job, None));
            return effects;
        }
        let message = "the executor's process was started again while the job ran".to_owned();
        let report = ExecutionReport::fault(now.at, "restarted", message);
        let mut effects = self.ended(now, &job, epoch, report);
        effects.extend(self.resume_dues(now, &job, Some(epoch)));
        effects
    }

    /// Takes over what policy thinks of members from now on. Bids that were made before still bind.
    pub fn set_regards(&mut self, regards: Arc<Regards>) {
        self.regards = regards;
    }

    /// Advances the machine by one event. Never blocks, never fails; input out of place has no effects.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn handle(&mut self, now: Now, event: ExecutorEvent) -> Vec<Effect> {
        match event {
            ExecutorEvent::Announced { announcement, blobs_held } => {
                self.hear_announcement(now, *announcement, blobs_held)
            }
            ExecutorEvent::Assigned { ticket, assignment, cid, block } => {
                self.hear_assignment(now, ticket, &assignment, cid, block)
            }
            ExecutorEvent::FinishedElsewhere { job, executor, originator } => {
                self.finished_elsewhere(now, &job, &executor, &originator)
            }
            ExecutorEvent::Cancelled { ticket, cancel } => self.hear_cancel(now, ticket, &cancel),
            ExecutorEvent::Started { job, epoch } => self.started(now, &job, epoch),
            ExecutorEvent::Said { job, epoch, line } => self.said(&job, epoch, line),
            ExecutorEvent::Ended { job, epoch, report } => {
                let mut effects = self.ended(now, &job, epoch, *report);
                effects.extend(self.bid_for_waiting(now));
                effects
            }
            ExecutorEvent::Answered { request, answer } => self.answered(now, request, answer),
            ExecutorEvent::Drain => {
                self.draining = true;
                self.waiting.clear();
                Vec::new()
            }
            ExecutorEvent::HoldChecked { job, epoch, result } => self.hold_checked(now, &job, epoch, result),
            ExecutorEvent::HoldEnded { job, epoch, how } => self.hold_ended(&job, epoch, how),
            ExecutorEvent::HandBack => self.hand_back(now),
            ExecutorEvent::Fired(timer) => self.fired(now, timer),
        }
    }

    fn answered(&mut self, now: Now, request: RequestId, answer: Answer) -> Vec<Effect> {
        match request {
            RequestId::Status { job, epoch, sequence } => {
                self.status_answered(now, &job, epoch, sequence, answer)
            }
            RequestId::Receipt { job, epoch } => self.receipt_answered(now, &job, epoch, answer),
            RequestId::Bid { job, bid } => self.bid_answered(now, &job, bid, answer),
            RequestId::Forget | RequestId::Assignment { .. } | RequestId::Cancel { .. } => Vec::new(),
        }
    }

    fn fired(&mut self, now: Now, timer: Timer) -> Vec<Effect> {
        match timer {
            Timer::BidExpires { job } => self.bid_expired(now, &job),
            Timer::ResendBid { job, bid } => self.resend_bid(&job, bid),
            Timer::Beat { job, epoch, sequence } => self.beat(now, &job, epoch, sequence),
            Timer::LeaseEnds { job, epoch } => self.lease_ends(now, &job, epoch),
            Timer::ResendReceipt { job, epoch } => self.offer_receipt(now, &job, epoch),
            Timer::HoldWaited { job, epoch } => self.hold_waited(now, &job, epoch),
            Timer::ClaimDue { job, epoch } => self.claim_due(now, &job, epoch),
            Timer::BiddingCloses { .. }
            | Timer::Reannounce { .. }
            | Timer::BiddingFails { .. }
            | Timer::LeaseChecked { .. }
            | Timer::RefetchReceipt { .. }
            | Timer::ResendCancel { .. } => Vec::new(),
        }
    }

    /// Returns an execution that is in memory.
    #[must_use]
    pub fn execution(&self, job: &Cid) -> Option<&ExecutionRecord> {
        self.executions.get(job).map(|execution| &execution.record)
    }

    /// Returns how many accepted jobs have no receipt yet.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.executions.values().filter(|execution| execution.record.receipt.is_none()).count()
    }

    /// Returns how many receipts the originator has not acknowledged yet.
    #[must_use]
    pub fn undelivered_len(&self) -> usize {
        self.executions.values().filter(|execution| !execution.record.delivered).count()
    }

    /// Returns how many assignments wait until their holds are checked.
    #[must_use]
    pub fn checking_len(&self) -> usize {
        self.checking.len()
    }

    /// Returns how many jobs have a payment that is not closed.
    #[must_use]
    pub fn unsettled_len(&self) -> usize {
        self.executions.values().filter(|execution| !execution.record.is_settled()).count()
    }

    /// Returns how many bids bind this node.
    #[must_use]
    pub fn offers_len(&self) -> usize {
        self.offers.len()
    }

    /// Signs what this node offers, to be published.
    #[must_use]
    pub fn advertisement(&self, at: Timestamp, alias: Option<String>) -> Option<Vec<u8>> {
        let capability = NodeCapability {
            node_did: self.me,
            peer_id: icn_identity::peer_id(&self.me),
            alias,
            region: self.config.region.clone(),
            supported_runtimes: self.config.runtimes.clone(),
            available_resources: self.config.capacity.0.clone(),
            specialized_features: Vec::new(),
            timestamp: at,
            attestation_cid: None,
        };
        icn_protocol::sign(capability, self.signer.as_ref()).ok().map(icn_protocol::Signed::into_wire)
    }

    fn is_full(&self) -> bool {
        self.open_len().saturating_add(self.checking.len())
            >= self.config.running_max.saturating_add(self.config.queued_max)
    }

    /// Stops everything that has no receipt yet; each gives one that hands the job back.
    fn hand_back(&mut self, now: Now) -> Vec<Effect> {
        self.draining = true;
        let waiting: Vec<Cid> = self.checking.keys().copied().collect();
        let message = || "the executor is shutting down".to_owned();
        let mut effects: Vec<Effect> = waiting
            .iter()
            .flat_map(|job| self.refuse_checking(now, job, RefusalCode::ShuttingDown, message()))
            .collect();
        let open: Vec<(Cid, u64)> = self
            .executions
            .iter()
            .filter(|(_, execution)| execution.record.receipt.is_none())
            .map(|(job, execution)| (*job, execution.record.epoch))
            .collect();
        effects.extend(open.into_iter().flat_map(|(job, epoch)| {
            let message = "the executor is shutting down and hands the job back".to_owned();
            self.stop(&job, epoch, icn_types::End::NodeFault, "draining", message)
        }));
        effects
    }
}

fn is_open(execution: &Execution, epoch: u64) -> bool {
    execution.record.epoch == epoch && execution.record.receipt.is_none()
}
