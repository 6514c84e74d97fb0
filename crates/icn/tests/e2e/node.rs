//! A node process.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use icn_types::Did;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::{Ran, Running, program, program_within, wait_for};

/// How long a node may take to start, end, or meet others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How a node is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    root: PathBuf,
    name: String,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    namespace: Option<String>,
}

impl Plan {
    pub(crate) fn new(root: &Path, name: &str) -> Self {
        let args = ["--no-mdns", "--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"];
        let args = args.iter().map(OsString::from).collect();
        // A short lease, so that tests of lost nodes are short. A test that needs another sets it again.
        let env = vec![("ICN_ORIGINATOR_LEASE_SECONDS".to_owned(), "3".to_owned())];
        Self { root: root.to_owned(), name: name.to_owned(), args, env, namespace: None }
            .env("RUST_LOG", "info,icn_node=debug")
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Has it listen here and nowhere else.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        if let Some(place) = self.args.iter().position(|arg| arg == "--listen") {
            self.args[place + 1] = address.into();
        }
        self
    }

    /// Has the node and its commands run in a network namespace.
    pub(crate) fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    pub(crate) fn no_executor(self) -> Self {
        self.arg("--no-executor")
    }

    pub(crate) fn peer(self, other: &Node) -> Self {
        let address = other.address();
        self.arg("--peer").arg(&address)
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != key);
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// The program, where this node runs.
    fn program(&self) -> Command {
        match &self.namespace {
            None => program(&self.root),
            Some(namespace) => program_within(&self.root, namespace),
        }
    }

    /// Runs a command for this node, whether it runs or not.
    pub(crate) fn icn(&self, args: &[&str]) -> Ran {
        self.begin(args).ended()
    }

    fn begin(&self, args: &[&str]) -> Running {
        Running::start(self.program().args(args).args(["--data-dir", &self.name]))
    }

    /// Makes the key, unless there is one.
    pub(crate) fn init(&self) -> &Self {
        if !self.folder().join("keystore.age").exists() {
            let mut command = program(&self.root);
            Running::start(command.args(["init", "--no-passphrase", "--data-dir", &self.name]))
                .ended()
                .code(0);
        }
        self
    }

    /// Starts the process; its log goes on where that of the last one ended.
    pub(crate) fn spawn(&self) -> Child {
        // Logs stay out of a folder that is a disk of its own.
        let log = self.root.join(format!("{}.log", self.name.replace('/', "-")));
        let mut log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        writeln!(log, "--- start").unwrap();
        self.program()
            .args(["node", "--data-dir", &self.name])
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Starts the node and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Node {
        self.init();
        let mut node = Node { child: self.spawn(), plan: self, file: Value::Null };
        let path = node.plan.folder().join("node.json");
        let pid = node.child.id();
        node.file = wait_for(&format!("node.json of {}", node.plan.name), PATIENCE, || {
            if let Some(status) = node.child.try_wait().unwrap() {
                panic!("the node {} ended at once: {status}", node.plan.name);
            }
            let file: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            (file["pid"] == pid).then_some(file)
        });
        node
    }
}

/// A node that runs. Dropping it kills it.
pub(crate) struct Node {
    pub(crate) plan: Plan,
    child: Child,
    /// What its `node.json` says.
    pub(crate) file: Value,
}

impl Node {
    pub(crate) fn folder(&self) -> PathBuf {
        self.plan.folder()
    }

    pub(crate) fn did(&self) -> Did {
        self.file["did"].as_str().unwrap().parse().unwrap()
    }

    /// Where it can be dialled.
    pub(crate) fn address(&self) -> String {
        self.file["listen"][0].as_str().unwrap().to_owned()
    }

    /// Starts a command for this node.
    pub(crate) fn begin(&self, args: &[&str]) -> Running {
        self.plan.begin(args)
    }

    /// Runs a command for this node.
    pub(crate) fn icn(&self, args: &[&str]) -> Ran {
        self.begin(args).ended()
    }

    /// Runs a command that must succeed, and reads its JSON.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.icn(&[args, &["--json"]].concat()).code(0).json()
    }

    /// Submits a job and returns its id.
    #[track_caller]
    pub(crate) fn submit(&self, args: &[&str]) -> String {
        let ran = self.icn(&[&["job", "run", "--detach"], args].concat()).code(0);
        ran.text().trim().to_owned()
    }

    #[track_caller]
    pub(crate) fn job(&self, id: &str) -> Value {
        self.json(&["job", "show", id])
    }

    /// Waits until a job is as wanted.
    #[track_caller]
    pub(crate) fn until_job(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("job that is {what}"), PATIENCE, || Some(self.job(id)).filter(&wanted))
    }

    /// Waits until somebody runs a job.
    #[track_caller]
    pub(crate) fn until_running(&self, id: &str) -> Value {
        self.until_job(id, "running", |job| job["p2p_status"] == "Running")
    }

    /// Waits until the node is connected to so many peers and has heard of so many executors, itself among them.
    #[track_caller]
    pub(crate) fn until_knows(&self, peers: u64, executors: u64) {
        wait_for(&format!("{peers} peers and {executors} executors"), PATIENCE, || {
            let status = self.json(&["status"]);
            (status["peers"].as_u64()? >= peers && status["executors_known"].as_u64()? >= executors)
                .then_some(())
        });
    }

    /// Checks that the process lives and answers.
    #[track_caller]
    pub(crate) fn assert_alive(&mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "{} has ended", self.plan.name);
        assert!(self.folder().join("node.json").exists());
        assert_eq!(self.json(&["status"])["did"], self.file["did"]);
    }

    /// Reads one line of the metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let api = self.file["api"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let mut stream = std::net::TcpStream::connect(&api).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.trim().parse().unwrap_or_else(|_| panic!("{name}: {value}")))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Keeps the process from doing anything until [`Node::resume`].
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills the process as a power cut would, and gives back how it was started.
    pub(crate) fn kill(self) -> Plan {
        self.plan.clone()
    }

    /// The same, to be started where others look for it.
    pub(crate) fn kill_to_return(self) -> Plan {
        let address = self.address();
        let place = address.split("/p2p/").next().unwrap_or_default().to_owned();
        self.kill().listen(&place)
    }

    /// Asks the process to end, and waits until it has.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Plan) {
        self.signal(Signal::TERM);
        let status = wait_for("end after SIGTERM", PATIENCE, || self.child.try_wait().unwrap());
        (status, self.plan.clone())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a job's history has a line with this state and text.
pub(crate) fn tells(job: &Value, state: &str, text: &str) -> bool {
    job["history"].as_array().unwrap().iter().any(|turn| {
        turn["state"] == state
            && (text.is_empty() || turn["detail"].as_str().is_some_and(|detail| detail.contains(text)))
    })
}

/// The states of a job's history, in order, without what was said in between.
pub(crate) fn states(job: &Value) -> Vec<&str> {
    let turns = job["history"].as_array().unwrap().iter().map(|turn| turn["state"].as_str().unwrap());
    turns.filter(|state| !["Note", "Progress", "Log"].contains(state)).collect()
}
