//! Jobs are paid: what must happen in situations that have a name.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends with the first thing that is not as it must be"
)]

use icn_mesh::{ExecutorConfig, HoldEnd, JobRecord, OriginatorConfig, PaymentState};
use icn_sim::{Cheat, Config, Job, LedgerConfig, NodeConfig, Pipeline, Planned, World};
use icn_types::{Cid, Duration, StandardJobStatus, TokenAmount};

/// When jobs are submitted: every node has heard of every other by then.
const SUBMITTED_MS: u64 = 1_000;

const MINUTES: u64 = 60_000;

/// The longest that a hold of these worlds lasts, and a little more.
const HOLDS_MS: u64 = 7 * MINUTES;

fn hours(amount: u64) -> TokenAmount {
    TokenAmount { amount, currency: "hours".to_owned() }
}

/// An executor that asks so much for a job and for a million of fuel.
fn asking(base: u64, per_million: u64) -> NodeConfig {
    let executor = ExecutorConfig {
        price_base: Some(hours(base)),
        price_per_million_fuel: per_million,
        hold_slack_min: Duration::from_secs(120),
        claim_margin: Duration::from_secs(60),
        ..ExecutorConfig::default()
    };
    NodeConfig { executor: Some(executor), ..NodeConfig::default() }
}

/// A world whose node 0 submits and whose others execute.
fn world(seed: u64, payer: NodeConfig, executors: Vec<NodeConfig>) -> World {
    World::new(seed, config(payer, executors))
}

fn config(payer: NodeConfig, executors: Vec<NodeConfig>) -> Config {
    let nodes = std::iter::once(payer).chain(executors).collect();
    let originator = OriginatorConfig { hold_slack: Duration::from_secs(300), ..OriginatorConfig::default() };
    Config { nodes, originator, ..Config::default() }
}

/// A job of 1.5 million of fuel that pays at most so much.
fn paying(max: u64) -> Job {
    Job { max_price: Some(hours(max)), fuel: 1_500_000, runs_ms: 100, ..Job::default() }
}

fn record<'a>(world: &'a World, job: &Cid) -> &'a JobRecord {
    world.record(job).expect("the job is known")
}

fn until_final(world: &mut World) {
    let end = world.now_ms() + 20 * MINUTES;
    assert!(world.run_while(end, |world| !world.all_final()).unwrap(), "a job is not final");
}

/// Runs until every hold must have ended, and checks that nothing is left.
fn until_quiet(world: &mut World) {
    until_final(world);
    world.run_until(world.now_ms() + HOLDS_MS).unwrap();
    world.check_quiet().unwrap();
}

/// Lets a second or two pass, much less than a hold lasts.
fn a_moment(world: &mut World) {
    world.run_until(world.now_ms() + 2_000).unwrap();
}

fn captured(amount: u64) -> Option<HoldEnd> {
    Some(HoldEnd::Captured(hours(amount)))
}

#[test]
fn a_deterministic_end_is_paid_by_its_fuel_and_at_most_the_bid() {
    let ends = [Planned::Exit(0), Planned::Exit(7), Planned::Trap, Planned::OutOfFuel];
    // Base 1, 2 for each million that was begun: 5 for 1.5 million, 7 at most for 3 million.
    for (end, max, due) in ends.iter().flat_map(|end| [(end, 9, 5), (end, 7, 5), (end, 3, 3), (end, 1, 1)]) {
        let mut world = world(1, NodeConfig::default(), vec![asking(1, 2)]);
        let job = world.submit_at(SUBMITTED_MS, 0, Job { end: *end, ..paying(max) });
        until_final(&mut world);
        a_moment(&mut world);
        assert_eq!(world.holds(&job), [captured(due)]);
        assert_eq!((world.balance(0), world.balance(1)), (-i128::from(due), i128::from(due)));
        let payment = &record(&world, &job).payments[0];
        assert_eq!(payment.amount, hours(max.min(7)), "the bid is held, the rest is free again");
        assert_eq!(payment.to_string(), format!("captured {due} hours"));
        until_quiet(&mut world);
    }
}

#[test]
fn an_operational_end_gives_the_hold_back_at_once() {
    let mut world = world(2, NodeConfig::default(), vec![asking(1, 0)]);
    let job = world.submit_at(SUBMITTED_MS, 0, Job { end: Planned::NodeFault, ..paying(9) });
    until_final(&mut world);
    a_moment(&mut world);
    assert_eq!(record(&world, &job).status, StandardJobStatus::Failed);
    let holds = world.holds(&job);
    assert!(holds.len() > 1, "each epoch has its own hold");
    assert!(holds.iter().all(|end| *end == Some(HoldEnd::Released)), "{holds:?}");
    assert_eq!((world.balance(0), world.balance(1)), (0, 0));
    until_quiet(&mut world);
}

