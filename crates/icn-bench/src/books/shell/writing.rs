//! What a turn leads to, beside the loop, as in `icn-node`: signatures on all processors, the write, what stands behind it.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use futures::stream::{FuturesOrdered, StreamExt as _};
use icn_gossip::SignedEntry;
use icn_ledger::replica::{Effect, Turn, Write};
use icn_store::{Batch, StoreError};
use tokio::sync::mpsc;

use super::Shell;

/// How many turns wait, as in `icn-node`.
pub(super) const TURNS_MAX: usize = 64;

type Durable = Pin<Box<dyn Future<Output = Result<Step, StoreError>> + Send>>;
type Signing = Pin<Box<dyn Future<Output = Vec<Turn>> + Send>>;

/// Effects that may be carried out, and up to where the disk has everything.
struct Step {
    entries: Option<u32>,
    effects: Vec<Effect>,
}

/// Runs until the loop has ended and everything that it asked for is done.
pub(super) async fn run(shell: Arc<Shell>, mut turns: mpsc::Receiver<Turn>) -> Result<(), StoreError> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut durable = FuturesOrdered::new();
    let mut signing = FuturesOrdered::<Signing>::new();
    let mut is_open = true;
    loop {
        let mut taken = Vec::new();
        let has_room = is_open && signing.is_empty() && durable.len() < TURNS_MAX;
        tokio::select! {
            biased;
            Some(step) = durable.next(), if !durable.is_empty() => shell.carry_out(step?),
            Some(signed) = signing.next(), if !signing.is_empty() => {
                for turn in signed {
                    shell.write(turn, &mut durable)?;
                }
            }
            count = turns.recv_many(&mut taken, TURNS_MAX), if has_room => {
                is_open = count > 0;
                let promised = Turn::promises_in_parts(&taken, threads);
                if promised.is_empty() {
                    for turn in taken {
                        shell.write(turn, &mut durable)?;
                    }
                } else {
                    signing.push_back(Box::pin(sign(taken, promised)));
                }
            }
            else => return Ok(()),
        }
    }
}

/// Makes the signatures that turns have promised, each part on a thread of its own.
async fn sign(turns: Vec<Turn>, promised: Vec<Vec<SignedEntry>>) -> Vec<Turn> {
    let sign =
        |part: Vec<SignedEntry>| tokio::spawn(async move { part.iter().for_each(SignedEntry::keep_promise) });
    let parts: Vec<_> = promised.into_iter().map(sign).collect();
    for part in parts {
        drop(part.await);
    }
    turns
}

impl Shell {
    fn write(self: &Arc<Self>, turn: Turn, durable: &mut FuturesOrdered<Durable>) -> Result<(), StoreError> {
        let entries = turn.entries();
        let Turn { writes, behind: effects, .. } = turn;
        let step = Step { entries, effects };
        if writes.is_empty() {
            if durable.is_empty() {
                self.carry_out(step);
            } else {
                durable.push_back(Box::pin(std::future::ready(Ok(step))));
            }
            return Ok(());
        }
        let (database, batch) = (self.database.clone(), self.batch(&writes)?);
        let mut written: Durable = Box::pin(async move {
            database.commit(batch).await?;
            Ok(step)
        });
        // Polled once, the write stands in the database's queue.
        match written.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(step) => durable.push_back(Box::pin(std::future::ready(step))),
            Poll::Pending => durable.push_back(written),
        }
        Ok(())
    }

    fn batch(&self, writes: &[Write]) -> Result<Batch, StoreError> {
        let mut batch = Batch::new();
        for write in writes {
            match write {
                Write::Entry { idx, entry } => self.rows.put(&mut batch, *idx, entry)?,
                // No load here has witnesses or offenders.
                Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => {}
            }
        }
        Ok(batch)
    }

    fn carry_out(self: &Arc<Self>, step: Step) {
        if let Some(entries) = step.entries {
            self.written.store(entries, Ordering::Relaxed);
            self.durable.send_replace(entries);
        }
        for effect in step.effects {
            self.perform(effect);
        }
    }
}
