//! Payments that go on while one of the two nodes after the other is killed, as by a power cut.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{agree, found, free_place, join, keeper, until, until_balance, word};
use crate::node::{Node, Plan};
use crate::world::{World, wait_for};

/// How often a node is killed, unless `ICN_E2E_KILLS` says otherwise.
const KILLS: usize = 8;
/// Clients that pay at once.
const CLIENTS: usize = 2;
/// How many payments must be acknowledged between two kills: more than a second's worth. A node that dies within a second
/// of a meeting is missed by the other only when its connection times out, which one kill of ten tries.
const BETWEEN: usize = 40;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stops the clients when it goes, also when the test goes wrong.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Pays with one key after the other until told to stop; a key is tried until its payment is acknowledged.
fn pay_on(plan: &Plan, client: usize, stop: &AtomicBool, done: &AtomicUsize, paid: &Mutex<Vec<String>>) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = format!("client-{client}-{turn}");
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "{key} is not acknowledged");
            let ran = plan.icn(&["ledger", "pay", "bob", "0.01 hours", "--key", &key, "--json"]);
            if ran.has_code(0) {
                paid.lock().unwrap().push(word(&ran.json()["ref"]));
                done.fetch_add(1, Ordering::Relaxed);
                break;
            }
            // Nobody answers: it is down. 1: it was killed while it answered, or knows its own head not yet.
            assert!(ran.has_code(3) || ran.has_code(1), "{ran:?}");
        }
        turn += 1;
    }
}

/// Lists every payment of an account.
fn history(node: &Node, account: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let offset = all.len().to_string();
        let page = node.json(&["ledger", "history", account, "--limit", "100", "--offset", &offset]);
        all.extend(page["items"].as_array().unwrap().iter().map(|item| word(&item["ref"])));
        if page["has_more"] == false {
            return all;
        }
    }
}

#[test]
fn what_was_acknowledged_is_in_the_books_once() {
    let kills = std::env::var("ICN_E2E_KILLS").map_or(KILLS, |text| text.parse().expect("a number of kills"));
    let world = World::new();
    // Both look for each other where they were.
    let (at_a, at_b) = (free_place(), free_place());
    let a = keeper(&world, "a").no_executor().listen(&at_a).arg("--peer").arg(&at_b).start();
    let b = keeper(&world, "b").no_executor().listen(&at_b).peer(&a).start();
    found(&a, "ada");
    join(&a, &b, "bob");
    until(&b, &["space", "members"], |members| members["total"] == 3);
    a.json(&["ledger", "limits", "ada", "--set", "10000 hours"]);

    let (stop, done, paid) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let plan = a.plan.clone();
    let (a, b) = std::thread::scope(|scope| {
        let (mut a, mut b) = (a, b);
        let _stop = Stop(&stop);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (plan, stop, done, paid) = (&plan, &stop, &done, &paid);
                scope.spawn(move || pay_on(plan, client, stop, done, paid))
            })
            .collect();
        for kill in 0..kills {
            let before = done.load(Ordering::Relaxed);
            let between = if kill % 10 == 5 { 1 } else { BETWEEN };
            wait_for("payments between two kills", PATIENCE, || {
                let is_dead = clients.iter().any(std::thread::ScopedJoinHandle::is_finished);
                assert!(!is_dead, "a client has stopped");
                (done.load(Ordering::Relaxed) >= before + between).then_some(())
            });
            // Somewhere within a payment.
            std::thread::sleep(Duration::from_millis((kill as u64 * 37) % 100));
            // The payer's node mostly, for it acknowledges.
            if kill % 3 == 2 {
                b = b.kill().start();
            } else {
                a = a.kill().start();
            }
        }
        (a, b)
    });

    let paid = paid.into_inner().unwrap();
    let known: BTreeSet<&String> = paid.iter().collect();
    assert_eq!(known.len(), paid.len(), "every key is a payment of its own");
    let sum = i64::try_from(paid.len()).unwrap();
    eprintln!("{sum} payments, {kills} kills");
    for node in [&a, &b] {
        until_balance(node, "ada", -sum);
        until_balance(node, "bob", sum);
        for account in ["ada", "bob"] {
            let found = history(node, account);
            assert_eq!(found.len(), paid.len(), "none is there twice");
            assert_eq!(found.iter().collect::<BTreeSet<_>>(), known, "none is lost");
        }
    }
    let verdict = agree([&a, &b]);
    assert_eq!((&verdict["forks"], &verdict["claims"]), (&0.into(), &0.into()));
    for node in [&a, &b] {
        assert_eq!(node.json(&["ledger", "misbehaviour"])["total"], 0);
    }
}
