//! Replicas of one space, joined by a network without faults: what each does by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should stop"
)]

mod net;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use icn_gossip::Entry;
use icn_ledger::replica::{Event, Live, PostRequest, Refusal};
use icn_ledger::{Act, OrderRef, OrderStatus, Post, SpacePolicy};
use icn_types::Did;
use net::{Net, key};

#[test]
fn a_payment_reaches_everybody_and_is_accepted() {
    let mut net = Net::new(3);
    net.agree();
    let order = net.pay(0, 1, 30).unwrap();
    assert_eq!((net.balance(2, 0), net.balance(2, 1)), (-30, 30));
    assert_eq!(net.nodes[2].replica.order(&order).unwrap().status, OrderStatus::Accepted);
    net.agree();
    let refused = net.pay(0, 1, 71).unwrap_err();
    assert!(matches!(refused, Refusal::Books { .. }), "{refused}");
    assert!(refused.to_string().contains("can spend 70"), "{refused}");
}

#[test]
fn partitions_heal() {
    let mut net = Net::new(5);
    net.split(&[1, 1, 2, 2, 2]);
    for _ in 0..20 {
        net.pay(0, 1, 2).unwrap();
        net.pay(2, 3, 3).unwrap();
        net.pay(3, 4, 1).unwrap();
    }
    assert_eq!(net.balance(0, 3), 0);
    net.heal();
    net.agree();
    assert_eq!((net.balance(0, 1), net.balance(0, 2), net.balance(4, 0)), (40, -60, -40));
}

#[test]
fn the_same_key_pays_once() {
    let mut net = Net::new(2);
    let (author, to) = (net.nodes[0].did, net.nodes[1].did);
    let act = Act::Pay { to, amount: 5, currency: "hours".into(), memo: None, request: None, expires: None };
    let request = PostRequest {
        author,
        acts: vec![act],
        approvals: vec![],
        key: Some("monday".into()),
        is_offline: false,
    };
    let first = net.ask(0, request.clone()).unwrap().unwrap();
    let second = net.ask(0, request.clone()).unwrap().unwrap();
    assert_eq!((first.entry, second.is_repeat), (second.entry, true));
    // After a restart as well.
    let disk = net.copy_disk(0);
    net.restart(0, disk);
    net.connect();
    net.run(3_000);
    assert_eq!(net.ask(0, request).unwrap().unwrap().entry, first.entry);
    assert_eq!(net.balance(1, 1), 5);
}

/// Four witnesses certify a payment before its payee accepts it; the acceptance carries the certificate.
#[test]
fn witnesses_certify() {
    let mut net = Net::new(4);
    let mut members: Vec<_> = net.nodes.iter().map(|node| node.did).collect();
    members.sort();
    let steward = net.nodes[0].did;
    net.post(0, steward, vec![Act::Witnesses { number: 1, members }]).unwrap();
    net.run(3_000);
    let order = net.pay(1, 2, 30).unwrap();
    net.run(1_000);
    for node in &net.nodes {
        assert_eq!(node.replica.order(&order).unwrap().status, OrderStatus::Certified);
        assert!(node.replica.order(&order).unwrap().is_final);
    }
    let told = |net: &Net, n: usize, order: &OrderRef| {
        net.nodes[n].changed.iter().filter(|entry| **entry == order.entry).count()
    };
    for n in 0..4 {
        assert_eq!(told(&net, n, &order), 2, "followers hear when it is applied and when it is certified");
    }
    // One of four may fail: three still are a quorum.
    net.split(&[0, 0, 0, 1]);
    let order = net.pay(1, 2, 30).unwrap();
    net.run(1_000);
    assert_eq!(net.nodes[0].replica.order(&order).unwrap().status, OrderStatus::Certified);
    // Two of four are none: the payment waits, and comes through when the others are back.
    net.split(&[0, 0, 1, 1]);
    let order = net.pay(0, 1, 30).unwrap();
    net.run(2_000);
    assert_eq!(net.nodes[0].replica.order(&order).unwrap().status, OrderStatus::Sent);
    net.heal();
    assert_eq!(net.nodes[3].replica.order(&order).unwrap().status, OrderStatus::Certified);
    net.agree();
    for n in 0..4 {
        assert!((1..=2).contains(&told(&net, n, &order)), "what comes with its certificate is told once");
    }
}

