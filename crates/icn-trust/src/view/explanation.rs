//! Why a score is what it is, in sentences.

use std::fmt;

use icn_types::{Did, TrustContext};

use super::Score;
use crate::class::TrustClass;
use crate::flow::{Flow, Limit};
use crate::path::Path;

/// How many introductions that limit somebody are named. More: the rest is counted.
const LIMITS_TOLD_MAX: usize = 8;

/// What a member's score rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The graph that was asked for.
    pub graph: TrustContext,
    /// The member.
    pub did: Did,
    /// Its score and class.
    pub score: Score,
    /// The lowest score that counts, in parts per million.
    pub min_score_ppm: u32,
    /// The next class, and the score that it takes.
    pub next: Option<(TrustClass, u32)>,
    /// The path that the score comes from.
    pub path: Option<Path>,
    /// What reaches it from the seeds by all ways, and the cut.
    pub flow: Flow,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graph, did, score, .. } = self;
        writeln!(f, "{did} is {} in `{graph}`: {} of 1000000.", score.class, score.ppm)?;
        self.write_path(f)?;
        self.write_flow(f)?;
        self.write_next(f)
    }
}

impl Explanation {
    fn write_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(path) = &self.path else {
            return writeln!(f, "No row of introductions that still counts leads there.");
        };
        if path.hops.is_empty() {
            return writeln!(f, "It is one of those whose word counts in full here.");
        }
        writeln!(f, "The best way there, with what is left after each step:")?;
        for hop in &path.hops {
            let by = &hop.by;
            write!(f, "  {} vouches for {} with {}", by.from, by.to, by.given_ppm)?;
            if by.score_ppm < by.given_ppm {
                write!(f, ", faded to {}", by.score_ppm)?;
            }
            if by.is_general {
                write!(f, ", in general")?;
            }
            if hop.decay_ppm < crate::graph::PPM {
                write!(f, ", times {} for the distance", hop.decay_ppm)?;
            }
            writeln!(f, ": {}", hop.value_ppm)?;
        }
        if self.score.ppm < self.min_score_ppm {
            writeln!(f, "That is less than the {} that counts at all.", self.min_score_ppm)?;
        }
        Ok(())
    }

    fn write_flow(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flow { amount, demand, cut, .. } = &self.flow;
        if amount == demand {
            return writeln!(f, "From the seeds {amount} of {demand} arrives: nothing limits it.");
        }
        if cut.is_empty() {
            return writeln!(f, "From the seeds nothing arrives: no introduction leads from them to it.");
        }
        writeln!(f, "From the seeds {amount} of {demand} arrives. What limits it is:")?;
        for limit in cut.iter().take(LIMITS_TOLD_MAX) {
            writeln!(f, "  {limit}")?;
        }
        match cut.len().saturating_sub(LIMITS_TOLD_MAX) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }

    fn write_next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.next {
            None => write!(f, "There is no higher class."),
            Some((class, score)) => write!(
                f,
                "To become {class} it needs {score}: somebody nearer vouches for it, or somebody on the way raises a score."
            ),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Introduction { from, to, capacity } => {
                write!(f, "the introduction of {to} by {from}, which carries {capacity}")
            }
            Self::Seed { did, capacity } => write!(f, "the seed {did}, which may hand out {capacity}"),
            Self::Member { did, distance, capacity } => {
                let others = capacity.saturating_sub(1);
                write!(
                    f,
                    "{did}, {distance} steps from the seeds, which has brought in the {others} that it may"
                )
            }
        }
    }
}
