//! Messages that are not what they seem, one by one: each gets its own refusal, and the node goes on.

use icn_protocol::topics::Topic;
use icn_protocol::{
    JobAnnouncement, JobAssignment, JobBid, JobInterest, JobStatus, JobStatusUpdate, MeshJobParams, Message,
    Nonce, Params, Response, Signed, sign,
};
use icn_types::{Cid, Duration, Timestamp};

use crate::guests::guest;
use crate::node::{Node, PATIENCE};
use crate::rogue::{Rogue, now, wrap};
use crate::world::{World, wait_for};

/// Makes bytes to be sent by a rogue.
type Forge<'a> = &'a dyn Fn(&Rogue) -> Vec<u8>;

fn word(response: &Response) -> &str {
    match response {
        Response::Ack => "Ack",
        Response::Refused { code, .. } => code.as_str(),
    }
}

/// Sends bytes as a peer that has done nothing wrong so far, and returns the answer's word.
fn answer(node: &Node, bytes: impl FnOnce(&Rogue) -> Vec<u8>) -> String {
    let rogue = Rogue::beside(node);
    let bytes = bytes(&rogue);
    word(&rogue.send(node, &bytes)).to_owned()
}

fn minutes_ago(minutes: u64) -> Timestamp {
    now().minus(Duration::from_secs(60 * minutes))
}

#[test]
fn each_wrong_message_gets_its_refusal() {
    let world = World::new();
    // Nobody executes, so that the job waits for bids all the time.
    let mut a = world.node("a").no_executor().start();
    let job: Cid = a.submit(&[&guest("noop")]).parse().unwrap();
    let bid = |rogue: &Rogue| rogue.bid(Cid::of_dag_cbor(b"no job"), now());
    let interest = |rogue: &Rogue, at| {
        let interest = JobInterest { announcement_id: job, executor_did: rogue.did(), timestamp: at };
        sign(interest, &rogue.key).unwrap()
    };
    let check = |expected: &str, bytes: Forge<'_>| {
        assert_eq!(answer(&a, bytes), expected);
    };

    check("Ack", &|rogue| interest(rogue, now()).into_wire());
    check("unknown_job", &|rogue| bid(rogue).into_wire());
    // A bid has all fields of an interest: only the signature tells them apart.
    check("bad_signature", &|rogue| wrap("JobInterestV1", bid(rogue).inner()));
    check("malformed", &|rogue| wrap("AssignJobV1", bid(rogue).inner()));
    check("unknown_variant", &|rogue| wrap("JobBidV2", bid(rogue).inner()));
    check("unknown_variant", &|_| wrap("SomethingElse", &[0xa0]));
    check("malformed", &|_| wrap("JobBidV1", &[0xa0]));
    check("bad_signature", &|rogue| {
        let mut bytes = interest(rogue, now()).into_wire();
        flip_signature(&mut bytes);
        bytes
    });
    // Signed by the rogue, in another member's name.
    check("bad_signature", &|rogue| {
        let stranger = icn_identity::Keypair::generate_from_os().unwrap();
        let body = JobInterest { announcement_id: job, executor_did: stranger.did(), timestamp: now() };
        wrap("JobInterestV1", &crate::rogue::sign_anything(&rogue.key, "JobInterestV1", &body))
    });
    // Signed by another member, sent by the rogue.
    check("wrong_recipient", &|_| {
        let stranger = icn_identity::Keypair::generate_from_os().unwrap();
        let body = JobInterest { announcement_id: job, executor_did: stranger.did(), timestamp: now() };
        sign(body, &stranger).unwrap().into_wire()
    });
    check("stale", &|rogue| interest(rogue, minutes_ago(6)).into_wire());
    check("future", &|rogue| interest(rogue, now().plus(Duration::from_secs(60))).into_wire());
    // A message of the time before this process: it cannot know whether it was seen.
    check("stale", &|rogue| interest(rogue, minutes_ago(4)).into_wire());
    check("malformed", &|_| b"\xff".to_vec());
    check("malformed", &|_| Vec::new());
    check("malformed", &|_| vec![0x81; 100_000]);
    check("malformed", &|rogue| [bid(rogue).wire(), b"\0"].concat());
    check("malformed", &|rogue| bid(rogue).wire()[..100].to_vec());
    check("wrong_recipient", &|rogue| announcement(rogue, Cid::of_raw(b"m"), 9).into_wire());
    check("wrong_recipient", &|rogue| assignment(rogue, job, Cid::of_raw(b"b"), job, a.did()).into_wire());

    the_same_bytes_get_the_same_answer(&a, job);
    wrong_gossip_goes_nowhere(&world, &a);
    a.assert_alive();
    assert_eq!(a.job(&job.to_string())["status"], "Pending");
    let b = world.node("b").peer(&a).start();
    a.icn(&["job", "wait", &job.to_string()]).code(0);
    assert_eq!(a.job(&job.to_string())["executor"], b.file["did"]);
}

