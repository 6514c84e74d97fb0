//! The federation that runs from one seed.

use clap::Args;

/// Run a federation of virtual nodes from one seed, with every fault that the seed draws
///
/// The books, witnesses and reconciliations are those of real nodes; network, disks, clocks, users and cheats are made up
/// from the seed, so that the same seed gives the same run. It tells what happened last, and which promise was broken, if
/// one was. No node is needed.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Ends with 1 when a promise is broken.

Examples:
  icn simulate --seed 7
  icn simulate --seed 7 --nodes 12 --lines 500
  icn simulate --seed 7 --json | jq .forks")]
pub(crate) struct SimulateArgs {
    /// Which run
    #[arg(long, value_name = "N")]
    pub(crate) seed: u64,

    /// How many nodes [default: drawn from the seed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) nodes: Option<u64>,

    /// How many lines of the story to print
    #[arg(long, value_name = "N", default_value_t = icn_sim::space::STORY_LINES)]
    pub(crate) lines: usize,
}
