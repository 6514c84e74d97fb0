//! One valid object of each kind, made from fixed seeds: for tests, vectors and the fuzzers' corpus.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code, of which each binary uses its own part"
)]

use std::collections::BTreeMap;

use icn_identity::{Keypair, Signer, peer_id};
use icn_protocol::{
    Body, CancelJob, ExecutionPolicy, ExecutionReceipt, ExecutionReceiptAvailable, JobAnnouncement,
    JobAssignment, JobBid, JobDecline, JobInteractiveInput, JobInteractiveOutput, JobInterest, JobStatus,
    JobStatusUpdate, MeshJobParams, NamedCid, NodeCapability, Nonce, OutputCid, Params, ReceiptBundle,
    RefusalCode, RuntimeInfo, Signed, SignedReceipt, capacity, sign,
};
use icn_types::{
    Cid, Duration, End, Mode, ResourceProfile, ResourceType, StandardJobStatus, Timestamp, TokenAmount,
    Value, codec,
};

/// 2026-11-20T09:30:00.000Z: when every sample was made.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_167_000_000);

pub fn originator() -> Keypair {
    Keypair::from_seed([1; 32])
}

pub fn executor() -> Keypair {
    Keypair::from_seed([2; 32])
}

pub fn stranger() -> Keypair {
    Keypair::from_seed([3; 32])
}

pub fn hours(amount: u64) -> TokenAmount {
    TokenAmount { amount, currency: "hours".into() }
}

pub fn mesh_params() -> MeshJobParams {
    MeshJobParams {
        description: Some("count words".into()),
        args: vec!["--sort".into()],
        env: BTreeMap::from([("LANG".into(), "C".into())]),
        stdin_cid: Some(Cid::of_raw(b"")),
        input_cids: vec![NamedCid { name: "text/a.txt".into(), cid: Cid::of_raw(b"hello world") }],
        resources_required: ResourceProfile(
            [(ResourceType::CpuMillicores, 1_000), (ResourceType::MemoryBytes, 64 << 20)].into(),
        ),
        timeout_seconds: 600,
        max_fuel: 1_000_000_000_000,
        memory_bytes_max: 512 << 20,
        output_bytes_max: 256 << 20,
        mode: Some(Mode::Canonical),
        execution_policy: Some(ExecutionPolicy {
            rep_weight: 300_000,
            price_weight: 700_000,
            region_filter: None,
            min_reputation: None,
            max_price: Some(hours(10)),
            allowed_executors: Vec::new(),
            placement: Some("FIFO".into()),
        }),
        ..MeshJobParams::new(Nonce([7; 16]), Cid::of_raw(b"\0asm\x01\0\0\0"))
    }
}

pub fn params() -> Params {
    Params::new(mesh_params()).unwrap()
}

pub fn capability() -> Signed<NodeCapability> {
    let did = executor().did();
    let body = NodeCapability {
        node_did: did,
        peer_id: peer_id(&did),
        alias: Some("Müller's shed".into()),
        region: Some("eu-central".parse().unwrap()),
        supported_runtimes: vec!["icn-canonical-1".into()],
        available_resources: [
            (ResourceType::MemoryBytes, 8 << 30),
            (ResourceType::Other(capacity::FUEL_MAX.into()), 1_000_000_000_000),
            (ResourceType::Other(capacity::JOBS_MAX.into()), 4),
        ]
        .into(),
        specialized_features: Vec::new(),
        timestamp: NOW,
        attestation_cid: None,
    };
    sign(body, &executor()).unwrap()
}

pub fn announcement() -> Signed<JobAnnouncement> {
    let mut body = JobAnnouncement::new(originator().did(), params(), NOW);
    body.bidding_duration = Some(Duration::from_secs(30));
    body.explain = Some(true);
    sign(body, &originator()).unwrap()
}

pub fn job() -> Cid {
    announcement().body().announcement_id
}

