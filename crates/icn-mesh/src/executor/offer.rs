//! Deciding whether to bid, and being bound by it.

use std::collections::VecDeque;

use icn_protocol::{
    JobAnnouncement, JobAssignment, JobBid, JobDecline, JobInterest, JobStatus, MeshJobParams, RefusalCode,
    Response, WorkflowType,
};
use icn_types::{Cid, Did, Duration};

use super::payment::{self, Checking};
use super::{Execution, Executor, Live, WAITING_MAX};
use crate::clock::Now;
use crate::effect::{Answer, Effect, Persist, RequestId, Timer};
use crate::payment::DueRecord;
use crate::placement::{self, Candidate, Ineligible};
use crate::record::{ExecutionRecord, OfferRecord};

/// How long after an unheard bid the same bytes go out again; each further wait is twice as long.
const RESEND_FIRST: Duration = Duration::from_millis(250);

/// How many waiting jobs beyond their quotas are passed over to find one within.
const OVER_QUOTA_LOOKS: usize = 64;

/// How many bids for one job bind at once. Full: the oldest binds no longer.
const BIDS_MAX: usize = 8;

impl Executor {
    pub(super) fn hear_announcement(
        &mut self,
        now: Now,
        announcement: JobAnnouncement,
        blobs_held: Vec<Cid>,
    ) -> Vec<Effect> {
        if self.draining || self.is_busy_with(&announcement.announcement_id) {
            return Vec::new();
        }
        if let Err(reason) = self.would_run(&announcement.originator_did, &announcement.job_params) {
            return self.decline_if_asked(now, &announcement, &reason);
        }
        if let Err((reason, may_fit)) = self.fits_quota(now.at, &announcement) {
            let effects = self.decline_if_asked(now, &announcement, &reason);
            if may_fit {
                self.remember(announcement);
            }
            return effects;
        }
        if self.is_full() || self.offers.len() >= self.config.offers_max {
            return self.wait_for_a_place(now, announcement);
        }
        self.bid(now, &announcement, blobs_held)
    }

    fn is_busy_with(&self, job: &Cid) -> bool {
        self.checking.contains_key(job)
            || self.executions.get(job).is_some_and(|execution| execution.record.receipt.is_none())
    }

    /// Applies this node's own rules: the job's policy, its limits, what this version can run.
    fn would_run(&self, originator: &Did, params: &MeshJobParams) -> Result<(), Ineligible> {
        let no = |detail: &str| Err(Ineligible { code: RefusalCode::Unsupported, detail: detail.to_owned() });
        if params.workflow_type != WorkflowType::SingleWasmModule {
            return no("this node runs single modules only");
        }
        if params.is_interactive {
            return no("this node runs no interactive jobs");
        }
        let price = self.asks(params);
        let candidate = Candidate {
            did: &self.me,
            region: self.config.region.as_ref(),
            capacity: &self.config.capacity,
            price: price.as_ref(),
            // What the originator thinks of this node is for the originator to say.
            reputation: u64::MAX,
            gate: None,
        };
        self.may_ask(originator, params)?;
        placement::eligible(params, &candidate)
    }

    /// Applies what policy lets an originator ask of this node; itself it may ask anything.
    fn may_ask(&self, originator: &Did, params: &MeshJobParams) -> Result<(), Ineligible> {
        if *originator == self.me {
            return Ok(());
        }
        let allowed = self.regards.constraints(originator);
        let no = |detail: String| Err(Ineligible { code: RefusalCode::Policy, detail });
        if params.max_fuel > allowed.fuel_max {
            return no(format!(
                "the job may use {} of fuel, this node gives its originator {given}: submit it with `--max-fuel {given}` or \
                 less, or have a member vouch for the originator (`icn trust add`)",
                params.max_fuel,
                given = allowed.fuel_max
            ));
        }
        if allowed.jobs_max < u32::MAX && self.taken_by(originator) >= allowed.jobs_max as usize {
            return no(format!(
                "this node runs {} jobs of this originator at once, and has bid for as many",
                allowed.jobs_max
            ));
        }
        Ok(())
    }

    /// Counts the jobs of an originator that run here, are about to, or that a bid binds this node to.
    fn taken_by(&self, originator: &Did) -> usize {
        let open = self.executions.values().filter(|execution| execution.record.receipt.is_none());
        let runs = open.filter(|execution| execution.record.originator == *originator).count();
        let checked = self.checking.values().filter(|checking| checking.offer.originator == *originator);
        let bid = self.offers.values().filter(|offer| offer.originator == *originator);
        runs + checked.count() + bid.count()
    }

