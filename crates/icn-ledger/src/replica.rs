//! One replica of the books of one space: what a node does with what it hears, for the members that it serves.
//!
//! A machine: `handle(now, event)` takes what happened, `settle(now)` does what follows from all of it (votes,
//! acceptances, certificates, seals); both return effects for the shell. It owns the log, the reduced books and the
//! reconciliations, and no socket, disk or clock.

mod checked;
mod checkpoint;
mod duties;
mod event;
mod pass;
mod posting;
mod repair;
mod standings;
mod syncing;
mod taking;
mod treasuries;
mod turn;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use icn_gossip::{AccessControl, Log, LogId, LogLimits, SignedEntry, TopicMeta};
use icn_identity::{Signer, Verifier};
use icn_types::{Cid, Did, Duration, Timestamp};

pub use self::checked::{CheckError, Checked};
pub use self::checkpoint::Checkpoint;
pub use self::event::{Arrived, Effect, Event, Live, PostRequest, Posted, SessionId, Verdict, Write};
pub use self::pass::{Bearer, PASS_BYTES_MAX, Pass};
use self::posting::Own;
pub use self::posting::Refusal;
use self::standings::Standings;
use self::syncing::{Node, Session};
use self::treasuries::Treasuries;
pub use self::turn::Turn;
use crate::books::Books;
use crate::certificate::Certificate;
use crate::invitation::Invitation;
use crate::misbehaviour::Misbehaviour;
use crate::witness::{Memory, Tally, VoteRecord, Witness};

/// So many of the latest entries are looked at by the witnesses of this node after a start.
const LOOKED_AT_AGAIN_MAX: usize = 10_000;
/// How often one turn looks whether what it did leads to more. What is left waits for the next turn.
const ROUNDS_MAX: usize = 4;

/// Reads entries that were written down.
pub trait Entries: Send {
    /// Returns the entry at a place of the order of application.
    fn get(&self, idx: u32) -> Option<SignedEntry>;
}

/// How far somebody who is no member is trusted in money matters, in parts per million (GOS-11). Asked while the replica is
/// held: it must not ask the replica.
pub type TrustLookup = Arc<dyn Fn(&Did) -> u32 + Send + Sync>;

/// How a replica behaves.
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// The space, by its root DID.
    pub space: Did,
    /// The node that keeps this replica.
    pub node: Did,
    /// Whether another node of the space was ever met: then the own head must be confirmed after each start.
    pub has_peers: bool,
    /// What lets this node read before any of its members is in the books.
    pub invitation: Option<Invitation>,
    /// How often each node is reconciled with.
    pub sync_period: Duration,
    /// How long a request may wait for the own head to be confirmed.
    pub confirm_patience: Duration,
    /// Whether incoming payments are accepted by themselves.
    pub accepts: bool,
    /// The bounds of the log.
    pub limits: LogLimits,
    /// Where the order of partners comes from.
    pub seed: u64,
}

impl ReplicaConfig {
    /// Returns the usual behaviour.
    #[must_use]
    pub fn new(space: Did, node: Did) -> Self {
        Self {
            space,
            node,
            has_peers: false,
            invitation: None,
            sync_period: Duration::from_secs(10),
            confirm_patience: Duration::from_secs(15),
            accepts: true,
            limits: LogLimits::default(),
            seed: 0,
        }
    }
}

/// One replica.
pub struct Replica {
    config: ReplicaConfig,
    access: AccessControl,
    trust: TrustLookup,
    log: Log,
    books: Books,
    entries: Box<dyn Entries>,
    verifier: Arc<dyn Verifier>,
    /// Entries that may not be on the disk yet.
    recent: BTreeMap<u32, SignedEntry>,
    own: BTreeMap<Did, Own>,
    /// Members of this node that are paid, or whose payments were declined: they may have to answer.
    answering: BTreeSet<Did>,
    /// Members of this node whose requests wait for their heads.
    asking: BTreeSet<Did>,
    witnesses: BTreeMap<Did, Witness>,
    tally: Tally,
    offences: Misbehaviour,
    /// Whoever may append: the root, and everybody who was ever let in.
    writers: BTreeSet<Did>,
    sessions: BTreeMap<SessionId, Session>,
    nodes: BTreeMap<Did, Node>,
    /// Applied since the last [`Replica::settle`].
    fresh: Vec<Cid>,
    /// Certificates that this replica put together.
    certificates: BTreeMap<Cid, Certificate>,
    /// Entries whose certificate came to light since the last [`Replica::settle`]: followers are told.
    certified: Vec<Cid>,
    /// Those that may have to be written into an entry.
    assembled: BTreeSet<Cid>,
    /// Entries that a witness could not judge yet.
    undecided: BTreeSet<Cid>,
    next_look: Timestamp,
    /// The witness set for which everything uncertified was looked at.
    looked_for: Option<u64>,
    next_seal: Timestamp,
    /// The last attempt at a seal: its number, and which round of turns.
    sealed: Option<(u64, u64)>,
    /// What is to be written with the next turn.
    notes: Vec<Write>,
    /// How many forks were looked at for such as this node can repair.
    repaired: usize,
    standings: Standings,
    treasuries: Treasuries,
    must_rejudge: bool,
    started: Timestamp,
    turn: u64,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica")
            .field("space", &self.config.space)
            .field("entries", &self.log.len())
            .finish()
    }
}

