//! The key of a node.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use icn_types::Did;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::signature::{Signature, Signer, strict_key};

/// A node's Ed25519 key. Overwritten in memory when it is dropped; never printed.
#[derive(Clone)]
pub struct Keypair {
    signing: SigningKey,
    did: Did,
}

impl Keypair {
    /// Makes the key that belongs to a 32-byte secret seed (RFC 8032, section 5.1.5). The same seed gives the same key.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let signing = SigningKey::from_bytes(&seed);
        let did = Did::from_public_key(signing.verifying_key().to_bytes());
        Self { signing, did }
    }

    /// Makes a new key from the random source of the caller.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(*seed)
    }

    /// Makes a new key from the random source of the operating system.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate_from_os() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(Self::from_seed(*seed))
    }

    /// Names the DID of this key.
    #[must_use]
    pub const fn did(&self) -> Did {
        self.did
    }

    /// Returns the secret seed, for keystores and backups.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.signing.to_bytes())
    }

    /// Gives the key in the form that libp2p's transports take.
    #[must_use]
    pub fn to_libp2p(&self) -> libp2p_identity::Keypair {
        let mut seed = self.seed();
        #[expect(clippy::expect_used, reason = "every 32 bytes are an Ed25519 seed")]
        libp2p_identity::Keypair::ed25519_from_bytes(seed.as_mut_slice()).expect("32 bytes are a seed")
    }

    /// Returns the X25519 secret that belongs to this key: the first half of SHA-512 of the seed, as did:key derives it.
    pub(crate) fn encryption_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.signing.to_scalar_bytes())
    }
}

/// Derives the X25519 public key that belongs to a DID: its Edwards point mapped to the Montgomery form of the curve.
///
/// Nothing when the DID's bytes are not a usable key (no point, small order, non-canonical).
#[must_use]
pub fn encryption_key(did: &Did) -> Option<[u8; 32]> {
    Some(strict_key(did)?.to_montgomery().to_bytes())
}

impl Signer for Keypair {
    fn did(&self) -> Did {
        self.did
    }

    fn sign(&self, name: &str, body: &[u8]) -> Signature {
        let bytes = crate::signature::signing_bytes(name, body);
        Signature::from_bytes(self.signing.sign(&bytes).to_bytes())
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keypair").field(&self.did).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer_id;

    #[test]
    fn the_first_key_of_rfc_8032() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = Keypair::from_seed(seed.try_into().unwrap());
        assert_eq!(
            hex::encode(key.did().public_key()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn libp2p_knows_the_same_key() {
        let key = Keypair::from_seed([3; 32]);
        assert_eq!(key.to_libp2p().public().to_peer_id(), peer_id(&key.did()));
    }

    #[test]
    fn both_halves_of_the_encryption_key_agree() {
        let key = Keypair::from_seed([4; 32]);
        let secret = x25519_dalek::StaticSecret::from(*key.encryption_secret());
        assert_eq!(x25519_dalek::PublicKey::from(&secret).to_bytes(), encryption_key(&key.did()).unwrap());
    }

    #[test]
    fn the_encryption_key_is_that_of_did_key() {
        // W3C did:key specification, example document of z6MkhaXg…: keyAgreement z6LSj72t…
        let did: Did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".parse().unwrap();
        let key = encryption_key(&did).unwrap();
        let text = format!("z{}", bs58::encode([&[0xec, 0x01][..], &key].concat()).into_string());
        assert_eq!(text, "z6LSj72tK8brWgZja8NLRwPigth2T9QRiG1uH9oKZuKjdh9p");
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = Keypair::from_seed([5; 32]);
        assert!(!format!("{key:?}").contains("05"), "{key:?}");
        assert_eq!(*key.seed(), [5; 32]);
    }

    #[test]
    fn new_keys_differ() {
        let (a, b) = (Keypair::generate_from_os().unwrap(), Keypair::generate_from_os().unwrap());
        assert_ne!(a.did(), b.did());
    }
}
