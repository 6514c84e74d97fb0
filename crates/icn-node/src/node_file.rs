//! `node.json`: how programs on this machine find a running node.

use std::io;
use std::path::Path;

use icn_types::Did;
use serde::{Deserialize, Serialize};

/// What `node.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFile {
    /// The process.
    pub pid: u32,
    /// Who the node is.
    pub did: Did,
    /// The libp2p peer.
    pub peer_id: String,
    /// Its addresses, each ending in `/p2p/<peer_id>`.
    pub listen: Vec<String>,
    /// Where the API answers: `http://127.0.0.1:<port>`.
    pub api: String,
}

impl NodeFile {
    /// Writes the file whole: a reader sees the old one or the new one.
    ///
    /// # Errors
    ///
    /// An error of the file system.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, self)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// An error of the file system, or `InvalidData` when it is no such file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
