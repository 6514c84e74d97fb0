//! The spaces that this node keeps books for: opening, joining, closing, and who speaks in them.

mod checking;
pub(crate) mod disk;
mod hearing;
mod identities;
pub(crate) mod jobs;
pub(crate) mod leaving;
mod metrics;
mod stream;
mod task;
mod writing;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use icn_gossip::LogId;
use icn_identity::Verifier;
use icn_ledger::SignedVote;
use icn_ledger::replica::{
    Checked, Checkpoint, Event, PostRequest, Posted, Refusal, Replica, ReplicaConfig, SessionId,
};
use icn_net::VerdictSender;
use icn_store::{Batch, Database};
use icn_types::{Cid, Did};
use serde_bytes::ByteBuf;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub(crate) use self::disk::{SpaceRecord, SpaceTables};
pub(crate) use self::hearing::{hear_live, is_space_topic, peer_left, peer_subscribed};
pub(crate) use self::identities::Identities;
pub(crate) use self::metrics::Metrics;
pub(crate) use self::stream::accept;
use crate::core::{Node, lock};

/// How many events may wait for one replica. Full: whoever brings one waits.
const INBOX_MAX: usize = 8_192;
/// How many changes a slow follower may miss before it reads the books anew.
const CHANGES_MAX: usize = 4_096;
/// After so many new entries the reduced state is written down, so that the next start does not judge them again.
const CHECKPOINT_EVERY: usize = 20_000;
/// The same, when the node ends in order.
const CHECKPOINT_AT_END: usize = 1_000;
/// The most spaces of one node.
const SPACES_MAX: usize = 64;

/// All spaces of a node.
pub(crate) struct Spaces {
    pub(crate) tables: SpaceTables,
    pub(crate) identities: Identities,
    pub(crate) metrics: Metrics,
    /// Held by whoever opens a space or gives one up, so that what is open and what is on the disk agree.
    pub(crate) changing: tokio::sync::Mutex<()>,
    open: RwLock<BTreeMap<Did, Arc<Space>>>,
}

/// One space, open.
pub(crate) struct Space {
    pub(crate) root: Did,
    pub(crate) log: LogId,
    pub(crate) topic: String,
    pub(crate) changes: broadcast::Sender<Cid>,
    replica: Mutex<Replica>,
    inbox: mpsc::Sender<Event>,
    /// What reconciliations brought and is not checked yet. A session waits for its answers, so that little stands here.
    checks: mpsc::UnboundedSender<checking::Batch>,
    /// Live messages that are being checked, in the order in which they came. The network bounds them.
    heard: mpsc::UnboundedSender<hearing::Checking>,
    stop: CancellationToken,
    /// Its loops.
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    tickets: AtomicU64,
    sessions: AtomicU64,
    /// How many entries the checkpoint on the disk stands for, as far as this process knows.
    covered: AtomicUsize,
    answers: Mutex<HashMap<u64, oneshot::Sender<Result<Posted, Refusal>>>>,
    verdicts: Mutex<HashMap<u64, VerdictSender>>,
    outboxes: Mutex<HashMap<SessionId, mpsc::Sender<Vec<u8>>>>,
}

impl Spaces {
    pub(crate) fn new(tables: SpaceTables, identities: Identities, metrics: Metrics) -> Self {
        Self { tables, identities, metrics, changing: tokio::sync::Mutex::default(), open: RwLock::default() }
    }

    /// Finds an open space by its log.
    pub(crate) fn of_log(&self, log: &LogId) -> Option<Arc<Space>> {
        self.get(&log.space).filter(|space| space.log == *log)
    }

    /// Finds an open space by its root.
    pub(crate) fn get(&self, root: &Did) -> Option<Arc<Space>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(root).cloned()
    }

    /// Lists the open spaces, by their roots.
    pub(crate) fn all(&self) -> Vec<Arc<Space>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Ends all loops, after what they have begun is written.
    pub(crate) async fn close(&self, db: &Database) {
        for space in self.all() {
            space.stop.cancel();
        }
        for space in self.all() {
            space.end().await;
            space.keep_checkpoint(&self.tables, db, CHECKPOINT_AT_END);
        }
    }

    /// Writes the reduced state of every space down where enough has come since the last time.
    pub(crate) fn keep_checkpoints(&self, db: &Database) {
        for space in self.all() {
            space.keep_checkpoint(&self.tables, db, CHECKPOINT_EVERY);
        }
    }
}

