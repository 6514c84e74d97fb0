//! What the parties of a payment, mediators and stewards say when the parties do not agree.

use icn_types::{Cid, Did};
use serde::{Deserialize, Serialize};

use crate::act::{EVIDENCE_MAX, OrderRef, memo, positive};
use crate::error::PostError;

/// The most mediators that a space lists.
pub const MEDIATORS_MAX: usize = 64;

/// One step of a dispute about an accepted payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeAct {
    /// Opens it. For the payer or the payee.
    File {
        /// The payment, or capture, that was accepted.
        order: OrderRef,
        /// The payee's entry that took it.
        acceptance: Cid,
        /// Why, for people.
        reason: String,
        /// What shows it.
        evidence: Vec<Cid>,
    },
    /// Shows something. For the payer and the payee.
    Evidence {
        /// Which dispute: the act that opened it.
        dispute: OrderRef,
        /// What shows it.
        items: Vec<Cid>,
        /// For people.
        note: Option<String>,
    },
    /// Names a mediator: it is agreed when both parties name the same, or when a steward who is neither names one.
    Mediate {
        /// Which dispute.
        dispute: OrderRef,
        /// Whom.
        mediator: Did,
    },
    /// Hands it to the stewards. For the mediator; for any member once the time for mediation is over.
    Escalate {
        /// Which dispute.
        dispute: OrderRef,
    },
    /// Ends it. For the mediator; once it was handed on, for a steward who is no party.
    Resolve {
        /// Which dispute.
        dispute: OrderRef,
        /// What becomes of the payment.
        outcome: Outcome,
    },
}

/// What becomes of a disputed payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It stands.
    EntryValid,
    /// All of it goes back to the payer.
    EntryReversed,
    /// A part goes back to the payer.
    PartialRefund {
        /// How much, in the smallest unit; at most the payment.
        amount: i64,
    },
    /// It stands, and the community's fund pays whoever complained. Stewards only.
    WriteOff {
        /// How much, in the smallest unit; at most the payment.
        amount: i64,
    },
}

/// How disputes go in a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputePolicy {
    /// Who mediates when the parties do not agree on anybody: one of these, chosen by the payment's id.
    pub mediators: Vec<Did>,
    /// After how many seconds of sealed time one of them is chosen.
    pub assign_seconds: u64,
    /// After how many seconds of sealed time any member may hand the dispute to the stewards.
    pub mediation_seconds: u64,
}

impl Default for DisputePolicy {
    /// Nobody is listed; mediation has 14 days.
    fn default() -> Self {
        Self { mediators: Vec::new(), assign_seconds: 3 * 86_400, mediation_seconds: 14 * 86_400 }
    }
}

impl DisputePolicy {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        let is_sorted = self.mediators.is_sorted_by(|a, b| a < b);
        if self.mediators.len() > MEDIATORS_MAX || !is_sorted {
            return Err(PostError::Field("mediators", "at most 64 members, sorted, each once"));
        }
        // So that milliseconds fit, whatever is added to them.
        let longest = 100 * 366 * 86_400;
        if self.assign_seconds > longest || self.mediation_seconds > longest {
            return Err(PostError::Field("mediation_seconds", "at most a hundred years"));
        }
        Ok(())
    }
}

impl DisputeAct {
    /// Lists the entries that this speaks of.
    pub(crate) fn refs(&self) -> Vec<Cid> {
        match self {
            Self::File { order, acceptance, .. } => vec![order.entry, *acceptance],
            Self::Evidence { dispute, .. }
            | Self::Mediate { dispute, .. }
            | Self::Escalate { dispute }
            | Self::Resolve { dispute, .. } => vec![dispute.entry],
        }
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        let pieces = |items: &[Cid]| {
            if items.len() <= EVIDENCE_MAX {
                Ok(())
            } else {
                Err(PostError::Field("evidence", "at most 16 pieces"))
            }
        };
        match self {
            Self::File { reason, evidence, .. } => {
                memo("reason", Some(reason))?;
                pieces(evidence)
            }
            Self::Evidence { items, note, .. } => {
                memo("note", note.as_deref())?;
                if items.is_empty() && note.is_none() {
                    return Err(PostError::Field("items", "show something, or say something"));
                }
                pieces(items)
            }
            Self::Resolve {
                outcome: Outcome::PartialRefund { amount } | Outcome::WriteOff { amount },
                ..
            } => positive(*amount),
            Self::Mediate { .. } | Self::Escalate { .. } | Self::Resolve { .. } => Ok(()),
        }
    }
}