impl Replica {
    /// Makes an empty replica.
    #[must_use]
    pub fn new(config: ReplicaConfig, entries: Box<dyn Entries>, verifier: Arc<dyn Verifier>) -> Self {
        let id = log_of(config.space);
        let access = TopicMeta::of(id.topic.clone()).access;
        Self {
            access,
            trust: Arc::new(|_| 0),
            log: Log::new(id, config.limits),
            books: Books::new(config.space),
            entries,
            verifier,
            recent: BTreeMap::new(),
            own: BTreeMap::new(),
            answering: BTreeSet::new(),
            asking: BTreeSet::new(),
            witnesses: BTreeMap::new(),
            tally: Tally::new(),
            offences: Misbehaviour::new(),
            writers: BTreeSet::from([config.space]),
            sessions: BTreeMap::new(),
            nodes: BTreeMap::new(),
            fresh: Vec::new(),
            certificates: BTreeMap::new(),
            certified: Vec::new(),
            assembled: BTreeSet::new(),
            undecided: BTreeSet::new(),
            next_look: Timestamp::default(),
            looked_for: None,
            next_seal: Timestamp::default(),
            sealed: None,
            notes: Vec::new(),
            repaired: 0,
            standings: Standings::default(),
            treasuries: Treasuries::default(),
            must_rejudge: false,
            started: Timestamp::default(),
            turn: config.seed,
            config,
        }
    }

    /// Says who knows how far others are trusted; until then nobody is.
    pub fn set_trust(&mut self, trust: TrustLookup) {
        self.trust = trust;
    }

    /// Lets a member speak from here.
    pub fn add_identity(&mut self, signer: Arc<dyn Signer>) {
        let did = signer.did();
        let memory = if self.config.has_peers { Memory::Unsure } else { Memory::Kept };
        self.witnesses.entry(did).or_insert_with(|| Witness::new(self.config.space, did, memory));
        self.own.entry(did).or_insert_with(|| Own::new(signer));
    }

    /// Lets a member speak from here whose key was made just now: nobody can have written with it elsewhere.
    pub fn add_new_identity(&mut self, signer: Arc<dyn Signer>) {
        let did = signer.did();
        self.add_identity(signer);
        if let Some(own) = self.own.get_mut(&did).filter(|_| self.log.head_of(&did).is_none()) {
            own.is_confirmed = true;
        }
    }

    /// Takes a vote from the disk, before anything else.
    pub fn restore_vote(&mut self, witness: Did, record: &VoteRecord) {
        if let Some(witness) = self.witnesses.get_mut(&witness) {
            witness.restore(record);
            // Nobody may have heard it: it is given once more, unless the entry is certified by now.
            self.undecided.insert(record.entry);
        }
    }

    /// Takes the next entry from the disk.
    ///
    /// # Errors
    ///
    /// [`CheckError`] when the disk gives something else than was written.
    pub fn restore(&mut self, signed: SignedEntry) -> Result<(), CheckError> {
        let checked = Checked::trusted(signed)?;
        // What was written was applied before, so nothing is to be written again.
        drop(self.admit(checked));
        self.recent.clear();
        self.fresh.clear();
        self.certified.clear();
        Ok(())
    }

