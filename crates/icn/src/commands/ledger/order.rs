//! Payments, requests and holds.

use std::time::{Duration, Instant};

use icn_gateway::api::books::{
    AskRequest, AskStatus, Asked, FinalityLevel, HoldRequest, Order, OrderKind, OrderTurn, PayRequest,
    TurnRequest,
};
use icn_types::{Cid, Page};

use super::super::Context;
use super::super::scope::{Books, print_page, reference_start};
use super::account::add;
use super::{final_cell, status_cell, status_style};
use crate::cli::{
    AskArgs, GiveUpArgs, HoldCaptureArgs, HoldClaimArgs, HoldListArgs, HoldPlaceArgs, OpenListArgs, PayArgs,
    TurnArgs,
};
use crate::client::escaped;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, party};

/// How long a command waits for a payment to come so far when nothing else was said.
const WAIT_DEFAULT: Duration = Duration::from_secs(60);

/// How often it looks.
const WAIT_STEP: Duration = Duration::from_millis(100);

pub(super) async fn pay(context: &Context<'_>, books: &Books, args: PayArgs) -> Result<Exit, CliError> {
    let request = PayRequest {
        to: args.to,
        amount: args.amount.join(" "),
        memo: args.memo,
        request: args.request,
        expires_seconds: args.expires,
        key: args.key.key,
        identity: books.identity.clone(),
    };
    let mut order: Order = books.books.post("pay", &request).await?;
    if let Some(level) = args.wait {
        let patience = args.timeout.map_or(WAIT_DEFAULT, icn_types::Duration::to_std);
        order = wait(books, order, level.into(), patience).await?;
    }
    print(context, &order)
}

/// Waits until a payment has come so far, or never will.
async fn wait(
    books: &Books,
    mut order: Order,
    level: FinalityLevel,
    patience: Duration,
) -> Result<Order, CliError> {
    let begun = Instant::now();
    loop {
        match order.status.has_reached(level) {
            Some(true) => return Ok(order),
            None => {
                let reason =
                    order.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", clean(reason)));
                return Err(CliError::Failed(format!(
                    "the payment is {} and will not be {level}{reason}; see `icn ledger show {}`",
                    order.status,
                    reference_start(&order.reference)
                )));
            }
            Some(false) if begun.elapsed() >= patience => {
                return Err(CliError::Failed(format!(
                    "the payment is {}, and was not {level} within {} s; it goes on: see `icn ledger show {}`",
                    order.status,
                    patience.as_secs(),
                    reference_start(&order.reference)
                )));
            }
            Some(false) => {
                tokio::time::sleep(WAIT_STEP).await;
                order = books.books.order(&order.reference).await?;
            }
        }
    }
}

pub(super) async fn place(
    context: &Context<'_>,
    books: &Books,
    args: HoldPlaceArgs,
) -> Result<Exit, CliError> {
    let request = HoldRequest {
        to: args.to,
        amount: args.amount.join(" "),
        expires_seconds: args.expires,
        purpose: args.purpose,
        key: args.key.key,
        identity: books.identity.clone(),
    };
    print(context, &books.books.post("holds", &request).await?)
}

pub(super) async fn show(context: &Context<'_>, books: &Books, reference: &str) -> Result<Exit, CliError> {
    print(context, &books.books.order(reference).await?)
}

pub(super) async fn accept(context: &Context<'_>, books: &Books, args: TurnArgs) -> Result<Exit, CliError> {
    let request = TurnRequest { key: args.key.key, ..TurnRequest::default() };
    turn(context, books, &args.order.reference, OrderTurn::Accept, request).await
}

pub(super) async fn take_back(
    context: &Context<'_>,
    books: &Books,
    args: TurnArgs,
) -> Result<Exit, CliError> {
    let request = TurnRequest { key: args.key.key, ..TurnRequest::default() };
    turn(context, books, &args.order.reference, OrderTurn::Return, request).await
}

/// Refuses a payment, or the request of that reference.
pub(super) async fn decline(
    context: &Context<'_>,
    books: &Books,
    args: GiveUpArgs,
) -> Result<Exit, CliError> {
    let identity = books.identity.clone();
    let request = TurnRequest { reason: args.reason, key: args.key.key, identity, ..TurnRequest::default() };
    let reference = &args.order.reference;
    match turn(context, books, reference, OrderTurn::Decline, request.clone()).await {
        Err(CliError::Problem(problem)) if problem.code == "order-not-found" => {
            let route = format!("requests/{}/decline", escaped(reference));
            print_asked(context, &books.books.post(&route, &request).await?)
        }
        other => other,
    }
}

pub(super) async fn capture(
    context: &Context<'_>,
    books: &Books,
    args: HoldCaptureArgs,
) -> Result<Exit, CliError> {
    let request = TurnRequest {
        amount: amount_of(&args.amount),
        evidence: args.evidence.into_iter().collect(),
        key: args.key.key,
        ..TurnRequest::default()
    };
    turn(context, books, &args.order.reference, OrderTurn::Capture, request).await
}

pub(super) async fn release(
    context: &Context<'_>,
    books: &Books,
    args: GiveUpArgs,
) -> Result<Exit, CliError> {
    let request = TurnRequest { reason: args.reason, key: args.key.key, ..TurnRequest::default() };
    turn(context, books, &args.order.reference, OrderTurn::Release, request).await
}

pub(super) async fn claim(
    context: &Context<'_>,
    books: &Books,
    args: HoldClaimArgs,
) -> Result<Exit, CliError> {
    let request = TurnRequest {
        amount: amount_of(&args.amount),
        evidence: args.evidence,
        key: args.key.key,
        ..TurnRequest::default()
    };
    turn(context, books, &args.order.reference, OrderTurn::Claim, request).await
}

