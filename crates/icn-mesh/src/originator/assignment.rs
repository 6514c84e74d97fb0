//! Giving a job to one executor under a lease, and taking it back when the lease is over.

use icn_protocol::{JobAssignment, JobStatus, JobStatusUpdate, RefusalCode, Response};
use icn_types::{Cid, Did, Duration, JobOutcome, StandardJobStatus};

use super::cancel::CANCEL_MAX;
use super::payment::watch;
use super::{Job, Originator, ack};
use crate::clock::Now;
use crate::effect::{Answer, Effect, Persist, RequestId, Timer};
use crate::record::{AssignmentRecord, BidRecord, JobRecord};

impl Originator {
    /// Assigns the job to the best bid that is left, or opens bidding again when none is.
    pub(super) fn choose(&mut self, now: Now, id: &Cid) -> Vec<Effect> {
        let assignments_max = self.config.assignments_max;
        let ranked = match self.jobs.get(id) {
            Some(job) => self.ranked(now, job),
            None => return Vec::new(),
        };
        let me = self.me;
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        if job.record.cancelled.is_some() {
            let reason = job.record.cancelled.clone().unwrap_or_default();
            return self.fail(now, id, "cancelled", reason);
        }
        let epoch = job.record.next_epoch();
        // Who is busy by now and says so, or cannot be reached, has done no harm; the bound on bids bounds this as well.
        let refused = job.record.bids.iter().filter(|bid| is_refused(bid)).count() as u64;
        if epoch.saturating_sub(refused) > assignments_max {
            let message = format!("{assignments_max} assignments did not lead to a receipt that holds");
            return self.fail(now, id, "assignments_exhausted", message);
        }
        for scored in &ranked {
            if let Some(bid) = job.record.bids.get_mut(scored.index) {
                bid.score = scored.score;
            }
        }
        let Some((index, bid)) =
            ranked.first().and_then(|best| Some((best.index, job.record.bids.get(best.index)?)))
        else {
            return self.open_bidding(now, id, None);
        };
        let why = choice_words(ranked.len(), bid.score, job.placement);
        // What a node runs for itself moves no money.
        if bid.executor != me && bid.price.as_ref().is_some_and(|price| price.amount > 0) {
            return self.place_hold(now, id, index, why);
        }
        job.record.enter(now.at, JobStatus::BiddingClosed, Some(why));
        self.assign(now, id, index, epoch, None)
    }

    /// Signs the assignment that takes a bid, and sends it once it is durable.
    pub(super) fn assign(
        &mut self,
        now: Now,
        id: &Cid,
        index: usize,
        epoch: u64,
        hold: Option<String>,
    ) -> Vec<Effect> {
        let (me, signer, lease) = (self.me, std::sync::Arc::clone(&self.signer), self.config.lease);
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let Some(bid) = job.record.bids.get_mut(index) else { return Vec::new() };
        let assignment = JobAssignment {
            announcement_id: *id,
            originator_did: me,
            executor_did: bid.executor,
            timestamp: now.at,
            lease_epoch: epoch,
            lease_seconds: lease.as_millis() / 1_000,
            bid_cid: bid.cid,
            params_cid: job.params.cid(),
            escrow_id: hold,
        };
        let Ok(signed) = icn_protocol::sign(assignment, signer.as_ref()) else { return Vec::new() };
        bid.outcome = Some("assigned".into());
        let executor = bid.executor;
        job.record.assignments.push(AssignmentRecord {
            epoch,
            executor,
            cid: signed.cid(),
            block: signed.inner().to_vec(),
            message: signed.wire().to_vec(),
            at: now.at,
            receipt: None,
        });
        let detail = Some(format!("epoch {epoch} to {executor}"));
        job.record.enter(now.at, JobStatus::AwaitingAssignmentConfirmation, detail);
        job.live.bidding_since = None;
        job.live.closing = false;
        job.live.tries = 0;
        job.live.sequence = None;
        job.live.may_have_arrived = false;
        job.live.running_since = None;
        job.live.fetching = None;
        job.live.heard = now.tick;
        let block = Persist::Block { cid: signed.cid(), bytes: signed.inner().to_vec() };
        let mut effects = vec![Effect::Persist(vec![block, Persist::Job(Box::new(job.record.clone()))])];
        if let Some(job) = self.jobs.get(id) {
            let payment = job.record.payments.iter().find(|payment| payment.epoch == epoch);
            effects.extend(payment.and_then(|payment| watch(&job.params, *id, payment)));
        }
        effects.extend(self.resend_assignment(now, id, epoch));
        // A job that was taken back while its hold was placed: only its executor can give the hold back.
        effects.extend(self.resend_cancel(now, id, epoch));
        effects.push(Effect::Changed { job: *id });
        effects
    }

