//! What must happen in situations that have a name.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends with the first thing that is not as it must be"
)]

use icn_mesh::{ExecutorConfig, JobRecord};
use icn_protocol::JobStatus;
use icn_sim::{Config, DiskConfig, Job, NodeConfig, Pipeline, Planned, World, random_world};
use icn_types::{Cid, End, StandardJobStatus, TokenAmount};

/// When jobs are submitted: every node has heard of every other by then.
const SUBMITTED_MS: u64 = 1_000;

/// The length of a lease, in milliseconds.
const LEASE_MS: u64 = 10_000;

const MINUTES: u64 = 60_000;

fn priced(amount: u64) -> NodeConfig {
    let price = Some(TokenAmount { amount, currency: "hours".to_owned() });
    NodeConfig {
        executor: Some(ExecutorConfig { price_base: price, ..ExecutorConfig::default() }),
        ..NodeConfig::default()
    }
}

fn lasting(runs_ms: u64) -> Job {
    Job { runs_ms, ..Job::default() }
}

fn record<'a>(world: &'a World, job: &Cid) -> &'a JobRecord {
    world.record(job).expect("the job is known")
}

fn executor_of(world: &World, job: &Cid) -> usize {
    let assignment = record(world, job).assignment().expect("the job is assigned");
    world.node_of(&assignment.executor).expect("the executor is a node")
}

fn is_running(world: &World, job: &Cid) -> bool {
    world.record(job).is_some_and(|record| record.state == JobStatus::Running)
}

/// Runs until the guest runs, as far as the originator knows; returns where.
fn until_running(world: &mut World, job: &Cid) -> usize {
    assert!(world.run_while(MINUTES, |world| !is_running(world, job)).unwrap(), "the job never ran");
    executor_of(world, job)
}

/// Runs until all jobs are final.
fn until_final(world: &mut World) {
    let end = world.now_ms() + 20 * MINUTES;
    assert!(world.run_while(end, |world| !world.all_final()).unwrap(), "a job is not final");
}

fn has_turn(record: &JobRecord, text: &str) -> bool {
    record.history.iter().any(|turn| {
        turn.state.contains(text) || turn.detail.as_ref().is_some_and(|detail| detail.contains(text))
    })
}

fn assert_completed(world: &World, job: &Cid) {
    let record = record(world, job);
    assert_eq!(record.status, StandardJobStatus::CompletedSuccessfully, "{:#?}", record.history);
    assert_eq!(record.end(), Some(End::Exit));
}

#[test]
fn a_quiet_world_runs_a_job_once() {
    for (end, status) in [
        (Planned::Exit(0), StandardJobStatus::CompletedSuccessfully),
        (Planned::Exit(7), StandardJobStatus::Failed),
        (Planned::Trap, StandardJobStatus::Failed),
        (Planned::OutOfFuel, StandardJobStatus::Failed),
    ] {
        let mut world = World::new(1, Config::with_executors(2));
        let job = world.submit_at(SUBMITTED_MS, 0, Job { end, ..Job::default() });
        until_final(&mut world);
        assert_eq!(record(&world, &job).status, status);
        assert!(record(&world, &job).receipt.is_some());
        assert_eq!(world.starts(&job), 1);
        for state in ["Announced", "BiddingOpen", "BiddingClosed", "Assigned", "Running", "ReceiptAnchored"] {
            assert!(has_turn(record(&world, &job), state), "{state}");
        }
    }
}

#[test]
fn an_executor_killed_mid_job_is_replaced_within_the_lease_and_two_seconds() {
    for seed in 0..10 {
        let mut world = World::new(seed, Config::with_executors(2));
        let job = world.submit_at(SUBMITTED_MS, 0, lasting(20_000));
        let first = until_running(&mut world, &job);
        // A while later, so that the lease was renewed, and at another moment of its course in each world.
        let killed_at = world.now_ms() + 4_000 + 700 * seed;
        world.kill_at(killed_at, first);
        world.run_until(killed_at).unwrap();
        let elsewhere = |world: &World| is_running(world, &job) && executor_of(world, &job) != first;
        let deadline = killed_at + LEASE_MS + 2_000;
        assert!(world.run_while(deadline, |world| !elsewhere(world)).unwrap(), "seed {seed}");
        until_final(&mut world);
        assert_completed(&world, &job);
        assert_eq!(record(&world, &job).epoch(), 2);
    }
}

