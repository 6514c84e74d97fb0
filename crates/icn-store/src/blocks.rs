//! Content-addressed blocks: verified on the way in and on the way out.
//!
//! Blocks up to [`INLINE_BYTES_MAX`] live in the database and share its group commit. Larger ones are files of their
//! own, named by CID: written once instead of twice (journal and sorted file), never held in a memtable, and synced in
//! parallel. A block exists when the table of blocks says so; a file without a row is an orphan and is swept.

mod collect;
mod files;
mod pins;
mod state;

use std::fmt;

use bytes::Bytes;
use icn_types::{BLOCK_BYTES_MAX, Cid, Timestamp};

pub use self::collect::Collected;
pub use self::pins::Pin;
pub(crate) use self::state::{BlockRow, BlocksState, Staged};
use crate::{Batch, Database, StoreError};

/// The largest block that is kept as a row, in bytes. A larger one is a file: below this the second round of syncs that a
/// file needs costs more than writing the bytes twice (`cargo run --release -p icn-store --example backend`).
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes with the name that they are known to have.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    bytes: Bytes,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid, self.bytes.len())
    }
}

impl Block {
    /// Names bytes by SHA-256 under a codec.
    #[must_use]
    pub fn of(codec: u64, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { cid: Cid::of(codec, &bytes), bytes }
    }

    /// Takes bytes that somebody else named, after checking the name.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongBlock`].
    pub fn check(cid: Cid, bytes: impl Into<Bytes>) -> Result<Self, StoreError> {
        let bytes = bytes.into();
        cid.verify(&bytes).map_err(StoreError::WrongBlock)?;
        Ok(Self { cid, bytes })
    }

    /// Returns the name.
    #[must_use]
    pub const fn cid(&self) -> Cid {
        self.cid
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the bytes, giving up the name.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// How much is stored, and what was found broken since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockStats {
    /// The number of blocks.
    pub blocks: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
    /// The quota in bytes; `u64::MAX` is none.
    pub bytes_max: u64,
    /// Blocks whose bytes had changed on the disk; each was removed and counts as missing.
    pub damaged: u64,
}

/// The block store of a [`Database`].
#[derive(Clone, Debug)]
pub struct Blocks {
    database: Database,
}

impl Blocks {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    fn state(&self) -> &std::sync::Arc<BlocksState> {
        &self.database.inner.blocks
    }

    /// Returns the database that holds the blocks.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Stores bytes under their SHA-256 name and returns when they are durable.
    ///
    /// # Errors
    ///
    /// [`StoreError::BlockTooLarge`], [`StoreError::Quota`], [`StoreError::Full`], or as [`Database::commit`].
    pub fn put(&self, codec: u64, bytes: impl Into<Bytes>) -> Result<Cid, StoreError> {
        let block = Block::of(codec, bytes);
        let cid = block.cid;
        self.put_many(vec![block])?;
        Ok(cid)
    }

    /// Stores bytes under a name that somebody else gave them, after checking it.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongBlock`], and as [`Blocks::put`].
    pub fn put_as(&self, cid: Cid, bytes: impl Into<Bytes>) -> Result<(), StoreError> {
        self.put_many(vec![Block::check(cid, bytes)?])
    }

    /// Stores blocks, all or none, with one sync for all rows, and returns when they are durable.
    ///
    /// # Errors
    ///
    /// As [`Blocks::put`].
    pub fn put_many(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        self.put_in(&mut batch, blocks)?;
        if batch.is_empty() { Ok(()) } else { self.database.commit_blocking(batch) }
    }

    /// Stores blocks as [`Blocks::put_many`], without holding the thread.
    ///
    /// # Errors
    ///
    /// As [`Blocks::put`].
    pub async fn put_many_async(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        if blocks.iter().all(|block| block.bytes.len() <= INLINE_BYTES_MAX)
            && self.state().has_room_for(&blocks)
        {
            self.put_in(&mut batch, blocks)?;
        } else {
            let store = self.clone();
            batch = blocking(move || store.put_in(&mut batch, blocks).map(|()| batch)).await?;
        }
        if batch.is_empty() { Ok(()) } else { self.database.commit(batch).await }
    }

