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
mod certificate;
mod error;
mod invitation;
mod policy;

pub use crate::act::{
    ACTS_MAX, Act, DECIMALS_MAX, EVIDENCE_MAX, MEMO_BYTES_MAX, NAME_BYTES_MAX, OrderRef, POST_VERSION,
    PROOFS_MAX, Post, SET_MAX, post_of,
};
pub use crate::certificate::{Approval, Certificate, SignedVote, Vote, quorum};
pub use crate::error::PostError;
pub use crate::invitation::Invitation;
pub use crate::policy::{CreditPolicy, Finality, SpacePolicy, Tier};

/// The topic of the books.
pub const LEDGER_TOPIC: &str = "ledger:sync";