#[test]
fn an_originator_killed_mid_job_completes_it_with_the_whole_history() {
    for (down_ms, epochs) in [(2_000, 1), (30_000, 2)] {
        let mut world = World::new(3, Config::with_executors(2));
        let job = world.submit_at(SUBMITTED_MS, 0, lasting(15_000));
        until_running(&mut world, &job);
        world.run_until(world.now_ms() + 500).unwrap();
        let killed_at = world.now_ms();
        world.kill_at(killed_at, 0);
        world.start_at(killed_at + down_ms, 0);
        world.run_until(killed_at + down_ms).unwrap();
        until_final(&mut world);
        assert_completed(&world, &job);
        let record = record(&world, &job);
        assert!(record.epoch() <= epochs, "{:#?}", record.history);
        for turn in ["submitted", "Announced", "Assigned", "Running", "started again", "ReceiptAnchored"] {
            assert!(has_turn(record, turn), "{turn} in {:#?}", record.history);
        }
    }
}

#[test]
fn a_job_whose_acknowledgement_is_lost_runs_once() {
    for seed in 0..20 {
        let mut world = World::new(seed, Config::with_executors(2));
        let job = world.submit_at(SUBMITTED_MS, 0, lasting(1_000));
        let assigned = |world: &World| world.starts(&job) > 0;
        assert!(world.run_while(MINUTES, |world| !assigned(world)).unwrap());
        // The acknowledgement is on its way when the way back is cut.
        let (now, executor) = (world.now_ms(), executor_of(&world, &job));
        assert_eq!(record(&world, &job).state, JobStatus::AwaitingAssignmentConfirmation);
        world.cut_at(now, executor, 0);
        world.heal_at(now + 3_000 + 200 * seed);
        world.run_until(now).unwrap();
        until_final(&mut world);
        assert_completed(&world, &job);
        assert_eq!(world.starts(&job), 1, "seed {seed}");
    }
}

#[test]
fn an_executor_whose_answers_are_lost_keeps_its_first_lease() {
    let mut world = World::new(9, Config::with_executors(2));
    let job = world.submit_at(SUBMITTED_MS, 0, lasting(60_000));
    assert!(world.run_while(MINUTES, |world| world.starts(&job) == 0).unwrap());
    let (now, executor) = (world.now_ms(), executor_of(&world, &job));
    world.cut_at(now, executor, 0);
    // Nothing of the first executor ever comes back: the second may not start before the first has stopped.
    assert!(world.run_while(now + 30_000, |world| world.starts(&job) == 1).unwrap());
    assert!(world.now_ms() >= now + LEASE_MS, "at {} ms", world.now_ms() - now);
    assert_eq!(world.executor(executor).unwrap().open_len(), 0);
}

#[test]
fn a_late_receipt_is_recorded_and_not_paid() {
    let mut world = World::new(4, Config::with_executors(2));
    let job = world.submit_at(SUBMITTED_MS, 0, lasting(8_000));
    let first = until_running(&mut world, &job);
    let now = world.now_ms();
    world.cut_at(now, first, 0);
    world.cut_at(now, 0, first);
    // The first run ends within its lease; the second is under way when its receipt arrives.
    world.heal_at(now + 16_000);
    until_final(&mut world);
    world.run_until(world.now_ms() + MINUTES).unwrap();
    assert_completed(&world, &job);
    let record = record(&world, &job);
    assert_eq!(record.assignments.len(), 2);
    let late = record.assignments[0].receipt.expect("the late receipt is recorded");
    assert_ne!(Some(late), record.receipt_cid);
    assert_eq!(record.receipt.as_ref().unwrap().lease_epoch, 2);
    assert!(has_turn(record, "recorded, not paid"));
    assert_eq!(world.starts(&job), 2);
}

#[test]
fn cancelling_and_completing_at_the_same_time_has_one_outcome() {
    let (mut cancelled, mut completed) = (0, 0);
    for seed in 0..40 {
        let mut world = World::new(seed, Config::with_executors(1));
        let job = world.submit_at(SUBMITTED_MS, 0, lasting(200));
        world.cancel_at(SUBMITTED_MS + seed * 10, job, "not needed");
        until_final(&mut world);
        world.run_until(world.now_ms() + MINUTES).unwrap();
        let record = record(&world, &job);
        match record.status {
            StandardJobStatus::CompletedSuccessfully => completed += 1,
            StandardJobStatus::Cancelled => {
                cancelled += 1;
                assert_ne!(record.end(), Some(End::Exit));
            }
            other => panic!("{other:?}"),
        }
        assert!(record.receipt.is_some() || record.failure.is_some());
        assert_eq!(world.executor(1).unwrap().open_len(), 0);
    }
    assert!(cancelled > 5 && completed > 5, "{cancelled} cancelled, {completed} completed");
}

