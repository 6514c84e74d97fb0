//! Files as graphs of blocks: UnixFS over DAG-PB.
//!
//! [`Builder`] writes the profile `unixfs-v1-2025` of IPIP-499: CIDv1, SHA-256, raw leaves, 1 MiB chunks, balanced
//! layout, 1,024 links a node. [`Reader`] and [`Walk`] read any valid layout of a file: other arities and depths, leaves
//! that are DAG-PB, data in inner nodes. All three are pure: they ask for blocks and give blocks, and whoever drives
//! them has the disk or the network.

mod builder;
mod node;
mod proto;
mod reader;
mod walk;

use bytes::Bytes;
use icn_types::Cid;

pub use self::builder::{Added, Builder, CHUNK_BYTES, LINKS_MAX, add};
pub use self::node::{Child, Node, links, parse};
pub use self::reader::{GetBlock, Reader, Step};
pub use self::walk::{Walk, missing};
use crate::{Blocks, StoreError};

/// How deep a file's graph may be. The profile reaches an exabyte with six levels.
pub const DEPTH_MAX: usize = 32;

/// A graph that is no file, or no valid one.
///
/// Blame: whoever made the graph, but for [`UnixFsError::Missing`] and [`UnixFsError::Store`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnixFsError {
    /// The CID's codec is neither raw nor DAG-PB.
    #[error("`{cid}` is not a file but a block with codec 0x{:x}", cid.codec())]
    NotAFile {
        /// The block.
        cid: Cid,
    },
    /// A directory, symbolic link, or other kind of node that is no file.
    #[error("`{cid}` is not a file but {kind}")]
    OtherKind {
        /// The block.
        cid: Cid,
        /// What it is.
        kind: &'static str,
    },
    /// The block is not DAG-PB or not UnixFS.
    #[error("`{cid}` is not a readable UnixFS node: {detail}")]
    Unreadable {
        /// The block.
        cid: Cid,
        /// What is wrong.
        detail: String,
    },
    /// The sizes that the graph claims contradict each other.
    #[error("the sizes in `{cid}` contradict each other: {detail}")]
    Sizes {
        /// The block.
        cid: Cid,
        /// Which sizes.
        detail: String,
    },
    /// Deeper than [`DEPTH_MAX`].
    #[error("the file is nested deeper than {DEPTH_MAX} levels at `{cid}`")]
    TooDeep {
        /// The block at the limit.
        cid: Cid,
    },
    /// More blocks than the walk may name.
    #[error("the file has more than {max} blocks")]
    TooManyBlocks {
        /// The limit.
        max: usize,
    },
    /// A block that was given is not the one that was asked for.
    #[error("another block was given than the one that is needed")]
    NotAsked,
    /// A block is not here.
    #[error("block `{cid}` is missing")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// The block store failed.
    #[error("the block store cannot be read")]
    Store(#[source] Box<StoreError>),
}

impl From<StoreError> for UnixFsError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl GetBlock for Blocks {
    fn block(&self, cid: &Cid) -> Result<Bytes, UnixFsError> {
        self.get(cid)?.ok_or(UnixFsError::Missing { cid: *cid })
    }
}
