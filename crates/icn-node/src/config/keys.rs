//! Every key of the configuration: what `icn init` writes, what the reference page says, which variable overrides it.

use std::fmt::Write as _;

use icn_types::TokenAmount;
use serde::{Deserialize, Deserializer};

/// One key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The section it stands in; a dot leads into a section within a section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its default as TOML, or `none`.
    pub default: &'static str,
    /// What it does, for operators.
    pub doc: &'static str,
}

impl Key {
    /// Returns the environment variable that overrides it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("ICN_{}_{}", self.section, self.name).replace('.', "_").to_ascii_uppercase()
    }
}

const fn key(section: &'static str, name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { section, name, default, doc }
}

/// Every key, in the order of the file.
pub const KEYS: &[Key] = &[
    key("node", "alias", "none", "A name for people, shown beside the DID."),
    key("node", "region", "none", "Where the node stands (`a-z`, `0-9`, `-`): jobs may ask for a region."),
    key(
        "network",
        "listen",
        "[]",
        "Multiaddrs to listen on. Empty: UDP and TCP port 7100, or any free port if that is taken.",
    ),
    key("network", "peers", "[]", "Peers to stay connected to: multiaddrs, or `icn://<did>@host:port`."),
    key("network", "mdns", "true", "Find peers of the local network by multicast DNS, and be found."),
    key(
        "network",
        "max_peers",
        "100",
        "The most peers connected at once; a fifth of the places is kept for own dials.",
    ),
    key(
        "network",
        "min_trust_threshold",
        "0",
        "The least trust of a peer that is connected, in parts per million (100000 is 0.1). Above 0 nobody gets in but trusted members and `peers`.",
    ),
    key(
        "network.strangers",
        "places",
        "none",
        "The most strangers connected at once: peers that are members of none of the node's spaces and not in `peers`. Without it half of `max_peers`; a fifth of it is kept for own dials.",
    ),
    key(
        "network.strangers",
        "places_per_group",
        "8",
        "The most strangers of one address group connected at once: a /24 of IPv4, a /48 of IPv6.",
    ),
    key(
        "network.strangers",
        "private_groups",
        "false",
        "Tell private addresses apart by group, too, as in a network where a whole town has them. Else strangers with such addresses count as one group for messages, and as none for places.",
    ),
    key(
        "network.topology",
        "region",
        "none",
        "Where the node stands, as it tells its peers. Without it the region of `[node]`, else `default`.",
    ),
    key(
        "network.topology",
        "cluster_id",
        "none",
        "The group of nodes that it works with, such as a co-op (`a-z`, `0-9`, `-`). Without it `default`.",
    ),
    key(
        "network.topology",
        "role",
        "\"community\"",
        "How much the node can carry: `edge` (a device), `community` (a co-op's server), `regional`.",
    ),
    key(
        "network.topology",
        "service_role",
        "\"edge\"",
        "What the node is there for: `edge` (its own people), `rendezvous`, `archive`.",
    ),
    key("network.topology.neighbor_limits", "max_local_cluster", "40", "Neighbours of the same cluster."),
    key("network.topology.neighbor_limits", "max_regional", "24", "Neighbours of the same region."),
    key("network.topology.neighbor_limits", "max_backbone", "20", "Neighbours of other regions."),
    key(
        "network.topology.neighbor_limits",
        "max_trusted",
        "16",
        "Neighbours of other regions that are trusted highly.",
    ),
    key(
        "network.rate_limiting",
        "unknown_msgs_per_sec",
        "1",
        "Messages a second from a stranger; ten times as many at once.",
    ),
    key(
        "network.rate_limiting",
        "unknown_group_msgs_per_sec",
        "none",
        "The same from all strangers of one address group together. Without it four times what one stranger gets; ten groups' worth is what all strangers get.",
    ),
    key("network.rate_limiting", "known_msgs_per_sec", "10", "The same from a known peer."),
    key("network.rate_limiting", "colleague_msgs_per_sec", "100", "The same from a partner."),
    key("network.rate_limiting", "close_msgs_per_sec", "1000", "The same from a federated peer."),
    key("network.rate_limiting", "max_global_mps", "50000", "Messages a second from all peers together."),
    key(
        "api",
        "bind",
        "\"127.0.0.1:0\"",
        "Host and port of the HTTP API. Port 0: any free one, told in `node.json`.",
    ),
    key("executor", "enabled", "true", "Run jobs for others."),
    key("executor", "jobs_max", "10", "Jobs running at once."),
    key(
        "executor",
        "queue_max",
        "246",
        "Accepted jobs that wait beside those that run; above that the node does not bid.",
    ),
    key("executor", "price", "none", "What a job costs, such as `\"5 hours\"`. Without it jobs are free."),
    key(
        "executor",
        "price_per_million_fuel",
        "0",
        "What each million of fuel costs beside the price, in the same currency.",
    ),
    key("executor", "fuel_max", "1000000000000", "The most fuel of one job."),
    key("executor", "memory_bytes_max", "536870912", "The most memory of one job, in bytes."),
    key("executor", "output_bytes_max", "268435456", "The most output of one job, in bytes."),
    key("executor", "timeout_seconds_max", "3600", "The longest time of one job, in seconds."),
    key(
        "executor",
        "drain_seconds",
        "5",
        "How long a stopping node waits for running jobs before it hands them back, in seconds.",
    ),
    key(
        "quotas",
        "cpu_cores_max",
        "none",
        "Processors that the jobs of one co-op take of this node at once, such as `1.5`; a job takes one at least. Whose members submit a job, its quota it takes; those who are in none of this node's spaces share one. Nothing set: no limit.",
    ),
    key("quotas", "memory_mb_max", "none", "The same for memory, in MiB, as jobs ask for it."),
    key("quotas", "tasks_concurrent_max", "none", "The same for jobs."),
    key(
        "quotas",
        "credits_per_hour",
        "none",
        "Credit that is held for jobs of one co-op or was paid for them within the last hour, written like `executor.price` and in its currency, such as `\"20 hours\"`.",
    ),
    key(
        "quotas",
        "spaces",
        "[]",
        "Quotas of single spaces: `[[quotas.spaces]]` with `space = \"did:icn:…\"` and any of the keys above; what is left out is as there.",
    ),
    key(
        "originator",
        "lease_seconds",
        "10",
        "How long an executor may be silent before its job goes to another, in seconds (3 to 3600).",
    ),
    key(
        "originator",
        "bidding_seconds",
        "600",
        "How long a job waits for an executor before it fails, in seconds.",
    ),
    key("originator", "open_max", "10000", "Jobs of this node that may be open at once; more are refused."),
    key(
        "trust",
        "limits",
        "\"auto\"",
        "When trust limits what others may do: `auto`, as soon as a member of one of the node's spaces has said whom it trusts; `on`; `off`.",
    ),
    key("trust", "default_min_score", "\"0.1\"", "Whoever is trusted less counts as unknown."),
    key(
        "trust",
        "min_execute",
        "\"0.3\"",
        "Whoever is trusted less runs no jobs of this node, unless a job names it.",
    ),
    key(
        "trust",
        "check_unproven",
        "\"0.1\"",
        "The chance that a finished job is run again here and compared, while its executor has no proven record.",
    ),
    key("trust", "check_proven", "\"0.01\"", "The same for an executor whose record is proven."),
    key(
        "trust",
        "half_life_days",
        "365",
        "In how many days what was said of somebody fades to its half; 0: never.",
    ),
    key("trust", "hops_max", "6", "The most steps from one member to the next (1 to 16)."),
    key(
        "ledger",
        "sync_seconds",
        "10",
        "How often the books are reconciled with each other node of a space, in seconds.",
    ),
    key(
        "ledger",
        "accept",
        "true",
        "Accept incoming payments without being asked, as soon as they are final.",
    ),
    key(
        "ledger",
        "initial_limit",
        "-20",
        "The first credit line of a member in currencies that this node brings in, in whole units (how far below zero).",
    ),
    key("ledger", "max_limit", "-500", "The highest credit line in such currencies, in whole units."),
    key(
        "ledger",
        "growth_per_50_cleared",
        "10",
        "How much a line grows each time a member has received 50 from distinct members, in whole units.",
    ),
    key(
        "ledger",
        "trust_multiplier_ppm",
        "1000000",
        "How much full trust adds to the base of a line, in parts per million: 1000000 doubles it.",
    ),
    key(
        "ledger",
        "ramp_period_days",
        "90",
        "Over how many days a newcomer's line rises beyond the first one.",
    ),
    key(
        "ledger",
        "required_cleared",
        "10",
        "What a member must have received before the line exceeds the first one.",
    ),
    key(
        "ledger",
        "epoch_seconds",
        "60",
        "How long an epoch lasts in spaces that this node founds, in seconds. 0: nobody seals by itself.",
    ),
    key(
        "storage",
        "blocks_bytes_max",
        "53687091200",
        "The most bytes of content. Full: unpinned content goes, least recently used first.",
    ),
    key(
        "storage",
        "free_bytes_min",
        "16777216",
        "Free disk space below which nothing more is accepted, in bytes.",
    ),
    key(
        "log",
        "level",
        "\"info\"",
        "`error`, `warn`, `info`, `debug`, `trace`, or a filter such as `icn_node=debug`. `RUST_LOG` overrides it.",
    ),
    key("log", "format", "\"text\"", "`text` for people, `json` for collectors."),
];

