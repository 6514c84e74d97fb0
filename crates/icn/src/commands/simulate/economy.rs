//! `icn simulate economy`: the policy of real spaces over simulated members.

use std::num::NonZeroUsize;

use icn_sim::economy::{
    Estimate, Expectation, Judged, Measure, Production, Report, Scenario, ScenarioReport, Verdict, csv,
    report, scenarios, study,
};

use crate::cli::EconomyArgs;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Output, Style};

/// What the table shows of each scenario; the rest is in the CSV and the JSON.
const SHOWN: [(&str, Measure); 9] = [
    ("PAYMENTS", Measure::Payments),
    ("TURNOVER", Measure::Turnover),
    ("REFUSED", Measure::Refused),
    ("DEFAULTS", Measure::Defaults),
    ("LOST", Measure::Lost),
    ("GINI", Measure::Gini),
    ("HOARDERS", Measure::Hoarders),
    ("AT LIMIT", Measure::AtLimit),
    ("PACE", Measure::Pace),
];

/// Runs the study and tells what came of it.
pub(super) fn economy(args: &EconomyArgs, out: &Output) -> Result<Exit, CliError> {
    let known = scenarios(args.agents, args.days);
    if args.list {
        let rows: Vec<Vec<Cell>> =
            known.iter().map(|scenario| vec![scenario.name.into(), scenario.text.into()]).collect();
        out.columns(&[Column::Left("SCENARIO"), Column::Left("WHAT")], &rows)?;
        return Ok(Exit::DONE);
    }
    let chosen = chosen(known, &args.scenario)?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let wanted = args.threads.and_then(|threads| NonZeroUsize::new(threads as usize));
    let bar = out.counter("simulating", chosen.len() as u64 * u64::from(args.seeds));
    let tick = |_done: usize| bar.inc(1);
    let runs = study(&Production, &chosen, args.seed, args.seeds as usize, wanted.unwrap_or(cores), &tick);
    bar.finish_and_clear();
    if let Some(path) = &args.csv {
        std::fs::write(path, csv(&runs)).map_err(CliError::file("write", path))?;
        out.note(&format!("wrote {} runs to `{}`", runs.len() * args.seeds as usize, path.display()));
    }
    let report = report(&runs);
    let broken: u64 = report.scenarios.iter().map(|scenario| scenario.broken).sum();
    if out.is_json() {
        out.json(&report)?;
    } else {
        tell(out, &report, broken)?;
    }
    Ok(if broken > 0 { Exit::FAILED } else { Exit::DONE })
}

fn chosen(known: Vec<Scenario>, names: &[String]) -> Result<Vec<Scenario>, CliError> {
    if names.iter().any(|name| name == "all") {
        return Ok(known);
    }
    if let Some(unknown) = names.iter().find(|name| !known.iter().any(|one| one.name == name.as_str())) {
        let shown: String = unknown.chars().take(64).collect();
        let advice = format!("there is no scenario `{shown}`: see `icn simulate economy --list`");
        return Err(CliError::Usage(advice));
    }
    Ok(known.into_iter().filter(|scenario| names.iter().any(|name| name == scenario.name)).collect())
}

fn tell(out: &Output, report: &Report, broken: u64) -> Result<(), CliError> {
    let Report { agents, days, seeds, first_seed, .. } = report;
    out.line(&format!(
        "{agents} members, {days} days, {seeds} runs of each scenario from seed {first_seed}; means with their 95 % intervals\n"
    ))?;
    let mut heading = vec![Column::Left("SCENARIO")];
    heading.extend(SHOWN.map(|(name, _)| Column::Right(name)));
    let rows: Vec<Vec<Cell>> = report.scenarios.iter().map(scenario_row).collect();
    out.columns(&heading, &rows)?;
    out.line(&match broken {
        0 => "\non every day of every run, all balances summed to zero and nobody was beyond its line"
            .to_owned(),
        days => format!("\nBROKEN: on {days} days a sum was not zero, or somebody was beyond its line"),
    })?;
    if report.claims.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let heading = [
        Column::Left("VERDICT"),
        Column::Left("CLAIM"),
        Column::Right("CLAIMED"),
        Column::Right("FOUND"),
        Column::Right("95 %"),
        Column::Right("SINGLE RUNS"),
    ];
    let rows: Vec<Vec<Cell>> = report.claims.iter().map(claim_row).collect();
    out.columns(&heading, &rows)
}

