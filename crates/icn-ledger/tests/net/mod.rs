//! A network of replicas in one thread: every message arrives, in order, at once.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use icn_gossip::{LiveMessage, SignedEntry};
use icn_identity::{Ed25519Verifier, Keypair};
use icn_ledger::replica::{
    Arrived, Checked, Effect, Entries, Event, Live, PostRequest, Posted, Refusal, Replica, ReplicaConfig,
    SessionId, Write,
};
use icn_ledger::{Act, CreditPolicy, OrderRef, SignedVote, SpacePolicy, VoteRecord};
use icn_types::{Cid, Did, Duration, Timestamp};

/// What survives a crash.
#[derive(Clone, Default)]
pub(crate) struct Disk(
    pub Arc<Mutex<BTreeMap<u32, SignedEntry>>>,
    pub Arc<Mutex<Vec<(Did, VoteRecord)>>>,
    pub Arc<Mutex<bool>>,
);

impl Entries for Disk {
    fn get(&self, idx: u32) -> Option<SignedEntry> {
        self.0.lock().unwrap().get(&idx).cloned()
    }
}

pub(crate) struct Node {
    pub(crate) did: Did,
    pub(crate) keys: Vec<Keypair>,
    pub(crate) replica: Replica,
    pub(crate) disk: Disk,
    pub(crate) group: u8,
    /// What followers were told, in order.
    pub(crate) changed: Vec<Cid>,
    sessions: BTreeMap<SessionId, (usize, SessionId)>,
    answers: BTreeMap<u64, Result<Posted, Refusal>>,
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Timestamp,
    pub(crate) space: Did,
    queue: VecDeque<(usize, Event)>,
    next: u64,
}

pub(crate) fn key(n: u8) -> Keypair {
    Keypair::from_seed([n; 32])
}

impl Net {
    /// Makes nodes 0, 1, …, each with an identity of its own; node 0 has the root's key as well and founds the space.
    pub(crate) fn new(count: usize) -> Self {
        let space = key(200).did();
        let mut net = Self {
            nodes: Vec::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
            space,
            queue: VecDeque::new(),
            next: 1,
        };
        for n in 0..count {
            net.add_node(n as u8 + 1, n == 0);
        }
        net.found(count);
        net
    }

    pub(crate) fn add_node(&mut self, n: u8, has_root: bool) -> usize {
        let mut keys = vec![key(n)];
        if has_root {
            keys.push(key(200));
        }
        let disk = Disk::default();
        let replica = Self::boot(self.space, &keys, &disk, self.now);
        self.nodes.push(Node {
            did: keys[0].did(),
            keys,
            replica,
            disk,
            group: 0,
            changed: Vec::new(),
            sessions: BTreeMap::new(),
            answers: BTreeMap::new(),
        });
        self.nodes.len() - 1
    }

    /// A replica with the identities of a node, and nothing in its log.
    pub(crate) fn empty(&self, n: usize) -> Replica {
        let node = &self.nodes[n];
        let config = ReplicaConfig::new(self.space, node.did);
        let mut replica = Replica::new(config, Box::new(node.disk.clone()), Arc::new(Ed25519Verifier::new()));
        for key in &node.keys {
            replica.add_identity(Arc::new(key.clone()));
        }
        replica
    }

    pub(crate) fn disk_from(&self, n: usize, idx: u32) -> Vec<SignedEntry> {
        self.nodes[n].disk.0.lock().unwrap().range(idx..).map(|(_, entry)| entry.clone()).collect()
    }

    fn boot(space: Did, keys: &[Keypair], disk: &Disk, now: Timestamp) -> Replica {
        let config = ReplicaConfig {
            has_peers: *disk.2.lock().unwrap(),
            sync_period: Duration::from_secs(2),
            ..ReplicaConfig::new(space, keys[0].did())
        };
        let mut replica = Replica::new(config, Box::new(disk.clone()), Arc::new(Ed25519Verifier::new()));
        for key in keys {
            replica.add_identity(Arc::new(key.clone()));
        }
        for (witness, record) in disk.1.lock().unwrap().iter() {
            replica.restore_vote(*witness, record);
        }
        let entries: Vec<SignedEntry> = disk.0.lock().unwrap().values().cloned().collect();
        for entry in entries {
            replica.restore(entry).unwrap();
        }
        replica.restored(now);
        replica
    }

    fn found(&mut self, count: usize) {
        let founder = self.nodes[0].did;
        let policy = CreditPolicy { initial: 100, ..CreditPolicy::default() };
        let mut acts = vec![
            Act::Found { name: "bakery".into(), created: self.now },
            Act::Admit { member: founder, nickname: Some("ana".into()) },
            Act::Appoint { member: founder },
            Act::Currency { code: "hours".into(), decimals: 0, policy },
            Act::Policy(SpacePolicy { epoch_seconds: 0, ..SpacePolicy::default() }),
        ];
        for n in 1..count {
            acts.push(Act::Admit { member: self.nodes[n].did, nickname: None });
        }
        let root = self.space;
        self.post(0, root, acts).unwrap();
        self.connect();
        self.run(4_000);
    }

