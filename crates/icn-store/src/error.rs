//! What can go wrong with a disk, said so that an operator knows the next step.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use icn_types::CidError;
use icn_types::codec::CodecError;

/// A failure of the store. Cloned to every writer whose batch shared the failed sync.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another handle of this one, holds the folder.
    ///
    /// Blame: the operator; two daemons were started on one data folder.
    #[error("`{}` is in use by {}: stop it, or choose another data folder", path.display(), holder(*.pid))]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, when it left its number.
        pid: Option<u32>,
    },
    /// The data was written by a newer program.
    ///
    /// Blame: the operator; an older program was started on the folder of a newer one.
    #[error("the data has schema {found}, but this program knows up to {known}: start the newer program")]
    Newer {
        /// The schema version in the folder.
        found: u32,
        /// The newest schema version that this program knows.
        known: u32,
    },
    /// The data is older than this program and no migration was given.
    ///
    /// Blame: us; the program must bring a migration along.
    #[error("the data has schema {found}, and this program cannot bring it to {known}")]
    NoMigration {
        /// The schema version in the folder.
        found: u32,
        /// The schema version that this program writes.
        known: u32,
    },
    /// The files on the disk are not what was written.
    ///
    /// Blame: the disk, or whoever edited the files.
    #[error("the data in `{}` is damaged ({detail}): restore a backup into an empty folder", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The disk has no room left.
    ///
    /// Blame: the operator. Nothing of the batch was kept.
    #[error("the disk under `{}` is full: free some space, then try again (restart the node if this repeats)", path.display())]
    Full {
        /// The folder.
        path: PathBuf,
    },
    /// The block store has reached its quota and nothing more can be collected.
    ///
    /// Blame: none; the quota is the operator's choice.
    #[error(
        "storing {needed} bytes would pass the quota: {used} of {quota} bytes are in use and pinned or recent; unpin something or raise the quota"
    )]
    Quota {
        /// Bytes in use.
        used: u64,
        /// Bytes that were to be added.
        needed: u64,
        /// The quota in bytes.
        quota: u64,
    },
    /// An earlier write failed, so nothing more is written until the store is opened anew.
    ///
    /// Blame: the disk. After a failed sync nobody knows what is on the disk; only a restart reads it back.
    #[error("the store stopped after a failed write ({cause}): restart the node")]
    Stopped {
        /// What failed first.
        cause: String,
    },
    /// The database was closed while the write waited.
    #[error("the store is closed")]
    Closed,
    /// The operating system refused an operation on a file.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: Arc<io::Error>,
    },
    /// A value cannot be written as DAG-CBOR.
    #[error("a value for table `{table}` cannot be stored")]
    Encode {
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// A row is not of the type that the program reads it as.
    #[error("a row of table `{table}` cannot be read: was a migration forgotten?")]
    Decode {
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// A key, together with its table's name, is longer than [`crate::KEY_BYTES_MAX`].
    #[error("a key for table `{table}` is longer than {} bytes", crate::KEY_BYTES_MAX)]
    KeyTooLong {
        /// The table.
        table: String,
    },
    /// A block is larger than a block may be.
    #[error("a block of {bytes} bytes is larger than {max}: split the content into chunks")]
    BlockTooLarge {
        /// The length of the block in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The bytes are not those that the CID names.
    ///
    /// Blame: the sender of the block.
    #[error("the block was not stored")]
    WrongBlock(#[source] CidError),
    /// A folder that must be empty is not.
    #[error("`{}` is not empty: restore into an empty folder", .0.display())]
    NotEmpty(PathBuf),
    /// A backup cannot be read.
    ///
    /// Blame: whoever kept or moved the backup.
    #[error("the backup is not usable: {0}")]
    Backup(String),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

impl StoreError {
    /// Wraps a refusal of the operating system; a full disk becomes [`StoreError::Full`].
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        if is_full(&source) {
            Self::Full { path }
        } else {
            Self::Io { action, path, source: Arc::new(source) }
        }
    }

    /// Wraps a failure of the embedded database under the folder `path`.
    pub(crate) fn database(action: &'static str, path: impl Into<PathBuf>, error: fjall::Error) -> Self {
        use fjall::{Error, LsmError};
        let path = path.into();
        if let Error::Io(source) | Error::Storage(LsmError::Io(source)) = error {
            return Self::io(action, path, source);
        }
        if matches!(error, Error::Locked) {
            return Self::Locked { path, pid: None };
        }
        if matches!(error, Error::Poisoned) {
            return Self::Stopped { cause: "an earlier write or sync failed".into() };
        }
        Self::Damaged { path, detail: error.to_string() }
    }

    /// Tells whether the failure is for want of room: a full disk or the quota.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Quota { .. })
    }
}

/// Tells whether the system refused for want of room: no space, or the user's disk quota.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_full_wherever_it_shows() {
        for code in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let refusal = || io::Error::from_raw_os_error(code.raw_os_error());
            assert!(StoreError::io("write", "/x", refusal()).is_full());
            let nested = fjall::Error::Storage(fjall::LsmError::Io(refusal()));
            assert!(matches!(StoreError::database("write", "/x", nested), StoreError::Full { .. }));
            let plain = fjall::Error::Io(refusal());
            assert!(matches!(StoreError::database("write", "/x", plain), StoreError::Full { .. }));
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!StoreError::io("write", "/x", denied).is_full());
    }

    #[test]
    fn messages_say_what_to_do() {
        let locked = StoreError::Locked { path: "/data".into(), pid: Some(7) };
        assert_eq!(
            locked.to_string(),
            "`/data` is in use by process 7: stop it, or choose another data folder"
        );
        let newer = StoreError::Newer { found: 3, known: 2 };
        assert_eq!(
            newer.to_string(),
            "the data has schema 3, but this program knows up to 2: start the newer program"
        );
    }
}
