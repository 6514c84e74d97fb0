//! A job at work: assignment, status, receipt, cancellation.

use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bounds::Fields;
use crate::error::ProtocolError;
use crate::limits::{
    LEASE_SECONDS_MAX, LEASE_SECONDS_MIN, LIST_LEN_MAX, NAME_BYTES_MAX, PPM, TEXT_BYTES_MAX,
};
use crate::status::JobStatus;

/// The originator gives a job to an executor, under a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobAssignment {
    /// The job.
    pub announcement_id: Cid,
    /// Whose job it is.
    pub originator_did: Did,
    /// Who shall run it.
    pub executor_did: Did,
    /// Which assignment of the job this is, from 1; a higher one ends all lower ones.
    pub lease_epoch: u64,
    /// How long the lease lasts without a renewal, in seconds.
    pub lease_seconds: u64,
    /// The bid that is taken: the CID of its inner map with signature.
    pub bid_cid: Cid,
    /// What is to be run: the CID of `job_params`.
    pub params_cid: Cid,
    /// The hold in the ledger that pays for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow_id: Option<String>,
    /// When.
    pub timestamp: Timestamp,
}

impl JobAssignment {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        check_epoch(fields, self.lease_epoch)?;
        fields.within("lease_seconds", self.lease_seconds, LEASE_SECONDS_MIN, LEASE_SECONDS_MAX)?;
        fields.text("escrow_id", self.escrow_id.as_deref(), NAME_BYTES_MAX)
    }
}

/// How the job goes. Sent every third of the lease, and whenever something changed; its `Ack` renews the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatusUpdate {
    /// The job.
    pub announcement_id: Cid,
    /// Who runs it.
    pub executor_did: Did,
    /// Under which assignment.
    pub lease_epoch: u64,
    /// Which update of this assignment this is, from 0; a lower one than the last is ignored.
    pub sequence: u64,
    /// How far the job is.
    pub p2p_job_status: JobStatus,
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// How much of the work the guest says is done, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_ppm: Option<u32>,
    /// When.
    pub timestamp: Timestamp,
}

impl JobStatusUpdate {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        check_epoch(fields, self.lease_epoch)?;
        fields.within("sequence", self.sequence, 0, i64::MAX as u64)?;
        fields.name("p2p_job_status", self.p2p_job_status.as_str())?;
        fields.ensure(
            "p2p_job_status",
            self.p2p_job_status.is_reported(),
            "is not an executor's to report",
        )?;
        fields.text("details", self.details.as_deref(), TEXT_BYTES_MAX)?;
        fields.within("progress_ppm", u64::from(self.progress_ppm.unwrap_or(0)), 0, u64::from(PPM))
    }
}

/// A receipt exists and can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReceiptAvailable {
    /// The job.
    pub announcement_id: Cid,
    /// Whose job it was.
    pub originator_did: Did,
    /// Who ran it and holds the receipt.
    pub executor_did: Did,
    /// The receipt: the CID of the whole signed receipt.
    pub receipt_cid: Cid,
    /// Addresses (multiaddrs) where the receipt and the outputs can be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// When.
    pub timestamp: Timestamp,
}

impl ExecutionReceiptAvailable {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        fields.len("providers", self.providers.len(), LIST_LEN_MAX)?;
        self.providers.iter().try_for_each(|address| {
            fields.text("providers", Some(address), 512)?;
            fields.ensure("providers", address.starts_with('/'), "contains what is not a multiaddr")
        })
    }
}

/// The originator takes the job back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelJob {
    /// The job.
    pub announcement_id: Cid,
    /// Whose job it is.
    pub originator_did: Did,
    /// Which assignment is ended; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_epoch: Option<u64>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub timestamp: Timestamp,
}

impl CancelJob {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        self.lease_epoch.map_or(Ok(()), |epoch| check_epoch(fields, epoch))?;
        fields.text("reason", self.reason.as_deref(), TEXT_BYTES_MAX)
    }
}

fn check_epoch(fields: Fields, epoch: u64) -> Result<(), ProtocolError> {
    fields.within("lease_epoch", epoch, 1, i64::MAX as u64)
}
