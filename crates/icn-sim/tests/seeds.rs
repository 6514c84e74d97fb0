//! Many worlds, each from one seed: whatever is lost, repeated, killed or lied, the promises hold.
//!
//! `ICN_SIM_SEEDS` sets how many; `ICN_SIM_SEED` runs one and prints its story.

use std::sync::atomic::{AtomicU64, Ordering};

use icn_sim::check_world;

const SEEDS: u64 = 320;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn promises_hold_in_many_worlds() {
    if let Some(seed) = number("ICN_SIM_SEED") {
        if let Err(violation) = check_world(seed, true) {
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
                if let Err(violation) = check_world(seed, false) {
                    broken.push((seed, violation.what));
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    if let Some((first, _)) = broken.iter().min_by_key(|(seed, _)| *seed) {
        let all: Vec<String> = broken.iter().map(|(seed, what)| format!("seed {seed}: {what}")).collect();
        let story = check_world(*first, true).err().map(|violation| violation.to_string());
        panic!(
            "{}\n{} of {seeds} worlds broke a promise:\n{}",
            story.unwrap_or_default(),
            all.len(),
            all.join("\n")
        );
    }
}
