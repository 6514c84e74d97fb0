//! What a world is made of.

use icn_mesh::{ExecutorConfig, OriginatorConfig};

/// A world: its nodes, its network and its disks.
#[derive(Debug, Clone)]
pub struct Config {
    /// The nodes; each has an originator.
    pub nodes: Vec<NodeConfig>,
    /// How originators act.
    pub originator: OriginatorConfig,
    /// How the network is, until it is calmed.
    pub network: NetworkConfig,
    /// How the disks are.
    pub disk: DiskConfig,
    /// How the ledger is.
    pub ledger: LedgerConfig,
    /// Whether signatures are Ed25519; else a checksum that only honest code respects.
    pub real_signatures: bool,
    /// Whether nodes have a replay guard, as real ones do; without it the machines see every repeat.
    pub guard: bool,
    /// How effects wait for writes.
    pub pipeline: Pipeline,
    /// Whether the story of the run is recorded.
    pub story: bool,
}

/// One node.
#[derive(Debug, Clone, Default)]
pub struct NodeConfig {
    /// How it executes, if it does.
    pub executor: Option<ExecutorConfig>,
    /// How far its wall clock is ahead (or, negative, behind), in milliseconds.
    pub skew_ms: i64,
    /// How far its account may go below zero; as far as it likes when absent.
    pub line: Option<u64>,
    /// How it cheats, if it does.
    pub cheat: Option<Cheat>,
}

/// How a node breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cheat {
    /// Announces receipts under CIDs that are none, or those of other jobs.
    LiesAboutCids,
    /// Announces receipts, signed by itself, for jobs that it was never assigned.
    NeverAssigned,
    /// Sends old messages of its own again, byte for byte.
    Replays,
    /// Bids, and answers nothing.
    Mute,
    /// Assigns one bid twice: to the bidder under another epoch, and to somebody else.
    AssignsTwice,
    /// Takes jobs, renews its leases, and never runs anything.
    Pretends,
    /// Assigns jobs under holds of other jobs, or under none.
    NamesOtherHolds,
    /// Takes results and does not pay.
    NeverCaptures,
}

/// How the network is. Probabilities are in parts per million.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// How many messages and answers are lost.
    pub loss_ppm: u64,
    /// How many direct messages arrive twice.
    pub repeat_ppm: u64,
    /// How long a message takes, in milliseconds: at least, and at most.
    pub delay_ms: (u64, u64),
}

/// How long a write takes until it is durable.
#[derive(Debug, Clone)]
pub struct DiskConfig {
    /// Milliseconds: at least, and at most.
    pub sync_ms: (u64, u64),
    /// How many writes stall, in parts per million.
    pub stall_ppm: u64,
    /// How long a stalled write takes, in milliseconds.
    pub stall_ms: u64,
}

/// How long the ledger takes, in milliseconds: at least, and at most.
#[derive(Debug, Clone)]
pub struct LedgerConfig {
    /// From the request to the durable entry, and again from there to the answer.
    pub delay_ms: (u64, u64),
    /// From the durable entry until others see it.
    pub seen_ms: (u64, u64),
}

/// How effects wait for the writes before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipeline {
    /// All effects of a node wait in one line; all writes enter the disk's queue at once. This is what a shell must do.
    InOrder,
    /// Each event's effects wait for their own writes only. The machines stay safe under this as well.
    PerEvent,
    /// As `InOrder`, but notes enter the disk's queue only when their turn in the line comes, so that an older note may
    /// overwrite a newer record. A broken shell, to show that the checks notice.
    LateNotes,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { loss_ppm: 0, repeat_ppm: 0, delay_ms: (1, 5) }
    }
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self { sync_ms: (1, 3), stall_ppm: 0, stall_ms: 0 }
    }
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { delay_ms: (1, 4), seen_ms: (1, 10) }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            originator: OriginatorConfig::default(),
            network: NetworkConfig::default(),
            disk: DiskConfig::default(),
            ledger: LedgerConfig::default(),
            real_signatures: false,
            guard: true,
            pipeline: Pipeline::InOrder,
            story: false,
        }
    }
}

impl Config {
    /// Describes a quiet world: one node that only submits, and `executors` that run jobs.
    #[must_use]
    pub fn with_executors(executors: usize) -> Self {
        let executor = NodeConfig { executor: Some(ExecutorConfig::default()), ..NodeConfig::default() };
        let nodes =
            std::iter::once(NodeConfig::default()).chain(std::iter::repeat_n(executor, executors)).collect();
        Self { nodes, ..Self::default() }
    }
}
