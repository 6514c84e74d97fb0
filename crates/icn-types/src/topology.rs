//! Where a node stands among others: its region and cluster, what it can carry, what it is there for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{ClusterId, Region};
use crate::resource::NodeCapacity;

/// What a node that names no region, or no cluster, stands in: all such nodes are neighbours (C-43).
pub const TOPOLOGY_DEFAULT: &str = "default";

/// How much a node can carry (C-11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeTier {
    /// A device of one person.
    Edge,
    /// A server of one co-op.
    #[default]
    Community,
    /// A server that many co-ops lean on.
    Regional,
}

/// What a node is there for (C-11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceRole {
    /// It works for its own people.
    #[default]
    Edge,
    /// It helps others to find each other.
    Rendezvous,
    /// It keeps what others let go.
    Archive,
}

/// What a node tells its neighbours about its place in the network. Unproven: a node may say what it likes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopologyInfo {
    /// Its region; none counts as [`TOPOLOGY_DEFAULT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Its cluster, such as a co-op; none counts as [`TOPOLOGY_DEFAULT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<ClusterId>,
    /// How much it can carry.
    pub tier: NodeTier,
    /// What it is there for.
    pub service_role: ServiceRole,
    /// What it can give, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<NodeCapacity>,
}

/// How far something is pushed (GOS-14), and from which neighbours it is sampled (C-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Nodes of the own cluster.
    LocalCluster,
    /// Nodes of the own region.
    Regional,
    /// Every node of the space.
    Global,
    /// Nodes of federated spaces too.
    Federation,
}

impl TopologyInfo {
    /// Returns the region that counts.
    #[must_use]
    pub fn region(&self) -> &str {
        self.region.as_ref().map_or(TOPOLOGY_DEFAULT, Region::as_str)
    }

    /// Returns the cluster that counts.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.cluster_id.as_ref().map_or(TOPOLOGY_DEFAULT, ClusterId::as_str)
    }
}

impl Scope {
    /// Every scope, from near to far.
    pub const ALL: [Self; 4] = [Self::LocalCluster, Self::Regional, Self::Global, Self::Federation];

    /// Returns its name, as in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalCluster => "local_cluster",
            Self::Regional => "regional",
            Self::Global => "global",
            Self::Federation => "federation",
        }
    }
}

impl NodeTier {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Community => "community",
            Self::Regional => "regional",
        }
    }
}

impl ServiceRole {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Rendezvous => "rendezvous",
            Self::Archive => "archive",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_node_that_says_nothing_is_in_the_default_cluster() {
        let silent: TopologyInfo = codec::decode(&[0xa0]).unwrap();
        assert_eq!((silent.region(), silent.cluster()), ("default", "default"));
        assert_eq!(silent, TopologyInfo::default());
    }

    #[test]
    fn a_place_survives_encoding() {
        let place = TopologyInfo {
            region: Some("eu-west".parse().unwrap()),
            cluster_id: Some("my-coop".parse().unwrap()),
            tier: NodeTier::Regional,
            service_role: ServiceRole::Archive,
            capacity: None,
        };
        let bytes = codec::encode(&place).unwrap();
        assert_eq!(codec::decode::<TopologyInfo>(&bytes).unwrap(), place);
    }

    #[test]
    fn names_are_those_of_the_encoding() {
        for scope in Scope::ALL {
            assert_eq!(codec::encode(&scope).unwrap(), codec::encode(&scope.as_str()).unwrap());
        }
        for tier in [NodeTier::Edge, NodeTier::Community, NodeTier::Regional] {
            assert_eq!(codec::encode(&tier).unwrap(), codec::encode(&tier.as_str()).unwrap());
        }
        for role in [ServiceRole::Edge, ServiceRole::Rendezvous, ServiceRole::Archive] {
            assert_eq!(codec::encode(&role).unwrap(), codec::encode(&role.as_str()).unwrap());
        }
    }
}
