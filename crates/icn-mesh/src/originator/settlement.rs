//! Accepting one receipt, and recording the others.

use icn_protocol::{ExecutionReceipt, ExecutionReceiptAvailable, JobStatus, RefusalCode, Response};
use icn_types::{Cid, Did, Duration, End, JobOutcome, StandardJobStatus};

use super::assignment::{close_assignment, rating};
use super::payment::{check_price, intend_capture};
use super::{FetchFailure, Originator, ack};
use crate::clock::Now;
use crate::effect::{Effect, Persist, Timer};
use crate::record::JobRecord;

/// How long the first wait before fetching again is; each further one is twice as long.
const REFETCH_FIRST: Duration = Duration::from_millis(100);

impl Originator {
    pub(super) fn hear_receipt(
        &mut self,
        now: Now,
        ticket: Option<u64>,
        available: &ExecutionReceiptAvailable,
    ) -> Vec<Effect> {
        let reply = |response: Response| ticket.map(|ticket| Effect::Reply { ticket, response }).into_iter();
        if available.originator_did != self.me {
            return reply(Response::refused(RefusalCode::WrongRecipient, "this job is another originator's"))
                .collect();
        }
        let id = available.announcement_id;
        let Some(job) = self.jobs.get_mut(&id) else {
            return reply(Response::refused(RefusalCode::UnknownJob, "no job of this node has this id"))
                .collect();
        };
        let (executor, cid) = (available.executor_did, available.receipt_cid);
        let Some(last_of_executor) =
            job.record.assignments.iter().rposition(|past| past.executor == executor)
        else {
            let message = "this executor was never assigned this job".to_owned();
            return reply(Response::refused(RefusalCode::NotAssigned, message)).collect();
        };
        let known = job.record.assignments.iter().any(|past| past.receipt == Some(cid));
        let is_current = last_of_executor + 1 == job.record.assignments.len()
            && !job.record.status.is_final()
            && !job.is_between();
        let recorded =
            job.record.assignments.get(last_of_executor).is_some_and(|past| past.receipt.is_some());
        if known || (!is_current && recorded) {
            // What is acknowledged is durable: the write that recorded it may still be on its way.
            let again = || Effect::Persist(vec![Persist::Job(Box::new(job.record.clone()))]);
            return ticket.map(|ticket| vec![again(), ack(ticket)]).unwrap_or_default();
        }
        if is_current && job.live.fetching.is_some() {
            let message = "another receipt of this executor is being fetched";
            return reply(Response::refused(RefusalCode::Busy, message)).collect();
        }
        let mut effects = Vec::new();
        if is_current {
            job.live.fetching = Some((cid, 0));
            job.live.providers = available.providers.clone();
            effects.extend(fetch(&job.record, executor, cid, &job.live.providers));
        }
        if let Some(assignment) = job.record.assignments.get_mut(last_of_executor) {
            assignment.receipt = Some(cid);
        }
        if !is_current {
            let text = format!("a late receipt {cid} came from {executor}: recorded, not paid");
            job.record.say(now.at, "Note", Some(text));
        }
        effects.push(Effect::Persist(vec![Persist::Job(Box::new(job.record.clone()))]));
        effects.extend(ticket.map(ack));
        effects
    }

    /// Fetches an announced receipt, again or after a restart.
    pub(super) fn refetch(&mut self, id: &Cid, epoch: u64) -> Vec<Effect> {
        let Some(job) = self.jobs.get(id).filter(|job| job.record.epoch() == epoch) else {
            return Vec::new();
        };
        let Some((cid, _)) = job.live.fetching else { return Vec::new() };
        let Some(executor) = job.record.assignment().map(|last| last.executor) else { return Vec::new() };
        fetch(&job.record, executor, cid, &job.live.providers).into_iter().collect()
    }

    pub(super) fn receipt_fetched(
        &mut self,
        now: Now,
        id: &Cid,
        cid: Cid,
        executor: Did,
        result: Result<Box<ExecutionReceipt>, FetchFailure>,
    ) -> Vec<Effect> {
        let refetches_max = self.config.refetches_max;
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let Some((fetching, tries)) = job.live.fetching.filter(|(fetching, _)| *fetching == cid) else {
            return Vec::new();
        };
        match result {
            Ok(receipt) if receipt.lease_epoch == job.record.epoch() && receipt.executor_did == executor => {
                self.settle(now, id, cid, *receipt)
            }
            Ok(receipt) => {
                // The executor announced what it made under an earlier lease; its current lease goes on.
                job.live.fetching = None;
                let epoch = receipt.lease_epoch;
                for assignment in &mut job.record.assignments {
                    if assignment.receipt == Some(cid) {
                        assignment.receipt = None;
                    }
                    if assignment.epoch == epoch {
                        assignment.receipt = Some(cid);
                    }
                }
                let text = format!("the receipt {cid} is of epoch {epoch}: recorded, not paid");
                job.record.say(now.at, "Note", Some(text));
                vec![Effect::Note(vec![Persist::Job(Box::new(job.record.clone()))])]
            }
            Err(FetchFailure::Unavailable(_)) if tries < refetches_max => {
                job.live.fetching = Some((fetching, tries + 1));
                let after = Duration::from_millis(REFETCH_FIRST.as_millis() << tries.min(16));
                vec![Effect::Wake {
                    timer: Timer::RefetchReceipt { job: *id, epoch: job.record.epoch() },
                    after,
                }]
            }
            Err(FetchFailure::Unavailable(reason)) => self.lose_executor(
                now,
                id,
                "broken",
                JobOutcome::Missing,
                &format!("the announced receipt cannot be had: {reason}"),
            ),
            Err(FetchFailure::Invalid(reason)) => {
                let what = format!("the receipt does not hold: {reason}");
                self.lose_executor(now, id, "broken", JobOutcome::Invalid, &what)
            }
        }
    }

