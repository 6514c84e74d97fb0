//! Makes the vectors of `docs/protocol/vectors/` from the samples: the same files on every machine.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

use std::collections::BTreeMap;

use icn_identity::{Keypair, Signer, encryption_key, peer_id, signing_bytes};
use icn_protocol::topics::Topic;
use icn_protocol::{JobStatus, MeshJobParams, Message, Params, RefusalCode, Response, receipt, sign};
use icn_types::{Cid, Did, Duration, Value, codec};
use serde_json::{Value as Json, json};

use crate::samples::*;

/// One vector file: its name and its content.
pub type File = (&'static str, Json);

pub fn files() -> Vec<File> {
    vec![
        ("identity.json", identity()),
        ("signatures.json", signatures()),
        ("encoding.json", encoding()),
        ("messages.json", all_messages()),
        ("params.json", all_params()),
        ("receipts.json", receipts()),
        ("responses.json", responses()),
        ("topics.json", topics()),
        ("statuses.json", statuses()),
    ]
}

fn identity() -> Json {
    let valid: Vec<Json> = [[1; 32], [2; 32], [3; 32]]
        .into_iter()
        .map(|seed| {
            let did = Keypair::from_seed(seed).did();
            json!({
                "seed": hex::encode(seed),
                "public_key": hex::encode(did.public_key()),
                "did": did,
                "did_key": did.to_did_key(),
                "peer_id": peer_id(&did).to_string(),
                "x25519_public_key": hex::encode(encryption_key(&did).unwrap()),
            })
        })
        .collect();
    let key = executor().did();
    let invalid = [
        ("another method", "did:web:example.org".to_owned()),
        ("not base58", "did:icn:0OIl".to_owned()),
        ("31 bytes", format!("did:icn:{}", &"1".repeat(31))),
        ("a key of another type", "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme".to_owned()),
        ("a fragment", format!("{key}#key-1")),
        ("empty", String::new()),
    ]
    .map(|(why, text)| json!({"why": why, "did": text}));
    json!({"valid": valid, "invalid": invalid})
}

fn signatures() -> Json {
    let by = executor();
    let body = codec::encode(&BTreeMap::from([("a", 1)])).unwrap();
    let good = *by.sign("JobBidV1", &body).as_bytes();
    let case = |why: &str, valid: bool, key: &[u8; 32], name: &str, body: &[u8], signature: &[u8]| {
        json!({
            "why": why,
            "valid": valid,
            "public_key": hex::encode(key),
            "name": name,
            "body": hex::encode(body),
            "signing_bytes": hex::encode(signing_bytes(name, body)),
            "signature": hex::encode(signature),
        })
    };
    let key = *by.did().public_key();
    let mut flipped = good;
    flipped[0] ^= 1;
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut lax = [0; 64];
    lax[0] = 1;
    let mut respelled = [0xff; 32];
    respelled[0] = 0xee;
    respelled[31] = 0x7f;
    let mut no_point = [0; 32];
    no_point[0] = 2;
    json!([
        case("a signature", true, &key, "JobBidV1", &body, &good),
        case("an empty body", true, &key, "JobBidV1", b"", by.sign("JobBidV1", b"").as_bytes()),
        case("relabelled", false, &key, "JobInterestV1", &body, &good),
        case("another body", false, &key, "JobBidV1", b"\xa0", &good),
        case("another key", false, originator().did().public_key(), "JobBidV1", &body, &good),
        case("one bit changed", false, &key, "JobBidV1", &body, &flipped),
        case("63 bytes", false, &key, "JobBidV1", &body, &good[..63]),
        case("s + L: a second spelling of s", false, &key, "JobBidV1", &body, &second_s(&good)),
        case(
            "key of order 1, R = 1, s = 0: holds for every body under lax rules",
            false,
            &neutral,
            "JobBidV1",
            &body,
            &lax
        ),
        case("the same key spelled with y = p + 1", false, &respelled, "JobBidV1", &body, &lax),
        case("key of order 4 (y = 0)", false, &[0; 32], "JobBidV1", &body, &lax),
        case("y = 2, on no point of the curve", false, &no_point, "JobBidV1", &body, &lax),
    ])
}

/// Adds the order of the group to `s`.
fn second_s(signature: &[u8; 64]) -> [u8; 64] {
    const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let mut changed = *signature;
    let mut carry = 0u16;
    for (byte, add) in changed[32..].iter_mut().zip(hex::decode(ORDER).unwrap()) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    changed
}

fn encoding() -> Json {
    let valid = [
        ("empty map", "a0"),
        ("{a: 1, b: 2}", "a2616101616202"),
        ("{b: 1, aa: 2}: the shorter key first", "a261620162616102"),
        ("24", "1818"),
        ("-1", "20"),
        ("1.5 in 64 bits", "fb3ff8000000000000"),
        ("nested lists", "8301820203820405"),
        ("byte string", "43010203"),
    ];
    let invalid = [
        ("1 in two bytes", "1801"),
        ("keys out of order", "a2616201616102"),
        ("longer key first", "a262616101616202"),
        ("a key twice", "a2616101616102"),
        ("indefinite list", "9f01ff"),
        ("indefinite text", "7f6161ff"),
        ("float of 16 bits", "f93e00"),
        ("float of 32 bits", "fa3fc00000"),
        ("NaN", "fb7ff8000000000000"),
        ("infinity", "fb7ff0000000000000"),
        ("tag that is not 42", "c101"),
        ("undefined", "f7"),
        ("key that is no text", "a10101"),
        ("text that is not UTF-8", "61ff"),
        ("bytes left over", "0101"),
        ("cut off", "a1"),
        ("nothing", ""),
    ];
    let list = |cases: &[(&str, &str)]| -> Vec<Json> {
        cases.iter().map(|(why, bytes)| json!({"why": why, "bytes": bytes})).collect()
    };
    json!({"valid": list(&valid), "invalid": list(&invalid)})
}

fn all_messages() -> Json {
    let mut cases = Vec::new();
    for (name, wire, by) in messages() {
        cases.push(accepted("a message", &wire));
        let newer = resign(&wire, &by, |map| drop(map.insert("zz_new".into(), Value::Integer(1))));
        cases.push(accepted("a field of a newer peer", &newer));
        let (_, map) = open(&newer);
        let mut without = map.clone();
        without.remove("zz_new");
        cases.push(refused("a signed field taken away", &close(name, &without), "bad_signature"));
        cases.push(refused("signed by a stranger", &resign(&wire, &stranger(), |_| {}), "bad_signature"));
        let mut pairs: Vec<(String, Value)> = open(&wire).1.into_iter().collect();
        pairs.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        let head = wire[..wire.len() - encode_in_order(&pairs).len()].to_vec();
        let mut swapped = pairs.clone();
        swapped.swap(0, 1);
        let swapped = [head.clone(), encode_in_order(&swapped)].concat();
        cases.push(refused("two keys swapped", &swapped, "malformed"));
        pairs.insert(1, pairs[0].clone());
        cases.push(refused("a key twice", &[head, encode_in_order(&pairs)].concat(), "malformed"));
        cases.push(refused(
            "an absent field as null",
            &resign(&wire, &by, |map| drop(map.insert("zz_new".into(), Value::Null))),
            "malformed",
        ));
        cases.push(refused(
            "no timestamp",
            &resign(&wire, &by, |map| drop(map.remove("timestamp"))),
            "malformed",
        ));
    }
    cases.extend(single_messages());
    json!({"now": NOW, "limit": icn_protocol::DIRECT_BYTES_MAX, "cases": cases})
}

/// Cases that one message is enough for.
fn single_messages() -> Vec<Json> {
    let (ours, theirs) = (executor(), originator());
    let text = |text: String| Value::String(text);
    let with = |wire: &[u8], by: &Keypair, field: &str, value: Value| {
        resign(wire, by, |map| drop(map.insert(field.to_owned(), value)))
    };
    let stamped = |ms: i64| {
        let mut body = interest().into_body();
        let at = i64::try_from(NOW.as_millis()).unwrap() + ms;
        body.timestamp = icn_types::Timestamp::from_millis(u64::try_from(at).unwrap());
        sign(body, &ours).unwrap().into_wire()
    };
    let foreign = text(peer_id(&stranger().did()).to_string());
    let interest_map = open(interest().wire()).1;
    let mut weak = interest_map.clone();
    let mut key = [0; 32];
    key[0] = 1;
    weak.insert("executor_did".into(), text(Did::from_public_key(key).to_string()));
    let mut signature = [0; 64];
    signature[0] = 1;
    weak.insert("signature".into(), Value::Bytes(signature.to_vec()));
    let two = codec::encode(&BTreeMap::from([("JobBidV1", &interest_map), ("JobInterestV1", &interest_map)]));
    let mut bid_and_interest = open(bid().wire()).1;
    bid_and_interest.extend(interest_map.clone());
    sign_map("JobInterestV1", &mut bid_and_interest, &ours);
    vec![
        accepted("300 s old", &stamped(-300_000)),
        refused("one millisecond too old", &stamped(-300_001), "stale"),
        accepted("30 s ahead", &stamped(30_000)),
        refused("one millisecond too far ahead", &stamped(30_001), "future"),
        refused(
            "a bid with another node's peer id",
            &with(bid().wire(), &ours, "executor_peer_id", foreign.clone()),
            "malformed",
        ),
        refused(
            "capabilities with another node's peer id",
            &with(capability().wire(), &ours, "peer_id", foreign),
            "malformed",
        ),
        refused("an interest relabelled as a bid", &close("JobBidV1", &interest_map), "malformed"),
        refused(
            "an interest that has all fields of a bid, relabelled as one",
            &close("JobBidV1", &bid_and_interest),
            "bad_signature",
        ),
        accepted("the same as what it was signed as", &close("JobInterestV1", &bid_and_interest)),
        refused("a key of small order", &close("JobInterestV1", &weak), "bad_signature"),
        refused(
            "did:key inside a message",
            &with(interest().wire(), &ours, "executor_did", text(ours.did().to_did_key())),
            "malformed",
        ),
        refused(
            "a timestamp without milliseconds",
            &with(interest().wire(), &ours, "timestamp", text("2026-11-20T09:30:00Z".into())),
            "malformed",
        ),
        refused(
            "an id that is not the CID of job_params and originator_did",
            &with(announcement().wire(), &theirs, "announcement_id", text(bid().cid().to_string())),
            "malformed",
        ),
        refused(
            "a chunk whose id is not its job and sequence",
            &with(input().wire(), &theirs, "sequence", Value::Integer(1)),
            "malformed",
        ),
        refused(
            "lease epoch 0",
            &with(assignment().wire(), &theirs, "lease_epoch", Value::Integer(0)),
            "malformed",
        ),
        refused(
            "a bid that has expired when it is made",
            &with(bid().wire(), &ours, "bid_expires_at", text(NOW.to_string())),
            "malformed",
        ),
        accepted(
            "a status of a newer peer",
            &with(status().wire(), &ours, "p2p_job_status", text("Defragmenting".into())),
        ),
        refused(
            "a status that only an originator has",
            &with(status().wire(), &ours, "p2p_job_status", text("BiddingOpen".into())),
            "malformed",
        ),
        ignored("a higher version", &close("JobInterestV2", &interest_map)),
        ignored("an unknown variant", &close("TeleportV1", &interest_map)),
        refused("two variants at once", &two.unwrap(), "malformed"),
        refused("an empty map", b"\xa0", "malformed"),
        refused("a variant that is no map", b"\xa1\x68JobBidV1\x80", "malformed"),
        refused("nothing", b"", "malformed"),
    ]
}

fn accepted(why: &str, wire: &[u8]) -> Json {
    let (name, mut map) = open(wire);
    let inner = codec::encode(&map).unwrap();
    let Some(Value::Bytes(signature)) = map.remove("signature") else { panic!("a signature") };
    json!({
        "why": why,
        "variant": name,
        "bytes": hex::encode(wire),
        "accepted": {
            "id": hex::encode(sha256(wire)),
            "cid": Cid::of_dag_cbor(&inner),
            "signed": hex::encode(signing_bytes(&name, &codec::encode(&map).unwrap())),
            "signature": hex::encode(signature),
            "fields": plain(&Value::Map(map)),
        },
    })
}

fn refused(why: &str, wire: &[u8], code: &str) -> Json {
    json!({"why": why, "bytes": hex::encode(wire), "refused": code})
}

fn ignored(why: &str, wire: &[u8]) -> Json {
    json!({"why": why, "bytes": hex::encode(wire), "ignored": true})
}

/// Spells a value for people: byte strings become `{"bytes": hex}`.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null | Value::Link(_) => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Integer(n) => json!(i64::try_from(*n).unwrap()),
        Value::Float(f) => json!(f),
        Value::String(s) => json!(s),
        Value::Bytes(b) => json!({"bytes": hex::encode(b)}),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    // The digest inside a SHA-256 multihash, after its two bytes of head.
    Cid::of_raw(bytes).multihash_bytes().split_off(2)
}

