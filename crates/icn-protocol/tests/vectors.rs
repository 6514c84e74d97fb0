//! The vectors of `docs/protocol/vectors/`: they are what this crate does, and what it would write today.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "vectors/generate.rs"]
mod generate;
mod samples;

use icn_identity::{Ed25519Verifier, Keypair, Verifier, encryption_key, peer_id, signing_bytes};
use icn_protocol::topics::Topic;
use icn_protocol::{
    FreshnessPolicy, Incoming, JobStatus, Params, ProtocolError, ReceiptBundle, Response, Verified,
    announcement_id, parse, verify_receipt,
};
use icn_types::{Cid, Did, Timestamp, codec};
use serde_json::Value as Json;

fn file(name: &str) -> Json {
    let path = format!("{}/../../docs/protocol/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'a>(json: &'a Json, what: &str) -> &'a Vec<Json> {
    let list = if what.is_empty() { json } else { &json[what] };
    let list = list.as_array().unwrap();
    assert!(!list.is_empty(), "{what}");
    list
}

fn text<'a>(json: &'a Json, field: &str) -> &'a str {
    json[field].as_str().unwrap_or_else(|| panic!("{field} in {json}"))
}

fn bytes(json: &Json, field: &str) -> Vec<u8> {
    hex::decode(text(json, field)).unwrap()
}

fn array<const N: usize>(json: &Json, field: &str) -> [u8; N] {
    bytes(json, field).try_into().unwrap()
}

/// Made and read by the tests of `icn-gossip` and `icn-ledger`.
const OF_LOGS_AND_BOOKS: [&str; 9] = [
    "books.json",
    "certificates.json",
    "entries.json",
    "forks.json",
    "live.json",
    "passes.json",
    "posts.json",
    "sync.json",
    "topology.json",
];

#[test]
fn the_files_are_what_the_generator_writes() {
    let wanted = generate::files();
    for (name, content) in &wanted {
        assert!(
            file(name) == *content,
            "{name} has drifted: run `cargo run -p icn-protocol --example vectors`"
        );
    }
    let folder = format!("{}/../../docs/protocol/vectors", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_ours = wanted.iter().any(|(ours, _)| *ours == name.as_str());
        assert!(is_ours || OF_LOGS_AND_BOOKS.contains(&name.as_str()), "{name} is left over");
    }
}

#[test]
fn identities() {
    let json = file("identity.json");
    for case in list(&json, "valid") {
        let did = Keypair::from_seed(array(case, "seed")).did();
        assert_eq!(did.public_key(), &array::<32>(case, "public_key"));
        assert_eq!(text(case, "did").parse::<Did>().unwrap(), did);
        assert_eq!(text(case, "did_key").parse::<Did>().unwrap(), did);
        assert_eq!(peer_id(&did).to_string(), text(case, "peer_id"));
        assert_eq!(encryption_key(&did).unwrap(), array::<32>(case, "x25519_public_key"));
    }
    for case in list(&json, "invalid") {
        assert!(text(case, "did").parse::<Did>().is_err(), "{case}");
    }
}

