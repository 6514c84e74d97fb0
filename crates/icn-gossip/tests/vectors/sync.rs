//! Reconciliation: frames, single messages, and whole sessions between two replicas.

use std::collections::BTreeMap;

use icn_gossip::{
    Hello, Log, SignedEntry, Step, SyncError, SyncSession, VerifiedEntry, frame, refuse, unframe,
};
use icn_identity::Ed25519Verifier;
use icn_types::{Cid, Value, codec};

use crate::entries::{log, signed};
use crate::json::{Json, hex, list, map, text};

/// A replica with its disk.
struct Side {
    log: Log,
    disk: BTreeMap<Cid, SignedEntry>,
    is_done: bool,
}

impl Side {
    fn new(entries: &[&VerifiedEntry]) -> Self {
        let mut side = Self { log: log(), disk: BTreeMap::new(), is_done: false };
        for entry in entries {
            side.take((*entry).clone());
        }
        side
    }

    fn take(&mut self, entry: VerifiedEntry) {
        self.disk.insert(entry.id(), entry.signed().clone());
        self.log.admit(entry, Vec::new());
    }

    /// Does what steps say; returns the messages to send.
    fn perform(&mut self, steps: Vec<Step>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for step in steps {
            match step {
                Step::Send(message) => out.push(message),
                Step::Received(list) => {
                    for signed in list {
                        self.take(signed.check().unwrap().verify(&Ed25519Verifier::new()).unwrap());
                    }
                }
                Step::Done(summary) => {
                    assert!(summary.is_complete);
                    self.is_done = true;
                }
                Step::Peer(_) | Step::Proofs(_) | Step::Extra(_) => {}
                Step::Refused { code, .. } => panic!("{code}"),
            }
        }
        out
    }

    fn hear(&mut self, session: &mut SyncSession, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for message in messages {
            let disk = self.disk.clone();
            let steps = session.handle(&self.log, &|id| disk.get(id).cloned(), message).unwrap();
            out.extend(self.perform(steps));
            assert!(!session.is_sending());
        }
        out
    }
}

fn session(why: &str, initiator: &[&VerifiedEntry], responder: &[&VerifiedEntry], extra: &[u8]) -> Json {
    let (mut one, mut two) = (Side::new(initiator), Side::new(responder));
    let (mut lead, steps) = SyncSession::initiate(&one.log, Some(b"pass".to_vec()), vec![extra.to_vec()]);
    let mut transcript = Vec::new();
    let mut note = |from: &str, messages: &[Vec<u8>]| {
        for message in messages {
            transcript.push(map([
                ("from", text(from)),
                ("name", text(name_of(message))),
                ("bytes", hex(message)),
            ]));
        }
    };
    let mut out = one.perform(steps);
    note("initiator", &out);
    let hello = Hello::parse(&out[0]).unwrap();
    let (mut follow, steps) = SyncSession::respond(&two.log, hello, None, Vec::new()).unwrap();
    out = two.perform(steps);
    while !out.is_empty() {
        note("responder", &out);
        out = one.hear(&mut lead, &out);
        note("initiator", &out);
        out = two.hear(&mut follow, &out);
    }
    assert!(one.is_done && two.is_done && one.log.frontier_digest() == two.log.frontier_digest(), "{why}");
    let bytes =
        |entries: &[&VerifiedEntry]| list(entries.iter().map(|entry| hex(&entry.signed().to_bytes())));
    map([
        ("why", text(why)),
        ("initiator", bytes(initiator)),
        ("responder", bytes(responder)),
        ("messages", list(transcript)),
        ("frontier_digest", hex(&one.log.frontier_digest())),
        ("proofs_digest", hex(&one.log.proofs_digest())),
    ])
}

fn name_of(message: &[u8]) -> String {
    let Value::Map(map) = codec::decode_value(message).unwrap() else { panic!("a message is a map") };
    map.into_keys().next().unwrap()
}

