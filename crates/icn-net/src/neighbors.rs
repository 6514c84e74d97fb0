//! Which of the connected peers are neighbours, and of what kind: by region and cluster first, then by trust (C-12).
//!
//! A peer is in one set at most. Each set has a cap; when it is full, the worst of it gives way to a peer that is better by
//! the measure of [`PeerMetadata`], never one that is protected, and never to a stranger (B-05). A peer that finds no
//! place stays connected and is not sampled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use icn_types::{Scope, TopologyInfo};
use libp2p::PeerId;
use rand::Rng;
use rand::seq::SliceRandom as _;

/// The trust, in parts per million, from which a peer of another region is one of the trusted (NET-37).
pub const TRUSTED_PPM: u32 = 700_000;

/// A kind of neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeighborSet {
    /// The same region and cluster.
    LocalCluster,
    /// The same region, another cluster.
    Regional,
    /// Another region.
    Backbone,
    /// Another region, and trusted highly.
    Trusted,
}

/// How many neighbours of each kind there may be (NET-36). Full: see [`NeighborSets::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborLimits {
    /// Of the own cluster.
    pub local_cluster_max: usize,
    /// Of the own region.
    pub regional_max: usize,
    /// Of other regions.
    pub backbone_max: usize,
    /// Of other regions, trusted highly.
    pub trusted_max: usize,
}

/// How many neighbours of each kind there are (NET-35).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NeighborCounts {
    /// Of the own cluster.
    pub local_cluster: usize,
    /// Of the own region.
    pub regional: usize,
    /// Of other regions.
    pub backbone: usize,
    /// Of other regions, trusted highly.
    pub trusted: usize,
}

/// What is known of a neighbour (NET-28). Better is more trusted, then steadier, then here for longer; a salted hash
/// decides the rest, so that no key can be ground for it (B-07).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerMetadata {
    /// Where it says that it stands.
    pub topology: TopologyInfo,
    /// The last measured time of a round trip.
    pub rtt: Option<Duration>,
    /// How much it is trusted, in parts per million.
    pub trust_ppm: u32,
    /// Whether it never gives way.
    pub is_protected: bool,
    /// Since when it is connected.
    pub connected_at: Instant,
    /// How long its connections hold, from 0 up: the binary logarithm of their mean time in seconds.
    pub steadiness: u32,
}

/// What became of a peer that was to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It is in a set, and somebody else may have left it.
    In {
        /// The set.
        set: NeighborSet,
        /// Who gave way.
        evicted: Option<PeerId>,
    },
    /// Its set is full of others that are no worse; it is in no set.
    Rejected,
}

/// The neighbours of one node.
#[derive(Debug, Clone)]
pub struct NeighborSets {
    own: TopologyInfo,
    limits: NeighborLimits,
    salt: [u8; 32],
    sets: BTreeMap<NeighborSet, BTreeSet<PeerId>>,
    metadata: BTreeMap<PeerId, PeerMetadata>,
}

impl Default for NeighborLimits {
    fn default() -> Self {
        Self { local_cluster_max: 40, regional_max: 24, backbone_max: 20, trusted_max: 16 }
    }
}

impl NeighborLimits {
    const fn of(&self, set: NeighborSet) -> usize {
        match set {
            NeighborSet::LocalCluster => self.local_cluster_max,
            NeighborSet::Regional => self.regional_max,
            NeighborSet::Backbone => self.backbone_max,
            NeighborSet::Trusted => self.trusted_max,
        }
    }
}

impl NeighborSet {
    /// Every set, from near to far.
    pub const ALL: [Self; 4] = [Self::LocalCluster, Self::Regional, Self::Backbone, Self::Trusted];

    /// Returns its name, as in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalCluster => "local_cluster",
            Self::Regional => "regional",
            Self::Backbone => "backbone",
            Self::Trusted => "trusted",
        }
    }

    /// Lists the sets that a scope reaches (C-15).
    #[must_use]
    pub const fn of_scope(scope: Scope) -> &'static [Self] {
        match scope {
            Scope::LocalCluster => &[Self::LocalCluster],
            Scope::Regional => &[Self::LocalCluster, Self::Regional],
            Scope::Global => &Self::ALL,
            Scope::Federation => &[Self::Backbone, Self::Trusted],
        }
    }
}

impl NeighborSets {
    /// Makes empty sets for a node that stands somewhere; `salt` decides between peers that are equally good.
    #[must_use]
    pub fn new(own: TopologyInfo, limits: NeighborLimits, salt: [u8; 32]) -> Self {
        Self { own, limits, salt, sets: BTreeMap::new(), metadata: BTreeMap::new() }
    }

