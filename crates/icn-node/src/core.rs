//! The loop that owns the machines.
//!
//! Whatever happens reaches the machines through one queue. Their effects go through one pipeline that keeps their
//! order: what stands behind a write is done after the write is durable. Many writes are on their way at once and share
//! one sync; nothing slow is awaited here.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesOrdered, StreamExt as _};
use icn_identity::Ed25519Verifier;
use icn_mesh::{
    Effect, ExecutionRecord, Executor, ExecutorEvent, JobRecord, OfferRecord, Originator, OriginatorEvent,
    Persist, Submission, SubmitError, Timer,
};
use icn_obs::Metrics;
use icn_protocol::ReplayGuard;
use icn_runtime::Runtime;
use icn_store::{Blocks, Database, StoreError, Table};
use icn_types::{Cid, Did, Timestamp};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use crate::answer::Tickets;
use crate::clock::Clock;
use crate::config::Config;
use crate::index::Index;
use crate::perform::batch_of;
use crate::spaces::Spaces;
use crate::trust::{KeptTables, Oracle};

/// How many happenings may wait for the loop. Full: whoever brings one waits.
const INBOX_MAX: usize = 8_192;

/// How many changes a slow follower may miss before it reads the job anew.
const CHANGES_MAX: usize = 4_096;

/// Something for a machine.
pub(crate) enum Happening {
    /// For the originator.
    Originator(OriginatorEvent),
    /// For the executor; nothing happens where there is none.
    Executor(ExecutorEvent),
    /// What policy thinks of members from now on.
    Regards(Arc<icn_mesh::Regards>),
    /// A user submits a job; answered when it is durable.
    Submit(Box<Submission>, oneshot::Sender<Result<Cid, SubmitFailure>>),
}

/// Why a job was not taken.
#[derive(Debug)]
pub(crate) enum SubmitFailure {
    /// The machine refused it.
    Refused(SubmitError),
    /// It cannot be written down.
    Store(StoreError),
}

/// The two machines of a node.
pub(crate) struct Machines {
    pub(crate) originator: Originator,
    pub(crate) executor: Option<Executor>,
}

/// The tables of the database.
pub(crate) struct Tables {
    pub(crate) jobs: Table<JobRecord>,
    pub(crate) executions: Table<ExecutionRecord>,
    pub(crate) offers: Table<OfferRecord>,
    pub(crate) peers: Table<Vec<String>>,
    pub(crate) kept: KeptTables,
}

/// Everything that the tasks of a node share.
pub(crate) struct Node {
    pub(crate) me: Did,
    pub(crate) config: Config,
    pub(crate) data_dir: crate::DataDir,
    pub(crate) clock: Clock,
    pub(crate) started_at: Timestamp,
    pub(crate) api: String,
    pub(crate) db: Database,
    pub(crate) blocks: Blocks,
    pub(crate) tables: Tables,
    pub(crate) spaces: Spaces,
    pub(crate) net: icn_net::Handle,
    pub(crate) trust: Oracle,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: Metrics,
    pub(crate) verifier: Ed25519Verifier,
    pub(crate) guard: Mutex<ReplayGuard>,
    pub(crate) tickets: Tickets,
    pub(crate) index: Mutex<Index>,
    pub(crate) running: Mutex<HashMap<(Cid, u64), CancellationToken>>,
    pub(crate) changes: broadcast::Sender<Cid>,
    pub(crate) advertise_soon: tokio::sync::Notify,
    pub(crate) listening: tokio::sync::Notify,
    /// Whoever has its permit runs a finished job again.
    pub(crate) spot_check: Arc<tokio::sync::Semaphore>,
    machines: Mutex<Machines>,
    inbox: mpsc::Sender<Happening>,
}

impl Node {
    /// Gives the machines, for reading; only the loop changes them.
    pub(crate) fn machines(&self) -> MutexGuard<'_, Machines> {
        lock(&self.machines)
    }

    /// Lists where peers reach this node, each address ending in `/p2p/<peer_id>`.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.net.listen_addrs().iter().map(ToString::to_string).collect()
    }

    /// Brings something to the loop; waits while the loop has too much to do.
    pub(crate) async fn happen(&self, happening: Happening) {
        // Closed only when the node ends, and then nobody waits for the effects.
        let _ = self.inbox.send(happening).await;
    }

    /// Submits a job and waits until it is durable.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<Cid, SubmitFailure> {
        let (answer, answered) = oneshot::channel();
        self.happen(Happening::Submit(Box::new(submission), answer)).await;
        answered.await.map_err(|_| SubmitFailure::Store(StoreError::Closed))?
    }
}

