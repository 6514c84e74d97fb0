//! Which blocks a file is made of.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use icn_types::{Cid, RAW};

use super::node::parse;
use super::{DEPTH_MAX, UnixFsError};
use crate::Blocks;

/// The most blocks that one walk names: a file of a terabyte in the profile's layout has as many.
const BLOCKS_MAX: usize = 1_100_000;

/// Names every block of a file once, parents before children, so that a fetcher can ask for many at a time.
///
/// ```
/// # use icn_store::{Block, unixfs::{Builder, Walk}};
/// let (added, blocks) = Builder::new().finish();
/// let mut walk = Walk::new(added.cid);
/// while let Some(cid) = walk.next_wanted() {
///     let block = blocks.iter().find(|block| block.cid() == cid).unwrap();
///     walk.supply(&cid, block.bytes())?;
/// }
/// assert!(walk.is_done());
/// # Ok::<(), icn_store::unixfs::UnixFsError>(())
/// ```
#[derive(Debug)]
pub struct Walk {
    seen: HashSet<Cid>,
    queue: VecDeque<Visit>,
    /// Named by `next_wanted` and not supplied yet.
    asked: HashMap<Cid, Visit>,
    file_size: Option<u64>,
    blocks_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Visit {
    cid: Cid,
    depth: usize,
    size: Option<u64>,
}

impl Walk {
    /// Begins at a file's root.
    #[must_use]
    pub fn new(root: Cid) -> Self {
        Self::with_blocks_max(root, BLOCKS_MAX)
    }

    /// Begins at a file's root and names at most that many blocks.
    #[must_use]
    pub fn with_blocks_max(root: Cid, blocks_max: usize) -> Self {
        Self {
            seen: HashSet::from([root]),
            queue: VecDeque::from([Visit { cid: root, depth: 1, size: None }]),
            asked: HashMap::new(),
            file_size: None,
            blocks_max,
        }
    }

    /// Names a block that is needed and was not named before; nothing when all that are known were named.
    pub fn next_wanted(&mut self) -> Option<Cid> {
        let visit = self.queue.pop_front()?;
        self.asked.insert(visit.cid, visit);
        Some(visit.cid)
    }

    /// Takes a block that was named, in any order.
    ///
    /// # Errors
    ///
    /// [`UnixFsError::NotAsked`], [`UnixFsError::TooDeep`], [`UnixFsError::TooManyBlocks`], [`UnixFsError::Sizes`], and
    /// as [`parse`].
    pub fn supply(&mut self, cid: &Cid, block: &Bytes) -> Result<(), UnixFsError> {
        let visit = self.take_asked(cid)?;
        let node = parse(cid, block)?;
        if let Some(size) = visit.size.filter(|size| *size != node.file_size) {
            let detail = format!("it has {} bytes, its parent says {size}", node.file_size);
            return Err(UnixFsError::Sizes { cid: *cid, detail });
        }
        self.file_size.get_or_insert(node.file_size);
        for child in node.children {
            if !self.seen.insert(child.cid) {
                continue;
            }
            if visit.depth >= DEPTH_MAX {
                return Err(UnixFsError::TooDeep { cid: child.cid });
            }
            if self.seen.len() > self.blocks_max {
                return Err(UnixFsError::TooManyBlocks { max: self.blocks_max });
            }
            self.queue.push_back(Visit { cid: child.cid, depth: visit.depth + 1, size: Some(child.size) });
        }
        Ok(())
    }

    /// Says that a raw leaf that was named is already here and need not be read.
    ///
    /// # Errors
    ///
    /// [`UnixFsError::NotAsked`].
    pub fn skip(&mut self, cid: &Cid) -> Result<(), UnixFsError> {
        self.take_asked(cid).map(drop)
    }

    fn take_asked(&mut self, cid: &Cid) -> Result<Visit, UnixFsError> {
        self.asked.remove(cid).ok_or(UnixFsError::NotAsked)
    }

    /// Returns the file's length in bytes as the root claims, once the root was supplied.
    #[must_use]
    pub const fn file_size(&self) -> Option<u64> {
        self.file_size
    }

    /// Tells whether every block was named and supplied.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.queue.is_empty() && self.asked.is_empty()
    }
}

/// Names up to `limit` blocks of a file that are not in the store, as far as what is there tells. None means that the
/// file is complete. Leaves are looked up, not read.
///
/// # Errors
///
/// As [`Walk::supply`], and [`UnixFsError::Store`].
pub fn missing(blocks: &Blocks, root: &Cid, limit: usize) -> Result<Vec<Cid>, UnixFsError> {
    let mut walk = Walk::new(*root);
    let mut missing = Vec::new();
    while missing.len() < limit
        && let Some(cid) = walk.next_wanted()
    {
        if cid.codec() == RAW && blocks.has(&cid)? {
            walk.skip(&cid)?;
        } else if let Some(block) = blocks.get(&cid)? {
            walk.supply(&cid, &block)?;
        } else {
            walk.skip(&cid)?;
            missing.push(cid);
        }
    }
    Ok(missing)
}