#[test]
fn a_job_on_ones_own_node_and_one_for_nothing_need_no_hold() {
    let mut own = world(3, asking(4, 0), vec![]);
    let job = own.submit_at(SUBMITTED_MS, 0, paying(9));
    let mut free = world(3, NodeConfig::default(), vec![asking(0, 0)]);
    let other = free.submit_at(SUBMITTED_MS, 0, paying(9));
    for (mut world, job) in [(own, job), (free, other)] {
        until_quiet(&mut world);
        assert_eq!(record(&world, &job).status, StandardJobStatus::CompletedSuccessfully);
        assert_eq!(world.holds(&job), []);
    }
}

#[test]
fn what_the_ledger_refuses_goes_to_the_next_cheaper_bid_or_fails_with_its_words() {
    let mut refused = 0;
    for seed in 0..30 {
        let payer = || NodeConfig { line: Some(3), ..NodeConfig::default() };
        let job = Job { placement: Some("FIFO".to_owned()), ..paying(9) };
        let mut both = world(seed, payer(), vec![asking(5, 0), asking(2, 0)]);
        let id = both.submit_at(SUBMITTED_MS, 0, job.clone());
        until_quiet(&mut both);
        let states: Vec<PaymentState> = record(&both, &id).payments.iter().map(|paid| paid.state).collect();
        if states == [PaymentState::Refused] {
            // The dearer bid came alone.
            assert_eq!(record(&both, &id).failure.as_ref().unwrap().code, "payment_refused");
        } else {
            assert_eq!(record(&both, &id).status, StandardJobStatus::CompletedSuccessfully);
            assert_eq!(both.holds(&id), [captured(2)]);
        }
        refused += u32::from(states.len() == 2);

        let mut dear = world(seed, payer(), vec![asking(5, 0)]);
        let id = dear.submit_at(SUBMITTED_MS, 0, job);
        until_quiet(&mut dear);
        let failure = record(&dear, &id).failure.as_ref().unwrap();
        assert_eq!(failure.code, "payment_refused");
        assert!(failure.message.contains("not covered: 3 of 5 hours are left"), "{}", failure.message);
        assert_eq!((dear.holds(&id).len(), dear.starts(&id)), (0, 0));
    }
    assert!(refused > 0, "no dearer bid was first");
}

#[test]
fn a_best_bid_that_is_not_covered_makes_way_for_a_cheaper_one() {
    // The dear executor has earned a reputation that outweighs its price.
    let mut went_on = 0;
    for seed in 0..10 {
        let payer = NodeConfig { line: Some(11), ..NodeConfig::default() };
        let mut world = world(seed, payer, vec![asking(4, 0), asking(3, 0)]);
        let dear = world.did(1);
        for n in 0..2 {
            world.submit_at(SUBMITTED_MS + n * 3_000, 0, Job { allowed: vec![dear], ..paying(4) });
        }
        let job = world.submit_at(SUBMITTED_MS + 9_000, 0, paying(4));
        until_quiet(&mut world);
        let record = record(&world, &job);
        assert_eq!(record.status, StandardJobStatus::CompletedSuccessfully);
        assert_eq!(world.holds(&job), [captured(3)]);
        went_on += u32::from(record.payments.iter().any(|paid| paid.state == PaymentState::Refused));
    }
    assert!(went_on > 0);
}

#[test]
fn killing_either_side_at_any_step_neither_loses_nor_doubles_the_payment() {
    let mut again = 0;
    for (victim, pipeline) in
        [(0, Pipeline::InOrder), (1, Pipeline::InOrder), (0, Pipeline::PerEvent), (1, Pipeline::PerEvent)]
    {
        for step in (0..220).step_by(2) {
            let mut config = config(NodeConfig::default(), vec![asking(1, 2)]);
            config.pipeline = pipeline;
            let mut world = World::new(step % 3, config);
            let job = world.submit_at(SUBMITTED_MS, 0, paying(9));
            world.kill_at(SUBMITTED_MS + step, victim);
            world.start_at(SUBMITTED_MS + step + 50, victim);
            until_quiet(&mut world);
            let what = format!("n{victim} killed after {step} ms");
            let record = record(&world, &job);
            assert_eq!(record.status, StandardJobStatus::CompletedSuccessfully, "{what}");
            let holds = world.holds(&job);
            let paid = holds.iter().filter(|end| **end == captured(5)).count();
            assert_eq!(paid, 1, "{what}: {holds:?}");
            let given_back =
                |end: &Option<HoldEnd>| matches!(end, Some(HoldEnd::Released | HoldEnd::Expired));
            assert!(holds.iter().filter(|end| **end != captured(5)).all(given_back), "{what}: {holds:?}");
            assert_eq!((world.balance(0), world.balance(1)), (-5, 5), "{what}");
            again += u32::from(holds.len() > 1);
        }
    }
    assert!(again > 10, "some kills cost an epoch: {again}");
}

