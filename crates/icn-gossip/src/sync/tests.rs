use std::collections::BTreeMap;

use icn_identity::Ed25519Verifier;
use proptest::prelude::*;
use serde_bytes::{ByteArray, ByteBuf};

use super::message::Message;
use super::*;
use crate::testing::{Said, closed, dag, disk, entry, fill, keys, log, ops};
use crate::{ForkProof, TopicName};

mod bulk;
mod hostile;

/// One replica in a test: a log, the entries on its disk, and what it was given to say.
struct Side {
    log: Log,
    disk: BTreeMap<Cid, SignedEntry>,
    refs: BTreeMap<Cid, Vec<Cid>>,
    extra: Vec<Vec<u8>>,
    /// Whether what comes is applied only once the session is over.
    is_late: bool,
    inbox: Vec<SignedEntry>,
    proofs: Vec<ForkProof>,
    heard: Vec<Vec<u8>>,
    done: Option<Summary>,
}

impl Side {
    fn new(said: &[Said], all: &[Said], is_late: bool) -> Self {
        let mut log = log();
        fill(&mut log, said);
        Self {
            log,
            disk: said.iter().map(|(entry, _)| (entry.id(), entry.signed().clone())).collect(),
            refs: all.iter().map(|(entry, refs)| (entry.id(), refs.clone())).collect(),
            extra: vec![],
            is_late,
            inbox: vec![],
            proofs: vec![],
            heard: vec![],
            done: None,
        }
    }

    fn admit_inbox(&mut self) {
        for signed in std::mem::take(&mut self.inbox) {
            let entry = signed.clone().check().unwrap().verify(&Ed25519Verifier::default()).unwrap();
            self.disk.insert(entry.id(), signed);
            let refs = self.refs[&entry.id()].clone();
            self.log.admit(entry, refs);
        }
    }

    /// Carries out steps as a shell would; returns what is to be written.
    fn perform(&mut self, session: &mut SyncSession, mut steps: Vec<Step>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            for step in steps {
                match step {
                    Step::Send(message) => out.push(message),
                    Step::Peer(hello) => assert_eq!(hello.log_id(), *self.log.log_id()),
                    Step::Received(list) => self.inbox.extend(list),
                    Step::Proofs(list) => self.proofs.extend(list),
                    Step::Extra(list) => self.heard.extend(list),
                    Step::Refused { code, .. } => panic!("{code}"),
                    Step::Done(summary) => self.done = Some(summary),
                }
            }
            if !self.is_late {
                self.admit_inbox();
            }
            if !session.is_sending() {
                return out;
            }
            let disk = self.disk.clone();
            steps = session.pump(&self.log, &|id| disk.get(id).cloned());
        }
    }

    fn handle(&mut self, session: &mut SyncSession, message: &[u8]) -> Vec<Vec<u8>> {
        let disk = self.disk.clone();
        let steps = session.handle(&self.log, &|id| disk.get(id).cloned(), message).unwrap();
        self.perform(session, steps)
    }
}

/// Runs a session to its end; returns every message with whether the initiator sent it.
fn run(one: &mut Side, two: &mut Side, is_neg_only: bool) -> Vec<(bool, Vec<u8>)> {
    let (mut lead, steps) = SyncSession::initiate(&one.log, Some(b"pass".to_vec()), one.extra.clone());
    lead.is_neg_only = is_neg_only;
    let mut transcript = Vec::new();
    let mut to_two = one.perform(&mut lead, steps);
    let hello = Hello::parse(&to_two[0]).unwrap();
    assert_eq!(hello.pass.as_ref().unwrap().as_slice(), b"pass");
    let (mut follow, steps) = SyncSession::respond(&two.log, hello, None, two.extra.clone()).unwrap();
    let mut to_one = two.perform(&mut follow, steps);
    transcript.extend(to_two.drain(..).map(|message| (true, message)));
    while !to_one.is_empty() {
        for message in std::mem::take(&mut to_one) {
            to_two.extend(one.handle(&mut lead, &message));
            transcript.push((false, message));
        }
        for message in std::mem::take(&mut to_two) {
            to_one.extend(two.handle(&mut follow, &message));
            transcript.push((true, message));
        }
    }
    assert!(lead.is_over() && follow.is_over());
    one.admit_inbox();
    two.admit_inbox();
    transcript
}

