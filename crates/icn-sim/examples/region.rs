//! Runs sybil regions of many seeds on all threads, and prints what they got beside what they could have got at most.
//!
//! `cargo run --release -p icn-sim --example region -- --seeds N --from K [--edges N] [--nodes N] [--steps N] [--planted NAME|all]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use icn_sim::region::{RegionBug, RegionOptions, RegionReport, RegionViolation, check_region};

/// How many seeds may pass until a planted bug is found.
const PLANTED_SEEDS: u64 = 100;

#[derive(Debug, Clone, Copy)]
struct Run {
    from: u64,
    seeds: u64,
    options: RegionOptions,
}

#[derive(Default)]
struct Found {
    broken: Vec<RegionViolation>,
    sums: RegionReport,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<bool, String> {
    let mut run = Run { from: 0, seeds: 100, options: RegionOptions::default() };
    let mut bugs = Vec::new();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{argument}` needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("`{argument}` takes a number"));
        let count = || number().map(|number| usize::try_from(number).ok());
        match argument.as_str() {
            "--from" => run.from = number()?,
            "--seeds" => run.seeds = number()?,
            "--nodes" => run.options.observed = count()?,
            "--edges" => run.options.attack_edges = count()?,
            "--steps" => run.options.steps = count()?,
            "--planted" if value == "all" => bugs = RegionBug::ALL.to_vec(),
            "--planted" => bugs = vec![value.parse()?],
            other => {
                return Err(format!(
                    "`{other}` is not known here: --from, --seeds, --edges, --nodes, --steps, --planted"
                ));
            }
        }
    }
    if bugs.is_empty() {
        return Ok(sweep(&run));
    }
    let missed = bugs.into_iter().filter(|bug| !is_found(&run, *bug)).count();
    Ok(missed == 0)
}

/// Tells whether a planted bug is noticed, and by what.
fn is_found(run: &Run, bug: RegionBug) -> bool {
    let begun = Instant::now();
    let seeds = run.seeds.min(PLANTED_SEEDS);
    let options = RegionOptions { planted: Some(bug), ..run.options };
    let found = search(&Run { seeds, options, ..*run });
    match found.broken.first() {
        Some(first) => {
            println!("{:<22} seed {:>3}, {:>6.1?}: {}", bug.name(), first.seed, begun.elapsed(), first.what);
        }
        None => println!("{:<22} NOT FOUND within {seeds} seeds", bug.name()),
    }
    !found.broken.is_empty()
}

fn sweep(run: &Run) -> bool {
    let begun = Instant::now();
    let Found { broken, sums } = search(run);
    if let Some(first) = broken.first() {
        println!("{first}\n");
    }
    for violation in &broken {
        println!("seed {} at step {}: {}", violation.seed, violation.step, violation.what);
    }
    println!("{} of {} worlds broke a promise; {:.1?}", broken.len(), run.seeds, begun.elapsed());
    println!("{sums}");
    broken.is_empty()
}

/// Runs all seeds; with a planted bug until the first one that is broken.
fn search(run: &Run) -> Found {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found = Mutex::new(Found { broken: Vec::new(), sums: RegionReport::new() });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= run.seeds || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let result = check_region(&RegionOptions { seed: run.from + number, ..run.options });
                    let Ok(mut found) = found.lock() else { return };
                    match result {
                        Ok(report) => found.sums.add(&report),
                        Err(violation) => {
                            found.broken.push(*violation);
                            stop.store(run.options.planted.is_some(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.broken.sort_by_key(|violation| violation.seed);
    found
}
