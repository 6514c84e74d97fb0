//! Node processes that never outlive the demonstration.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::LOOK_PAUSE;
use icn_node::NodeFile;

use crate::client::{Client, Target, running_node};
use crate::error::CliError;

/// How long a node may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a node may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a log is shown when a node fails, in bytes.
const LOG_TAIL_BYTES: u64 = 2_000;

/// A process of this program. Dropping it ends it.
#[derive(Debug)]
struct Process {
    child: Child,
    data_dir: PathBuf,
}

/// A node that is ready.
#[derive(Debug)]
pub(super) struct DemoNode {
    process: Process,
    pub(super) file: NodeFile,
    pub(super) client: Client,
}

impl DemoNode {
    /// Returns the node's folder.
    pub(super) fn data_dir(&self) -> &Path {
        &self.process.data_dir
    }
}

/// The nodes of a demonstration, in a folder that goes with them. Dropping them ends them.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<DemoNode>,
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Nodes {
    /// Makes the folder; starts nothing yet.
    pub(super) fn new() -> Result<Self, CliError> {
        let folder = tempfile::Builder::new()
            .prefix("icn-demo-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir()
            .map_err(CliError::because("cannot make a folder for the nodes: check TMPDIR and the disk"))?;
        let program = std::env::current_exe()
            .map_err(CliError::because("cannot find out which program this is, to start it as nodes"))?;
        Ok(Self { nodes: Vec::new(), folder, program })
    }

    /// Starts the first node, then the others, which join it.
    pub(super) async fn start(&mut self, count: usize) -> Result<(), CliError> {
        let first = self.spawn(0, &["--no-executor".to_owned()])?;
        self.nodes.push(ready(first).await?);
        let address = self.submitter()?.file.listen.first().cloned().ok_or_else(|| {
            CliError::Failed(format!("the first node listens nowhere: {}", self.log_hint()))
        })?;
        let others: Vec<Process> = (1..count)
            .map(|number| {
                // Each asks another price, so that there is something to choose.
                let price = format!("{number} hours");
                let flags = ["--executor", "--price", &price, "--peer", &address].map(ToOwned::to_owned);
                self.spawn(number, &flags)
            })
            .collect::<Result<_, _>>()?;
        for process in others {
            self.nodes.push(ready(process).await?);
        }
        Ok(())
    }

    /// The node that submits: the first.
    pub(super) fn submitter(&self) -> Result<&DemoNode, CliError> {
        self.nodes.first().ok_or_else(|| CliError::Failed("no node was started".to_owned()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &DemoNode> {
        self.nodes.iter()
    }

    /// Says where each node is, as `node.json` does.
    pub(super) fn files(&self) -> Vec<NodeFile> {
        self.nodes.iter().map(|node| node.file.clone()).collect()
    }

    /// Says where the logs are.
    pub(super) fn log_hint(&self) -> String {
        format!("see the logs in `{}`", self.folder.path().display())
    }

    /// Keeps the folder with the logs after the end.
    pub(super) fn keep_folder(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// Asks all nodes to end, waits for them, and ends those by force that do not.
    pub(super) fn stop(mut self) {
        for node in &self.nodes {
            node.process.terminate();
        }
        self.nodes.clear();
    }

    fn spawn(&self, number: usize, flags: &[String]) -> Result<Process, CliError> {
        let data_dir = self.folder.path().join(format!("node-{number}"));
        let log = self.folder.path().join(format!("node-{number}.log"));
        let mut init = self.command(&data_dir, &log)?;
        let made = init.args(["init", "--no-passphrase"]).status();
        if !made.map_err(CliError::file("start", &self.program))?.success() {
            return Err(CliError::Failed(format!("`icn init` failed:\n{}", tail(&log))));
        }
        let mut node = self.command(&data_dir, &log)?;
        node.args(["node", "--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--no-mdns"])
            .args(["--end-with", &std::process::id().to_string()])
            .args(flags)
            // Ctrl-C on the terminal is for us alone; we then end the nodes in order.
            .process_group(0);
        let child = node.spawn().map_err(CliError::file("start", &self.program))?;
        Ok(Process { child, data_dir })
    }

    /// Begins a command of this program with nothing of our environment that could change what it does.
    fn command(&self, data_dir: &Path, log: &Path) -> Result<Command, CliError> {
        let open =
            || File::options().create(true).append(true).open(log).map_err(CliError::file("write", log));
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ICN_") {
                command.env_remove(name);
            }
        }
        command
            .arg0("icn")
            .arg("--data-dir")
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?);
        Ok(command)
    }
}

/// Waits until a node says where it is and answers there.
async fn ready(mut process: Process) -> Result<DemoNode, CliError> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        if let Some(status) = process.child.try_wait().ok().flatten() {
            return Err(CliError::Failed(format!(
                "a node ended at its start ({status}):\n{}",
                process.log()
            )));
        }
        if let Some(file) = running_node(&process.data_dir).ok().flatten() {
            let client = Client::new(&Target::folder(&process.data_dir))?;
            if client.status().await.is_ok() {
                return Ok(DemoNode { process, file, client });
            }
        }
        if Instant::now() > deadline {
            let seconds = READY_TIMEOUT.as_secs();
            return Err(CliError::Failed(format!(
                "a node was not ready after {seconds} s:\n{}",
                process.log()
            )));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

impl Process {
    fn log(&self) -> String {
        tail(&self.data_dir.with_extension("log"))
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _gone = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for the end, up to a limit.
    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_PAUSE),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.terminate();
        if self.wait(END_TIMEOUT).is_none() {
            let _gone = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}

/// Reads the end of a log.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(script: &str) -> Process {
        let child = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().unwrap();
        Process { child, data_dir: PathBuf::from("unused") }
    }

    fn is_alive(pid: u32) -> bool {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn a_dropped_process_ends() {
        let process = process("exec sleep 1000");
        let pid = process.child.id();
        assert!(is_alive(pid));
        drop(process);
        assert!(!is_alive(pid));
    }

    #[test]
    fn a_process_ends_even_when_we_panic() {
        let process = process("exec sleep 1000");
        let pid = process.child.id();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = process;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(!is_alive(pid));
    }

    #[test]
    fn the_tail_of_a_log_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "x".repeat(10_000) + "the end").unwrap();
        let tail = tail(&path);
        assert_eq!(tail.len() as u64, LOG_TAIL_BYTES);
        assert!(tail.ends_with("the end"));
    }
}
