//! Entries: accepted, refused, and admitted in some order.

use icn_gossip::{
    Admitted, ENTRY_SIGNATURE, Entry, EntryError, Log, LogId, LogLimits, SignedEntry, VerifiedEntry,
};
use icn_identity::{Ed25519Verifier, Keypair, Signer};
use icn_types::{Cid, Did, codec};
use serde_bytes::ByteBuf;

use crate::json::{Json, hex, list, map, text};

pub fn key(seed: u8) -> Keypair {
    Keypair::from_seed([seed; 32])
}

pub fn log_id() -> LogId {
    LogId { space: key(1).did(), topic: "ledger:sync".parse().unwrap() }
}

pub fn log() -> Log {
    Log::new(log_id(), LogLimits::default())
}

/// What `author` says after `prev`, having seen `deps`.
pub fn entry(author: u8, prev: Option<&VerifiedEntry>, deps: &[&VerifiedEntry], say: &str) -> Entry {
    let LogId { space, topic } = log_id();
    let mut deps: Vec<Cid> = deps.iter().map(|dep| dep.id()).collect();
    deps.sort();
    Entry {
        v: 1,
        space,
        topic,
        author: key(author).did(),
        seq: prev.map_or(1, |prev| prev.entry().seq + 1),
        prev: prev.map(VerifiedEntry::id),
        deps,
        at: "2026-11-20T09:30:00.000Z".parse().unwrap(),
        body: ByteBuf::from(codec::encode(say).unwrap()),
    }
}

pub fn signed(author: u8, prev: Option<&VerifiedEntry>, deps: &[&VerifiedEntry], say: &str) -> VerifiedEntry {
    entry(author, prev, deps, say).sign(&key(author)).unwrap()
}

/// What makes an entry wrong.
type Edit<'a> = &'a dyn Fn(&mut Entry);

/// Signs any bytes as an entry, whatever is wrong with them.
pub fn sign_bytes(author: u8, bytes: Vec<u8>) -> SignedEntry {
    let sig = key(author).sign(ENTRY_SIGNATURE, &bytes).as_bytes().to_vec();
    SignedEntry::new(bytes, sig)
}

pub fn word(error: &EntryError) -> &'static str {
    match error {
        EntryError::TooLarge(_) => "too_large",
        EntryError::Version(_) => "version",
        EntryError::Codec(_) => "malformed",
        EntryError::Field(..) => "field",
        EntryError::Signature(_) => "signature",
    }
}

/// `wanted` is the word of the refusal; none: it is accepted.
fn case(why: &str, wanted: Option<&str>, bytes: &[u8]) -> Json {
    let read = SignedEntry::parse(bytes).and_then(|raw| raw.verify(&Ed25519Verifier::new()));
    assert_eq!(read.as_ref().err().map(word), wanted, "{why}");
    let verdict = match &read {
        Ok(entry) => {
            assert_eq!(entry.signed().to_bytes(), bytes, "{why}");
            let said = entry.entry();
            let fields = map([
                ("id", text(entry.id())),
                ("author", text(said.author)),
                ("seq", Json::Number(said.seq)),
                ("prev", said.prev.map_or_else(|| text(""), text)),
                ("deps", list(said.deps.iter().map(text))),
                ("body", hex(&said.body)),
                ("signed_bytes", hex(entry.signed().entry())),
            ]);
            ("accepted", fields)
        }
        Err(error) => ("refused", text(word(error))),
    };
    map([("why", text(why)), ("bytes", hex(bytes)), verdict])
}