#[test]
fn epochs_are_sealed() {
    let mut net = Net::new(4);
    let mut members: Vec<_> = net.nodes.iter().map(|node| node.did).collect();
    members.sort();
    let steward = net.nodes[0].did;
    let policy = SpacePolicy { epoch_seconds: 2, ..SpacePolicy::default() };
    net.post(0, steward, vec![Act::Policy(policy), Act::Witnesses { number: 1, members }]).unwrap();
    let order = net.pay(1, 2, 30).unwrap();
    net.run(20_000);
    for node in &net.nodes {
        let seal = node.replica.books().last_seal().expect("a seal");
        assert!(seal.is_in_force);
        assert_eq!(node.replica.order(&order).unwrap().status, OrderStatus::Sealed);
    }
    net.agree();
    let seals = net.nodes[0].replica.books().seals().len();
    net.run(10_000);
    assert_eq!(net.nodes[0].replica.books().seals().len(), seals, "nothing happened, nothing is sealed");
}

/// Where nothing is said nothing is sealed, except when a seal's time ends a freeze or a period.
#[test]
fn a_quiet_space_is_sealed_when_a_time_is_over() {
    let mut net = Net::new(3);
    let (steward, late) = (net.nodes[0].did, net.nodes[1].did);
    let policy = SpacePolicy { epoch_seconds: 2, fund: Some(net.nodes[2].did), ..SpacePolicy::default() };
    let expires = Some(net.now.plus(icn_types::Duration::from_secs(30)));
    let freeze = Act::Freeze { account: late, reason: "to be clarified".into(), expires };
    net.pay(0, 1, 50).unwrap();
    net.post(0, steward, vec![Act::Policy(policy), freeze]).unwrap();
    net.run(25_000);
    assert!(net.pay(1, 2, 1).is_err());
    let seals = net.nodes[0].replica.books().seals().len();
    net.run(10_000);
    assert_eq!(net.nodes[0].replica.books().seals().len(), seals + 1);
    net.pay(1, 2, 1).unwrap();
    let rule = icn_ledger::Demurrage { threshold: 9, rate_ppm: 100_000, period_days: 1 };
    let fund = Some(net.nodes[2].did);
    let act = Act::Demurrage { currency: "hours".into(), rule: Some(rule), fund };
    net.post(0, steward, vec![act]).unwrap();
    net.run(10_000);
    let seals = net.nodes[0].replica.books().seals().len();
    net.now = net.now.plus(icn_types::Duration::from_secs(86_400));
    net.run(10_000);
    assert_eq!(net.nodes[0].replica.books().seals().len(), seals + 1, "one for the period");
    // 10 % of what is above 9.
    assert_eq!((net.balance(2, 1), net.balance(2, 2)), (45, 5));
    net.agree();
    net.run(10_000);
    assert_eq!(net.nodes[0].replica.books().seals().len(), seals + 1);
}

/// A hold that nobody captures ends with the first seal after its time, although nothing else happens.
#[test]
fn a_hold_lapses() {
    let mut net = Net::new(3);
    let (steward, payee) = (net.nodes[0].did, net.nodes[1].did);
    let policy = SpacePolicy { epoch_seconds: 2, ..SpacePolicy::default() };
    net.post(0, steward, vec![Act::Policy(policy)]).unwrap();
    let expires = net.now.plus(icn_types::Duration::from_secs(20));
    let hold = Act::Hold { to: payee, amount: 60, currency: "hours".into(), expires, purpose: None };
    let posted = net.post(0, steward, vec![hold]).unwrap();
    let order = icn_ledger::OrderRef { entry: posted.entry, index: 0 };
    net.run(15_000);
    assert_eq!(net.nodes[1].replica.order(&order).unwrap().status, OrderStatus::Placed);
    net.run(15_000);
    assert_eq!(net.nodes[1].replica.order(&order).unwrap().status, OrderStatus::Expired);
    net.pay(0, 1, 60).unwrap();
    net.agree();
}

