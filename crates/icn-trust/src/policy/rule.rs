//! The limits of one class.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::graph::PPM;
use crate::settings::range;

/// A right (TRU-18, C-57). For a contract the caller must have it, and the contract must declare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// To read the books.
    ReadLedger,
    /// To write into the books.
    WriteLedger,
    /// To ask for scores.
    ReadTrust,
    /// To vouch for others.
    ModifyTrust,
    /// To bring a contract.
    DeployContract,
    /// To run one.
    ExecuteContract,
}

impl Capability {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::ReadLedger,
        Self::WriteLedger,
        Self::ReadTrust,
        Self::ModifyTrust,
        Self::DeployContract,
        Self::ExecuteContract,
    ];

    /// Returns the name, as in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadLedger => "read_ledger",
            Self::WriteLedger => "write_ledger",
            Self::ReadTrust => "read_trust",
            Self::ModifyTrust => "modify_trust",
            Self::DeployContract => "deploy_contract",
            Self::ExecuteContract => "execute_contract",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capability {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let found = Self::ALL.into_iter().find(|capability| capability.as_str() == text);
        found.ok_or_else(|| SettingsError::Capability(text.chars().take(32).collect()))
    }
}

/// Which topics may be published to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topics {
    /// All of them.
    All,
    /// Those that the policy calls public.
    #[default]
    PublicOnly,
    /// These alone; none if the set is empty.
    Only(BTreeSet<String>),
}

impl Topics {
    /// Tells whether a topic is among them.
    #[must_use]
    pub fn allow(&self, topic: &str, public: &BTreeSet<String>) -> bool {
        match self {
            Self::All => true,
            Self::PublicOnly => public.contains(topic),
            Self::Only(topics) => topics.contains(topic),
        }
    }

    /// Tells whether these are at least those.
    fn cover(&self, other: &Self, public: &BTreeSet<String>) -> bool {
        match (self, other) {
            (Self::All, _) | (Self::PublicOnly, Self::PublicOnly) => true,
            (_, Self::All) => false,
            (_, Self::PublicOnly) => public.iter().all(|topic| self.allow(topic, public)),
            (_, Self::Only(topics)) => topics.iter().all(|topic| self.allow(topic, public)),
        }
    }
}

/// What a class may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Messages a second, sustained.
    pub messages_per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// Streams open at once.
    pub streams_max: u32,
    /// Topics that may be published to.
    pub topics: Topics,
    /// Rights.
    pub capabilities: BTreeSet<Capability>,
    /// Fuel that one job may be given.
    pub fuel_max: u64,
    /// Jobs running at once.
    pub jobs_max: u32,
}

impl Rule {
    /// The rule of those who are not heard.
    pub(crate) fn nothing() -> Self {
        Self { topics: Topics::Only(BTreeSet::new()), ..Self::default() }
    }

    /// A part of the rates; what lets something through goes on to.
    pub(crate) fn part(&self, share_ppm: u32) -> Self {
        let part = |amount: u64| {
            let part = u128::from(amount) * u128::from(share_ppm.min(PPM)) / u128::from(PPM);
            u64::try_from(part).unwrap_or(amount).max(amount.min(1))
        };
        let small = |amount: u32| u32::try_from(part(u64::from(amount))).unwrap_or(amount);
        Self {
            messages_per_second: small(self.messages_per_second),
            burst: small(self.burst),
            streams_max: small(self.streams_max),
            topics: self.topics.clone(),
            capabilities: self.capabilities.clone(),
            fuel_max: self.fuel_max,
            jobs_max: small(self.jobs_max),
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.messages_per_second == 0 {
            return Err(range(
                "messages_per_second",
                0,
                "1 or more: whoever is not to be heard is banned instead",
            ));
        }
        if self.burst == 0 {
            return Err(range("burst", 0, "1 or more: otherwise no message gets through"));
        }
        Ok(())
    }

    /// Names a limit that is lower than that of the class below, if there is one.
    pub(super) fn falls_below(&self, lower: &Self, public: &BTreeSet<String>) -> Option<&'static str> {
        let rows = [
            (self.messages_per_second >= lower.messages_per_second, "messages_per_second"),
            (self.burst >= lower.burst, "burst"),
            (self.streams_max >= lower.streams_max, "streams_max"),
            (self.topics.cover(&lower.topics, public), "topics"),
            (self.capabilities.is_superset(&lower.capabilities), "capabilities"),
            (self.fuel_max >= lower.fuel_max, "fuel_max"),
            (self.jobs_max >= lower.jobs_max, "jobs_max"),
        ];
        rows.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }
}
