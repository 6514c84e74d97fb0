//! What can be wrong with a post, and with an invitation.

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

/// A text or object that is no invitation, or one that does not count.
///
/// Blame: whoever handed it on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// Some other text.
    #[error("this is no invitation: one starts with `icn-invite:`; copy all of it")]
    Prefix,
    /// Longer than any real one.
    #[error("this is too long for an invitation: copy nothing but the text that starts with `icn-invite:`")]
    TooLong,
    /// Not base58, or not the bytes of an invitation.
    #[error("the invitation is damaged: copy all of it, or ask for a new one")]
    Damaged,
    /// Its content is out of range.
    #[error("the content of the invitation is not acceptable: ask for a new one")]
    Terms(#[from] PostError),
    /// It was not signed by its issuer, or was changed afterwards.
    #[error("the invitation was not signed by its issuer, or was changed afterwards: ask for a new one")]
    Signature(#[from] SignatureError),
}