pub fn file() -> Json {
    let first = signed(2, None, &[], "first");
    let other = signed(3, None, &[], "other");
    let third = signed(1, None, &[], "third");
    let second = signed(2, Some(&first), &[&other, &third], "second");
    let mut cases = vec![
        case("the first entry of a chain", None, &first.signed().to_bytes()),
        case("the second, which names two heads", None, &second.signed().to_bytes()),
    ];
    let body = second.entry().clone();
    let mut refuse = |why: &str, wanted: &str, signed: SignedEntry| {
        cases.push(case(why, Some(wanted), &signed.to_bytes()));
    };
    let edits: [(&str, Edit); 9] = [
        ("version 2", &|entry| entry.v = 2),
        ("place 0", &|entry| entry.seq = 0),
        ("a first entry that names one before", &|entry| entry.seq = 1),
        ("a second entry that names none before", &|entry| entry.prev = None),
        ("deps that are not sorted", &|entry| entry.deps.reverse()),
        ("one dep twice", &|entry| entry.deps[1] = entry.deps[0]),
        ("the entry before among the deps", &|entry| {
            entry.deps = vec![entry.prev.unwrap()];
        }),
        ("65 deps", &|entry| {
            entry.deps = (0..65u8).map(|n| Cid::of_dag_cbor(&[n])).collect();
            entry.deps.sort();
        }),
        ("a place beyond 2^63 - 1", &|entry| entry.seq = 1 << 63),
    ];
    for (why, edit) in edits {
        let mut changed = body.clone();
        edit(&mut changed);
        let wanted = if why == "version 2" { "version" } else { "field" };
        refuse(why, wanted, sign_bytes(2, codec::encode(&changed).unwrap()));
    }
    let bytes = second.signed().entry().to_vec();
    refuse("no entry at all", "malformed", sign_bytes(2, vec![0xa0]));
    refuse("a byte after the value", "malformed", sign_bytes(2, [&bytes[..], &[0]].concat()));
    refuse("encoded again with a long form of `v`", "malformed", sign_bytes(2, long_form(&bytes)));
    refuse("encoded again with two keys in another order", "malformed", sign_bytes(2, turned(&bytes)));
    refuse(
        "a topic in capitals",
        "malformed",
        sign_bytes(2, replaced(&bytes, b"ledger:sync", b"Ledger:sync")),
    );
    refuse("one byte of the body changed", "signature", {
        SignedEntry::new(replaced(&bytes, b"second", b"secund"), second.signed().sig().to_vec())
    });
    refuse("one bit of the signature changed", "signature", {
        let mut sig = second.signed().sig().to_vec();
        sig[0] ^= 1;
        SignedEntry::new(bytes.clone(), sig)
    });
    refuse("a signature of 63 bytes", "field", {
        let mut sig = second.signed().sig().to_vec();
        sig.pop();
        SignedEntry::new(bytes.clone(), sig)
    });
    refuse("signed by somebody else", "signature", sign_bytes(3, bytes.clone()));
    refuse("signed under another name", "signature", {
        let sig = key(2).sign("PostV1", &bytes).as_bytes().to_vec();
        SignedEntry::new(bytes, sig)
    });
    map([("cases", list(cases)), ("orders", orders(&first, &other, &third, &second))])
}

/// `v` as 0x18 0x01 instead of 0x01.
fn long_form(bytes: &[u8]) -> Vec<u8> {
    replaced(bytes, b"\x61v\x01", b"\x61v\x18\x01")
}

/// The first key, `v`, goes to the end.
fn turned(bytes: &[u8]) -> Vec<u8> {
    assert_eq!(&bytes[1..4], b"\x61v\x01");
    [&bytes[..1], &bytes[4..], &bytes[1..4]].concat()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Entries in the order in which they come, and what becomes of each.
fn orders(
    first: &VerifiedEntry,
    other: &VerifiedEntry,
    third: &VerifiedEntry,
    second: &VerifiedEntry,
) -> Json {
    let chained = |author: u8, seq: u64, prev: &VerifiedEntry| {
        let broken = Entry { seq, prev: Some(prev.id()), ..entry(author, None, &[], "broken") };
        broken.sign(&key(author)).unwrap()
    };
    let elsewhere = Entry { space: Did::from_public_key([7; 32]), ..entry(2, None, &[], "elsewhere") };
    let elsewhere = elsewhere.sign(&key(2)).unwrap();
    let not_an_entry = Entry { deps: vec![Cid::of_raw(b"a block")], ..entry(3, None, &[], "about a block") };
    let not_an_entry = not_an_entry.sign(&key(3)).unwrap();
    let order = |why: &str, entries: &[&VerifiedEntry]| {
        let mut log = log();
        let steps = entries.iter().map(|entry| {
            let became = match log.admit((*entry).clone(), Vec::new()) {
                Admitted::Applied(applied) => format!("applied {}", applied.len()),
                Admitted::Known => "known".to_owned(),
                Admitted::Waiting { missing } => format!("waits for {}", missing.len()),
                Admitted::Refused(_) => "refused".to_owned(),
            };
            map([("entry", hex(&entry.signed().to_bytes())), ("became", text(became))])
        });
        let steps = list(steps);
        let digest = hex(&log.frontier_digest());
        map([("why", text(why)), ("steps", steps), ("frontier_digest", digest)])
    };
    list([
        order("in causal order", &[first, other, third, second]),
        order(
            "in another order: what waits is applied with what it waited for",
            &[second, third, other, first],
        ),
        order("one twice", &[first, first]),
        order("`prev` is two places before", &[first, &chained(2, 3, first)]),
        order("`prev` is somebody else's", &[other, &chained(2, 2, other)]),
        order("two entries at one place, both applied", &[first, &signed(2, None, &[], "fork")]),
        order("another space", &[&elsewhere]),
        order("it names a block that is no entry", &[&not_an_entry]),
    ])
}
