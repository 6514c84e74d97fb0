//! Standing orders: the payer's node pays what is due, once, whatever happens to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should stop"
)]

mod net;

use icn_ledger::replica::Refusal;
use icn_ledger::{Act, Every, OrderKind, OrderRef, OrderStatus, Reason, StandingOrder};
use icn_types::Duration;
use net::Net;

const DAY: Duration = Duration::from_secs(86_400);

/// Node 0 pays node 1 five hours a day, from a day on.
fn daily(net: &mut Net, amount: i64, count: Option<u32>) -> OrderRef {
    let (author, to) = (net.nodes[0].did, net.nodes[1].did);
    let terms = StandingOrder {
        to,
        amount,
        currency: "hours".into(),
        memo: Some("rent".into()),
        start: net.now.plus(DAY),
        every: Every::Days(1),
        count,
        until: None,
        budget: None,
    };
    let posted = net.post(0, author, vec![Act::Standing(terms)]).unwrap();
    OrderRef { entry: posted.entry, index: 0 }
}

fn sleep(net: &mut Net, days: u64) {
    net.now = net.now.plus(Duration::from_secs(days * 86_400));
    net.run(3_000);
}

fn payments(net: &Net, at: usize) -> usize {
    let books = net.nodes[at].replica.books();
    let history = books.history(&net.nodes[0].did, 0, 1_000);
    let paid = |order: &&icn_ledger::OrderView| {
        order.kind == OrderKind::Pay
            && order.from == net.nodes[0].did
            && !matches!(order.status, OrderStatus::Invalid | OrderStatus::Void)
    };
    history.iter().filter(paid).count()
}

#[test]
fn what_is_due_is_paid_and_caught_up() {
    let mut net = Net::new(3);
    let standing = daily(&mut net, 5, Some(6));
    net.run(3_000);
    assert_eq!(payments(&net, 2), 0, "nothing is due yet");
    sleep(&mut net, 1);
    assert_eq!((payments(&net, 2), net.balance(2, 1)), (1, 5));
    let (view, refused) = net.nodes[0].replica.standings(&net.nodes[0].did).remove(0);
    assert_eq!((view.id, view.paid, refused), (standing, 1, None));
    // Three days asleep, and then long after the end.
    sleep(&mut net, 3);
    assert_eq!((payments(&net, 2), net.balance(2, 1)), (4, 20));
    sleep(&mut net, 30);
    assert_eq!((payments(&net, 2), net.balance(2, 1)), (6, 30));
    let (view, _) = net.nodes[0].replica.standings(&net.nodes[0].did).remove(0);
    assert_eq!((view.paid, view.next_due), (6, None));
    net.agree();
}

#[test]
fn an_ended_one_pays_no_more() {
    let mut net = Net::new(2);
    let standing = daily(&mut net, 5, None);
    sleep(&mut net, 2);
    let (payer, other) = (net.nodes[0].did, net.nodes[1].did);
    let end = vec![Act::EndStanding { standing }];
    let refused = net.post(1, other, end.clone()).unwrap_err();
    assert!(matches!(refused, Refusal::Books { reason: Reason::NotYours, .. }), "{refused}");
    net.post(0, payer, end.clone()).unwrap();
    let refused = net.post(0, payer, end).unwrap_err();
    assert!(matches!(refused, Refusal::Books { reason: Reason::AlreadyDone, .. }), "{refused}");
    sleep(&mut net, 5);
    assert_eq!(payments(&net, 1), 2);
    assert!(net.nodes[0].replica.standings(&payer)[0].0.is_ended);
}

/// A payment beyond the line is not made; it is tried again later, and the ones behind it wait.
#[test]
fn what_is_refused_is_tried_again_later() {
    let mut net = Net::new(2);
    daily(&mut net, 60, None);
    sleep(&mut net, 2);
    assert_eq!((payments(&net, 1), net.balance(1, 0)), (1, -60));
    let (view, refused) = net.nodes[0].replica.standings(&net.nodes[0].did).remove(0);
    let reason = Reason::LimitExceeded { available: 40, requested: 60 };
    assert!(matches!(refused, Some(Refusal::Books { reason: found, .. }) if found == reason));
    assert_eq!(view.paid, 1);
    net.pay(1, 0, 30).unwrap();
    net.run(3_000);
    assert_eq!(payments(&net, 1), 1, "it rests after a refusal");
    net.now = net.now.plus(Duration::from_secs(601));
    net.run(3_000);
    assert_eq!((payments(&net, 1), net.balance(1, 0)), (2, -90));
    net.agree();
}

/// The node dies after every single thing that it does while it catches up, and starts again from its disk.
#[test]
fn a_crash_at_any_step_pays_nothing_twice() {
    let start = || {
        let mut net = Net::new(2);
        daily(&mut net, 5, Some(4));
        net.now = net.now.plus(Duration::from_secs(3 * 86_400));
        net
    };
    let mut step = 0;
    loop {
        let mut net = start();
        net.dies_after = Some((0, step));
        net.run(3_000);
        let Some((_, left)) = net.dies_after.take() else { panic!("it was set") };
        let disk = net.copy_disk(0);
        net.restart(0, disk);
        net.connect();
        net.run(6_000);
        assert_eq!((payments(&net, 1), net.balance(1, 1)), (3, 15), "dead after {step} steps");
        net.now = net.now.plus(DAY);
        net.run(3_000);
        assert_eq!((payments(&net, 1), net.balance(1, 1)), (4, 20), "dead after {step} steps");
        net.agree();
        if left > 0 {
            break;
        }
        step += 1;
    }
    assert!(step > 12, "three payments take more steps than {step}");
}

/// A copy of the disk from before some payments, started again, does not know of them; the others do.
#[test]
fn a_restored_backup_pays_nothing_twice() {
    let mut net = Net::new(3);
    daily(&mut net, 5, None);
    sleep(&mut net, 1);
    let old = net.copy_disk(0);
    sleep(&mut net, 3);
    assert_eq!(payments(&net, 2), 4);
    net.split(&[1, 0, 0]);
    net.restart(0, old);
    net.run(3_000);
    assert_eq!(payments(&net, 0), 1, "alone it writes nothing");
    net.heal();
    assert_eq!((payments(&net, 0), payments(&net, 2)), (4, 4));
    sleep(&mut net, 1);
    assert_eq!((payments(&net, 2), net.balance(2, 1)), (5, 25));
    net.agree();
}