/// Changes one bit of a signature.
fn flip_signature(bytes: &mut [u8]) {
    let mark = b"signature\x58\x40";
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap();
    bytes[at + mark.len() + 10] ^= 1;
}

fn the_same_bytes_get_the_same_answer(a: &Node, job: Cid) {
    let rogue = Rogue::beside(a);
    let repeats = a.metric("replay_detected_total");
    let known = JobInterest { announcement_id: job, executor_did: rogue.did(), timestamp: now() };
    let unknown = JobInterest { announcement_id: Cid::of_raw(b""), ..known.clone() };
    for (interest, expected) in [(known, "Ack"), (unknown, "unknown_job")] {
        let bytes = sign(interest, &rogue.key).unwrap().into_wire();
        let answers: Vec<Response> = (0..3).map(|_| rogue.send(a, &bytes)).collect();
        assert_eq!(word(&answers[0]), expected);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    assert_eq!(a.metric("replay_detected_total"), repeats + 4);
}

/// On gossip there is no answer; the node counts, forwards nothing, and its job is untouched.
fn wrong_gossip_goes_nowhere(world: &World, a: &Node) {
    // A node beyond the one that is attacked hears none of it.
    let beyond = world.node("beyond").no_executor().peer(a).start();
    beyond.until_knows(1, 0);
    let refused = |code: &str| format!("messages_refused_total{{code=\"{code}\"}}");
    let wasm = Cid::of_raw(b"module");
    let cases: [(&str, Forge<'_>); 6] = [
        ("malformed", &|_| b"not cbor".to_vec()),
        ("malformed", &|_| vec![0xa1; 200_000]),
        ("unknown_variant", &|rogue| wrap("JobAnnouncementV9", announcement(rogue, wasm, 1).inner())),
        ("bad_signature", &|rogue| {
            let mut bytes = announcement(rogue, wasm, 2).into_wire();
            flip_signature(&mut bytes);
            bytes
        }),
        ("stale", &|rogue| announcement_at(rogue, wasm, 3, minutes_ago(6)).into_wire()),
        ("future", &|rogue| announcement_at(rogue, wasm, 4, now().plus(Duration::from_secs(60))).into_wire()),
    ];
    for (code, bytes) in cases {
        let rogue = Rogue::beside(a);
        let before = a.metric(&refused(code));
        rogue.publish(&Topic::Jobs, bytes(&rogue));
        wait_for(&format!("count of `{code}`"), PATIENCE, || {
            (a.metric(&refused(code)) > before).then_some(())
        });
    }
    // What is valid, but on the wrong topic, is no better.
    let rogue = Rogue::beside(a);
    rogue.publish(&Topic::Capabilities, announcement(&rogue, wasm, 5).into_wire());
    // A valid announcement by the same way gets through: the node still forwards.
    let rogue = Rogue::beside(a);
    rogue.advertise();
    beyond.until_knows(1, 1);
    for code in ["malformed", "bad_signature", "stale", "future", "unknown_variant"] {
        assert_eq!(beyond.metric(&refused(code)), 0, "`{code}` was forwarded");
    }
}

fn params(wasm: Cid, nonce: u8) -> Params {
    Params::new(MeshJobParams {
        timeout_seconds: 60,
        memory_bytes_max: 64 << 20,
        output_bytes_max: 1 << 20,
        ..MeshJobParams::new(Nonce([nonce; 16]), wasm)
    })
    .unwrap()
}

fn announcement(rogue: &Rogue, wasm: Cid, nonce: u8) -> Signed<JobAnnouncement> {
    announcement_at(rogue, wasm, nonce, now())
}

fn announcement_at(rogue: &Rogue, wasm: Cid, nonce: u8, at: Timestamp) -> Signed<JobAnnouncement> {
    sign(JobAnnouncement::new(rogue.did(), params(wasm, nonce), at), &rogue.key).unwrap()
}

fn assignment(
    rogue: &Rogue,
    job: Cid,
    bid: Cid,
    params: Cid,
    executor: icn_types::Did,
) -> Signed<JobAssignment> {
    let assignment = JobAssignment {
        announcement_id: job,
        originator_did: rogue.did(),
        executor_did: executor,
        lease_epoch: 1,
        lease_seconds: 10,
        bid_cid: bid,
        params_cid: params,
        escrow_id: None,
        timestamp: now(),
    };
    sign(assignment, &rogue.key).unwrap()
}

/// Announces a job and waits for the node's bid.
fn auction(rogue: &mut Rogue, wasm: Cid, nonce: u8) -> (Signed<JobAnnouncement>, JobBid, Cid) {
    let announced = announcement(rogue, wasm, nonce);
    rogue.publish(&Topic::Jobs, announced.wire().to_vec());
    let job = announced.body().announcement_id;
    let asked = rogue.next(|message| matches!(message, Message::JobBidV1(bid) if bid.announcement_id == job));
    let cid = asked.cid;
    let Message::JobBidV1(bid) = asked.answer(&Response::Ack) else { unreachable!() };
    (announced, *bid, cid)
}

#[test]
fn a_lost_answer_to_an_assignment_runs_the_job_once() {
    let world = World::new();
    let mut node = world.node("node").start();
    let mut rogue = Rogue::beside(&node);
    let module = std::fs::read(guest("noop")).unwrap();
    let wasm = rogue.blocks.put(Cid::of_raw(&module), module);
    let (announced, _, bid_cid) = auction(&mut rogue, wasm, 1);
    let body = announced.body();
    let assigned = assignment(&rogue, body.announcement_id, bid_cid, body.job_params.cid(), node.did());

    // Twice at once, as if the first answer were slow; then again, as if it were lost.
    let peer = icn_identity::peer_id(&node.did());
    let send = || rogue.net.request(peer, assigned.wire().to_vec().into());
    let (first, second) = rogue.run(async { tokio::join!(send(), send()) });
    for bytes in [first.unwrap(), second.unwrap()] {
        assert_eq!(Response::decode(&bytes).unwrap(), Response::Ack);
    }
    assert_eq!(rogue.send(&node, assigned.wire()), Response::Ack);
    // The same assignment, signed anew: it is the same lease, so nothing is run again.
    let again = JobAssignment { timestamp: now().plus(Duration::from_millis(1)), ..assigned.body().clone() };
    assert_eq!(word(&rogue.say(&node, again)), "wrong_epoch");

    // One receipt comes, and it holds. Its first announcement goes unanswered too.
    let receipt_of = |message: &Message| match message {
        Message::ExecutionReceiptAvailableV1(news) => Some(news.receipt_cid),
        _ => None,
    };
    let first = rogue.next(|message| receipt_of(message).is_some());
    let cid = receipt_of(&first.message).unwrap();
    drop(first);
    let second = rogue.next(|message| receipt_of(message).is_some());
    assert_eq!(receipt_of(&second.answer(&Response::Ack)), Some(cid), "the same receipt again");
    let fetch = rogue.net.fetch_one(cid, vec![peer], std::time::Duration::from_secs(10));
    let bytes = rogue.run(fetch).unwrap();
    let verifier = icn_identity::Ed25519Verifier::new();
    let verified = icn_protocol::verify_receipt(
        &bytes,
        Some(assigned.inner()),
        Some(body.job_params.bytes()),
        &verifier,
    );
    let verified = verified.unwrap();
    assert_eq!(verified.receipt.receipt().exit_code, Some(0), "{verified:?}");

    assert_eq!(word(&rogue.send(&node, assigned.wire())), "Ack", "the first answer, also after the end");
    assert_eq!(node.metric("compute_tasks_completed_total{end=\"exit\"}"), 1, "it ran once");
    assert_eq!(node.json(&["job", "list"])["total"], 1);
    let shown = node.job(&body.announcement_id.to_string());
    let runs = shown["history"].as_array().unwrap().iter().filter(|turn| turn["state"] == "Assigned").count();
    assert_eq!((&shown["role"], runs), (&"executor".into(), 1));
    node.assert_alive();
}

/// Who did not announce a job, or was not bid to, cannot assign or cancel it.
#[test]
fn an_executor_obeys_the_originator_alone() {
    let world = World::new();
    let mut node = world.node("node").start();
    let mut rogue = Rogue::beside(&node);
    let module = std::fs::read(crate::guests::long(&world)).unwrap();
    let wasm = rogue.blocks.put(Cid::of_raw(&module), module);
    let (announced, bid, bid_cid) = auction(&mut rogue, wasm, 1);
    assert_eq!(bid.executor_did, node.did());
    let body = announced.body();
    let (job, params) = (body.announcement_id, body.job_params.cid());

    let thief = Rogue::beside(&node);
    assert_eq!(
        word(&thief.send(&node, assignment(&thief, job, bid_cid, params, node.did()).wire())),
        "not_authorised"
    );
    let wrong = |bid, params, did| assignment(&rogue, job, bid, params, did).into_wire();
    assert_eq!(word(&rogue.send(&node, &wrong(Cid::of_raw(b"no bid"), params, node.did()))), "unknown_bid");
    assert_eq!(word(&rogue.send(&node, &wrong(bid_cid, Cid::of_raw(b"others"), node.did()))), "malformed");
    assert_eq!(word(&rogue.send(&node, &wrong(bid_cid, params, thief.did()))), "wrong_recipient");
    assert_eq!(word(&rogue.send(&node, &wrong(bid_cid, params, node.did()))), "Ack");

    // Status updates begin; another's cancellation does nothing, the originator's ends it.
    let status = rogue.next(|message| matches!(message, Message::JobStatusUpdateV1(_)));
    status.answer(&Response::Ack);
    let cancel = |by: &Rogue, epoch| icn_protocol::CancelJob {
        announcement_id: job,
        originator_did: by.did(),
        lease_epoch: Some(epoch),
        reason: None,
        timestamp: now(),
    };
    assert_eq!(word(&thief.say(&node, cancel(&thief, 1))), "not_authorised");
    assert_eq!(word(&rogue.say(&node, cancel(&rogue, 2))), "wrong_epoch");
    assert_eq!(word(&rogue.say(&node, cancel(&rogue, 1))), "Ack");
    rogue.next(|message| matches!(message, Message::ExecutionReceiptAvailableV1(_))).answer(&Response::Ack);
    let shown = node.until_job(&job.to_string(), "ended", |job| job["receipt_cid"].is_string());
    assert_eq!((&shown["end"], &shown["status"]), (&"cancelled".into(), &"Cancelled".into()));

    // The node is nobody's originator here: status updates for a job of its own are unknown to it.
    let update = JobStatusUpdate {
        announcement_id: job,
        executor_did: rogue.did(),
        lease_epoch: 1,
        sequence: 1,
        p2p_job_status: JobStatus::Running,
        details: None,
        progress_ppm: None,
        timestamp: now(),
    };
    assert_eq!(word(&rogue.say(&node, update)), "unknown_job");
    assert!(rogue.waiting().is_none(), "nothing more comes");
    node.assert_alive();
}
