//! The promises, checked after every event.

mod payment;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use icn_mesh::{ExecutionRecord, JobRecord, PaymentState, RequestId};
use icn_protocol::{JobAssignment, Response};
use icn_types::{Cid, StandardJobStatus, TokenAmount, codec};

use crate::config::{Cheat, Pipeline};
use crate::node::About;
use crate::world::World;

/// A broken promise: which, when, in which world.
#[derive(Debug, thiserror::Error)]
pub struct Violation {
    /// The seed that brings it back.
    pub seed: u64,
    /// When, in milliseconds.
    pub at_ms: u64,
    /// Which promise, and what was found.
    pub what: String,
    /// What happened before, if it was recorded.
    pub story: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {} at {} ms: {}", self.seed, self.at_ms, self.what)
    }
}

/// How a job ended, as its user was told.
type Ending = (StandardJobStatus, Option<Cid>);

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    broken: Option<String>,
    endings: BTreeMap<Cid, Ending>,
    epochs: BTreeMap<Cid, u64>,
    executed_epochs: BTreeMap<(usize, Cid), u64>,
    bids_used: BTreeSet<Cid>,
    starts: BTreeMap<Cid, u64>,
    holds_used: BTreeSet<String>,
    /// What honest executors are owed, by hold.
    owed: BTreeMap<String, TokenAmount>,
}

impl Watch {
    pub(crate) fn starts(&self, job: &Cid) -> u64 {
        self.starts.get(job).copied().unwrap_or(0)
    }

    /// The first broken promise counts.
    fn ensure(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(what());
        }
    }
}

impl World {
    /// Checks what can be checked at any moment, and reports what was noticed on the way.
    pub(crate) fn check(&mut self) -> Result<(), Box<Violation>> {
        self.check_lone_guests();
        self.check_records();
        match self.watch.broken.take() {
            None => Ok(()),
            Some(what) => Err(self.violation(what)),
        }
    }

    pub(crate) fn violation(&self, what: String) -> Box<Violation> {
        Box::new(Violation { seed: self.seed, at_ms: self.now_ms, what, story: self.story.lines() })
    }

    /// At any moment at most one honest executor runs a job: a lease is over, and its guest stopped, before the next one
    /// is given out. What has been told to stop counts, too.
    fn check_lone_guests(&mut self) {
        let mut running = BTreeSet::new();
        let honest = self.nodes.iter().filter(|node| node.is_honest());
        let guests = honest.flat_map(|node| node.guests.values()).map(|guest| guest.job);
        let second = guests.filter(|job| self.has_honest_originator(job)).find(|job| !running.insert(*job));
        if let Some(job) = second {
            self.watch.ensure(false, || format!("job {} runs twice at the same time", job.short()));
        }
    }

    /// An originator that assigns one job to two executors only harms itself.
    fn has_honest_originator(&self, job: &Cid) -> bool {
        let owner = self.plans.get(job).and_then(|plan| self.nodes.get(plan.owner));
        owner.is_some_and(crate::node::Node::is_honest)
    }

    /// A job counts a receipt only from the executor, and of the epoch, that it is assigned to; a final one never changes.
    fn check_records(&mut self) {
        for node in &self.nodes {
            let Some(machines) = &node.machines else { continue };
            for (id, plan) in &self.plans {
                if self.by_did.get(&node.did) != Some(&plan.owner) {
                    continue;
                }
                if let Some(record) = machines.originator.job(id) {
                    check_record(&mut self.watch, record);
                }
            }
        }
    }

    /// Called whenever something has become durable.
    pub(crate) fn watch_disk(&mut self, at: usize) {
        let Some(node) = self.nodes.get(at) else { return };
        for (id, record) in &node.disk.jobs {
            check_record(&mut self.watch, record);
            if let Some(ending) = ending(record) {
                // On the disk of a node whose disk only forgets what it never had, a job ends once.
                self.watch.endings.entry(*id).or_insert(ending);
            } else {
                let ended = self.watch.endings.contains_key(id);
                self.watch
                    .ensure(!ended, || format!("job {} was final on disk and is open again", id.short()));
            }
            let (before, now) = (self.watch.epochs.get(id).copied().unwrap_or(0), record.epoch());
            self.watch.ensure(now >= before, || {
                format!("job {} went back from epoch {before} to {now} on disk", id.short())
            });
            self.watch.epochs.insert(*id, now);
        }
        for (id, record) in &node.disk.executions {
            let before = self.watch.executed_epochs.insert((at, *id), record.epoch).unwrap_or(0);
            self.watch.ensure(record.epoch >= before, || {
                format!("n{at} went back from epoch {before} to {} of {}", record.epoch, id.short())
            });
            if node.is_honest() {
                let owed = record.dues.iter().filter(|due| due.state == PaymentState::Owed);
                let owed = owed.filter_map(|due| Some((due.hold.clone(), due.taken.clone()?)));
                self.watch.owed.extend(owed);
            }
        }
    }

