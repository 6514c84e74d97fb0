//! Paying for a job: a hold before the assignment, a capture after the receipt.

use icn_protocol::{ExecutionReceipt, JobStatus, NAME_BYTES_MAX, Params, TEXT_BYTES_MAX};
use icn_types::{Cid, Did, Duration, TokenAmount};

use super::{Job, Originator};
use crate::clock::Now;
use crate::effect::{Effect, HoldEnd, HoldRole, Persist};
use crate::payment::{PaymentRecord, PaymentState, metered};
use crate::record::{JobRecord, cut};

/// How many holds of one job may be open towards one executor. Full: its bids are passed over until one ends.
const HOLDS_OPEN_MAX: usize = 3;

impl Originator {
    /// Asks for the hold of the bid chosen; the assignment is signed once it stands.
    pub(super) fn place_hold(&mut self, now: Now, id: &Cid, index: usize, why: String) -> Vec<Effect> {
        let slack = self.config.hold_slack;
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let epoch = job.record.next_epoch();
        let expires = now.at.plus(Duration::from_secs(job.params.timeout_seconds)).plus(slack);
        let Some(bid) = job.record.bids.get_mut(index) else { return Vec::new() };
        let Some(amount) = bid.price.clone() else { return Vec::new() };
        bid.outcome = Some("paying".into());
        let payment = PaymentRecord {
            epoch,
            round: job.record.round,
            to: bid.executor,
            bid: bid.cid,
            amount,
            expires,
            hold: None,
            state: PaymentState::Placing,
            taken: None,
            receipt: None,
            reason: None,
        };
        let detail = format!("{why}; a hold of {} for epoch {epoch} is asked for", payment.amount);
        job.record.enter(now.at, JobStatus::BiddingClosed, Some(detail));
        let effect = place(&job.params, *id, &payment);
        job.record.payments.push(payment);
        job.live.bidding_since = None;
        job.live.closing = false;
        job.live.fetching = None;
        vec![
            Effect::Persist(vec![Persist::Job(Box::new(job.record.clone()))]),
            effect,
            Effect::Changed { job: *id },
        ]
    }

    pub(super) fn hold_placed(
        &mut self,
        now: Now,
        id: &Cid,
        epoch: u64,
        result: Result<String, String>,
    ) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let placing =
            |payment: &&mut PaymentRecord| payment.epoch == epoch && payment.state == PaymentState::Placing;
        let Some(payment) = job.record.payments.last_mut().filter(placing) else { return Vec::new() };
        let named = |hold: &String| (1..=NAME_BYTES_MAX).contains(&hold.len());
        let result = match result {
            Ok(hold) if !named(&hold) => Err("the ledger gives the hold no name that fits".to_owned()),
            other => other,
        };
        let (cid, amount) = (payment.bid, payment.amount.clone());
        let bid = job.record.bids.iter().position(|bid| bid.cid == cid);
        match (result, bid) {
            (Ok(hold), Some(index)) => {
                (payment.state, payment.hold) = (PaymentState::Held, Some(hold.clone()));
                self.assign(now, id, index, epoch, Some(hold))
            }
            (Ok(_), None) => Vec::new(),
            (Err(mut reason), _) => {
                cut(&mut reason, TEXT_BYTES_MAX);
                (payment.state, payment.reason) = (PaymentState::Refused, Some(reason.clone()));
                if let Some(bid) = bid.and_then(|index| job.record.bids.get_mut(index)) {
                    bid.outcome = Some(format!("unpaid: {reason}"));
                }
                let note = format!("the ledger refuses a hold of {amount}: {reason}");
                job.record.say(now.at, "Note", Some(note.clone()));
                let another = self
                    .jobs
                    .get(id)
                    .is_some_and(|job| job.record.cancelled.is_some() || !self.ranked(now, job).is_empty());
                if another { self.choose(now, id) } else { self.fail(now, id, "payment_refused", note) }
            }
        }
    }

    /// Asks again for the hold that was asked for before the restart.
    pub(super) fn resume_placing(&mut self, now: Now, id: &Cid) -> Vec<Effect> {
        let placing = self.jobs.get(id).and_then(|job| {
            let payment = job.record.payments.last()?;
            (payment.state == PaymentState::Placing).then(|| place(&job.params, *id, payment))
        });
        match placing {
            Some(effect) => vec![effect],
            None => self.open_bidding(now, id, None),
        }
    }

    /// Goes on with every payment of a job after a restart: what is being taken is asked for again, what is held is watched.
    pub(super) fn resume_payments(&self, id: &Cid) -> Vec<Effect> {
        let Some(job) = self.jobs.get(id) else { return Vec::new() };
        let open = job.record.payments.iter().filter(|payment| !payment.state.is_closed());
        open.flat_map(|payment| [watch(&job.params, *id, payment), capture(&job.params, *id, payment)])
            .flatten()
            .collect()
    }

    pub(super) fn captured(
        &mut self,
        now: Now,
        id: &Cid,
        epoch: u64,
        result: Result<(), String>,
    ) -> Vec<Effect> {
        self.close_payment(now, id, epoch, |payment| {
            if payment.state != PaymentState::Capturing {
                return;
            }
            match result {
                Ok(()) => payment.state = PaymentState::Captured,
                Err(mut reason) => {
                    cut(&mut reason, TEXT_BYTES_MAX);
                    (payment.state, payment.taken) = (PaymentState::Unpaid, None);
                    payment.reason = Some(reason);
                }
            }
        })
    }

    pub(super) fn hold_ended(&mut self, now: Now, id: &Cid, epoch: u64, how: HoldEnd) -> Vec<Effect> {
        self.close_payment(now, id, epoch, |payment| payment.end(how))
    }

    fn close_payment(
        &mut self,
        now: Now,
        id: &Cid,
        epoch: u64,
        close: impl FnOnce(&mut PaymentRecord),
    ) -> Vec<Effect> {
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        let payment = job.record.payments.iter_mut().find(|payment| payment.epoch == epoch);
        let Some(payment) = payment.filter(|payment| !payment.state.is_closed() && payment.hold.is_some())
        else {
            return Vec::new();
        };
        close(payment);
        if !payment.state.is_closed() {
            return Vec::new();
        }
        let note = Effect::Note(vec![Persist::Job(Box::new(job.record.clone()))]);
        if job.record.is_settled() && self.unsettled.remove(id) {
            self.keep_final(*id);
        }
        let mut effects = vec![note, Effect::Changed { job: *id }];
        // A bid may have been passed over because of this hold.
        effects.extend(self.consider(now, id));
        effects
    }

    /// Returns how many final jobs have a payment that is not closed.
    #[must_use]
    pub fn unsettled_len(&self) -> usize {
        self.unsettled.len()
    }
}

