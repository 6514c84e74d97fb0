//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Goes to the root of the workspace, to which all paths of the tasks are relative.
pub(crate) fn enter_workspace() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in no workspace")?;
    std::env::set_current_dir(root).with_context(|| format!("entering `{}`", root.display()))
}

/// Starts a command line of the cargo that runs this task.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    // What `cargo run` told us of our own package would make build scripts that watch these variables (ring's, the
    // one of aws-lc) run again, and everything above them be compiled again, each time cargo is started by hand.
    for name in std::env::vars_os().map(|(name, _)| name).filter(|name| describes_package(name)) {
        command.env_remove(name);
    }
    command
}

/// Tells whether cargo sets the variable to describe the package that it runs.
fn describes_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Prints the command, runs it and waits for it to end well.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("\n$ {line}");
    let status = command.status().with_context(|| format!("starting `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs the command and returns what it writes to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("starting `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` wrote something that is not UTF-8"))
}

/// Returns where cargo puts a program that it builds.
pub(crate) fn built(profile: &str, program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    target.join(profile).join(program)
}

/// Tells whether cargo knows the subcommand.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    cargo([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Installs a subcommand of cargo from its registry unless it is there, in whatever version.
pub(crate) fn ensure_cargo(subcommand: &str, version: &str) -> Result<()> {
    if has_cargo(subcommand) {
        return Ok(());
    }
    let package = format!("cargo-{subcommand}");
    // The tool runs for seconds and is built for minutes: a light optimisation is the better bargain.
    run(cargo(["install", "--locked", "--version", version, &package])
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"))
}

/// Returns the command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_what_one_would_type() {
        let command = cargo(["test", "--workspace"]);
        assert!(line(&command).starts_with("cargo"), "{}", line(&command));
        assert!(line(&command).ends_with(" test --workspace"), "{}", line(&command));
    }

    #[test]
    fn failure_names_the_command() {
        let error = run(&mut cargo(["no-such-subcommand-of-cargo"])).unwrap_err().to_string();
        assert!(error.contains("no-such-subcommand-of-cargo"), "{error}");
        assert!(!has_cargo("no-such-subcommand-of-cargo"));
    }

    #[test]
    fn started_cargo_does_not_hear_of_our_package() {
        // Cargo describes this package to its tests as it does to `cargo xtask`.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let command = cargo(["--version"]);
        let removed: Vec<_> =
            command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&OsStr::new("CARGO_PKG_NAME")), "{removed:?}");
        assert!(removed.contains(&OsStr::new("CARGO_MANIFEST_DIR")), "{removed:?}");
    }

    #[test]
    fn output_is_returned() {
        assert!(output(&mut cargo(["--version"])).unwrap().starts_with("cargo 1."));
    }
}
