//! Many witnesses, fewer than a third of them liars, in any order of events, with crashes: never two certificates at one
//! place, nor when one of them comes back from an old copy of its disk instead. The last tests plant one bug each and see it
//! found.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000);
const POOL: usize = 7;
const FIRST: std::ops::Range<usize> = 0..4;
/// In both sets.
const COMMON: usize = 3;
const AUTHORS: u8 = 6;
const PLACES: u64 = 2;
/// How many worlds run.
const SEEDS: u64 = 150;
const STEPS: usize = 1_400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// A restart comes back without its records.
    LosesVotes,
    /// The vote leaves before the record is durable.
    SendsFirst,
    /// Sessions of a handover bring no entries.
    MergesNothing,
    /// A restart comes back without knowing that it has handed over.
    ForgetsHandover,
    /// Nobody waits for a handover.
    NoHandover,
}

/// What may be wrong with a witness: one of each set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Number 0 and number 6 lie; the second set are witnesses 3 to 6.
    Lies,
    /// Number 3 comes back from old copies of its disk, and is all of the second set: no other member could stop it.
    Copies,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % n as u64).unwrap()
    }
}

#[derive(Clone)]
struct Item {
    author: Did,
    seq: u64,
    prev: Option<Cid>,
    post: Post,
}

/// What one witness knows. It is durable.
#[derive(Clone, Default)]
struct Known {
    entries: BTreeSet<Cid>,
    second_set: Option<Vec<Did>>,
    second_works: bool,
}

struct Books<'a> {
    items: &'a BTreeMap<Cid, Item>,
    known: &'a Known,
    is_blind: bool,
    bug: Bug,
    fault: Fault,
}

impl Books<'_> {
    fn places(&self, author: &Did) -> Vec<u64> {
        let of = |id: &Cid| self.items.get(id).filter(|item| item.author == *author).map(|item| item.seq);
        self.known.entries.iter().filter_map(of).collect()
    }
}

impl WitnessView for Books<'_> {
    fn witness_set(&self) -> Option<WitnessSet> {
        let members = |range: std::ops::Range<usize>| range.map(did).collect::<Vec<Did>>();
        Some(match &self.known.second_set {
            None => WitnessSet { number: 1, members: members(FIRST), before: None },
            Some(voters) => {
                let before = Handover { members: members(FIRST), voters: voters.clone() };
                let before = (self.bug != Bug::NoHandover).then_some(before);
                WitnessSet { number: 2, members: members(self.fault.second()), before }
            }
        })
    }
    fn set_has_certified(&self, set: u64) -> bool {
        set == 1 || self.known.second_works
    }
    fn is_valid(&self, entry: &Cid) -> bool {
        self.known.entries.contains(entry)
    }
    fn is_alone(&self, author: &Did, seq: u64) -> bool {
        self.is_blind || self.places(author).iter().filter(|place| **place == seq).count() <= 1
    }
    fn is_forked(&self, author: &Did) -> bool {
        let places = self.places(author);
        !self.is_blind && places.len() != places.iter().collect::<BTreeSet<_>>().len()
    }
    fn exceeds_known_line(&self, _: &Cid) -> bool {
        false
    }
    fn seal_is_right(&self, _: &Cid, _: u32) -> bool {
        true
    }
}

fn did(n: usize) -> Did {
    Did::from_public_key([u8::try_from(n).unwrap() + 1; 32])
}

fn is_forker(author: u8) -> bool {
    !author.is_multiple_of(3)
}

/// Chains of one or two branches; a steward names the second set.
fn items(fault: Fault) -> BTreeMap<Cid, Item> {
    let mut items = BTreeMap::new();
    for author in 0..AUTHORS {
        for branch in 0..if is_forker(author) { 2_u8 } else { 1 } {
            let mut prev = None;
            for seq in 1..=PLACES {
                let id = Cid::of_dag_cbor(&[author, branch, seq as u8]);
                let post = Post::new(vec![Act::Unfreeze { account: did(0) }]);
                let author = Did::from_public_key([100 + author; 32]);
                items.insert(id, Item { author, seq, prev, post });
                prev = Some(id);
            }
        }
    }
    items.insert(naming(), {
        let post = Post::new(vec![Act::Witnesses { number: 2, members: fault.second().map(did).collect() }]);
        Item { author: Did::from_public_key([200; 32]), seq: 1, prev: None, post }
    });
    items
}

fn naming() -> Cid {
    Cid::of_dag_cbor(b"names the second set")
}

struct Node {
    witness: Witness,
    memory: Memory,
    disk: Vec<VoteRecord>,
    known: Known,
    /// An old copy of the disk.
    copy: (Vec<VoteRecord>, Known),
    /// With whom, from when, and what the other had when the session began.
    session: Option<(usize, Era, Known)>,
    effects: std::collections::VecDeque<WitnessEffect>,
}

struct World {
    random: Random,
    bug: Bug,
    fault: Fault,
    is_blind: bool,
    time: usize,
    items: BTreeMap<Cid, Item>,
    nodes: Vec<Node>,
    votes: BTreeMap<(u64, Cid), BTreeSet<Did>>,
}

