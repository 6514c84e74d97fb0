//! `icn completions`, `icn man`, `icn config-reference`: pages made from the definitions.

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::error::{CliError, Exit};
use crate::output::Output;

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs, out: &Output) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "icn", &mut script);
    out.bytes(&script)?;
    Ok(Exit::DONE)
}

/// Writes a man page for each command.
pub(crate) fn man(args: &ManArgs, out: &Output) -> Result<Exit, CliError> {
    std::fs::create_dir_all(&args.dir).map_err(CliError::file("make the folder", &args.dir))?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(CliError::file("write into", &args.dir))?;
    out.note(&format!("wrote the man pages to `{}`", args.dir.display()));
    Ok(Exit::DONE)
}

/// Prints the reference of the configuration.
pub(crate) fn config_reference(out: &Output) -> Result<Exit, CliError> {
    out.bytes(icn_node::config::reference().as_bytes())?;
    Ok(Exit::DONE)
}
