//! Sybil regions, each from one seed: whatever they do, they get no more than their attack edges carry.
//!
//! `ICN_SIM_SEEDS` sets how many; `ICN_SIM_SEED` runs one and prints its story. `cargo run --release -p icn-sim --example region` runs
//! many more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that goes wrong should stop")]

use icn_sim::region::{RegionBug, RegionOptions, RegionReport, Resource, check_region};

/// How many worlds an ordinary run takes.
const SEEDS: u64 = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) -> RegionReport {
    check_region(&RegionOptions { seed, ..RegionOptions::default() })
        .unwrap_or_else(|violation| panic!("{violation}"))
}

#[test]
fn a_region_gets_no_more_than_its_attack_edges_carry() {
    if let Some(seed) = number("ICN_SIM_SEED") {
        println!("{}\n{}", run(seed).story.join("\n"), run(seed));
        return;
    }
    let mut sums = RegionReport::new();
    std::thread::scope(|scope| {
        let seeds = number("ICN_SIM_SEEDS").unwrap_or(SEEDS);
        let runs: Vec<_> = (0..seeds).map(|seed| scope.spawn(move || run(seed))).collect();
        runs.into_iter().for_each(|run| sums.add(&run.join().unwrap()));
    });
    println!("{sums}");
    // It tries: a region that got nothing would show nothing.
    for resource in Resource::ALL {
        assert!(sums.of(resource).got > 0, "{}", resource.name());
    }
    assert!(sums.renamed > 0 && sums.taken_back > 0 && sums.ended > 0 && sums.discovered > 0);
}

#[test]
fn one_seed_is_one_run() {
    let run = || {
        let options =
            RegionOptions { seed: 3, steps: Some(6), observed: Some(2), ..RegionOptions::default() };
        let report = check_region(&options).unwrap();
        (report.to_string(), report.story)
    };
    assert_eq!(run(), run());
}

/// A planted bug is noticed within so many seeds. With few attack edges the bounds are low.
fn found_within(planted: RegionBug, attack_edges: usize, seeds: u64) {
    let found = (0..seeds).find(|seed| {
        let options = RegionOptions {
            seed: *seed,
            steps: Some(8),
            attack_edges: Some(attack_edges),
            observed: Some(4),
            planted: Some(planted),
        };
        check_region(&options).is_err()
    });
    assert!(found.is_some(), "{} was not noticed within {seeds} seeds", planted.name());
}

#[test]
fn credit_by_the_best_path_is_noticed() {
    found_within(RegionBug::CreditByPath, 2, 3);
}

#[test]
fn votes_by_the_best_path_are_noticed() {
    found_within(RegionBug::VotesByPath, 2, 3);
}

#[test]
fn messages_for_each_identity_are_noticed() {
    found_within(RegionBug::MessagesPerIdentity, 2, 10);
}

#[test]
fn a_crowd_of_partners_that_stand_for_themselves_is_noticed() {
    found_within(RegionBug::PartnersAlone, 2, 3);
}

#[test]
fn words_that_are_never_taken_back_are_noticed() {
    found_within(RegionBug::NothingTakenBack, 2, 3);
}

#[test]
fn words_that_never_end_are_noticed() {
    found_within(RegionBug::NothingEnds, 20, 10);
}

#[test]
fn strangers_that_rank_among_neighbours_are_noticed() {
    found_within(RegionBug::StrangersRank, 2, 3);
}

#[test]
fn places_for_everybody_are_noticed() {
    found_within(RegionBug::EverybodyEnters, 2, 3);
}
