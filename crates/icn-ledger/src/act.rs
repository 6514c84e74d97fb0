//! What members say in the books: the body of an entry on `ledger:sync`.

use std::fmt;
use std::str::FromStr;

use icn_gossip::Entry;
use icn_identity::Verifier;
use icn_types::codec::CodecError;
use icn_types::{Cid, Did, JobOutcome, Timestamp, TokenAmount, TrustContext, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::certificate::{Approval, Certificate, approval_bytes};
use crate::demurrage::Demurrage;
use crate::dispute::DisputeAct;
use crate::error::{InvitationError, PostError};
use crate::invitation::Invitation;
use crate::policy::{CreditPolicy, SpacePolicy};
use crate::standing::StandingOrder;
use crate::treasury::{Budget, Mandate, Proposal};

/// The version of the form.
pub const POST_VERSION: u8 = 1;
/// The most acts in one post.
pub const ACTS_MAX: usize = 256;
/// The most certificates, and approvals, beside them.
pub const PROOFS_MAX: usize = 32;
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

/// The body of an entry: what is done, and what proves that it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The version of the form: 1.
    pub v: u8,
    /// What is done, in this order; each is judged by itself.
    pub acts: Vec<Act>,
    /// Certificates that the author holds, for any earlier entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// For a treasury: who approves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// A word of the client's choice: an author's second post with the same word is the first one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For a treasury: what this carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Mandate>,
}

