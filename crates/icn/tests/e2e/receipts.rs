//! Receipts: whoever has the file can tell whether it holds, and run the job again.

use icn_identity::{Ed25519Verifier, Keypair};
use icn_protocol::{ReceiptBundle, receipt};
use icn_types::{Cid, Value, codec};
use serde_json::Value as Json;

use crate::guests::guest;
use crate::node::Node;
use crate::rogue::sign_anything;
use crate::world::World;

/// Verifies a file where there is no node and no store.
#[track_caller]
fn verdict(world: &World, file: &str, code: i32) -> Json {
    let verdict =
        world.icn(&["receipt", "verify", file, "--json", "--data-dir", "nowhere"]).code(code).json();
    assert_eq!(verdict["valid"], code == 0);
    let reason = verdict["reason"].as_str().unwrap();
    assert!(!reason.is_empty());
    assert_eq!(verdict.as_object().unwrap().len(), 2, "{verdict}");
    verdict
}

#[test]
fn a_receipt_file_proves_itself() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let b = world.node("b").peer(&a).start();
    a.until_knows(1, 1);
    let input = format!("book={}", world.file("book", "to be or not to be"));
    let job = a.json(&["job", "run", &guest("wordcount"), "--input", &input]);
    let cid = job["receipt_cid"].as_str().unwrap();
    a.icn(&["receipt", "export", cid, "-o", "bundle.bin"]).code(0);
    a.icn(&["get", cid, "-o", "bare.bin"]).code(0);
    let bundle = std::fs::read(world.path("bundle.bin")).unwrap();
    let bare = std::fs::read(world.path("bare.bin")).unwrap();
    assert_eq!(Cid::of_dag_cbor(&bare).to_string(), cid);
    assert_eq!(ReceiptBundle::decode(&bundle).unwrap().receipt, bare);

    verdict(&world, "bundle.bin", 0);
    let reason = verdict(&world, "bare.bin", 1)["reason"].to_string();
    assert!(reason.contains("not at hand"), "a bare receipt needs what it names: {reason}");
    // A node that has what it names, or can get it, says yes.
    for node in [&a, &b] {
        assert_eq!(node.json(&["receipt", "verify", "bare.bin"])["valid"], true);
    }
    let shown = a.json(&["receipt", "show", cid]);
    assert_eq!((&shown["executor_did"], &shown["originator_did"]), (&b.file["did"], &a.file["did"]));

    every_changed_byte_is_noticed(&world, &bundle, &bare);
    others_cannot_stand_behind_it(&world, &bundle);
    for (missing, code) in [("no-such-file", 2), (".", 2)] {
        world.icn(&["receipt", "verify", missing, "--data-dir", "nowhere"]).code(code);
    }
    it_can_be_run_again(&world, a, b, cid);
}

fn every_changed_byte_is_noticed(world: &World, bundle: &[u8], bare: &[u8]) {
    let verifier = Ed25519Verifier::new();
    let holds =
        |bytes: &[u8]| ReceiptBundle::decode(bytes).is_ok_and(|bundle| bundle.verify(&verifier).is_ok());
    assert!(holds(bundle));
    for at in 0..bundle.len() {
        for bit in [0x01, 0x80] {
            let mut changed = bundle.to_vec();
            changed[at] ^= bit;
            assert!(!holds(&changed), "byte {at} of {} can be changed", bundle.len());
        }
    }
    assert!(!holds(&bundle[..bundle.len() - 1]) && !holds(&[bundle, b"\0"].concat()));
    // The program says the same, with a reason, whatever part is hit.
    for (name, bytes) in [("bundle", bundle), ("bare", bare)] {
        for part in 0..10 {
            let at = bytes.len() * part / 10 + part;
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x10;
            let file = world.file(&format!("{name}-{at}.bin"), &changed);
            verdict(world, &file, 1);
        }
    }
}

/// A receipt that is signed as it should be, and that nobody assigned.
fn others_cannot_stand_behind_it(world: &World, bundle: &[u8]) {
    let bundle = ReceiptBundle::decode(bundle).unwrap();
    let stranger = Keypair::generate_from_os().unwrap();
    let mut forged = receipt::parse(&bundle.receipt).unwrap().unverified().clone();
    forged.executor_did = stranger.did();
    let forged = forged.sign(&stranger).unwrap();
    let file = world.file(
        "unassigned.bin",
        ReceiptBundle { receipt: forged.bytes().to_vec(), ..bundle.clone() }.encode(),
    );
    let reason = verdict(world, &file, 1)["reason"].to_string();
    assert!(reason.contains("executor_did"), "{reason}");

    // The stranger makes an assignment too, in the originator's name but with its own key.
    let Value::Map(mut assignment) = codec::decode_value(&bundle.assignment).unwrap() else {
        panic!("no map")
    };
    assignment.remove("signature");
    assignment.insert("executor_did".to_owned(), Value::String(stranger.did().to_string()));
    let assignment = sign_anything(&stranger, "AssignJobV1", &Value::Map(assignment));
    let mut forged = forged.into_receipt();
    forged.assignment_cid = Cid::of_dag_cbor(&assignment);
    let forged = forged.sign(&stranger).unwrap().bytes().to_vec();
    let file = world
        .file("self-assigned.bin", ReceiptBundle { receipt: forged.clone(), assignment, ..bundle }.encode());
    let reason = verdict(world, &file, 1)["reason"].to_string();
    assert!(reason.contains("assignment"), "{reason}");
    verdict(world, &world.file("bare-unassigned.bin", forged), 1);
}

fn it_can_be_run_again(world: &World, a: Node, b: Node, cid: &str) {
    // Where it ran; where it was submitted, on a node that does not execute for others; and on a node that has nothing of
    // it and knows only the file.
    let c = world.node("c").peer(&a).no_executor().start();
    c.until_knows(1, 1);
    for node in [&b, &a, &c] {
        let replay = node.json(&["receipt", "replay", "bundle.bin"]);
        assert_eq!((&replay["identical"], &replay["differences"]), (&true.into(), &Json::Array(Vec::new())));
    }
    assert_eq!(a.json(&["receipt", "replay", cid])["identical"], true);
    c.icn(&["receipt", "replay", "bundle-0.bin"]).code(1);

    // Without any node, from the blocks of a folder.
    drop((b, c));
    let (status, _) = a.terminate();
    assert!(status.success());
    let replay = world.icn(&["receipt", "replay", "bundle.bin", "--data-dir", "a", "--json"]).code(0).json();
    assert_eq!(replay["identical"], true, "{replay}");
    assert_eq!(
        world.icn(&["receipt", "verify", "bare.bin", "--data-dir", "a", "--json"]).code(0).json()["valid"],
        true
    );
    let shown = world.icn(&["receipt", "show", cid, "--data-dir", "a", "--json"]).code(0).json();
    assert_eq!(shown["lease_epoch"], 1);
    world.icn(&["receipt", "show", cid, "--data-dir", "nowhere"]).code(3);
}
