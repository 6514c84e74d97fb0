//! What the swarm's task and the handles both look at.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use icn_types::{Did, TopologyInfo};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use crate::book::Book;
use crate::config::Clock;
use crate::doors::{Doors, Rank};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::neighbors::{NeighborSet, NeighborSets, PeerMetadata};

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}

/// A peer that is connected.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Its libp2p identity.
    pub peer_id: PeerId,
    /// Its DID, when its key is of type Ed25519.
    pub did: Option<Did>,
    /// Where it is reached.
    pub address: Multiaddr,
    /// Who opened the connection.
    pub direction: Direction,
    /// The last measured time of a round trip.
    pub rtt: Option<Duration>,
    /// The program that it says it is, once identify has told.
    pub agent: Option<String>,
    /// The topics that it is subscribed to.
    pub topics: BTreeSet<String>,
    /// Where it says that it stands.
    pub topology: TopologyInfo,
    /// What kind of neighbour it is; none when its set is full of better ones.
    pub set: Option<NeighborSet>,
    /// How much policy says that it is trusted, in parts per million.
    pub trust_ppm: u32,
    /// Whether it is let in always and never put out.
    pub is_protected: bool,
    /// How long its connections hold, from 0 up: the binary logarithm of their mean time in seconds.
    pub steadiness: u32,
}

/// One connection to a peer.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) address: Multiaddr,
    pub(crate) direction: Direction,
    pub(crate) since: Instant,
}

/// What is known of a connected peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerState {
    pub(crate) connections: Vec<Connection>,
    pub(crate) rtt: Option<Duration>,
    pub(crate) agent: Option<String>,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) topology: TopologyInfo,
}

/// State behind locks that are held for a few instructions only.
pub(crate) struct Shared {
    pub(crate) peer_id: PeerId,
    pub(crate) listen: RwLock<Vec<Multiaddr>>,
    pub(crate) peers: RwLock<HashMap<PeerId, PeerState>>,
    pub(crate) book: Mutex<Book>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) doors: Arc<Doors>,
    pub(crate) neighbors: Mutex<NeighborSets>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl Shared {
    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).contains_key(&peer)
    }

    pub(crate) fn connected(&self) -> Vec<PeerId> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    pub(crate) fn with_peers<T>(&self, f: impl FnOnce(&mut HashMap<PeerId, PeerState>) -> T) -> T {
        f(&mut self.peers.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn with_book<T>(&self, f: impl FnOnce(&mut Book) -> T) -> T {
        f(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn with_neighbors<T>(&self, f: impl FnOnce(&mut NeighborSets) -> T) -> T {
        f(&mut self.neighbors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a connected peer for which nothing was set the limits of strangers, or those of known peers.
    pub(crate) fn meet(&self, peer: PeerId) {
        self.limits.met(peer, self.doors.from(&peer), self.doors.is_stranger(&peer));
    }

    /// Places a connected peer among the neighbours by what is known of it now.
    pub(crate) fn place(&self, peer: PeerId) {
        // The peers are looked at under the lock: whoever leaves meanwhile is taken out after this.
        let counts = self.with_neighbors(|sets| {
            let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(state) = peers.get(&peer)
                && let Some(rank) = self.doors.rank(Instant::now(), &peer)
            {
                sets.place(peer, metadata(state.topology.clone(), state.rtt, rank));
            }
            sets.counts()
        });
        self.metrics.neighbors(counts);
    }

    /// Places all connected peers anew, the best first, so that freed places are taken.
    pub(crate) fn place_all(&self) {
        let now = Instant::now();
        let mut ranked: Vec<_> = self
            .connected()
            .into_iter()
            .filter_map(|peer| {
                let rank = self.doors.rank(now, &peer)?;
                let standing = rank.standing;
                let since = std::cmp::Reverse(rank.since);
                Some(((standing.is_protected, standing.trust_ppm, rank.steadiness, since), peer))
            })
            .collect();
        ranked.sort();
        for (_, peer) in ranked.into_iter().rev() {
            self.place(peer);
        }
    }

    /// Takes a peer that left out of the neighbours.
    pub(crate) fn displace(&self, peer: &PeerId) {
        let counts = self.with_neighbors(|sets| {
            sets.remove(peer);
            sets.counts()
        });
        self.metrics.neighbors(counts);
    }

    pub(crate) fn infos(&self) -> Vec<PeerInfo> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Instant::now();
        let mut infos: Vec<PeerInfo> = peers
            .iter()
            .filter_map(|(id, state)| {
                let rank = self.doors.rank(now, id);
                let set = self.with_neighbors(|sets| sets.set_of(id));
                info(*id, state, rank, set)
            })
            .collect();
        infos.sort_by_key(|info| info.peer_id);
        infos
    }
}

fn metadata(topology: TopologyInfo, rtt: Option<Duration>, rank: Rank) -> PeerMetadata {
    PeerMetadata {
        topology,
        rtt,
        trust_ppm: rank.standing.trust_ppm,
        is_protected: rank.standing.is_protected,
        connected_at: rank.since,
        steadiness: rank.steadiness,
    }
}

fn info(
    peer_id: PeerId,
    state: &PeerState,
    rank: Option<Rank>,
    set: Option<NeighborSet>,
) -> Option<PeerInfo> {
    let connection = state.connections.last()?;
    let standing = rank.map(|rank| rank.standing).unwrap_or_default();
    Some(PeerInfo {
        peer_id,
        did: icn_identity::did_of(&peer_id),
        address: connection.address.clone(),
        direction: connection.direction,
        rtt: state.rtt,
        agent: state.agent.clone(),
        topics: state.topics.clone(),
        topology: state.topology.clone(),
        set,
        trust_ppm: standing.trust_ppm,
        is_protected: standing.is_protected,
        steadiness: rank.map_or(0, |rank| rank.steadiness),
    })
}