pub fn bid() -> Signed<JobBid> {
    let did = executor().did();
    let body = JobBid {
        announcement_id: job(),
        executor_did: did,
        executor_peer_id: peer_id(&did),
        price: Some(hours(5)),
        rates: None,
        region: Some("eu-central".parse().unwrap()),
        timestamp: NOW,
        bid_expires_at: Some(NOW.plus(Duration::from_secs(60))),
        available_resources: Some([(ResourceType::CpuMillicores, 4_000)].into()),
        queue_depth: Some(0),
        estimated_start_ms: Some(20),
        blobs_held: vec![params().wasm_cid],
    };
    sign(body, &executor()).unwrap()
}

pub fn assignment() -> Signed<JobAssignment> {
    let body = JobAssignment {
        announcement_id: job(),
        originator_did: originator().did(),
        executor_did: executor().did(),
        lease_epoch: 1,
        lease_seconds: 10,
        bid_cid: bid().cid(),
        params_cid: params().cid(),
        escrow_id: None,
        timestamp: NOW,
    };
    sign(body, &originator()).unwrap()
}

pub fn status() -> Signed<JobStatusUpdate> {
    let body = JobStatusUpdate {
        announcement_id: job(),
        executor_did: executor().did(),
        lease_epoch: 1,
        sequence: 3,
        p2p_job_status: JobStatus::Running,
        details: Some("half way".into()),
        progress_ppm: Some(500_000),
        timestamp: NOW,
    };
    sign(body, &executor()).unwrap()
}

pub fn available() -> Signed<ExecutionReceiptAvailable> {
    let body = ExecutionReceiptAvailable {
        announcement_id: job(),
        originator_did: originator().did(),
        executor_did: executor().did(),
        receipt_cid: receipt().cid(),
        providers: vec![format!("/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{}", peer_id(&executor().did()))],
        timestamp: NOW,
    };
    sign(body, &executor()).unwrap()
}

pub fn input() -> Signed<JobInteractiveInput> {
    let body = JobInteractiveInput {
        announcement_id: job(),
        originator_did: originator().did(),
        executor_did: executor().did(),
        input_id: format!("{}/0", job()),
        sequence: 0,
        data: b"hello".to_vec(),
        end_of_stream: None,
        timestamp: NOW,
    };
    sign(body, &originator()).unwrap()
}

pub fn output() -> Signed<JobInteractiveOutput> {
    let body = JobInteractiveOutput {
        announcement_id: job(),
        executor_did: executor().did(),
        originator_did: originator().did(),
        output_id: format!("{}/1", job()),
        sequence: 1,
        data: Vec::new(),
        end_of_stream: Some(true),
        timestamp: NOW,
    };
    sign(body, &executor()).unwrap()
}

pub fn interest() -> Signed<JobInterest> {
    let body = JobInterest { announcement_id: job(), executor_did: executor().did(), timestamp: NOW };
    sign(body, &executor()).unwrap()
}

pub fn decline() -> Signed<JobDecline> {
    let body = JobDecline {
        announcement_id: job(),
        executor_did: executor().did(),
        code: RefusalCode::Capacity,
        detail: Some("1 GiB of memory is free, the job needs 2".into()),
        timestamp: NOW,
    };
    sign(body, &executor()).unwrap()
}

pub fn cancel() -> Signed<CancelJob> {
    let body = CancelJob {
        announcement_id: job(),
        originator_did: originator().did(),
        lease_epoch: Some(1),
        reason: Some("no longer needed".into()),
        timestamp: NOW,
    };
    sign(body, &originator()).unwrap()
}

/// The eleven messages as they go over the wire, with who signed them.
pub fn messages() -> Vec<(&'static str, Vec<u8>, Keypair)> {
    fn entry<T: Body>(signed: Signed<T>, by: Keypair) -> (&'static str, Vec<u8>, Keypair) {
        (T::NAME, signed.into_wire(), by)
    }
    vec![
        entry(capability(), executor()),
        entry(announcement(), originator()),
        entry(bid(), executor()),
        entry(assignment(), originator()),
        entry(status(), executor()),
        entry(available(), executor()),
        entry(input(), originator()),
        entry(output(), executor()),
        entry(interest(), executor()),
        entry(decline(), executor()),
        entry(cancel(), originator()),
    ]
}

