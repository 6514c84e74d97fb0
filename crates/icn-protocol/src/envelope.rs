//! From bytes to a message that counts, in the order of `docs/protocol.md`, section 3: cheapest check first.

use icn_identity::{SignatureError, Verifier};
use icn_types::{Cid, Did, Duration, Timestamp, Value, codec};
use sha2::{Digest, Sha256};

use crate::error::ProtocolError;
use crate::limits::{MESSAGE_AGE_MAX, MESSAGE_SKEW_MAX};
use crate::message::Message;
use crate::signing::{split_signature, wrap};

/// The longest name of a variant, known or not.
const VARIANT_BYTES_MAX: usize = 64;

/// What bytes turned out to be.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A message of a variant that this version knows. Its signature is not checked yet.
    Message(RawMessage),
    /// Well-formed, but of a variant or version that this version does not know: to be ignored and counted.
    Unknown {
        /// What it calls itself.
        name: String,
    },
}

/// A message whose form and fields are right, and whose signature is not checked yet.
#[derive(Debug, Clone)]
pub struct RawMessage {
    message: Message,
    signature: Vec<u8>,
    signed: Vec<u8>,
    inner: Vec<u8>,
    id: [u8; 32],
}

/// How old and how far ahead a message may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshnessPolicy {
    /// The oldest that is taken.
    pub age_max: Duration,
    /// The furthest ahead of the receiver's clock that is taken.
    pub skew_max: Duration,
    /// Nothing stamped before this is taken: set to the start of the node when its replay guard did not survive.
    pub not_before: Timestamp,
}

impl Default for FreshnessPolicy {
    fn default() -> Self {
        Self { age_max: MESSAGE_AGE_MAX, skew_max: MESSAGE_SKEW_MAX, not_before: Timestamp::default() }
    }
}

impl FreshnessPolicy {
    /// Checks a time stamp against the receiver's clock.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Stale`] or [`ProtocolError::Future`].
    pub fn check(&self, stamped: Timestamp, now: Timestamp) -> Result<(), ProtocolError> {
        if stamped < now.minus(self.age_max) || stamped < self.not_before {
            return Err(ProtocolError::Stale { stamped, now });
        }
        if stamped > now.plus(self.skew_max) {
            return Err(ProtocolError::Future { stamped, now });
        }
        Ok(())
    }
}

/// Reads a message of at most `bytes_max` bytes: size, strict form, known variant, fields and their ranges.
///
/// # Errors
///
/// [`ProtocolError`] with the first of these that is not right. An unknown variant is no error.
pub fn parse(bytes: &[u8], bytes_max: usize) -> Result<Incoming, ProtocolError> {
    if bytes.len() > bytes_max {
        return Err(ProtocolError::TooLarge { bytes: bytes.len(), max: bytes_max });
    }
    let Value::Map(outer) = codec::decode_value(bytes)? else {
        return Err(ProtocolError::Envelope("it is no map"));
    };
    let mut entries = outer.into_iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else {
        return Err(ProtocolError::Envelope("it has not exactly one key"));
    };
    let well_named =
        (1..=VARIANT_BYTES_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    if !well_named {
        return Err(ProtocolError::Envelope("the variant's name is not 1 to 64 letters and digits"));
    }
    let Value::Map(mut map) = value else {
        return Err(ProtocolError::Envelope("the variant holds no map"));
    };
    // The form is strict, so what follows the head is the inner map, byte for byte.
    let inner = bytes.get(wrap(&name, &[]).len()..).unwrap_or_default().to_vec();
    let Some(known) = Message::NAMES.iter().find(|known| **known == name) else {
        return Ok(Incoming::Unknown { name });
    };
    let (signature, signed) = split_signature(&mut map, known)?;
    let Some(message) = Message::from_inner(known, &inner) else {
        return Ok(Incoming::Unknown { name });
    };
    let message = message?;
    message.check()?;
    Ok(Incoming::Message(RawMessage { message, signature, signed, inner, id: Sha256::digest(bytes).into() }))
}

impl RawMessage {
    /// Returns the SHA-256 of the bytes on the wire: what replays, and gossip, are told apart by.
    #[must_use]
    pub const fn id(&self) -> [u8; 32] {
        self.id
    }

    /// Names who claims to speak.
    #[must_use]
    pub fn speaker(&self) -> Did {
        self.message.speaker()
    }

    /// Returns the time stamp.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.message.timestamp()
    }

    /// Returns the variant's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.message.name()
    }

    /// Returns the content, which nobody has vouched for yet.
    #[must_use]
    pub const fn unverified(&self) -> &Message {
        &self.message
    }

    /// Checks that the message is fresh.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Stale`] or [`ProtocolError::Future`].
    pub fn check(&self, now: Timestamp, policy: &FreshnessPolicy) -> Result<(), ProtocolError> {
        policy.check(self.timestamp(), now)
    }

    /// Checks the signature: the only way from bytes to a message that counts.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when it does not hold.
    pub fn verify(self, verifier: &dyn Verifier) -> Result<Verified, SignatureError> {
        let sender = self.speaker();
        verifier.verify(&sender, self.timestamp(), self.name(), &self.signed, &self.signature)?;
        Ok(Verified { message: self.message, sender, id: self.id, inner: self.inner })
    }
}

/// A message whose signature holds. What it says, and whether its sender may say it, is for the receiver to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    message: Message,
    sender: Did,
    id: [u8; 32],
    inner: Vec<u8>,
}

impl Verified {
    pub(crate) fn own(message: Message, id: [u8; 32], inner: Vec<u8>) -> Self {
        Self { sender: message.speaker(), message, id, inner }
    }

    /// Returns the content.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// Takes the content out.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }

    /// Names who signed.
    #[must_use]
    pub const fn sender(&self) -> Did {
        self.sender
    }

    /// Returns the SHA-256 of the bytes on the wire: what replays, and gossip, are told apart by.
    #[must_use]
    pub const fn id(&self) -> [u8; 32] {
        self.id
    }

    /// Returns the inner map with its signature, as received: a block.
    #[must_use]
    pub fn inner(&self) -> &[u8] {
        &self.inner
    }

    /// Names the inner map with its signature: `bid_cid`, `assignment_cid`.
    #[must_use]
    pub fn cid(&self) -> Cid {
        Cid::of_dag_cbor(&self.inner)
    }
}
