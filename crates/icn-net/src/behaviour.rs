//! The swarm: all protocols above the transports.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{self, NetworkBehaviour};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identify, kad, mdns, ping};

use crate::config::Config;
use crate::direct::{self, DirectCodec};
use crate::error::NetError;
use crate::gate::Gate;
use crate::gossip::{self, Gossip};
use crate::records::Records;
use crate::sync::Inbound;
use crate::topology::{self, TopologyCodec};
use crate::transport::Transport;

/// What identify says that this network speaks.
const MESH: &str = "/icn/mesh/protocol/1.0.0";
/// This network's own DHT.
const KAD: StreamProtocol = StreamProtocol::new("/icn/kad/1.0.0");
/// How often the round trip is measured and a silent peer found out.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A connection that carries no stream and no gossip for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Connections of one peer: one, and a second while both sides dial at once or one of them has been restarted.
const CONNECTIONS_PER_PEER: u32 = 2;
/// Connections that are being set up.
const PENDING_MAX: u32 = 64;
/// Requests that one connection may carry at least, however few are served: those above are told so. Beyond this, and
/// twice the limit of known peers, they end without a word.
const DIRECT_STREAMS_MIN: usize = 32;
/// How long a peer may take to tell its topology.
const TOPOLOGY_TIMEOUT: Duration = Duration::from_secs(10);
/// Tellings of a topology under way on one connection. Full: the next is refused.
const TOPOLOGY_STREAMS_MAX: usize = 4;
/// How long a DHT look-up may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
/// How often the routing table is refreshed.
const BOOTSTRAP_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// All protocols of a node.
#[derive(NetworkBehaviour)]
pub(crate) struct Mesh {
    // The two gatekeepers stand first: what they refuse reaches no other protocol. Whom the second lets in stays in.
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) gate: Gate,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(crate) kad: kad::Behaviour<Records>,
    pub(crate) gossip: Gossip,
    pub(crate) direct: request_response::Behaviour<DirectCodec>,
    pub(crate) topology: request_response::Behaviour<TopologyCodec>,
    pub(crate) streams: libp2p_stream::Behaviour,
    pub(crate) inbound: Inbound,
}

/// Builds the swarm on its transports.
pub(crate) fn swarm(
    config: &Config,
    transport: Transport,
    inbound: Inbound,
    gate: Gate,
) -> Result<Swarm<Mesh>, NetError> {
    let mesh = Mesh::new(config, inbound, gate)?;
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(transport, mesh, config.keypair.public().to_peer_id(), settings))
}

impl Mesh {
    fn new(config: &Config, inbound: Inbound, gate: Gate) -> Result<Self, NetError> {
        let public = config.keypair.public();
        let peer_id = public.to_peer_id();
        let identify = identify::Config::new(MESH.to_owned(), public)
            .with_agent_version(config.agent.clone())
            .with_push_listen_addr_updates(true);
        let direct = request_response::Config::default()
            .with_request_timeout(config.direct_timeout)
            .with_max_concurrent_streams(
                (config.constraints.streams_max as usize * 2).max(DIRECT_STREAMS_MIN),
            );
        Ok(Self {
            limits: limits(config),
            gate,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            mdns: mdns(config.mdns, peer_id).into(),
            kad: kademlia(peer_id),
            gossip: gossip::behaviour(config)?,
            direct: request_response::Behaviour::with_codec(
                DirectCodec,
                [(direct::PROTOCOL, ProtocolSupport::Full)],
                direct,
            ),
            topology: request_response::Behaviour::with_codec(
                TopologyCodec,
                [(topology::PROTOCOL, ProtocolSupport::Full)],
                request_response::Config::default()
                    .with_request_timeout(TOPOLOGY_TIMEOUT)
                    .with_max_concurrent_streams(TOPOLOGY_STREAMS_MAX),
            ),
            streams: libp2p_stream::Behaviour::new(),
            inbound,
        })
    }
}

fn limits(config: &Config) -> connection_limits::Behaviour {
    // How many peers there may be, the gate decides.
    let limits = ConnectionLimits::default()
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX));
    let mut behaviour = connection_limits::Behaviour::new(limits);
    // A bootstrap peer is a choice of the operator, never one too many.
    for peer in config.peers.iter().filter_map(peer_of) {
        behaviour.bypass_peer_id(&peer);
    }
    behaviour
}

fn mdns(is_wanted: bool, peer_id: PeerId) -> Option<mdns::tokio::Behaviour> {
    if !is_wanted {
        return None;
    }
    mdns::tokio::Behaviour::new(mdns::Config::default(), peer_id)
        .inspect_err(|error| tracing::warn!(%error, "no mDNS on this machine: peers nearby are not found"))
        .ok()
}

fn kademlia(peer_id: PeerId) -> kad::Behaviour<Records> {
    let mut config = kad::Config::new(KAD);
    config
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_query_timeout(QUERY_TIMEOUT)
        .set_periodic_bootstrap_interval(Some(BOOTSTRAP_INTERVAL))
        .set_caching(kad::Caching::Disabled)
        .disjoint_query_paths(true);
    let mut kad = kad::Behaviour::with_config(peer_id, Records::new(peer_id), config);
    kad.set_mode(Some(kad::Mode::Server));
    kad
}

/// Returns the peer that an address names at its end.
pub(crate) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}
