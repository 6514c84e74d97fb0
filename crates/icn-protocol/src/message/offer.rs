//! How a job finds its executor: announcement, interest, bid, decline.

use icn_identity::{PeerId, peer_id};
use icn_types::{Cid, Did, Duration, Region, Resources, Timestamp, TokenAmount};
use serde::{Deserialize, Serialize};

use crate::bounds::Fields;
use crate::error::ProtocolError;
use crate::limits::{LIST_LEN_MAX, TEXT_BYTES_MAX};
use crate::params::{Params, announcement_id};
use crate::response::RefusalCode;

/// A job that wants an executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobAnnouncement {
    /// The job: the CID of `{job_params, originator_did}`.
    pub announcement_id: Cid,
    /// Whose job it is.
    pub originator_did: Did,
    /// What the job is.
    pub job_params: Params,
    /// When it was announced, this time.
    pub timestamp: Timestamp,
    /// How long bids are taken from `timestamp` on; until an assignment or cancellation when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bidding_duration: Option<Duration>,
    /// Whether executors that will not bid should say why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

impl JobAnnouncement {
    /// Announces a job.
    #[must_use]
    pub fn new(originator_did: Did, job_params: Params, timestamp: Timestamp) -> Self {
        Self {
            announcement_id: announcement_id(&job_params, &originator_did),
            originator_did,
            job_params,
            timestamp,
            bidding_duration: None,
            explain: None,
        }
    }

    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        self.job_params.check()?;
        let id = announcement_id(&self.job_params, &self.originator_did);
        fields.ensure(
            "announcement_id",
            self.announcement_id == id,
            "is not the CID of job_params and originator_did",
        )
    }
}

/// What a run costs, in the smallest unit of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRates {
    /// For the run as such.
    pub base: u64,
    /// For each million of fuel that was begun.
    pub per_million_fuel: u64,
}

impl PriceRates {
    /// Prices a run that used so much fuel; at most 2^63-1.
    #[must_use]
    pub fn charge(&self, fuel: u64) -> u64 {
        let millions = u128::from(fuel.div_ceil(1_000_000));
        let sum = u128::from(self.base) + u128::from(self.per_million_fuel) * millions;
        u64::try_from(sum).unwrap_or(u64::MAX).min(i64::MAX as u64)
    }
}

/// An executor's offer to run a job. Binding until `bid_expires_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobBid {
    /// The job.
    pub announcement_id: Cid,
    /// Who offers.
    pub executor_did: Did,
    /// Its libp2p peer; must belong to `executor_did`.
    #[serde(with = "crate::bytes::peer_id")]
    pub executor_peer_id: PeerId,
    /// What it asks for at most; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<TokenAmount>,
    /// By which rates the receipt is priced, in the currency of `price`; the whole price is asked when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<PriceRates>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// When the offer was made.
    pub timestamp: Timestamp,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid_expires_at: Option<Timestamp>,
    /// What the executor has free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_resources: Option<Resources>,
    /// How many jobs wait before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u64>,
    /// In how many milliseconds it could start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_start_ms: Option<u64>,
    /// Which of the job's blocks it holds already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs_held: Vec<Cid>,
}

impl JobBid {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        let belongs = self.executor_peer_id == peer_id(&self.executor_did);
        fields.ensure("executor_peer_id", belongs, "does not belong to executor_did")?;
        fields.amount("price", self.price.as_ref())?;
        if let Some(rates) = &self.rates {
            fields.ensure("rates", self.price.is_some(), "are there without a price")?;
            fields.within("rates.base", rates.base, 0, i64::MAX as u64)?;
            fields.within("rates.per_million_fuel", rates.per_million_fuel, 0, i64::MAX as u64)?;
        }
        let lasts = self.bid_expires_at.is_none_or(|end| end > self.timestamp);
        fields.ensure("bid_expires_at", lasts, "is not after timestamp")?;
        if let Some(resources) = &self.available_resources {
            fields.resources("available_resources", resources)?;
        }
        fields.within("queue_depth", self.queue_depth.unwrap_or(0), 0, i64::MAX as u64)?;
        fields.within("estimated_start_ms", self.estimated_start_ms.unwrap_or(0), 0, i64::MAX as u64)?;
        fields.len("blobs_held", self.blobs_held.len(), LIST_LEN_MAX)
    }
}

/// An executor considers a bid. Binds nobody; originators may ignore it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInterest {
    /// The job.
    pub announcement_id: Cid,
    /// Who considers.
    pub executor_did: Did,
    /// When.
    pub timestamp: Timestamp,
}

impl JobInterest {
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "called like its siblings; the types say all"
    )]
    pub(super) fn check_fields(&self, _: Fields) -> Result<(), ProtocolError> {
        Ok(())
    }
}

/// Why an executor does not bid; sent only when the announcement asks to `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDecline {
    /// The job.
    pub announcement_id: Cid,
    /// Who declines.
    pub executor_did: Did,
    /// Why, as a stable word.
    pub code: RefusalCode,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When.
    pub timestamp: Timestamp,
}

impl JobDecline {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        fields.ensure("code", self.code.is_valid(), "is not 1 to 64 of `a-z`, `0-9`, `_`")?;
        fields.text("detail", self.detail.as_deref(), TEXT_BYTES_MAX)
    }
}
