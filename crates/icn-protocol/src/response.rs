//! The answer to a direct message.

use std::collections::BTreeMap;
use std::fmt;

use icn_types::{Value, codec};
use serde::{Deserialize, Serialize};

use crate::bounds::typed;
use crate::error::ProtocolError;
use crate::limits::{DIRECT_BYTES_MAX, TEXT_BYTES_MAX};
use crate::signing::wrap;

/// The answer to a direct message: `{"Ack": {}}` or `{"Refused": {"code", "message"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Received, valid, recorded; for an assignment: accepted.
    Ack,
    /// Not done.
    Refused {
        /// Why, as a stable word.
        code: RefusalCode,
        /// Why, for people; at most [`TEXT_BYTES_MAX`] bytes.
        message: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    code: RefusalCode,
    message: String,
}

impl Response {
    /// Refuses, cutting a message that is too long.
    #[must_use]
    pub fn refused(code: RefusalCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > TEXT_BYTES_MAX {
            let end = (0..=TEXT_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
        }
        Self::Refused { code, message }
    }

    /// Writes the response.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (key, value) = match self {
            Self::Ack => ("Ack", Value::Map(BTreeMap::new())),
            Self::Refused { code, message } => (
                "Refused",
                Value::Map(BTreeMap::from([
                    ("code".to_owned(), Value::String(code.as_str().to_owned())),
                    ("message".to_owned(), Value::String(message.clone())),
                ])),
            ),
        };
        #[expect(clippy::expect_used, reason = "maps of texts always have a DAG-CBOR form")]
        codec::encode(&BTreeMap::from([(key, value)])).expect("texts can be encoded")
    }

    /// Reads a response. Unknown fields are ignored, unknown codes kept.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the bytes are too many, not strict DAG-CBOR, or neither of the two answers.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        if bytes.len() > DIRECT_BYTES_MAX {
            return Err(ProtocolError::TooLarge { bytes: bytes.len(), max: DIRECT_BYTES_MAX });
        }
        let Value::Map(outer) = codec::decode_value(bytes)? else {
            return Err(ProtocolError::Envelope("the response is no map"));
        };
        let mut entries = outer.into_iter();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            return Err(ProtocolError::Envelope("the response has not exactly one key"));
        };
        match (key.as_str(), value) {
            ("Ack", Value::Map(_)) => Ok(Self::Ack),
            ("Refused", Value::Map(_)) => {
                let refusal = bytes.get(wrap("Refused", &[]).len()..).unwrap_or_default();
                let Refusal { code, message } =
                    typed(refusal).map_err(|source| ProtocolError::Shape { name: "Refused", source })?;
                if message.len() > TEXT_BYTES_MAX || !code.is_valid() {
                    return Err(ProtocolError::Envelope("the refusal's texts are too long or ill formed"));
                }
                Ok(Self::Refused { code, message })
            }
            _ => Err(ProtocolError::Envelope("the response is neither `Ack` nor `Refused`")),
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// Why something was refused or declined, as a stable word (`docs/protocol.md`, section 4).
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum RefusalCode {
            $($(#[$doc])* $variant,)*
            /// A word of a newer peer: kept as it is, treated as `internal`.
            Other(String),
        }

        impl RefusalCode {
            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the word on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for RefusalCode {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }
    };
}

codes! {
    /// Not strict DAG-CBOR, or a field is missing, of the wrong kind or out of range.
    Malformed = "malformed",
    /// More bytes than the transport or the field allows.
    TooLarge = "too_large",
    /// A variant or version that the receiver does not know.
    UnknownVariant = "unknown_variant",
    /// Older than the freshness window.
    Stale = "stale",
    /// Ahead of the receiver's clock.
    Future = "future",
    /// The signature does not hold.
    BadSignature = "bad_signature",
    /// Addressed to another DID, or of a variant that does not travel this way.
    WrongRecipient = "wrong_recipient",
    /// The sender may not say this about this job.
    NotAuthorised = "not_authorised",
    /// The receiver knows no such job.
    UnknownJob = "unknown_job",
    /// The job is not assigned to the sender.
    NotAssigned = "not_assigned",
    /// The assignment names a bid that the receiver did not make.
    UnknownBid = "unknown_bid",
    /// The bid has expired.
    ExpiredBid = "expired_bid",
    /// The bidding is over.
    BiddingClosed = "bidding_closed",
    /// The lease epoch is not the present one.
    WrongEpoch = "wrong_epoch",
    /// The sequence number is not the next one.
    WrongSequence = "wrong_sequence",
    /// The job has ended.
    Finished = "finished",
    /// The receiver has no slot free.
    Busy = "busy",
    /// The receiver has less of a resource than the job needs.
    Capacity = "capacity",
    /// The job asks for a limit (fuel, memory, output, time) above the receiver's.
    Limit = "limit",
    /// The job needs what the receiver does not offer (mode, runtime, workflow, interactivity).
    Unsupported = "unsupported",
    /// The price is above what the job pays, or below what the receiver takes.
    Price = "price",
    /// The hold that the assignment names does not pay for the job, or it names none.
    PaymentNotCovered = "payment_not_covered",
    /// The job wants another region.
    Region = "region",
    /// The sender's or receiver's reputation is below what is asked.
    Reputation = "reputation",
    /// The receiver's policy, or the job's list of executors, excludes it.
    Policy = "policy",
    /// The module or an input could not be fetched.
    Content = "content",
    /// The sender sends faster than the receiver allows.
    RateLimited = "rate_limited",
    /// The receiver remembers as many messages of this sender as it can.
    ReplayFull = "replay_full",
    /// The receiver is ending.
    ShuttingDown = "shutting_down",
    /// Something of the receiver's failed.
    Internal = "internal",
}

impl RefusalCode {
    /// Tells whether the same message may succeed later at the same receiver.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Busy | Self::RateLimited | Self::ReplayFull | Self::ShuttingDown | Self::Internal
        )
    }

    /// Tells whether the word is 1 to 64 of `a-z`, `0-9` and `_`.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let text = self.as_str();
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    }
}

