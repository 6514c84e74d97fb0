//! `[network]` and what stands under it.

use icn_net::ShareLimits;
use icn_types::{ClusterId, Constraints, NodeTier, Region, ServiceRole, TopologyInfo};
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
    /// `[network.strangers]`
    pub strangers: StrangersConfig,
    /// `[network.topology]`
    pub topology: TopologyConfig,
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
            strangers: StrangersConfig::default(),
            topology: TopologyConfig::default(),
            rate_limiting: RateLimitingConfig::default(),
        }
    }
}

/// How many places for connections those have whom no space knows and the operator did not name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StrangersConfig {
    /// All of them; without it half of `max_peers`.
    pub places: Option<u32>,
    /// Those of one address group.
    pub places_per_group: u32,
    /// Whether private addresses are told apart as those of the internet are.
    pub private_groups: bool,
}

impl Default for StrangersConfig {
    fn default() -> Self {
        Self { places: None, places_per_group: 8, private_groups: false }
    }
}

/// How strangers are held short cannot be as the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrangersError {
    /// More places than there are.
    #[error(
        "`network.strangers.places` is {places}, but `network.max_peers` is {peers_max}: lower the one or raise the other"
    )]
    Places {
        /// For strangers.
        places: u32,
        /// In all.
        peers_max: u32,
    },
    /// No place for any address group.
    #[error(
        "`network.strangers.places_per_group` is 0: to let no stranger in, set `network.strangers.places` to 0"
    )]
    Group,
    /// A group gets less than one of it.
    #[error(
        "`network.rate_limiting.unknown_group_msgs_per_sec` is {group}, less than the {alone} that one stranger gets \
         (`unknown_msgs_per_sec`): raise the one or lower the other"
    )]
    Rate {
        /// What a group gets.
        group: u32,
        /// What one stranger gets.
        alone: u32,
    },
}

/// As many times what one stranger gets, those of one address group get together, unless the operator says otherwise.
const GROUP_TIMES: u32 = 4;
/// As many times what one address group gets, all strangers get together.
const GROUPS_TOGETHER: u32 = 10;

impl NetworkConfig {
    /// Makes what the network is told of strangers, each of whom gets these limits.
    ///
    /// # Errors
    ///
    /// [`StrangersError`] names the keys that do not fit together.
    pub fn strangers(
        &self,
        each: Constraints,
        is_limited: bool,
    ) -> Result<icn_net::Strangers, StrangersError> {
        let StrangersConfig { places, places_per_group, .. } = self.strangers;
        let slots_max = places.unwrap_or_else(|| self.max_peers.div_ceil(2));
        if slots_max > self.max_peers {
            return Err(StrangersError::Places { places: slots_max, peers_max: self.max_peers });
        }
        if places_per_group == 0 {
            return Err(StrangersError::Group);
        }
        let alone = each.messages_per_second;
        let rate = self.rate_limiting.unknown_group_msgs_per_sec;
        let rate = rate.unwrap_or_else(|| alone.saturating_mul(GROUP_TIMES));
        if rate < alone {
            return Err(StrangersError::Rate { group: rate, alone });
        }
        let share = ShareLimits {
            messages_per_second: rate,
            burst: rate.saturating_mul(10),
            streams_max: each.streams_max.saturating_mul(GROUP_TIMES),
        };
        let all = |value: u32| value.saturating_mul(GROUPS_TOGETHER);
        let together = ShareLimits {
            messages_per_second: all(share.messages_per_second),
            burst: all(share.burst),
            streams_max: all(share.streams_max),
        };
        let slots_per_group_max = places_per_group;
        Ok(icn_net::Strangers {
            is_limited,
            constraints: each,
            share,
            together,
            slots_max,
            slots_per_group_max,
        })
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

/// How many messages a second peers may send, by how well they are known (C-10). A burst is ten times as much.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitingConfig {
    /// Strangers.
    pub unknown_msgs_per_sec: u32,
    /// Strangers of one address group together; without it four times what one of them gets.
    pub unknown_group_msgs_per_sec: Option<u32>,
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
            unknown_group_msgs_per_sec: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_half_of_the_places_and_a_group_four_times_what_one_gets() {
        let each = Constraints { messages_per_second: 3, streams_max: 2, ..Constraints::default() };
        let config = NetworkConfig { max_peers: 21, ..NetworkConfig::default() };
        let strangers = config.strangers(each.clone(), false).unwrap();
        assert_eq!((strangers.slots_max, strangers.slots_per_group_max), (11, 8));
        assert_eq!(
            (strangers.share.messages_per_second, strangers.share.burst, strangers.share.streams_max),
            (12, 120, 8)
        );
        assert_eq!((strangers.together.messages_per_second, strangers.together.streams_max), (120, 80));
        assert!(!strangers.is_limited);
        let check = |edit: fn(&mut NetworkConfig), words: [&str; 2]| {
            let mut config = NetworkConfig::default();
            edit(&mut config);
            let error = config.strangers(each.clone(), true).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        };
        check(|config| config.strangers.places = Some(101), ["`network.strangers.places` is 101", "is 100"]);
        check(
            |config| config.strangers.places_per_group = 0,
            ["places_per_group", "`network.strangers.places` to 0"],
        );
        check(|config| config.rate_limiting.unknown_group_msgs_per_sec = Some(2), ["is 2", "the 3 that"]);
        let none = StrangersConfig { places: Some(0), ..StrangersConfig::default() };
        let config = NetworkConfig { strangers: none, ..NetworkConfig::default() };
        assert_eq!(config.strangers(each.clone(), true).unwrap().slots_max, 0);
    }

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
