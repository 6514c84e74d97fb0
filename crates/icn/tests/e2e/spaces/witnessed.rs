//! Four witnesses: payments are certified, and epochs are sealed.

use rustix::process::Signal;
use serde_json::Value;

use super::{agree, balance, found, join, keeper, until, until_balance, until_status, word};
use crate::node::{Node, Plan};
use crate::world::World;

const NAMES: [&str; 4] = ["ada", "bob", "cleo", "dan"];

#[test]
fn payments_are_certified_and_epochs_sealed() {
    let world = World::new();
    let mut nodes: Vec<Node> = Vec::new();
    for name in NAMES {
        let plan = keeper(&world, name).no_executor();
        let node = nodes.iter().fold(plan, Plan::peer).start();
        nodes.push(node);
    }
    found(&nodes[0], NAMES[0]);
    for number in 1..NAMES.len() {
        join(&nodes[0], &nodes[number], NAMES[number]);
    }
    for node in &nodes {
        until(node, &["space", "members"], |members| members["total"] == 5);
    }
    nodes[0].json(&["space", "policy", "--epoch", "1s"]);
    nodes[0].json(&[&["space", "witnesses"], NAMES.as_slice()].concat());
    for node in &nodes {
        let space = until(node, &["space", "show"], |space| space["witnesses"]["quorum"] == 3);
        assert_eq!((&space["witnesses"]["number"], &space["rules"]["epoch_seconds"]), (&1.into(), &1.into()));
        let members = space["witnesses"]["members"].as_array().unwrap();
        assert!(NAMES.iter().all(|name| members.iter().any(|member| member["nickname"] == *name)), "{space}");
    }

    let watching = nodes[3].begin(&["ledger", "watch", "--json"]);
    let paid = nodes[0].json(&["ledger", "pay", "bob", "12 hours", "--wait", "certified"]);
    assert_eq!((&paid["final_at"], &paid["final"]), (&"certified".into(), &true.into()));
    // What was received and is certified can be given on.
    nodes[1].json(&["ledger", "pay", "cleo", "31 hours", "--wait", "certified"]);
    nodes[2].json(&["ledger", "pay", "dan", "50 hours", "--wait", "certified"]);
    for node in &nodes {
        // With the next seal it is in a sealed epoch everywhere.
        until_status(node, &word(&paid["ref"]), "sealed");
        // Two may be proposed at once; one of them counts.
        let counts = |seals: &Value| {
            let items = seals["items"].as_array().unwrap();
            items.iter().find(|seal| seal["counts"] == true).cloned()
        };
        let seals = until(node, &["ledger", "seals"], |seals| counts(seals).is_some());
        assert_eq!(word(&counts(&seals).unwrap()["digest"]).len(), 64, "{seals}");
        until_balance(node, "dan", 5_000);
    }
    // Whoever follows the books sees a payment when it comes, and again when it is certified.
    watching.signal(Signal::INT);
    let told = watching.ended().text();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_told_again = |(place, entry): (usize, &Value)| {
        entry["certified"] == true && told[..place].iter().any(|before| before["id"] == entry["id"])
    };
    assert!(told.iter().enumerate().any(is_told_again), "{told:#?}");
    agree(&nodes);

    // Another set takes over once the first has certified it.
    let named = nodes[0].json(&["space", "witnesses", "ada", "bob", "dan"]);
    assert!(word(&named["note"]).contains("certif"), "{named}");
    for node in &nodes {
        until(node, &["space", "show"], |space| {
            space["witnesses"]["number"] == 2 && space["witnesses"]["members"].as_array().unwrap().len() == 3
        });
    }
    nodes[3].json(&["ledger", "pay", "ada", "1 hours", "--wait", "certified"]);

    // All of them stop and start, and go on.
    let plans: Vec<Plan> = nodes.into_iter().map(Node::kill_to_return).collect();
    let nodes: Vec<Node> = plans.into_iter().map(Plan::start).collect();
    let paid = nodes[1].json(&["ledger", "pay", "ada", "1 hours", "--wait", "sealed"]);
    assert_eq!(paid["status"], "sealed");
    let verdict = agree(&nodes);
    assert_eq!(
        (&verdict["forks"], &verdict["claims"], &verdict["quarantined"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(balance(&nodes[2], "ada"), -1_000);
}
