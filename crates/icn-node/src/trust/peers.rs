//! Telling the network who is known and how well, and what each connected peer may do.
//!
//! Whoever is a member of one of the node's spaces has a standing, connected or not: the network decides about a connection
//! before anybody here hears of it. Who has none, and was not named by the operator, is a stranger; the network holds it to
//! what strangers of its address group get, and nothing is said of it here unless it did something wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use icn_net::{PeerId, PeerInfo, Share, ShareId, ShareLimits, Standing};
use icn_trust::{Action, BranchLimits, TrustClass};
use icn_types::{Constraints, Did, Timestamp, TrustContext};

use super::{Verdict, Web, group_in, part_in, score_in};
use crate::core::{Node, lock};

/// As many times what one peer of class `isolated` gets, all those get together of whom no more is known than that, such as
/// nodes on which a member lives.
const ISOLATED_TOGETHER: u32 = 10;
/// Nodes that are known on the word of one member.
const NODES_PER_MEMBER: usize = 4;
/// Peers that are dialled because they are trusted enough by now.
const DIALS_MAX: usize = 32;

/// What the network was told of a connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// What strangers get, or what known peers get.
    Usual,
    /// Limits of its own.
    Limited { constraints: Constraints, share: Option<Share> },
}

/// What the network was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Of each connected peer.
    words: BTreeMap<PeerId, Word>,
    /// Of everybody in the node's spaces.
    members: BTreeMap<PeerId, Standing>,
    /// Of nodes on which members live, and by whose word.
    nodes: BTreeMap<PeerId, Did>,
}

impl Told {
    fn knows(&self, peer: &PeerId) -> bool {
        self.members.contains_key(peer) || self.nodes.contains_key(peer)
    }
}

/// Says who is known, and sets the limits of connected peers that have others by now. Returns how far away each of them is.
pub(super) async fn tell(
    node: &Arc<Node>,
    now: Timestamp,
    has_changed: bool,
) -> BTreeMap<Did, icn_types::Duration> {
    let oracle = &node.trust;
    let mut told = std::mem::take(&mut *lock(&oracle.told));
    stand(node, &mut told, has_changed);
    let peers = node.net.peers().await;
    // One look for all: whoever is judged, the same words count.
    let webs = oracle.webs();
    let judge = |peer: &PeerInfo| {
        let did = peer.did?;
        // Whom the operator named is known (conflict C-14).
        let least = if peer.is_protected { TrustClass::Known } else { TrustClass::Isolated };
        Some((peer.peer_id, did, oracle.verdict_in(&webs, now, &did, least)))
    };
    let judged: Vec<(PeerId, Did, Verdict)> = peers.iter().filter_map(judge).collect();
    let groups = groups(&webs, &judged);
    let protected: BTreeSet<PeerId> =
        peers.iter().filter(|peer| peer.is_protected).map(|peer| peer.peer_id).collect();
    let connected: BTreeSet<PeerId> = peers.iter().map(|peer| peer.peer_id).collect();
    told.words.retain(|peer, _| connected.contains(peer));
    let is_on = oracle.is_on_in(&webs);
    for (peer, did, verdict) in judged {
        if let Action::Ban { until } = verdict.action {
            node.net.ban(peer, until);
        }
        let share = match group_in(&webs, &did) {
            Some(group) => groups.get(&group).copied(),
            None if verdict.class == TrustClass::Isolated => Some(isolated(&verdict)),
            None => None,
        };
        let is_stranger = !told.knows(&peer) && !protected.contains(&peer);
        let word = if (is_stranger || !is_on) && verdict.action <= Action::Warn {
            Word::Usual
        } else {
            Word::Limited { constraints: verdict.constraints, share: share.filter(|_| is_on) }
        };
        if told.words.get(&peer) == Some(&word) {
            continue;
        }
        match &word {
            Word::Usual => node.net.clear_constraints(peer),
            Word::Limited { constraints, share } => node.net.set_constraints(peer, constraints, *share),
        }
        node.net.set_class(peer, verdict.class.as_str());
        told.words.insert(peer, word);
    }
    // Last, so that no member is held to what strangers get.
    node.net.limit_strangers(is_on);
    *lock(&oracle.told) = told;
    peers.iter().filter_map(|peer| Some((peer.did?, as_millis(peer.rtt?)))).collect()
}

