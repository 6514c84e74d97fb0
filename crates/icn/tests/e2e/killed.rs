//! Processes that are killed in the middle of a job, as by a power cut.

use std::time::Duration;

use crate::guests::long;
use crate::node::{Node, PATIENCE, states, tells};
use crate::rogue::now;
use crate::world::{World, wait_for};

/// The lease that the tests' originators give, in milliseconds.
const LEASE_MS: u64 = 3_000;

fn millis(at: &serde_json::Value) -> u64 {
    let at: icn_types::Timestamp = at.as_str().unwrap().parse().unwrap();
    at.as_millis()
}

#[test]
fn a_killed_executor_is_replaced_within_lease_and_two_seconds() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let nodes = [world.node("b").peer(&a).start(), world.node("c").peer(&a).start()];
    a.until_knows(2, 2);
    let id = a.submit(&[&long(&world)]);
    let running = a.until_running(&id);
    let (mut killed, spared): (Vec<Node>, Vec<Node>) =
        nodes.into_iter().partition(|node| node.file["did"] == running["executor"]);
    let (victim, other) = (killed.pop().unwrap(), &spared[0]);
    let old = victim.file["did"].clone();
    let plan = victim.kill();
    let killed_at = now().as_millis();

    let job = a.until_job(&id, "running elsewhere", |job| {
        job["executor"] == other.file["did"]
            && ["Running", "ReceiptAnchored"].contains(&job["p2p_status"].as_str().unwrap())
    });
    assert_eq!(job["lease_epoch"], 2);
    let turns = job["history"].as_array().unwrap();
    let again = turns.iter().rfind(|turn| turn["state"] == "Running").unwrap();
    let took = millis(&again["at"]).saturating_sub(killed_at);
    assert!(took <= LEASE_MS + 2_000, "it took {took} ms until the job ran again");
    assert!(tells(&job, "Note", "lease ran out"), "{job}");

    // The one that was killed comes back while the job runs elsewhere, and hands in what it has.
    let back = plan.peer(other).start();
    assert_eq!(back.file["did"], old);
    a.icn(&["job", "wait", &id]).code(0);
    let done = a.job(&id);
    assert_eq!((&done["executor"], &done["status"]), (&other.file["did"], &"CompletedSuccessfully".into()));
    let job = a.until_job(&id, "told of the late receipt", |job| tells(job, "Note", "recorded, not paid"));
    assert_eq!((&job["receipt_cid"], &job["status"]), (&done["receipt_cid"], &done["status"]));
    assert_eq!(states(&job).iter().filter(|state| **state == "ReceiptAnchored").count(), 1);
    // What it hands in says that it did not finish.
    let late = back.until_job(&id, "handed in", |job| job["receipt_cid"].is_string());
    assert_eq!(late["end"], "node_fault");
    assert_eq!(back.metric("compute_tasks_completed_total{end=\"exit\"}"), 0, "nothing is run again");
}

#[test]
fn an_executor_that_is_started_again_hands_the_job_back() {
    let world = World::new();
    let a = world.node("a").no_executor().start();
    let b = world.node("b").peer(&a).start();
    a.until_knows(1, 1);
    let id = a.submit(&[&long(&world)]);
    a.until_running(&id);
    let b = b.kill().start();
    a.icn(&["job", "wait", &id]).code(0);
    let job = a.job(&id);
    assert_eq!((&job["status"], &job["executor"]), (&"CompletedSuccessfully".into(), &b.file["did"]));
    assert!(job["lease_epoch"].as_u64().unwrap() >= 2, "{job}");
    assert!(
        tells(&job, "Note", "started again while the job ran") || tells(&job, "Note", "lease ran out"),
        "{job}"
    );
    assert_eq!(states(&job).iter().filter(|state| **state == "ReceiptAnchored").count(), 1);
}

#[test]
fn a_killed_originator_goes_on_where_it_was() {
    let world = World::new();
    let a = world.node("a").no_executor().env("ICN_ORIGINATOR_LEASE_SECONDS", "30").start();
    let b = world.node("b").peer(&a).start();
    a.until_knows(1, 1);
    let first = a.submit(&[&long(&world)]);
    a.until_running(&first);
    let before = a.job(&first);
    let plan = a.kill();
    // It is down while the job ends and its receipt is announced.
    let ended = wait_for("end of the job", PATIENCE, || {
        let job = b.job(&first);
        job["receipt_cid"].is_string().then_some(job)
    });
    assert_eq!((&ended["role"], &ended["exit_code"]), (&"executor".into(), &0.into()));
    let a = plan.clone().peer(&b).start();
    a.icn(&["job", "wait", &first]).code(0);
    let job = a.job(&first);
    assert_eq!(
        (&job["status"], &job["receipt_cid"]),
        (&"CompletedSuccessfully".into(), &ended["receipt_cid"])
    );
    let (turns, known) = (job["history"].as_array().unwrap(), before["history"].as_array().unwrap());
    // What is said in passing may be lost with the process; the states before the kill are not.
    let states_before: Vec<_> =
        known.iter().filter(|turn| turn["state"] != "Running" && turn["state"] != "Note").collect();
    assert!(states_before.iter().all(|turn| turns.contains(turn)), "{job}\n{before}");
    assert!(tells(&job, "Note", "the originator was started again"), "{job}");
    assert_eq!(*states(&job).last().unwrap(), "ReceiptAnchored");
    assert_eq!(b.metric("compute_tasks_completed_total{end=\"exit\"}"), 1, "it ran once");

    // Killed and started again at once, before the job has ended.
    let second = a.submit(&[&long(&world)]);
    a.until_running(&second);
    let a = a.kill().start();
    a.icn(&["job", "wait", &second]).code(0);
    let job = a.job(&second);
    assert_eq!((&job["status"], &job["lease_epoch"]), (&"CompletedSuccessfully".into(), &1.into()));

    // Killed with a job that nobody has bid for yet.
    drop(b);
    let third = a.submit(&[&crate::guests::guest("noop")]);
    let a = a.kill().start();
    assert_eq!(a.job(&third)["status"], "Pending");
    let b = world.node("b").peer(&a).start();
    a.icn(&["job", "wait", &third, "--timeout", "60s"]).code(0);
    assert_eq!(a.job(&third)["executor"], b.file["did"]);
    assert_eq!(a.json(&["job", "list"])["total"], 3);
}

#[test]
fn everybody_is_killed_at_once() {
    let world = World::new();
    let a = world.node("a").start();
    let b = world.node("b").peer(&a).start();
    a.until_knows(1, 2);
    let long = long(&world);
    let jobs: Vec<String> = (0..3).map(|_| a.submit(&[&long])).collect();
    for id in &jobs {
        a.until_job(id, "assigned", |job| job["lease_epoch"] == 1);
    }
    let (a, b) = (a.kill(), b.kill());
    let a = a.start();
    let _b = b.peer(&a).start();
    for id in &jobs {
        a.icn(&["job", "wait", id, "--timeout", "100s"]).code(0);
        let job = a.job(id);
        assert_eq!(states(&job).iter().filter(|state| **state == "ReceiptAnchored").count(), 1, "{job}");
    }
    // Nothing is left over.
    wait_for("quiet node", Duration::from_secs(30), || {
        let status = a.json(&["status"]);
        (status["jobs_open"] == 0 && status["jobs_running"] == 0).then_some(())
    });
}
