//! The libp2p name of a DID, and back.

use icn_types::Did;
use libp2p_identity::PeerId;

/// Everything of an Ed25519 peer id but the key: an identity multihash of 36 bytes, holding the protobuf
/// `{1: key type 1 (Ed25519), 2: 32 bytes}` (libp2p peer-ids specification).
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Names the libp2p peer that holds the key of a DID.
#[must_use]
pub fn peer_id(did: &Did) -> PeerId {
    let bytes = [PREFIX.as_slice(), did.public_key()].concat();
    #[expect(clippy::expect_used, reason = "an identity multihash of at most 42 bytes is a peer id")]
    PeerId::from_bytes(&bytes).expect("an identity multihash is a peer id")
}

/// Names the DID of a libp2p peer; nothing for peers whose key is not Ed25519.
#[must_use]
pub fn did_of(peer: &PeerId) -> Option<Did> {
    let bytes = peer.to_bytes();
    let key: [u8; 32] = bytes.strip_prefix(&PREFIX)?.try_into().ok()?;
    Some(Did::from_public_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keypair;

    #[test]
    fn names_convert_both_ways() {
        let did = Keypair::from_seed([1; 32]).did();
        assert_eq!(did_of(&peer_id(&did)), Some(did));
        assert!(peer_id(&did).to_base58().starts_with("12D3Koo"));
    }

    #[test]
    fn other_kinds_of_peers_have_no_did() {
        // An RSA peer: a SHA-256 multihash.
        let peer: PeerId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap();
        assert_eq!(did_of(&peer), None);
    }
}
