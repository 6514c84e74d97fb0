//! Bugs that are planted to show that the promises notice them.

use std::str::FromStr;

use crate::planted::by_name;

/// A bug of one kind, planted in the shell of every node or between the shell and the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Entries and votes leave before they are durable.
    PublishFirst,
    /// Users are answered before their entries are durable.
    AnswerFirst,
    /// Votes of witnesses are never written down.
    VotesForgotten,
    /// A node that starts writes without asking others for its own head.
    NoConfirming,
    /// Verdicts follow from what a node happens to know, not from the causal past.
    CurrentState,
    /// Payments are accepted before they are certified.
    AcceptUncertified,
    /// The client's word for a request gets lost on the way to the machine.
    KeyLost,
    /// The disk loses the last entry of whoever is killed.
    LastEntryLost,
    /// What reconciliations bring is thrown away.
    DeafToSync,
    /// Certificates are believed whoever signed them.
    AnyCertificate,
    /// Sessions that break off are never told to the machine.
    SilentBreaks,
    /// Approvals of a treasury are believed whoever signed them.
    AnyApproval,
    /// Honest members write without asking their books.
    NoPreview,
}

impl Planted {
    /// Lists all of them.
    pub const ALL: [Self; 13] = [
        Self::PublishFirst,
        Self::AnswerFirst,
        Self::VotesForgotten,
        Self::NoConfirming,
        Self::CurrentState,
        Self::AcceptUncertified,
        Self::KeyLost,
        Self::LastEntryLost,
        Self::DeafToSync,
        Self::AnyCertificate,
        Self::SilentBreaks,
        Self::NoPreview,
        Self::AnyApproval,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublishFirst => "publish-first",
            Self::AnswerFirst => "answer-first",
            Self::VotesForgotten => "votes-forgotten",
            Self::NoConfirming => "no-confirming",
            Self::CurrentState => "current-state",
            Self::AcceptUncertified => "accept-uncertified",
            Self::KeyLost => "key-lost",
            Self::LastEntryLost => "last-entry-lost",
            Self::DeafToSync => "deaf-to-sync",
            Self::AnyCertificate => "any-certificate",
            Self::SilentBreaks => "silent-breaks",
            Self::NoPreview => "no-preview",
            Self::AnyApproval => "any-approval",
        }
    }
}

impl FromStr for Planted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        by_name(&Self::ALL, Self::name, text)
    }
}
