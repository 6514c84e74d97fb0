//! The ledger of a space.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use icn_gateway::api::books::{ExportFormat, FinalityLevel};

use super::coins::{DemurrageCommand, RecurringCommand, ShareArgs, TransfersArgs, WriteOffArgs};
use super::dispute::DisputeCommand;
use super::hold::HoldCommand;
use super::overview::{HealthArgs, StatementArgs};
use super::scope::{PageArgs, ScopeArgs};
use super::treasury::{BudgetCommand, FromArgs, ProposalCommand};
use super::values;

/// Pay, be paid, and see that the common books are right
#[derive(Debug, Clone, Args)]
pub(crate) struct LedgerArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LedgerCommand {
    Balance(BalanceArgs),
    Pay(PayArgs),
    Request(AskArgs),
    Requests(OpenListArgs),
    /// Show a payment or hold and what happened to it
    #[command(after_long_help = "Examples:\n  icn ledger show bafyrei6x")]
    Show(ReferenceArg),
    /// Take a payment; usually the node does it by itself
    #[command(after_long_help = "Examples:\n  icn ledger accept bafyrei6x")]
    Accept(TurnArgs),
    Decline(GiveUpArgs),
    /// Take back a payment that was declined
    #[command(after_long_help = "Examples:\n  icn ledger return bafyrei6x")]
    Return(TurnArgs),
    History(HistoryArgs),
    Entries(EntriesArgs),
    Watch(WatchArgs),
    /// Set credit aside for somebody, and pay it out
    #[command(subcommand)]
    Hold(HoldCommand),
    Limits(LimitsArgs),
    Grant(GrantArgs),
    Freeze(FreezeArgs),
    Unfreeze(UnfreezeArgs),
    Explain(ExplainArgs),
    /// List places at which a member signed two entries, and which of them stands
    #[command(
        after_long_help = "Examples:\n  icn ledger forks\n  icn ledger forks --json | jq -r '.items[].proof'"
    )]
    Forks(PageArgs),
    /// List debts outside the books: accepted payments that were voided
    #[command(after_long_help = "Examples:\n  icn ledger claims")]
    Claims(PageArgs),
    /// List acts that do not count now but may later, and why
    #[command(
        after_long_help = "Examples:\n  icn ledger quarantine\n  icn ledger quarantine --json | jq -r '.items[].reason' | sort | uniq -c"
    )]
    Quarantine(PageArgs),
    /// List recorded misbehaviour with its evidence
    #[command(after_long_help = "Examples:\n  icn ledger misbehaviour\n  icn ledger misbehaviour --json")]
    Misbehaviour(PageArgs),
    /// List sealed epochs
    #[command(after_long_help = "Examples:\n  icn ledger seals")]
    Seals(PageArgs),
    /// Compute everything again from the entries, and compare
    ///
    /// Nodes that have the same entries print the same digest. Ends with 1 if anything is not as it should be.
    #[command(after_long_help = "Examples:\n  icn ledger verify\n  icn ledger verify --json | jq -r .digest")]
    Verify,
    Export(ExportArgs),
    Statement(StatementArgs),
    Health(HealthArgs),
    /// Disagree about a payment: complain, mediate, resolve
    #[command(subcommand)]
    Dispute(DisputeCommand),
    /// Charge idle balances for a fund of the community
    #[command(subcommand)]
    Demurrage(DemurrageCommand),
    /// Pay somebody every so often
    #[command(subcommand)]
    Recurring(RecurringCommand),
    /// Approve what a treasury is asked to do
    #[command(subcommand)]
    Proposal(ProposalCommand),
    /// Let somebody spend from a treasury up to a sum
    #[command(subcommand)]
    Budget(BudgetCommand),
    Transfers(TransfersArgs),
    WriteOff(WriteOffArgs),
}

/// Raise credit lines to what the currency's policy suggests by now. Stewards only
///
/// The policy counts what a member received from distinct others, how long it is a member, and the trust that flows to it from the
/// stewards. Lines that are higher already stay.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger grant --dry-run
  icn ledger grant bob
  icn ledger grant --currency hours --json | jq -r '.grants[].account.nickname'")]
