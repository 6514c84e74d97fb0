//! Content by CID: adding, reading, and fetching what is not here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use icn_net::PeerId;
use icn_runtime::Blob;
use icn_store::unixfs::{Added, Builder, Reader, UnixFsError, Walk};
use icn_store::{Batch, Block, Blocks, StoreError};
use icn_types::{Cid, DAG_PB, RAW};

use crate::core::{Node, lock};

/// How many blocks of one file are asked for at once: 32 MiB of whole chunks.
const WINDOW: usize = 32;

/// How long a fetch goes on without a new block.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many bytes of blocks are written at once.
const WRITE_BYTES: usize = 8 * 1024 * 1024;

/// Why content cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// Nobody who was asked has it.
    #[error("the content `{cid}` cannot be fetched: {reason}")]
    Unavailable {
        /// The content.
        cid: Cid,
        /// What went wrong last.
        reason: String,
    },
    /// It is larger than whoever wants it allows.
    #[error("the content `{cid}` has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLarge {
        /// The content.
        cid: Cid,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// It is not a file, or its blocks contradict each other.
    #[error("the content `{cid}` is not a readable file")]
    NotAFile {
        /// The content.
        cid: Cid,
        /// What is wrong.
        #[source]
        source: UnixFsError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tells whether a CID names a file rather than some other block.
pub(crate) fn is_file(cid: &Cid) -> bool {
    matches!(cid.codec(), RAW | DAG_PB)
}

/// Stores a stream of bytes as a file and pins it. What it returns is durable.
pub(crate) async fn add(
    blocks: &Blocks,
    mut body: impl futures::Stream<Item = std::io::Result<Bytes>> + Unpin,
    pin: &str,
) -> Result<Added, AddError> {
    let mut builder = Builder::new();
    let mut ready: Vec<Block> = Vec::new();
    let mut waiting = 0;
    while let Some(piece) = body.next().await {
        for block in builder.push(&piece.map_err(AddError::Source)?) {
            waiting += block.bytes().len();
            ready.push(block);
        }
        if waiting >= WRITE_BYTES {
            blocks.put_many_async(std::mem::take(&mut ready)).await?;
            waiting = 0;
        }
    }
    let (added, last) = builder.finish();
    ready.extend(last);
    blocks.put_many_async(ready).await?;
    blocks.pin(&added.cid, pin)?;
    Ok(added)
}

/// Why content was not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    /// The one who sends it stopped in the middle.
    #[error("the content did not arrive whole")]
    Source(#[source] std::io::Error),
    /// It cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that a whole file is stored here and returns its length; what is missing is fetched, from `providers`
/// first. Fetching again goes on where it ended.
pub(crate) async fn fetch_file(
    node: &Node,
    root: Cid,
    providers: &[PeerId],
    bytes_max: u64,
) -> Result<u64, ContentError> {
    let not_a_file = |source| ContentError::NotAFile { cid: root, source };
    let mut walk = Walk::new(root);
    let mut writing = None;
    while !walk.is_done() {
        let mut wanted = Vec::new();
        while wanted.len() < WINDOW
            && let Some(cid) = walk.next_wanted()
        {
            // A leaf that is here need not be read; the root is, for its size.
            if cid != root && cid.codec() == RAW && node.blocks.has(&cid)? {
                walk.skip(&cid).map_err(not_a_file)?;
            } else if let Some(block) = node.blocks.get(&cid)? {
                walk.supply(&cid, &block).map_err(not_a_file)?;
            } else {
                wanted.push(cid);
            }
        }
        let fetched = fetch_blocks(node, wanted, providers).await?;
        for (cid, block) in &fetched {
            walk.supply(cid, block).map_err(not_a_file)?;
        }
        // These are written while the next ones are on their way.
        written(writing.replace(store(node, fetched)?)).await?;
        if let Some(bytes) = walk.file_size().filter(|bytes| *bytes > bytes_max) {
            return Err(ContentError::TooLarge { cid: root, bytes, bytes_max });
        }
    }
    written(writing).await?;
    Ok(walk.file_size().unwrap_or(0))
}

type Writing = tokio::task::JoinHandle<Result<(), StoreError>>;

/// Begins to write fetched blocks. They are durable with the next commit: what relies on them comes after them, and what
/// is lost before can be fetched again.
fn store(node: &Node, fetched: Vec<(Cid, Bytes)>) -> Result<Writing, StoreError> {
    let blocks =
        fetched.into_iter().map(|(cid, bytes)| Block::check(cid, bytes)).collect::<Result<Vec<_>, _>>()?;
    let (store, db) = (node.blocks.clone(), node.db.clone());
    Ok(tokio::task::spawn_blocking(move || {
        let mut batch = Batch::new();
        store.put_in(&mut batch, blocks)?;
        db.commit_relaxed(batch)
    }))
}

async fn written(writing: Option<Writing>) -> Result<(), StoreError> {
    match writing {
        Some(writing) => writing.await.unwrap_or(Err(StoreError::Closed)),
        None => Ok(()),
    }
}

/// Fetches blocks, checked against their names.
async fn fetch_blocks(
    node: &Node,
    wanted: Vec<Cid>,
    providers: &[PeerId],
) -> Result<Vec<(Cid, Bytes)>, ContentError> {
    let Some(first) = wanted.first().copied() else { return Ok(Vec::new()) };
    let count = wanted.len();
    let mut blocks = node.net.fetch(wanted, providers.to_vec(), PATIENCE);
    let mut fetched = Vec::new();
    while fetched.len() < count {
        let unavailable = |cid, reason| ContentError::Unavailable { cid, reason };
        match blocks.recv().await {
            Some(Ok(block)) => fetched.push(block),
            Some(Err(error)) => return Err(unavailable(first, error.to_string())),
            None => return Err(unavailable(first, "the network was shut down".into())),
        }
    }
    Ok(fetched)
}

/// Returns one block, from here or from the network; what was fetched is stored.
pub(crate) async fn block(node: &Node, cid: Cid, providers: &[PeerId]) -> Result<Bytes, ContentError> {
    if let Some(bytes) = node.blocks.get(&cid)? {
        return Ok(bytes);
    }
    let fetched = fetch_blocks(node, vec![cid], providers).await?;
    let Some((_, bytes)) = fetched.first().cloned() else {
        return Err(ContentError::Unavailable { cid, reason: "nobody answered".into() });
    };
    written(Some(store(node, fetched)?)).await?;
    Ok(bytes)
}

/// A file of the store, read where the guest asks for it.
pub(crate) struct FileBlob {
    blocks: Blocks,
    reader: Mutex<Reader>,
    len: u64,
}

impl FileBlob {
    /// Opens a file whose blocks are all here.
    pub(crate) fn open(blocks: &Blocks, root: Cid) -> Result<Arc<Self>, UnixFsError> {
        let mut reader = Reader::new(root);
        let len = reader.file_size(blocks)?;
        Ok(Arc::new(Self { blocks: blocks.clone(), reader: Mutex::new(reader), len }))
    }
}

impl Blob for FileBlob {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        lock(&self.reader).read_at(offset, buffer, &self.blocks).map_err(std::io::Error::other)
    }
}

/// Reads a whole file whose blocks are all here.
pub(crate) fn read_file(blocks: &Blocks, root: Cid) -> Result<Bytes, UnixFsError> {
    let mut reader = Reader::new(root);
    let len = reader.file_size(blocks)?;
    let first = reader.chunk_at(0, blocks)?;
    if first.len() as u64 == len {
        return Ok(first);
    }
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len {
        bytes.extend_from_slice(&reader.chunk_at(bytes.len() as u64, blocks)?);
    }
    Ok(bytes.into())
}

/// Cuts bytes that are in memory into the blocks of a file.
pub(crate) fn blocks_of(bytes: &[u8]) -> (Cid, Vec<Block>) {
    let mut builder = Builder::new();
    let mut blocks = builder.push(bytes);
    let (added, last) = builder.finish();
    blocks.extend(last);
    (added.cid, blocks)
}
