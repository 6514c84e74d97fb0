//! The embedded database (fjall) as this crate uses it: two keyspaces, applied batches, one sync for many.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use fjall::{Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::batch::{Batch, BlockChange};
use crate::blocks::BlockRow;
use crate::queue::Queue;
use crate::writer::Write;
use crate::{OpenOptions, StoreError};

/// Rows of all tables: the table's name as part of a key, then the row's key. One keyspace for all bounds memory and open files,
/// whatever the number of tables.
const ROWS: &str = "rows";
/// Bytes of small blocks by CID.
const INLINE: &str = "inline";
/// The table of blocks: CID to [`BlockRow`]. No text begins with `ff`, so callers cannot name it.
pub(crate) const BLOCKS_TABLE: &[u8] = b"\xffblocks\0\0";
/// The table of pins: root CID and reason to nothing.
pub(crate) const PINS_TABLE: &[u8] = b"\xffpins\0\0";
/// The table of facts about the store itself.
pub(crate) const META_TABLE: &[u8] = b"\xffmeta\0\0";

pub(crate) struct Engine {
    pub(crate) dir: PathBuf,
    pub(crate) db: fjall::Database,
    pub(crate) rows: Keyspace,
    pub(crate) inline: Keyspace,
    free_bytes_min: u64,
    /// Held while a batch is applied, so that counts and pins change in the order of the batches.
    applying: Mutex<()>,
    /// Held through a sync, so that nobody is told of a sync that still runs.
    syncing: Mutex<()>,
    unsynced: AtomicBool,
    /// Woken when something stays unsynced, so that the writer syncs it before long.
    queue: Arc<Queue<Write>>,
    failed: OnceLock<StoreError>,
    pub(crate) blocks: AtomicU64,
    pub(crate) blocks_bytes: AtomicU64,
    pub(crate) pins_epoch: AtomicU64,
}

impl Engine {
    /// Opens or creates the database in `dir/database`.
    pub(crate) fn open(
        dir: &Path,
        options: &OpenOptions,
        queue: Arc<Queue<Write>>,
    ) -> Result<Self, StoreError> {
        // The backend asserts where files are not as it left them; to an operator that is damage, not a crash.
        let opened = catch_unwind(AssertUnwindSafe(|| open_fjall(dir, options)));
        let (db, rows, inline) = match opened {
            Ok(opened) => opened.map_err(|error| StoreError::database("open", dir, error))?,
            Err(panic) => return Err(StoreError::Damaged { path: dir.into(), detail: panic_text(&*panic) }),
        };
        let engine = Self {
            dir: dir.into(),
            db,
            rows,
            inline,
            free_bytes_min: options.free_bytes_min,
            applying: Mutex::new(()),
            syncing: Mutex::new(()),
            unsynced: AtomicBool::new(false),
            queue,
            failed: OnceLock::new(),
            blocks: AtomicU64::new(0),
            blocks_bytes: AtomicU64::new(0),
            pins_epoch: AtomicU64::new(0),
        };
        engine.count_blocks()?;
        Ok(engine)
    }

    fn count_blocks(&self) -> Result<(), StoreError> {
        for row in self.rows.prefix(BLOCKS_TABLE) {
            let value = row.value().map_err(|error| self.error("read", error))?;
            self.blocks.fetch_add(1, Ordering::Relaxed);
            self.blocks_bytes.fetch_add(self.block_row(&value)?.size, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads a row of the table of blocks.
    pub(crate) fn block_row(&self, value: &[u8]) -> Result<BlockRow, StoreError> {
        BlockRow::from_bytes(value).ok_or_else(|| StoreError::Damaged {
            path: self.dir.clone(),
            detail: "a row of the table of blocks has another length".into(),
        })
    }

    pub(crate) fn error(&self, action: &'static str, error: fjall::Error) -> StoreError {
        StoreError::database(action, &self.dir, error)
    }

    fn applying(&self) -> MutexGuard<'_, ()> {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the failure after which nothing more may be written.
    fn check_failed(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            None => Ok(()),
            Some(full @ StoreError::Full { .. }) => Err(full.clone()),
            Some(other) => Err(StoreError::Stopped { cause: other.to_string() }),
        }
    }

    /// Remembers a failed write: what is on the disk is unknown from here on.
    fn fail(&self, action: &'static str, error: fjall::Error) -> StoreError {
        let error = self.error(action, error);
        tracing::error!(error = %error, "a write to the store failed; it stops until it is opened again");
        self.failed.get_or_init(|| error.clone());
        error
    }

    /// Checks that `bytes` more leave the disk the room that flushing and compacting need.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), StoreError> {
        // A filesystem that does not tell is written to until it refuses.
        let Ok(disk) = rustix::fs::statvfs(&self.dir) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.free_bytes_min.saturating_add(bytes) {
            return Err(StoreError::Full { path: self.dir.clone() });
        }
        Ok(())
    }

    /// Writes a batch: visible to readers on return, durable with the next sync, which the caller is about to make.
    pub(crate) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        {
            let _applying = self.applying();
            self.apply_held(batch, None)?;
        }
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }

