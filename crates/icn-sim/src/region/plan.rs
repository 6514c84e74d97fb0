//! What a community and the region around it are made of, drawn from the seed.

use super::RegionOptions;
use crate::random::Random;

/// How many names the region has at a time, once it has grown.
pub(super) const SYBILS: usize = 1_000;

/// How sybils vouch for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Those at the ends of attack edges vouch for everybody.
    Star,
    /// Each vouches for some others.
    Dense,
    /// Both.
    Both,
}

/// How sybils become members of the space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// By an invitation of a deceived steward that anybody may use.
    Invitation,
    /// The first are let in by a deceived steward, and let in the others.
    Gates,
}

/// Where a sybil says that it stands, seen from whomever it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pose {
    /// In the same cluster.
    Cluster,
    /// In the same region, in another cluster.
    Region,
    /// In another region.
    Elsewhere,
}

impl Pose {
    /// Lists all of them.
    pub(super) const ALL: [Self; 3] = [Self::Cluster, Self::Region, Self::Elsewhere];
}

/// A world. Probabilities are in parts per million.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) honest: usize,
    pub(super) stewards: usize,
    /// How many words of honest members the region has at a time.
    pub(super) attack_edges: usize,
    /// How much a deceived member trusts a sybil at most, in parts per million.
    pub(super) word_ppm: u64,
    pub(super) style: Style,
    pub(super) door: Door,
    /// How many stewards let sybils in.
    pub(super) deceived_stewards: usize,
    /// Where all sybils say that they stand; none: each somewhere else.
    pub(super) pose: Option<Pose>,
    /// How many address groups the region has.
    pub(super) corners: usize,
    pub(super) steps: usize,
    pub(super) step_days: u64,
    /// How often a member leaves in one step.
    pub(super) leave_ppm: u64,
    /// How many friendships end in one step.
    pub(super) partings: u64,
    /// How many names the region changes in one step.
    pub(super) new_names: u64,
    /// How often one of the attack edges is exchanged for another in one step.
    pub(super) swap_ppm: u64,
    /// How often a deceived member finds out in one step.
    pub(super) discovery_ppm: u64,
    /// How many honest nodes are looked at.
    pub(super) observed: usize,
}

impl Plan {
    pub(super) fn draw(options: &RegionOptions) -> Self {
        let mut random = Random::new(options.seed ^ 0x5ee4);
        let edges = [1, 1, 2, 5, 10, 20, 20, 40];
        let styles = [Style::Star, Style::Dense, Style::Both];
        let doors = [Door::Invitation, Door::Gates];
        let honest = count(&mut random, 200, 400);
        let drawn = edges.get(random.index(edges.len())).copied().unwrap_or(1);
        Self {
            seed: options.seed,
            honest,
            stewards: count(&mut random, 4, 7),
            attack_edges: options.attack_edges.unwrap_or(drawn).clamp(1, 200),
            word_ppm: random.within((500_000, 1_000_000)),
            style: styles.get(random.index(styles.len())).copied().unwrap_or(Style::Both),
            door: doors.get(random.index(doors.len())).copied().unwrap_or(Door::Invitation),
            deceived_stewards: count(&mut random, 1, 2),
            pose: Pose::ALL.get(random.index(Pose::ALL.len() + 1)).copied(),
            corners: count(&mut random, 1, 20),
            steps: options.steps.unwrap_or(16).clamp(6, 200),
            step_days: random.within((1, 14)),
            leave_ppm: random.within((2_000, 30_000)),
            partings: random.within((0, 12)),
            new_names: random.within((10, 120)),
            swap_ppm: random.within((0, 700_000)),
            discovery_ppm: random.within((0, 300_000)),
            observed: options.observed.unwrap_or(6).clamp(1, honest),
        }
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "{} honest members, {} stewards ({} deceived), {} sybils ({:?}, {:?}, {}, {} address groups), {} attack edges of up \
             to {} ppm; {} steps of {} days, {} ‰ leave, {} friendships end, {} new names, {} ‰ swap, {} ‰ find out; {} nodes",
            self.honest,
            self.stewards,
            self.deceived_stewards,
            SYBILS,
            self.style,
            self.door,
            self.pose.map_or("mixed".to_owned(), |pose| format!("{pose:?}")),
            self.corners,
            self.attack_edges,
            self.word_ppm,
            self.steps,
            self.step_days,
            self.leave_ppm / 1_000,
            self.partings,
            self.new_names,
            self.swap_ppm / 1_000,
            self.discovery_ppm / 1_000,
            self.observed
        )
    }
}

fn count(random: &mut Random, low: u64, high: u64) -> usize {
    usize::try_from(random.within((low, high))).unwrap_or(usize::MAX)
}
