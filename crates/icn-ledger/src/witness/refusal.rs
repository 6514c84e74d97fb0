//! Why a witness keeps silent.

use icn_types::Cid;

/// Whether a witness votes, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not a member of the set in force, or there is none.
    NoWitness,
    /// Silent until it has merged with more witnesses.
    Abstaining {
        /// With how many it has.
        merged: usize,
        /// With how many it must.
        needed: usize,
    },
    /// It has voted for the next set, and waits for it.
    HandedOver,
    /// It votes.
    Voting,
}

/// Why a witness does not vote for an entry.
///
/// Blame: the author for what is invalid or forked, else nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a member of the set in force.
    #[error("this node is not a witness of the set in force")]
    NotAWitness,
    /// Not caught up since the start, or since the set came into force.
    #[error("abstaining until merged with {needed} witnesses, {merged} so far: connect to more of them")]
    Abstaining {
        /// With how many it has merged.
        merged: usize,
        /// With how many it must.
        needed: usize,
    },
    /// It has voted for the next set.
    #[error("this witness has handed over to set {0}, which is not certified yet: connect to more witnesses")]
    HandedOver(u64),
    /// It has voted for another entry at this place.
    #[error("this witness has voted for `{0}` at this place")]
    VotedOtherwise(Cid),
    /// The place has its certificate, and the vote is forgotten.
    #[error("this place is certified already")]
    Decided,
    /// It has voted for another branch at the place before.
    #[error("this witness has voted for another entry at the place before")]
    OtherBranch,
    /// Another entry is known at this place.
    #[error("the author has signed another entry at this place")]
    NotAlone,
    /// The author has forked, and stewards have not lifted that.
    #[error("the author has forked its chain: a steward can lift the freeze")]
    Forked,
    /// Not applied here, or an act of it is invalid.
    #[error("an act of this entry is not valid here")]
    Invalid,
    /// A debit above a line that was lowered, or by an account that was frozen, which the entry does not know of.
    #[error("a payment in it exceeds a credit line that was lowered in the meantime")]
    AboveLine,
    /// The seal's time is not close to the own clock.
    #[error("the time of the seal is more than five minutes from this node's clock: check both clocks")]
    SealTime,
    /// The seal's number, predecessor or digest is not what this node computes.
    #[error("the seal is not what this node computes")]
    Seal,
    /// The set that it names is not the next one, or it names several.
    #[error("a witness set has the number after the one in force, and an entry names one only")]
    SetNumber,
}

impl Refusal {
    /// Tells whether asking again can never help.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::VotedOtherwise(_) | Self::Decided | Self::OtherBranch | Self::NotAlone => true,
            Self::NotAWitness
            | Self::Abstaining { .. }
            | Self::HandedOver(_)
            | Self::Forked
            | Self::Invalid
            | Self::AboveLine
            | Self::SealTime
            | Self::Seal
            | Self::SetNumber => false,
        }
    }
}
