//! The names under which the program is started.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Rewrites the arguments of the program's other names as arguments of `icn`: `icnd` is `icn node`, `icn-console` is
/// `icn console`, and `icnctl` is `icn`.
pub(crate) fn canonical(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let started_as = args.next().unwrap_or_else(|| "icn".into());
    let mut canonical: Vec<OsString> = vec!["icn".into()];
    canonical.extend(command_of(&started_as).map(OsString::from));
    canonical.extend(args);
    canonical
}

/// Tells which command a name of the program stands for.
fn command_of(started_as: &OsStr) -> Option<&'static str> {
    match Path::new(started_as).file_stem()?.to_str()? {
        "icnd" => Some("node"),
        "icn-console" => Some("console"),
        _ => None,
    }
}

/// Finds `--color` before the arguments are parsed, for the help and the errors of parsing itself.
pub(crate) fn color(args: &[OsString]) -> clap::ColorChoice {
    let texts: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let spaced = texts.windows(2).find_map(|pair| match pair {
        ["--color", value] => Some(*value),
        _ => None,
    });
    match spaced.or_else(|| texts.iter().find_map(|text| text.strip_prefix("--color="))) {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_commands() {
        let check = |line: &str, expected: &str| {
            let args = canonical(line.split(' ').map(OsString::from));
            let expected: Vec<OsString> = expected.split(' ').map(OsString::from).collect();
            assert_eq!(args, expected, "{line}");
        };
        check("icn status", "icn status");
        check("/usr/bin/icn", "icn");
        check("/usr/bin/icnd --peer /ip4/192.0.2.7", "icn node --peer /ip4/192.0.2.7");
        check("icnd --data-dir x", "icn node --data-dir x");
        check("icnctl job list", "icn job list");
        check("./icn-console", "icn console");
        check("renamed status", "icn status");
    }

    #[test]
    fn colour_is_found_in_both_spellings() {
        let check = |line: &str, expected: clap::ColorChoice| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(color(&args), expected, "{line}");
        };
        check("icn status --color never", clap::ColorChoice::Never);
        check("icn --color=always status", clap::ColorChoice::Always);
        check("icn status", clap::ColorChoice::Auto);
        check("icn status --color", clap::ColorChoice::Auto);
    }
}
