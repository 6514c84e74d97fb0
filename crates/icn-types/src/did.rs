//! Decentralised identifiers: one Ed25519 key, two spellings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Multicodec prefix of an Ed25519 public key (`ed25519-pub`, varint 0xed).
const ED25519_PUB: [u8; 2] = [0xed, 0x01];

/// A member of the network: the 32-byte Ed25519 public key that signs for it.
///
/// Printed, stored and signed in one form, `did:icn:<base58btc of the key>`. The W3C `did:key:z6Mk…` spelling of the
/// same key is read and normalised. The bytes are not checked to be a point of the curve here; verification is strict.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did([u8; 32]);

/// A text that is not a DID of this network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a DID: {reason}; expected `did:icn:<base58 key>` or `did:key:z6Mk…`")]
pub struct DidError {
    text: String,
    reason: &'static str,
}

impl Did {
    /// Names the holder of a public key.
    #[must_use]
    pub const fn from_public_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Returns the 32 bytes of the Ed25519 public key.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.0
    }

    /// Spells the same identity as a W3C `did:key`.
    #[must_use]
    pub fn to_did_key(&self) -> String {
        format!("did:key:{}", self.to_multikey())
    }

    /// Spells the key as the `publicKeyMultibase` of a DID document (`z6Mk…`).
    #[must_use]
    pub fn to_multikey(&self) -> String {
        let mut bytes = ED25519_PUB.to_vec();
        bytes.extend_from_slice(&self.0);
        format!("z{}", bs58::encode(bytes).into_string())
    }

    /// Gives the last eight characters, enough to tell the members of one co-op apart on a screen.
    #[must_use]
    pub fn short(&self) -> String {
        let text = self.to_string();
        let tail: String = text.chars().rev().take(8).collect();
        format!("…{}", tail.chars().rev().collect::<String>())
    }
}

impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        let fail = |reason| DidError { text: text.chars().take(80).collect(), reason };
        if text.len() > 128 {
            return Err(fail("it is too long"));
        }
        let bytes = if let Some(base58) = text.strip_prefix("did:icn:") {
            bs58::decode(base58).into_vec().map_err(|_| fail("its key is not base58"))?
        } else if let Some(base58) = text.strip_prefix("did:key:z") {
            let bytes = bs58::decode(base58).into_vec().map_err(|_| fail("its key is not base58"))?;
            bytes.strip_prefix(&ED25519_PUB).ok_or_else(|| fail("its key is not of type Ed25519"))?.to_vec()
        } else {
            return Err(fail("its method is neither `icn` nor `key`"));
        };
        Ok(Self(bytes.try_into().map_err(|_| fail("its key is not 32 bytes long"))?))
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "did:icn:{}", bs58::encode(self.0).into_string())
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Did {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Did {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let did = text.parse::<Self>().map_err(serde::de::Error::custom)?;
        // One spelling on the wire: what is signed must not have two forms. Base58 of 32 bytes has one, so only `did:key`
        // is another.
        if text.starts_with("did:icn:") {
            Ok(did)
        } else {
            Err(serde::de::Error::custom(format!("`{text}` is another spelling of `{did}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_identity() {
        // W3C did:key test vector for an Ed25519 key.
        let key: Did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".parse().unwrap();
        assert_eq!(key.to_did_key(), "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK");
        assert_eq!(key.to_string().parse::<Did>().unwrap(), key);
        assert!(key.to_string().starts_with("did:icn:"));
    }

    #[test]
    fn what_is_not_a_did_is_refused_with_a_reason() {
        for (text, reason) in [
            ("did:web:example.org", "neither"),
            ("did:icn:", "32 bytes"),
            ("did:icn:0OIl", "base58"),
            ("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "Ed25519"),
            ("alice", "neither"),
        ] {
            let error = text.parse::<Did>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_wire_has_one_spelling() {
        let did = Did::from_public_key([7; 32]);
        let json = format!("\"{}\"", did.to_did_key());
        assert!(serde_json::from_str::<Did>(&json).is_err());
        assert_eq!(serde_json::from_str::<Did>(&format!("\"{did}\"")).unwrap(), did);
    }
}
