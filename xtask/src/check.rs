//! `cargo xtask check`: what a change must pass.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::shell::{self, cargo, ensure_cargo};
use crate::{docs, test};

/// The release of cargo-deny that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

/// A part of the check, by name.
type Phase = (&'static str, fn() -> Result<()>);

const PHASES: [Phase; 5] = [
    ("format", || shell::run(&mut cargo(["fmt", "--all", "--check"]))),
    ("lints", || shell::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))),
    ("licences and sources", deny),
    ("generated files", || docs::run(true)),
    ("tests", || test::run(&test::Arguments::default())),
];

/// Runs every phase, says at the end how long each took, and fails if one of them did.
pub(crate) fn run() -> Result<()> {
    let mut summary = String::new();
    let mut failed = Vec::new();
    for (name, phase) in PHASES {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = phase();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        summary.push_str(&format!("{name:24} {word:6} {:>6.1} s\n", start.elapsed().as_secs_f64()));
        if let Err(error) = outcome {
            eprintln!("{name}: {error:#}");
            failed.push(name);
        }
    }
    eprint!("\n{summary}");
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn deny() -> Result<()> {
    ensure_cargo("deny", CARGO_DENY)?;
    shell::run(&mut cargo(["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
}
