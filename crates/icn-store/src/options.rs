//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use icn_types::{Duration, Timestamp};

use crate::{Batch, Database, StoreError};

/// Where the store reads the time from: blocks remember when they were put and last read.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Brings the rows from schema `from` to schema `to`.
///
/// It reads the database and puts its changes into the batch, which is committed together with the new schema number:
/// either the whole migration happened or nothing of it. A migration too large for one batch may commit on its own, if
/// it can be run again after a crash.
pub type Migrate = fn(database: &Database, from: u32, to: u32, batch: &mut Batch) -> Result<(), StoreError>;

/// How a store is opened; [`OpenOptions::default`] suits a node.
#[derive(Clone)]
pub struct OpenOptions {
    /// The schema that this program writes; 1 by default.
    pub schema: u32,
    /// How older data is brought to `schema`; without it older data is refused.
    pub migrate: Option<Migrate>,
    /// The largest sum of block sizes, in bytes; unlimited by default.
    pub blocks_bytes_max: u64,
    /// How long after being put or read a block is safe from collection; ten minutes by default, enough to pin it.
    pub blocks_keep: Duration,
    /// Writes stop with [`StoreError::Full`] when the disk has less room than this, in bytes; 16 MiB by default, so
    /// that what was accepted can still be flushed and compacted.
    pub free_bytes_min: u64,
    /// Memory for cached rows, in bytes; 4 MiB by default.
    pub cache_bytes: u64,
    /// Memory for rows not yet in a sorted file, for each of the two keyspaces, in bytes; 4 MiB by default.
    pub memtable_bytes: u64,
    /// Where the time comes from; the system clock by default.
    pub clock: Clock,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            schema: 1,
            migrate: None,
            blocks_bytes_max: u64::MAX,
            blocks_keep: Duration::from_secs(600),
            free_bytes_min: 16 * 1024 * 1024,
            cache_bytes: 4 * 1024 * 1024,
            memtable_bytes: 4 * 1024 * 1024,
            clock: Arc::new(system_time),
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("schema", &self.schema)
            .field("migrates", &self.migrate.is_some())
            .field("blocks_bytes_max", &self.blocks_bytes_max)
            .field("blocks_keep", &self.blocks_keep)
            .field("free_bytes_min", &self.free_bytes_min)
            .finish_non_exhaustive()
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
