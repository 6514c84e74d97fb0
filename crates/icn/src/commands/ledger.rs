//! `icn ledger …`: paying, being paid, and seeing that the common books are right.

mod account;
mod audit;
mod coins;
mod dispute;
mod grant;
mod order;
mod overview;
mod treasury;
mod watch;

use icn_gateway::api::books::{OrderStatus, Rule};

use super::Context;
use super::scope::Books;
use super::space::write_rule;
use crate::cli::{HoldCommand, LedgerArgs, LedgerCommand};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Style};

/// Carries out one of the ledger's commands.
pub(crate) async fn run(context: &Context<'_>, args: LedgerArgs) -> Result<Exit, CliError> {
    let books = Books::find(context, &args.scope).await?;
    let books = &books;
    match args.command {
        LedgerCommand::Balance(args) => account::balance(context, books, &args).await,
        LedgerCommand::History(args) => account::history(context, books, &args).await,
        LedgerCommand::Limits(args) => account::limits(context, books, args).await,
        LedgerCommand::Explain(args) => account::explain(context, books, &args).await,
        LedgerCommand::Pay(args) if args.treasury.from.is_some() => treasury::pay(context, books, args).await,
        LedgerCommand::Pay(args) if args.several.among || !args.several.split.is_empty() => {
            coins::pay_several(context, books, args).await
        }
        LedgerCommand::Pay(args) => order::pay(context, books, args).await,
        LedgerCommand::Request(args) => order::ask(context, books, args).await,
        LedgerCommand::Requests(args) => order::requests(context, books, &args).await,
        LedgerCommand::Show(args) => order::show(context, books, &args.reference).await,
        LedgerCommand::Accept(args) => order::accept(context, books, args).await,
        LedgerCommand::Decline(args) => order::decline(context, books, args).await,
        LedgerCommand::Return(args) => order::take_back(context, books, args).await,
        LedgerCommand::Hold(HoldCommand::Place(args)) => order::place(context, books, args).await,
        LedgerCommand::Hold(HoldCommand::List(args)) => order::holds(context, books, &args).await,
        LedgerCommand::Hold(HoldCommand::Capture(args)) => order::capture(context, books, args).await,
        LedgerCommand::Hold(HoldCommand::Release(args)) => order::release(context, books, args.release).await,
        LedgerCommand::Hold(HoldCommand::Claim(args)) => order::claim(context, books, args).await,
        LedgerCommand::Grant(args) => grant::grant(context, books, args).await,
        LedgerCommand::Freeze(args) => {
            let act =
                Rule::Freeze { account: args.account, reason: args.reason, expires_seconds: args.until };
            write_rule(context, books, act, None, "frozen").await
        }
        LedgerCommand::Unfreeze(args) => {
            let act = Rule::Unfreeze { account: args.account };
            write_rule(context, books, act, None, "unfrozen").await
        }
        LedgerCommand::Entries(args) => audit::entries(context, books, &args).await,
        LedgerCommand::Watch(args) => watch::watch(context, books, &args).await,
        LedgerCommand::Forks(page) => audit::forks(context, books, page).await,
        LedgerCommand::Claims(page) => audit::claims(context, books, page).await,
        LedgerCommand::Quarantine(page) => audit::quarantine(context, books, page).await,
        LedgerCommand::Misbehaviour(page) => audit::misbehaviour(context, books, page).await,
        LedgerCommand::Seals(page) => audit::seals(context, books, page).await,
        LedgerCommand::Verify => audit::verify(context, books).await,
        LedgerCommand::Export(args) => audit::export(context, books, &args).await,
        LedgerCommand::Statement(args) => overview::statement(context, books, &args).await,
        LedgerCommand::Health(args) => overview::health(context, books, &args).await,
        LedgerCommand::Dispute(command) => dispute::run(context, books, command).await,
        LedgerCommand::Demurrage(command) => coins::demurrage(context, books, command).await,
        LedgerCommand::Recurring(command) => coins::recurring(context, books, command).await,
        LedgerCommand::Proposal(command) => treasury::proposal(context, books, command).await,
        LedgerCommand::Budget(command) => treasury::budget(context, books, command).await,
        LedgerCommand::Transfers(args) => coins::transfers(context, books, &args).await,
        LedgerCommand::WriteOff(args) => coins::write_off(context, books, args).await,
    }
}

/// Shows the word for a status: green when it is final, red when it came to nothing.
fn status_cell(status: OrderStatus, is_final: bool) -> Cell {
    Cell::styled(status.as_str(), Some(status_style(status, is_final)))
}

fn status_style(status: OrderStatus, is_final: bool) -> Style {
    match status {
        OrderStatus::Accepted | OrderStatus::Certified | OrderStatus::Sealed if is_final => Style::Green,
        OrderStatus::Declined | OrderStatus::Claimed | OrderStatus::Void => Style::Red,
        OrderStatus::Returned | OrderStatus::Released | OrderStatus::Expired => Style::Dim,
        OrderStatus::Sent
        | OrderStatus::Accepted
        | OrderStatus::Certified
        | OrderStatus::Sealed
        | OrderStatus::Placed
        | OrderStatus::Captured => Style::Yellow,
    }
}

/// Says in a list whether the payee may spend an amount.
fn final_cell(status: OrderStatus, is_final: bool) -> Cell {
    let word = match (is_final, status.has_reached(icn_gateway::api::books::FinalityLevel::Accepted)) {
        (true, _) => "yes",
        (false, Some(_)) => "not yet",
        (false, None) => "-",
    };
    word.into()
}
