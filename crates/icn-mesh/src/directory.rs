//! The executors that a node has heard of.

use std::collections::BTreeMap;

use icn_protocol::NodeCapability;
use icn_types::{Did, Duration, NodeCapacity, Region, Timestamp};

/// How many executors are remembered. Full: the one heard from longest ago is forgotten.
const EXECUTORS_MAX: usize = 4_096;

/// How long an advertisement counts; executors repeat theirs every third of this.
pub(crate) const FRESH: Duration = Duration::from_secs(180);

/// What an executor last said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownExecutor {
    /// Where it stands.
    pub region: Option<Region>,
    /// What it offers, and the limits it sets.
    pub capacity: NodeCapacity,
    /// The runtimes it has.
    pub runtimes: Vec<String>,
    /// When it said so.
    pub at: Timestamp,
}

/// The executors heard of, newest advertisement of each.
#[derive(Debug, Default)]
pub struct Directory {
    known: BTreeMap<Did, KnownExecutor>,
}

impl Directory {
    /// Takes note of an advertisement; returns whether the executor was not known as fresh before.
    pub fn hear(&mut self, now: Timestamp, capability: &NodeCapability) -> bool {
        let fresh_before = self.fresh(now).any(|(did, _)| *did == capability.node_did);
        if self.known.get(&capability.node_did).is_some_and(|known| known.at >= capability.timestamp) {
            return false;
        }
        if self.known.len() >= EXECUTORS_MAX && !self.known.contains_key(&capability.node_did) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.at).map(|(did, _)| *did);
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        let known = KnownExecutor {
            region: capability.region.clone(),
            capacity: NodeCapacity(capability.available_resources.clone()),
            runtimes: capability.supported_runtimes.clone(),
            at: capability.timestamp,
        };
        self.known.insert(capability.node_did, known);
        !fresh_before
    }

    /// Forgets an executor that went away.
    pub fn forget(&mut self, did: &Did) {
        self.known.remove(did);
    }

    /// Lists the executors whose advertisement still counts.
    pub fn fresh(&self, now: Timestamp) -> impl Iterator<Item = (&Did, &KnownExecutor)> {
        self.known.iter().filter(move |(_, known)| now.since(known.at) <= FRESH)
    }
}
