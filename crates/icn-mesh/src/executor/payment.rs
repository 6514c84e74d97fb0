//! Running for pay: no start without a hold that covers it, and no hold kept that nothing is owed for.

use icn_protocol::{JobAssignment, MeshJobParams, Params, PriceRates, RefusalCode, Response};
use icn_types::{Cid, Did, Duration, Timestamp, TokenAmount};

use super::{Executor, is_open};
use crate::clock::{Now, Tick};
use crate::effect::{Effect, HoldEnd, HoldRole, Persist, Timer};
use crate::payment::{DueRecord, PaymentState};
use crate::record::{ExecutionRecord, OfferRecord};

/// How many repeats of an assignment wait for its first answer. Full: the oldest gets none, as if its answer were lost.
const TICKETS_MAX: usize = 8;

/// How many dues of earlier epochs of a job are kept beside the present one. Full: another epoch is refused.
const DUES_MAX: usize = 8;

/// An assignment whose answer waits until its hold is checked.
#[derive(Debug)]
pub(super) struct Checking {
    pub offer: OfferRecord,
    pub assignment: JobAssignment,
    pub cid: Cid,
    pub block: Vec<u8>,
    pub hold: String,
    /// Who waits for the answer.
    pub tickets: Vec<u64>,
    /// When the assignment came: its lease runs from then on.
    pub heard: Tick,
}

impl Executor {
    /// Returns what this node asks for a job; for refusals as well, so that it names the least that it would take.
    pub(super) fn asks(&self, params: &MeshJobParams) -> Option<TokenAmount> {
        let base = self.config.price_base.as_ref()?;
        let full = self.rates()?.charge(params.max_fuel);
        let max = params.max_price().filter(|max| max.currency == base.currency);
        let amount = max.map_or(full, |max| full.min(max.amount).max(base.amount));
        Some(TokenAmount { amount, currency: base.currency.clone() })
    }

    pub(super) fn rates(&self) -> Option<PriceRates> {
        let base = self.config.price_base.as_ref()?.amount;
        Some(PriceRates { base, per_million_fuel: self.config.price_per_million_fuel })
    }

    /// Lets an assignment wait for its hold, or refuses one that names none.
    pub(super) fn check_hold(&mut self, now: Now, ticket: u64, mut checking: Checking) -> Vec<Effect> {
        let refuse = |message: &str| {
            let response = Response::refused(RefusalCode::PaymentNotCovered, message);
            vec![Effect::Reply { ticket, response }]
        };
        let (job, epoch) = (checking.assignment.announcement_id, checking.assignment.lease_epoch);
        let Some(amount) = checking.offer.price.clone() else { return refuse("the bid names no price") };
        if checking.hold.is_empty() {
            return refuse("the assignment names no hold: place one for the price of the bid");
        }
        let dues = self.executions.get(&job).map_or(&[][..], |execution| &execution.record.dues);
        if dues.iter().any(|due| due.hold == checking.hold) {
            return refuse("this hold was named for an earlier epoch: each has its own");
        }
        if dues.iter().filter(|due| !due.state.is_closed()).count() >= DUES_MAX {
            return refuse("too much is owed for earlier epochs of this job: settle it first");
        }
        let Ok(params) = Params::from_bytes(&checking.offer.params) else {
            return refuse("the parameters of the announcement cannot be read any more");
        };
        let lasts = Duration::from_secs(params.timeout_seconds);
        let effect = Effect::CheckHold {
            job,
            epoch,
            space: params.space,
            hold: checking.hold.clone(),
            from: checking.assignment.originator_did,
            to: self.me,
            amount,
            expires_min: now.at.plus(lasts).plus(self.config.hold_slack_min),
        };
        // The lease runs already: half of it must be left for the work to begin.
        let half = Duration::from_millis(checking.assignment.lease_seconds.saturating_mul(500));
        let after = self.config.hold_patience.min(half);
        checking.tickets = vec![ticket];
        self.checking.insert(job, checking);
        vec![effect, Effect::Wake { timer: Timer::HoldWaited { job, epoch }, after }]
    }

    /// Takes a repeat of an assignment that waits, or refuses another one for the same job.
    pub(super) fn assigned_while_checking(
        &mut self,
        ticket: u64,
        assignment: &JobAssignment,
        cid: &Cid,
    ) -> Option<Vec<Effect>> {
        let checking = self.checking.get_mut(&assignment.announcement_id)?;
        if checking.cid == *cid {
            if checking.tickets.len() >= TICKETS_MAX {
                checking.tickets.remove(0);
            }
            checking.tickets.push(ticket);
            return Some(Vec::new());
        }
        let message = format!("lease epoch {} of this job is being checked", checking.assignment.lease_epoch);
        let response = Response::refused(RefusalCode::WrongEpoch, message);
        let mut effects = vec![Effect::Reply { ticket, response }];
        let space = space_in(&checking.offer.params);
        effects.extend(self.release_refused(assignment, space, "another assignment is being checked"));
        Some(effects)
    }

