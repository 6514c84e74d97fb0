//! Where the books of a space lie in the database.

use std::collections::BTreeMap;

use icn_gossip::SignedEntry;
use icn_ledger::replica::{Entries, Write};
use icn_ledger::{Offence, VoteRecord};
use icn_store::{Batch, Database, StoreError, Table};
use icn_types::{Did, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A space that this node keeps books for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpaceRecord {
    /// The version of this form: 1.
    pub(crate) version: u32,
    /// Its root DID.
    pub(crate) root: Did,
    /// What people call it, until the books say so themselves.
    pub(crate) name: String,
    /// When this node joined.
    pub(crate) since: Timestamp,
    /// Whether another node of the space was ever met.
    pub(crate) has_peers: bool,
    /// The invitation that let this node in, encoded, as long as none of its members is in the books.
    pub(crate) invitation: Option<ByteBuf>,
}

/// Somebody broke a rule, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffenceRecord {
    /// Who.
    pub(crate) offender: Did,
    /// What.
    pub(crate) offence: Offence,
}

impl OffenceRecord {
    /// The number under which it stands: when it was, and by whom.
    pub(super) fn place(&self) -> Vec<u8> {
        [&self.offence.at.as_millis().to_be_bytes(), self.offender.public_key().as_slice()].concat()
    }
}

/// The tables of all spaces.
#[derive(Clone)]
pub(crate) struct SpaceTables {
    /// By root.
    pub(crate) spaces: Table<SpaceRecord>,
    /// By root and place in the order of application.
    pub(crate) entries: Table<SignedEntry>,
    /// By root and `witness, author, seq`: which entry the witness voted for.
    pub(crate) votes: Table<GivenVote>,
    /// By root: the reduced state as of some entry.
    pub(crate) checkpoints: Table<ByteBuf>,
    /// By root and a running number.
    pub(crate) offences: Table<OffenceRecord>,
}

/// A vote that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GivenVote {
    /// By whom.
    pub(crate) witness: Did,
    /// For what.
    pub(crate) record: VoteRecord,
}

impl SpaceTables {
    pub(crate) fn open(db: &Database) -> Self {
        Self {
            spaces: db.table("spaces"),
            entries: db.table("space-entries"),
            votes: db.table("space-votes"),
            checkpoints: db.table("space-checkpoints"),
            offences: db.table("space-offences"),
        }
    }

    /// Tells whether the disk has so many entries of a space; they are written in their order.
    pub(crate) fn has_entries(&self, root: Did, count: u64) -> Result<bool, StoreError> {
        match u32::try_from(count).ok().and_then(|count| count.checked_sub(1)) {
            Some(last) => self.entries.contains((root, last)),
            None => Ok(false),
        }
    }

    /// Returns how many entries of a space are on the disk.
    pub(crate) fn entries_len(&self, root: Did) -> Result<u32, StoreError> {
        // They are numbered from 0 on without a gap.
        let (mut low, mut high) = (0, u32::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entries.contains((root, middle))? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Puts what a replica wants written into one batch.
    pub(crate) fn batch_of(&self, root: Did, writes: &[Write]) -> Result<Batch, StoreError> {
        let mut batch = Batch::new();
        for write in writes {
            match write {
                Write::Entry { idx, entry } => batch.put(&self.entries, (root, *idx), entry)?,
                Write::Vote { witness, record } => {
                    let place = [
                        witness.public_key().as_slice(),
                        record.author.public_key(),
                        &record.seq.to_be_bytes(),
                    ]
                    .concat();
                    let given = GivenVote { witness: *witness, record: record.clone() };
                    batch.put(&self.votes, (root, place), &given)?;
                }
                Write::HasPeers => {
                    if let Some(mut record) = self.spaces.get(root)?.filter(|record| !record.has_peers) {
                        record.has_peers = true;
                        batch.put(&self.spaces, root, &record)?;
                    }
                }
                Write::Offence { offender, offence } => {
                    let record = OffenceRecord { offender: *offender, offence: offence.as_ref().clone() };
                    batch.put(&self.offences, (root, record.place()), &record)?;
                }
            }
        }
        Ok(batch)
    }
}

/// The entries of one space, on the disk.
pub(crate) struct DiskEntries {
    pub(crate) root: Did,
    pub(crate) tables: SpaceTables,
}

impl Entries for DiskEntries {
    fn get(&self, idx: u32) -> Option<SignedEntry> {
        match self.tables.entries.get((self.root, idx)) {
            Ok(entry) => entry,
            Err(error) => {
                tracing::error!(idx, error = %error, "an entry of the books cannot be read");
                None
            }
        }
    }
}

/// Reads the votes that the witnesses of this node have given in a space.
pub(crate) fn votes(tables: &SpaceTables, root: Did) -> Result<BTreeMap<Did, Vec<VoteRecord>>, StoreError> {
    let mut votes = BTreeMap::<Did, Vec<VoteRecord>>::new();
    for row in tables.votes.scan((root,)) {
        let (_, given) = row?;
        votes.entry(given.witness).or_default().push(given.record);
    }
    Ok(votes)
}