    /// Ends the reading of the disk.
    pub fn restored(&mut self, now: Timestamp) {
        self.started = now;
        // What is not certified may need the votes of this node once more.
        self.must_rejudge |= self.books.needs_rejudge();
        self.judge();
        let from = self.log.len().saturating_sub(LOOKED_AT_AGAIN_MAX);
        self.look_again(icn_gossip::Idx(u32::try_from(from).unwrap_or(u32::MAX)));
    }

    /// Advances the machine by one event. Input out of place has no effects.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        match event {
            Event::Live { from, ticket, message } => self.hear_live(now, from, ticket, message),
            Event::Post { ticket, request } => self.hear_post(now, ticket, request),
            Event::Submit { ticket, entry } => self.hear_submit(now, ticket, *entry),
            Event::PeerUp(node) => self.peer_up(now, node),
            Event::PeerDown(node) => self.peer_down(now, node),
            Event::SessionOpened { session, node, is_ours } => {
                self.session_opened(now, session, node, is_ours)
            }
            Event::SessionFailed { node } => self.session_failed(now, node),
            Event::SessionFrame { session, bytes } => self.session_frame(now, session, &bytes),
            Event::SessionClosed { session } => self.session_closed(now, session),
            Event::SessionDrained { session } => self.session_drained(now, session),
            Event::Checked { session, arrived } => self.hear_checked(now, session, arrived),
            Event::Durable { entries } => {
                self.recent = self.recent.split_off(&entries);
                Vec::new()
            }
            Event::Tick => self.tick(now),
        }
    }

    /// Does what follows from the events since the last call.
    #[must_use = "effects do nothing until the shell carries them out"]
    pub fn settle(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = self.answer_waiting(now);
        for _ in 0..ROUNDS_MAX {
            // What a duty writes may have to be judged before the next one is looked at.
            self.judge();
            let more = self.duties(now);
            if more.is_empty() {
                break;
            }
            effects.extend(more);
        }
        self.judge();
        if !self.notes.is_empty() {
            effects.push(Effect::Persist(std::mem::take(&mut self.notes)));
        }
        let mut certified = std::mem::take(&mut self.certified);
        // What is not here yet is told of when it comes.
        certified.retain(|entry| self.log.contains(entry));
        if !certified.is_empty() {
            effects.push(Effect::Changed(certified));
        }
        effects
    }

    /// Judges everything anew, if an entry asked for it.
    fn judge(&mut self) {
        if self.must_rejudge {
            self.rejudge();
        }
    }

    /// Tells whether a member of this node may write: its head is confirmed, or nobody else could know another.
    #[must_use]
    pub fn is_ready(&self, author: &Did) -> bool {
        !self.config.has_peers || self.own.get(author).is_some_and(|own| own.is_confirmed)
    }

    /// Tells whether a certificate for an entry is known here, in the log or not.
    #[must_use]
    pub fn is_certified(&self, entry: &Cid) -> bool {
        self.certificates.contains_key(entry) || self.is_written(entry)
    }

    /// Tells whether an entry of the log carries the certificate of an entry.
    fn is_written(&self, entry: &Cid) -> bool {
        self.log.idx(entry).is_some_and(|idx| self.books.is_certified(idx.0))
    }

    /// Shows another invitation to nodes of the space.
    pub fn set_invitation(&mut self, invitation: Invitation) {
        self.config.invitation = Some(invitation);
    }

    /// Returns the reduced books.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Returns the log.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Returns who broke which rule.
    #[must_use]
    pub const fn offences(&self) -> &Misbehaviour {
        &self.offences
    }

    /// Finds an entry, in memory or on the disk.
    #[must_use]
    pub fn entry(&self, id: &Cid) -> Option<SignedEntry> {
        self.entry_at(self.log.idx(id)?.0)
    }

    /// Finds an entry by its place in the order of application.
    #[must_use]
    pub fn entry_at(&self, idx: u32) -> Option<SignedEntry> {
        self.recent.get(&idx).cloned().or_else(|| self.entries.get(idx))
    }

    /// Reads an entry with what it says.
    fn read(&self, id: &Cid) -> Option<Checked> {
        self.read_at(self.log.idx(id)?.0)
    }

    /// The same, by its place in the order of application.
    fn read_at(&self, idx: u32) -> Option<Checked> {
        Checked::trusted(self.entry_at(idx)?).ok()
    }
}

/// Names the log of a space's books.
#[must_use]
pub fn log_of(space: Did) -> LogId {
    LogId { space, topic: icn_gossip::TopicName::ledger() }
}
