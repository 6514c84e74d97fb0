//! Worlds drawn from a seed: nodes, jobs, faults and cheats.

use icn_mesh::{ExecutorConfig, OriginatorConfig};
use icn_types::{Duration, Region, TokenAmount};

use crate::check::Violation;
use crate::config::{Cheat, Config, DiskConfig, LedgerConfig, NetworkConfig, NodeConfig, Pipeline};
use crate::job::{Job, Planned};
use crate::outside::CHEAT_MS;
use crate::random::Random;
use crate::world::World;

/// Faults and new jobs come within this time, in milliseconds; then the world is calm.
const TROUBLE_MS: u64 = 90_000;

/// How long after the last fault every job must be final, in milliseconds: one that nobody bids for waits 600 s.
const BOUND_MS: u64 = 1_000_000;

/// How long after that bids may still bind and receipts wait, in milliseconds.
const AFTERMATH_MS: u64 = 400_000;

/// Runs the world of a seed to its quiet end.
///
/// # Errors
///
/// [`Violation`] when a promise is broken on the way, or something is left at the end.
pub fn check_world(seed: u64, story: bool) -> Result<(), Box<Violation>> {
    let mut world = random_world(seed, story);
    world.run_until(TROUBLE_MS)?;
    let end = world.now_ms() + BOUND_MS;
    world.run_while(end, |world| !world.all_final())?;
    if world.has_cheat(Cheat::Pretends) {
        // Only its user's patience ends a job that its executor says it prepares.
        let (now, jobs) = (world.now_ms(), world.jobs());
        jobs.into_iter().for_each(|job| world.cancel_at(now, job, "it takes too long"));
        world.run_while(now + BOUND_MS, |world| !world.all_final())?;
    }
    let end = world.now_ms() + AFTERMATH_MS;
    world.run_until(end)?;
    // A cheat may have said something a moment ago; its answer may wait for a write.
    world.run_while(end + CHEAT_MS, World::is_writing)?;
    world.check_quiet()
}

/// Makes the world of a seed, with its jobs and its faults; all faults end after 90 s.
#[must_use]
pub fn random_world(seed: u64, story: bool) -> World {
    // The plan of a world has its own source of chance, so that a change of the world's loop keeps the plan.
    let mut random = Random::new(seed ^ 0x5eed_0f70_0715);
    let mut world = World::new(seed, draw_config(&mut random, story));
    let nodes = world.nodes.len();
    for _ in 0..random.within((1, 6)) {
        draw_job(&mut world, &mut random);
    }
    let honest_faults = random.within((0, 6));
    for _ in 0..honest_faults {
        let at = random.within((0, TROUBLE_MS));
        let node = random.index(nodes);
        let other = random.index(nodes);
        match random.index(8) {
            0..=2 => {
                world.kill_at(at, node);
                let down = random.within((20, 30_000));
                world.start_at(at + down, node);
            }
            3 => world.cut_at(at, node, other),
            4 | 5 => {
                world.cut_at(at, node, other);
                world.cut_at(at, other, node);
                let long = random.within((100, 45_000));
                world.heal_at(at + long);
            }
            6 => world.drain_at(at, node),
            _ => {
                world.drain_at(at, node);
                let later = random.within((0, 5_000));
                world.hand_back_at(at + later, node);
            }
        }
    }
    world.calm_at(TROUBLE_MS);
    world
}

