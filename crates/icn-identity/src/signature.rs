//! Signatures: what is signed, by whom, and how strictly it is checked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use ed25519_dalek::VerifyingKey;
use icn_types::{Did, Timestamp};

/// The length of a signature (Ed25519, RFC 8032).
pub const SIGNATURE_BYTES: usize = 64;

/// What every signed text starts with, so that no signature means anything outside this protocol.
const DOMAIN: &[u8] = b"icn-sig-v1/";

/// How many decompressed keys a verifier remembers. Full: the cache starts anew; nothing but time is lost.
const KEYS_CACHED_MAX: usize = 4_096;

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Takes the bytes of a signature; whether it holds is for a [`Verifier`] to say.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Why a signature does not count.
///
/// Blame: the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 64 bytes.
    #[error("a signature has {SIGNATURE_BYTES} bytes, not {0}")]
    Length(usize),
    /// The DID's 32 bytes are no point of the curve, not in canonical form, or of small order.
    #[error("`{0}` is not the name of a usable Ed25519 key")]
    Key(Did),
    /// The signature was not made by this key over these bytes under this name.
    #[error("the signature on `{name}` was not made by `{did}`, or the content was changed afterwards")]
    Mismatch {
        /// Whose signature it claims to be.
        did: Did,
        /// The kind of object.
        name: String,
    },
}

/// Signs for one DID.
pub trait Signer: Send + Sync {
    /// Names the DID that this signs for.
    fn did(&self) -> Did;

    /// Signs `body` as an object of the kind `name` (see [`signing_bytes`]).
    fn sign(&self, name: &str, body: &[u8]) -> Signature;
}

impl<S: Signer + ?Sized> Signer for std::sync::Arc<S> {
    fn did(&self) -> Did {
        (**self).did()
    }

    fn sign(&self, name: &str, body: &[u8]) -> Signature {
        (**self).sign(name, body)
    }
}

/// Checks signatures.
///
/// The time is an argument because the key of a DID may change over time in a later version; callers pass the moment at
/// which the object was signed.
pub trait Verifier: Send + Sync {
    /// Checks that `did`'s key, as it was at `at`, signed `body` as an object of the kind `name`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] with the reason.
    fn verify(
        &self,
        did: &Did,
        at: Timestamp,
        name: &str,
        body: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError>;
}

impl<V: Verifier + ?Sized> Verifier for std::sync::Arc<V> {
    fn verify(
        &self,
        did: &Did,
        at: Timestamp,
        name: &str,
        body: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        (**self).verify(did, at, name, body, signature)
    }
}

/// Builds the bytes that are signed: `icn-sig-v1/<name>` in ASCII, one zero byte, the body.
///
/// The name keeps one kind of object from passing for another; the zero byte ends it, since no name contains one.
#[must_use]
pub fn signing_bytes(name: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DOMAIN.len() + name.len() + 1 + body.len());
    bytes.extend_from_slice(DOMAIN);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(body);
    bytes
}

/// The strict check of RFC 8032 signatures: every node that follows it accepts exactly the same set.
///
/// Refused beyond the RFC's own rules: keys and nonce points of small order, keys in a non-canonical encoding (both would
/// let one signature hold for several messages or keys, or divide implementations). Keys are decompressed once and kept.
#[derive(Debug, Default)]
pub struct Ed25519Verifier {
    keys: Mutex<BTreeMap<Did, VerifyingKey>>,
}

impl Ed25519Verifier {
    /// Makes a verifier with an empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn key(&self, did: &Did) -> Result<VerifyingKey, SignatureError> {
        // A poisoned lock only means that another thread panicked between two map operations; the map is whole.
        let mut keys = self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(key) = keys.get(did) {
            return Ok(*key);
        }
        let key = strict_key(did).ok_or(SignatureError::Key(*did))?;
        if keys.len() >= KEYS_CACHED_MAX {
            keys.clear();
        }
        keys.insert(*did, key);
        Ok(key)
    }
}

impl Verifier for Ed25519Verifier {
    fn verify(
        &self,
        did: &Did,
        _at: Timestamp,
        name: &str,
        body: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let signature: &[u8; SIGNATURE_BYTES] =
            signature.try_into().map_err(|_| SignatureError::Length(signature.len()))?;
        self.key(did)?
            .verify_strict(&signing_bytes(name, body), &ed25519_dalek::Signature::from_bytes(signature))
            .map_err(|_| SignatureError::Mismatch { did: *did, name: name.to_owned() })
    }
}

