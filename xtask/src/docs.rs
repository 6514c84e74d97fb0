//! `cargo xtask docs`: files that the program itself describes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::shell::{cargo, output};

/// A file that is written by a command of the program, and checked in.
struct Generated {
    /// The file, from the root of the workspace.
    path: &'static str,
    /// The arguments of `icn` that print it.
    arguments: &'static [&'static str],
}

const GENERATED: [Generated; 1] = [Generated { path: "docs/config.md", arguments: &["config-reference"] }];

/// Writes the generated files, or with `check` fails if one is not what the program says.
pub(crate) fn run(check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for Generated { path, arguments } in GENERATED {
        let text = printed(arguments)?;
        if fs::read_to_string(path).is_ok_and(|present| present == text) {
            continue;
        }
        stale.push(path);
        if !check {
            write(Path::new(path), &text)?;
            eprintln!("wrote {path}");
        }
    }
    if check && !stale.is_empty() {
        bail!("not what the program says: {}; run `cargo xtask docs`", stale.join(", "));
    }
    Ok(())
}

/// Returns what `icn` prints, which must be something.
fn printed(arguments: &[&str]) -> Result<String> {
    let text = output(cargo(["run", "--quiet", "--package", "icn", "--bin", "icn", "--"]).args(arguments))?;
    if text.trim().is_empty() {
        bail!("`icn {}` printed nothing", arguments.join(" "));
    }
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating `{}`", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
}
