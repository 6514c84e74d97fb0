//! A finished job was run again: its receipt told the truth, or its executor lied.

use icn_protocol::TEXT_BYTES_MAX;
use icn_types::{Cid, JobOutcome};

use super::Originator;
use super::assignment::{close_assignment, rating};
use crate::clock::Now;
use crate::effect::{Effect, Persist};
use crate::record::cut;

impl Originator {
    /// Notes what came of it, and says so of the executor. The job has ended all the same: what was paid is for a dispute.
    pub(super) fn checked(&mut self, now: Now, id: &Cid, differences: &[String]) -> Vec<Effect> {
        // A final job that is forgotten here is final on disk, and its executor keeps the word that was given first.
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let (Some(receipt), Some(cid)) = (&job.record.receipt, job.record.receipt_cid) else {
            return Vec::new();
        };
        let (executor, epoch) = (receipt.executor_did, receipt.lease_epoch);
        let (outcome, mut text) = if differences.is_empty() {
            (JobOutcome::Validated, "the job was run again here, and the receipt told the truth".to_owned())
        } else {
            let what = differences.join("; ");
            (JobOutcome::Invalid, format!("the job was run again here, and the receipt lies: {what}"))
        };
        cut(&mut text, TEXT_BYTES_MAX);
        if outcome == JobOutcome::Invalid {
            let track = self.tracks.entry(executor).or_default();
            track.kept = track.kept.saturating_sub(1);
            track.broken += 1;
            // A new start counts the bids of the records that are on the disk.
            close_assignment(&mut job.record, "broken");
        }
        job.record.say(now.at, "Note", Some(text));
        let mut effects = vec![Effect::Note(vec![Persist::Job(Box::new(job.record.clone()))])];
        effects.extend(rating(self.me, job, executor, epoch, Some(cid), outcome));
        effects
    }
}
