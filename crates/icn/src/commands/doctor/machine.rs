//! Checks that need no node: clock, sockets, folder, disk, keystore, configuration.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use icn_identity::keystore::FileKeyStore;

use super::super::init::{CONFIG_FILE, keystore_path};
use super::Check;
use crate::output::size;

/// A clock before this is wrong: the start of 2026, as Unix seconds, when this program did not exist yet.
const CLOCK_MIN_S: u64 = 1_767_225_600;

/// A clock after this is wrong: the start of 2100, as Unix seconds.
const CLOCK_MAX_S: u64 = 4_102_444_800;

/// Messages stamped further ahead than this are refused by peers (`docs/protocol.md`, section 3).
const AHEAD_MAX: Duration = Duration::from_secs(30);

/// Less free space than this and the node will soon fail.
const DISK_FAIL_BYTES: u64 = 100 << 20;

/// Less free space than this is worth a word.
const DISK_WARN_BYTES: u64 = 2 << 30;

/// Each connection, file and compiled module takes a descriptor.
const FILES_MIN: u64 = 1_024;

/// Carries out the checks.
pub(super) fn checks(data_dir: &Path) -> Vec<Check> {
    vec![
        clock(data_dir),
        sockets(),
        open_files(),
        folder(data_dir),
        disk(data_dir),
        keystore(data_dir),
        config(data_dir),
    ]
}

fn clock(data_dir: &Path) -> Check {
    const NAME: &str = "clock";
    let advice = "set the clock, for example with NTP: peers refuse messages whose time is off";
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if !(CLOCK_MIN_S..CLOCK_MAX_S).contains(&seconds) {
        return Check::fail(NAME, format!("the clock says {seconds} s since 1970, which cannot be"), advice);
    }
    if let Some((path, ahead)) = newest_ahead(data_dir, now) {
        let detail = format!(
            "`{}` was written {} s in the future: the clock was set back",
            path.display(),
            ahead.as_secs()
        );
        return Check::warn(NAME, detail, advice);
    }
    let (begun, wall) = (Instant::now(), SystemTime::now());
    std::thread::sleep(Duration::from_millis(20));
    let drift = SystemTime::now().duration_since(wall).unwrap_or_default().abs_diff(begun.elapsed());
    if drift > Duration::from_millis(500) {
        let detail = format!("the clock jumped by {} ms while we looked", drift.as_millis());
        return Check::warn(NAME, detail, advice);
    }
    let stamp = icn_types::Timestamp::from_millis(seconds.saturating_mul(1_000));
    Check::ok(NAME, format!("{stamp} (compare: it should be within seconds of the right time)"))
}

/// Finds a file of the node that was written later than now.
fn newest_ahead(data_dir: &Path, now: SystemTime) -> Option<(PathBuf, Duration)> {
    std::fs::read_dir(data_dir)
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            Some((entry.path(), entry.metadata().ok()?.modified().ok()?.duration_since(now).ok()?))
        })
        .filter(|(_, ahead)| *ahead > AHEAD_MAX)
        .max_by_key(|(_, ahead)| *ahead)
}

fn sockets() -> Check {
    const NAME: &str = "ports";
    let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    match udp.and(tcp) {
        Ok(_) => Check::ok(NAME, "UDP and TCP ports can be opened"),
        Err(error) => Check::fail(
            NAME,
            format!("a port cannot be opened: {error}"),
            "let this user open UDP and TCP sockets (container or firewall settings)",
        ),
    }
}

fn open_files() -> Check {
    const NAME: &str = "files";
    match rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        Some(limit) if limit < FILES_MIN => Check::warn(
            NAME,
            format!("only {limit} files may be open at once"),
            format!("raise the limit to {FILES_MIN} or more: `ulimit -n`, or LimitNOFILE of the service"),
        ),
        Some(limit) => Check::ok(NAME, format!("{limit} files may be open at once")),
        None => Check::ok(NAME, "any number of files may be open at once"),
    }
}

