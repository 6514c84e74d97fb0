//! Checking what reconciliations bring: signatures and forms, on several threads, one batch after another.
//!
//! The order is kept: entries come in causal order, and a batch that overtook another would wait for its past, or be
//! dropped and asked for again.
//!
//! After a partition every neighbour brings the same entries. What the log has by then is not checked again.

use std::sync::Arc;

use icn_gossip::{ForkProof, SignedEntry};
use icn_ledger::replica::{Arrived, CheckError, Checked, Event, SessionId};
use tokio::sync::mpsc;

use super::Space;
use crate::core::Node;

/// What one session brought at once.
pub(super) struct Batch {
    pub(super) session: SessionId,
    pub(super) entries: Vec<SignedEntry>,
    pub(super) proofs: Vec<ForkProof>,
    pub(super) votes: Vec<Vec<u8>>,
}

/// Checks batches until the space is closed.
pub(super) async fn run(node: Arc<Node>, space: Arc<Space>, mut batches: mpsc::UnboundedReceiver<Batch>) {
    loop {
        let batch = tokio::select! {
            batch = batches.recv() => batch,
            () = space.stop.cancelled() => return,
        };
        let Some(batch) = batch else { return };
        let session = batch.session;
        let (checking, of) = (Arc::clone(&node), Arc::clone(&space));
        let arrived = tokio::task::spawn_blocking(move || check(&checking, &of, batch)).await;
        // A panic while checking is a fault of ours; the session goes on without what it brought.
        space.happen(Event::Checked { session, arrived: arrived.unwrap_or_default() }).await;
    }
}

fn check(node: &Node, space: &Space, batch: Batch) -> Arrived {
    let verifier = &node.verifier;
    Arrived {
        entries: check_entries(node, space, &batch.entries),
        proofs: batch.proofs.into_iter().filter(|proof| proof.check(verifier).is_ok()).collect(),
        votes: batch.votes.iter().filter_map(|vote| Space::read_vote(vote, verifier)).collect(),
    }
}

/// Checks entries on all processors, and gives those that are new back in their order.
fn check_entries(node: &Node, space: &Space, entries: &[SignedEntry]) -> Vec<Result<Checked, CheckError>> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = entries.len().div_ceil(threads).max(16);
    std::thread::scope(|scope| {
        let check = |part| scope.spawn(move || check_part(node, space, part));
        let parts: Vec<_> = entries.chunks(part).map(check).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}

fn check_part(node: &Node, space: &Space, part: &[SignedEntry]) -> Vec<Result<Checked, CheckError>> {
    let mut raw: Vec<_> = part.iter().map(|entry| entry.clone().check()).collect();
    {
        let replica = space.replica();
        raw.retain(|raw| !raw.as_ref().is_ok_and(|raw| replica.log().contains(&raw.id())));
    }
    raw.into_iter().map(|raw| Checked::verify(raw?, &node.verifier)).collect()
}
