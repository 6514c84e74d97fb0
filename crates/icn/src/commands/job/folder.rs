//! Writing outputs whose names a stranger chose into one folder, and nowhere else.
//!
//! Names are checked again here, whatever was checked before. Every part of a name is then opened relative to the
//! folder before it and without following links, so that a link planted in the folder cannot lead out of it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::error::CliError;

/// The names that the guest's standard streams have among the outputs.
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Numbers the files that are not whole yet.
static PARTS: AtomicU64 = AtomicU64::new(0);

/// The folder that a person named for a job's outputs.
#[derive(Debug)]
pub(in crate::commands) struct OutputFolder {
    folder: OwnedFd,
    path: PathBuf,
}

impl OutputFolder {
    /// Opens the folder, making it if need be. The folder itself may be reached through links: a person named it.
    pub(in crate::commands) fn open(path: &Path) -> Result<Self, CliError> {
        std::fs::create_dir_all(path).map_err(CliError::file("make the folder", path))?;
        let folder = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| CliError::file("open the folder", path)(error.into()))?;
        Ok(Self { folder, path: path.to_owned() })
    }

    /// Begins an output. It appears under its name when it is [finished](PartialOutput::finish).
    pub(in crate::commands) fn begin(&self, name: &str) -> Result<PartialOutput, CliError> {
        check_name(name)?;
        let shown = self.path.join(name);
        let failed = |error: rustix::io::Errno| CliError::file("write", &shown)(explained(error));
        let (parents, last) = name.rsplit_once('/').map_or(("", name), |(parents, last)| (parents, last));
        let mut folder = self.folder.try_clone().map_err(CliError::file("write", &shown))?;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            folder = enter(&folder, part).map_err(failed)?;
        }
        let part = format!(".icn-{}-{}.part", std::process::id(), PARTS.fetch_add(1, Ordering::Relaxed));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &part, flags, Mode::from_raw_mode(0o666)).map_err(failed)?;
        Ok(PartialOutput {
            file: File::from(file),
            folder,
            part,
            last: last.to_owned(),
            shown,
            finished: false,
        })
    }
}

/// Enters a folder below another, making it if need be; a link is not entered.
fn enter(folder: &OwnedFd, part: &str) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::mkdirat(folder, part, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, part, flags, Mode::empty())
}

fn explained(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
            io::Error::other("a part of this path is a link or a file, not a folder")
        }
        other => other.into(),
    }
}

/// Checks a name once more, at the last door before the disk.
pub(in crate::commands) fn check_name(name: &str) -> Result<(), CliError> {
    if STREAMS.contains(&name) {
        return Ok(());
    }
    icn_types::check_path(name).map_err(|error| CliError::Failed(format!("an output is refused: {error}")))
}

/// An output that is being written. Unless it is finished, nothing of it stays.
#[derive(Debug)]
pub(in crate::commands) struct PartialOutput {
    file: File,
    folder: OwnedFd,
    part: String,
    last: String,
    shown: PathBuf,
    finished: bool,
}

impl PartialOutput {
    /// Writes the next bytes.
    pub(in crate::commands) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.file.write_all(bytes).map_err(CliError::file("write", &self.shown))
    }

    /// Gives the output its name, replacing a file or link of that name, and returns where it is.
    pub(in crate::commands) fn finish(mut self) -> Result<PathBuf, CliError> {
        rustix::fs::renameat(&self.folder, &self.part, &self.folder, &self.last)
            .map_err(|error| CliError::file("write", &self.shown)(error.into()))?;
        self.finished = true;
        Ok(std::mem::take(&mut self.shown))
    }
}

impl Drop for PartialOutput {
    fn drop(&mut self) {
        if !self.finished {
            let _leftover = rustix::fs::unlinkat(&self.folder, &self.part, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        let mut output = OutputFolder::open(folder)?.begin(name)?;
        output.write(bytes)?;
        output.finish()
    }

    #[test]
    fn outputs_appear_under_their_names() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("results/today");
        for name in ["a.txt", "stdout", "stderr", "deep/er/b.txt", ".hidden", "ümläut"] {
            let path = write(&folder, name, name.as_bytes()).unwrap();
            assert_eq!(path, folder.join(name));
            assert_eq!(std::fs::read(path).unwrap(), name.as_bytes());
        }
        write(&folder, "a.txt", b"again").unwrap();
        assert_eq!(std::fs::read(folder.join("a.txt")).unwrap(), b"again");
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("results");
        for name in
            ["../a", "a/../../b", "/etc/passwd", "a//b", "", ".", "a\\..\\b", "a\0b", "stdout/../../x"]
        {
            assert!(write(&folder, name, b"x").is_err(), "{name:?}");
        }
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn links_in_the_folder_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (folder, outside) = (root.path().join("results"), root.path().join("outside"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("kept"), b"kept").unwrap();
        symlink(&outside, folder.join("link")).unwrap();
        symlink(outside.join("kept"), folder.join("file")).unwrap();

        let error = write(&folder, "link/kept", b"lost").unwrap_err();
        assert!(error.story().contains("is a link or a file"), "{}", error.story());
        write(&folder, "file", b"mine").unwrap();
        assert_eq!(
            std::fs::read(outside.join("kept")).unwrap(),
            b"kept",
            "the link is replaced, not followed"
        );
        assert_eq!(std::fs::read(folder.join("file")).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn half_an_output_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(root.path()).unwrap().begin("a.txt").unwrap();
        output.write(b"half").unwrap();
        drop(output);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "a", b"file").unwrap();
        assert!(write(root.path(), "a/b", b"x").is_err());
        write(root.path(), "c/d", b"x").unwrap();
        assert!(write(root.path(), "c", b"x").is_err());
    }
}
