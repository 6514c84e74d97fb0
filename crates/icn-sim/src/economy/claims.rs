//! What the seeds claim of mutual credit, and what many runs say to it.
//!
//! The seeds ran each scenario once (seed 42) and do not define their figures. A claimed level is *reproduced* when it lies in
//! the 95 % interval of the mean, and holds *in part* when it lies where nineteen of twenty single runs do. A claimed
//! change is *reproduced* when, compared seed by seed, its direction is beyond doubt and its mean is between half and
//! twice the claimed size, and holds *in part* when its direction is beyond doubt and its mean is at least a tenth of the
//! claimed size. Everything else is *refuted*.

use serde::Serialize;

use super::batch::Runs;
use super::measures::Measure;
use super::statistics::Estimate;

/// What is claimed of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It is about this.
    Level(f64),
    /// It differs from the other scenario's by about this part of it.
    Change(f64),
    /// It differs from the other scenario's by no more than this part of it.
    Unchanged(f64),
    /// It is higher than the other scenario's.
    Higher,
    /// It is lower than the other scenario's.
    Lower,
}

/// One claim.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Claim {
    /// A word.
    pub name: &'static str,
    /// What is claimed.
    pub text: &'static str,
    /// Who claims it.
    pub source: &'static str,
    /// Of which scenario.
    pub scenario: &'static str,
    /// Beside which one.
    pub against: &'static str,
    /// Of which measure.
    pub measure: Measure,
    /// What.
    pub expects: Expectation,
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as claimed.
    Reproduced,
    /// Only the direction is as claimed, or single runs come out so.
    InPart,
    /// It is otherwise, or cannot be told from nothing.
    Refuted,
}

/// A claim with its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judged {
    /// The claim.
    pub claim: Claim,
    /// What came of it.
    pub verdict: Verdict,
    /// The level, or the change as a part of the other scenario's mean.
    pub found: Estimate,
}

const fn claim(
    name: &'static str,
    text: &'static str,
    source: &'static str,
    (scenario, against): (&'static str, &'static str),
    measure: Measure,
    expects: Expectation,
) -> Claim {
    Claim { name, text, source, scenario, against, measure, expects }
}

