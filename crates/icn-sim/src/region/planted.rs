//! Bugs that are planted to show that the bounds notice them.

use std::str::FromStr;

use crate::planted::by_name;

/// A bug of one kind, planted between the web of trust and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionBug {
    /// Credit is granted by the best path instead of one flow.
    CreditByPath,
    /// Votes are given by the best path instead of admission.
    VotesByPath,
    /// Every identity has its own messages, whoever let it in.
    MessagesPerIdentity,
    /// Whoever is a partner by the best path stands for itself. So it was until this simulation found it.
    PartnersAlone,
    /// What a member takes back goes on counting.
    NothingTakenBack,
    /// What ends goes on counting.
    NothingEnds,
    /// Neighbours are told that strangers are trusted in full.
    StrangersRank,
    /// Whoever asks for a place counts as trusted in full.
    EverybodyEnters,
}

impl RegionBug {
    /// Lists all of them.
    pub const ALL: [Self; 8] = [
        Self::CreditByPath,
        Self::VotesByPath,
        Self::MessagesPerIdentity,
        Self::PartnersAlone,
        Self::NothingTakenBack,
        Self::NothingEnds,
        Self::StrangersRank,
        Self::EverybodyEnters,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreditByPath => "credit-by-path",
            Self::VotesByPath => "votes-by-path",
            Self::MessagesPerIdentity => "messages-per-identity",
            Self::PartnersAlone => "partners-alone",
            Self::NothingTakenBack => "nothing-taken-back",
            Self::NothingEnds => "nothing-ends",
            Self::StrangersRank => "strangers-rank",
            Self::EverybodyEnters => "everybody-enters",
        }
    }
}

impl FromStr for RegionBug {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        by_name(&Self::ALL, Self::name, text)
    }
}
