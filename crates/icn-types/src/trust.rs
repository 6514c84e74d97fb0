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

/// Full trust, in parts per million.
pub const SCORE_MAX_PPM: u32 = 1_000_000;

/// A text that is no score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no score: write a part of full trust from 0 to 1, such as `0.7` or `70%`, with at most six decimals"
)]
pub struct ScoreError(String);

/// Reads a score, exactly, as parts per million: `0.7`, `1` and `70%`.
///
/// # Errors
///
/// [`ScoreError`] for anything but a decimal number from 0 to 1, or a percentage from 0 to 100.
pub fn parse_score(text: &str) -> Result<u32, ScoreError> {
    let wrong = || ScoreError(text.chars().take(32).collect());
    let trimmed = text.trim();
    let (number, decimals) = match trimmed.strip_suffix('%') {
        Some(number) => (number.trim_end(), 4),
        None => (trimmed, 6),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() > decimals || whole.len() > 3 {
        return Err(wrong());
    }
    let digits = format!("{whole}{part:0<decimals$}");
    digits.parse().ok().filter(|ppm| *ppm <= SCORE_MAX_PPM).ok_or_else(wrong)
}

/// Writes parts per million as a part of one, without idle zeros: 700,000 is `0.7`. [`parse_score`] reads it back.
#[must_use]
pub fn format_score(ppm: u32) -> String {
    let text = format!("{}.{:06}", ppm / SCORE_MAX_PPM, ppm % SCORE_MAX_PPM);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
    /// Tells whether it resets what was good of the executor before.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        match self {
            Self::Valid | Self::Validated => false,
            Self::Failed | Self::Missing | Self::Invalid => true,
        }
    }

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
    fn scores_are_read_exactly() {
        let check = |text: &str, wanted| assert_eq!(parse_score(text).ok(), wanted, "{text}");
        check("0.7", Some(700_000));
        check("70%", Some(700_000));
        check("12.5 %", Some(125_000));
        check("1", Some(1_000_000));
        check("0.000001", Some(1));
        check("100%", Some(1_000_000));
        for wrong in ["", ".", "1.", ".5", "1.000001", "100.0001%", "-0.1", "0.0000001", "7e-1", "NaN", "%"] {
            check(wrong, None);
        }
        for ppm in [0, 1, 10, 125_000, 700_000, 999_999, 1_000_000] {
            assert_eq!(parse_score(&format_score(ppm)), Ok(ppm));
        }
    }

    #[test]
    fn contexts_are_read_as_they_are_written() {
        for context in TrustContext::ALL {
            assert_eq!(context.to_string().parse(), Ok(context));
        }
        let error = "money".parse::<TrustContext>().unwrap_err();
        assert!(error.to_string().contains("`money`"));
    }
}
