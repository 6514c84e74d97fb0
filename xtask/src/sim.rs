//! `cargo xtask sim`: federations of replicas, from many seeds, on all threads.

use anyhow::Result;

use crate::shell::{self, cargo};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Plant each known bug in turn and fail unless the promises notice it; or only the named one.
    #[arg(long, num_args = 0..=1, default_missing_value = "all", value_name = "BUG")]
    planted: Option<String>,
}

/// Builds the program that runs them, and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let run = ["run", "--release", "--package", "icn-sim", "--example", "spaces", "--"];
    let mut command = cargo(run);
    command.args(["--from", &arguments.from.to_string(), "--seeds", &arguments.seeds.to_string()]);
    if let Some(bug) = &arguments.planted {
        command.args(["--planted", bug]);
    }
    shell::run(&mut command)
}