fn draw_config(random: &mut Random, story: bool) -> Config {
    let count = random.within((2, 5));
    let nodes = (0..count).map(|at| draw_node(random, at)).collect();
    let lossy = [0, 0, 50_000, 150_000, 350_000];
    let slow = [5, 40, 400, 1_800];
    let stalls = [0, 0, 20_000];
    let spread = [10, 10, 300, 4_000, 9_000];
    Config {
        nodes,
        network: NetworkConfig {
            loss_ppm: *lossy.get(random.index(lossy.len())).unwrap_or(&0),
            repeat_ppm: random.within((0, 150_000)),
            delay_ms: (1, *slow.get(random.index(slow.len())).unwrap_or(&5)),
        },
        disk: DiskConfig {
            sync_ms: (0, random.within((1, 40))),
            stall_ppm: *stalls.get(random.index(stalls.len())).unwrap_or(&0),
            stall_ms: 500,
        },
        ledger: LedgerConfig {
            delay_ms: (1, random.within((2, 400))),
            seen_ms: (1, *spread.get(random.index(spread.len())).unwrap_or(&10)),
        },
        originator: OriginatorConfig { hold_slack: Duration::from_secs(300), ..OriginatorConfig::default() },
        real_signatures: random.chance(60_000),
        guard: random.chance(700_000),
        pipeline: if random.chance(700_000) { Pipeline::InOrder } else { Pipeline::PerEvent },
        story,
    }
}

fn draw_node(random: &mut Random, at: u64) -> NodeConfig {
    let cheats = [
        Cheat::LiesAboutCids,
        Cheat::NeverAssigned,
        Cheat::Replays,
        Cheat::Mute,
        Cheat::AssignsTwice,
        Cheat::Pretends,
        Cheat::NamesOtherHolds,
        Cheat::NeverCaptures,
    ];
    let executor = ExecutorConfig {
        running_max: usize::try_from(random.within((1, 3))).unwrap_or(1),
        queued_max: random.index(3),
        price_base: random.chance(600_000).then(|| hours(random.within((0, 4)))),
        price_per_million_fuel: random.within((0, 2)),
        hold_slack_min: Duration::from_secs(120),
        claim_margin: Duration::from_secs(60),
        region: random.chance(500_000).then(|| "north".parse::<Region>().ok()).flatten(),
        ..ExecutorConfig::default()
    };
    NodeConfig {
        executor: (at != 0 || random.chance(500_000)).then_some(executor),
        line: random.chance(200_000).then(|| random.within((0, 8))),
        skew_ms: i64::try_from(random.within((0, 6_000))).unwrap_or(0) - 3_000,
        cheat: (at != 1 && random.chance(120_000))
            .then(|| cheats.get(random.index(cheats.len())).copied())
            .flatten(),
    }
}

fn draw_job(world: &mut World, random: &mut Random) {
    let longest = [50, 2_000, 15_000, 40_000];
    let longest = *longest.get(random.index(longest.len())).unwrap_or(&50);
    let runs_ms = random.within((1, longest));
    let ends = [Planned::Exit(0), Planned::Exit(0), Planned::Exit(0), Planned::Exit(1), Planned::Trap];
    let rare = [Planned::OutOfFuel, Planned::NodeFault];
    let end =
        if random.chance(100_000) { rare.get(random.index(2)) } else { ends.get(random.index(ends.len())) };
    let placements = ["FIFO", "BestScore"];
    let job = Job {
        runs_ms,
        end: end.copied().unwrap_or(Planned::Exit(0)),
        lines: if random.chance(300_000) { random.within((1, 60)) } else { 0 },
        line_bytes: usize::try_from(random.within((1, 1_500))).unwrap_or(1),
        remote: random.chance(300_000),
        placement: random
            .chance(500_000)
            .then(|| placements.get(random.index(2)).map(|name| (*name).to_owned()))
            .flatten(),
        max_price: random.chance(800_000).then(|| hours(random.within((1, 5)))),
        region: random.chance(100_000).then(|| "north".parse::<Region>().ok()).flatten(),
        allowed: Vec::new(),
        fuel: random.within((0, 3_000_000)),
        max_fuel: 3_000_000,
        timeout_seconds: 60,
    };
    let at = random.within((0, TROUBLE_MS * 2 / 3));
    let owner = random.index(world.nodes.len());
    let id = world.submit_at(at, owner, job);
    if random.chance(200_000) {
        let reason =
            if random.chance(300_000) { "so ".repeat(3_000) } else { "not needed any more".to_owned() };
        let after = random.within((0, runs_ms + 2_000));
        world.cancel_at(at + after, id, &reason);
    }
}

fn hours(amount: u64) -> TokenAmount {
    TokenAmount { amount, currency: "hours".to_owned() }
}
