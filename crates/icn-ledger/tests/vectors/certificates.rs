//! Votes of witnesses, certificates, approvals of a treasury's acts.

use icn_identity::Ed25519Verifier;
use icn_ledger::{Act, Approval, Certificate, SignedVote, Vote, approval_bytes, faults, quorum};
use icn_types::{Cid, Did, codec};
use serde_bytes::ByteBuf;
use serde_json::{Value as Json, json};

use crate::{hex, key, verdict};

pub fn space() -> Did {
    key(1).did()
}

pub fn vote() -> Vote {
    Vote { space: space(), author: key(2).did(), seq: 3, entry: Cid::of_dag_cbor(b"an entry"), set: 1 }
}

/// The certificate of [`vote`] by witnesses with these seeds.
pub fn certificate(witnesses: &[u8]) -> Certificate {
    let Vote { author, seq, entry, set, .. } = vote();
    let signed = witnesses.iter().map(|seed| vote().sign(&key(*seed)).unwrap());
    let mut votes: Vec<(Did, ByteBuf)> = signed.map(|signed| (signed.by, signed.sig)).collect();
    votes.sort();
    Certificate { author, seq, entry, set, votes }
}

fn votes() -> Vec<Json> {
    let good = vote().sign(&key(4)).unwrap();
    let case = |why: &str, wanted: Option<&str>, signed: &SignedVote| {
        let bytes = codec::encode(signed).unwrap();
        let mut case = json!({
            "why": why,
            "bytes": hex(&bytes),
            "body": hex(&codec::encode(&signed.vote).unwrap()),
            "by": signed.by,
        });
        let read = SignedVote::parse(&bytes).and_then(|vote| vote.verify(&Ed25519Verifier::new()));
        verdict(&mut case, wanted, &read);
        case
    };
    let edited = |edit: &dyn Fn(&mut SignedVote)| {
        let mut signed = good.clone();
        edit(&mut signed);
        signed
    };
    vec![
        case("a vote", None, &good),
        case(
            "for another entry",
            Some("signature"),
            &edited(&|signed| {
                signed.vote.entry = Cid::of_dag_cbor(b"another entry");
            }),
        ),
        case("for another space", Some("signature"), &edited(&|signed| signed.vote.space = key(9).did())),
        case("by somebody else", Some("signature"), &edited(&|signed| signed.by = key(5).did())),
        case("place 0", Some("field"), &edited(&|signed| signed.vote.seq = 0)),
        case("witness set 0", Some("field"), &edited(&|signed| signed.vote.set = 0)),
        case("a signature of 63 bytes", Some("field"), &edited(&|signed| signed.sig.truncate(63))),
    ]
}

fn certificates() -> Vec<Json> {
    let members: Vec<Did> = (4..8).map(|seed| key(seed).did()).collect();
    let case = |why: &str, wanted: Option<&str>, reaches: bool, certificate: &Certificate| {
        assert_eq!(certificate.reaches(&members), reaches, "{why}");
        let mut case = json!({
            "why": why,
            "value": hex(&codec::encode(certificate).unwrap()),
            "space": space(),
            "members": members,
            "reaches": reaches,
        });
        let read = certificate.verify(space(), &Ed25519Verifier::new());
        verdict(&mut case, wanted, &read);
        case
    };
    let good = certificate(&[4, 5, 6]);
    let mut swapped = good.clone();
    let sig = swapped.votes[0].1.clone();
    swapped.votes[0].1 = std::mem::replace(&mut swapped.votes[1].1, sig);
    let mut crossed = good.clone();
    let body = codec::encode(&good.vote(space())).unwrap();
    crossed.votes[0].1 = Approval::sign(&key(4), &body).sig;
    vec![
        case("three of four witnesses", None, true, &good),
        case("two of four", None, false, &certificate(&[4, 5])),
        case("two of four and a stranger", None, false, &certificate(&[4, 5, 90])),
        case("two signatures changed places", Some("signature"), true, &swapped),
        case("an approval in the place of a vote", Some("signature"), true, &crossed),
    ]
}

fn approvals() -> Vec<Json> {
    let acts = [Act::Pay {
        to: key(3).did(),
        amount: 1_250,
        currency: "hours".into(),
        memo: None,
        request: None,
        expires: None,
    }];
    let bytes = |account: u8, seq: u64| approval_bytes(space(), key(account).did(), seq, &acts).unwrap();
    let approval = Approval::sign(&key(4), &bytes(2, 7));
    let case = |why: &str, wanted: Option<&str>, body: &[u8]| {
        let mut case = json!({
            "why": why,
            "body": hex(body),
            "value": hex(&codec::encode(&approval).unwrap()),
            "by": approval.by,
        });
        verdict(&mut case, wanted, &approval.verify(body, &Ed25519Verifier::new()));
        case
    };
    vec![
        case("an approval", None, &bytes(2, 7)),
        case("for another place", Some("signature"), &bytes(2, 8)),
        case("for another account", Some("signature"), &bytes(3, 7)),
    ]
}

pub fn file() -> Json {
    let quorums: Vec<Json> =
        (1..=10).map(|n| json!({"witnesses": n, "quorum": quorum(n), "faults": faults(n)})).collect();
    json!({
        "votes": votes(),
        "certificates": certificates(),
        "approvals": approvals(),
        "quorums": quorums,
    })
}
