//! What nodes say to each other.
//!
//! This crate decides which bytes are a message of the mesh: their form (strict DAG-CBOR), their fields and ranges, whose
//! signature they carry, how old they may be and whether they were seen before. [`parse`] turns bytes into a
//! [`RawMessage`], [`RawMessage::verify`] is the only way from there to a [`Verified`] one, and [`sign`] makes new ones.
//! [`receipt`] does the same for execution receipts, the one kind of signed object that outlives its conversation.
//!
//! It never reads a clock, a socket or a random source, and never decides what a job or a bid is worth: whether a DID may
//! say this about that job is for the job machines above.
//!
//! Sources: `docs/protocol.md`, which a second implementation can be written from; its vectors in
//! `docs/protocol/vectors/` are read by the tests of this crate.

mod bounds;
mod bundle;
mod bytes;
mod envelope;
mod error;
mod limits;
mod message;
mod params;
pub mod receipt;
pub mod replay;
mod response;
mod signing;
mod status;
pub mod topics;
mod verify;

pub use crate::bundle::ReceiptBundle;
pub use crate::bytes::Nonce;
pub use crate::envelope::{FreshnessPolicy, Incoming, RawMessage, Verified, parse};
pub use crate::error::ProtocolError;
pub use crate::limits::*;
pub use crate::message::{
    Body, CancelJob, ExecutionReceiptAvailable, JobAnnouncement, JobAssignment, JobBid, JobDecline,
    JobInteractiveInput, JobInteractiveOutput, JobInterest, JobStatusUpdate, Message, NodeCapability,
    PriceRates, capacity,
};
pub use crate::params::{
    ExecutionPolicy, InputSource, MeshJobParams, NamedCid, Params, QosProfile, Stage, WorkflowType,
    announcement_id,
};
pub use crate::receipt::{ExecutionReceipt, GuestError, OutputCid, RuntimeInfo, SignedReceipt};
pub use crate::replay::{ReplayGuard, Seen};
pub use crate::response::{RefusalCode, Response};
pub use crate::signing::{Signed, sign};
pub use crate::status::JobStatus;
pub use crate::verify::{ReceiptError, VerifiedReceipt, verify_receipt};
