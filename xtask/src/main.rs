//! Project tasks: `cargo xtask <task>`.
//!
//! Each task is a handful of ordinary commands, printed before they run, so that what fails here can be repeated
//! by hand. This crate stays small because everybody compiles it before anything else; measurements live in
//! `crates/icn-bench`.

mod check;
mod docs;
mod fuzz;
mod shell;
mod sim;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::cargo;

/// Project tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test: documentation, unit, property, simulation, snapshot, fuzz corpus, end to end.
    Test(test::Arguments),
    /// Run what a change must pass: format, lints, licences and sources, generated files, tests.
    Check,
    /// Fuzz one target, or each in turn, guided by coverage.
    Fuzz(fuzz::Arguments),
    /// Run federations of virtual nodes from many seeds, with every fault.
    Sim(sim::Arguments),
    /// Measure the program beside the limits of this machine.
    Bench {
        /// Arguments for the benchmark program (`--help` lists them).
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write the files in `docs` that the program itself describes.
    Docs {
        /// Change nothing, and fail if a file is not what the program says.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let done = shell::enter_workspace().and_then(|()| match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Check => check::run(),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Sim(arguments) => sim::run(&arguments),
        Task::Bench { arguments } => {
            // Both in one build: apart, their features differ and half of the dependencies are built twice.
            let packages = ["--package", "icn", "--package", "icn-bench"];
            shell::run(cargo(["build", "--release"]).args(packages)).and_then(|()| {
                let program = shell::built("release", "icn-bench");
                shell::run(std::process::Command::new(program).args(arguments))
            })
        }
        Task::Docs { check } => docs::run(check),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
