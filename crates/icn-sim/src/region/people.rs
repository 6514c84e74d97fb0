//! Who there is, what they say of each other, and who let whom in: what the books of a space would say.

use std::collections::{BTreeMap, BTreeSet};

use icn_trust::{Edge, TrustGraph};
use icn_types::{Did, Duration, Timestamp, TrustContext};

use super::RegionBug;
use super::plan::{Plan, Pose};
use crate::random::Random;

/// A day in milliseconds.
pub(super) const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// When a world begins.
const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// How many regions, and clusters in each, honest nodes stand in.
const REGIONS: usize = 3;
const CLUSTERS: usize = 2;

/// A member of the community.
#[derive(Debug, Clone)]
pub(super) struct Honest {
    pub(super) did: Did,
    pub(super) is_here: bool,
    /// Whether it never leaves: stewards, and those whose nodes are looked at.
    pub(super) stays: bool,
    /// Whom it knows, by number.
    pub(super) friends: BTreeSet<usize>,
    /// The region and the cluster in which its node stands.
    pub(super) at: (usize, usize),
}

/// A made-up member, under its present name.
#[derive(Debug, Clone)]
pub(super) struct Sybil {
    pub(super) did: Did,
    /// Whether somebody let it in.
    pub(super) is_member: bool,
    /// Its address group.
    pub(super) corner: usize,
    /// Where it says that it stands, to whomever it talks.
    pub(super) pose: Pose,
}

/// What everybody said, kept apart from the graph that it goes into, to look the graph up by.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) said: BTreeMap<(TrustContext, Did, Did), Edge>,
    pub(super) graph: TrustGraph,
    /// The same without every word of or about the region.
    pub(super) without: TrustGraph,
    /// How many words were taken back.
    pub(super) taken_back: u64,
    planted: Option<RegionBug>,
}

/// Everybody.
#[derive(Debug)]
pub(super) struct People {
    pub(super) now: Timestamp,
    pub(super) honest: Vec<Honest>,
    pub(super) stewards: BTreeSet<Did>,
    pub(super) sybils: Vec<Sybil>,
    /// Every name that the region ever had.
    pub(super) names: BTreeSet<Did>,
    pub(super) introducers: BTreeMap<Did, Did>,
    pub(super) words: Words,
}

impl People {
    /// Makes honest members who do not know each other yet.
    pub(super) fn new(plan: &Plan, planted: Option<RegionBug>, random: &mut Random) -> Self {
        let mut honest: Vec<Honest> = (0..plan.honest)
            .map(|_| Honest {
                did: name(random),
                is_here: true,
                stays: false,
                friends: BTreeSet::new(),
                at: (random.index(REGIONS), random.index(CLUSTERS)),
            })
            .collect();
        // Stewards do not stand side by side on the ring.
        let apart = plan.honest / plan.stewards.max(1);
        let mut stewards = Vec::new();
        for member in honest.iter_mut().step_by(apart.max(1)).take(plan.stewards) {
            member.stays = true;
            stewards.push(member.did);
        }
        // Whose node is looked at stays: a steward among them.
        let mut left = plan.observed;
        if let Some(first) = honest.first_mut() {
            first.stays = true;
            left -= 1;
        }
        while left > 0 {
            let number = random.index(honest.len());
            if let Some(member) = honest.get_mut(number) {
                member.stays = true;
            }
            left -= 1;
        }
        let introducers = honest
            .iter()
            .filter(|member| !stewards.contains(&member.did))
            .filter_map(|member| Some((member.did, *stewards.get(random.index(stewards.len()))?)))
            .collect();
        Self {
            now: START,
            honest,
            stewards: stewards.into_iter().collect(),
            sybils: Vec::new(),
            names: BTreeSet::new(),
            introducers,
            words: Words { planted, ..Words::default() },
        }
    }

    /// Says how far one trusts another, from so long ago, perhaps until a day.
    pub(super) fn say(
        &mut self,
        graph: TrustContext,
        (from, to): (Did, Did),
        score_ppm: u32,
        age_days: u64,
        for_days: Option<u64>,
    ) {
        let given = Timestamp::from_millis(self.now.as_millis().saturating_sub(age_days * DAY_MS));
        let expires = for_days.map(|days| self.now.plus(Duration::from_millis(days * DAY_MS)));
        let edge = Edge { from, to, graph, score_ppm, given, expires };
        let is_honest = !self.names.contains(&from) && !self.names.contains(&to);
        self.words.say(edge, is_honest);
    }

    /// Returns a live word.
    pub(super) fn word(&self, graph: TrustContext, from: Did, to: Did) -> Option<&Edge> {
        self.words.said.get(&(graph, from, to)).filter(|word| word.is_live(self.now))
    }

    /// Lists the members of the space.
    pub(super) fn members(&self) -> BTreeSet<Did> {
        let honest = self.honest.iter().filter(|member| member.is_here).map(|member| member.did);
        honest.chain(self.sybils.iter().filter(|sybil| sybil.is_member).map(|sybil| sybil.did)).collect()
    }

    /// Lists what honest members say of the region: the attack edges, those that count.
    pub(super) fn attack_edges(&self) -> impl Iterator<Item = &Edge> {
        let crosses = |word: &&Edge| !self.names.contains(&word.from) && self.names.contains(&word.to);
        self.words.said.values().filter(crosses).filter(|word| word.is_live(self.now))
    }
}

impl Words {
    fn say(&mut self, mut edge: Edge, is_honest: bool) {
        let key = (edge.graph, edge.from, edge.to);
        let said = edge.clone();
        if self.planted == Some(RegionBug::NothingEnds) {
            edge.expires = None;
        }
        // Nobody says anything of itself, nor of more others than it may.
        if self.graph.set(&edge).is_err() {
            return;
        }
        if is_honest {
            self.without.set(&edge).ok();
        }
        self.said.insert(key, said);
    }

    /// Takes back what one said of another.
    pub(super) fn take_back(&mut self, graph: TrustContext, from: Did, to: Did) {
        let Some(said) = self.said.remove(&(graph, from, to)) else { return };
        self.taken_back += 1;
        if self.planted == Some(RegionBug::NothingTakenBack) {
            return;
        }
        let nothing = Edge { score_ppm: 0, ..said };
        self.graph.set(&nothing).ok();
        self.without.set(&nothing).ok();
    }

    /// Takes back every word that a test says yes to.
    pub(super) fn take_back_all(&mut self, goes: impl Fn(&Edge) -> bool) {
        let gone: Vec<_> = self.said.iter().filter(|(_, word)| goes(word)).map(|(key, _)| *key).collect();
        for (graph, from, to) in gone {
            self.take_back(graph, from, to);
        }
    }
}

/// Makes up a name.
pub(super) fn name(random: &mut Random) -> Did {
    let mut key = [0; 32];
    for part in key.chunks_mut(8) {
        part.copy_from_slice(&random.next().to_be_bytes());
    }
    Did::from_public_key(key)
}

/// Draws a number of parts per million.
pub(super) fn draw_ppm(random: &mut Random, low: u64, high: u64) -> u32 {
    u32::try_from(random.within((low, high))).unwrap_or(u32::MAX)
}