    /// What a user was told of a job, by a change that may be read, must stay.
    pub(crate) fn watch_changed(&mut self, at: usize, job: &Cid) {
        let Some(node) = self.nodes.get(at) else { return };
        let Some(memory) = node.machines.as_ref().and_then(|machines| machines.originator.job(job)) else {
            return;
        };
        if self.config.pipeline == Pipeline::InOrder && memory.status.is_final() {
            let durable = node.disk.jobs.get(job).and_then(ending);
            let told = ending(memory);
            // A later effect may have changed memory again only on the way to an end, never after it.
            let late = durable.is_some() && durable != told;
            self.watch.ensure(!late, || format!("job {} ended otherwise on disk", job.short()));
        }
    }

    /// Nothing is sent that relies on a write that is not durable.
    pub(crate) fn watch_send(&mut self, at: usize, request: &RequestId) {
        let Some(node) = self.nodes.get(at) else { return };
        match request {
            RequestId::Assignment { job, epoch } => {
                let known = node.disk.jobs.get(job).is_some_and(|record| record.epoch() >= *epoch);
                self.watch.ensure(known, || format!("n{at} sends epoch {epoch} that its disk does not know"));
            }
            RequestId::Receipt { job, epoch } => {
                let known = node.disk.executions.get(job).is_some_and(|record| {
                    let held = record.receipt_cid.is_some_and(|cid| node.disk.blocks.contains_key(&cid));
                    record.epoch > *epoch || (record.epoch == *epoch && held)
                });
                self.watch.ensure(known, || format!("n{at} announces a receipt that its disk does not have"));
            }
            RequestId::Cancel { job, .. } => {
                // A cancellation that a crash forgets only hands the job back.
                let known = self.config.pipeline == Pipeline::PerEvent
                    || node.disk.jobs.get(job).is_some_and(|record| record.cancelled.is_some());
                self.watch
                    .ensure(known, || format!("n{at} cancels what its disk does not know as cancelled"));
            }
            RequestId::Bid { job, bid } => {
                let known = node.disk.offers.get(job).is_some_and(|offer| offer.bid_cid == *bid);
                self.watch.ensure(known, || format!("n{at} sends a bid that its disk does not know"));
            }
            RequestId::Status { .. } | RequestId::Forget => {}
        }
    }

    /// A job is on its originator's disk before anybody hears of it.
    pub(crate) fn watch_publish(&mut self, at: usize, topic: &str, bytes: &[u8]) {
        if topic != icn_protocol::topics::JOBS || self.config.pipeline == Pipeline::PerEvent {
            return;
        }
        let Some(node) = self.nodes.get(at) else { return };
        let Ok(icn_protocol::Incoming::Message(raw)) = icn_protocol::parse(bytes, bytes.len()) else {
            return;
        };
        let known = raw.unverified().announcement_id().is_some_and(|id| node.disk.jobs.contains_key(&id));
        self.watch.ensure(known, || format!("n{at} announces a job that its disk does not know"));
    }

    /// What is acknowledged is on disk.
    pub(crate) fn watch_reply(&mut self, at: usize, about: About, response: &Response) {
        let Some(node) = self.nodes.get(at) else { return };
        if *response != Response::Ack {
            return;
        }
        let known = match about {
            About::Assignment { job, assignment } => {
                node.disk.executions.get(&job).is_some_and(|record| record.assignment_cid == assignment)
            }
            About::Receipt { job } => node.disk.jobs.get(&job).is_some_and(|record| {
                record.status.is_final() || record.assignments.iter().any(|past| past.receipt.is_some())
            }),
            About::Other => true,
        };
        self.watch.ensure(known, || format!("n{at} acknowledges {about:?}, which its disk does not know"));
    }

