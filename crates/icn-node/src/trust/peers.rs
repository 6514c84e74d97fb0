//! Telling the network what each connected peer may do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use icn_net::{PeerId, PeerInfo, Share, ShareId, ShareLimits, Standing};
use icn_trust::{Action, TrustClass};
use icn_types::{Constraints, Did, Timestamp};

use super::Verdict;
use crate::core::{Node, lock};

/// As many times what one stranger gets, all strangers get together.
const STRANGERS_TOGETHER: u32 = 10;

/// What the network was told of a connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    constraints: Constraints,
    share: Option<Share>,
    standing: Standing,
}

/// What the network was told of each connected peer.
pub(super) type Told = BTreeMap<PeerId, Word>;

/// Sets the limits of connected peers that have others by now. Returns how far away each of them is.
pub(super) async fn tell(node: &Node, now: Timestamp) -> BTreeMap<Did, icn_types::Duration> {
    let peers = node.net.peers().await;
    let oracle = &node.trust;
    let judge = |peer: &PeerInfo| {
        let did = peer.did?;
        // Whom the operator named is known (conflict C-14).
        let least = if peer.is_protected { TrustClass::Known } else { TrustClass::Isolated };
        Some((peer.peer_id, did, oracle.verdict_of(now, &did, least)))
    };
    let judged: Vec<(PeerId, Did, Verdict)> = peers.iter().filter_map(judge).collect();
    let groups = groups(node, &judged);
    let mut told = std::mem::take(&mut *lock(&oracle.peers));
    let connected: BTreeSet<PeerId> = peers.iter().map(|peer| peer.peer_id).collect();
    told.retain(|peer, _| connected.contains(peer));
    let is_on = oracle.is_on();
    for (peer, did, verdict) in judged {
        if let Action::Ban { until } = verdict.action {
            node.net.ban(peer, until);
        }
        let share = match oracle.group(&did) {
            Some(group) => groups.get(&group).copied(),
            None if verdict.class == TrustClass::Isolated => Some(strangers(&verdict)),
            None => None,
        };
        let standing = Standing { trust_ppm: verdict.score_ppm, is_protected: false };
        let word = Word { constraints: verdict.constraints, share: share.filter(|_| is_on), standing };
        let is_usual = !is_on && verdict.action <= Action::Warn;
        if told.get(&peer) == Some(&word) || (is_usual && !told.contains_key(&peer)) {
            continue;
        }
        if is_usual {
            node.net.clear_constraints(peer);
            told.remove(&peer);
            continue;
        }
        node.net.set_constraints(peer, &word.constraints, word.share);
        node.net.set_class(peer, verdict.class.as_str());
        node.net.set_standing(peer, standing);
        told.insert(peer, word);
    }
    *lock(&oracle.peers) = told;
    peers.iter().filter_map(|peer| Some((peer.did?, as_millis(peer.rtt?)))).collect()
}

/// Returns what all those get together of whom nothing is known: keys cost nothing, so that each of them alone gets little, and
/// all of them no more than a few.
fn strangers(verdict: &Verdict) -> Share {
    let together = |value: u32| value.saturating_mul(STRANGERS_TOGETHER);
    let limits = ShareLimits {
        messages_per_second: together(verdict.constraints.messages_per_second),
        burst: together(verdict.constraints.burst),
        streams_max: together(verdict.constraints.streams_max),
    };
    Share { group: ShareId([0; 32]), limits }
}

/// Finds what the peers of each branch get together: as much as the best of them gets alone, or the part of it that is left
/// where one member let in many.
fn groups(node: &Node, judged: &[(PeerId, Did, Verdict)]) -> BTreeMap<Did, Share> {
    let mut groups: BTreeMap<Did, Share> = BTreeMap::new();
    for (_, did, verdict) in judged {
        let Some(group) = node.trust.group(did) else { continue };
        let part_ppm = node.trust.part(did);
        let part = |value: u32| {
            u32::try_from(u64::from(value) * u64::from(part_ppm) / 1_000_000).unwrap_or(value).max(1)
        };
        let limits = ShareLimits {
            messages_per_second: part(verdict.constraints.messages_per_second),
            burst: part(verdict.constraints.burst),
            streams_max: part(verdict.constraints.streams_max),
        };
        let share = Share { group: ShareId::from(group), limits };
        groups
            .entry(group)
            .and_modify(|known| {
                if known.limits.messages_per_second < limits.messages_per_second {
                    *known = share;
                }
            })
            .or_insert(share);
    }
    groups
}

fn as_millis(time: Duration) -> icn_types::Duration {
    icn_types::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