    /// Stores bytes as [`Blocks::put`], without holding the thread.
    ///
    /// # Errors
    ///
    /// As [`Blocks::put`].
    pub async fn put_async(&self, codec: u64, bytes: impl Into<Bytes>) -> Result<Cid, StoreError> {
        let block = Block::of(codec, bytes);
        let cid = block.cid;
        self.put_many_async(vec![block]).await?;
        Ok(cid)
    }

    /// Adds blocks to a batch, so that they appear together with its rows. Large blocks are written and synced here;
    /// when the batch is dropped instead of committed they are swept later.
    ///
    /// # Errors
    ///
    /// As [`Blocks::put`].
    pub fn put_in(&self, batch: &mut Batch, blocks: Vec<Block>) -> Result<(), StoreError> {
        for block in &blocks {
            let bytes = block.bytes.len();
            if bytes > BLOCK_BYTES_MAX {
                return Err(StoreError::BlockTooLarge { bytes, max: BLOCK_BYTES_MAX });
            }
        }
        self.state().stage(batch, blocks)
    }

    /// Reads a block and checks it against its name. A block whose bytes have changed is removed, logged, counted in
    /// [`BlockStats::damaged`], and missing from then on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Damaged`] when the disk cannot be read.
    pub fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        self.state().get(cid)
    }

    /// Reads a block as [`Blocks::get`], without holding the thread for a file.
    ///
    /// # Errors
    ///
    /// As [`Blocks::get`].
    pub async fn get_async(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        match self.size(cid)? {
            None => Ok(None),
            Some(size) if size <= INLINE_BYTES_MAX as u64 => self.get(cid),
            Some(_) => {
                let (store, cid) = (self.clone(), *cid);
                blocking(move || store.get(&cid)).await
            }
        }
    }

    /// Tells whether a block is there, without reading it.
    ///
    /// # Errors
    ///
    /// As [`Blocks::get`].
    pub fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.size(cid)?.is_some())
    }

    /// Returns the size of a block in bytes, without reading it.
    ///
    /// # Errors
    ///
    /// As [`Blocks::get`].
    pub fn size(&self, cid: &Cid) -> Result<Option<u64>, StoreError> {
        Ok(self.state().row(cid)?.map(|row| row.size))
    }

    /// Removes a block at once, pinned or not; tells whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn delete(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.state().delete(cid)
    }

    /// Pins the graph under `root` for a reason, durably: its blocks, also those that arrive later, are not collected.
    /// Links of DAG-PB are followed; a block of another codec pins itself alone. Each reason is a pin of its own.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn pin(&self, root: &Cid, reason: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        self.pin_in(&mut batch, root, reason);
        self.database.commit_blocking(batch)
    }

    /// Removes the pin of that reason, durably.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn unpin(&self, root: &Cid, reason: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        self.unpin_in(&mut batch, root, reason);
        self.database.commit_blocking(batch)
    }

    /// Pins as part of a batch. Reasons are cut at 1,024 bytes.
    pub fn pin_in(&self, batch: &mut Batch, root: &Cid, reason: &str) {
        batch.pins = true;
        batch.put_row(pins::pin_key(root, reason), Vec::new());
    }

    /// Removes a pin as part of a batch.
    pub fn unpin_in(&self, batch: &mut Batch, root: &Cid, reason: &str) {
        batch.pins = true;
        batch.delete_row(pins::pin_key(root, reason));
    }

    /// Returns all pins.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Damaged`].
    pub fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.state().pins()
    }

    /// Removes unpinned blocks, least recently used first, until `bytes_target` bytes are left or nothing more may go.
    /// Blocks put or read within [`crate::OpenOptions::blocks_keep`] before `now` stay. Also sweeps orphaned files.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn gc(&self, now: Timestamp, bytes_target: u64) -> Result<Collected, StoreError> {
        self.state().collect(now, bytes_target)
    }

    /// Returns how much is stored. Costs nothing.
    #[must_use]
    pub fn stats(&self) -> BlockStats {
        self.state().stats()
    }
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Closed))
}
