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

/// How many files are written and synced at the same time: disks answer several syncs as fast as one.
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
    pub(super) fn write(&self, blocks: &[&Block]) -> Result<(), StoreError> {
        if let [block] = blocks {
            self.write_one(block)?;
        } else {
            let share = blocks.len().div_ceil(WRITERS);
            std::thread::scope(|scope| {
                let writers: Vec<_> = blocks
                    .chunks(share)
                    .map(|share| {
                        scope.spawn(move || share.iter().try_for_each(|block| self.write_one(block)))
                    })
                    .collect();
                // A panic of a writer is one of ours.
                writers.into_iter().try_for_each(|writer| writer.join().unwrap_or(Err(StoreError::Closed)))
            })?;
        }
        let shards: BTreeSet<_> = blocks.iter().map(|block| self.shard(&block.cid().to_string())).collect();
        for shard in shards {
            sync_folder(&shard).map_err(|error| StoreError::io("sync", &shard, error))?;
        }
        Ok(())
    }

    fn write_one(&self, block: &Block) -> Result<(), StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.dir.join(UNFINISHED).join(number.to_string());
        let path = self.path(&block.cid());
        let write = || -> io::Result<()> {
            let mut file = File::create_new(&unfinished)?;
            file.write_all(block.bytes())?;
            file.sync_data()?;
            fs::rename(&unfinished, &path)
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
