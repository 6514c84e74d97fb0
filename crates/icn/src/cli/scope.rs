//! In which space a command acts, as whom, and which part of a list it shows.

use clap::Args;

/// In which space, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which books")]
pub(crate) struct ScopeArgs {
    /// The space: its name, its DID or a beginning of that [default: the only one]
    #[arg(long, global = true, value_name = "NAME", env = "ICN_SPACE", hide_env_values = true)]
    pub(crate) space: Option<String>,

    /// Act as this identity of the node, see `icn id list` [default: the node's own, if it is a member]
    #[arg(long = "as", global = true, value_name = "NAME", env = "ICN_AS", hide_env_values = true)]
    pub(crate) identity: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PageArgs {
    /// How many to show, at most 100
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) limit: u64,

    /// How many to skip
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: u64,
}