/// Locks, taking over what a panicking thread left: the machines change in one step or not at all.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a node is made of before its loop starts.
pub(crate) struct Parts {
    pub(crate) me: Did,
    pub(crate) config: Config,
    pub(crate) data_dir: crate::DataDir,
    pub(crate) clock: Clock,
    pub(crate) api: String,
    pub(crate) db: Database,
    pub(crate) tables: Tables,
    pub(crate) spaces: Spaces,
    pub(crate) net: icn_net::Handle,
    pub(crate) trust: Oracle,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: Metrics,
    pub(crate) guard: ReplayGuard,
    pub(crate) machines: Machines,
}

type Durable = Pin<Box<dyn Future<Output = Step> + Send>>;

/// Effects that may be carried out, unless the write before them failed.
struct Step {
    written: Result<(), StoreError>,
    effects: Vec<Effect>,
    submitted: Option<(Cid, oneshot::Sender<Result<Cid, SubmitFailure>>)>,
}

/// The loop.
pub(crate) struct Core {
    node: Arc<Node>,
    inbox: mpsc::Receiver<Happening>,
    timers: DelayQueue<Timer>,
    pipeline: FuturesOrdered<Durable>,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> (Self, Arc<Node>) {
        let (inbox, receiver) = mpsc::channel(INBOX_MAX);
        let node = Arc::new(Node {
            me: parts.me,
            config: parts.config,
            data_dir: parts.data_dir,
            started_at: parts.clock.now().at,
            clock: parts.clock,
            api: parts.api,
            blocks: parts.db.blocks(),
            db: parts.db,
            tables: parts.tables,
            spaces: parts.spaces,
            net: parts.net,
            trust: parts.trust,
            runtime: parts.runtime,
            metrics: parts.metrics,
            verifier: Ed25519Verifier::new(),
            guard: Mutex::new(parts.guard),
            tickets: Tickets::default(),
            index: Mutex::new(Index::default()),
            running: Mutex::new(HashMap::new()),
            changes: broadcast::channel(CHANGES_MAX).0,
            advertise_soon: tokio::sync::Notify::new(),
            listening: tokio::sync::Notify::new(),
            spot_check: Arc::new(tokio::sync::Semaphore::new(1)),
            machines: Mutex::new(parts.machines),
            inbox,
        });
        let core = Self {
            node: Arc::clone(&node),
            inbox: receiver,
            timers: DelayQueue::new(),
            pipeline: FuturesOrdered::new(),
        };
        (core, node)
    }

    /// Takes effects that came from recovery.
    pub(crate) async fn begin(&mut self, effects: Vec<Effect>) {
        self.take(effects, None).await;
    }