    /// Connects every pair of one group.
    pub(crate) fn connect(&mut self) {
        for a in 0..self.nodes.len() {
            for b in 0..self.nodes.len() {
                if a != b && self.nodes[a].group == self.nodes[b].group {
                    let did = self.nodes[b].did;
                    self.queue.push_back((a, Event::PeerUp(did)));
                }
            }
        }
        self.drain();
    }

    /// Puts nodes into groups that do not hear each other.
    pub(crate) fn split(&mut self, groups: &[u8]) {
        for (node, group) in self.nodes.iter_mut().zip(groups) {
            node.group = *group;
        }
        for a in 0..self.nodes.len() {
            for b in 0..self.nodes.len() {
                if self.nodes[a].group != self.nodes[b].group {
                    let did = self.nodes[b].did;
                    self.queue.push_back((a, Event::PeerDown(did)));
                }
            }
        }
        self.drain();
    }

    pub(crate) fn heal(&mut self) {
        let groups = vec![0; self.nodes.len()];
        self.split(&groups);
        self.connect();
        self.run(6_000);
    }

    /// Kills a node and starts it again from a disk.
    pub(crate) fn restart(&mut self, n: usize, disk: Disk) {
        let node = &mut self.nodes[n];
        node.replica = Self::boot(self.space, &node.keys, &disk, self.now);
        node.disk = disk;
        node.sessions.clear();
        let did = node.did;
        self.queue.retain(|(to, _)| *to != n);
        for other in 0..self.nodes.len() {
            if other != n {
                let gone: Vec<SessionId> = self.nodes[other]
                    .sessions
                    .iter()
                    .filter(|(_, (peer, _))| *peer == n)
                    .map(|(id, _)| *id)
                    .collect();
                for session in gone {
                    self.nodes[other].sessions.remove(&session);
                    self.queue.push_back((other, Event::SessionClosed { session }));
                }
                self.queue.push_back((other, Event::PeerDown(did)));
            }
        }
        self.drain();
    }

    /// A deep copy of what a node has on its disk now.
    pub(crate) fn copy_disk(&self, n: usize) -> Disk {
        let disk = &self.nodes[n].disk;
        Disk(
            Arc::new(Mutex::new(disk.0.lock().unwrap().clone())),
            Arc::new(Mutex::new(disk.1.lock().unwrap().clone())),
            Arc::new(Mutex::new(*disk.2.lock().unwrap())),
        )
    }

    /// Lets time pass in steps of 100 ms.
    pub(crate) fn run(&mut self, millis: u64) {
        for _ in 0..millis / 100 {
            self.now = self.now.plus(Duration::from_millis(100));
            for n in 0..self.nodes.len() {
                self.queue.push_back((n, Event::Tick));
            }
            self.drain();
        }
    }

    pub(crate) fn drain(&mut self) {
        let mut steps = 0;
        while let Some((n, event)) = self.queue.pop_front() {
            steps += 1;
            assert!(steps < 2_000_000, "the replicas never come to rest");
            let now = self.now;
            let mut effects = self.nodes[n].replica.handle(now, event);
            effects.extend(self.nodes[n].replica.settle(now));
            for effect in effects {
                self.perform(n, effect);
            }
        }
    }

    fn perform(&mut self, n: usize, effect: Effect) {
        match effect {
            Effect::Persist(writes) => self.write(n, writes),
            Effect::Publish(message) => {
                let message = LiveMessage::parse(&message.encode().unwrap()).unwrap();
                let verifier = Ed25519Verifier::new();
                for other in 0..self.nodes.len() {
                    if other != n && self.nodes[other].group == self.nodes[n].group {
                        let message = match message.clone() {
                            LiveMessage::Entry(signed) => {
                                Live::Entry(Box::new(Checked::new(signed, &verifier).unwrap()))
                            }
                            LiveMessage::Proof(proof) => Live::Proof(Box::new(proof)),
                            LiveMessage::Extra(bytes) => {
                                Live::Vote(Box::new(SignedVote::parse(&bytes).unwrap()))
                            }
                        };
                        let from = self.nodes[n].did;
                        self.queue.push_back((other, Event::Live { from, ticket: 0, message }));
                    }
                }
            }
            Effect::Answer { ticket, result } => {
                self.nodes[n].answers.insert(ticket, result);
            }
            Effect::OpenSession { node } => {
                let other = self.nodes.iter().position(|other| other.did == node).unwrap();
                if self.nodes[other].group != self.nodes[n].group {
                    self.queue.push_back((n, Event::SessionFailed { node }));
                    return;
                }
                let (ours, theirs) = (SessionId(self.next), SessionId(self.next + 1));
                self.next += 2;
                self.nodes[n].sessions.insert(ours, (other, theirs));
                self.nodes[other].sessions.insert(theirs, (n, ours));
                let from = self.nodes[n].did;
                self.queue
                    .push_back((other, Event::SessionOpened { session: theirs, node: from, is_ours: false }));
                self.queue.push_back((n, Event::SessionOpened { session: ours, node, is_ours: true }));
            }
            Effect::SendFrame { session, bytes } => {
                if let Some((other, theirs)) = self.nodes[n].sessions.get(&session).copied() {
                    self.queue.push_back((other, Event::SessionFrame { session: theirs, bytes }));
                    self.queue.push_back((n, Event::SessionDrained { session }));
                }
            }
            Effect::CloseSession { session } => {
                if let Some((other, theirs)) = self.nodes[n].sessions.remove(&session) {
                    self.queue.push_back((n, Event::SessionClosed { session }));
                    // What was sent before arrives before.
                    if self.nodes[other].sessions.contains_key(&theirs) {
                        self.queue.push_back((other, Event::SessionClosed { session: theirs }));
                    }
                }
            }
            Effect::Check { session, entries, proofs, votes } => {
                let verifier = Ed25519Verifier::new();
                let arrived = Arrived {
                    entries: entries.into_iter().map(|entry| Checked::new(entry, &verifier)).collect(),
                    proofs: proofs.into_iter().filter(|proof| proof.check(&verifier).is_ok()).collect(),
                    votes: votes
                        .iter()
                        .filter_map(|vote| SignedVote::parse(vote).ok())
                        .filter(|vote| vote.verify(&verifier).is_ok())
                        .collect(),
                };
                self.queue.push_back((n, Event::Checked { session, arrived }));
            }
            Effect::Changed(entries) => self.nodes[n].changed.extend(entries),
            Effect::Verdict { .. } => {}
        }
    }

