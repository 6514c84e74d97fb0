//! Decentralised identifiers: one Ed25519 key, two spellings.

use std::fmt;
use std::str::FromStr;

use five8::BASE58_ENCODED_32_MAX_LEN;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the one form of a DID begins with.
const PREFIX: &str = "did:icn:";
/// The longest DID: the prefix and 44 characters of base58.
const TEXT_BYTES_MAX: usize = PREFIX.len() + BASE58_ENCODED_32_MAX_LEN;
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

    /// Writes the one form into a buffer.
    fn text<'a>(&self, buffer: &'a mut [u8; TEXT_BYTES_MAX]) -> &'a str {
        let mut base58 = [0; BASE58_ENCODED_32_MAX_LEN];
        let len = usize::from(five8::encode_32(&self.0, &mut base58));
        let (prefix, rest) = buffer.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        rest.copy_from_slice(&base58);
        let text = buffer.get(..PREFIX.len() + len).unwrap_or_default();
        // Base58 is ASCII.
        str::from_utf8(text).unwrap_or_default()
    }
}

impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        let fail = |reason| DidError { text: text.chars().take(80).collect(), reason };
        if text.len() > 128 {
            return Err(fail("it is too long"));
        }
        if let Some(base58) = text.strip_prefix(PREFIX) {
            let mut key = [0; 32];
            return match five8::decode_32(base58, &mut key) {
                Ok(()) => Ok(Self(key)),
                Err(five8::DecodeError::InvalidChar(_)) => Err(fail("its key is not base58")),
                Err(_) => Err(fail("its key is not 32 bytes long")),
            };
        }
        let Some(base58) = text.strip_prefix("did:key:z") else {
            return Err(fail("its method is neither `icn` nor `key`"));
        };
        let bytes = bs58::decode(base58).into_vec().map_err(|_| fail("its key is not base58"))?;
        let key = bytes.strip_prefix(&ED25519_PUB).ok_or_else(|| fail("its key is not of type Ed25519"))?;
        Ok(Self(key.try_into().map_err(|_| fail("its key is not 32 bytes long"))?))
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT_BYTES_MAX]))
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Did {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; TEXT_BYTES_MAX]))
    }
}

impl<'de> Deserialize<'de> for Did {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let did = text.parse::<Self>().map_err(serde::de::Error::custom)?;
        // One spelling on the wire: what is signed must not have two forms. Base58 of 32 bytes has one, so only `did:key`
        // is another.
        if text.starts_with(PREFIX) {
            Ok(did)
        } else {
            Err(serde::de::Error::custom(format!("`{text}` is another spelling of `{did}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Keys, and texts around them: with leading zeros, one character off, too short, too long, too large.
    fn any_base58() -> impl Strategy<Value = String> {
        let key = (0..=32_usize, any::<[u8; 32]>()).prop_map(|(zeros, mut key)| {
            key.iter_mut().take(zeros).for_each(|byte| *byte = 0);
            bs58::encode(key).into_string()
        });
        let changed =
            (key.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, with)| {
                let mut chars: Vec<char> = text.chars().collect();
                let at = at.index(chars.len());
                chars[at] = with;
                chars.into_iter().collect()
            });
        prop_oneof![
            key,
            changed,
            "1{0,34}[1-9A-HJ-NP-Za-km-z]{0,46}",
            "[1-9A-HJ-NP-Za-km-z]{42,45}",
            // Around 2^256 - 1.
            "JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxF[F-H]",
        ]
    }

    proptest! {
        #[test]
        fn base58_is_that_of_the_general_library(base58 in any_base58()) {
            let general = bs58::decode(&base58).into_vec().ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
            prop_assert_eq!(format!("did:icn:{base58}").parse().ok(), general.map(Did));
            if let Some(key) = general {
                prop_assert_eq!(Did(key).to_string(), format!("did:icn:{}", bs58::encode(key).into_string()));
            }
        }
    }
}