fn scenario_row(scenario: &ScenarioReport) -> Vec<Cell> {
    let cell = |(_, measure): &(&str, Measure)| {
        let estimate = scenario.measures.get(measure.as_str());
        Cell::from(estimate.map(|estimate| shown(*measure, estimate)).unwrap_or_default())
    };
    std::iter::once(Cell::from(scenario.name)).chain(SHOWN.iter().map(cell)).collect()
}

fn claim_row(judged: &Judged) -> Vec<Cell> {
    let (word, style) = match judged.verdict {
        Verdict::Reproduced => ("reproduced", Style::Green),
        Verdict::InPart => ("in part", Style::Yellow),
        Verdict::Refuted => ("refuted", Style::Red),
    };
    let number = |value: f64| match judged.claim.expects {
        Expectation::Level(_) => plain(judged.claim.measure, value),
        Expectation::Change(_) | Expectation::Unchanged(_) | Expectation::Higher | Expectation::Lower => {
            format!("{:+.1} %", value * 100.0)
        }
    };
    let claimed = match judged.claim.expects {
        Expectation::Level(value) | Expectation::Change(value) => number(value),
        Expectation::Unchanged(within) => format!("±{:.0} %", within * 100.0),
        Expectation::Higher => "higher".to_owned(),
        Expectation::Lower => "lower".to_owned(),
    };
    let found = &judged.found;
    vec![
        Cell::styled(word, Some(style)),
        judged.claim.text.into(),
        claimed.into(),
        number(found.mean).into(),
        format!("{} to {}", number(found.low), number(found.high)).into(),
        format!("{} to {}", number(found.run_low), number(found.run_high)).into(),
    ]
}

/// Tells whether a measure is a share, which people read in hundredths.
const fn is_share(measure: Measure) -> bool {
    match measure {
        Measure::Payments
        | Measure::Volume
        | Measure::Turnover
        | Measure::NewcomerTake
        | Measure::Gini
        | Measure::GiniAll => false,
        Measure::Refused
        | Measure::Defaults
        | Measure::Lost
        | Measure::TopFifth
        | Measure::Hoarders
        | Measure::Rich
        | Measure::AtLimit
        | Measure::Takers
        | Measure::Pace
        | Measure::NewcomerDebt => true,
    }
}

fn shown(measure: Measure, estimate: &Estimate) -> String {
    let half = (estimate.high - estimate.low) / 2.0;
    if is_share(measure) {
        format!("{:.1} ±{:.1} %", estimate.mean * 100.0, half * 100.0)
    } else {
        format!("{} ±{}", plain(measure, estimate.mean), plain(measure, half))
    }
}

fn plain(measure: Measure, value: f64) -> String {
    if measure == Measure::Payments {
        format!("{value:.0}")
    } else if matches!(measure, Measure::Gini | Measure::GiniAll) {
        format!("{value:.3}")
    } else if is_share(measure) {
        format!("{:.1} %", value * 100.0)
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_scenarios() {
        let known = || scenarios(10, 90);
        let names = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(chosen(known(), &names("all")).unwrap().len(), known().len());
        let two = chosen(known(), &names("demurrage,baseline")).unwrap();
        assert_eq!(two.iter().map(|one| one.name).collect::<Vec<_>>(), ["baseline", "demurrage"]);
        assert!(chosen(known(), &names("basline")).unwrap_err().to_string().contains("--list"));
    }
}
