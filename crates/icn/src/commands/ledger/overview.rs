//! Health, and statements of account.

use icn_gateway::api::books::{HealthLevel, HealthSign, LedgerHealth, StatementFormat};

use super::super::Context;
use super::super::scope::Books;
use super::account::add;
use super::audit::save;
use crate::cli::{HealthArgs, StatementArgs};
use crate::client::Query;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, party};

pub(super) async fn health(
    context: &Context<'_>,
    books: &Books,
    args: &HealthArgs,
) -> Result<Exit, CliError> {
    let mut query: Query<'_> = Vec::new();
    add(&mut query, "currency", args.currency.as_ref());
    let health: LedgerHealth = books.books.get("health", &query).await?;
    let exit = if health.level == HealthLevel::Alarm { Exit::FAILED } else { Exit::DONE };
    if context.out.is_json() {
        context.out.json(&health)?;
        return Ok(exit);
    }
    let words = match health.level {
        HealthLevel::Ok => "well: no sign is beyond its limits",
        HealthLevel::Watch => "some signs are worth a look",
        HealthLevel::Alarm => "some signs are worth a meeting",
    };
    context.out.line(&context.out.paint(Stream::Stdout, style(health.level), words))?;
    context.out.pairs(&[
        ("currency", clean(&health.currency)),
        ("members", format!("{}, of whom {} traded in 90 days", health.members, health.active)),
        ("credit", clean(&health.credit.text)),
        (
            "paid",
            format!("{} in 30 days, {} in 90", clean(&health.volume_30.text), clean(&health.volume_90.text)),
        ),
    ])?;
    context.out.line("")?;
    let heading = [
        Column::Left("SIGN"),
        Column::Left("LEVEL"),
        Column::Right("FIGURE"),
        Column::Right("WATCH"),
        Column::Right("ALARM"),
        Column::Left("FOUND"),
    ];
    let rows: Vec<Vec<Cell>> = health.signs.iter().map(row).collect();
    context.out.columns(&heading, &rows)?;
    for sign in health.signs.iter().filter(|sign| args.all || sign.level != HealthLevel::Ok) {
        detail(context, sign)?;
    }
    Ok(exit)
}

fn row(sign: &HealthSign) -> Vec<Cell> {
    let bound = if sign.lower_is_worse { "below" } else { "from" };
    vec![
        clean(&sign.code).replace('_', "-").into(),
        Cell::styled(level_word(sign), sign.judged.then(|| style(sign.level))),
        clean(&sign.figure.text).into(),
        format!("{bound} {}", clean(&sign.watch.text)).into(),
        format!("{bound} {}", clean(&sign.alarm.text)).into(),
        clean(&sign.finding).into(),
    ]
}

/// Says how well a sign is; too little is no verdict.
fn level_word(sign: &HealthSign) -> &'static str {
    if sign.judged { sign.level.as_str() } else { "-" }
}

fn detail(context: &Context<'_>, sign: &HealthSign) -> Result<(), CliError> {
    let title = format!("{}: {}", clean(&sign.code).replace('_', "-"), level_word(sign));
    context.out.line("")?;
    context.out.line(&context.out.paint(Stream::Stdout, style(sign.level), &title))?;
    let mut pairs = vec![("found", clean(&sign.finding))];
    if !sign.who.is_empty() {
        let named: Vec<String> = sign.who.iter().map(party).collect();
        let others = sign.who_total.saturating_sub(named.len() as u64);
        let others = if others == 0 { String::new() } else { format!(" and {others} more") };
        pairs.push(("who", format!("{}{others}", named.join(", "))));
    }
    if !sign.more.is_empty() {
        let more = sign.more.iter();
        let more: Vec<String> = more
            .map(|one| format!("{} {}", clean(&one.name).replace('_', "-"), clean(&one.figure.text)))
            .collect();
        pairs.push(("figures", more.join(", ")));
    }
    if !sign.advice.is_empty() {
        pairs.push(("do", clean(&sign.advice)));
    }
    pairs.push(("limits", clean(&sign.source)));
    context.out.pairs(&pairs)
}

const fn style(level: HealthLevel) -> Style {
    match level {
        HealthLevel::Ok => Style::Green,
        HealthLevel::Watch => Style::Yellow,
        HealthLevel::Alarm => Style::Red,
    }
}

pub(super) async fn statement(
    context: &Context<'_>,
    books: &Books,
    args: &StatementArgs,
) -> Result<Exit, CliError> {
    let usual = if context.out.is_json() { StatementFormat::Json } else { StatementFormat::Text };
    let format = args.format.map_or(usual, StatementFormat::from);
    let mut query: Query<'_> = vec![("format", format.as_str().to_owned())];
    add(&mut query, "as", books.identity.as_ref());
    add(&mut query, "account", args.account.account.as_ref());
    add(&mut query, "currency", args.currency.as_ref());
    add(&mut query, "from", args.from.as_ref());
    add(&mut query, "to", args.to.as_ref());
    add(&mut query, "month", args.month.as_ref());
    save(context, books.books.statement(&query).await?, args.output.as_deref()).await
}
