//! What a member may do, as numbers that the kernel enforces without knowing why.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The limits of one DID. Policy above computes them, mechanism below enforces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraints {
    /// Messages a second, sustained.
    pub messages_per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// Streams open at once.
    pub streams_max: u32,
    /// Topics that may be published to.
    pub topics: TopicAccess,
    /// Named rights, such as `submit-jobs`.
    pub capabilities: Capabilities,
    /// Fuel that one job may be given.
    pub fuel_max: u64,
    /// Jobs running at once for this DID.
    pub jobs_max: u32,
}

/// Which topics may be published to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicAccess {
    /// Every topic.
    #[default]
    All,
    /// Those that are open to everybody.
    Public,
    /// These, and no other; an empty set is none at all.
    Only(BTreeSet<String>),
}

/// Which rights are given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capabilities {
    /// Every right.
    #[default]
    All,
    /// These, and no other; an empty set is none at all.
    Only(BTreeSet<String>),
}

impl Default for Constraints {
    /// The limits of everybody, as long as no trust tells members apart.
    fn default() -> Self {
        Self {
            messages_per_second: 2_000,
            burst: 10_000,
            streams_max: 256,
            topics: TopicAccess::All,
            capabilities: Capabilities::All,
            fuel_max: u64::MAX,
            jobs_max: u32::MAX,
        }
    }
}

impl Constraints {
    /// Tells whether a right is given.
    #[must_use]
    pub fn allows(&self, capability: &str) -> bool {
        match &self.capabilities {
            Capabilities::All => true,
            Capabilities::Only(given) => given.contains(capability),
        }
    }

    /// Tells whether a topic may be published to; `is_public` says whether it is open to everybody.
    #[must_use]
    pub fn may_publish(&self, topic: &str, is_public: bool) -> bool {
        match &self.topics {
            TopicAccess::All => true,
            TopicAccess::Public => is_public,
            TopicAccess::Only(given) => given.contains(topic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn nothing_all_and_some_can_each_be_said() {
        let with = |topics| Constraints { topics, ..Constraints::default() };
        for (access, is_public, expected) in [
            (TopicAccess::All, false, true),
            (TopicAccess::Public, true, true),
            (TopicAccess::Public, false, false),
            (TopicAccess::Only(set(&["a"])), false, true),
            (TopicAccess::Only(set(&["b"])), true, false),
            (TopicAccess::Only(set(&[])), true, false),
        ] {
            let constraints = with(access);
            assert_eq!(constraints.may_publish("a", is_public), expected, "{constraints:?}");
        }
        let none = Constraints { capabilities: Capabilities::Only(set(&[])), ..Constraints::default() };
        assert!(!none.allows("submit-jobs"));
        let one =
            Constraints { capabilities: Capabilities::Only(set(&["submit-jobs"])), ..Constraints::default() };
        assert!(one.allows("submit-jobs") && !one.allows("vote"));
        assert!(Constraints::default().allows("anything"));
    }

    #[test]
    fn they_survive_encoding() {
        let constraints = Constraints {
            topics: TopicAccess::Only(set(&["a", "b"])),
            capabilities: Capabilities::Only(set(&[])),
            ..Constraints::default()
        };
        let bytes = codec::encode(&constraints).unwrap();
        assert_eq!(codec::decode::<Constraints>(&bytes).unwrap(), constraints);
        let public = Constraints { topics: TopicAccess::Public, ..Constraints::default() };
        let bytes = codec::encode(&public).unwrap();
        assert_eq!(codec::decode::<Constraints>(&bytes).unwrap(), public);
    }
}