fn names(transcript: &[(bool, Vec<u8>)]) -> Vec<&'static str> {
    transcript.iter().map(|(_, message)| Message::parse(message).unwrap().name()).collect()
}

#[test]
fn equal_logs_say_little() {
    let a = keys(1);
    let said = [(entry(&a, 1, None, vec![], 1), vec![])];
    let (mut one, mut two) = (Side::new(&said, &said, false), Side::new(&said, &said, false));
    let transcript = run(&mut one, &mut two, false);
    assert_eq!(names(&transcript), ["hello", "hello", "done", "done"]);
    let summary = one.done.unwrap();
    assert_eq!((summary.round_trips, summary.sent, summary.received, summary.is_complete), (2, 0, 0, true));
    assert_eq!(two.done.unwrap().bytes_up, summary.bytes_down);
}

#[test]
fn proofs_and_statements_go_ahead() {
    let a = keys(1);
    let (left, right) = (entry(&a, 1, None, vec![], 1), entry(&a, 1, None, vec![], 2));
    let said = [(left, vec![]), (right, vec![])];
    let (mut one, mut two) = (Side::new(&said, &said, false), Side::new(&said[..1], &said, false));
    one.extra = vec![b"vote 1".to_vec(), b"vote 2".to_vec()];
    two.extra = vec![b"vote 3".to_vec()];
    let transcript = run(&mut two, &mut one, false);
    let expected = [
        "hello", "hello", "votes", "frontier", "proofs", "votes", "frontier", "entries", "tails", "done",
        "done",
    ];
    assert_eq!(names(&transcript), expected);
    assert_eq!(two.proofs, one.log.proofs(&disk(&said)));
    assert_eq!((one.heard, two.heard.len()), (vec![b"vote 3".to_vec()], 2));
    // Known on both sides, the proof does not travel again, nor when the entries are equal but one lacks the proof.
    let (mut one, mut two) = (Side::new(&said, &said, false), Side::new(&said, &said, false));
    assert!(!names(&run(&mut one, &mut two, false)).contains(&"proofs"));
    let (mut one, mut two) = (Side::new(&[], &said, false), Side::new(&[], &said, false));
    let proof = ForkProof::new(said[0].0.signed().clone(), said[1].0.signed().clone()).unwrap();
    let fork = proof.check(&Ed25519Verifier::default()).unwrap();
    two.log.add_proof(proof.clone(), &fork);
    assert_eq!(names(&run(&mut one, &mut two, false)), ["hello", "hello", "done", "proofs", "done"]);
    assert_eq!(one.proofs, vec![proof]);
}

#[test]
fn a_refusal_is_passed_on() {
    let log = log();
    let (mut session, _) = SyncSession::initiate(&log, None, vec![]);
    let steps = session.handle(&log, &|_| None, &refuse("no_access", &"ä".repeat(1_000))).unwrap();
    let [Step::Refused { code, message }] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((code.as_str(), message.len()), ("no_access", 512));
    assert!(session.is_over());
    assert_eq!(session.handle(&log, &|_| None, &refuse("x", "")), Err(SyncError::Over));
}

