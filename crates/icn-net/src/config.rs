//! What a node is told before it joins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use icn_types::{Constraints, codec};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

/// What identify tells peers about this program unless [`Config::agent`] says otherwise.
pub const AGENT: &str = concat!("icn/", env!("CARGO_PKG_VERSION"));

/// Tells whether a gossip topic may be subscribed to, by us or by a peer.
pub type TopicCheck = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Everything that [`crate::start`] needs to know.
#[derive(Clone)]
pub struct Config {
    /// The node's Ed25519 key: its `PeerId`, and the DID of its owner.
    pub keypair: Keypair,
    /// Addresses to listen on, such as `/ip4/0.0.0.0/udp/7100/quic-v1`; port 0 lets the system choose.
    pub listen: Vec<Multiaddr>,
    /// Bootstrap peers, with or without `/p2p/<peer_id>`. Dialled again for ever.
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
    /// The most connections held at once. A fifth of them is kept for connections that this node opens itself.
    pub peers_max: u32,
    /// The limits of a peer for which [`crate::Handle::set_constraints`] has said nothing else.
    pub constraints: Constraints,
    /// The most direct requests and gossip messages a second taken from all peers together.
    pub messages_per_second_max: u32,
    /// The most content a second served to one peer, in KiB; more waits.
    pub bitswap_kib_per_second: u32,
    /// How long a direct request may take, dialling not included.
    pub direct_timeout: Duration,
    /// The response that a peer over its limits gets. By default the `Refused` of `docs/protocol.md` with code
    /// `rate_limited`.
    pub refusal: Bytes,
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
            messages_per_second_max: 50_000,
            bitswap_kib_per_second: 512 * 1024,
            direct_timeout: Duration::from_secs(10),
            refusal: default_refusal(),
            flood_publish: true,
        }
    }
}

/// Encodes `{"Refused": {"code": "rate_limited", "message": …}}` as DAG-CBOR.
fn default_refusal() -> Bytes {
    let inner = BTreeMap::from([
        ("code", "rate_limited"),
        ("message", "too many messages from this peer: wait a moment and try again"),
    ]);
    codec::encode(&BTreeMap::from([("Refused", inner)])).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_a_refused_response() {
        let map: BTreeMap<String, BTreeMap<String, String>> = codec::decode(&default_refusal()).unwrap();
        assert_eq!(map["Refused"]["code"], "rate_limited");
    }
}
