//! The node of a treasury carries out what approvers on other nodes approve, once, whatever happens to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should stop"
)]

mod net;

use icn_ledger::replica::Refusal;
use icn_ledger::{
    Act, Budget, Every, OrderRef, Proposal, ProposalStatus, Reason, SpacePolicy, StandingOrder,
};
use icn_types::{Did, Duration};
use net::Net;

const DAY: Duration = Duration::from_secs(86_400);

/// Node 1 has the treasury's key; two of the members of nodes 0, 2 and 3 approve.
fn pot() -> (Net, Did) {
    let mut net = Net::new(4);
    let (steward, pot) = (net.nodes[0].did, net.nodes[1].did);
    let mut approvers = vec![steward, net.nodes[2].did, net.nodes[3].did];
    approvers.sort();
    net.post(0, steward, vec![Act::Treasury { account: pot, approvers, threshold: 2 }]).unwrap();
    net.run(1_000);
    (net, pot)
}

fn pay(to: Did, amount: i64) -> Act {
    Act::Pay { to, amount, currency: "hours".into(), memo: None, request: None, expires: None }
}

fn ask(net: &mut Net, at: usize, acts: Vec<Act>, budget: Option<OrderRef>) -> Result<OrderRef, Refusal> {
    let (by, treasury) = (net.nodes[at].did, net.nodes[1].did);
    let act = Act::Propose(Box::new(Proposal { treasury, acts, budget, expires: None }));
    net.post(at, by, vec![act]).map(|posted| OrderRef { entry: posted.entry, index: 0 })
}

fn approve(net: &mut Net, at: usize, proposal: OrderRef) {
    let by = net.nodes[at].did;
    net.post(at, by, vec![Act::Approve { proposal }]).unwrap();
}

fn status(net: &Net, at: usize, id: OrderRef) -> ProposalStatus {
    let all = net.nodes[at].replica.books().proposals(None);
    all.into_iter().find(|one| one.id == id).unwrap().status
}

fn allot(net: &mut Net, holder: Option<usize>, amount: i64) -> OrderRef {
    let (steward, treasury) = (net.nodes[0].did, net.nodes[1].did);
    let terms = Budget {
        treasury,
        holder: holder.map(|holder| net.nodes[holder].did),
        purpose: None,
        currency: "hours".into(),
        amount,
        every: Some(Every::Days(1)),
        start: net.now,
        until: None,
    };
    let posted = net.post(0, steward, vec![Act::Budget(terms)]).unwrap();
    net.run(1_000);
    OrderRef { entry: posted.entry, index: 0 }
}

#[test]
fn approvals_of_other_nodes_let_the_treasury_pay() {
    let (mut net, pot) = pot();
    let payee = net.nodes[3].did;
    let asked = ask(&mut net, 0, vec![pay(payee, 7)], None).unwrap();
    net.run(3_000);
    assert_eq!((status(&net, 1, asked), net.balance(1, 3)), (ProposalStatus::Waiting, 0));
    let waiting = net.nodes[3].replica.books().open_proposals(&pot).remove(0);
    assert_eq!(net.nodes[3].replica.trouble_of(net.now, &waiting), None);
    approve(&mut net, 2, asked);
    net.run(3_000);
    assert!(matches!(status(&net, 3, asked), ProposalStatus::Enacted(_)));
    assert_eq!((net.balance(0, 1), net.balance(0, 3)), (-7, 7));
    // More than there is waits, and every node can say why.
    let large = ask(&mut net, 0, vec![pay(payee, 500)], None).unwrap();
    net.run(1_000);
    let waiting = net.nodes[3].replica.books().open_proposals(&pot).remove(0);
    let reason = Reason::LimitExceeded { available: 93, requested: 500 };
    assert_eq!(net.nodes[3].replica.trouble_of(net.now, &waiting), Some(reason));
    approve(&mut net, 2, large);
    net.run(30_000);
    assert_eq!((status(&net, 1, large), net.balance(1, 3)), (ProposalStatus::Waiting, 7));
    net.agree();
}

