//! The demonstration, the live view, and what shells want.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::values::{self, Named};

/// See it work: real nodes on this machine run a job and check each other
///
/// Starts node processes of this program, each with its own key and folder, joined over QUIC. The first one submits a
/// job; the others bid, run it and leave a signed receipt, which is verified and then replayed on another node. The
/// nodes stay until Ctrl-C.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn demo
  icn demo --exit --json | jq .elapsed_ms
  icn demo --nodes 5
  icn demo --module mine.wasm --input data.csv=data.csv --arg --fast")]
pub(crate) struct DemoArgs {
    /// End the nodes when the job is done
    #[arg(long)]
    pub(crate) exit: bool,

    /// How many nodes to start
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(3..=32))]
    pub(crate) nodes: u64,

    /// Run this module instead of the word count
    #[arg(long, value_name = "M.wasm")]
    pub(crate) module: Option<PathBuf>,

    /// A file that the guest finds as /in/NAME; may be given several times
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = values::input)]
    pub(crate) inputs: Vec<Named>,

    /// An argument for the guest; may be given several times
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

/// Watch the node live: status, peers and jobs; `q` quits
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn console
  icn console --interval 250ms")]
pub(crate) struct ConsoleArgs {
    /// How often to ask the node
    #[arg(long, value_name = "D", default_value = "1s", value_parser = values::duration)]
    pub(crate) interval: icn_types::Duration,
}

/// Print a completion script for a shell
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn completions bash > ~/.local/share/bash-completion/completions/icn
  icn completions zsh > ~/.zfunc/_icn
  icn completions fish > ~/.config/fish/completions/icn.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Write the man pages of all commands to a folder
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder; it is made if it is missing
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Print the reference of icn.toml: every key, its default and its environment variable
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn config-reference > config.md")]
pub(crate) struct ConfigReferenceArgs {}
