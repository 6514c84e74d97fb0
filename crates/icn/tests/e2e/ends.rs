//! How nodes and jobs end when somebody wants them to, and what commands say where there is nothing.

use rustix::process::Signal;

use crate::guests::{counting, guest, hostile, long};
use crate::node::{PATIENCE, states, tells};
use crate::world::{World, wait_for};

#[test]
fn a_node_that_is_told_to_stop_hands_its_job_back() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let b = world.node("b").peer(&a).env("ICN_EXECUTOR_DRAIN_SECONDS", "0").start();
    a.until_knows(1, 1);
    let id = a.submit(&[&long(&world)]);
    a.until_running(&id);
    let c = world.node("c").peer(&a).start();
    a.until_knows(2, 2);
    let (status, plan) = b.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(!plan.folder().join("node.json").exists());
    a.icn(&["job", "wait", &id]).code(0);
    let job = a.job(&id);
    assert_eq!((&job["executor"], &job["lease_epoch"]), (&c.file["did"], &2.into()));
    assert!(tells(&job, "Note", "handed the job back: draining"), "{job}");

    // With time enough, what runs is finished first; SIGINT means the same as SIGTERM.
    let id = a.submit(&[&counting(&world, 1_000_000_000)]);
    a.until_job(&id, "assigned", |job| job["status"] == "Running" || job["receipt_cid"].is_string());
    c.signal(Signal::INT);
    a.icn(&["job", "wait", &id]).code(0);
    let job = a.job(&id);
    assert_eq!((&job["executor"], &job["lease_epoch"]), (&c.file["did"], &1.into()));
    let folder = c.folder();
    wait_for("removal of node.json", PATIENCE, || (!folder.join("node.json").exists()).then_some(()));

    // An originator that stops keeps its jobs.
    drop(c);
    let id = a.submit(&[&guest("noop")]);
    let (status, plan) = a.terminate();
    assert_eq!(status.code(), Some(0));
    let a = plan.start();
    let _d = world.node("d").peer(&a).start();
    a.icn(&["job", "wait", &id]).code(0);
}

#[test]
fn a_job_is_cancelled() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let b = world.node("b").peer(&a).start();
    a.until_knows(1, 1);
    let endless = hostile(&world, "endless_loop");

    // From another terminal.
    let id = a.submit(&[&endless]);
    a.until_running(&id);
    let waiting = a.begin(&["job", "wait", &id, "--json"]);
    a.icn(&["job", "cancel", &id[..30], "--reason", "wrong input"]).code(0);
    let job = waiting.ended().code(130).json();
    assert_eq!((&job["status"], &job["end"]), (&"Cancelled".into(), &"cancelled".into()));
    assert!(tells(&job, "Note", "wrong input"), "{job}");
    assert_eq!(*states(&job).last().unwrap(), "ReceiptAnchored", "that it was cancelled is receipted");
    a.icn(&["job", "cancel", &id]).code(0).says("is cancelled");

    // By Ctrl-C, where there is nobody to ask.
    let running = a.begin(&["job", "run", &endless, "--json"]);
    let id = wait_for("running job", PATIENCE, || {
        let newest = a.json(&["job", "list"])["items"][0].clone();
        (newest["p2p_status"] == "Running").then(|| newest["id"].as_str().unwrap().to_owned())
    });
    running.signal(Signal::INT);
    let job = running.ended().code(130).json();
    assert_eq!((&job["id"], &job["status"]), (&id.into(), &"Cancelled".into()));
    wait_for("executor without work", PATIENCE, || (b.json(&["status"])["jobs_running"] == 0).then_some(()));

    // Before anybody bids.
    drop(b);
    let id = a.submit(&[&guest("noop"), "--region", "nowhere"]);
    let why = a.icn(&["job", "why", &id]).code(0).text();
    assert!(why.contains("not-eligible") || why.contains("nowhere") || why.contains("bid"), "{why}");
    a.icn(&["job", "cancel", &id]).code(0);
    a.icn(&["job", "wait", &id]).code(130);
    assert!(a.job(&id)["receipt_cid"].is_null(), "nobody ran it");
}

#[test]
fn commands_say_what_is_not_there() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let first = a.submit(&[&guest("noop")]);
    let second = a.submit(&[&guest("noop")]);
    a.icn(&["job", "show", &first]).code(0);
    a.icn(&["job", "show", &first[..first.len() - 1]]).code(0);
    a.icn(&["job", "show", "bafyrei"]).code(1).says("2 jobs");
    assert_ne!(first, second);
    for command in ["show", "cancel", "wait", "why", "bids", "logs"] {
        a.icn(&["job", command, "zzz"]).code(4).says("zzz");
    }
    let nobody_has = icn_types::Cid::of_raw(b"nobody has this").to_string();
    a.icn(&["cat", &nobody_has]).code(4);
    a.icn(&["job", "wait", &first, "--timeout", "10ms"]).code(1).says("it goes on");
    a.icn(&["job", "run", "no-such-file.wasm"]).code(2);
    a.icn(&["job", "run", &guest("noop"), "--placement", "Guesswork"]).code(1).says("Guesswork");

    let plan = a.kill();
    // What a killed process left behind leads nobody astray.
    world.icn(&["status", "--data-dir", "a"]).code(3);
    world.icn(&["status", "--data-dir", "nowhere"]).code(3).says("nowhere");
    world.icn(&["job", "run", &guest("noop"), "--data-dir", "nowhere"]).code(3);
    drop(plan);
}
