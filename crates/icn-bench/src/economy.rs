//! The economic simulation: how many days of members it lives through in a second.

use std::hint::black_box;

use anyhow::{Result, ensure};

use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_sim::economy::{Production, Setup, run, scenario};

/// Members of one run.
const AGENTS: u32 = 1_000;
/// Days of one run.
const DAYS: u32 = 365;
/// What the specification asks for, in agent-steps a second on one core (issue 4).
const FLOOR: f64 = 1_000_000.0;

/// Measures two scenarios: fixed lines, and everything that policy has.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let mut section = Section::new("economic simulation, one core");
    let full = scenario("recommended", AGENTS, DAYS).map(|scenario| scenario.setup);
    let setups = [
        ("fixed lines", Some(Setup::baseline(AGENTS, DAYS))),
        ("lines by policy, demurrage, freezing", full),
    ];
    for (name, setup) in setups.into_iter().filter_map(|(name, setup)| Some((name, setup?))) {
        let mut seed = 0;
        let samples = Samples::collect(context.plan.each, || {
            seed += 1;
            let outcome = black_box(run(&Production, &setup, seed));
            ensure!(outcome.broken == 0, "seed {seed} broke a rule of the ledger");
            Ok(())
        })?;
        let steps = samples.per_second() * f64::from(AGENTS) * f64::from(DAYS);
        section.push(Row::new(format!("agent-steps, {name}"), steps, Unit::PerSecond).floor(FLOOR));
    }
    section.note(
        "Mesa 3.3 with a simpler model (one payment attempt a step, no policy) did 162,526 agent-steps/s on another \
         machine; it is not measured here.",
    );
    Ok(section)
}
