//! Many runs, on as many cores as there are.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::market::run;
use super::measures::{Measure, Outcome};
use super::rules::Rules;
use super::scenarios::Scenario;
use super::statistics::Estimate;

/// All runs of one scenario, by seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// What was run.
    pub scenario: Scenario,
    /// The first seed; the others follow.
    pub first_seed: u64,
    /// What came of each.
    pub outcomes: Vec<Outcome>,
}

impl Runs {
    /// Estimates a measure.
    #[must_use]
    pub fn estimate(&self, measure: Measure) -> Estimate {
        let values: Vec<f64> = self.outcomes.iter().map(|outcome| outcome.value(measure)).collect();
        Estimate::of(&values)
    }

    /// Estimates by how much a measure differs from that of other runs, seed by seed, beside the others' mean.
    #[must_use]
    pub fn change_from(&self, others: &Self, measure: Measure) -> Estimate {
        let base = others.estimate(measure).mean;
        let pairs = self.outcomes.iter().zip(&others.outcomes);
        let values: Vec<f64> = pairs
            .map(|(own, other)| own.value(measure) - other.value(measure))
            .map(|difference| if base == 0.0 { difference } else { difference / base })
            .collect();
        Estimate::of(&values)
    }
}

/// Hears how many runs are done.
pub type Progress<'a> = &'a (dyn Fn(usize) + Sync);

/// Runs scenarios on so many seeds each. The result does not depend on how many threads there are.
#[must_use]
pub fn study<R: Rules>(
    rules: &R,
    scenarios: &[Scenario],
    first_seed: u64,
    seeds: usize,
    threads: NonZeroUsize,
    progress: Progress<'_>,
) -> Vec<Runs> {
    let total = scenarios.len() * seeds;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Vec<Mutex<Option<Outcome>>> = (0..total).map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some(scenario), Some(result)) = (scenarios.get(number / seeds.max(1)), results.get(number))
            else {
                return;
            };
            let seed = first_seed.wrapping_add((number % seeds.max(1)) as u64);
            let outcome = run(rules, &scenario.setup, seed);
            if let Ok(mut result) = result.lock() {
                *result = Some(outcome);
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(total.max(1)) {
            scope.spawn(work);
        }
    });
    let mut results = results.into_iter().map(|result| result.into_inner().ok().flatten());
    scenarios
        .iter()
        .map(|scenario| Runs {
            scenario: scenario.clone(),
            first_seed,
            outcomes: results.by_ref().take(seeds).flatten().collect(),
        })
        .collect()
}