    fn bid(&mut self, now: Now, announcement: &JobAnnouncement, blobs_held: Vec<Cid>) -> Vec<Effect> {
        let job = announcement.announcement_id;
        let waiting = self.open_len().saturating_sub(self.config.running_max);
        let expires_at = now.at.plus(self.config.bid_validity);
        let price = self.asks(&announcement.job_params);
        let rates = self.rates().filter(|_| price.as_ref().is_some_and(|price| price.amount > 0));
        let bid = JobBid {
            announcement_id: job,
            executor_did: self.me,
            executor_peer_id: icn_identity::peer_id(&self.me),
            price: price.clone(),
            rates,
            region: self.config.region.clone(),
            timestamp: now.at,
            bid_expires_at: Some(expires_at),
            available_resources: Some(self.config.capacity.0.clone()),
            queue_depth: Some(waiting as u64),
            estimated_start_ms: None,
            blobs_held,
        };
        let Ok(signed) = icn_protocol::sign(bid, self.signer.as_ref()) else { return Vec::new() };
        let offer = OfferRecord {
            job,
            originator: announcement.originator_did,
            params: announcement.job_params.bytes().to_vec(),
            bid_cid: signed.cid(),
            // A bid on other terms binds no longer: an assignment of it would be answered by these.
            earlier: self
                .offers
                .get(&job)
                .filter(|offer| offer.price == price && offer.rates == rates)
                .map(bids_of)
                .unwrap_or_default(),
            price,
            rates,
            expires_at,
        };
        let bid = offer.bid_cid;
        self.count_offer(&offer);
        self.unheard.insert(job, (signed.into_wire(), 0));
        let timed = self.offers.insert(job, offer.clone()).is_some();
        let mut effects = vec![Effect::Persist(vec![Persist::Offer(offer)])];
        effects.extend(self.resend_bid(&job, bid));
        if !timed {
            effects.push(Effect::Wake { timer: Timer::BidExpires { job }, after: self.config.bid_validity });
        }
        effects
    }

    /// Sends the newest bid for a job, unless it was answered or replaced.
    pub(super) fn resend_bid(&mut self, job: &Cid, bid: Cid) -> Vec<Effect> {
        let Some(offer) = self.offers.get(job).filter(|offer| offer.bid_cid == bid) else {
            return Vec::new();
        };
        let Some((bytes, tries)) = self.unheard.get_mut(job) else { return Vec::new() };
        *tries += 1;
        let request = RequestId::Bid { job: *job, bid };
        vec![Effect::Send {
            to: offer.originator,
            bytes: bytes.clone(),
            request,
            patience: self.config.patience,
        }]
    }

    /// A bid that was not heard is sent again, the same bytes, as long as it binds; one that is of no use is taken back.
    pub(super) fn bid_answered(&mut self, now: Now, job: &Cid, bid: Cid, answer: Answer) -> Vec<Effect> {
        let Some(offer) = self.offers.get(job).filter(|offer| offer.bid_cid == bid) else {
            return Vec::new();
        };
        let again = match answer {
            Answer::Response(Response::Refused {
                code: RefusalCode::UnknownJob | RefusalCode::Finished,
                ..
            }) => {
                return self.let_go(now, job);
            }
            Answer::Response(Response::Refused { code, .. }) => code.is_temporary(),
            Answer::Response(Response::Ack) => false,
            Answer::Silent | Answer::Unsent => true,
        };
        let tries = self.unheard.get(job).map_or(0, |(_, tries)| *tries);
        let after = Duration::from_millis(RESEND_FIRST.as_millis() << tries.min(8));
        if !again || offer.expires_at <= now.at.plus(after) {
            self.unheard.remove(job);
            return Vec::new();
        }
        vec![Effect::Wake { timer: Timer::ResendBid { job: *job, bid }, after }]
    }

    /// Takes a bid back that nobody will accept any more.
    pub(super) fn withdraw(&mut self, job: &Cid) -> Vec<Effect> {
        self.unheard.remove(job);
        self.waiting.retain(|waiting| waiting.announcement_id != *job);
        match self.offers.remove(job) {
            Some(_) => vec![Effect::Note(vec![Persist::OfferGone(*job)])],
            None => Vec::new(),
        }
    }

    /// Lets go of a job that another executor says it has finished. Were that untrue, the originator would announce again.
    pub(super) fn finished_elsewhere(
        &mut self,
        now: Now,
        job: &Cid,
        executor: &Did,
        originator: &Did,
    ) -> Vec<Effect> {
        let bound = self.offers.get(job).is_some_and(|offer| offer.originator == *originator);
        if bound && *executor != self.me { self.let_go(now, job) } else { Vec::new() }
    }

    /// Takes a bid back, and lets a job that waits have what it had promised.
    fn let_go(&mut self, now: Now, job: &Cid) -> Vec<Effect> {
        let mut effects = self.withdraw(job);
        effects.extend(self.bid_for_waiting(now));
        effects
    }

