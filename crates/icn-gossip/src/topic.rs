//! Spaces and their topics: what a log is called, who may read and write it, how far it travels.

use std::fmt;
use std::str::FromStr;

use icn_types::{Did, Scope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of a topic, in bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 64;

/// The name of a topic inside a space, such as `ledger:sync`: 1 to 64 of `a-z`, `0-9`, `:`, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(String);

/// A text that names no topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a topic: expected 1 to 64 of `a-z`, `0-9`, `:`, `-`, `_`, `.`")]
pub struct TopicNameError(String);

/// One log: a topic of a space. A space is a cooperative, named by the DID of its root key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogId {
    /// The space's root DID.
    pub space: Did,
    /// The topic within it.
    pub topic: TopicName,
}

impl LogId {
    /// Names the gossipsub topic of live entries: `/icn/space/<root>/<topic>/v1`, the root in its base58 form.
    #[must_use]
    pub fn gossip_topic(&self) -> String {
        let root = self.space.to_string();
        format!("/icn/space/{}/{}/v1", root.trim_start_matches("did:icn:"), self.topic)
    }

    /// Reads the name of a gossipsub topic; none when it is not that of a log.
    #[must_use]
    pub fn from_gossip_topic(name: &str) -> Option<Self> {
        let (root, topic) = name.strip_prefix("/icn/space/")?.strip_suffix("/v1")?.split_once('/')?;
        let id = Self { space: format!("did:icn:{root}").parse().ok()?, topic: topic.parse().ok()? };
        (id.gossip_topic() == name).then_some(id)
    }
}

/// Who may read a log and append to it (GOS-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessControl {
    /// Anybody.
    Public,
    /// Only members of the space.
    Private,
    /// Whoever is trusted at least so much, in parts per million. Members of the space always are.
    TrustGated(u32),
}

impl AccessControl {
    /// Tells whether somebody may read: a member, or a stranger trusted so much (parts per million).
    #[must_use]
    pub const fn admits(self, is_member: bool, trust_ppm: u32) -> bool {
        match self {
            Self::Public => true,
            Self::Private => is_member,
            Self::TrustGated(threshold) => is_member || trust_ppm >= threshold,
        }
    }
}

/// What holds for one topic of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMeta {
    /// Its name.
    pub name: TopicName,
    /// Who may read and append.
    pub access: AccessControl,
    /// How far live entries are pushed. Reconciliation reaches every member, whatever the scope (C-47).
    pub scope: Scope,
    /// The most entries that are kept. Full: further entries are refused and counted.
    pub entries_max: u64,
}

impl TopicMeta {
    /// Returns what holds for a topic (GOS-15, GOS-18, GOS-31); an unknown one is global and of members only.
    #[must_use]
    pub fn of(name: TopicName) -> Self {
        let (access, scope) = match name.as_str() {
            "ledger:sync" => (AccessControl::TrustGated(100_000), Scope::LocalCluster),
            "trust:attestation" => (AccessControl::TrustGated(100_000), Scope::Global),
            "contracts:deploy" => (AccessControl::TrustGated(300_000), Scope::Regional),
            _ => (AccessControl::Private, Scope::Global),
        };
        Self { name, access, scope, entries_max: 10_000_000 }
    }

    /// Sets the scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

impl TopicName {
    /// Names the books of a space: `ledger:sync`.
    #[must_use]
    pub fn ledger() -> Self {
        Self("ledger:sync".to_owned())
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicName {
    type Err = TopicNameError;

    fn from_str(text: &str) -> Result<Self, TopicNameError> {
        let is_well_formed = (1..=TOPIC_NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b":-_.".contains(&b));
        if is_well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(TopicNameError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TopicName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowercase_words() {
        for good in ["ledger:sync", "a", "trust:attestation", "x.y-z_1"] {
            assert_eq!(good.parse::<TopicName>().unwrap().as_str(), good);
        }
        for bad in ["", "Ledger", "a/b", "a b", &"x".repeat(65)] {
            assert!(bad.parse::<TopicName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn gossip_topics_and_back() {
        let id = LogId { space: Did::from_public_key([7; 32]), topic: "ledger:sync".parse().unwrap() };
        let name = id.gossip_topic();
        assert!(name.starts_with("/icn/space/") && name.ends_with("/ledger:sync/v1"), "{name}");
        assert_eq!(LogId::from_gossip_topic(&name), Some(id));
        for bad in ["/icn/space/x/ledger:sync/v1", "/icn/mesh/capabilities/v1", "/icn/space//v1", ""] {
            assert_eq!(LogId::from_gossip_topic(bad), None, "{bad}");
        }
    }

    #[test]
    fn members_may_always_read() {
        assert!(AccessControl::Public.admits(false, 0));
        assert!(!AccessControl::Private.admits(false, 1_000_000));
        assert!(AccessControl::TrustGated(100_000).admits(true, 0));
        assert!(AccessControl::TrustGated(100_000).admits(false, 100_000));
        assert!(!AccessControl::TrustGated(100_000).admits(false, 99_999));
    }
}
