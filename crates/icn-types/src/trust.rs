//! What members say of each other: in which matter, and what came of a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The matter in which somebody is trusted; each has a graph of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustContext {
    /// In general: counts in every matter in which nothing else was said.
    #[default]
    General,
    /// With money.
    Ledger,
    /// With jobs and their results.
    Compute,
    /// With votes and offices.
    Governance,
}

/// A word that names no trust context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no trust context: write `general`, `ledger`, `compute` or `governance`")]
pub struct TrustContextError(String);

impl TrustContext {
    /// Every context.
    pub const ALL: [Self; 4] = [Self::General, Self::Ledger, Self::Compute, Self::Governance];

    /// Returns the word for people and for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Ledger => "ledger",
            Self::Compute => "compute",
            Self::Governance => "governance",
        }
    }
}

impl fmt::Display for TrustContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TrustContext {
    type Err = TrustContextError;

    fn from_str(text: &str) -> Result<Self, TrustContextError> {
        let found = Self::ALL.into_iter().find(|context| context.as_str() == text);
        found.ok_or_else(|| TrustContextError(text.chars().take(32).collect()))
    }
}

/// What came of a job, in the words of whoever wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// The receipt held, whatever the end of the guest.
    Valid,
    /// The job was run again, and the results agreed.
    Validated,
    /// The executor gave the job back or failed at it by its own fault.
    Failed,
    /// The lease ran out without a receipt.
    Missing,
    /// The receipt, or the result it names, did not hold.
    Invalid,
}

impl JobOutcome {
    /// Returns the word for people and for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Validated => "validated",
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for JobOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_read_as_they_are_written() {
        for context in TrustContext::ALL {
            assert_eq!(context.to_string().parse(), Ok(context));
        }
        let error = "money".parse::<TrustContext>().unwrap_err();
        assert!(error.to_string().contains("`money`"));
    }
}