    pub(super) fn hold_checked(
        &mut self,
        now: Now,
        job: &Cid,
        epoch: u64,
        result: Result<Timestamp, String>,
    ) -> Vec<Effect> {
        let Some(checking) = self.take_checking(job, epoch) else { return Vec::new() };
        let expires = match result {
            Ok(expires) if !self.draining => expires,
            Ok(_) => {
                let message = "this node is shutting down".to_owned();
                return self.refuse_checked(now, &checking, RefusalCode::ShuttingDown, message);
            }
            Err(reason) => {
                return self.refuse_checked(now, &checking, RefusalCode::PaymentNotCovered, reason);
            }
        };
        let Some(price) = checking.offer.price.clone() else { return Vec::new() };
        let due = DueRecord {
            epoch,
            hold: checking.hold.clone(),
            price,
            expires,
            assignment: checking.cid,
            state: PaymentState::Held,
            taken: None,
            receipt: None,
            reason: None,
        };
        self.accept(now, checking, Some(due))
    }

    pub(super) fn hold_waited(&mut self, now: Now, job: &Cid, epoch: u64) -> Vec<Effect> {
        let Some(checking) = self.take_checking(job, epoch) else { return Vec::new() };
        let message = format!("the hold was not seen covered within {}", self.config.hold_patience);
        self.refuse_checked(now, &checking, RefusalCode::PaymentNotCovered, message)
    }

    /// Ends the wait of an assignment that is not to be answered by its hold any more.
    pub(super) fn refuse_checking(
        &mut self,
        now: Now,
        job: &Cid,
        code: RefusalCode,
        message: String,
    ) -> Vec<Effect> {
        let Some(checking) = self.checking.remove(job) else { return Vec::new() };
        self.refuse_checked(now, &checking, code, message)
    }

    fn take_checking(&mut self, job: &Cid, epoch: u64) -> Option<Checking> {
        self.checking.get(job).filter(|checking| checking.assignment.lease_epoch == epoch)?;
        self.checking.remove(job)
    }

    /// Refuses, gives the hold back, and lets the next job have the place.
    fn refuse_checked(
        &mut self,
        now: Now,
        checking: &Checking,
        code: RefusalCode,
        message: String,
    ) -> Vec<Effect> {
        let response = Response::refused(code, message.clone());
        let reply = |ticket: &u64| Effect::Reply { ticket: *ticket, response: response.clone() };
        let mut effects: Vec<Effect> = checking.tickets.iter().map(reply).collect();
        let space = space_in(&checking.offer.params);
        effects.extend(self.release_refused(&checking.assignment, space, &message));
        effects.extend(self.bid_for_waiting(now));
        effects
    }

    /// Gives back the hold of an assignment that this node refuses, unless it relies on the same hold otherwise. Nothing is
    /// written down for it: were it lost, the hold would expire.
    pub(super) fn release_refused(
        &self,
        assignment: &JobAssignment,
        space: Option<Did>,
        reason: &str,
    ) -> Option<Effect> {
        let job = assignment.announcement_id;
        let hold = assignment.escrow_id.as_ref().filter(|_| assignment.executor_did == self.me)?;
        let due = self
            .executions
            .get(&job)
            .is_some_and(|execution| execution.record.dues.iter().any(|due| due.hold == *hold));
        if due || self.checking.get(&job).is_some_and(|checking| checking.hold == *hold) {
            return None;
        }
        Some(Effect::ReleaseHold {
            job,
            epoch: assignment.lease_epoch,
            space,
            hold: hold.clone(),
            from: assignment.originator_did,
            reason: reason.to_owned(),
        })
    }

    /// Tells in which space's ledger a job is paid, as far as this node remembers it.
    pub(super) fn space_of(&self, job: &Cid) -> Option<Did> {
        let execution = self.executions.get(job).map(|execution| &execution.record.params);
        execution
            .or_else(|| self.offers.get(job).map(|offer| &offer.params))
            .and_then(|params| space_in(params))
    }

    /// Goes on with every payment of a job after a restart, except that of the epoch given.
    pub(super) fn resume_dues(&self, now: Now, job: &Cid, except: Option<u64>) -> Vec<Effect> {
        let Some(record) = self.executions.get(job).map(|execution| &execution.record) else {
            return Vec::new();
        };
        let open = record.dues.iter().filter(|due| !due.state.is_closed());
        open.flat_map(|due| {
            let mut effects = vec![watch(record, due)];
            if Some(due.epoch) != except {
                effects.extend(self.pursue(now, record, due));
            }
            effects
        })
        .collect()
    }

