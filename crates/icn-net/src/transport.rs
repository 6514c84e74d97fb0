//! The transports: QUIC, TCP and WebSocket, with names looked up, and streams that keep their pace.

use std::sync::Arc;
use std::time::Duration;

use libp2p::core::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, dns, noise, quic, tcp, websocket, yamux};

use crate::error::NetError;
use crate::hangup::{Quic, Ringing};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::pace::Pace;

/// QUIC finds out by itself that a peer is gone; the library's 10 seconds are long for a peer that restarts.
const QUIC_IDLE_TIMEOUT_MS: u32 = 6_000;
const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is authenticated and carries streams.
pub(crate) type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// Builds all transports.
pub(crate) fn transport(
    keypair: &Keypair,
    ringing: Ringing,
    limits: Arc<Limits>,
    metrics: Metrics,
) -> Result<Transport, NetError> {
    let setup = |error: &dyn std::error::Error| NetError::Setup(error.to_string());
    let noise = noise::Config::new(keypair).map_err(|error| setup(&error))?;
    let plain = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let pace = Pace::new(limits, metrics);
    let (of_tcp, of_quic, of_websocket) = (pace.clone(), pace.clone(), pace);
    let tcp = plain()
        .upgrade(Version::V1Lazy)
        .authenticate(noise.clone())
        .multiplex(yamux::Config::default())
        .map(move |(peer, connection), _| of_tcp.set(peer, connection));
    let mut config = quic::Config::new(keypair);
    config.max_idle_timeout = QUIC_IDLE_TIMEOUT_MS;
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    let quic = Quic::new(config, ringing).map(move |(peer, connection), _| of_quic.set(peer, connection));
    let direct = tcp.or_transport(quic).map(|either, _| either.into_inner());
    let direct = dns::tokio::Transport::system(direct).map_err(|error| setup(&error))?;
    let named = dns::tokio::Transport::system(plain()).map_err(|error| setup(&error))?;
    let websocket = websocket::Config::new(named)
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .map(move |(peer, connection), _| of_websocket.set(peer, connection));
    // A WebSocket's address begins like that of TCP: it is looked at first.
    let all = websocket.or_transport(direct).map(|either, _| either.into_inner());
    Ok(TransportTimeout::new(all, CONNECT_TIMEOUT).boxed())
}