impl Fault {
    fn is_liar(self, n: usize) -> bool {
        self == Self::Lies && (n == 0 || n == 6)
    }

    fn second(self) -> std::ops::Range<usize> {
        match self {
            Self::Lies => COMMON..POOL,
            Self::Copies => COMMON..COMMON + 1,
        }
    }
}

impl World {
    fn new(seed: u64, bug: Bug, fault: Fault, is_blind: bool) -> Self {
        let node = |n| {
            let memory = if fault == Fault::Copies && n == COMMON { Memory::Unsure } else { Memory::Kept };
            Node {
                witness: Witness::new(did(90), did(n), memory),
                memory,
                disk: vec![],
                known: Known::default(),
                copy: Default::default(),
                session: None,
                effects: Default::default(),
            }
        };
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(2);
        let nodes = (0..POOL).map(node).collect();
        Self { random, bug, fault, is_blind, time: 0, items: items(fault), nodes, votes: BTreeMap::new() }
    }

    fn step(&mut self) {
        self.time += 1;
        let n = self.random.below(POOL);
        match self.random.below(64) {
            0..=19 => self.deliver(n),
            20..=39 => self.perform(n),
            40..=41 => self.crash(n),
            42..=62 => self.sync(n),
            _ => self.lie(n),
        }
        self.learn(n);
    }

    /// Each half of the pool hears mostly one branch, and the naming of the second set not too early.
    fn deliver(&mut self, n: usize) {
        // Half of the authors turn up when the second set may be in force already, which is named after a third.
        let authors = usize::from(if self.time < STEPS / 2 { AUTHORS / 2 } else { AUTHORS });
        let (author, seq) = (self.random.below(authors) as u8, 1 + self.random.below(2) as u64);
        let likes = u8::from(n > 3);
        let strays = self.random.below(if self.is_blind { 4 } else { 20 }) == 0;
        let branch = if strays { 1 - likes } else { likes };
        let branch = if is_forker(author) { branch } else { 0 };
        let id = match self.random.below(if FIRST.contains(&n) { 4 } else { 16 }) {
            0 if !self.is_blind && self.time > STEPS / 3 => naming(),
            _ => Cid::of_dag_cbor(&[author, branch, seq as u8]),
        };
        let Self { nodes, items, is_blind, bug, fault, .. } = self;
        let (Node { witness, known, effects, .. }, item) = (&mut nodes[n], &items[&id]);
        if item.prev.is_some_and(|prev| !known.entries.contains(&prev)) {
            return;
        }
        known.entries.insert(id);
        let view = Books { items, known, is_blind: *is_blind, bug: *bug, fault: *fault };
        let Item { author, seq, prev, ref post } = *item;
        let candidate = Candidate { id, author, seq, prev, post };
        if let Ok(more) = witness.consider(NOW, &candidate, &view) {
            match bug {
                Bug::SendsFirst => effects.extend(more.into_iter().rev()),
                Bug::None | Bug::LosesVotes | Bug::MergesNothing | Bug::ForgetsHandover | Bug::NoHandover => {
                    effects.extend(more)
                }
            }
        }
    }

    fn perform(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        match node.effects.pop_front() {
            Some(WitnessEffect::Persist(record)) => node.disk.push(record),
            Some(WitnessEffect::Send(vote)) => {
                self.votes.entry((vote.set, vote.entry)).or_default().insert(did(n));
            }
            None => {}
        }
    }

    fn crash(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.effects.clear();
        node.session = None;
        if node.memory == Memory::Unsure {
            match self.random.below(3) {
                0 => node.copy = (node.disk.clone(), node.known.clone()),
                1 => (node.disk, node.known) = node.copy.clone(),
                _ => {}
            }
        }
        node.witness = Witness::new(did(90), did(n), node.memory);
        for record in &node.disk {
            match self.bug {
                Bug::LosesVotes => {}
                Bug::ForgetsHandover => {
                    node.witness.restore(&VoteRecord { hands_over: None, ..record.clone() });
                }
                Bug::None | Bug::SendsFirst | Bug::MergesNothing | Bug::NoHandover => {
                    node.witness.restore(record);
                }
            }
        }
    }

    /// Begins a session, or ends the one that is open.
    fn sync(&mut self, n: usize) {
        let Self { nodes, items, is_blind, bug, fault, .. } = self;
        let Node { witness, known, session, .. } = &mut nodes[n];
        let view = Books { items, known, is_blind: *is_blind, bug: *bug, fault: *fault };
        let is_waiting = matches!(witness.standing(&view), Standing::Abstaining { .. });
        // Without a reason to, nodes rarely meet: forks stay unknown for longer.
        if session.is_none() && !is_waiting && self.random.below(16) > 0 {
            return;
        }
        let among = if self.random.below(4) == 0 { POOL } else { FIRST.end };
        let other = self.random.below(among);
        let theirs = self.nodes[n].session.is_none().then(|| self.nodes[other].known.clone());
        let Self { nodes, items, is_blind, bug, fault, .. } = self;
        let Node { witness, known, session, .. } = &mut nodes[n];
        let Some((with, began, theirs)) = session.take() else {
            let view = Books { items, known, is_blind: *is_blind, bug: *bug, fault: *fault };
            *session = Some((other, witness.sync_began(&view), theirs.unwrap_or_default()));
            return;
        };
        // A liar ends the session well and keeps everything back.
        if !self.fault.is_liar(with) && *bug != Bug::MergesNothing {
            known.entries.extend(theirs.entries);
        }
        witness.merged(did(with), began);
    }

