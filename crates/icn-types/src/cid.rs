//! Content identifiers: what bytes are called.

use std::fmt;
use std::str::FromStr;

use multihash_codetable::{Code, MultihashDigest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Multicodec of raw bytes: the leaves of files.
pub const RAW: u64 = 0x55;
/// Multicodec of DAG-PB: the inner nodes of UnixFS files.
pub const DAG_PB: u64 = 0x70;
/// Multicodec of DAG-CBOR: everything that this network defines.
pub const DAG_CBOR: u64 = 0x71;

/// The largest block that is stored or moved, in bytes (Bitswap peers refuse more than 2 MiB).
pub const BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The name of a block: CIDv1 in base32, written as text wherever it stands (`docs/protocol.md`, section 2).
///
/// Blocks made here are hashed with SHA-256; blocks named by BLAKE3 elsewhere are verified too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(::cid::Cid);

/// A text or byte string that is not a CID, or bytes that are not what a CID names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// The text cannot be read.
    #[error("`{0}` is not a CID: expected CIDv1 in base32, such as `bafkrei…`")]
    Unreadable(String),
    /// The bytes cannot be read.
    #[error("these bytes are not a binary CID")]
    UnreadableBytes,
    /// The hash function is not one of those that this program can check.
    #[error("`{0}` uses hash function 0x{1:x}; SHA-256 (0x12) and BLAKE3 (0x1e) can be checked")]
    UnknownHash(Cid, u64),
    /// The bytes have another hash.
    #[error("the bytes given for `{0}` have another hash: they were changed on the way")]
    Mismatch(Cid),
}

impl Cid {
    /// Names bytes by SHA-256 under a codec ([`RAW`], [`DAG_PB`], [`DAG_CBOR`]).
    #[must_use]
    pub fn of(codec: u64, bytes: &[u8]) -> Self {
        Self(::cid::Cid::new_v1(codec, Code::Sha2_256.digest(bytes)))
    }

    /// Names bytes as a DAG-CBOR block.
    #[must_use]
    pub fn of_dag_cbor(bytes: &[u8]) -> Self {
        Self::of(DAG_CBOR, bytes)
    }

    /// Names bytes as a raw block.
    #[must_use]
    pub fn of_raw(bytes: &[u8]) -> Self {
        Self::of(RAW, bytes)
    }

    /// Tells what the bytes behind the name are ([`RAW`], [`DAG_PB`], [`DAG_CBOR`], or another multicodec).
    #[must_use]
    pub fn codec(&self) -> u64 {
        self.0.codec()
    }

    /// Checks that `bytes` are what this name stands for.
    ///
    /// # Errors
    ///
    /// [`CidError::Mismatch`] when they are not, [`CidError::UnknownHash`] when it cannot be told.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), CidError> {
        let hash = self.0.hash();
        let code = match hash.code() {
            0x12 => Code::Sha2_256,
            0x1e => Code::Blake3_256,
            other => return Err(CidError::UnknownHash(*self, other)),
        };
        if code.digest(bytes) == *hash { Ok(()) } else { Err(CidError::Mismatch(*self)) }
    }

    /// Reads the binary form.
    ///
    /// # Errors
    ///
    /// [`CidError::UnreadableBytes`] when the bytes are no CID. A CIDv0 is read and becomes its CIDv1.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let cid = ::cid::Cid::try_from(bytes).map_err(|_| CidError::UnreadableBytes)?;
        Ok(Self(cid.into_v1().map_err(|_| CidError::UnreadableBytes)?))
    }

    /// Writes the binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Returns the multihash in binary form: the key of DHT records and Bitswap prefixes.
    #[must_use]
    pub fn multihash_bytes(&self) -> Vec<u8> {
        self.0.hash().to_bytes()
    }

    /// Returns the multihash code (0x12 is SHA-256) and the length of the digest in bytes.
    #[must_use]
    pub fn hash_kind(&self) -> (u64, usize) {
        (self.0.hash().code(), usize::from(self.0.hash().size()))
    }

    /// Gives the first and last characters, for screens.
    #[must_use]
    pub fn short(&self) -> String {
        let text = self.to_string();
        let head: String = text.chars().take(7).collect();
        let tail: String = text.chars().rev().take(6).collect();
        format!("{head}…{}", tail.chars().rev().collect::<String>())
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        let fail = || CidError::Unreadable(text.chars().take(80).collect());
        if text.len() > 256 {
            return Err(fail());
        }
        let cid = ::cid::Cid::try_from(text).map_err(|_| fail())?;
        Ok(Self(cid.into_v1().map_err(|_| fail())?))
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let cid = text.parse::<Self>().map_err(serde::de::Error::custom)?;
        if text == cid.to_string() {
            Ok(cid)
        } else {
            Err(serde::de::Error::custom(format!("`{text}` is another spelling of `{cid}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_common_tools() {
        // `ipfs add --cid-version=1 --raw-leaves` of "hello world\n" without its newline.
        let cid = Cid::of_raw(b"hello world");
        assert_eq!(cid.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
        assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
        assert_eq!(Cid::from_bytes(&cid.to_bytes()).unwrap(), cid);
    }

    #[test]
    fn changed_bytes_are_found() {
        let cid = Cid::of_dag_cbor(b"\xa0");
        assert!(cid.verify(b"\xa0").is_ok());
        assert_eq!(cid.verify(b"\xa1"), Err(CidError::Mismatch(cid)));
    }

    #[test]
    fn version_0_becomes_version_1() {
        let v0: Cid = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".parse().unwrap();
        assert!(v0.to_string().starts_with("bafy"));
        assert!(serde_json::from_str::<Cid>("\"QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n\"").is_err());
    }

    #[test]
    fn blake3_is_verified() {
        let cid = Cid(::cid::Cid::new_v1(RAW, Code::Blake3_256.digest(b"x")));
        assert!(cid.verify(b"x").is_ok());
        assert!(cid.verify(b"y").is_err());
    }
}
