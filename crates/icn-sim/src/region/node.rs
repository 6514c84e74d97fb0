//! One honest node: whom it lets in, whom it has for neighbours, and what each of them may send.
//!
//! The rules are those that run: `icn_net`'s places and neighbours, `icn_trust`'s paths, branches, table and standing. What is
//! here does what `icn-node` (`trust/peers.rs`) and `icn-net` (`doors.rs`, `shared.rs`) do around them, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use icn_identity::peer_id;
use icn_net::neighbors::{NeighborSets, PeerMetadata, Placed};
use icn_net::slots::{Answer, Member, Rules, Slots};
use icn_net::{AddressGroup, Direction, NeighborLimits, PeerId, ShareId, Standing};
use icn_trust::{Action, Paths, Policy, Subtrees, TrustClass, Violation};
use icn_types::{Did, TopologyInfo};

use super::RegionBug;
use super::people::People;
use super::places::Seat;
use super::plan::Pose;
use super::reading::Reading;
use crate::random::Random;

/// Places of a node as it comes: all, for strangers, for strangers of one address group (`icn.toml`).
const PEERS_MAX: u32 = 100;
const STRANGERS_MAX: u32 = 50;
const STRANGERS_PER_GROUP: u32 = 8;
/// How far apart newcomers come: as far as places allow somebody to be put out again and again.
const ARRIVES_EVERY: Duration = Duration::from_secs(10);
/// How many honest members want to be connected, besides friends.
const CONTACTS: (u64, u64) = (0, 100);
/// How often a connection ends by itself in one step.
const BREAKS_PPM: u64 = 100_000;
/// How many sybils misbehave in one step, at most, and how often each of them.
const OFFENDERS: u64 = 4;
const OFFENCES: u64 = 25;
/// As many numbers further on nobody honest stands.
const ELSEWHERE: usize = 7;

/// Somebody who wants to be connected.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) did: Did,
    pub(super) is_sybil: bool,
    pub(super) is_member: bool,
    pub(super) corner: AddressGroup,
    pub(super) topology: TopologyInfo,
}

/// A node that is looked at.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) did: Did,
    pub(super) at: (usize, usize),
    contacts: BTreeSet<Did>,
    pub(super) policy: Policy,
    slots: Slots,
    pub(super) sets: NeighborSets,
    pub(super) limits: NeighborLimits,
    standing: icn_trust::Standing,
    planted: Option<RegionBug>,
    /// When it was started; only what has passed since counts.
    start: Instant,
    /// All who are connected.
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// What it makes of the web now.
    pub(super) view: Option<View>,
    /// What the region may be trusted with here at most.
    pub(super) ceiling_ppm: u32,
}

/// The web as a node reads it.
#[derive(Debug)]
pub(super) struct View {
    paths: Paths,
    pub(super) subtrees: Subtrees,
}

impl Node {
    pub(super) fn new(
        number: usize,
        people: &People,
        planted: Option<RegionBug>,
        start: Instant,
        random: &mut Random,
    ) -> Option<Self> {
        let member = people.honest.get(number)?;
        let mut contacts: BTreeSet<Did> =
            member.friends.iter().filter_map(|friend| Some(people.honest.get(*friend)?.did)).collect();
        for _ in 0..random.within(CONTACTS) {
            contacts.extend(people.honest.get(random.index(people.honest.len())).map(|other| other.did));
        }
        contacts.remove(&member.did);
        let mut salt = [0; 32];
        salt.iter_mut().for_each(|byte| *byte = random.next().to_be_bytes()[0]);
        let limits = NeighborLimits::default();
        Some(Self {
            did: member.did,
            at: member.at,
            contacts,
            policy: Policy::default(),
            slots: Slots::new(Rules::new(PEERS_MAX, Some((STRANGERS_MAX, STRANGERS_PER_GROUP)), 0)),
            sets: NeighborSets::new(topology(member.at), limits, salt),
            limits,
            standing: icn_trust::Standing::default(),
            planted,
            start,
            peers: BTreeMap::new(),
            view: None,
            ceiling_ppm: 0,
        })
    }

    /// From whom it reads trust.
    pub(super) fn sources(&self, people: &People) -> BTreeSet<Did> {
        people.stewards.iter().copied().chain([self.did]).collect()
    }

