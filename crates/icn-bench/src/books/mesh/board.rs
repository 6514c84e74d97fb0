//! What every node's followers were told, and when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use icn_bench::client::Lines;
use icn_types::Cid;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::coop::{Coop, NODES};

/// The clock of one entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// When each node told that it is applied and durable there.
    pub(super) applied: [Option<Instant>; NODES],
    /// When each node told that it is certified.
    pub(super) certified: [Option<Instant>; NODES],
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Applied on every node.
    Everywhere,
    /// Certified on one.
    CertifiedAt(usize),
}

impl Goal {
    fn is_met(self, seen: &Seen) -> bool {
        match self {
            Self::Everywhere => seen.applied.iter().all(Option::is_some),
            Self::CertifiedAt(node) => seen.certified.get(node).is_some_and(Option::is_some),
        }
    }
}

#[derive(Default)]
struct Notes {
    seen: HashMap<Cid, Seen>,
    /// How many acceptances each node has applied.
    accepted: [usize; NODES],
    waiting: HashMap<Cid, (Goal, oneshot::Sender<()>)>,
    broken: Option<String>,
}

/// Follows the books on all nodes.
#[derive(Clone, Default)]
pub(super) struct Board(Arc<Mutex<Notes>>);

/// What is read of an entry.
#[derive(Deserialize)]
struct Told {
    id: Cid,
    certified: bool,
    acts: Vec<ToldAct>,
}

#[derive(Deserialize)]
struct ToldAct {
    kind: String,
}

impl Board {
    /// Begins to follow all nodes.
    pub(super) async fn follow(coop: &Coop) -> Result<Self> {
        let board = Self::default();
        for (number, node) in coop.nodes.iter().enumerate() {
            let lines = node.client.lines(&format!("/v1/spaces/{}/events", coop.space)).await?;
            tokio::spawn(board.clone().listen(number, lines));
        }
        Ok(board)
    }

    async fn listen(self, node: usize, mut lines: Lines) {
        loop {
            match lines.next::<Told>().await {
                Ok(Some(told)) => self.note(node, Instant::now(), &told),
                Ok(None) => return self.break_off(node, "it ended, or its follower was too slow"),
                Err(error) => return self.break_off(node, &format!("{error:#}")),
            }
        }
    }

    fn note(&self, node: usize, now: Instant, told: &Told) {
        let mut notes = self.notes();
        let seen = notes.seen.entry(told.id).or_default();
        let applied = seen.applied.get_mut(node);
        let is_first = applied.is_some_and(|at| at.replace(at.unwrap_or(now)).is_none());
        if let Some(at) = seen.certified.get_mut(node).filter(|at| told.certified && at.is_none()) {
            *at = Some(now);
        }
        let seen = *seen;
        if let Some(accepted) = notes.accepted.get_mut(node).filter(|_| is_first) {
            *accepted += told.acts.iter().filter(|act| act.kind == "accept").count();
        }
        if notes.waiting.get(&told.id).is_some_and(|(goal, _)| goal.is_met(&seen))
            && let Some((_, waiting)) = notes.waiting.remove(&told.id)
        {
            // Whoever waited may have left.
            let _ = waiting.send(());
        }
    }

    fn break_off(&self, node: usize, why: &str) {
        self.notes().broken.get_or_insert_with(|| format!("node {node} told no more: {why}"));
    }

    /// Waits for an entry.
    pub(super) async fn until(&self, entry: Cid, goal: Goal) -> Result<()> {
        let (sender, waiting) = oneshot::channel();
        {
            let mut notes = self.notes();
            if notes.seen.get(&entry).is_some_and(|seen| goal.is_met(seen)) {
                return Ok(());
            }
            notes.waiting.insert(entry, (goal, sender));
        }
        waiting.await.context("nobody follows any more")
    }

    /// Tells what is known of an entry.
    pub(super) fn seen(&self, entry: &Cid) -> Seen {
        self.notes().seen.get(entry).copied().unwrap_or_default()
    }

    /// How many acceptances the slowest node has applied.
    pub(super) fn accepted(&self) -> usize {
        self.notes().accepted.iter().copied().min().unwrap_or_default()
    }

    /// Forgets everything, between two loads.
    pub(super) fn clear(&self) {
        let mut notes = self.notes();
        notes.seen.clear();
        notes.accepted = [0; NODES];
    }

    /// Fails if some node told no more: what is missing then says nothing of the node.
    pub(super) fn check(&self) -> Result<()> {
        match &self.notes().broken {
            Some(why) => anyhow::bail!("{why}"),
            None => Ok(()),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
