//! The promises about money: what is run is covered, what is earned is paid once, what is not goes back.

use icn_mesh::{Effect, ExecutionRecord, HoldEnd, JobRecord, PaymentState};
use icn_types::{Cid, Duration, TokenAmount};

use crate::world::World;

impl World {
    pub(crate) fn ensure(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.watch.ensure(holds, what);
    }

    /// A job with a price starts only under a hold that covers it, and each hold covers one execution.
    pub(super) fn watch_covered(&mut self, at: usize, record: &ExecutionRecord) {
        let Some(price) = record.price.as_ref().filter(|price| price.amount > 0) else { return };
        let me = self.did(at);
        if record.originator == me {
            return;
        }
        let id = record.job.short();
        let Some(due) = record.dues.iter().find(|due| due.epoch == record.epoch) else {
            return self.watch.ensure(false, || format!("n{at} runs {id} without a hold"));
        };
        let covered = self.ledger.holds.get(&due.hold).is_some_and(|hold| {
            let parties = hold.from == record.originator && hold.to == me && hold.job == record.job;
            parties
                && hold.end.is_none()
                && hold.amount.currency == price.currency
                && hold.amount.amount >= price.amount
        });
        self.watch.ensure(covered, || format!("n{at} runs {id}, which no hold covers"));
        let unused = self.watch.holds_used.insert(due.hold.clone());
        self.watch.ensure(unused, || format!("n{at} runs {id} under a hold that was used before"));
    }

    /// Nothing is asked of the ledger whose intention is not durable. A hold that came with a refused assignment may go back
    /// without.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other effects move no money")]
    pub(crate) fn watch_ask(&mut self, at: usize, asked: &Effect) {
        let Some(node) = self.nodes.get(at) else { return };
        let paying = |job: &Cid, epoch: u64, states: &[PaymentState]| {
            node.disk.jobs.get(job).is_some_and(|record| {
                record
                    .payments
                    .iter()
                    .any(|payment| payment.epoch == epoch && !states.contains(&payment.state))
            })
        };
        let known = match asked {
            Effect::PlaceHold { job, epoch, .. } => paying(job, *epoch, &[]),
            Effect::Capture { job, epoch, .. } => {
                paying(job, *epoch, &[PaymentState::Placing, PaymentState::Held])
            }
            Effect::Claim { job, epoch, .. } => node.disk.executions.get(job).is_some_and(|record| {
                let open = [PaymentState::Held, PaymentState::Owed];
                record.dues.iter().any(|due| due.epoch == *epoch && !open.contains(&due.state))
            }),
            _ => true,
        };
        self.watch
            .ensure(known, || format!("n{at} asks the ledger for what its disk does not know: {asked:?}"));
    }

    /// A capture stands behind a durable receipt with a deterministic end, is its price, at most the bid, and the only one.
    pub(crate) fn watch_capture(&mut self, at: usize, text: &str, amount: &TokenAmount, cid: Cid) {
        let (Some(node), Some(hold)) = (self.nodes.get(at), self.ledger.holds.get(text)) else { return };
        if !node.is_honest() {
            return;
        }
        let job = hold.job;
        let record = node.disk.jobs.get(&job);
        let receipt = record
            .filter(|record| record.receipt_cid == Some(cid))
            .and_then(|record| record.receipt.as_ref());
        let due = receipt.is_some_and(|receipt| {
            receipt.end.is_deterministic()
                && receipt.price.as_ref() == Some(amount)
                && receipt.lease_epoch == hold.epoch
                && receipt.executor_did == hold.to
        });
        let bid =
            amount.currency == hold.amount.currency && (1..=hold.amount.amount).contains(&amount.amount);
        let made = self.by_did.get(&hold.to).and_then(|executor| self.nodes.get(*executor));
        let made = made.is_some_and(|executor| executor.disk.blocks.contains_key(&cid));
        let first = !self.ledger.captured_jobs.contains(&job);
        for (holds, what) in [
            (due, "for what its disk has no receipt of that is due"),
            (bid, "more than the bid"),
            (made, "for a receipt that its executor did not make"),
            (first, "a second time"),
        ] {
            self.watch.ensure(holds, || format!("n{at} pays {} {what}", job.short()));
        }
    }

