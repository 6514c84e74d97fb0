//! Compiled modules on disk.
//!
//! Layout of a file: 16 bytes magic, 32 bytes BLAKE3 of the file's name and the rest, keyed by `cache.key`; the rest is
//! what `Module::serialize` gave. The name is `<module CID>-<hash>.cwasm`; the hash covers the engine's version, its
//! settings and the processor's features. A file that is damaged, foreign or from another engine is not used, and is
//! written again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use std::{fs, str};

use icn_types::Cid;
use wasmtime::{Engine, Module};

use super::load;

const MAGIC: &[u8; 16] = b"icn-cwasm-v1\0\0\0\0";
const KEY_FILE: &str = "cache.key";
const SUFFIX: &str = "cwasm";
const HASH_BYTES: usize = 32;

pub(super) struct DiskCache {
    dir: PathBuf,
    key: [u8; 32],
    bytes_max: u64,
    /// Held while files are counted and removed.
    evicting: Mutex<()>,
}

impl DiskCache {
    /// Opens the folder, which is made when it is not there, and reads or makes its key.
    pub(super) fn open(dir: &Path, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let key = read_key(dir)?;
        Ok(Self { dir: dir.to_owned(), key, bytes_max, evicting: Mutex::new(()) })
    }

    /// Reads a module; anything wrong with its file means that there is none.
    pub(super) fn load(&self, engine: &Engine, cid: &Cid) -> Option<Module> {
        let name = name(engine, cid);
        let path = self.dir.join(&name);
        let bytes = fs::read(&path).ok()?;
        let module = self.verified(&name, &bytes).and_then(|code| load::deserialize(engine, code).ok());
        if module.is_none() {
            tracing::warn!(file = %path.display(), "a compiled module is damaged or foreign and is made again");
            let _ = fs::remove_file(&path);
            return None;
        }
        // The time of the last use decides what is evicted.
        let _ = fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        module
    }

    fn verified<'a>(&self, name: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (hash, code) = rest.split_first_chunk::<HASH_BYTES>()?;
        // Comparing `Hash` values takes the same time for all of them.
        (self.hash(name, code) == *hash).then_some(code)
    }

    fn hash(&self, name: &str, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(name.as_bytes()).update(&[0]).update(code);
        hasher.finalize()
    }

    /// Writes a module: to a file of its own, which then takes the name.
    pub(super) fn store(&self, engine: &Engine, cid: &Cid, module: &Module) -> io::Result<()> {
        let name = name(engine, cid);
        let code = module.serialize().map_err(|error| io::Error::other(error.to_string()))?;
        let len = (MAGIC.len() + HASH_BYTES + code.len()) as u64;
        if len > self.bytes_max {
            return Ok(());
        }
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.dir)?;
        file.write_all(MAGIC)?;
        file.write_all(self.hash(&name, &code).as_bytes())?;
        file.write_all(&code)?;
        file.persist(self.dir.join(&name)).map_err(|error| error.error)?;
        self.evict()
    }

    /// Removes the files used longest ago until the rest fits.
    fn evict(&self) -> io::Result<()> {
        let _alone = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == SUFFIX) {
                let data = entry.metadata()?;
                files.push((data.modified()?, data.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if total <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            total = total.saturating_sub(len);
        }
        Ok(())
    }
}

fn name(engine: &Engine, cid: &Cid) -> String {
    let mut hasher = DefaultHasher::new();
    wasmtime_environ::VERSION.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{cid}-{:016x}.{SUFFIX}", hasher.finish())
}

/// Reads the folder's key, or makes one that only this user can read.
fn read_key(dir: &Path) -> io::Result<[u8; 32]> {
    let path = dir.join(KEY_FILE);
    let read = |path: &Path| -> io::Result<[u8; 32]> {
        let mut key = [0; 32];
        fs::File::open(path)?.read_exact(&mut key)?;
        Ok(key)
    };
    match read(&path) {
        Ok(key) => return Ok(key),
        // A key cut short by a crash: nothing that it vouched for is used again.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => fs::remove_file(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // A temporary file has mode 0600.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    file.write_all(&rand::random::<[u8; 32]>())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        // Another runtime on this folder was faster.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    read(&path)
}