fn folder(data_dir: &Path) -> Check {
    const NAME: &str = "folder";
    let shown = data_dir.display();
    match std::fs::metadata(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::fail(
            NAME,
            format!("there is no `{shown}`"),
            "make a node with `icn init`, or name its folder with --data-dir",
        ),
        Err(error) => {
            Check::fail(NAME, format!("`{shown}` cannot be read: {error}"), "check its permissions")
        }
        Ok(meta) if !meta.is_dir() => {
            Check::fail(NAME, format!("`{shown}` is no folder"), "name the node's folder with --data-dir")
        }
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            Check::warn(NAME, format!("other users can look into `{shown}`"), format!("chmod 700 {shown}"))
        }
        Ok(_) => Check::ok(NAME, format!("`{shown}`")),
    }
}

fn disk(data_dir: &Path) -> Check {
    const NAME: &str = "disk";
    let nearest = data_dir.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let free = match rustix::fs::statvfs(nearest) {
        Ok(stats) => stats.f_bavail.saturating_mul(stats.f_frsize),
        Err(error) => {
            return Check::warn(
                NAME,
                format!("free space is not known: {error}"),
                "check that the disk is mounted",
            );
        }
    };
    let detail = format!("{} free", size(free));
    let advice = "free some space, or lower the store's quota in icn.toml";
    match free {
        0..DISK_FAIL_BYTES => Check::fail(NAME, detail, advice),
        DISK_FAIL_BYTES..DISK_WARN_BYTES => Check::warn(NAME, detail, advice),
        _ => Check::ok(NAME, detail),
    }
}

fn keystore(data_dir: &Path) -> Check {
    const NAME: &str = "keystore";
    let path = keystore_path(data_dir);
    if !path.exists() {
        return Check::fail(
            NAME,
            format!("there is no `{}`", path.display()),
            "make a key with `icn init`, or bring it back with `icn restore`",
        );
    }
    let store = match FileKeyStore::open(&path) {
        Ok(store) => store,
        Err(error) => {
            return Check::fail(
                NAME,
                error.to_string(),
                "bring the keystore back from a backup with `icn restore`",
            );
        }
    };
    if let Some(warning) = store.warning() {
        return Check::warn(NAME, warning.to_owned(), format!("chmod 600 {}", path.display()));
    }
    if store.is_encrypted() {
        return Check::ok(NAME, "can be read, and is encrypted");
    }
    Check::warn(
        NAME,
        "the key is not encrypted",
        "good enough for trying things out; others make the node with a passphrase",
    )
}

fn config(data_dir: &Path) -> Check {
    const NAME: &str = "config";
    let path = data_dir.join(CONFIG_FILE);
    let file = path.exists().then_some(&*path);
    let loaded = icn_node::Config::load(file, |name| std::env::var(name).ok());
    if let Ok(config) = &loaded
        && let Err(error) = config.quotas.quotas(config.executor.price.as_ref())
    {
        return Check::fail(NAME, error.to_string(), "correct `[quotas]`: the node does not start like this");
    }
    match loaded {
        Ok(_) if file.is_none() => Check::ok(NAME, format!("no {CONFIG_FILE}: everything is at its default")),
        Ok(_) => Check::ok(NAME, format!("{CONFIG_FILE} can be read")),
        Err(error) => Check::fail(NAME, error.to_string(), "correct the line, or put a # before it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_missing_folder_fails_with_advice() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("nothing/here");
        for check in [folder(&missing), keystore(&missing)] {
            assert_eq!(check.state, State::Fail, "{check:?}");
            assert!(check.advice.unwrap().contains("icn init"));
        }
        assert_ne!(disk(&missing).state, State::Fail, "the disk of the nearest folder counts");
        assert_eq!(config(&missing).state, State::Ok);
    }

    #[test]
    fn an_open_folder_is_worth_a_warning() {
        let root = tempfile::tempdir().unwrap();
        let check = |mode, expected| {
            std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(folder(root.path()).state, expected, "{mode:o}");
        };
        check(0o700, State::Ok);
        check(0o755, State::Warn);
    }

    #[test]
    fn a_clock_that_was_set_back_shows() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(clock(root.path()).state, State::Ok);
        let file = std::fs::File::create(root.path().join("later")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(3_600)).unwrap();
        assert_eq!(clock(root.path()).state, State::Warn);
    }

    #[test]
    fn a_broken_configuration_fails() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(CONFIG_FILE), "[network\n").unwrap();
        assert_eq!(config(root.path()).state, State::Fail);
    }
}