#[test]
fn the_rules_are_kept() {
    let a = keys(1);
    let log = log();
    let hello = || Hello::of(&log, None);
    let respond = || SyncSession::respond(&log, hello(), None, vec![]).unwrap().0;
    let send =
        |session: &mut SyncSession, message: Message| session.handle(&log, &|_| None, &message.encode());
    let topic: TopicName = "other".parse().unwrap();
    let other = Hello { topic, ..hello() };
    assert_eq!(SyncSession::respond(&log, other.clone(), None, vec![]).unwrap_err(), SyncError::WrongLog);
    let newer = Hello { v: 2, ..hello() };
    assert_eq!(SyncSession::respond(&log, newer, None, vec![]).unwrap_err(), SyncError::Version(2));
    let long = Hello { pass: Some(ByteBuf::from(vec![0; PASS_BYTES_MAX + 1])), ..hello() };
    assert!(SyncSession::respond(&log, long, None, vec![]).is_err());
    let (mut lead, _) = SyncSession::initiate(&log, None, vec![]);
    assert_eq!(send(&mut lead, Message::Hello(other)), Err(SyncError::WrongLog));

    let tip = |n: u8| (ByteArray::new([n; 32]), 1, ByteArray::new([n; 32]));
    let frontier = |tips| Message::Frontier { tips, clash: vec![] };
    assert!(send(&mut respond(), frontier(vec![tip(2), tip(1)])).is_err());
    assert!(send(&mut respond(), frontier(vec![tip(1), tip(1)])).is_err());
    let mut session = respond();
    assert!(send(&mut session, frontier(vec![tip(1)])).is_ok());
    assert_eq!(send(&mut session, frontier(vec![])), Err(SyncError::OutOfPlace("frontier")));
    for empty in [
        Message::Entries { list: vec![] },
        Message::Votes { list: vec![] },
        Message::Proofs { list: vec![] },
        Message::Want { ids: vec![], more: true },
    ] {
        assert!(matches!(send(&mut respond(), empty), Err(SyncError::Field(..))));
    }
    let many = Message::Want { ids: vec![ByteArray::new([0; 32]); WANT_IDS_MAX + 1], more: true };
    assert!(matches!(send(&mut respond(), many), Err(SyncError::TooMany(_))));
    let want = || Message::Want { ids: vec![ByteArray::new([0; 32])], more: false };
    let mut session = respond();
    assert!(send(&mut session, want()).is_ok());
    assert_eq!(send(&mut session, want()), Err(SyncError::OutOfPlace("want")));
    let mut session = respond();
    let bytes = neg::begin(log.set()).unwrap();
    for _ in 0..ROUNDS_MAX {
        assert!(send(&mut session, Message::Neg { bytes: ByteBuf::from(bytes.clone()) }).is_ok());
    }
    let once_more = Message::Neg { bytes: ByteBuf::from(bytes) };
    assert_eq!(send(&mut session, once_more), Err(SyncError::TooMany("rounds")));

    // An entry that was not asked for, and one that was asked for but comes twice.
    let wanted = entry(&a, 1, None, vec![], 1);
    let digest = message::digest_of_entry(wanted.signed()).unwrap();
    let (mut lead, _) = SyncSession::initiate(&log, None, vec![]);
    lead.stage = Stage::Tails;
    lead.wanted = Some([digest].into());
    let list = vec![wanted.signed().clone()];
    assert!(send(&mut lead, Message::Entries { list: list.clone() }).is_ok());
    assert_eq!(send(&mut lead, Message::Entries { list }), Err(SyncError::Unwanted));
}

/// The union of two sets, by the log that has all of it.
fn union(all: &[Said], one: &[Said], two: &[Said]) -> Log {
    let mut log = log();
    let has = |said: &[Said], id| said.iter().any(|(entry, _)| entry.id() == id);
    let both = closed(all, |n| has(one, all[n].0.id()) || has(two, all[n].0.id()));
    fill(&mut log, &both);
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_two_sets_become_equal(
        ops in ops(6, 90),
        mine in prop::collection::vec(prop::bool::weighted(0.15), 90),
        theirs in prop::collection::vec(prop::bool::weighted(0.15), 90),
        is_neg_only in any::<bool>(),
        is_late in any::<bool>(),
    ) {
        let all = dag(&ops);
        let (mine, theirs) = (closed(&all, |n| mine[n]), closed(&all, |n| theirs[n]));
        let (mut one, mut two) = (Side::new(&mine, &all, is_late), Side::new(&theirs, &all, is_late));
        let transcript = run(&mut one, &mut two, is_neg_only);
        let union = union(&all, &mine, &theirs);
        for side in [&one, &two] {
            prop_assert_eq!(side.log.frontier_digest(), union.frontier_digest());
            prop_assert_eq!((side.log.len(), side.log.waiting_len()), (union.len(), 0));
            prop_assert_eq!(side.log.heads(), union.heads());
            prop_assert!(side.done.unwrap().is_complete);
        }
        let (up, down) = (one.done.unwrap(), two.done.unwrap());
        prop_assert_eq!(
            (up.sent, up.received, up.bytes_up, up.neg_bytes, up.round_trips),
            (down.received, down.sent, down.bytes_down, down.neg_bytes, down.round_trips)
        );
        // Nothing travels that the other side had.
        prop_assert_eq!(up.sent as usize, union.len() - theirs.len());
        prop_assert_eq!(up.received as usize, union.len() - mine.len());
        prop_assert!(transcript.iter().all(|(_, message)| message.len() <= SYNC_MESSAGE_BYTES_MAX));
        // A second session has nothing to do.
        let again = run(&mut one, &mut two, is_neg_only);
        prop_assert_eq!(names(&again), ["hello", "hello", "done", "done"]);
    }
}