    fn decline(&self, now: Now, announcement: &JobAnnouncement, reason: &Ineligible) -> Vec<Effect> {
        let decline = JobDecline {
            announcement_id: announcement.announcement_id,
            executor_did: self.me,
            code: reason.code.clone(),
            detail: Some(reason.detail.clone()),
            timestamp: now.at,
        };
        let signed = icn_protocol::sign(decline, self.signer.as_ref());
        signed.ok().map(|signed| self.tell(announcement, signed.into_wire())).into_iter().collect()
    }

    fn decline_if_asked(&self, now: Now, announcement: &JobAnnouncement, reason: &Ineligible) -> Vec<Effect> {
        let is_asked = announcement.explain == Some(true);
        if is_asked { self.decline(now, announcement, reason) } else { Vec::new() }
    }

    /// Remembers a job that would suit, tells its originator so, and bids when a place is free.
    fn wait_for_a_place(&mut self, now: Now, announcement: JobAnnouncement) -> Vec<Effect> {
        let id = announcement.announcement_id;
        let interest = JobInterest { announcement_id: id, executor_did: self.me, timestamp: now.at };
        let signed = icn_protocol::sign(interest, self.signer.as_ref());
        let effects =
            signed.ok().map(|signed| self.tell(&announcement, signed.into_wire())).into_iter().collect();
        self.remember(announcement);
        effects
    }

    fn remember(&mut self, announcement: JobAnnouncement) {
        self.waiting.retain(|waiting| waiting.announcement_id != announcement.announcement_id);
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(announcement);
    }

    /// Bids for a job that had to wait, as far as a place is free, its quota leaves room, and bidding was not closed in the
    /// meantime. Those whose quota is used up keep their places.
    pub(super) fn bid_for_waiting(&mut self, now: Now) -> Vec<Effect> {
        let mut over = VecDeque::new();
        let mut effects = Vec::new();
        while over.len() < OVER_QUOTA_LOOKS
            && !self.draining
            && !self.is_full()
            && self.offers.len() < self.config.offers_max
        {
            let Some(announcement) = self.waiting.pop_front() else { break };
            let open_for = announcement.bidding_duration.unwrap_or(self.config.bid_validity);
            if announcement.timestamp.plus(open_for) <= now.at {
                continue;
            }
            if self.fits_quota(now.at, &announcement).is_err() {
                over.push_back(announcement);
                continue;
            }
            effects = self.hear_announcement(now, announcement, Vec::new());
            break;
        }
        over.append(&mut self.waiting);
        self.waiting = over;
        effects
    }

    fn tell(&self, announcement: &JobAnnouncement, bytes: Vec<u8>) -> Effect {
        let (to, patience) = (announcement.originator_did, self.config.patience);
        Effect::Send { to, bytes, request: RequestId::Forget, patience }
    }

    pub(super) fn bid_expired(&mut self, now: Now, job: &Cid) -> Vec<Effect> {
        match self.offers.get(job) {
            Some(offer) if offer.expires_at <= now.at => self.let_go(now, job),
            Some(offer) => {
                let after = offer.expires_at.since(now.at);
                vec![Effect::Wake { timer: Timer::BidExpires { job: *job }, after }]
            }
            None => Vec::new(),
        }
    }

    pub(super) fn hear_assignment(
        &mut self,
        now: Now,
        ticket: u64,
        assignment: &JobAssignment,
        cid: Cid,
        block: Vec<u8>,
    ) -> Vec<Effect> {
        if let Some(effects) = self.assigned_while_checking(ticket, assignment, &cid) {
            return effects;
        }
        let job = assignment.announcement_id;
        let offer = match self.may_accept(now, assignment, &cid) {
            Ok(Some(offer)) => offer,
            // The same assignment again: its first answer was lost, or the write before it is still on its way.
            Ok(None) => return self.accept_again(ticket, &job),
            Err((code, message)) => {
                let release = self.release_refused(assignment, self.space_of(&job), &message);
                let reply = Effect::Reply { ticket, response: Response::refused(code, message) };
                return std::iter::once(reply).chain(release).collect();
            }
        };
        let paid = offer.price.as_ref().is_some_and(|price| price.amount > 0) && offer.originator != self.me;
        let checking = Checking {
            offer,
            assignment: assignment.clone(),
            cid,
            block,
            hold: assignment.escrow_id.clone().unwrap_or_default(),
            tickets: vec![ticket],
            heard: now.tick,
        };
        if paid { self.check_hold(now, ticket, checking) } else { self.accept(now, checking, None) }
    }

