//! Fork proofs, and the messages in which entries and proofs travel live.

use icn_gossip::{Entry, ForkError, ForkProof, LiveMessage, SignedEntry};
use icn_identity::Ed25519Verifier;
use icn_types::codec;
use serde_bytes::ByteBuf;

use crate::entries::{entry, key, sign_bytes, signed};
use crate::json::{Json, hex, list, map, text};

/// The two entries of a fork, lower id first.
pub fn pair() -> (SignedEntry, SignedEntry) {
    let first = signed(2, None, &[], "first");
    let proof = ForkProof::new(
        signed(2, Some(&first), &[], "one thing").signed().clone(),
        signed(2, Some(&first), &[], "another thing").signed().clone(),
    );
    let ForkProof { first, second } = proof.unwrap();
    (first, second)
}

/// `wanted` is the word of the refusal; none: it is accepted.
fn case(why: &str, wanted: Option<&str>, bytes: &[u8]) -> Json {
    let checked = ForkProof::parse(bytes).and_then(|proof| proof.check(&Ed25519Verifier::new()));
    assert_eq!(checked.as_ref().err().map(word), wanted, "{why}");
    let verdict = match checked {
        Ok(fork) => {
            let fields = map([
                ("space", text(fork.log.space)),
                ("topic", text(&fork.log.topic)),
                ("author", text(fork.author)),
                ("seq", Json::Number(fork.seq)),
                ("first", text(fork.first)),
                ("second", text(fork.second)),
            ]);
            ("accepted", fields)
        }
        Err(error) => ("refused", text(word(&error))),
    };
    map([("why", text(why)), ("bytes", hex(bytes)), verdict])
}

fn word(error: &ForkError) -> &'static str {
    match error {
        ForkError::TooLarge(_) => "too_large",
        ForkError::Codec(_) => "malformed",
        ForkError::Entry(_) => "entry",
        ForkError::SameEntry => "same_entry",
        ForkError::Order => "order",
        ForkError::DifferentPlaces => "different_places",
    }
}

pub fn file() -> Json {
    let (first, second) = pair();
    let proof = |first: &SignedEntry, second: &SignedEntry| {
        ForkProof { first: first.clone(), second: second.clone() }.to_bytes()
    };
    // Lower id first, so that nothing but the place is wrong.
    let sorted = |other: SignedEntry| {
        let (one, two) = (first.clone().check().unwrap().id(), other.clone().check().unwrap().id());
        if one < two { proof(&first, &other) } else { proof(&other, &first) }
    };
    let elsewhere = |edit: &dyn Fn(&mut Entry), author: u8| {
        let before = signed(author, None, &[], "first");
        let mut entry = entry(author, Some(&before), &[], "another thing");
        edit(&mut entry);
        sorted(sign_bytes(author, codec::encode(&entry).unwrap()))
    };
    let resigned = SignedEntry::new(first.entry().to_vec(), vec![9; 64]);
    let mut sig = second.sig().to_vec();
    sig[10] ^= 1;
    let forged = SignedEntry::new(second.entry().to_vec(), sig);
    list([
        case("two entries at one place", None, &proof(&first, &second)),
        case("the higher id first", Some("order"), &proof(&second, &first)),
        case("one entry twice", Some("same_entry"), &proof(&first, &first)),
        case("one body with two signatures", Some("same_entry"), &proof(&first, &resigned)),
        case("one of the signatures does not hold", Some("entry"), &proof(&first, &forged)),
        case("another author", Some("different_places"), &elsewhere(&|_| (), 3)),
        case("another place", Some("different_places"), &elsewhere(&|entry| entry.seq = 3, 2)),
        case(
            "another topic",
            Some("different_places"),
            &elsewhere(&|entry| entry.topic = "trust:attestation".parse().unwrap(), 2),
        ),
        case("another space", Some("different_places"), &elsewhere(&|entry| entry.space = key(9).did(), 2)),
        case("a third field", Some("malformed"), &{
            let mut bytes = proof(&first, &second);
            bytes[0] += 1;
            bytes.extend(b"\x61c\x00");
            bytes
        }),
        case("one entry alone", Some("malformed"), &first.to_bytes()),
    ])
}

pub fn live() -> Json {
    let (first, second) = pair();
    let case = |why: &str, is_good: bool, bytes: &[u8]| {
        let read = LiveMessage::parse(bytes);
        assert_eq!(read.is_ok(), is_good, "{why}");
        let verdict = match read {
            Ok(message) => {
                assert_eq!(message.encode().unwrap(), bytes, "{why}");
                let kind = match message {
                    LiveMessage::Entry(_) => "entry",
                    LiveMessage::Proof(_) => "proof",
                    LiveMessage::Extra(_) => "extra",
                };
                ("accepted", text(kind))
            }
            Err(_) => ("refused", text("malformed")),
        };
        map([("why", text(why)), ("bytes", hex(bytes)), verdict])
    };
    let proof = ForkProof { first: first.clone(), second };
    list([
        case("an entry", true, &LiveMessage::Entry(first.clone()).encode().unwrap()),
        case("a fork proof", true, &LiveMessage::Proof(proof).encode().unwrap()),
        case(
            "a statement of the topic's own",
            true,
            &LiveMessage::Extra(ByteBuf::from(vec![0xa0])).encode().unwrap(),
        ),
        case("a key of another name", false, b"\xa1\x65other\x41\x00"),
        case("an entry that is not wrapped", false, &first.to_bytes()),
        case("two keys", false, b"\xa2\x65extra\x41\x00\x65proof\xa0"),
        case("no key", false, b"\xa0"),
    ])
}
