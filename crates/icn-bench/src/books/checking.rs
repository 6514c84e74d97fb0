//! Checking what reconciliations bring, as in `icn-node`: on all processors, one batch after another.

use std::sync::Arc;

use icn_gossip::SignedEntry;
use icn_identity::Ed25519Verifier;
use icn_ledger::replica::{Arrived, CheckError, Checked, Event, SessionId};
use tokio::sync::mpsc;

/// What one session brought at once.
pub(super) struct Batch {
    pub(super) session: SessionId,
    pub(super) entries: Vec<SignedEntry>,
}

/// Checks batches until nobody sends any more.
pub(super) async fn run(
    verifier: Arc<Ed25519Verifier>,
    mut batches: mpsc::UnboundedReceiver<Batch>,
    inbox: mpsc::UnboundedSender<Event>,
) {
    while let Some(Batch { session, entries }) = batches.recv().await {
        let verifier = Arc::clone(&verifier);
        let entries = tokio::task::spawn_blocking(move || check(&verifier, &entries)).await;
        let arrived = Arrived { entries: entries.unwrap_or_default(), ..Arrived::default() };
        // A loop that has ended needs nothing more.
        drop(inbox.send(Event::Checked { session, arrived }));
    }
}

/// Checks entries on all processors, and gives them back in their order.
fn check(verifier: &Ed25519Verifier, entries: &[SignedEntry]) -> Vec<Result<Checked, CheckError>> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = entries.len().div_ceil(threads).max(16);
    let check = |part: &[SignedEntry]| -> Vec<Result<Checked, CheckError>> {
        part.iter().map(|entry| Checked::new(entry.clone(), verifier)).collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = entries.chunks(part).map(|part| scope.spawn(move || check(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}