fn all_params() -> Json {
    let valid = |why: &str, params: &Params| {
        json!({
            "why": why,
            "bytes": hex::encode(params.bytes()),
            "params_cid": params.cid(),
            "originator_did": originator().did(),
            "announcement_id": icn_protocol::announcement_id(params, &originator().did()),
        })
    };
    let Value::Map(mut newer) = codec::decode_value(params().bytes()).unwrap() else { panic!("a map") };
    newer.insert("zz_new".into(), Value::Integer(1));
    let newer = Params::from_bytes(&codec::encode(&newer).unwrap()).unwrap();
    let raw = |change: &dyn Fn(&mut MeshJobParams)| {
        let mut params = mesh_params();
        change(&mut params);
        hex::encode(codec::encode(&params).unwrap())
    };
    let invalid = [
        ("an input that leaves the folder", raw(&|p| p.input_cids[0].name = "../x".into())),
        ("an input called stdout", raw(&|p| p.input_cids[0].name = "stdout".into())),
        ("an input twice", raw(&|p| p.input_cids.push(p.input_cids[0].clone()))),
        ("no fuel", raw(&|p| p.max_fuel = 0)),
        ("two prices that differ", raw(&|p| p.max_acceptable_bid_tokens = Some(hours(11)))),
        ("a zero byte in an argument", raw(&|p| p.args.push("a\0".into()))),
        ("a workflow without stages", raw(&|p| p.workflow_type = icn_protocol::WorkflowType::DagWorkflow)),
    ]
    .map(|(why, bytes)| json!({"why": why, "bytes": bytes}));
    json!({
        "valid": [valid("the job of the other vectors", &params()), valid("with a field of a newer originator", &newer)],
        "invalid": invalid,
    })
}

