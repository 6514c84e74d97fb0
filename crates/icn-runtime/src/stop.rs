//! Why a host call ends the guest instead of answering it.

use icn_types::End;

use crate::outcome::ExecutionError;

/// A host call's last word: travels through Wasmtime as an error and becomes the job's end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("exit with code {0}")]
    Exit(i32),
    #[error("the fuel was used up")]
    OutOfFuel,
    #[error("the guest passed the pointer 0x{pointer:x} for {len} bytes; its memory has {memory} bytes")]
    BadPointer { pointer: u32, len: u64, memory: u64 },
    #[error("{0}")]
    OutputLimit(String),
    #[error("{0}")]
    NodeFault(String),
    #[error("the time was up after {0} ms")]
    Timeout(u128),
    #[error("the job was cancelled")]
    Cancelled,
}

impl Stop {
    /// Gives the end, the exit code and the error that this reason means.
    pub(crate) fn verdict(&self) -> (End, Option<i32>, Option<ExecutionError>) {
        let (end, code) = match self {
            Self::Exit(code) => return (End::Exit, Some(*code), None),
            Self::OutOfFuel => (End::OutOfFuel, "out_of_fuel"),
            Self::BadPointer { .. } => (End::Trap, "bad_pointer"),
            Self::OutputLimit(_) => (End::OutputLimit, "output_limit"),
            Self::NodeFault(_) => (End::NodeFault, "node_fault"),
            Self::Timeout(_) => (End::Timeout, "timeout"),
            Self::Cancelled => (End::Cancelled, "cancelled"),
        };
        (end, None, Some(ExecutionError::new(code, self.to_string())))
    }
}