/// One act of an entry, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderRef {
    /// The entry.
    pub entry: Cid,
    /// Which of its acts, from 0.
    pub index: u32,
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Founds the space: only the root, first of all. The root is its first steward.
    Found {
        /// What people call it.
        name: String,
        /// When, by the founder's clock.
        created: Timestamp,
    },
    /// Sets what is final, and other rules of the space. Stewards only.
    Policy(SpacePolicy),
    /// Makes a member a steward. Stewards only.
    Appoint {
        /// Whom.
        member: Did,
    },
    /// Ends a stewardship; the root's cannot be ended. Stewards only.
    Dismiss {
        /// Whose.
        member: Did,
    },
    /// Takes a member in. Stewards only.
    Admit {
        /// Whom.
        member: Did,
        /// What people call it.
        nickname: Option<String>,
    },
    /// Ends a membership: nothing that the former member says later counts. Stewards only.
    Expel {
        /// Whose.
        member: Did,
    },
    /// Takes up an invitation: the new member's own first act.
    Join {
        /// The invitation.
        invitation: Box<Invitation>,
        /// What people are to call the member.
        nickname: Option<String>,
    },
    /// Brings in a currency, or changes its policy. Stewards only; the author is the issuer.
    Currency {
        /// Its code, as in [`TokenAmount`].
        code: String,
        /// How many decimals people see: 0 to 9. Never changes.
        decimals: u8,
        /// How credit lines are measured.
        policy: CreditPolicy,
    },
    /// Grants, raises or lowers a credit line. Stewards only.
    Line {
        /// Whose.
        account: Did,
        /// In which currency.
        currency: String,
        /// How far below zero the balance may go, in the smallest unit.
        limit: i64,
        /// Which grant this is; the highest that an entry's past holds counts.
        number: u64,
    },
    /// Stops an account from spending. Stewards only.
    Freeze {
        /// Whose.
        account: Did,
        /// Why, for people.
        reason: String,
        /// When it ends by itself: with the first seal at or after this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// Ends a freeze, the automatic one after a fork too. Stewards only.
    Unfreeze {
        /// Whose.
        account: Did,
    },
    /// Names the witnesses. Stewards only; a later set counts once the set before has certified this entry.
    Witnesses {
        /// From 1, each one more.
        number: u64,
        /// Who, sorted, each once; empty ends witnessing.
        members: Vec<Did>,
    },
    /// Makes an account a treasury, whose posts need approvals. Stewards only.
    Treasury {
        /// The account. Its own key signs its one chain.
        account: Did,
        /// Who may approve, sorted, each once.
        approvers: Vec<Did>,
        /// How many of them must.
        threshold: u32,
    },
    /// Pays.
    Pay {
        /// Whom.
        to: Did,
        /// How much, in the smallest unit; more than 0.
        amount: i64,
        /// In which currency.
        currency: String,
        /// For people.
        memo: Option<String>,
        /// The request that this answers.
        request: Option<OrderRef>,
        /// When it lapses unless it was accepted: with the first seal at or after this time.
        expires: Option<Timestamp>,
    },
    /// Asks a member for a payment.
    Request {
        /// Whom.
        of: Did,
        /// How much, in the smallest unit; more than 0.
        amount: i64,
        /// In which currency.
        currency: String,
        /// For people.
        memo: Option<String>,
        /// When it lapses, for display.
        expires: Option<Timestamp>,
    },
    /// Takes a payment, or what was captured of a hold. The payee's act.
    Accept {
        /// What.
        order: OrderRef,
    },
    /// Refuses a payment or request, or releases a hold. The payee's act (for a request: of whoever was asked).
    Decline {
        /// What.
        order: OrderRef,
        /// For people.
        reason: Option<String>,
    },
    /// Takes back what was declined. The payer's act.
    Return {
        /// What.
        order: OrderRef,
        /// The payee's entry that declined it.
        decline: Cid,
    },
    /// Sets credit aside for a payee, who is paid when the payer captures.
    Hold {
        /// For whom.
        to: Did,
        /// How much at most, in the smallest unit; more than 0.
        amount: i64,
        /// In which currency.
        currency: String,
        /// When it lapses: with the first seal at or after this time.
        expires: Timestamp,
        /// What for: a job's id, for instance.
        purpose: Option<Cid>,
    },
    /// Pays out a hold, in part or whole; the rest is free at once. The payer's act.
    Capture {
        /// Which.
        hold: OrderRef,
        /// How much; 0 frees all of it.
        amount: i64,
        /// What shows that it is due, such as a receipt.
        evidence: Option<Cid>,
    },
    /// Says that a hold is due although the payer did not capture it. The payee's act.
    Claim {
        /// Which.
        hold: OrderRef,
        /// How much.
        amount: i64,
        /// What shows it: assignment and receipt.
        evidence: Vec<Cid>,
    },
    /// Proposes the end of an epoch: everything in this entry's past. It counts once certified, or at once from a
    /// steward of a space without witnesses.
    Seal {
        /// Which epoch, rising.
        number: u64,
        /// The seal before.
        prev: Option<Cid>,
        /// The time of the epoch's end: the only time that a rule may use.
        time: Timestamp,
        /// SHA-256 of the reduced state of the cut, 32 bytes.
        digest: ByteBuf,
    },
    /// Reports the author's own fork, made by a restored backup.
    Repair {
        /// At which place of the chain.
        at: u64,
        /// The entries that are given up.
        lost: Vec<Cid>,
    },
    /// Says how far the author trusts somebody, a member or not. The last word of the author's chain counts.
    Trust {
        /// Whom.
        of: Did,
        /// In which matter.
        context: TrustContext,
        /// How far, in parts per million: 0 takes back what was said, 1,000,000 is full trust.
        score_ppm: u32,
        /// When it ends, by the clock of whoever asks; no verdict on money depends on it.
        expires: Option<Timestamp>,
        /// For people.
        note: Option<String>,
    },
    /// Says what came of a job that somebody ran for the author.
    Rate {
        /// Who ran it.
        executor: Did,
        /// The job.
        job: Cid,
        /// Its receipt, if one came.
        receipt: Option<Cid>,
        /// What came of it.
        outcome: JobOutcome,
    },
    /// Sets how idle balances of a currency are charged at each seal, or ends it. Stewards only.
    Demurrage {
        /// Of which currency.
        currency: String,
        /// How; absent: no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<Demurrage>,
        /// The member or treasury that gets the charge, and pays none itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fund: Option<Did>,
    },
    /// Takes a step of a dispute about an accepted payment.
    Dispute(DisputeAct),
    /// Ends a standing order. The payer's act.
    EndStanding {
        /// Which.
        standing: OrderRef,
    },
    /// Places a standing order: the payer's node pays whenever it is due.
    Standing(StandingOrder),
    /// Moves the debt of a former member to the community's fund. Stewards only.
    WriteOff {
        /// Whose.
        account: Did,
        /// In which currency.
        currency: String,
        /// How much of it, in the smallest unit; more than 0.
        amount: i64,
        /// Which write-off of this account and currency this is, from 1; of two with one number the first counts.
        number: u64,
        /// Why, for people.
        reason: String,
    },
    /// Asks a treasury to do something. For the treasury itself, its approvers, and holders of its budgets; an approver
    /// approves what it proposes.
    Propose(Box<Proposal>),
    /// Approves a proposal. It counts while the author is an approver.
    Approve {
        /// Which.
        proposal: OrderRef,
    },
    /// Takes back an approval; by whoever proposed: ends the proposal.
    Withdraw {
        /// Which.
        proposal: OrderRef,
    },
    /// Allots a sum that may be spent from a treasury without approvals. For stewards, and the treasury itself.
    Budget(Budget),
    /// Ends a budget. For stewards, the treasury itself, and the budget's holder.
    EndBudget {
        /// Which.
        budget: OrderRef,
    },
}

