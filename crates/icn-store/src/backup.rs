//! A copy of everything, made while the store is open, that proves itself when it is read back.
//!
//! Layout: records, each 4 bytes big-endian length and that many bytes of strict DAG-CBOR. The first is
//! `{"icn-store-backup": 1}`. Then `{"row": [key, value]}` and `{"block": [cid, bytes]}` (all byte strings) in any
//! number, and at last `{"end": [count of rows and blocks, SHA-256 of every byte before this record]}`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fjall::Readable;
use icn_types::{BLOCK_BYTES_MAX, Cid, Value, codec};
use sha2::{Digest, Sha256};

use crate::batch::Batch;
use crate::database::sync_folder;
use crate::engine::BLOCKS_TABLE;
use crate::{Block, Database, OpenOptions, StoreError};

const VERSION: i128 = 1;
/// A block and its name, or a row: nothing longer is written, so nothing longer is read.
const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many bytes are committed at a time while restoring.
const RESTORE_BYTES: usize = 8 * 1024 * 1024;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// The number of rows of tables, pins among them.
    pub rows: u64,
    /// The number of blocks.
    pub blocks: u64,
    /// Blocks that were damaged on the disk when the backup was made, and are not in it.
    pub damaged: u64,
}

impl Database {
    /// Writes all tables, pins and blocks as they are at one moment, while others go on reading
    /// and writing. Files of blocks that are removed meanwhile go with the next [`crate::Blocks::gc`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Full`] when the writer refuses; [`StoreError::Damaged`].
    pub fn backup(&self, writer: &mut impl Write) -> Result<Restored, StoreError> {
        let state = &self.inner.blocks;
        let engine = &self.inner.engine;
        // Files of blocks that the snapshot names stay until they are copied, removed or not.
        let (_keeping, snapshot) = state.keep_files(|| engine.db.snapshot());
        let mut copy = Copy::new(writer)?;
        let mut copied = Restored::default();
        for row in snapshot.iter(&engine.rows) {
            let (key, value) = row.into_inner().map_err(|error| engine.error("read", error))?;
            let Some(cid) = key.strip_prefix(BLOCKS_TABLE) else {
                copy.record("row", pair(key.to_vec(), value.to_vec()))?;
                copied.rows += 1;
                continue;
            };
            let cid = Cid::from_bytes(cid).map_err(StoreError::WrongBlock)?;
            match state.peek(&cid, engine.block_row(&value)?, Some(&snapshot))? {
                Some(bytes) => {
                    copy.record("block", pair(cid.to_bytes(), bytes.to_vec()))?;
                    copied.blocks += 1;
                }
                None => {
                    tracing::error!(%cid, "a block has changed on the disk and is left out of the backup");
                    copied.damaged += 1;
                }
            }
        }
        copy.end(copied.rows + copied.blocks)?;
        Ok(copied)
    }

    /// Makes a store in `dir`, which must be empty or absent, from a backup. Everything is checked before the folder
    /// gets its name: a backup that is cut short or changed leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotEmpty`], [`StoreError::Backup`], and as [`Database::commit`].
    pub fn restore(dir: &Path, reader: &mut impl Read) -> Result<Restored, StoreError> {
        check_empty(dir)?;
        let unfinished = unfinished_path(dir)?;
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(|error| StoreError::io("remove", &unfinished, error))?;
        }
        let restored = fill(&unfinished, reader).and_then(|restored| {
            fs::rename(&unfinished, dir).map_err(|error| StoreError::io("create", dir, error))?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or_else(|| Path::new("."));
            sync_folder(parent).map_err(|error| StoreError::io("sync", parent, error))?;
            Ok(restored)
        });
        if restored.is_err() && unfinished.exists() {
            // The error that matters is the one before.
            drop(fs::remove_dir_all(&unfinished));
        }
        restored
    }
}

fn check_empty(dir: &Path) -> Result<(), StoreError> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StoreError::NotEmpty(dir.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io("read", dir, error)),
    }
}

/// Names the folder beside `dir` where a restored store grows.
fn unfinished_path(dir: &Path) -> Result<PathBuf, StoreError> {
    let name = dir.file_name().ok_or_else(|| {
        StoreError::io("create", dir, io::Error::new(io::ErrorKind::InvalidInput, "the folder has no name"))
    })?;
    let mut name = name.to_owned();
    name.push(".restoring");
    Ok(dir.with_file_name(name))
}

fn fill(dir: &Path, reader: &mut impl Read) -> Result<Restored, StoreError> {
    let database = Database::open_any_schema(dir, &OpenOptions::default())?;
    let blocks = database.blocks();
    let mut source = Source::new(reader)?;
    let mut restored = Restored::default();
    let (mut batch, mut ready, mut ready_bytes) = (Batch::new(), Vec::new(), 0);
    while let Some(record) = source.record()? {
        match record {
            Record::Row(key, value) => {
                restored.rows += 1;
                batch.put_row(key, value);
            }
            Record::Block(cid, bytes) => {
                restored.blocks += 1;
                ready_bytes += bytes.len();
                ready.push(Block::check(cid, bytes)?);
            }
        }
        if batch.bytes() + ready_bytes >= RESTORE_BYTES {
            blocks.put_in(&mut batch, std::mem::take(&mut ready))?;
            database.commit_blocking(std::mem::take(&mut batch))?;
            ready_bytes = 0;
        }
    }
    blocks.put_in(&mut batch, ready)?;
    database.commit_blocking(batch)?;
    if database.schema()?.is_none() {
        return Err(StoreError::Backup("it has no schema number".into()));
    }
    Ok(restored)
}

