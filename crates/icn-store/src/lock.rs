//! One process to a folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::StoreError;

/// The name of the lock file in the store's folder.
pub(crate) const LOCK_FILE: &str = "store.lock";

/// The held lock; the operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock at once or says who has it. The file keeps the holder's process number.
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(LOCK_FILE);
        let io = |action, error| StoreError::io(action, &path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| io("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path: dir.into(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", error)),
        }
        file.set_len(0).map_err(|error| io("write", error))?;
        file.rewind().map_err(|error| io("write", error))?;
        writeln!(file, "{}", std::process::id()).map_err(|error| io("write", error))?;
        Ok(Self { _file: file })
    }
}

/// Reads the holder's process number; a holder that has not written it yet stays unknown.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
