//! Jobs of virtual users.

use icn_protocol::{ExecutionPolicy, MeshJobParams, Nonce};
use icn_types::{Cid, Did, End, Region, TokenAmount};

/// A job, and what its guest will do.
#[derive(Debug, Clone)]
pub struct Job {
    /// How long the guest runs, in milliseconds.
    pub runs_ms: u64,
    /// How it ends.
    pub end: Planned,
    /// How many lines it says while it runs.
    pub lines: u64,
    /// How long each line is, in bytes.
    pub line_bytes: usize,
    /// Whether the submitter's own executor stays out.
    pub remote: bool,
    /// The placement policy.
    pub placement: Option<String>,
    /// The most that is paid.
    pub max_price: Option<TokenAmount>,
    /// Where it must run.
    pub region: Option<Region>,
    /// The only executors allowed; all when empty.
    pub allowed: Vec<Did>,
    /// How much fuel it uses.
    pub fuel: u64,
    /// How much fuel it may use.
    pub max_fuel: u64,
    /// Its time limit, in seconds.
    pub timeout_seconds: u64,
}

/// How a guest ends when nobody stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It exits with this code.
    Exit(i32),
    /// It traps.
    Trap,
    /// Its fuel is used up.
    OutOfFuel,
    /// The executor's own machinery fails each time.
    NodeFault,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            runs_ms: 500,
            end: Planned::Exit(0),
            lines: 0,
            line_bytes: 20,
            remote: false,
            placement: None,
            max_price: None,
            region: None,
            allowed: Vec::new(),
            fuel: 1_000,
            max_fuel: 3_000_000,
            timeout_seconds: 60,
        }
    }
}

impl Job {
    /// Gives the parameters; the number makes them unique.
    pub(crate) fn params(&self, seed: u64, number: u64) -> MeshJobParams {
        let mut nonce = [0; 16];
        let bytes = seed.to_le_bytes().into_iter().chain(number.to_le_bytes());
        nonce.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        MeshJobParams {
            timeout_seconds: self.timeout_seconds,
            max_fuel: self.max_fuel,
            memory_bytes_max: 1 << 20,
            output_bytes_max: 1 << 20,
            execution_policy: Some(ExecutionPolicy {
                rep_weight: 500_000,
                price_weight: 500_000,
                region_filter: self.region.clone(),
                min_reputation: None,
                max_price: self.max_price.clone(),
                allowed_executors: self.allowed.clone(),
                placement: self.placement.clone(),
            }),
            ..MeshJobParams::new(Nonce(nonce), Cid::of_raw(b"module"))
        }
    }
}

impl Planned {
    pub(crate) const fn end(self) -> (End, Option<i32>) {
        match self {
            Self::Exit(code) => (End::Exit, Some(code)),
            Self::Trap => (End::Trap, None),
            Self::OutOfFuel => (End::OutOfFuel, None),
            Self::NodeFault => (End::NodeFault, None),
        }
    }
}
