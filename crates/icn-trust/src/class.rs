//! Classes of trust: a score, cut into five (conflict C-09).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::graph::PPM;

/// What an executor must have before it is given a job, in parts per million (TRU-14).
pub const MIN_TRUST_EXECUTE_PPM: u32 = 300_000;
/// From when on somebody counts among the trusted neighbours (TRU-15).
pub const TRUSTED_PPM: u32 = 700_000;
/// From when on somebody counts among the backbone. Our choice: the sources name the threshold and give no value.
pub const BACKBONE_PPM: u32 = 300_000;

/// How well somebody is known here. A higher class is greater.
///
/// Also read: `unknown` for isolated, `colleague` for partner, `close` for federated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustClass {
    /// Nobody here vouches for them, or too weakly.
    #[default]
    #[serde(alias = "unknown")]
    Isolated,
    /// Somebody does.
    Known,
    /// As one works with.
    #[serde(alias = "colleague")]
    Partner,
    /// As one relies on.
    #[serde(alias = "close")]
    Federated,
    /// As oneself.
    Intimate,
}

impl TrustClass {
    /// All of them, the lowest first.
    pub const ALL: [Self; 5] = [Self::Isolated, Self::Known, Self::Partner, Self::Federated, Self::Intimate];

    /// Returns the name, as in metrics and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Known => "known",
            Self::Partner => "partner",
            Self::Federated => "federated",
            Self::Intimate => "intimate",
        }
    }

    /// Returns the class above, if there is one.
    #[must_use]
    pub fn above(self) -> Option<Self> {
        Self::ALL.into_iter().find(|class| *class > self)
    }
}

impl fmt::Display for TrustClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TrustClass {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "isolated" | "unknown" => Self::Isolated,
            "known" => Self::Known,
            "partner" | "colleague" => Self::Partner,
            "federated" | "close" => Self::Federated,
            "intimate" => Self::Intimate,
            _ => return Err(SettingsError::Class(text.chars().take(32).collect())),
        })
    }
}

/// The lowest score of each class above isolated, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cutoffs {
    /// Of [`TrustClass::Known`].
    pub known: u32,
    /// Of [`TrustClass::Partner`].
    pub partner: u32,
    /// Of [`TrustClass::Federated`].
    pub federated: u32,
    /// Of [`TrustClass::Intimate`].
    pub intimate: u32,
}

impl Default for Cutoffs {
    fn default() -> Self {
        Self { known: 100_000, partner: 300_000, federated: 700_000, intimate: 900_000 }
    }
}

impl Cutoffs {
    /// Checks that each lies above the one before, and all within full trust.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the two that do not rise, or the one out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let rising = TrustClass::ALL.map(|class| (class.as_str(), self.of(class)));
        for ((lower, below), (upper, above)) in rising.iter().zip(rising.iter().skip(1)) {
            if below >= above {
                return Err(SettingsError::Cutoffs { lower, upper });
            }
        }
        if self.intimate > PPM {
            let (name, value) = ("intimate", u64::from(self.intimate));
            return Err(SettingsError::Range { name, value, expected: "at most 1000000" });
        }
        Ok(())
    }

    /// Returns the lowest score of a class.
    #[must_use]
    pub const fn of(&self, class: TrustClass) -> u32 {
        match class {
            TrustClass::Isolated => 0,
            TrustClass::Known => self.known,
            TrustClass::Partner => self.partner,
            TrustClass::Federated => self.federated,
            TrustClass::Intimate => self.intimate,
        }
    }

    /// Returns the class of a score.
    #[must_use]
    pub fn class(&self, score_ppm: u32) -> TrustClass {
        let reached = TrustClass::ALL.into_iter().filter(|class| score_ppm >= self.of(*class));
        reached.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_falls_into_the_class_whose_cutoff_it_reaches() {
        use TrustClass::{Federated, Intimate, Isolated, Known, Partner};
        let rows = [
            (0, Isolated),
            (99_999, Isolated),
            (100_000, Known),
            (299_999, Known),
            (300_000, Partner),
            (699_999, Partner),
            (700_000, Federated),
            (899_999, Federated),
            (900_000, Intimate),
            (1_000_000, Intimate),
        ];
        for (score, class) in rows {
            assert_eq!(Cutoffs::default().class(score), class, "{score}");
        }
        assert!(Isolated < Known && Known < Partner && Partner < Federated && Federated < Intimate);
        assert_eq!((Known.above(), Intimate.above()), (Some(Partner), None));
    }

    #[test]
    fn both_sources_names_are_read() {
        for (text, class) in [
            ("Unknown", TrustClass::Isolated),
            ("colleague", TrustClass::Partner),
            ("Close", TrustClass::Federated),
            ("intimate", TrustClass::Intimate),
        ] {
            assert_eq!(text.parse(), Ok(class));
            let json = format!("\"{}\"", text.to_ascii_lowercase());
            assert_eq!(serde_json::from_str::<TrustClass>(&json).unwrap(), class);
        }
        for class in TrustClass::ALL {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
        assert!("friend".parse::<TrustClass>().unwrap_err().to_string().contains("`friend`"));
    }

    #[test]
    fn cutoffs_must_rise() {
        assert_eq!(Cutoffs::default().check(), Ok(()));
        let default = Cutoffs::default();
        for (wrong, text) in [
            (Cutoffs { known: 0, ..default }, "`known`"),
            (Cutoffs { partner: 100_000, ..default }, "`partner`"),
            (Cutoffs { federated: 900_000, ..default }, "`intimate`"),
            (Cutoffs { intimate: PPM + 1, ..default }, "1000001"),
        ] {
            assert!(wrong.check().unwrap_err().to_string().contains(text), "{text}");
        }
    }
}