fn receipts() -> Json {
    let case = |why: &str,
                receipt: &[u8],
                assignment: Option<&[u8]>,
                params: Option<&[u8]>,
                refused: Option<&str>| {
        json!({
            "why": why,
            "receipt": hex::encode(receipt),
            "receipt_cid": Cid::of_dag_cbor(receipt),
            "assignment": assignment.map(hex::encode),
            "params": params.map(hex::encode),
            "refused": refused,
        })
    };
    let (good, assigned, params) = (receipt(), assignment(), params());
    let (inner, block) = (Some(assigned.inner()), Some(params.bytes()));
    let Value::Map(map) = codec::decode_value(good.bytes()).unwrap() else { panic!("a map") };
    let changed = |name: &str, by: &Keypair, field: &str, value: Value| {
        let mut map = map.clone();
        map.insert(field.into(), value);
        sign_map(name, &mut map, by);
        codec::encode(&map).unwrap()
    };
    let as_receipt = |field: &str, value: Value| changed(receipt::NAME, &executor(), field, value);
    let same = map["lease_epoch"].clone();
    let mut tampered = map.clone();
    tampered.insert("fuel_used".into(), Value::Integer(1));
    let mut second = assigned.body().clone();
    second.lease_epoch = 2;
    let second = sign(second, &originator()).unwrap();
    let cid = |cid: Cid| Value::String(cid.to_string());
    let bundle = bundle().encode();
    let mut broken = bundle.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    json!({
        "cases": [
            case("a receipt that counts", good.bytes(), inner, block, None),
            case("with a field of a newer executor", &as_receipt("zz_new", Value::Integer(1)), inner, block, None),
            case("signed by the originator", &changed(receipt::NAME, &originator(), "lease_epoch", same.clone()), inner, block, Some("bad_signature")),
            case("signed as a message", &changed("JobBidV1", &executor(), "lease_epoch", same), inner, block, Some("bad_signature")),
            case("fuel changed after signing", &codec::encode(&tampered).unwrap(), inner, block, Some("bad_signature")),
            case("completed with exit code 1", &as_receipt("exit_code", Value::Integer(1)), inner, block, Some("malformed")),
            case("running", &as_receipt("status", Value::String("Running".into())), inner, block, Some("malformed")),
            case("finished before it started", &as_receipt("finished_at", Value::String(NOW.minus(Duration::from_secs(1)).to_string())), inner, block, Some("malformed")),
            case("the assignment is not at hand", good.bytes(), None, block, Some("assignment_missing")),
            case("another block as assignment", good.bytes(), Some(bid().inner()), block, Some("other_assignment")),
            case("a cancellation as assignment", &as_receipt("assignment_cid", cid(cancel().cid())), Some(cancel().inner()), block, Some("assignment_invalid")),
            case("an assignment of another epoch", &as_receipt("assignment_cid", cid(second.cid())), Some(second.inner()), block, Some("assignment_differs")),
            case("the parameters are not at hand", good.bytes(), inner, None, Some("params_missing")),
            case("another block as parameters", good.bytes(), inner, Some(b"\xa0"), Some("other_params")),
            case("another module", &as_receipt("wasm_cid", cid(Cid::of_raw(b"other"))), inner, block, Some("params_differ")),
            case("more fuel than the job had", &as_receipt("fuel_used", Value::Integer(1_000_000_000_001)), inner, block, Some("params_differ")),
        ],
        "bundles": [
            {"why": "a bundle that counts", "bytes": hex::encode(bundle), "valid": true},
            {"why": "one bit changed", "bytes": hex::encode(broken), "valid": false},
        ],
    })
}