/// Opens every space that the database knows.
pub(crate) async fn open_all(node: &Arc<Node>) -> anyhow::Result<()> {
    let records: Vec<SpaceRecord> = node
        .spaces
        .tables
        .spaces
        .iter()
        .map(|row| row.map(|(_, record)| record))
        .collect::<Result<_, _>>()?;
    for record in records {
        open(node, record).await?;
    }
    Ok(())
}

/// Opens a space: reads its books from the disk, then listens.
pub(crate) async fn open(node: &Arc<Node>, record: SpaceRecord) -> anyhow::Result<Arc<Space>> {
    if let Some(space) = node.spaces.get(&record.root) {
        return Ok(space);
    }
    anyhow::ensure!(
        node.spaces.all().len() < SPACES_MAX,
        "this node keeps the books of {SPACES_MAX} spaces already"
    );
    let root = record.root;
    let reading = {
        let node = Arc::clone(node);
        tokio::task::spawn_blocking(move || read(&node, &record))
    };
    let replica = reading.await??;
    let log = LogId { space: root, topic: icn_ledger::LEDGER_TOPIC.parse()? };
    let (inbox, receiver) = mpsc::channel(INBOX_MAX);
    let (checks, batches) = mpsc::unbounded_channel();
    let (heard, messages) = mpsc::unbounded_channel();
    let space = Arc::new(Space {
        root,
        topic: log.gossip_topic(),
        log,
        changes: broadcast::channel(CHANGES_MAX).0,
        replica: Mutex::new(replica),
        inbox,
        checks,
        heard,
        stop: CancellationToken::new(),
        tasks: Mutex::default(),
        tickets: AtomicU64::new(1),
        sessions: AtomicU64::new(1),
        covered: AtomicUsize::new(0),
        answers: Mutex::default(),
        verdicts: Mutex::default(),
        outboxes: Mutex::default(),
    });
    node.spaces.open.write().unwrap_or_else(PoisonError::into_inner).insert(root, Arc::clone(&space));
    let task = task::Task::new(Arc::clone(node), Arc::clone(&space), receiver);
    let checking = tokio::spawn(checking::run(Arc::clone(node), Arc::clone(&space), batches));
    let hearing = tokio::spawn(hearing::run(Arc::clone(&space), messages));
    lock(&space.tasks).extend([tokio::spawn(task.run()), checking, hearing]);
    node.net.subscribe(&space.topic).await?;
    for peer in node.net.peers().await {
        if let Some(did) = peer.did.filter(|_| peer.topics.contains(&space.topic)) {
            space.happen(Event::PeerUp(did)).await;
        }
    }
    Ok(space)
}

/// Reads the books of a space.
fn read(node: &Arc<Node>, record: &SpaceRecord) -> anyhow::Result<Replica> {
    let root = record.root;
    let tables = &node.spaces.tables;
    let config = ReplicaConfig {
        space: root,
        node: node.me,
        has_peers: record.has_peers,
        invitation: record.invitation.as_ref().and_then(|bytes| icn_types::codec::decode(bytes).ok()),
        sync_period: icn_types::Duration::from_secs(node.config.ledger.sync_seconds.clamp(1, 3_600)),
        accepts: node.config.ledger.accept,
        seed: u64::from_le_bytes(node.me.public_key().first_chunk::<8>().copied().unwrap_or_default()),
        ..ReplicaConfig::new(root, node.me)
    };
    let entries = Box::new(disk::DiskEntries { root, tables: tables.clone() });
    let mut replica = Replica::new(config, entries, Arc::new(icn_identity::Ed25519Verifier::new()));
    // The node holds the replica: not the other way round.
    let asked = Arc::downgrade(node);
    replica.set_trust(Arc::new(move |did| {
        asked.upgrade().map_or(0, |node| node.trust.trust_to_read(node.clock.now().at, &root, did))
    }));
    for signer in node.spaces.identities.signers() {
        replica.add_identity(signer);
    }
    for (witness, votes) in disk::votes(tables, root)? {
        for vote in votes {
            replica.restore_vote(witness, &vote);
        }
    }
    let covered = match tables.checkpoints.get(root)?.and_then(|bytes| Checkpoint::parse(&bytes)) {
        // It may have been written a moment before the last of its entries: then it is not for this disk.
        Some(checkpoint) if tables.has_entries(root, checkpoint.entries())? => replica.resume(&checkpoint),
        Some(_) | None => 0,
    };
    for row in tables.entries.range((root, covered)..=(root, u32::MAX)) {
        let (_, entry) = row?;
        replica.restore(entry)?;
    }
    tracing::debug!(%root, covered, entries = replica.log().len(), "the books were read");
    replica.restored(node.clock.now().at);
    Ok(replica)
}