pub(crate) struct GrantArgs {
    /// Only this member's: a nickname or a DID [default: everybody's]
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,

    /// Only in this currency
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    /// Show what would be granted, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Names an account.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccountArg {
    /// Whose account: a nickname, a DID, or the name of an identity of this node [default: your own]
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
}

/// Names a payment or hold.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReferenceArg {
    /// Which: its reference, or a beginning of it that no other one shares
    #[arg(value_name = "REF", value_parser = reference)]
    pub(crate) reference: String,
}

/// An idempotency key.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyArg {
    /// A word of your choice: a second command with it is the first one again
    #[arg(long, value_name = "WORD")]
    pub(crate) key: Option<String>,
}

/// Show balances: what was received less what was given, and what can be spent
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger balance
  icn ledger balance bob
  icn ledger balance did:icn:4vJ9…
  icn ledger balance --all --limit 100")]
pub(crate) struct BalanceArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Every account
    #[arg(long, conflicts_with = "account")]
    pub(crate) all: bool,

    /// Only this currency
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Pay a member
///
/// The amount is set aside at once and moves when the payee's node takes it. Ends with 5 when a rule forbids it, and
/// says which one, with the numbers and what would change it.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger pay bob 2.50 hours
  icn ledger pay bob 2.50 --memo 'two loaves' --wait certified
  icn ledger pay bob '12 hours' --key invoice-17 --expires 7d
  icn ledger pay bob 5 --request bafyrei6x
  icn ledger pay 100 hours --split bob:2,ada:1
  icn ledger pay 100 hours --among --memo 'from the pot'
  icn ledger pay bob 5 hours --from pot --memo 'garden tools'")]
pub(crate) struct PayArgs {
    /// Whom: a nickname, a DID, or the name of an identity of this node
    #[arg(value_name = "TO")]
    pub(crate) to: String,

    /// How much, and of which currency if there are several
    #[arg(value_name = "AMOUNT", required_unless_present = "several", num_args = 1..=2)]
    pub(crate) amount: Vec<String>,

    /// A word for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) memo: Option<String>,

    #[command(flatten)]
    pub(crate) several: ShareArgs,

    #[command(flatten)]
    pub(crate) treasury: FromArgs,

    #[command(flatten)]
    pub(crate) key: KeyArg,

    /// The request that this answers
    #[arg(long, value_name = "REF", value_parser = reference, conflicts_with_all = ["several", "from"])]
    pub(crate) request: Option<String>,

    /// Take it back if it was not accepted after this long
    #[arg(long, value_name = "D", value_parser = values::long_seconds, conflicts_with_all = ["several", "from"])]
    pub(crate) expires: Option<u64>,

    /// Wait until it has come this far
    #[arg(long, value_name = "LEVEL", conflicts_with_all = ["several", "from"])]
    pub(crate) wait: Option<Level>,

    /// With --wait: give up after this long and end with 1; the payment goes on [default: 1m]
    #[arg(long, value_name = "D", value_parser = values::duration, requires = "wait")]
    pub(crate) timeout: Option<icn_types::Duration>,
}

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// The payee took it
    Accepted,
    /// A quorum of witnesses saw nothing else at its place
    Certified,
    /// It lies in a sealed epoch
    Sealed,
}

/// Ask a member for a payment
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger request bob 2.50 hours --memo 'two loaves'
  icn ledger request bob 5 --expires 30d --key invoice-17")]
pub(crate) struct AskArgs {
    /// Who is asked
    #[arg(value_name = "FROM")]
    pub(crate) of: String,

    /// For how much, and of which currency if there are several
    #[arg(value_name = "AMOUNT", required = true, num_args = 1..=2)]
    pub(crate) amount: Vec<String>,

    /// A word for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) memo: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,

    /// Until when it stands
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) expires: Option<u64>,
}

/// List requests for payments, to you and by you, newest first
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger requests
  icn ledger requests --all --limit 50")]
pub(crate) struct OpenListArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Those that have ended, too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// A turn that needs no more than the order.
#[derive(Debug, Clone, Args)]
pub(crate) struct TurnArgs {
    #[command(flatten)]
    pub(crate) order: ReferenceArg,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Refuse a payment or a request
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger decline bafyrei6x --reason 'not ordered'")]
pub(crate) struct GiveUpArgs {
    #[command(flatten)]
    pub(crate) order: ReferenceArg,

