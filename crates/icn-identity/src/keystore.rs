//! The key on disk.
//!
//! A keystore is one small text: `icn-keystore-v1`, the DID, the secret seed. With a passphrase the file is that text
//! encrypted in the age format (scrypt recipient), which the `age` tool can open too. Without one the file is the text
//! itself, and says so in its first line. Either way only its owner may read it.
//!
//! A keystore is never overwritten, and a new one counts only after it was read back and decrypted. Who has several keys
//! keeps them in a folder ([`Keyring`]).

mod error;
mod file;
mod ring;

use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use icn_types::Did;
use zeroize::Zeroizing;

pub use self::error::KeyStoreError;
pub use self::ring::{KEY_NAME_MAX, KeyEntry, Keyring};
use crate::key::Keypair;

/// The cost of guessing a passphrase: scrypt with N = 2^17, r = 8, p = 1 (OWASP Password Storage Cheat Sheet), which takes
/// 128 MiB of memory and some tenths of a second.
pub const WORK_FACTOR: u8 = 17;

/// The highest work factor that is opened: more would be somebody else's trap.
const WORK_FACTOR_MAX: u8 = 22;

const HEADER_PLAIN: &str = "icn-keystore-v1 plaintext";
const HEADER_AGE: &[u8] = b"age-encryption.org/v1\n";

/// How a keystore keeps its secret.
#[derive(Debug, Clone)]
pub enum Protection {
    /// Encrypted; the second field is the scrypt work factor, [`WORK_FACTOR`] unless for tests.
    Passphrase(SecretString, u8),
    /// In plain text, protected by the permissions of the file alone.
    None,
}

impl Protection {
    /// Encrypts with a passphrase at the usual cost.
    #[must_use]
    pub fn passphrase(text: &str) -> Self {
        Self::Passphrase(SecretString::from(text.to_owned()), WORK_FACTOR)
    }
}

/// A place that keeps a key, and gives it out only while it is unlocked.
pub trait KeyStore {
    /// Makes the key usable. A store in plain text needs no passphrase and ignores one.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`] saying what is wrong with the passphrase or the file.
    fn unlock(&mut self, passphrase: Option<&str>) -> Result<(), KeyStoreError>;

    /// Overwrites the key in memory.
    fn lock(&mut self);

    /// Gives the key.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Locked`] while the store is locked.
    fn keypair(&self) -> Result<&Keypair, KeyStoreError>;
}

/// A keystore in a file.
#[derive(Debug)]
pub struct FileKeyStore {
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
    encrypted: bool,
    warning: Option<String>,
    keypair: Option<Keypair>,
}

impl FileKeyStore {
    /// Writes a new keystore and leaves it unlocked.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Exists`] when there is one already; [`KeyStoreError::EmptyPassphrase`]; [`KeyStoreError::Io`];
    /// or what [`Self::open`] and [`KeyStore::unlock`] say when the new file cannot be read back.
    pub fn create(path: &Path, keypair: &Keypair, protection: &Protection) -> Result<Self, KeyStoreError> {
        let (bytes, passphrase) = match protection {
            Protection::Passphrase(passphrase, work_factor) => {
                (encrypt(keypair, passphrase, *work_factor)?, Some(passphrase.expose_secret()))
            }
            Protection::None => (contents(keypair, HEADER_PLAIN), None),
        };
        file::create(path, &bytes, |temporary| {
            let mut store = Self::open(temporary)?;
            store.unlock(passphrase)?;
            if store.keypair()?.did() == keypair.did() {
                Ok(())
            } else {
                Err(KeyStoreError::Damaged { path: path.to_owned(), reason: "another key was read back" })
            }
        })?;
        let mut store = Self::open(path)?;
        store.keypair = Some(keypair.clone());
        Ok(store)
    }

    /// Reads a keystore, which stays locked.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Missing`], [`KeyStoreError::Io`], or [`KeyStoreError::Damaged`] when the file is no keystore.
    pub fn open(path: &Path) -> Result<Self, KeyStoreError> {
        let (bytes, warning) = file::read(path)?;
        let encrypted = bytes.starts_with(HEADER_AGE);
        if !encrypted && !bytes.starts_with(HEADER_PLAIN.as_bytes()) {
            return Err(KeyStoreError::Damaged {
                path: path.to_owned(),
                reason: "its first line is unknown",
            });
        }
        Ok(Self { path: path.to_owned(), bytes, encrypted, warning, keypair: None })
    }

