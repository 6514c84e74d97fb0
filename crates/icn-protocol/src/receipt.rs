//! Execution receipts: what was run, by whom, and what came of it.
//!
//! A receipt stands alone: a map with its signature in it, not wrapped in a variant. Its CID is that of the whole signed
//! map, and it is verified over the map as received. [`crate::verify_receipt`] also checks what stands behind it.

use std::collections::{BTreeMap, BTreeSet};

use icn_identity::{SignatureError, Signer, Verifier};
use icn_types::{Cid, Did, End, Mode, StandardJobStatus, Timestamp, TokenAmount, Value, check_paths, codec};
use serde::{Deserialize, Serialize};

use crate::bounds::{Fields, typed};
use crate::error::ProtocolError;
use crate::limits::{ANCHORS_LEN_MAX, COUNTS_LEN_MAX, NAME_BYTES_MAX, RECEIPT_BYTES_MAX, TEXT_BYTES_MAX};
use crate::params::NamedCid;
use crate::response::RefusalCode;
use crate::signing::{signed_map, split_signature};

/// The name under the signature of receipts.
pub const NAME: &str = "ExecutionReceiptV1";

/// The names of the two outputs that are no files of the guest.
pub const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// What was run, by whom, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReceipt {
    /// The job.
    pub announcement_id: Cid,
    /// The assignment under which it ran: the CID of its inner map with signature.
    pub assignment_cid: Cid,
    /// The epoch of that assignment.
    pub lease_epoch: u64,
    /// What was to be run: the CID of `job_params`.
    pub job_params_cid: Cid,
    /// Whose job it was.
    pub originator_did: Did,
    /// Who ran it and signs.
    pub executor_did: Did,
    /// `CompletedSuccessfully`, `Failed` or `Cancelled`, as `end` and `exit_code` say.
    pub status: StandardJobStatus,
    /// How the execution ended.
    pub end: End,
    /// What the guest returned; there exactly when `end` is `exit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What went wrong; never there when the job completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<GuestError>,
    /// The module.
    pub wasm_cid: Cid,
    /// Standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin_cid: Option<Cid>,
    /// The inputs, as in the parameters.
    pub input_cids: Vec<NamedCid>,
    /// The outputs, `stdout` and `stderr` among them.
    pub output_cids: Vec<OutputCid>,
    /// The fuel that was used; in fast mode that of host functions only.
    pub fuel_used: u64,
    /// The most memory that was used, in bytes.
    pub memory_peak_bytes: u64,
    /// How often each host function was called.
    pub host_calls: BTreeMap<String, u64>,
    /// When the guest was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long each stage took, in microseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages_us: BTreeMap<String, u64>,
    /// What is asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<TokenAmount>,
    /// What ran it.
    pub runtime: RuntimeInfo,
    /// What the guest anchored in the DAG.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<Cid>,
}

/// One output of a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputCid {
    /// The path below `/out`, or `stdout` or `stderr`.
    pub name: String,
    /// The file.
    pub cid: Cid,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What ran a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuntimeInfo {
    /// The engine, such as `wasmtime`.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// The profile of host functions, costs and limits, such as `icn-canonical-1`: what makes results comparable.
    pub profile: String,
    /// How strictly the result is determined.
    pub mode: Mode,
}

/// What went wrong with a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestError {
    /// A stable word: 1 to 64 of `a-z`, `0-9`, `_`.
    pub code: String,
    /// More, for people, such as a backtrace; at most [`TEXT_BYTES_MAX`] bytes.
    pub message: String,
}

impl GuestError {
    /// States what went wrong, cutting a message that is too long.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        let end = (0..=TEXT_BYTES_MAX.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
        Self { code: code.into(), message }
    }
}

impl ExecutionReceipt {
    /// Returns the status that an end and an exit code stand for.
    #[must_use]
    pub const fn status_of(end: End, exit_code: Option<i32>) -> StandardJobStatus {
        match (end, exit_code) {
            (End::Exit, Some(0)) => StandardJobStatus::CompletedSuccessfully,
            (End::Cancelled, _) => StandardJobStatus::Cancelled,
            _ => StandardJobStatus::Failed,
        }
    }

    /// Tells whether anyone who has the blocks gets the same end, outputs and fuel.
    ///
    /// Not so in fast mode, after operational ends, and for guests that asked who they are or talked with the outside.
    #[must_use]
    pub fn is_replayable(&self) -> bool {
        const UNREPEATABLE: [&str; 4] = [
            "host_job_get_id",
            "host_interactive_send_output",
            "host_interactive_receive_input",
            "host_submit_job",
        ];
        self.runtime.mode == Mode::Canonical
            && self.end.is_deterministic()
            && UNREPEATABLE.iter().all(|name| self.host_calls.get(*name).is_none_or(|count| *count == 0))
    }

