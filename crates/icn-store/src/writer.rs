//! Group commit: one thread writes for all, and one sync answers all that came while the last one ran.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::StoreError;
use crate::batch::Batch;
use crate::engine::Engine;
use crate::queue::{Queue, Taken};

/// How long what was committed without waiting may stay unsynced when no other commit comes.
const UNSYNCED_MAX: Duration = Duration::from_millis(200);

/// A batch on its way to the disk.
pub(crate) struct Write {
    pub(crate) batch: Batch,
    pub(crate) answer: Answer,
}

/// Who waits for the sync.
pub(crate) enum Answer {
    Task(oneshot::Sender<Result<(), StoreError>>),
    Thread(mpsc::SyncSender<Result<(), StoreError>>),
}

impl Answer {
    fn give(self, result: Result<(), StoreError>) {
        // Whoever stopped waiting does not need the answer; the batch is written all the same.
        match self {
            Self::Task(waiting) => drop(waiting.send(result)),
            Self::Thread(waiting) => drop(waiting.send(result)),
        }
    }
}

/// Starts the thread. It ends when the queue is closed and empty, after a last sync.
pub(crate) fn start(engine: Arc<Engine>, queue: Arc<Queue<Write>>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("icn-store".into()).spawn(move || {
        let _ending = Ending(Arc::clone(&queue));
        run(&engine, &queue);
    })
}

/// However the thread ends, nobody waits for it any longer.
struct Ending(Arc<Queue<Write>>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
        self.0.clear();
    }
}

/// How long the writer lets others join a group, at most: a fraction of what the sync took last time, and no more than
/// this.
const GATHER_MAX: Duration = Duration::from_millis(1);
/// Which fraction.
const GATHER_SHARE: u32 = 4;

fn run(engine: &Engine, queue: &Queue<Write>) {
    let (mut last_len, mut last_sync) = (0, Duration::ZERO);
    loop {
        if last_len > 1 {
            // Those who were just answered are about to come again. Without a moment's patience they would split into two
            // groups that wait for each other's syncs; a lone writer never waits.
            queue.wait_for(last_len, (last_sync / GATHER_SHARE).min(GATHER_MAX));
        }
        let idle = engine.is_unsynced().then_some(UNSYNCED_MAX);
        match queue.take(idle) {
            Taken::Items(writes) => {
                last_len = writes.len();
                last_sync = commit(engine, writes);
                continue;
            }
            // Woken because something became unsynced: now the wait has an end.
            Taken::Idle if idle.is_none() => {}
            Taken::Idle => report(engine.sync()),
            Taken::Closed => return report(engine.sync()),
        }
        last_len = 0;
    }
}

/// Applies each batch, syncs once, answers all, and returns how long the sync took.
fn commit(engine: &Engine, writes: Vec<Write>) -> Duration {
    let applied: Vec<_> = writes.into_iter().map(|write| (engine.apply(write.batch), write.answer)).collect();
    let begun = Instant::now();
    let synced = engine.sync();
    let took = begun.elapsed();
    for (applied, answer) in applied {
        answer.give(applied.and_then(|()| synced.clone()));
    }
    took
}

fn report(synced: Result<(), StoreError>) {
    if let Err(error) = synced {
        tracing::error!(error = %error, "what was written last may not be durable");
    }
}
