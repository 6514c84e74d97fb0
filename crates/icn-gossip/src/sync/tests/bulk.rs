//! Logs too large to be signed in a test: entries are any bytes, and a log takes them as from its disk.

use std::time::Instant;

use super::*;
use crate::log::{Restored, Tip};

/// Entries from here on name nobody else, so that a test can leave some out.
const DEPS_UNTIL: u32 = 8_000;

/// Entries `n` by author `n % authors`, each after its author's last; the first thousands name entry `n - 1` too.
struct World {
    authors: u32,
}

impl World {
    fn bytes(n: u32) -> SignedEntry {
        // As long as a small payment.
        let mut bytes = vec![0; 300];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        SignedEntry::new(bytes, vec![0; 64])
    }

    fn id(n: u32) -> Cid {
        Cid::of_dag_cbor(Self::bytes(n).entry())
    }

    fn restored(&self, n: u32) -> Restored {
        let mut author = [0; 32];
        author[..4].copy_from_slice(&(n % self.authors).to_be_bytes());
        Restored {
            id: Self::id(n),
            author: Did::from_public_key(author),
            seq: u64::from(n / self.authors) + 1,
            prev: n.checked_sub(self.authors).map(Self::id),
            deps: n.checked_sub(1).filter(|_| n < DEPS_UNTIL).map(Self::id).into_iter().collect(),
            refs: Vec::new(),
        }
    }

    fn number(entry: &SignedEntry) -> u32 {
        u32::from_be_bytes(entry.entry()[..4].try_into().unwrap())
    }

    /// A log of `len` entries in all, without those in `skip`; nothing may follow them.
    fn log(&self, len: u32, skip: &[u32]) -> Log {
        let mut log = log();
        for n in (0..len).filter(|n| !skip.contains(n)) {
            log.restore(&self.restored(n)).unwrap();
        }
        log
    }

    /// Runs a session; entries are taken as they come, which fails if they come before their past.
    fn run(&self, one: &mut Log, two: &mut Log) -> Summary {
        let numbers: BTreeMap<Cid, u32> =
            (0..(one.len().max(two.len()) as u32 + 1_000)).map(|n| (Self::id(n), n)).collect();
        let entries = |id: &Cid| numbers.get(id).map(|n| Self::bytes(*n));
        let (mut lead, steps) = SyncSession::initiate(one, None, vec![]);
        let mut summary = None;
        let mut perform = |log: &mut Log, session: &mut SyncSession, mut steps: Vec<Step>| {
            let mut out = Vec::new();
            loop {
                let mut sent = 0;
                for step in steps {
                    match step {
                        Step::Send(message) => {
                            sent += message.len();
                            out.push(message);
                        }
                        Step::Received(list) => {
                            for entry in list {
                                log.restore(&self.restored(Self::number(&entry))).unwrap();
                            }
                        }
                        Step::Done(done) => summary = Some(done),
                        Step::Peer(_) => {}
                        Step::Proofs(_) | Step::Extra(_) | Step::Refused { .. } => panic!("{step:?}"),
                    }
                }
                assert!(sent <= PUMP_BYTES + SYNC_MESSAGE_BYTES_MAX);
                if !session.is_sending() {
                    return out;
                }
                steps = session.pump(log, &entries);
            }
        };
        let mut to_two = perform(one, &mut lead, steps);
        let hello = Hello::parse(&to_two.remove(0)).unwrap();
        let (mut follow, steps) = SyncSession::respond(two, hello, None, vec![]).unwrap();
        let mut to_one = perform(two, &mut follow, steps);
        while !to_one.is_empty() {
            for message in std::mem::take(&mut to_one) {
                let steps = lead.handle(one, &entries, &message).unwrap();
                to_two.extend(perform(one, &mut lead, steps));
            }
            for message in std::mem::take(&mut to_two) {
                let steps = follow.handle(two, &entries, &message).unwrap();
                to_one.extend(perform(two, &mut follow, steps));
            }
        }
        assert_eq!(one.frontier_digest(), two.frontier_digest());
        summary.unwrap()
    }
}

#[test]
fn few_differences_among_many_authors() {
    let world = World { authors: 1_000 };
    // Each side lacks the last entry of five authors.
    let mut one = world.log(10_000, &[9_001, 9_100, 9_200, 9_300, 9_999]);
    let mut two = world.log(10_000, &[9_002, 9_101, 9_201, 9_301, 9_998]);
    let summary = world.run(&mut one, &mut two);
    assert_eq!((one.len(), summary.sent, summary.received), (10_000, 5, 5));
    assert!(summary.neg_round_trips <= 2 && summary.neg_bytes <= 16_000, "{summary:?}");
    assert!(summary.is_complete);
}

// A node that starts with nothing gets all in an order in which it can apply it, in one session.
#[test]
fn a_new_node_gets_all_in_causal_order() {
    let world = World { authors: 1_000 };
    for (one, two) in [(0, 6_000), (6_000, 0), (2_000, 6_000)] {
        let (mut one, mut two) = (world.log(one, &[]), world.log(two, &[]));
        let summary = world.run(&mut one, &mut two);
        assert_eq!((one.len(), two.len(), summary.neg_round_trips), (6_000, 6_000, 0));
    }
}

#[test]
fn the_largest_frontier_fits_into_a_message() {
    let tip = |n: usize| {
        let mut author = [0xff; 32];
        author[..8].copy_from_slice(&n.to_be_bytes());
        let tip = Tip {
            author: Did::from_public_key(author),
            seq: u64::MAX,
            head: Cid::of_dag_cbor(&n.to_be_bytes()),
        };
        message::to_wire(&tip).unwrap()
    };
    let message = Message::Frontier { tips: (0..TIPS_MAX).map(tip).collect(), clash: vec![] };
    assert!(message.encode().len() <= SYNC_MESSAGE_BYTES_MAX);
}

#[test]
#[ignore = "it measures; run it in release with --nocapture"]
fn a_million_entries() {
    let world = World { authors: 5_000 };
    let start = Instant::now();
    let whole = world.log(1_000_000, &[]);
    println!("restored one by one in {:?}; {} bytes each", start.elapsed(), whole.memory_bytes() / 1_000_000);
    let start = Instant::now();
    let snapshot = whole.snapshot();
    println!("snapshot of {} bytes each in {:?}", snapshot.len() / 1_000_000, start.elapsed());
    let start = Instant::now();
    let read = Log::from_snapshot(whole.log_id().clone(), *whole.limits(), &snapshot).unwrap();
    println!("read back in {:?}; {} bytes each", start.elapsed(), read.memory_bytes() / 1_000_000);
    let start = Instant::now();
    let _ = read.frontier_digest();
    println!("digest in {:?}", start.elapsed());
    for differences in [10, 100, 2_000] {
        let skip: Vec<u32> = (0..differences).map(|n| 995_000 + n * 2).collect();
        let (mut one, mut two) = (world.log(1_000_000, &skip), whole.clone());
        let summary = world.run(&mut one, &mut two);
        println!("{differences} differences: {summary:?}");
    }
}
