//! The database: opening, committing, closing.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::blocks::BlocksState;
use crate::engine::{Engine, META_TABLE};
use crate::lock::FolderLock;
use crate::queue::Queue;
use crate::writer::{self, Answer, Write};
use crate::{Batch, Blocks, Key, OpenOptions, Rows, StoreError, Table};

/// The layout of the folder that this crate writes; the file `store.format` names it.
const LAYOUT: u32 = 1;
const FORMAT_FILE: &str = "store.format";

/// The open database. Clones share it; it closes, after a last sync, when the last handle, table and scan is dropped.
///
/// Layout of the folder: `store.lock` (the holder's process number), `store.format` (`icn-store 1`), `database/` (rows
/// and small blocks), `blocks/` (large blocks, one file each).
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) blocks: Arc<BlocksState>,
    pub(crate) engine: Arc<Engine>,
    queue: Arc<Queue<Write>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    // Last: nobody may open the folder before everything above is closed.
    _lock: FolderLock,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.blocks.save_touched() {
            tracing::warn!(error = %error, "when blocks were last read is forgotten");
        }
        self.queue.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's thread ended with a panic");
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.inner.engine.dir).finish()
    }
}

impl Database {
    /// Opens the store in `dir`, creating it when there is none, and keeps every other process out of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], [`StoreError::Newer`], [`StoreError::NoMigration`], [`StoreError::Damaged`],
    /// [`StoreError::Full`], or [`StoreError::Io`] when the folder cannot be used.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        let database = Self::open_any_schema(dir, &options)?;
        database.migrate(&options)?;
        Ok(database)
    }

    /// Opens the store and leaves its schema as it is.
    pub(crate) fn open_any_schema(dir: &Path, options: &OpenOptions) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|error| StoreError::io("create", dir, error))?;
        let lock = FolderLock::take(dir)?;
        check_format(dir)?;
        let queue = Arc::new(Queue::new());
        let engine = Arc::new(Engine::open(dir, options, Arc::clone(&queue))?);
        write_format(dir)?;
        let blocks = Arc::new(BlocksState::open(Arc::clone(&engine), options)?);
        let thread = writer::start(Arc::clone(&engine), Arc::clone(&queue))
            .map_err(|error| StoreError::io("start the writer of", dir, error))?;
        let inner = Inner { blocks, engine, queue, writer: Mutex::new(Some(thread)), _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn migrate(&self, options: &OpenOptions) -> Result<(), StoreError> {
        let known = options.schema;
        let mut batch = Batch::new();
        match self.schema()? {
            Some(found) if found == known => return Ok(()),
            Some(found) if found > known => return Err(StoreError::Newer { found, known }),
            Some(found) => {
                let migrate = options.migrate.ok_or(StoreError::NoMigration { found, known })?;
                migrate(self, found, known, &mut batch)?;
                tracing::info!(from = found, to = known, "the store was brought to a new schema");
            }
            None => {}
        }
        batch.put_row(schema_key(), known.to_be_bytes().to_vec());
        self.commit_blocking(batch)
    }

    /// Returns the schema number in the folder, or nothing when the store is new.
    pub(crate) fn schema(&self) -> Result<Option<u32>, StoreError> {
        let engine = &self.inner.engine;
        let Some(value) = engine.rows.get(schema_key()).map_err(|error| engine.error("read", error))? else {
            return Ok(None);
        };
        let bytes = <[u8; 4]>::try_from(&*value).map_err(|_| StoreError::Damaged {
            path: engine.dir.clone(),
            detail: "the schema number has another length".into(),
        })?;
        Ok(Some(u32::from_be_bytes(bytes)))
    }

    /// Returns the table of that name. Rows are read as `V`: give one name one type.
    #[must_use]
    pub fn table<V>(&self, name: &str) -> Table<V> {
        Table::new(Arc::clone(&self.inner), name)
    }

    /// Returns the block store.
    #[must_use]
    pub fn blocks(&self) -> Blocks {
        Blocks::new(self.clone())
    }

    /// Returns the store's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.engine.dir
    }

    /// Commits a batch and resolves when it is durable; all that are committed meanwhile share one sync.
    ///
    /// A future that is dropped before it resolves leaves open whether the batch is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] before anything was written; [`StoreError::Stopped`], [`StoreError::Io`] when a write or
    /// sync failed, after which the store accepts nothing more; [`StoreError::Closed`].
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let bytes = batch.bytes();
        let write = Write { batch, answer: Answer::Task(answer) };
        self.inner.queue.push(write, bytes).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Commits a batch and returns when it is durable; as [`Database::commit`], for threads that may block.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn commit_blocking(&self, batch: Batch) -> Result<(), StoreError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let bytes = batch.bytes();
        let write = Write { batch, answer: Answer::Thread(answer) };
        self.inner.queue.push_blocking(write, bytes).map_err(|_| StoreError::Closed)?;
        answered.recv().map_err(|_| StoreError::Closed)?
    }

    /// Writes a batch without waiting for a sync: readers see it on return and it survives a killed process; it is
    /// durable with the next commit, at the latest after a fifth of a second.
    ///
    /// Waits at most for a sync that is under way.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn commit_relaxed(&self, batch: Batch) -> Result<(), StoreError> {
        self.inner.engine.apply_relaxed(batch)
    }

    /// Returns when everything committed before is durable.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`].
    pub fn flush(&self) -> Result<(), StoreError> {
        self.commit_blocking(Batch::new())
    }

    /// Returns the database as it is now, unmoved by later commits. Keep it short: it holds old rows on the disk.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { snapshot: self.inner.engine.db.snapshot(), _inner: Arc::clone(&self.inner) }
    }
}