    /// Nothing is given back that is owed, or that the guest still earns.
    pub(crate) fn watch_release(&mut self, at: usize, job: &Cid, epoch: u64) {
        let Some(node) = self.nodes.get(at).filter(|node| node.is_honest()) else { return };
        let runs = node.guests.values().any(|guest| guest.job == *job && guest.epoch == epoch);
        let earned =
            node.disk.executions.get(job).filter(|record| record.epoch == epoch).is_some_and(|record| {
                record.receipt.as_ref().is_some_and(|receipt| receipt.end.is_deterministic())
            });
        self.watch.ensure(!runs, || format!("n{at} gives back the hold of {} that it runs", job.short()));
        self.watch.ensure(!earned, || format!("n{at} gives back what it earned with {}", job.short()));
    }

    /// A claim is for a durable receipt with a deterministic end, is its price, and comes only when the hold is about to end.
    pub(crate) fn watch_claim(
        &mut self,
        at: usize,
        job: &Cid,
        epoch: u64,
        text: &str,
        amount: &TokenAmount,
        receipt: Cid,
    ) {
        let (Some(node), Some(hold)) = (self.nodes.get(at), self.ledger.holds.get(text)) else { return };
        if !node.is_honest() {
            return;
        }
        let margin = node.config.executor.as_ref().map_or(Duration::ZERO, |executor| executor.claim_margin);
        let soon = node.now(self.now_ms).at >= hold.expires.minus(margin);
        let due = node.disk.executions.get(job).is_some_and(|record| {
            record.dues.iter().any(|due| {
                due.epoch == epoch && due.receipt == Some(receipt) && due.taken.as_ref() == Some(amount)
            })
        });
        let made = node.disk.blocks.contains_key(&receipt) && amount.amount <= hold.amount.amount;
        self.watch.ensure(soon, || format!("n{at} claims {} long before its hold ends", job.short()));
        self.watch.ensure(due && made, || format!("n{at} claims for {} what is not due", job.short()));
    }

    /// When all is quiet, no hold is open, who earned something has it, and the records say what the ledger says.
    pub(super) fn check_payments(&self) -> Result<(), String> {
        if let Some((text, _)) = self.ledger.holds.iter().find(|(_, hold)| hold.end.is_none()) {
            return Err(format!("the hold {text} is still open"));
        }
        let ended = |text: &str| self.ledger.holds.get(text).and_then(|hold| hold.end.clone());
        for (text, amount) in &self.watch.owed {
            let paid = [HoldEnd::Captured(amount.clone()), HoldEnd::Claimed(amount.clone())];
            if !ended(text).is_some_and(|end| paid.contains(&end)) {
                return Err(format!("{amount} are owed by {text}, which ended with {:?}", ended(text)));
            }
        }
        for (job, plan) in &self.plans {
            let honest = self.nodes.get(plan.owner).is_some_and(crate::node::Node::is_honest);
            let Some(record) = self.durable_record(job).filter(|_| honest) else { continue };
            for payment in &record.payments {
                let end = payment.hold.as_deref().and_then(ended);
                let word = match end {
                    Some(HoldEnd::Captured(_)) => PaymentState::Captured,
                    Some(HoldEnd::Claimed(_)) => PaymentState::Claimed,
                    Some(HoldEnd::Released) => PaymentState::Released,
                    Some(HoldEnd::Expired) => PaymentState::Expired,
                    None => PaymentState::Refused,
                };
                if payment.state != word {
                    return Err(format!("job {} says {payment}, the ledger {word}", job.short()));
                }
            }
            self.check_paid(record)?;
        }
        Ok(())
    }

    /// A job that ended with a receipt that is due has paid for it.
    fn check_paid(&self, record: &JobRecord) -> Result<(), String> {
        let Some(receipt) = record.receipt.as_ref().filter(|receipt| receipt.end.is_deterministic()) else {
            return Ok(());
        };
        let Some(price) = receipt.price.as_ref().filter(|price| price.amount > 0) else { return Ok(()) };
        if receipt.executor_did == receipt.originator_did {
            return Ok(());
        }
        let payment = record.payments.iter().find(|payment| payment.epoch == receipt.lease_epoch);
        let end = payment.and_then(|payment| self.ledger.holds.get(payment.hold.as_ref()?)?.end.clone());
        match end {
            Some(HoldEnd::Captured(amount)) if amount == *price => Ok(()),
            other => {
                Err(format!("job {} owes {price}, and its hold ended with {other:?}", record.id.short()))
            }
        }
    }
}
