//! The parameters of the readings, with their defaults and ranges.

use serde::{Deserialize, Serialize};

use crate::class::Cutoffs;
use crate::error::SettingsError;
use crate::graph::PPM;
use crate::path::HOPS_MAX;

/// How the best path is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PathSettings {
    /// The most hops, 1 to [`HOPS_MAX`].
    pub hops_max: u32,
    /// What each hop after the first leaves of the value, in parts per million.
    pub hop_decay_ppm: u32,
}

impl Default for PathSettings {
    fn default() -> Self {
        Self { hops_max: 6, hop_decay_ppm: 800_000 }
    }
}

impl PathSettings {
    /// What the hop with a number (from 1) leaves of the value.
    pub(crate) const fn decay_ppm(&self, hop: u32) -> u32 {
        if hop <= 1 { PPM } else { self.hop_decay_ppm }
    }
}

/// The parameters of all readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How the best path is read.
    pub path: PathSettings,
    /// In how many days a score fades to its half; 0 for never.
    pub half_life_days: u32,
    /// Scores below this, in parts per million, count as nothing: their class is isolated (TRU-13).
    pub default_min_score_ppm: u32,
    /// Where the classes begin.
    pub cutoffs: Cutoffs,
    /// What one step from co-op to co-op leaves of trust (TRU-30).
    pub federated_decay_ppm: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: PathSettings::default(),
            half_life_days: 365,
            default_min_score_ppm: 100_000,
            cutoffs: Cutoffs::default(),
            federated_decay_ppm: 500_000,
        }
    }
}

impl Settings {
    /// Checks all ranges.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the first value that cannot be.
    pub fn check(&self) -> Result<(), SettingsError> {
        let ppm = |name, value: u32| match value {
            0..=PPM => Ok(()),
            _ => Err(range(name, u64::from(value), "0 to 1000000")),
        };
        if !(1..=HOPS_MAX).contains(&self.path.hops_max) {
            return Err(range("hops_max", u64::from(self.path.hops_max), "1 to 16"));
        }
        ppm("hop_decay_ppm", self.path.hop_decay_ppm)?;
        ppm("default_min_score_ppm", self.default_min_score_ppm)?;
        ppm("federated_decay_ppm", self.federated_decay_ppm)?;
        self.cutoffs.check()
    }

    /// Returns the most that a member of another co-op can be trusted with before somebody here vouches for it: the trust in
    /// its co-op, decayed once for each step from co-op to co-op (conflict C-25: 0.8 and one step give 0.4).
    #[must_use]
    pub fn federated_ceiling(&self, coop_ppm: u32, steps: u32) -> u32 {
        let decay = u64::from(self.federated_decay_ppm.min(PPM));
        let start = u64::from(coop_ppm.min(PPM));
        // After 64 steps nothing but full decay changes.
        let left = (0..steps.min(64)).fold(start, |value, _| value * decay / u64::from(PPM));
        u32::try_from(left).unwrap_or_default()
    }
}

pub(crate) const fn range(name: &'static str, value: u64, expected: &'static str) -> SettingsError {
    SettingsError::Range { name, value, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_others_are_refused() {
        assert_eq!(Settings::default().check(), Ok(()));
        let path = |hops_max, hop_decay_ppm| PathSettings { hops_max, hop_decay_ppm };
        let default = Settings::default();
        for (wrong, name) in [
            (Settings { path: path(0, 1), ..default }, "hops_max"),
            (Settings { path: path(17, 1), ..default }, "hops_max"),
            (Settings { path: path(6, PPM + 1), ..default }, "hop_decay_ppm"),
            (Settings { default_min_score_ppm: PPM + 1, ..default }, "default_min_score_ppm"),
            (Settings { federated_decay_ppm: PPM + 1, ..default }, "federated_decay_ppm"),
        ] {
            assert!(wrong.check().unwrap_err().to_string().contains(name), "{name}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"hops_max":3}"#).is_err(), "unknown keys are refused");
    }

    #[test]
    fn trust_between_co_ops_decays_with_each_step() {
        let settings = Settings::default();
        assert_eq!(settings.federated_ceiling(800_000, 0), 800_000);
        assert_eq!(settings.federated_ceiling(800_000, 1), 400_000);
        assert_eq!(settings.federated_ceiling(800_000, 2), 200_000);
        assert_eq!(settings.federated_ceiling(u32::MAX, 1), 500_000);
        assert_eq!(settings.federated_ceiling(800_000, u32::MAX), 0);
    }
}
