//! What shows that the books are right: entries, forks, claims, seals, verification, export.

use std::fmt;

use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Amount, Party};

/// An entry as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// Its name.
    pub id: Cid,
    /// Who wrote it.
    pub author: Party,
    /// Its place in the author's chain, from 1.
    pub seq: u64,
    /// When, by the author's clock.
    pub at: Timestamp,
    /// What it does.
    pub acts: Vec<JudgedAct>,
    /// Whether a quorum of witnesses certified it.
    pub certified: bool,
    /// The sealed epoch that covers it.
    pub sealed_in: Option<u64>,
    /// Whether another entry stands at the same place.
    pub forked: bool,
}

/// An act with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedAct {
    /// Its kind, such as `pay`.
    pub kind: String,
    /// What it says, in a line for people: `pays 2.50 hours to bob`.
    pub text: String,
    /// Whether it counts.
    pub valid: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// A place at which an author signed two entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Who.
    pub author: Party,
    /// At which place of the chain.
    pub seq: u64,
    /// The entries there, by id.
    pub branches: Vec<Branch>,
    /// The one that stands.
    pub winner: Cid,
    /// By which rule: `certified`, `sealed`, `decided`, `lowest-id`, `repaired`.
    pub rule: String,
    /// Whether the author reported it before any harm: a fault, not a fraud.
    pub repaired: bool,
    /// Whether the account is frozen because of it.
    pub frozen: bool,
    /// The proof that anybody can check: its DAG-CBOR bytes in hexadecimal.
    pub proof: String,
}

/// One of the entries at a forked place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The entry.
    pub entry: Cid,
    /// Whether it stands.
    pub stands: bool,
    /// Whether it was certified.
    pub certified: bool,
    /// The sealed epoch that covers it.
    pub sealed_in: Option<u64>,
}

/// A debt outside the books: an accepted payment was voided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtClaim {
    /// Its name, made from its cause.
    pub id: Cid,
    /// Who is owed.
    pub creditor: Party,
    /// Who owes.
    pub debtor: Party,
    /// How much.
    pub amount: Amount,
    /// The voided payment: `<CID of the entry>#<number of the act>`.
    pub cause: String,
}

/// An act that does not count now but may later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Who wrote it.
    pub author: Party,
    /// A stable word: `limit-exceeded`, `not-a-member`, `unknown-currency`, `frozen`, `fork`, `uncovered`, …
    pub reason: String,
    /// For people, with the numbers and what would cure it.
    pub detail: String,
}

/// Recorded misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misbehaviour {
    /// When this node saw it.
    pub at: Timestamp,
    /// `bad-signature`, `equivocation`, `malformed` or `excess-rate`.
    pub kind: String,
    /// Who is to blame, as far as it can be shown.
    pub who: Option<Party>,
    /// The peer that it came from.
    pub peer: Option<String>,
    /// What happened.
    pub detail: String,
    /// The evidence, in hexadecimal, if there is any.
    pub evidence: Option<String>,
}

/// A sealed epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Which epoch.
    pub number: u64,
    /// The entry that seals it.
    pub entry: Cid,
    /// Who proposed it.
    pub author: Party,
    /// The time of the epoch's end.
    pub time: Timestamp,
    /// Whether it counts.
    pub counts: bool,
    /// How many entries it covers that no earlier seal does.
    pub entries: u64,
    /// SHA-256 of the state that it seals, in hexadecimal.
    pub digest: String,
}

/// What computing everything again has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerVerdict {
    /// Whether all is as it should be.
    pub ok: bool,
    /// The space.
    pub space: Did,
    /// How many entries were read, and their signatures checked.
    pub entries: u64,
    /// SHA-256 of the whole reduced state, in hexadecimal: equal on all nodes with the same entries.
    pub digest: String,
    /// The sum of all balances of each currency, which must be zero.
    pub currencies: Vec<CurrencySum>,
    /// Places with two entries.
    pub forks: u64,
    /// Debts outside the books.
    pub claims: u64,
    /// Acts that do not count now.
    pub quarantined: u64,
    /// Entries that wait for their past.
    pub waiting: u64,
    /// What is not as it should be, one sentence each.
    pub differences: Vec<String>,
    /// Microseconds that it took.
    pub elapsed_us: u64,
}

/// One currency in a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencySum {
    /// Its code.
    pub currency: String,
    /// How many accounts have used it.
    pub accounts: u64,
    /// The sum of all balances in the smallest unit: zero.
    pub sum: i64,
    /// All that is above zero.
    pub credit: Amount,
}

/// In which format books are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A journal for hledger.
    #[default]
    Hledger,
    /// Comma-separated values with a heading.
    Csv,
    /// One JSON array.
    Json,
}

/// What to export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// In which format.
    pub format: ExportFormat,
    /// Only this account's.
    pub account: Option<String>,
}

impl ExportFormat {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hledger => "hledger",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Returns the content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Hledger => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
