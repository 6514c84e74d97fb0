//! The statement of one account in one currency over a period: what it began with, what moved, what it ended with.
//!
//! A movement stands at the time at which it was booked ([`Books::booked_history`](crate::Books::booked_history)): the
//! payee's clock, held within the epoch whose seal covers it. Once the end of a period is sealed, its statement no longer
//! changes. The opening balance, and all that is listed, add up to the closing balance, exactly.

mod json;
mod period;
mod sheet;
mod text;

use std::collections::BTreeMap;

use icn_types::{Did, Timestamp};

pub use self::period::{Period, PeriodError};
use crate::books::OrderKind;
use crate::export::{ExportError, ExportRow};

/// A payment or hold of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementItem {
    /// What it says, as in every export.
    pub row: ExportRow,
    /// What it is.
    pub kind: OrderKind,
    /// When it moved both balances, if it has.
    pub booked_at: Option<Timestamp>,
    /// Whether it waits: it is not booked, and may be.
    pub is_open: bool,
}

/// Whose statement, of what, and when.
#[derive(Debug, Clone, Copy)]
pub struct StatementOf<'a> {
    /// What the space is called.
    pub title: &'a str,
    /// What members are called, as far as they have names.
    pub names: &'a BTreeMap<Did, String>,
    /// Whose.
    pub account: Did,
    /// In which currency.
    pub currency: &'a str,
    /// How many decimals the currency has.
    pub decimals: u8,
    /// The balance of the account now, by its books.
    pub booked: i64,
    /// Over which time.
    pub period: Period,
}

/// One movement of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementLine<'a> {
    /// When it was booked.
    pub at: Timestamp,
    /// What moved.
    pub item: &'a StatementItem,
    /// What it did to the balance: above 0 for what was received.
    pub change: i64,
    /// The balance after it.
    pub balance: i64,
}

/// A statement. Amounts are in the smallest unit.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    /// Whose, of what, and when.
    pub of: StatementOf<'a>,
    /// The balance before the period.
    pub opening: i64,
    /// What moved in the period, oldest first.
    pub lines: Vec<StatementLine<'a>>,
    /// The balance after the period.
    pub closing: i64,
    /// What was received in the period.
    pub received: i64,
    /// What was given in the period.
    pub given: i64,
    /// What was begun before the end of the period and waits still, as things stand now.
    pub open: Vec<&'a StatementItem>,
    /// By how much the books' balance differs from everything that is listed: 0, unless the books know of movements that are
    /// neither payments nor holds.
    pub unlisted: i64,
}

impl<'a> Statement<'a> {
    /// Draws the statement from all payments and holds of the account in the currency, in any order.
    #[must_use]
    pub fn draw(of: StatementOf<'a>, items: &'a [StatementItem]) -> Self {
        let change = |item: &StatementItem| {
            let amount = i128::from(item.row.amount);
            if item.row.payee == of.account { amount } else { -amount }
        };
        let mut moved: Vec<(Timestamp, &StatementItem)> =
            items.iter().filter_map(|item| Some((item.booked_at?, item))).collect();
        moved.sort_by(|(a, one), (b, other)| (a, &one.row.entry).cmp(&(b, &other.row.entry)));
        let before = moved.partition_point(|(at, _)| of.period.from.is_some_and(|from| *at < from));
        let (earlier, rest) = moved.split_at(before);
        let opening: i128 = earlier.iter().map(|(_, item)| change(item)).sum();
        let total = opening + rest.iter().map(|(_, item)| change(item)).sum::<i128>();

        let (mut balance, mut received, mut given) = (opening, 0_i128, 0_i128);
        let within = rest.iter().take_while(|(at, _)| of.period.until.is_none_or(|until| *at < until));
        let lines = within
            .map(|(at, item)| {
                let change = change(item);
                balance += change;
                received += change.max(0);
                given -= change.min(0);
                StatementLine { at: *at, item, change: narrow(change), balance: narrow(balance) }
            })
            .collect();
        let waits =
            |item: &&StatementItem| item.is_open && of.period.until.is_none_or(|until| item.row.at < until);
        let mut open: Vec<&StatementItem> = items.iter().filter(waits).collect();
        open.sort_by(|a, b| (a.row.at, &a.row.entry).cmp(&(b.row.at, &b.row.entry)));
        Self {
            of,
            opening: narrow(opening),
            lines,
            closing: narrow(balance),
            received: narrow(received),
            given: narrow(given),
            open,
            unlisted: narrow(i128::from(of.booked) - total),
        }
    }

    /// Writes it for people, in lines of plain text.
    #[must_use]
    pub fn text(&self) -> String {
        text::write(self)
    }

    /// Writes a table with a head line (RFC 4180), texts made harmless for spreadsheets as in [`Export::csv`](crate::Export::csv).
    ///
    /// # Errors
    ///
    /// [`ExportError`] when the writer fails.
    pub fn csv(&self) -> Result<String, ExportError> {
        sheet::write(self)
    }

    /// Makes a JSON object. Amounts are text with all decimals, and whole numbers of the smallest unit beside it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        json::write(self)
    }

    /// Tells who is on the other side.
    fn other(&self, row: &ExportRow) -> Did {
        if row.payee == self.of.account { row.payer } else { row.payee }
    }

    /// Tells what an open item would do to the balance.
    fn would_change(&self, item: &StatementItem) -> i64 {
        if item.row.payee == self.of.account { item.row.amount } else { item.row.amount.saturating_neg() }
    }
}

fn narrow(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

/// Names what an item is.
const fn kind_word(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Pay => "payment",
        OrderKind::Hold | OrderKind::Capture => "hold",
        OrderKind::Request => "request",
    }
}

#[cfg(test)]
mod tests;
