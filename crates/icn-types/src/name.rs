//! Names that people and files have: regions, clusters, and the paths of inputs and outputs.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The most inputs, and the most outputs, of one job.
pub const PATHS_MAX: usize = 10_000;

/// The names under which a job's standard streams come back; no file of the guest may take them.
pub(crate) const RESERVED: [&str; 2] = ["stdout", "stderr"];

/// A name that may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a region.
    #[error("`{0}` is not a region: use 1 to 32 of `a-z`, `0-9` and `-`")]
    Region(String),
    /// Not a cluster.
    #[error("`{0}` is not a cluster: use 1 to 32 of `a-z`, `0-9` and `-`")]
    Cluster(String),
    /// Not a path that an input or output may have.
    #[error("`{0}` cannot name an input or output: {1}")]
    Path(String, &'static str),
    /// The same path twice.
    #[error("`{0}` is named twice: give each input and output its own name")]
    Twice(String),
    /// Too many.
    #[error("{0} names are more than the {PATHS_MAX} that one job may have")]
    TooMany(usize),
}

/// Where a node stands, as its operator calls it; part of topic names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Region(String);

impl Region {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Region(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A group of nodes that work together in one region, such as those of a co-op, as its operators call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClusterId(String);

impl ClusterId {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Cluster(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClusterId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn is_label(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Checks the path of one input or output: relative, `/` between parts, nothing that could leave the folder.
///
/// # Errors
///
/// [`NameError::Path`] with what is wrong.
pub fn check_path(path: &str) -> Result<(), NameError> {
    let fail = |reason| Err(NameError::Path(path.chars().take(300).collect(), reason));
    if path.is_empty() || path.len() > 255 {
        return fail("it must be 1 to 255 bytes long");
    }
    if path.contains(['\0', '\\']) {
        return fail("it must not contain NUL or a backslash");
    }
    if RESERVED.contains(&path) {
        return fail("this name is kept for the standard stream");
    }
    for part in path.split('/') {
        match part {
            "" => return fail("it must not start or end with `/` or contain `//`"),
            "." | ".." => return fail("it must not contain `.` or `..`"),
            _ => {}
        }
    }
    Ok(())
}

/// Checks a whole list of paths: each by [`check_path`], none twice, at most [`PATHS_MAX`], none a folder of another.
///
/// # Errors
///
/// The first [`NameError`] found.
pub fn check_paths<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> Result<(), NameError> {
    if paths.len() > PATHS_MAX {
        return Err(NameError::TooMany(paths.len()));
    }
    let mut files = BTreeSet::new();
    let mut folders = BTreeSet::new();
    for path in paths {
        check_path(path)?;
        if !files.insert(path) {
            return Err(NameError::Twice(path.to_owned()));
        }
        folders.extend(path.match_indices('/').filter_map(|(at, _)| path.get(..at)));
    }
    match files.intersection(&folders).next() {
        Some(path) => Err(NameError::Path((*path).to_owned(), "it is a file and a folder at once")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_leave_their_folder() {
        for path in ["a", "a/b.txt", "übung.txt", "a b", "...", ".hidden"] {
            assert!(check_path(path).is_ok(), "{path}");
        }
        for path in
            ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "a\\b", "a\0", "stdout", "stderr"]
        {
            assert!(check_path(path).is_err(), "{path}");
        }
        assert!(check_path(&"x".repeat(256)).is_err());
    }

    #[test]
    fn lists_name_each_file_once() {
        assert!(check_paths(["a", "b/c", "b/d"].into_iter()).is_ok());
        assert_eq!(check_paths(["a", "a"].into_iter()), Err(NameError::Twice("a".into())));
        assert!(check_paths(["a", "a/b"].into_iter()).is_err());
        let many: Vec<String> = (0..=PATHS_MAX).map(|n| n.to_string()).collect();
        assert_eq!(check_paths(many.iter().map(String::as_str)), Err(NameError::TooMany(PATHS_MAX + 1)));
    }

    #[test]
    fn regions_fit_into_topics() {
        assert!("eu-central".parse::<Region>().is_ok());
        for text in ["", "EU", "a/b", &"x".repeat(33)] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