/// Writes the commented file that `icn init` makes: every key with its default.
#[must_use]
pub fn template() -> String {
    let mut text = String::from(
        "# Configuration of an ICN node. Every line that is commented out shows the default.\n\
         # Environment variables (ICN_<SECTION>_<KEY>) override this file, flags of `icn node` override both.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let _ = write!(text, "\n[{section}]\n");
        }
        let example = if key.default == "none" { "\"…\"" } else { key.default };
        let _ = write!(text, "# {}\n# {} = {example}\n", key.doc, key.name);
    }
    text
}

/// Writes the reference page (`docs/config.md`).
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         Made by `icn config-reference`; do not edit. `icn init` writes `icn.toml` with all of this as comments. Environment\n\
         variables override the file, flags of `icn node` override both.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let _ = write!(
                text,
                "\n## [{section}]\n\n| key | default | variable | what it does |\n|---|---|---|---|\n"
            );
        }
        let _ = writeln!(text, "| `{}` | `{}` | `{}` | {} |", key.name, key.default, key.variable(), key.doc);
    }
    text
}

/// Puts the text of an environment variable into a table: as TOML where it is TOML, as a string otherwise.
pub(super) fn put(table: &mut toml::Table, key: &Key, text: &str) -> Result<(), toml::de::Error> {
    let value = format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let mut section = table;
    for part in key.section.split('.') {
        let inner = section.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let Some(inner) = inner.as_table_mut() else {
            return Err(serde::de::Error::custom(format!("`{}` is not a section", key.section)));
        };
        section = inner;
    }
    section.insert(key.name.to_owned(), value);
    Ok(())
}

/// Reads a score such as `"0.3"` or `"30%"`, in parts per million; a bare number is fine too.
pub(super) fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(f64),
        Whole(u32),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        // The shortest text of a number is what was typed.
        Written::Number(number) => number.to_string(),
        Written::Whole(number) => number.to_string(),
    };
    icn_types::parse_score(&text).map_err(serde::de::Error::custom)
}

/// Reads a price such as `"5 hours"`.
pub(super) fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TokenAmount>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}
