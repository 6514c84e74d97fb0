//! Payments, requests and holds.

use std::fmt;
use std::str::FromStr;

use icn_types::{Cid, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Amount, FinalityLevel, Party};

/// A payment to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayRequest {
    /// Whom: a member as people name it.
    pub to: String,
    /// How much, such as `2.50 hours`.
    pub amount: String,
    /// For people: at most 512 bytes.
    pub memo: Option<String>,
    /// The request that it answers.
    pub request: Option<String>,
    /// After how many seconds it lapses unless it was accepted.
    pub expires_seconds: Option<u64>,
    /// A word of the client's choice: a second request with it is the first one again.
    pub key: Option<String>,
    /// The own identity that pays.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A request for a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskRequest {
    /// Who is asked.
    pub of: String,
    /// For how much, such as `2.50 hours`.
    pub amount: String,
    /// For people: at most 512 bytes.
    pub memo: Option<String>,
    /// After how many seconds it lapses.
    pub expires_seconds: Option<u64>,
    /// A word of the client's choice: a second request with it is the first one again.
    pub key: Option<String>,
    /// The own identity that asks.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A hold to place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldRequest {
    /// For whom.
    pub to: String,
    /// How much at most, such as `5 hours`.
    pub amount: String,
    /// After how many seconds it lapses; a day when absent.
    pub expires_seconds: Option<u64>,
    /// What it is for, such as a job's id.
    pub purpose: Option<Cid>,
    /// A word of the client's choice: a second request with it is the first one again.
    pub key: Option<String>,
    /// The own identity that pays.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// What happens to a payment or hold next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderTurn {
    /// The payee takes it.
    Accept,
    /// The payee refuses it.
    Decline,
    /// The payer pays out a hold: `amount` of it, or all.
    Capture,
    /// The payer takes back what was declined.
    Return,
    /// The payee says that a hold is due although it was not captured: `amount` of it, or all.
    Claim,
    /// The payee gives up a hold; or the payer, who then captures nothing of it.
    Release,
}

/// How an order is to be taken further; may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnRequest {
    /// How much of a hold is captured or claimed; all of it when absent.
    pub amount: Option<String>,
    /// For people, when something is declined or released.
    pub reason: Option<String>,
    /// What shows that a hold is due: assignment, receipt. A capture takes at most one.
    pub evidence: Vec<Cid>,
    /// A word of the client's choice: a second request with it is the first one again.
    pub key: Option<String>,
    /// The own identity that acts; none: the one that can.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// Which kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// A payment.
    Payment,
    /// Credit set aside.
    Hold,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The payer signed it; the amount is reserved.
    Sent,
    /// The payee took it; both balances have changed.
    Accepted,
    /// Accepted, and a quorum of witnesses saw nothing else at its place.
    Certified,
    /// Accepted, and in a sealed epoch.
    Sealed,
    /// The payee refused it; the payer has not taken it back yet.
    Declined,
    /// The payer took it back.
    Returned,
    /// A hold: credit is set aside.
    Placed,
    /// A hold: the payer paid out; the payee has not taken it yet.
    Captured,
    /// A hold: given up; the credit is free again.
    Released,
    /// Its time was over, by a sealed epoch.
    Expired,
    /// A hold: the payee says that it is due; the payer has not paid.
    Claimed,
    /// It does not count: its entry lost against another one, or was never valid.
    Void,
}

/// A payment or hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What it is.
    pub kind: OrderKind,
    /// How far it has come.
    pub status: OrderStatus,
    /// Whether the payee may spend it.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// What the space's policy asks for before the payee may spend an amount like this.
    pub final_at: FinalityLevel,
    /// Who pays.
    pub from: Party,
    /// Who is paid.
    pub to: Party,
    /// How much.
    pub amount: Amount,
    /// For a hold: how much of it was captured or claimed.
    pub captured: Option<Amount>,
    /// A word for people.
    pub memo: Option<String>,
    /// The request that it answers.
    pub request: Option<String>,
    /// What a hold is for.
    pub purpose: Option<Cid>,
    /// When it lapses.
    pub expires: Option<Timestamp>,
    /// Why it stands as it does, when somebody gave a reason or a rule did.
    pub reason: Option<String>,
    /// When it was written, by the payer's clock.
    pub at: Timestamp,
    /// What happened to it, in order. Lists leave it empty.
    pub steps: Vec<OrderStep>,
}