fn pair(first: Vec<u8>, second: Vec<u8>) -> Value {
    Value::List(vec![Value::Bytes(first), Value::Bytes(second)])
}

/// Writes records and hashes them.
struct Copy<'a, W> {
    writer: &'a mut W,
    hash: Sha256,
}

impl<'a, W: Write> Copy<'a, W> {
    fn new(writer: &'a mut W) -> Result<Self, StoreError> {
        let mut copy = Self { writer, hash: Sha256::new() };
        copy.record("icn-store-backup", Value::Integer(VERSION))?;
        Ok(copy)
    }

    fn record(&mut self, name: &str, value: Value) -> Result<(), StoreError> {
        let record = Value::Map(BTreeMap::from([(name.to_owned(), value)]));
        let bytes = codec::encode(&record).map_err(|error| StoreError::Backup(error.to_string()))?;
        let len = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= RECORD_BYTES_MAX);
        let len = len.ok_or_else(|| StoreError::Backup("a row is too long for it".into()))?.to_be_bytes();
        self.hash.update(len);
        self.hash.update(&bytes);
        let written = self.writer.write_all(&len).and_then(|()| self.writer.write_all(&bytes));
        written.map_err(|error| StoreError::io("write", "the backup", error))
    }

    fn end(mut self, count: u64) -> Result<(), StoreError> {
        let hash = Value::Bytes(self.hash.clone().finalize().to_vec());
        self.record("end", Value::List(vec![Value::Integer(i128::from(count)), hash]))?;
        self.writer.flush().map_err(|error| StoreError::io("write", "the backup", error))
    }
}

enum Record {
    Row(Vec<u8>, Vec<u8>),
    Block(Cid, Vec<u8>),
}

/// Reads records and hashes them.
struct Source<'a, R> {
    reader: &'a mut R,
    hash: Sha256,
    count: u64,
}

impl<'a, R: Read> Source<'a, R> {
    fn new(reader: &'a mut R) -> Result<Self, StoreError> {
        let mut source = Self { reader, hash: Sha256::new(), count: 0 };
        let (name, value) = source.read()?;
        match (name.as_str(), value) {
            ("icn-store-backup", Value::Integer(VERSION)) => Ok(source),
            ("icn-store-backup", Value::Integer(version)) => {
                Err(StoreError::Backup(format!("it has version {version}, this program reads {VERSION}")))
            }
            _ => Err(StoreError::Backup("it is not a backup of a store".into())),
        }
    }

    /// Reads the next row or block; nothing after an end that proves what came before.
    fn record(&mut self) -> Result<Option<Record>, StoreError> {
        let hash = self.hash.clone().finalize();
        let (name, value) = self.read()?;
        let Value::List(list) = value else { return Err(unknown(&name)) };
        let list = <[Value; 2]>::try_from(list).map_err(|_| unknown(&name))?;
        let record = match (name.as_str(), list) {
            ("row", [Value::Bytes(key), Value::Bytes(value)]) => {
                if key.starts_with(BLOCKS_TABLE) || key.is_empty() || key.len() > usize::from(u16::MAX) {
                    return Err(unknown(&name));
                }
                Record::Row(key, value)
            }
            ("block", [Value::Bytes(cid), Value::Bytes(bytes)]) if bytes.len() <= BLOCK_BYTES_MAX => {
                Record::Block(Cid::from_bytes(&cid).map_err(StoreError::WrongBlock)?, bytes)
            }
            ("end", [Value::Integer(count), Value::Bytes(said)]) => {
                if count != i128::from(self.count) || said != *hash {
                    return Err(StoreError::Backup("it was changed: its checksum is another".into()));
                }
                return self.expect_end().map(|()| None);
            }
            _ => return Err(unknown(&name)),
        };
        self.count += 1;
        Ok(Some(record))
    }

    fn expect_end(&mut self) -> Result<(), StoreError> {
        match self.reader.read_exact(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(StoreError::io("read", "the backup", error)),
            Ok(()) => Err(StoreError::Backup("bytes follow its end".into())),
        }
    }

    fn read(&mut self) -> Result<(String, Value), StoreError> {
        let mut len = [0; 4];
        self.exactly(&mut len)?;
        let size = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if size > RECORD_BYTES_MAX {
            return Err(StoreError::Backup("it is not a backup of a store".into()));
        }
        // Grows with what is really there, not with what the length claims.
        let mut bytes = Vec::new();
        let read = (&mut *self.reader).take(size as u64).read_to_end(&mut bytes);
        if read.map_err(|error| StoreError::io("read", "the backup", error))? < size {
            return Err(cut_short());
        }
        self.hash.update(len);
        self.hash.update(&bytes);
        let unreadable = |_| StoreError::Backup("a record in it is not readable: it was changed".into());
        let foreign = || StoreError::Backup("it is not a backup of a store".into());
        let Value::Map(map) = codec::decode_value(&bytes).map_err(unreadable)? else { return Err(foreign()) };
        map.into_iter().next().ok_or_else(foreign)
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Result<(), StoreError> {
        self.reader.read_exact(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                return cut_short();
            }
            StoreError::io("read", "the backup", error)
        })
    }
}

fn cut_short() -> StoreError {
    StoreError::Backup("it ends too early".into())
}

fn unknown(name: &str) -> StoreError {
    StoreError::Backup(format!("the record `{}` in it is unknown", name.chars().take(32).collect::<String>()))
}
