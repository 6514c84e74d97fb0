use std::num::NonZeroUsize;

use icn_ledger::{CreditPolicy, Demurrage};
use icn_types::{Did, Duration};

use super::*;

const DAYS: u32 = 180;

fn of(name: &str) -> Setup {
    scenario(name, 60, DAYS).unwrap().setup
}

fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn studied<R: Rules>(rules: &R, names: &[&str], seeds: usize) -> Vec<Runs> {
    let scenarios: Vec<Scenario> = names.iter().map(|name| scenario(name, 60, DAYS).unwrap()).collect();
    study(rules, &scenarios, 1, seeds, threads(4), &|_| {})
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for name in ["baseline", "recommended", "cascade", "newcomers-ramp"] {
        let setup = of(name);
        assert_eq!(run(&Production, &setup, 7), run(&Production, &setup, 7), "{name}");
        assert_ne!(run(&Production, &setup, 7), run(&Production, &setup, 8), "{name}");
    }
}

#[test]
fn threads_change_nothing() {
    let scenarios = [scenario("baseline", 30, 90).unwrap(), scenario("demurrage", 30, 90).unwrap()];
    let one = study(&Production, &scenarios, 5, 6, threads(1), &|_| {});
    let counted = std::sync::atomic::AtomicUsize::new(0);
    let many = study(&Production, &scenarios, 5, 6, threads(5), &|_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(one, many);
    assert_eq!(counted.into_inner(), 12);
    assert_eq!(one[0].outcomes[2], run(&Production, &scenarios[0].setup, 7));
}

#[test]
fn every_scenario_sums_to_zero_and_keeps_to_its_lines_every_day() {
    for scenario in scenarios(40, 120) {
        for seed in 0..6 {
            let outcome = run(&Production, &scenario.setup, seed);
            assert_eq!(outcome.broken, 0, "{} {seed}", scenario.name);
            assert!(outcome.payments > 20, "{} {seed}: {}", scenario.name, outcome.payments);
            assert_eq!(outcome.months.len(), 4);
        }
    }
}

/// Lets everybody spend a little beyond the line.
struct Lenient;

impl Rules for Lenient {
    fn covers(&self, balance: i64, line: i64, amount: i64) -> bool {
        amount <= balance + line + UNIT
    }
}

/// Destroys what it charges: the seeds' bug B-59, in the split.
struct Destroying;

impl Rules for Destroying {
    fn split(&self, total: i64, shares: &[(u32, u64)]) -> Result<Vec<i64>, icn_ledger::MoneyError> {
        let parts = icn_ledger::split(total, shares)?;
        Ok(parts.into_iter().map(|part| part - i64::from(part > 0)).collect())
    }
}

#[test]
fn a_planted_bug_of_the_limit_is_seen() {
    let tight = Setup { lines: Lines::Fixed(20), ..of("baseline") };
    assert_eq!(run(&Production, &tight, 3).broken, 0);
    assert!(run(&Lenient, &tight, 3).broken > 0);
    // A split that loses a cent each leaves it in the fund: money is never destroyed, only kept.
    let kept = run(&Destroying, &of("demurrage"), 3);
    assert!(kept.broken == 0 && kept.fund > run(&Production, &of("demurrage"), 3).fund);
}

/// Charges nobody.
struct Free;

impl Rules for Free {
    fn fee(&self, _: &Demurrage, _: i64) -> i64 {
        0
    }
}

/// Grants everybody the maximum at once: no ramp, no trust, no trade needed.
struct Generous;

impl Rules for Generous {
    fn line(&self, policy: &CreditPolicy, _: u32, _: &[(Did, i64)], _: Duration) -> i64 {
        policy.max * UNIT
    }
}

fn verdict_of<R: Rules>(rules: &R, name: &str) -> Verdict {
    let claim = claims().into_iter().find(|claim| claim.name == name).unwrap();
    let runs = studied(rules, &[claim.scenario, claim.against], 60);
    judge(&runs).into_iter().find(|judged| judged.claim.name == name).unwrap().verdict
}

#[test]
fn planted_bugs_of_policy_change_the_verdicts() {
    assert_eq!(verdict_of(&Production, "hoarding-mitigated"), Verdict::Reproduced);
    assert_eq!(verdict_of(&Free, "hoarding-mitigated"), Verdict::Refuted);
    assert_eq!(verdict_of(&Production, "ramp"), Verdict::Reproduced);
    assert_eq!(verdict_of(&Generous, "ramp"), Verdict::Refuted);
}

#[test]
fn a_claim_is_judged_by_the_interval() {
    let runs = studied(&Production, &["baseline"], 4);
    let judged = judge(&runs);
    let names: Vec<&str> = judged.iter().map(|judged| judged.claim.name).collect();
    assert_eq!(names, ["baseline-payments", "baseline-defaults", "baseline-gini"], "only what was run");
    let known: Vec<&str> = scenarios(10, 90).iter().map(|scenario| scenario.name).collect();
    for claim in claims() {
        assert!(known.contains(&claim.scenario) && known.contains(&claim.against), "{}", claim.name);
    }
    // Compared with itself, nothing changes.
    let change = runs[0].change_from(&runs[0], Measure::Volume);
    assert_eq!((change.mean, change.sign()), (0.0, 0));
}

#[test]
fn a_change_is_judged_by_direction_and_size() {
    let found = |mean: f64, half: f64| Estimate {
        mean,
        low: mean - half,
        high: mean + half,
        run_low: mean - 1.0,
        run_high: mean + 1.0,
    };
    let check = |expects, mean, half, verdict| {
        assert_eq!(super::claims::verdict(expects, &found(mean, half)), verdict, "{expects:?} {mean}");
    };
    let change = Expectation::Change(-0.2);
    check(change, -0.21, 0.05, Verdict::Reproduced);
    check(change, -0.11, 0.05, Verdict::Reproduced);
    check(change, -0.41, 0.05, Verdict::InPart);
    check(change, -0.05, 0.01, Verdict::InPart);
    check(change, -0.01, 0.001, Verdict::Refuted);
    check(change, -0.2, 0.3, Verdict::Refuted);
    check(change, 0.2, 0.01, Verdict::Refuted);
    check(Expectation::Level(3.0), 3.1, 0.2, Verdict::Reproduced);
    check(Expectation::Level(3.0), 3.5, 0.2, Verdict::InPart);
    check(Expectation::Level(3.0), 5.0, 0.2, Verdict::Refuted);
    check(Expectation::Unchanged(0.05), 0.01, 0.03, Verdict::Reproduced);
    check(Expectation::Unchanged(0.05), 0.03, 0.03, Verdict::Refuted);
    check(Expectation::Lower, -0.1, 0.2, Verdict::Refuted);
    check(Expectation::Higher, 0.1, 0.05, Verdict::Reproduced);
}

#[test]
fn estimates_are_means_with_intervals() {
    let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0]);
    assert!((estimate.mean - 2.5).abs() < 1e-12);
    // The deviation is √(5/3), its standard error half of that.
    assert!((estimate.high - 2.5 - 1.959_964 * (5.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-9);
    assert_eq!((estimate.run_low, estimate.run_high, estimate.sign()), (1.0, 4.0, 1));
    assert_eq!(Estimate::of(&[-1.0; 9]).sign(), -1);
    assert_eq!(Estimate::of(&[3.0]).low, 3.0);
    assert_eq!(Estimate::of(&[]).mean, 0.0);
}

#[test]
fn a_table_has_a_line_for_each_run() {
    let runs = studied(&Production, &["baseline", "tight"], 3);
    let table = csv(&runs);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7);
    assert!(lines[0].starts_with("scenario,seed,payments,volume,") && lines[6].starts_with("tight,3,"));
    assert!(lines.iter().all(|line| line.split(',').count() == 2 + MEASURES.len()));
    let report = report(&runs);
    assert_eq!((report.seeds, report.scenarios.len(), report.scenarios[0].months["gini"].len()), (3, 2, 6));
}
