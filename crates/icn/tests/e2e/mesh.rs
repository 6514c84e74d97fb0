//! Nodes that know one other node each.

use crate::guests::guest;
use crate::node::{Node, PATIENCE};
use crate::world::{World, wait_for};

#[test]
fn eight_nodes_in_a_line_are_one_mesh() {
    let world = World::new();
    let mut line: Vec<Node> = vec![world.node("n0").no_executor().start()];
    for number in 1..8 {
        let plan = world.node(&format!("n{number}")).peer(line.last().unwrap());
        let is_last = number == 7;
        line.push(if is_last { plan.start() } else { plan.no_executor().start() });
    }
    let (first, last) = (&line[0], &line[7]);

    // The only executor is seven hops away. The announcement gets there by gossip, the bid comes back directly.
    first.until_knows(1, 1);
    let input = format!("book={}", world.file("book", "far away and back"));
    let job = first.json(&["job", "run", &guest("wordcount"), "--input", &input, "-o", "out"]);
    assert_eq!((&job["status"], &job["executor"]), (&"CompletedSuccessfully".into(), &last.file["did"]));
    assert_eq!(
        std::fs::read_to_string(world.path("out/stdout")).unwrap(),
        "4 words, 4 different, in 1 files\n"
    );

    // Each was told of one other, and finds the rest through it.
    for node in [first, &line[4]] {
        wait_for("node that has found most of the others", PATIENCE, || {
            let peers = node.json(&["peers"]);
            (peers["total"].as_u64()? >= 5).then_some(())
        });
    }
}

#[test]
fn the_demonstration_proves_itself() {
    let world = World::new();
    let shown = world.icn(&["demo", "--exit", "--json"]).code(0).json();
    let nodes = shown["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        for key in ["did", "peer_id", "listen", "api", "pid"] {
            assert!(node.get(key).is_some(), "{key}: {node}");
        }
        let process = format!("/proc/{}", node["pid"]);
        wait_for("end of the demonstration's nodes", PATIENCE, || {
            (!std::path::Path::new(&process).exists()).then_some(())
        });
    }
    let job = &shown["job"];
    assert_eq!(job["status"], "CompletedSuccessfully");
    assert_ne!(job["executor"], nodes[0]["did"], "the submitter does not execute");
    assert!(nodes.iter().any(|node| node["did"] == job["executor"]));
    let bids = job["bids"].as_array().unwrap();
    assert!(!bids.is_empty());
    for bid in bids {
        for key in ["executor", "price", "score"] {
            assert!(bid.get(key).is_some(), "{key}: {bid}");
        }
    }
    assert_eq!((&shown["receipt_verified"], &shown["replay"]["identical"]), (&true.into(), &true.into()));
    assert_ne!(shown["replay"]["executor"], job["executor"]);
    assert!(shown["elapsed_ms"].as_u64().unwrap() > 0);
}
