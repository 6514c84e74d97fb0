//! The CSV form.

use super::{Statement, StatementItem, kind_word};
use crate::export::{ExportError, to_cell};
use crate::money::format_amount;

const HEAD: [&str; 12] = [
    "line",
    "booked_at",
    "signed_at",
    "entry",
    "kind",
    "counterparty",
    "counterparty_name",
    "change",
    "balance",
    "currency",
    "status",
    "memo",
];

type Table = csv::Writer<Vec<u8>>;

pub(super) fn write(statement: &Statement<'_>) -> Result<String, ExportError> {
    let of = &statement.of;
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    table.write_record(HEAD)?;
    let first = of.period.from.map(|from| from.to_string()).unwrap_or_default();
    total(&mut table, statement, "opening", &first, statement.opening)?;
    for line in &statement.lines {
        let at = line.at.to_string();
        movement(&mut table, statement, ("movement", &at), line.item, line.change, Some(line.balance))?;
    }
    let last = of.period.until.map(|until| until.to_string()).unwrap_or_default();
    total(&mut table, statement, "closing", &last, statement.closing)?;
    if statement.unlisted != 0 {
        total(&mut table, statement, "unlisted", "", statement.unlisted)?;
    }
    for item in &statement.open {
        movement(&mut table, statement, ("open", ""), item, statement.would_change(item), None)?;
    }
    // A vector takes every byte, so that nothing can be left in the buffer.
    let bytes = table.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8(bytes)?)
}

fn total(
    table: &mut Table,
    statement: &Statement<'_>,
    line: &str,
    at: &str,
    balance: i64,
) -> Result<(), ExportError> {
    let of = &statement.of;
    let (balance, currency) = (format_amount(balance, of.decimals), to_cell(of.currency));
    Ok(table.write_record([line, at, "", "", "", "", "", "", &balance, &currency, "", ""])?)
}

fn movement(
    table: &mut Table,
    statement: &Statement<'_>,
    (line, at): (&str, &str),
    item: &StatementItem,
    change: i64,
    balance: Option<i64>,
) -> Result<(), ExportError> {
    let of = &statement.of;
    let row = &item.row;
    let other = statement.other(row);
    let name = of.names.get(&other).map_or("", String::as_str);
    table.write_record([
        line,
        at,
        row.at.to_string().as_str(),
        &to_cell(&row.entry),
        kind_word(item.kind),
        other.to_string().as_str(),
        &to_cell(name),
        // A number with a sign is a number, and no formula.
        format_amount(change, of.decimals).as_str(),
        balance.map(|balance| format_amount(balance, of.decimals)).unwrap_or_default().as_str(),
        &to_cell(of.currency),
        &to_cell(&row.status),
        &to_cell(row.memo.as_deref().unwrap_or_default()),
    ])?;
    Ok(())
}
