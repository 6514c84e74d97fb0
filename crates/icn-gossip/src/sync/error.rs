//! How a session can end badly.

use icn_types::codec::CodecError;

use super::SYNC_MESSAGE_BYTES_MAX;

/// A message that breaks the rules of a session. The session is over.
///
/// Blame: the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// A message beyond the bound.
    #[error("a message of {0} bytes: at most {SYNC_MESSAGE_BYTES_MAX} are read")]
    TooLarge(usize),
    /// The length before a message is not a shortest varint.
    #[error("the length before a message cannot be read")]
    Frame,
    /// Not strict DAG-CBOR, or not of the shape of a message.
    #[error("not a message of this protocol")]
    Codec(#[from] CodecError),
    /// A version of the protocol that this program does not know.
    #[error("version {0} of the synchronisation is not known to this program: update it")]
    Version(u8),
    /// The peer speaks of another log than was asked for.
    #[error("the peer answered for another log")]
    WrongLog,
    /// A message out of its turn.
    #[error("`{0}` is out of place here")]
    OutOfPlace(&'static str),
    /// A list beyond its bound.
    #[error("too many {0} in one session")]
    TooMany(&'static str),
    /// A list that is not sorted, or a field out of range.
    #[error("`{0}` is wrong: {1}")]
    Field(&'static str, &'static str),
    /// A frame of set reconciliation that cannot be read.
    #[error("a frame of set reconciliation cannot be read: {0}")]
    Negentropy(String),
    /// An entry that was not asked for.
    #[error("an entry came that was not asked for")]
    Unwanted,
    /// The session is over already.
    #[error("the session is over")]
    Over,
}
