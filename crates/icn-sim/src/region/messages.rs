//! How many messages a second the region may send to one node, by the limits that the node sets.
//!
//! `icn_net` enforces these numbers with buckets that run by a real clock; here the numbers themselves are added up: of each
//! peer its own, of each branch what its peers get together, of strangers what they get by address group and in all.

use std::collections::{BTreeMap, BTreeSet};

use icn_net::AddressGroup;
use icn_trust::{Action, BranchLimits, GROUPS_PER_INTRODUCER, Group};
use icn_types::{Constraints, Did, TrustContext};

use super::RegionBug;
use super::node::{Node, Peer};
use super::people::People;
use super::reading::Reading;

/// What all strangers of one address group get together, and all strangers, as many times what one gets (`icn.toml`).
const GROUP_TIMES: u64 = 4;
const TOGETHER_TIMES: u64 = 40;
/// Full trust.
const FULL: u64 = 1_000_000;

/// What the region may send, and what it may send at most.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Messages {
    pub(super) got: u64,
    pub(super) bound: u64,
}

/// Adds up what the connected members of the region may send in a second.
pub(super) fn messages(
    node: &Node,
    people: &People,
    reading: &Reading,
    alone_max: u64,
    planted: Option<RegionBug>,
) -> Messages {
    let Some(view) = &node.view else { return Messages::default() };
    let limits: Vec<(&Peer, Constraints)> = node
        .peers
        .values()
        .map(|peer| {
            let class = node.class(reading, node.score(reading, &peer.did));
            (peer, node.policy.access(class, node.action(people, &peer.did)).constraints())
        })
        .collect();
    let hanging = limits.iter().filter_map(|(peer, constraints)| {
        let branch = view.subtrees.branch(&peer.did)?;
        Some((branch, view.subtrees.part_ppm(&peer.did).unwrap_or(icn_types::SCORE_MAX_PPM), constraints))
    });
    let branches = BranchLimits::of_branches(hanging);
    let mut sum = Sum::default();
    let mut best = 0;
    let mut crowded: BTreeMap<Did, u64> = BTreeMap::new();
    for (peer, constraints) in limits.iter().filter(|(peer, _)| peer.is_sybil) {
        let rate = u64::from(constraints.messages_per_second);
        let is_known = peer.is_member || node.score(reading, &peer.did) > 0;
        match view.subtrees.group(&peer.did) {
            _ if !is_known => sum.stranger(peer.corner, rate),
            Group::Below { branch, .. } if planted != Some(RegionBug::MessagesPerIdentity) => {
                *crowded.entry(branch).or_default() += rate;
            }
            Group::Below { .. } | Group::Trusted(_) | Group::Strangers => sum.own += rate,
        }
    }
    for (branch, rates) in &crowded {
        let share = branches.get(branch).map_or(0, |limits| u64::from(limits.messages_per_second));
        sum.own += share.min(*rates);
    }
    // A branch that honest members share has what the best of them gets.
    for (peer, constraints) in limits.iter().filter(|(peer, _)| !peer.is_sybil) {
        let branch = view.subtrees.branch(&peer.did);
        if branch.is_some_and(|branch| crowded.contains_key(&branch)) {
            best = best.max(u64::from(constraints.messages_per_second));
        }
    }
    Messages { got: sum.all(node), bound: bound(node, people, reading, alone_max, best) }
}

#[derive(Default)]
struct Sum {
    own: u64,
    strangers: BTreeMap<AddressGroup, u64>,
}

impl Sum {
    fn stranger(&mut self, corner: AddressGroup, rate: u64) {
        *self.strangers.entry(corner).or_default() += rate;
    }

    fn all(&self, node: &Node) -> u64 {
        let one = u64::from(node.policy.isolated.messages_per_second);
        let strangers: u64 = self.strangers.values().map(|rate| (*rate).min(GROUP_TIMES * one)).sum();
        self.own + strangers.min(TOGETHER_TIMES * one)
    }
}

/// What the region may send at most: see [`super::bound`].
fn bound(node: &Node, people: &People, reading: &Reading, alone_max: u64, shared: u64) -> u64 {
    let rate_of = |score_ppm: u32| {
        let class = node.class(reading, score_ppm);
        u64::from(node.policy.access(class, Action::None).constraints().messages_per_second)
    };
    // Only the ends of attack edges can be trusted as far as the ceiling; all others are a hop further away.
    let further = u64::from(node.ceiling_ppm) * u64::from(reading.settings.path.hop_decay_ppm) / FULL;
    let end_rate = rate_of(node.ceiling_ppm);
    let rate = rate_of(u32::try_from(further).unwrap_or(node.ceiling_ppm)).max(shared);
    let ends: BTreeSet<Did> = reading.crossing(TrustContext::General).iter().map(|by| by.to).collect();
    let is_known = |peer: &&Peer| peer.is_sybil && (peer.is_member || node.score(reading, &peer.did) > 0);
    let known: Vec<&Peer> = node.peers.values().filter(is_known).collect();
    let has_row = |peer: &&&Peer| people.introducers.contains_key(&peer.did);
    let with_row = known.iter().filter(has_row).count() as u64;
    let without = known.len() as u64 - with_row;
    let ends = known.iter().filter(|peer| ends.contains(&peer.did)).count() as u64;
    let introducers: BTreeSet<Did> =
        people.names.iter().filter_map(|did| people.introducers.get(did).copied()).collect();
    let (gates, doors): (Vec<Did>, Vec<Did>) =
        introducers.into_iter().partition(|did| people.names.contains(did));
    let heads = doors.len() as u64 + alone_max.min(gates.len() as u64);
    let one = u64::from(node.policy.isolated.messages_per_second);
    // Whom nobody let in hangs below whoever vouches for it: at most as many allowances as there are such.
    end_rate * ends
        + rate * (alone_max.min(with_row) + GROUPS_PER_INTRODUCER * heads + without)
        + one * (with_row + TOGETHER_TIMES)
}
