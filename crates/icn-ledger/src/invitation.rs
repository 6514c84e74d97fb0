//! Invitations: what a steward hands to somebody who shall join.

use icn_identity::SIGNATURE_BYTES;
use icn_types::{Did, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::act::name;
use crate::error::PostError;

/// The most addresses in an invitation, and the longest of them in bytes.
const PEERS_MAX: usize = 16;
const PEER_BYTES_MAX: usize = 256;
const NONCE_BYTES: usize = 16;

/// A steward's word that its bearer, or one member, may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The space, by its root DID.
    pub space: Did,
    /// What people call it.
    pub name: String,
    /// The steward that invites.
    pub issuer: Did,
    /// Who may join; none: whoever holds the invitation.
    pub member: Option<Did>,
    /// Until when it may be used.
    pub expires: Timestamp,
    /// 16 random bytes that tell two invitations apart.
    pub nonce: ByteBuf,
    /// Where nodes of the space answer, as multiaddresses.
    pub peers: Vec<String>,
    /// The steward's signature as `InvitationV1` over all of the above, 64 bytes.
    pub sig: ByteBuf,
}

impl Invitation {
    pub(crate) fn check(&self) -> Result<(), PostError> {
        name("name", Some(&self.name))?;
        if self.nonce.len() != NONCE_BYTES || self.sig.len() != SIGNATURE_BYTES {
            return Err(PostError::Field("invitation", "its nonce has 16 bytes, its signature 64"));
        }
        if self.peers.len() > PEERS_MAX || self.peers.iter().any(|peer| peer.len() > PEER_BYTES_MAX) {
            return Err(PostError::Field("peers", "at most 16 addresses of at most 256 bytes"));
        }
        Ok(())
    }
}
