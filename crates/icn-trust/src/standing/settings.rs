//! How much each violation weighs, and what follows from how much.

use serde::{Deserialize, Serialize};

use super::{POINTS_MAX, Violation};
use crate::error::SettingsError;
use crate::settings::range;

/// Points and thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StandingSettings {
    /// In which time points halve, in seconds.
    pub half_life_secs: u32,
    /// Points of a signature that does not hold.
    pub invalid_signature: u32,
    /// Points of an equivocation, which quarantines whatever its points are.
    pub equivocation: u32,
    /// Points of bytes that are no message.
    pub malformed: u32,
    /// Points of a second in which too much was sent.
    pub excessive_rate: u32,
    /// From how many points on there is a warning.
    pub warn_at: u32,
    /// From how many on it is throttled.
    pub throttle_at: u32,
    /// From how many on it is quarantined.
    pub quarantine_at: u32,
    /// From how many on it is banned.
    pub ban_at: u32,
    /// How long a ban lasts, in seconds.
    pub ban_secs: u32,
}

impl Default for StandingSettings {
    fn default() -> Self {
        Self {
            half_life_secs: 600,
            invalid_signature: 10,
            equivocation: 50,
            malformed: 5,
            excessive_rate: 1,
            warn_at: 10,
            throttle_at: 25,
            quarantine_at: 50,
            ban_at: 100,
            ban_secs: 12 * 3_600,
        }
    }
}

impl StandingSettings {
    /// Checks that thresholds rise and can be reached, and that points fade.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what cannot be.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.half_life_secs == 0 {
            return Err(range("half_life_secs", 0, "1 or more: what never fades is never forgiven"));
        }
        let rising = [0, self.warn_at, self.throttle_at, self.quarantine_at, self.ban_at];
        let names = ["warn_at", "throttle_at", "quarantine_at", "ban_at"];
        for ((below, at), name) in rising.iter().zip(rising.iter().skip(1)).zip(names) {
            if at <= below || u64::from(*at) > POINTS_MAX {
                return Err(range(name, u64::from(*at), "more than the threshold before, and at most 1000"));
            }
        }
        Ok(())
    }

    pub(super) const fn points(&self, violation: Violation) -> u32 {
        match violation {
            Violation::InvalidSignature => self.invalid_signature,
            Violation::Equivocation => self.equivocation,
            Violation::Malformed => self.malformed,
            Violation::ExcessiveRate => self.excessive_rate,
        }
    }
}