/// Lists the claims.
#[must_use]
pub fn claims() -> Vec<Claim> {
    use Expectation::{Change, Higher, Level, Lower, Unchanged};
    let (b, s1, s2, s3, s4, s5) = (
        "baseline",
        "seed 002, scenario 1",
        "seed 002, scenario 2",
        "seed 002, scenario 3",
        "seed 002, scenario 4",
        "seed 002, scenario 5",
    );
    let modes = "seed 002, failure modes";
    vec![
        claim(
            "baseline-payments",
            "about 13,000 payments of 100 agents in a year",
            "seed 002, parameters",
            (b, b),
            Measure::Payments,
            Level(13_000.0),
        ),
        claim("baseline-defaults", "2.7 % default", s1, (b, b), Measure::Defaults, Level(0.027)),
        claim("baseline-gini", "a Gini of 0.36", s1, (b, b), Measure::Gini, Level(0.36)),
        claim(
            "dynamic-defaults",
            "lines by trust: a third fewer defaults",
            s2,
            ("dynamic", b),
            Measure::Defaults,
            Change(-0.33),
        ),
        claim("dynamic-lost", "lines by trust: less is lost", s2, ("dynamic", b), Measure::Lost, Lower),
        claim(
            "dynamic-velocity",
            "lines by trust: 16 % less trade",
            s2,
            ("dynamic", b),
            Measure::Volume,
            Change(-0.16),
        ),
        claim(
            "doubled-defaults",
            "lines up to twice as high: a third fewer defaults",
            s2,
            ("dynamic-doubled", b),
            Measure::Defaults,
            Change(-0.33),
        ),
        claim(
            "doubled-velocity",
            "lines up to twice as high: 16 % less trade",
            s2,
            ("dynamic-doubled", b),
            Measure::Volume,
            Change(-0.16),
        ),
        claim(
            "demurrage-gini",
            "demurrage: the Gini falls by 22 %, to 0.28",
            s3,
            ("demurrage", b),
            Measure::Gini,
            Change(-0.22),
        ),
        claim(
            "whole-gini",
            "demurrage of the whole balance: the Gini falls by 22 %",
            s3,
            ("demurrage-whole", b),
            Measure::Gini,
            Change(-0.22),
        ),
        claim(
            "demurrage-velocity",
            "demurrage: trade is unchanged (within 5 %)",
            s3,
            ("demurrage", b),
            Measure::Volume,
            Unchanged(0.05),
        ),
        claim(
            "kept-velocity",
            "demurrage that the fund keeps: trade is unchanged (within 5 %)",
            s3,
            ("demurrage-kept", b),
            Measure::Volume,
            Unchanged(0.05),
        ),
        claim(
            "riders-defaults",
            "a fifth of free riders: 51 % more defaults",
            s4,
            ("riders", b),
            Measure::Defaults,
            Change(0.51),
        ),
        claim(
            "riders-stable",
            "a fifth of free riders: trade goes on (within 15 %)",
            s4,
            ("riders", b),
            Measure::Volume,
            Unchanged(0.15),
        ),
        claim(
            "riders-40",
            "two fifths of free riders: trade falls further",
            s4,
            ("riders-40", "riders"),
            Measure::Volume,
            Lower,
        ),
        claim(
            "sparse-hoarding",
            "30 % of the acquaintances: twice as many hoard",
            s5,
            ("sparse", b),
            Measure::Hoarders,
            Change(1.0),
        ),
        claim(
            "sparse-velocity",
            "30 % of the acquaintances: less trade",
            s5,
            ("sparse", b),
            Measure::Volume,
            Lower,
        ),
        claim("hoarding-fails", "hoarders: trade falls", modes, ("hoarding", b), Measure::Volume, Lower),
        claim(
            "hoarding-mitigated",
            "hoarders: demurrage brings trade back",
            modes,
            ("hoarding-demurrage", "hoarding"),
            Measure::Volume,
            Higher,
        ),
        claim(
            "riding-frozen",
            "free riders: freezing them lowers what is lost",
            modes,
            ("riders-frozen", "riders"),
            Measure::Lost,
            Lower,
        ),
        claim(
            "riding-lines",
            "free riders: lines by trust and trade lower what is lost",
            modes,
            ("riders-dynamic", "riders"),
            Measure::Lost,
            Lower,
        ),
        claim(
            "cascade-fails",
            "debtors who leave: trade falls afterwards",
            modes,
            ("cascade", b),
            Measure::Pace,
            Lower,
        ),
        claim(
            "cascade-mitigated",
            "debtors who leave: lines by trust keep trade up afterwards",
            modes,
            ("cascade-dynamic", "cascade"),
            Measure::Pace,
            Higher,
        ),
        claim(
            "crisis-fails",
            "trust that breaks: trade falls afterwards",
            modes,
            ("trust-crisis", b),
            Measure::Pace,
            Lower,
        ),
        claim(
            "crisis-mitigated",
            "trust that breaks: demurrage keeps trade up afterwards",
            modes,
            ("trust-crisis-demurrage", "trust-crisis"),
            Measure::Pace,
            Higher,
        ),
        claim(
            "demurrage-gini-all",
            "demurrage: the Gini over all members falls by 22 %",
            s3,
            ("demurrage", b),
            Measure::GiniAll,
            Change(-0.22),
        ),
        claim(
            "spenders-dynamic",
            "spenders, lines by trust: 16 % less trade",
            s2,
            ("spenders-dynamic", "spenders"),
            Measure::Volume,
            Change(-0.16),
        ),
        claim(
            "spenders-demurrage",
            "spenders, demurrage: the Gini falls by 22 %",
            s3,
            ("spenders-demurrage", "spenders"),
            Measure::Gini,
            Change(-0.22),
        ),
        claim(
            "spenders-demurrage-velocity",
            "spenders, demurrage: trade is unchanged (within 5 %)",
            s3,
            ("spenders-demurrage", "spenders"),
            Measure::Volume,
            Unchanged(0.05),
        ),
        claim(
            "spenders-riders",
            "spenders, a fifth of free riders: trade goes on (within 15 %)",
            s4,
            ("spenders-riders", "spenders"),
            Measure::Volume,
            Unchanged(0.15),
        ),
        claim(
            "spenders-sparse",
            "spenders, 30 % of the acquaintances: less trade",
            s5,
            ("spenders-sparse", "spenders"),
            Measure::Volume,
            Lower,
        ),
        claim(
            "spenders-hoarding",
            "spenders, hoarders: trade falls",
            modes,
            ("spenders-hoarding", "spenders"),
            Measure::Volume,
            Lower,
        ),
        claim(
            "spenders-cascade",
            "spenders, debtors who leave: trade falls afterwards",
            modes,
            ("spenders-cascade", "spenders"),
            Measure::Pace,
            Lower,
        ),
        claim(
            "spenders-cascade-lines",
            "spenders, debtors who leave: lines by trust lower what is lost",
            modes,
            ("spenders-cascade-dynamic", "spenders-cascade"),
            Measure::Lost,
            Lower,
        ),
        claim(
            "ramp",
            "newcomers who only spend take less under the ramp",
            "seed 002, new member protection",
            ("newcomers-ramp", "newcomers"),
            Measure::NewcomerTake,
            Lower,
        ),
        claim(
            "ramp-velocity",
            "the ramp costs little trade (within 15 %)",
            "seed 002, new member protection",
            ("newcomers-ramp", "newcomers"),
            Measure::Volume,
            Unchanged(0.15),
        ),
    ]
}

/// Judges every claim whose scenarios were run.
#[must_use]
pub fn judge(runs: &[Runs]) -> Vec<Judged> {
    let find = |name: &str| runs.iter().find(|runs| runs.scenario.name == name);
    claims()
        .into_iter()
        .filter_map(|claim| {
            let (own, other) = (find(claim.scenario)?, find(claim.against)?);
            let found = match claim.expects {
                Expectation::Level(_) => own.estimate(claim.measure),
                Expectation::Change(_)
                | Expectation::Unchanged(_)
                | Expectation::Higher
                | Expectation::Lower => own.change_from(other, claim.measure),
            };
            Some(Judged { claim, verdict: verdict(claim.expects, &found), found })
        })
        .collect()
}

pub(super) fn verdict(expects: Expectation, found: &Estimate) -> Verdict {
    let holds = |holds: bool| if holds { Verdict::Reproduced } else { Verdict::Refuted };
    match expects {
        Expectation::Level(value) if (found.low..=found.high).contains(&value) => Verdict::Reproduced,
        Expectation::Level(value) if (found.run_low..=found.run_high).contains(&value) => Verdict::InPart,
        Expectation::Level(_) => Verdict::Refuted,
        Expectation::Change(value) if f64::from(found.sign()) * value <= 0.0 => Verdict::Refuted,
        Expectation::Change(value) => match found.mean / value {
            0.5..=2.0 => Verdict::Reproduced,
            0.1.. => Verdict::InPart,
            _ => Verdict::Refuted,
        },
        Expectation::Unchanged(within) => holds(found.low >= -within && found.high <= within),
        Expectation::Higher => holds(found.sign() > 0),
        Expectation::Lower => holds(found.sign() < 0),
    }
}
