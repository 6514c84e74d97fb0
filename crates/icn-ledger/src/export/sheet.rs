//! The CSV form.

use std::borrow::Cow;

use super::{Export, ExportError};
use crate::money::format_amount;

/// What makes spreadsheets calculate, in the wide forms too that some of them take for the same.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
const HEAD: [&str; 11] = [
    "at",
    "entry",
    "payer",
    "payer_name",
    "payee",
    "payee_name",
    "amount",
    "currency",
    "status",
    "booked",
    "memo",
];

pub(super) fn write(export: &Export<'_>) -> Result<String, ExportError> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    table.write_record(HEAD)?;
    for row in export.rows {
        table.write_record([
            row.at.to_string().as_str(),
            &to_cell(&row.entry),
            row.payer.to_string().as_str(),
            &to_cell(export.name(&row.payer)),
            row.payee.to_string().as_str(),
            &to_cell(export.name(&row.payee)),
            // The amount of a payment is never negative; a number that was is no formula either.
            format_amount(row.amount, row.decimals).as_str(),
            &to_cell(&row.currency),
            &to_cell(&row.status),
            if row.booked { "yes" } else { "no" },
            &to_cell(row.memo.as_deref().unwrap_or_default()),
        ])?;
    }
    // A vector takes every byte, so that nothing can be left in the buffer.
    let bytes = table.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8(bytes)?)
}

/// Makes a text safe in a cell: no spreadsheet calculates it.
pub(crate) fn to_cell(text: &str) -> Cow<'_, str> {
    // White space, controls and invisible marks before the sign do not disarm it everywhere.
    let visible = text.trim_start_matches(|c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    });
    let starts_with_blank_control = text.starts_with(['\t', '\r', '\n']);
    if visible.starts_with(FORMULA) || text.starts_with('\'') || starts_with_blank_control {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Reads back the text of a cell that [`Export::csv`] wrote.
#[must_use]
pub fn from_cell(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}
