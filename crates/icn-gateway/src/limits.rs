//! How much a client may send and how long it may take.

use std::time::Duration;

/// The largest JSON body in bytes: a job with 10,000 inputs of the longest names fits.
pub const JSON_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The largest receipt or bundle that is read for verification or replay, in bytes: a receipt is one block of at most
/// 2 MiB, and a bundle adds its assignment and its parameters.
pub const RECEIPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many items a list has when the client does not say.
pub const LIST_LIMIT_DEFAULT: usize = 20;

/// The most items of one list.
pub const LIST_LIMIT_MAX: usize = 100;

/// The longest text that is looked up as a job's id, in bytes; a CID has 59 characters.
pub(crate) const JOB_ID_BYTES_MAX: usize = 128;

/// The longest text that is looked up as a space or an order, in bytes: a name has at most 64, a DID at most 53, a
/// reference at most 70.
pub(crate) const REFERENCE_BYTES_MAX: usize = 128;

/// The largest body of a request about entries, in bytes: an entry has at most 64 KiB, and its acts as JSON take more.
pub const ENTRY_BYTES_MAX: usize = 256 * 1024;

/// Content type of the events of a job and of a space: one JSON object a line.
pub const EVENTS_CONTENT_TYPE: &str = "application/x-ndjson";

/// How long a question about this node may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long content may take to be found and begun; once it flows, the client decides.
pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_secs(300);

/// How long an upload may pause between two pieces.
pub(crate) const UPLOAD_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long running requests may take to end after the shutdown began.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