    /// Returns where this node stands.
    #[must_use]
    pub fn own(&self) -> &TopologyInfo {
        &self.own
    }

    /// Says where this node stands from now on. All peers are to be placed anew.
    pub fn set_own(&mut self, own: TopologyInfo) {
        self.own = own;
    }

    /// Places a peer by what is known of it now, out of whatever set it was in.
    pub fn place(&mut self, peer: PeerId, metadata: PeerMetadata) -> Placed {
        self.remove(&peer);
        let set = self.set_for(&metadata);
        let mut evicted = None;
        if self.count(set) >= self.limits.of(set) {
            let Some(worst) = self.worst(set).filter(|worst| self.outranks(&peer, &metadata, worst)) else {
                return Placed::Rejected;
            };
            self.remove(&worst);
            evicted = Some(worst);
        }
        self.sets.entry(set).or_default().insert(peer);
        self.metadata.insert(peer, metadata);
        Placed::In { set, evicted }
    }

    /// Takes a peer out of its set and forgets it; tells whether it was in one.
    pub fn remove(&mut self, peer: &PeerId) -> bool {
        for members in self.sets.values_mut() {
            members.remove(peer);
        }
        self.metadata.remove(peer).is_some()
    }

    /// Returns the set that a peer is in.
    #[must_use]
    pub fn set_of(&self, peer: &PeerId) -> Option<NeighborSet> {
        self.sets.iter().find(|(_, members)| members.contains(peer)).map(|(set, _)| *set)
    }

    /// Returns what is known of a neighbour.
    #[must_use]
    pub fn metadata(&self, peer: &PeerId) -> Option<&PeerMetadata> {
        self.metadata.get(peer)
    }

    /// Counts the neighbours.
    #[must_use]
    pub fn counts(&self) -> NeighborCounts {
        NeighborCounts {
            local_cluster: self.count(NeighborSet::LocalCluster),
            regional: self.count(NeighborSet::Regional),
            backbone: self.count(NeighborSet::Backbone),
            trusted: self.count(NeighborSet::Trusted),
        }
    }

    /// Picks so many neighbours of a scope at random, each once at most; fewer when there are fewer.
    pub fn sample<R: Rng + ?Sized>(&self, scope: Scope, count: usize, rng: &mut R) -> Vec<PeerId> {
        let sets = NeighborSet::of_scope(scope).iter().filter_map(|set| self.sets.get(set));
        let mut peers: Vec<PeerId> = sets.flatten().copied().collect();
        let (picked, _) = peers.partial_shuffle(rng, count);
        picked.to_vec()
    }

    /// Says which set a peer belongs to (C-12).
    fn set_for(&self, metadata: &PeerMetadata) -> NeighborSet {
        let theirs = &metadata.topology;
        if theirs.region() == self.own.region() {
            if theirs.cluster() == self.own.cluster() {
                return NeighborSet::LocalCluster;
            }
            return NeighborSet::Regional;
        }
        if metadata.trust_ppm >= TRUSTED_PPM { NeighborSet::Trusted } else { NeighborSet::Backbone }
    }

    fn count(&self, set: NeighborSet) -> usize {
        self.sets.get(&set).map_or(0, BTreeSet::len)
    }

    /// Finds the worst of a set that may give way.
    fn worst(&self, set: NeighborSet) -> Option<PeerId> {
        let members = self.sets.get(&set)?.iter().filter_map(|peer| Some((*peer, self.metadata.get(peer)?)));
        let may_go = members.filter(|(_, metadata)| !metadata.is_protected);
        may_go.min_by_key(|(peer, metadata)| self.rank(peer, metadata)).map(|(peer, _)| peer)
    }

    fn outranks(&self, peer: &PeerId, metadata: &PeerMetadata, other: &PeerId) -> bool {
        let Some(others) = self.metadata.get(other) else { return true };
        let is_stranger = metadata.trust_ppm == 0 && !metadata.is_protected;
        !is_stranger && self.rank(peer, metadata) > self.rank(other, others)
    }

    fn rank(&self, peer: &PeerId, metadata: &PeerMetadata) -> impl Ord + use<> {
        let tie = *blake3::keyed_hash(&self.salt, &peer.to_bytes()).as_bytes();
        let since = std::cmp::Reverse(metadata.connected_at);
        (metadata.is_protected, metadata.trust_ppm, metadata.steadiness, since, tie)
    }
}

#[cfg(test)]
mod tests;
