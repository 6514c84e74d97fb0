//! Keeping the lease while the guest runs, and stopping when it is over.

use icn_protocol::{CancelJob, JobStatus, JobStatusUpdate, RefusalCode, Response, TEXT_BYTES_MAX};
use icn_types::{Cid, Duration, End};

use super::{Execution, Executor, is_open};
use crate::clock::Now;
use crate::effect::{Answer, Effect, Persist, RequestId, Timer};
use crate::record::cut;

/// How soon after the start the first update goes out; a job that is over by then needs none.
const FIRST_BEAT: Duration = Duration::from_millis(25);

/// How soon what a guest said is passed on.
const SAID_BEAT: Duration = Duration::from_millis(100);

/// How many lines of a guest wait for the next update. Full: the oldest is dropped.
const SAID_MAX: usize = 64;

impl Executor {
    pub(super) fn started(&mut self, now: Now, job: &Cid, epoch: u64) -> Vec<Effect> {
        let Some(execution) = self.executions.get_mut(job).filter(|execution| is_open(execution, epoch))
        else {
            return Vec::new();
        };
        execution.record.enter(now.at, JobStatus::Running, None);
        // When the first update is still to come, it says so; else the originator would hear of it a third of a lease late.
        if execution.live.sequence <= 1 { Vec::new() } else { vec![beat_within(execution, FIRST_BEAT)] }
    }

    pub(super) fn said(&mut self, job: &Cid, epoch: u64, line: String) -> Vec<Effect> {
        let Some(execution) = self.executions.get_mut(job).filter(|execution| is_open(execution, epoch))
        else {
            return Vec::new();
        };
        if execution.live.said.len() >= SAID_MAX {
            execution.live.said.remove(0);
        }
        execution.live.said.push(line);
        if execution.live.said.len() > 1 { Vec::new() } else { vec![beat_within(execution, SAID_BEAT)] }
    }

    /// Times the first update after an assignment.
    pub(super) fn next_beat(&mut self, job: &Cid, epoch: u64) -> Effect {
        let sequence = self.executions.get_mut(job).map_or(0, |execution| {
            execution.live.beat = Some(execution.live.sequence);
            execution.live.sequence
        });
        Effect::Wake { timer: Timer::Beat { job: *job, epoch, sequence }, after: FIRST_BEAT }
    }

    /// Sends the status update that is due, and times the one after it.
    pub(super) fn beat(&mut self, now: Now, job: &Cid, epoch: u64, sequence: u64) -> Vec<Effect> {
        let (me, signer) = (self.me, std::sync::Arc::clone(&self.signer));
        let Some(execution) = self.executions.get_mut(job).filter(|execution| is_open(execution, epoch))
        else {
            return Vec::new();
        };
        if execution.live.beat != Some(sequence) {
            return Vec::new();
        }
        let third = Duration::from_millis(execution.record.lease_seconds.saturating_mul(1_000) / 3);
        let details = take_details(&mut execution.live.said);
        let more = !execution.live.said.is_empty();
        let update = JobStatusUpdate {
            announcement_id: *job,
            executor_did: me,
            p2p_job_status: execution.record.state.clone(),
            progress_ppm: None,
            details,
            lease_epoch: epoch,
            sequence,
            timestamp: now.at,
        };
        let Ok(signed) = icn_protocol::sign(update, signer.as_ref()) else { return Vec::new() };
        execution.live.sent.insert(sequence, now.tick);
        while execution.live.sent.len() > 16 {
            execution.live.sent.pop_first();
        }
        execution.live.sequence = sequence + 1;
        execution.live.beat = Some(sequence + 1);
        let request = RequestId::Status { job: *job, epoch, sequence };
        vec![
            Effect::Send {
                to: execution.record.originator,
                bytes: signed.into_wire(),
                request,
                patience: third,
            },
            Effect::Wake {
                timer: Timer::Beat { job: *job, epoch, sequence: sequence + 1 },
                after: if more { third.min(SAID_BEAT) } else { third },
            },
        ]
    }

    pub(super) fn status_answered(
        &mut self,
        now: Now,
        job: &Cid,
        epoch: u64,
        sequence: u64,
        answer: Answer,
    ) -> Vec<Effect> {
        let Some(execution) = self.executions.get_mut(job).filter(|execution| is_open(execution, epoch))
        else {
            return Vec::new();
        };
        let Some(sent) = execution.live.sent.remove(&sequence) else { return Vec::new() };
        match answer {
            Answer::Response(Response::Ack) => {
                let lease = Duration::from_secs(execution.record.lease_seconds);
                // Counted from sending, so that it is over here before it is over at the originator.
                execution.live.lease_until = execution.live.lease_until.max(sent.plus(lease));
                Vec::new()
            }
            Answer::Response(Response::Refused {
                code:
                    RefusalCode::WrongEpoch
                    | RefusalCode::NotAssigned
                    | RefusalCode::UnknownJob
                    | RefusalCode::Finished,
                message,
            }) => {
                let message = format!("the originator says that the lease is over: {message}");
                self.stop(job, epoch, End::NodeFault, "superseded", message)
            }
            Answer::Response(Response::Refused { .. }) | Answer::Silent | Answer::Unsent => {
                // Another try well before the lease is over; until then the guest goes on.
                let left = now.tick.until(execution.live.lease_until);
                let after = Duration::from_millis((left.as_millis() / 4).clamp(50, 1_000));
                vec![beat_within(execution, after)]
            }
        }
    }

