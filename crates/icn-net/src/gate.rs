//! The doorkeeper as a behaviour: it is asked about each connection before any other protocol sees it, and closes those
//! that may not stay.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use icn_types::Timestamp;
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::address::GroupOf;
use crate::config::Clock;
use crate::doors::Doors;
use crate::shared::Direction;

/// Keeps the doors.
pub(crate) struct Gate {
    doors: Arc<Doors>,
    clock: Clock,
    group_of: GroupOf,
}

impl Gate {
    pub(crate) fn new(doors: Arc<Doors>, clock: Clock, group_of: GroupOf) -> Self {
        Self { doors, clock, group_of }
    }

    fn ask(&self, peer: PeerId, direction: Direction, address: &Multiaddr) -> Result<(), ConnectionDenied> {
        let now: (Instant, Timestamp) = (Instant::now(), (self.clock)());
        self.doors.ask(now, peer, direction, (self.group_of)(address)).map_err(ConnectionDenied::new)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.ask(peer, Direction::Inbound, remote)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.doors.redeem(id) {
            self.doors.name(peer);
        }
        self.ask(peer, Direction::Outbound, address)?;
        Ok(dummy::ConnectionHandler)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of events is open")]
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                endpoint,
                other_established: 0,
                ..
            }) => {
                let direction = match endpoint {
                    ConnectedPoint::Dialer { .. } => Direction::Outbound,
                    ConnectedPoint::Listener { .. } => Direction::Inbound,
                };
                let from = (self.group_of)(endpoint.get_remote_address());
                self.doors.entered(Instant::now(), peer_id, direction, from);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, remaining_established: 0, .. }) => {
                self.doors.left(Instant::now(), peer_id);
            }
            FromSwarm::DialFailure(DialFailure { connection_id, .. }) => {
                self.doors.redeem(connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.doors
            .poll_close(context)
            .map(|peer_id| ToSwarm::CloseConnection { peer_id, connection: CloseConnection::All })
    }
}
