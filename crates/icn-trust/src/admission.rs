//! Admission from seeds, as Advogato did it: who may vote, who counts as a member of the network.
//!
//! Each member takes one place for itself and may bring in others; how many follows from its distance to the seeds. A
//! maximum flow of places from the seeds decides who gets one. Whoever lies far out can bring in nobody, so that an
//! introduction of a made-up crowd by an ordinary member admits few of it, however large it is.
//!
//! How many a distance may bring in is part of the rule, set by people and not counted from the graph: an attacker can add
//! members at any distance, and must not change what others may do.

use std::collections::{BTreeSet, VecDeque};

use icn_types::Did;
use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::flow::{CAPACITY_MAX, Dinic, Limit};
use crate::graph::PPM;
use crate::settings::range;
use crate::snapshot::Snapshot;

/// The most distances a rule may name.
pub const DISTANCES_MAX: usize = 16;
/// How much of what is needed a distance beyond the seeds may bring in, in parts per hundred: introductions overlap.
const SLACK_PERCENT: u64 = 130;

/// How places are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionRule {
    /// By distance from the seeds: how many places a member gets, its own included. Further out: none.
    pub capacities: Vec<u32>,
    /// Introductions below this, in parts per million, do not count.
    pub score_min_ppm: u32,
}

impl AdmissionRule {
    /// Makes a rule for a community of so many members and seeds, each of whom brings in about `fan_out` others that nobody
    /// nearer to the seeds brought in.
    ///
    /// All seeds together get as many places as there are members: a crowd can then come in only where a member does not,
    /// and places go to the nearest first. Further out each distance may bring in what is expected beyond it, and 30 % more.
    #[must_use]
    pub fn for_members(members: u32, seeds: u32, fan_out: u32) -> Self {
        let (members, fan_out) = (u64::from(members), u64::from(fan_out.max(2)));
        let mut width = u64::from(seeds.max(1));
        let mut within = 0;
        let mut capacities = Vec::new();
        while capacities.len() < DISTANCES_MAX {
            within += width;
            let beyond = members.saturating_sub(within);
            let slack = if capacities.is_empty() { 100 } else { SLACK_PERCENT };
            let places = 1 + (beyond * slack).div_ceil(width * 100);
            capacities.push(u32::try_from(places).unwrap_or(u32::MAX));
            if beyond == 0 {
                break;
            }
            width = (width * fan_out).min(beyond);
        }
        Self { capacities, score_min_ppm: 300_000 }
    }

    /// Checks all ranges.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what cannot be.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !(1..=DISTANCES_MAX).contains(&self.capacities.len()) {
            let len = self.capacities.len() as u64;
            return Err(range("capacities", len, "1 to 16 numbers"));
        }
        if self.capacities.contains(&0) {
            return Err(range("capacities", 0, "1 (the member alone) or more for each distance"));
        }
        if self.score_min_ppm > PPM {
            return Err(range("score_min_ppm", u64::from(self.score_min_ppm), "0 to 1000000"));
        }
        Ok(())
    }
}

/// Who was admitted, and why others were not.
#[derive(Debug, Clone)]
pub struct Admission {
    accepted: BTreeSet<Did>,
    /// By place in the order of DIDs: the distance from the seeds.
    distances: Vec<u32>,
    members: Vec<Did>,
    /// By node: whether one more could be brought there.
    inside: Vec<bool>,
    rule: AdmissionRule,
    dinic: Dinic,
}

/// Why somebody was not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No row of introductions leads from a seed to them within the distances of the rule.
    NotReached,
    /// Some do, but whoever stands on them has brought in as many as it may. Never empty.
    Full(Vec<Limit>),
}

const FAR: u32 = u32::MAX;

