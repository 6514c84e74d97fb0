//! What the swarm says.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionDenied, ConnectionError, ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, gossipsub, identify, mdns};

use super::Driver;
use crate::behaviour::MeshEvent;
use crate::book::is_loopback;
use crate::doors::Refusal;
use crate::event::Event;
use crate::shared::{Connection, Direction};
use crate::start::with_peer;

/// Two connections that come up within so long were dialled at the same time; an older one belongs to a peer that has
/// been restarted or has lost it.
const SIMULTANEOUS: Duration = Duration::from_secs(1);
/// Nor does a peer that is connected dial the same way again: it has been restarted.
const DOUBLED: Duration = Duration::from_millis(300);
/// Addresses taken from what a peer says about itself.
const IDENTIFY_ADDRESSES_MAX: usize = 16;
/// The longest agent version that is kept, in characters.
const AGENT_CHARS_MAX: usize = 64;

impl Driver {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of events is open")]
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<MeshEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_mesh_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                self.on_closed(peer_id, connection_id, num_established, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError { peer_id, connection_id, error } => {
                if let DialError::Denied { cause } = &error {
                    self.on_denied(cause);
                }
                self.on_dial_failed(peer_id, Some(connection_id), &error);
            }
            SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, .. } => {
                self.on_denied(&cause);
            }
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.on_expired(address),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),
            other => tracing::trace!(event = ?other, "swarm"),
        }
    }

    fn on_mesh_event(&mut self, event: MeshEvent) {
        match event {
            MeshEvent::Gossip(event) => self.on_gossip_event(event),
            MeshEvent::Direct(event) => self.on_direct(event),
            MeshEvent::Kad(event) => self.on_kad(event),
            MeshEvent::Identify(event) => {
                if let identify::Event::Received { peer_id, info, .. } = event {
                    self.on_identified(peer_id, info);
                }
            }
            MeshEvent::Ping(event) => {
                if let Ok(rtt) = event.result {
                    self.shared.with_peers(|peers| {
                        if let Some(state) = peers.get_mut(&event.peer) {
                            state.rtt = Some(rtt);
                        }
                    });
                }
            }
            MeshEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.shared.with_book(|book| book.add(peer, [address]));
                    self.dial_if_room(peer);
                }
            }
            MeshEvent::Mdns(mdns::Event::Expired(_)) => {}
            MeshEvent::Limits(never) | MeshEvent::Gate(never) | MeshEvent::Inbound(never) => match never {},
            MeshEvent::Topology(event) => self.on_topology(event),
            MeshEvent::Streams(()) => {}
        }
    }

    fn on_denied(&self, cause: &ConnectionDenied) {
        let reason = cause.downcast_ref::<Refusal>().map_or("limit", |refusal| refusal.as_str());
        self.shared.metrics.connection_rejected(reason);
    }

    fn on_gossip_event(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.on_gossip(propagation_source, message_id, message);
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                let topic = topic.into_string();
                self.shared.with_peers(|peers| {
                    if let Some(state) = peers.get_mut(&peer_id) {
                        state.topics.insert(topic.clone());
                    }
                });
                self.publish_waiting(Some(&topic));
                self.notify(Event::Subscribed { peer: peer_id, topic });
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => self.shared.with_peers(|peers| {
                if let Some(state) = peers.get_mut(&peer_id) {
                    state.topics.remove(topic.as_str());
                }
            }),
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                tracing::debug!(peer = %peer_id, ?failed_messages, "a peer is slow");
                self.shared.metrics.dropped("gossip_slow_peer");
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(peer = %peer_id, "a peer does not gossip");
            }
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let direction = if endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound };
        let address = endpoint.get_remote_address().clone();
        let connection = Connection { id, address: address.clone(), direction, since: Instant::now() };
        let (is_first, stale, count) = self.shared.with_peers(|peers| {
            let state = peers.entry(peer).or_default();
            let stale = state.connections.iter().any(|old| {
                let limit = if old.direction == direction { DOUBLED } else { SIMULTANEOUS };
                old.since.elapsed() > limit
            });
            state.connections.push(connection);
            (state.connections.len() == 1, stale, peers.len())
        });
        if stale {
            self.start_over(peer, &address);
        }
        if direction == Direction::Outbound {
            self.shared.with_book(|book| book.reached(peer, address));
        }
        self.shared.metrics.sessions(count);
        if is_first {
            self.shared.meet(peer);
            self.shared.place(peer);
            if direction == Direction::Outbound {
                self.tell_topology(peer);
            }
            self.notify(Event::PeerConnected { peer, did: icn_identity::did_of(&peer) });
        }
        self.on_dialled(peer, id);
    }

    /// Ends all connections to a peer that has been restarted, and makes a new one.
    ///
    /// Protocols tell a peer what it must know (gossipsub its subscriptions) on its first connection only. To a new
    /// process under an old name they would tell nothing as long as the old connection counts.
    fn start_over(&mut self, peer: PeerId, address: &Multiaddr) {
        tracing::debug!(%peer, "a peer came back while its old connection was still up: starting over");
        self.again.insert(peer, address.clone());
        // An error says that it has left already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId, left: u32, cause: Option<&ConnectionError>) {
        let is_lost = matches!(cause, Some(ConnectionError::IO(_)));
        let other = self.shared.with_peers(|peers| {
            let others = &peers.get(&peer)?.connections;
            others.iter().find(|other| other.id != id).map(|other| other.address.clone())
        });
        // One of two broke without a word: its process has ended, and the other is its successor's, too soon after it to
        // be told from a second dial.
        if let (true, Some(address)) = (is_lost && left > 0, other) {
            self.start_over(peer, &address);
        }
        let (closed, count) = self.shared.with_peers(|peers| {
            let closed = peers.get_mut(&peer).and_then(|state| {
                let place = state.connections.iter().position(|connection| connection.id == id)?;
                Some(state.connections.remove(place))
            });
            if left == 0 {
                peers.remove(&peer);
            }
            (closed, peers.len())
        });
        if left == 0 {
            self.shared.metrics.sessions(count);
            self.shared.limits.left(peer);
            self.shared.displace(&peer);
            self.exchange.disconnected(peer);
            self.notify(Event::PeerDisconnected { peer });
            let now = Instant::now();
            let again = self.again.remove(&peer);
            if let Some(closed) = closed.filter(|_| again.is_some() || cause.is_some_and(is_silence)) {
                let address = again.clone().unwrap_or(closed.address);
                self.dials.redials.lose(now, peer, address, now.duration_since(closed.since));
            }
            if let Some(address) = again {
                self.shared.with_book(|book| book.add(peer, vec![address]));
                self.dials.redials.begin(now, &peer);
                self.dial_peer(peer);
            }
        }
    }

    fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        let agent: String =
            info.agent_version.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect();
        let remote = self.shared.with_peers(|peers| {
            let state = peers.get_mut(&peer)?;
            state.agent = Some(agent);
            state.connections.last().map(|connection| (connection.address.clone(), connection.direction))
        });
        let Some((remote, direction)) = remote else { return };
        // Only a peer on this machine has a loopback address that means something here.
        let is_near = is_loopback(&remote);
        let useful = |address: &Multiaddr| is_near || !is_loopback(address);
        let addresses: Vec<Multiaddr> =
            info.listen_addrs.into_iter().filter(useful).take(IDENTIFY_ADDRESSES_MAX).collect();
        for address in &addresses {
            self.swarm.behaviour_mut().kad.add_address(&peer, address.clone());
        }
        self.shared.with_book(|book| {
            // A peer that came to us is remembered by where it says that it listens.
            match addresses.first() {
                Some(first) if direction == Direction::Inbound => book.reached(peer, first.clone()),
                _ => {}
            }
            book.add(peer, addresses);
        });
    }

    fn on_listening(&mut self, address: Multiaddr) {
        let address = with_peer(address, self.shared.peer_id);
        let mut listen = self.shared.listen.write().unwrap_or_else(PoisonError::into_inner);
        if listen.contains(&address) {
            return;
        }
        listen.push(address.clone());
        drop(listen);
        self.notify(Event::Listening(address));
    }

    fn on_expired(&mut self, address: Multiaddr) {
        let address = with_peer(address, self.shared.peer_id);
        self.shared.listen.write().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != address);
    }
}

/// Tells whether a connection ended without a goodbye: the peer, or the way to it, is gone.
///
/// The library keeps the kind of the end to itself; its text is that of quinn or of the operating system.
fn is_silence(cause: &ConnectionError) -> bool {
    match cause {
        ConnectionError::IO(error) => {
            let text = error.to_string();
            text.contains("timed out") || text.contains("reset by peer")
        }
        ConnectionError::KeepAliveTimeout => false,
    }
}