/// A member signs two entries at one place, one on each side of a partition: everybody finds out, and agrees.
#[test]
fn a_fork_is_found_out() {
    let mut net = Net::new(4);
    net.split(&[0, 0, 1, 1]);
    let cheat = key(3);
    let make = |net: &Net, at: usize, to: usize| -> Entry {
        let to = net.nodes[to].did;
        let act =
            Act::Pay { to, amount: 80, currency: "hours".into(), memo: None, request: None, expires: None };
        let replica = &net.nodes[at].replica;
        replica.next_entry(net.now, cheat.did(), &Post::new(vec![act])).unwrap()
    };
    let (one, other) = (make(&net, 0, 0), make(&net, 3, 3));
    for (at, entry) in [(0, one), (3, other)] {
        let signed = entry.sign(&cheat).unwrap();
        let verifier = icn_identity::Ed25519Verifier::new();
        let checked = icn_ledger::replica::Checked::new(signed.signed().clone(), &verifier).unwrap();
        let event = Event::Live { from: cheat.did(), ticket: 0, message: Live::Entry(Box::new(checked)) };
        net.inject(at, event);
    }
    net.run(500);
    assert_eq!((net.balance(0, 0), net.balance(3, 3)), (80, 80));
    net.heal();
    net.agree();
    for node in &net.nodes {
        let forks = node.replica.books().forks();
        assert_eq!(forks.len(), 1);
        assert_eq!(forks[0].author, cheat.did());
        assert!(node.replica.books().balance(&cheat.did(), "hours").frozen);
        let proof =
            node.replica.log().proof(&cheat.did(), forks[0].seq, &|id| node.replica.entry(id)).unwrap();
        proof.check(&icn_identity::Ed25519Verifier::new()).unwrap();
        let claims = node.replica.books().claims();
        assert_eq!((claims.len(), claims[0].amount, claims[0].debtor), (1, 80, cheat.did()));
        assert!(node.replica.offences().counts(&cheat.did()).equivocations > 0);
    }
}

/// What was certified stands, whatever the ids say.
#[test]
fn a_certified_branch_stands() {
    for seed in 0..4 {
        let mut net = Net::new(5);
        let mut members: Vec<_> = net.nodes[..4].iter().map(|node| node.did).collect();
        members.sort();
        let steward = net.nodes[0].did;
        net.post(0, steward, vec![Act::Witnesses { number: 1, members }]).unwrap();
        net.run(3_000);
        // The cheat's own node is alone on one side, the witnesses on the other.
        net.split(&[0, 0, 0, 0, 1]);
        let cheat = key(5);
        let to = net.nodes[seed % 4].did;
        let act = Act::Pay {
            to,
            amount: 80,
            currency: "hours".into(),
            memo: Some(seed.to_string()),
            request: None,
            expires: None,
        };
        let entry = net.nodes[0].replica.next_entry(net.now, cheat.did(), &Post::new(vec![act])).unwrap();
        let certified = net.deliver(0, entry, &cheat);
        net.run(1_000);
        let other = net.pay(4, (seed + 1) % 4, 70).unwrap();
        net.heal();
        net.run(3_000);
        net.agree();
        let forks = net.nodes[4].replica.books().forks();
        assert_eq!(forks.len(), 1, "seed {seed}");
        assert_eq!(forks[0].winner, certified, "seed {seed}");
        assert_eq!(net.nodes[1].replica.order(&other).unwrap().status, OrderStatus::Void);
        assert!(net.nodes[0].replica.books().claims().is_empty(), "nobody had accepted the other one");
    }
}

