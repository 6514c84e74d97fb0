//! Chunks between an originator and its running guest.

use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bounds::Fields;
use crate::error::ProtocolError;
use crate::limits::CHUNK_BYTES_MAX;

/// Bytes for the running guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInteractiveInput {
    /// The job.
    pub announcement_id: Cid,
    /// Whose job it is.
    pub originator_did: Did,
    /// Who runs it.
    pub executor_did: Did,
    /// `<announcement_id>/<sequence>`.
    pub input_id: String,
    /// Which chunk this is, from 0, in order.
    pub sequence: u64,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// Whether no chunk follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_stream: Option<bool>,
    /// When.
    pub timestamp: Timestamp,
}

/// Bytes from the running guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInteractiveOutput {
    /// The job.
    pub announcement_id: Cid,
    /// Who runs it.
    pub executor_did: Did,
    /// Whose job it is.
    pub originator_did: Did,
    /// `<announcement_id>/<sequence>`.
    pub output_id: String,
    /// Which chunk this is, from 0, in order.
    pub sequence: u64,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// Whether no chunk follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_stream: Option<bool>,
    /// When.
    pub timestamp: Timestamp,
}

impl JobInteractiveInput {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        check_chunk(fields, "input_id", &self.input_id, &self.announcement_id, self.sequence, &self.data)
    }
}

impl JobInteractiveOutput {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        check_chunk(fields, "output_id", &self.output_id, &self.announcement_id, self.sequence, &self.data)
    }
}

fn check_chunk(
    fields: Fields,
    field: &'static str,
    id: &str,
    job: &Cid,
    sequence: u64,
    data: &[u8],
) -> Result<(), ProtocolError> {
    fields.within("sequence", sequence, 0, i64::MAX as u64)?;
    fields.ensure(field, id == format!("{job}/{sequence}"), "is not `<announcement_id>/<sequence>`")?;
    fields.len("data", data.len(), CHUNK_BYTES_MAX)
}
