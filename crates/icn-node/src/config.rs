//! The configuration: file, then environment, then flags, each stronger than the one before.

mod keys;
mod network;
mod quotas;

use std::path::Path;

use icn_types::{Region, TokenAmount};
use serde::Deserialize;

pub use self::keys::{KEYS, Key, reference, template};
pub use self::network::{
    NeighborLimitsConfig, NetworkConfig, RateLimitingConfig, StrangersConfig, StrangersError, TopologyConfig,
};

pub use self::quotas::{QuotasConfig, QuotasError, SpaceQuotaConfig};

/// Everything that an operator can set. [`KEYS`] documents each value.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[node]`
    pub node: NodeConfig,
    /// `[network]`
    pub network: NetworkConfig,
    /// `[api]`
    pub api: ApiConfig,
    /// `[executor]`
    pub executor: ExecutorSection,
    /// `[quotas]`
    pub quotas: QuotasConfig,
    /// `[originator]`
    pub originator: OriginatorSection,
    /// `[ledger]`
    pub ledger: LedgerConfig,
    /// `[trust]`
    pub trust: TrustConfig,
    /// `[storage]`
    pub storage: StorageConfig,
    /// `[log]`
    pub log: LogConfig,
}

/// Who the node is to people.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// A name for people.
    pub alias: Option<String>,
    /// Where the node stands.
    pub region: Option<Region>,
}

/// Where the API answers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Host and port; port 0 means any free one.
    pub bind: String,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { bind: "127.0.0.1:0".into() }
    }
}

/// What the node does for others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutorSection {
    /// Whether it runs jobs at all.
    pub enabled: bool,
    /// Jobs running at once.
    pub jobs_max: u32,
    /// Accepted jobs that wait beside them.
    pub queue_max: u32,
    /// What a job costs.
    #[serde(deserialize_with = "keys::price")]
    pub price: Option<TokenAmount>,
    /// What each million of fuel costs beside it, in the same currency.
    pub price_per_million_fuel: u64,
    /// The most fuel of a job.
    pub fuel_max: u64,
    /// The most memory of a job, in bytes.
    pub memory_bytes_max: u64,
    /// The most output of a job, in bytes.
    pub output_bytes_max: u64,
    /// The longest time of a job, in seconds.
    pub timeout_seconds_max: u64,
    /// How long a stopping node waits for what runs, in seconds.
    pub drain_seconds: u64,
}

impl Default for ExecutorSection {
    fn default() -> Self {
        Self {
            enabled: true,
            jobs_max: 10,
            queue_max: 246,
            price: None,
            price_per_million_fuel: 0,
            fuel_max: 1_000_000_000_000,
            memory_bytes_max: 512 * 1024 * 1024,
            output_bytes_max: 256 * 1024 * 1024,
            timeout_seconds_max: 3_600,
            drain_seconds: 5,
        }
    }
}

/// How the node has jobs run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OriginatorSection {
    /// The length of a lease, in seconds.
    pub lease_seconds: u64,
    /// How long a job waits for an executor, in seconds.
    pub bidding_seconds: u64,
    /// Jobs that may be open at once.
    pub open_max: usize,
}

impl Default for OriginatorSection {
    fn default() -> Self {
        Self { lease_seconds: 10, bidding_seconds: 600, open_max: 10_000 }
    }
}

/// How the node keeps books, and with which figures the currencies begin that its members bring in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerConfig {
    /// How often the books are reconciled with each other node of a space, in seconds.
    pub sync_seconds: u64,
    /// Whether incoming payments are accepted by themselves.
    pub accept: bool,
    /// The credit line of a new member, in whole units. A negative number is read as the balance that it allows.
    pub initial_limit: i64,
    /// The highest credit line, in whole units. A negative number is read as the balance that it allows.
    pub max_limit: i64,
    /// How much a line grows each time 50 were cleared, in whole units.
    pub growth_per_50_cleared: i64,
    /// How much of the base full trust adds, in parts per million.
    pub trust_multiplier_ppm: u32,
    /// Over how many days a newcomer's line rises.
    pub ramp_period_days: u32,
    /// What must be cleared before a line exceeds the first one, in whole units.
    pub required_cleared: i64,
    /// How long an epoch of a space that this node founds lasts, in seconds; 0: it is never sealed by itself.
    pub epoch_seconds: u64,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            sync_seconds: 10,
            accept: true,
            initial_limit: -20,
            max_limit: -500,
            growth_per_50_cleared: 10,
            trust_multiplier_ppm: 1_000_000,
            ramp_period_days: 90,
            required_cleared: 10,
            epoch_seconds: 60,
        }
    }
}

/// When trust limits what others may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustLimits {
    /// As soon as a member of one of the node's spaces has said whom it trusts.
    #[default]
    Auto,
    /// Always: whoever nobody vouches for is isolated.
    On,
    /// Never: everybody may do the same.
    Off,
}

/// What trust means on this node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustConfig {
    /// When it limits what others may do.
    pub limits: TrustLimits,
    /// The score below which somebody counts as unknown.
    #[serde(deserialize_with = "keys::score")]
    pub default_min_score: u32,
    /// The score from which on somebody may run jobs of this node.
    #[serde(deserialize_with = "keys::score")]
    pub min_execute: u32,
    /// The chance that a finished job of an executor without a proven record is run again here.
    #[serde(deserialize_with = "keys::score")]
    pub check_unproven: u32,
    /// The same for an executor whose record is proven.
    #[serde(deserialize_with = "keys::score")]
    pub check_proven: u32,
    /// In how many days a score fades to its half; 0: never.
    pub half_life_days: u32,
    /// The most steps of a path.
    pub hops_max: u32,
}

