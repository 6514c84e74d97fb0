//! Five nodes, and a cable that is pulled while everybody pays.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::network::Network;
use super::{agree, assert_sound, balance, found, join, keeper, until};
use crate::node::Node;
use crate::world::{LOOK, World};

/// How long the cable is out, unless `ICN_E2E_PARTITION_SECONDS` says otherwise.
const PARTITION_SECONDS: u64 = 10;
/// How long after the cable is back all books shall be the same: asked of a run that sets the length of the partition.
/// The ordinary run, beside whatever else the machine does, is given more.
const HEALED_WITHIN: Duration = Duration::from_secs(5);
const NAMES: [&str; 5] = ["ada", "bob", "cleo", "dan", "eve"];

/// What one member has paid to each of the others, in the smallest unit, as far as it was acknowledged.
type Paid = [i64; NAMES.len()];

/// Pays everybody else in turn until it is told to stop.
fn pay_on(node: &Node, payer: usize, stop: &AtomicBool) -> Paid {
    let mut paid = Paid::default();
    for turn in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let payee = (payer + 1 + turn % (NAMES.len() - 1)) % NAMES.len();
        node.json(&["ledger", "pay", NAMES[payee], "0.01 hours", "--key", &format!("turn-{turn}")]);
        paid[payee] += 1;
    }
    paid
}

fn digest(node: &Node) -> Value {
    node.json(&["ledger", "verify"])["digest"].clone()
}

/// Runs a command for all nodes at once: one after another they would take most of the time that is measured.
fn ask(nodes: &[&Node], line: &[&str]) -> Vec<Value> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = nodes.iter().map(|node| scope.spawn(|| node.json(line))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

/// Tells whether all nodes say the same.
fn same(answers: &[Value], key: &str) -> bool {
    answers.iter().all(|answer| answer[key] == answers[0][key])
}

#[test]
fn both_sides_of_a_partition_pay_and_then_agree() {
    let seconds = std::env::var("ICN_E2E_PARTITION_SECONDS")
        .map_or(PARTITION_SECONDS, |text| text.parse().expect("a number of seconds"));
    let world = World::new();
    let Some(network) = Network::new(5, 3) else { return };
    let plan = |number: usize| {
        keeper(&world, NAMES[number]).within(&network.place(number)).listen(&Network::listen(number))
    };
    let first = plan(0).no_executor().start();
    let others: Vec<Node> = (1..5).map(|number| plan(number).no_executor().peer(&first).start()).collect();
    let nodes: Vec<&Node> = std::iter::once(&first).chain(&others).collect();
    found(&first, NAMES[0]);
    for number in 1..5 {
        join(&first, nodes[number], NAMES[number]);
    }
    for node in &nodes {
        until(node, &["space", "members"], |members| members["total"] == 6);
    }
    // Half of what is paid arrives only after healing: the usual line would be used up within a minute.
    for name in NAMES {
        first.json(&["ledger", "limits", name, "--set", "1000 hours"]);
    }
    agree(nodes.iter().copied());

    network.cut();
    let stop = AtomicBool::new(false);
    let paid: Vec<Paid> = std::thread::scope(|scope| {
        let payers: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(payer, node)| {
                let stop = &stop;
                scope.spawn(move || pay_on(node, payer, stop))
            })
            .collect();
        std::thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
        payers.into_iter().map(|payer| payer.join().unwrap()).collect()
    });
    assert!(paid.iter().all(|paid| paid.iter().sum::<i64>() > 10), "{paid:?}");
    assert_ne!(digest(nodes[0]), digest(nodes[4]), "the cable was in");

    network.heal();
    let healed = Instant::now();
    let (took, verdict) = loop {
        // A verification reads everything again, and is not begun in vain.
        let shown = ask(&nodes, &["space", "show"]);
        let took = healed.elapsed();
        if same(&shown, "entries") {
            // With the same entries these were the books at that time; that they hold is known at the end.
            let verdicts = ask(&nodes, &["ledger", "verify"]);
            if same(&verdicts, "digest") && verdicts[0]["entries"] == shown[0]["entries"] {
                break (took, verdicts[0].clone());
            }
        }
        let entries: Vec<&Value> = shown.iter().map(|space| &space["entries"]).collect();
        assert!(took < HEALED_WITHIN * 6, "after {took:?} the books still differ: {entries:?}");
        std::thread::sleep(LOOK);
    };
    eprintln!(
        "{} entries; the same books {took:?} after {seconds} s of partition, verified after {:?}",
        verdict["entries"],
        healed.elapsed()
    );
    let is_measured = std::env::var_os("ICN_E2E_PARTITION_SECONDS").is_some();
    assert!(!is_measured || took <= HEALED_WITHIN, "it took {took:?} until all had the same books");
    assert_sound(&verdict);
    assert_eq!((&verdict["forks"], &verdict["claims"]), (&0.into(), &0.into()), "{verdict}");

    // Everything that was acknowledged counts, once; what crossed the cut was accepted after it.
    for (member, name) in NAMES.iter().enumerate() {
        let received: i64 = paid.iter().map(|paid| paid[member]).sum();
        let given: i64 = paid[member].iter().sum();
        let line = ["ledger", "balance", name];
        for node in &nodes {
            let items = until(node, &line, |answer| answer["items"][0]["reserved"]["smallest"] == 0);
            assert_eq!(items["items"][0]["balance"]["smallest"], received - given, "{name}");
        }
        assert_eq!(balance(nodes[0], name), received - given);
    }
    agree(nodes);
}
