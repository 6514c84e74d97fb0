//! Federations of replicas, each from one seed: whatever is lost, forked, killed or lied, the promises hold.
//!
//! `ICN_SIM_SEEDS` sets how many; `ICN_SIM_SEED` runs one and prints its story. `cargo xtask sim` runs many more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that goes wrong should stop")]

use std::sync::atomic::{AtomicU64, Ordering};

use icn_sim::space::{Planted, STORY_LINES, SpaceOptions, check_space};

/// How many federations an ordinary run takes.
const SEEDS: u64 = 300;
/// Federations that once broke a promise, beyond those.
const ONCE_BROKEN: [u64; 3] = [9_686, 100_249, 4_899];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, tells: bool) -> Result<(), (u64, String)> {
    let story = if tells { STORY_LINES } else { 0 };
    let options = SpaceOptions { seed, story, ..SpaceOptions::default() };
    check_space(&options).map(drop).map_err(|violation| (seed, violation.to_string()))
}

/// Runs seeds on all threads until they are through, or one says to stop.
fn on_all_threads<T: Send>(seeds: u64, work: impl Fn(u64) -> Option<T> + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let worker = || {
            let mut found = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return found;
                }
                found.extend(work(seed));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn promises_hold_in_many_federations() {
    if let Some(seed) = number("ICN_SIM_SEED") {
        if let Err((_, violation)) = run(seed, true) {
            panic!("{violation}");
        }
        return;
    }
    let seeds = number("ICN_SIM_SEEDS").unwrap_or(SEEDS);
    let mut broken = on_all_threads(seeds, |seed| run(seed, false).err());
    broken.sort();
    if let Some((first, _)) = broken.first() {
        let story = run(*first, true).err().map(|(_, story)| story).unwrap_or_default();
        let all: Vec<String> =
            broken.iter().map(|(_, what)| what.lines().last().unwrap_or("").to_owned()).collect();
        panic!("{story}\n{} of {seeds} federations broke a promise:\n{}", all.len(), all.join("\n"));
    }
}

#[test]
fn what_was_broken_once_holds() {
    for seed in ONCE_BROKEN {
        if let Err((_, violation)) = run(seed, true) {
            panic!("{violation}");
        }
    }
}

#[test]
fn one_seed_is_one_run() {
    let run = |story| {
        let options = SpaceOptions { seed: 7, story, ..SpaceOptions::default() };
        check_space(&options)
            .map(|report| (report.turns, report.entries, report.virtual_ms, report.sessions))
            .unwrap()
    };
    assert_eq!(run(0), run(STORY_LINES));
}

/// A planted bug is noticed within so many seeds; `cargo xtask sim --planted` runs those that take longer.
fn found_within(planted: Planted, seeds: u64) {
    let found = (0..seeds).find(|seed| {
        let options = SpaceOptions { seed: *seed, planted: Some(planted), ..SpaceOptions::default() };
        check_space(&options).is_err()
    });
    assert!(found.is_some(), "{} was not noticed within {seeds} seeds", planted.name());
}

#[test]
fn entries_that_leave_before_they_are_durable_are_noticed() {
    found_within(Planted::PublishFirst, 100);
}

#[test]
fn answers_before_durability_are_noticed() {
    found_within(Planted::AnswerFirst, 100);
}

#[test]
fn forgotten_votes_are_noticed() {
    found_within(Planted::VotesForgotten, 100);
}

#[test]
fn unconfirmed_writing_is_noticed() {
    found_within(Planted::NoConfirming, 1_000);
}

#[test]
fn verdicts_by_current_state_are_noticed() {
    found_within(Planted::CurrentState, 100);
}

#[test]
fn paying_twice_is_noticed() {
    found_within(Planted::KeyLost, 100);
}

#[test]
fn a_disk_that_loses_its_last_entry_is_noticed() {
    found_within(Planted::LastEntryLost, 100);
}

#[test]
fn writing_without_asking_the_books_is_noticed() {
    found_within(Planted::NoPreview, 100);
}

#[test]
fn believing_any_certificate_is_noticed() {
    found_within(Planted::AnyCertificate, 1_000);
}

#[test]
fn accepting_what_no_quorum_has_seen_is_noticed() {
    found_within(Planted::AcceptUncertified, 1_000);
}

#[test]
fn a_node_that_never_reconciles_is_noticed() {
    found_within(Planted::DeafToSync, 100);
}

#[test]
fn sessions_that_break_without_a_word_are_noticed() {
    found_within(Planted::SilentBreaks, 100);
}

#[test]
fn believing_any_approval_of_a_treasury_is_noticed() {
    found_within(Planted::AnyApproval, 200);
}
