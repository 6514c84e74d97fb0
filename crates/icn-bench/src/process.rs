//! Processes of the program that is measured; none outlives the benchmark.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::client::{Client, NodeFile};

/// How long a node may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often is looked whether it is.
const LOOK_PAUSE: Duration = Duration::from_micros(500);

/// Starts the threads on which the benchmark itself talks to nodes.
///
/// # Errors
///
/// When the system gives no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().context("starting the benchmark's own threads")
}

/// A running node. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    process: Guard,
    /// Where it is.
    pub file: NodeFile,
    /// Its API.
    pub client: Client,
    /// From the start of the process until `node.json` said that it is ready.
    pub ready_after: Duration,
}

impl Node {
    /// Makes the key and settings of a node in a folder.
    ///
    /// # Errors
    ///
    /// When `icn init` fails.
    pub fn init(icn: &Path, data_dir: &Path) -> Result<()> {
        let status = command(icn, data_dir)?.args(["init", "--no-passphrase"]).status();
        if !status.with_context(|| format!("starting `{}`", icn.display()))?.success() {
            bail!("`icn init` failed: {}", log(data_dir));
        }
        Ok(())
    }

    /// Starts a node on loopback and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it ends or is not ready in time; the error has its log.
    pub fn start(icn: &Path, data_dir: &Path, flags: &[&str]) -> Result<Self> {
        Self::start_with(icn, data_dir, flags, &[])
    }

    /// The same, with settings from the environment.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_with(
        icn: &Path,
        data_dir: &Path,
        flags: &[&str],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let path = data_dir.join("node.json");
        // A node that was killed leaves it behind.
        drop(std::fs::remove_file(&path));
        let mut command = command(icn, data_dir)?;
        command
            .args(["node", "--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--no-mdns"])
            .args(["--end-with", &std::process::id().to_string()])
            .args(flags)
            .envs(settings.iter().copied());
        let begun = Instant::now();
        let mut process = Guard(command.spawn().with_context(|| format!("starting `{}`", icn.display()))?);
        let file = loop {
            if let Ok(text) = std::fs::read(&path) {
                break serde_json::from_slice::<NodeFile>(&text).context("`node.json` has another form")?;
            }
            if process.0.try_wait()?.is_some() || begun.elapsed() > READY_TIMEOUT {
                bail!("a node did not become ready: {}", log(data_dir));
            }
            std::thread::sleep(LOOK_PAUSE);
        };
        let ready_after = begun.elapsed();
        let client = Client::new(data_dir, &file)?;
        Ok(Self { process, file, client, ready_after })
    }

    /// Reads what the process uses now.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn usage(&self) -> Result<Usage> {
        Usage::read(self.process.0.id())
    }

    /// Returns the address at which other nodes reach it.
    ///
    /// # Errors
    ///
    /// When it listens nowhere.
    pub fn address(&self) -> Result<&str> {
        self.file.listen.first().map(String::as_str).context("the node listens nowhere")
    }
}

/// A process that ends when this is dropped.
#[derive(Debug)]
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // An error says that it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The clock of `/proc`: the kernel shows user space this many ticks a second on all usual architectures, whatever its
/// own clock is.
const TICKS_PER_SECOND: u64 = 100;

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Time on any core since its start, in user and kernel mode.
    pub cpu: Duration,
}

impl Usage {
    /// Reads what a process uses now.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn read(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = PathBuf::from(format!("/proc/{pid}/{name}"));
            std::fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))
        };
        let (memory, times) = (read("status")?, read("stat")?);
        Self::parse(&memory, &times).context("`/proc` has another form")
    }

    /// Reads the line `VmRSS:  42 kB` of `status`, and of `stat` the 12th and 13th field after the name in parentheses:
    /// user and kernel time in clock ticks (proc(5): 14 and 15 of all).
    fn parse(memory: &str, times: &str) -> Option<Self> {
        let resident = memory.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
        let mut fields = times.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let ticks = ticks()? + ticks()?;
        Some(Self { rss_bytes: kib * 1_024, cpu: Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND) })
    }
}

/// Begins a command of the program, free of our environment's `ICN_` variables, with a log beside the folder.
fn command(icn: &Path, data_dir: &Path) -> Result<Command> {
    let path = data_dir.with_extension("log");
    let log = File::options().create(true).append(true).open(&path)?;
    let mut command = Command::new(icn);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ICN_") {
            command.env_remove(name);
        }
    }
    command.arg("--data-dir").arg(data_dir).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// Returns the last lines of a node's log.
fn log(data_dir: &Path) -> String {
    let text = std::fs::read_to_string(data_dir.with_extension("log")).unwrap_or_default();
    let mut last: Vec<&str> = text.lines().rev().take(5).collect();
    last.reverse();
    last.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_proc() {
        let times = "42 (a (odd) name) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 9 0 100 1 2";
        let usage = Usage::parse("Name:\ticn\nVmRSS:\t   40 kB\nThreads: 4\n", times).unwrap();
        assert_eq!((usage.rss_bytes, usage.cpu), (40 * 1_024, Duration::from_secs(2)));
        assert!(Usage::parse("VmRSS: 40 kB", "42 (name) S").is_none());
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(Usage::read(std::process::id()).unwrap().rss_bytes > 100_000);
    }

    #[test]
    fn a_program_that_ends_at_once_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Node::start(Path::new("true"), &folder.path().join("node"), &[]).unwrap_err();
        assert!(error.to_string().contains("did not become ready"), "{error}");
    }
}