fn hellos() -> Json {
    let (_, steps) = SyncSession::initiate(&log(), None, Vec::new());
    let Some(Step::Send(good)) = steps.into_iter().next() else { panic!("a session begins with a hello") };
    let value = codec::decode_value(&good).unwrap();
    let edited = |edit: &dyn Fn(&mut BTreeMap<String, Value>)| {
        let Value::Map(mut message) = value.clone() else { panic!("a message is a map") };
        let Some(Value::Map(hello)) = message.get_mut("hello") else { panic!("it has a hello") };
        edit(hello);
        codec::encode(&message).unwrap()
    };
    let set = |name: &'static str, to: Value| {
        edited(&move |hello| {
            hello.insert(name.to_owned(), to.clone());
        })
    };
    let case = |why: &str, wanted: Option<&str>, bytes: &[u8]| {
        let answered = Hello::parse(bytes)
            .and_then(|hello| SyncSession::respond(&log(), hello, None, Vec::new()).map(|_| ()));
        assert_eq!(answered.as_ref().err().map(word), wanted, "{why}");
        let verdict = match answered {
            Ok(()) => ("accepted", text("hello")),
            Err(error) => ("refused", text(word(&error))),
        };
        map([("why", text(why)), ("bytes", hex(bytes)), verdict])
    };
    list([
        case("a hello of an empty log", None, &good),
        case("with a pass", None, &set("pass", Value::Bytes(b"pass".to_vec()))),
        case("version 2", Some("version"), &set("v", Value::Integer(2))),
        case("another topic", Some("wrong_log"), &set("topic", Value::String("trust:attestation".into()))),
        case("a topic that is none", Some("malformed"), &set("topic", Value::String("Ledger".into()))),
        case("a digest of 31 bytes", Some("malformed"), &set("digest", Value::Bytes(vec![0; 31]))),
        case("a field more", Some("malformed"), &set("more", Value::Integer(1))),
        case("a field less", Some("malformed"), &edited(&|hello| drop(hello.remove("proofs")))),
        case("done", Some("out_of_place"), b"\xa1\x64done\xa0"),
        case("refused", Some("out_of_place"), &refuse("not_a_member", "ask a steward for an invitation")),
    ])
}

fn word(error: &SyncError) -> &'static str {
    match error {
        SyncError::TooLarge(_) => "too_large",
        SyncError::Frame => "frame",
        SyncError::Codec(_) => "malformed",
        SyncError::Version(_) => "version",
        SyncError::WrongLog => "wrong_log",
        SyncError::OutOfPlace(_) => "out_of_place",
        SyncError::TooMany(_) => "too_many",
        SyncError::Field(..) => "field",
        SyncError::Negentropy(_) => "negentropy",
        SyncError::Unwanted => "unwanted",
        SyncError::Over => "over",
    }
}

fn frames() -> Json {
    let good = |message: &[u8]| {
        let framed = frame(message).unwrap();
        assert_eq!(unframe(&framed).unwrap(), Some((message, framed.len())));
        map([("message", hex(message)), ("frame", hex(&framed))])
    };
    let bad = |why: &str, bytes: &[u8]| {
        let refused = text(word(&unframe(bytes).unwrap_err()));
        map([("why", text(why)), ("frame", hex(bytes)), ("refused", refused)])
    };
    list([
        good(b""),
        good(b"\xa1\x64done\xa0"),
        good(&[7; 128]),
        bad("a length that is not the shortest", &[0x80, 0x00]),
        bad("a length beyond 1 MiB", &[0x81, 0x80, 0x40]),
        bad("a length of four bytes", &[0x80, 0x80, 0x80, 0x01]),
    ])
}

pub fn file() -> Json {
    let first = signed(2, None, &[], "first");
    let second = signed(2, Some(&first), &[], "second");
    let other = signed(3, None, &[&first], "other");
    let one = signed(2, Some(&first), &[], "one thing");
    let then = signed(2, Some(&one), &[], "and then");
    let two = signed(2, Some(&first), &[], "another thing");
    map([
        ("frames", frames()),
        ("hellos", hellos()),
        (
            "sessions",
            list([
                session("the same on both sides", &[&first], &[&first], b"a statement"),
                session(
                    "each lacks an entry: tips tell",
                    &[&first, &second],
                    &[&first, &other],
                    b"a statement",
                ),
                session(
                    "the chains clash: set reconciliation tells",
                    &[&first, &one, &then],
                    &[&first, &two],
                    b"a statement",
                ),
            ]),
        ),
    ])
}
