//! Entries as they come.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use icn_gateway::api::Problem;
use icn_gateway::api::books::{EntryStream, EntryView};
use icn_types::Cid;
use tokio::sync::broadcast::Receiver;

use super::words::Words;
use super::{BooksFace, audit};
use crate::spaces::Space;

/// How many entries are read while the books are held.
const READ_AT_ONCE: usize = 64;

impl BooksFace {
    pub(super) fn follow_entries(&self, space: &str) -> Result<EntryStream, Problem> {
        let space = self.find(space)?;
        let changes = space.changes.subscribe();
        let batches = stream::unfold((space, changes), |(space, mut changes)| async move {
            let ids = tokio::select! {
                ids = some(&mut changes) => ids?,
                () = space.closed() => return None,
            };
            let entries = show(&space, &ids);
            Some((stream::iter(entries), (space, changes)))
        });
        Ok(batches.flatten().boxed())
    }
}

/// Waits for a change and takes what has come beside it; nothing when changes were missed.
async fn some(changes: &mut Receiver<Cid>) -> Option<Vec<Cid>> {
    let mut ids = vec![changes.recv().await.ok()?];
    while let Ok(id) = changes.try_recv() {
        ids.push(id);
        if ids.len() == READ_AT_ONCE {
            break;
        }
    }
    Some(ids)
}

/// Shows entries as they stand now, each once.
fn show(space: &Arc<Space>, ids: &[Cid]) -> Vec<EntryView> {
    let replica = space.replica();
    let words = Words::of(replica.books());
    let mut seen = BTreeSet::new();
    let fresh = ids.iter().filter(|id| seen.insert(**id));
    fresh.filter_map(|id| audit::entry_view(&replica, &words, id)).collect()
}
