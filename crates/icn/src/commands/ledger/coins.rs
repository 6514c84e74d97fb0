//! Standing orders, payments to several, charges on idle balances, and transfers that nobody's chain wrote.

use icn_gateway::api::books::{
    DemurrageRule, Every, Order, Proposed, Rule, SplitRequest, Standing, StandingRequest, Transfer,
    TurnRequest,
};
use icn_types::Page;

use super::super::Context;
use super::super::scope::{Books, print_page, reference_start};
use super::super::space::write_rule;
use super::account::add;
use super::{final_cell, status_cell, treasury};
use crate::cli::{
    DemurrageCommand, FromArgs, PayArgs, RecurringAddArgs, RecurringCommand, RecurringEndArgs,
    RecurringListArgs, TransfersArgs, WriteOffArgs,
};
use crate::client::escaped;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, party};

pub(super) async fn recurring(
    context: &Context<'_>,
    books: &Books,
    command: RecurringCommand,
) -> Result<Exit, CliError> {
    match command {
        RecurringCommand::Add(args) => add_standing(context, books, args).await,
        RecurringCommand::List(args) => list(context, books, &args).await,
        RecurringCommand::End(args) => end(context, books, args).await,
    }
}

async fn add_standing(
    context: &Context<'_>,
    books: &Books,
    args: RecurringAddArgs,
) -> Result<Exit, CliError> {
    if args.treasury.from.is_some() {
        let act = Proposed::Standing {
            to: args.to,
            amount: args.amount.join(" "),
            memo: args.memo,
            every: args.every,
            start: args.start,
            count: args.count,
            until: args.until,
            budget: args.treasury.budget.clone(),
        };
        return treasury::propose(context, books, args.treasury, act, args.key.key).await;
    }
    let request = StandingRequest {
        to: args.to,
        amount: args.amount.join(" "),
        memo: args.memo,
        every: args.every,
        start: args.start,
        count: args.count,
        until: args.until,
        key: args.key.key,
        identity: books.identity.clone(),
    };
    print(context, &books.books.post("standings", &request).await?)
}

async fn end(context: &Context<'_>, books: &Books, args: RecurringEndArgs) -> Result<Exit, CliError> {
    if args.from.is_some() {
        let from = FromArgs { from: args.from, budget: None, lapses: None };
        let act = Proposed::EndStanding { standing: args.standing.reference };
        return treasury::propose(context, books, from, act, args.key.key).await;
    }
    let request =
        TurnRequest { key: args.key.key, identity: books.identity.clone(), ..TurnRequest::default() };
    let route = format!("standings/{}/end", escaped(&args.standing.reference));
    print(context, &books.books.post(&route, &request).await?)
}

fn print(context: &Context<'_>, standing: &Standing) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(standing)?;
        return Ok(Exit::DONE);
    }
    let amount = context.out.paint(Stream::Stdout, Style::Bold, &clean(&standing.amount.text));
    let mut pairs = vec![
        ("standing order", clean(&standing.reference)),
        ("amount", format!("{amount} {}", every_words(standing.every))),
        ("from", party(&standing.from)),
        ("to", party(&standing.to)),
        ("start", standing.start.to_string()),
        ("paid", standing.paid.to_string()),
    ];
    let further = [
        ("memo", standing.memo.as_deref().map(clean)),
        ("at most", standing.count.map(|count| format!("{count} payments"))),
        ("until", standing.until.map(|until| until.to_string())),
        ("next due", standing.next_due.map(|due| due.to_string())),
        ("refused", standing.refused.as_deref().map(clean)),
        ("ended", standing.ended.then(|| "yes".to_owned())),
    ];
    pairs.extend(further.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    context.out.pairs(&pairs)?;
    Ok(Exit::DONE)
}

pub(super) fn every_words(every: Every) -> String {
    match every {
        Every::Days(1) => "every day".to_owned(),
        Every::Days(days) => format!("every {days} days"),
        Every::Months(1) => "every month".to_owned(),
        Every::Months(months) => format!("every {months} months"),
    }
}

async fn list(context: &Context<'_>, books: &Books, args: &RecurringListArgs) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Standing> = books.books.get("standings", &query).await?;
    let heading = [
        Column::Left("ORDER"),
        Column::Left("TO"),
        Column::Right("AMOUNT"),
        Column::Left("EVERY"),
        Column::Right("PAID"),
        Column::Left("NEXT DUE"),
        Column::Left(""),
    ];
    let empty = "no standing orders: place one with `icn ledger recurring add TO AMOUNT --every 1mo`";
    print_page(context, &page, args.page.offset, empty, &heading, |standing| {
        let state = match &standing.refused {
            _ if standing.ended => Cell::styled("ended", Some(Style::Dim)),
            Some(refused) => Cell::styled(format!("refused: {}", clean(refused)), Some(Style::Red)),
            None => Cell::from(""),
        };
        vec![
            reference_start(&standing.reference).into(),
            party(&standing.to).into(),
            clean(&standing.amount.text).into(),
            every_words(standing.every).trim_start_matches("every ").to_owned().into(),
            standing.paid.to_string().into(),
            standing.next_due.map_or_else(|| "-".to_owned(), |due| due.to_string()).into(),
            state,
        ]
    })
}

