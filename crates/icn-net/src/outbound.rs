//! Self-limiting: our own requests queue here, so that a peer's limits are never tripped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests under way to one peer at once; the next ones wait.
const CONCURRENT_MAX: usize = 64;
/// Requests that wait for one peer. Full: the next is an error.
const WAITING_MAX: usize = 4_096;
/// Peers with a queue. Full: queues that nobody uses go.
const PEERS_MAX: usize = 1_024;

#[derive(Debug)]
struct Queue {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// The queues of all peers.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queues: Mutex<HashMap<PeerId, Queue>>,
}

/// A request's right to run; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _running: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Outbound {
    /// Waits for a turn. None when too many wait already.
    pub(crate) async fn turn(&self, peer: PeerId) -> Option<Turn> {
        let (running, places) = self.queue(peer);
        let place = places.try_acquire_owned().ok()?;
        let running = running.acquire_owned().await.ok()?;
        Some(Turn { _running: running, _place: place })
    }

    fn queue(&self, peer: PeerId) -> (Arc<Semaphore>, Arc<Semaphore>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.len() >= PEERS_MAX {
            queues.retain(|_, queue| Arc::strong_count(&queue.places) > 1);
        }
        let queue = queues.entry(peer).or_insert_with(|| Queue {
            running: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
        });
        (Arc::clone(&queue.running), Arc::clone(&queue.places))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn the_queue_of_one_peer_is_bounded_and_its_own() {
        let outbound = Outbound::default();
        let (busy, idle) = (PeerId::random(), PeerId::random());
        let mut turns: Vec<_> =
            (0..CONCURRENT_MAX).map(|_| outbound.turn(busy).now_or_never().unwrap()).collect();
        assert!(outbound.turn(busy).now_or_never().is_none(), "the next one waits");
        assert!(outbound.turn(idle).now_or_never().is_some());
        turns.pop();
        assert!(outbound.turn(busy).now_or_never().is_some());
    }
}
