//! The federation that runs from one seed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Run a federation of virtual nodes from one seed, with every fault that the seed draws
///
/// The books, witnesses and reconciliations are those of real nodes; network, disks, clocks, users and cheats are made up
/// from the seed, so that the same seed gives the same run. It tells what happened last, and which promise was broken, if
/// one was. No node is needed.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Ends with 1 when a promise is broken.

Examples:
  icn simulate --seed 7
  icn simulate --seed 7 --nodes 12 --lines 500
  icn simulate --seed 7 --json | jq .forks
  icn simulate economy")]
pub(crate) struct SimulateArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SimulateCommand>,

    /// Which run
    #[arg(long, value_name = "N", required = true)]
    pub(crate) seed: Option<u64>,

    /// How many nodes [default: drawn from the seed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) nodes: Option<u64>,

    /// How many lines of the story to print
    #[arg(long, value_name = "N", default_value_t = icn_sim::space::STORY_LINES)]
    pub(crate) lines: usize,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SimulateCommand {
    Economy(EconomyArgs),
}

/// Run the credit policy of real spaces over simulated members, many times, and judge what the seeds claim of it
///
/// Lines, demurrage, splits and the check of every payment are the code that nodes run; habits and acquaintances of the
/// members are drawn from seeds. Prints means with their 95 % intervals, and a verdict for each claim whose scenarios were
/// run. `docs/economy.md` says how to read it. No node is needed.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Ends with 1 if any run broke a rule of the ledger: a sum that is not zero, or an account beyond its line.

Examples:
  icn simulate economy
  icn simulate economy --scenario baseline,demurrage --agents 1000 --days 730
  icn simulate economy --seeds 400 --csv runs.csv --json > report.json")]
pub(crate) struct EconomyArgs {
    /// Which scenarios, see --list
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "all")]
    pub(crate) scenario: Vec<String>,

    /// How many members
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) agents: u32,

    /// For how many days
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(90..=36_500))]
    pub(crate) days: u32,

    /// How many runs of each scenario
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) seeds: u32,

    /// The first seed; the others follow
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// How many threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) threads: Option<u32>,

    /// Write every run into this file, as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// List the scenarios and end
    #[arg(long)]
    pub(crate) list: bool,
}
