//! Invitations as text, and the passes that give access to a log.

use icn_identity::{Ed25519Verifier, Signer};
use icn_ledger::replica::{Bearer, Pass};
use icn_ledger::{Invitation, InvitationError, InvitationTerms};
use icn_types::{Did, Duration, Timestamp, codec};
use serde_json::{Value as Json, json};

use crate::{hex, key};

pub fn now() -> Timestamp {
    "2026-11-20T09:30:00.000Z".parse().unwrap()
}

pub fn invitation(member: Option<Did>) -> Invitation {
    let terms = InvitationTerms {
        space: key(1).did(),
        name: "Bakers".into(),
        member,
        expires: now().plus(Duration::from_secs(7 * 24 * 3_600)),
        nonce: [7; 16],
        peers: vec!["/ip4/192.0.2.1/udp/4001/quic-v1".into()],
    };
    Invitation::issue(&key(1), terms).unwrap()
}

fn invitations() -> Vec<Json> {
    let case = |why: &str, wanted: Option<&str>, text: &str| {
        let read = text.parse::<Invitation>();
        let read = read.and_then(|one| one.verify(&Ed25519Verifier::new()).map(|()| one));
        let word = read.as_ref().err().map(|error| match error {
            InvitationError::Prefix => "prefix",
            InvitationError::TooLong => "too_long",
            InvitationError::Damaged => "damaged",
            InvitationError::Terms(_) => "field",
            InvitationError::Signature(_) => "signature",
        });
        assert_eq!(word, wanted, "{why}");
        let mut case = json!({"why": why, "text": text});
        match read {
            Ok(one) => {
                case["accepted"] = json!({
                    "space": one.space,
                    "name": one.name,
                    "issuer": one.issuer,
                    "member": one.member,
                    "expires": one.expires,
                    "nonce": hex(&one.nonce),
                    "peers": one.peers,
                    "value": hex(&codec::encode(&one).unwrap()),
                });
            }
            Err(_) => case["refused"] = wanted.into(),
        }
        case
    };
    let good = invitation(None);
    let text = good.to_text();
    let edited = |edit: &dyn Fn(&mut Invitation)| {
        let mut one = good.clone();
        edit(&mut one);
        one.to_text()
    };
    vec![
        case("for whoever holds it", None, &text),
        case("for one member", None, &invitation(Some(key(2).did())).to_text()),
        case("with line breaks of a mail program", None, &format!("  {}\n{}\r\n", &text[..60], &text[60..])),
        case("another name", Some("signature"), &edited(&|one| one.name = "Butchers".into())),
        case("prolonged", Some("signature"), &edited(&|one| one.expires = Timestamp::from_millis(1 << 41))),
        case("a nonce of 15 bytes", Some("field"), &edited(&|one| one.nonce.truncate(15))),
        case("17 peers", Some("field"), &edited(&|one| one.peers = vec!["/dns/a".into(); 17])),
        case("cut short", Some("damaged"), &text[..text.len() - 4]),
        case("letters that base58 does not have", Some("damaged"), "icn-invite:0OIl"),
        case("another text", Some("prefix"), "did:icn:abc"),
    ]
}

fn passes() -> Vec<Json> {
    let (space, node) = (key(1).did(), key(8).did());
    let case = |why: &str, is_good: bool, node: Did, now: Timestamp, pass: &Pass| {
        let bytes = pass.to_bytes();
        let read = Pass::parse(&bytes).unwrap();
        let bearer = read.verify(space, node, now, &Ed25519Verifier::new());
        assert_eq!(bearer.is_ok(), is_good, "{why}");
        let mut case = json!({"why": why, "bytes": hex(&bytes), "space": space, "node": node, "now": now});
        match bearer {
            Ok(Bearer::Member(member)) => case["accepted"] = json!({"member": member}),
            Ok(Bearer::Invited { by }) => case["accepted"] = json!({"invited_by": by}),
            Err(_) => case["refused"] = "pass".into(),
        }
        case
    };
    let month = Duration::from_secs(30 * 24 * 3_600);
    let ago = |age: Duration| Pass::member(space, node, now().minus(age), &key(2));
    let ahead = |by: Duration| Pass::member(space, node, now().plus(by), &key(2));
    let second = Duration::from_secs(1);
    let longer = Duration::from_secs(30 * 24 * 3_600 + 1);
    let invited = Pass::Invitation(Box::new(invitation(None)));
    let late = invitation(None).expires.plus(second);
    let elsewhere = Pass::member(key(9).did(), node, now(), &key(2));
    let signed = codec::encode(&json!({"at": now(), "member": key(2).did(), "node": node, "space": space}));
    let sig = key(2).sign("PassV1", &signed.unwrap());
    let Pass::Member(word) = ago(Duration::from_secs(0)) else { panic!("a member's word") };
    assert_eq!(word.sig.as_slice(), sig.as_bytes(), "the statement is a map of four fields");
    vec![
        case("a member's word for its node", true, node, now(), &ago(Duration::from_secs(0))),
        case("thirty days old", true, node, now(), &ago(month)),
        case("older", false, node, now(), &ago(longer)),
        case("thirty days ahead", true, node, now(), &ahead(month)),
        case("further ahead", false, node, now(), &ahead(longer)),
        case("shown by another node", false, key(9).did(), now(), &ago(Duration::from_secs(0))),
        case("for another space", false, node, now(), &elsewhere),
        case("an invitation", true, node, now(), &invited),
        case("an invitation that has expired", false, node, late, &invited),
    ]
}

pub fn file() -> Json {
    json!({"invitations": invitations(), "passes": passes()})
}
