//! What a crowd of made-up members gets: the set-up of the anchors, with generator, seeds and threshold fixed.
//!
//! 500 honest members, 1,000 sybils who all vouch for each other, `g` attack edges, 5 honest seeds; each figure is the mean of
//! three communities. Best path and walk accept from the score that 95 % of the honest reach; the maximum flow accepts by
//! the rule for 500 members of whom each brings in about nine others that nobody nearer brought in.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use icn_trust::{Admission, AdmissionRule, PathSettings, Paths, Snapshot, Walk, WalkSettings, shares};
use icn_types::{Did, TrustContext};

use support::GIVEN;
use support::community::{Community, Plan, community};

const SEEDS: [u64; 3] = [1, 2, 3];

fn plan(seed: u64, attack_edges: usize) -> Plan {
    Plan { seed, honest: 500, sybils: 1_000, attack_edges, seeds: 5 }
}

fn rule() -> AdmissionRule {
    AdmissionRule::for_members(500, 5, 9)
}

/// How many sybils reach the score that 95 % of the honest reach.
fn above_threshold(community: &Community, score: impl Fn(&Did) -> u64) -> usize {
    let mut honest: Vec<u64> = community.honest.iter().map(&score).collect();
    honest.sort_unstable();
    let threshold = honest.get(honest.len() / 20).copied().unwrap_or_default();
    community.sybils.iter().filter(|did| score(did) >= threshold).count()
}

fn of(group: &[Did], accepted: &BTreeSet<Did>) -> usize {
    group.iter().filter(|did| accepted.contains(did)).count()
}

#[test]
fn few_sybils_are_admitted_and_most_honest_members() {
    println!("| attack edges | best path | walk | walk, by introduction | max flow (honest accepted) |");
    for attack_edges in [1, 5, 10, 20, 40] {
        let [mut path, mut walk, mut rank, mut flow, mut honest] = [0; 5];
        for seed in SEEDS {
            let community = community(plan(seed, attack_edges));
            let snapshot = Snapshot::new(&community.graph, TrustContext::General, GIVEN, 365);
            let paths = Paths::new(&snapshot, &community.seeds, &PathSettings::default());
            path += above_threshold(&community, |did| u64::from(paths.score(&snapshot, did)));
            let steps = Walk::new(&snapshot, &community.seeds, &WalkSettings::default());
            walk += above_threshold(&community, |did| steps.weight(&snapshot, did));
            rank += above_threshold(&community, |did| steps.rank(&snapshot, did));
            let admission = Admission::new(&snapshot, &community.seeds, &rule());
            flow += of(&community.sybils, admission.accepted());
            honest += of(&community.honest, admission.accepted());
        }
        let mean = |sum: usize| sum as f64 / SEEDS.len() as f64;
        println!(
            "| {attack_edges} | {:.1} | {:.1} | {:.1} | {:.1} ({:.0}) |",
            mean(path),
            mean(walk),
            mean(rank),
            mean(flow),
            mean(honest)
        );
        if attack_edges <= 20 {
            assert!(mean(flow) <= 10.0, "{attack_edges} attack edges: {} sybils", mean(flow));
        }
        assert!(mean(honest) >= 470.0, "{attack_edges} attack edges: {} honest", mean(honest));
        assert!(mean(rank) <= attack_edges as f64, "the walk follows the attack edges: {}", mean(rank));
    }
}

#[test]
fn a_crowd_of_sybils_gets_at_most_its_cut_in_credit() {
    let capacity = 2_000_u64;
    for (seed, attack_edges) in SEEDS.into_iter().zip([1, 10, 40]) {
        let community = community(plan(seed, attack_edges));
        let snapshot = Snapshot::new(&community.graph, TrustContext::General, GIVEN, 365);
        let seeds: BTreeMap<Did, u64> = community.seeds.iter().map(|did| (*did, 100_000)).collect();
        // Everybody asks for 50; each introduction carries its score's part of 2,000.
        let all = community.honest.iter().chain(&community.sybils);
        let demands: BTreeMap<Did, u64> = all.map(|did| (*did, 50)).collect();
        let of_score = |by: &icn_trust::Introduction| capacity * u64::from(by.score_ppm) / 1_000_000;
        let shares = shares(&snapshot, &seeds, &demands, of_score);
        let crowd: BTreeSet<Did> = community.sybils.iter().copied().collect();
        let into = |by: &icn_trust::Introduction| crowd.contains(&by.to) && !crowd.contains(&by.from);
        let cut: u64 = snapshot.introductions().filter(into).map(|by| of_score(&by)).sum();
        let credit: u64 = community.sybils.iter().map(|did| shares.given[did]).sum();
        assert!(credit <= cut, "{credit} of credit through a cut of {cut}");
        assert_eq!(cut, 1_800 * attack_edges as u64);
        println!("{attack_edges} attack edges: {credit} of credit, a cut of {cut}, {} asked for", 50 * 1_000);
        assert!(credit == cut.min(50 * 1_000), "the crowd got all it could: {credit} of {cut}");
        let honest: u64 = community.honest.iter().map(|did| shares.given[did]).sum();
        assert_eq!(honest, 50 * 500, "honest members get what they ask for");
    }
}
