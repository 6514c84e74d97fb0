//! The node's disk.
//!
//! One embedded database with typed tables ([`Database`], [`Table`]) and atomic batches ([`Batch`]) whose writers share
//! one sync (*group commit*); a store of content-addressed blocks with pins, a quota and garbage collection ([`Blocks`]);
//! and files as UnixFS graphs of such blocks ([`unixfs`]). What a commit has answered is on the disk: it survives a
//! killed process and a lost power supply. This crate never decides what is worth keeping; callers pin and delete.
//!
//! The choice of backend and its figures are in `docs/adr/0001-embedded-database.md`. UnixFS follows the profile
//! `unixfs-v1-2025` of IPIP-499 (`docs/protocol.md`, section 4).

mod backup;
mod batch;
mod blocks;
mod database;
mod engine;
mod error;
mod key;
mod lock;
mod options;
mod queue;
mod table;
pub mod unixfs;
mod writer;

pub use crate::backup::Restored;
pub use crate::batch::Batch;
pub use crate::blocks::{Block, BlockStats, Blocks, Collected, INLINE_BYTES_MAX, Pin};
pub use crate::database::{Database, Snapshot};
pub use crate::error::StoreError;
pub use crate::key::{KEY_BYTES_MAX, Key};
pub use crate::options::{Clock, Migrate, OpenOptions};
pub use crate::table::{Rows, Table};
