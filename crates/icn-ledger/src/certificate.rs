//! What others say of an entry: votes of witnesses, certificates of a quorum, approvals of a treasury's posts.

use icn_identity::SIGNATURE_BYTES;
use icn_types::{Cid, Did};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::act::SET_MAX;
use crate::error::PostError;

/// What a witness signs: it has seen this entry at this place, and will never sign another one there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The space, by its root DID.
    pub space: Did,
    /// The author of the entry.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The entry.
    pub entry: Cid,
    /// The number of the witness set.
    pub set: u64,
}

/// A vote with its signature, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedVote {
    /// What is signed.
    pub vote: Vote,
    /// Who signs.
    pub by: Did,
    /// Signature as `VoteV1`, 64 bytes.
    pub sig: ByteBuf,
}

/// A quorum of a witness set saw this entry, and no other, at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The author of the entry.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The entry.
    pub entry: Cid,
    /// The number of the witness set.
    pub set: u64,
    /// Who signed, sorted by DID, each once; signatures of 64 bytes over the [`Vote`].
    pub votes: Vec<(Did, ByteBuf)>,
}

/// One approver's signature under a treasury's acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who approves.
    pub by: Did,
    /// Signature as `ApprovalV1` over space, account, place and acts, 64 bytes.
    pub sig: ByteBuf,
}

/// Returns how many of `n` witnesses are a quorum: ⌊2n/3⌋ + 1.
#[must_use]
pub const fn quorum(n: usize) -> usize {
    n * 2 / 3 + 1
}

impl Certificate {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        let is_sorted = self.votes.is_sorted_by(|a, b| a.0 < b.0);
        if self.votes.is_empty() || self.votes.len() > SET_MAX || !is_sorted {
            return Err(PostError::Field("votes", "1 to 64 votes, sorted by witness, each once"));
        }
        if self.votes.iter().any(|(_, sig)| sig.len() != SIGNATURE_BYTES) {
            return Err(PostError::Field("votes", "a signature has 64 bytes"));
        }
        Ok(())
    }
}

impl Approval {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        if self.sig.len() == SIGNATURE_BYTES {
            Ok(())
        } else {
            Err(PostError::Field("approvals", "a signature has 64 bytes"))
        }
    }
}
