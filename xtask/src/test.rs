//! `cargo xtask test`: every test of the workspace.

use anyhow::{Result, bail};

use crate::shell::{self, cargo, has_cargo};

/// Where nextest finds the time limits and which tests must not share the machine.
const NEXTEST_CONFIG: &str = "xtask/nextest.toml";

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Test only these packages.
    #[arg(short, long = "package", value_name = "NAME")]
    packages: Vec<String>,
    /// Use `cargo test` although `cargo nextest` is installed.
    #[arg(long)]
    plain: bool,
}

/// Runs every test to the end, whatever fails on the way.
///
/// With `cargo nextest`, documentation tests come first, because nextest does not know them and its summary is
/// worth having at the end; without it, plain `cargo test` does both. The end-to-end tests are integration
/// tests of the package `icn`, so cargo builds the program before it runs them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let scope = scope(&arguments.packages);
    if arguments.plain || !has_cargo("nextest") {
        return shell::run(cargo(["test", "--no-fail-fast"]).args(scope));
    }
    let documentation = shell::run(cargo(["test", "--doc", "--no-fail-fast"]).args(&scope));
    let rest =
        shell::run(cargo(["nextest", "run", "--no-fail-fast", "--config-file", NEXTEST_CONFIG]).args(&scope));
    match (documentation, rest) {
        (Err(one), Err(other)) => bail!("{one}; {other}"),
        (one, other) => one.and(other),
    }
}

/// Returns the arguments that choose the packages.
fn scope(packages: &[String]) -> Vec<&str> {
    if packages.is_empty() {
        return vec!["--workspace"];
    }
    packages.iter().flat_map(|package| ["--package", package]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_everything_unless_packages_are_named() {
        assert_eq!(scope(&[]), ["--workspace"]);
        assert_eq!(scope(&["a".into(), "b".into()]), ["--package", "a", "--package", "b"]);
    }
}
