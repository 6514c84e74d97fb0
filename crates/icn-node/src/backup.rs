//! A consistent copy of a node, and a node from a copy.
//!
//! The copy is a tar archive of `keystore.age`, `icn.toml`, the keys of members (`identities/NAME.key`) and
//! `database.icn`, the database as of one moment.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use icn_gateway::api::ByteStream;
use icn_store::{Database, Restored};
use tokio_util::io::ReaderStream;

use crate::DataDir;
use crate::core::Node;

const DATABASE: &str = "database.icn";
const KEYSTORE: &str = "keystore.age";
const CONFIG: &str = "icn.toml";
const IDENTITIES: &str = "identities";

/// The largest keystore or configuration that is restored, in bytes.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// Streams a copy of a running node.
pub(crate) async fn stream(node: &Arc<Node>) -> anyhow::Result<ByteStream> {
    let node = Arc::clone(node);
    let file = tokio::task::spawn_blocking(move || spool(&node.db, &node.data_dir)).await??;
    Ok(Box::pin(ReaderStream::with_capacity(tokio::fs::File::from_std(file), 256 * 1024)))
}

/// Writes a copy of a data folder that no node holds.
///
/// # Errors
///
/// When the database cannot be opened, or the copy cannot be written.
pub fn write(db: &Database, data_dir: &DataDir, target: &Path) -> anyhow::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(folder).context("the copy cannot be written beside its target")?;
    std::io::copy(&mut spool(db, data_dir)?, &mut file)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(target)
        .with_context(|| format!("`{}` exists or cannot be written", target.display()))?;
    Ok(())
}

/// Makes the archive in a nameless file of the data folder's disk.
fn spool(db: &Database, data_dir: &DataDir) -> anyhow::Result<File> {
    let mut database = tempfile::tempfile_in(data_dir.path())?;
    db.backup(&mut database)?;
    let bytes = database.stream_position()?;
    database.rewind()?;
    let mut archive = tar::Builder::new(tempfile::tempfile_in(data_dir.path())?);
    for (name, path) in [(KEYSTORE, data_dir.keystore()), (CONFIG, data_dir.config())] {
        if path.exists() {
            archive.append_path_with_name(path, name)?;
        }
    }
    if data_dir.identities().is_dir() {
        for key in std::fs::read_dir(data_dir.identities())? {
            let key = key?;
            let name = key.file_name().to_string_lossy().into_owned();
            if is_key_file(&name) {
                archive.append_path_with_name(key.path(), format!("{IDENTITIES}/{name}"))?;
            }
        }
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    archive.append_data(&mut header, DATABASE, &mut database)?;
    let mut file = archive.into_inner()?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

/// Makes a data folder from a copy. The folder must be empty or absent; it appears whole or not at all.
///
/// # Errors
///
/// When the folder is in use, or the copy is damaged or incomplete.
pub fn restore(archive: &Path, data_dir: &DataDir) -> anyhow::Result<Restored> {
    let target = data_dir.path();
    if target.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("`{}` is not empty: restoring never overwrites, choose another `--data-dir`", target.display());
    }
    let source = File::open(archive).with_context(|| format!("`{}` cannot be read", archive.display()))?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let folder = tempfile::Builder::new()
        .prefix(".icn-restore")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir_in(parent)?;
    let staged = DataDir::new(folder.path());
    let mut restored = None;
    for entry in tar::Archive::new(source).entries().context("the copy is not a tar archive")? {
        let mut entry = entry.context("the copy is damaged")?;
        let name = entry.path()?.to_string_lossy().into_owned();
        match name.as_str() {
            DATABASE => {
                restored = Some(
                    Database::restore(&staged.database(), &mut entry)
                        .context("the copy's database is damaged")?,
                );
            }
            KEYSTORE => write_private(&staged.keystore(), &mut entry)?,
            CONFIG => write_private(&staged.config(), &mut entry)?,
            _ if name.strip_prefix("identities/").is_some_and(is_key_file) => {
                private_folder(&staged.identities())?;
                write_private(&staged.path().join(&name), &mut entry)?;
            }
            _ => bail!("the copy holds `{name}`, which no backup of ICN has"),
        }
    }
    let restored = restored.context("the copy has no database: it is not whole")?;
    icn_identity::keystore::FileKeyStore::open(&staged.keystore())
        .context("the copy has no readable keystore")?;
    if target.exists() {
        std::fs::remove_dir(target)?;
    }
    std::fs::rename(folder.keep(), target)?;
    Ok(restored)
}

/// Tells whether a file of the folder of keys is one: a name of letters and digits, which leads nowhere else.
fn is_key_file(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    name.strip_suffix(".key").is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain))
}

fn private_folder(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if !path.is_dir() {
        std::fs::DirBuilder::new().mode(0o700).create(path)?;
    }
    Ok(())
}

fn write_private(path: &Path, source: &mut impl std::io::Read) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let copied = std::io::copy(&mut source.take(SMALL_BYTES_MAX + 1), &mut file)?;
    if copied > SMALL_BYTES_MAX {
        bail!("`{}` in the copy is larger than any that ICN writes", path.display());
    }
    file.sync_all()?;
    Ok(())
}
