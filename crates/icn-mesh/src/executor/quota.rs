//! Holding co-ops to their quotas: before this node bids, since a bid binds it.

use icn_protocol::{JobAnnouncement, MeshJobParams, Params, RefusalCode};
use icn_types::{Did, ResourceType, Timestamp};

use super::Executor;
use crate::placement::Ineligible;
use crate::quota::{Demand, For};
use crate::record::{ExecutionRecord, OfferRecord};

/// What a guest takes at least: it runs on one processor, whatever it says.
const GUEST_MILLICORES: u64 = 1_000;

impl Executor {
    /// Tells whether a job fits into the quota of the co-op that it is for; if not, why, and whether it may fit later. This
    /// node's own jobs have none.
    pub(super) fn fits_quota(
        &mut self,
        now: Timestamp,
        announcement: &JobAnnouncement,
    ) -> Result<(), (Ineligible, bool)> {
        if self.is_unlimited(&announcement.originator_did) {
            return Ok(());
        }
        let (executions, checking, offers) = (&self.executions, &self.checking, &self.offers);
        self.usage.retain(|job| {
            offers.contains_key(job)
                || checking.contains_key(job)
                || executions.get(job).is_some_and(|execution| execution.record.receipt.is_none())
        });
        let params = &announcement.job_params;
        let regards = std::sync::Arc::clone(&self.regards);
        let of = |(originator, named): &For| regards.coop(originator, named.as_ref());
        let coop = of(&(announcement.originator_did, params.space));
        let quota = self.config.quotas.of(coop.as_ref());
        let demand = demand(params, self.asks(params).map_or(0, |price| price.amount));
        let job = announcement.announcement_id;
        self.usage.judge(now, &quota, &job, &demand, |whose| of(whose) == coop).map_err(|over| {
            let whose = coop.map_or_else(
                || "those who are in none of this node's spaces".to_owned(),
                |coop| format!("the co-op {coop}"),
            );
            let detail = format!("the quota of {whose}, {over}");
            (Ineligible { code: RefusalCode::Policy, detail }, over.may_fit())
        })
    }

    /// Counts what a bid promises.
    pub(super) fn count_offer(&mut self, offer: &OfferRecord) {
        if self.is_unlimited(&offer.originator) {
            return;
        }
        let Ok(params) = Params::from_bytes(&offer.params) else { return };
        let credits = offer.price.as_ref().map_or(0, |price| price.amount);
        self.usage.take(offer.job, (offer.originator, params.space), demand(&params, credits));
    }

    /// Counts what a finished execution is paid, or owed.
    pub(super) fn count_paid(&mut self, now: Timestamp, record: &ExecutionRecord) {
        let Some(receipt) = record.receipt.as_ref().filter(|_| !self.is_unlimited(&record.originator)) else {
            return;
        };
        let due = record.dues.iter().find(|due| due.epoch == record.epoch);
        let Some(amount) = due.and_then(|due| due.taken.as_ref()) else { return };
        let Ok(params) = Params::from_bytes(&record.params) else { return };
        self.usage.pay(now, receipt.finished_at.min(now), (record.originator, params.space), amount.amount);
    }

    fn is_unlimited(&self, originator: &Did) -> bool {
        *originator == self.me || self.config.quotas.is_unlimited()
    }
}

fn demand(params: &MeshJobParams, credits: u64) -> Demand {
    let asked = params.resources_required.0.get(&ResourceType::CpuMillicores).copied().unwrap_or(0);
    Demand { cpu_millicores: asked.max(GUEST_MILLICORES), memory_bytes: params.memory_bytes_max, credits }
}