/// Intends the capture that a receipt is due, and gives the effect that must stand behind the write of the record.
pub(super) fn intend_capture(job: &mut Job, cid: Cid, receipt: &ExecutionReceipt) -> Option<Effect> {
    let amount = receipt.price.clone().filter(|price| price.amount > 0 && receipt.end.is_deterministic())?;
    let payment = job.record.payments.iter_mut().find(|payment| payment.epoch == receipt.lease_epoch)?;
    if payment.state != PaymentState::Held {
        return None;
    }
    (payment.state, payment.taken, payment.receipt) = (PaymentState::Capturing, Some(amount), Some(cid));
    let payment = payment.clone();
    capture(&job.params, job.record.id, &payment)
}

/// Checks that a receipt asks what its bid allows.
///
/// # Errors
///
/// What is wrong, for people.
pub(super) fn check_price(record: &JobRecord, receipt: &ExecutionReceipt) -> Result<(), String> {
    let none = || "nothing".to_owned();
    let words = |price: Option<&TokenAmount>| price.map_or_else(none, ToString::to_string);
    let bid = record.bid_taken();
    let bound = bid.and_then(|bid| bid.price.as_ref());
    let asked = receipt.price.as_ref().filter(|asked| asked.amount > 0);
    let within = asked.is_none_or(|asked| {
        bound.is_some_and(|bound| asked.currency == bound.currency && asked.amount <= bound.amount)
    });
    if !within {
        return Err(format!("it asks {}, and the bid was {}", words(asked), words(bound)));
    }
    let rates = bid.and_then(|bid| bid.rates.as_ref());
    let metered = metered(bound, rates, receipt.fuel_used).filter(|price| price.amount > 0);
    if rates.is_some() && asked != metered.as_ref() {
        return Err(format!(
            "it asks {}, and by the rates of the bid it is {}",
            words(asked),
            words(metered.as_ref())
        ));
    }
    Ok(())
}

/// Tells which bids cannot be chosen for the sake of money: those that are no cheaper than what the ledger refused in this
/// round, and those of an executor that has not let go of earlier holds.
pub(super) fn may_be_paid(record: &JobRecord, me: &Did, executor: &Did, price: Option<&TokenAmount>) -> bool {
    let Some(price) = price.filter(|price| price.amount > 0 && executor != me) else { return true };
    let refused = record.payments.iter().any(|payment| {
        payment.state == PaymentState::Refused
            && payment.round == record.round
            && payment.amount.amount <= price.amount
    });
    let open = record.payments.iter().filter(|payment| payment.to == *executor && !payment.state.is_closed());
    !refused && open.count() < HOLDS_OPEN_MAX
}

pub(super) fn watch(params: &Params, job: Cid, payment: &PaymentRecord) -> Option<Effect> {
    let hold = payment.hold.clone()?;
    Some(Effect::WatchHold { job, epoch: payment.epoch, space: params.space, hold, role: HoldRole::Payer })
}

fn place(params: &Params, job: Cid, payment: &PaymentRecord) -> Effect {
    Effect::PlaceHold {
        job,
        epoch: payment.epoch,
        space: params.space,
        to: payment.to,
        amount: payment.amount.clone(),
        expires: payment.expires,
    }
}

fn capture(params: &Params, job: Cid, payment: &PaymentRecord) -> Option<Effect> {
    if payment.state != PaymentState::Capturing {
        return None;
    }
    let (hold, amount, receipt) = (payment.hold.clone()?, payment.taken.clone()?, payment.receipt?);
    Some(Effect::Capture { job, epoch: payment.epoch, space: params.space, hold, amount, receipt })
}