    fn write(&mut self, n: usize, writes: Vec<Write>) {
        let disk = &self.nodes[n].disk;
        for write in writes {
            match write {
                Write::Entry { idx, entry } => drop(disk.0.lock().unwrap().insert(idx, entry)),
                Write::Vote { witness, record } => disk.1.lock().unwrap().push((witness, record)),
                Write::HasPeers => *disk.2.lock().unwrap() = true,
                Write::Offence { .. } => {}
            }
        }
    }

    pub(crate) fn inject(&mut self, n: usize, event: Event) {
        self.queue.push_back((n, event));
        self.drain();
    }

    /// Brings somebody's signed entry to a node, which passes it on.
    pub(crate) fn deliver(
        &mut self,
        at: usize,
        entry: icn_gossip::Entry,
        signer: &Keypair,
    ) -> icn_types::Cid {
        let signed = entry.sign(signer).unwrap();
        let checked = Checked::new(signed.signed().clone(), &Ed25519Verifier::new()).unwrap();
        let live = LiveMessage::Entry(signed.signed().clone());
        let message = Live::Entry(Box::new(checked));
        self.inject(at, Event::Live { from: signer.did(), ticket: 0, message });
        self.perform(at, Effect::Publish(live));
        self.drain();
        signed.id()
    }

    /// The space's first entry.
    pub(crate) fn founding(&self) -> icn_types::Cid {
        self.nodes[0].replica.log().at(&self.space, 1)[0]
    }

    /// Hands a node an entry that was signed elsewhere.
    pub(crate) fn submit(
        &mut self,
        n: usize,
        entry: icn_gossip::Entry,
        signer: &Keypair,
    ) -> Result<Posted, Refusal> {
        let signed = entry.sign(signer).unwrap().signed().clone();
        let entry = Box::new(Checked::new(signed, &Ed25519Verifier::new()).unwrap());
        let ticket = self.next;
        self.next += 1;
        self.inject(n, Event::Submit { ticket, entry });
        self.nodes[n].answers.remove(&ticket).expect("an answer at once")
    }

    pub(crate) fn ask(&mut self, n: usize, request: PostRequest) -> Option<Result<Posted, Refusal>> {
        let ticket = self.next;
        self.next += 1;
        self.queue.push_back((n, Event::Post { ticket, request }));
        self.drain();
        self.nodes[n].answers.remove(&ticket)
    }

    pub(crate) fn post(&mut self, n: usize, author: Did, acts: Vec<Act>) -> Result<Posted, Refusal> {
        let request = PostRequest { author, acts, approvals: vec![], key: None, is_offline: false };
        self.ask(n, request).expect("an answer at once")
    }

    pub(crate) fn pay(&mut self, from: usize, to: usize, amount: i64) -> Result<OrderRef, Refusal> {
        let (author, to) = (self.nodes[from].did, self.nodes[to].did);
        let act = Act::Pay { to, amount, currency: "hours".into(), memo: None, request: None, expires: None };
        self.post(from, author, vec![act]).map(|posted| OrderRef { entry: posted.entry, index: 0 })
    }

    pub(crate) fn balance(&self, at: usize, of: usize) -> i64 {
        self.nodes[at].replica.books().balance(&self.nodes[of].did, "hours").booked
    }

    /// All nodes have the same books, which sum to zero.
    pub(crate) fn agree(&self) {
        let digest = self.nodes[0].replica.books().digest();
        for (n, node) in self.nodes.iter().enumerate() {
            assert!(node.replica.books().check_zero_sum(), "node {n}");
            assert_eq!(node.replica.log().len(), self.nodes[0].replica.log().len(), "entries of node {n}");
            assert_eq!(node.replica.books().digest(), digest, "books of node {n}");
        }
    }
}
