//! What can be wrong with an entry.

use icn_identity::SignatureError;
use icn_types::codec::CodecError;

/// Bytes that are no entry.
///
/// Blame: the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Larger than the bound.
    #[error("an entry has at most 65,536 bytes, not {0}")]
    TooLarge(usize),
    /// Of a version that this program does not know.
    #[error("version {0} of entries is not known to this program: update it")]
    Version(u8),
    /// Not strict DAG-CBOR, or not of the shape of an entry.
    #[error("not an entry")]
    Codec(#[from] CodecError),
    /// A field out of range.
    #[error("`{0}` of the entry is wrong: {1}")]
    Field(&'static str, &'static str),
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature(#[from] SignatureError),
}
