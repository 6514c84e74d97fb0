//! Many identities in this process that send to nodes: swarms with no more in them than it takes.
//!
//! They speak the two protocols that can flood a node: direct requests, and gossip. What they send is signed before the clock
//! runs, and each sends at its own even pace, so that this process uses little of the machine that the nodes run on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use icn_identity::Keypair;
use icn_protocol::topics::Topic;
use icn_protocol::{JobBid, NodeCapability, RefusalCode, Response, sign};
use icn_types::{Cid, Did, Timestamp};
use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, MessageAuthenticity, MessageId, PublishError, ValidationMode,
};
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::hop::Raw;

/// The protocol of direct messages (`docs/protocol.md`).
const DIRECT: StreamProtocol = StreamProtocol::new("/icn/mesh/direct/1.0.0");
/// Requests that each identity signs beforehand and sends in turn. A repeat costs a node as much as a first one as long as it is
/// refused for its number.
const SIGNED: usize = 8;
/// Swarms that connect at once: a node takes 64 that are being set up.
const CONNECTING: usize = 16;
/// How long all of them may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// How often each publishes while it floods: never above what it may alone, so that the network does not put it out.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// How often an identity looks whether its pace is another.
const LOOK: Duration = Duration::from_millis(100);

/// What an identity runs.
#[derive(NetworkBehaviour)]
struct Flooder {
    direct: request_response::Behaviour<Raw>,
    gossip: gossipsub::Behaviour,
}

/// What all identities together have sent, and what became of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Requests refused for their number.
    pub limited: AtomicU64,
    /// Requests answered in any other way: somebody looked into them.
    pub heard: AtomicU64,
    /// Requests that had no answer.
    pub lost: AtomicU64,
    /// Messages published.
    pub published: AtomicU64,
}

/// Identities that are connected to nodes. Dropping it ends them.
#[derive(Debug)]
pub struct Crowd {
    /// Requests a second of each identity to each node; 0: silence.
    pace: Arc<AtomicU32>,
    /// What they did so far.
    pub tally: Arc<Tally>,
    _tasks: JoinSet<()>,
}

impl Crowd {
    /// Connects identities to nodes, and returns when all are. They are silent until told otherwise.
    ///
    /// # Errors
    ///
    /// When an address has another form, or a node refuses one of them.
    pub async fn connect(keys: Vec<Keypair>, nodes: Vec<String>) -> Result<Self> {
        let nodes: Vec<Multiaddr> =
            nodes.iter().map(|node| node.parse().context("an address")).collect::<Result<_>>()?;
        let (pace, tally) = (Arc::new(AtomicU32::new(0)), Arc::new(Tally::default()));
        let connected = futures::stream::iter(keys.into_iter().map(|key| connected(key, nodes.clone())))
            .buffer_unordered(CONNECTING);
        let connected: Vec<_> = tokio::time::timeout(CONNECT_TIMEOUT, connected.collect())
            .await
            .context("the crowd was not let in in time")?;
        let mut tasks = JoinSet::new();
        for one in connected {
            let (key, swarm, peers) = one?;
            tasks.spawn(flood(key, swarm, peers, Arc::clone(&pace), Arc::clone(&tally)));
        }
        Ok(Self { pace, tally, _tasks: tasks })
    }

    /// Sets how many requests a second each identity sends to each node; 0 makes all of them silent.
    pub fn set_pace(&self, per_second: u32) {
        self.pace.store(per_second, Ordering::Relaxed);
    }
}

/// Makes a swarm that is connected to all nodes.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of events is open")]
async fn connected(key: Keypair, nodes: Vec<Multiaddr>) -> Result<(Keypair, Swarm<Flooder>, Vec<PeerId>)> {
    let mut swarm = swarm(&key)?;
    for node in &nodes {
        swarm.dial(node.clone())?;
    }
    let mut peers = Vec::new();
    while peers.len() < nodes.len() {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => peers.push(peer_id),
            SwarmEvent::OutgoingConnectionError { error, .. } => bail!("a node cannot be dialled: {error}"),
            SwarmEvent::ConnectionClosed { cause, .. } => bail!("a node closed a connection: {cause:?}"),
            _ => {}
        }
    }
    Ok((key, swarm, peers))
}

