//! `[network]` and what stands under it.

use icn_types::{ClusterId, NodeTier, Region, ServiceRole, TopologyInfo};
use serde::Deserialize;

/// How the node joins the network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Addresses to listen on; empty means port 7100, or any free port when that is taken.
    pub listen: Vec<String>,
    /// Peers to stay connected to.
    pub peers: Vec<String>,
    /// Whether peers of the local network are found by themselves.
    pub mdns: bool,
    /// The most peers that are connected.
    pub max_peers: u32,
    /// The least trust of a peer that is connected, in parts per million.
    pub min_trust_threshold: u32,
    /// `[network.topology]`
    pub topology: TopologyConfig,
    /// `[network.fanout]`
    pub fanout: FanoutConfig,
    /// `[network.rate_limiting]`
    pub rate_limiting: RateLimitingConfig,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            peers: Vec::new(),
            mdns: true,
            max_peers: 100,
            min_trust_threshold: 0,
            topology: TopologyConfig::default(),
            fanout: FanoutConfig::default(),
            rate_limiting: RateLimitingConfig::default(),
        }
    }
}

/// Where the node stands among others.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopologyConfig {
    /// Its region; without it the one of `[node]`.
    pub region: Option<Region>,
    /// Its cluster, such as a co-op.
    pub cluster_id: Option<ClusterId>,
    /// How much it can carry (C-11).
    pub role: NodeTier,
    /// What it is there for (C-11).
    pub service_role: ServiceRole,
    /// `[network.topology.neighbor_limits]`
    pub neighbor_limits: NeighborLimitsConfig,
}

/// How many neighbours of each kind the node has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NeighborLimitsConfig {
    /// Of its own cluster.
    pub max_local_cluster: usize,
    /// Of its own region.
    pub max_regional: usize,
    /// Of other regions.
    pub max_backbone: usize,
    /// Of other regions, trusted highly.
    pub max_trusted: usize,
}

impl Default for NeighborLimitsConfig {
    fn default() -> Self {
        let limits = icn_net::NeighborLimits::default();
        Self {
            max_local_cluster: limits.local_cluster_max,
            max_regional: limits.regional_max,
            max_backbone: limits.backbone_max,
            max_trusted: limits.trusted_max,
        }
    }
}

/// To how many neighbours something is pushed, by how far it is to go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FanoutConfig {
    /// Within the own cluster.
    pub local_cluster: usize,
    /// Within the own region.
    pub regional: usize,
    /// Everywhere in the space.
    pub global: usize,
    /// To federated spaces.
    pub federation: usize,
}

impl Default for FanoutConfig {
    fn default() -> Self {
        let icn_net::Fanout { local_cluster, regional, global, federation } = icn_net::Fanout::default();
        Self { local_cluster, regional, global, federation }
    }
}

/// How many messages a second peers may send, by how well they are known (C-10). A burst is ten times as much.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitingConfig {
    /// Strangers.
    pub unknown_msgs_per_sec: u32,
    /// Known peers.
    pub known_msgs_per_sec: u32,
    /// Partners.
    pub colleague_msgs_per_sec: u32,
    /// Federated peers.
    pub close_msgs_per_sec: u32,
    /// All peers together.
    pub max_global_mps: u32,
}

impl Default for RateLimitingConfig {
    fn default() -> Self {
        Self {
            unknown_msgs_per_sec: 1,
            known_msgs_per_sec: 10,
            colleague_msgs_per_sec: 100,
            close_msgs_per_sec: 1_000,
            max_global_mps: 50_000,
        }
    }
}

impl TopologyConfig {
    /// Returns what the node tells its peers; `region` is the one of `[node]`.
    #[must_use]
    pub fn info(&self, region: Option<&Region>) -> TopologyInfo {
        TopologyInfo {
            region: self.region.as_ref().or(region).cloned(),
            cluster_id: self.cluster_id.clone(),
            tier: self.role,
            service_role: self.service_role,
            capacity: None,
        }
    }
}

impl From<&NeighborLimitsConfig> for icn_net::NeighborLimits {
    fn from(config: &NeighborLimitsConfig) -> Self {
        Self {
            local_cluster_max: config.max_local_cluster,
            regional_max: config.max_regional,
            backbone_max: config.max_backbone,
            trusted_max: config.max_trusted,
        }
    }
}

impl From<&FanoutConfig> for icn_net::Fanout {
    fn from(config: &FanoutConfig) -> Self {
        let FanoutConfig { local_cluster, regional, global, federation } = *config;
        Self { local_cluster, regional, global, federation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_the_node_is_that_of_its_topology_unless_said_otherwise() {
        let region: Region = "eu".parse().unwrap();
        let silent = TopologyConfig::default();
        assert_eq!(silent.info(None), TopologyInfo::default());
        assert_eq!(silent.info(Some(&region)).region(), "eu");
        let said = TopologyConfig { region: Some("us-west".parse().unwrap()), ..TopologyConfig::default() };
        assert_eq!(said.info(Some(&region)).region(), "us-west");
    }
}
