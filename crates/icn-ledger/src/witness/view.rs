//! What a witness asks of the books.

use icn_types::{Cid, Did};

/// The witnesses in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessSet {
    /// From 1, each one more.
    pub number: u64,
    /// Who, sorted, each once.
    pub members: Vec<Did>,
    /// From whom it takes over; none for the first set, and for one that follows an empty one.
    pub before: Option<Handover>,
}

/// The set before, which certified the entry that names the set in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Its members.
    pub members: Vec<Did>,
    /// Those of them that voted for that entry, by its certificates. Each of them votes for nothing more in the old set.
    pub voters: Vec<Did>,
}

/// What a witness asks of the books, as this node knows them now. Unlike verdicts, votes may depend on what was heard: a vote
/// is one witness's word, not a rule.
pub trait WitnessView {
    /// Returns the set in force; none when there is none.
    fn witness_set(&self) -> Option<WitnessSet>;

    /// Tells whether a certificate by this set is known, for any entry.
    fn set_has_certified(&self, set: u64) -> bool;

    /// Tells whether an entry is applied and each of its acts is valid.
    fn is_valid(&self, entry: &Cid) -> bool;

    /// Tells whether at most one entry is known at a place, applied or not.
    fn is_alone(&self, author: &Did, seq: u64) -> bool;

    /// Tells whether a fork of this author is known that stewards have not lifted.
    fn is_forked(&self, author: &Did) -> bool;

    /// Tells whether a debit of this entry exceeds a lowered line, or comes from a frozen account, that this node knows
    /// of, even when the entry does not.
    fn exceeds_known_line(&self, entry: &Cid) -> bool;

    /// Tells whether the seal that is this act of the entry has the number, the predecessor and the digest that this node
    /// computes.
    fn seal_is_right(&self, entry: &Cid, act: u32) -> bool;
}
