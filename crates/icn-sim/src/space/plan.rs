//! What a federation is made of, drawn from its seed.

use icn_ledger::faults;

use super::SpaceOptions;
use crate::random::Random;

/// How a member breaks the rules. All of them sign twice at one place now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cheat {
    /// Signs two to four entries at one place, and pays more than it has.
    Spends,
    /// Besides, its node damages what it sends on sessions, and publishes forged entries.
    Forges,
}

/// One node.
#[derive(Debug, Clone, Default)]
pub(super) struct NodePlan {
    /// How far its clock is ahead (or, negative, behind), in milliseconds.
    pub(super) skew_ms: i64,
    /// How it cheats, if it does.
    pub(super) cheat: Option<Cheat>,
    /// Whether it accepts payments by itself.
    pub(super) accepts: bool,
    /// Whether it serves a second member.
    pub(super) has_second: bool,
    /// Whether it comes later, with an invitation.
    pub(super) is_late: bool,
}

/// A federation. Probabilities are in parts per million.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) nodes: Vec<NodePlan>,
    /// The first so many nodes witness.
    pub(super) witnesses: usize,
    pub(super) loss_ppm: u64,
    pub(super) repeat_ppm: u64,
    pub(super) delay_ms: (u64, u64),
    pub(super) break_ppm: u64,
    pub(super) sync_ms: (u64, u64),
    pub(super) stall_ppm: u64,
    pub(super) epoch_seconds: u64,
    pub(super) real_signatures: bool,
    /// How long faults and work come, in milliseconds.
    pub(super) trouble_ms: u64,
    pub(super) posts: u64,
    pub(super) crashes: u64,
    pub(super) backups: u64,
    pub(super) partitions: u64,
    pub(super) drops: u64,
    pub(super) forks: u64,
    pub(super) steward_acts: u64,
    /// Whether there are standing orders, disputes, demurrage and freezes that end: in every fourth federation.
    pub(super) derives: bool,
    /// The node with the key of a treasury: in every second federation.
    pub(super) pot: Option<usize>,
}

const DAY_MS: u64 = 24 * 3_600 * 1_000;

impl Plan {
    pub(super) fn draw(options: &SpaceOptions) -> Self {
        let mut random = Random::new(options.seed ^ 0x5bace);
        let drawn = usize::try_from(random.within((2, 6))).unwrap_or(2);
        let count = options.nodes.map_or(drawn, |nodes| nodes.clamp(1, 200));
        let witnesses = match random.index(2) {
            0 if count >= 3 => count.min(7) - random.index(2),
            _ => 0,
        };
        let mut nodes: Vec<NodePlan> = (0..count).map(|at| Self::draw_node(&mut random, at, count)).collect();
        for at in 0..witnesses {
            if let Some(node) = nodes.get_mut(at) {
                node.is_late = false;
            }
        }
        Self::spare_honest(&mut nodes, witnesses);
        let trouble_ms = random.within((15_000, 45_000));
        let lossy = [0, 0, 30_000, 150_000, 400_000];
        let slow = [5, 40, 400, 2_500];
        let syncs = [2, 20, 200];
        let pick =
            |random: &mut Random, list: &[u64]| list.get(random.index(list.len())).copied().unwrap_or(0);
        Self {
            seed: options.seed,
            witnesses,
            loss_ppm: pick(&mut random, &lossy),
            repeat_ppm: random.within((0, 150_000)),
            delay_ms: (1, pick(&mut random, &slow)),
            break_ppm: pick(&mut random, &[0, 20_000, 100_000]),
            sync_ms: (0, pick(&mut random, &syncs)),
            stall_ppm: pick(&mut random, &[0, 0, 20_000]),
            epoch_seconds: pick(&mut random, &[0, 4, 9]),
            real_signatures: random.chance(40_000),
            posts: random.within((8, 36)),
            crashes: random.within((0, 4)),
            backups: random.within((0, 2)),
            partitions: random.within((0, 2)),
            // A tenth of the nodes in a minute, and at least now and then one.
            drops: (count as u64 * trouble_ms).div_ceil(600_000) + random.within((0, 1)),
            forks: random.within((1, 3)),
            steward_acts: random.within((0, 4)),
            derives: options.seed % 4 == 3,
            pot: Self::place_pot(options.seed, &nodes),
            trouble_ms,
            nodes,
        }
    }

    /// The key of a treasury is on a node that is there from the start, in half of the cases one that cheats, if there is one.
    fn place_pot(seed: u64, nodes: &[NodePlan]) -> Option<usize> {
        let early = || nodes.iter().enumerate().filter(|(_, node)| !node.is_late);
        let cheats: Vec<usize> = early().filter(|(_, node)| node.cheat.is_some()).map(|(at, _)| at).collect();
        let all: Vec<usize> = early().map(|(at, _)| at).collect();
        let list = if (seed / 8).is_multiple_of(2) && !cheats.is_empty() { cheats } else { all };
        let place = usize::try_from(seed / 16).unwrap_or(0) % list.len().max(1);
        list.get(place).copied().filter(|_| seed % 2 == 1)
    }

    fn draw_node(random: &mut Random, at: usize, count: usize) -> NodePlan {
        let minutes = i64::try_from(random.within((0, 240_000))).unwrap_or(0) - 120_000;
        let days = i64::try_from(random.within((0, 6 * DAY_MS))).unwrap_or(0)
            - i64::try_from(3 * DAY_MS).unwrap_or(0);
        // Who founds and seals reads the right time to a few minutes; so do most witnesses.
        let is_far = at + 1 == count && at > 0 && random.chance(350_000);
        NodePlan {
            skew_ms: if is_far { days } else { minutes },
            cheat: (at != 0 && random.chance(260_000))
                .then(|| if random.chance(500_000) { Cheat::Spends } else { Cheat::Forges }),
            accepts: !random.chance(200_000),
            has_second: random.chance(250_000),
            is_late: at != 0 && at + 1 == count && random.chance(250_000),
        }
    }

    /// Fewer than a third of the witnesses lie or read the wrong time, and at least one node is honest.
    fn spare_honest(nodes: &mut [NodePlan], witnesses: usize) {
        let mut left = faults(witnesses);
        for node in nodes.iter_mut().take(witnesses) {
            let is_far = node.skew_ms.unsigned_abs() > 120_000;
            if node.cheat.is_none() && !is_far {
                continue;
            }
            if left > 0 {
                left -= 1;
            } else {
                node.cheat = None;
                node.skew_ms %= 60_000;
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let cheat = node.cheat.map_or(String::new(), |cheat| format!(" {cheat:?}"));
                let late = if node.is_late { " late" } else { "" };
                let slow = if node.accepts { "" } else { " by hand" };
                format!("n{at}({} s{cheat}{late}{slow})", node.skew_ms / 1_000)
            })
            .collect();
        let pot = self.pot.map_or(String::new(), |at| format!(" with a treasury on n{at}"));
        format!(
            "{}{pot}; {} witnesses, loss {} ‰, repeats {} ‰, delay up to {} ms, breaks {} ‰, sync up to {} ms, epochs of {} s, \
             {} crashes, {} backups, {} partitions, {} ms of trouble",
            nodes.join(", "),
            self.witnesses,
            self.loss_ppm / 1_000,
            self.repeat_ppm / 1_000,
            self.delay_ms.1,
            self.break_ppm / 1_000,
            self.sync_ms.1,
            self.epoch_seconds,
            self.crashes,
            self.backups,
            self.partitions,
            self.trouble_ms
        )
    }
}