#[test]
fn an_executor_that_is_not_paid_claims_before_the_hold_ends() {
    for killed in [false, true] {
        let payer = NodeConfig { cheat: Some(Cheat::NeverCaptures), ..NodeConfig::default() };
        let mut world = world(4, payer, vec![asking(1, 2)]);
        let job = world.submit_at(SUBMITTED_MS, 0, paying(9));
        until_final(&mut world);
        a_moment(&mut world);
        assert_eq!(world.holds(&job), [None]);
        if killed {
            // What it is owed is on its disk, though the receipt is delivered.
            world.kill_at(world.now_ms(), 1);
            world.start_at(world.now_ms() + MINUTES, 1);
        }
        until_quiet(&mut world);
        assert_eq!(world.holds(&job), [Some(HoldEnd::Claimed(hours(5)))]);
        assert_eq!(world.balance(1), 5);
    }
}

#[test]
fn who_ran_a_job_that_was_given_to_another_claims_and_the_other_is_paid() {
    let mut world = world(5, NodeConfig::default(), vec![asking(1, 0), asking(1, 0)]);
    let job = world.submit_at(SUBMITTED_MS, 0, Job { runs_ms: 8_000, ..paying(9) });
    assert!(world.run_while(MINUTES, |world| world.starts(&job) == 0).unwrap());
    a_moment(&mut world);
    let first = world.node_of(&record(&world, &job).assignment().unwrap().executor).unwrap();
    let now = world.now_ms();
    world.cut_at(now, first, 0);
    world.cut_at(now, 0, first);
    world.heal_at(now + 16_000);
    until_quiet(&mut world);
    assert_eq!(world.holds(&job), [Some(HoldEnd::Claimed(hours(1))), captured(1)]);
}

#[test]
fn an_assignment_without_a_hold_of_its_own_is_refused() {
    for seed in 0..10 {
        let payer = NodeConfig { cheat: Some(Cheat::NamesOtherHolds), ..NodeConfig::default() };
        let mut world = world(seed, payer, vec![asking(1, 0)]);
        let jobs: Vec<Cid> = (0..3).map(|n| world.submit_at(SUBMITTED_MS + n * 50, 0, paying(9))).collect();
        world.run_until(5 * MINUTES).unwrap();
        let refused = jobs.iter().any(|job| {
            let bids = &record(&world, job).bids;
            bids.iter().any(|bid| {
                bid.outcome.as_ref().is_some_and(|outcome| outcome.contains("payment_not_covered"))
            })
        });
        assert!(refused, "seed {seed}");
    }
}

#[test]
fn a_hold_that_is_not_seen_in_time_is_refused_and_given_back() {
    let mut config = config(NodeConfig::default(), vec![asking(1, 0)]);
    config.ledger = LedgerConfig { seen_ms: (8_000, 8_000), ..LedgerConfig::default() };
    let mut world = World::new(6, config);
    let job = world.submit_at(SUBMITTED_MS, 0, paying(9));
    world.run_until(MINUTES).unwrap();
    let bids = &record(&world, &job).bids;
    assert!(bids[0].outcome.as_ref().unwrap().contains("payment_not_covered"), "{:?}", bids[0].outcome);
    assert_eq!(world.starts(&job), 0);
    until_quiet(&mut world);
    assert!(world.holds(&job).iter().all(|end| *end == Some(HoldEnd::Released)), "{:?}", world.holds(&job));
}

#[test]
fn a_job_cancelled_while_its_hold_is_placed_gives_it_back() {
    for after in (0..600).step_by(40) {
        let mut config = config(NodeConfig::default(), vec![asking(1, 0)]);
        config.ledger = LedgerConfig { delay_ms: (200, 200), ..LedgerConfig::default() };
        let mut world = World::new(7, config);
        let job = world.submit_at(SUBMITTED_MS, 0, Job { runs_ms: 5_000, ..paying(9) });
        world.cancel_at(SUBMITTED_MS + after, job, "not needed");
        until_final(&mut world);
        world.run_until(world.now_ms() + 5_000).unwrap();
        assert_eq!(record(&world, &job).status, StandardJobStatus::Cancelled);
        let holds = world.holds(&job);
        assert!(holds.iter().all(|end| *end == Some(HoldEnd::Released)), "after {after} ms: {holds:?}");
        until_quiet(&mut world);
    }
}
