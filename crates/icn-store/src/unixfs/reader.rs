//! Blocks to bytes, at any offset.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use icn_types::Cid;

use super::node::{Node, parse};
use super::{DEPTH_MAX, UnixFsError};

/// Where blocks come from at once, such as the block store or a map.
pub trait GetBlock {
    /// Returns the block, already checked against its name.
    ///
    /// # Errors
    ///
    /// [`UnixFsError::Missing`] when it is not here, [`UnixFsError::Store`] when it cannot be read.
    fn block(&self, cid: &Cid) -> Result<Bytes, UnixFsError>;
}

impl<G: GetBlock + ?Sized> GetBlock for &G {
    fn block(&self, cid: &Cid) -> Result<Bytes, UnixFsError> {
        (**self).block(cid)
    }
}

impl GetBlock for BTreeMap<Cid, Bytes> {
    fn block(&self, cid: &Cid) -> Result<Bytes, UnixFsError> {
        self.get(cid).cloned().ok_or(UnixFsError::Missing { cid: *cid })
    }
}

impl GetBlock for HashMap<Cid, Bytes> {
    fn block(&self, cid: &Cid) -> Result<Bytes, UnixFsError> {
        self.get(cid).cloned().ok_or(UnixFsError::Missing { cid: *cid })
    }
}

/// What stands at an offset of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This block must be given with [`Reader::supply`] before the answer is known.
    Need(Cid),
    /// Bytes of the file from the offset on, at least one, up to the end of their block.
    Data(Bytes),
    /// The file ends at or before the offset.
    End,
}

/// A position in a file. Keeps the blocks on the path from the root to the last read bytes, so that reading on from
/// there asks only for the next leaf.
///
/// A reader asks and is supplied: [`Reader::read_at`] drives it from a [`GetBlock`], a fetcher over the network calls
/// [`Reader::step`] and [`Reader::supply`] itself.
#[derive(Debug, Clone)]
pub struct Reader {
    root: Cid,
    path: Vec<Frame>,
    /// The block that was asked for last: what it is, where it begins, and how long its parent says it is.
    wanted: Option<(Cid, u64, Option<u64>)>,
}

#[derive(Debug, Clone)]
struct Frame {
    node: Node,
    /// The offset of the node's first byte in the file.
    start: u64,
    /// The offset after each child.
    ends: Vec<u64>,
}

impl Frame {
    fn new(node: Node, start: u64) -> Self {
        let mut end = start.saturating_add(node.data.len() as u64);
        let ends = node
            .children
            .iter()
            .map(|child| {
                end = end.saturating_add(child.size);
                end
            })
            .collect();
        Self { node, start, ends }
    }

    fn covers(&self, offset: u64) -> bool {
        offset >= self.start && offset - self.start < self.node.file_size
    }
}

impl Reader {
    /// Begins to read the file of that name. Nothing is asked for yet.
    #[must_use]
    pub const fn new(root: Cid) -> Self {
        Self { root, path: Vec::new(), wanted: None }
    }

    /// Returns the file's name.
    #[must_use]
    pub const fn root(&self) -> Cid {
        self.root
    }

    /// Returns the file's length in bytes as the root claims, once the root was supplied.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        self.path.first().map(|frame| frame.node.file_size)
    }

    /// Tells whether the file has no bytes, once the root was supplied.
    #[must_use]
    pub fn is_empty(&self) -> Option<bool> {
        self.len().map(|len| len == 0)
    }

    /// Looks at an offset.
    ///
    /// # Errors
    ///
    /// [`UnixFsError::TooDeep`].
    pub fn step(&mut self, offset: u64) -> Result<Step, UnixFsError> {
        let Some(root) = self.path.first() else { return Ok(self.want(self.root, 0, None)) };
        if offset >= root.node.file_size {
            return Ok(Step::End);
        }
        while self.path.len() > 1 && !self.path.last().is_some_and(|frame| frame.covers(offset)) {
            self.path.pop();
        }
        let Some(frame) = self.path.last() else { return Ok(Step::End) };
        let within = offset - frame.start;
        if within < frame.node.data.len() as u64 {
            // Less than the length of data that is in memory.
            return Ok(Step::Data(frame.node.data.slice(usize::try_from(within).unwrap_or(0)..)));
        }
        // The first child that ends after the offset; children without bytes are never asked for.
        let index = frame.ends.partition_point(|end| *end <= offset);
        let (Some(child), Some(end)) = (frame.node.children.get(index), frame.ends.get(index)) else {
            return Ok(Step::End);
        };
        if self.path.len() >= DEPTH_MAX {
            return Err(UnixFsError::TooDeep { cid: child.cid });
        }
        let (cid, size) = (child.cid, child.size);
        let start = end - size;
        Ok(self.want(cid, start, Some(size)))
    }

    fn want(&mut self, cid: Cid, start: u64, size: Option<u64>) -> Step {
        self.wanted = Some((cid, start, size));
        Step::Need(cid)
    }

    /// Gives the block that [`Reader::step`] asked for last. That the bytes are those of the CID is the caller's to
    /// check (the block store and [`crate::Block::check`] do).
    ///
    /// # Errors
    ///
    /// [`UnixFsError::NotAsked`]; [`UnixFsError::Sizes`] when the block is not as long as its parent claims; and as
    /// [`parse`].
    pub fn supply(&mut self, cid: &Cid, block: &Bytes) -> Result<(), UnixFsError> {
        let (wanted, start, size) = self.wanted.take().ok_or(UnixFsError::NotAsked)?;
        if wanted != *cid {
            return Err(UnixFsError::NotAsked);
        }
        let node = parse(cid, block)?;
        if let Some(size) = size.filter(|size| *size != node.file_size) {
            let detail = format!("it has {} bytes, its parent says {size}", node.file_size);
            return Err(UnixFsError::Sizes { cid: *cid, detail });
        }
        self.path.push(Frame::new(node, start));
        Ok(())
    }

    /// Returns the bytes from an offset to the end of their block without copying them; empty at the file's end.
    ///
    /// # Errors
    ///
    /// As [`GetBlock::block`], [`Reader::step`] and [`Reader::supply`].
    pub fn chunk_at(&mut self, offset: u64, blocks: &impl GetBlock) -> Result<Bytes, UnixFsError> {
        loop {
            match self.step(offset)? {
                Step::Data(bytes) => return Ok(bytes),
                Step::End => return Ok(Bytes::new()),
                Step::Need(cid) => {
                    let block = blocks.block(&cid)?;
                    self.supply(&cid, &block)?;
                }
            }
        }
    }

    /// Fills `buffer` with the bytes from an offset on and returns how many there were: less than asked only at the
    /// file's end.
    ///
    /// # Errors
    ///
    /// As [`Reader::chunk_at`].
    pub fn read_at(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        blocks: &impl GetBlock,
    ) -> Result<usize, UnixFsError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let Some(at) = offset.checked_add(filled as u64) else { break };
            let chunk = self.chunk_at(at, blocks)?;
            if chunk.is_empty() {
                break;
            }
            let len = chunk.len().min(rest.len());
            if let (Some(slots), Some(part)) = (rest.get_mut(..len), chunk.get(..len)) {
                slots.copy_from_slice(part);
            }
            filled += len;
        }
        Ok(filled)
    }

    /// Returns the file's length in bytes, reading the root when it was not read yet.
    ///
    /// # Errors
    ///
    /// As [`Reader::chunk_at`].
    pub fn file_size(&mut self, blocks: &impl GetBlock) -> Result<u64, UnixFsError> {
        self.chunk_at(u64::MAX, blocks)?;
        Ok(self.len().unwrap_or(0))
    }
}
