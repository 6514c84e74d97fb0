//! What a node says it can run.

use icn_identity::{PeerId, peer_id};
use icn_types::{Cid, Did, Region, Resources, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bounds::Fields;
use crate::error::ProtocolError;
use crate::limits::LIST_LEN_MAX;

/// Names of `available_resources` that say how much a single job may ask for. Absent: the protocol's own bound.
pub mod capacity {
    /// The most fuel of one job.
    pub const FUEL_MAX: &str = "fuel_max";
    /// The most memory of one job, in bytes.
    pub const MEMORY_BYTES_MAX: &str = "memory_bytes_max";
    /// The most output of one job, in bytes.
    pub const OUTPUT_BYTES_MAX: &str = "output_bytes_max";
    /// The longest run of one job, in seconds.
    pub const TIMEOUT_SECONDS_MAX: &str = "timeout_seconds_max";
    /// The largest module, in bytes.
    pub const MODULE_BYTES_MAX: &str = "module_bytes_max";
    /// How many jobs run at once.
    pub const JOBS_MAX: &str = "jobs_max";
    /// How many more jobs could start now.
    pub const JOBS_FREE: &str = "jobs_free";
}

/// What a node can run, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCapability {
    /// The node.
    pub node_did: Did,
    /// Its libp2p peer; must belong to `node_did`.
    #[serde(with = "crate::bytes::peer_id")]
    pub peer_id: PeerId,
    /// What its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The runtime profiles that it runs, such as `icn-canonical-1`; empty when it runs no jobs.
    pub supported_runtimes: Vec<String>,
    /// What it has free, and the limits of one job under the names of [`capacity`].
    pub available_resources: Resources,
    /// What else it offers, such as `fast-mode`.
    pub specialized_features: Vec<String>,
    /// When this was so.
    pub timestamp: Timestamp,
    /// Evidence for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation_cid: Option<Cid>,
}

impl NodeCapability {
    pub(super) fn check_fields(&self, fields: Fields) -> Result<(), ProtocolError> {
        fields.ensure("peer_id", self.peer_id == peer_id(&self.node_did), "does not belong to node_did")?;
        if let Some(alias) = &self.alias {
            fields.name("alias", alias)?;
        }
        fields.names("supported_runtimes", &self.supported_runtimes, LIST_LEN_MAX)?;
        fields.resources("available_resources", &self.available_resources)?;
        fields.names("specialized_features", &self.specialized_features, LIST_LEN_MAX)
    }
}
