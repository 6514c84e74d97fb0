//! A sybil region that tries to take credit, votes, neighbours and bandwidth from a community, from one seed.
//!
//! Honest members know each other as in a small world, leave, come back, part and vouch anew. A thousand made-up members hang
//! on them by a few words that were bought; they vouch for each other at will, come and go, change their names, and swap the
//! words. Time fades and ends what was said, and deceived members find out and take their words back.
//!
//! What follows is decided by the code that runs: `icn_trust`'s readings, admission, credit, branches, table and standing,
//! `icn_net`'s places and neighbours. After every step what the region got of each resource is held against what it can get at
//! most, which is derived from the attack edges alone ([`RegionReport`]). Nobody votes yet; who is admitted is who could.

mod attack;
mod bound;
mod check;
mod honest;
mod messages;
mod node;
mod people;
mod places;
mod plan;
mod planted;
mod reading;
mod report;
mod world;

use std::fmt;

use serde::Serialize;

use self::plan::Plan;
pub use self::planted::RegionBug;
pub use self::report::{RegionReport, Resource, Taken};
use self::world::World;

/// What is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegionOptions {
    /// The seed.
    pub seed: u64,
    /// How many steps; 16 when absent.
    pub steps: Option<usize>,
    /// How many words of honest members the region has at a time; drawn from the seed when absent.
    pub attack_edges: Option<usize>,
    /// How many honest nodes are looked at; 6 when absent.
    pub observed: Option<usize>,
    /// The bug that is planted, if one is.
    pub planted: Option<RegionBug>,
}

/// A broken promise: which, when, in which world.
#[derive(Debug, Clone, Serialize, thiserror::Error)]
pub struct RegionViolation {
    /// The seed that brings it back.
    pub seed: u64,
    /// At which step.
    pub step: usize,
    /// Which promise, and what was found.
    pub what: String,
    /// What this world is made of.
    pub world: String,
    /// What happened, a line for each step.
    pub story: Vec<String>,
}

impl fmt::Display for RegionViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "world: {}", self.world)?;
        write!(f, "ICN_SIM_SEED={} at step {}: {}", self.seed, self.step, self.what)
    }
}

/// Runs the world of a seed.
///
/// # Errors
///
/// [`RegionViolation`] when the region gets more of something than it can by what is derived, or an honest member loses what
/// it must not.
pub fn check_region(options: &RegionOptions) -> Result<RegionReport, Box<RegionViolation>> {
    let mut world = World::new(Plan::draw(options), options);
    match world.run() {
        Ok(()) => Ok(world.report()),
        Err(what) => Err(Box::new(world.violation(what))),
    }
}
