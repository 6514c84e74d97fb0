//! Mutual credit on replicated logs.
//!
//! Money is made at the moment of exchange: a payment takes from one account what it gives to another, and every currency
//! sums to zero. There is no server and no global order: each account has one writer, and whether it may spend is judged
//! from the causal past of what it says, so that every replica with the same entries reaches the same verdict. This crate
//! decides what members may do in the books; it never reads a clock, a socket, a disk or a random source.
//!
//! Sources: `docs/ledger.md`; seed 002, economic sections; FastPay (arXiv 2003.11506); the consensus number of a
//! cryptocurrency (Guerraoui et al., Distributed Computing 2022).

mod act;
mod books;
mod certificate;
mod demurrage;
mod dispute;
mod error;
mod export;
mod health;
mod invitation;
mod lines;
mod misbehaviour;
mod money;
mod policy;
pub mod replica;
mod standing;
mod statement;
mod treasury;
mod witness;

pub use crate::act::{
    ACTS_MAX, Act, DECIMALS_MAX, EVIDENCE_MAX, MEMO_BYTES_MAX, NAME_BYTES_MAX, OrderRef, POST_VERSION,
    PROOFS_MAX, Post, SET_MAX, post_of,
};
pub use crate::books::{
    Balance, Books, BooksError, BudgetView, ClaimCause, ClaimRecord, CurrencyView, DisputeStatus,
    DisputeView, Explanation, ForkRule, ForkView, Item, Member, OrderKind, OrderStatus, OrderView, Outcome,
    ProposalStatus, ProposalView, Quarantined, RATINGS_MAX, RatingView, Reason, SealView, StandingView,
    TRUSTED_MAX, Transfer, TransferCause, TreasuryView, TrustEdge, Verdict, WitnessSetView, derived_id,
};
pub use crate::certificate::{
    APPROVAL_SIGNATURE, Approval, Certificate, SignedVote, VOTE_SIGNATURE, Vote, approval_bytes, faults,
    quorum,
};
pub use crate::demurrage::{Demurrage, PERIODS_MAX};
pub use crate::dispute::{DisputeAct, DisputePolicy, MEDIATORS_MAX, Outcome as DisputeOutcome};
pub use crate::error::{InvitationError, PostError};
pub use crate::export::{Export, ExportError, ExportRow, from_cell};
pub use crate::health::{
    AccountFacts, Attempt, Figure, Health, HealthFacts, Level, Movement, Sign, SignCode, WHO_MAX, gini,
};
pub use crate::invitation::{INVITATION_SIGNATURE, Invitation, InvitationTerms};
pub use crate::lines::{LineExplanation, TRUST_FULL_PPM, covers, recommended_line};
pub use crate::misbehaviour::{Evidence, Misbehaviour, Offence, OffenceCounts, Violation};
pub use crate::money::{Money, MoneyError, format_amount, parse_amount, split};
pub use crate::policy::{CreditPolicy, Finality, SpacePolicy, Tier};
pub use crate::standing::{Every, STANDING_COUNT_MAX, StandingOrder, standing_key};
pub use crate::statement::{Period, PeriodError, Statement, StatementItem, StatementLine, StatementOf};
pub use crate::treasury::{Budget, Mandate, Proposal};
pub use crate::witness::{
    Candidate, Counted, Era, Handover, Memory, Refusal, SEAL_SKEW_MAX, Standing, Tally, VoteRecord, Witness,
    WitnessEffect, WitnessSet, WitnessView, merges_needed,
};

/// The topic of the books.
pub const LEDGER_TOPIC: &str = "ledger:sync";