    fn lie(&mut self, n: usize) {
        if self.fault.is_liar(n) {
            for id in self.items.keys() {
                for set in [1, 2] {
                    self.votes.entry((set, *id)).or_default().insert(did(n));
                }
            }
        }
    }

    /// Hears of certificates: with luck at once, or never. Those of the first set alone hear of the second one late.
    fn learn(&mut self, n: usize) {
        if self.is_blind || (n < COMMON && self.random.below(16) > 0) {
            return;
        }
        if self.nodes[n].known.second_works || self.random.below(4) > 0 {
            return;
        }
        let certified = self.certified();
        let known = &mut self.nodes[n].known;
        if known.second_set.is_none() && certified.contains(&(1, naming())) {
            known.second_set = Some(self.votes[&(1, naming())].iter().copied().collect());
            known.entries.insert(naming());
        }
        // A set of one that works has nobody whom it could ask: those worlds are about asking the voters.
        known.second_works |= self.fault == Fault::Lies && certified.iter().any(|(set, _)| *set == 2);
    }

    /// What anybody who collects all votes can make.
    fn certified(&self) -> Vec<(u64, Cid)> {
        let is_quorum = |(set, by): (u64, &BTreeSet<Did>)| {
            let members = if set == 1 { FIRST } else { self.fault.second() };
            by.iter().filter(|by| members.clone().any(|n| did(n) == **by)).count() >= quorum(members.len())
        };
        self.votes.iter().filter(|((set, _), by)| is_quorum((*set, by))).map(|(key, _)| *key).collect()
    }

    fn is_split(&self) -> bool {
        let mut places: BTreeMap<(Did, u64), Cid> = BTreeMap::new();
        self.certified().into_iter().any(|(_, id)| {
            let item = &self.items[&id];
            *places.entry((item.author, item.seq)).or_insert(id) != id
        })
    }
}

/// Returns how many certificates each set made, or the seed of the first split.
fn run(bug: Bug, fault: Fault, is_blind: bool, seeds: std::ops::Range<u64>) -> Result<[usize; 2], u64> {
    let mut made = [0; 2];
    for seed in seeds {
        let mut world = World::new(seed, bug, fault, is_blind);
        (0..STEPS).for_each(|_| world.step());
        if world.is_split() {
            return Err(seed);
        }
        world.certified().iter().for_each(|(set, _)| made[*set as usize - 1] += 1);
    }
    Ok(made)
}

#[test]
fn no_place_has_two_certificates_whatever_liars_crashes_and_sets_do() {
    let made = run(Bug::None, Fault::Lies, false, 0..SEEDS).unwrap();
    let seeds = SEEDS as usize;
    assert!(made[0] > seeds && made[1] > seeds / 8, "the world is too quiet: {made:?}");
}

#[test]
fn nor_has_it_when_one_of_both_sets_comes_back_from_old_copies() {
    let made = run(Bug::None, Fault::Copies, false, 0..4 * SEEDS).unwrap();
    let seeds = SEEDS as usize;
    assert!(made[0] > seeds && made[1] > seeds / 2, "the world is too quiet: {made:?}");
    // Without the wait for those that handed over, it would.
    assert!(run(Bug::NoHandover, Fault::Copies, false, 0..500).is_err());
}

#[test]
fn within_one_set_the_records_alone_prevent_it() {
    // Blind books never see a fork. The set does not change then: what was voted for in the old one only the books know.
    let made = run(Bug::None, Fault::Lies, true, 0..SEEDS).unwrap();
    assert!(made[0] > SEEDS as usize && made[1] == 0, "the world is too quiet: {made:?}");
}

fn is_found(bug: Bug, is_blind: bool) {
    assert!(run(bug, Fault::Lies, is_blind, 0..500).is_err(), "{bug:?}");
}

#[test]
fn lost_votes_are_found() {
    is_found(Bug::LosesVotes, true);
}

#[test]
fn votes_that_leave_too_early_are_found() {
    is_found(Bug::SendsFirst, true);
}

#[test]
fn merges_that_bring_nothing_are_found() {
    is_found(Bug::MergesNothing, false);
}

#[test]
fn a_forgotten_handover_is_found() {
    is_found(Bug::ForgetsHandover, false);
}

#[test]
fn a_missing_handover_is_found() {
    is_found(Bug::NoHandover, false);
}