impl Space {
    /// Gives the replica, for reading; only the loop changes it.
    pub(crate) fn replica(&self) -> MutexGuard<'_, Replica> {
        lock(&self.replica)
    }

    /// Brings something to the replica; waits while it has too much to do.
    pub(crate) async fn happen(&self, event: Event) {
        // Closed only when the space is, and then nobody waits for what follows.
        let _ = self.inbox.send(event).await;
    }

    /// Says something as a member of this node, and waits until it is durable.
    pub(crate) async fn post(&self, request: PostRequest) -> Result<Posted, Refusal> {
        self.ask(|ticket| Event::Post { ticket, request }).await
    }

    /// Appends an entry that was signed elsewhere, and waits until it is durable.
    pub(crate) async fn submit(&self, entry: Checked) -> Result<Posted, Refusal> {
        self.ask(|ticket| Event::Submit { ticket, entry: Box::new(entry) }).await
    }

    async fn ask(&self, event: impl FnOnce(u64) -> Event) -> Result<Posted, Refusal> {
        let (answer, answered) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        lock(&self.answers).insert(ticket, answer);
        if self.inbox.send(event(ticket)).await.is_err() {
            return Err(Refusal::Closed);
        }
        answered.await.unwrap_or(Err(Refusal::Closed))
    }

    /// Waits until the space is given up or the node ends.
    pub(crate) async fn closed(&self) {
        self.stop.cancelled().await;
    }

    /// Stops the loops, waits for what they have begun, and lets everybody go who waits for an answer.
    async fn end(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            // A panic there was reported when it happened.
            drop(task.await);
        }
        lock(&self.answers).clear();
        lock(&self.outboxes).clear();
        let verdicts = std::mem::take(&mut *lock(&self.verdicts));
        verdicts.into_values().for_each(|verdict| verdict.send(icn_net::Verdict::Ignore));
    }

    fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the queue of frames of a session.
    fn attach(&self, session: SessionId) -> mpsc::Receiver<Vec<u8>> {
        let (sender, receiver) = stream::outbox();
        lock(&self.outboxes).insert(session, sender);
        receiver
    }

    /// Sends no more on a session.
    fn detach(&self, session: SessionId) {
        lock(&self.outboxes).remove(&session);
    }

    fn send_frame(&self, session: SessionId, bytes: Vec<u8>) {
        let outbox = lock(&self.outboxes).get(&session).cloned();
        if outbox.is_some_and(|outbox| outbox.try_send(bytes).is_err()) {
            self.detach(session);
        }
    }

    /// Writes the reduced state down, if so many entries came since it was last written.
    fn keep_checkpoint(&self, tables: &SpaceTables, db: &Database, after: usize) {
        let covered = self.covered.load(Ordering::Relaxed);
        let checkpoint = {
            let replica = self.replica();
            if replica.log().len() < covered + after {
                return;
            }
            replica.checkpoint()
        };
        let Some(checkpoint) = checkpoint else { return };
        let mut batch = Batch::new();
        let written = batch
            .put(&tables.checkpoints, self.root, &ByteBuf::from(checkpoint.to_bytes()))
            .and_then(|()| db.commit_relaxed(batch));
        match written {
            Ok(()) => {
                self.covered.store(usize::try_from(checkpoint.entries()).unwrap_or(0), Ordering::Relaxed)
            }
            Err(error) => {
                tracing::warn!(error = %error, "the reduced state of the books was not written down")
            }
        }
    }

    /// Reads a vote whose signature holds.
    fn read_vote(bytes: &[u8], verifier: &dyn Verifier) -> Option<SignedVote> {
        let vote = SignedVote::parse(bytes).ok()?;
        vote.verify(verifier).ok()?;
        Some(vote)
    }

    /// Remembers whom a verdict is for.
    fn verdict_ticket(&self, verdict: VerdictSender) -> u64 {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        lock(&self.verdicts).insert(ticket, verdict);
        ticket
    }
}