    /// Sends the current assignment, the same bytes each time: a repeat gets the executor's first answer.
    pub(super) fn resend_assignment(&mut self, now: Now, id: &Cid, epoch: u64) -> Vec<Effect> {
        let patience = self.config.assignment_patience;
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        if job.record.state != JobStatus::AwaitingAssignmentConfirmation {
            return Vec::new();
        }
        let Some(assignment) = job.record.assignments.last().filter(|last| last.epoch == epoch) else {
            return Vec::new();
        };
        job.live.tries += 1;
        job.live.heard = now.tick;
        let request = RequestId::Assignment { job: *id, epoch };
        vec![Effect::Send { to: assignment.executor, bytes: assignment.message.clone(), request, patience }]
    }

    /// Goes on with an assignment whose answer was not known when the process ended.
    pub(super) fn resume_assignment(&mut self, now: Now, id: &Cid) -> Vec<Effect> {
        let Some(epoch) = self.jobs.get(id).map(|job| job.record.epoch()) else { return Vec::new() };
        let mut effects = self.resend_assignment(now, id, epoch);
        if effects.is_empty() {
            return self.open_bidding(now, id, None);
        }
        if let Some(job) = self.jobs.get_mut(id) {
            // Whether the process before this one sent it is not known.
            job.live.may_have_arrived = true;
        }
        effects.extend(self.resume_fetch(id, epoch));
        effects
    }