    /// Runs until `stop`; then carries out what is still in the pipeline.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                Some(step) = self.pipeline.next(), if !self.pipeline.is_empty() => self.carry_out(step),
                Some(expired) = self.timers.next(), if !self.timers.is_empty() => {
                    self.fired(expired.into_inner()).await;
                }
                Some(happening) = self.inbox.recv() => self.handle(happening).await,
                () = stop.cancelled() => break,
            }
        }
        while let Some(step) = self.pipeline.next().await {
            self.carry_out(step);
        }
    }

    async fn handle(&mut self, happening: Happening) {
        let now = self.node.clock.now();
        match happening {
            Happening::Originator(event) => {
                let effects = self.node.machines().originator.handle(now, event);
                self.take(effects, None).await;
            }
            Happening::Regards(regards) => {
                let mut machines = self.node.machines();
                machines.originator.set_regards(Arc::clone(&regards));
                if let Some(executor) = &mut machines.executor {
                    executor.set_regards(regards);
                }
            }
            Happening::Executor(event) => {
                let effects = match &mut self.node.machines().executor {
                    Some(executor) => executor.handle(now, event),
                    None => Vec::new(),
                };
                self.take(effects, None).await;
            }
            Happening::Submit(submission, answer) => {
                let submitted = self.node.machines().originator.submit(now, *submission);
                match submitted {
                    Ok((id, effects)) => {
                        lock(&self.node.index).add(id, now.at, crate::index::Role::Originator);
                        self.take(effects, Some((id, answer))).await;
                    }
                    Err(error) => drop(answer.send(Err(SubmitFailure::Refused(error)))),
                }
            }
        }
    }

    async fn fired(&mut self, timer: Timer) {
        let now = self.node.clock.now();
        let effects = {
            let mut machines = self.node.machines();
            let mut effects = machines.originator.handle(now, OriginatorEvent::Fired(timer.clone()));
            if let Some(executor) = &mut machines.executor {
                effects.extend(executor.handle(now, ExecutorEvent::Fired(timer)));
            }
            effects
        };
        self.take(effects, None).await;
    }

    /// Cuts effects at each write and hands the pieces to the pipeline. The writes start now, in order.
    async fn take(
        &mut self,
        effects: Vec<Effect>,
        mut submitted: Option<(Cid, oneshot::Sender<Result<Cid, SubmitFailure>>)>,
    ) {
        let mut write = None;
        let mut behind = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(writes) => {
                    if write.is_some() || !behind.is_empty() {
                        self.enqueue(write.take(), std::mem::take(&mut behind), submitted.take()).await;
                    }
                    write = Some(writes);
                }
                Effect::Note(writes) => {
                    // In the same queue as every other write of a record, so that none overtakes a newer one.
                    if let Some(earlier) = write.take() {
                        self.enqueue(Some(earlier), std::mem::take(&mut behind), submitted.take()).await;
                    }
                    self.note(writes);
                }
                Effect::Publish { .. }
                | Effect::Send { .. }
                | Effect::Reply { .. }
                | Effect::Wake { .. }
                | Effect::FetchReceipt { .. }
                | Effect::Start { .. }
                | Effect::Stop { .. }
                | Effect::Provide { .. }
                | Effect::Changed { .. }
                | Effect::PlaceHold { .. }
                | Effect::Capture { .. }
                | Effect::CheckHold { .. }
                | Effect::ReleaseHold { .. }
                | Effect::Claim { .. }
                | Effect::WatchHold { .. }
                | Effect::Rate { .. } => behind.push(effect),
            }
        }
        if write.is_some() || !behind.is_empty() {
            self.enqueue(write, behind, submitted).await;
        }
    }

    /// Writes without having anything wait for it.
    fn note(&self, writes: Vec<Persist>) {
        let node = Arc::clone(&self.node);
        let mut writing: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let written = match batch_of(&node, &writes) {
                Ok(batch) => node.db.commit(batch).await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                tracing::warn!(error = %error, "a detail of a job's history was not written");
            }
        });
        if futures::FutureExt::now_or_never(&mut writing).is_none() {
            tokio::spawn(writing);
        }
    }

    async fn enqueue(
        &mut self,
        write: Option<Vec<Persist>>,
        effects: Vec<Effect>,
        submitted: Option<(Cid, oneshot::Sender<Result<Cid, SubmitFailure>>)>,
    ) {
        let Some(writes) = write else {
            if self.pipeline.is_empty() {
                self.carry_out(Step { written: Ok(()), effects, submitted });
            } else {
                self.pipeline
                    .push_back(Box::pin(async move { Step { written: Ok(()), effects, submitted } }));
            }
            return;
        };
        let node = Arc::clone(&self.node);
        let retry = submitted.is_none();
        let mut durable: Durable = Box::pin(async move {
            let written = write_down(&node, writes, retry).await;
            Step { written, effects, submitted }
        });
        // Polled once, the write stands in the database's queue: order is kept without waiting for it.
        match futures::poll!(&mut durable) {
            std::task::Poll::Ready(step) if self.pipeline.is_empty() => self.carry_out(step),
            std::task::Poll::Ready(step) => self.pipeline.push_back(Box::pin(async move { step })),
            std::task::Poll::Pending => self.pipeline.push_back(durable),
        }
    }

    fn carry_out(&mut self, step: Step) {
        if let Err(error) = step.written {
            // Only a submission is given up; everything else waits for the disk.
            if let Some((id, answer)) = step.submitted {
                self.node.machines().originator.forget(&id);
                lock(&self.node.index).remove(&id);
                drop(answer.send(Err(SubmitFailure::Store(error))));
            }
            return;
        }
        if let Some((id, answer)) = step.submitted {
            drop(answer.send(Ok(id)));
        }
        for effect in step.effects {
            crate::perform::perform(&self.node, effect, &mut self.timers);
        }
    }
}

/// Makes writes durable. A full disk holds everything behind them back until there is room: nothing is lost, and nothing
/// is said that was not written down.
async fn write_down(node: &Arc<Node>, mut writes: Vec<Persist>, retry: bool) -> Result<(), StoreError> {
    loop {
        let result = match batch_of(node, &writes) {
            Ok(batch) => node.db.commit(batch).await,
            Err(error) => Err(error),
        };
        match result {
            Err(error) if retry && error.is_full() => {
                tracing::error!(error = %error, "the node waits for disk space");
                tokio::time::sleep(Duration::from_secs(1)).await;
                freshen(node, &mut writes);
            }
            Err(error) if retry => {
                // A store that failed accepts nothing more; only a new start can bring it back.
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database failed: start the node again"
                );
                std::future::pending::<()>().await;
            }
            other => return other,
        }
    }
}

/// Brings records that had to wait up to date: what was written meanwhile must not be overwritten by something older.
fn freshen(node: &Node, writes: &mut [Persist]) {
    let machines = node.machines();
    for write in writes {
        match write {
            Persist::Job(record) => {
                if let Some(newest) = machines.originator.job(&record.id) {
                    **record = newest.clone();
                }
            }
            Persist::Execution(record) => {
                if let Some(newest) =
                    machines.executor.as_ref().and_then(|executor| executor.execution(&record.job))
                {
                    **record = newest.clone();
                }
            }
            Persist::Offer(_) | Persist::OfferGone(_) | Persist::Block { .. } => {}
        }
    }
}
