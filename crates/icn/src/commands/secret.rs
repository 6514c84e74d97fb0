//! Passphrases: from a file, the environment or a person.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::CliError;

/// The environment variable with the passphrase of the keystore.
const VARIABLE: &str = "ICN_KEYSTORE_PASSPHRASE";

/// The longest line that is read as a passphrase, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4_096;

/// A passphrase, overwritten when it is dropped.
pub(super) type Passphrase = Zeroizing<String>;

/// Finds a passphrase that was given without a person: the file first, then the environment.
pub(super) fn given(file: Option<&Path>) -> Result<Option<Passphrase>, CliError> {
    if let Some(path) = file {
        return first_line(path).map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(passphrase) if passphrase.is_empty() => {
            Err(CliError::Usage(format!("{VARIABLE} is empty: set it, or unset it to be asked")))
        }
        Ok(passphrase) => Ok(Some(Zeroizing::new(passphrase))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(CliError::Usage(format!("{VARIABLE} is not UTF-8"))),
    }
}

/// Reads the first line of a file, without its line end.
fn first_line(path: &Path) -> Result<Passphrase, CliError> {
    let file = File::open(path).map_err(CliError::file("read", path))?;
    let mut line = Zeroizing::new(String::new());
    BufReader::new(file.take(PASSPHRASE_BYTES_MAX + 2))
        .read_line(&mut line)
        .map_err(CliError::file("read", path))?;
    let passphrase = line.trim_end_matches(['\n', '\r']);
    if passphrase.is_empty() || passphrase.len() as u64 > PASSPHRASE_BYTES_MAX {
        let shown = path.display();
        return Err(CliError::Usage(format!(
            "the first line of `{shown}` is not a passphrase of 1 to {PASSPHRASE_BYTES_MAX} bytes"
        )));
    }
    Ok(Zeroizing::new(passphrase.to_owned()))
}

/// Asks a person for a new passphrase, twice.
pub(super) fn ask_new() -> Result<Passphrase, CliError> {
    ask("Passphrase for the new keystore", true)
}

/// Asks a person for the passphrase of the keystore.
pub(super) fn ask_known() -> Result<Passphrase, CliError> {
    ask("Passphrase of the keystore", false)
}

fn ask(prompt: &str, twice: bool) -> Result<Passphrase, CliError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CliError::Usage(format!(
            "a passphrase is needed and nobody can be asked: use `--passphrase-file FILE` or {VARIABLE}, or \
             `icn init --no-passphrase` for a key that only the file's permissions protect"
        )));
    }
    let mut question = dialoguer::Password::new().with_prompt(prompt);
    if twice {
        question = question.with_confirmation("Once more", "They differ; try again");
    }
    question.interact().map(Zeroizing::new).map_err(CliError::because("no passphrase was read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, expected) in [
            ("correct horse\n", Some("correct horse")),
            ("correct horse\r\nsecond", Some("correct horse")),
            ("no line end", Some("no line end")),
            (" blanks count ", Some(" blanks count ")),
            ("", None),
            ("\nsecond", None),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(first_line(&path).ok().as_deref().map(String::as_str), expected, "{content:?}");
        }
        std::fs::write(&path, "x".repeat(5_000)).unwrap();
        assert!(first_line(&path).is_err());
        assert!(first_line(&folder.path().join("missing")).is_err());
    }
}
