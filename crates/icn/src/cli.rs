//! What can be typed: every command, flag and help text. Completions and man pages come from here too.

mod coins;
mod content;
mod dispute;
mod hold;
mod job;
mod ledger;
mod node;
mod overview;
mod receipt;
mod scope;
mod simulate;
mod space;
mod tools;
mod treasury;
mod trust;
pub(crate) mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::coins::{
    DemurrageCommand, RecurringAddArgs, RecurringCommand, RecurringEndArgs, RecurringListArgs, TransfersArgs,
    WriteOffArgs,
};
pub(crate) use self::content::{AddArgs, CatArgs, GetArgs, StatArgs};
pub(crate) use self::dispute::{DisputeCommand, DisputeFileArgs, DisputeListArgs, DisputeResolveArgs};
pub(crate) use self::hold::{HoldCaptureArgs, HoldClaimArgs, HoldCommand, HoldListArgs, HoldPlaceArgs};
pub(crate) use self::job::{CancelArgs, JobCommand, JobRunArgs, ListArgs, LogsArgs, WaitArgs};
pub(crate) use self::ledger::{
    AskArgs, BalanceArgs, EntriesArgs, ExplainArgs, ExportArgs, GiveUpArgs, GrantArgs, HistoryArgs,
    LedgerArgs, LedgerCommand, LimitsArgs, OpenListArgs, PayArgs, TurnArgs, WatchArgs,
};
pub(crate) use self::node::{BackupArgs, IdCommand, IdNewArgs, IdShowArgs, InitArgs, NodeArgs, RestoreArgs};
pub(crate) use self::overview::{HealthArgs, StatementArgs};
pub(crate) use self::receipt::{ReceiptArgs, ReceiptCommand, ReceiptExportArgs};
pub(crate) use self::scope::{PageArgs, ScopeArgs};
pub(crate) use self::simulate::{EconomyArgs, SimulateArgs, SimulateCommand};
pub(crate) use self::space::{
    SpaceArgs, SpaceCommand, SpaceCreateArgs, SpaceCurrencyArgs, SpaceFollowArgs, SpaceInviteArgs,
    SpaceJoinArgs, SpacePolicyArgs, SpaceTreasuryArgs, SpaceUnfollowArgs, SpaceWitnessesArgs, YesNo,
};
pub(crate) use self::tools::{CompletionsArgs, ConfigReferenceArgs, ConsoleArgs, DemoArgs, ManArgs};
pub(crate) use self::treasury::{
    BudgetCommand, BudgetEndArgs, BudgetListArgs, BudgetSetArgs, FromArgs, ProposalCommand, ProposalListArgs,
    ProposalTurnArgs,
};
pub(crate) use self::trust::{
    ReputationArgs, ReputationCommand, TrustAddArgs, TrustArgs, TrustCommand, TrustListArgs, TrustPathArgs,
    TrustRevokeArgs,
};

const AFTER_HELP: &str = "\
Examples:
  icn demo                                see it work: three nodes on this machine run a job
  icn init && icn node                    become a member and start the node
  icn job run count.wasm --input a.txt=a.txt -o results
  icn ledger pay bob 2.50 hours           pay a member of your co-op: see `icn space --help` first
  icn status --json                       for scripts: JSON on stdout, all else on stderr

Exit codes:
  0 done             3 no node answers
  1 failed           4 not found
  2 wrong usage      5 refused by a policy
`icn job run` and `icn job wait` end with the job's own code: see `icn job run --help`.";

/// ICN, the InterCooperative Network: share computing among equals, from one command
#[derive(Debug, Parser)]
#[command(name = "icn", version, propagate_version = true, after_long_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Print JSON on stdout, for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// The node's folder [default: $XDG_DATA_HOME/icn or ~/.local/share/icn]
    #[arg(long, global = true, value_name = "DIR", env = "ICN_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,

    /// Where the node's API answers; with `icn node`, where it listens [default: read from node.json in the node's
    /// folder]
    #[arg(long, global = true, value_name = "HOST:PORT", env = "ICN_API", hide_env_values = true)]
    pub(crate) api: Option<String>,

    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub(crate) color: ColorChoice,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Even into a file
    Always,
    /// Not at all
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(InitArgs),
    Node(NodeArgs),
    #[command(flatten)]
    Ask(Question),
    Restore(RestoreArgs),
    Simulate(SimulateArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    ConfigReference(ConfigReferenceArgs),
}

/// Commands that talk to a node.
#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// Show how the node is, at a glance
    #[command(after_long_help = "Examples:\n  icn status\n  icn status --json | jq .peers")]
    Status,
    /// List the peers that the node is connected to
    #[command(after_long_help = "Examples:\n  icn peers\n  icn peers --json | jq -r '.items[].did'")]
    Peers,
    /// Show who the node is, and look after the identities that it holds
    #[command(subcommand)]
    Id(IdCommand),
    Add(AddArgs),
    Get(GetArgs),
    Cat(CatArgs),
    Stat(StatArgs),
    /// Run jobs and look after them
    #[command(subcommand)]
    Job(JobCommand),
    Space(SpaceArgs),
    Ledger(LedgerArgs),
    Trust(TrustArgs),
    Reputation(ReputationArgs),
    /// Read, verify and replay receipts
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Check clock, ports, disk, keystore, configuration, node and peers, and say what to do
    #[command(after_long_help = "\
Ends with 1 when a check fails; warnings do not count.

Examples:
  icn doctor
  icn doctor --json | jq -r '.checks[] | select(.state != \"ok\") | .advice'")]
    Doctor,
    Demo(DemoArgs),
    Console(ConsoleArgs),
    Backup(BackupArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_may_follow_the_command() {
        for line in ["icn --json status", "icn status --json", "icn job list --json"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json, "{line}");
        }
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(command: &clap::Command) {
            let leaf = command.get_subcommands().next().is_none();
            let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(!leaf || examples.contains("Examples:\n  icn "), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
