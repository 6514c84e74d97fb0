//! Takes in the streams that peers open.
//!
//! libp2p-stream 0.5 has room for one stream that nobody has taken yet, and drops the next without a word: of 64 peers that
//! come at one moment every second was turned away. Here each connection puts its streams into one queue with room for
//! all that are ever accepted.

use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use tokio::sync::mpsc;

use super::PROTOCOL;
use crate::metrics::Metrics;

/// Streams that nobody has taken yet. Full: the new one is closed and counted.
const WAITING_MAX: usize = 256;

/// A stream that a peer has opened.
pub(crate) type Opened = (PeerId, Stream);

/// The protocol's receiving side.
pub(crate) struct Inbound {
    tx: mpsc::Sender<Opened>,
    metrics: Metrics,
}

/// The same, on one connection.
pub(crate) struct Handler {
    peer: PeerId,
    tx: mpsc::Sender<Opened>,
    metrics: Metrics,
}

impl Inbound {
    /// Makes the receiving side and the queue that it fills, which ends with the swarm.
    pub(crate) fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Opened>) {
        let (tx, rx) = mpsc::channel(WAITING_MAX);
        (Self { tx, metrics }, rx)
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler { peer, tx: self.tx.clone(), metrics: self.metrics.clone() }
    }
}

impl NetworkBehaviour for Inbound {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) = event
            && self.tx.try_send((self.peer, protocol)).is_err()
        {
            self.metrics.dropped("sync_streams");
        }
    }
}
