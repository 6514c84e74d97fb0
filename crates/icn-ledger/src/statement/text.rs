//! The form for people.

use std::fmt::Write as _;

use super::period::date;
use super::{Statement, StatementItem, kind_word};
use crate::export::is_mark;
use crate::money::format_amount;

const HEAD: [&str; 6] = ["DATE", "AMOUNT", "BALANCE", "WITH", "STATUS", "FOR"];
/// The columns with numbers stand to the right.
const RIGHT: [bool; 6] = [false, true, true, false, false, false];

type Cells = [String; 6];

pub(super) fn write(statement: &Statement<'_>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, statement);
    text
}

fn write_all(text: &mut String, statement: &Statement<'_>) -> std::fmt::Result {
    let of = &statement.of;
    let amount = |smallest: i64| format_amount(smallest, of.decimals);
    writeln!(text, "Statement of {} in {}", party(statement, &of.account), plain(of.title))?;
    writeln!(text, "{}, {}\n", plain(of.currency), of.period)?;
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.push(mark(of.period.first_day(), amount(statement.opening), "opening balance"));
    for line in &statement.lines {
        let row = &line.item.row;
        rows.push([
            date(line.at),
            signed(line.change, of.decimals),
            amount(line.balance),
            party(statement, &statement.other(row)),
            plain(&row.status),
            what(line.item),
        ]);
    }
    rows.push(mark(of.period.last_day(), amount(statement.closing), "closing balance"));
    table(text, &rows)?;
    let (received, given) = (amount(statement.received), amount(statement.given));
    let movements = statement.lines.len();
    let word = if movements == 1 { "movement" } else { "movements" };
    writeln!(text, "\nreceived {received}, given {given}, {movements} {word}")?;
    if statement.unlisted != 0 {
        let unlisted = signed(statement.unlisted, of.decimals);
        writeln!(
            text,
            "the books have {unlisted} more than all payments and holds: see `icn ledger verify`"
        )?;
    }
    if statement.open.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nNot booked yet, and in no balance above:\n")?;
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(statement.open.iter().map(|item| {
        [
            date(item.row.at),
            signed(statement.would_change(item), of.decimals),
            String::new(),
            party(statement, &statement.other(&item.row)),
            plain(&item.row.status),
            what(item),
        ]
    }));
    table(text, &rows)
}

fn mark(day: Option<String>, balance: String, words: &str) -> Cells {
    [day.unwrap_or_default(), String::new(), balance, words.to_owned(), String::new(), String::new()]
}

fn what(item: &StatementItem) -> String {
    match (&item.row.memo, kind_word(item.kind)) {
        (Some(memo), _) => plain(memo),
        (None, "payment") => String::new(),
        (None, kind) => kind.to_owned(),
    }
}

fn party(statement: &Statement<'_>, did: &icn_types::Did) -> String {
    match statement.of.names.get(did) {
        Some(name) => format!("{} ({})", plain(name), did.short()),
        None => did.short(),
    }
}

fn signed(amount: i64, decimals: u8) -> String {
    let text = format_amount(amount, decimals);
    if amount > 0 { format!("+{text}") } else { text }
}

fn table(text: &mut String, rows: &[Cells]) -> std::fmt::Result {
    let mut widths = [0; 6];
    for row in rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
    }
    for row in rows {
        let mut line = String::new();
        for ((cell, width), is_right) in row.iter().zip(widths).zip(RIGHT) {
            if is_right { write!(line, "{cell:>width$}  ")? } else { write!(line, "{cell:width$}  ")? }
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Makes a stranger's words harmless for a terminal and for the layout: one line, one direction.
fn plain(text: &str) -> String {
    let harmless = |c: char| if c.is_control() || is_mark(c) { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}