impl Post {
    /// Makes a post of acts alone.
    #[must_use]
    pub const fn new(acts: Vec<Act>) -> Self {
        Self {
            v: POST_VERSION,
            acts,
            certificates: Vec::new(),
            approvals: Vec::new(),
            key: None,
            mandate: None,
        }
    }

    /// Reads the body of an entry and checks form and ranges.
    ///
    /// # Errors
    ///
    /// [`PostError`] with what is not right.
    pub fn decode(body: &[u8]) -> Result<Self, PostError> {
        let post: Self = strict(body)?;
        post.check()?;
        Ok(post)
    }

    /// Encodes the body of an entry.
    ///
    /// # Errors
    ///
    /// [`PostError`] when everybody else would refuse it.
    pub fn encode(&self) -> Result<ByteBuf, PostError> {
        self.check()?;
        Ok(ByteBuf::from(codec::encode(self)?))
    }

    /// Lists the entries that this speaks of, each once: they must be applied before it.
    #[must_use]
    pub fn refs(&self) -> Vec<Cid> {
        let mut refs: Vec<Cid> = self.certificates.iter().map(|certificate| certificate.entry).collect();
        if let Some(Mandate::Proposal(by) | Mandate::Standing(by)) = &self.mandate {
            refs.push(by.entry);
        }
        self.acts.iter().for_each(|act| act.add_refs(&mut refs));
        refs.sort_unstable();
        refs.dedup();
        refs
    }

    /// Checks every signature inside: those of certificates, approvals and invitations. The entry's own is not among
    /// them. Needs no state: whether voters, approvers and issuers had the right to sign is for the books to say.
    ///
    /// # Errors
    ///
    /// [`PostError`] for the first that does not hold, or that was made for something else.
    pub fn check_signatures(&self, entry: &Entry, verifier: &dyn Verifier) -> Result<(), PostError> {
        for certificate in &self.certificates {
            certificate.verify(entry.space, verifier)?;
        }
        if !self.approvals.is_empty() {
            let bytes = approval_bytes(entry.space, entry.author, entry.seq, &self.acts)?;
            self.approvals.iter().try_for_each(|approval| approval.verify(&bytes, verifier))?;
        }
        self.acts.iter().try_for_each(|act| act.check_invitation(entry, verifier))
    }

    fn check(&self) -> Result<(), PostError> {
        if self.v != POST_VERSION {
            return Err(PostError::Version(self.v));
        }
        if self.acts.len() > ACTS_MAX || (self.acts.is_empty() && self.certificates.is_empty()) {
            return Err(PostError::Field("acts", "a post has 1 to 256 of them, or none but a certificate"));
        }
        if self.certificates.len() > PROOFS_MAX || self.approvals.len() > PROOFS_MAX {
            return Err(PostError::Field(
                "certificates",
                "at most 32 of them, and of approvals, go with a post",
            ));
        }
        name("key", self.key.as_deref())?;
        self.certificates.iter().try_for_each(Certificate::check)?;
        self.approvals.iter().try_for_each(Approval::check)?;
        if !self.approvals.is_sorted_by(|a, b| a.by < b.by) {
            return Err(PostError::Field("approvals", "they are sorted by approver, each once"));
        }
        self.acts.iter().try_for_each(Act::check)
    }
}