#[test]
fn a_cancellation_outlives_its_originator() {
    let mut world = World::new(5, Config::with_executors(1));
    let job = world.submit_at(SUBMITTED_MS, 0, lasting(50_000));
    until_running(&mut world, &job);
    let now = world.now_ms();
    // The executor does not hear of it before the originator is killed.
    world.cut_at(now, 0, 1);
    world.cancel_at(now, job, &"not needed ".repeat(1_000));
    world.kill_at(now + 1_000, 0);
    world.heal_at(now + 1_000);
    world.start_at(now + 1_500, 0);
    assert!(world.run_while(now + 5_000, |world| !world.all_final()).unwrap());
    assert_eq!(record(&world, &job).status, StandardJobStatus::Cancelled);
}

#[test]
fn an_executor_that_shuts_down_hands_back() {
    let mut world = World::new(6, Config::with_executors(2));
    let job = world.submit_at(SUBMITTED_MS, 0, lasting(5_000));
    let first = until_running(&mut world, &job);
    let now = world.now_ms();
    world.drain_at(now, first);
    world.hand_back_at(now + 100, first);
    world.run_until(now).unwrap();
    until_final(&mut world);
    assert_completed(&world, &job);
    assert_ne!(executor_of(&world, &job), first);
    assert!(has_turn(record(&world, &job), "draining"));
    assert!(world.now_ms() < now + 7_000, "nobody waits for a lease that was given back");
}

#[test]
fn a_job_that_nobody_bids_for_fails_when_its_bidding_is_over() {
    let mut world = World::new(7, Config::with_executors(0));
    let job = world.submit_at(SUBMITTED_MS, 0, Job::default());
    world.run_until(SUBMITTED_MS + 599_000).unwrap();
    assert!(!world.all_final());
    assert!(world.run_while(SUBMITTED_MS + 601_000, |world| !world.all_final()).unwrap());
    assert_eq!(record(&world, &job).failure.as_ref().unwrap().code, "no_executor");
}

#[test]
fn the_next_best_bid_wins_when_the_best_declines_or_is_gone() {
    for (seed, kill) in [(8, false), (9, false), (8, true), (9, true)] {
        let nodes = vec![NodeConfig::default(), priced(1), priced(3), priced(2)];
        let mut world = World::new(seed, Config { nodes, ..Config::default() });
        let max_price = Some(TokenAmount { amount: 5, currency: "hours".to_owned() });
        let job = world.submit_at(SUBMITTED_MS, 0, Job { max_price, ..Job::default() });
        let best = world.did(1);
        let has_bid = |world: &World| {
            world.record(&job).is_some_and(|record| record.bids.iter().any(|bid| bid.executor == best))
        };
        assert!(world.run_while(MINUTES, |world| !has_bid(world)).unwrap());
        let now = world.now_ms();
        if kill {
            world.kill_at(now, 1)
        } else {
            world.drain_at(now, 1)
        }
        world.run_until(now).unwrap();
        until_final(&mut world);
        assert_completed(&world, &job);
        assert_eq!(executor_of(&world, &job), 3);
        assert_eq!(record(&world, &job).assignments[0].executor, best);
        assert_eq!(world.starts(&job), 1);
    }
}

#[test]
fn fifo_takes_the_first_bid_and_best_score_the_cheapest() {
    let mut first_was_dearer = 0;
    for seed in 0..20 {
        for placement in ["FIFO", "BestScore"] {
            let nodes = vec![NodeConfig::default(), priced(5), priced(1), priced(4)];
            let mut world = World::new(seed, Config { nodes, ..Config::default() });
            let max_price = Some(TokenAmount { amount: 5, currency: "hours".to_owned() });
            let placement_name = Some(placement.to_owned());
            let job = world.submit_at(
                SUBMITTED_MS,
                0,
                Job { max_price, placement: placement_name, ..Job::default() },
            );
            until_final(&mut world);
            assert_completed(&world, &job);
            let first = record(&world, &job).bids[0].executor;
            match placement {
                "FIFO" => assert_eq!(record(&world, &job).assignment().unwrap().executor, first),
                _ => {
                    assert_eq!(executor_of(&world, &job), 2, "seed {seed}");
                    first_was_dearer += u32::from(first != world.did(2));
                }
            }
        }
    }
    assert!(first_was_dearer > 0);
}

