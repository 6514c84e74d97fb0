//! What the block store keeps beside the database: blocks on their way in, blocks lately read, the quota.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use fjall::Readable;
use icn_types::{Cid, Duration, Timestamp};

use super::files::Files;
use super::{Block, BlockStats, INLINE_BYTES_MAX};
use crate::batch::Batch;
use crate::engine::{BLOCKS_TABLE, Engine};
use crate::options::Clock;
use crate::{OpenOptions, StoreError};

/// Full: the times of reading are written to the table of blocks and forgotten here.
const TOUCHED_MAX: usize = 8_192;

/// A row of the table of blocks.
///
/// Layout: 1 byte where (0 inline, 1 file), 8 bytes size, 8 bytes time of putting, 8 bytes time of last reading; the
/// times in Unix milliseconds, all big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) in_file: bool,
    pub(crate) size: u64,
    pub(crate) put_at: Timestamp,
    pub(crate) used_at: Timestamp,
}

impl BlockRow {
    pub(crate) fn to_bytes(self) -> [u8; 25] {
        let mut bytes = [u8::from(self.in_file); 25];
        let numbers = [self.size, self.put_at.as_millis(), self.used_at.as_millis()];
        for (slot, number) in
            bytes.iter_mut().skip(1).zip(numbers.iter().flat_map(|number| number.to_be_bytes()))
        {
            *slot = number;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (place, numbers) = bytes.split_first()?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let [size, put_at, used_at] = *<&[[u8; 8]; 3]>::try_from(numbers).ok()?;
        let time = |bytes| Timestamp::from_millis(u64::from_be_bytes(bytes));
        (*place <= 1 && rest.is_empty()).then(|| Self {
            in_file: *place == 1,
            size: u64::from_be_bytes(size),
            put_at: time(put_at),
            used_at: time(used_at),
        })
    }
}

/// A block that a batch will make visible: its row, its bytes when they are not in a file, and its claim.
pub(crate) struct Staged {
    pub(crate) row: BlockRow,
    pub(crate) inline: Option<Bytes>,
    _claim: Claim,
}

impl Staged {
    pub(crate) fn inline_len(&self) -> usize {
        self.inline.as_ref().map_or(0, Bytes::len)
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row.fmt(f)
    }
}

/// Keeps a block that is not visible yet from being swept, and its bytes counted against the quota.
struct Claim {
    state: Arc<BlocksState>,
    cid: Cid,
    size: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut staged = self.state.staged();
        if let Some(count) = staged.get_mut(&self.cid) {
            *count -= 1;
            if *count == 0 {
                staged.remove(&self.cid);
            }
        }
        self.state.reserved.fetch_sub(self.size, Ordering::AcqRel);
    }
}

/// While it lives, files of removed blocks stay.
pub(crate) struct KeepFiles<'a>(&'a BlocksState);

