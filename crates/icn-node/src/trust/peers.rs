//! Telling the network what each connected peer may do.

use std::collections::BTreeMap;
use std::time::Duration;

use icn_net::PeerId;
use icn_types::{Constraints, Did, Timestamp};

use crate::core::{Node, lock};

/// What the network was told of each connected peer.
pub(super) type Told = BTreeMap<PeerId, Constraints>;

/// Sets the limits of connected peers that have others by now. Returns how far away each of them is.
pub(super) async fn tell(node: &Node, now: Timestamp) -> BTreeMap<Did, icn_types::Duration> {
    let peers = node.net.peers().await;
    let mut round_trips = BTreeMap::new();
    let mut told = std::mem::take(&mut *lock(&node.trust.peers));
    told.retain(|peer, _| peers.iter().any(|known| known.peer_id == *peer));
    for peer in &peers {
        let Some(did) = peer.did else { continue };
        if let Some(rtt) = peer.rtt {
            round_trips.insert(did, as_millis(rtt));
        }
        let constraints = node.trust.verdict(now, &did).constraints;
        let is_usual = !told.contains_key(&peer.peer_id) && constraints == Constraints::default();
        if is_usual || told.get(&peer.peer_id) == Some(&constraints) {
            continue;
        }
        node.net.set_constraints(peer.peer_id, &constraints);
        told.insert(peer.peer_id, constraints);
    }
    *lock(&node.trust.peers) = told;
    round_trips
}

fn as_millis(time: Duration) -> icn_types::Duration {
    icn_types::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
