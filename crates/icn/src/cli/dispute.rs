//! Disputes about accepted payments.

use clap::{ArgGroup, Args, Subcommand};
use icn_types::Cid;

use super::ledger::{AccountArg, KeyArg, ReferenceArg};
use super::scope::PageArgs;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DisputeCommand {
    File(DisputeFileArgs),
    List(DisputeListArgs),
    /// Show a dispute with what was shown and said
    #[command(after_long_help = "Examples:\n  icn ledger dispute show bafyrei6x")]
    Show(ReferenceArg),
    Evidence(DisputeEvidenceArgs),
    Mediate(DisputeMediateArgs),
    Resolve(DisputeResolveArgs),
    Escalate(DisputeEscalateArgs),
}

/// Complain about a payment that was accepted
///
/// For its payer and its payee. The money stays where it is, and can be spent, until the dispute is resolved.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger dispute file bafyrei6x --reason 'the wheel is loose'
  icn ledger dispute file bafyrei6x --reason 'never came' --evidence $(icn add photo.jpg)")]
pub(crate) struct DisputeFileArgs {
    /// The payment or hold
    #[command(flatten)]
    pub(crate) order: ReferenceArg,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// What shows it; may be given several times
    #[arg(long, value_name = "CID")]
    pub(crate) evidence: Vec<Cid>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// List disputes, newest first
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger dispute list\n  icn ledger dispute list bob --all")]
pub(crate) struct DisputeListArgs {
    /// Only those of this member [default: everybody's]
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Those that are over, too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Show or say something in a dispute of yours
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger dispute evidence bafyrei6x --note 'it was new when I sold it'
  icn ledger dispute evidence bafyrei6x --item $(icn add photo.jpg)")]
pub(crate) struct DisputeEvidenceArgs {
    #[command(flatten)]
    pub(crate) dispute: ReferenceArg,

    /// What shows it; may be given several times
    #[arg(long = "item", value_name = "CID")]
    pub(crate) items: Vec<Cid>,

    /// A word for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Name a mediator
///
/// It is agreed once both parties name the same member, or when a steward who is no party names one. Without either,
/// one of the space's mediators is chosen after a time (`icn space policy --mediator`).
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger dispute mediate bafyrei6x carla")]
pub(crate) struct DisputeMediateArgs {
    #[command(flatten)]
    pub(crate) dispute: ReferenceArg,

    /// Whom: a nickname or a DID
    #[arg(value_name = "MEMBER")]
    pub(crate) mediator: String,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// End a dispute: for its mediator, and once it was escalated for a steward who is no party
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("outcome").required(true),
    after_long_help = "\
Examples:
  icn ledger dispute resolve bafyrei6x --stands
  icn ledger dispute resolve bafyrei6x --reverse
  icn ledger dispute resolve bafyrei6x --refund '2.50 hours'
  icn ledger dispute resolve bafyrei6x --write-off 2.50")]
pub(crate) struct DisputeResolveArgs {
    #[command(flatten)]
    pub(crate) dispute: ReferenceArg,

    /// The payment stands
    #[arg(long, group = "outcome")]
    pub(crate) stands: bool,

    /// All of it goes back to the payer, also if that takes the payee below its line
    #[arg(long, group = "outcome")]
    pub(crate) reverse: bool,

    /// So much goes back to the payer
    #[arg(long, value_name = "AMOUNT", group = "outcome")]
    pub(crate) refund: Option<String>,

    /// The payment stands, and the community's fund pays so much to whoever complained; stewards only
    #[arg(long, value_name = "AMOUNT", group = "outcome")]
    pub(crate) write_off: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Hand a dispute to the stewards: the mediator at any time, anybody once the time for mediation is over
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger dispute escalate bafyrei6x")]
pub(crate) struct DisputeEscalateArgs {
    #[command(flatten)]
    pub(crate) dispute: ReferenceArg,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}