    /// Fetches a receipt that was announced before the restart.
    fn resume_fetch(&mut self, id: &Cid, epoch: u64) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let Some(receipt) = job.record.assignment().and_then(|last| last.receipt) else { return Vec::new() };
        job.live.fetching = Some((receipt, 0));
        self.refetch(id, epoch)
    }

    /// Gives the executor a whole lease to be heard of after a restart.
    pub(super) fn resume_lease(&mut self, now: Now, id: &Cid) -> Vec<Effect> {
        let after = self.config.lease;
        let Some(epoch) = self.jobs.get(id).map(|job| job.record.epoch()) else { return Vec::new() };
        let mut effects = vec![Effect::Wake { timer: Timer::LeaseChecked { job: *id, epoch }, after }];
        effects.extend(self.resume_fetch(id, epoch));
        effects.extend(self.resend_cancel(now, id, epoch));
        effects
    }

    pub(super) fn assignment_answered(
        &mut self,
        now: Now,
        id: &Cid,
        epoch: u64,
        answer: Answer,
    ) -> Vec<Effect> {
        let config = self.config.clone();
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let waiting =
            job.record.state == JobStatus::AwaitingAssignmentConfirmation && job.record.epoch() == epoch;
        if !waiting {
            return Vec::new();
        }
        match answer {
            Answer::Response(Response::Ack) => self.accepted(now, id, "accepted"),
            Answer::Response(Response::Refused { code, message }) => {
                let word = format!("refused: {code}: {message}");
                close_assignment(&mut job.record, &word);
                job.record.say(now.at, "Note", Some(format!("the executor declined: {code}: {message}")));
                self.choose(now, id)
            }
            Answer::Unsent if !job.live.may_have_arrived => {
                close_assignment(&mut job.record, "unreachable");
                job.record.say(now.at, "Note", Some("the executor cannot be reached".into()));
                self.choose(now, id)
            }
            Answer::Silent | Answer::Unsent => {
                job.live.may_have_arrived = true;
                if job.live.tries < config.assignment_tries {
                    return self.resend_assignment(now, id, epoch);
                }
                // The executor may have accepted, and only its answers be lost: its first lease has to run out.
                let after = now.tick.until(job.live.heard.plus(self.lease_span()));
                vec![Effect::Wake { timer: Timer::LeaseChecked { job: *id, epoch }, after }]
            }
        }
    }

    /// Enters `Assigned`: by the executor's acknowledgement, or by anything else that only an executor that accepted sends.
    fn accepted(&mut self, now: Now, id: &Cid, how: &str) -> Vec<Effect> {
        let after = self.lease_span();
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        close_assignment(&mut job.record, how);
        job.record.status = StandardJobStatus::Running;
        job.record.enter(now.at, JobStatus::Assigned, None);
        job.live.heard = now.tick;
        job.live.waiting_since = None;
        let epoch = job.record.epoch();
        let mut effects = vec![
            Effect::Note(vec![Persist::Job(Box::new(job.record.clone()))]),
            Effect::Wake { timer: Timer::LeaseChecked { job: *id, epoch }, after },
            Effect::Changed { job: *id },
        ];
        if job.record.cancelled.is_some() {
            effects.extend(self.resend_cancel(now, id, epoch));
        }
        effects
    }

    fn lease_span(&self) -> Duration {
        Duration::from_millis(self.config.lease.as_millis() + self.config.lease_grace.as_millis())
    }

    pub(super) fn hear_status(&mut self, now: Now, ticket: u64, update: &JobStatusUpdate) -> Vec<Effect> {
        let id = update.announcement_id;
        let refuse = |code, message: &str| {
            vec![Effect::Reply { ticket, response: Response::refused(code, message.to_owned()) }]
        };
        let Some(job) = self.jobs.get(&id) else {
            return refuse(RefusalCode::UnknownJob, "no job of this node has this id");
        };
        let current = job.record.assignment().map(|last| (last.executor, last.epoch));
        if current != Some((update.executor_did, update.lease_epoch)) {
            return refuse(RefusalCode::WrongEpoch, "this lease is over: another epoch counts");
        }
        if job.record.status.is_final() || job.is_between() {
            return refuse(RefusalCode::WrongEpoch, "this lease is over: the job is final or open to bids");
        }
        let mut effects = vec![ack(ticket)];
        if job.record.state == JobStatus::AwaitingAssignmentConfirmation {
            effects.extend(self.accepted(now, &id, "accepted"));
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            // An older update, late or sent again by somebody, renews nothing.
            if job.live.sequence.is_none_or(|newest| update.sequence > newest) {
                job.live.heard = now.tick;
                job.live.sequence = Some(update.sequence);
                if take_status(&mut job.record, now, update) {
                    effects.push(Effect::Note(vec![Persist::Job(Box::new(job.record.clone()))]));
                    effects.push(Effect::Changed { job: id });
                }
            }
            if job.record.state == JobStatus::Running && job.live.running_since.is_none() {
                job.live.running_since = Some(now.tick);
            }
        }
        effects
    }

    pub(super) fn check_lease(&mut self, now: Now, id: &Cid, epoch: u64) -> Vec<Effect> {
        let span = self.lease_span();
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let current = job.record.epoch() == epoch && !job.record.status.is_final() && !job.is_between();
        if !current {
            return Vec::new();
        }
        let timer = Timer::LeaseChecked { job: *id, epoch };
        if job.live.fetching.is_some() {
            return vec![Effect::Wake { timer, after: span }];
        }
        // A guest that outlives its time by far belongs to an executor that only pretends to run it.
        let overdue = job.live.running_since.is_some_and(|since| {
            let limit = Duration::from_secs(job.params.timeout_seconds.saturating_add(30));
            since.plus(limit) <= now.tick
        });
        // The same goes for one that does not let go of a job that was taken back.
        let overdue =
            overdue || job.live.cancelling_since.is_some_and(|since| since.plus(CANCEL_MAX) <= now.tick);
        let ends = job.live.heard.plus(span);
        if ends > now.tick && !overdue {
            return vec![Effect::Wake { timer, after: now.tick.until(ends) }];
        }
        if job.record.state == JobStatus::AwaitingAssignmentConfirmation {
            close_assignment(&mut job.record, "silent");
            job.record.say(now.at, "Note", Some("the executor did not answer the assignment".into()));
            return self.choose(now, id);
        }
        let what = if overdue {
            "the executor held the job far past its time"
        } else {
            "the executor's lease ran out"
        };
        self.lose_executor(now, id, "lost", JobOutcome::Missing, what)
    }

    /// Takes the job from its executor and gives it to the next: the same lease is never renewed after this.
    pub(super) fn lose_executor(
        &mut self,
        now: Now,
        id: &Cid,
        word: &str,
        outcome: JobOutcome,
        what: &str,
    ) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let last = job.record.assignment();
        let executor = last.map(|last| last.executor);
        let rating =
            last.and_then(|last| rating(self.me, job, last.executor, last.epoch, last.receipt, outcome));
        close_assignment(&mut job.record, word);
        job.record.say(now.at, "Note", Some(what.to_owned()));
        job.record.status = StandardJobStatus::Pending;
        job.live.fetching = None;
        if let Some(executor) = executor {
            self.tracks.entry(executor).or_default().broken += 1;
        }
        let mut effects = self.choose(now, id);
        effects.extend(rating);
        effects
    }
}

