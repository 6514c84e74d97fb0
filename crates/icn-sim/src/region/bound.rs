//! What the region may get at most, derived from its attack edges and from who let it in.
//!
//! Each bound follows from a cut or from a table, and from nothing that the region can make more of by itself:
//!
//! - credit: what the attack edges carry, each as much as its score;
//! - votes: the capacity of each deceived member by its distance from the stewards, less its own place;
//! - identities that stand for themselves: what the attack edges carry, five times their score each, divided by the score of a
//!   partner, which each identity takes;
//! - the ceiling: no sybil is trusted more by the best path than the best attack edge leaves at its end, as no hop raises a
//!   value;
//! - messages: what the class of the ceiling gives for each end of an attack edge; what the class a hop further gives for each
//!   identity that stands for itself, and five times that below each member that stands for itself and has let sybils in; one a
//!   second for each branch, since a part of a limit is one at least; and what strangers get together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use icn_trust::{GROUPS_PER_INTRODUCER, Introduction, PathSettings, Paths};
use icn_types::{Did, TrustContext};

use super::reading::Reading;

/// Full trust.
const FULL: u128 = 1_000_000;

/// How much trust in money crosses into the region, in parts per million.
pub(super) fn credit(reading: &Reading) -> u64 {
    reading.crossing(TrustContext::Ledger).iter().map(|by| u64::from(by.score_ppm)).sum()
}

/// How many of the region are admitted at most.
pub(super) fn votes(reading: &Reading, stewards: &BTreeSet<Did>) -> u64 {
    let counts = |by: &&Introduction| by.score_ppm >= reading.rule.score_min_ppm;
    let crossing = reading.crossing(TrustContext::Governance).iter().filter(counts);
    let deceived: BTreeSet<Did> = crossing.map(|by| by.from).collect();
    let distances = distances(reading, stewards);
    let others = |did: &Did| {
        let distance = distances.get(did).copied()?;
        Some(u64::from(reading.rule.capacities.get(distance)?.saturating_sub(1)))
    };
    deceived.iter().filter_map(others).sum()
}

/// How far everybody is from the stewards.
fn distances(reading: &Reading, stewards: &BTreeSet<Did>) -> BTreeMap<Did, usize> {
    let mut out: BTreeMap<Did, Vec<Did>> = BTreeMap::new();
    for by in reading.governance.introductions().filter(|by| by.score_ppm >= reading.rule.score_min_ppm) {
        out.entry(by.from).or_default().push(by.to);
    }
    let mut distances: BTreeMap<Did, usize> = stewards.iter().map(|did| (*did, 0)).collect();
    let mut waiting: VecDeque<Did> = stewards.iter().copied().collect();
    while let Some(did) = waiting.pop_front() {
        let next = distances.get(&did).map_or(0, |distance| distance + 1);
        for to in out.get(&did).into_iter().flatten() {
            if !distances.contains_key(to) {
                distances.insert(*to, next);
                waiting.push_back(*to);
            }
        }
    }
    distances
}

/// How many of the region stand for themselves at a node, at most.
pub(super) fn alone(reading: &Reading) -> u64 {
    let carries = |by: &Introduction| GROUPS_PER_INTRODUCER * u64::from(by.score_ppm);
    let cut: u64 = reading.crossing(TrustContext::General).iter().map(carries).sum();
    cut / u64::from(reading.settings.cutoffs.partner)
}

/// How much a node trusts any sybil at most, in parts per million, if it trusts honest members so much: as without the region.
pub(super) fn ceiling(reading: &Reading, sources: &BTreeSet<Did>) -> u32 {
    let path = PathSettings::default();
    let paths = Paths::new(&reading.without, sources, &path);
    let left = |by: &Introduction| {
        let is_source = sources.contains(&by.from);
        let before = if is_source { 1_000_000 } else { paths.score(&reading.without, &by.from) };
        let decay = if is_source { 1_000_000 } else { path.hop_decay_ppm };
        let product = u128::from(before) * u128::from(by.score_ppm) * u128::from(decay);
        u32::try_from(product / (FULL * FULL)).unwrap_or(u32::MAX)
    };
    reading.crossing(TrustContext::General).iter().map(left).max().unwrap_or(0)
}