    /// Writes a batch: visible to readers on return and safe from a killed process. The sync is left to the writer.
    pub(crate) fn apply_relaxed(&self, batch: Batch) -> Result<(), StoreError> {
        {
            let _applying = self.applying();
            self.apply_held(batch, Some(PersistMode::Buffer))?;
        }
        if !self.unsynced.swap(true, Ordering::AcqRel) {
            self.queue.nudge();
        }
        Ok(())
    }

    /// Applies a batch unless a pin changed since `pins_epoch` was read; tells whether it did.
    pub(crate) fn apply_unless_pinned(&self, batch: Batch, pins_epoch: u64) -> Result<bool, StoreError> {
        let _applying = self.applying();
        if self.pins_epoch.load(Ordering::Acquire) != pins_epoch {
            return Ok(false);
        }
        self.apply_held(batch, None)?;
        self.unsynced.store(true, Ordering::Release);
        Ok(true)
    }

    fn apply_held(&self, batch: Batch, durability: Option<PersistMode>) -> Result<(), StoreError> {
        self.check_failed()?;
        if batch.is_empty() {
            return Ok(());
        }
        if !batch.only_deletes() {
            self.check_room(batch.bytes() as u64)?;
        }
        let mut writes =
            fjall::OwnedWriteBatch::with_capacity(self.db.clone(), batch.len() + batch.blocks.len())
                .durability(durability);
        let (mut blocks, mut bytes) = (0_i64, 0_i64);
        for (cid, change) in &batch.blocks {
            let key = [BLOCKS_TABLE, &cid.to_bytes()].concat();
            let known = self.rows.get(&key).map_err(|error| self.error("read", error))?;
            match (change, known) {
                (BlockChange::Put(staged), None) => {
                    blocks += 1;
                    bytes += i64::try_from(staged.row.size).unwrap_or(0);
                    writes.insert(&self.rows, key, staged.row.to_bytes().to_vec());
                    if let Some(inline) = &staged.inline {
                        writes.insert(&self.inline, cid.to_bytes(), inline.clone());
                    }
                }
                (BlockChange::Delete, Some(row)) => {
                    let row = self.block_row(&row)?;
                    blocks -= 1;
                    bytes -= i64::try_from(row.size).unwrap_or(0);
                    writes.remove(&self.rows, key);
                    if !row.in_file {
                        writes.remove(&self.inline, cid.to_bytes());
                    }
                }
                (BlockChange::Put(_), Some(_)) | (BlockChange::Delete, None) => {}
            }
        }
        for (key, value) in batch.rows {
            match value {
                Some(value) => writes.insert(&self.rows, key, value),
                None => writes.remove(&self.rows, key),
            }
        }
        writes.commit().map_err(|error| self.fail("write", error))?;
        self.blocks.fetch_add_signed(blocks);
        self.blocks_bytes.fetch_add_signed(bytes);
        if batch.pins {
            self.pins_epoch.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Makes everything durable that was applied before the call.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.check_failed()?;
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.unsynced.swap(false, Ordering::AcqRel) {
            self.db.persist(PersistMode::SyncData).map_err(|error| self.fail("sync", error))?;
        }
        Ok(())
    }

    /// Tells whether something was applied that no sync covers.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.unsynced.load(Ordering::Acquire)
    }
}

/// Adds a difference to a count.
trait FetchAddSigned {
    fn fetch_add_signed(&self, difference: i64);
}

impl FetchAddSigned for AtomicU64 {
    fn fetch_add_signed(&self, difference: i64) {
        if difference >= 0 {
            self.fetch_add(difference.unsigned_abs(), Ordering::AcqRel);
        } else {
            self.fetch_sub(difference.unsigned_abs(), Ordering::AcqRel);
        }
    }
}

fn open_fjall(dir: &Path, options: &OpenOptions) -> fjall::Result<(fjall::Database, Keyspace, Keyspace)> {
    let db = fjall::Database::builder(dir.join("database"))
        .cache_size(options.cache_bytes)
        .worker_threads(1)
        .max_cached_files(Some(64))
        .max_journaling_size(64 * 1024 * 1024)
        .manual_journal_persist(true)
        .open()?;
    let keyspace = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(options.memtable_bytes)
            .manual_journal_persist(true)
    };
    let rows = db.keyspace(ROWS, keyspace)?;
    let inline = db.keyspace(INLINE, keyspace)?;
    Ok((db, rows, inline))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "the files are not as they were left".into())
}
