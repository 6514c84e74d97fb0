//! A dispute from its filing to the refund: every step is taken once, whatever happens to the node that takes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should stop"
)]

mod net;

use icn_ledger::replica::{PostRequest, Posted};
use icn_ledger::{Act, DisputeAct, DisputeOutcome, DisputeStatus, OrderRef};
use net::Net;

/// The parties and the mediator, by their nodes.
const PAYER: usize = 0;
const PAYEE: usize = 1;
const MEDIATOR: usize = 2;
const STEPS: usize = 5;

/// Node 0 has paid node 1 a hundred.
fn paid() -> (Net, OrderRef) {
    let mut net = Net::new(3);
    let order = net.pay(PAYER, PAYEE, 100).unwrap();
    net.run(1_000);
    (net, order)
}

/// Who takes a step, and what it says.
fn step(net: &Net, order: OrderRef, number: usize) -> (usize, DisputeAct) {
    let books = net.nodes[MEDIATOR].replica.books();
    let dispute = || books.disputes()[0].id;
    let mediate = || DisputeAct::Mediate { dispute: dispute(), mediator: net.nodes[MEDIATOR].did };
    match number {
        0 => {
            let acceptance = net.nodes[PAYER].replica.order(&order).unwrap().accepted.unwrap();
            (PAYER, DisputeAct::File { order, acceptance, reason: "it leaks".into(), evidence: vec![] })
        }
        1 => (
            PAYEE,
            DisputeAct::Evidence { dispute: dispute(), items: vec![], note: Some("it was new".into()) },
        ),
        2 => (PAYER, mediate()),
        3 => (PAYEE, mediate()),
        _ => {
            let outcome = DisputeOutcome::PartialRefund { amount: 40 };
            (MEDIATOR, DisputeAct::Resolve { dispute: dispute(), outcome })
        }
    }
}

/// Takes a step; none when the node died before it answered.
fn take(net: &mut Net, order: OrderRef, number: usize) -> Option<Posted> {
    let (n, act) = step(net, order, number);
    let request = PostRequest {
        author: net.nodes[n].did,
        acts: vec![Act::Dispute(act)],
        approvals: vec![],
        key: Some(format!("step {number}")),
        is_offline: false,
    };
    net.ask(n, request).map(Result::unwrap)
}

#[test]
fn a_crash_at_any_step_neither_loses_nor_doubles_anything() {
    let mut crashes = 0;
    for dying in 0..STEPS {
        let mut effects = 0;
        loop {
            crashes += 1;
            let (mut net, order) = paid();
            for number in 0..STEPS {
                if number != dying {
                    take(&mut net, order, number).expect("nobody dies here");
                    net.run(1_000);
                    continue;
                }
                let (n, _) = step(&net, order, number);
                net.dies_after = Some((n, effects));
                let answered = take(&mut net, order, number);
                net.run(500);
                let Some((_, left)) = net.dies_after.take() else { panic!("it was set") };
                let disk = net.copy_disk(n);
                net.restart(n, disk);
                net.connect();
                net.run(3_000);
                // Whoever had no answer asks again, with the same word.
                let again = take(&mut net, order, number).expect("an answer at once");
                if let Some(posted) = answered {
                    assert_eq!(
                        (again.entry, again.is_repeat),
                        (posted.entry, true),
                        "step {number}, {effects} effects"
                    );
                }
                net.run(1_000);
                if left > 0 {
                    effects = usize::MAX;
                }
            }
            net.agree();
            for node in &net.nodes {
                let books = node.replica.books();
                let disputes = books.disputes();
                let [dispute] = disputes.as_slice() else { panic!("{} disputes", disputes.len()) };
                let outcome = Some(DisputeOutcome::PartialRefund { amount: 40 });
                assert_eq!((dispute.status, dispute.outcome), (DisputeStatus::Resolved, outcome));
                assert_eq!(dispute.evidence.len(), 1, "step {dying}");
                assert_eq!(books.transfers(&net.nodes[PAYER].did, 0, 9).len(), 1, "one refund");
            }
            assert_eq!((net.balance(2, PAYER), net.balance(2, PAYEE)), (-60, 60));
            if effects == usize::MAX {
                break;
            }
            effects += 1;
        }
    }
    assert!(crashes > 5 * STEPS, "{STEPS} steps have more effects than {crashes}");
}
