//! Announcing a job and collecting bids until one can be chosen.

use icn_protocol::topics::Topic;
use icn_protocol::{
    JobAnnouncement, JobBid, JobStatus, MeshJobParams, NodeCapability, RefusalCode, Response, capacity,
};
use icn_types::{Cid, Did, NodeCapacity, ResourceType, StandardJobStatus};

use super::payment::may_be_paid;
use super::{Job, Originator, ack};
use crate::clock::Now;
use crate::directory::KnownExecutor;
use crate::effect::{Effect, Persist, Timer};
use crate::placement::{self, Candidate};
use crate::record::{BidRecord, DeclineRecord};
use crate::regard::Gate;

/// How many refusals to bid are kept for a job. Full: the newest are not kept.
const DECLINES_MAX: usize = 64;

/// Up to how many known executors an announcement asks for reasons; in larger meshes refusals would be a flood.
const EXPLAIN_MAX: usize = 32;

/// How many waiting jobs are announced again when somebody appears.
const REANNOUNCE_MAX: usize = 256;

impl Originator {
    /// Opens a round of bidding and announces the job.
    pub(super) fn open_bidding(&mut self, now: Now, id: &Cid, block: Option<Persist>) -> Vec<Effect> {
        let config = self.config.clone();
        let executors = self.directory.fresh(now.at).count();
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        if job.record.cancelled.is_some() {
            let reason = job.record.cancelled.clone().unwrap_or_default();
            return self.fail(now, id, "cancelled", reason);
        }
        job.record.round += 1;
        job.record.status = StandardJobStatus::Pending;
        job.record.enter(now.at, JobStatus::Announced, None);
        job.record.enter(now.at, JobStatus::BiddingOpen, Some(waiting_words(job.record.round, executors)));
        job.live.bidding_since = Some(now.tick);
        let since = *job.live.waiting_since.get_or_insert(now.tick);
        let fails_after = now.tick.until(since.plus(config.bidding_duration));
        job.live.closing = false;
        let round = job.record.round;
        let mut writes: Vec<Persist> = block.into_iter().collect();
        writes.push(Persist::Job(Box::new(job.record.clone())));
        let mut effects = vec![Effect::Persist(writes)];
        effects.extend(self.announcement(now, id));
        effects.push(Effect::Wake { timer: Timer::Reannounce { job: *id, round }, after: config.reannounce });
        effects.push(Effect::Wake { timer: Timer::BiddingFails { job: *id }, after: fails_after });
        effects.push(Effect::Changed { job: *id });
        effects
    }

    /// Signs the announcement of a job anew: same id, new timestamp.
    fn announcement(&self, now: Now, id: &Cid) -> Option<Effect> {
        let job = self.jobs.get(id)?;
        let region = job.params.region();
        let explain = self.directory.fresh(now.at).count() <= EXPLAIN_MAX;
        let announcement = JobAnnouncement {
            announcement_id: *id,
            originator_did: self.me,
            job_params: job.params.clone(),
            timestamp: now.at,
            bidding_duration: Some(self.config.bidding_duration),
            explain: Some(explain),
        };
        let signed = icn_protocol::sign(announcement, self.signer.as_ref()).ok()?;
        let topic = region.map_or(Topic::Jobs, |region| Topic::JobsIn(region.clone())).to_string();
        Some(Effect::Publish { topic, bytes: signed.into_wire(), remote_only: job.record.remote })
    }

    pub(super) fn reannounce(&mut self, now: Now, id: &Cid, round: u64) -> Vec<Effect> {
        let waiting = self
            .jobs
            .get(id)
            .is_some_and(|job| job.live.bidding_since.is_some() && job.record.round == round);
        if !waiting {
            return Vec::new();
        }
        let mut effects: Vec<Effect> = self.announcement(now, id).into_iter().collect();
        effects.push(Effect::Wake {
            timer: Timer::Reannounce { job: *id, round },
            after: self.config.reannounce,
        });
        effects
    }

