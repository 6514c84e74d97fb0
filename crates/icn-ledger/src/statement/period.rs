//! A stretch of days, as people name it.

use std::fmt;

use icn_types::{Duration, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A stretch of time in whole days of UTC; open at the sides that are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// Its first moment.
    pub from: Option<Timestamp>,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

/// A text that is no period.
///
/// Blame: the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not a day.
    #[error("`{0}` is not a day: write it as `2026-11-30`")]
    Day(String),
    /// Not a month.
    #[error("`{0}` is not a month: write it as `2026-11`")]
    Month(String),
    /// It ends before it begins.
    #[error("`{from}` comes after `{to}`: give the first day first, both are part of the period")]
    Order {
        /// The first day.
        from: String,
        /// The last day.
        to: String,
    },
}

impl Period {
    /// Reads the first and the last day, both part of the period; without one, the period has no end at that side.
    ///
    /// # Errors
    ///
    /// [`PeriodError`] for what is no day of the calendar, and for days the wrong way round.
    pub fn days(from: Option<&str>, to: Option<&str>) -> Result<Self, PeriodError> {
        let period = Self {
            from: from.map(day).transpose()?,
            until: to.map(day).transpose()?.map(|day| day.plus(DAY)),
        };
        match (period.from, period.until) {
            (Some(begin), Some(until)) if begin >= until => Err(PeriodError::Order {
                from: quoted(from.unwrap_or_default()),
                to: quoted(to.unwrap_or_default()),
            }),
            (_, _) => Ok(period),
        }
    }

    /// Reads a month, such as `2026-11`.
    ///
    /// # Errors
    ///
    /// [`PeriodError::Month`] for anything else.
    pub fn month(text: &str) -> Result<Self, PeriodError> {
        let fail = || PeriodError::Month(quoted(text));
        let (year, month) = text.split_once('-').ok_or_else(fail)?;
        let from = day(&format!("{text}-01")).map_err(|_| fail())?;
        let (year, month): (u32, u32) =
            (year.parse().map_err(|_| fail())?, month.parse().map_err(|_| fail())?);
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let until = day(&format!("{year:04}-{month:02}-01")).map_err(|_| fail())?;
        Ok(Self { from: Some(from), until: Some(until) })
    }

    /// Returns the last day, if the period has an end.
    pub(super) fn last_day(&self) -> Option<String> {
        self.until.map(|until| date(until.minus(Duration::from_millis(1))))
    }

    /// Returns the first day, if the period has a beginning.
    pub(super) fn first_day(&self) -> Option<String> {
        self.from.map(date)
    }
}

impl fmt::Display for Period {
    /// Writes `2026-11-01 to 2026-11-30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first_day(), self.last_day());
        write!(f, "{} to {}", first.as_deref().unwrap_or("the beginning"), last.as_deref().unwrap_or("now"))
    }
}

/// Writes the day of a moment.
pub(super) fn date(at: Timestamp) -> String {
    at.to_string().chars().take_while(|c| *c != 'T').collect()
}

fn day(text: &str) -> Result<Timestamp, PeriodError> {
    format!("{text}T00:00:00.000Z").parse().map_err(|_| PeriodError::Day(quoted(text)))
}

fn quoted(text: &str) -> String {
    text.chars().take(32).collect()
}