pub fn receipt_body() -> ExecutionReceipt {
    let output = |name: &str, bytes: &[u8]| OutputCid {
        name: name.into(),
        cid: Cid::of_raw(bytes),
        bytes: bytes.len() as u64,
    };
    ExecutionReceipt {
        announcement_id: job(),
        assignment_cid: assignment().cid(),
        lease_epoch: 1,
        job_params_cid: params().cid(),
        originator_did: originator().did(),
        executor_did: executor().did(),
        status: StandardJobStatus::CompletedSuccessfully,
        end: End::Exit,
        exit_code: Some(0),
        error: None,
        wasm_cid: params().wasm_cid,
        stdin_cid: params().stdin_cid,
        input_cids: params().input_cids.clone(),
        output_cids: vec![
            output("stdout", b"2 words\n"),
            output("stderr", b""),
            output("counts.csv", b"hello,1\n"),
        ],
        fuel_used: 123_456,
        memory_peak_bytes: 1 << 20,
        host_calls: BTreeMap::from([("fd_write".into(), 2), ("host_sha256".into(), 1)]),
        started_at: NOW.plus(Duration::from_millis(40)),
        finished_at: NOW.plus(Duration::from_millis(52)),
        stages_us: BTreeMap::from([("compile".into(), 8_000), ("run".into(), 4_000)]),
        price: Some(hours(5)),
        runtime: RuntimeInfo {
            engine: "wasmtime".into(),
            version: "48.0.8".into(),
            profile: "icn-canonical-1".into(),
            mode: Mode::Canonical,
        },
        anchors: Vec::new(),
    }
}

pub fn receipt() -> SignedReceipt {
    receipt_body().sign(&executor()).unwrap()
}

pub fn bundle() -> ReceiptBundle {
    ReceiptBundle {
        receipt: receipt().bytes().to_vec(),
        assignment: assignment().inner().to_vec(),
        params: params().bytes().to_vec(),
    }
}

/// Takes a message apart: the variant's name and the inner map.
pub fn open(wire: &[u8]) -> (String, BTreeMap<String, Value>) {
    let Value::Map(outer) = codec::decode_value(wire).unwrap() else { panic!("a map") };
    let (name, Value::Map(map)) = outer.into_iter().next().unwrap() else { panic!("a map") };
    (name, map)
}

/// Puts a message together without signing it again.
pub fn close(name: &str, map: &BTreeMap<String, Value>) -> Vec<u8> {
    codec::encode(&BTreeMap::from([(name, map)])).unwrap()
}

/// Changes a message's fields as a hostile or newer signer could, and signs it properly.
pub fn resign(wire: &[u8], by: &Keypair, change: impl FnOnce(&mut BTreeMap<String, Value>)) -> Vec<u8> {
    let (name, mut map) = open(wire);
    change(&mut map);
    sign_map(&name, &mut map, by);
    close(&name, &map)
}

/// Signs a map under a name, whatever is in it.
pub fn sign_map(name: &str, map: &mut BTreeMap<String, Value>, by: &Keypair) {
    map.remove("signature");
    let signature = by.sign(name, &codec::encode(map).unwrap());
    map.insert("signature".into(), Value::Bytes(signature.as_bytes().to_vec()));
}

/// Encodes a map with its keys in the given order, which need not be the right one, nor each once.
pub fn encode_in_order(pairs: &[(String, Value)]) -> Vec<u8> {
    assert!(pairs.len() < 24, "one byte of head");
    let mut bytes = vec![0xa0 | pairs.len() as u8];
    for (key, value) in pairs {
        bytes.extend(codec::encode(key).unwrap());
        bytes.extend(codec::encode(value).unwrap());
    }
    bytes
}
