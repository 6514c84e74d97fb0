//! Whether a receipt counts: its signature, and what stands behind it.

use icn_identity::{SignatureError, Verifier};
use icn_types::{Cid, End};

use crate::envelope::{Incoming, parse};
use crate::error::ProtocolError;
use crate::limits::DIRECT_BYTES_MAX;
use crate::message::{Body, JobAssignment, Message};
use crate::params::{Params, announcement_id};
use crate::receipt::{self, ExecutionReceipt, SignedReceipt};
use crate::signing::wrap;

/// Why a receipt does not count.
///
/// Blame: who signed it, except for the two kinds of missing blocks, which nobody is to blame for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The bytes are no receipt.
    #[error("these bytes are not a valid receipt")]
    Receipt(#[source] ProtocolError),
    /// The executor did not sign this.
    #[error("the receipt's signature does not hold")]
    Signature(#[source] SignatureError),
    /// The assignment is not at hand.
    #[error(
        "the assignment `{cid}` that stands behind the receipt is not at hand: fetch it, or use a receipt bundle"
    )]
    AssignmentMissing {
        /// The block to fetch.
        cid: Cid,
    },
    /// The bytes given are another block.
    #[error("the assignment given is not the one that the receipt names, `{cid}`")]
    OtherAssignment {
        /// The block that the receipt names.
        cid: Cid,
    },
    /// The block that the receipt names is no valid assignment.
    #[error("what the receipt names as its assignment is not a valid one")]
    Assignment(#[source] ProtocolError),
    /// The assignment says something else than the receipt.
    #[error("the assignment has another `{field}` than the receipt: nobody assigned this execution")]
    AssignmentDiffers {
        /// The field.
        field: &'static str,
    },
    /// The parameters are not at hand.
    #[error("the job's parameters `{cid}` are not at hand: fetch them, or use a receipt bundle")]
    ParamsMissing {
        /// The block to fetch.
        cid: Cid,
    },
    /// The bytes given are another block.
    #[error("the parameters given are not the ones that the receipt names, `{cid}`")]
    OtherParams {
        /// The block that the receipt names.
        cid: Cid,
    },
    /// The block that the receipt names is no valid set of parameters.
    #[error("what the receipt names as the job's parameters is not valid")]
    Params(#[source] ProtocolError),
    /// The parameters say something else than the receipt.
    #[error("the receipt's `{field}` does not follow from the job's parameters: another job was run")]
    ParamsDiffer {
        /// The field.
        field: &'static str,
    },
}

impl ReceiptError {
    /// Returns the reason as a stable word (`docs/protocol.md`, section 7).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Receipt(_) => "malformed",
            Self::Signature(_) => "bad_signature",
            Self::AssignmentMissing { .. } => "assignment_missing",
            Self::OtherAssignment { .. } => "other_assignment",
            Self::Assignment(_) => "assignment_invalid",
            Self::AssignmentDiffers { .. } => "assignment_differs",
            Self::ParamsMissing { .. } => "params_missing",
            Self::OtherParams { .. } => "other_params",
            Self::Params(_) => "params_invalid",
            Self::ParamsDiffer { .. } => "params_differ",
        }
    }
}

/// A receipt that counts: signed by the executor, made under an assignment that the originator signed, for the job that
/// was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedReceipt {
    /// The receipt.
    pub receipt: SignedReceipt,
    /// The assignment behind it.
    pub assignment: JobAssignment,
    /// The job.
    pub params: Params,
}

/// Verifies a receipt, given the blocks that it names (`docs/protocol.md`, section 7).
///
/// Whether the outputs are what the job should give is another question: replay answers it.
///
/// # Errors
///
/// [`ReceiptError`] with the first thing that is wrong, cheapest first. The missing kinds come only after everything that
/// can be told without the block holds, and name the block to fetch.
pub fn verify_receipt(
    receipt_bytes: &[u8],
    assignment_bytes: Option<&[u8]>,
    params_bytes: Option<&[u8]>,
    verifier: &dyn Verifier,
) -> Result<VerifiedReceipt, ReceiptError> {
    let signed = receipt::parse(receipt_bytes)
        .map_err(ReceiptError::Receipt)?
        .verify(verifier)
        .map_err(ReceiptError::Signature)?;
    let receipt = signed.receipt();
    let assignment = check_assignment(receipt, assignment_bytes, verifier)?;
    let params = check_params(receipt, params_bytes)?;
    Ok(VerifiedReceipt { receipt: signed, assignment, params })
}

fn check_assignment(
    receipt: &ExecutionReceipt,
    bytes: Option<&[u8]>,
    verifier: &dyn Verifier,
) -> Result<JobAssignment, ReceiptError> {
    let cid = receipt.assignment_cid;
    let bytes = bytes.ok_or(ReceiptError::AssignmentMissing { cid })?;
    if Cid::of_dag_cbor(bytes) != cid {
        return Err(ReceiptError::OtherAssignment { cid });
    }
    let incoming =
        parse(&wrap(JobAssignment::NAME, bytes), DIRECT_BYTES_MAX).map_err(ReceiptError::Assignment)?;
    let Incoming::Message(raw) = incoming else {
        return Err(ReceiptError::Assignment(ProtocolError::Envelope("it is no assignment")));
    };
    let verified = raw.verify(verifier).map_err(|error| ReceiptError::Assignment(error.into()))?;
    let Message::AssignJobV1(assignment) = verified.into_message() else {
        return Err(ReceiptError::Assignment(ProtocolError::Envelope("it is no assignment")));
    };
    let differs = |field| Err(ReceiptError::AssignmentDiffers { field });
    if assignment.originator_did != receipt.originator_did {
        return differs("originator_did");
    }
    if assignment.executor_did != receipt.executor_did {
        return differs("executor_did");
    }
    if assignment.announcement_id != receipt.announcement_id {
        return differs("announcement_id");
    }
    if assignment.lease_epoch != receipt.lease_epoch {
        return differs("lease_epoch");
    }
    if assignment.params_cid != receipt.job_params_cid {
        return differs("params_cid");
    }
    Ok(*assignment)
}

fn check_params(receipt: &ExecutionReceipt, bytes: Option<&[u8]>) -> Result<Params, ReceiptError> {
    let cid = receipt.job_params_cid;
    let bytes = bytes.ok_or(ReceiptError::ParamsMissing { cid })?;
    if Cid::of_dag_cbor(bytes) != cid {
        return Err(ReceiptError::OtherParams { cid });
    }
    let params = Params::from_bytes(bytes).map_err(ReceiptError::Params)?;
    let differ = |field| Err(ReceiptError::ParamsDiffer { field });
    if announcement_id(&params, &receipt.originator_did) != receipt.announcement_id {
        return differ("announcement_id");
    }
    if params.wasm_cid != receipt.wasm_cid {
        return differ("wasm_cid");
    }
    if params.stdin_cid != receipt.stdin_cid {
        return differ("stdin_cid");
    }
    if params.input_cids != receipt.input_cids {
        return differ("input_cids");
    }
    if params.mode() != receipt.runtime.mode {
        return differ("runtime.mode");
    }
    if receipt.fuel_used > params.max_fuel {
        return differ("fuel_used");
    }
    if receipt.end == End::Exit && receipt.memory_peak_bytes > params.memory_bytes_max {
        return differ("memory_peak_bytes");
    }
    let affordable = match (params.max_price(), &receipt.price) {
        (Some(max), Some(price)) => max.currency == price.currency && price.amount <= max.amount,
        _ => true,
    };
    if affordable { Ok(params) } else { differ("price") }
}
