//! Runs worlds from many seeds and prints the stories of those that break a promise.
//!
//! `cargo run --release -p icn-sim --example sweep -- FIRST COUNT`

use std::process::ExitCode;

use icn_sim::check_world;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (first, count) = match (numbers.next(), numbers.next()) {
        (None, _) => (0, 10_000),
        (Some(Ok(first)), None) => (first, 1),
        (Some(Ok(first)), Some(Ok(count))) => (first, count),
        _ => {
            eprintln!("usage: sweep [FIRST [COUNT]]");
            return ExitCode::from(2);
        }
    };
    let mut broken = 0_u64;
    for seed in first..first.saturating_add(count) {
        if check_world(seed, false).is_err() {
            broken += 1;
            if let Err(violation) = check_world(seed, true) {
                println!("{violation}\n");
            }
        }
    }
    println!("{broken} of {count} worlds broke a promise");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
