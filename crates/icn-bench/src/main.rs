//! `cargo xtask bench`: what the program does, each figure beside the limit of this machine that sets it.
//!
//! A section measures one part of the program; [`SECTIONS`] lists them. Results go to standard output as Markdown
//! tables, ready for `docs/benchmarks.md`; progress goes to standard error.

mod content;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use icn_bench::limits::Limits;
use icn_bench::machine::Machine;
use icn_bench::{Context, Measure};

/// Measures the program beside the limits of this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Measure only these sections.
    #[arg(value_name = "SECTION")]
    sections: Vec<String>,
    /// Run each measurement for at least so many milliseconds.
    #[arg(long, default_value_t = 1_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    each_ms: u64,
    /// The folder whose disk is measured; a folder in memory says nothing of a disk.
    #[arg(long, default_value = "target", value_name = "DIR")]
    dir: PathBuf,
    /// Print the names of the sections and end.
    #[arg(long)]
    list: bool,
}

/// The sections, in the order of the report. The limits come first, since all others refer to them.
const SECTIONS: [(&str, Measure); 2] =
    [("limits", |context| Ok(context.limits.section())), ("content", content::measure)];

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
    let sections = chosen(&arguments.sections)?;
    if arguments.list {
        sections.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: without optimisation the figures mean nothing: use `cargo xtask bench`");
    }
    println!("{}", Machine::read());
    std::fs::create_dir_all(&arguments.dir)
        .with_context(|| format!("creating `{}`", arguments.dir.display()))?;
    let each = Duration::from_millis(arguments.each_ms);
    let limits = Limits::measure(each, &arguments.dir).context("measuring the limits of the machine")?;
    let context = Context { each, dir: arguments.dir.clone(), limits };
    for (name, measure) in sections {
        eprintln!("measuring {name} …");
        println!("\n{}", measure(&context).with_context(|| format!("measuring `{name}`"))?);
    }
    Ok(())
}

/// Returns the named sections, or all of them.
fn chosen(names: &[String]) -> Result<Vec<(&'static str, Measure)>> {
    let known = |wanted: &String| SECTIONS.iter().any(|(name, _)| name == wanted);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        bail!("there is no section `{unknown}`: `--list` names them");
    }
    Ok(SECTIONS.into_iter().filter(|(name, _)| names.is_empty() || names.iter().any(|n| n == name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_all_or_the_named_ones() {
        assert_eq!(chosen(&[]).unwrap().len(), SECTIONS.len());
        assert_eq!(chosen(&["limits".into()]).unwrap().len(), 1);
        assert!(chosen(&["limit".into()]).unwrap_err().to_string().contains("`limit`"));
    }

    #[test]
    fn every_section_can_be_measured() {
        let dir = tempfile::tempdir().unwrap();
        let each = Duration::from_millis(5);
        let limits = Limits::measure(each, dir.path()).unwrap();
        let context = Context { each, dir: dir.path().to_owned(), limits };
        for (name, measure) in SECTIONS {
            let text = measure(&context).unwrap().to_string();
            assert!(text.lines().count() > 2, "section `{name}` is empty: {text}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "temporary files stay behind");
    }
}
