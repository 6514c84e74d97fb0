//! Starting from the reduced state instead of the whole log.
//!
//! A checkpoint holds nothing that the log does not: index and books as of some entry, who may write, and the clients'
//! words for the entries of this node's members. Whether it is right, `icn ledger verify` tells by computing everything
//! from the entries again; a checkpoint that does not fit the log is thrown away.

use std::collections::BTreeSet;

use icn_gossip::Log;
use icn_types::{Cid, Did, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Replica;
use crate::books::Books;

const CHECKPOINT_VERSION: u32 = 1;

/// The reduced state of a replica at one place of the order of application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    entries: u64,
    log: ByteBuf,
    books: ByteBuf,
    writers: Vec<Did>,
    keys: Vec<(Did, String, Cid, u64)>,
}

impl Replica {
    /// Takes a checkpoint; none while the books wait to be judged anew, or when there is nothing yet.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        if self.must_rejudge || self.log.is_empty() {
            return None;
        }
        let keys = self.own.iter().flat_map(|(did, own)| {
            own.keys.iter().map(|(key, (entry, seq))| (*did, key.clone(), *entry, *seq))
        });
        Some(Checkpoint {
            version: CHECKPOINT_VERSION,
            entries: self.log.len() as u64,
            log: ByteBuf::from(self.log.snapshot()),
            books: ByteBuf::from(self.books.snapshot().ok()?),
            writers: self.writers.iter().copied().collect(),
            keys: keys.collect(),
        })
    }

    /// Goes on from a checkpoint, before any entry was restored; returns how many entries it stands for. A checkpoint that
    /// does not fit leaves the replica empty.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> u32 {
        let read = || {
            let log =
                Log::from_snapshot(self.log.log_id().clone(), self.config.limits, &checkpoint.log).ok()?;
            let books = Books::from_snapshot(&checkpoint.books).ok()?;
            let fits = checkpoint.version == CHECKPOINT_VERSION
                && log.len() == books.len()
                && log.len() as u64 == checkpoint.entries
                && books.space() == self.config.space;
            fits.then_some((log, books))
        };
        let Some((log, books)) = read() else { return 0 };
        self.log = log;
        self.books = books;
        self.writers = checkpoint.writers.iter().copied().collect::<BTreeSet<Did>>();
        for (did, key, entry, seq) in &checkpoint.keys {
            if let Some(own) = self.own.get_mut(did) {
                own.keys.insert(key.clone(), (*entry, *seq));
            }
        }
        self.find_incoming();
        u32::try_from(self.log.len()).unwrap_or(u32::MAX)
    }
}

impl Checkpoint {
    /// Encodes the checkpoint.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Numbers, texts and bytes always have a DAG-CBOR form.
        codec::encode(self).unwrap_or_default()
    }

    /// Reads a checkpoint; none when the bytes are none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes).ok()
    }

    /// Tells how many entries it stands for.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }
}
