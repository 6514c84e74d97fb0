//! Why bytes are not a message that counts.

use icn_identity::SignatureError;
use icn_types::Timestamp;
use icn_types::codec::CodecError;

use crate::response::RefusalCode;

/// Why bytes are not a message that counts, in the order in which the checks are made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// More bytes than this transport carries.
    ///
    /// Blame: the sender.
    #[error("{bytes} bytes are more than the {max} that this transport carries")]
    TooLarge {
        /// How many came.
        bytes: usize,
        /// How many may come.
        max: usize,
    },
    /// Not strict DAG-CBOR.
    ///
    /// Blame: the sender.
    #[error("the message is not strict DAG-CBOR")]
    Codec(#[from] CodecError),
    /// Not a map with one key and a map under it.
    ///
    /// Blame: the sender.
    #[error("a message is a map with one key, the variant's name, and a map under it: {0}")]
    Envelope(&'static str),
    /// A field is missing or not of its kind.
    ///
    /// Blame: the sender.
    #[error("`{name}` has a field that is missing or of the wrong kind")]
    Shape {
        /// The variant.
        name: &'static str,
        /// Which field, and what is wrong with it.
        #[source]
        source: CodecError,
    },
    /// A field's value is out of its range, or two fields contradict each other.
    ///
    /// Blame: the sender.
    #[error("`{name}.{field}` {reason}")]
    Field {
        /// The variant.
        name: &'static str,
        /// The field.
        field: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// Older than may be.
    ///
    /// Blame: none; a slow path or a slow clock.
    #[error("the message is from {stamped}, too old at {now}: check the clocks")]
    Stale {
        /// What the message says.
        stamped: Timestamp,
        /// What the receiver's clock says.
        now: Timestamp,
    },
    /// Further ahead than may be.
    ///
    /// Blame: none; a fast clock.
    #[error("the message is from {stamped}, in the future at {now}: check the clocks")]
    Future {
        /// What the message says.
        stamped: Timestamp,
        /// What the receiver's clock says.
        now: Timestamp,
    },
    /// The signature does not hold.
    ///
    /// Blame: the sender.
    #[error("the signature does not hold")]
    Signature(#[from] SignatureError),
    /// The signer is not who the message says speaks.
    ///
    /// Blame: us.
    #[error("a message of `{speaker}` cannot be signed by `{signer}`: use the speaker's key")]
    WrongSigner {
        /// Who speaks in the message.
        speaker: icn_types::Did,
        /// Whose key was to sign it.
        signer: icn_types::Did,
    },
}

impl ProtocolError {
    /// Returns the code with which a direct request is refused for this reason.
    #[must_use]
    pub const fn code(&self) -> RefusalCode {
        match self {
            Self::TooLarge { .. } => RefusalCode::TooLarge,
            Self::Codec(_) | Self::Envelope(_) | Self::Shape { .. } | Self::Field { .. } => {
                RefusalCode::Malformed
            }
            Self::Stale { .. } => RefusalCode::Stale,
            Self::Future { .. } => RefusalCode::Future,
            Self::Signature(_) => RefusalCode::BadSignature,
            Self::WrongSigner { .. } => RefusalCode::Internal,
        }
    }

    /// Tells whether only a faulty or hostile sender causes this, so that its score may suffer.
    #[must_use]
    pub const fn blames_sender(&self) -> bool {
        !matches!(self, Self::Stale { .. } | Self::Future { .. } | Self::WrongSigner { .. })
    }
}