    /// Takes the receipt of the current lease: it ends the job, or hands it back.
    fn settle(&mut self, now: Now, id: &Cid, cid: Cid, receipt: ExecutionReceipt) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let cancelled = job.record.cancelled.is_some();
        let handed_back = receipt.end == End::NodeFault || (receipt.end == End::Cancelled && !cancelled);
        if handed_back && !cancelled {
            let error = receipt
                .error
                .as_ref()
                .map_or_else(String::new, |error| format!(": {}: {}", error.code, error.message));
            return self.lose_executor(
                now,
                id,
                "broken",
                JobOutcome::Failed,
                &format!("the executor handed the job back{error}"),
            );
        }
        if let Err(reason) = check_price(&job.record, &receipt) {
            let what = format!("the receipt does not hold: {reason}");
            return self.lose_executor(now, id, "broken", JobOutcome::Invalid, &what);
        }
        close_assignment(&mut job.record, "kept");
        if job.record.state == JobStatus::AwaitingAssignmentConfirmation {
            job.record.enter(now.at, JobStatus::Assigned, None);
        }
        fill_in_states(&mut job.record, now, &receipt);
        let state = match receipt.status {
            StandardJobStatus::CompletedSuccessfully => JobStatus::Completed,
            StandardJobStatus::Cancelled => JobStatus::Cancelled,
            StandardJobStatus::Failed | StandardJobStatus::Pending | StandardJobStatus::Running => {
                JobStatus::Failed
            }
        };
        job.record.status =
            if cancelled && handed_back { StandardJobStatus::Cancelled } else { receipt.status };
        job.record.enter(now.at, state, Some(end_words(&receipt)));
        job.record.enter(now.at, JobStatus::ReceiptGenerated, Some(cid.to_string()));
        job.record.enter(now.at, JobStatus::ReceiptAnchored, Some("the receipt holds and is stored".into()));
        job.record.receipt_cid = Some(cid);
        let executor = receipt.executor_did;
        let capture = intend_capture(job, cid, &receipt);
        let rating = rating(self.me, job, executor, receipt.lease_epoch, Some(cid), JobOutcome::Valid);
        job.record.receipt = Some(receipt);
        self.tracks.entry(executor).or_default().kept += 1;
        let mut effects = self.finish(id, Vec::new());
        effects.extend(capture);
        effects.extend(rating);
        effects
    }
}

fn fetch(record: &JobRecord, executor: Did, receipt: Cid, providers: &[String]) -> Option<Effect> {
    let epoch = record.assignments.iter().rev().find(|past| past.executor == executor)?.epoch;
    Some(Effect::FetchReceipt { job: record.id, epoch, receipt, executor, providers: providers.to_vec() })
}

/// A short job is over before its first status update: the receipt says when it ran.
fn fill_in_states(record: &mut JobRecord, now: Now, receipt: &ExecutionReceipt) {
    let assigned = record.history.iter().rposition(|turn| turn.state == JobStatus::Assigned.as_str());
    let ran = record
        .history
        .iter()
        .skip(assigned.unwrap_or(0))
        .any(|turn| turn.state == JobStatus::Running.as_str());
    if !ran && !matches!(receipt.end, End::BadModule | End::NodeFault) {
        let at = receipt
            .started_at
            .min(now.at)
            .max(record.history.last().map_or(receipt.started_at, |turn| turn.at));
        record.enter(at, JobStatus::Running, Some(format!("from {} by the receipt", receipt.started_at)));
    }
}

fn end_words(receipt: &ExecutionReceipt) -> String {
    let mut words = receipt.end.as_str().to_owned();
    if let Some(code) = receipt.exit_code {
        words.push_str(&format!(" {code}"));
    }
    if let Some(error) = &receipt.error {
        words.push_str(&format!(": {}", error.message.lines().next().unwrap_or_default()));
    }
    words
}
