//! How far a job has come, in fine steps.

use std::fmt;

use icn_types::StandardJobStatus;
use serde::{Deserialize, Serialize};

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident => $standard:ident -> [$($next:ident),*],)*) => {
        /// How far a job has come: the `p2p_job_status` of the wire (`docs/protocol.md`, section 5).
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum JobStatus {
            $($(#[$doc])* $variant,)*
            /// A word of a newer peer: shown as it is, treated like `Running`.
            Other(String),
        }

        impl JobStatus {
            /// Every state that this version knows, in the order of a job's life.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the word on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                    Self::Other(text) => text,
                }
            }

            /// Returns the state in the five words that everybody shares.
            #[must_use]
            pub const fn standard(&self) -> StandardJobStatus {
                match self {
                    $(Self::$variant => StandardJobStatus::$standard,)*
                    Self::Other(_) => StandardJobStatus::Running,
                }
            }

            /// Returns the states that may follow this one.
            #[must_use]
            pub const fn successors(&self) -> &'static [Self] {
                match self {
                    $(Self::$variant => &[$(Self::$next,)*],)*
                    Self::Other(_) => &[Self::Running, Self::AwaitingInputs, Self::ProducingOutputs, Self::Completed, Self::Failed, Self::Cancelled],
                }
            }
        }

        impl From<String> for JobStatus {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $(stringify!($variant) => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }
    };
}

states! {
    /// Submitted and written down, not yet announced.
    PendingAnnouncement => Pending -> [Announced, Failed, Cancelled],
    /// Announced, and nobody to hear it yet.
    Announced => Pending -> [BiddingOpen, BiddingClosed, Failed, Cancelled],
    /// Bids are collected.
    BiddingOpen => Pending -> [BiddingClosed, Failed, Cancelled],
    /// The best bid is being chosen.
    BiddingClosed => Pending -> [AwaitingAssignmentConfirmation, BiddingOpen, Failed, Cancelled],
    /// An assignment is sent; its answer is awaited.
    AwaitingAssignmentConfirmation => Pending -> [Assigned, BiddingClosed, BiddingOpen, Failed, Cancelled],
    /// The executor accepted.
    Assigned => Running -> [PreparingExecution, Running, BiddingOpen, Failed, Cancelled],
    /// The executor fetches and compiles.
    PreparingExecution => Running -> [Running, BiddingOpen, Failed, Cancelled],
    /// The guest runs.
    Running => Running -> [AwaitingInputs, ProducingOutputs, Completed, BiddingOpen, Failed, Cancelled],
    /// The guest waits for interactive input.
    AwaitingInputs => Running -> [Running, ProducingOutputs, Completed, BiddingOpen, Failed, Cancelled],
    /// The guest has ended; its outputs become blocks.
    ProducingOutputs => Running -> [Completed, BiddingOpen, Failed, Cancelled],
    /// The guest ended with exit code 0; the receipt is being made and checked.
    Completed => Running -> [ReceiptGenerated, BiddingOpen, Failed],
    /// The job ended otherwise; with a receipt when an executor ran it.
    Failed => Failed -> [],
    /// The receipt is signed, and the originator has verified it.
    ReceiptGenerated => CompletedSuccessfully -> [ReceiptAnchored],
    /// The receipt is recorded for good.
    ReceiptAnchored => CompletedSuccessfully -> [],
    /// The originator took the job back.
    Cancelled => Cancelled -> [],
}

impl JobStatus {
    /// Tells whether `next` may follow. Staying as it is, is always allowed; so is everything to and from words that this
    /// version does not know, except leaving an end.
    #[must_use]
    pub fn may_become(&self, next: &Self) -> bool {
        self == next
            || if matches!(next, Self::Other(_)) {
                !self.standard().is_final()
            } else {
                self.successors().contains(next)
            }
    }

    /// Tells whether an executor may report this state in a `JobStatusUpdateV1`; the others are the originator's own.
    #[must_use]
    pub const fn is_reported(&self) -> bool {
        matches!(
            self,
            Self::Assigned
                | Self::PreparingExecution
                | Self::Running
                | Self::AwaitingInputs
                | Self::ProducingOutputs
                | Self::Completed
                | Self::Failed
                | Self::Cancelled
                | Self::Other(_)
        )
    }
}

impl From<JobStatus> for String {
    fn from(status: JobStatus) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_ends() {
        for state in JobStatus::ALL {
            if *state != JobStatus::ReceiptGenerated {
                assert_eq!(state.standard().is_final(), state.successors().is_empty(), "{state}");
            }
            assert!(state.may_become(state));
            for next in state.successors() {
                assert!(state.may_become(next));
                assert!(JobStatus::ALL.contains(next));
            }
        }
    }

    #[test]
    fn every_state_is_reached_from_the_first() {
        let mut reached = vec![JobStatus::PendingAnnouncement];
        let mut at = 0;
        while at < reached.len() {
            for next in reached[at].clone().successors() {
                if !reached.contains(next) {
                    reached.push(next.clone());
                }
            }
            at += 1;
        }
        assert_eq!(reached.len(), JobStatus::ALL.len());
    }

    #[test]
    fn words_of_newer_peers_are_kept() {
        let other = JobStatus::from("Defragmenting".to_owned());
        assert_eq!(other.as_str(), "Defragmenting");
        assert_eq!(other.standard(), StandardJobStatus::Running);
        assert!(JobStatus::Running.may_become(&other));
        assert!(other.may_become(&JobStatus::Completed));
        assert!(!JobStatus::Cancelled.may_become(&other));
        for state in JobStatus::ALL {
            assert_eq!(&JobStatus::from(state.as_str().to_owned()), state);
        }
    }
}
