//! What a node shows before it may read the books of a space.

use icn_identity::{SIGNATURE_BYTES, SignatureError, Signer, Verifier};
use icn_types::{Did, Duration, Timestamp, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::invitation::Invitation;

/// The name under which a member vouches for the node that serves it.
const PASS_SIGNATURE: &str = "PassV1";
/// How long a member's word for a node holds, and how far ahead of the reader's clock it may be. The connection proves the
/// node already, so this is only about members who moved to another one; clocks that are off by days must not matter.
const PASS_TIME_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The largest pass, in bytes.
pub const PASS_BYTES_MAX: usize = 8 * 1024;

/// A right to read: an invitation, or the word of a member for the node that serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// For somebody who has not joined yet.
    Invitation(Box<Invitation>),
    /// For the node of a member.
    Member(Membership),
}

/// A member says which node serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Who says so.
    pub member: Did,
    /// When.
    pub at: Timestamp,
    /// Signature as `PassV1` over `{at, member, node, space}`, 64 bytes.
    pub sig: ByteBuf,
    /// The invitation that the member took up, for nodes that have not heard of it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Box<Invitation>>,
}

#[derive(Serialize)]
struct Statement {
    space: Did,
    member: Did,
    node: Did,
    at: Timestamp,
}

impl Pass {
    /// Makes the word of a member for a node.
    #[must_use]
    pub fn member(space: Did, node: Did, at: Timestamp, signer: &dyn Signer) -> Self {
        let member = signer.did();
        let bytes = statement(space, member, node, at);
        let sig = signer.sign(PASS_SIGNATURE, &bytes);
        let sig = ByteBuf::from(sig.as_bytes().to_vec());
        Self::Member(Membership { member, at, sig, invitation: None })
    }

    /// Adds the invitation that a member took up.
    #[must_use]
    pub fn with_invitation(mut self, taken_up: Option<&Invitation>) -> Self {
        if let Self::Member(Membership { invitation, .. }) = &mut self {
            *invitation = taken_up.cloned().map(Box::new);
        }
        self
    }

    /// Returns the steward whose invitation goes with a member's word, if it holds.
    #[must_use]
    pub fn introduced_by(&self, space: Did, now: Timestamp, verifier: &dyn Verifier) -> Option<Did> {
        let Self::Member(Membership { member, invitation: Some(invitation), .. }) = self else { return None };
        let holds = invitation.verify(verifier).is_ok()
            && invitation.space == space
            && invitation.admits(member)
            && invitation.expires >= now;
        holds.then_some(invitation.issuer)
    }

    /// Encodes the pass.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts, times and bytes always have a DAG-CBOR form.
        codec::encode(self).unwrap_or_default()
    }

    /// Reads a pass; none when the bytes are none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PASS_BYTES_MAX {
            return None;
        }
        codec::decode(bytes).ok()
    }

    /// Checks the signature for the node that shows it, and returns on whose word it may read: the member's, or the
    /// inviting steward's. Whether that word counts is for the books to say.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when it does not hold, or is too old.
    pub fn verify(
        &self,
        space: Did,
        node: Did,
        now: Timestamp,
        verifier: &dyn Verifier,
    ) -> Result<Bearer, SignatureError> {
        match self {
            Self::Invitation(invitation) => {
                let stale =
                    || SignatureError::Mismatch { did: invitation.issuer, name: "InvitationV1".into() };
                invitation.verify(verifier).map_err(|_| stale())?;
                if invitation.space != space || invitation.expires < now {
                    return Err(stale());
                }
                Ok(Bearer::Invited { by: invitation.issuer })
            }
            Self::Member(Membership { member, at, sig, .. }) => {
                let stale = || SignatureError::Mismatch { did: *member, name: PASS_SIGNATURE.into() };
                if sig.len() != SIGNATURE_BYTES
                    || *at < now.minus(PASS_TIME_MAX)
                    || *at > now.plus(PASS_TIME_MAX)
                {
                    return Err(stale());
                }
                verifier.verify(member, *at, PASS_SIGNATURE, &statement(space, *member, node, *at), sig)?;
                Ok(Bearer::Member(*member))
            }
        }
    }
}

/// On whose word somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// A member's own node.
    Member(Did),
    /// Somebody whom a steward invited.
    Invited {
        /// The steward.
        by: Did,
    },
}

fn statement(space: Did, member: Did, node: Did, at: Timestamp) -> Vec<u8> {
    codec::encode(&Statement { space, member, node, at }).unwrap_or_default()
}
