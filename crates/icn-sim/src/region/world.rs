//! A world, step by step.

use std::time::{Duration, Instant};

use icn_types::TrustContext;

use super::attack::Region;
use super::check::{check_community, check_node, check_nothing_left};
use super::node::Node;
use super::people::{DAY_MS, People};
use super::plan::Plan;
use super::reading::Reading;
use super::report::RegionReport;
use super::{RegionBug, RegionOptions, RegionViolation};
use crate::random::Random;

/// In how many steps, the last ones, all deceived members know; the region goes on changing names.
const AFTERWARDS: usize = 2;

/// A community, the region around it, and the nodes that are looked at.
pub(super) struct World {
    plan: Plan,
    planted: Option<RegionBug>,
    random: Random,
    people: People,
    region: Region,
    nodes: Vec<Node>,
    report: RegionReport,
    step: usize,
}

impl World {
    pub(super) fn new(plan: Plan, options: &RegionOptions) -> Self {
        let mut random = Random::new(plan.seed);
        let mut people = People::new(&plan, options.planted, &mut random);
        people.found(&mut random);
        let region = Region::new(&plan, &people, &mut random);
        // Nothing but differences of this is read.
        let start = Instant::now();
        let observed: Vec<usize> = (0..people.honest.len())
            .filter(|number| people.honest.get(*number).is_some_and(|member| member.stays))
            .take(plan.observed)
            .collect();
        let nodes = observed
            .into_iter()
            .filter_map(|number| Node::new(number, &people, options.planted, start, &mut random))
            .collect();
        let report = RegionReport::new();
        Self { plan, planted: options.planted, random, people, region, nodes, report, step: 0 }
    }

    /// Runs all steps.
    ///
    /// # Errors
    ///
    /// The broken promise.
    pub(super) fn run(&mut self) -> Result<(), String> {
        while self.step < self.plan.steps {
            self.turn()?;
            self.step += 1;
        }
        self.report.worlds = 1;
        self.report.names = self.people.names.len() as u64;
        self.report.renamed = self.region.renamed;
        self.report.discovered = self.region.discovered;
        self.report.taken_back = self.people.words.taken_back;
        Ok(())
    }

    fn turn(&mut self) -> Result<(), String> {
        let before = self.people.now;
        self.people.now = before.plus(icn_types::Duration::from_millis(self.plan.step_days * DAY_MS));
        let now = self.people.now;
        let ends = self.people.words.said.values().filter(|word| word.is_live(before) && !word.is_live(now));
        self.report.ended += ends.count() as u64;
        self.people.live(&self.plan, &mut self.random);
        let is_over = self.step + AFTERWARDS >= self.plan.steps;
        if is_over {
            self.region.end(&mut self.people);
        }
        self.region.step(self.step, &mut self.people, &mut self.random);
        let reading = Reading::of(&self.people, self.planted);
        self.report.steps += 1;
        self.report.days += self.plan.step_days;
        self.report.attack_edges += self.people.attack_edges().count() as u64;
        check_community(&self.people, &reading, &mut self.report)?;
        let elapsed = Duration::from_millis(self.step as u64 * self.plan.step_days * DAY_MS);
        for node in &mut self.nodes {
            node.step(&self.people, &reading, elapsed, &mut self.random)?;
            check_node(node, &self.people, &reading, self.planted, &mut self.report)?;
        }
        if is_over {
            check_nothing_left(&self.people, &reading, &self.nodes)?;
        }
        self.tell(&reading);
        Ok(())
    }

    fn tell(&mut self, reading: &Reading) {
        let line = format!(
            "step {}: {} honest members here, {} names of {} in use, {} attack edges, {} admitted of whom {} are sybils",
            self.step,
            self.people.honest.iter().filter(|member| member.is_here).count(),
            self.people.sybils.len(),
            self.people.names.len(),
            reading.crossing(TrustContext::General).len(),
            reading.voters.len(),
            reading.voters.intersection(&self.people.names).count()
        );
        self.report.story.push(line);
    }

    /// Returns what the run came to.
    pub(super) fn report(self) -> RegionReport {
        self.report
    }

    /// Names the world in which a promise was broken.
    pub(super) fn violation(self, what: String) -> RegionViolation {
        RegionViolation {
            seed: self.plan.seed,
            step: self.step,
            what,
            world: self.plan.describe(),
            story: self.report.story,
        }
    }
}
