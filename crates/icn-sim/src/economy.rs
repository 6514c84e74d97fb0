//! An economy of agents over the production policy: what credit lines, demurrage and trust do to a circle of traders.
//!
//! Agents follow the rules of the seeds (seed 002, economic simulation): whom they trust, when they spend, how much they can
//! sell. What limits them is the code that limits real members: [`icn_ledger::covers`], [`icn_ledger::recommended_line`],
//! [`icn_ledger::Demurrage`] and [`icn_ledger::split`], called through [`Rules`]. Money is integers of the smallest unit and
//! sums to zero on every day; only the statistics over many runs are floats.
//!
//! One seed gives one run, whatever the machine. [`run`] is one run, [`study`] many of several scenarios, side by side on
//! the same seeds, and [`judge`] holds them against what the seeds claim.

mod agents;
mod batch;
mod claims;
mod market;
mod measures;
mod report;
mod rules;
mod scenarios;
mod statistics;
mod trust;

pub use self::batch::{Progress, Runs, study};
pub use self::claims::{Claim, Expectation, Judged, Verdict, claims, judge};
pub use self::market::run;
pub use self::measures::{MEASURES, Measure, Month, Outcome};
pub use self::report::{Report, ScenarioReport, csv, report};
pub use self::rules::{Production, Rules};
pub use self::scenarios::{
    Base, Charge, Fund, Lines, Scenario, Setup, Shock, ShockKind, scenario, scenarios,
};
pub use self::statistics::Estimate;

/// How many decimals the simulated currency has.
pub const DECIMALS: u8 = 2;
/// One whole unit of the simulated currency.
pub const UNIT: i64 = 100;
/// How many days a month of the simulation has; everything that is monthly happens on its last.
pub const MONTH_DAYS: u32 = 30;

const PPM: u64 = 1_000_000;

#[cfg(test)]
mod tests;
