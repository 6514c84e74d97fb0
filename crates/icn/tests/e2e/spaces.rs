//! Spaces and their common books, as members see them: real nodes, and the command line wherever a person would use it.

mod books;
mod caught;
mod elsewhere;
mod flood;
mod followed;
mod forked;
mod load;
mod network;
mod paid;
mod partition;
mod quotas;
mod restored;
mod surrounded;
mod treasury;
mod trusted;
mod witnessed;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::{Node, Plan};
use crate::world::{LOOK, World, wait_for};

/// How long books may take to say what they are to say. Generous: the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node that reconciles every second, so that tests are short.
fn keeper(world: &World, name: &str) -> Plan {
    world.node(name).env("ICN_LEDGER_SYNC_SECONDS", "1")
}

/// Finds a place on this machine where nobody listens, for a node that others name before it runs.
fn free_place() -> String {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    format!("/ip4/127.0.0.1/udp/{}/quic-v1", socket.local_addr().unwrap().port())
}

/// Founds a space with the currency `hours` (two decimals, a line of 20.00 for everybody).
#[track_caller]
fn found(node: &Node, nickname: &str) -> Value {
    node.json(&["space", "create", "Bakery", "--nickname", nickname])
}

/// Lets a node's own identity join by an invitation of a steward.
#[track_caller]
fn join(steward: &Node, node: &Node, nickname: &str) {
    let invitation = invite(steward);
    node.json(&["space", "join", &invitation, "--nickname", nickname]);
}

#[track_caller]
fn invite(steward: &Node) -> String {
    word(&steward.json(&["space", "invite"])["invitation"])
}

/// Reads a JSON text.
#[track_caller]
fn word(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Waits until all nodes have the same books and find nothing wrong with them, and gives what they found.
#[track_caller]
fn agree<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Value {
    let nodes: Vec<&Node> = nodes.into_iter().collect();
    let verdict = wait_for("same books on all nodes", PATIENCE, || {
        let all: Vec<Value> = nodes.iter().map(|node| node.json(&["ledger", "verify"])).collect();
        let same = |key: &str| all.iter().all(|verdict| verdict[key] == all[0][key]);
        (same("digest") && same("entries")).then(|| all[0].clone())
    });
    assert_sound(&verdict);
    verdict
}

/// Checks that a verification has found nothing.
#[track_caller]
fn assert_sound(verdict: &Value) {
    assert_eq!(
        (&verdict["ok"], &verdict["differences"]),
        (&true.into(), &Value::Array(Vec::new())),
        "{verdict}"
    );
    assert_eq!(verdict["waiting"], 0, "{verdict}");
    for currency in verdict["currencies"].as_array().unwrap() {
        assert_eq!(currency["sum"], 0, "{verdict}");
    }
}

/// Reads the balance of an account in the smallest unit of the only currency.
#[track_caller]
fn balance(node: &Node, account: &str) -> i64 {
    node.json(&["ledger", "balance", account])["items"][0]["balance"]["smallest"].as_i64().unwrap()
}

/// Waits until an account has a balance.
#[track_caller]
fn until_balance(node: &Node, account: &str, smallest: i64) {
    let line = ["ledger", "balance", account];
    until(node, &line, |answer| answer["items"][0]["balance"]["smallest"] == smallest);
}

/// Waits until an order has a status, and gives it.
#[track_caller]
fn until_status(node: &Node, reference: &str, status: &str) -> Value {
    until(node, &["ledger", "show", reference], |order| order["status"] == status)
}

/// Waits until an answer is as wanted, and gives it.
#[track_caller]
fn until(node: &Node, line: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = node.json(line);
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "after {PATIENCE:?} {line:?} still says {answer:#}");
        std::thread::sleep(LOOK);
    }
}