/// Reads the key of a DID; nothing when it is no point, in a second spelling of one, or of small order.
pub(crate) fn strict_key(did: &Did) -> Option<VerifyingKey> {
    let bytes = did.public_key();
    if !is_canonical(bytes) {
        return None;
    }
    VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak())
}

/// Tells whether the y coordinate is below p = 2^255 - 19 (RFC 8032, section 5.1.3). The one other non-canonical case, x = 0
/// with the sign bit set, is a point of small order and refused as such.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    !(*low >= 0xed && middle.iter().all(|byte| *byte == 0xff) && high & 0x7f == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keypair;

    const AT: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn a_signature_holds_for_one_key_one_name_and_one_body() {
        let (ours, theirs) = (Keypair::from_seed([1; 32]), Keypair::from_seed([2; 32]));
        let verifier = Ed25519Verifier::new();
        let signature = ours.sign("JobBidV1", b"body");
        let check = |did: &Did, name, body: &[u8], signature: &[u8]| {
            verifier.verify(did, AT, name, body, signature).is_ok()
        };
        assert!(check(&ours.did(), "JobBidV1", b"body", signature.as_bytes()));
        assert!(!check(&theirs.did(), "JobBidV1", b"body", signature.as_bytes()));
        assert!(!check(&ours.did(), "JobBidV2", b"body", signature.as_bytes()));
        assert!(!check(&ours.did(), "JobBidV1", b"body!", signature.as_bytes()));
        for at in 0..SIGNATURE_BYTES {
            let mut changed = *signature.as_bytes();
            changed[at] ^= 1;
            assert!(!check(&ours.did(), "JobBidV1", b"body", &changed), "byte {at}");
        }
        assert_eq!(
            verifier.verify(&ours.did(), AT, "JobBidV1", b"body", b"short"),
            Err(SignatureError::Length(5))
        );
    }

    #[test]
    fn the_name_cannot_run_into_the_body() {
        assert_ne!(signing_bytes("A", b"B\0C"), signing_bytes("AB", b"C"));
        assert_eq!(signing_bytes("JobBidV1", b"\xa0"), b"icn-sig-v1/JobBidV1\0\xa0");
    }

    #[test]
    fn weak_and_respelled_keys_are_refused() {
        let hex32 = |text: &str| -> [u8; 32] { hex::decode(text).unwrap().try_into().unwrap() };
        // Small order: 1, -1, 0 and the points of order 8; then y = p and y = p + 1, second spellings of 0 and 1;
        // then x = 0 with the sign bit; then a y that is on no point.
        for text in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            let did = Did::from_public_key(hex32(text));
            let refused = Ed25519Verifier::new().verify(&did, AT, "X", b"", &[0; 64]);
            assert_eq!(refused, Err(SignatureError::Key(did)), "{text}");
        }
    }

    #[test]
    fn a_signature_of_all_zeros_by_the_neutral_key_is_refused() {
        // With the key 1 and R = 1, s = 0 every message has this signature under lax verification.
        let mut signature = [0; 64];
        signature[0] = 1;
        let mut key = [0; 32];
        key[0] = 1;
        let did = Did::from_public_key(key);
        assert!(Ed25519Verifier::new().verify(&did, AT, "JobBidV1", b"anything", &signature).is_err());
    }

    #[test]
    fn a_second_s_is_refused() {
        // s + L is the same scalar: lax verifiers accept it and give a message two identities.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let ours = Keypair::from_seed([1; 32]);
        let mut bytes = *ours.sign("X", b"body").as_bytes();
        let mut carry = 0u16;
        for (byte, add) in bytes[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert!(Ed25519Verifier::new().verify(&ours.did(), AT, "X", b"body", &bytes).is_err());
    }

    #[test]
    fn the_cache_of_keys_is_bounded() {
        let verifier = Ed25519Verifier::new();
        let key = Keypair::from_seed([1; 32]).did();
        {
            let mut keys = verifier.keys.lock().unwrap();
            let known = strict_key(&key).unwrap();
            for n in 0..KEYS_CACHED_MAX as u64 {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&n.to_le_bytes());
                keys.insert(Did::from_public_key(bytes), known);
            }
        }
        let did = Keypair::from_seed([2; 32]).did();
        assert!(verifier.key(&did).is_ok());
        assert_eq!(verifier.keys.lock().unwrap().len(), 1);
    }
}
