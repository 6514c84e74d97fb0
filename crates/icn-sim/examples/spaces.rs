//! Runs federations of many seeds on all threads; `cargo xtask sim` starts it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use icn_sim::space::{Planted, SpaceOptions, SpaceReport, SpaceViolation, check_space};

/// How often the progress is shown.
const PROGRESS: Duration = Duration::from_secs(5);
/// How many seeds may pass until a planted bug is found.
const PLANTED_SEEDS: u64 = 1_000;

struct Run {
    from: u64,
    seeds: u64,
    planted: Option<Planted>,
    stops_at_first: bool,
    lines: usize,
}

#[derive(Default)]
struct Found {
    broken: Vec<SpaceViolation>,
    sums: SpaceReport,
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
    let (mut from, mut seeds, mut bugs, mut lines) = (0, 10_000, Vec::new(), icn_sim::space::STORY_LINES);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
        match argument.as_str() {
            "--from" => from = value()?.parse().map_err(|_| "`--from` takes a number".to_owned())?,
            "--seeds" => seeds = value()?.parse().map_err(|_| "`--seeds` takes a number".to_owned())?,
            "--lines" => lines = value()?.parse().map_err(|_| "`--lines` takes a number".to_owned())?,
            "--planted" => {
                let name = value()?;
                bugs = if name == "all" { Planted::ALL.to_vec() } else { vec![name.parse()?] };
            }
            other => return Err(format!("`{other}` is not known here: --from, --seeds, --planted")),
        }
    }
    if bugs.is_empty() {
        return Ok(sweep(&Run { from, seeds, planted: None, stops_at_first: false, lines }));
    }
    let mut all = true;
    for bug in bugs {
        let begun = Instant::now();
        let seeds = seeds.min(PLANTED_SEEDS);
        let found = search(&Run { from, seeds, planted: Some(bug), stops_at_first: true, lines });
        match found.broken.first() {
            Some(first) => {
                println!(
                    "{:<20} seed {:>4}, {:>6.1?}: {}",
                    bug.name(),
                    first.seed,
                    begun.elapsed(),
                    first.what
                );
            }
            None => {
                println!("{:<20} NOT FOUND within {seeds} seeds", bug.name());
                all = false;
            }
        }
    }
    Ok(all)
}

fn sweep(run: &Run) -> bool {
    let begun = Instant::now();
    let found = search(run);
    let Found { broken, sums } = found;
    if let Some(first) = broken.first() {
        let options = SpaceOptions { seed: first.seed, story: run.lines, ..SpaceOptions::default() };
        if let Err(violation) = check_space(&options) {
            println!("{violation}\n");
        }
        for violation in &broken {
            println!("seed {}: {}", violation.seed, violation.what);
        }
    }
    println!(
        "{} of {} worlds broke a promise; {:.1?}, {} virtual minutes",
        broken.len(),
        run.seeds,
        begun.elapsed(),
        sums.virtual_ms / 60_000
    );
    println!("{}", icn_sim::space::summary(&sums));
    broken.is_empty()
}

fn search(run: &Run) -> Found {
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let found = Mutex::new(Found::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= run.seeds || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let options = SpaceOptions {
                        seed: run.from + number,
                        planted: run.planted,
                        ..SpaceOptions::default()
                    };
                    let result = check_space(&options);
                    done.fetch_add(1, Ordering::Relaxed);
                    let Ok(mut found) = found.lock() else { return };
                    match result {
                        Ok(report) => found.sums.add(&report),
                        Err(violation) => {
                            found.broken.push(*violation);
                            stop.store(run.stops_at_first, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        if !run.stops_at_first {
            let mut shown = Instant::now();
            while done.load(Ordering::Relaxed) < run.seeds {
                std::thread::sleep(Duration::from_millis(50));
                if shown.elapsed() >= PROGRESS {
                    shown = Instant::now();
                    let broken = found.lock().map_or(0, |found| found.broken.len());
                    eprintln!("{} of {} seeds, {broken} broken", done.load(Ordering::Relaxed), run.seeds);
                }
            }
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.broken.sort_by_key(|violation| violation.seed);
    found
}
