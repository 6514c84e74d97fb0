//! Who trusts whom, and the reputation of executors.

use clap::{Args, Subcommand};
use icn_types::TrustContext;

use super::scope::{PageArgs, ScopeArgs};
use super::values;

/// Say whom you trust, and see what follows from it
///
/// What a member says of others stands in the common books. From it follow limits: how many messages a second a node may
/// send, which jobs it may run, how large a credit line may be.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TrustCommand {
    Add(TrustAddArgs),
    Revoke(TrustRevokeArgs),
    List(TrustListArgs),
    Path(TrustPathArgs),
    /// List those who did something wrong towards this node, and what follows from it
    #[command(
        after_long_help = "Examples:\n  icn trust offenders\n  icn trust offenders --json | jq -r '.items[] | select(.action == \"ban\") | .did'"
    )]
    Offenders(PageArgs),
    /// Forgive somebody what it did: its limits are as trust has them again
    #[command(after_long_help = "Examples:\n  icn trust forgive did:icn:4vJ9…")]
    Forgive(DidArg),
}

/// Names somebody by DID.
#[derive(Debug, Clone, Args)]
pub(crate) struct DidArg {
    /// Who
    #[arg(value_name = "DID")]
    pub(crate) did: icn_types::Did,
}

/// In which matter.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ContextArg {
    /// In which matter: general, ledger, compute or governance
    #[arg(long = "in", value_name = "MATTER", default_value = "general")]
    pub(crate) context: TrustContext,
}

/// Say how far you trust somebody
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
0.1 is known, 0.3 a partner, 0.7 close, 0.9 intimate: see docs/trust.md. Whoever is trusted by nobody is isolated.
What was said before about the same member in the same matter is replaced.

Examples:
  icn trust add bob 0.7
  icn trust add bob 70% --in compute --expires 90d --note 'ran our jobs for a year'")]
pub(crate) struct TrustAddArgs {
    /// Whom: a nickname, or anybody by DID
    #[arg(value_name = "WHOM")]
    pub(crate) of: String,

    /// How far: a part of full trust, such as 0.7 or 70%
    #[arg(value_name = "SCORE", value_parser = values::score)]
    pub(crate) score: String,

    #[command(flatten)]
    pub(crate) context: ContextArg,

    /// After how long it ends, such as 90d
    #[arg(long, value_name = "TIME", value_parser = values::long_seconds)]
    pub(crate) expires: Option<u64>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

/// Take back what you said of somebody
#[derive(Debug, Clone, Args)]
#[command(
    after_long_help = "Examples:\n  icn trust revoke bob\n  icn trust revoke bob --in compute --note 'lost a receipt'"
)]
pub(crate) struct TrustRevokeArgs {
    /// Whom: a nickname or a DID
    #[arg(value_name = "WHOM")]
    pub(crate) of: String,

    #[command(flatten)]
    pub(crate) context: ContextArg,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

/// List who trusts whom
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn trust list
  icn trust list --of bob
  icn trust list --by ann --in ledger --json | jq -r '.items[].to.did'")]
pub(crate) struct TrustListArgs {
    /// Only what this member says
    #[arg(long, value_name = "WHO")]
    pub(crate) by: Option<String>,

    /// Only what is said of this one
    #[arg(long, value_name = "WHOM")]
    pub(crate) of: Option<String>,

    /// Only in this matter: general, ledger, compute or governance
    #[arg(long = "in", value_name = "MATTER")]
    pub(crate) context: Option<TrustContext>,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Explain how far somebody is trusted: the path, what bounds it, and what it allows
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
With one name, from the point of view of this node; with two, from that of the first.

Examples:
  icn trust path bob
  icn trust path ann bob --in ledger")]
pub(crate) struct TrustPathArgs {
    /// From whose point of view, and in whom; or only in whom
    #[arg(value_name = "WHO", num_args = 1..=2, required = true)]
    pub(crate) who: Vec<String>,

    #[command(flatten)]
    pub(crate) context: ContextArg,
}

/// See how executors have kept their word
#[derive(Debug, Clone, Args)]
pub(crate) struct ReputationArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(subcommand)]
    pub(crate) command: ReputationCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ReputationCommand {
    /// List executors, best first
    #[command(
        after_long_help = "Examples:\n  icn reputation list\n  icn reputation list --json | jq '.items[0].score_ppm'"
    )]
    List(PageArgs),
    /// Show one executor's reputation, and where each number comes from
    #[command(after_long_help = "Examples:\n  icn reputation show bob\n  icn reputation show did:icn:4vJ9…")]
    Show(ExecutorArg),
}

/// Names an executor.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecutorArg {
    /// Who: a nickname or a DID
    #[arg(value_name = "WHO")]
    pub(crate) executor: String,
}
