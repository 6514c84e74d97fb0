//! Bytes to blocks.

use std::io::Read;
use std::sync::mpsc;

use bytes::{Bytes, BytesMut};
use icn_types::{Cid, DAG_PB, RAW};

use super::node::{Child, inner_block};
use crate::{Block, Blocks, StoreError};

/// Bytes in a leaf (IPIP-499, `unixfs-v1-2025`).
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// Links in an inner node (IPIP-499, `unixfs-v1-2025`).
pub const LINKS_MAX: usize = 1_024;

/// How many bytes of blocks [`add`] writes at a time.
const GROUP_BYTES: usize = 8 * CHUNK_BYTES;

/// A file that became blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// The file's name.
    pub cid: Cid,
    /// The file's length in bytes.
    pub bytes: u64,
    /// The number of blocks that were emitted, repeated ones counted each time.
    pub blocks: u64,
}

/// Turns a stream of bytes into the blocks of a file, children before parents. Holds one chunk and, for each level, the
/// links of one node. How the stream is cut into pieces does not matter.
#[derive(Debug)]
#[must_use = "the file has no name until it is finished"]
pub struct Builder {
    chunk_bytes: usize,
    links_max: usize,
    chunk: BytesMut,
    /// For each level, lowest first, the nodes that have no parent yet, with their cumulative sizes.
    levels: Vec<Vec<(Child, u64)>>,
    bytes: u64,
    blocks: u64,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Starts a file in the profile of this network.
    pub fn new() -> Self {
        Self::with_layout(CHUNK_BYTES, LINKS_MAX)
    }

    /// Starts a file in another balanced layout. Chunks hold at least one byte and nodes at least two links.
    pub fn with_layout(chunk_bytes: usize, links_max: usize) -> Self {
        Self {
            chunk_bytes: chunk_bytes.max(1),
            links_max: links_max.max(2),
            chunk: BytesMut::new(),
            levels: vec![Vec::new()],
            bytes: 0,
            blocks: 0,
        }
    }

    /// Takes the next bytes and returns the blocks that they completed.
    #[must_use = "the blocks are not stored yet"]
    pub fn push(&mut self, mut piece: &[u8]) -> Vec<Block> {
        let mut blocks = Vec::new();
        while !piece.is_empty() {
            let (part, rest) = piece.split_at(piece.len().min(self.chunk_bytes - self.chunk.len()));
            piece = rest;
            if part.len() == self.chunk_bytes {
                self.leaf(Bytes::copy_from_slice(part), &mut blocks);
                continue;
            }
            if self.chunk.is_empty() && self.blocks > 0 {
                self.chunk.reserve(self.chunk_bytes);
            }
            self.chunk.extend_from_slice(part);
            if self.chunk.len() == self.chunk_bytes {
                let chunk = std::mem::take(&mut self.chunk).freeze();
                self.leaf(chunk, &mut blocks);
            }
        }
        blocks
    }

    /// Ends the file and returns its name with the last blocks, the root last.
    #[must_use = "the blocks are not stored yet"]
    pub fn finish(mut self) -> (Added, Vec<Block>) {
        let mut blocks = Vec::new();
        if !self.chunk.is_empty() || self.blocks == 0 {
            let chunk = std::mem::take(&mut self.chunk).freeze();
            self.leaf(chunk, &mut blocks);
        }
        let mut level = 0;
        let cid = loop {
            let top = level + 1 == self.levels.len();
            match self.levels.get(level).map(Vec::as_slice) {
                // The one node of the highest level is the root; a lone node of a lower one still needs its parent.
                Some([(root, _)]) if top => break root.cid,
                Some([_, ..]) => self.close(level, &mut blocks),
                _ => {}
            }
            level += 1;
        };
        (Added { cid, bytes: self.bytes, blocks: self.blocks }, blocks)
    }

    fn leaf(&mut self, chunk: Bytes, blocks: &mut Vec<Block>) {
        let size = chunk.len() as u64;
        self.bytes += size;
        let block = Block::of(RAW, chunk);
        self.emit(0, block, size, size, blocks);
    }

    /// Emits a block and notes it in its level; a full level gets its parent first.
    fn emit(&mut self, level: usize, block: Block, size: u64, tsize: u64, blocks: &mut Vec<Block>) {
        if self.levels.get(level).is_some_and(|nodes| nodes.len() >= self.links_max) {
            self.close(level, blocks);
        }
        let child = (Child { cid: block.cid(), size }, tsize);
        match self.levels.get_mut(level) {
            Some(nodes) => nodes.push(child),
            None => self.levels.push(vec![child]),
        }
        self.blocks += 1;
        blocks.push(block);
    }

    /// Gives the nodes of a level a parent in the level above.
    fn close(&mut self, level: usize, blocks: &mut Vec<Block>) {
        let children = self.levels.get_mut(level).map(std::mem::take).unwrap_or_default();
        let block = Block::of(DAG_PB, inner_block(&children));
        let size = children.iter().map(|(child, _)| child.size).sum();
        let below: u64 = children.iter().map(|(_, tsize)| tsize).sum();
        let tsize = below + block.bytes().len() as u64;
        // The block is emitted into the level above, whose own overflow is emitted before it.
        self.emit(level + 1, block, size, tsize, blocks);
    }
}

/// Reads a file to its end and stores it; every block is durable on return. Blocks the thread; hashes while a second
/// thread writes. Holds up to three groups of 8 MiB.
///
/// Pin the file soon: until then only its youth keeps its blocks from collection.
///
/// # Errors
///
/// [`StoreError::Io`] when the source cannot be read, and as [`Blocks::put_many`].
pub fn add(blocks: &Blocks, source: &mut impl Read) -> Result<Added, StoreError> {
    let (groups, waiting) = mpsc::sync_channel::<Vec<Block>>(1);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || waiting.into_iter().try_for_each(|group| blocks.put_many(group)));
        let added = build(source, &groups);
        drop(groups);
        // The writer's error comes first: when it stops, building has nowhere to put its blocks.
        writer.join().unwrap_or(Err(StoreError::Closed))?;
        added
    })
}

/// Reads a file to its end and hands its blocks on in groups.
fn build(source: &mut impl Read, groups: &mpsc::SyncSender<Vec<Block>>) -> Result<Added, StoreError> {
    let hand_on = |group: Vec<Block>| groups.send(group).map_err(|_| StoreError::Closed);
    let mut builder = Builder::new();
    let mut group = Vec::new();
    let mut group_bytes = 0;
    let mut piece = vec![0; CHUNK_BYTES];
    loop {
        let len = fill(source, &mut piece).map_err(|error| StoreError::io("read", "the source", error))?;
        if len == 0 {
            break;
        }
        for block in builder.push(piece.get(..len).unwrap_or_default()) {
            group_bytes += block.bytes().len();
            group.push(block);
        }
        if group_bytes >= GROUP_BYTES {
            hand_on(std::mem::take(&mut group))?;
            group_bytes = 0;
        }
    }
    let (added, last) = builder.finish();
    group.extend(last);
    hand_on(group)?;
    Ok(added)
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
