//! The books in forms that other programs read: an hledger journal, CSV, JSON.
//!
//! Names and memos are written by strangers. None of them may become a line, a column, a comment, a tag, an account or a
//! formula in the program that reads the export.

mod hledger;
mod json;
mod sheet;

use std::collections::BTreeMap;

use icn_types::{Did, Timestamp};

/// One payment, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow {
    /// When, by the payer's clock.
    pub at: Timestamp,
    /// Which act: the text of an order's name.
    pub entry: String,
    /// Whose balance it lowers.
    pub payer: Did,
    /// Whose balance it raises.
    pub payee: Did,
    /// How much, in the smallest unit.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// How many decimals the currency has.
    pub decimals: u8,
    /// How far it has come, in a word for people.
    pub status: String,
    /// Whether it has moved both balances. What has not is listed, but changes nothing.
    pub booked: bool,
    /// What the payer said.
    pub memo: Option<String>,
}

/// What is exported.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// What the space is called.
    pub title: &'a str,
    /// What members are called, as far as they have names.
    pub names: &'a BTreeMap<Did, String>,
    /// The payments, in the order in which they are to stand.
    pub rows: &'a [ExportRow],
}

/// An export that could not be written.
///
/// Blame: us.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The CSV writer failed.
    #[error("the table could not be written: try another format")]
    Csv(#[from] csv::Error),
    /// The CSV writer gave something that is not text.
    #[error("the table is not text: try another format")]
    Text(#[from] std::string::FromUtf8Error),
}

impl Export<'_> {
    /// Writes an hledger journal. Every booked row is a transaction between two accounts under `members:`; the others
    /// stand there as comments.
    #[must_use]
    pub fn hledger(&self) -> String {
        hledger::write(self)
    }

    /// Writes a table with a head line (RFC 4180). A text that a spreadsheet could take for a formula gets a `'` in front,
    /// and so does one that starts with `'`; [`from_cell`] undoes that.
    ///
    /// # Errors
    ///
    /// [`ExportError`] when the writer fails.
    pub fn csv(&self) -> Result<String, ExportError> {
        sheet::write(self)
    }

    /// Makes a JSON object. Amounts are text with all decimals, exact for readers whose numbers have 53 bits, and whole
    /// numbers of the smallest unit beside it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        json::write(self)
    }

    fn name(&self, did: &Did) -> &str {
        self.names.get(did).map_or("", String::as_str)
    }
}

pub(crate) use hledger::is_mark;
pub use sheet::from_cell;
pub(crate) use sheet::to_cell;

#[cfg(test)]
mod tests;