impl Admission {
    /// Gives the places. Seeds that no edge names are admitted too.
    #[must_use]
    pub fn new(snapshot: &Snapshot, seeds: &BTreeSet<Did>, rule: &AdmissionRule) -> Self {
        let distances = distances(snapshot, seeds, rule);
        let len = snapshot.len() as u32;
        // Node `2p` is where a member is brought in, `2p + 1` where it brings in others.
        let (source, sink) = (2 * len, 2 * len + 1);
        let mut dinic = Dinic::new(2 * snapshot.len() + 2, snapshot.arcs_len() + 2 * snapshot.len());
        let mut places = Vec::new();
        for seed in seeds.iter().filter_map(|did| snapshot.place(did)) {
            dinic.add(source, 2 * seed, CAPACITY_MAX);
        }
        for (member, distance) in (0..len).zip(&distances) {
            let Some(capacity) = rule.capacities.get(*distance as usize) else { continue };
            places.push((member, dinic.add(2 * member, sink, 1)));
            dinic.add(2 * member, 2 * member + 1, u64::from(capacity.saturating_sub(1)));
            for arc in snapshot.arcs(member).iter().filter(|arc| arc.score_ppm >= rule.score_min_ppm) {
                dinic.add(2 * member + 1, 2 * arc.to, CAPACITY_MAX);
            }
        }
        dinic.run(source, sink);
        let given = places.iter().filter(|(_, edge)| dinic.flow(*edge) > 0);
        let mut accepted: BTreeSet<Did> = given.filter_map(|(member, _)| snapshot.did(*member)).collect();
        accepted.extend(seeds);
        let inside = dinic.reachable(source);
        let members = snapshot.members().to_vec();
        Self { accepted, distances, members, inside, rule: rule.clone(), dinic }
    }

    /// Returns who was admitted.
    #[must_use]
    pub const fn accepted(&self) -> &BTreeSet<Did> {
        &self.accepted
    }

    /// Says why somebody was not admitted; nothing if they were.
    #[must_use]
    pub fn why_not(&self, did: &Did) -> Option<Refusal> {
        if self.accepted.contains(did) {
            return None;
        }
        let place = self.members.binary_search(did).ok();
        let reached = |place: &usize| self.distances.get(*place).is_some_and(|distance| *distance != FAR);
        let Some(place) = place.filter(reached) else { return Some(Refusal::NotReached) };
        // Back along introductions, from the member to those whose places are all given.
        let mut seen = BTreeSet::from([2 * place as u32]);
        let mut waiting = VecDeque::from([2 * place as u32]);
        let mut limits = BTreeSet::new();
        while let Some(node) = waiting.pop_front() {
            // The odd half of a pair lies with the node that the edge leads to.
            for (_, from, _) in self.dinic.of(node).filter(|(edge, _, _)| edge % 2 == 1) {
                if self.is_inside(from) {
                    limits.extend(self.limit(from / 2));
                } else if seen.insert(from) {
                    waiting.push_back(from);
                }
            }
        }
        Some(Refusal::Full(limits.into_iter().collect()))
    }

    fn is_inside(&self, node: u32) -> bool {
        self.inside.get(node as usize).copied().unwrap_or_default()
    }

    fn limit(&self, place: u32) -> Option<Limit> {
        let distance = *self.distances.get(place as usize)?;
        let capacity = u64::from(*self.rule.capacities.get(distance as usize)?);
        Some(Limit::Member { did: *self.members.get(place as usize)?, distance, capacity })
    }
}

/// The distance of each member from the seeds, by place; [`FAR`] beyond those of the rule.
fn distances(snapshot: &Snapshot, seeds: &BTreeSet<Did>, rule: &AdmissionRule) -> Vec<u32> {
    let mut distances = vec![FAR; snapshot.len()];
    let mut waiting: VecDeque<(u32, u32)> =
        seeds.iter().filter_map(|did| snapshot.place(did)).map(|place| (place, 0)).collect();
    for (place, _) in &waiting {
        if let Some(slot) = distances.get_mut(*place as usize) {
            *slot = 0;
        }
    }
    while let Some((place, distance)) = waiting.pop_front() {
        if distance as usize + 1 >= rule.capacities.len() {
            continue;
        }
        for arc in snapshot.arcs(place).iter().filter(|arc| arc.score_ppm >= rule.score_min_ppm) {
            if let Some(slot) = distances.get_mut(arc.to as usize).filter(|slot| **slot == FAR) {
                *slot = distance + 1;
                waiting.push_back((arc.to, distance + 1));
            }
        }
    }
    distances
}
