//! The loop that owns the replica of one space.
//!
//! As in [`crate::core`]: what stands behind a write is done after the write is durable, many writes share one sync, and
//! nothing slow is awaited here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesOrdered, StreamExt as _};
use icn_ledger::replica::{Effect, Event, Verdict, Write};
use icn_store::StoreError;
use tokio::sync::mpsc;

use super::checking::Batch;
use super::{Space, stream};
use crate::core::{Node, lock};

/// How often a replica looks whether something is due.
const TICK: Duration = Duration::from_millis(100);
/// How many events are handled before the loop turns to what they led to.
const EVENTS_AT_ONCE: usize = 256;

type Durable = Pin<Box<dyn Future<Output = Step> + Send>>;

/// Effects that may be carried out.
struct Step {
    /// How many entries are on the disk now, when this step wrote any.
    entries: Option<u32>,
    effects: Vec<Effect>,
}

/// The loop.
pub(super) struct Task {
    pub(super) node: Arc<Node>,
    pub(super) space: Arc<Space>,
    pub(super) inbox: mpsc::Receiver<Event>,
    publisher: mpsc::UnboundedSender<Bytes>,
}

impl Task {
    /// Makes the loop of a space, and starts the task that publishes what it says.
    pub(super) fn new(node: Arc<Node>, space: Arc<Space>, inbox: mpsc::Receiver<Event>) -> Self {
        let (publisher, messages) = mpsc::unbounded_channel();
        tokio::spawn(publish(Arc::clone(&node), space.topic.clone(), messages));
        Self { node, space, inbox, publisher }
    }

    /// Runs until the space is closed; then carries out what is still on its way.
    pub(super) async fn run(mut self) {
        let mut pipeline = FuturesOrdered::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.space.stop.clone();
        loop {
            tokio::select! {
                biased;
                Some(step) = pipeline.next(), if !pipeline.is_empty() => self.carry_out(step),
                Some(event) = self.inbox.recv() => self.handle(event, &mut pipeline),
                _ = ticks.tick() => self.handle(Event::Tick, &mut pipeline),
                () = stop.cancelled() => break,
            }
        }
        while let Some(step) = pipeline.next().await {
            self.carry_out(step);
        }
    }

    /// Hands an event, and whatever else waits, to the replica; then lets it do what follows from all of them at once.
    fn handle(&mut self, first: Event, pipeline: &mut FuturesOrdered<Durable>) {
        let mut effects = Vec::new();
        {
            let now = self.node.clock.now().at;
            let mut replica = self.space.replica();
            effects.extend(replica.handle(now, first));
            for _ in 1..EVENTS_AT_ONCE {
                let Ok(event) = self.inbox.try_recv() else { break };
                effects.extend(replica.handle(now, event));
            }
            effects.extend(replica.settle(now));
        }
        self.take(effects, pipeline);
    }

    /// Makes one write of all the writes, and puts everything else behind it.
    ///
    /// One turn of the loop is one write: its effects only ever wait for something that was written in the same turn or
    /// before.
    fn take(&self, effects: Vec<Effect>, pipeline: &mut FuturesOrdered<Durable>) {
        let (mut writes, mut behind) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Persist(more) => writes.extend(more),
                // Neither says anything that must be on the disk before.
                Effect::Verdict { .. } | Effect::Check { .. } => self.perform(effect),
                Effect::Publish(_)
                | Effect::Answer { .. }
                | Effect::OpenSession { .. }
                | Effect::SendFrame { .. }
                | Effect::CloseSession { .. }
                | Effect::Changed(_) => behind.push(effect),
            }
        }
        if writes.is_empty() {
            if pipeline.is_empty() {
                self.carry_out(Step { entries: None, effects: behind });
            } else if !behind.is_empty() {
                pipeline.push_back(Box::pin(async move { Step { entries: None, effects: behind } }));
            }
            return;
        }
        let (node, space) = (Arc::clone(&self.node), Arc::clone(&self.space));
        let mut durable: Durable = Box::pin(async move {
            let entries = write_down(&node, &space, &writes).await;
            Step { entries, effects: behind }
        });
        // Polled once, the write stands in the database's queue: order is kept without waiting for it.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match durable.as_mut().poll(&mut context) {
            std::task::Poll::Ready(step) if pipeline.is_empty() => self.carry_out(step),
            std::task::Poll::Ready(step) => pipeline.push_back(Box::pin(async move { step })),
            std::task::Poll::Pending => pipeline.push_back(durable),
        }
    }

    fn carry_out(&self, step: Step) {
        if let Some(entries) = step.entries {
            // Only frees memory: nothing follows from it.
            drop(self.space.replica().handle(self.node.clock.now().at, Event::Durable { entries }));
        }
        for effect in step.effects {
            self.perform(effect);
        }
    }

    fn perform(&self, effect: Effect) {
        let (node, space) = (&self.node, &self.space);
        match effect {
            // Written already.
            Effect::Persist(_) => {}
            // Closed only when the node ends.
            Effect::Publish(bytes) => drop(self.publisher.send(Bytes::from(bytes))),
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

/// Publishes in the order given: an entry that overtook the one before it would wait for it on every node.
async fn publish(node: Arc<Node>, topic: String, mut messages: mpsc::UnboundedReceiver<Bytes>) {
    let mut handed = FuturesOrdered::new();
    loop {
        let result = tokio::select! {
            biased;
            Some(message) = messages.recv() => {
                // Polled in this order, they reach the network in this order.
                handed.push_back(node.net.publish(&topic, message));
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

/// Makes writes durable, and tells up to which entry the disk has everything. A full disk holds everything behind them
/// back until there is room.
async fn write_down(node: &Arc<Node>, space: &Arc<Space>, writes: &[Write]) -> Option<u32> {
    loop {
        let result = match node.spaces.tables.batch_of(space.root, writes) {
            Ok(batch) => node.db.commit(batch).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => break,
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
    writes.iter().rev().find_map(|write| match write {
        Write::Entry { idx, .. } => Some(idx + 1),
        Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => None,
    })
}
