//! A job is paid, exactly once, whoever is killed at whatever step of it.

use std::time::Duration;

use serde_json::Value;

use super::{agree, balance, found, free_place, join, keeper, until, until_balance, word};
use crate::guests::{counting, guest};
use crate::node::{Node, tells};
use crate::world::{LOOK, World};

/// What the executor asks for a job, in hundredths of an hour.
const PRICE: i64 = 200;

/// The one that submits, the one that executes, and one that only keeps the books.
fn three(world: &World) -> (Node, Node, Node) {
    let c = keeper(world, "c").no_executor().start();
    // Each finds the others where they were, when it is started again.
    let (at_a, at_b) = (free_place(), free_place());
    let a = keeper(world, "a").no_executor().listen(&at_a).arg("--peer").arg(&at_b).peer(&c).start();
    let priced = keeper(world, "b").arg("--price").arg(&format!("{PRICE} hours"));
    let b = priced.listen(&at_b).peer(&a).peer(&c).start();
    found(&a, "ada");
    join(&a, &b, "bob");
    join(&a, &c, "cleo");
    for node in [&a, &b, &c] {
        until(node, &["space", "members"], |members| members["total"] == 4);
    }
    a.json(&["ledger", "limits", "ada", "--set", "1000 hours"]);
    a.until_knows(2, 1);
    (a, b, c)
}

/// Checks that so many jobs were paid, each once, and that nothing is set aside but for executors that were killed before
/// they knew of it; such a hold lapses later.
#[track_caller]
fn assert_paid(nodes: [&Node; 3], jobs: i64, may_lapse: bool) {
    let all = |node: &Node| node.json(&["ledger", "hold", "list", "ada", "--all", "--limit", "100"]);
    let count = |all: &Value, wanted: &dyn Fn(&Value) -> bool| {
        i64::try_from(all["items"].as_array().unwrap().iter().filter(|hold| wanted(hold)).count()).unwrap()
    };
    for node in nodes {
        until_balance(node, "ada", -PRICE * jobs);
        until_balance(node, "bob", PRICE * jobs);
        let open = until(node, &["ledger", "hold", "list", "ada"], |holds| may_lapse || holds["total"] == 0);
        until(node, &["ledger", "balance", "ada"], |answer| {
            let left = PRICE * count(&open, &|hold| hold["status"] == "placed");
            answer["items"][0]["reserved"]["smallest"] == left
        });
        let all = all(node);
        assert_eq!(count(&all, &|hold| hold["captured"]["smallest"] == PRICE), jobs, "{all}");
    }
    let verdict = agree(nodes);
    assert_eq!((&verdict["forks"], &verdict["claims"]), (&0.into(), &0.into()), "{verdict}");
}

/// A moment in the life of a paid job.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It was submitted, and this long went by.
    Submitted(u64),
    /// The hold is in the books.
    Held,
    /// The executor runs it.
    Running,
    /// Its receipt has arrived.
    Anchored,
    /// The payment is in the books.
    Paid,
}

impl Step {
    /// Waits until a job has come so far, or further.
    fn wait(self, a: &Node, id: &str, holds_before: u64) {
        let Self::Submitted(millis) = self else {
            return while !self.is_reached(a, id, holds_before) {
                std::thread::sleep(LOOK);
            };
        };
        std::thread::sleep(Duration::from_millis(millis));
    }

    fn is_reached(self, a: &Node, id: &str, holds_before: u64) -> bool {
        let holds = || a.json(&["ledger", "hold", "list", "ada", "--all"]);
        let state = || word(&a.job(id)["p2p_status"]);
        let is_over = |state: &str| ["ReceiptAnchored", "Completed", "ReceiptGenerated"].contains(&state);
        match self {
            Self::Submitted(_) => true,
            Self::Held => holds()["total"].as_u64() > Some(holds_before),
            Self::Running => state() == "Running" || is_over(&state()),
            Self::Anchored => state() == "ReceiptAnchored",
            Self::Paid => holds()["items"][0]["captured"].is_object(),
        }
    }
}

/// Every step, and moments between them.
const STEPS: [Step; 8] = [
    Step::Submitted(0),
    Step::Submitted(60),
    Step::Held,
    Step::Submitted(250),
    Step::Running,
    Step::Submitted(500),
    Step::Anchored,
    Step::Paid,
];

/// Takes one node after the other through all steps, and kills it at each.
fn kill_at_each_step(kill_originator: bool) {
    let world = World::new();
    let (mut a, mut b, c) = three(&world);
    // Some tenths of a second of work: enough to be killed in.
    let module = counting(&world, 1_000_000_000);
    for (step, number) in STEPS.into_iter().zip(1_i64..) {
        let holds = a.json(&["ledger", "hold", "list", "ada", "--all"])["total"].as_u64().unwrap();
        let id = a.submit(&[&module, "--max-price", "5 hours"]);
        step.wait(&a, &id, holds);
        if kill_originator {
            a = a.kill().start();
        } else {
            b = b.kill().start();
        }
        a.icn(&["job", "wait", &id, "--timeout", "60s"]).code(0);
        until_paid(&a, &id);
        assert_paid([&a, &b, &c], number, !kill_originator);
    }
    assert_eq!(a.json(&["ledger", "misbehaviour"])["total"], 0);
}

/// Waits until the job itself says that it was paid.
fn until_paid(a: &Node, id: &str) -> Value {
    until(a, &["job", "show", id], |job| tells(job, "Note", "paid") || !job["payment"].is_null())
}

#[test]
fn a_job_is_paid_as_both_sides_have_it_in_their_books() {
    let world = World::new();
    let (a, b, c) = three(&world);
    let noop = guest("noop");
    // Without an offer only nodes that ask for nothing run it; below the price nobody does.
    for line in [vec![&*noop], vec![&*noop, "--max-price", "1.99 hours"]] {
        let id = a.submit(&line);
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(a.job(&id)["status"], "Pending", "{line:?}");
        a.icn(&["job", "cancel", &id]).code(0);
    }
    a.icn(&["job", "run", &noop, "--max-price", "2 hours"]).code(0);
    assert_paid([&a, &b, &c], 1, false);
    // A guest that fails has done its work; one that is cancelled before it ran costs nothing.
    a.icn(&["job", "run", &crate::guests::hostile(&world, "recursion"), "--max-price", "5 hours"]).code(125);
    assert_paid([&a, &b, &c], 2, false);
    assert_eq!(balance(&c, "cleo"), 0);
}

#[test]
fn killing_the_originator_at_any_step_pays_once() {
    kill_at_each_step(true);
}

#[test]
fn killing_the_executor_at_any_step_pays_once() {
    kill_at_each_step(false);
}
