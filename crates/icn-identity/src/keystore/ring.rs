//! Several keys in one folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use icn_types::Did;

use super::{FileKeyStore, KeyStore as _, KeyStoreError, Protection, file, parse};
use crate::key::Keypair;

/// The longest name of a key, in characters.
pub const KEY_NAME_MAX: usize = 32;

/// What a key file's name ends with.
const SUFFIX: &str = ".key";

/// The keys of one person who has several, each a keystore `NAME.key` of its own in one folder.
///
/// Nothing secret stays in memory here: [`Keyring::unlock`] gives the key to its caller. Making and unlocking an encrypted
/// key takes some tenths of a second of computing.
#[derive(Debug)]
pub struct Keyring {
    folder: PathBuf,
    /// The DIDs of encrypted keys that were made or unlocked here; their files do not tell.
    known: Mutex<BTreeMap<String, Did>>,
}

/// One key of a [`Keyring`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its name.
    pub name: String,
    /// Whose it is. None for an encrypted key that was not unlocked yet, and for a damaged one.
    pub did: Option<Did>,
    /// Whether a passphrase is needed.
    pub is_encrypted: bool,
    /// What the operator should know: the file is damaged, or others may read it.
    pub trouble: Option<String>,
}

impl Keyring {
    /// Opens a folder of keys. One that is missing is empty; the first key makes it.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Io`] when the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self, KeyStoreError> {
        let ring = Self { folder: folder.to_owned(), known: Mutex::default() };
        ring.names()?;
        Ok(ring)
    }

    /// Lists the keys by name. Files that are not called `NAME.key` are passed over.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Io`] when the folder cannot be read; a file that cannot is listed with its trouble.
    pub fn list(&self) -> Result<Vec<KeyEntry>, KeyStoreError> {
        Ok(self.names()?.into_iter().map(|name| self.entry(name)).collect())
    }

    /// Keeps a key under a new name, in the way of [`FileKeyStore::create`].
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Name`] for a name that is not 1 to 32 of `a-z`, `0-9`, `-`, `_`; [`KeyStoreError::Exists`] when
    /// the name is taken; and as [`FileKeyStore::create`].
    pub fn create(
        &self,
        name: &str,
        keypair: &Keypair,
        protection: &Protection,
    ) -> Result<(), KeyStoreError> {
        let path = self.path(name)?;
        file::make_folder(&self.folder)?;
        FileKeyStore::create(&path, keypair, protection)?;
        self.lock().insert(name.to_owned(), keypair.did());
        Ok(())
    }

    /// Makes a new key from the random source of the operating system and keeps it under a new name.
    ///
    /// # Errors
    ///
    /// As [`Keyring::create`]; [`KeyStoreError::Randomness`].
    pub fn generate(&self, name: &str, protection: &Protection) -> Result<Keypair, KeyStoreError> {
        let keypair =
            Keypair::generate_from_os().map_err(|error| KeyStoreError::Randomness(error.to_string()))?;
        self.create(name, &keypair, protection)?;
        Ok(keypair)
    }

    /// Gives a key. One in plain text needs no passphrase and ignores one.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Name`]; [`KeyStoreError::Unknown`] when no key has this name; and as [`FileKeyStore::open`] and
    /// [`super::KeyStore::unlock`].
    pub fn unlock(&self, name: &str, passphrase: Option<&str>) -> Result<Keypair, KeyStoreError> {
        let mut store = FileKeyStore::open(&self.path(name)?).map_err(|error| {
            let is_missing = matches!(error, KeyStoreError::Missing { .. });
            if is_missing { KeyStoreError::Unknown { name: name.to_owned() } } else { error }
        })?;
        store.unlock(passphrase)?;
        let keypair = store.keypair()?.clone();
        self.lock().insert(name.to_owned(), keypair.did());
        Ok(keypair)
    }

    fn entry(&self, name: String) -> KeyEntry {
        let store = self.path(&name).and_then(|path| FileKeyStore::open(&path));
        let known = self.lock().get(&name).copied();
        let (did, is_encrypted, trouble) = match store {
            Ok(store) if store.is_encrypted() => (known, true, store.warning),
            Ok(store) => match parse(&store.bytes) {
                Ok(keypair) => (Some(keypair.did()), false, store.warning),
                Err(reason) => {
                    (None, false, Some(KeyStoreError::Damaged { path: store.path, reason }.to_string()))
                }
            },
            Err(error) => (None, false, Some(error.to_string())),
        };
        KeyEntry { name, did, is_encrypted, trouble }
    }

    fn names(&self) -> Result<Vec<String>, KeyStoreError> {
        let mut names: Vec<String> = file::list(&self.folder)?
            .into_iter()
            .filter_map(|file| Some(file.to_str()?.strip_suffix(SUFFIX)?.to_owned()))
            .filter(|name| is_name(name))
            .collect();
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> Result<PathBuf, KeyStoreError> {
        if is_name(name) {
            Ok(self.folder.join(format!("{name}{SUFFIX}")))
        } else {
            Err(KeyStoreError::Name(name.chars().take(KEY_NAME_MAX * 2).collect()))
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Did>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_name(name: &str) -> bool {
    (1..=KEY_NAME_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn quick(text: &str) -> Protection {
        Protection::Passphrase(text.to_owned().into(), 2)
    }

    fn key(number: u8) -> Keypair {
        Keypair::from_seed([number; 32])
    }

    fn ring() -> (tempfile::TempDir, Keyring) {
        let data = tempfile::tempdir().unwrap();
        let ring = Keyring::open(&data.path().join("identities")).unwrap();
        (data, ring)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn each_name_has_its_own_key_and_passphrase() {
        let (_data, ring) = ring();
        assert!(ring.list().unwrap().is_empty());
        assert!(!ring.folder.exists(), "looking makes nothing");
        ring.create("work", &key(1), &quick("one")).unwrap();
        ring.create("home_2", &key(2), &Protection::None).unwrap();
        let made = ring.generate("a-b", &quick("three")).unwrap();
        assert_eq!(ring.unlock("work", Some("one")).unwrap().seed(), key(1).seed());
        assert_eq!(ring.unlock("home_2", None).unwrap().seed(), key(2).seed());
        assert_eq!(ring.unlock("a-b", Some("three")).unwrap().seed(), made.seed());
        assert!(matches!(ring.unlock("work", Some("three")), Err(KeyStoreError::WrongPassphrase { .. })));
        assert!(matches!(ring.unlock("work", None), Err(KeyStoreError::PassphraseNeeded { .. })));
        assert!(
            matches!(ring.unlock("nobody", None), Err(KeyStoreError::Unknown { name }) if name == "nobody")
        );
    }

    #[test]
    fn the_list_tells_what_can_be_told() {
        let (_data, ring) = ring();
        ring.create("work", &key(1), &quick("one")).unwrap();
        ring.create("home", &key(2), &Protection::None).unwrap();
        let list = |ring: &Keyring| {
            let entries = ring.list().unwrap().into_iter();
            entries
                .map(|entry| (entry.name, entry.did, entry.is_encrypted, entry.trouble))
                .collect::<Vec<_>>()
        };
        let home = ("home".to_owned(), Some(key(2).did()), false, None);
        let work = |did| ("work".to_owned(), did, true, None);
        assert_eq!(list(&ring), [home.clone(), work(Some(key(1).did()))]);
        // Another process does not know whose the encrypted one is, until it has unlocked it.
        let other = Keyring::open(&ring.folder).unwrap();
        assert_eq!(list(&other), [home.clone(), work(None)]);
        assert!(other.unlock("work", Some("wrong")).is_err());
        assert_eq!(list(&other), [home.clone(), work(None)]);
        other.unlock("work", Some("one")).unwrap();
        assert_eq!(list(&other), [home, work(Some(key(1).did()))]);
    }

    #[test]
    fn a_name_that_is_taken_stays_as_it_is() {
        let (_data, ring) = ring();
        ring.create("work", &key(1), &quick("one")).unwrap();
        let before = std::fs::read(ring.path("work").unwrap()).unwrap();
        for protection in [quick("two"), Protection::None] {
            assert!(matches!(ring.create("work", &key(2), &protection), Err(KeyStoreError::Exists { .. })));
            assert!(matches!(ring.generate("work", &protection), Err(KeyStoreError::Exists { .. })));
        }
        assert_eq!(std::fs::read(ring.path("work").unwrap()).unwrap(), before);
        assert_eq!(ring.list().unwrap()[0].did, Some(key(1).did()));
        assert_eq!(std::fs::read_dir(&ring.folder).unwrap().count(), 1, "no temporary file stays behind");
        // A file that only looks like a key, and a link to nowhere, are not overwritten either.
        std::fs::write(ring.folder.join("odd.key"), "hello").unwrap();
        std::os::unix::fs::symlink("nowhere", ring.folder.join("link.key")).unwrap();
        for name in ["odd", "link"] {
            let refused = ring.create(name, &key(3), &Protection::None);
            assert!(matches!(refused, Err(KeyStoreError::Exists { .. })), "{name}");
        }
    }

    #[test]
    fn odd_names_are_refused_and_odd_files_passed_over() {
        let (data, ring) = ring();
        let long = "x".repeat(KEY_NAME_MAX + 1);
        for bad in
            ["", ".", "..", "../work", "a/b", "a.b", "Work", "ä", "a b", "a\0", "work.key", "-\n", &long]
        {
            let refused = [
                ring.create(bad, &key(1), &Protection::None).err(),
                ring.generate(bad, &Protection::None).err(),
                ring.unlock(bad, None).err(),
            ];
            assert!(
                refused.iter().all(|error| matches!(error, Some(KeyStoreError::Name(_)))),
                "{bad}: {refused:?}"
            );
        }
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was written");
        for good in ["a", "0", "-", "_", &long[1..]] {
            ring.create(good, &key(1), &Protection::None).unwrap();
        }
        for stray in ["notes.txt", ".key", "Work.key", "work.key.1.new", "a.b.key", "key"] {
            std::fs::write(ring.folder.join(stray), "").unwrap();
        }
        assert_eq!(ring.list().unwrap().len(), 5);
    }

    #[test]
    fn only_the_owner_may_read() {
        let (_data, ring) = ring();
        ring.create("a", &key(1), &quick("x")).unwrap();
        ring.create("b", &key(2), &Protection::None).unwrap();
        assert_eq!(mode(&ring.folder), 0o700);
        for name in ["a", "b"] {
            let path = ring.path(name).unwrap();
            assert_eq!(mode(&path), 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let list = ring.list().unwrap();
        assert!(list.iter().all(|entry| entry.did.is_some()));
        assert!(
            list.iter().all(|entry| entry.trouble.as_ref().is_some_and(|text| text.contains("chmod 600")))
        );
    }

    #[test]
    fn a_damaged_file_is_listed_and_harms_no_other() {
        let (_data, ring) = ring();
        ring.create("good", &key(1), &quick("x")).unwrap();
        ring.create("cut", &key(2), &quick("x")).unwrap();
        ring.create("plain", &key(3), &Protection::None).unwrap();
        let change = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let path = ring.path(name).unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(path, bytes).unwrap();
        };
        change("cut", &|bytes| bytes.truncate(bytes.len() - 1));
        change("plain", &|bytes| bytes.truncate(60));
        std::fs::write(ring.folder.join("nonsense.key"), [0xff; 100]).unwrap();
        std::fs::create_dir(ring.folder.join("folder.key")).unwrap();
        std::os::unix::fs::symlink("nowhere", ring.folder.join("link.key")).unwrap();
        for name in ["cut", "plain", "nonsense", "folder"] {
            let error = ring.unlock(name, Some("x")).unwrap_err();
            assert!(matches!(error, KeyStoreError::Damaged { .. }), "{name}: {error}");
        }
        let list = ring.list().unwrap();
        let troubled: Vec<&str> =
            list.iter().filter(|entry| entry.trouble.is_some()).map(|entry| entry.name.as_str()).collect();
        // That an encrypted file was cut off is seen when it is unlocked only.
        assert_eq!(troubled, ["folder", "link", "nonsense", "plain"]);
        assert_eq!(list.len(), 6);
        assert_eq!(ring.unlock("good", Some("x")).unwrap().did(), key(1).did());
    }

    #[test]
    fn of_two_at_once_one_gets_the_name() {
        let (_data, ring) = ring();
        file::make_folder(&ring.folder).unwrap();
        let won: Vec<u8> = std::thread::scope(|scope| {
            let make = |number| {
                let ring = &ring;
                scope.spawn(move || {
                    ring.create("work", &key(number), &Protection::None).is_ok().then_some(number)
                })
            };
            let all: Vec<_> = (1..=8).map(make).collect();
            all.into_iter().filter_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(ring.unlock("work", None).unwrap().did(), key(won[0]).did());
    }
}