/// A node that comes back with yesterday's disk must not write where it has written already.
#[test]
fn a_restored_backup_finds_its_head() {
    let mut net = Net::new(3);
    net.pay(1, 2, 1).unwrap();
    let yesterday = net.copy_disk(1);
    for _ in 0..5 {
        net.pay(1, 2, 1).unwrap();
    }
    net.restart(1, yesterday);
    let (author, to) = (net.nodes[1].did, net.nodes[2].did);
    let act = Act::Pay { to, amount: 10, currency: "hours".into(), memo: None, request: None, expires: None };
    let request = PostRequest { author, acts: vec![act], approvals: vec![], key: None, is_offline: false };
    assert!(net.ask(1, request.clone()).is_none(), "it waits for another node");
    net.connect();
    net.run(3_000);
    net.agree();
    assert_eq!(net.balance(0, 1), -16, "the payment was made once its head was found");
    assert!(net.nodes.iter().all(|node| node.replica.books().forks().is_empty()));
    assert!(net.nodes.iter().all(|node| node.replica.offences().is_empty()));
    // Without anybody else it does not write.
    let yesterday = net.copy_disk(1);
    net.split(&[0, 1, 0]);
    net.restart(1, yesterday);
    assert!(net.ask(1, request.clone()).is_none());
    net.run(20_000);
    assert_eq!(
        net.nodes[1].replica.log().head_of(&author).unwrap().0,
        net.nodes[0].replica.log().head_of(&author).unwrap().0
    );
    let offline = PostRequest { is_offline: true, ..request };
    assert!(net.ask(1, offline).unwrap().is_ok());
}

/// A member's entry with an invented past waits for ever; nobody else is kept from anything by it.
#[test]
fn an_invented_past_stops_nobody() {
    let mut net = Net::new(3);
    let liar = key(3);
    let mut entry = net.nodes[0]
        .replica
        .next_entry(net.now, liar.did(), &Post::new(vec![Act::Unfreeze { account: liar.did() }]))
        .unwrap();
    entry.deps = vec![icn_types::Cid::of_dag_cbor(b"nobody has this")];
    net.deliver(0, entry, &liar);
    net.run(3_000);
    assert_eq!(net.nodes[1].replica.log().waiting_len(), 1);
    let disk = net.copy_disk(1);
    net.restart(1, disk);
    net.connect();
    net.run(3_000);
    net.pay(1, 0, 3).unwrap();
    net.agree();
}

/// An entry signed elsewhere that would only wait for its past is not acknowledged: a crash would lose it.
#[test]
fn what_would_wait_is_not_acknowledged() {
    let mut net = Net::new(2);
    let member = key(2);
    let entry = |net: &Net, deps: Vec<icn_types::Cid>| {
        let act =
            Act::Decline { order: icn_ledger::OrderRef { entry: net.founding(), index: 0 }, reason: None };
        let mut entry =
            net.nodes[0].replica.next_entry(net.now, member.did(), &Post::new(vec![act])).unwrap();
        entry.deps.extend(deps);
        entry.deps.sort();
        entry
    };
    let lost = entry(&net, vec![icn_types::Cid::of_dag_cbor(b"nobody has this")]);
    let refused = net.submit(0, lost, &member).unwrap_err();
    assert!(matches!(refused, Refusal::NotNext(_)), "{refused}");
    assert_eq!(net.nodes[0].replica.log().waiting_len(), 0);
    let to = net.nodes[0].did;
    let act = Act::Pay { to, amount: 5, currency: "hours".into(), memo: None, request: None, expires: None };
    let entry = net.nodes[0].replica.next_entry(net.now, member.did(), &Post::new(vec![act])).unwrap();
    let posted = net.submit(0, entry, &member).unwrap();
    assert!(net.nodes[1].replica.log().contains(&posted.entry));
    assert_eq!(net.balance(1, 0), 5);
}

/// A restored node that was told to write offline has forked its chain. It finds out, keeps what others relied on, and
/// gives up the rest: a fault, not a fraud.
#[test]
fn an_own_fork_is_repaired() {
    let mut net = Net::new(3);
    let yesterday = net.copy_disk(1);
    net.pay(1, 2, 5).unwrap();
    net.split(&[0, 1, 0]);
    net.restart(1, yesterday);
    let (author, to) = (net.nodes[1].did, net.nodes[0].did);
    let act = Act::Pay { to, amount: 10, currency: "hours".into(), memo: None, request: None, expires: None };
    let request = PostRequest { author, acts: vec![act], approvals: vec![], key: None, is_offline: true };
    net.ask(1, request).unwrap().unwrap();
    net.heal();
    net.run(3_000);
    net.agree();
    let forks = net.nodes[0].replica.books().forks();
    assert_eq!((forks.len(), forks[0].rule), (1, icn_ledger::ForkRule::Repaired));
    assert!(!net.nodes[2].replica.books().is_forked(&author));
    assert_eq!(net.balance(0, 1), -5, "what was accepted stands, what was not is given up");
    net.pay(1, 0, 3).unwrap();
    net.agree();
    assert_eq!(net.balance(2, 1), -8);
}

