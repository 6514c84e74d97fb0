//! What a turn of a replica leads to, beside its loop: signatures, the write, and what stands behind it.
//!
//! Writes reach the database in the order of the turns, and what stands behind a write is done after it and all before it
//! are durable. The signatures of own entries are promises until here: they are made on all processors, for all turns that
//! came while the last ones were signed.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesOrdered, StreamExt as _};
use icn_gossip::{LiveMessage, SignedEntry};
use icn_ledger::replica::{Effect, Turn, Verdict, Write};
use icn_store::StoreError;
use tokio::sync::mpsc;

use super::checking::Batch;
use super::{Space, stream};
use crate::core::{Node, lock};

/// How many turns may wait to be signed, and as many to be durable. Full, as when the disk is: the loop waits, and
/// whoever brings events waits for the loop.
pub(super) const TURNS_MAX: usize = 64;

type Durable = Pin<Box<dyn Future<Output = Step> + Send>>;
type Signing = Pin<Box<dyn Future<Output = Vec<Turn>> + Send>>;

/// Effects that may be carried out.
struct Step {
    /// How many entries are on the disk now, when this step wrote any.
    entries: Option<u32>,
    effects: Vec<Effect>,
}

/// Carries out what turns ask for.
pub(super) struct Writing {
    pub(super) node: Arc<Node>,
    pub(super) space: Arc<Space>,
    /// How many entries are on the disk: the loop lets the replica forget them.
    durable: AtomicU32,
    publisher: mpsc::UnboundedSender<LiveMessage>,
    threads: NonZeroUsize,
}

impl Writing {
    /// Prepares for a space, and starts the task that publishes what it says.
    pub(super) fn new(node: Arc<Node>, space: Arc<Space>) -> Self {
        let (publisher, messages) = mpsc::unbounded_channel();
        tokio::spawn(publish(Arc::clone(&node), space.topic.clone(), messages));
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { node, space, durable: AtomicU32::new(0), publisher, threads }
    }

    /// Runs until the loop has ended and everything that it asked for is done.
    pub(super) async fn run(self: Arc<Self>, mut turns: mpsc::Receiver<Turn>) {
        let mut durable = FuturesOrdered::new();
        // One at most: what comes meanwhile is signed together.
        let mut signing = FuturesOrdered::<Signing>::new();
        let mut is_open = true;
        loop {
            let mut taken = Vec::new();
            let has_room = is_open && signing.is_empty() && durable.len() < TURNS_MAX;
            tokio::select! {
                biased;
                Some(step) = durable.next(), if !durable.is_empty() => self.carry_out(step),
                Some(signed) = signing.next(), if !signing.is_empty() => {
                    signed.into_iter().for_each(|turn| self.write(turn, &mut durable));
                }
                count = turns.recv_many(&mut taken, TURNS_MAX), if has_room => {
                    is_open = count > 0;
                    let promised = Turn::promises_in_parts(&taken, self.threads);
                    if promised.is_empty() {
                        taken.into_iter().for_each(|turn| self.write(turn, &mut durable));
                    } else {
                        signing.push_back(Box::pin(sign(taken, promised)));
                    }
                }
                else => return,
            }
        }
    }

    /// Tells how many entries are on the disk.
    pub(super) fn durable(&self) -> u32 {
        self.durable.load(Ordering::Relaxed)
    }

    /// Hands a turn's write to the database, and puts everything else behind it.
    fn write(&self, turn: Turn, durable: &mut FuturesOrdered<Durable>) {
        let entries = turn.entries();
        let Turn { writes, behind: effects, .. } = turn;
        let step = Step { entries, effects };
        if writes.is_empty() {
            if durable.is_empty() {
                self.carry_out(step);
            } else {
                durable.push_back(Box::pin(std::future::ready(step)));
            }
            return;
        }
        let (node, space) = (Arc::clone(&self.node), Arc::clone(&self.space));
        let mut written: Durable = Box::pin(async move {
            write_down(&node, &space, &writes).await;
            step
        });
        // Polled once, the write stands in the database's queue: order is kept without waiting for it.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match written.as_mut().poll(&mut context) {
            std::task::Poll::Ready(step) => durable.push_back(Box::pin(std::future::ready(step))),
            std::task::Poll::Pending => durable.push_back(written),
        }
    }

    fn carry_out(&self, step: Step) {
        if let Some(entries) = step.entries {
            self.durable.store(entries, Ordering::Relaxed);
        }
        for effect in step.effects {
            self.perform(effect);
        }
    }

    /// Carries one effect out; the loop does so with those that need not wait.
    pub(super) fn perform(&self, effect: Effect) {
        let (node, space) = (&self.node, &self.space);
        match effect {
            // Written already.
            Effect::Persist(_) => {}
            // Closed only when the node ends.
            Effect::Publish(message) => drop(self.publisher.send(message)),
            Effect::Verdict { ticket, verdict } => {
                if let Some(waiting) = lock(&space.verdicts).remove(&ticket) {
                    waiting.send(match verdict {
                        Verdict::Accept => icn_net::Verdict::Accept,
                        Verdict::Ignore => icn_net::Verdict::Ignore,
                        Verdict::Reject => icn_net::Verdict::Reject,
                    });
                }
            }
            Effect::Answer { ticket, result } => {
                if let Some(waiting) = lock(&space.answers).remove(&ticket) {
                    // Whoever asked may have left.
                    drop(waiting.send(result));
                }
            }
            Effect::OpenSession { node: to } => stream::open(node, space, to),
            Effect::SendFrame { session, bytes } => space.send_frame(session, bytes),
            Effect::CloseSession { session } => space.detach(session),
            Effect::Check { session, entries, proofs, votes } => {
                // Closed only when the space is.
                drop(space.checks.send(Batch { session, entries, proofs, votes }));
            }
            Effect::Changed(entries) => {
                node.trust.changed();
                for entry in entries {
                    // Nobody follows: nobody misses it.
                    drop(space.changes.send(entry));
                }
            }
        }
    }
}