impl Default for TrustConfig {
    fn default() -> Self {
        Self {
            limits: TrustLimits::Auto,
            default_min_score: 100_000,
            min_execute: 300_000,
            check_unproven: 100_000,
            check_proven: 10_000,
            half_life_days: 365,
            hops_max: 6,
        }
    }
}

/// How much the node keeps.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// The most bytes of blocks.
    pub blocks_bytes_max: u64,
    /// Free disk space below which nothing more is accepted, in bytes.
    pub free_bytes_min: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { blocks_bytes_max: 50 * 1024 * 1024 * 1024, free_bytes_min: 16 * 1024 * 1024 }
    }
}

/// What the node writes about itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter by module.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: "text".into() }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{path}` cannot be read: check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or a value is not what its key wants.
    #[error("the configuration {place} is not valid: {reason}; `icn config-reference` lists every key")]
    Invalid {
        /// The file, or the environment variable.
        place: String,
        /// Line, key and what is wrong.
        reason: String,
    },
}

impl Config {
    /// Reads the file, where there is one, and puts the environment over it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] that names file or variable, and the key.
    pub fn load(file: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut table = toml::Table::new();
        let mut place = "of the environment".to_owned();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.display().to_string(), source })?;
            place = format!("`{}`", path.display());
            table = text.parse::<toml::Table>().map_err(|error| invalid(&place, &error))?;
            // Read once alone, so that a fault is told with its line.
            toml::from_str::<Self>(&text).map_err(|error| invalid(&place, &error))?;
        }
        for key in KEYS {
            if let Some(text) = env(&key.variable()) {
                keys::put(&mut table, key, &text)
                    .and_then(|()| Self::deserialize(table.clone()))
                    .map_err(|error| invalid(&format!("variable `{}`", key.variable()), &error))?;
            }
        }
        Self::deserialize(table).map_err(|error| invalid(&place, &error))
    }
}

fn invalid(place: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::Invalid { place: place.to_owned(), reason: error.to_string().trim().replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("icn.toml");
        std::fs::write(&path, text).unwrap();
        let look_up =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::load(Some(&path), look_up)
    }

    #[test]
    fn the_environment_is_stronger_than_the_file() {
        let config =
            load("[executor]\njobs_max = 3\nprice = \"5 hours\"\n", &[("ICN_EXECUTOR_JOBS_MAX", "4")])
                .unwrap();
        assert_eq!(config.executor.jobs_max, 4);
        assert_eq!(config.executor.price.unwrap().amount, 5);
        let config = load(
            "",
            &[("ICN_NETWORK_PEERS", "[\"/ip4/1.2.3.4/udp/7100/quic-v1\"]"), ("ICN_NODE_REGION", "eu")],
        );
        let config = config.unwrap();
        assert_eq!(config.network.peers.len(), 1);
        assert_eq!(config.node.region.unwrap().as_str(), "eu");
    }

    #[test]
    fn sections_within_sections_are_read_from_file_and_environment() {
        let text =
            "[network]\nmax_peers = 7\n[network.topology]\nregion = \"us-west\"\nrole = \"regional\"\n";
        let env = [
            ("ICN_NETWORK_TOPOLOGY_CLUSTER_ID", "my-coop"),
            ("ICN_NETWORK_TOPOLOGY_NEIGHBOR_LIMITS_MAX_TRUSTED", "3"),
            ("ICN_NETWORK_TOPOLOGY_SERVICE_ROLE", "archive"),
        ];
        let network = load(text, &env).unwrap().network;
        assert_eq!(network.max_peers, 7);
        let info = network.topology.info(None);
        assert_eq!((info.region(), info.cluster()), ("us-west", "my-coop"));
        assert_eq!(info.tier, icn_types::NodeTier::Regional);
        assert_eq!(info.service_role, icn_types::ServiceRole::Archive);
        assert_eq!(network.topology.neighbor_limits.max_trusted, 3);
        // A file from before there were such sections (CFG-78).
        let old = load("[network]\nmax_peers = 9\n", &[]).unwrap().network;
        assert_eq!(old.topology, TopologyConfig::default());
        let error = load("[network.topology]\nrole = \"king\"\n", &[]).unwrap_err().to_string();
        assert!(error.contains("king") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn faults_are_told_with_their_place() {
        for (text, env, word) in [
            ("[executor]\njobs_max = \"many\"\n", None, "line 2"),
            ("[executr]\n", None, "executr"),
            ("[executor]\nprice = \"5\"\n", None, "amount"),
            ("x = [", None, "line 1"),
            ("", Some(("ICN_EXECUTOR_JOBS_MAX", "many")), "ICN_EXECUTOR_JOBS_MAX"),
            ("", Some(("ICN_NODE_REGION", "EU/1")), "region"),
        ] {
            let error = load(text, env.as_slice()).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn the_template_is_the_default() {
        assert_eq!(load(&template(), &[]).unwrap(), Config::default());
    }

    #[test]
    fn the_reference_page_is_current() {
        // `cargo xtask docs` writes it anew.
        assert_eq!(include_str!("../../../docs/config.md"), reference());
    }

    #[test]
    fn every_key_is_documented_with_its_default() {
        // Uncommenting a line of the template must give a valid file: the documented defaults are of the right kind.
        for key in KEYS {
            if key.default != "none" {
                let text = format!("[{}]\n{} = {}\n", key.section, key.name, key.default);
                assert_eq!(load(&text, &[]).unwrap(), Config::default(), "{text}");
            }
        }
    }
}
