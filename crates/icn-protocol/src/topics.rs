//! Gossip topics: their names, and which message belongs on which.

use std::fmt;
use std::str::FromStr;

use icn_types::Region;

use crate::message::Message;

/// Where nodes say what they can run.
pub const CAPABILITIES: &str = "/icn/mesh/capabilities/v1";
/// Where jobs are announced that any region may run.
pub const JOBS: &str = "/icn/mesh/jobs/announce/v1";
/// Where receipts are announced.
pub const RECEIPTS: &str = "/icn/mesh/receipts/available/v1";

/// The libp2p protocol of direct messages.
pub const DIRECT_PROTOCOL: &str = "/icn/mesh/direct/1.0.0";
/// The protocol suite as `identify` carries it.
pub const MESH_PROTOCOL: &str = "/icn/mesh/protocol/1.0.0";
/// The Kademlia protocol of this network.
pub const KAD_PROTOCOL: &str = "/icn/kad/1.0.0";
/// The protocol by which content moves.
pub const BITSWAP_PROTOCOL: &str = "/ipfs/bitswap/1.2.0";

const REGION_PREFIX: &str = "/icn/mesh/jobs/announce/region/";
const REGION_SUFFIX: &str = "/v1";

/// A gossip topic of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// [`CAPABILITIES`].
    Capabilities,
    /// [`JOBS`].
    Jobs,
    /// `/icn/mesh/jobs/announce/region/<region>/v1`: jobs whose policy names this region.
    JobsIn(Region),
    /// [`RECEIPTS`].
    Receipts,
}

/// A text that is not a topic of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a gossip topic of the mesh")]
pub struct TopicError(String);

impl Topic {
    /// Tells on which topic a message is published; nothing for messages that do not travel by gossip.
    #[must_use]
    pub fn of(message: &Message) -> Option<Self> {
        if let Message::JobAnnouncementV1(body) = message {
            return Some(body.job_params.region().map_or(Self::Jobs, |region| Self::JobsIn(region.clone())));
        }
        if matches!(message, Message::CapabilityAdvertisementV1(_)) {
            return Some(Self::Capabilities);
        }
        matches!(message, Message::ExecutionReceiptAvailableV1(_)).then_some(Self::Receipts)
    }

    /// Tells whether a message belongs on this topic. One that does not is refused, and its forwarder blamed.
    #[must_use]
    pub fn accepts(&self, message: &Message) -> bool {
        Self::of(message).as_ref() == Some(self)
    }

    /// Lists what an executor in a region subscribes to for jobs; without a region only the general topic.
    #[must_use]
    pub fn jobs_for(region: Option<&Region>) -> Vec<Self> {
        std::iter::once(Self::Jobs).chain(region.cloned().map(Self::JobsIn)).collect()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capabilities => f.write_str(CAPABILITIES),
            Self::Jobs => f.write_str(JOBS),
            Self::JobsIn(region) => write!(f, "{REGION_PREFIX}{region}{REGION_SUFFIX}"),
            Self::Receipts => f.write_str(RECEIPTS),
        }
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        match text {
            CAPABILITIES => Ok(Self::Capabilities),
            JOBS => Ok(Self::Jobs),
            RECEIPTS => Ok(Self::Receipts),
            _ => text
                .strip_prefix(REGION_PREFIX)
                .and_then(|rest| rest.strip_suffix(REGION_SUFFIX))
                .and_then(|region| region.parse().ok())
                .map(Self::JobsIn)
                .ok_or_else(|| TopicError(text.chars().take(128).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_back() {
        for text in [CAPABILITIES, JOBS, RECEIPTS, "/icn/mesh/jobs/announce/region/eu-central/v1"] {
            assert_eq!(text.parse::<Topic>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "/icn/mesh/jobs/announce/v2",
            "/icn/mesh/jobs/announce/region//v1",
            "/icn/mesh/jobs/announce/region/EU/v1",
            "/icn/mesh/jobs/announce/region/a/b/v1",
            "/icn/mesh/jobs/announce/region/eu",
        ] {
            assert!(text.parse::<Topic>().is_err(), "{text}");
        }
    }

    #[test]
    fn executors_hear_the_world_and_their_region() {
        let region: Region = "eu".parse().unwrap();
        assert_eq!(Topic::jobs_for(None), [Topic::Jobs]);
        assert_eq!(Topic::jobs_for(Some(&region)), [Topic::Jobs, Topic::JobsIn(region.clone())]);
    }
}
