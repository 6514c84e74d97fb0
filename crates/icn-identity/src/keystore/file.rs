//! Writing a secret file once, and reading it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::KeyStoreError;

/// The largest file that is read: a keystore has less than 1 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const NO_FILE: &str = "it is too large or no file";

/// Writes a new file that only its owner may read, under a temporary name; lets `check` read it; then gives it its name,
/// unless there is a file of that name by now.
pub(super) fn create(
    path: &Path,
    bytes: &[u8],
    check: impl FnOnce(&Path) -> Result<(), KeyStoreError>,
) -> Result<(), KeyStoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(KeyStoreError::Exists { path: path.to_owned() });
    }
    let temporary = temporary_name(path);
    write_new(&temporary, bytes)?;
    let named = check(&temporary).and_then(|()| {
        // A link, unlike a rename, never replaces what is there.
        std::fs::hard_link(&temporary, path).map_err(|source| {
            if source.kind() == ErrorKind::AlreadyExists {
                KeyStoreError::Exists { path: path.to_owned() }
            } else {
                io("write", path)(source)
            }
        })
    });
    let removed = std::fs::remove_file(&temporary).map_err(io("remove", &temporary));
    named.and(removed)?;
    sync_folder(path)
}

/// Reads a file, and says what is unwise about its permissions.
pub(super) fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<String>), KeyStoreError> {
    let no_file = |source: std::io::Error| {
        if source.kind() == ErrorKind::NotFound {
            KeyStoreError::Missing { path: path.to_owned() }
        } else {
            io("read", path)(source)
        }
    };
    // Before it is opened: opening a pipe would wait for somebody who writes into it.
    if !std::fs::metadata(path).map_err(no_file)?.is_file() {
        return Err(KeyStoreError::Damaged { path: path.to_owned(), reason: NO_FILE });
    }
    let file = File::open(path).map_err(no_file)?;
    let metadata = file.metadata().map_err(io("read", path))?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(KeyStoreError::Damaged { path: path.to_owned(), reason: NO_FILE });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io("read", path))?;
    Ok((bytes, open_to_others(path, &metadata)))
}

/// Makes a folder that only its owner may look into, unless it is there.
pub(super) fn make_folder(path: &Path) -> Result<(), KeyStoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(io("make", path))
}

/// Lists the names of what is in a folder; nothing when there is none.
pub(super) fn list(folder: &Path) -> Result<Vec<OsString>, KeyStoreError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("read", folder)(error)),
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name());
    entries.map(name).collect::<Result<_, _>>().map_err(io("read", folder))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyStoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io("write", path))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // The half-written file is ours; the first error is the one to tell.
        drop(std::fs::remove_file(path));
        io("write", path)(source)
    })
}

/// Makes the new name survive a power cut.
fn sync_folder(path: &Path) -> Result<(), KeyStoreError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("write", folder))
}

#[cfg(unix)]
fn open_to_others(path: &Path, metadata: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0)
        .then(|| format!("others may read `{0}` (mode {mode:o}): run `chmod 600 {0}`", path.display()))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path, _: &std::fs::Metadata) -> Option<String> {
    None
}

fn io<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> KeyStoreError + 'a {
    move |source| KeyStoreError::Io { action, path: path.to_owned(), source }
}
