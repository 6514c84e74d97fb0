//! What treasuries are asked to do, and their budgets.

use clap::{Args, Subcommand};
use icn_gateway::api::books::Every;
use icn_types::Timestamp;

use super::coins::{every, time};
use super::ledger::{AccountArg, KeyArg, ReferenceArg};
use super::scope::PageArgs;
use super::values;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProposalCommand {
    List(ProposalListArgs),
    /// Show a proposal: what it does, who approves it, and what stands in its way
    #[command(after_long_help = "Examples:\n  icn ledger proposal show bafyrei6x")]
    Show(ReferenceArg),
    Approve(ProposalTurnArgs),
    Withdraw(ProposalWithdrawArgs),
}

/// List what waits for approvals, newest first
#[derive(Debug, Clone, Args)]
#[command(
    after_long_help = "Examples:\n  icn ledger proposal list\n  icn ledger proposal list pot --all --json"
)]
pub(crate) struct ProposalListArgs {
    /// Only of this treasury [default: of all]
    #[command(flatten)]
    pub(crate) treasury: AccountArg,

    /// Those that are over, too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Approve what a treasury is asked to do
///
/// For its approvers. The node that has the treasury's key carries it out by itself once enough of them approve.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger proposal approve bafyrei6x")]
pub(crate) struct ProposalTurnArgs {
    #[command(flatten)]
    pub(crate) proposal: ReferenceArg,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// Take an approval back; by whoever proposed it: end the proposal
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger proposal withdraw bafyrei6x")]
pub(crate) struct ProposalWithdrawArgs {
    #[command(flatten)]
    pub(crate) turn: ProposalTurnArgs,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BudgetCommand {
    Set(BudgetSetArgs),
    List(BudgetListArgs),
    End(BudgetEndArgs),
}

/// Let somebody spend from a treasury up to a sum, without approvals
///
/// Stewards do it at once. Approvers propose it with --propose. What is not spent in a period is gone; a period is over
/// with the first epoch that is sealed after its end. A budget is no credit: the treasury must be able to pay.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger budget set pot 50 hours --holder bob --every 1mo --for 'garden tools'
  icn ledger budget set pot 20 hours --every 1mo --for rent
  icn ledger budget set pot 200 hours --holder bob --until 2027-12-31T00:00:00Z --propose")]
pub(crate) struct BudgetSetArgs {
    /// The treasury: a nickname, a DID, or the name of an identity of this node
    #[arg(value_name = "TREASURY")]
    pub(crate) treasury: String,

    /// How much in each period, and of which currency if there are several
    #[arg(value_name = "AMOUNT", required = true, num_args = 1..=2)]
    pub(crate) amount: Vec<String>,

    /// Who may spend it [default: only standing orders of the treasury]
    #[arg(long, value_name = "MEMBER")]
    pub(crate) holder: Option<String>,

    /// How long a period is: `7d`, `2w`, `1mo` or `1y` [default: the sum is there once]
    #[arg(long, value_name = "HOW-OFTEN", value_parser = every)]
    pub(crate) every: Option<Every>,

    /// What it is for
    #[arg(long = "for", value_name = "TEXT")]
    pub(crate) purpose: Option<String>,

    /// When the first period begins [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) start: Option<Timestamp>,

    /// When it ends
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,

    /// Propose it to the approvers
    #[arg(long)]
    pub(crate) propose: bool,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// List budgets, oldest first, with what is left of them
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger budget list\n  icn ledger budget list pot --all --json")]
pub(crate) struct BudgetListArgs {
    /// Only of this treasury [default: of all]
    #[command(flatten)]
    pub(crate) treasury: AccountArg,

    /// Those that have ended, too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// End a budget; what was spent stays spent
///
/// For stewards and its holder. Approvers propose it with --propose.
#[derive(Debug, Clone, Args)]
#[command(
    after_long_help = "Examples:\n  icn ledger budget end bafyrei6x\n  icn ledger budget end bafyrei6x --propose pot"
)]
pub(crate) struct BudgetEndArgs {
    #[command(flatten)]
    pub(crate) budget: ReferenceArg,

    /// Propose it to the approvers of this treasury
    #[arg(long, value_name = "TREASURY")]
    pub(crate) propose: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// From which treasury something is to be paid.
#[derive(Debug, Clone, Args)]
pub(crate) struct FromArgs {
    /// Ask this treasury to do it: it does once enough of its approvers approve, or within a budget of yours
    #[arg(long, value_name = "TREASURY")]
    pub(crate) from: Option<String>,

    /// With --from: the budget that pays for it [default: one of yours that covers it]
    #[arg(long, value_name = "REF", value_parser = super::ledger::reference, requires = "from")]
    pub(crate) budget: Option<String>,

    /// With --from: give it up if it was not done after this long
    #[arg(long, value_name = "D", value_parser = values::long_seconds, requires = "from")]
    pub(crate) lapses: Option<u64>,
}