impl Act {
    /// Tells whether this changes the rules of the space: an act for stewards and witnesses.
    #[must_use]
    pub const fn is_rule(&self) -> bool {
        match self {
            Self::Found { .. }
            | Self::Policy(_)
            | Self::Appoint { .. }
            | Self::Dismiss { .. }
            | Self::Admit { .. }
            | Self::Expel { .. }
            | Self::Join { .. }
            | Self::Currency { .. }
            | Self::Line { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze { .. }
            | Self::Witnesses { .. }
            | Self::Treasury { .. }
            | Self::Seal { .. }
            | Self::Demurrage { .. }
            | Self::WriteOff { .. } => true,
            Self::Pay { .. }
            | Self::Request { .. }
            | Self::Accept { .. }
            | Self::Decline { .. }
            | Self::Return { .. }
            | Self::Hold { .. }
            | Self::Capture { .. }
            | Self::Claim { .. }
            | Self::Repair { .. }
            | Self::Trust { .. }
            | Self::Rate { .. }
            | Self::Dispute(_)
            | Self::EndStanding { .. }
            | Self::Standing(_)
            | Self::Propose(_)
            | Self::Approve { .. }
            | Self::Withdraw { .. }
            | Self::Budget(_)
            | Self::EndBudget { .. } => false,
        }
    }

    /// Adds the entries that this speaks of.
    fn add_refs(&self, refs: &mut Vec<Cid>) {
        match self {
            Self::Pay { request, .. } => refs.extend(request.map(|request| request.entry)),
            Self::Accept { order } | Self::Decline { order, .. } => refs.push(order.entry),
            Self::Return { order, decline } => refs.extend([order.entry, *decline]),
            Self::Capture { hold, .. } | Self::Claim { hold, .. } => refs.push(hold.entry),
            Self::Seal { prev, .. } => refs.extend(prev),
            Self::Dispute(step) => refs.extend(step.refs()),
            Self::EndStanding { standing } => refs.push(standing.entry),
            Self::Standing(terms) => refs.extend(terms.budget.map(|budget| budget.entry)),
            Self::Propose(proposal) => {
                refs.extend(proposal.budget.map(|budget| budget.entry));
                proposal.acts.iter().for_each(|act| act.add_refs(refs));
            }
            Self::Approve { proposal } | Self::Withdraw { proposal } => refs.push(proposal.entry),
            Self::EndBudget { budget } => refs.push(budget.entry),
            // What a repair gives up may be known to others only.
            Self::Repair { .. }
            | Self::Found { .. }
            | Self::Policy(_)
            | Self::Appoint { .. }
            | Self::Dismiss { .. }
            | Self::Admit { .. }
            | Self::Expel { .. }
            | Self::Join { .. }
            | Self::Currency { .. }
            | Self::Line { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze { .. }
            | Self::Witnesses { .. }
            | Self::Treasury { .. }
            | Self::Request { .. }
            | Self::Hold { .. }
            | Self::Trust { .. }
            | Self::Rate { .. }
            | Self::Demurrage { .. }
            | Self::WriteOff { .. }
            | Self::Budget(_) => {}
        }
    }

    /// Tells whether this is a word about somebody that moves no money and changes no rule.
    #[must_use]
    pub const fn is_word(&self) -> bool {
        matches!(self, Self::Trust { .. } | Self::Rate { .. })
    }

    fn check_invitation(&self, entry: &Entry, verifier: &dyn Verifier) -> Result<(), PostError> {
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

impl fmt::Display for OrderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.entry, self.index)
    }
}

impl FromStr for OrderRef {
    type Err = PostError;

    fn from_str(text: &str) -> Result<Self, PostError> {
        let wrong = PostError::Field("order", "expected `<CID of an entry>#<number of the act>`");
        let (entry, index) = text.split_once('#').unwrap_or((text, "0"));
        match (entry.parse(), index.parse()) {
            (Ok(entry), Ok(index)) => Ok(Self { entry, index }),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => Err(wrong),
        }
    }
}

/// Decodes the body of an entry of the books.
///
/// # Errors
///
/// [`PostError`] with what is not right.
pub fn post_of(entry: &Entry) -> Result<Post, PostError> {
    Post::decode(&entry.body)
}

/// Decodes a type and refuses fields that it does not know and nulls that it would leave out: one value, one byte string.
pub(crate) fn strict<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let value: T = codec::decode(bytes)?;
    if codec::encode(&value)? == bytes { Ok(value) } else { Err(CodecError::NotCanonical) }
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

#[cfg(test)]
mod tests;
