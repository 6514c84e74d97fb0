//! What the swarm's task and the handles both look at.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use icn_types::Did;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use crate::book::Book;
use crate::limits::Limits;
use crate::metrics::Metrics;

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
#[derive(Debug, Default)]
pub(crate) struct PeerState {
    pub(crate) connections: Vec<Connection>,
    pub(crate) rtt: Option<Duration>,
    pub(crate) agent: Option<String>,
    pub(crate) topics: BTreeSet<String>,
}

/// State behind locks that are held for a few instructions only.
pub(crate) struct Shared {
    pub(crate) peer_id: PeerId,
    pub(crate) listen: RwLock<Vec<Multiaddr>>,
    pub(crate) peers: RwLock<HashMap<PeerId, PeerState>>,
    pub(crate) book: Mutex<Book>,
    pub(crate) limits: Limits,
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

    pub(crate) fn infos(&self) -> Vec<PeerInfo> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let mut infos: Vec<PeerInfo> = peers.iter().filter_map(|(id, state)| info(*id, state)).collect();
        infos.sort_by_key(|info| info.peer_id);
        infos
    }
}

fn info(peer_id: PeerId, state: &PeerState) -> Option<PeerInfo> {
    let connection = state.connections.last()?;
    Some(PeerInfo {
        peer_id,
        did: icn_identity::did_of(&peer_id),
        address: connection.address.clone(),
        direction: connection.direction,
        rtt: state.rtt,
        agent: state.agent.clone(),
        topics: state.topics.clone(),
    })
}