    /// Tells whether a passphrase is needed.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Returns what the operator should know about the file, such as that others may read it.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

impl KeyStore for FileKeyStore {
    fn unlock(&mut self, passphrase: Option<&str>) -> Result<(), KeyStoreError> {
        let text = if self.encrypted {
            let passphrase =
                passphrase.ok_or_else(|| KeyStoreError::PassphraseNeeded { path: self.path.clone() })?;
            decrypt(&self.path, &self.bytes, passphrase)?
        } else {
            self.bytes.clone()
        };
        let keypair =
            parse(&text).map_err(|reason| KeyStoreError::Damaged { path: self.path.clone(), reason })?;
        self.keypair = Some(keypair);
        Ok(())
    }

    fn lock(&mut self) {
        self.keypair = None;
    }

    fn keypair(&self) -> Result<&Keypair, KeyStoreError> {
        self.keypair.as_ref().ok_or_else(|| KeyStoreError::Locked { path: self.path.clone() })
    }
}

fn contents(keypair: &Keypair, header: &str) -> Zeroizing<Vec<u8>> {
    let seed = Zeroizing::new(hex::encode(keypair.seed().as_slice()));
    Zeroizing::new(format!("{header}\ndid {}\nseed {}\n", keypair.did(), seed.as_str()).into_bytes())
}

fn encrypt(
    keypair: &Keypair,
    passphrase: &SecretString,
    work_factor: u8,
) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    if passphrase.expose_secret().is_empty() {
        return Err(KeyStoreError::EmptyPassphrase);
    }
    if !(1..=WORK_FACTOR_MAX).contains(&work_factor) {
        return Err(KeyStoreError::WorkFactor(work_factor));
    }
    let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(work_factor);
    let text = contents(keypair, HEADER_PLAIN);
    age::encrypt(&recipient, &text)
        .map(Zeroizing::new)
        .map_err(|error| KeyStoreError::Encryption(error.to_string()))
}

fn decrypt(path: &Path, bytes: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    use age::DecryptError;
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let path = || path.to_owned();
    age::decrypt(&identity, bytes).map(Zeroizing::new).map_err(|error| match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            KeyStoreError::WrongPassphrase { path: path() }
        }
        DecryptError::ExcessiveWork { required, .. } => KeyStoreError::WorkFactor(required),
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => {
            KeyStoreError::Damaged { path: path(), reason: "its age header cannot be read" }
        }
        DecryptError::InvalidMac => {
            KeyStoreError::Damaged { path: path(), reason: "its age header was changed" }
        }
        DecryptError::Io(_) => {
            KeyStoreError::Damaged { path: path(), reason: "its encrypted part was changed or cut off" }
        }
    })
}

