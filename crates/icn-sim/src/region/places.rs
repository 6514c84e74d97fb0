//! Whose places and neighbourhoods a region may not take: nobody's while nobody trusts it, and never that of an honest
//! member that is trusted more than any sybil can be.

use icn_net::neighbors::TRUSTED_PPM;
use icn_net::slots::Refusal;
use icn_net::{NeighborSet, PeerId};

use super::node::{Node, Peer, topology};
use super::reading::Reading;

/// What a newcomer may take from somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// A place for its connection.
    Connection,
    /// A place among the neighbours.
    Neighbor,
}

impl Node {
    /// Whether somebody is an honest member that is trusted more than any sybil can be.
    fn is_above(&self, reading: &Reading, peer: &Peer) -> bool {
        !peer.is_sybil && self.score(reading, &peer.did) > self.ceiling_ppm
    }

    /// Nobody gives way to a stranger, and no honest member that is trusted more than any sybil can be gives way to a sybil.
    pub(super) fn check_gives_way(
        &self,
        reading: &Reading,
        peer: &Peer,
        victim: &PeerId,
        seat: Seat,
    ) -> Result<(), String> {
        let score = self.score(reading, &peer.did);
        // A member has a connection before a stranger.
        if score == 0 && !(seat == Seat::Connection && peer.is_member) {
            return Err(format!("a peer that nobody trusts takes another's place: {seat:?}"));
        }
        let Some(other) = self.peers.get(victim) else { return Ok(()) };
        if peer.is_sybil && self.is_above(reading, other) {
            return Err(format!(
                "a sybil that is trusted by {score} takes the place ({seat:?}) of an honest member trusted by {}, although the \
                 attack edges leave {} at most",
                self.score(reading, &other.did),
                self.ceiling_ppm
            ));
        }
        Ok(())
    }

    /// No honest member that is trusted more than any sybil can be is refused while a sybil has a place.
    pub(super) fn check_refused(
        &self,
        reading: &Reading,
        peer: &Peer,
        refusal: Refusal,
    ) -> Result<(), String> {
        let has_sybil = self.peers.values().any(|other| other.is_sybil && other.is_member);
        if self.is_above(reading, peer) && has_sybil {
            return Err(format!(
                "an honest member is refused ({refusal}) while a sybil that it outranks has a place"
            ));
        }
        Ok(())
    }

    /// Which set a place belongs to (C-12), to look `icn_net` up by.
    fn set_for(&self, reading: &Reading, peer: &Peer) -> NeighborSet {
        let own = topology(self.at);
        if peer.topology.region() != own.region() {
            let is_trusted = self.score(reading, &peer.did) >= TRUSTED_PPM;
            return if is_trusted { NeighborSet::Trusted } else { NeighborSet::Backbone };
        }
        if peer.topology.cluster() == own.cluster() {
            NeighborSet::LocalCluster
        } else {
            NeighborSet::Regional
        }
    }

    /// Counts for each set the sybils in it, and how many it may hold: what honest members leave that are trusted more than
    /// any sybil can be.
    pub(super) fn neighbors(&self, reading: &Reading) -> Vec<(NeighborSet, u64, u64)> {
        let count = |set: NeighborSet| {
            let is_in = |(id, peer): &(&PeerId, &Peer)| peer.is_sybil && self.sets.set_of(id) == Some(set);
            let sybils = self.peers.iter().filter(is_in).count();
            let is_better = |peer: &&Peer| self.is_above(reading, peer) && self.set_for(reading, peer) == set;
            let better = self.peers.values().filter(is_better).count();
            let cap = match set {
                NeighborSet::LocalCluster => self.limits.local_cluster_max,
                NeighborSet::Regional => self.limits.regional_max,
                NeighborSet::Backbone => self.limits.backbone_max,
                NeighborSet::Trusted => self.limits.trusted_max,
            };
            (set, sybils as u64, cap.saturating_sub(better) as u64)
        };
        NeighborSet::ALL.map(count).to_vec()
    }
}
