//! Invitations: what a steward hands to somebody who shall join.

use std::str::FromStr;

use icn_identity::{SIGNATURE_BYTES, Signer, Verifier};
use icn_types::{Did, Timestamp, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::act::{name, strict};
use crate::certificate::UNDATED;
use crate::error::{InvitationError, PostError};

/// The name under which invitations are signed: `icn-sig-v1/InvitationV1`.
pub const INVITATION_SIGNATURE: &str = "InvitationV1";
/// What the text form starts with.
const TEXT_PREFIX: &str = "icn-invite:";
/// The most addresses in an invitation.
const PEERS_MAX: usize = 16;
/// The longest address, in bytes.
const PEER_BYTES_MAX: usize = 256;
/// The length of the nonce.
const NONCE_BYTES: usize = 16;
/// The longest text form; 16 addresses of 256 bytes come to fewer than 7,000. Base58 takes the square of the length.
const TEXT_BYTES_MAX: usize = 8_192;

/// What a steward promises, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationTerms {
    /// The space, by its root DID.
    pub space: Did,
    /// What people call it.
    pub name: String,
    /// Who may join; none: whoever holds the invitation.
    pub member: Option<Did>,
    /// Until when it may be used.
    pub expires: Timestamp,
    /// Random bytes of the caller's.
    pub nonce: [u8; 16],
    /// Where nodes of the space answer, as multiaddresses.
    pub peers: Vec<String>,
}

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
    /// Signs an invitation as its issuer.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] when everybody else would refuse the terms.
    pub fn issue(signer: &dyn Signer, terms: InvitationTerms) -> Result<Self, InvitationError> {
        let InvitationTerms { space, name, member, expires, nonce, peers } = terms;
        let nonce = ByteBuf::from(nonce.to_vec());
        let sig = ByteBuf::new();
        let mut invitation = Self { space, name, issuer: signer.did(), member, expires, nonce, peers, sig };
        let sig = signer.sign(INVITATION_SIGNATURE, &invitation.signed_bytes()?);
        invitation.sig = ByteBuf::from(sig.as_bytes().to_vec());
        invitation.check()?;
        Ok(invitation)
    }

    /// Checks form and signature. Whether the issuer is a steward is for the books to say.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] with what is not right.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), InvitationError> {
        self.check()?;
        let bytes = self.signed_bytes()?;
        verifier.verify(&self.issuer, UNDATED, INVITATION_SIGNATURE, &bytes, &self.sig)?;
        Ok(())
    }

    /// Tells whether somebody may use it: the one that it names, or anybody.
    #[must_use]
    pub fn admits(&self, member: &Did) -> bool {
        self.member.is_none_or(|named| named == *member)
    }

    /// Tells whether it is too late by the caller's clock. For people only: the books judge by sealed epochs.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// Writes the form that people hand on: `icn-invite:` and the DAG-CBOR bytes in base58.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Text, bytes and names always have a DAG-CBOR form.
        format!("{TEXT_PREFIX}{}", bs58::encode(codec::encode(self).unwrap_or_default()).into_string())
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, PostError> {
        #[derive(Serialize)]
        struct Signed<'a> {
            space: &'a Did,
            name: &'a str,
            issuer: &'a Did,
            member: Option<&'a Did>,
            expires: Timestamp,
            nonce: &'a ByteBuf,
            peers: &'a [String],
        }
        let Self { space, name, issuer, member, expires, nonce, peers, sig: _ } = self;
        let member = member.as_ref();
        Ok(codec::encode(&Signed { space, name, issuer, member, expires: *expires, nonce, peers })?)
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        name("name", Some(&self.name))?;
        if self.nonce.len() != NONCE_BYTES || self.sig.len() != SIGNATURE_BYTES {
            return Err(PostError::Field("invitation", "its nonce has 16 bytes, its signature 64"));
        }
        let is_good = |peer: &String| peer.len() <= PEER_BYTES_MAX && !peer.chars().any(char::is_control);
        if self.peers.len() > PEERS_MAX || !self.peers.iter().all(is_good) {
            return Err(PostError::Field("peers", "at most 16 addresses of at most 256 bytes"));
        }
        Ok(())
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    /// Reads the text form and checks everything but the signature. White space around it, and line breaks that a
    /// mail program put into it, do not matter.
    fn from_str(text: &str) -> Result<Self, InvitationError> {
        if text.len() > 2 * TEXT_BYTES_MAX {
            return Err(InvitationError::TooLong);
        }
        let text: String = text.split_whitespace().collect();
        let base58 = text.strip_prefix(TEXT_PREFIX).ok_or(InvitationError::Prefix)?;
        if base58.len() > TEXT_BYTES_MAX {
            return Err(InvitationError::TooLong);
        }
        let bytes = bs58::decode(base58).into_vec().map_err(|_| InvitationError::Damaged)?;
        let invitation: Self = strict(&bytes).map_err(|_| InvitationError::Damaged)?;
        invitation.check()?;
        Ok(invitation)
    }
}

