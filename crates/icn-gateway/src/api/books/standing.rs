//! Standing orders, payments to several at once, and transfers that nobody's chain wrote.

use icn_types::{Cid, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Amount, Party};

/// How often a standing order pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// So many days of 24 hours.
    Days(u32),
    /// So many months of the calendar, UTC.
    Months(u32),
}

/// A standing order to place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingRequest {
    /// Whom it pays: a member as people name it.
    pub to: String,
    /// How much each time, such as `2.50 hours`.
    pub amount: String,
    /// For people; each payment carries it.
    #[serde(default)]
    pub memo: Option<String>,
    /// How often.
    pub every: Every,
    /// When the first payment is due; now when absent.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// How many payments at most.
    #[serde(default)]
    pub count: Option<u32>,
    /// Nothing is due after this time.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default)]
    pub key: Option<String>,
    /// The own identity that pays.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A standing order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Who pays.
    pub from: Party,
    /// Who is paid.
    pub to: Party,
    /// How much each time.
    pub amount: Amount,
    /// For people.
    pub memo: Option<String>,
    /// How often.
    pub every: Every,
    /// When the first payment was due.
    pub start: Timestamp,
    /// How many payments at most.
    pub count: Option<u32>,
    /// Nothing is due after this time.
    pub until: Option<Timestamp>,
    /// Whether its payer ended it.
    pub ended: bool,
    /// How many payments it has made.
    pub paid: u32,
    /// When the next one is due; absent when there is none.
    pub next_due: Option<Timestamp>,
    /// Why the payment that is due was not made, if this node tried: it tries again every ten minutes.
    pub refused: Option<String>,
}

/// One share of a payment to several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Whom: a member as people name it.
    pub to: String,
    /// How many parts of the whole.
    pub weight: u64,
}

/// A payment to several at once: one entry, so that all of it is sent or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRequest {
    /// How much altogether, such as `100 hours`.
    pub amount: String,
    /// Among whom; absent: all other members, each the same. What does not divide goes to the largest remainders, ties to
    /// the lowest DID.
    #[serde(default)]
    pub shares: Vec<Share>,
    /// For people.
    #[serde(default)]
    pub memo: Option<String>,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default)]
    pub key: Option<String>,
    /// The own identity that pays.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A transfer that follows from a seal, or from somebody else's act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its name, derived from its cause: the same on every node.
    pub id: Cid,
    /// Who pays.
    pub from: Party,
    /// Who is paid.
    pub to: Party,
    /// How much.
    pub amount: Amount,
    /// `demurrage`, `dispute` or `write-off`.
    pub cause: String,
    /// The act that caused it.
    pub by: String,
    /// The time of the seal, or the clock of the act's author.
    pub at: Timestamp,
}

/// How idle balances of a currency are charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemurrageRule {
    /// The currency.
    pub currency: String,
    /// What is free of charge.
    pub above: Amount,
    /// The part of the rest that is charged for each period, in parts per million.
    pub rate_ppm: u32,
    /// The length of a period, in days.
    pub period_days: u32,
    /// Who gets it.
    pub fund: Party,
    /// What the fund has.
    pub pot: Amount,
}