/// The treasury's node dies after every single thing that it does while it carries something out.
#[test]
fn a_crash_at_any_step_carries_nothing_out_twice() {
    let mut step = 0;
    loop {
        let (mut net, _) = pot();
        let payee = net.nodes[3].did;
        let asked = ask(&mut net, 0, vec![pay(payee, 7)], None).unwrap();
        net.run(1_000);
        net.dies_after = Some((1, step));
        approve(&mut net, 2, asked);
        net.run(3_000);
        let Some((_, left)) = net.dies_after.take() else { panic!("it was set") };
        let disk = net.copy_disk(1);
        net.restart(1, disk);
        net.connect();
        net.run(15_000);
        assert!(matches!(status(&net, 0, asked), ProposalStatus::Enacted(_)), "dead after {step} steps");
        assert_eq!((net.balance(0, 1), net.balance(0, 3)), (-7, 7), "dead after {step} steps");
        net.agree();
        if left > 0 {
            break;
        }
        step += 1;
    }
    assert!(step > 2, "to carry something out takes more steps than {step}");
}

/// The day of a budget is over although nobody writes anything: the space is sealed, and there is a new sum.
#[test]
fn a_quiet_space_is_sealed_when_the_period_of_a_budget_is_over() {
    let (mut net, _) = pot();
    let steward = net.nodes[0].did;
    let policy = SpacePolicy { epoch_seconds: 2, ..SpacePolicy::default() };
    net.post(0, steward, vec![Act::Policy(policy)]).unwrap();
    let budget = allot(&mut net, Some(3), 5);
    let payee = net.nodes[2].did;
    let first = ask(&mut net, 3, vec![pay(payee, 5)], Some(budget)).unwrap();
    net.run(10_000);
    assert!(matches!(status(&net, 0, first), ProposalStatus::Enacted(_)));
    let seals = net.nodes[0].replica.books().seals().len();
    net.run(10_000);
    assert_eq!(net.nodes[0].replica.books().seals().len(), seals, "nothing is written, nothing is over");
    assert_eq!(net.nodes[3].replica.books().budgets(None)[0].left, 0);
    net.now = net.now.plus(DAY);
    net.run(10_000);
    assert_eq!(net.nodes[0].replica.books().seals().len(), seals + 1, "one for the period");
    assert_eq!(net.nodes[3].replica.books().budgets(None)[0].left, 5);
    let second = ask(&mut net, 3, vec![pay(payee, 4)], Some(budget)).unwrap();
    net.run(3_000);
    assert!(matches!(status(&net, 0, second), ProposalStatus::Enacted(_)));
    assert_eq!(net.balance(0, 2), 9);
    net.agree();
}

/// Three payments of four hours were due, of which a budget of ten a day covers two: the third is made on the next day.
#[test]
fn standing_orders_of_a_treasury_are_paid_within_their_budget() {
    let (mut net, pot) = pot();
    let steward = net.nodes[0].did;
    let policy = SpacePolicy { epoch_seconds: 2, ..SpacePolicy::default() };
    net.post(0, steward, vec![Act::Policy(policy)]).unwrap();
    let budget = allot(&mut net, None, 10);
    let terms = StandingOrder {
        to: net.nodes[3].did,
        amount: 4,
        currency: "hours".into(),
        memo: None,
        start: icn_types::Timestamp::from_millis(net.now.as_millis() - 2 * DAY.as_millis()),
        every: Every::Days(1),
        count: Some(3),
        until: None,
        budget: Some(budget),
    };
    let asked = ask(&mut net, 0, vec![Act::Standing(terms)], None).unwrap();
    net.run(3_000);
    approve(&mut net, 2, asked);
    net.run(5_000);
    assert_eq!(net.balance(0, 3), 8);
    let (view, refused) = net.nodes[1].replica.standings(&pot).remove(0);
    assert_eq!(view.paid, 2);
    let reason = Reason::OverBudget { left: 2, requested: 4 };
    assert!(matches!(refused, Some(Refusal::Books { reason: found, .. }) if found == reason));
    net.now = net.now.plus(DAY);
    net.run(10_000);
    net.now = net.now.plus(Duration::from_secs(601));
    net.run(5_000);
    assert_eq!(net.balance(0, 3), 12);
    net.agree();
}
