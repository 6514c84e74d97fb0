//! Large blocks as files: `blocks/<last letter of the CID>/<CID>`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use icn_types::Cid;

use super::Block;
use crate::StoreError;
use crate::database::sync_folder;

/// How many files are synced at the same time: disks answer several syncs nearly as fast as one.
const WRITERS: usize = 4;
/// The letters of base32: one folder each, so that few folders need a sync and none becomes huge.
const SHARDS: &str = "abcdefghijklmnopqrstuvwxyz234567";
/// Where files are written before they get their name.
const UNFINISHED: &str = "unfinished";

pub(super) struct Files {
    dir: PathBuf,
    next: AtomicU64,
}

impl Files {
    /// Makes the folders and removes what a killed process left unfinished.
    pub(super) fn open(store: &Path) -> Result<Self, StoreError> {
        let dir = store.join("blocks");
        let unfinished = dir.join(UNFINISHED);
        let prepare = || -> io::Result<()> {
            if !dir.join("7").exists() {
                for shard in SHARDS.chars() {
                    fs::create_dir_all(dir.join(shard.to_string()))?;
                }
                sync_folder(&dir)?;
                sync_folder(store)?;
            }
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)?;
            }
            fs::create_dir(&unfinished)
        };
        prepare().map_err(|error| StoreError::io("prepare", &dir, error))?;
        Ok(Self { dir, next: AtomicU64::new(0) })
    }

    fn shard(&self, name: &str) -> PathBuf {
        self.dir.join(name.get(name.len().saturating_sub(1)..).unwrap_or("a"))
    }

    fn path(&self, cid: &Cid) -> PathBuf {
        let name = cid.to_string();
        self.shard(&name).join(name)
    }

    /// Writes files; on return their bytes and names are durable.
    ///
    /// Files get their names before they are synced, so that bytes and names can be synced at the same time. A file that
    /// a crash left half written has no row, and does not pass for its block.
    pub(super) fn write(&self, blocks: &[&Block]) -> Result<(), StoreError> {
        let files: Vec<_> = blocks.iter().map(|block| self.write_one(block)).collect::<Result<_, _>>()?;
        let shards: BTreeSet<_> = blocks.iter().map(|block| self.shard(&block.cid().to_string())).collect();
        let share = files.len().div_ceil(WRITERS).max(1);
        // All at once: the filesystem answers them with few writes of its own journal.
        std::thread::scope(|scope| {
            let sync =
                |file: &File| file.sync_data().map_err(|error| StoreError::io("sync", &self.dir, error));
            let threads: Vec<_> = files
                .chunks(share)
                .map(|share| scope.spawn(move || share.iter().try_for_each(sync)))
                .collect();
            for shard in &shards {
                sync_folder(shard).map_err(|error| StoreError::io("sync", shard, error))?;
            }
            // A panic of a thread is one of ours.
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Err(StoreError::Closed)))
        })
    }

    /// Writes a file under its name, not synced yet. One that is there already, from another writer of the same block
    /// or from before a crash, is kept when it is good: replacing it could lose what the other relies on.
    fn write_one(&self, block: &Block) -> Result<File, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.dir.join(UNFINISHED).join(number.to_string());
        let path = self.path(&block.cid());
        let write = || -> io::Result<File> {
            let mut file = File::create_new(&unfinished)?;
            file.write_all(block.bytes())?;
            match rename_new(&unfinished, &path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                renamed => return renamed.map(|()| file),
            }
            if fs::read(&path).is_ok_and(|bytes| bytes == **block.bytes()) {
                fs::remove_file(&unfinished)?;
                return File::open(&path);
            }
            fs::rename(&unfinished, &path)?;
            Ok(file)
        };
        write().map_err(|error| {
            // The next start removes what cannot be removed now.
            drop(fs::remove_file(&unfinished));
            StoreError::io("write", &path, error)
        })
    }

    /// Reads a file of at most `size` bytes and one more; nothing when there is no such file.
    pub(super) fn read(&self, cid: &Cid, size: u64) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(cid);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", path, error)),
        };
        // One byte more shows a file that grew without reading all of it.
        let limit = size.saturating_add(1);
        let mut bytes = Vec::with_capacity(usize::try_from(limit).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes).map_err(|error| StoreError::io("read", path, error))?;
        Ok(Some(bytes.into()))
    }

    /// Removes a file; one that is gone is no error. Not synced: a file that comes back after a crash is an orphan.
    pub(super) fn remove(&self, cid: &Cid) -> Result<(), StoreError> {
        let path = self.path(cid);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::io("remove", path, error)),
        }
    }

    /// Returns the blocks that have a file, one folder after the other.
    pub(super) fn list(&self) -> impl Iterator<Item = Result<Vec<Cid>, StoreError>> + '_ {
        SHARDS.chars().map(|shard| {
            let shard = self.dir.join(shard.to_string());
            let list = || -> io::Result<Vec<Cid>> {
                let names = fs::read_dir(&shard)?.map(|entry| entry.map(|entry| entry.file_name()));
                let cid = |name: io::Result<std::ffi::OsString>| match name {
                    Ok(name) => name.to_str().and_then(|name| name.parse().ok()).map(Ok),
                    Err(error) => Some(Err(error)),
                };
                names.filter_map(cid).collect()
            };
            list().map_err(|error| StoreError::io("list", &shard, error))
        })
    }
}

/// Gives a file its name, unless that is taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every filesystem knows the flag; all know links.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}