#[test]
fn strangers_are_not_heard() {
    let mut net = Net::new(2);
    let stranger = key(99);
    let act = Act::Pay {
        to: net.nodes[0].did,
        amount: 1,
        currency: "hours".into(),
        memo: None,
        request: None,
        expires: None,
    };
    let entry = net.nodes[0].replica.next_entry(net.now, stranger.did(), &Post::new(vec![act])).unwrap();
    let before = net.nodes[0].replica.log().len();
    net.deliver(0, entry, &stranger);
    assert_eq!(net.nodes[0].replica.log().len(), before);
    // Nor is one let read.
    net.add_node(50, false);
    net.connect();
    net.run(5_000);
    assert_eq!(net.nodes[2].replica.log().len(), 0);
}

#[test]
fn whoever_is_trusted_enough_reads_and_writes_nothing() {
    let mut net = Net::new(2);
    let follower = net.add_node(50, false);
    let did = net.nodes[follower].did;
    let trusted = Arc::new(AtomicU32::new(99_999));
    for n in 0..2 {
        let trusted = Arc::clone(&trusted);
        let lookup = move |who: &Did| if *who == did { trusted.load(Ordering::Relaxed) } else { 0 };
        net.nodes[n].replica.set_trust(Arc::new(lookup));
    }
    net.connect();
    net.run(5_000);
    assert_eq!(net.nodes[follower].replica.log().len(), 0, "below 0.1");
    trusted.store(100_000, Ordering::Relaxed);
    net.run(5_000);
    net.pay(0, 1, 7).unwrap();
    net.run(5_000);
    assert_eq!(net.balance(follower, 1), 7);
    net.agree();
    assert!(net.pay(follower, 0, 1).is_err(), "it is no member");
}

/// What a payee declines comes back to its payer without anybody's doing.
#[test]
fn what_is_declined_comes_back() {
    let mut net = Net::new(2);
    let (payer, payee) = (net.nodes[0].did, net.nodes[1].did);
    let expires = net.now.plus(icn_types::Duration::from_secs(3_600));
    let hold = Act::Hold { to: payee, amount: 60, currency: "hours".into(), expires, purpose: None };
    let posted = net.post(0, payer, vec![hold]).unwrap();
    let order = icn_ledger::OrderRef { entry: posted.entry, index: 0 };
    assert!(net.pay(0, 1, 60).is_err(), "a hold counts when it is placed");
    net.post(1, payee, vec![Act::Decline { order, reason: None }]).unwrap();
    assert_eq!(net.nodes[1].replica.order(&order).unwrap().status, OrderStatus::Returned);
    net.pay(0, 1, 60).unwrap();
    net.agree();
}

/// A checkpoint and the entries after it give the same as all entries; one that does not fit is not used.
#[test]
fn a_start_from_a_checkpoint_is_a_start() {
    let mut net = Net::new(3);
    for n in 0..30 {
        net.pay(n % 3, (n + 1) % 3, 1).unwrap();
    }
    let checkpoint = net.nodes[0].replica.checkpoint().unwrap();
    let checkpoint = icn_ledger::replica::Checkpoint::parse(&checkpoint.to_bytes()).unwrap();
    for n in 0..30 {
        net.pay(n % 3, (n + 2) % 3, 1).unwrap();
    }
    let mut replica = net.empty(0);
    let covered = replica.resume(&checkpoint);
    assert_eq!(u64::from(covered), checkpoint.entries());
    for entry in net.disk_from(0, covered) {
        replica.restore(entry).unwrap();
    }
    replica.restored(net.now);
    assert_eq!(replica.books().digest(), net.nodes[0].replica.books().digest());
    assert_eq!(replica.log().frontier_digest(), net.nodes[0].replica.log().frontier_digest());
    // Another space's checkpoint, and one cut short, are not believed.
    let mut bytes = checkpoint.to_bytes();
    bytes.truncate(bytes.len() - 1);
    assert!(icn_ledger::replica::Checkpoint::parse(&bytes).is_none());
}
