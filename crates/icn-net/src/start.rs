//! Brings a node up.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::behaviour::{self, Mesh, MeshEvent, peer_of};
use crate::bitswap::{self, BlockSource, Exchange};
use crate::book::Book;
use crate::config::Config;
use crate::doors::Doors;
use crate::driver::Driver;
use crate::error::NetError;
use crate::event::Event;
use crate::gate::Gate;
use crate::gossip;
use crate::handle::Handle;
use crate::hangup::Ringing;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::neighbors::NeighborSets;
use crate::outbound::Outbound;
use crate::records::RecordCheck;
use crate::shared::Shared;
use crate::sync::{Inbound, SyncStreams};
use crate::transport::transport;

/// Events that the application has not taken. Full: gossip is ignored, requests are refused, the rest is dropped; each
/// is counted.
const EVENTS_MAX: usize = 16_384;
/// Commands that the swarm has not taken. Full: the caller waits.
const COMMANDS_MAX: usize = 1_024;
/// How long a transport may take to bind an address.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the swarm; returns once it listens on each address of [`Config::listen`].
///
/// # Errors
///
/// [`NetError::Listen`] when an address cannot be bound, [`NetError::Topic`] for a topic that is not allowed,
/// [`NetError::Setup`].
pub async fn start(
    config: Config,
    blocks: Arc<dyn BlockSource>,
    records: Arc<dyn RecordCheck>,
    metrics: Metrics,
) -> Result<(Handle, mpsc::Receiver<Event>), NetError> {
    let (inbound, opened) = Inbound::new(metrics.clone());
    let ringing = Ringing::default();
    let doors = Arc::new(Doors::new(&config));
    let gate = Gate::new(Arc::clone(&doors), Arc::clone(&config.clock), Arc::clone(&config.group_of));
    let limits = Arc::new(Limits::new(
        config.constraints.clone(),
        config.strangers.clone(),
        config.messages_per_second_max,
        config.bitswap_kib_per_second,
    ));
    let transport = transport(&config.keypair, ringing.clone(), Arc::clone(&limits), metrics.clone())?;
    let mut swarm = behaviour::swarm(&config, transport, inbound, gate)?;
    for topic in &config.topics {
        gossip::subscribe(&mut swarm.behaviour_mut().gossip, topic)?;
    }
    let (mut listen, mut early) = (Vec::new(), Vec::new());
    for address in &config.listen {
        listen.push(bind(&mut swarm, address, &mut early).await?);
    }
    let mut book = Book::default();
    for (peer, addresses) in &config.known_peers {
        book.add(*peer, addresses.clone());
    }
    let shared = Arc::new(Shared {
        peer_id: *swarm.local_peer_id(),
        listen: RwLock::new(listen),
        peers: RwLock::default(),
        book: Mutex::new(book),
        limits,
        doors,
        neighbors: Mutex::new(NeighborSets::new(
            config.topology.clone(),
            config.neighbor_limits,
            rand::random(),
        )),
        clock: Arc::clone(&config.clock),
        metrics,
    });
    for peer in config.peers.iter().filter_map(peer_of) {
        shared.limits.know(peer);
    }
    let (commands, command_rx) = mpsc::channel(COMMANDS_MAX);
    let (events, event_rx) = mpsc::channel(EVENTS_MAX);
    let mut control = swarm.behaviour().streams.new_control();
    let setup = |error: libp2p_stream::AlreadyRegistered| NetError::Setup(error.to_string());
    let of_bitswap = control.accept(bitswap::PROTOCOL).map_err(setup)?;
    let exchange = Exchange::new(Arc::clone(&shared), control.clone(), commands.downgrade(), blocks);
    let sync = SyncStreams::new(Arc::clone(&shared), control, commands.downgrade());
    let mut acceptors = JoinSet::new();
    acceptors.spawn(Arc::clone(&exchange).accept(of_bitswap));
    acceptors.spawn(Arc::clone(&sync).accept(opened, events.downgrade()));
    let handle = Handle {
        shared: Arc::clone(&shared),
        commands,
        exchange: Arc::clone(&exchange),
        sync,
        outbound: Arc::new(Outbound::default()),
        records: Arc::clone(&records),
        refusal: config.refusal.clone(),
        refusal_streams: config.refusal_streams.clone(),
    };
    let driver =
        Driver::new(swarm, ringing, config, shared, exchange, records, command_rx, events, acceptors);
    tokio::spawn(driver.run(early));
    Ok((handle, event_rx))
}

/// Binds one address and waits until the system has chosen the port.
async fn bind(
    swarm: &mut Swarm<Mesh>,
    address: &Multiaddr,
    early: &mut Early,
) -> Result<Multiaddr, NetError> {
    let fail = |reason: String| NetError::Listen { address: address.clone(), reason };
    probe(address).map_err(|error| fail(error.to_string()))?;
    let listener = swarm.listen_on(address.clone()).map_err(|error| fail(chain(&error)))?;
    tokio::time::timeout(LISTEN_TIMEOUT, bound(swarm, listener, early))
        .await
        .unwrap_or_else(|_| Err("the system did not answer in time".to_owned()))
        .map_err(fail)
}

/// What happened while addresses were bound: further addresses of an earlier one, peers that came at once.
type Early = Vec<SwarmEvent<MeshEvent>>;

/// Waits for the first address of a listener; keeps every other event for the driver.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of events is open")]
async fn bound(
    swarm: &mut Swarm<Mesh>,
    listener: ListenerId,
    early: &mut Early,
) -> Result<Multiaddr, String> {
    let me = *swarm.local_peer_id();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } if listener_id == listener => {
                return Ok(with_peer(address, me));
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == listener => {
                return Err(reason.err().map_or_else(|| "it was closed".to_owned(), |error| chain(&error)));
            }
            SwarmEvent::ListenerError { listener_id, error } if listener_id == listener => {
                return Err(chain(&error));
            }
            other => early.push(other),
        }
    }
}

/// Writes an error with its causes; the library's own text is often empty.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut texts: Vec<String> = causes.filter(|text| !text.is_empty()).collect();
    // A cause that its consequence quotes is not said twice.
    texts.dedup_by(|cause, error| error.contains(cause.as_str()));
    texts.join(": ")
}

/// Waits until the UDP ports of a swarm that has ended are free: QUIC keeps its socket while connections drain.
pub(crate) async fn released(listen: &[Multiaddr]) {
    for address in listen {
        let mut parts = address.iter();
        let ip: IpAddr = match parts.next() {
            Some(Protocol::Ip4(ip)) => ip.into(),
            Some(Protocol::Ip6(ip)) => ip.into(),
            _ => continue,
        };
        let Some(Protocol::Udp(port)) = parts.next() else { continue };
        while UdpSocket::bind(SocketAddr::new(ip, port))
            .is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Tries a TCP port without `SO_REUSEPORT`. libp2p sets it, so that two nodes on one port would both come up and each
/// get half of the connections.
fn probe(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => TcpListener::bind(SocketAddr::new(ip, port)).map(drop),
        _ => Ok(()),
    }
}

/// Ends an address in `/p2p/<peer>`.
pub(crate) fn with_peer(address: Multiaddr, peer: libp2p::PeerId) -> Multiaddr {
    address.clone().with_p2p(peer).unwrap_or(address)
}
