//! What a co-op may take of a member's node is limited by that node, and said to whoever asks why a job waits.

use super::{found, join, keeper, until, word};
use crate::guests::{guest, long};
use crate::world::World;

#[test]
fn a_co_op_takes_no_more_of_a_node_than_its_quota() {
    let world = World::new();
    let c = keeper(&world, "c").no_executor().start();
    let a = keeper(&world, "a").no_executor().peer(&c).start();
    // The prices are in hundredths of an hour.
    let limited = keeper(&world, "b")
        .arg("--price")
        .arg("200 hours")
        .env("ICN_QUOTAS_TASKS_CONCURRENT_MAX", "1")
        .env("ICN_QUOTAS_CREDITS_PER_HOUR", "\"400 hours\"");
    let b = limited.peer(&a).peer(&c).start();
    let space = word(&found(&a, "ada")["id"]);
    join(&a, &b, "bob");
    join(&a, &c, "cleo");
    for node in [&a, &b, &c] {
        until(node, &["space", "members"], |members| members["total"] == 4);
    }
    for node in [&a, &c] {
        node.until_knows(2, 1);
    }
    let why = |node: &crate::node::Node, id: &str, said: &str| {
        until(node, &["job", "why", id], |why| why.to_string().contains(said)).to_string()
    };
    let offer = ["--max-price", "5 hours"];
    let running = a.submit(&[&long(&world), offer[0], offer[1]]);
    a.until_running(&running);
    // Whoever of the co-op asks: it has what it may have.
    let waiting = c.submit(&[&guest("noop"), offer[0], offer[1]]);
    why(&c, &waiting, "`tasks_concurrent_max`: 1 used and 1 demanded, 1 at most");
    a.icn(&["job", "cancel", &running]).code(0);
    c.icn(&["job", "wait", &waiting, "--timeout", "60s"]).code(0);
    a.icn(&["job", "run", &guest("noop"), offer[0], offer[1]]).code(0);
    let third = a.submit(&[&guest("noop"), offer[0], offer[1]]);
    let said = why(&a, &third, "`credits_per_hour`: 400 used and 200 demanded, 400 at most: it fits at 20");
    assert!(said.contains(&format!("the quota of the co-op {space}")), "{said}");
    assert_eq!(a.job(&third)["status"], "Pending");
    // What the node paid out of the hour it remembers over a restart.
    let b = b.kill().start();
    b.until_knows(2, 0);
    let fourth = c.submit(&[&guest("noop"), offer[0], offer[1]]);
    why(&c, &fourth, "`credits_per_hour`: 400 used and 200 demanded");
}
