//! Taking a job back for its user.

use icn_protocol::{CancelJob, Response, TEXT_BYTES_MAX};
use icn_types::{Cid, Duration};

use super::Originator;
use crate::clock::Now;
use crate::effect::{Answer, Effect, Persist, RequestId, Timer};
use crate::record::cut;

/// How long an executor may go on renewing the lease of a job that was taken back.
pub(super) const CANCEL_MAX: Duration = Duration::from_secs(30);

impl Originator {
    pub(super) fn cancel(&mut self, now: Now, id: &Cid, reason: Option<String>) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        if job.record.status.is_final() || job.record.cancelled.is_some() {
            return Vec::new();
        }
        let mut reason = reason.unwrap_or_else(|| "the originator cancelled".into());
        cut(&mut reason, TEXT_BYTES_MAX);
        job.live.cancelling_since = Some(now.tick);
        job.record.cancelled = Some(reason.clone());
        job.record.say(now.at, "Note", Some(format!("cancelling: {reason}")));
        if job.live.bidding_since.is_some() {
            return self.fail(now, id, "cancelled", reason);
        }
        let epoch = job.record.epoch();
        let mut effects = vec![Effect::Persist(vec![Persist::Job(Box::new(job.record.clone()))])];
        effects.extend(self.resend_cancel(now, id, epoch));
        effects.push(Effect::Changed { job: *id });
        effects
    }

    pub(super) fn resend_cancel(&mut self, now: Now, id: &Cid, epoch: u64) -> Vec<Effect> {
        let patience = self.config.assignment_patience;
        let Some(job) = self.jobs.get(id) else { return Vec::new() };
        let Some(assignment) = job.record.assignment().filter(|last| last.epoch == epoch) else {
            return Vec::new();
        };
        if job.record.status.is_final() || job.record.cancelled.is_none() || job.is_between() {
            return Vec::new();
        }
        let cancel = CancelJob {
            announcement_id: *id,
            originator_did: self.me,
            lease_epoch: Some(epoch),
            reason: job.record.cancelled.clone(),
            timestamp: now.at,
        };
        let Ok(signed) = icn_protocol::sign(cancel, self.signer.as_ref()) else { return Vec::new() };
        let request = RequestId::Cancel { job: *id, epoch };
        vec![Effect::Send { to: assignment.executor, bytes: signed.into_wire(), request, patience }]
    }

    /// A cancellation that was not heard is sent again until the lease is over anyway.
    pub(super) fn cancel_answered(&mut self, id: &Cid, epoch: u64, answer: &Answer) -> Vec<Effect> {
        match answer {
            Answer::Response(Response::Ack) => Vec::new(),
            Answer::Response(Response::Refused { code, .. }) if !code.is_temporary() => Vec::new(),
            Answer::Response(Response::Refused { .. }) | Answer::Silent | Answer::Unsent => {
                let after = Duration::from_millis(500);
                vec![Effect::Wake { timer: Timer::ResendCancel { job: *id, epoch }, after }]
            }
        }
    }
}
