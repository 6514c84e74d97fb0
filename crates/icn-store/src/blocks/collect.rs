//! Garbage collection: what no pin keeps goes, least recently used first.

use std::collections::BinaryHeap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use icn_types::{Cid, Duration, Timestamp};

use super::state::BlocksState;
use crate::StoreError;
use crate::batch::Batch;
use crate::engine::BLOCKS_TABLE;

/// How many of the oldest blocks one round remembers.
const ROUND_MAX: usize = 16_384;
/// How many blocks are removed while putting waits.
const STEP: usize = 128;
/// A collection that made too little room is not repeated for this long, unless a pin changed.
const FRUITLESS: Duration = Duration::from_secs(5);

/// What a collection removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// The number of blocks removed.
    pub blocks: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
    /// Files removed that belonged to no block.
    pub orphans: u64,
}

/// A block that may go; the heap gives the most recently used first, so that it can be pushed out by an older one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    used_at: Timestamp,
    cid: Cid,
    size: u64,
    in_file: bool,
}

impl BlocksState {
    /// Collects and sweeps.
    pub(super) fn collect(&self, now: Timestamp, bytes_target: u64) -> Result<Collected, StoreError> {
        let mut collected = self.collect_blocks(now, bytes_target)?;
        for cids in self.files.list() {
            for step in cids?.chunks(STEP) {
                let _alone = self.hold_alone();
                for cid in step {
                    collected.orphans += u64::from(self.remove_file(cid)?);
                }
            }
        }
        Ok(collected)
    }

    /// Collects because a block needs room; not again at once when the last time was in vain.
    pub(super) fn collect_for_room(&self, bytes_target: u64) -> Result<(), StoreError> {
        let mut fruitless = self.fruitless.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        let pins_epoch = self.engine.pins_epoch.load(Ordering::Acquire);
        if fruitless.is_some_and(|(at, epoch)| epoch == pins_epoch && now.since(at) < FRUITLESS && now >= at)
        {
            return Ok(());
        }
        let collected = self.collect_blocks(now, bytes_target)?;
        tracing::info!(blocks = collected.blocks, bytes = collected.bytes, "made room for new blocks");
        let in_vain = self.engine.blocks_bytes.load(Ordering::Acquire) > bytes_target;
        *fruitless = in_vain.then_some((now, pins_epoch));
        Ok(())
    }

    fn collect_blocks(&self, now: Timestamp, bytes_target: u64) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        self.save_touched()?;
        while self.engine.blocks_bytes.load(Ordering::Acquire) > bytes_target {
            let pins_epoch = self.engine.pins_epoch.load(Ordering::Acquire);
            let candidates = self.candidates(now)?;
            let before = collected.blocks;
            for step in candidates.chunks(STEP) {
                // A new pin may keep what was chosen before it.
                if !self.remove_step(step, now, bytes_target, pins_epoch, &mut collected)? {
                    break;
                }
            }
            if collected.blocks == before && self.engine.pins_epoch.load(Ordering::Acquire) == pins_epoch {
                break;
            }
        }
        Ok(collected)
    }

    /// Returns the oldest blocks that no pin keeps and that are old enough, oldest first.
    fn candidates(&self, now: Timestamp) -> Result<Vec<Candidate>, StoreError> {
        let pinned = self.pinned()?;
        let mut oldest = BinaryHeap::new();
        for row in self.engine.rows.prefix(BLOCKS_TABLE) {
            let (key, value) = row.into_inner().map_err(|error| self.engine.error("read", error))?;
            let row = self.engine.block_row(&value)?;
            let Some(cid) = key.strip_prefix(BLOCKS_TABLE).and_then(|cid| Cid::from_bytes(cid).ok()) else {
                continue;
            };
            let used_at = row.used_at.max(row.put_at);
            if pinned.contains(&cid) || now.since(used_at) < self.keep {
                continue;
            }
            oldest.push(Candidate { used_at, cid, size: row.size, in_file: row.in_file });
            if oldest.len() > ROUND_MAX {
                oldest.pop();
            }
        }
        Ok(oldest.into_sorted_vec())
    }

    /// Removes some candidates; tells whether it makes sense to go on with the next.
    fn remove_step(
        &self,
        step: &[Candidate],
        now: Timestamp,
        bytes_target: u64,
        pins_epoch: u64,
        collected: &mut Collected,
    ) -> Result<bool, StoreError> {
        let _alone = self.hold_alone();
        let mut left = self.engine.blocks_bytes.load(Ordering::Acquire);
        let mut batch = Batch::new();
        let mut gone = Vec::new();
        for candidate in step {
            let fresh = |at: Timestamp| now.since(at) < self.keep;
            if self.is_staged(&candidate.cid) || self.last_touch(&candidate.cid).is_some_and(fresh) {
                continue;
            }
            if left <= bytes_target {
                break;
            }
            left = left.saturating_sub(candidate.size);
            batch.delete_block(candidate.cid);
            gone.push(candidate);
        }
        if !self.engine.apply_unless_pinned(batch, pins_epoch)? {
            return Ok(false);
        }
        // Rows first and durable: a row without its file would be a damaged block.
        self.engine.sync()?;
        for candidate in gone {
            collected.blocks += 1;
            collected.bytes += candidate.size;
            if candidate.in_file {
                self.remove_file(&candidate.cid)?;
            }
        }
        Ok(left > bytes_target)
    }
}
