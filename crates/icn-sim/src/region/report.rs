//! What the region got, and what it could have got at most.

use std::fmt;

use serde::Serialize;

/// What a region tries to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Resource {
    /// Trust in money that reaches it, in parts per million.
    Credit,
    /// Members of it that are admitted, and so could vote.
    Votes,
    /// Identities of it that stand for themselves at a node.
    Alone,
    /// Messages a second that it may send to a node.
    Messages,
    /// Places in one set of a node's neighbours.
    Neighbors,
}

/// What was got of one resource, over all steps and nodes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Taken {
    /// How many times it was looked at.
    pub looks: u64,
    /// How many times it had all that it could have.
    pub full: u64,
    /// What it got, in sum.
    pub got: u64,
    /// What it could have got at most, in sum.
    pub bound: u64,
    /// The most that it got.
    pub got_max: u64,
    /// The most that it could have got.
    pub bound_max: u64,
}

/// What runs came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RegionReport {
    /// How many worlds.
    pub worlds: u64,
    /// How many steps.
    pub steps: u64,
    /// How many simulated days.
    pub days: u64,
    /// How many names the region had in all.
    pub names: u64,
    /// How many of them it gave up.
    pub renamed: u64,
    /// How many words were taken back.
    pub taken_back: u64,
    /// How many words came to their end.
    pub ended: u64,
    /// How many deceived members found out.
    pub discovered: u64,
    /// How many attack edges counted, over all steps.
    pub attack_edges: u64,
    /// How many honest members were there and could have been admitted without the region, over all steps.
    pub honest: u64,
    /// How many of them were.
    pub admitted: u64,
    /// The smallest part of them that was at one step, in parts per million: with up to 20 attack edges and no steward deceived,
    /// with more, with a steward deceived.
    pub admitted_least_ppm: [u64; 3],
    /// How many honest members are partners of a node that is looked at, over all steps and nodes.
    pub partners: u64,
    /// How many of them stand for themselves there.
    pub partners_alone: u64,
    /// What the region got: [`Resource`] by its number.
    pub taken: [Taken; 5],
    /// What happened, a line for each step.
    pub story: Vec<String>,
}

impl Resource {
    /// Lists all of them.
    pub const ALL: [Self; 5] = [Self::Credit, Self::Votes, Self::Alone, Self::Messages, Self::Neighbors];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit (millionths of full trust)",
            Self::Votes => "admitted, and so voters",
            Self::Alone => "identities with an allowance of their own",
            Self::Messages => "messages/s at a node",
            Self::Neighbors => "places in one set of neighbours",
        }
    }
}

impl Taken {
    pub(super) fn note(&mut self, got: u64, bound: u64) {
        self.looks += 1;
        self.full += u64::from(got == bound && bound > 0);
        self.got += got;
        self.bound += bound;
        self.got_max = self.got_max.max(got);
        self.bound_max = self.bound_max.max(bound);
    }

    fn add(&mut self, other: &Self) {
        self.looks += other.looks;
        self.full += other.full;
        self.got += other.got;
        self.bound += other.bound;
        self.got_max = self.got_max.max(other.got_max);
        self.bound_max = self.bound_max.max(other.bound_max);
    }
}

impl RegionReport {
    /// Makes one of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { admitted_least_ppm: [1_000_000; 3], ..Self::default() }
    }

    /// Returns what was got of a resource.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Taken {
        self.taken.get(resource as usize).copied().unwrap_or_default()
    }

    pub(super) fn note(&mut self, resource: Resource, got: u64, bound: u64) {
        if let Some(taken) = self.taken.get_mut(resource as usize) {
            taken.note(got, bound);
        }
    }

    /// Notes which part of the honest members is admitted at a step, in parts per million.
    pub(super) fn note_admitted(&mut self, is_steward_deceived: bool, are_few: bool, ppm: u64) {
        let case = if is_steward_deceived { 2 } else { usize::from(!are_few) };
        if let Some(least) = self.admitted_least_ppm.get_mut(case) {
            *least = ppm.min(*least);
        }
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.steps += other.steps;
        self.days += other.days;
        self.names += other.names;
        self.renamed += other.renamed;
        self.taken_back += other.taken_back;
        self.ended += other.ended;
        self.discovered += other.discovered;
        self.attack_edges += other.attack_edges;
        self.honest += other.honest;
        self.admitted += other.admitted;
        self.partners += other.partners;
        self.partners_alone += other.partners_alone;
        for (least, others) in self.admitted_least_ppm.iter_mut().zip(other.admitted_least_ppm) {
            *least = others.min(*least);
        }
        for (taken, more) in self.taken.iter_mut().zip(&other.taken) {
            taken.add(more);
        }
    }
}

impl fmt::Display for RegionReport {
    /// Writes a table: what the region got of each resource beside its bound.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [few, many, steward] = self.admitted_least_ppm;
        let mean = |sum: u64, of: u64| if of == 0 { 0.0 } else { sum as f64 / of as f64 };
        writeln!(
            f,
            "{} worlds, {} steps, {} days; {} names of the region, {} given up; {} words taken back, {} ended; {} deceived \
             members found out; {:.1} attack edges at a time",
            self.worlds,
            self.steps,
            self.days,
            self.names,
            self.renamed,
            self.taken_back,
            self.ended,
            self.discovered,
            mean(self.attack_edges, self.steps)
        )?;
        writeln!(
            f,
            "honest members admitted, of those who are without a region: {:.2} %; at the worst step {:.2} % with up to 20 attack edges, \
             {:.2} % with more, {:.2} % with a steward deceived; honest partners with an allowance of their own: {:.2} %\n",
            100.0 * mean(self.admitted, self.honest),
            few as f64 / 10_000.0,
            many as f64 / 10_000.0,
            steward as f64 / 10_000.0,
            100.0 * mean(self.partners_alone, self.partners)
        )?;
        writeln!(
            f,
            "| what the region takes | got, mean | at most, mean | got, most | at most, most | looks | had all |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for resource in Resource::ALL {
            let Taken { looks, full, got, bound, got_max, bound_max } = self.of(resource);
            writeln!(
                f,
                "| {} | {:.1} | {:.1} | {got_max} | {bound_max} | {looks} | {full} |",
                resource.name(),
                mean(got, looks),
                mean(bound, looks)
            )?;
        }
        Ok(())
    }
}
