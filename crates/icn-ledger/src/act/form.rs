//! The form of acts: ranges, texts, lists.

use icn_gossip::Entry;
use icn_identity::Verifier;
use icn_types::{Did, TokenAmount};

use super::{ACTS_MAX, Act};
use crate::demurrage::Demurrage;
use crate::error::{InvitationError, PostError};

/// The longest text for people (memo, reason), and the longest name, in bytes.
pub const MEMO_BYTES_MAX: usize = 512;
/// The longest name of a space, member or idempotency key, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The most members of a witness set, approvers of a treasury.
pub const SET_MAX: usize = 64;
/// The most pieces of evidence that an act names.
pub const EVIDENCE_MAX: usize = 16;
/// The most decimals of a currency.
pub const DECIMALS_MAX: u8 = 9;

impl Act {
    /// Checks the invitation that a new member takes up, if this is one.
    pub(super) fn check_invitation(&self, entry: &Entry, verifier: &dyn Verifier) -> Result<(), PostError> {
        let Self::Join { invitation, .. } = self else { return Ok(()) };
        if invitation.space != entry.space {
            return Err(PostError::Field("invitation", "it is for another space"));
        }
        if !invitation.admits(&entry.author) {
            return Err(PostError::Field("invitation", "it is for another member"));
        }
        invitation.verify(verifier).map_err(|error| match error {
            InvitationError::Terms(error) => error,
            InvitationError::Signature(error) => PostError::Signature(error),
            InvitationError::Prefix | InvitationError::TooLong | InvitationError::Damaged => {
                PostError::Field("invitation", "it cannot be read")
            }
        })
    }

    /// Checks form and ranges, without any state.
    pub(crate) fn check(&self) -> Result<(), PostError> {
        match self {
            Self::Found { name: text, .. } => name("name", Some(text)),
            Self::Policy(policy) => policy.check(),
            Self::Admit { nickname, .. } => name("nickname", nickname.as_deref()),
            Self::Join { invitation, nickname } => {
                name("nickname", nickname.as_deref())?;
                invitation.check()
            }
            Self::Currency { code, decimals, policy } => {
                currency(code)?;
                if *decimals > DECIMALS_MAX {
                    return Err(PostError::Field("decimals", "a currency has 0 to 9"));
                }
                policy.check()
            }
            Self::Line { currency: code, limit, .. } => {
                currency(code)?;
                if *limit < 0 {
                    return Err(PostError::Field("limit", "it says how far below zero: a number from 0 up"));
                }
                Ok(())
            }
            Self::Freeze { reason, .. } => memo("reason", Some(reason)),
            Self::Witnesses { number, members } => {
                if *number == 0 {
                    return Err(PostError::Field("number", "witness sets count from 1"));
                }
                set("members", members)
            }
            Self::Treasury { approvers, threshold, .. } => {
                set("approvers", approvers)?;
                if *threshold == 0 || *threshold as usize > approvers.len() {
                    return Err(PostError::Field("threshold", "at least 1, at most all of the approvers"));
                }
                Ok(())
            }
            Self::Pay { amount, currency: code, memo: text, .. }
            | Self::Request { amount, currency: code, memo: text, .. } => {
                positive(*amount)?;
                currency(code)?;
                memo("memo", text.as_deref())
            }
            Self::Decline { reason, .. } => memo("reason", reason.as_deref()),
            Self::Hold { amount, currency: code, .. } => {
                positive(*amount)?;
                currency(code)
            }
            Self::Capture { amount, .. } if *amount < 0 => {
                Err(PostError::Field("amount", "a capture takes 0 or more"))
            }
            Self::Claim { amount, evidence, .. } => {
                positive(*amount)?;
                if evidence.len() > EVIDENCE_MAX {
                    return Err(PostError::Field("evidence", "at most 16 pieces"));
                }
                Ok(())
            }
            Self::Seal { number, digest, .. } => {
                if *number == 0 {
                    return Err(PostError::Field("number", "epochs count from 1"));
                }
                if digest.len() != 32 {
                    return Err(PostError::Field("digest", "a SHA-256 has 32 bytes"));
                }
                Ok(())
            }
            Self::Repair { lost, .. } => {
                if lost.is_empty() || lost.len() > ACTS_MAX {
                    return Err(PostError::Field("lost", "1 to 256 entries are given up"));
                }
                Ok(())
            }
            Self::Trust { score_ppm, note, .. } => {
                if *score_ppm > 1_000_000 {
                    return Err(PostError::Field("score_ppm", "full trust is 1,000,000 parts per million"));
                }
                memo("note", note.as_deref())
            }
            Self::Demurrage { currency: code, rule, fund } => {
                currency(code)?;
                if rule.is_some() != fund.is_some() {
                    return Err(PostError::Field("fund", "a charge has a fund, and its end has none"));
                }
                rule.as_ref().map_or(Ok(()), Demurrage::check)
            }
            Self::Dispute(step) => step.check(),
            Self::Standing(standing) => {
                positive(standing.amount)?;
                currency(&standing.currency)?;
                memo("memo", standing.memo.as_deref())?;
                standing.check()
            }
            Self::WriteOff { currency: code, amount, number, reason, .. } => {
                currency(code)?;
                positive(*amount)?;
                if *number == 0 {
                    return Err(PostError::Field("number", "write-offs count from 1"));
                }
                memo("reason", Some(reason))
            }
            Self::Appoint { .. }
            | Self::Dismiss { .. }
            | Self::Expel { .. }
            | Self::Unfreeze { .. }
            | Self::Accept { .. }
            | Self::Return { .. }
            | Self::Capture { .. }
            | Self::Rate { .. }
            | Self::EndStanding { .. }
            | Self::Approve { .. }
            | Self::Withdraw { .. }
            | Self::EndBudget { .. } => Ok(()),
            Self::Propose(proposal) => proposal.check(),
            Self::Budget(budget) => budget.check(),
        }
    }
}

pub(crate) fn positive(amount: i64) -> Result<(), PostError> {
    if amount > 0 { Ok(()) } else { Err(PostError::Field("amount", "it must be more than 0")) }
}

pub(crate) fn currency(code: &str) -> Result<(), PostError> {
    if (TokenAmount { amount: 0, currency: code.to_owned() }).is_valid() {
        Ok(())
    } else {
        Err(PostError::Field("currency", "its code is 1 to 32 letters, digits, `-` or `_`"))
    }
}

pub(crate) fn name(field: &'static str, text: Option<&str>) -> Result<(), PostError> {
    let is_good =
        |text: &str| (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if text.is_none_or(is_good) {
        Ok(())
    } else {
        Err(PostError::Field(field, "1 to 64 bytes of text without control characters"))
    }
}

pub(crate) fn memo(field: &'static str, text: Option<&str>) -> Result<(), PostError> {
    let is_good = |text: &str| text.len() <= MEMO_BYTES_MAX && !text.chars().any(char::is_control);
    if text.is_none_or(is_good) {
        Ok(())
    } else {
        Err(PostError::Field(field, "at most 512 bytes of text without control characters"))
    }
}

fn set(field: &'static str, members: &[Did]) -> Result<(), PostError> {
    if members.len() <= SET_MAX && members.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(PostError::Field(field, "at most 64 members, sorted, each once"))
    }
}
