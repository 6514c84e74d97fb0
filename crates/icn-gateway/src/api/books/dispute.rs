//! Disputes about accepted payments.

use std::fmt;

use icn_types::{Cid, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Amount, Party};

/// A dispute to open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisputeRequest {
    /// The payment or hold, by its reference or a unique beginning of it.
    pub order: String,
    /// Why, for people.
    pub reason: String,
    /// What shows it.
    pub evidence: Vec<Cid>,
    /// A word of the client's choice: a second request with it is the first one again.
    pub key: Option<String>,
    /// The own identity that complains; none: the one that can.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// What becomes of a disputed payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeOutcome {
    /// It stands.
    Valid,
    /// All of it goes back.
    Reversed,
    /// So much goes back, such as `2 hours`.
    Refund(String),
    /// It stands, and the fund pays so much to whoever complained. Stewards only.
    WriteOff(String),
}

/// The next step of a dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DisputeStep {
    /// Shows something. For the payer and the payee.
    Evidence {
        /// What shows it.
        #[serde(default)]
        items: Vec<Cid>,
        /// For people.
        #[serde(default)]
        note: Option<String>,
    },
    /// Names a mediator. For the parties, and for stewards.
    Mediate {
        /// Whom: a member as people name it.
        mediator: String,
    },
    /// Hands it to the stewards.
    Escalate,
    /// Ends it. For the mediator; once it was handed on, for a steward who is no party.
    Resolve {
        /// What becomes of the payment.
        outcome: DisputeOutcome,
    },
}

/// A step to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeStepRequest {
    /// Which step.
    pub step: DisputeStep,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default)]
    pub key: Option<String>,
    /// The own identity that acts.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// How far a dispute has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// Nobody mediates yet.
    Contested,
    /// A mediator is to resolve it.
    UnderMediation,
    /// A steward who is no party is to resolve it.
    Escalated,
    /// It is over.
    Resolved,
}

/// Something that a party has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// Who.
    pub by: Party,
    /// What shows it.
    pub items: Vec<Cid>,
    /// For people.
    pub note: Option<String>,
    /// When, by that member's clock.
    pub at: Timestamp,
}

/// A dispute about an accepted payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Which: the act that opened it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The payment that it is about.
    pub order: String,
    /// Who opened it.
    pub by: Party,
    /// Who paid.
    pub payer: Party,
    /// Who was paid.
    pub payee: Party,
    /// How much was paid.
    pub amount: Amount,
    /// Why, for people.
    pub reason: String,
    /// How far it has come.
    pub status: DisputeStatus,
    /// Who mediates.
    pub mediator: Option<Party>,
    /// What became of the payment, in words.
    pub outcome: Option<String>,
    /// From when on, in sealed time, any member may hand it to the stewards; absent before it lies in a sealed epoch.
    pub escalates_at: Option<Timestamp>,
    /// What was shown, with the complaint and since.
    pub evidence: Vec<Exhibit>,
    /// When it was opened, by the clock of whoever did.
    pub at: Timestamp,
}

impl DisputeStatus {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contested => "contested",
            Self::UnderMediation => "under mediation",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for DisputeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
