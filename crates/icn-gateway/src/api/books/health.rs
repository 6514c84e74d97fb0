//! How healthy a currency is: early signs with the figures behind them.

use icn_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Amount, Party};

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthLevel {
    /// Nothing to do.
    Ok,
    /// Worth a look.
    Watch,
    /// Worth a meeting.
    Alarm,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthUnit {
    /// Parts per million.
    Ppm,
    /// Things.
    Count,
    /// Days.
    Days,
    /// The currency's smallest unit.
    Smallest,
}

/// A figure, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthFigure {
    /// As people read it: `12.3 %`, `40 days`, `7.50 hours`.
    pub text: String,
    /// The number.
    pub value: i64,
    /// What it counts.
    pub unit: HealthUnit,
}

/// A figure with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFigure {
    /// A stable word.
    pub name: String,
    /// The figure.
    #[serde(flatten)]
    pub figure: HealthFigure,
}

/// One early sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSign {
    /// A stable word: `concentration`, `hoarders`, `takers`, `inequality`, `deficit_ratio`, `velocity`, `lines_used`,
    /// `at_limit`, `debt_age`, `lost_debt`, `newcomers`, `bridges`, `claims`, `unmet`.
    pub code: String,
    /// How well it is.
    pub level: HealthLevel,
    /// Whether there was enough to judge; if not, the level is `ok`.
    pub judged: bool,
    /// The figure that is held against the limits.
    pub figure: HealthFigure,
    /// From where on it is worth a look.
    pub watch: HealthFigure,
    /// From where on it is an alarm.
    pub alarm: HealthFigure,
    /// Whether lower figures are worse.
    pub lower_is_worse: bool,
    /// Other figures that belong to it.
    pub more: Vec<NamedFigure>,
    /// Whom it is about, at most ten.
    pub who: Vec<Party>,
    /// How many it is about.
    pub who_total: u64,
    /// What was found.
    pub finding: String,
    /// What to do; empty while all is well.
    pub advice: String,
    /// Where the limits come from.
    pub source: String,
}

/// How healthy a currency is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHealth {
    /// Which currency.
    pub currency: String,
    /// As of when, by the clock of this node.
    pub at: Timestamp,
    /// The worst level of all signs.
    pub level: HealthLevel,
    /// How many members there are.
    pub members: u64,
    /// How many accounts took part in trade in the last 90 days.
    pub active: u64,
    /// All that is above zero.
    pub credit: Amount,
    /// What moved in the last 30 days.
    pub volume_30: Amount,
    /// What moved in the last 90 days.
    pub volume_90: Amount,
    /// The signs, in a fixed order.
    pub signs: Vec<HealthSign>,
}

impl HealthLevel {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Watch => "watch",
            Self::Alarm => "alarm",
        }
    }
}
