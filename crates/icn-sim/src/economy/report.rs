//! What a study shows, for people, for programs and for plots.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::UNIT;
use super::batch::Runs;
use super::claims::{Judged, judge};
use super::measures::{MEASURES, Month};
use super::statistics::Estimate;

/// One scenario of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioReport {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub text: &'static str,
    /// Estimates by measure.
    pub measures: BTreeMap<&'static str, Estimate>,
    /// What happened month by month: estimates by name.
    pub months: BTreeMap<&'static str, Vec<Estimate>>,
    /// Days on which the sum was not zero or somebody beyond its line, over all runs: none.
    pub broken: u64,
}

/// A study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Agents of each run.
    pub agents: u32,
    /// Days of each run.
    pub days: u32,
    /// Runs of each scenario.
    pub seeds: u64,
    /// The first seed.
    pub first_seed: u64,
    /// The scenarios.
    pub scenarios: Vec<ScenarioReport>,
    /// The claims that could be judged.
    pub claims: Vec<Judged>,
}

/// Draws up the report of a study.
#[must_use]
pub fn report(runs: &[Runs]) -> Report {
    let first = runs.first();
    Report {
        agents: first.map_or(0, |runs| runs.scenario.setup.agents),
        days: first.map_or(0, |runs| runs.scenario.setup.days),
        seeds: first.map_or(0, |runs| runs.outcomes.len() as u64),
        first_seed: first.map_or(0, |runs| runs.first_seed),
        scenarios: runs.iter().map(scenario_report).collect(),
        claims: judge(runs),
    }
}

fn scenario_report(runs: &Runs) -> ScenarioReport {
    ScenarioReport {
        name: runs.scenario.name,
        text: runs.scenario.text,
        measures: MEASURES.iter().map(|measure| (measure.as_str(), runs.estimate(*measure))).collect(),
        months: months(runs),
        broken: runs.outcomes.iter().map(|outcome| outcome.broken).sum(),
    }
}

type OfMonth = fn(&Month, Option<&Month>) -> f64;

fn months(runs: &Runs) -> BTreeMap<&'static str, Vec<Estimate>> {
    let series: [(&'static str, OfMonth); 5] = [
        ("volume", |month, before| {
            (month.volume - before.map_or(0, |before| before.volume)) as f64 / UNIT as f64
        }),
        ("credit", |month, _| month.credit as f64 / UNIT as f64),
        ("gini", |month, _| month.gini_ppm as f64 / 1e6),
        ("at_limit", |month, _| f64::from(month.at_limit) / f64::from(month.members.max(1))),
        ("defaults", |month, _| month.defaults as f64),
    ];
    let many = runs.outcomes.iter().map(|outcome| outcome.months.len()).min().unwrap_or(0);
    let of = |measure: OfMonth| {
        (0..many)
            .map(|at| {
                let value = |months: &[Month]| {
                    let before = at.checked_sub(1).and_then(|before| months.get(before));
                    months.get(at).map(|month| measure(month, before))
                };
                let values: Vec<f64> =
                    runs.outcomes.iter().filter_map(|outcome| value(&outcome.months)).collect();
                Estimate::of(&values)
            })
            .collect()
    };
    series.into_iter().map(|(name, measure)| (name, of(measure))).collect()
}

/// Writes a table of all runs: a line for each scenario and seed, a column for each measure.
#[must_use]
pub fn csv(runs: &[Runs]) -> String {
    let mut table = String::from("scenario,seed");
    for measure in MEASURES {
        let _infallible = write!(table, ",{}", measure.as_str());
    }
    table.push('\n');
    for runs in runs {
        for (number, outcome) in (0_u64..).zip(&runs.outcomes) {
            let _infallible =
                write!(table, "{},{}", runs.scenario.name, runs.first_seed.wrapping_add(number));
            for measure in MEASURES {
                let _infallible = write!(table, ",{:.6}", outcome.value(measure));
            }
            table.push('\n');
        }
    }
    table
}
