//! A job on another node, as a person and a script see it.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::guests::guest;
use crate::node::{Node, states};
use crate::world::{World, names_in};

/// A submitter that does not execute, and two executors.
fn three(world: &World) -> (Node, Node, Node) {
    let a = world.node("a").no_executor().start();
    let b = world.node("b").peer(&a).start();
    let c = world.node("c").peer(&a).start();
    a.until_knows(2, 2);
    (a, b, c)
}

/// Checks that an object has exactly these keys.
#[track_caller]
fn assert_keys(object: &Value, keys: &[&str]) {
    let found: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    assert_eq!(found, keys);
}

/// Checks that an object has these keys, and that they are there even when they say nothing.
#[track_caller]
fn assert_job(job: &Value) {
    let keys = [
        "id",
        "status",
        "p2p_status",
        "executor",
        "lease_epoch",
        "end",
        "exit_code",
        "error",
        "fuel_used",
        "outputs",
        "receipt_cid",
        "history",
    ];
    for key in keys {
        assert!(job.get(key).is_some(), "{key} is missing: {job}");
    }
    for output in job["outputs"].as_array().unwrap() {
        assert_keys(output, &["name", "cid", "bytes"]);
    }
    let mut last = String::new();
    for turn in job["history"].as_array().unwrap() {
        assert_keys(turn, &["at", "state", "detail"]);
        let at = turn["at"].as_str().unwrap();
        // RFC 3339, UTC, milliseconds: such texts sort by time.
        assert!(
            at.len() == 24 && at.as_bytes()[10] == b'T' && at.as_bytes()[19] == b'.' && at.ends_with('Z'),
            "{at}"
        );
        assert!(at >= last.as_str(), "{at} comes after {last}");
        last = at.to_owned();
    }
}

const LIFE: [&str; 10] = [
    "PendingAnnouncement",
    "Announced",
    "BiddingOpen",
    "BiddingClosed",
    "AwaitingAssignmentConfirmation",
    "Assigned",
    "Running",
    "Completed",
    "ReceiptGenerated",
    "ReceiptAnchored",
];

#[test]
fn a_job_runs_on_another_node() {
    let world = World::new();
    let (a, b, c) = three(&world);
    for node in [&a, &b, &c] {
        assert_keys(&node.file, &["pid", "did", "peer_id", "listen", "api"]);
        let end = format!("/p2p/{}", node.file["peer_id"].as_str().unwrap());
        assert!(
            node.file["listen"].as_array().unwrap().iter().all(|at| at.as_str().unwrap().ends_with(&end))
        );
    }

    // Outputs come home byte for byte.
    let book = world.file("book.txt", "The tree and the sea.\nThe end\n");
    let input = format!("deep/book.txt={book}");
    let job = a.json(&["job", "run", &guest("wordcount"), "--input", &input, "-o", "results"]);
    assert_job(&job);
    assert_eq!(job["status"], "CompletedSuccessfully");
    assert_eq!((&job["end"], &job["exit_code"], &job["error"]), (&"exit".into(), &0.into(), &Value::Null));
    assert_eq!(job["receipt_verified"], true);
    // Whether an update comes in while the executor still fetches is a matter of luck.
    let life: Vec<&str> = states(&job).into_iter().filter(|state| *state != "PreparingExecution").collect();
    assert_eq!(life, LIFE);
    let executor = job["executor"].as_str().unwrap();
    assert!([b.did().to_string(), c.did().to_string()].contains(&executor.to_owned()), "{executor}");
    assert!(job["fuel_used"].as_u64().unwrap() > 0);
    assert_eq!(job["lease_epoch"], 1);
    let read = |name: &str| std::fs::read_to_string(world.path("results").join(name)).unwrap();
    assert_eq!(read("counts.txt"), "1 and\n1 end\n1 sea\n3 the\n1 tree\n");
    assert_eq!(read("stdout"), "7 words, 5 different, in 1 files\n");
    assert_eq!(read("stderr"), "");
    assert_eq!(names_in(&world.path("results")), ["counts.txt", "stderr", "stdout"]);

    // Every way to see the job tells the same.
    let id = job["id"].as_str().unwrap();
    let shown = a.job(&id[..20]);
    assert_job(&shown);
    let waited = a.json(&["job", "wait", id]);
    for key in shown.as_object().unwrap().keys() {
        assert_eq!((&shown[key], &waited[key]), (&job[key], &job[key]), "{key}");
    }
    let list = a.json(&["job", "list"]);
    assert_keys(&list, &["items", "total", "has_more"]);
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&1.into(), &job["id"]));
    let bids = a.json(&["job", "bids", id]);
    assert_eq!(bids["total"], 2, "both executors are known, so the auction waits for both: {bids}");
    let why = a.icn(&["job", "why", id]).code(0).text();
    assert!(why.contains("chosen"), "{why}");

    what_a_guest_is_given(&world, &a);
    a_large_input(&world, &a);
}

/// Arguments, environment and standard input go in; stdout, stderr and the exit code come out.
fn what_a_guest_is_given(world: &World, a: &Node) {
    let stdin = world.file("stdin.txt", "one\ntwo\n");
    let hello = guest("hello");
    let line = ["job", "run", &hello, "--arg", "7", "--arg", "-x y", "--env", "KEY=a=b", "--stdin", &stdin];
    let ran = a.icn(&line).code(7).says("hello from job");
    assert_eq!(ran.text(), "arg 0: job\narg 1: 7\narg 2: -x y\nenv: KEY=a=b\nstdin: one\nstdin: two\n");
    let job = a.icn(&["job", "run", &hello, "--arg", "150", "--json"]).code(99).json();
    assert_job(&job);
    assert_eq!((&job["status"], &job["exit_code"]), (&"Failed".into(), &150.into()));
    assert_eq!(
        (&job["lease_epoch"], &job["end"]),
        (&1.into(), &"exit".into()),
        "a guest's own failure is not retried"
    );
    assert_eq!(job["receipt_verified"], true);
    assert!(states(&job).ends_with(&["Failed", "ReceiptGenerated", "ReceiptAnchored"]), "{job}");
}

/// A file of fifty blocks and a tree above them reaches the guest as it was.
fn a_large_input(world: &World, a: &Node) {
    let bytes: Vec<u8> =
        (0..50_000_000_u64 / 8).flat_map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()).collect();
    let big = world.file("big.bin", &bytes);
    let input = format!("big={big}");
    let ran = a.icn(&["job", "run", &guest("readall"), "--input", &input, "--arg", "big"]).code(0);
    let chain = bytes.chunks(65_536).fold([0; 32], |chain: [u8; 32], piece| {
        Sha256::digest([chain.as_slice(), Sha256::digest(piece).as_slice()].concat()).into()
    });
    let mut expected = String::new();
    for byte in chain {
        write!(expected, "{byte:02x}").unwrap();
    }
    assert_eq!(ran.text(), format!("{expected}  {}  big\n", bytes.len()));
}
