//! What is drawn from a whole ledger: its health, and statements of account.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use icn_gateway::api::books::StatementFormat;

use super::ledger::AccountArg;

/// Look for the signs by which mutual credit fails, with the figures behind them
///
/// Each sign has a figure, the limits from which on it is worth a look (`watch`) or a meeting (`alarm`), a sentence, and
/// what to do. Ends with 1 if there is an alarm. See `docs/mutual-credit.md` for what each of them means.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger health
  icn ledger health --currency hours --all
  icn ledger health --json | jq -r '.signs[] | select(.level != \"ok\") | .finding'")]
pub(crate) struct HealthArgs {
    /// Which currency [default: the only one]
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    /// What was found of every sign, with its limits and where they come from
    #[arg(long)]
    pub(crate) all: bool,
}

/// Write the statement of an account: what it began with, what moved, what it ended with
///
/// A movement stands at the day on which the payee took it, in UTC; days are given as `2026-11-30` and are both part of the
/// period. What is not booked yet is listed at the end and changes nothing.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger statement
  icn ledger statement bob --month 2026-11
  icn ledger statement --currency hours --from 2026-01-01 --to 2026-12-31 --format csv -o 2026.csv
  icn ledger statement --month 2026-11 --json | jq -r .closing.text")]
pub(crate) struct StatementArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Which currency [default: the only one]
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    /// The first day [default: the beginning]
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,

    /// The last day [default: today]
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<String>,

    /// A whole month, such as 2026-11
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "to"])]
    pub(crate) month: Option<String>,

    /// In which format [default: text, with --json json]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<StatementForm>,

    /// Where to write it [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A format of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatementForm {
    /// Lines for people
    Text,
    /// Comma-separated values
    Csv,
    /// One JSON object
    Json,
}

impl From<StatementForm> for StatementFormat {
    fn from(form: StatementForm) -> Self {
        match form {
            StatementForm::Text => Self::Text,
            StatementForm::Csv => Self::Csv,
            StatementForm::Json => Self::Json,
        }
    }
}
