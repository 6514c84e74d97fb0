//! Balances, and why an account can or cannot spend.

use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Amount, OrderKind, OrderStatus, Party};

/// Which part of a list, and of what. A list ignores what it has no use for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Whose: a member as people name it.
    pub account: Option<String>,
    /// Only this currency.
    pub currency: Option<String>,
    /// The own identity that is meant where `account` is absent.
    pub identity: Option<String>,
    /// Everybody's, or what has ended too, as the list says.
    pub all: bool,
    /// How many items are skipped.
    pub offset: usize,
    /// How many there are at most: 1 to 100.
    pub limit: usize,
}

/// A question whether an amount could be spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explain {
    /// Whose account; none: that of `identity`.
    pub account: Option<String>,
    /// The own identity that is meant where `account` is absent.
    pub identity: Option<String>,
    /// Which currency; none: that of the amount, or the only one.
    pub currency: Option<String>,
    /// How much, such as `5 hours`; none: how things stand.
    pub amount: Option<String>,
}

/// One account in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Whose.
    pub account: Party,
    /// What was received less what was given, of all that was accepted. All balances of a currency sum to zero.
    pub balance: Amount,
    /// Set aside for payments and holds that are not accepted yet.
    pub reserved: Amount,
    /// Received, but not final yet.
    pub pending: Amount,
    /// How far below zero the balance may go.
    pub line: Amount,
    /// What can be spent now.
    pub available: Amount,
    /// Why the account cannot spend, if it cannot.
    pub frozen: Option<String>,
}

/// Which way money goes, seen from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To the account.
    In,
    /// From the account.
    Out,
}

/// A payment or hold, seen from one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What it is.
    pub kind: OrderKind,
    /// Which way it goes.
    pub way: Way,
    /// The other side.
    pub counterparty: Party,
    /// How much; never negative.
    pub amount: Amount,
    /// How far it has come.
    pub status: OrderStatus,
    /// Whether the payee may spend it.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// A word for people.
    pub memo: Option<String>,
    /// When it was written, by the payer's clock.
    pub at: Timestamp,
}

/// An entry to prepare for an author whose key is elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareRequest {
    /// Who will sign.
    pub author: Did,
    /// The acts, as the form of the books has them (`{"pay": {"to": "did:icn:…", "amount": 250, …}}`, amounts in the
    /// smallest unit).
    pub acts: Vec<serde_json::Value>,
    /// A word of the client's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Why an account can or cannot spend: the rule, the numbers, and what would change them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whose account.
    pub account: Party,
    /// The amount that was asked for, if one was.
    pub requested: Option<Amount>,
    /// Whether it can be spent; nothing if no amount was asked for.
    pub allowed: Option<bool>,
    /// The rule that decides, in a sentence.
    pub rule: String,
    /// How far below zero the balance may go.
    pub line: Amount,
    /// The entry that granted the line; none: the currency's first line for members.
    pub line_from: Option<Cid>,
    /// What was received less what was given.
    pub booked: Amount,
    /// What of it seals and decisions of others have moved, if they have: `icn ledger transfers` lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Amount>,
    /// Set aside for payments and holds that are not accepted yet.
    pub reserved: Amount,
    /// Received, but not final yet.
    pub pending: Amount,
    /// What can be spent now.
    pub available: Amount,
    /// The line that the currency's policy would give now.
    pub recommended: Option<Amount>,
    /// Why the account cannot spend at all, if it cannot.
    pub frozen: Option<String>,
    /// What would raise what can be spent, one sentence each.
    pub would_raise: Vec<String>,
}
