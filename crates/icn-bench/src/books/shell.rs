//! The loop around a replica, as in `icn-node`: one turn is one write, and everything else waits behind it.

mod writing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use icn_gossip::SignedEntry;
use icn_identity::{Ed25519Verifier, Keypair};
use icn_ledger::replica::{
    Checked, Effect, Entries, Event, PostRequest, Posted, Refusal, Replica, ReplicaConfig, SessionId, Turn,
};
use icn_store::{Batch, Database, StoreError, Table};
use icn_types::{Did, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::checking;

/// How often a replica looks whether something is due, as in `icn-node`.
const TICK: Duration = Duration::from_millis(100);
/// How many events one turn takes, as in `icn-node`.
const EVENTS_AT_ONCE: usize = 16;

/// A replica and its loop.
pub(super) struct Shell {
    node: Did,
    replica: Mutex<Replica>,
    database: Database,
    rows: EntryRows,
    /// Keeps the keys that it has decompressed.
    pub(super) verifier: Arc<Ed25519Verifier>,
    inbox: mpsc::UnboundedSender<Event>,
    /// What is to be checked before the replica hears of it.
    checks: mpsc::UnboundedSender<checking::Batch>,
    answers: Mutex<HashMap<u64, oneshot::Sender<Result<Posted, Refusal>>>>,
    tickets: AtomicU64,
    durable: watch::Sender<u32>,
    /// The same number, for the loop.
    written: AtomicU32,
    /// The only other node.
    peer: Mutex<Option<Arc<Shell>>>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

/// Entries on the disk, by their place in the order of application.
#[derive(Clone)]
pub(super) struct EntryRows {
    space: Did,
    table: Table<SignedEntry>,
}

impl EntryRows {
    /// Finds the rows of a space.
    pub(super) fn of(database: &Database, space: Did) -> Self {
        Self { space, table: database.table("space-entries") }
    }

    /// Puts an entry into a batch.
    pub(super) fn put(&self, batch: &mut Batch, idx: u32, entry: &SignedEntry) -> Result<(), StoreError> {
        batch.put(&self.table, (self.space, idx), entry)
    }

    /// Reads all entries in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<SignedEntry, StoreError>> {
        self.table.scan((self.space,)).map(|row| row.map(|(_, entry)| entry))
    }
}

impl Entries for EntryRows {
    fn get(&self, idx: u32) -> Option<SignedEntry> {
        self.table.get((self.space, idx)).ok().flatten()
    }
}

/// Makes a replica from what the disk has.
pub(super) fn restore(rows: &EntryRows, keys: &[Keypair], accepts: bool) -> Result<Replica> {
    let node = keys.first().map_or(rows.space, Keypair::did);
    let config = ReplicaConfig { accepts, ..ReplicaConfig::new(rows.space, node) };
    let mut replica = Replica::new(config, Box::new(rows.clone()), Arc::new(Ed25519Verifier::new()));
    for key in keys {
        replica.add_identity(Arc::new(key.clone()));
    }
    for entry in rows.iter() {
        replica.restore(entry?)?;
    }
    replica.restored(now());
    Ok(replica)
}

impl Shell {
    /// Starts the loop around what the disk has. The first of the keys is the node's.
    pub(super) fn start(
        database: &Database,
        space: Did,
        keys: &[Keypair],
        accepts: bool,
    ) -> Result<Arc<Self>> {
        let rows = EntryRows::of(database, space);
        let replica = restore(&rows, keys, accepts)?;
        let (inbox, receiver) = mpsc::unbounded_channel();
        let (checks, batches) = mpsc::unbounded_channel();
        let verifier: Arc<Ed25519Verifier> = Arc::default();
        tokio::spawn(checking::run(Arc::clone(&verifier), batches, inbox.clone()));
        let durable = watch::channel(u32::try_from(replica.log().len())?).0;
        let shell = Arc::new(Self {
            node: keys.first().map_or(space, Keypair::did),
            replica: Mutex::new(replica),
            database: database.clone(),
            rows,
            verifier,
            inbox,
            checks,
            answers: Mutex::default(),
            tickets: AtomicU64::new(1),
            durable,
            written: AtomicU32::new(0),
            peer: Mutex::default(),
            stop: CancellationToken::new(),
            task: Mutex::default(),
        });
        *lock(&shell.task) = Some(tokio::spawn(Arc::clone(&shell).run(receiver)));
        Ok(shell)
    }

    /// Lets two replicas meet.
    pub(super) fn connect(a: &Arc<Self>, b: &Arc<Self>) {
        for (one, other) in [(a, b), (b, a)] {
            *lock(&one.peer) = Some(Arc::clone(other));
            one.happen(Event::PeerUp(other.node));
        }
    }

    /// Ends the loop after what it has begun is written.
    pub(super) async fn close(&self) -> Result<()> {
        self.stop.cancel();
        drop(lock(&self.peer).take());
        let task = lock(&self.task).take();
        if let Some(task) = task {
            task.await??;
        }
        Ok(())
    }

    /// Gives the replica.
    pub(super) fn replica(&self) -> MutexGuard<'_, Replica> {
        lock(&self.replica)
    }

    /// Brings something to the replica.
    pub(super) fn happen(&self, event: Event) {
        // A loop that has failed tells so when it is closed.
        drop(self.inbox.send(event));
    }

    /// Says something with a key of this node; resolves when it is durable.
    pub(super) async fn post(&self, request: PostRequest) -> Result<Posted> {
        self.ask(|ticket| Event::Post { ticket, request }).await
    }

    /// Appends what was signed elsewhere; resolves when it is durable.
    pub(super) async fn submit(&self, entry: Checked) -> Result<Posted> {
        self.ask(|ticket| Event::Submit { ticket, entry: Box::new(entry) }).await
    }

    async fn ask(&self, event: impl FnOnce(u64) -> Event) -> Result<Posted> {
        let (answer, answered) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        lock(&self.answers).insert(ticket, answer);
        self.happen(event(ticket));
        Ok(answered.await??)
    }

    /// Resolves when so many entries are on the disk.
    pub(super) async fn wait_durable(&self, entries: u32) -> Result<()> {
        self.durable.subscribe().wait_for(|durable| *durable >= entries).await?;
        Ok(())
    }

    async fn run(self: Arc<Self>, mut inbox: mpsc::UnboundedReceiver<Event>) -> Result<(), StoreError> {
        let (turns, taken) = mpsc::channel(writing::TURNS_MAX);
        let writing = tokio::spawn(writing::run(Arc::clone(&self), taken));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                biased;
                Some(event) = inbox.recv() => event,
                _ = ticks.tick() => Event::Tick,
                () = self.stop.cancelled() => break,
            };
            let mut turn = self.turn(event, &mut inbox);
            for effect in std::mem::take(&mut turn.at_once) {
                self.perform(effect);
            }
            if !turn.is_done() && turns.send(turn).await.is_err() {
                break;
            }
        }
        drop(turns);
        writing.await.unwrap_or(Err(StoreError::Closed))
    }

    fn turn(&self, first: Event, inbox: &mut mpsc::UnboundedReceiver<Event>) -> Turn {
        let mut effects = Vec::new();
        let now = now();
        let mut replica = self.replica();
        drop(replica.handle(now, Event::Durable { entries: self.written.load(Ordering::Relaxed) }));
        effects.extend(replica.handle(now, first));
        for _ in 1..EVENTS_AT_ONCE {
            let Ok(event) = inbox.try_recv() else { break };
            effects.extend(replica.handle(now, event));
        }
        effects.extend(replica.settle(now));
        drop(replica);
        Turn::of(effects)
    }

    fn perform(self: &Arc<Self>, effect: Effect) {
        match effect {
            Effect::Persist(_) | Effect::Publish(_) | Effect::Verdict { .. } | Effect::Changed(_) => {}
            Effect::Answer { ticket, result } => {
                if let Some(waiting) = lock(&self.answers).remove(&ticket) {
                    drop(waiting.send(result));
                }
            }
            Effect::OpenSession { node } => {
                let session = SessionId(self.tickets.fetch_add(1, Ordering::Relaxed));
                self.to_peer(Event::SessionOpened { session, node: self.node, is_ours: false });
                self.happen(Event::SessionOpened { session, node, is_ours: true });
            }
            Effect::SendFrame { session, bytes } => {
                self.to_peer(Event::SessionFrame { session, bytes });
                self.happen(Event::SessionDrained { session });
            }
            Effect::CloseSession { session } => {
                self.to_peer(Event::SessionClosed { session });
                self.happen(Event::SessionClosed { session });
            }
            Effect::Check { session, entries, proofs, votes } => {
                debug_assert!(proofs.is_empty() && votes.is_empty(), "no load here has forks or witnesses");
                // Closed only when the loop is.
                drop(self.checks.send(checking::Batch { session, entries }));
            }
        }
    }

    fn to_peer(&self, event: Event) {
        if let Some(peer) = lock(&self.peer).as_ref() {
            peer.happen(event);
        }
    }
}

/// Writes entries down as a space's first ones.
pub(super) fn write_all(
    database: &Database,
    space: Did,
    entries: impl IntoIterator<Item = SignedEntry>,
) -> Result<()> {
    let rows = EntryRows::of(database, space);
    let mut batch = Batch::new();
    for (idx, entry) in (0_u32..).zip(entries) {
        rows.put(&mut batch, idx, &entry)?;
        if batch.len() >= 1_000 {
            database.commit_relaxed(std::mem::take(&mut batch))?;
        }
    }
    Ok(database.commit_blocking(batch)?)
}

/// The clock of this machine.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
