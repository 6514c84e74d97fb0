//! The words for how a job stands and how it ended, shared by runtime, protocol and command line.

use serde::{Deserialize, Serialize};

/// How an execution ended (`docs/protocol.md`, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The guest returned or called `proc_exit`; the exit code says with what.
    Exit,
    /// The guest broke a rule of WebAssembly or of the host functions.
    Trap,
    /// The fuel was used up.
    OutOfFuel,
    /// A memory or table wanted to grow past its limit.
    MemoryLimit,
    /// The outputs were more, larger or longer named than allowed.
    OutputLimit,
    /// The module is not one that can run.
    BadModule,
    /// The time was up.
    Timeout,
    /// The originator cancelled.
    Cancelled,
    /// The executor failed, not the guest.
    NodeFault,
}

impl End {
    /// Tells whether the same execution key gives this end again: operational ends do not replay.
    #[must_use]
    pub const fn is_deterministic(self) -> bool {
        !matches!(self, Self::Timeout | Self::Cancelled | Self::NodeFault)
    }

    /// Returns the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Trap => "trap",
            Self::OutOfFuel => "out_of_fuel",
            Self::MemoryLimit => "memory_limit",
            Self::OutputLimit => "output_limit",
            Self::BadModule => "bad_module",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::NodeFault => "node_fault",
        }
    }
}

/// How a job stands, in the five words that everybody shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StandardJobStatus {
    /// Not yet given to an executor.
    Pending,
    /// An executor has it.
    Running,
    /// The guest ended with exit code 0 and the receipt holds.
    CompletedSuccessfully,
    /// It ended otherwise.
    Failed,
    /// The originator took it back.
    Cancelled,
}

impl StandardJobStatus {
    /// Tells whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// How strictly an execution is bound to give the same result everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Fuel, canonical NaNs, virtual clock and randomness: anyone can replay the receipt.
    #[default]
    Canonical,
    /// Interrupted by the clock, faster, not replayable.
    Fast,
}