/// Says who is known and how well, where that has changed, and dials whoever is trusted enough by now to be connected.
fn stand(node: &Arc<Node>, told: &mut Told, has_changed: bool) {
    let nodes = serving(node);
    if !has_changed && nodes == told.nodes {
        return;
    }
    if has_changed {
        let members = members(node);
        let least = node.config.network.min_trust_threshold;
        let is_enough = |standing: &Standing| standing.trust_ppm >= least;
        let was_enough = |peer: &PeerId| told.members.get(peer).is_some_and(is_enough);
        if least > 0 {
            meet(node, |peer| members.get(peer).is_some_and(is_enough) && !was_enough(peer));
        }
        told.members = members;
    }
    told.nodes = nodes;
    let of_nodes = told.nodes.iter().filter(|(peer, _)| !told.members.contains_key(peer));
    // Nodes of a member have places together, and with the branch that it hangs behind.
    let group_of = |member: &Did| {
        let standing = told.members.get(&icn_identity::peer_id(member));
        standing.and_then(|standing| standing.group).or(Some(ShareId::from(*member)))
    };
    let known = |member| Standing { is_known: true, group: group_of(member), ..Standing::default() };
    let mut all: Vec<(PeerId, Standing)> = told.members.iter().map(|(peer, it)| (*peer, *it)).collect();
    all.extend(of_nodes.map(|(peer, member)| (*peer, known(member))));
    all.sort_unstable_by_key(|(_, standing)| std::cmp::Reverse(standing.trust_ppm));
    node.net.set_standings(all);
}

/// Returns how well everybody is known who is a member of a space, or is trusted there.
fn members(node: &Node) -> BTreeMap<PeerId, Standing> {
    let webs = node.trust.webs();
    let everybody: BTreeSet<Did> = webs.iter().flat_map(|web| web.everybody()).collect();
    let is_on = node.trust.is_on_in(&webs);
    let stand = |did: &Did| {
        let trust_ppm = score_in(&webs, TrustContext::General, did);
        let is_known = trust_ppm > 0 || webs.iter().any(|web| web.has(did));
        let group = group_in(&webs, did).filter(|_| is_on).map(ShareId::from);
        let standing = Standing { trust_ppm, is_known, is_protected: false, group };
        is_known.then(|| (icn_identity::peer_id(did), standing))
    };
    everybody.iter().filter_map(stand).collect()
}

/// Lists the nodes on which members live whose keys are others: they showed it when books were reconciled. One member speaks
/// for so many, so that it cannot make a crowd known. Members of a space that nobody here belongs to speak for no one: whoever
/// founded it made them.
fn serving(node: &Node) -> BTreeMap<PeerId, Did> {
    let mut nodes = BTreeMap::new();
    for space in node.spaces.all() {
        let Some(web) = node.trust.web(&space.root).filter(|web| web.is_own) else { continue };
        let mut per_member: BTreeMap<Did, usize> = BTreeMap::new();
        for (peer, member) in space.replica().serving() {
            let count = per_member.entry(member).or_default();
            if web.has(&member) && *count < NODES_PER_MEMBER {
                *count += 1;
                nodes.insert(icn_identity::peer_id(&peer), member);
            }
        }
    }
    nodes
}

/// Dials peers of an earlier time that were refused until now.
fn meet(node: &Arc<Node>, is_wanted: impl Fn(&PeerId) -> bool) {
    let known = node.net.known_addresses().into_iter().map(|(peer, _)| peer).filter(is_wanted);
    for peer in known.take(DIALS_MAX) {
        let node = Arc::clone(node);
        tokio::spawn(async move {
            if let Err(error) = node.net.connect(peer).await {
                tracing::debug!(%peer, error = %error, "a trusted peer does not answer");
            }
        });
    }
}

/// Returns what all those get together of whom it is known that they belong to somebody, and no more: each of them alone gets
/// little, and all of them no more than a few.
fn isolated(verdict: &Verdict) -> Share {
    let together = |value: u32| value.saturating_mul(ISOLATED_TOGETHER);
    let limits = ShareLimits {
        messages_per_second: together(verdict.constraints.messages_per_second),
        burst: together(verdict.constraints.burst),
        streams_max: together(verdict.constraints.streams_max),
    };
    Share { group: ShareId([0; 32]), limits }
}

/// Finds what the peers of each branch get together.
fn groups(webs: &[Arc<Web>], judged: &[(PeerId, Did, Verdict)]) -> BTreeMap<Did, Share> {
    let hanging = judged.iter().filter_map(|(_, did, verdict)| {
        let group = group_in(webs, did)?;
        Some((group, part_in(webs, did), &verdict.constraints))
    });
    let share = |(group, limits): (Did, BranchLimits)| {
        let BranchLimits { messages_per_second, burst, streams_max } = limits;
        let limits = ShareLimits { messages_per_second, burst, streams_max };
        (group, Share { group: ShareId::from(group), limits })
    };
    BranchLimits::of_branches(hanging).into_iter().map(share).collect()
}

fn as_millis(time: Duration) -> icn_types::Duration {
    icn_types::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