    /// Does what follows from how a due stands; the same again after a restart.
    pub(super) fn pursue(&self, now: Now, record: &ExecutionRecord, due: &DueRecord) -> Option<Effect> {
        let (job, epoch, hold) = (record.job, due.epoch, due.hold.clone());
        let space = space_in(&record.params);
        match (due.state, &due.taken, due.receipt) {
            (PaymentState::Owed, _, _) => {
                let after = due.expires.minus(self.config.claim_margin).since(now.at);
                Some(Effect::Wake { timer: Timer::ClaimDue { job, epoch }, after })
            }
            (PaymentState::Releasing, _, _) => {
                let reason = due.reason.clone().unwrap_or_default();
                Some(Effect::ReleaseHold { job, epoch, space, hold, from: record.originator, reason })
            }
            (PaymentState::Claiming, Some(amount), Some(receipt)) => {
                let (amount, assignment) = (amount.clone(), due.assignment);
                Some(Effect::Claim { job, epoch, space, hold, amount, assignment, receipt })
            }
            (
                PaymentState::Claiming
                | PaymentState::Held
                | PaymentState::Placing
                | PaymentState::Capturing
                | PaymentState::Refused
                | PaymentState::Captured
                | PaymentState::Unpaid
                | PaymentState::Released
                | PaymentState::Claimed
                | PaymentState::Expired,
                _,
                _,
            ) => None,
        }
    }

    /// Claims what is owed when the hold is about to end and nothing came.
    pub(super) fn claim_due(&mut self, now: Now, job: &Cid, epoch: u64) -> Vec<Effect> {
        let margin = self.config.claim_margin;
        let Some(execution) = self.executions.get_mut(job) else { return Vec::new() };
        let Some(due) = execution.record.dues.iter_mut().find(|due| due.epoch == epoch) else {
            return Vec::new();
        };
        if due.state != PaymentState::Owed {
            return Vec::new();
        }
        let claimed = due.expires.minus(margin) <= now.at;
        if claimed {
            due.state = PaymentState::Claiming;
        }
        let due = due.clone();
        let record = execution.record.clone();
        let next = self.pursue(now, &record, &due);
        let write = claimed.then(|| Effect::Persist(vec![Persist::Execution(Box::new(record))]));
        write.into_iter().chain(next).collect()
    }

    /// Takes note of how a hold ended. A guest that nobody pays for any more is stopped.
    pub(super) fn hold_ended(&mut self, job: &Cid, epoch: u64, how: HoldEnd) -> Vec<Effect> {
        let Some(execution) = self.executions.get_mut(job) else { return Vec::new() };
        let Some(due) = execution.record.dues.iter_mut().find(|due| due.epoch == epoch) else {
            return Vec::new();
        };
        if due.state.is_closed() {
            return Vec::new();
        }
        due.end(how);
        let message = format!("the hold that pays for this job has ended: it is {due}");
        let mut effects = vec![Effect::Note(vec![Persist::Execution(Box::new(execution.record.clone()))])];
        if is_open(execution, epoch) {
            effects.extend(self.stop(job, epoch, icn_types::End::NodeFault, "payment_lost", message));
        }
        self.retire(job);
        effects
    }
}

/// Closes the account of an execution that has ended: its price is owed, or its hold goes back.
pub(super) fn settle(record: &mut ExecutionRecord, receipt: Cid) {
    let asked = record.receipt.as_ref().and_then(|made| {
        let price = made.price.clone().filter(|price| price.amount > 0)?;
        made.end.is_deterministic().then_some(price)
    });
    let end = record.receipt.as_ref().map_or("none", |made| made.end.as_str());
    let Some(due) = record.dues.iter_mut().find(|due| due.epoch == record.epoch) else { return };
    if due.state != PaymentState::Held {
        return;
    }
    due.receipt = Some(receipt);
    match asked {
        Some(amount) => (due.state, due.taken) = (PaymentState::Owed, Some(amount)),
        None => {
            due.state = PaymentState::Releasing;
            due.reason = Some(format!("nothing is owed for an execution that ended with `{end}`"));
        }
    }
}

/// Prices an execution by what its bid asks: never more than the bid.
pub(super) fn metered(record: &ExecutionRecord, fuel_used: u64) -> Option<TokenAmount> {
    crate::payment::metered(record.price.as_ref(), record.rates.as_ref(), fuel_used)
}

pub(super) fn watch(record: &ExecutionRecord, due: &DueRecord) -> Effect {
    let (job, epoch, hold) = (record.job, due.epoch, due.hold.clone());
    Effect::WatchHold { job, epoch, space: space_in(&record.params), hold, role: HoldRole::Payee }
}

fn space_in(params: &[u8]) -> Option<Did> {
    Params::from_bytes(params).ok()?.space
}