    /// Announces the jobs that wait for a bid again, oldest first: somebody may have missed them.
    pub(super) fn announce_waiting(&mut self, now: Now) -> Vec<Effect> {
        let mut waiting: Vec<(icn_types::Timestamp, Cid)> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.live.bidding_since.is_some() && !job.live.closing)
            .map(|(id, job)| (job.record.submitted_at, *id))
            .collect();
        waiting.sort_unstable();
        waiting.iter().take(REANNOUNCE_MAX).filter_map(|(_, id)| self.announcement(now, id)).collect()
    }

    pub(super) fn hear_capability(&mut self, now: Now, capability: &NodeCapability) -> Vec<Effect> {
        let is_new = self.directory.hear(now.at, capability);
        // Whoever is new has not heard what was announced before it came; this node's own executor has.
        if is_new && capability.node_did != self.me { self.announce_waiting(now) } else { Vec::new() }
    }

    pub(super) fn hear_bid(&mut self, now: Now, ticket: u64, bid: &JobBid, cid: Cid) -> Vec<Effect> {
        let refuse = |code, message: String| {
            vec![Effect::Reply { ticket, response: Response::refused(code, message) }]
        };
        let (bids_max, reputation) = (self.config.bids_max, self.reputation(&bid.executor_did));
        let gate = self.gate(&bid.executor_did);
        let Some(job) = self.jobs.get_mut(&bid.announcement_id).filter(|job| !job.record.status.is_final())
        else {
            return refuse(RefusalCode::UnknownJob, "no open job of this node has this id".into());
        };
        let record = bid_record(now, bid, cid);
        let verdict = if job.record.remote && bid.executor_did == self.me {
            Err("policy: the submitter asked for another node".to_owned())
        } else {
            placement::eligible(&job.params, &candidate(&record, reputation, gate))
                .map_err(|rule| rule.to_string())
        };
        let known = job
            .record
            .bids
            .iter()
            .position(|known| known.executor == record.executor && known.outcome.is_none());
        let record = BidRecord { ineligible: verdict.as_ref().err().cloned(), ..record };
        let full = job.record.bids.len() >= bids_max;
        match known.and_then(|at| job.record.bids.get_mut(at)) {
            Some(known) => *known = record,
            None if full => {
                return refuse(
                    RefusalCode::Busy,
                    format!("{bids_max} bids are as many as this node compares"),
                );
            }
            None => job.record.bids.push(record),
        }
        if let Err(reason) = verdict {
            return refuse(RefusalCode::Policy, reason);
        }
        let id = bid.announcement_id;
        let mut effects = vec![ack(ticket)];
        effects.extend(self.consider(now, &id));
        effects
    }

    pub(super) fn hear_decline(
        &mut self,
        now: Now,
        ticket: u64,
        id: &Cid,
        executor: Did,
        code: String,
        detail: Option<String>,
    ) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id).filter(|job| !job.record.status.is_final()) else {
            let message = "no open job of this node has this id".to_owned();
            return vec![Effect::Reply {
                ticket,
                response: Response::refused(RefusalCode::UnknownJob, message),
            }];
        };
        let record = DeclineRecord { executor, code, detail, at: now.at };
        match job.record.declines.iter().position(|known| known.executor == executor) {
            Some(at) => {
                if let Some(known) = job.record.declines.get_mut(at) {
                    *known = record;
                }
            }
            None if job.record.declines.len() < DECLINES_MAX => job.record.declines.push(record),
            None => {}
        }
        let mut effects = vec![ack(ticket)];
        effects.extend(self.consider(now, id));
        effects
    }

    /// Decides whether bidding can close: at once when the policy is satisfied, else when its window ends.
    pub(super) fn consider(&mut self, now: Now, id: &Cid) -> Vec<Effect> {
        let Some(job) = self.jobs.get(id) else { return Vec::new() };
        if job.live.bidding_since.is_none() || self.ranked(now, job).is_empty() {
            return Vec::new();
        }
        let window = job.placement.window();
        if window == icn_types::Duration::ZERO || self.everybody_answered(now, job) {
            return self.choose(now, id);
        }
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        if std::mem::replace(&mut job.live.closing, true) {
            return Vec::new();
        }
        vec![Effect::Wake {
            timer: Timer::BiddingCloses { job: *id, round: job.record.round },
            after: window,
        }]
    }

    /// Makes a candidate of an executor that has said what it has, and not yet what it asks.
    pub(super) fn candidate<'a>(&self, did: &'a Did, known: &'a KnownExecutor) -> Candidate<'a> {
        Candidate {
            did,
            region: known.region.as_ref(),
            capacity: &known.capacity,
            price: None,
            reputation: self.reputation(did),
            gate: self.gate(did),
        }
    }

    /// Lists the known executors that neither the job nor this node rules out, each with the most fuel of one job that it
    /// allows by its own word. What they ask for it, and what they give this node, is for them to say.
    #[must_use]
    pub fn askable(&self, now: Now, params: &MeshJobParams, remote: bool) -> Vec<(Did, u64)> {
        let frugal = MeshJobParams { max_fuel: 1, ..params.clone() };
        let fuel_max = ResourceType::Other(capacity::FUEL_MAX.to_owned());
        let known = self.directory.fresh(now.at).filter(|(did, _)| !(remote && **did == self.me));
        known
            .filter(|(did, known)| {
                let candidate = self.candidate(did, known);
                placement::eligible(&frugal, &candidate)
                    .map_or_else(|rule| rule.code == RefusalCode::Price, |()| true)
            })
            .map(|(did, known)| (*did, known.capacity.0.get(&fuel_max).copied().unwrap_or(u64::MAX)))
            .collect()
    }

    /// Tells whether no known executor is left that could still bid. Never so while somebody bids who is not known: then
    /// others may not be known either.
    fn everybody_answered(&self, now: Now, job: &Job) -> bool {
        let is_known = |did: &Did| self.directory.fresh(now.at).any(|(known, _)| known == did);
        job.record.bids.iter().all(|bid| is_known(&bid.executor))
            && self.directory.fresh(now.at).filter(|(did, _)| !(job.record.remote && **did == self.me)).all(
                |(did, known)| {
                    let candidate = self.candidate(did, known);
                    job.record.bids.iter().any(|bid| bid.executor == *did)
                        || job.record.declines.iter().any(|decline| decline.executor == *did)
                        || placement::eligible(&job.params, &candidate)
                            .is_err_and(|rule| rule.code != RefusalCode::Price)
                },
            )
    }

    pub(super) fn bidding_closes(&mut self, now: Now, id: &Cid, round: u64) -> Vec<Effect> {
        let open = self.jobs.get(id).is_some_and(|job| {
            job.live.bidding_since.is_some() && job.live.closing && job.record.round == round
        });
        if open { self.choose(now, id) } else { Vec::new() }
    }

    pub(super) fn bidding_fails(&mut self, now: Now, id: &Cid) -> Vec<Effect> {
        let patience = self.config.bidding_duration;
        let Some(live) = self.jobs.get(id).map(|job| &job.live) else { return Vec::new() };
        let (Some(_), Some(since)) = (live.bidding_since, live.waiting_since) else { return Vec::new() };
        let ends = since.plus(patience);
        if ends > now.tick {
            return vec![Effect::Wake {
                timer: Timer::BiddingFails { job: *id },
                after: now.tick.until(ends),
            }];
        }
        let message =
            format!("no executor made an acceptable bid within {patience}: `icn job why` tells who declined");
        self.fail(now, id, "no_executor", message)
    }

    /// Ranks the bids that can still be chosen, best first, and gives their places in the record.
    pub(super) fn ranked(&self, now: Now, job: &Job) -> Vec<placement::Scored> {
        let choosable: Vec<(usize, &BidRecord, u64)> = job
            .record
            .bids
            .iter()
            .enumerate()
            .filter(|(_, bid)| bid.outcome.is_none() && bid.ineligible.is_none())
            .filter(|(_, bid)| bid.expires_at.is_none_or(|expires| expires > now.at))
            .filter(|(_, bid)| may_be_paid(&job.record, &self.me, &bid.executor, bid.price.as_ref()))
            .map(|(index, bid)| (index, bid, self.reputation(&bid.executor)))
            .collect();
        placement::rank(job.placement, &job.params, &choosable, &self.regards)
    }
}

fn waiting_words(round: u64, executors: usize) -> String {
    let round = if round == 1 { String::new() } else { format!(", round {round}") };
    match executors {
        0 => format!("waiting for an executor: none has advertised itself yet{round}"),
        _ => format!("waiting for bids{round}"),
    }
}

fn bid_record(now: Now, bid: &JobBid, cid: Cid) -> BidRecord {
    BidRecord {
        executor: bid.executor_did,
        cid,
        price: bid.price.clone(),
        rates: bid.rates,
        region: bid.region.clone(),
        capacity: NodeCapacity(bid.available_resources.clone().unwrap_or_default()),
        queue_depth: bid.queue_depth.unwrap_or(0),
        estimated_start_ms: bid.estimated_start_ms.unwrap_or(0),
        blobs_held: bid.blobs_held.len() as u64,
        at: now.at,
        expires_at: bid.bid_expires_at,
        score: 0,
        ineligible: None,
        outcome: None,
    }
}

fn candidate(bid: &BidRecord, reputation: u64, gate: Option<Gate>) -> Candidate<'_> {
    Candidate {
        did: &bid.executor,
        region: bid.region.as_ref(),
        capacity: &bid.capacity,
        price: bid.price.as_ref(),
        reputation,
        gate,
    }
}
