//! An executor that lies: its receipt is refused, the job completes on one that does not.

use icn_protocol::{OutputCid, Response};
use icn_types::Cid;
use serde_json::Value;

use crate::guests::{guest, long};
use crate::node::{Node, PATIENCE, tells};
use crate::rogue::{Rogue, Won};
use crate::world::{World, names_in, wait_for};

/// An originator and an honest executor.
fn pair(world: &World) -> (Node, Node) {
    let a = world.node("a").no_executor().start();
    let honest = world.node("honest").peer(&a).start();
    a.until_knows(1, 1);
    (a, honest)
}

#[track_caller]
fn assert_refused(response: &Response, code: &str) {
    match response {
        Response::Refused { code: found, .. } => assert_eq!(found.as_str(), code, "{response:?}"),
        Response::Ack => panic!("it is acknowledged; it should be refused as `{code}`"),
    }
}

/// Submits a job that a new rogue wins, because the honest executor is kept still until then.
fn won(a: &Node, honest: &Node, args: &[&str]) -> (Rogue, Won, String) {
    honest.pause();
    let mut rogue = Rogue::beside(a);
    rogue.advertise();
    let id = a.submit(args);
    let won = rogue.win(a, &id);
    honest.resume();
    (rogue, won, id)
}

/// Has a rogue lie, and checks that the job ends well elsewhere, with the reason in its history.
fn lie(a: &Node, honest: &Node, reason: &str, receipt: impl FnOnce(&Rogue, &Won) -> Cid) -> Value {
    let (rogue, won, id) = won(a, honest, &[&guest("noop")]);
    let cid = receipt(&rogue, &won);
    assert_eq!(rogue.offer(a, won.job(), cid), Response::Ack);
    a.icn(&["job", "wait", &id]).code(0);
    let job = a.job(&id);
    assert_eq!(
        (&job["status"], &job["executor"]),
        (&"CompletedSuccessfully".into(), &honest.file["did"]),
        "{reason}"
    );
    assert_ne!(job["receipt_cid"], cid.to_string());
    assert!(tells(&job, "Note", reason), "`{reason}` is not in the history: {job}");
    job
}

#[test]
fn a_receipt_that_does_not_hold_is_refused() {
    let world = World::new();
    let (mut a, honest) = pair(&world);
    lie(&a, &honest, "does not hold", |rogue, _| {
        let other = codec_of("not a receipt at all");
        rogue.blocks.put(Cid::of_dag_cbor(&other), other)
    });
    lie(&a, &honest, "signature does not hold", |rogue, won| {
        // Signed by somebody else than it says.
        let stranger = icn_identity::Keypair::generate_from_os().unwrap();
        let bytes = crate::rogue::sign_anything(&stranger, icn_protocol::receipt::NAME, &rogue.receipt(won));
        rogue.blocks.put(Cid::of_dag_cbor(&bytes), bytes)
    });
    lie(&a, &honest, "lease_epoch", |rogue, won| {
        let mut receipt = rogue.receipt(won);
        receipt.lease_epoch += 1;
        rogue.publish_receipt(&receipt)
    });
    lie(&a, &honest, "wasm_cid", |rogue, won| {
        let mut receipt = rogue.receipt(won);
        receipt.wasm_cid = Cid::of_raw(b"another module");
        rogue.publish_receipt(&receipt)
    });
    lie(&a, &honest, "bytes", |rogue, won| {
        // It has the output that it names, but that is not as long as it says.
        let mut receipt = rogue.receipt(won);
        let cid = rogue.blocks.put(Cid::of_raw(b"short"), "short");
        receipt.output_cids = vec![OutputCid { name: "out.txt".to_owned(), cid, bytes: 500 }];
        rogue.publish_receipt(&receipt)
    });
    a.assert_alive();
}

#[test]
fn what_is_promised_and_not_served_is_not_waited_for() {
    let world = World::new();
    let (mut a, honest) = pair(&world);
    // A receipt under whose CID other bytes are served, and one whose output nobody has.
    let (rogue_1, won_1, first) = won(&a, &honest, &[&guest("noop")]);
    let (rogue_2, won_2, second) = won(&a, &honest, &[&guest("noop")]);
    let cid = rogue_1.blocks.put(Cid::of_dag_cbor(b"promised"), "served instead");
    assert_eq!(rogue_1.offer(&a, won_1.job(), cid), Response::Ack);
    let mut receipt = rogue_2.receipt(&won_2);
    receipt.output_cids =
        vec![OutputCid { name: "o".to_owned(), cid: Cid::of_raw(b"nobody has it"), bytes: 13 }];
    let cid = rogue_2.publish_receipt(&receipt);
    assert_eq!(rogue_2.offer(&a, won_2.job(), cid), Response::Ack);
    for id in [&first, &second] {
        a.icn(&["job", "wait", id]).code(0);
        let job = a.job(id);
        assert_eq!(job["executor"], honest.file["did"]);
        assert!(tells(&job, "Note", "the announced receipt cannot be had"), "{job}");
    }
    a.assert_alive();
}

