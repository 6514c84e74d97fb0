//! `cargo xtask bench`: what the program does, each figure beside the limit of this machine that sets it.
//!
//! A section measures one part of the program; [`SECTIONS`] lists them. Results go to standard output as Markdown
//! tables, ready for `docs/benchmarks.md`; progress goes to standard error.

mod books;
mod content;
mod economy;
mod flood;
mod idle;
mod jobs;
mod messages;
mod modules;
mod start;
mod store;
mod transfer;
mod trust;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use serde_json::json;

use icn_bench::limits::Limits;
use icn_bench::machine::Machine;
use icn_bench::report::Section;
use icn_bench::{Context, Measure, Plan};

/// Measures the program beside the limits of this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Measure only these sections.
    #[arg(value_name = "SECTION")]
    sections: Vec<String>,
    /// Run each measurement in this process for at least so many milliseconds.
    #[arg(long, default_value_t = 1_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    each_ms: u64,
    /// Measure little of everything: shows what is badly wrong, not more.
    #[arg(long, conflicts_with = "each_ms")]
    quick: bool,
    /// The folder whose disk is measured; a folder in memory says nothing of a disk.
    #[arg(long, default_value = "target", value_name = "DIR")]
    dir: PathBuf,
    /// Measure this program; without it `icn` is built with `--release` first.
    #[arg(long, value_name = "PATH")]
    icn: Option<PathBuf>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Print the names of the sections and end.
    #[arg(long)]
    list: bool,
    /// What the section `books-start` starts in a process of its own.
    #[arg(long, hide = true, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// How far that process goes.
    #[arg(long, hide = true, requires = "replay", default_value = "replica")]
    replay_as: books::Replay,
}

/// One part of the program.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    measure: Measure,
    /// Whether it needs `icn` as a process.
    processes: bool,
}

impl Part {
    const fn within(name: &'static str, measure: Measure) -> Self {
        Self { name, measure, processes: false }
    }

    const fn processes(name: &'static str, measure: Measure) -> Self {
        Self { name, measure, processes: true }
    }
}

/// The sections, in the order of the report. The limits come first, since all others refer to them.
const SECTIONS: [Part; 21] = [
    Part::within("limits", |context| Ok(context.limits.section())),
    Part::processes("job", jobs::single),
    Part::processes("jobs", jobs::burst),
    Part::within("guests", modules::measure),
    Part::within("messages", messages::measure),
    Part::within("store", store::measure),
    Part::within("content", content::measure),
    Part::within("replica", books::replica),
    Part::within("payments", books::payments),
    Part::within("foreign", books::foreign),
    Part::within("reconcile", books::reconcile),
    Part::within("books-start", books::start),
    Part::within("economy", economy::measure),
    Part::processes("books-mesh", books::propagated),
    Part::processes("books-witnessed", books::certified),
    Part::within("trust", trust::measure),
    Part::within("sybils", trust::sybils),
    Part::processes("flood", flood::measure),
    Part::processes("files", transfer::measure),
    Part::processes("idle", idle::measure),
    Part::processes("start", start::measure),
];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(dir) = &arguments.replay {
        return books::replay(dir, arguments.replay_as);
    }
    let parts = chosen(&arguments.sections)?;
    if arguments.list {
        parts.iter().for_each(|part| println!("{}", part.name));
        return Ok(());
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: without optimisation the figures mean nothing: use `cargo xtask bench`");
    }
    let icn = program(arguments, parts.iter().any(|part| part.processes))?;
    let machine = Machine::read();
    if !arguments.json {
        println!("{machine}");
    }
    std::fs::create_dir_all(&arguments.dir)
        .with_context(|| format!("creating `{}`", arguments.dir.display()))?;
    // Nodes are started with another working folder in mind than ours.
    let dir =
        arguments.dir.canonicalize().with_context(|| format!("finding `{}`", arguments.dir.display()))?;
    let plan =
        if arguments.quick { Plan::quick() } else { Plan::full(Duration::from_millis(arguments.each_ms)) };
    eprintln!("measuring the limits …");
    let limits = Limits::measure(plan.each, &dir).context("measuring the limits of the machine")?;
    let context = Context { plan, dir, icn, limits };
    let mut sections = Vec::new();
    for part in parts {
        eprintln!("measuring {} …", part.name);
        let section = (part.measure)(&context).with_context(|| format!("measuring `{}`", part.name))?;
        if !arguments.json {
            println!("\n{section}");
        }
        sections.push(section);
    }
    if arguments.json {
        let sections: Vec<_> = sections.iter().map(Section::to_json).collect();
        println!("{:#}", json!({ "machine": machine, "sections": sections }));
    }
    Ok(())
}

/// Returns the program to measure, built anew unless the caller named one.
fn program(arguments: &Arguments, needed: bool) -> Result<PathBuf> {
    if let Some(icn) = &arguments.icn {
        return icn.canonicalize().with_context(|| format!("finding `{}`", icn.display()));
    }
    let icn = std::env::current_exe().context("finding this program")?.with_file_name("icn");
    if needed {
        eprintln!("building icn …");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "--package", "icn"]);
        if !build.status().context("starting `cargo build`")?.success() {
            bail!("`icn` cannot be built: mend it, or name a program with `--icn`");
        }
        if !icn.exists() {
            bail!("there is no `{}`: name the program with `--icn`", icn.display());
        }
    }
    Ok(icn)
}

/// Returns the named sections, or all of them.
fn chosen(names: &[String]) -> Result<Vec<Part>> {
    let known = |wanted: &String| SECTIONS.iter().any(|part| part.name == wanted);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        bail!("there is no section `{unknown}`: `--list` names them");
    }
    Ok(SECTIONS.into_iter().filter(|part| names.is_empty() || names.iter().any(|n| n == part.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_bench::BooksPlan;

    #[test]
    fn sections_are_all_or_the_named_ones() {
        assert_eq!(chosen(&[]).unwrap().len(), SECTIONS.len());
        assert_eq!(chosen(&["limits".into()]).unwrap().len(), 1);
        assert!(chosen(&["limit".into()]).unwrap_err().to_string().contains("`limit`"));
    }

    #[test]
    fn every_section_within_this_process_can_be_measured() {
        let dir = tempfile::tempdir().unwrap();
        let books = BooksPlan {
            load: Duration::from_millis(20),
            mesh: Duration::from_millis(20),
            has_peers: false,
            foreign: 100,
            sets: vec![6_000],
            start: 300,
        };
        let plan = Plan { each: Duration::from_millis(5), trust_members: 100, books, ..Plan::quick() };
        let limits = Limits::measure(plan.each, dir.path()).unwrap();
        let context = Context { plan, dir: dir.path().to_owned(), icn: PathBuf::new(), limits };
        for part in SECTIONS.iter().filter(|part| !part.processes) {
            let section = (part.measure)(&context).unwrap();
            let (text, json) = (section.to_string(), section.to_json());
            assert!(text.lines().count() > 2, "section `{}` is empty: {text}", part.name);
            let rows = text.lines().filter(|line| line.starts_with('|')).count() - 2;
            assert_eq!(rows, json["rows"].as_array().unwrap().len());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "temporary files stay behind");
    }
}
