//! What a node is told before it joins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use icn_types::{Constraints, Timestamp, TopologyInfo, codec};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use crate::address::{GroupOf, address_group};
use crate::doors::Ban;
use crate::limits::Strangers;
use crate::neighbors::NeighborLimits;

/// What identify tells peers about this program unless [`Config::agent`] says otherwise.
pub const AGENT: &str = concat!("icn/", env!("CARGO_PKG_VERSION"));

/// Tells whether a gossip topic may be subscribed to, by us or by a peer.
pub type TopicCheck = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Reads the wall clock, by which bans end.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything that [`crate::start`] needs to know.
#[derive(Clone)]
pub struct Config {
    /// The node's Ed25519 key: its `PeerId`, and the DID of its owner.
    pub keypair: Keypair,
    /// Addresses to listen on, such as `/ip4/0.0.0.0/udp/7100/quic-v1`; port 0 lets the system choose.
    pub listen: Vec<Multiaddr>,
    /// Bootstrap peers, with or without `/p2p/<peer_id>`. Dialled again for ever; protected, and never strangers.
    pub peers: Vec<Multiaddr>,
    /// Addresses remembered from an earlier run ([`crate::Handle::known_addresses`]).
    pub known_peers: Vec<(PeerId, Vec<Multiaddr>)>,
    /// Whether to look for peers, and be found, by multicast DNS.
    pub mdns: bool,
    /// The agent version that identify tells.
    pub agent: String,
    /// Topics to subscribe to at start.
    pub topics: Vec<String>,
    /// Further topics that may be subscribed to, beside those of spaces ([`crate::is_space_topic`]); the rest is refused.
    pub topic_allowed: TopicCheck,
    /// The most peers connected at once. A fifth of the places is kept for peers that this node dials itself.
    pub peers_max: u32,
    /// The limits of a peer for which [`crate::Handle::set_constraints`] has said nothing else. Where there are limits for
    /// strangers, only of a peer that the operator named.
    pub constraints: Constraints,
    /// What strangers get; none where no policy tells them from others. A stranger is a peer that the operator did not name
    /// and that has no standing ([`crate::Handle::set_standings`]).
    pub strangers: Option<Strangers>,
    /// The least trust of a peer that is connected, in parts per million; above 0 no stranger is.
    pub trust_ppm_min: u32,
    /// Bans that an earlier run left ([`crate::Handle::bans`]).
    pub bans: Vec<Ban>,
    /// Which addresses count as one place; peers on this machine, or in a private network, are not told apart
    /// ([`crate::address_group`]; [`crate::any_address_group`] does).
    pub group_of: GroupOf,
    /// Where this node stands, as it tells its peers.
    pub topology: TopologyInfo,
    /// How many neighbours of each kind it has.
    pub neighbor_limits: NeighborLimits,
    /// The wall clock.
    pub clock: Clock,
    /// The most direct requests and gossip messages a second taken from all peers together.
    pub messages_per_second_max: u32,
    /// The most content a second served to one peer, in KiB; more waits.
    pub bitswap_kib_per_second: u32,
    /// How long a direct request may take, dialling not included.
    pub direct_timeout: Duration,
    /// The response that a peer over its limits gets. By default the `Refused` of `docs/protocol.md` with code
    /// `rate_limited`.
    pub refusal: Bytes,
    /// The response that a peer with too many requests open gets. By default `Refused` with code `busy`.
    pub refusal_streams: Bytes,
    /// Whether own messages go to all subscribed peers rather than to the gossip mesh alone: one hop fewer, at the
    /// price of a copy for each peer.
    pub flood_publish: bool,
}

impl Config {
    /// Gives the defaults for a key: no address to listen on, no peers, no mDNS, 100 connections.
    #[must_use]
    pub fn new(keypair: Keypair) -> Self {
        Self {
            keypair,
            listen: Vec::new(),
            peers: Vec::new(),
            known_peers: Vec::new(),
            mdns: false,
            agent: AGENT.to_owned(),
            topics: Vec::new(),
            topic_allowed: Arc::new(|_| false),
            peers_max: 100,
            constraints: Constraints::default(),
            strangers: None,
            trust_ppm_min: 0,
            bans: Vec::new(),
            group_of: Arc::new(address_group),
            topology: TopologyInfo::default(),
            neighbor_limits: NeighborLimits::default(),
            clock: Arc::new(wall),
            messages_per_second_max: 50_000,
            bitswap_kib_per_second: 512 * 1024,
            direct_timeout: Duration::from_secs(10),
            refusal: refused("rate_limited", "too many messages from this peer: wait a moment and try again"),
            refusal_streams: refused(
                "busy",
                "too many streams of this peer are open: let one end and try again",
            ),
            flood_publish: true,
        }
    }
}

/// Encodes `{"Refused": {"code": …, "message": …}}` as DAG-CBOR.
fn refused(code: &str, message: &str) -> Bytes {
    let inner = BTreeMap::from([("code", code), ("message", message)]);
    codec::encode(&BTreeMap::from([("Refused", inner)])).unwrap_or_default().into()
}

fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_refused_responses() {
        let config = Config::new(Keypair::generate_ed25519());
        for (refusal, code) in [(config.refusal, "rate_limited"), (config.refusal_streams, "busy")] {
            let map: BTreeMap<String, BTreeMap<String, String>> = codec::decode(&refusal).unwrap();
            assert_eq!(map["Refused"]["code"], code);
        }
    }
}
