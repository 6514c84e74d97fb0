//! What an account has, had and may spend.

use icn_gateway::api::books::{Balance, Explanation, Movement, OrderKind, Rule, Way};
use icn_types::Page;

use super::super::Context;
use super::super::scope::{Books, print_page, reference_start};
use super::super::space::write_rule;
use super::{final_cell, status_cell};
use crate::cli::{BalanceArgs, ExplainArgs, HistoryArgs, LimitsArgs};
use crate::client::Query;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Style, clean, explanation_pairs, party};

pub(super) async fn balance(
    context: &Context<'_>,
    books: &Books,
    args: &BalanceArgs,
) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    add(&mut query, "currency", args.currency.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Balance> = books.books.get("balances", &query).await?;
    let heading = [
        Column::Left("ACCOUNT"),
        Column::Right("BALANCE"),
        Column::Right("RESERVED"),
        Column::Right("NOT FINAL"),
        Column::Right("LINE"),
        Column::Right("AVAILABLE"),
        Column::Left(""),
    ];
    let empty = "no balances: nothing was paid yet, or the space has no currency (`icn space currency`)";
    print_page(context, &page, args.page.offset, empty, &heading, |balance| {
        let frozen = balance.frozen.as_deref().map(|reason| format!("frozen: {}", clean(reason)));
        vec![
            party(&balance.account).into(),
            Cell::styled(clean(&balance.balance.text), balance_style(balance.balance.smallest)),
            clean(&balance.reserved.text).into(),
            clean(&balance.pending.text).into(),
            clean(&balance.line.text).into(),
            clean(&balance.available.text).into(),
            Cell::styled(frozen.unwrap_or_default(), Some(Style::Red)),
        ]
    })
}

const fn balance_style(smallest: i64) -> Option<Style> {
    match smallest {
        ..0 => Some(Style::Yellow),
        0 => None,
        1.. => Some(Style::Green),
    }
}

pub(super) async fn history(
    context: &Context<'_>,
    books: &Books,
    args: &HistoryArgs,
) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    add(&mut query, "currency", args.currency.as_ref());
    let page: Page<Movement> = books.books.get("history", &query).await?;
    let heading = [
        Column::Left("AT"),
        Column::Right("AMOUNT"),
        Column::Left("WITH"),
        Column::Left("STATUS"),
        Column::Left("FINAL"),
        Column::Left("REF"),
        Column::Left("MEMO"),
    ];
    let empty = "nothing was paid yet: pay with `icn ledger pay TO AMOUNT`, or ask with `icn ledger request FROM AMOUNT`";
    print_page(context, &page, args.page.offset, empty, &heading, |movement| {
        let (sign, style) = match movement.way {
            Way::In => ('+', Style::Green),
            Way::Out => ('-', Style::Yellow),
        };
        let memo = clean(movement.memo.as_deref().unwrap_or_default());
        let memo = match movement.kind {
            OrderKind::Payment => memo,
            OrderKind::Hold => format!("hold {memo}").trim_end().to_owned(),
        };
        vec![
            movement.at.to_string().into(),
            Cell::styled(format!("{sign}{}", clean(&movement.amount.text)), Some(style)),
            party(&movement.counterparty).into(),
            status_cell(movement.status, movement.is_final),
            final_cell(movement.status, movement.is_final),
            reference_start(&movement.reference).into(),
            memo.into(),
        ]
    })
}

pub(super) async fn limits(context: &Context<'_>, books: &Books, args: LimitsArgs) -> Result<Exit, CliError> {
    if let (Some(limit), Some(account)) = (args.set, args.account.account.clone()) {
        return write_rule(context, books, Rule::Line { account, limit }, args.key.key, "set").await;
    }
    let mut query: Query<'_> = Vec::new();
    add(&mut query, "as", books.identity.as_ref());
    add(&mut query, "account", args.account.account.as_ref());
    add(&mut query, "currency", args.currency.as_ref());
    let page: Page<Explanation> = books.books.get("limits", &query).await?;
    if context.out.is_json() {
        context.out.json(&page)?;
        return Ok(Exit::DONE);
    }
    if page.items.is_empty() {
        context.out.note("no credit lines: the space has no currency yet, see `icn space currency`");
    }
    for (index, explanation) in page.items.iter().enumerate() {
        if index > 0 {
            context.out.line("")?;
        }
        context.out.pairs(&explanation_pairs(explanation))?;
    }
    Ok(Exit::DONE)
}

pub(super) async fn explain(
    context: &Context<'_>,
    books: &Books,
    args: &ExplainArgs,
) -> Result<Exit, CliError> {
    let mut query: Query<'_> = Vec::new();
    add(&mut query, "as", books.identity.as_ref());
    add(&mut query, "account", args.account.as_ref());
    add(&mut query, "currency", args.currency.as_ref());
    let amount = args.amount.join(" ");
    add(&mut query, "amount", Some(&amount).filter(|amount| !amount.is_empty()));
    let explanation: Explanation = books.books.get("explain", &query).await?;
    if context.out.is_json() {
        context.out.json(&explanation)?;
        return Ok(Exit::DONE);
    }
    let answer = match explanation.allowed {
        Some(true) => Some((Style::Green, "yes, it can be spent")),
        Some(false) => Some((Style::Red, "no, it cannot be spent")),
        None => None,
    };
    if let Some((style, words)) = answer {
        context.out.line(&context.out.paint(crate::output::Stream::Stdout, style, words))?;
    }
    context.out.pairs(&explanation_pairs(&explanation))?;
    Ok(Exit::DONE)
}

/// Adds what was given to a question.
pub(super) fn add<'a>(query: &mut Query<'a>, name: &'a str, value: Option<&String>) {
    query.extend(value.map(|value| (name, value.clone())));
}