#[test]
fn signatures() {
    for case in list(&file("signatures.json"), "") {
        let did = Did::from_public_key(array(case, "public_key"));
        let (name, body) = (text(case, "name"), bytes(case, "body"));
        assert_eq!(signing_bytes(name, &body), bytes(case, "signing_bytes"), "{case}");
        let verdict =
            Ed25519Verifier::new().verify(&did, Timestamp::default(), name, &body, &bytes(case, "signature"));
        assert_eq!(verdict.is_ok(), case["valid"].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn encodings() {
    let json = file("encoding.json");
    for case in list(&json, "valid") {
        let value = codec::decode_value(&bytes(case, "bytes")).unwrap();
        assert_eq!(codec::encode(&value).unwrap(), bytes(case, "bytes"));
    }
    for case in list(&json, "invalid") {
        assert!(codec::decode_value(&bytes(case, "bytes")).is_err(), "{case}");
    }
}

#[test]
fn messages() {
    let json = file("messages.json");
    let now: Timestamp = text(&json, "now").parse().unwrap();
    let limit = usize::try_from(json["limit"].as_u64().unwrap()).unwrap();
    let accept = |bytes: &[u8]| -> Result<Option<Verified>, ProtocolError> {
        let Incoming::Message(raw) = parse(bytes, limit)? else { return Ok(None) };
        raw.check(now, &FreshnessPolicy::default())?;
        Ok(Some(raw.verify(&Ed25519Verifier::new())?))
    };
    for case in list(&json, "cases") {
        let why = text(case, "why");
        match accept(&bytes(case, "bytes")) {
            Ok(Some(verified)) => {
                let wanted = &case["accepted"];
                assert_eq!(verified.message().name(), text(case, "variant"), "{why}");
                assert_eq!(hex::encode(verified.id()), text(wanted, "id"), "{why}");
                assert_eq!(verified.cid().to_string(), text(wanted, "cid"), "{why}");
            }
            Ok(None) => assert_eq!(case["ignored"], true, "{why}"),
            Err(error) => assert_eq!(case["refused"], error.code().as_str(), "{why}: {error:?}"),
        }
    }
}

#[test]
fn params() {
    let json = file("params.json");
    for case in list(&json, "valid") {
        let params = Params::from_bytes(&bytes(case, "bytes")).unwrap();
        assert_eq!(params.cid().to_string(), text(case, "params_cid"));
        let id = announcement_id(&params, &text(case, "originator_did").parse().unwrap());
        assert_eq!(id.to_string(), text(case, "announcement_id"));
    }
    for case in list(&json, "invalid") {
        assert!(Params::from_bytes(&bytes(case, "bytes")).is_err(), "{case}");
    }
}

#[test]
fn receipts() {
    let json = file("receipts.json");
    for case in list(&json, "cases") {
        let block = |field: &str| case[field].as_str().map(|text| hex::decode(text).unwrap());
        let (receipt, assignment, params) = (bytes(case, "receipt"), block("assignment"), block("params"));
        assert_eq!(Cid::of_dag_cbor(&receipt).to_string(), text(case, "receipt_cid"));
        let verdict =
            verify_receipt(&receipt, assignment.as_deref(), params.as_deref(), &Ed25519Verifier::new());
        let reason = verdict.as_ref().err().map(|error| error.code());
        assert_eq!(reason, case["refused"].as_str(), "{}: {verdict:?}", text(case, "why"));
    }
    for case in list(&json, "bundles") {
        let valid = ReceiptBundle::decode(&bytes(case, "bytes"))
            .is_ok_and(|bundle| bundle.verify(&Ed25519Verifier::new()).is_ok());
        assert_eq!(valid, case["valid"].as_bool().unwrap(), "{}", text(case, "why"));
    }
}

#[test]
fn responses() {
    let json = file("responses.json");
    for case in list(&json, "valid") {
        match Response::decode(&bytes(case, "bytes")).unwrap() {
            Response::Ack => assert_eq!(case["ack"], true),
            Response::Refused { code, message } => {
                assert_eq!((code.as_str(), message.as_str()), (text(case, "code"), text(case, "message")));
            }
        }
    }
    for case in list(&json, "invalid") {
        assert!(Response::decode(&bytes(case, "bytes")).is_err(), "{case}");
    }
}

#[test]
fn topics() {
    let json = file("topics.json");
    for case in list(&json, "published") {
        let Ok(Incoming::Message(raw)) = parse(&bytes(case, "bytes"), icn_protocol::DIRECT_BYTES_MAX) else {
            panic!("{case}")
        };
        let topic = Topic::of(raw.unverified());
        assert_eq!(topic.as_ref().map(ToString::to_string).as_deref(), case["topic"].as_str());
        assert_eq!(topic.is_some(), raw.unverified().is_gossip());
        for other in list(&json, "valid") {
            let accepts = other.as_str().unwrap().parse::<Topic>().unwrap().accepts(raw.unverified());
            assert_eq!(accepts, *other == case["topic"], "{other} {case}");
        }
    }
    for name in list(&json, "invalid") {
        assert!(name.as_str().unwrap().parse::<Topic>().is_err(), "{name}");
    }
}

#[test]
fn statuses() {
    let json = file("statuses.json");
    assert_eq!(list(&json, "").len(), JobStatus::ALL.len());
    for (case, status) in list(&json, "").iter().zip(JobStatus::ALL) {
        assert_eq!(text(case, "p2p_job_status"), status.as_str());
        for other in JobStatus::ALL.iter().filter(|other| *other != status) {
            let listed = case["next"].as_array().unwrap().contains(&other.as_str().into());
            assert_eq!(status.may_become(other), listed, "{status} -> {other}");
        }
    }
}
