//! ICN, the InterCooperative Network: one binary that is the node, its command line and its terminal console.
//!
//! This crate decides what a person sees and what a script can rely on: commands, texts, JSON on stdout, exit codes.
//! It asks a running node through its HTTP API and never opens a node's database beside it.

mod cli;
mod client;
mod commands;
mod error;
mod output;
mod program;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, ColorChoice};
use crate::error::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let args = program::canonical(std::env::args_os());
    let parsed = Cli::command()
        .color(program::color(&args))
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let exit = match parsed {
        Ok(cli) => run(cli),
        Err(error) => {
            // Help and version go to stdout and are no failure.
            let exit = if error.use_stderr() { Exit::USAGE } else { Exit::DONE };
            let _closed = error.print();
            exit
        }
    };
    ExitCode::from(exit.code())
}

fn run(cli: Cli) -> Exit {
    let output = Output::new(cli.global.json, cli.global.color);
    match commands::run(cli, &output) {
        Ok(exit) => exit,
        // Whoever read our output has seen enough.
        Err(error) if error.is_closed_pipe() => Exit::DONE,
        Err(error) => {
            let _closed = writeln!(std::io::stderr(), "{}", output.failure(&error));
            error.exit()
        }
    }
}

impl From<ColorChoice> for clap::ColorChoice {
    fn from(choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Auto => Self::Auto,
            ColorChoice::Always => Self::Always,
            ColorChoice::Never => Self::Never,
        }
    }
}