fn amount_of(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

async fn turn(
    context: &Context<'_>,
    books: &Books,
    reference: &str,
    turn: OrderTurn,
    request: TurnRequest,
) -> Result<Exit, CliError> {
    let request = TurnRequest { identity: books.identity.clone(), ..request };
    let route = format!("orders/{}/{}", escaped(reference), turn.as_str());
    print(context, &books.books.post(&route, &request).await?)
}

/// Shows an order and what happened to it.
fn print(context: &Context<'_>, order: &Order) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(order)?;
        return Ok(Exit::DONE);
    }
    let status = match (order.is_final, order.status.has_reached(order.final_at)) {
        (true, _) => format!("{}, final", order.status),
        (false, Some(_)) => format!("{}, final when {}", order.status, order.final_at),
        (false, None) => order.status.to_string(),
    };
    let style = status_style(order.status, order.is_final);
    let amount = context.out.paint(Stream::Stdout, Style::Bold, &clean(&order.amount.text));
    let kind = match order.kind {
        OrderKind::Payment => "payment",
        OrderKind::Hold => "hold",
    };
    let mut pairs = vec![
        (kind, clean(&order.reference)),
        ("amount", amount),
        ("from", party(&order.from)),
        ("to", party(&order.to)),
        ("status", context.out.paint(Stream::Stdout, style, &status)),
        ("at", order.at.to_string()),
    ];
    let further = [
        ("captured", order.captured.as_ref().map(|amount| clean(&amount.text))),
        ("memo", order.memo.as_deref().map(clean)),
        ("answers", order.request.as_deref().map(clean)),
        ("purpose", order.purpose.as_ref().map(Cid::to_string)),
        ("expires", order.expires.as_ref().map(ToString::to_string)),
        ("because", order.reason.as_deref().map(clean)),
    ];
    pairs.extend(further.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    context.out.pairs(&pairs)?;
    if order.steps.len() > 1 {
        context.out.line("")?;
        for step in &order.steps {
            let word = format!("{:9}", step.status.as_str());
            let word = context.out.paint(Stream::Stdout, status_style(step.status, true), &word);
            context.out.line(&format!("{}  {word}  {}", step.at, step.entry))?;
        }
    }
    Ok(Exit::DONE)
}

pub(super) async fn holds(
    context: &Context<'_>,
    books: &Books,
    args: &HoldListArgs,
) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Order> = books.books.get("holds", &query).await?;
    let heading = [
        Column::Left("HOLD"),
        Column::Right("AMOUNT"),
        Column::Left("FROM"),
        Column::Left("TO"),
        Column::Left("STATUS"),
        Column::Left("FINAL"),
        Column::Left("EXPIRES"),
    ];
    let empty =
        "no holds: place one with `icn ledger hold place TO AMOUNT`, or see those that ended with `--all`";
    print_page(context, &page, args.page.offset, empty, &heading, |hold| {
        vec![
            reference_start(&hold.reference).into(),
            clean(&hold.amount.text).into(),
            party(&hold.from).into(),
            party(&hold.to).into(),
            status_cell(hold.status, hold.is_final),
            final_cell(hold.status, hold.is_final),
            hold.expires.map_or_else(|| "-".to_owned(), |at| at.to_string()).into(),
        ]
    })
}

pub(super) async fn ask(context: &Context<'_>, books: &Books, args: AskArgs) -> Result<Exit, CliError> {
    let request = AskRequest {
        of: args.of,
        amount: args.amount.join(" "),
        memo: args.memo,
        expires_seconds: args.expires,
        key: args.key.key,
        identity: books.identity.clone(),
    };
    print_asked(context, &books.books.post("request", &request).await?)
}

fn print_asked(context: &Context<'_>, asked: &Asked) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(asked)?;
        return Ok(Exit::DONE);
    }
    let mut pairs = vec![
        ("request", clean(&asked.reference)),
        ("amount", context.out.paint(Stream::Stdout, Style::Bold, &clean(&asked.amount.text))),
        ("by", party(&asked.by)),
        ("of", party(&asked.of)),
        ("status", asked.status.as_str().to_owned()),
        ("at", asked.at.to_string()),
    ];
    let further = [
        ("memo", asked.memo.as_deref().map(clean)),
        ("expires", asked.expires.as_ref().map(ToString::to_string)),
        ("paid with", asked.payment.as_deref().map(clean)),
    ];
    pairs.extend(further.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    context.out.pairs(&pairs)?;
    Ok(Exit::DONE)
}

pub(super) async fn requests(
    context: &Context<'_>,
    books: &Books,
    args: &OpenListArgs,
) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Asked> = books.books.get("requests", &query).await?;
    let heading = [
        Column::Left("REQUEST"),
        Column::Right("AMOUNT"),
        Column::Left("BY"),
        Column::Left("OF"),
        Column::Left("STATUS"),
        Column::Left("MEMO"),
    ];
    let empty =
        "no open requests: ask with `icn ledger request FROM AMOUNT`, or see those that ended with `--all`";
    print_page(context, &page, args.page.offset, empty, &heading, |asked| {
        let style = match asked.status {
            AskStatus::Open => Style::Yellow,
            AskStatus::Paid => Style::Green,
            AskStatus::Declined | AskStatus::Void => Style::Red,
            AskStatus::Expired => Style::Dim,
        };
        vec![
            reference_start(&asked.reference).into(),
            clean(&asked.amount.text).into(),
            party(&asked.by).into(),
            party(&asked.of).into(),
            Cell::styled(asked.status.as_str(), Some(style)),
            clean(asked.memo.as_deref().unwrap_or_default()).into(),
        ]
    })
}