    /// One step: the web is read, peers go, peers come, neighbours are placed.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub(super) fn step(
        &mut self,
        people: &People,
        reading: &Reading,
        elapsed: Duration,
        random: &mut Random,
    ) -> Result<(), String> {
        self.read(people, reading);
        let mut wanting = self.wanting(people);
        self.depart(&wanting, reading, random);
        self.misbehave(people, random);
        let mut now = self.start + elapsed;
        self.place_all(now, reading)?;
        while !wanting.is_empty() {
            let peer = wanting.swap_remove(random.index(wanting.len()));
            now += ARRIVES_EVERY;
            self.arrive(now, peer, people, reading)?;
        }
        self.place_all(now, reading)
    }

    /// Reads the web from here.
    fn read(&mut self, people: &People, reading: &Reading) {
        let sources = self.sources(people);
        let paths = Paths::new(&reading.general, &sources, &reading.settings.path);
        let partner = reading.settings.cutoffs.partner;
        let subtrees = if self.planted == Some(RegionBug::PartnersAlone) {
            let named = people.honest.iter().map(|member| member.did).chain(people.names.iter().copied());
            let is_partner =
                |did: &Did| sources.contains(did) || paths.score(&reading.general, did) >= partner;
            Subtrees::new(&people.introducers, &named.filter(is_partner).collect())
        } else {
            Subtrees::read(&reading.general, &paths, &sources, people.introducers.clone(), partner)
        };
        self.view = Some(View { paths, subtrees });
        self.ceiling_ppm = super::bound::ceiling(reading, &sources);
    }

    /// How much somebody is trusted here, in parts per million.
    pub(super) fn score(&self, reading: &Reading, did: &Did) -> u32 {
        if self.did == *did {
            return icn_types::SCORE_MAX_PPM;
        }
        self.view
            .as_ref()
            .map_or(0, |view| view.paths.score(&reading.general, did).min(icn_types::SCORE_MAX_PPM))
    }

    /// The class of somebody; a score below the least one counts as none.
    pub(super) fn class(&self, reading: &Reading, score_ppm: u32) -> TrustClass {
        if score_ppm < reading.settings.default_min_score_ppm {
            return TrustClass::Isolated;
        }
        reading.settings.cutoffs.class(score_ppm)
    }

    /// What follows from what somebody did.
    pub(super) fn action(&self, people: &People, did: &Did) -> Action {
        self.standing.action(did, people.now)
    }

    fn standing_of(&self, reading: &Reading, peer: &Peer) -> Standing {
        let trust_ppm = self.score(reading, &peer.did);
        let branch = self.view.as_ref().and_then(|view| view.subtrees.branch(&peer.did));
        let group = branch.map(ShareId::from);
        Standing { trust_ppm, is_known: peer.is_member || trust_ppm > 0, is_protected: false, group }
    }

    /// All who want to be connected: contacts that are here, and the whole region.
    fn wanting(&self, people: &People) -> Vec<Peer> {
        let honest = people.honest.iter().zip(0_u32..).filter(|(member, _)| {
            member.is_here && member.did != self.did && self.contacts.contains(&member.did)
        });
        let honest = honest.map(|(member, number)| {
            let [_, _, high, low] = number.to_be_bytes();
            Peer {
                did: member.did,
                is_sybil: false,
                is_member: true,
                corner: AddressGroup::V4([10, high, low]),
                topology: topology(member.at),
            }
        });
        let sybils = people.sybils.iter().map(|sybil| {
            let (region, cluster) = self.at;
            let at = match sybil.pose {
                Pose::Cluster => (region, cluster),
                Pose::Region => (region, cluster + ELSEWHERE),
                Pose::Elsewhere => (region + ELSEWHERE, cluster),
            };
            Peer {
                did: sybil.did,
                is_sybil: true,
                is_member: sybil.is_member,
                corner: AddressGroup::V4([11, 0, u8::try_from(sybil.corner).unwrap_or(u8::MAX)]),
                topology: topology(at),
            }
        });
        honest.chain(sybils).collect()
    }

    /// Whoever is not here any more leaves; so do some others, and strangers beyond their places.
    fn depart(&mut self, wanting: &[Peer], reading: &Reading, random: &mut Random) {
        let here: BTreeMap<PeerId, &Peer> = wanting.iter().map(|peer| (peer_id(&peer.did), peer)).collect();
        let connected: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in connected {
            match here.get(&id) {
                Some(peer) if !random.chance(BREAKS_PPM) => {
                    self.peers.insert(id, (*peer).clone());
                    let standing = self.standing_of(reading, peer);
                    if let Some(member) = self.slots.get_mut(&id) {
                        member.standing = standing;
                    }
                }
                _ => self.leave(&id),
            }
        }
        for id in self.slots.surplus() {
            self.leave(&id);
        }
    }

    fn leave(&mut self, id: &PeerId) {
        self.slots.leave(id);
        self.sets.remove(id);
        self.peers.remove(id);
    }

    /// Some of the region send what is no message, and are banned where it is too much.
    fn misbehave(&mut self, people: &People, random: &mut Random) {
        for _ in 0..random.within((0, OFFENDERS)) {
            let Some(sybil) = people.sybils.get(random.index(people.sybils.len())) else { return };
            let id = peer_id(&sybil.did);
            if !self.peers.contains_key(&id) {
                continue;
            }
            for _ in 0..random.within((1, OFFENCES)) {
                self.standing.record(people.now, sybil.did, Violation::Malformed, None);
            }
            if matches!(self.action(people, &sybil.did), Action::Ban { .. }) {
                self.leave(&id);
            }
        }
    }

    fn arrive(&mut self, now: Instant, peer: Peer, people: &People, reading: &Reading) -> Result<(), String> {
        let id = peer_id(&peer.did);
        let is_banned = matches!(self.action(people, &peer.did), Action::Ban { .. });
        if is_banned || self.peers.contains_key(&id) {
            return Ok(());
        }
        let mut standing = self.standing_of(reading, &peer);
        if self.planted == Some(RegionBug::EverybodyEnters) {
            standing = Standing { trust_ppm: icn_types::SCORE_MAX_PPM, ..standing };
        }
        match self.slots.ask(now, &id, standing, Direction::Inbound, Some(peer.corner)) {
            Answer::Enter => {}
            Answer::Replace(victim) => {
                self.check_gives_way(reading, &peer, &victim, Seat::Connection)?;
                self.leave(&victim);
            }
            Answer::Refuse(refusal) => return self.check_refused(reading, &peer, refusal),
        }
        let tie = self.tie(&id);
        let from = Some(peer.corner);
        let direction = Direction::Inbound;
        let member = Member { standing, direction, from, since: now, steadiness: 0, tie, is_leaving: false };
        self.slots.enter(id, member);
        self.peers.insert(id, peer);
        self.place(reading, id)
    }

    fn tie(&self, id: &PeerId) -> u64 {
        let bytes = id.to_bytes();
        bytes.iter().rev().take(8).fold(0, |tie, byte| tie << 8 | u64::from(*byte))
    }

    /// Places a connected peer among the neighbours.
    fn place(&mut self, reading: &Reading, id: PeerId) -> Result<(), String> {
        let (Some(peer), Some(member)) = (self.peers.get(&id), self.slots.get(&id)) else { return Ok(()) };
        let peer = peer.clone();
        let mut trust_ppm = self.score(reading, &peer.did);
        if self.planted == Some(RegionBug::StrangersRank) && trust_ppm == 0 {
            trust_ppm = icn_types::SCORE_MAX_PPM;
        }
        let metadata = PeerMetadata {
            topology: peer.topology.clone(),
            rtt: None,
            trust_ppm,
            is_protected: false,
            connected_at: member.since,
            steadiness: member.steadiness,
        };
        match self.sets.place(id, metadata) {
            Placed::In { evicted: Some(victim), .. } => {
                self.check_gives_way(reading, &peer, &victim, Seat::Neighbor)
            }
            Placed::In { evicted: None, .. } | Placed::Rejected => Ok(()),
        }
    }

    /// Places all anew, the best first.
    fn place_all(&mut self, now: Instant, reading: &Reading) -> Result<(), String> {
        let mut ranked: Vec<_> = self
            .peers
            .iter()
            .filter_map(|(id, peer)| {
                let since = self.slots.get(id)?.since;
                Some((self.score(reading, &peer.did), now.saturating_duration_since(since), *id))
            })
            .collect();
        ranked.sort_unstable();
        for (_, _, id) in ranked.into_iter().rev() {
            self.place(reading, id)?;
        }
        Ok(())
    }
}

/// The topology of a node at a place.
pub(super) fn topology((region, cluster): (usize, usize)) -> TopologyInfo {
    TopologyInfo {
        region: format!("r{region}").parse().ok(),
        cluster_id: format!("c{cluster}").parse().ok(),
        ..TopologyInfo::default()
    }
}
