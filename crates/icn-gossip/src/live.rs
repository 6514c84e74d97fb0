//! What is pushed as it happens, on the gossip topic of a log.

use icn_types::codec::{self, CodecError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::entry::SignedEntry;
use crate::fork::ForkProof;

/// The largest live message, in bytes: a fork proof fits.
pub const LIVE_BYTES_MAX: usize = 256 * 1024;

/// A live message. Layout: a DAG-CBOR map with one key, `entry`, `proof` or `extra`.
///
/// Nothing in it is checked yet beyond its shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveMessage {
    /// A new entry.
    Entry(SignedEntry),
    /// The proof that an author said two things at one place.
    Proof(ForkProof),
    /// A statement of the topic's own beside the log, such as a witness's vote.
    Extra(ByteBuf),
}

/// Bytes that are no live message.
///
/// Blame: the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// Larger than the bound.
    #[error("a live message has at most {LIVE_BYTES_MAX} bytes, not {0}")]
    TooLarge(usize),
    /// Not strict DAG-CBOR, or not of the shape of a live message.
    #[error("not a live message")]
    Codec(#[from] CodecError),
}

impl LiveMessage {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`LiveError`] with what is not right.
    pub fn parse(bytes: &[u8]) -> Result<Self, LiveError> {
        if bytes.len() > LIVE_BYTES_MAX {
            return Err(LiveError::TooLarge(bytes.len()));
        }
        Ok(codec::decode(bytes)?)
    }

    /// Encodes the message.
    ///
    /// # Errors
    ///
    /// [`LiveError::TooLarge`] when nobody would read it.
    pub fn encode(&self) -> Result<Vec<u8>, LiveError> {
        let bytes = codec::encode(self)?;
        if bytes.len() > LIVE_BYTES_MAX { Err(LiveError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(n: u8) -> SignedEntry {
        SignedEntry::new(vec![n; 60_000], vec![n; 64])
    }

    #[test]
    fn messages_are_read_back() {
        for message in [
            LiveMessage::Entry(signed(1)),
            LiveMessage::Proof(ForkProof { first: signed(1), second: signed(2) }),
            LiveMessage::Extra(ByteBuf::from(vec![1, 2, 3])),
        ] {
            assert_eq!(LiveMessage::parse(&message.encode().unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn bounds_and_shapes() {
        let large = LiveMessage::Extra(ByteBuf::from(vec![0; LIVE_BYTES_MAX]));
        assert!(matches!(large.encode(), Err(LiveError::TooLarge(_))));
        assert!(matches!(LiveMessage::parse(&vec![0; LIVE_BYTES_MAX + 1]), Err(LiveError::TooLarge(_))));
        // {"other": h'00'}, a map of two, an unsorted list
        for bytes in [&b"\xa1\x65other\x41\x00"[..], b"\xa0", b"\x80", b""] {
            assert!(LiveMessage::parse(bytes).is_err());
        }
    }
}