    /// Takes an assignment on: it is durable before it is acknowledged and started.
    pub(super) fn accept(&mut self, now: Now, accepted: Checking, due: Option<DueRecord>) -> Vec<Effect> {
        let Checking { offer, assignment, cid, block, hold: _, tickets, heard } = accepted;
        let job = assignment.announcement_id;
        self.offers.remove(&job);
        self.unheard.remove(&job);
        let lease = icn_types::Duration::from_secs(assignment.lease_seconds);
        let earlier = self.executions.get(&job).map_or(&[][..], |earlier| &earlier.record.dues);
        let mut dues: Vec<DueRecord> = earlier.iter().filter(|due| !due.state.is_closed()).cloned().collect();
        dues.extend(due);
        let mut record = ExecutionRecord {
            version: 1,
            job,
            originator: assignment.originator_did,
            epoch: assignment.lease_epoch,
            lease_seconds: assignment.lease_seconds,
            assignment_cid: cid,
            assignment: block.clone(),
            params: offer.params.clone(),
            price: offer.price,
            rates: offer.rates,
            dues,
            state: JobStatus::Assigned,
            accepted_at: now.at,
            receipt_cid: None,
            receipt: None,
            delivered: false,
            history: Vec::new(),
        };
        record.enter(now.at, JobStatus::Assigned, Some(format!("epoch {}", assignment.lease_epoch)));
        record.enter(now.at, JobStatus::PreparingExecution, None);
        let live = Live { lease_until: heard.plus(lease), sequence: 1, ..Live::default() };
        self.executions.insert(job, Execution { record: record.clone(), live });
        let epoch = record.epoch;
        let params_block = Persist::Block { cid: Cid::of_dag_cbor(&offer.params), bytes: offer.params };
        let mut effects = vec![Effect::Persist(vec![
            Persist::Block { cid, bytes: block },
            params_block,
            Persist::Execution(Box::new(record.clone())),
            Persist::OfferGone(job),
        ])];
        let acks = tickets.into_iter().map(|ticket| Effect::Reply { ticket, response: Response::Ack });
        effects.extend(acks);
        effects.push(Effect::Start { record: Box::new(record.clone()) });
        effects.push(self.next_beat(&job, epoch));
        let after = now.tick.until(heard.plus(lease));
        effects.push(Effect::Wake { timer: Timer::LeaseEnds { job, epoch }, after });
        let held = record.dues.iter().find(|due| due.epoch == epoch);
        effects.extend(held.map(|due| payment::watch(&record, due)));
        effects
    }

    fn accept_again(&self, ticket: u64, job: &Cid) -> Vec<Effect> {
        let record = self.executions.get(job).map(|execution| execution.record.clone());
        let writes = record.map(|record| Persist::Execution(Box::new(record))).into_iter().collect();
        vec![Effect::Persist(writes), Effect::Reply { ticket, response: Response::Ack }]
    }

    /// Checks that this node bid for what it is assigned, and that no newer lease is known.
    fn may_accept(
        &self,
        now: Now,
        assignment: &JobAssignment,
        cid: &Cid,
    ) -> Result<Option<OfferRecord>, (RefusalCode, String)> {
        let job = assignment.announcement_id;
        if assignment.executor_did != self.me {
            return Err((RefusalCode::WrongRecipient, "this assignment is for another executor".into()));
        }
        if let Some(known) = self.executions.get(&job) {
            if known.record.assignment_cid == *cid {
                return Ok(None);
            }
            if known.record.epoch >= assignment.lease_epoch || known.record.receipt.is_none() {
                let message = format!("this node has or had lease epoch {} of this job", known.record.epoch);
                return Err((RefusalCode::WrongEpoch, message));
            }
        }
        if self.draining {
            return Err((RefusalCode::ShuttingDown, "this node is shutting down".into()));
        }
        let Some(offer) = self.offers.get(&job).filter(|offer| bids_of(offer).contains(&assignment.bid_cid))
        else {
            return Err((RefusalCode::UnknownBid, "this node has no such bid, or it expired".into()));
        };
        if offer.expires_at <= now.at {
            return Err((RefusalCode::ExpiredBid, format!("the bid expired at {}", offer.expires_at)));
        }
        if offer.originator != assignment.originator_did {
            return Err((RefusalCode::NotAuthorised, "only who announced the job can assign it".into()));
        }
        if Cid::of_dag_cbor(&offer.params) != assignment.params_cid {
            return Err((
                RefusalCode::Malformed,
                "the assignment names other parameters than the announcement".into(),
            ));
        }
        if self.is_full() {
            return Err((RefusalCode::Busy, "this node has taken other jobs since it bid".into()));
        }
        Ok(Some(offer.clone()))
    }
}

/// Lists the bids that bind for a job, newest last.
fn bids_of(offer: &OfferRecord) -> Vec<Cid> {
    let mut bids = offer.earlier.clone();
    bids.push(offer.bid_cid);
    bids.drain(..bids.len().saturating_sub(BIDS_MAX));
    bids
}