/// Says what came of an executor's work; nobody speaks of its own.
pub(super) fn rating(
    me: Did,
    job: &Job,
    executor: Did,
    epoch: u64,
    receipt: Option<Cid>,
    outcome: JobOutcome,
) -> Option<Effect> {
    let space = job.params.space;
    (executor != me).then_some(Effect::Rate { job: job.record.id, epoch, space, executor, receipt, outcome })
}

fn is_refused(bid: &BidRecord) -> bool {
    bid.outcome.as_ref().is_some_and(|outcome| {
        ["refused", "unpaid", "unreachable"].iter().any(|word| outcome.starts_with(word))
    })
}

/// Writes to the bid behind the current assignment what became of it.
pub(super) fn close_assignment(record: &mut JobRecord, outcome: &str) {
    let Some(executor) = record.assignment().map(|last| last.executor) else { return };
    let bid = record.bids.iter_mut().rev().find(|bid| bid.executor == executor && bid.outcome.is_some());
    if let Some(bid) = bid {
        bid.outcome = Some(outcome.to_owned());
    }
}

/// Takes over what an update says; returns whether anything changed.
fn take_status(record: &mut JobRecord, now: Now, update: &JobStatusUpdate) -> bool {
    let mut changed = false;
    let state = update.p2p_job_status.clone();
    if state != record.state && record.state.may_become(&state) {
        record.enter(now.at, state, None);
        changed = true;
    }
    for line in update.details.as_deref().unwrap_or_default().lines().take(64) {
        let (kind, text) = match line.split_once(' ') {
            Some(("progress", text)) => ("Progress", text),
            Some(("log", text)) => ("Log", text),
            _ => ("Note", line),
        };
        record.say(now.at, kind, Some(text.to_owned()));
        changed = true;
    }
    changed
}

fn choice_words(candidates: usize, score: u64, placement: crate::placement::Placement) -> String {
    let bids = if candidates == 1 {
        "the only acceptable bid".to_owned()
    } else {
        format!("best of {candidates} bids")
    };
    format!("{bids} by {placement}, score {}.{:06}", score / 1_000_000, score % 1_000_000)
}
