//! A treasury whose key is on one node and whose approvers are on others: proposals, approvals, and budgets.

use serde_json::Value;

use super::{agree, balance, found, invite, join, keeper, until, until_balance, word};
use crate::node::Node;
use crate::world::World;

/// Waits until a proposal has a status, and gives it.
#[track_caller]
fn until_proposal(node: &Node, reference: &str, status: &str) -> Value {
    until(node, &["ledger", "proposal", "list", "--all"], |page| {
        page["items"].as_array().unwrap().iter().any(|one| one["ref"] == reference)
    });
    until(node, &["ledger", "proposal", "show", reference], |one| one["status"] == status)
}

#[test]
fn approvers_on_other_nodes_let_a_treasury_pay_and_a_budget_needs_none_of_them() {
    let world = World::new();
    let a = keeper(&world, "a").no_executor().start();
    let b = keeper(&world, "b").no_executor().peer(&a).start();
    let c = keeper(&world, "c").no_executor().peer(&a).peer(&b).start();
    found(&a, "ada");
    join(&a, &b, "bob");
    join(&a, &c, "cleo");
    for (node, name) in [(&a, "pot"), (&c, "dan")] {
        node.json(&["id", "new", name]);
        node.json(&["space", "join", &invite(&a), "--as", name, "--nickname", name]);
    }
    until(&a, &["space", "members"], |members| members["total"] == 6);
    a.json(&[
        "space",
        "treasury",
        "pot",
        "--approver",
        "ada",
        "--approver",
        "bob",
        "--approver",
        "cleo",
        "--threshold",
        "2",
    ]);
    for node in [&a, &b, &c] {
        let is_pot = |member: &Value| member["nickname"] == "pot" && member["treasury"] == true;
        until(node, &["space", "members"], |members| members["items"].as_array().unwrap().iter().any(is_pot));
    }

    let a = approvals(a, &b, &c);
    budgets(&a, &b, &c);
    standing_orders(&a, &b, &c);
    assert_eq!(agree([&a, &b, &c])["forks"], 0);
}

/// Two of three approve; whoever carries it out may be away meanwhile.
fn approvals(a: Node, b: &Node, c: &Node) -> Node {
    a.icn(&["ledger", "pay", "bob", "5 hours", "--as", "pot"]).code(5).says("--from TREASURY");
    let asked = b.json(&["ledger", "pay", "cleo", "5 hours", "--from", "pot", "--memo", "tools"]);
    let tools = word(&asked["ref"]);
    assert_eq!((&asked["needed"], asked["approved"].as_array().unwrap().len()), (&2.into(), 1));
    let seen = until_proposal(c, &tools, "waiting");
    assert_eq!((&seen["by"]["nickname"], &seen["trouble"]), (&"bob".into(), &Value::Null));
    assert!(word(&seen["does"][0]).contains("5.00 hours to cleo: tools"), "{seen}");
    // One of two is not enough, neither for its own node nor for others.
    until_proposal(&a, &tools, "waiting");
    b.icn(&["ledger", "proposal", "approve", &tools]).code(1).says("already");
    c.icn(&["ledger", "proposal", "approve", &tools, "--as", "dan"]).code(5).says("no approver");
    c.icn(&["ledger", "pay", "dan", "1 hours", "--from", "pot", "--as", "dan"]).code(5).says("no approver");
    assert_eq!(balance(&a, "pot"), 0);
    // The node with the key is off while the second one approves.
    let a = a.kill_to_return();
    c.json(&["ledger", "proposal", "approve", &tools]);
    until(b, &["ledger", "proposal", "show", &tools], |one| one["approved"].as_array().unwrap().len() == 2);
    let a = a.start();
    for node in [&a, b, c] {
        let done = until_proposal(node, &tools, "enacted");
        assert!(done["entry"].is_string(), "{done}");
        until_balance(node, "cleo", 500);
        until_balance(node, "pot", -500);
    }
    c.icn(&["ledger", "proposal", "approve", &tools]).code(1).says("carried out");

    // Two at a time do not exclude each other, and one that is withdrawn is over.
    let first = word(&b.json(&["ledger", "pay", "cleo", "1 hours", "--from", "pot"])["ref"]);
    let second = word(&c.json(&["ledger", "pay", "bob", "2 hours", "--from", "pot"])["ref"]);
    let third = word(&b.json(&["ledger", "pay", "bob", "9 hours", "--from", "pot"])["ref"]);
    let large = word(&b.json(&["ledger", "pay", "bob", "90 hours", "--from", "pot"])["ref"]);
    until_proposal(b, &second, "waiting");
    b.json(&["ledger", "proposal", "approve", &second]);
    until_proposal(c, &first, "waiting");
    c.json(&["ledger", "proposal", "approve", &first]);
    b.json(&["ledger", "proposal", "withdraw", &third]);
    until_proposal(&a, &third, "withdrawn");
    for proposal in [&first, &second] {
        until_proposal(&a, proposal, "enacted");
    }
    for node in [&a, b, c] {
        until_balance(node, "pot", -800);
    }
    // What the treasury could not pay is seen before anybody approves it.
    let seen = until_proposal(c, &large, "waiting");
    assert!(word(&seen["trouble"]).contains("90.00 hours"), "{seen}");
    b.json(&["ledger", "proposal", "withdraw", &large]);
    until(c, &["ledger", "proposal", "list"], |page| page["total"] == 0);
    a
}

