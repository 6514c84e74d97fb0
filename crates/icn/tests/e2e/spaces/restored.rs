//! A node that is put back from yesterday's copy of its folder.

use std::process::Command;

use serde_json::Value;

use super::{agree, balance, found, invite, join, keeper, until, until_balance};
use crate::node::Node;
use crate::world::World;

/// Copies a folder with everything in it over whatever is there.
fn copy(world: &World, from: &str, to: &str) {
    let to = world.path(to);
    let _ = std::fs::remove_dir_all(&to);
    let done = Command::new("cp").arg("-a").arg(world.path(from)).arg(to).status().unwrap();
    assert!(done.success());
}

/// Checks that nobody is accused of anything.
#[track_caller]
fn assert_nobody_is_accused(nodes: &[&Node]) {
    for node in nodes {
        for list in ["forks", "misbehaviour", "claims", "quarantine"] {
            assert_eq!(node.json(&["ledger", list])["total"], 0, "{list}");
        }
    }
}

#[test]
fn an_old_copy_finds_its_head_and_goes_on() {
    let world = World::new();
    let a = keeper(&world, "a").no_executor().start();
    let b = keeper(&world, "b").no_executor().peer(&a).start();
    let c = keeper(&world, "c").no_executor().peer(&a).peer(&b).start();
    found(&a, "ada");
    join(&a, &b, "bob");
    join(&a, &c, "cleo");
    for node in [&a, &b, &c] {
        until(node, &["space", "members"], |members| members["total"] == 4);
    }
    let pay = |node: &Node, to: &str| {
        node.json(&["ledger", "pay", to, "1 hours", "--wait", "accepted"]);
    };
    pay(&b, "ada");
    agree([&a, &b, &c]);

    let (_, yesterday) = b.terminate();
    copy(&world, "b", "b-yesterday");
    let b = yesterday.start();
    for _ in 0..3 {
        pay(&b, "cleo");
    }
    pay(&a, "bob");
    agree([&a, &b, &c]);
    let now = (balance(&b, "bob"), b.json(&["ledger", "entries", "--author", "bob"])["total"].clone());
    let plan = b.kill();
    copy(&world, "b-yesterday", "b");

    // It goes on behind what it had said, which it learns from the others.
    let b = plan.start();
    pay(&b, "ada");
    until_balance(&b, "bob", now.0 - 100);
    agree([&a, &b, &c]);
    let said = &b.json(&["ledger", "entries", "--author", "bob"])["total"];
    assert_eq!(said.as_u64(), Value::as_u64(&now.1).map(|said| said + 1));
    assert_nobody_is_accused(&[&a, &b, &c]);

    // Alone it does not know what it has said, and says so.
    let (plan, a, c) = (b.kill(), a.kill_to_return(), c.kill_to_return());
    copy(&world, "b-yesterday", "b");
    let b = plan.start();
    assert_eq!(b.json(&["space", "show"])["state"], "recovering");
    b.icn(&["ledger", "pay", "ada", "1 hours"])
        .code(1)
        .says("no other node of the space has confirmed")
        .says("connect to another node");
    let (a, c) = (a.start(), c.start());
    until(&b, &["space", "show"], |space| space["state"] == "ready");
    pay(&b, "ada");
    agree([&a, &b, &c]);
    until_balance(&a, "bob", now.0 - 200);
    assert_nobody_is_accused(&[&a, &b, &c]);
}

#[test]
fn a_founder_restored_from_before_a_member_joined_learns_of_it() {
    let world = World::new();
    let a = keeper(&world, "a").no_executor().start();
    found(&a, "ada");
    let invitation = invite(&a);
    let plan = a.kill_to_return();
    copy(&world, "a", "a-yesterday");
    let a = plan.start();
    let b = keeper(&world, "b").no_executor().peer(&a).start();
    b.json(&["space", "join", &invitation, "--nickname", "bob"]);
    until(&a, &["space", "members"], |members| members["total"] == 3);
    a.json(&["ledger", "pay", "bob", "1 hours", "--wait", "accepted"]);
    agree([&a, &b]);

    let plan = a.kill_to_return();
    copy(&world, "a-yesterday", "a");
    let a = plan.start();
    // Bob's node has to show who let it in, for the founder's does not know any more.
    until(&a, &["space", "members"], |members| members["total"] == 3);
    a.json(&["ledger", "pay", "bob", "1 hours", "--wait", "accepted"]);
    agree([&a, &b]);
    until_balance(&b, "bob", 200);
    assert_nobody_is_accused(&[&a, &b]);
}
