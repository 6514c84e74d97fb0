//! How an execution ended and what it left.

use std::collections::BTreeMap;

use bytes::Bytes;
use icn_types::{Cid, End};
use serde::{Deserialize, Serialize};

/// Everything that is known once a guest has ended, for the receipt and for the person who asked.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The guest's exit code; present exactly when `end` is [`End::Exit`].
    pub exit_code: Option<i32>,
    /// What went wrong; absent exactly when `end` is [`End::Exit`].
    pub error: Option<ExecutionError>,
    /// Fuel that was used, host calls included. In fast mode host calls only.
    pub fuel_used: u64,
    /// The most linear memory that the guest had at once, in bytes.
    pub memory_peak_bytes: u64,
    /// How often each host function was called; those never called are left out.
    pub host_calls: BTreeMap<String, u64>,
    /// `stdout`, `stderr`, then the files of `/out` sorted by name. After a failure what was written until then.
    pub outputs: Vec<OutputFile>,
    /// The blocks that the guest anchored, in the order of its calls, each once.
    pub anchors: Vec<(Cid, Bytes)>,
    /// Whether the guest asked for its job id, so that its execution key alone does not replay it.
    pub asked_job_id: bool,
    /// Microseconds of each stage: `queue`, `compile` (or `cache` when nothing was compiled), `instantiate`, `run`.
    pub stages_us: BTreeMap<String, u64>,
}

/// One output: a standard stream or a file of `/out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// `stdout`, `stderr`, or a path relative to `/out`.
    pub name: String,
    /// The content.
    pub bytes: Bytes,
}

/// Why an execution did not end by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionError {
    /// A short stable word, such as `unreachable`, `stack_overflow`, `bad_pointer`, `unknown_import`.
    pub code: String,
    /// What happened, in a sentence, followed by the guest's backtrace when there is one; at most 4 KiB.
    pub message: String,
}

/// The longest message of an [`ExecutionError`], in bytes: a guest chooses the names in its backtrace.
const MESSAGE_BYTES_MAX: usize = 4_096;

impl ExecutionError {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self { code: code.to_owned(), message }
    }
}

impl Outcome {
    /// Makes the outcome of a task that ended before its guest could use or write anything.
    pub(crate) fn without_guest(end: End, error: ExecutionError, stages_us: BTreeMap<String, u64>) -> Self {
        Self {
            end,
            exit_code: None,
            error: Some(error),
            fuel_used: 0,
            memory_peak_bytes: 0,
            host_calls: BTreeMap::new(),
            outputs: ["stdout", "stderr"]
                .map(|name| OutputFile { name: name.to_owned(), bytes: Bytes::new() })
                .into(),
            anchors: Vec::new(),
            asked_job_id: false,
            stages_us,
        }
    }

    /// Finds an output by its name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Bytes> {
        self.outputs.iter().find(|output| output.name == name).map(|output| &output.bytes)
    }
}
