//! What a member may do, as numbers that the kernel enforces without knowing why.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The limits of one DID. Policy above computes them, mechanism below enforces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraints {
    /// Messages a second, sustained.
    pub messages_per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// Streams open at once.
    pub streams_max: u32,
    /// Topics that may be published to; empty means all.
    pub topics: BTreeSet<String>,
    /// Named rights, such as `submit-jobs`; empty means all.
    pub capabilities: BTreeSet<String>,
    /// Fuel that one job may be given.
    pub fuel_max: u64,
    /// Jobs running at once for this DID.
    pub jobs_max: u32,
}

impl Default for Constraints {
    /// The limits of everybody, as long as no trust tells members apart.
    fn default() -> Self {
        Self {
            messages_per_second: 2_000,
            burst: 10_000,
            streams_max: 256,
            topics: BTreeSet::new(),
            capabilities: BTreeSet::new(),
            fuel_max: u64::MAX,
            jobs_max: u32::MAX,
        }
    }
}

impl Constraints {
    /// Tells whether a right is given.
    #[must_use]
    pub fn allows(&self, capability: &str) -> bool {
        self.capabilities.is_empty() || self.capabilities.contains(capability)
    }
}