    /// Checks every field's range, and that the fields agree with each other (`docs/protocol.md`, section 7).
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Field`] with the first field that is wrong.
    pub fn check(&self) -> Result<(), ProtocolError> {
        let fields = Fields("ExecutionReceipt");
        fields.within("lease_epoch", self.lease_epoch, 1, i64::MAX as u64)?;
        self.check_end(fields)?;
        check_paths(self.input_cids.iter().map(|input| input.name.as_str()))
            .map_err(|error| fields.fault("input_cids", error.to_string()))?;
        self.check_outputs(fields)?;
        fields.within("fuel_used", self.fuel_used, 0, i64::MAX as u64)?;
        fields.within("memory_peak_bytes", self.memory_peak_bytes, 0, i64::MAX as u64)?;
        check_counts(fields, "host_calls", &self.host_calls)?;
        check_counts(fields, "stages_us", &self.stages_us)?;
        fields.ensure("finished_at", self.finished_at >= self.started_at, "is before started_at")?;
        fields.amount("price", self.price.as_ref())?;
        fields.name("runtime.engine", &self.runtime.engine)?;
        fields.name("runtime.version", &self.runtime.version)?;
        fields.name("runtime.profile", &self.runtime.profile)?;
        fields.len("anchors", self.anchors.len(), ANCHORS_LEN_MAX)
    }

    fn check_end(&self, fields: Fields) -> Result<(), ProtocolError> {
        let exits = self.end == End::Exit;
        fields.ensure(
            "exit_code",
            exits == self.exit_code.is_some(),
            "is there exactly when end is `exit`",
        )?;
        let status = Self::status_of(self.end, self.exit_code);
        fields.ensure("status", self.status == status, "contradicts end and exit_code")?;
        let Some(error) = &self.error else { return Ok(()) };
        let completed = self.status == StandardJobStatus::CompletedSuccessfully;
        fields.ensure("error", !completed, "is there although the job completed")?;
        let word = RefusalCode::Other(error.code.clone()).is_valid();
        fields.ensure("error.code", word, "is not 1 to 64 of `a-z`, `0-9`, `_`")?;
        fields.text("error.message", Some(&error.message), TEXT_BYTES_MAX)
    }

    fn check_outputs(&self, fields: Fields) -> Result<(), ProtocolError> {
        let (streams, files): (Vec<&str>, Vec<&str>) = self
            .output_cids
            .iter()
            .map(|output| output.name.as_str())
            .partition(|name| STREAMS.contains(name));
        check_paths(files.into_iter()).map_err(|error| fields.fault("output_cids", error.to_string()))?;
        let mut seen = BTreeSet::new();
        let once = streams.into_iter().all(|name| seen.insert(name));
        fields.ensure("output_cids", once, "names a standard stream twice")?;
        self.output_cids
            .iter()
            .try_for_each(|output| fields.within("output_cids.bytes", output.bytes, 0, i64::MAX as u64))
    }

    /// Signs the receipt.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when a field is wrong, the signer is not the executor, or the receipt is too large for a block.
    pub fn sign(self, signer: &dyn Signer) -> Result<SignedReceipt, ProtocolError> {
        self.check()?;
        if self.executor_did != signer.did() {
            return Err(ProtocolError::WrongSigner { speaker: self.executor_did, signer: signer.did() });
        }
        let bytes = signed_map(NAME, &self, signer)?;
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ProtocolError::TooLarge { bytes: bytes.len(), max: RECEIPT_BYTES_MAX });
        }
        Ok(SignedReceipt { cid: Cid::of_dag_cbor(&bytes), receipt: self, bytes })
    }
}

fn check_counts(
    fields: Fields,
    field: &'static str,
    counts: &BTreeMap<String, u64>,
) -> Result<(), ProtocolError> {
    fields.len(field, counts.len(), COUNTS_LEN_MAX)?;
    counts.iter().try_for_each(|(name, count)| {
        fields.text(field, Some(name), NAME_BYTES_MAX)?;
        fields.name(field, name)?;
        fields.within(field, *count, 0, i64::MAX as u64)
    })
}

/// A receipt whose signature holds, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReceipt {
    receipt: ExecutionReceipt,
    bytes: Vec<u8>,
    cid: Cid,
}

impl SignedReceipt {
    /// Returns the fields.
    #[must_use]
    pub const fn receipt(&self) -> &ExecutionReceipt {
        &self.receipt
    }

    /// Takes the fields out.
    #[must_use]
    pub fn into_receipt(self) -> ExecutionReceipt {
        self.receipt
    }

    /// Returns the block: the whole signed receipt.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Names the block.
    #[must_use]
    pub const fn cid(&self) -> Cid {
        self.cid
    }
}

/// A receipt whose form and fields are right, and whose signature is not checked yet.
#[derive(Debug, Clone)]
pub struct RawReceipt {
    receipt: ExecutionReceipt,
    signature: Vec<u8>,
    signed: Vec<u8>,
    bytes: Vec<u8>,
}

/// Reads a receipt: size, strict form, fields and their ranges.
///
/// # Errors
///
/// [`ProtocolError`] with the first of these that is not right.
pub fn parse(bytes: &[u8]) -> Result<RawReceipt, ProtocolError> {
    if bytes.len() > RECEIPT_BYTES_MAX {
        return Err(ProtocolError::TooLarge { bytes: bytes.len(), max: RECEIPT_BYTES_MAX });
    }
    let Value::Map(mut map) = codec::decode_value(bytes)? else {
        return Err(ProtocolError::Envelope("the receipt is no map"));
    };
    let (signature, signed) = split_signature(&mut map, NAME)?;
    let receipt: ExecutionReceipt =
        typed(bytes).map_err(|source| ProtocolError::Shape { name: "ExecutionReceipt", source })?;
    receipt.check()?;
    Ok(RawReceipt { receipt, signature, signed, bytes: bytes.to_vec() })
}

impl RawReceipt {
    /// Returns the fields, which nobody has vouched for yet.
    #[must_use]
    pub const fn unverified(&self) -> &ExecutionReceipt {
        &self.receipt
    }

    /// Checks the executor's signature.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when it does not hold.
    pub fn verify(self, verifier: &dyn Verifier) -> Result<SignedReceipt, SignatureError> {
        let Self { receipt, signature, signed, bytes } = self;
        verifier.verify(&receipt.executor_did, receipt.finished_at, NAME, &signed, &signature)?;
        Ok(SignedReceipt { receipt, cid: Cid::of_dag_cbor(&bytes), bytes })
    }
}
