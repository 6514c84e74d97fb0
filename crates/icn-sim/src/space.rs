//! A federation of replicas of one space, in one thread and from one seed.
//!
//! The real log, books, witnesses and reconciliations run on every node, each behind a shell that does what the node's
//! shell does, no better: one write for each turn, and what stands behind a write waits for it. The seed draws the faults:
//! lost, late, repeated and reordered messages, broken sessions, partitions, crashes that lose what was not durable,
//! restored backups, clocks that are days off, members that sign twice or spend too much, forged entries, lying witnesses.
//!
//! After every turn the promises are looked at. A broken one ends the run and names the seed, which brings it back.

mod cheat;
mod check;
mod disk;
mod last;
mod network;
mod node;
mod outside;
mod plan;
mod planted;
mod pot;
mod pot_check;
mod shell;
mod tell;
mod work;
mod world;

use std::fmt;

use serde::Serialize;

use self::plan::Plan;
pub use self::planted::Planted;
use self::world::Federation;

/// How many lines of the story a failure usually shows.
pub const STORY_LINES: usize = 60;

/// What is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpaceOptions {
    /// The seed.
    pub seed: u64,
    /// How many nodes; drawn from the seed when absent.
    pub nodes: Option<usize>,
    /// How many of the last lines of the story are kept; 0: none is recorded.
    pub story: usize,
    /// The bug that is planted, if one is.
    pub planted: Option<Planted>,
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SpaceReport {
    /// The seed.
    pub seed: u64,
    /// How many nodes there were.
    pub nodes: usize,
    /// How many of them witness.
    pub witnesses: usize,
    /// How many virtual milliseconds went by.
    pub virtual_ms: u64,
    /// How many turns the nodes had.
    pub turns: u64,
    /// How many times equal sets of entries were compared.
    pub compared: u64,
    /// How many entries everybody has at the end.
    pub entries: usize,
    /// How many requests of users were answered with an entry.
    pub acknowledged: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many crashes there were.
    pub crashes: u64,
    /// How many backups were restored.
    pub backups: u64,
    /// How many partitions there were.
    pub partitions: u64,
    /// How many reconciliations were begun.
    pub sessions: u64,
    /// How many of them were broken off.
    pub sessions_broken: u64,
    /// How many places of chains have more than one entry.
    pub forks: usize,
    /// How many claims stand for what became void.
    pub claims: usize,
    /// How many seals make the line.
    pub seals: usize,
    /// How many payments were accepted.
    pub accepted: usize,
    /// How many payments and holds ended by a seal.
    pub expired: usize,
    /// How many acts have no effect.
    pub without_effect: u64,
    /// How many payments of members beyond their limit were made.
    pub overdrawn: u64,
    /// How many proposals the treasury carried out.
    pub enacted: usize,
    /// How much of its budgets was spent.
    pub budgeted: i64,
    /// How many claims were settled by carrying out once more what a lost branch had.
    pub settled: usize,
    /// The last lines of the story, when it was recorded.
    pub story: Vec<String>,
}

/// A broken promise: which, when, in which world.
#[derive(Debug, Clone, Serialize, thiserror::Error)]
pub struct SpaceViolation {
    /// The seed that brings it back.
    pub seed: u64,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// Which promise, and what was found.
    pub what: String,
    /// The faults of this world.
    pub world: String,
    /// What happened last, if it was recorded.
    pub story: Vec<String>,
}

impl fmt::Display for SpaceViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "world: {}", self.world)?;
        write!(f, "ICN_SIM_SEED={} at {} ms: {}", self.seed, self.at_ms, self.what)
    }
}

/// Runs the federation of a seed to its quiet end.
///
/// # Errors
///
/// [`SpaceViolation`] when a promise is broken on the way, or something is left at the end.
pub fn check_space(options: &SpaceOptions) -> Result<SpaceReport, Box<SpaceViolation>> {
    let plan = Plan::draw(options);
    let mut federation = Federation::new(plan, options);
    match federation.run() {
        Ok(()) => Ok(federation.report()),
        Err(what) => Err(Box::new(federation.violation(what))),
    }
}

impl SpaceReport {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.virtual_ms += other.virtual_ms;
        self.turns += other.turns;
        self.compared += other.compared;
        self.entries += other.entries;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.crashes += other.crashes;
        self.backups += other.backups;
        self.partitions += other.partitions;
        self.sessions += other.sessions;
        self.sessions_broken += other.sessions_broken;
        self.forks += other.forks;
        self.claims += other.claims;
        self.seals += other.seals;
        self.accepted += other.accepted;
        self.expired += other.expired;
        self.without_effect += other.without_effect;
        self.overdrawn += other.overdrawn;
        self.enacted += other.enacted;
        self.budgeted += other.budgeted;
        self.settled += other.settled;
        self.nodes += other.nodes;
        self.witnesses += other.witnesses;
    }
}

/// Says in a few lines what runs came to.
#[must_use]
pub fn summary(report: &SpaceReport) -> String {
    format!(
        "{} nodes, {} of them witnesses; {} turns, {} entries, {} requests acknowledged, {} refused\n\
         {} crashes, {} backups restored, {} partitions, {} of {} sessions broken off\n\
         {} forks, {} claims, {} seals, {} payments accepted, {} expired, {} acts without effect, {} beyond a limit\n\
         {} proposals carried out, {} spent of budgets, {} claims on treasuries settled\n\
         books of equal sets compared {} times",
        report.nodes,
        report.witnesses,
        report.turns,
        report.entries,
        report.acknowledged,
        report.refused,
        report.crashes,
        report.backups,
        report.partitions,
        report.sessions_broken,
        report.sessions,
        report.forks,
        report.claims,
        report.seals,
        report.accepted,
        report.expired,
        report.without_effect,
        report.overdrawn,
        report.enacted,
        report.budgeted,
        report.settled,
        report.compared
    )
}
