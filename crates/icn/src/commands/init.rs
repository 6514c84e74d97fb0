//! `icn init`: a key, its keystore and a configuration file.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use icn_identity::Keypair;
use icn_identity::keystore::{FileKeyStore, KeyStore as _, Protection};
use icn_types::Did;
use serde::Serialize;

use super::{Context, secret};
use crate::cli::InitArgs;
use crate::error::{CliError, Exit};

/// The configuration's name in the node's folder.
pub(super) const CONFIG_FILE: &str = "icn.toml";

/// What was made, as JSON.
#[derive(Debug, Serialize)]
struct Made<'a> {
    did: Did,
    peer_id: String,
    data_dir: &'a Path,
    keystore: PathBuf,
    encrypted: bool,
}

/// Tells where a node's keystore is.
pub(super) fn keystore_path(data_dir: &Path) -> PathBuf {
    icn_node::DataDir::new(data_dir).keystore()
}

/// Makes a node. Nothing that exists is overwritten.
pub(crate) fn run(context: &Context<'_>, args: &InitArgs) -> Result<Exit, CliError> {
    let data_dir = context.data_dir();
    let keystore = keystore_path(data_dir);
    if keystore.exists() {
        let shown = keystore.display();
        return Err(CliError::Failed(format!(
            "there is a node in `{}` already, with its key in `{shown}`: use it, or name another folder with \
             `--data-dir`",
            data_dir.display()
        )));
    }
    let protection = protection(args)?;
    let encrypted = matches!(protection, Protection::Passphrase(..));
    make_private_folder(data_dir)?;
    let keypair = Keypair::generate_from_os()
        .map_err(CliError::because("the system gives no random numbers: a key cannot be made"))?;
    FileKeyStore::create(&keystore, &keypair, &protection)
        .map_err(CliError::because(format!("cannot make the keystore `{}`", keystore.display())))?;
    let config = write_config(data_dir)?;
    report(
        context,
        Made {
            did: keypair.did(),
            peer_id: icn_identity::peer_id(&keypair.did()).to_string(),
            data_dir,
            keystore,
            encrypted,
        },
        config,
    )
}

/// Finds out how the key is to be protected.
fn protection(args: &InitArgs) -> Result<Protection, CliError> {
    if args.no_passphrase {
        return Ok(Protection::None);
    }
    let passphrase = match secret::given(args.passphrase_file.as_deref())? {
        Some(passphrase) => passphrase,
        None => secret::ask_new()?,
    };
    Ok(Protection::passphrase(&passphrase))
}

/// Makes the folder for its owner alone; one that exists keeps its permissions.
fn make_private_folder(path: &Path) -> Result<(), CliError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(CliError::file("make the folder", path))
}

/// Writes the commented configuration, unless there is one; tells whether it was written.
fn write_config(data_dir: &Path) -> Result<bool, CliError> {
    let path = data_dir.join(CONFIG_FILE);
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            file.write_all(icn_node::config::template().as_bytes()).map_err(CliError::file("write", path))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(CliError::file("create", path)(error)),
    }
}

fn report(context: &Context<'_>, made: Made<'_>, config: bool) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(&made)?;
        return Ok(Exit::DONE);
    }
    let protection = if made.encrypted { "encrypted" } else { "NOT encrypted" };
    let config_note = if config { "written, all defaults" } else { "kept as it was" };
    context.out.pairs(&[
        ("did", made.did.to_string()),
        ("peer id", made.peer_id),
        ("folder", made.data_dir.display().to_string()),
        ("keystore", format!("{} ({protection})", made.keystore.display())),
        ("config", format!("{CONFIG_FILE} ({config_note})")),
    ])?;
    context
        .out
        .note("start the node with `icn node`; keep a copy of the keystore: the key cannot be made again");
    Ok(Exit::DONE)
}

/// Opens the keystore of a node, asking for the passphrase if one is needed; returns the passphrase as well, for the keys
/// beside it.
pub(super) fn unlock(
    data_dir: &Path,
    passphrase_file: Option<&Path>,
) -> Result<(Keypair, Option<secret::Passphrase>), CliError> {
    let path = keystore_path(data_dir);
    if !path.exists() {
        return Err(CliError::Failed(format!(
            "there is no node in `{}`: make one with `icn init`",
            data_dir.display()
        )));
    }
    let what = || format!("cannot open the keystore `{}`", path.display());
    let mut store = FileKeyStore::open(&path).map_err(CliError::because(what()))?;
    let passphrase = if !store.is_encrypted() {
        None
    } else if let Some(given) = secret::given(passphrase_file)? {
        Some(given)
    } else {
        Some(secret::ask_known()?)
    };
    store.unlock(passphrase.as_deref().map(String::as_str)).map_err(CliError::because(what()))?;
    let keypair = store.keypair().cloned().map_err(CliError::because(what()))?;
    Ok((keypair, passphrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_configuration_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write_config(folder.path()).unwrap();
        let path = folder.path().join(CONFIG_FILE);
        assert_eq!(icn_node::Config::load(Some(&path), |_| None).unwrap(), icn_node::Config::default());
    }

    #[test]
    fn a_configuration_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_config(folder.path()).unwrap());
        std::fs::write(folder.path().join(CONFIG_FILE), "mine").unwrap();
        assert!(!write_config(folder.path()).unwrap());
        assert_eq!(std::fs::read_to_string(folder.path().join(CONFIG_FILE)).unwrap(), "mine");
    }
}
