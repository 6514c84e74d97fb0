//! Statements of account.

use std::collections::BTreeMap;
use std::sync::Arc;

use icn_gateway::api::books::{StatementFormat, StatementRequest};
use icn_gateway::api::{ByteStream, Problem};
use icn_ledger::{
    ExportError, OrderKind, OrderStatus, OrderView, Period, PeriodError, Statement, StatementItem,
    StatementOf,
};
use icn_types::{Did, Timestamp};

use super::words::Words;
use super::{BooksFace, export};
use crate::spaces::Space;

/// How many entries are read for their memos while the books are held.
const READ_AT_ONCE: usize = 256;

impl BooksFace {
    pub(super) async fn write_statement(
        &self,
        space: &str,
        wanted: StatementRequest,
    ) -> Result<ByteStream, Problem> {
        let space = self.find(space)?;
        let period = period(&wanted)?;
        let account = self.account(&space, wanted.account.as_deref(), wanted.identity.as_deref()).await?;
        let title = self.name_of(&space);
        let writing = tokio::task::spawn_blocking(move || {
            let whose = Whose { title, account, currency: wanted.currency, period };
            write(&space, &whose, wanted.format)
        });
        let text = writing.await.map_err(|error| Problem::internal(error.to_string()))??;
        Ok(export::chunked(text))
    }
}

/// Whose statement, over which time.
struct Whose {
    title: String,
    account: Did,
    currency: Option<String>,
    period: Period,
}

fn period(wanted: &StatementRequest) -> Result<Period, Problem> {
    let days = (wanted.from.as_deref(), wanted.to.as_deref());
    let period = match (&wanted.month, days) {
        (Some(month), (None, None)) => Period::month(month),
        (Some(_), _) => {
            let detail =
                "a statement is over a month or from one day to another: give `month`, or `from` and `to`";
            return Err(Problem::invalid("bad-period", detail));
        }
        (None, (from, to)) => Period::days(from, to),
    };
    period.map_err(|error: PeriodError| Problem::invalid("bad-period", error.to_string()))
}

fn write(space: &Arc<Space>, whose: &Whose, format: StatementFormat) -> Result<String, Problem> {
    // Balance and orders come from one look at the books, so that they agree.
    let (words, code, booked, orders, transfers) = {
        let replica = space.replica();
        let books = replica.books();
        let words = Words::of(books);
        let code = words.one(whose.currency.as_deref())?;
        let booked = books.balance(&whose.account, &code).booked;
        let orders = books.booked_history(&whose.account, &code);
        let transfers = books.transfers(&whose.account, 0, usize::MAX);
        (words, code, booked, orders, transfers)
    };
    let mut items = items(space, &words, &orders, whose.period);
    let transfers = transfers.into_iter().filter(|transfer| transfer.currency == code);
    items.extend(transfers.map(|transfer| {
        let booked_at = Some(transfer.at);
        let row = export::transfer_row(&words, transfer);
        StatementItem { row, kind: OrderKind::Pay, booked_at, is_open: false }
    }));
    let nicknames = words.members().filter_map(|(did, name)| Some((did, name?.to_owned())));
    let names: BTreeMap<Did, String> = nicknames.collect();
    let of = StatementOf {
        title: &whose.title,
        names: &names,
        account: whose.account,
        currency: &code,
        decimals: words.decimals(&code),
        booked,
        period: whose.period,
    };
    let statement = Statement::draw(of, &items);
    let internal = |error: ExportError| Problem::internal(error.to_string());
    match format {
        StatementFormat::Text => Ok(statement.text()),
        StatementFormat::Csv => statement.csv().map_err(internal),
        StatementFormat::Json => serde_json::to_string_pretty(&statement.json())
            .map_err(|error| Problem::internal(error.to_string())),
    }
}

/// Makes the items of a statement. Only those of the period are read for what people said in them.
fn items(
    space: &Space,
    words: &Words,
    orders: &[(OrderView, Option<Timestamp>)],
    period: Period,
) -> Vec<StatementItem> {
    let mut items = Vec::with_capacity(orders.len());
    for part in orders.chunks(READ_AT_ONCE) {
        let replica = space.replica();
        for (order, booked_at) in part {
            let at = booked_at.unwrap_or(order.at);
            let is_within =
                period.from.is_none_or(|from| from <= at) && period.until.is_none_or(|until| at < until);
            let is_open = booked_at.is_none() && is_open(order.status);
            let row = if is_within || is_open {
                export::row(&replica, words, order)
            } else {
                export::row_without_memo(words, order)
            };
            items.extend(row.map(|row| StatementItem {
                row,
                kind: order.kind,
                booked_at: *booked_at,
                is_open,
            }));
        }
    }
    items
}

/// Tells whether an order that is not booked may still be.
const fn is_open(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Sent | OrderStatus::Placed | OrderStatus::Captured | OrderStatus::Claimed => true,
        OrderStatus::Accepted
        | OrderStatus::Certified
        | OrderStatus::Sealed
        | OrderStatus::Declined
        | OrderStatus::Returned
        | OrderStatus::Released
        | OrderStatus::Expired
        | OrderStatus::Void
        | OrderStatus::Invalid
        | OrderStatus::Open
        | OrderStatus::Paid => false,
    }
}