/// The rows of all tables at one moment.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) snapshot: fjall::Snapshot,
    _inner: Arc<Inner>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Snapshot {
    /// Reads a row as it was.
    ///
    /// # Errors
    ///
    /// As [`Table::get`].
    pub fn get<V: DeserializeOwned>(&self, table: &Table<V>, key: impl Key) -> Result<Option<V>, StoreError> {
        table.get_at(&self.snapshot, &key)
    }

    /// Walks over a table as it was.
    #[must_use]
    pub fn iter<V: DeserializeOwned>(&self, table: &Table<V>) -> Rows<V> {
        table.scan_at(&self.snapshot, table.prefix().to_vec())
    }

    /// Walks over the rows as they were whose key begins with `key`; see [`Table::scan`].
    #[must_use]
    pub fn scan<V: DeserializeOwned>(&self, table: &Table<V>, key: impl Key) -> Rows<V> {
        table.scan_at(&self.snapshot, table.row_key(&key))
    }
}

fn schema_key() -> Vec<u8> {
    [META_TABLE, b"schema"].concat()
}

/// Looks at what is in the folder before the backend may touch it.
fn check_format(dir: &Path) -> Result<(), StoreError> {
    let (format, database) = (dir.join(FORMAT_FILE), dir.join("database"));
    let complete = database.join("version").exists();
    match fs::read_to_string(&format) {
        Ok(text) => {
            let layout = text.trim().strip_prefix("icn-store ").and_then(|layout| layout.parse().ok());
            match layout {
                Some(LAYOUT) if complete => check_keyspaces(dir),
                Some(LAYOUT) => Err(damaged(dir, "the folder `database` is gone or not complete")),
                Some(found) if found > LAYOUT => Err(StoreError::Newer { found, known: LAYOUT }),
                _ => Err(damaged(dir, "the file `store.format` is not readable")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !complete && database.exists() {
                // A first start that was killed half way: nothing was ever committed.
                fs::remove_dir_all(&database).map_err(|error| StoreError::io("remove", database, error))?;
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(damaged(dir, "the file `store.format` is not readable"))
        }
        Err(error) => Err(StoreError::io("read", format, error)),
    }
}

/// Looks for folders that the backend would stumble over so hard that the process ends.
fn check_keyspaces(dir: &Path) -> Result<(), StoreError> {
    let keyspaces = dir.join("database/keyspaces");
    let entries = match fs::read_dir(&keyspaces) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged(dir, "the folder `database/keyspaces` is gone"));
        }
        Err(error) => return Err(StoreError::io("read", keyspaces, error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| StoreError::io("read", &keyspaces, error))?.file_name();
        if name.to_str().is_none_or(|name| name.parse::<u64>().is_err()) {
            let detail = format!("`database/keyspaces/{}` does not belong there", name.display());
            return Err(damaged(dir, &detail));
        }
    }
    Ok(())
}

fn write_format(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FORMAT_FILE);
    if path.exists() {
        return Ok(());
    }
    let temporary = dir.join("store.format.new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        writeln!(file, "icn-store {LAYOUT}")?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_folder(dir)
    };
    write().map_err(|error| StoreError::io("write", &path, error))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

fn damaged(dir: &Path, detail: &str) -> StoreError {
    StoreError::Damaged { path: PathBuf::from(dir), detail: detail.into() }
}
