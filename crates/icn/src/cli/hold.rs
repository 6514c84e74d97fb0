//! Holds: credit set aside for a payee.

use clap::{Args, Subcommand};
use icn_types::Cid;

use super::ledger::{AccountArg, GiveUpArgs, KeyArg, ReferenceArg};
use super::scope::PageArgs;
use super::values;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum HoldCommand {
    Place(HoldPlaceArgs),
    List(HoldListArgs),
    Capture(HoldCaptureArgs),
    Release(HoldReleaseArgs),
    Claim(HoldClaimArgs),
}

/// Set credit aside for a payee, who is paid when you capture
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger hold place bob 5 hours
  icn ledger hold place bob 5 --expires 12h --purpose bafyrei6x…")]
pub(crate) struct HoldPlaceArgs {
    /// For whom
    #[arg(value_name = "TO")]
    pub(crate) to: String,

    /// How much at most, and of which currency if there are several
    #[arg(value_name = "AMOUNT", required = true, num_args = 1..=2)]
    pub(crate) amount: Vec<String>,

    /// Free it after this long [default: 1d]
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) expires: Option<u64>,

    /// What it is for, such as a job's id
    #[arg(long, value_name = "CID")]
    pub(crate) purpose: Option<Cid>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// List holds, for you and by you, newest first
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger hold list
  icn ledger hold list --all")]
pub(crate) struct HoldListArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Those that have ended, too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Pay out a hold that you placed, in part or whole; the rest is free at once
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger hold capture bafyrei6x
  icn ledger hold capture bafyrei6x 3.25 hours --evidence bafyrei9k…")]
pub(crate) struct HoldCaptureArgs {
    #[command(flatten)]
    pub(crate) order: ReferenceArg,

    /// How much [default: all of it]
    #[arg(value_name = "AMOUNT", num_args = 0..=2)]
    pub(crate) amount: Vec<String>,

    /// What shows that it is due, such as a receipt
    #[arg(long, value_name = "CID")]
    pub(crate) evidence: Option<Cid>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Give up a hold: all of it is free again
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger hold release bafyrei6x --reason 'not needed'")]
pub(crate) struct HoldReleaseArgs {
    #[command(flatten)]
    pub(crate) release: GiveUpArgs,
}

/// Say that a hold for you is due although it was not paid out
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger hold claim bafyrei6x --evidence bafyreiassignment… --evidence bafyreireceipt…
  icn ledger hold claim bafyrei6x 3.25 hours --evidence bafyreireceipt…")]
pub(crate) struct HoldClaimArgs {
    #[command(flatten)]
    pub(crate) order: ReferenceArg,

    /// How much [default: all of it]
    #[arg(value_name = "AMOUNT", num_args = 0..=2)]
    pub(crate) amount: Vec<String>,

    /// What shows that it is due, such as assignment and receipt; may be given several times
    #[arg(long, value_name = "CID", required = true)]
    pub(crate) evidence: Vec<Cid>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}
