//! Byte strings of a fixed length, and peer ids as text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Sixteen random bytes that make a job unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nonce(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Peer ids as text: the base58 form of the multihash (`12D3Koo…`), and no other spelling of it.
pub(crate) mod peer_id {
    use icn_identity::PeerId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(peer: &PeerId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(peer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PeerId, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > 128 {
            return Err(serde::de::Error::custom("a peer id is not that long"));
        }
        let peer: PeerId = text.parse().map_err(serde::de::Error::custom)?;
        if peer.to_string() == text {
            Ok(peer)
        } else {
            Err(serde::de::Error::custom(format!("`{text}` is another spelling of `{peer}`")))
        }
    }
}
