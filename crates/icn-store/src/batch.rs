//! Changes that happen together or not at all.

use std::collections::BTreeMap;

use icn_types::{Cid, codec};
use serde::Serialize;

use crate::blocks::Staged;
use crate::{KEY_BYTES_MAX, Key, StoreError, Table};

/// Changes to rows, blocks and pins that are committed atomically. Of two changes to one key the later holds.
#[derive(Debug, Default)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(crate) rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    pub(crate) blocks: BTreeMap<Cid, BlockChange>,
    /// Whether a pin is set or removed; a collection that runs beside then looks at the pins again.
    pub(crate) pins: bool,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) enum BlockChange {
    Put(Staged),
    Delete,
}

impl Batch {
    /// Makes an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row.
    ///
    /// # Errors
    ///
    /// [`StoreError::Encode`] when the value has no DAG-CBOR form, [`StoreError::KeyTooLong`].
    pub fn put<V: Serialize>(
        &mut self,
        table: &Table<V>,
        key: impl Key,
        value: &V,
    ) -> Result<(), StoreError> {
        let row = table.row_key(&key);
        if row.len() > KEY_BYTES_MAX {
            return Err(StoreError::KeyTooLong { table: table.name().into() });
        }
        let value = codec::encode(value)
            .map_err(|source| StoreError::Encode { table: table.name().into(), source })?;
        self.put_row(row, value);
        Ok(())
    }

    /// Removes a row; a row that is not there is no error.
    pub fn delete<V>(&mut self, table: &Table<V>, key: impl Key) {
        self.delete_row(table.row_key(&key));
    }

    /// Tells whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.blocks.is_empty()
    }

    /// Returns the number of rows and blocks that are set or removed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() + self.blocks.len()
    }

    /// Returns about how many bytes the batch holds.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn put_row(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.rows.insert(key, Some(value));
    }

    pub(crate) fn delete_row(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.rows.insert(key, None);
    }

    pub(crate) fn put_block(&mut self, cid: Cid, staged: Staged) {
        self.bytes += staged.inline_len();
        self.blocks.insert(cid, BlockChange::Put(staged));
    }

    pub(crate) fn delete_block(&mut self, cid: Cid) {
        self.blocks.insert(cid, BlockChange::Delete);
    }

    /// Tells whether the batch only makes room; such batches pass when the disk is nearly full.
    pub(crate) fn only_deletes(&self) -> bool {
        self.rows.values().all(Option::is_none)
            && self.blocks.values().all(|change| matches!(change, BlockChange::Delete))
    }
}