impl From<RefusalCode> for String {
    fn from(code: RefusalCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_have_one_form() {
        assert_eq!(hex::encode(Response::Ack.encode()), "a16341636ba0");
        assert_eq!(Response::decode(&Response::Ack.encode()).unwrap(), Response::Ack);
        for code in RefusalCode::ALL {
            assert!(code.is_valid(), "{code}");
            let refused = Response::refused(code.clone(), "why");
            assert_eq!(Response::decode(&refused.encode()).unwrap(), refused);
        }
    }

    #[test]
    fn codes_of_newer_peers_are_kept() {
        let refused = Response::refused(RefusalCode::Other("too_hot".into()), "");
        assert_eq!(Response::decode(&refused.encode()).unwrap(), refused);
        assert!(Response::decode(&Response::refused(RefusalCode::Other("No!".into()), "").encode()).is_err());
    }

    #[test]
    fn everything_else_is_refused() {
        // null, {}, {"Ack": null}, {"Maybe": {}}, {"Ack": {}, "Refused": {}}, {"Refused": {}}, Ack with trailing bytes.
        for bytes in [
            "f6",
            "a0",
            "a16341636bf6",
            "a1654d61796265a0",
            "a26341636ba06752656675736564a0",
            "a16752656675736564a0",
            "a16341636ba000",
        ] {
            assert!(Response::decode(&hex::decode(bytes).unwrap()).is_err(), "{bytes}");
        }
        assert!(matches!(
            Response::decode(&vec![0; DIRECT_BYTES_MAX + 1]),
            Err(ProtocolError::TooLarge { .. })
        ));
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let Response::Refused { message, .. } = Response::refused(RefusalCode::Busy, "ü".repeat(4_000))
        else {
            panic!("refused")
        };
        assert_eq!(message.len(), TEXT_BYTES_MAX);
        let Response::Refused { message, .. } =
            Response::refused(RefusalCode::Busy, format!("x{}", "ü".repeat(4_000)))
        else {
            panic!("refused")
        };
        assert_eq!(message.len(), TEXT_BYTES_MAX - 1);
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(code in "[a-z0-9_]{1,64}", message in ".{0,200}") {
            let refused = Response::refused(code.into(), message);
            prop_assert_eq!(Response::decode(&refused.encode()).unwrap(), refused);
        }
    }
}
