//! Sealed boxes: bytes that only the holder of one DID can read.
//!
//! HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, to the X25519 half of
//! the receiver's key. The sender is not authenticated: who must be known signs inside or outside the box.
//!
//! Layout: 32 bytes encapsulated key, then the ciphertext, whose last 16 bytes are the tag.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use icn_types::Did;
use rand::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use crate::key::{Keypair, encryption_key};

/// By how many bytes a sealed box is longer than what is in it.
pub const SEALED_OVERHEAD: usize = ENCAPSULATED_BYTES + 16;

/// The length of the sender's one-time public key.
const ENCAPSULATED_BYTES: usize = 32;

/// The HPKE `info` of every box, so that no other protocol's ciphertext opens here. The context goes into the
/// authenticated data beside it.
const INFO: &[u8] = b"icn-seal-v1";

/// Why a box cannot be made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The receiver's DID is not a usable key.
    #[error("nothing can be sealed to `{0}`: it does not name a usable key")]
    Receiver(Did),
    /// The bytes are shorter than an empty box.
    #[error("{0} bytes are no sealed box: the shortest has {SEALED_OVERHEAD}")]
    TooShort(usize),
    /// Sealed for somebody else, for another context, or changed.
    #[error("the box cannot be opened: it is for another key or purpose, or was changed on the way")]
    Unopenable,
    /// The operating system has no randomness to give.
    #[error("the operating system gives no randomness: try again later")]
    Randomness,
}

/// Seals `plaintext` to the holder of `to`, with randomness of the operating system.
///
/// `context` says what the box is for; who opens it must name the same.
///
/// # Errors
///
/// [`SealError::Receiver`] when `to` is not a usable key, [`SealError::Randomness`].
pub fn seal(to: &Did, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| SealError::Randomness)?;
    seal_with(&mut rand::rngs::StdRng::from_seed(*seed), to, context, plaintext)
}

/// Seals as [`seal`] does, with the caller's randomness.
///
/// # Errors
///
/// [`SealError::Receiver`] when `to` is not a usable key.
pub fn seal_with<R: CryptoRng>(
    rng: &mut R,
    to: &Did,
    context: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let receiver = encryption_key(to).ok_or(SealError::Receiver(*to))?;
    let key =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&receiver).map_err(|_| SealError::Receiver(*to))?;
    let (encapsulated, mut sender) = hpke::setup_sender_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &key, INFO, rng)
    .map_err(|_| SealError::Receiver(*to))?;
    let ciphertext = sender.seal(plaintext, context).map_err(|_| SealError::Receiver(*to))?;
    Ok([encapsulated.to_bytes().as_slice(), &ciphertext].concat())
}

/// Opens a box that was sealed to `receiver` for the same context.
///
/// # Errors
///
/// [`SealError::TooShort`], or [`SealError::Unopenable`] without telling why (a stranger must not learn it).
pub fn open(receiver: &Keypair, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let too_short = SealError::TooShort(sealed.len());
    if sealed.len() < SEALED_OVERHEAD {
        return Err(too_short);
    }
    let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED_BYTES).ok_or(too_short)?;
    let unopenable = |_| SealError::Unopenable;
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(receiver.encryption_secret().as_slice())
        .map_err(unopenable)?;
    let encapsulated =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(unopenable)?;
    let mut opener = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        INFO,
    )
    .map_err(unopenable)?;
    opener.open(ciphertext, context).map(Zeroizing::new).map_err(unopenable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_receiver_and_the_purpose_open_it() {
        let (ours, theirs) = (Keypair::from_seed([1; 32]), Keypair::from_seed([2; 32]));
        let sealed = seal(&ours.did(), b"test", b"hello").unwrap();
        assert_eq!(sealed.len(), SEALED_OVERHEAD + 5);
        assert_eq!(open(&ours, b"test", &sealed).unwrap().as_slice(), b"hello");
        assert_eq!(open(&theirs, b"test", &sealed), Err(SealError::Unopenable));
        assert_eq!(open(&ours, b"other", &sealed), Err(SealError::Unopenable));
        assert_eq!(open(&ours, b"test", &sealed[..47]), Err(SealError::TooShort(47)));
    }

    #[test]
    fn any_changed_byte_closes_it() {
        let ours = Keypair::from_seed([1; 32]);
        let sealed = seal(&ours.did(), b"", b"hello").unwrap();
        for at in 0..sealed.len() {
            // The top bit of the one-time key carries nothing (RFC 7748); the box binds its bytes all the same.
            let mut changed = sealed.clone();
            changed[at] ^= 0x80;
            assert!(open(&ours, b"", &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn nothing_is_sealed_to_a_weak_key() {
        let weak = Did::from_public_key([0; 32]);
        assert_eq!(seal(&weak, b"", b"x"), Err(SealError::Receiver(weak)));
    }

    proptest! {
        #[test]
        fn opening_undoes_sealing(text in proptest::collection::vec(any::<u8>(), 0..300), seed in any::<[u8; 32]>()) {
            let ours = Keypair::from_seed(seed);
            let mut rng = rand::rngs::StdRng::from_seed(seed);
            let sealed = seal_with(&mut rng, &ours.did(), b"p", &text).unwrap();
            let opened = open(&ours, b"p", &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), text.as_slice());
        }
    }
}
