//! Statements of account.

use serde::{Deserialize, Serialize};

/// In which format a statement is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementFormat {
    /// Lines for people.
    #[default]
    Text,
    /// Comma-separated values with a heading.
    Csv,
    /// One JSON object.
    Json,
}

/// Which statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatementRequest {
    /// Whose account; none: that of `identity`.
    pub account: Option<String>,
    /// The own identity that is meant where `account` is absent.
    pub identity: Option<String>,
    /// Which currency; none: the only one.
    pub currency: Option<String>,
    /// The first day, such as `2026-11-01`, in UTC; none: the beginning.
    pub from: Option<String>,
    /// The last day, part of the period; none: now.
    pub to: Option<String>,
    /// A month, such as `2026-11`, instead of both days.
    pub month: Option<String>,
    /// In which format.
    pub format: StatementFormat,
}

impl StatementFormat {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Returns the content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}