fn swarm(key: &Keypair) -> Result<Swarm<Flooder>> {
    let settings = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(|message| MessageId::new(&Sha256::digest(&message.data)))
        .build()?;
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, settings)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    for topic in [Topic::Jobs, Topic::Capabilities] {
        // It hears what the nodes announce, too: they send it to each of their subscribers.
        gossip.subscribe(&IdentTopic::new(topic.to_string()))?;
    }
    let direct = request_response::Behaviour::new(
        [(DIRECT, ProtocolSupport::Full)],
        request_response::Config::default(),
    );
    Ok(SwarmBuilder::with_existing_identity(key.to_libp2p())
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| Flooder { direct, gossip })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3_600)))
        .build())
}

/// Sends at the pace that holds until the task is ended.
async fn flood(
    key: Keypair,
    mut swarm: Swarm<Flooder>,
    peers: Vec<PeerId>,
    pace: Arc<AtomicU32>,
    tally: Arc<Tally>,
) {
    let bids: Vec<Vec<u8>> = (0..SIGNED).filter_map(|_| bid(&key)).collect();
    let topic = IdentTopic::new(Topic::Capabilities.to_string());
    // They do not all send in the same moment.
    let phase = key.did().public_key().first().copied().map_or(0, u64::from);
    let start = Instant::now() + Duration::from_millis(phase);
    let mut publish = interval_at(start, PUBLISH_EVERY);
    let mut turns = interval_at(start, LOOK);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut known, mut next) = (0, bids.iter().cycle());
    loop {
        tokio::select! {
            event = swarm.select_next_some() => hear(event, &tally),
            _ = turns.tick() => {
                let now = pace.load(Ordering::Relaxed);
                if now != known {
                    known = now;
                    let every = if now == 0 { LOOK } else { Duration::from_secs(1) / now };
                    turns = interval_at(Instant::now() + every.mul_f64(phase as f64 / 256.0), every);
                    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
                }
                if now == 0 {
                    continue;
                }
                for peer in &peers {
                    let Some(bid) = next.next() else { continue };
                    swarm.behaviour_mut().direct.send_request(peer, bid.clone());
                    tally.sent.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ = publish.tick(), if known > 0 => {
                let Some(said) = capability(&key) else { continue };
                match swarm.behaviour_mut().gossip.publish(topic.clone(), said) {
                    Ok(_) => drop(tally.published.fetch_add(1, Ordering::Relaxed)),
                    Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {}
                    Err(error) => eprintln!("bench: an identity of the crowd cannot publish: {error}"),
                }
            }
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of events is open")]
fn hear(event: SwarmEvent<FlooderEvent>, tally: &Tally) {
    let count = match event {
        SwarmEvent::Behaviour(FlooderEvent::Direct(request_response::Event::Message {
            message: Message::Response { response, .. },
            ..
        })) => match Response::decode(&response) {
            Ok(Response::Refused { code: RefusalCode::RateLimited, .. }) => &tally.limited,
            Ok(_) | Err(_) => &tally.heard,
        },
        SwarmEvent::Behaviour(FlooderEvent::Direct(request_response::Event::OutboundFailure { .. })) => {
            &tally.lost
        }
        _ => return,
    };
    count.fetch_add(1, Ordering::Relaxed);
}

/// Makes a bid for a job that does not exist.
fn bid(key: &Keypair) -> Option<Vec<u8>> {
    let (did, peer) = named(key);
    let bid = JobBid {
        announcement_id: Cid::of_raw(b"no job"),
        executor_did: did,
        executor_peer_id: peer,
        price: None,
        region: None,
        timestamp: now(),
        bid_expires_at: None,
        available_resources: None,
        queue_depth: None,
        estimated_start_ms: None,
        blobs_held: Vec::new(),
        rates: None,
    };
    Some(sign(bid, key).ok()?.into_wire())
}

/// Makes an advertisement, each with another time.
fn capability(key: &Keypair) -> Option<Vec<u8>> {
    let (did, peer) = named(key);
    let capability = NodeCapability {
        node_did: did,
        peer_id: peer,
        alias: None,
        region: None,
        supported_runtimes: Vec::new(),
        available_resources: BTreeMap::new(),
        specialized_features: Vec::new(),
        timestamp: now(),
        attestation_cid: None,
    };
    Some(sign(capability, key).ok()?.into_wire())
}

fn named(key: &Keypair) -> (Did, PeerId) {
    let did = key.did();
    (did, icn_identity::peer_id(&did))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
