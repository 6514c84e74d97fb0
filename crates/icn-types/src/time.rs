//! Points in time and lengths of time, as text on the wire and integers inside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since the Unix epoch. As text always `2026-11-20T09:30:00.000Z` (RFC 3339, UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A text that is no point in time or no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not the one form of a timestamp.
    #[error("`{0}` is not a timestamp: expected UTC with milliseconds, such as `2026-11-20T09:30:00.000Z`")]
    Timestamp(String),
    /// Not a duration.
    #[error(
        "`{0}` is not a duration: expected ISO 8601 such as `PT30S`, at most ten years, no calendar units"
    )]
    Duration(String),
}

/// The last millisecond of the year 9999, so that the text form has a fixed width.
const TIMESTAMP_MAX: u64 = 253_402_300_799_999;

/// Ten years: the longest duration that is read, so that no sum with a timestamp overflows.
const DURATION_MAX_MS: u64 = 10 * 366 * 24 * 3_600 * 1_000;

impl Timestamp {
    /// Makes a timestamp from Unix milliseconds; times after the year 9999 become its last millisecond.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(if ms > TIMESTAMP_MAX { TIMESTAMP_MAX } else { ms })
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the time that passed since `earlier`, or nothing when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the point `later` after this one.
    #[must_use]
    pub const fn plus(self, later: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(later.0))
    }

    /// Returns the point `before` this one, at the earliest the epoch.
    #[must_use]
    pub const fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(before.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = i64::try_from(self.0)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let fail = || TimeError::Timestamp(text.chars().take(64).collect());
        let time: jiff::Timestamp = text.parse().map_err(|_| fail())?;
        let timestamp = Self(u64::try_from(time.as_millisecond()).map_err(|_| fail())?);
        // The one form: other offsets, other precisions and other separators are other bytes.
        if timestamp.to_string() == text { Ok(timestamp) } else { Err(fail()) }
    }
}

/// A length of time in milliseconds. As text ISO 8601 (`PT30S`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Makes a duration from milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(if ms > DURATION_MAX_MS { DURATION_MAX_MS } else { ms })
    }

    /// Makes a duration from seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1_000))
    }

    /// Returns the milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the same length for the standard library.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = jiff::SignedDuration::from_millis(i64::try_from(self.0).unwrap_or(i64::MAX));
        write!(f, "{length}")
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Duration {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let fail = || TimeError::Duration(text.chars().take(64).collect());
        if !text.starts_with('P') {
            return Err(fail());
        }
        let length: jiff::SignedDuration = text.parse().map_err(|_| fail())?;
        let ms = u64::try_from(length.as_millis()).map_err(|_| fail())?;
        if ms > DURATION_MAX_MS { Err(fail()) } else { Ok(Self(ms)) }
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
as_text!(Timestamp);
as_text!(Duration);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timestamps_have_one_form() {
        let time: Timestamp = "2026-11-20T09:30:00.250Z".parse().unwrap();
        assert_eq!(time.as_millis(), 1_795_167_000_250);
        for text in [
            "2026-11-20T09:30:00Z",
            "2026-11-20T09:30:00.25Z",
            "2026-11-20t09:30:00.250z",
            "2026-11-20T10:30:00.250+01:00",
            "1969-12-31T23:59:59.000Z",
            "yesterday",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_iso_8601() {
        assert_eq!("PT30S".parse::<Duration>().unwrap(), Duration::from_secs(30));
        assert_eq!("PT30M".parse::<Duration>().unwrap(), Duration::from_secs(1_800));
        assert_eq!(Duration::from_millis(1_500).to_string(), "PT1.5S");
        for text in ["30s", "PT-3S", "-PT3S", "P1Y", "PT999999999999999H", ""] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(ms in 0..TIMESTAMP_MAX, length in 0..DURATION_MAX_MS) {
            let time = Timestamp::from_millis(ms);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
            let duration = Duration::from_millis(length);
            prop_assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
        }
    }
}