impl Drop for KeepFiles<'_> {
    fn drop(&mut self) {
        self.0.copying.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(crate) struct BlocksState {
    pub(super) engine: Arc<Engine>,
    pub(super) files: Files,
    bytes_max: u64,
    pub(super) keep: Duration,
    pub(super) clock: Clock,
    /// Putting holds it shared while it looks for a block and claims it; removing holds it alone.
    gate: RwLock<()>,
    staged: Mutex<HashMap<Cid, u32>>,
    touched: Mutex<HashMap<Cid, Timestamp>>,
    reserved: AtomicU64,
    damaged: AtomicU64,
    /// Backups under way: while there are any, no file is removed.
    copying: AtomicU64,
    /// When a collection last made too little room, and the pins that it saw.
    pub(super) fruitless: Mutex<Option<(Timestamp, u64)>>,
}

impl BlocksState {
    pub(crate) fn open(engine: Arc<Engine>, options: &OpenOptions) -> Result<Self, StoreError> {
        Ok(Self {
            files: Files::open(&engine.dir)?,
            engine,
            bytes_max: options.blocks_bytes_max,
            keep: options.blocks_keep,
            clock: Arc::clone(&options.clock),
            gate: RwLock::new(()),
            staged: Mutex::new(HashMap::new()),
            touched: Mutex::new(HashMap::new()),
            reserved: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            copying: AtomicU64::new(0),
            fruitless: Mutex::new(None),
        })
    }

    fn staged(&self) -> MutexGuard<'_, HashMap<Cid, u32>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touched(&self) -> MutexGuard<'_, HashMap<Cid, Timestamp>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the database and keeps the files of all blocks that it names then, until the guard is dropped.
    pub(crate) fn keep_files<T>(&self, look: impl FnOnce() -> T) -> (KeepFiles<'_>, T) {
        let _alone = self.hold_alone();
        self.copying.fetch_add(1, Ordering::AcqRel);
        (KeepFiles(self), look())
    }

    /// Waits until nothing is being removed.
    fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody looks for a block in order to rely on it.
    pub(super) fn hold_alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> BlockStats {
        BlockStats {
            blocks: self.engine.blocks.load(Ordering::Acquire),
            bytes: self.engine.blocks_bytes.load(Ordering::Acquire),
            bytes_max: self.bytes_max,
            damaged: self.damaged.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn row(&self, cid: &Cid) -> Result<Option<BlockRow>, StoreError> {
        let row = self.engine.rows.get(row_key(cid)).map_err(|error| self.engine.error("read", error))?;
        row.map(|row| self.engine.block_row(&row)).transpose()
    }

    /// Tells whether blocks fit the quota without a collection.
    pub(super) fn has_room_for(&self, blocks: &[Block]) -> bool {
        let bytes: u64 = blocks.iter().map(|block| block.bytes().len() as u64).sum();
        self.promised().saturating_add(bytes) <= self.bytes_max
    }

    /// Returns the bytes stored and on their way in.
    fn promised(&self) -> u64 {
        let stored = self.engine.blocks_bytes.load(Ordering::Acquire);
        stored.saturating_add(self.reserved.load(Ordering::Acquire))
    }

    /// Puts blocks into a batch; the files of large ones are durable on return.
    pub(super) fn stage(self: &Arc<Self>, batch: &mut Batch, blocks: Vec<Block>) -> Result<(), StoreError> {
        let mut claimed = Vec::with_capacity(blocks.len());
        for block in blocks {
            if let Some(claim) = self.claim(block.cid(), block.bytes().len() as u64)? {
                claimed.push((block, claim));
            }
        }
        self.make_room(claimed.iter().map(|(block, _)| block.bytes().len() as u64).sum())?;
        let large: Vec<_> =
            claimed.iter().map(|(block, _)| block).filter(|block| is_large(block.bytes().len())).collect();
        if !large.is_empty() {
            self.engine.check_room(large.iter().map(|block| block.bytes().len() as u64).sum())?;
            self.files.write(&large)?;
        }
        let now = (self.clock)();
        for (block, claim) in claimed {
            let size = block.bytes().len();
            let row = BlockRow { in_file: is_large(size), size: size as u64, put_at: now, used_at: now };
            let cid = block.cid();
            let inline = (!row.in_file).then(|| block.into_bytes());
            batch.put_block(cid, Staged { row, inline, _claim: claim });
        }
        Ok(())
    }

    /// Claims a block that is to be written, or marks it as just used when it is there already.
    fn claim(self: &Arc<Self>, cid: Cid, size: u64) -> Result<Option<Claim>, StoreError> {
        let _held = self.hold();
        if self.row(&cid)?.is_some() {
            self.touched().insert(cid, (self.clock)());
            return Ok(None);
        }
        *self.staged().entry(cid).or_insert(0) += 1;
        self.reserved.fetch_add(size, Ordering::AcqRel);
        Ok(Some(Claim { state: Arc::clone(self), cid, size }))
    }

    /// Checks the quota for bytes that are already reserved, collecting what may go.
    fn make_room(&self, needed: u64) -> Result<(), StoreError> {
        let over = |state: &Self| state.promised() > state.bytes_max;
        if needed == 0 || !over(self) {
            return Ok(());
        }
        let reserved = self.reserved.load(Ordering::Acquire);
        // A twentieth more than needed, so that a store at its quota does not collect for every block.
        let target = self.bytes_max.saturating_sub(reserved).saturating_sub(self.bytes_max / 20);
        self.collect_for_room(target)?;
        if over(self) {
            let used = self.promised().saturating_sub(needed);
            return Err(StoreError::Quota { used, needed, quota: self.bytes_max });
        }
        Ok(())
    }

    pub(crate) fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let bytes = self.read(cid)?;
        if bytes.is_some() {
            let full = {
                let mut touched = self.touched();
                touched.insert(*cid, (self.clock)());
                touched.len() > TOUCHED_MAX
            };
            if full {
                self.save_touched()?;
            }
        }
        Ok(bytes)
    }

    /// Reads and checks a block that has the row; nothing when its bytes are gone or changed.
    pub(crate) fn peek(
        &self,
        cid: &Cid,
        row: BlockRow,
        snapshot: Option<&fjall::Snapshot>,
    ) -> Result<Option<Bytes>, StoreError> {
        let bytes = if row.in_file {
            self.files.read(cid, row.size)?
        } else {
            let bytes = match snapshot {
                Some(snapshot) => snapshot.get(&self.engine.inline, cid.to_bytes()),
                None => self.engine.inline.get(cid.to_bytes()),
            };
            bytes.map_err(|error| self.engine.error("read", error))?.map(Bytes::from)
        };
        Ok(bytes.filter(|bytes| cid.verify(bytes).is_ok()))
    }

    /// Reads and checks a block; a damaged one is removed and missing.
    pub(crate) fn read(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let Some(row) = self.row(cid)? else { return Ok(None) };
        match self.peek(cid, row, None)? {
            Some(bytes) => Ok(Some(bytes)),
            // Removed between the two look-ups.
            _ if self.row(cid)?.is_none() => Ok(None),
            _ => {
                self.damaged.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%cid, "a block has changed on the disk; it is removed and must be fetched again");
                self.delete(cid)?;
                Ok(None)
            }
        }
    }

    pub(crate) fn delete(&self, cid: &Cid) -> Result<bool, StoreError> {
        let _alone = self.hold_alone();
        let Some(row) = self.row(cid)? else { return Ok(false) };
        let mut batch = Batch::new();
        batch.delete_block(*cid);
        self.engine.apply(batch)?;
        self.engine.sync()?;
        if row.in_file {
            self.remove_file(cid)?;
        }
        Ok(true)
    }

    /// Removes the file of a block that has no row, unless somebody is about to give it one. The gate is held alone.
    pub(super) fn remove_file(&self, cid: &Cid) -> Result<bool, StoreError> {
        let staged = self.staged();
        let copying = self.copying.load(Ordering::Acquire) > 0;
        if copying || staged.contains_key(cid) || self.row(cid)?.is_some() {
            return Ok(false);
        }
        self.files.remove(cid)?;
        Ok(true)
    }

    pub(super) fn is_staged(&self, cid: &Cid) -> bool {
        self.staged().contains_key(cid)
    }

    /// Returns when a block was last read, as far as the table of blocks does not know it yet.
    pub(super) fn last_touch(&self, cid: &Cid) -> Option<Timestamp> {
        self.touched().get(cid).copied()
    }

    /// Writes the times of reading to the table of blocks. Not synced: after a crash a block counts as read earlier.
    pub(crate) fn save_touched(&self) -> Result<(), StoreError> {
        let _held = self.hold();
        let touched = std::mem::take(&mut *self.touched());
        let mut batch = Batch::new();
        for (cid, used_at) in touched {
            if let Some(row) = self.row(&cid)?
                && used_at > row.used_at
            {
                batch.put_row(row_key(&cid), BlockRow { used_at, ..row }.to_bytes().to_vec());
            }
        }
        self.engine.apply_relaxed(batch)
    }
}

pub(super) fn row_key(cid: &Cid) -> Vec<u8> {
    [BLOCKS_TABLE, &cid.to_bytes()].concat()
}

const fn is_large(bytes: usize) -> bool {
    bytes > INLINE_BYTES_MAX
}
