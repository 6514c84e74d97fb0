//! Typed rows.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use fjall::Readable;
use icn_types::codec;
use serde::de::DeserializeOwned;

use crate::database::Inner;
use crate::{KEY_BYTES_MAX, Key, StoreError};

/// Rows of one type, sorted by key. Values are strict DAG-CBOR. A table exists as soon as it has a row.
///
/// Reads see every batch that was applied before them; a scan sees the table as it was when the scan began.
pub struct Table<V> {
    pub(crate) inner: Arc<Inner>,
    name: Arc<str>,
    prefix: Arc<[u8]>,
    value: PhantomData<fn() -> V>,
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            name: Arc::clone(&self.name),
            prefix: Arc::clone(&self.prefix),
            value: PhantomData,
        }
    }
}

impl<V> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.name).finish()
    }
}

impl<V> Table<V> {
    pub(crate) fn new(inner: Arc<Inner>, name: &str) -> Self {
        // Ended as a part of a key, so that no name can run into another.
        let mut prefix = Vec::with_capacity(name.len() + 2);
        name.write(&mut prefix, false);
        Self { inner, name: name.into(), prefix: prefix.into(), value: PhantomData }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Returns the whole key of a row. One that is too long is cut to a length that no row has; it sorts all the same.
    pub(crate) fn row_key(&self, key: &impl Key) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.prefix.len() + 48);
        row.extend_from_slice(&self.prefix);
        key.write(&mut row, true);
        row.truncate(KEY_BYTES_MAX + 1);
        row
    }

    /// Tells whether a row is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Damaged`].
    pub fn contains(&self, key: impl Key) -> Result<bool, StoreError> {
        let engine = &self.inner.engine;
        engine.rows.contains_key(self.row_key(&key)).map_err(|error| engine.error("read", error))
    }

    /// Counts the rows by walking over their keys; about a million each second.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Damaged`].
    pub fn len(&self) -> Result<usize, StoreError> {
        let engine = &self.inner.engine;
        let mut count = 0;
        for row in engine.rows.prefix(self.prefix()) {
            row.key().map_err(|error| engine.error("read", error))?;
            count += 1;
        }
        Ok(count)
    }

    /// Tells whether the table has no rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Damaged`].
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let engine = &self.inner.engine;
        let first = engine.rows.prefix(self.prefix()).next();
        Ok(first.map(fjall::Guard::key).transpose().map_err(|error| engine.error("read", error))?.is_none())
    }

    fn bounds<K: Key>(&self, range: &impl RangeBounds<K>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let start = match range.start_bound() {
            Bound::Included(key) => Bound::Included(self.row_key(key)),
            Bound::Excluded(key) => Bound::Excluded(self.row_key(key)),
            Bound::Unbounded => Bound::Included(self.prefix.to_vec()),
        };
        let end = match range.end_bound() {
            Bound::Included(key) => Bound::Included(self.row_key(key)),
            Bound::Excluded(key) => Bound::Excluded(self.row_key(key)),
            Bound::Unbounded => Bound::Excluded(self.after()),
        };
        (start, end)
    }

    /// Returns the first key after all of this table's: its name, ended with a one instead of the last zero.
    fn after(&self) -> Vec<u8> {
        let mut key = self.prefix.to_vec();
        if let Some(last) = key.last_mut() {
            *last = 1;
        }
        key
    }

    /// Returns whether nothing can lie in the range; the backend expects ranges that are in order.
    fn is_void(range: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> bool {
        match range {
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
            | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        }
    }

    fn rows(&self, iter: Option<fjall::Iter>) -> Rows<V> {
        Rows { iter, table: self.clone() }
    }
}

impl<V: DeserializeOwned> Table<V> {
    /// Reads a row.
    ///
    /// # Errors
    ///
    /// [`StoreError::Decode`] when it is not a `V`; [`StoreError::Io`] or [`StoreError::Damaged`].
    pub fn get(&self, key: impl Key) -> Result<Option<V>, StoreError> {
        let engine = &self.inner.engine;
        let value = engine.rows.get(self.row_key(&key)).map_err(|error| engine.error("read", error))?;
        value.map(|value| self.decode(&value)).transpose()
    }

    /// Walks over all rows, from both ends as wanted (`rev`, `take`).
    #[must_use]
    pub fn iter(&self) -> Rows<V> {
        self.rows(Some(self.inner.engine.rows.prefix(self.prefix())))
    }

    /// Walks over the rows whose key begins with the bytes of `key`; a tuple of one is the prefix of longer tuples.
    #[must_use]
    pub fn scan(&self, key: impl Key) -> Rows<V> {
        self.rows(Some(self.inner.engine.rows.prefix(self.row_key(&key))))
    }

    /// Walks over the rows with keys in a range.
    #[must_use]
    pub fn range<K: Key>(&self, range: impl RangeBounds<K>) -> Rows<V> {
        let bounds = self.bounds(&range);
        let iter = (!Self::is_void(&bounds)).then(|| self.inner.engine.rows.range::<Vec<u8>, _>(bounds));
        self.rows(iter)
    }

    pub(crate) fn get_at(&self, snapshot: &fjall::Snapshot, key: &impl Key) -> Result<Option<V>, StoreError> {
        let engine = &self.inner.engine;
        let value =
            snapshot.get(&engine.rows, self.row_key(key)).map_err(|error| engine.error("read", error))?;
        value.map(|value| self.decode(&value)).transpose()
    }

    pub(crate) fn scan_at(&self, snapshot: &fjall::Snapshot, prefix: Vec<u8>) -> Rows<V> {
        self.rows(Some(snapshot.prefix(&self.inner.engine.rows, prefix)))
    }

    fn decode(&self, value: &[u8]) -> Result<V, StoreError> {
        codec::decode(value).map_err(|source| StoreError::Decode { table: self.name.to_string(), source })
    }
}

/// The rows of a scan in the order of their keys: (key, value). Ends early only where the caller stops asking.
pub struct Rows<V> {
    // Dropped before the table, whose handle keeps the database open.
    iter: Option<fjall::Iter>,
    table: Table<V>,
}

impl<V> fmt::Debug for Rows<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rows").field(&self.table.name).finish()
    }
}

impl<V: DeserializeOwned> Rows<V> {
    fn read(&self, row: fjall::Guard) -> Result<(Vec<u8>, V), StoreError> {
        let (key, value) = row.into_inner().map_err(|error| self.table.inner.engine.error("read", error))?;
        let key = key.get(self.table.prefix.len()..).unwrap_or_default().to_vec();
        Ok((key, self.table.decode(&value)?))
    }
}

impl<V: DeserializeOwned> Iterator for Rows<V> {
    type Item = Result<(Vec<u8>, V), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.iter.as_mut()?.next()?;
        Some(self.read(row))
    }
}

impl<V: DeserializeOwned> DoubleEndedIterator for Rows<V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = self.iter.as_mut()?.next_back()?;
        Some(self.read(row))
    }
}
