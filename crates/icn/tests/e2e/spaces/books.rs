//! One space on three nodes with four members: every command of the ledger, and what all nodes make of it.

use serde_json::Value;

use super::{agree, balance, found, invite, join, keeper, until, until_balance, until_status, word};
use crate::node::Node;
use crate::world::World;

/// Lists that every node must show alike, whoever asks.
const SAME: [&[&str]; 8] = [
    &["ledger", "balance", "--all"],
    &["ledger", "history", "ada"],
    &["ledger", "history", "till"],
    &["ledger", "history", "cleo", "--limit", "2", "--offset", "1"],
    &["ledger", "limits", "bob"],
    &["ledger", "explain", "12.50 hours", "--account", "bob"],
    &["ledger", "requests", "bob", "--all"],
    &["ledger", "hold", "list", "ada", "--all"],
];

/// Checks that all nodes show the same.
#[track_caller]
fn assert_same(nodes: &[&Node]) {
    agree(nodes.iter().copied());
    for line in SAME {
        let first = nodes[0].json(line);
        for node in &nodes[1..] {
            assert_eq!(node.json(line), first, "{line:?}");
        }
    }
    // The order of arrival differs from node to node; what was said does not.
    let entries = |node: &Node| {
        let mut ids: Vec<String> = node.json(&["ledger", "entries", "--limit", "100"])["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        ids.sort();
        ids
    };
    let first = entries(nodes[0]);
    for node in &nodes[1..] {
        assert_eq!(entries(node), first);
    }
    for format in ["hledger", "csv", "json"] {
        let export = |node: &Node| node.icn(&["ledger", "export", "--format", format]).code(0).text();
        let first = export(nodes[0]);
        assert!(first.contains("hours"), "{first}");
        for node in &nodes[1..] {
            assert_eq!(export(node), first, "{format}");
        }
    }
}

#[test]
fn three_nodes_keep_the_books_of_four_members() {
    let world = World::new();
    let a = keeper(&world, "a").start();
    let b = keeper(&world, "b").peer(&a).start();
    let c = keeper(&world, "c").peer(&a).start();
    let space = found(&a, "ada");
    assert_eq!((&space["own"][0]["did"], &space["own"][0]["steward"]), (&a.file["did"], &true.into()));
    join(&a, &b, "bob");
    join(&a, &c, "cleo");
    b.json(&["id", "new", "till"]);
    b.json(&["space", "join", &invite(&a), "--as", "till", "--nickname", "till"]);
    for node in [&a, &b, &c] {
        // The root of the space is one, too.
        until(node, &["space", "members"], |members| members["total"] == 5);
    }

    pay_each_other(&a, &b, &c);
    ask_and_refuse(&a, &b, &c);
    hold(&a, &b, &c);
    assert_same(&[&a, &b, &c]);

    // Everything is still there after all nodes were started again, one of them by a power cut.
    let before = agree([&a, &b, &c]);
    a.signal(rustix::process::Signal::TERM);
    let (_, b) = b.terminate();
    let (a, c) = (a.kill_to_return(), c.kill());
    let a = a.start();
    assert_eq!(a.json(&["ledger", "verify"])["digest"], before["digest"], "alone, from its own disk");
    let (b, c) = (b.start(), c.start());
    assert_eq!(agree([&a, &b, &c])["digest"], before["digest"]);
    // And it goes on.
    let paid = b.json(&["ledger", "pay", "cleo", "0.25", "--as", "till", "--wait", "accepted"]);
    assert_eq!((&paid["status"], &paid["final"]), (&"accepted".into(), &true.into()));
    a.json(&["ledger", "pay", "till", "0.05 hours", "--wait", "accepted"]);
    assert_same(&[&a, &b, &c]);
    assert_eq!(agree([&a, &b, &c])["forks"], 0);
}

/// Everybody pays everybody; what goes beyond a line is refused with the numbers; a key pays once.
fn pay_each_other(a: &Node, b: &Node, c: &Node) {
    let paid = a.json(&["ledger", "pay", "bob", "10 hours", "--memo", "two loaves", "--wait", "accepted"]);
    assert_eq!((&paid["status"], &paid["memo"]), (&"accepted".into(), &"two loaves".into()));
    assert_eq!(paid["amount"]["text"], "10.00 hours");
    until_balance(b, "bob", 1_000);
    b.json(&["ledger", "pay", "till", "25.50", "--wait", "accepted"]);
    b.json(&["ledger", "pay", "cleo", "30 hours", "--as", "till", "--wait", "accepted"]);
    c.json(&["ledger", "pay", "ada", "2.50 hours", "--wait", "accepted"]);
    let wanted = [("ada", -750), ("bob", -1_550), ("cleo", 2_750), ("till", -450)];
    for node in [a, b, c] {
        for (account, smallest) in wanted {
            until_balance(node, account, smallest);
        }
    }

    // Bob may still give 4.50.
    let refused = b.icn(&["ledger", "pay", "ada", "4.51 hours"]).code(5);
    for number in ["4.51", "4.50", "20.00"] {
        assert!(refused.stderr.contains(number), "`{number}` is not in:\n{}", refused.stderr);
    }
    let explained = a.json(&["ledger", "explain", "4.51 hours", "--account", "bob"]);
    assert_eq!((&explained["allowed"], &explained["available"]["smallest"]), (&false.into(), &450.into()));
    assert_eq!(a.json(&["ledger", "explain", "4.50", "--account", "bob"])["allowed"], true);
    assert_eq!(balance(b, "bob"), -1_550);

    // The same word pays once, however often it is said.
    let line = ["ledger", "pay", "cleo", "1 hours", "--key", "invoice-17"];
    let first = a.json(&line);
    assert_eq!(a.json(&line)["ref"], first["ref"]);
    a.icn(&["ledger", "pay", "cleo", "2 hours", "--key", "invoice-17"])
        .code(1)
        .says("used before for something else");
    until_status(a, &word(&first["ref"]), "accepted");
    until_balance(c, "cleo", 2_850);
    // A steward widens the line, and what was refused goes.
    a.json(&["ledger", "limits", "bob", "--set", "50 hours"]);
    until(b, &["ledger", "limits", "bob"], |limits| limits["items"][0]["line"]["smallest"] == 5_000);
    b.json(&["ledger", "pay", "ada", "4.51 hours", "--wait", "accepted"]);
    b.icn(&["ledger", "limits", "bob", "--set", "500 hours"]).code(5);
}

/// Requests are paid or declined; a payment can be declined, and taken back.
fn ask_and_refuse(a: &Node, b: &Node, c: &Node) {
    let asked = c.json(&["ledger", "request", "bob", "3 hours", "--memo", "bread"]);
    let reference = word(&asked["ref"]);
    until(b, &["ledger", "requests"], |requests| requests["items"][0]["ref"] == asked["ref"]);
    b.json(&["ledger", "pay", "cleo", "3 hours", "--request", &reference, "--wait", "accepted"]);
    until(c, &["ledger", "requests", "--all"], |requests| requests["items"][0]["status"] == "paid");
    let asked = c.json(&["ledger", "request", "ada", "400 hours"]);
    let reference = word(&asked["ref"]);
    until(a, &["ledger", "requests"], |requests| requests["total"] == 1);
    a.json(&["ledger", "decline", &reference, "--reason", "not ordered"]);
    until(c, &["ledger", "requests", "--all"], |requests| requests["items"][0]["status"] == "declined");
    assert_eq!(a.json(&["ledger", "requests"])["total"], 0);
    // What is accepted cannot be declined any more.
    let paid = a.json(&["ledger", "pay", "cleo", "0.10", "--wait", "accepted"]);
    let late = c.icn(&["ledger", "decline", &word(&paid["ref"])]).code(1);
    assert!(late.stderr.contains("already"), "{}", late.stderr);
}

/// Credit is set aside, captured in part, captured in whole, and released by either side.
fn hold(a: &Node, b: &Node, c: &Node) {
    let (ada, cleo) = (balance(a, "ada"), balance(c, "cleo"));
    let place = |amount: &str| word(&a.json(&["ledger", "hold", "place", "cleo", amount])["ref"]);
    let first = place("5 hours");
    assert_eq!(a.json(&["ledger", "balance", "ada"])["items"][0]["reserved"]["smallest"], 500);
    assert_eq!(balance(a, "ada"), ada, "nothing has moved yet");
    until_status(c, &first, "placed");
    // Only the payer pays out.
    let wrong = c.icn(&["ledger", "hold", "capture", &first]).code(5);
    assert!(!wrong.stderr.is_empty());
    a.json(&["ledger", "hold", "capture", &first, "3.25 hours"]);
    let captured = until_status(a, &first, "accepted");
    assert_eq!(captured["captured"]["smallest"], 325);
    let second = place("1 hours");
    a.json(&["ledger", "hold", "capture", &second]);
    for node in [a, b, c] {
        until_balance(node, "ada", ada - 425);
        until_balance(node, "cleo", cleo + 425);
    }
    a.icn(&["ledger", "hold", "capture", &second]).code(1);
    // The payee gives one up, the payer another one.
    let (third, fourth) = (place("2 hours"), place("2 hours"));
    until_status(c, &third, "placed");
    c.json(&["ledger", "hold", "release", &third, "--reason", "not needed"]);
    a.json(&["ledger", "hold", "release", &fourth]);
    let ended =
        |order: &Value| ["declined", "returned", "released"].contains(&order["status"].as_str().unwrap());
    until(a, &["ledger", "show", &third], ended);
    // What is not taken back yet is taken back by hand.
    a.icn(&["ledger", "return", &third]);
    for hold in [&third, &fourth] {
        until(b, &["ledger", "show", hold], ended);
    }
    until(a, &["ledger", "balance", "ada"], |answer| answer["items"][0]["reserved"]["smallest"] == 0);
    assert_eq!(balance(a, "ada"), ada - 425);
    let open = |node: &Node| -> Value { node.json(&["ledger", "hold", "list", "ada"])["total"].clone() };
    assert_eq!(open(a), 0);
}

#[test]
fn one_sum_is_paid_to_several_and_a_standing_order_ends() {
    let world = World::new();
    let ada = keeper(&world, "ada").no_executor().start();
    let bob = keeper(&world, "bob").no_executor().peer(&ada).start();
    let cleo = keeper(&world, "cleo").no_executor().peer(&ada).start();
    found(&ada, "ada");
    join(&ada, &bob, "bob");
    join(&ada, &cleo, "cleo");
    agree([&ada, &bob, &cleo]);
    // The largest remainder goes first; the space itself gets nothing of what is for all.
    ada.json(&["ledger", "pay", "10 hours", "--split", "bob:2,cleo:1", "--memo", "firewood"]);
    until_balance(&cleo, "ada", -1_000);
    for (name, smallest) in [("bob", 667), ("cleo", 333)] {
        until_balance(&ada, name, smallest);
    }
    let paid = ada.json(&["ledger", "pay", "5 hours", "--among"]);
    assert_eq!(paid.as_array().map(Vec::len), Some(2), "{paid}");
    for (name, smallest) in [("bob", 917), ("cleo", 583), ("ada", -1_500)] {
        until_balance(&bob, name, smallest);
    }
    ada.icn(&["ledger", "pay", "1 hours", "--split", "bob:1,bob:2"]).code(1).says("named twice");

    let standing =
        word(&ada.json(&["ledger", "recurring", "add", "bob", "0.50 hours", "--every", "1d"])["ref"]);
    until_balance(&bob, "bob", 967);
    ada.json(&["ledger", "recurring", "end", &standing]);
    assert_eq!(ada.json(&["ledger", "recurring", "list"])["total"], 0);
    let all = ada.json(&["ledger", "recurring", "list", "--all"]);
    assert_eq!((&all["items"][0]["ended"], &all["items"][0]["paid"]), (&true.into(), &1.into()), "{all}");
    ada.icn(&["ledger", "recurring", "end", &standing]).code(1).says("decided already");
    agree([&ada, &bob, &cleo]);
}