fn responses() -> Json {
    let mut valid = vec![json!({"bytes": hex::encode(Response::Ack.encode()), "ack": true})];
    valid.extend(RefusalCode::ALL.iter().map(|code| {
        let bytes = Response::refused(code.clone(), "why").encode();
        json!({"bytes": hex::encode(bytes), "code": code, "message": "why"})
    }));
    let invalid = [
        ("null", "f6"),
        ("an empty map", "a0"),
        ("Ack with null", "a16341636bf6"),
        ("neither Ack nor Refused", "a1654d61796265a0"),
        ("both", "a26341636ba06752656675736564a0"),
        ("a refusal without a code", "a16752656675736564a0"),
        ("bytes left over", "a16341636ba000"),
    ]
    .map(|(why, bytes)| json!({"why": why, "bytes": bytes}));
    json!({"valid": valid, "invalid": invalid})
}

fn topics() -> Json {
    let mut regional = mesh_params();
    regional.execution_policy.as_mut().unwrap().region_filter = Some("eu-central".parse().unwrap());
    let regional =
        icn_protocol::JobAnnouncement::new(originator().did(), Params::new(regional).unwrap(), NOW);
    let regional = sign(regional, &originator()).unwrap().into_wire();
    let mut published: Vec<Json> = messages()
        .into_iter()
        .map(|(name, wire, _)| json!({"variant": name, "bytes": hex::encode(&wire), "topic": topic(&wire)}))
        .collect();
    published.push(json!({
        "variant": "JobAnnouncementV1",
        "bytes": hex::encode(&regional),
        "topic": topic(&regional),
    }));
    json!({
        "published": published,
        "valid": [
            "/icn/mesh/capabilities/v1",
            "/icn/mesh/jobs/announce/v1",
            "/icn/mesh/jobs/announce/region/eu-central/v1",
            "/icn/mesh/receipts/available/v1",
        ],
        "invalid": [
            "/icn/mesh/jobs/announce/v2",
            "/icn/mesh/jobs/announce/region//v1",
            "/icn/mesh/jobs/announce/region/EU/v1",
            "/icn/mesh/jobs/announce/region/a/b/v1",
            "/icn/mesh/capabilities/v1/",
        ],
    })
}

fn topic(wire: &[u8]) -> Option<String> {
    let Ok(icn_protocol::Incoming::Message(raw)) = icn_protocol::parse(wire, icn_protocol::DIRECT_BYTES_MAX)
    else {
        panic!("a message")
    };
    let message: &Message = raw.unverified();
    Topic::of(message).map(|topic| topic.to_string())
}

fn statuses() -> Json {
    JobStatus::ALL
        .iter()
        .map(|status| {
            json!({
                "p2p_job_status": status,
                "standard": status.standard(),
                "reported_by_executor": status.is_reported(),
                "next": status.successors(),
            })
        })
        .collect()
}
