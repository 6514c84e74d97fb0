//! The loop that owns the replica of one space.
//!
//! As in [`crate::core`]: what stands behind a write is done after the write is durable, many writes share one sync, and
//! nothing slow is done here: signing, writing and what follows from it are another task's ([`super::writing`]).

use std::sync::Arc;
use std::time::Duration;

use icn_ledger::replica::{Event, Turn};
use tokio::sync::mpsc;

use super::Space;
use super::writing::{TURNS_MAX, Writing};
use crate::core::Node;

/// How often a replica looks whether something is due.
const TICK: Duration = Duration::from_millis(100);
/// How many events one turn takes: enough to share what a turn costs, few enough that its entries are signed and written
/// while the next turn is taken.
const EVENTS_AT_ONCE: usize = 16;

/// The loop.
pub(super) struct Task {
    writing: Arc<Writing>,
    inbox: mpsc::Receiver<Event>,
    /// How many entries the replica knows to be on the disk.
    durable: u32,
}

impl Task {
    /// Makes the loop of a space.
    pub(super) fn new(node: Arc<Node>, space: Arc<Space>, inbox: mpsc::Receiver<Event>) -> Self {
        Self { writing: Arc::new(Writing::new(node, space)), inbox, durable: 0 }
    }

    /// Runs until the space is closed; then waits for what is still on its way.
    pub(super) async fn run(mut self) {
        let (turns, taken) = mpsc::channel(TURNS_MAX);
        let writing = tokio::spawn(Arc::clone(&self.writing).run(taken));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.writing.space.stop.clone();
        loop {
            let event = tokio::select! {
                biased;
                Some(event) = self.inbox.recv() => event,
                _ = ticks.tick() => Event::Tick,
                () = stop.cancelled() => break,
            };
            let mut turn = self.turn(event);
            for effect in std::mem::take(&mut turn.at_once) {
                self.writing.perform(effect);
            }
            if !turn.is_done() && turns.send(turn).await.is_err() {
                break;
            }
        }
        drop(turns);
        // A panic there was reported when it happened.
        drop(writing.await);
    }

    /// Hands an event, and whatever else waits, to the replica; then lets it do what follows from all of them at once.
    fn turn(&mut self, first: Event) -> Turn {
        let mut effects = Vec::new();
        let now = self.writing.node.clock.now().at;
        let mut replica = self.writing.space.replica();
        let entries = self.writing.durable();
        if entries != self.durable {
            self.durable = entries;
            // Only frees memory: nothing follows from it.
            drop(replica.handle(now, Event::Durable { entries }));
        }
        effects.extend(replica.handle(now, first));
        for _ in 1..EVENTS_AT_ONCE {
            let Ok(event) = self.inbox.try_recv() else { break };
            effects.extend(replica.handle(now, event));
        }
        effects.extend(replica.settle(now));
        drop(replica);
        Turn::of(effects)
    }
}
