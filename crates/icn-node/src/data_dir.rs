//! Where a node keeps its things.

use std::path::{Path, PathBuf};

/// A node's data folder and the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Takes a folder, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The key of the node, encrypted unless `icn init --no-passphrase` made it.
    #[must_use]
    pub fn keystore(&self) -> PathBuf {
        self.0.join("keystore.age")
    }

    /// The keys of members that speak from this node beside its own.
    #[must_use]
    pub fn identities(&self) -> PathBuf {
        self.0.join("identities")
    }

    /// The configuration, written by `icn init`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("icn.toml")
    }

    /// Where a running node can be reached; present exactly while it is ready.
    #[must_use]
    pub fn node_file(&self) -> PathBuf {
        self.0.join("node.json")
    }

    /// The token of the API, readable by the owner only.
    #[must_use]
    pub fn token(&self) -> PathBuf {
        self.0.join("api.token")
    }

    /// The database: jobs, bids, blocks.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("db")
    }

    /// Compiled modules; can be deleted at any time.
    #[must_use]
    pub fn module_cache(&self) -> PathBuf {
        self.0.join("cache").join("modules")
    }
}