/// Makes the signatures that turns have promised, each part on a thread of its own.
async fn sign(turns: Vec<Turn>, promised: Vec<Vec<SignedEntry>>) -> Vec<Turn> {
    let sign =
        |part: Vec<SignedEntry>| tokio::spawn(async move { part.iter().for_each(SignedEntry::keep_promise) });
    let parts: Vec<_> = promised.into_iter().map(sign).collect();
    for part in parts {
        // What a thread that panicked has left is made where the write is encoded.
        drop(part.await);
    }
    turns
}

/// Publishes in the order given: an entry that overtook the one before it would wait for it on every node.
async fn publish(node: Arc<Node>, topic: String, mut messages: mpsc::UnboundedReceiver<LiveMessage>) {
    let mut handed = FuturesOrdered::new();
    loop {
        let result = tokio::select! {
            biased;
            Some(message) = messages.recv() => {
                // None is larger than others would read: an entry has its bound, and a proof has two entries.
                let Ok(bytes) = message.encode() else { continue };
                // Polled in this order, they reach the network in this order.
                handed.push_back(node.net.publish(&topic, Bytes::from(bytes)));
                continue;
            }
            Some(result) = handed.next() => result,
            else => return,
        };
        if let Err(error) = result {
            tracing::debug!(topic, error = %error, "an entry was not published: others will ask for it");
        }
    }
}

/// Makes writes durable. A full disk holds everything behind them back until there is room.
async fn write_down(node: &Arc<Node>, space: &Arc<Space>, writes: &[Write]) {
    loop {
        let result = match node.spaces.tables.batch_of(space.root, writes) {
            Ok(batch) => node.db.commit(batch).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => return,
            Err(error) if StoreError::is_full(&error) => {
                tracing::error!(error = %error, "the books wait for disk space");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => {
                // A store that failed accepts nothing more; only a new start can bring it back.
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database failed: start the node again"
                );
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use icn_gossip::Entry;
    use icn_identity::Keypair;
    use icn_types::Timestamp;

    use super::*;

    fn turn(from: u32, count: u32) -> Turn {
        let key = Arc::new(Keypair::from_seed([3; 32]));
        let entry = |idx| {
            let entry = Entry {
                v: 1,
                space: key.did(),
                topic: icn_gossip::TopicName::ledger(),
                author: key.did(),
                seq: 1,
                prev: None,
                deps: Vec::new(),
                at: Timestamp::from_millis(u64::from(idx)),
                body: serde_bytes::ByteBuf::new(),
            };
            let signed = entry.promise(Arc::clone(&key) as Arc<dyn icn_identity::Signer>).unwrap();
            Write::Entry { idx, entry: signed.signed().clone() }
        };
        Turn { writes: (from..from + count).map(entry).collect(), ..Turn::default() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn turns_come_out_signed_and_in_order() {
        for threads in [1, 2, 3, 64].map(|threads| NonZeroUsize::new(threads).unwrap()) {
            let turns = vec![turn(0, 1), turn(1, 0), turn(1, 40), turn(41, 3)];
            let promised = Turn::promises_in_parts(&turns, threads);
            assert_eq!(promised.iter().map(Vec::len).sum::<usize>(), 44);
            let signed = sign(turns, promised).await;
            assert!(signed.iter().all(|turn| turn.promises().count() == 0), "{threads} threads");
            let entries: Vec<_> = signed.iter().map(Turn::entries).collect();
            assert_eq!(entries, [Some(1), None, Some(41), Some(44)]);
        }
    }
}