/// Pays several at once: `TO` is the beginning of the amount then.
pub(super) async fn pay_several(
    context: &Context<'_>,
    books: &Books,
    args: PayArgs,
) -> Result<Exit, CliError> {
    let mut words = vec![args.to];
    words.extend(args.amount);
    let request = SplitRequest {
        amount: words.join(" "),
        shares: args.several.split,
        memo: args.memo,
        key: args.key.key,
        identity: books.identity.clone(),
    };
    let orders: Vec<Order> = books.books.post("split", &request).await?;
    if context.out.is_json() {
        context.out.json(&orders)?;
        return Ok(Exit::DONE);
    }
    let page = Page { total: orders.len() as u64, has_more: false, items: orders };
    let heading = [
        Column::Left("PAYMENT"),
        Column::Left("TO"),
        Column::Right("AMOUNT"),
        Column::Left("STATUS"),
        Column::Left("FINAL"),
    ];
    print_page(context, &page, 0, "nothing was paid", &heading, |order| {
        vec![
            reference_start(&order.reference).into(),
            party(&order.to).into(),
            clean(&order.amount.text).into(),
            status_cell(order.status, order.is_final),
            final_cell(order.status, order.is_final),
        ]
    })
}

pub(super) async fn demurrage(
    context: &Context<'_>,
    books: &Books,
    command: DemurrageCommand,
) -> Result<Exit, CliError> {
    match command {
        DemurrageCommand::Set(args) => {
            let act = Rule::Demurrage {
                currency: args.currency,
                above: args.above,
                rate_ppm: args.rate,
                period_days: args.every,
                fund: args.fund,
            };
            write_rule(context, books, act, None, "set").await
        }
        DemurrageCommand::End(args) => {
            write_rule(context, books, Rule::EndDemurrage { currency: args.currency }, None, "ended").await
        }
        DemurrageCommand::Show(page) => {
            let rules: Page<DemurrageRule> = books.books.get("demurrage", &books.part(page)).await?;
            let heading = [
                Column::Left("CURRENCY"),
                Column::Right("ABOVE"),
                Column::Right("RATE"),
                Column::Right("DAYS"),
                Column::Left("FUND"),
                Column::Right("POT"),
            ];
            let empty = "no balance is charged: see `icn ledger demurrage set --help`";
            print_page(context, &rules, page.offset, empty, &heading, |rule| {
                vec![
                    clean(&rule.currency).into(),
                    clean(&rule.above.text).into(),
                    percent(rule.rate_ppm).into(),
                    rule.period_days.to_string().into(),
                    party(&rule.fund).into(),
                    clean(&rule.pot.text).into(),
                ]
            })
        }
    }
}

/// Writes parts per million as a percentage, exactly.
fn percent(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

pub(super) async fn write_off(
    context: &Context<'_>,
    books: &Books,
    args: WriteOffArgs,
) -> Result<Exit, CliError> {
    let act = Rule::WriteOff {
        account: args.account,
        amount: (!args.amount.is_empty()).then(|| args.amount.join(" ")),
        currency: args.currency,
        reason: args.reason,
    };
    write_rule(context, books, act, None, "written off").await
}

pub(super) async fn transfers(
    context: &Context<'_>,
    books: &Books,
    args: &TransfersArgs,
) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    add(&mut query, "currency", args.currency.as_ref());
    let page: Page<Transfer> = books.books.get("transfers", &query).await?;
    let heading = [
        Column::Left("AT"),
        Column::Left("FROM"),
        Column::Left("TO"),
        Column::Right("AMOUNT"),
        Column::Left("CAUSE"),
        Column::Left("BY"),
    ];
    let empty = "nothing: only this account's own payments have moved it, see `icn ledger history`";
    print_page(context, &page, args.page.offset, empty, &heading, |transfer| {
        vec![
            transfer.at.to_string().into(),
            party(&transfer.from).into(),
            party(&transfer.to).into(),
            clean(&transfer.amount.text).into(),
            clean(&transfer.cause).into(),
            reference_start(&transfer.by).into(),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages_are_written_as_people_read_them() {
        for (ppm, text) in [(20_000, "2%"), (5_000, "0.5%"), (1, "0.0001%"), (1_000_000, "100%")] {
            assert_eq!(percent(ppm), text);
        }
    }
}
