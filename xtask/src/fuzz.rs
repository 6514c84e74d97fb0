//! `cargo xtask fuzz`: coverage-guided fuzzing of the decoders that a stranger reaches.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell::{self, cargo, ensure_cargo, output};

/// The release of cargo-fuzz that is installed where there is none.
const CARGO_FUZZ: &str = "0.13.2";

/// The committed inputs, a folder for each target; the tests replay them.
const CORPUS: &str = "fuzz/corpus";

/// Where inputs go that reach something new, so that a run leaves the committed ones alone.
const FOUND: &str = "target/fuzz-corpus";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The target; without it each one has its turn.
    target: Option<String>,
    /// How long each target runs, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Watch every memory access as well (AddressSanitizer): about six times slower, for targets that reach
    /// unsafe code of a library.
    #[arg(long)]
    address: bool,
    /// Print the targets and end.
    #[arg(long)]
    list: bool,
}

/// Fuzzes the chosen targets in turn; what breaks one is left in `fuzz/artifacts/<target>`.
///
/// Inputs that reach something new are left in [`FOUND`]; those worth keeping are copied to [`CORPUS`] by hand.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure_cargo("fuzz", CARGO_FUZZ)?;
    let listed = output(&mut cargo(["fuzz", "list"]))?;
    let targets = chosen(&listed, arguments.target.as_deref())?;
    if arguments.list {
        print!("{listed}");
        return Ok(());
    }
    let mut broken = Vec::new();
    for target in targets {
        if let Err(error) = fuzz(target, arguments) {
            eprintln!("{target}: {error:#}");
            broken.push(target);
        }
    }
    if !broken.is_empty() {
        bail!("broken: {}; the inputs are in `fuzz/artifacts`", broken.join(", "));
    }
    Ok(())
}

/// Returns the targets to run: the named one, which must exist, or all.
fn chosen<'t>(listed: &'t str, name: Option<&str>) -> Result<Vec<&'t str>> {
    let all: Vec<_> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let targets: Vec<_> =
        all.iter().copied().filter(|target| name.is_none_or(|name| name == *target)).collect();
    match name {
        _ if all.is_empty() => bail!("there are no fuzz targets: add one in `fuzz`"),
        Some(name) if targets.is_empty() => {
            bail!("there is no target `{name}`: choose from {}", all.join(", "))
        }
        _ => Ok(targets),
    }
}

fn fuzz(target: &str, arguments: &Arguments) -> Result<()> {
    let mut command = cargo(["fuzz", "run"]);
    if arguments.address {
        // The sanitizer's runtime ships with the stable toolchain, but `-Zsanitizer` asks for this.
        command.env("RUSTC_BOOTSTRAP", "1");
    } else {
        // Coverage instrumentation alone needs no unstable option.
        command.args(["--sanitizer", "none"]);
    }
    shell::run(
        command
            .arg(target)
            .args(corpora(target)?)
            .arg("--")
            .arg(format!("-max_total_time={}", arguments.seconds)),
    )
}

/// Returns the folders of inputs: the one to write to first, as libFuzzer wants it, then the committed one.
fn corpora(target: &str) -> Result<Vec<PathBuf>> {
    let found = Path::new(FOUND).join(target);
    fs::create_dir_all(&found).with_context(|| format!("creating `{}`", found.display()))?;
    let committed = Path::new(CORPUS).join(target);
    let mut folders = vec![found];
    folders.extend(committed.is_dir().then_some(committed));
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_all_or_the_named_one() {
        assert_eq!(chosen("frame\nblock\n", None).unwrap(), ["frame", "block"]);
        assert_eq!(chosen("frame\nblock\n", Some("block")).unwrap(), ["block"]);
    }

    #[test]
    fn unknown_target_lists_the_known_ones() {
        let error = chosen("frame\nblock\n", Some("blok")).unwrap_err().to_string();
        assert_eq!(error, "there is no target `blok`: choose from frame, block");
        assert!(chosen("", None).is_err());
    }
}
