//! The messages of a session. Layout: a DAG-CBOR map with one key, the name of the message.

use icn_types::{Cid, Did, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::{PASS_BYTES_MAX, SYNC_MESSAGE_BYTES_MAX, SYNC_VERSION, SyncError};
use crate::entry::SignedEntry;
use crate::fork::ForkProof;
use crate::id::{Digest, cid_of, digest_of};
use crate::log::{Log, Tip};
use crate::topic::{LogId, TopicName};

/// The longest code and the longest text of a refusal, in bytes; what is longer is cut.
const REFUSAL_BYTES_MAX: usize = 512;

/// What each side says first: which log, and what it has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the protocol: 1.
    pub v: u8,
    /// The space of the log.
    pub space: Did,
    /// The topic of the log.
    pub topic: TopicName,
    /// How many entries are applied.
    pub entries: u64,
    /// How many authors they have.
    pub authors: u64,
    /// How many branches their chains have.
    pub tips: u64,
    /// The digest of the frontier ([`Log::frontier_digest`]).
    pub digest: ByteArray<32>,
    /// The digest of the places with fork proofs ([`Log::proofs_digest`]).
    pub proofs: ByteArray<32>,
    /// What gives the sender access, for the application to judge.
    pub pass: Option<ByteBuf>,
}

impl Hello {
    /// Describes a log.
    pub(super) fn of(log: &Log, pass: Option<Vec<u8>>) -> Self {
        Self {
            v: SYNC_VERSION,
            space: log.log_id().space,
            topic: log.log_id().topic.clone(),
            entries: log.len() as u64,
            authors: log.authors_len() as u64,
            tips: log.tips_len() as u64,
            digest: ByteArray::new(log.frontier_digest()),
            proofs: ByteArray::new(log.proofs_digest()),
            pass: pass.map(ByteBuf::from),
        }
    }

    /// Reads the first message of a stream.
    ///
    /// # Errors
    ///
    /// [`SyncError`] when it is no hello.
    pub fn parse(message: &[u8]) -> Result<Self, SyncError> {
        let message = Message::parse(message)?;
        let name = message.name();
        if let Message::Hello(hello) = message { Ok(hello) } else { Err(SyncError::OutOfPlace(name)) }
    }

    /// Names the log.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        LogId { space: self.space, topic: self.topic.clone() }
    }

    pub(super) fn check(&self) -> Result<(), SyncError> {
        if self.v != SYNC_VERSION {
            return Err(SyncError::Version(self.v));
        }
        if self.pass.as_ref().is_some_and(|pass| pass.len() > PASS_BYTES_MAX) {
            return Err(SyncError::Field("pass", "it is too long"));
        }
        Ok(())
    }
}

/// A tip on the wire: the author's 32 bytes, the place, the digest of the entry.
pub(super) type WireTip = (ByteArray<32>, u64, ByteArray<32>);

pub(super) fn to_wire(tip: &Tip) -> Option<WireTip> {
    Some((ByteArray::new(*tip.author.public_key()), tip.seq, ByteArray::new(digest_of(&tip.head)?)))
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Message {
    Hello(Hello),
    /// The responder does not take part.
    Refused {
        code: String,
        message: String,
    },
    /// Forks that the sender can prove.
    Proofs {
        list: Vec<ForkProof>,
    },
    /// Statements of the application.
    Votes {
        list: Vec<ByteBuf>,
    },
    /// The sender's tips, sorted. `clash`, from the responder: authors of whom it does not know all the initiator's tips
    /// although its own chain is as long, sorted.
    Frontier {
        tips: Vec<WireTip>,
        clash: Vec<ByteArray<32>>,
    },
    /// A frame of Negentropy v1.
    Neg {
        bytes: ByteBuf,
    },
    /// Digests of wanted entries; `more`: another such list follows.
    Want {
        ids: Vec<ByteArray<32>>,
        more: bool,
    },
    /// Entries in the sender's local order.
    Entries {
        list: Vec<SignedEntry>,
    },
    /// The responder has sent all its entries.
    Tails {},
    /// The sender is through.
    Done {},
}

impl Message {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Refused { .. } => "refused",
            Self::Proofs { .. } => "proofs",
            Self::Votes { .. } => "votes",
            Self::Frontier { .. } => "frontier",
            Self::Neg { .. } => "neg",
            Self::Want { .. } => "want",
            Self::Entries { .. } => "entries",
            Self::Tails {} => "tails",
            Self::Done {} => "done",
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SyncError> {
        if bytes.len() > SYNC_MESSAGE_BYTES_MAX {
            return Err(SyncError::TooLarge(bytes.len()));
        }
        Ok(codec::decode(bytes)?)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // Byte strings, texts and numbers always have a DAG-CBOR form.
        codec::encode(self).unwrap_or_default()
    }
}

/// Writes the responder's answer to a hello that it does not take up: a stable code and a text for people.
#[must_use]
pub fn refuse(code: &str, message: &str) -> Vec<u8> {
    Message::Refused { code: cut(code), message: cut(message) }.encode()
}

pub(super) fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(REFUSAL_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Returns the id of an entry as it came, whatever is in it.
pub(super) fn digest_of_entry(entry: &SignedEntry) -> Option<Digest> {
    digest_of(&Cid::of_dag_cbor(entry.entry()))
}

pub(super) fn id_of(digest: &Digest) -> Cid {
    cid_of(digest)
}
