//! What can be wrong with a post.

use icn_identity::SignatureError;
use icn_types::codec::CodecError;

/// A body that is no post, or not one that counts.
///
/// Blame: the author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Of a version that this program does not know.
    #[error("version {0} of posts is not known to this program: update it")]
    Version(u8),
    /// Not strict DAG-CBOR, or not of the shape of a post.
    #[error("not a post")]
    Codec(#[from] CodecError),
    /// A field out of range.
    #[error("`{0}` is wrong: {1}")]
    Field(&'static str, &'static str),
    /// A signature in it does not hold.
    #[error("a signature in the post does not hold")]
    Signature(#[from] SignatureError),
}