    pub(super) fn lease_ends(&mut self, now: Now, job: &Cid, epoch: u64) -> Vec<Effect> {
        let Some(execution) = self.executions.get(job).filter(|execution| is_open(execution, epoch)) else {
            return Vec::new();
        };
        let until = execution.live.lease_until;
        if until > now.tick {
            return vec![Effect::Wake {
                timer: Timer::LeaseEnds { job: *job, epoch },
                after: now.tick.until(until),
            }];
        }
        let message = "the originator could not be reached for the length of the lease".to_owned();
        self.stop(job, epoch, End::NodeFault, "lease_lost", message)
    }

    pub(super) fn hear_cancel(&mut self, now: Now, ticket: u64, cancel: &CancelJob) -> Vec<Effect> {
        let refuse = |code, message: &str| {
            vec![Effect::Reply { ticket, response: Response::refused(code, message.to_owned()) }]
        };
        let job = cancel.announcement_id;
        let checked = self.checking.get(&job).map(|checking| &checking.assignment);
        if checked.is_some_and(|assignment| {
            assignment.originator_did == cancel.originator_did
                && cancel.lease_epoch.is_none_or(|wanted| wanted == assignment.lease_epoch)
        }) {
            let message = "the originator has cancelled the job".to_owned();
            let mut effects = vec![Effect::Reply { ticket, response: Response::Ack }];
            effects.extend(self.refuse_checking(now, &job, RefusalCode::Finished, message));
            effects.extend(self.withdraw(&job));
            return effects;
        }
        let Some(execution) = self.executions.get(&job) else {
            let mut effects = refuse(RefusalCode::UnknownJob, "this node does not run this job");
            if self.offers.get(&job).is_some_and(|offer| offer.originator == cancel.originator_did) {
                self.offers.remove(&job);
                effects.push(Effect::Note(vec![Persist::OfferGone(job)]));
            }
            return effects;
        };
        if execution.record.originator != cancel.originator_did {
            return refuse(RefusalCode::NotAuthorised, "only the originator can cancel a job");
        }
        let epoch = execution.record.epoch;
        if cancel.lease_epoch.is_some_and(|wanted| wanted != epoch) {
            return refuse(RefusalCode::WrongEpoch, "the cancellation is for another lease epoch");
        }
        let mut effects = vec![Effect::Reply { ticket, response: Response::Ack }];
        let reason = cancel.reason.clone().unwrap_or_else(|| "the originator cancelled".into());
        effects.extend(self.stop(&job, epoch, End::Cancelled, "cancelled", reason));
        effects
    }

    /// Stops an execution once; its end will carry the first reason given.
    pub(super) fn stop(
        &mut self,
        job: &Cid,
        epoch: u64,
        end: End,
        code: &'static str,
        message: String,
    ) -> Vec<Effect> {
        let Some(execution) = self.executions.get_mut(job).filter(|execution| is_open(execution, epoch))
        else {
            return Vec::new();
        };
        if execution.live.stopping.is_some() {
            return Vec::new();
        }
        execution.live.stopping = Some((end, code, message));
        vec![Effect::Stop { job: *job, epoch }]
    }
}

/// Times the next update anew: its new number makes the timer for a later moment stale.
fn beat_within(execution: &mut Execution, after: Duration) -> Effect {
    let (job, epoch, sequence) = (execution.record.job, execution.record.epoch, execution.live.sequence + 1);
    execution.live.sequence = sequence;
    execution.live.beat = Some(sequence);
    Effect::Wake { timer: Timer::Beat { job, epoch, sequence }, after }
}

/// Takes as many lines, oldest first, as one update may carry; a line that is too long for any is cut.
fn take_details(said: &mut Vec<String>) -> Option<String> {
    let mut lines = std::mem::take(said).into_iter();
    let mut details = lines.next()?;
    cut(&mut details, TEXT_BYTES_MAX);
    for line in lines {
        if said.is_empty() && details.len() + 1 + line.len() <= TEXT_BYTES_MAX {
            details.push('\n');
            details.push_str(&line);
        } else {
            said.push(line);
        }
    }
    Some(details)
}
