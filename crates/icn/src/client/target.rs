//! Which node a command talks to.

use std::io;
use std::path::{Path, PathBuf};

use icn_types::Did;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// The file in which a running node says where it is.
const NODE_FILE: &str = "node.json";

/// The file with the token of its API.
const TOKEN_FILE: &str = "api.token";

/// The environment variable that holds the token instead.
const TOKEN_VARIABLE: &str = "ICN_API_TOKEN";

/// Where a running node is: the content of `node.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeFile {
    /// The node's process.
    pub(crate) pid: u32,
    /// Who it is.
    pub(crate) did: Did,
    /// The libp2p peer.
    pub(crate) peer_id: String,
    /// Its addresses, each ending in `/p2p/<peer_id>`.
    pub(crate) listen: Vec<String>,
    /// Where its API answers.
    pub(crate) api: String,
}

impl NodeFile {
    /// Reads the file of the node in a folder; nothing when none runs there.
    pub(crate) fn read(data_dir: &Path) -> Result<Option<Self>, CliError> {
        let path = data_dir.join(NODE_FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::file("read", path)(error)),
        };
        let what = format!("`{}` is damaged: end the node there and start it again", path.display());
        serde_json::from_slice(&text).map(Some).map_err(CliError::because(what))
    }
}

/// What was said about the node to talk to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The node's folder.
    pub(crate) data_dir: PathBuf,
    /// Its API, if it was named.
    pub(crate) api: Option<String>,
}

impl Target {
    /// Means the node in a folder.
    pub(crate) fn folder(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), api: None }
    }

    /// Finds the start of the API's URLs, without a `/` at the end.
    pub(super) fn base(&self) -> Result<String, CliError> {
        if let Some(api) = &self.api {
            return base_url(api);
        }
        match NodeFile::read(&self.data_dir)? {
            Some(file) => base_url(&file.api),
            None => Err(CliError::NoNode { data_dir: self.data_dir.clone() }),
        }
    }

    /// Finds the token. There may be none: then the node says so, if there is a node.
    pub(super) fn token(&self) -> Result<Option<String>, CliError> {
        if let Some(token) = std::env::var(TOKEN_VARIABLE).ok().filter(|_| self.may_use_environment()) {
            return Ok(Some(token.trim().to_owned()));
        }
        let path = self.data_dir.join(TOKEN_FILE);
        match std::fs::read_to_string(&path) {
            Ok(token) => Ok(Some(token.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CliError::file("read", path)(error)),
        }
    }

    /// A folder with a token of its own, when no API was named, is surer than what the environment holds.
    fn may_use_environment(&self) -> bool {
        self.api.is_some() || !self.data_dir.join(TOKEN_FILE).exists()
    }
}

/// Turns `HOST:PORT` or `http://HOST:PORT` into the start of URLs.
fn base_url(api: &str) -> Result<String, CliError> {
    let authority = api.strip_prefix("http://").unwrap_or(api).trim_end_matches('/');
    let wrong = || CliError::Usage(format!("`{api}` is not where an API can be: expected `HOST:PORT`"));
    let url: reqwest::Url = format!("http://{authority}").parse().map_err(|_| wrong())?;
    let bare =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !bare || authority.is_empty() || authority.contains(['/', '@']) {
        return Err(wrong());
    }
    Ok(format!("http://{authority}"))
}

/// Finds the folder of this user's node: `$XDG_DATA_HOME/icn`, else `~/.local/share/icn`.
pub(crate) fn data_dir_default() -> Result<PathBuf, CliError> {
    // The XDG specification tells to ignore relative paths.
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(data) = folder("XDG_DATA_HOME") {
        return Ok(data.join("icn"));
    }
    folder("HOME").map(|home| home.join(".local/share/icn")).ok_or_else(|| {
        CliError::Usage(
            "neither HOME nor XDG_DATA_HOME is set: name the node's folder with `--data-dir`".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_a_host_and_a_port() {
        for api in ["127.0.0.1:7171", "http://127.0.0.1:7171", "http://127.0.0.1:7171/"] {
            assert_eq!(base_url(api).unwrap(), "http://127.0.0.1:7171", "{api}");
        }
        assert_eq!(base_url("[::1]:7171").unwrap(), "http://[::1]:7171");
        for bad in
            ["", "https://127.0.0.1:1", "127.0.0.1:1/v1", "a b", "u@127.0.0.1:1", "127.0.0.1:99999", "x?y"]
        {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_without_a_node_is_no_node() {
        let folder = tempfile::tempdir().unwrap();
        let error = Client::base_of(folder.path()).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::NO_NODE);
        std::fs::write(folder.path().join(NODE_FILE), "{").unwrap();
        let error = Client::base_of(folder.path()).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    struct Client;

    impl Client {
        fn base_of(folder: &Path) -> Result<String, CliError> {
            Target::folder(folder).base()
        }
    }
}
