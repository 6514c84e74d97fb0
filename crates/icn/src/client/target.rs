//! Which node a command talks to.

use std::io;
use std::path::{Path, PathBuf};

use icn_node::{DataDir, NodeFile};

use crate::error::CliError;

/// The environment variable that holds the token instead.
const TOKEN_VARIABLE: &str = "ICN_API_TOKEN";

/// Reads `node.json` of the node that runs in a folder; nothing when none runs there.
///
/// A node that was killed leaves its file behind: one that names a process that is gone counts as none.
pub(crate) fn running_node(data_dir: &Path) -> Result<Option<NodeFile>, CliError> {
    let path = DataDir::new(data_dir).node_file();
    match NodeFile::read(&path) {
        Ok(file) => Ok(Some(file).filter(|file| is_alive(file.pid))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let what = format!("`{}` is damaged: end the node there and start it again", path.display());
            Err(CliError::because(what)(error))
        }
        Err(error) => Err(CliError::file("read", path)(error)),
    }
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // Another user's process may not be asked, and lives.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
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
        match running_node(&self.data_dir)? {
            Some(file) => base_url(&file.api),
            None => Err(CliError::NoNode { data_dir: self.data_dir.clone() }),
        }
    }

    /// Finds the token. There may be none: then the node says so, if there is a node.
    pub(super) fn token(&self) -> Result<Option<String>, CliError> {
        if let Some(token) = std::env::var(TOKEN_VARIABLE).ok().filter(|_| self.may_use_environment()) {
            return Ok(Some(token.trim().to_owned()));
        }
        let path = DataDir::new(&self.data_dir).token();
        match std::fs::read_to_string(&path) {
            Ok(token) => Ok(Some(token.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CliError::file("read", path)(error)),
        }
    }

    /// A folder with a token of its own, when no API was named, is surer than what the environment holds.
    fn may_use_environment(&self) -> bool {
        self.api.is_some() || !DataDir::new(&self.data_dir).token().exists()
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
        std::fs::write(DataDir::new(folder.path()).node_file(), "{").unwrap();
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
