//! Tells peers where this node stands, and hears where they do (NET-38).
//!
//! Whoever dialled tells first, and is told in the answer; later again when something changes, and from time to time. A
//! peer that does not speak the protocol counts as one that says nothing (NET-42).

use std::time::Duration;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{Event, Message, ResponseChannel};

use super::Driver;
use crate::handle::Misbehaviour;
use crate::shared::Direction;
use crate::topology;

/// How often a node tells its topology to those that it dialled.
pub(super) const TELL_INTERVAL: Duration = Duration::from_secs(600);
/// How often all peers are placed anew (NET-40): what changed is felt at once, freed places are taken then.
pub(super) const PLACE_INTERVAL: Duration = Duration::from_secs(10);

impl Driver {
    /// Tells one peer, and asks it.
    pub(super) fn tell_topology(&mut self, peer: PeerId) {
        let own = self.shared.with_neighbors(|sets| topology::encode(sets.own()));
        if !own.is_empty() && self.swarm.is_connected(&peer) {
            self.swarm.behaviour_mut().topology.send_request(&peer, own);
        }
    }

    /// Tells every peer: something has changed here.
    pub(super) fn tell_topology_to_all(&mut self) {
        for peer in self.shared.connected() {
            self.tell_topology(peer);
        }
    }

    /// Tells the peers that this node dialled; the others tell it.
    pub(super) fn refresh_topology(&mut self) {
        let dialled: Vec<PeerId> = self.shared.with_peers(|peers| {
            let is_dialled = |direction| direction == Direction::Outbound;
            let any = peers.iter().filter(|(_, state)| {
                state.connections.iter().any(|connection| is_dialled(connection.direction))
            });
            any.map(|(peer, _)| *peer).collect()
        });
        for peer in dialled {
            self.tell_topology(peer);
        }
    }

    pub(super) fn on_topology(&mut self, event: Event<Bytes, Bytes>) {
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.on_told(peer, &request, channel);
            }
            Event::Message { peer, message: Message::Response { response, .. }, .. } => {
                self.hear_topology(peer, &response);
            }
            Event::OutboundFailure { peer, error, .. } => {
                tracing::trace!(%peer, %error, "a peer does not tell its topology");
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::trace!(%peer, %error, "a topology did not arrive");
            }
            Event::ResponseSent { .. } => {}
        }
    }

    fn on_told(&mut self, peer: PeerId, told: &Bytes, channel: ResponseChannel<Bytes>) {
        if !self.shared.limits.topology(peer) {
            self.shared.metrics.limited("topology");
            return self.on_flood(peer);
        }
        self.hear_topology(peer, told);
        let own = self.shared.with_neighbors(|sets| topology::encode(sets.own()));
        // An error says that the peer does not wait any more.
        let _ = self.swarm.behaviour_mut().topology.send_response(channel, own);
    }

    fn hear_topology(&mut self, peer: PeerId, told: &Bytes) {
        let heard = match topology::decode(told) {
            Ok(heard) => heard,
            Err(error) => {
                tracing::debug!(%peer, %error, "bytes that are no topology");
                return self.on_report(peer, Misbehaviour::Minor);
            }
        };
        let is_new = self.shared.with_peers(|peers| {
            let Some(state) = peers.get_mut(&peer) else { return false };
            let is_new = state.topology != heard;
            state.topology = heard;
            is_new
        });
        if is_new {
            self.shared.place(peer);
        }
    }
}