    /// A bid is worth one execution.
    pub(crate) fn watch_start(&mut self, at: usize, record: &ExecutionRecord) {
        *self.watch.starts.entry(record.job).or_default() += 1;
        let Ok(assignment) = codec::decode::<JobAssignment>(&record.assignment) else {
            return self.watch.ensure(false, || format!("n{at} starts under what is no assignment"));
        };
        let honest = self.nodes.get(at).is_some_and(|node| node.did == assignment.executor_did);
        self.watch.ensure(honest, || format!("n{at} starts what another executor was assigned"));
        self.watch_covered(at, record);
        let unused = self.watch.bids_used.insert(assignment.bid_cid);
        self.watch.ensure(unused, || format!("n{at} runs twice for one bid"));
    }

    /// When all faults are over and time has passed, nothing is left: every job is final with a reason, no guest runs, no
    /// bid binds, no receipt waits.
    ///
    /// # Errors
    ///
    /// [`Violation`] with the first thing that is left.
    pub fn check_quiet(&self) -> Result<(), Box<Violation>> {
        for job in self.plans.keys() {
            let id = job.short();
            let Some(record) = self.durable_record(job) else {
                return Err(self.violation(format!("job {id} was never taken")));
            };
            if !record.status.is_final() {
                return Err(self.violation(format!("job {id} is still {}", record.state.as_str())));
            }
            if record.receipt.is_none() && record.failure.is_none() {
                return Err(self.violation(format!("job {id} ended without a reason")));
            }
        }
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_honest()) {
            let Some(machines) = &node.machines else { continue };
            let executor = machines.executor.as_ref();
            let left = [
                ("open jobs", machines.originator.open_len()),
                ("jobs whose payment is open", machines.originator.unsettled_len()),
                ("executions whose payment is open", executor.map_or(0, icn_mesh::Executor::unsettled_len)),
                ("holds to check", executor.map_or(0, icn_mesh::Executor::checking_len)),
                ("guests", node.guests.len()),
                ("effects", node.pipeline.len()),
                ("executions", executor.map_or(0, icn_mesh::Executor::open_len)),
                ("offers", executor.map_or(0, icn_mesh::Executor::offers_len)),
                ("offers on disk", node.disk.offers.len()),
                ("undelivered receipts", self.undelivered(node)),
            ];
            if let Some((what, count)) = left.into_iter().find(|(_, count)| *count > 0) {
                return Err(self.violation(format!("n{at} is left with {count} {what}")));
            }
        }
        self.check_payments().map_err(|what| self.violation(what))
    }

    /// Counts the receipts that wait for an originator that would answer.
    fn undelivered(&self, node: &crate::node::Node) -> usize {
        let answers = |record: &ExecutionRecord| {
            let originator = self.by_did.get(&record.originator).and_then(|at| self.nodes.get(*at));
            originator.is_some_and(|originator| originator.config.cheat != Some(Cheat::Mute))
        };
        node.disk.executions.values().filter(|record| !record.delivered && answers(record)).count()
    }

    /// Tells whether a cheat of this kind is in the world.
    #[must_use]
    pub fn has_cheat(&self, cheat: Cheat) -> bool {
        self.nodes.iter().any(|node| node.config.cheat == Some(cheat))
    }
}

fn ending(record: &JobRecord) -> Option<Ending> {
    record.status.is_final().then_some((record.status, record.receipt_cid))
}

fn check_record(watch: &mut Watch, record: &JobRecord) {
    let id = record.id.short();
    let known = watch.endings.get(&record.id).copied();
    if let Some(known) = known {
        let now = ending(record);
        watch.ensure(now.is_none_or(|now| now == known), || {
            format!("job {id} ended as {known:?} and is now {now:?}")
        });
    }
    watch.ensure(record.receipt.is_some() == record.receipt_cid.is_some(), || {
        format!("job {id} has half a receipt")
    });
    if let Some(receipt) = &record.receipt {
        let standing = record.assignment().is_some_and(|last| {
            last.epoch == receipt.lease_epoch
                && last.executor == receipt.executor_did
                && last.cid == receipt.assignment_cid
        });
        watch.ensure(standing, || format!("job {id} counts a receipt that no standing assignment is behind"));
        watch.ensure(record.status.is_final(), || format!("job {id} has a receipt and is not final"));
    }
    let completed = record.status == StandardJobStatus::CompletedSuccessfully;
    watch
        .ensure(!completed || record.receipt.is_some(), || format!("job {id} is complete without a receipt"));
    // An epoch whose hold was refused has no assignment.
    let epochs: Vec<u64> = record.assignments.iter().map(|assignment| assignment.epoch).collect();
    let ordered = epochs.iter().zip(epochs.iter().skip(1)).all(|(first, second)| first < second);
    watch.ensure(ordered, || format!("job {id} has epochs out of order"));
}