#[cfg(test)]
mod tests {
    use icn_identity::{Ed25519Verifier, Keypair};

    use super::*;

    fn steward() -> Keypair {
        Keypair::from_seed([1; 32])
    }

    fn terms() -> InvitationTerms {
        InvitationTerms {
            space: steward().did(),
            name: "Bakers".into(),
            member: None,
            expires: Timestamp::from_millis(1_000),
            nonce: [7; 16],
            peers: vec!["/ip4/192.0.2.1/udp/4001/quic-v1".into()],
        }
    }

    #[test]
    fn an_invitation_survives_mail() {
        let invitation = Invitation::issue(&steward(), terms()).unwrap();
        let text = invitation.to_text();
        assert!(text.starts_with("icn-invite:"));
        let broken: String = text
            .chars()
            .enumerate()
            .flat_map(|(n, c)| (n % 60 == 59).then_some('\n').into_iter().chain([c]))
            .collect();
        for text in [text.clone(), format!("  {text}\n"), broken] {
            let read: Invitation = text.parse().unwrap();
            read.verify(&Ed25519Verifier::new()).unwrap();
            assert_eq!(read, invitation);
        }
    }

    #[test]
    fn the_largest_invitation_still_has_a_text() {
        let peers = vec!["x".repeat(PEER_BYTES_MAX); PEERS_MAX];
        let terms = InvitationTerms { name: "n".repeat(64), member: Some(steward().did()), peers, ..terms() };
        let invitation = Invitation::issue(&steward(), terms).unwrap();
        assert_eq!(invitation.to_text().parse::<Invitation>().unwrap(), invitation);
    }

    #[test]
    fn every_field_is_under_the_signature() {
        let verifier = Ed25519Verifier::new();
        let other = Keypair::from_seed([2; 32]).did();
        let refuse = |edit: &dyn Fn(&mut Invitation)| {
            let mut changed = Invitation::issue(&steward(), terms()).unwrap();
            edit(&mut changed);
            assert!(matches!(changed.verify(&verifier), Err(InvitationError::Signature(_))), "{changed:?}");
        };
        refuse(&|invitation| invitation.space = other);
        refuse(&|invitation| invitation.name.push('!'));
        refuse(&|invitation| invitation.issuer = other);
        refuse(&|invitation| invitation.member = Some(other));
        refuse(&|invitation| invitation.expires = Timestamp::from_millis(2_000));
        refuse(&|invitation| invitation.nonce[0] ^= 1);
        refuse(&|invitation| invitation.peers.clear());
        refuse(&|invitation| invitation.sig[0] ^= 1);
    }

    #[test]
    fn what_is_no_invitation_is_refused_with_a_reason() {
        let text = Invitation::issue(&steward(), terms()).unwrap().to_text();
        for (text, reason) in [
            ("", "starts with"),
            ("did:icn:abc", "starts with"),
            ("icn-invite:", "damaged"),
            ("icn-invite:0OIl", "damaged"),
            (&text[..text.len() - 4], "damaged"),
            (&"x".repeat(20_000), "too long"),
            (&format!("icn-invite:{}", "2".repeat(9_000)), "too long"),
        ] {
            let error = text.parse::<Invitation>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let long = InvitationTerms { name: "n".repeat(65), ..terms() };
        assert!(matches!(Invitation::issue(&steward(), long), Err(InvitationError::Terms(_))));
    }

    #[test]
    fn who_may_use_it_and_until_when() {
        let (ann, ben) = (Keypair::from_seed([3; 32]).did(), Keypair::from_seed([4; 32]).did());
        let open = Invitation::issue(&steward(), terms()).unwrap();
        let named = Invitation::issue(&steward(), InvitationTerms { member: Some(ann), ..terms() }).unwrap();
        assert!(open.admits(&ann) && open.admits(&ben) && named.admits(&ann) && !named.admits(&ben));
        assert!(
            !open.is_expired(Timestamp::from_millis(999)) && open.is_expired(Timestamp::from_millis(1_000))
        );
    }
}
