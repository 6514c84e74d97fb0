//! A member that signs two entries at one place of its chain, on both sides of a partition.
//!
//! The sides live one after the other: while one is up, the other is down. Each of them sees what it would see if a cable
//! were out, and the test needs no rights.

use serde_json::{Value, json};

use super::elsewhere::Elsewhere;
use super::{PATIENCE, agree, found, join, keeper, until, until_balance, until_status, word};
use crate::node::{Node, Plan};
use crate::world::{World, wait_for};

const NAMES: [&str; 4] = ["ada", "bob", "cleo", "dan"];

/// Four nodes that know each other's places, one space, and a fifth member with its key elsewhere.
fn four(world: &World) -> (Vec<Node>, Elsewhere) {
    let mut nodes: Vec<Node> = Vec::new();
    for name in NAMES {
        let plan = keeper(world, name).no_executor();
        let node = nodes.iter().fold(plan, Plan::peer).start();
        nodes.push(node);
    }
    found(&nodes[0], NAMES[0]);
    for number in 1..NAMES.len() {
        join(&nodes[0], &nodes[number], NAMES[number]);
    }
    let mallory = Elsewhere::new();
    nodes[0].json(&["space", "admit", &mallory.did().to_string(), "--nickname", "mallory"]);
    for node in &nodes {
        until(node, &["space", "members"], |members| members["total"] == 6);
    }
    agree(&nodes);
    (nodes, mallory)
}

fn down(nodes: Vec<Node>) -> Vec<Plan> {
    nodes.into_iter().map(Node::kill_to_return).collect()
}

fn up(plans: Vec<Plan>) -> Vec<Node> {
    plans.into_iter().map(Plan::start).collect()
}

/// Waits until every node shows the fork with its proof, and gives what they all show.
#[track_caller]
fn found_out(nodes: &[Node], mallory: &Elsewhere) -> Value {
    for node in nodes {
        until(node, &["ledger", "forks"], |forks| forks["total"] == 1);
    }
    agree(nodes);
    let forks: Vec<Value> = nodes.iter().map(|node| node.json(&["ledger", "forks"])).collect();
    for (fork, node) in forks.iter().zip(nodes) {
        assert_eq!(fork, &forks[0]);
        let seen = node.json(&["ledger", "misbehaviour"]);
        let seen = seen["items"].as_array().unwrap();
        assert!(seen.iter().any(|item| item["kind"] == "equivocation"), "{seen:?}");
    }
    let fork = forks[0]["items"][0].clone();
    assert_eq!(
        (&fork["author"]["did"], &fork["author"]["nickname"]),
        (&json!(mallory.did()), &json!("mallory"))
    );
    assert_eq!(fork["branches"].as_array().unwrap().len(), 2);
    assert!(word(&fork["proof"]).len() > 400, "{fork}");
    assert_eq!(fork["repaired"], false);
    fork
}

/// Checks that whoever was found out can pay no more.
#[track_caller]
fn assert_stopped(node: &Node, mallory: &Elsewhere, to: &Node) {
    let act = json!({ "pay": { "to": to.did(), "amount": 1, "currency": "hours" } });
    let (status, answer) = Elsewhere::hand_in(node, &mallory.sign(node, &act));
    assert_eq!(status, 403, "{answer}");
}

#[test]
fn without_witnesses_one_payment_stands_and_the_other_is_a_debt() {
    let world = World::new();
    let (mut left, mallory) = four(&world);
    let right = down(left.split_off(2));
    let first = mallory.pay(&left[0], &left[1], 1_500);
    until_status(&left[0], &first, "accepted");
    until_balance(&left[0], "mallory", -1_500);

    let left = down(left);
    let right = up(right);
    let second = mallory.pay(&right[0], &right[1], 1_600);
    until_status(&right[0], &second, "accepted");
    until_balance(&right[0], "mallory", -1_600);

    let nodes: Vec<Node> = up(left).into_iter().chain(right).collect();
    let fork = found_out(&nodes, &mallory);
    let stands = if first.starts_with(&word(&fork["winner"])) { (&first, -1_500) } else { (&second, -1_600) };
    let falls = if stands.0 == &first { (&second, 1_600) } else { (&first, 1_500) };
    for node in &nodes {
        until_status(node, stands.0, "accepted");
        until_status(node, falls.0, "void");
        until_balance(node, "mallory", stands.1);
        let claims = node.json(&["ledger", "claims"]);
        assert_eq!((&claims["total"], &claims["items"][0]["cause"]), (&1.into(), &json!(falls.0)));
        assert_eq!(claims["items"][0]["amount"]["smallest"], falls.1);
        assert_eq!(claims["items"][0]["debtor"]["nickname"], "mallory");
    }
    assert_stopped(&nodes[0], &mallory, &nodes[1]);
    // The others go on.
    nodes[0].json(&["ledger", "pay", "dan", "1 hours", "--wait", "accepted"]);
    agree(&nodes);
}

/// Waits until the first three of four witnesses certify without the last one: each of them begins after it has heard
/// from all the others.
#[track_caller]
fn until_three_certify(nodes: &[Node]) {
    wait_for("three witnesses that certify", PATIENCE, || {
        nodes[3].pause();
        let line =
            ["ledger", "pay", "cleo", "0.01 hours", "--wait", "certified", "--timeout", "3s", "--json"];
        let done = nodes[1].icn(&line).has_code(0);
        nodes[3].resume();
        done.then_some(())
    });
}

#[test]
fn what_witnesses_certified_stands() {
    let world = World::new();
    let (mut left, mallory) = four(&world);
    left[0].json(&[&["space", "witnesses"], NAMES.as_slice()].concat());
    for node in &left {
        until(node, &["space", "show"], |space| space["witnesses"]["quorum"] == 3);
    }
    until_three_certify(&left);
    let right = down(left.split_off(3));
    let first = mallory.pay(&left[0], &left[1], 1_500);
    for node in &left {
        until_status(node, &first, "certified");
    }

    let left = down(left);
    let right = up(right);
    let second = mallory.pay(&right[0], &right[0], 1_600);
    until_status(&right[0], &second, "sent");

    let nodes: Vec<Node> = up(left).into_iter().chain(right).collect();
    let fork = found_out(&nodes, &mallory);
    assert_eq!((&fork["rule"], &fork["winner"]), (&"certified".into(), &first.replace("#0", "").into()));
    for node in &nodes {
        until_status(node, &first, "certified");
        until_status(node, &second, "void");
        until_balance(node, "mallory", -1_500);
        assert_eq!(node.json(&["ledger", "claims"])["total"], 0);
    }
    assert_stopped(&nodes[3], &mallory, &nodes[1]);
    nodes[3].json(&["ledger", "pay", "ada", "1 hours", "--wait", "certified"]);
    agree(&nodes);
}