    /// A word for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// List what an account received and gave, newest first
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger history
  icn ledger history bob --currency hours
  icn ledger history --limit 100 --offset 500 --json")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Only this currency
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// List entries of the books as they were signed, with what was found of each act
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger entries
  icn ledger entries --author bob
  icn ledger entries --limit 100 --offset 500")]
pub(crate) struct EntriesArgs {
    /// Only of this member
    #[arg(long, value_name = "MEMBER")]
    pub(crate) author: Option<String>,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Print entries as they come, and again once they are certified
///
/// Each line is an entry that this node has checked, applied and written down. With `--json` it is one object a line.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger watch
  icn ledger watch --count 1
  icn ledger watch --json | jq -r '.acts[].text'")]
pub(crate) struct WatchArgs {
    /// End after so many lines
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// Show a member's credit line and where it comes from; stewards can set it
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger limits
  icn ledger limits bob
  icn ledger limits bob --set '50 hours'")]
pub(crate) struct LimitsArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Set how far below zero the balance may go
    #[arg(long, value_name = "AMOUNT", requires = "account")]
    pub(crate) set: Option<String>,

    /// Only this currency
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Stop an account from spending; it can still receive
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger freeze bob --reason 'key stolen'
  icn ledger freeze bob --reason 'to be clarified' --until 14d")]
pub(crate) struct FreezeArgs {
    /// Whose
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// End it by itself after this long: with the first sealed epoch from then on [default: until a steward ends it]
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) until: Option<u64>,
}

/// Let a frozen account spend again
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger unfreeze bob")]
pub(crate) struct UnfreezeArgs {
    /// Whose
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
}

/// Explain whether an amount can be spent: the rule, the numbers, and what would raise them
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger explain
  icn ledger explain 12.50 hours
  icn ledger explain 12.50 --account bob")]
pub(crate) struct ExplainArgs {
    /// How much, and of which currency if there are several
    #[arg(value_name = "AMOUNT", num_args = 0..=2)]
    pub(crate) amount: Vec<String>,

    /// Whose account [default: your own]
    #[arg(long, value_name = "MEMBER")]
    pub(crate) account: Option<String>,

    /// In which currency, when no amount is given
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
}

/// Write the books for other programs
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger export > books.journal && hledger -f books.journal balance
  icn ledger export --format csv --account bob -o bob.csv
  icn ledger export --format json | jq length")]
pub(crate) struct ExportArgs {
    /// In which format
    #[arg(long, value_name = "FORMAT", default_value = "hledger")]
    pub(crate) format: Format,

    /// Only this member's
    #[arg(long, value_name = "MEMBER")]
    pub(crate) account: Option<String>,

    /// Where to write it [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A format of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A journal for hledger
    Hledger,
    /// Comma-separated values
    Csv,
    /// A JSON array
    Json,
}

impl From<Level> for FinalityLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Accepted => Self::Accepted,
            Level::Certified => Self::Certified,
            Level::Sealed => Self::Sealed,
        }
    }
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Hledger => Self::Hledger,
            Format::Csv => Self::Csv,
            Format::Json => Self::Json,
        }
    }
}

/// Accepts what can begin a reference: the CID of an entry, and the number of an act after `#`.
pub(super) fn reference(text: &str) -> Result<String, String> {
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (id, number) = text.split_once('#').unwrap_or((text, "0"));
    let valid = (1..=100).contains(&id.len())
        && is_id(id)
        && (1..=5).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit());
    if valid {
        Ok(text.to_owned())
    } else {
        Err("expected the reference of a payment, request or hold, such as `bafyrei…` or `bafyrei…#1`"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_an_id_and_a_number() {
        for good in ["bafyrei6x", "bafyrei6x#0", "bafyrei6x#255"] {
            assert_eq!(reference(good).as_deref(), Ok(good));
        }
        for bad in ["", "#1", "bafy#", "bafy#x", "bafy/..", "bafy#1#2"] {
            assert!(reference(bad).is_err(), "{bad}");
        }
    }
}