/// A holder spends up to the sum and no more, and nobody approves it.
fn budgets(a: &Node, b: &Node, c: &Node) {
    let line =
        ["ledger", "budget", "set", "pot", "3 hours", "--holder", "dan", "--every", "1mo", "--for", "tools"];
    b.icn(&line).code(5).says("not a steward");
    let budget = word(&a.json(&line)["ref"]);
    until(c, &["ledger", "budget", "list", "pot"], |page| page["items"][0]["ref"] == budget.as_str());
    let pay =
        |amount: &str| ["ledger", "pay", "bob", amount, "--from", "pot", "--as", "dan"].map(str::to_owned);
    let asked = |amount: &str| {
        let line = pay(amount);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let asked = c.json(&line);
        assert_eq!(asked["budget"], budget.as_str());
        until_proposal(c, &word(&asked["ref"]), "enacted")
    };
    let refused = |amount: &str, left: &str| {
        let line = pay(amount);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let refused = c.icn(&line).code(5);
        for text in [left, "3.00", "ask the approvers"] {
            assert!(refused.stderr.contains(text), "`{text}` is not in:\n{}", refused.stderr);
        }
    };
    assert!(asked("2 hours")["approved"].as_array().unwrap().is_empty());
    refused("1.01 hours", "1.00");
    asked("1 hours");
    refused("0.01 hours", "0.00");
    for node in [a, b, c] {
        until_balance(node, "pot", -1_100);
        let left = until(node, &["ledger", "budget", "list"], |page| page["total"] == 1);
        assert_eq!(
            (&left["items"][0]["left"]["smallest"], &left["items"][0]["spent"]["smallest"]),
            (&0.into(), &300.into())
        );
    }
    // Approvers add another one; its holder gives it up.
    let terms = ["ledger", "budget", "set", "pot", "1 hours", "--holder", "dan", "--propose"];
    let more = word(&b.json(&terms)["ref"]);
    until_proposal(c, &more, "waiting");
    c.json(&["ledger", "proposal", "approve", &more]);
    until_proposal(c, &more, "enacted");
    let budgets = until(c, &["ledger", "budget", "list"], |page| page["total"] == 2);
    let second = word(&budgets["items"][1]["ref"]);
    let ended = c.json(&["ledger", "budget", "end", &second, "--as", "dan"]);
    assert_eq!(ended["ended"], true);
    c.icn(&["ledger", "pay", "bob", "0.5", "--from", "pot", "--as", "dan", "--budget", &second])
        .code(5)
        .says("has ended");
}

/// Standing orders of the treasury are paid when due as long as their budget lasts.
fn standing_orders(a: &Node, b: &Node, c: &Node) {
    let rent = word(
        &a.json(&["ledger", "budget", "set", "pot", "4 hours", "--every", "1y", "--for", "rent"])["ref"],
    );
    until(b, &["ledger", "budget", "list", "pot"], |page| page["total"] == 2);
    let order = b.json(&[
        "ledger",
        "recurring",
        "add",
        "cleo",
        "2 hours",
        "--every",
        "7d",
        "--start",
        "2026-01-01T08:00:00Z",
        "--count",
        "3",
        "--from",
        "pot",
        "--budget",
        &rent,
    ]);
    let order = word(&order["ref"]);
    until_proposal(c, &order, "waiting");
    c.json(&["ledger", "proposal", "approve", &order]);
    let list = until(a, &["ledger", "recurring", "list", "pot"], |page| page["items"][0]["paid"] == 2);
    assert_eq!(list["total"], 1);
    let list =
        until(a, &["ledger", "recurring", "list", "pot"], |page| page["items"][0]["refused"].is_string());
    assert!(word(&list["items"][0]["refused"]).contains("budget"), "{list}");
    for node in [a, b, c] {
        until_balance(node, "pot", -1_500);
    }
}