#[test]
fn a_remote_job_keeps_the_submitters_own_executor_out() {
    for (remote, expected) in [(true, 1), (false, 0)] {
        let nodes = vec![priced(1), priced(5)];
        let mut world = World::new(10, Config { nodes, ..Config::default() });
        let max_price = Some(TokenAmount { amount: 5, currency: "hours".to_owned() });
        let job = world.submit_at(SUBMITTED_MS, 0, Job { remote, max_price, ..Job::default() });
        until_final(&mut world);
        assert_completed(&world, &job);
        assert_eq!(executor_of(&world, &job), expected);
    }
}

#[test]
fn an_executor_started_again_hands_back_what_it_ran() {
    let mut world = World::new(11, Config::with_executors(1));
    let job = world.submit_at(SUBMITTED_MS, 0, lasting(6_000));
    let executor = until_running(&mut world, &job);
    let now = world.now_ms();
    world.kill_at(now + 200, executor);
    world.start_at(now + 400, executor);
    world.run_until(now + 400).unwrap();
    until_final(&mut world);
    assert_completed(&world, &job);
    assert!(has_turn(record(&world, &job), "handed the job back: restarted"));
    assert!(world.now_ms() < now + 9_000, "the lease was given back, nobody waits for it");
}

#[test]
fn an_executor_that_cannot_reach_its_originator_stops_by_itself() {
    let mut world = World::new(12, Config::with_executors(1));
    let job = world.submit_at(SUBMITTED_MS, 0, lasting(40_000));
    let executor = until_running(&mut world, &job);
    let now = world.now_ms();
    world.cut_at(now, executor, 0);
    world.cut_at(now, 0, executor);
    world.run_until(now + LEASE_MS + 500).unwrap();
    let execution = world.executor(executor).unwrap().execution(&job).unwrap();
    let receipt = execution.receipt.as_ref().expect("it has stopped");
    assert_eq!(receipt.end, End::NodeFault);
    assert_eq!(receipt.error.as_ref().unwrap().code, "lease_lost");
}

#[test]
fn a_guest_that_talks_a_lot_keeps_its_lease() {
    let mut world = World::new(13, Config::with_executors(1));
    let job = world.submit_at(SUBMITTED_MS, 0, Job { lines: 3_000, line_bytes: 300, ..lasting(30_000) });
    let endless = world.submit_at(SUBMITTED_MS, 0, Job { lines: 3, line_bytes: 100_000, ..lasting(15_000) });
    until_final(&mut world);
    for job in [job, endless] {
        assert_completed(&world, &job);
        assert_eq!(world.starts(&job), 1);
        assert!(has_turn(record(&world, &job), "xxxx"));
    }
}

#[test]
fn more_jobs_than_places_all_complete() {
    let narrow = || NodeConfig {
        executor: Some(ExecutorConfig { running_max: 1, queued_max: 0, ..ExecutorConfig::default() }),
        ..NodeConfig::default()
    };
    let nodes = std::iter::once(NodeConfig::default()).chain((0..9).map(|_| narrow())).collect();
    let mut world = World::new(14, Config { nodes, ..Config::default() });
    let jobs: Vec<Cid> = (0..30).map(|_| world.submit_at(SUBMITTED_MS, 0, lasting(2_000))).collect();
    until_final(&mut world);
    for job in &jobs {
        assert_completed(&world, job);
    }
}

#[test]
fn a_shell_that_writes_notes_late_is_noticed() {
    let mut noticed = 0;
    for seed in 0..60 {
        let nodes = Config::with_executors(2).nodes;
        let disk = DiskConfig { sync_ms: (5, 60), ..DiskConfig::default() };
        let config = Config { nodes, disk, pipeline: Pipeline::LateNotes, ..Config::default() };
        let mut world = World::new(seed, config);
        for n in 0..6 {
            world.submit_at(SUBMITTED_MS + n, 0, lasting(25 + 3 * n));
        }
        noticed += u32::from(world.run_until(MINUTES).is_err());
    }
    assert!(noticed > 0);
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = |seed| {
        let mut world = random_world(seed, true);
        world.run_until(2 * MINUTES).unwrap();
        world.story()
    };
    assert_eq!(story(21), story(21));
    assert_ne!(story(21), story(22));
}
