//! A folder for one test, and the program run in it.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::node::Plan;

/// How long one command may take. Generous: the machine may be busy with other things.
const COMMAND_PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// How much of each log is printed when a test fails, in bytes.
const LOG_TAIL_BYTES: usize = 40_000;

/// The folder of one test. Make it before the nodes in it, so that it goes after them.
pub(crate) struct World {
    root: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::Builder::new().prefix("icn-e2e-").tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file and returns where it is.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Plans a node with a folder of this name.
    pub(crate) fn node(&self, name: &str) -> Plan {
        Plan::new(self.root.path(), name)
    }

    /// Runs a command that names its node itself, or none.
    pub(crate) fn icn(&self, args: &[&str]) -> Ran {
        Running::start(program(self.root.path()).args(args)).ended()
    }

    /// Lists what is in the folder of the test.
    pub(crate) fn names(&self) -> Vec<String> {
        names_in(self.root.path())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for name in self.names().iter().filter(|name| name.ends_with(".log")) {
            let log = std::fs::read(self.path(name)).unwrap_or_default();
            let tail = log.len().saturating_sub(LOG_TAIL_BYTES);
            eprintln!("--- {name}\n{}", String::from_utf8_lossy(&log[tail..]));
        }
    }
}

/// Lists a folder, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The program with nothing of the tester's own environment.
pub(crate) fn program(folder: &Path) -> Command {
    bare(Command::new(env!("CARGO_BIN_EXE_icn")), folder)
}

/// The same in a network namespace, which only root can enter.
pub(crate) fn program_within(folder: &Path, namespace: &str) -> Command {
    // It becomes the program, so that the process is the node's own.
    let mut command = bare(Command::new("ip"), folder);
    command.args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_icn")]);
    command
}

fn bare(mut command: Command, folder: &Path) -> Command {
    command.env_clear().env("HOME", folder).env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").current_dir(folder);
    if let Some(temporary) = std::env::var_os("TMPDIR") {
        command.env("TMPDIR", temporary);
    }
    command
}

/// A command that runs. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    line: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let line = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap())
            .spawn()
            .unwrap();
        Self { child, stdout, stderr, line }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> Ran {
        let line = self.line.clone();
        let status =
            wait_for(&format!("the end of {line}"), COMMAND_PATIENCE, || self.child.try_wait().unwrap());
        let read = |file: &mut File| {
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let (stdout, stderr) = (read(&mut self.stdout), read(&mut self.stderr));
        Ran { status, stdout, stderr: String::from_utf8(stderr).unwrap(), line }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    line: String,
}

impl Ran {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        let text = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.status.code(), Some(expected), "{}\n{text}\n{}", self.line, self.stderr);
        self
    }

    /// Tells whether it ended with this code.
    pub(crate) fn has_code(&self, code: i32) -> bool {
        self.status.code() == Some(code)
    }

    /// Checks that stderr has a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{} does not say `{text}`:\n{}", self.line, self.stderr);
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Reads stdout, which must be one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}\n{}", self.line, self.text(), self.stderr))
    }
}

/// Waits until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "after {patience:?} still no {what}");
        std::thread::sleep(LOOK);
    }
}
