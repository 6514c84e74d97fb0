//! Replicated signed logs: the durable speech of a cooperative.
//!
//! Each author keeps one hash-linked chain per topic; an entry names its author's previous entry and the other heads that
//! the author had applied, so the entries of a topic form a Merkle-DAG. This crate decides which bytes are an entry, in
//! which order entries are applied, what is missing, and who signed two things at one place. It never reads a clock, a
//! socket or a disk, and it does not know what entries mean: that is for the reducer of their topic.
//!
//! Sources: `docs/protocol.md`; range-based set reconciliation (Meyer, arXiv 2212.13567) in the Negentropy v1 form;
//! the Blocklace (Almeida, Shapiro, arXiv 2402.08068).

mod entry;
mod error;
mod fork;
mod id;
mod idset;
mod live;
mod log;
mod sync;
#[cfg(test)]
mod testing;
mod topic;

pub use crate::entry::{
    DEPS_MAX, ENTRY_BYTES_MAX, ENTRY_SIGNATURE, ENTRY_VERSION, Entry, RawEntry, SignedEntry, VerifiedEntry,
};
pub use crate::error::EntryError;
pub use crate::fork::{FORK_PROOF_BYTES_MAX, Fork, ForkError, ForkProof};
pub use crate::live::{LIVE_BYTES_MAX, LiveError, LiveMessage};
pub use crate::log::{
    Admitted, Applied, Idx, Log, LogCounts, LogLimits, MISSING_MAX, Position, REFS_MAX, Refusal, Restored,
    SnapshotError, Tip,
};
pub use crate::sync::{
    Hello, PASS_BYTES_MAX, SYNC_MESSAGE_BYTES_MAX, SYNC_VERSION, Step, Summary, SyncError, SyncSession,
    frame, frame_length, refuse, unframe,
};
pub use crate::topic::{AccessControl, LogId, TOPIC_NAME_BYTES_MAX, TopicMeta, TopicName, TopicNameError};
pub use icn_types::Scope;
