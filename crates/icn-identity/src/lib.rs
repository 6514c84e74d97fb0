//! Who a node is: one Ed25519 key, and everything that follows from it.
//!
//! From the key come the [DID](icn_types::Did), the libp2p peer ([`peer_id`]), the signature on every message
//! ([`Signer`], [`Verifier`]), the encryption half that anybody can derive from the DID ([`seal`], [`open`]), and the
//! DID document ([`did_document`]). The [`keystore`] module keeps the key on disk, encrypted by a passphrase.
//!
//! This crate never decides what a key may do, and never keeps a secret in memory longer than its owner does: secrets
//! are overwritten when they are dropped.
//!
//! Sources: `docs/protocol.md` sections 1 and 3; RFC 8032 (Ed25519), RFC 7748 (X25519), RFC 9180 (HPKE),
//! W3C DID Core and did:key, the age file format.

mod document;
mod key;
pub mod keystore;
mod peer;
mod sealed;
mod signature;

pub use libp2p_identity::PeerId;

pub use crate::document::did_document;
pub use crate::key::{Keypair, encryption_key};
pub use crate::peer::{did_of, peer_id};
pub use crate::sealed::{SEALED_OVERHEAD, SealError, open, seal, seal_with};
pub use crate::signature::{
    Ed25519Verifier, SIGNATURE_BYTES, Signature, SignatureError, Signer, Verifier, signing_bytes,
};