/// One step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStep {
    /// The status that it brought.
    pub status: OrderStatus,
    /// The entry that brought it.
    pub entry: Cid,
    /// When, by its author's clock.
    pub at: Timestamp,
}

/// How a request for a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskStatus {
    /// Nobody answered yet.
    Open,
    /// A payment answers it.
    Paid,
    /// Whoever was asked refused.
    Declined,
    /// Its time is over.
    Expired,
    /// It does not count.
    Void,
}

/// A request for a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which: `<CID of the entry>#<number of the act>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How it stands.
    pub status: AskStatus,
    /// Who asks.
    pub by: Party,
    /// Who is asked.
    pub of: Party,
    /// For how much.
    pub amount: Amount,
    /// A word for people.
    pub memo: Option<String>,
    /// When it lapses.
    pub expires: Option<Timestamp>,
    /// The payment that answers it.
    pub payment: Option<String>,
    /// When it was written, by the asker's clock.
    pub at: Timestamp,
}

impl OrderStatus {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 12] = [
        Self::Sent,
        Self::Accepted,
        Self::Certified,
        Self::Sealed,
        Self::Declined,
        Self::Returned,
        Self::Placed,
        Self::Captured,
        Self::Released,
        Self::Expired,
        Self::Claimed,
        Self::Void,
    ];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Certified => "certified",
            Self::Sealed => "sealed",
            Self::Declined => "declined",
            Self::Returned => "returned",
            Self::Placed => "placed",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Claimed => "claimed",
            Self::Void => "void",
        }
    }

    /// Tells whether an order with this status has reached a level; nothing when it never will.
    #[must_use]
    pub fn has_reached(self, level: FinalityLevel) -> Option<bool> {
        match self {
            Self::Sent | Self::Placed | Self::Captured => Some(false),
            Self::Accepted => Some(level <= FinalityLevel::Accepted),
            Self::Certified => Some(level <= FinalityLevel::Certified),
            Self::Sealed => Some(true),
            Self::Declined | Self::Returned | Self::Released | Self::Expired | Self::Claimed | Self::Void => {
                None
            }
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AskStatus {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

impl OrderTurn {
    /// Returns the word, which is also the last part of the route.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Capture => "capture",
            Self::Return => "return",
            Self::Claim => "claim",
            Self::Release => "release",
        }
    }
}

impl FromStr for OrderTurn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Accept, Self::Decline, Self::Capture, Self::Return, Self::Claim, Self::Release];
        all.into_iter().find(|turn| turn.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_everywhere() {
        for status in OrderStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for word in ["accept", "decline", "capture", "return", "claim", "release"] {
            assert_eq!(word.parse::<OrderTurn>().unwrap().as_str(), word);
        }
        assert!("void".parse::<OrderTurn>().is_err());
    }

    #[test]
    fn levels_include_those_before() {
        use FinalityLevel::{Accepted, Certified, Sealed};
        let check = |status: OrderStatus, expected: [Option<bool>; 3]| {
            assert_eq!([Accepted, Certified, Sealed].map(|level| status.has_reached(level)), expected);
        };
        check(OrderStatus::Sent, [Some(false); 3]);
        check(OrderStatus::Accepted, [Some(true), Some(false), Some(false)]);
        check(OrderStatus::Certified, [Some(true), Some(true), Some(false)]);
        check(OrderStatus::Sealed, [Some(true); 3]);
        check(OrderStatus::Declined, [None; 3]);
    }
}