fn parse(text: &[u8]) -> Result<Keypair, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER_PLAIN) {
        return Err("its first line is unknown");
    }
    let mut field = |name| lines.next().and_then(|line| line.strip_prefix(name));
    let did: Did = field("did ").and_then(|text| text.parse().ok()).ok_or("its DID cannot be read")?;
    let seed = field("seed ").and_then(|text| hex::decode(text).ok()).map(Zeroizing::new);
    let seed: Zeroizing<[u8; 32]> = seed
        .and_then(|seed| seed.as_slice().try_into().ok().map(Zeroizing::new))
        .ok_or("its seed cannot be read")?;
    let keypair = Keypair::from_seed(*seed);
    if keypair.did() == did { Ok(keypair) } else { Err("its seed does not belong to its DID") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn quick(text: &str) -> Protection {
        Protection::Passphrase(SecretString::from(text.to_owned()), 4)
    }

    fn key() -> Keypair {
        Keypair::from_seed([9; 32])
    }

    #[test]
    fn only_the_passphrase_unlocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.age");
        let store = FileKeyStore::create(&path, &key(), &quick("open sesame")).unwrap();
        assert_eq!(store.keypair().unwrap().did(), key().did());
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(HEADER_AGE));
        assert!(!bytes.windows(8).any(|part| part == b"09090909"));

        let mut store = FileKeyStore::open(&path).unwrap();
        assert!(store.is_encrypted());
        assert!(store.warning().is_none());
        assert!(matches!(store.keypair(), Err(KeyStoreError::Locked { .. })));
        assert!(matches!(store.unlock(None), Err(KeyStoreError::PassphraseNeeded { .. })));
        assert!(matches!(store.unlock(Some("wrong")), Err(KeyStoreError::WrongPassphrase { .. })));
        store.unlock(Some("open sesame")).unwrap();
        assert_eq!(store.keypair().unwrap().seed(), key().seed());
        store.lock();
        assert!(store.keypair().is_err());
    }

    #[test]
    fn plain_text_says_so_and_needs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        FileKeyStore::create(&path, &key(), &Protection::None).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("icn-keystore-v1 plaintext\n"));
        let mut store = FileKeyStore::open(&path).unwrap();
        assert!(!store.is_encrypted());
        store.unlock(None).unwrap();
        assert_eq!(store.keypair().unwrap().did(), key().did());
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        FileKeyStore::create(&path, &key(), &Protection::None).unwrap();
        let other = Keypair::from_seed([8; 32]);
        let refused = FileKeyStore::create(&path, &other, &Protection::None);
        assert!(matches!(refused, Err(KeyStoreError::Exists { .. })));
        let mut store = FileKeyStore::open(&path).unwrap();
        store.unlock(None).unwrap();
        assert_eq!(store.keypair().unwrap().did(), key().did());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn only_the_owner_may_read() {
        let folder = tempfile::tempdir().unwrap();
        for (name, protection) in [("a", quick("x")), ("b", Protection::None)] {
            let path = folder.path().join(name);
            FileKeyStore::create(&path, &key(), &protection).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            let store = FileKeyStore::open(&path).unwrap();
            assert!(store.warning().unwrap().contains("chmod 600"), "{:?}", store.warning());
        }
    }

    #[test]
    fn damage_is_told_apart_from_a_wrong_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        FileKeyStore::create(&path, &key(), &quick("x")).unwrap();
        let good = std::fs::read(&path).unwrap();
        let damaged = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            FileKeyStore::open(&path).and_then(|mut store| store.unlock(Some("x"))).unwrap_err()
        };
        let is_damaged = |error| matches!(error, KeyStoreError::Damaged { .. });
        assert!(is_damaged(damaged(&good[..good.len() - 1])));
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(is_damaged(damaged(&changed)));
        assert!(is_damaged(damaged(b"")));
        assert!(is_damaged(damaged(b"hello")));
        assert!(is_damaged(damaged(&vec![b'x'; 1 << 20])));
        assert!(is_damaged(damaged(b"icn-keystore-v1 plaintext\ndid nobody\n")));
        let other =
            format!("icn-keystore-v1 plaintext\ndid {}\nseed {}\n", key().did(), hex::encode([1; 32]));
        assert!(is_damaged(damaged(other.as_bytes())));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        FileKeyStore::create(&path, &key(), &Protection::Passphrase("x".to_owned().into(), 1)).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            let result = FileKeyStore::open(&path).and_then(|mut store| store.unlock(Some("x")));
            assert!(result.is_err(), "byte {at}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(FileKeyStore::open(&path), Err(KeyStoreError::Missing { .. })));
        let refused = FileKeyStore::create(&path, &key(), &quick(""));
        assert!(matches!(refused, Err(KeyStoreError::EmptyPassphrase)));
        let refused = FileKeyStore::create(&path, &key(), &Protection::Passphrase("x".to_owned().into(), 0));
        assert!(matches!(refused, Err(KeyStoreError::WorkFactor(0))));
        let nowhere = folder.path().join("missing").join("key");
        assert!(matches!(
            FileKeyStore::create(&nowhere, &key(), &Protection::None),
            Err(KeyStoreError::Io { .. })
        ));
    }
}
