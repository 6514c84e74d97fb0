//! Many worlds, each from one seed: whatever is lost, repeated, killed or lied, the promises hold.
//!
//! `ICN_SIM_SEEDS` sets how many; `ICN_SIM_SEED` runs one and prints its story.

use std::sync::atomic::{AtomicU64, Ordering};

use icn_sim::{Cheat, random_world};

const SEEDS: u64 = 400;

/// How long after the last fault every job must be final: a job that nobody bids for waits 600 s.
const BOUND_MS: u64 = 1_000_000;

/// How long after that bids and receipts may still be about.
const AFTERMATH_MS: u64 = 400_000;

fn run(seed: u64, story: bool) -> Result<(), Box<icn_sim::Violation>> {
    let mut world = random_world(seed, story);
    world.run_until(90_000)?;
    let end = world.now_ms() + BOUND_MS;
    world.run_while(end, |world| !world.all_final())?;
    if world.has_cheat(Cheat::Pretends) {
        // Only its user's patience ends a job that its executor says it prepares.
        let (now, jobs) = (world.now_ms(), world.jobs());
        jobs.into_iter().for_each(|job| world.cancel_at(now, job, "it takes too long"));
        world.run_while(now + BOUND_MS, |world| !world.all_final())?;
    }
    let end = world.now_ms() + AFTERMATH_MS;
    world.run_until(end)?;
    world.check_quiet()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn promises_hold_in_many_worlds() {
    if let Some(seed) = number("ICN_SIM_SEED") {
        if let Err(violation) = run(seed, true) {
            panic!("{violation}");
        }
        return;
    }
    let (next, seeds) = (AtomicU64::new(0), number("ICN_SIM_SEEDS").unwrap_or(SEEDS));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let broken = std::thread::scope(|scope| {
        let work = || {
            let mut broken = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return broken;
                }
                if let Err(violation) = run(seed, false) {
                    broken.push((seed, violation.what));
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    if let Some((first, _)) = broken.iter().min_by_key(|(seed, _)| *seed) {
        let all: Vec<String> = broken.iter().map(|(seed, what)| format!("seed {seed}: {what}")).collect();
        let story = run(*first, true).err().map(|violation| violation.to_string());
        panic!(
            "{}\n{} of {seeds} worlds broke a promise:\n{}",
            story.unwrap_or_default(),
            all.len(),
            all.join("\n")
        );
    }
}
