//! Giving up a space: its loops, its topic, its streams, and, where people want it, its books on the disk.
//!
//! First of all the disk forgets that the node keeps those books: whatever happens after that, the next start does not open
//! them. Entries go from the last to the first, so that what a crash leaves is the beginning of the books, which can be taken up
//! again or deleted again.

use std::sync::{Arc, PoisonError};

use icn_store::{Batch, Database, StoreError};
use icn_types::Did;

use super::{CHECKPOINT_AT_END, Space, SpaceTables};
use crate::core::Node;

/// How many entries are deleted at once.
const DELETE_AT_ONCE: usize = 1_000;

/// Gives up an open space. Its books stay on the disk; [`delete_books`] deletes them. Whoever calls holds `Spaces::changing`.
///
/// # Errors
///
/// [`StoreError`] when it cannot be written down; then nothing has changed.
pub(crate) async fn leave(node: &Arc<Node>, space: &Arc<Space>) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.delete(&node.spaces.tables.spaces, space.root);
    node.db.commit(batch).await?;
    node.spaces.open.write().unwrap_or_else(PoisonError::into_inner).remove(&space.root);
    if let Err(error) = node.net.unsubscribe(&space.topic).await {
        tracing::debug!(error = %error, "the topic of a space was not left");
    }
    space.end().await;
    space.keep_checkpoint(&node.spaces.tables, &node.db, CHECKPOINT_AT_END);
    // What its books said of anybody counts no more.
    node.trust.changed();
    tracing::info!(space = %space.root, "the space was given up");
    Ok(())
}

/// Deletes the books of a space that is not open, and returns how many entries they had. Votes that this node gave as a witness
/// stay: whoever forgets them could give others in their place.
///
/// # Errors
///
/// [`StoreError`]; what is left is the beginning of the books.
pub(crate) async fn delete_books(db: &Database, tables: &SpaceTables, root: Did) -> Result<u32, StoreError> {
    let count = tables.entries_len(root)?;
    let mut batch = Batch::new();
    batch.delete(&tables.checkpoints, root);
    for row in tables.offences.scan((root,)) {
        let (_, record) = row?;
        batch.delete(&tables.offences, (root, record.place()));
    }
    db.commit(batch).await?;
    let newest_first: Vec<u32> = (0..count).rev().collect();
    for part in newest_first.chunks(DELETE_AT_ONCE) {
        let mut batch = Batch::new();
        part.iter().for_each(|idx| batch.delete(&tables.entries, (root, *idx)));
        db.commit(batch).await?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use icn_gossip::SignedEntry;
    use icn_ledger::VoteRecord;
    use icn_store::OpenOptions;
    use icn_types::Cid;

    use super::super::disk::GivenVote;
    use super::*;

    fn did(number: u8) -> Did {
        Did::from_public_key([number; 32])
    }

    #[tokio::test]
    async fn books_are_deleted_whole_and_those_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path(), OpenOptions::default()).unwrap();
        let tables = SpaceTables::open(&db);
        let counts = [(did(1), 2_500), (did(2), 3), (did(3), 0), (did(4), 1_000)];
        for (root, count) in counts {
            let mut batch = Batch::new();
            for idx in 0_u32..count {
                let entry = SignedEntry::new(idx.to_be_bytes().to_vec(), vec![7; 64]);
                batch.put(&tables.entries, (root, idx), &entry).unwrap();
            }
            batch.put(&tables.checkpoints, root, &serde_bytes::ByteBuf::from(vec![1])).unwrap();
            let entry = Cid::of_raw(b"entry");
            let record = VoteRecord { author: did(8), seq: 1, entry, set: 1, hands_over: None };
            batch.put(&tables.votes, (root, vec![1]), &GivenVote { witness: did(9), record }).unwrap();
            db.commit(batch).await.unwrap();
            assert_eq!(tables.entries_len(root).unwrap(), count);
        }
        for deleted in [0, 3, 2] {
            let (root, count) = counts[deleted];
            assert_eq!(delete_books(&db, &tables, root).await.unwrap(), count);
            assert_eq!(tables.entries.scan((root,)).count(), 0, "{deleted}");
            assert_eq!(tables.checkpoints.get(root).unwrap(), None);
            assert_eq!(tables.votes.scan((root,)).count(), 1, "a vote that was given was given");
            assert_eq!(delete_books(&db, &tables, root).await.unwrap(), 0, "once more");
        }
        assert_eq!(tables.entries.scan((did(2),)).count(), 3);
        assert!(tables.checkpoints.get(did(2)).unwrap().is_some());
    }
}