#[test]
fn outputs_cannot_leave_their_folder() {
    let world = World::new();
    let (a, honest) = pair(&world);
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().join("evil");
    let lists: [&[&str]; 7] = [
        &["../evil"],
        &["a/../../evil"],
        &[absolute.to_str().unwrap()],
        &["stdout", "stdout"],
        &["a", "a"],
        &["a\\..\\..\\evil"],
        &[""],
    ];
    for names in lists {
        lie(&a, &honest, "output_cids", |rogue, won| {
            let mut receipt = rogue.receipt(won);
            let cid = rogue.blocks.put(Cid::of_raw(b"evil"), "evil");
            let output = |name: &&str| OutputCid { name: (*name).to_owned(), cid, bytes: 4 };
            receipt.output_cids = names.iter().map(output).collect();
            rogue.publish_receipt(&receipt)
        });
    }
    // A person who waits with `-o` gets what the honest executor made, and nothing else anywhere.
    let before = world.names();
    honest.pause();
    let mut rogue = Rogue::beside(&a);
    rogue.advertise();
    let running = a.begin(&["job", "run", &guest("noop"), "-o", "mine/results", "--json"]);
    let id = wait_for("job", PATIENCE, || {
        let list = a.json(&["job", "list"]);
        let newest = &list["items"][0];
        (newest["status"] == "Pending").then(|| newest["id"].as_str().unwrap().to_owned())
    });
    let won = rogue.win(&a, &id);
    honest.resume();
    let mut receipt = rogue.receipt(&won);
    let cid = rogue.blocks.put(Cid::of_raw(b"evil"), "evil");
    let output = |name: &str| OutputCid { name: name.to_owned(), cid, bytes: 4 };
    receipt.output_cids = vec![output("fine"), output("../evil"), output("stdout")];
    let cid = rogue.publish_receipt(&receipt);
    rogue.offer(&a, won.job(), cid);
    let job = running.ended().code(0).json();
    assert_eq!((&job["executor"], &job["receipt_verified"]), (&honest.file["did"], &true.into()));
    assert_eq!(names_in(&world.path("mine/results")), ["stderr", "stdout"]);
    assert_eq!(names_in(&world.path("mine")), ["results"]);
    let after: Vec<String> = world.names().into_iter().filter(|name| name != "mine").collect();
    assert_eq!(after, before);
    assert_eq!(names_in(outside.path()), [""; 0]);
}

#[test]
fn a_receipt_of_a_job_that_was_never_assigned_changes_nothing() {
    let world = World::new();
    let (mut a, honest) = pair(&world);
    let id = a.submit(&[&long(&world)]);
    a.until_running(&id);
    let rogue = Rogue::beside(&a);
    let job = a.job(&id)["id"].as_str().unwrap().parse().unwrap();
    let other = codec_of("a receipt");
    let cid = rogue.blocks.put(Cid::of_dag_cbor(&other), other);
    assert_refused(&rogue.offer(&a, job, cid), "not_assigned");
    rogue.publish(&icn_protocol::topics::Topic::Receipts, rogue.news(&a, job, cid).into_wire());
    // One that lost the auction has no more to say than a stranger, nor about jobs that do not exist.
    let bid = rogue.bid(job, crate::rogue::now());
    assert_eq!(rogue.send(&a, bid.wire()), Response::Ack, "a bid that comes late may still be needed");
    assert_refused(&rogue.offer(&a, job, cid), "not_assigned");
    assert_refused(&rogue.offer(&a, Cid::of_dag_cbor(b"no job"), cid), "unknown_job");
    assert_refused(&rogue.offer(&honest, job, cid), "unknown_job");
    a.icn(&["job", "wait", &id]).code(0);
    let done = a.job(&id);
    assert_eq!((&done["executor"], &done["lease_epoch"]), (&honest.file["did"], &1.into()));
    assert!(!tells(&done, "Note", ""), "{done}");
    assert_refused(&rogue.offer(&a, job, cid), "not_assigned");
    a.assert_alive();
}

/// Makes a block that decodes and is no receipt.
fn codec_of(text: &str) -> Vec<u8> {
    icn_types::codec::encode(text).unwrap()
}
