//! One job to execute, and how to watch and stop it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use icn_types::{Cid, Mode, codec};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Blob;

/// The export that is called when a task names none.
pub(crate) const ENTRY_DEFAULT: &str = "_start";

/// Which virtual machine executes, as receipts state it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeInfo {
    /// The engine's name: `wasmtime`.
    pub engine: String,
    /// The engine's version.
    pub version: String,
    /// The table of costs and the rules of determinism, by name ([`crate::abi::PROFILE_CANONICAL`]).
    pub profile: String,
    /// Canonical or fast.
    pub mode: Mode,
}

/// A named input, or the standard input.
#[derive(Clone)]
pub struct Input {
    /// The path below `/in`; of no meaning for the standard input.
    pub name: String,
    /// What the content is called.
    pub cid: Cid,
    /// The content.
    pub blob: Arc<dyn Blob>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("cid", &self.cid).finish_non_exhaustive()
    }
}

/// What one guest may use. The defaults are those of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most fuel.
    pub fuel_max: u64,
    /// The most linear memory, in bytes.
    pub memory_bytes_max: u64,
    /// The most bytes in files of `/out` and in anchored blocks together, at any moment.
    pub output_bytes_max: u64,
    /// The most files and folders in `/out` at any moment; as many blocks may be anchored. Not part of the execution
    /// key: receipts replay with the default.
    pub output_files_max: u32,
    /// The most bytes of stdout, and of stderr. Not part of the execution key: receipts replay with the default.
    pub stream_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_max: 1_000_000_000_000,
            memory_bytes_max: 512 * 1024 * 1024,
            output_bytes_max: 256 * 1024 * 1024,
            output_files_max: 10_000,
            stream_bytes_max: 8 * 1024 * 1024,
        }
    }
}

/// A module with all that it is to be given.
#[derive(Debug, Clone)]
pub struct Task {
    /// The announcement id, for `host_job_get_id`.
    pub job_id: String,
    /// What the module is called. A raw CID is checked against `wasm`; for other codecs the caller has checked it.
    pub wasm_cid: Cid,
    /// The module.
    pub wasm: Bytes,
    /// The export to call; `_start` when absent.
    pub entry: Option<String>,
    /// Arguments after `argv[0]`, which is `job`.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// The standard input; empty when absent.
    pub stdin: Option<Input>,
    /// The files of `/in`.
    pub inputs: Vec<Input>,
    /// What the guest may use.
    pub limits: Limits,
    /// Canonical or fast.
    pub mode: Mode,
}

/// The execution key as it is encoded (`docs/protocol.md`, section 8).
#[derive(Serialize)]
struct Key<'a> {
    wasm_cid: &'a Cid,
    entry: &'a str,
    args: &'a [String],
    env: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin_cid: Option<&'a Cid>,
    input_cids: Vec<NamedCid<'a>>,
    max_fuel: u64,
    memory_bytes_max: u64,
    output_bytes_max: u64,
    runtime: &'a RuntimeInfo,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct NamedCid<'a> {
    name: &'a str,
    cid: &'a Cid,
}

impl Task {
    /// Names everything that a canonical execution depends on: the CID of a strict DAG-CBOR map.
    ///
    /// The entry is always written out, `input_cids` is sorted by name, `stdin_cid` is left out when there is none.
    #[must_use]
    pub fn execution_key(&self, runtime: &RuntimeInfo) -> Cid {
        let mut input_cids: Vec<_> =
            self.inputs.iter().map(|input| NamedCid { name: &input.name, cid: &input.cid }).collect();
        input_cids.sort();
        let key = Key {
            wasm_cid: &self.wasm_cid,
            entry: self.entry(),
            args: &self.args,
            env: &self.env,
            stdin_cid: self.stdin.as_ref().map(|input| &input.cid),
            input_cids,
            max_fuel: self.limits.fuel_max,
            memory_bytes_max: self.limits.memory_bytes_max,
            output_bytes_max: self.limits.output_bytes_max,
            runtime,
        };
        // Text and integers always have a DAG-CBOR form.
        Cid::of_dag_cbor(&codec::encode(&key).unwrap_or_default())
    }

    /// Returns the name of the export to call.
    #[must_use]
    pub fn entry(&self) -> &str {
        self.entry.as_deref().unwrap_or(ENTRY_DEFAULT)
    }
}

/// How one execution is watched and stopped. What is here never changes a deterministic result.
#[derive(Debug, Clone)]
pub struct Control {
    /// How long compilation and execution may take together, counted from the moment the task leaves the queue.
    pub timeout: Duration,
    /// Ends the guest as `cancelled`, also while it waits.
    pub cancel: CancellationToken,
    /// Where reports of the guest go. Full: the report is dropped.
    pub events: Option<mpsc::Sender<GuestEvent>>,
}

impl Default for Control {
    /// Ten minutes, no reports.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(600), cancel: CancellationToken::new(), events: None }
    }
}

/// What a running guest has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestEvent {
    /// How far it is.
    Progress {
        /// 0 to 1,000,000.
        parts_per_million: u32,
        /// What it is doing, at most 1 KiB.
        text: Option<String>,
    },
    /// A line for the log, at most 4 KiB.
    Log {
        /// How serious.
        level: LogLevel,
        /// The line.
        text: String,
    },
}

/// How serious a guest's log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// Worth knowing.
    Info,
    /// For the guest's author.
    Debug,
    /// For the guest's author, in bulk.
    Trace,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task {
            job_id: "job".into(),
            wasm_cid: Cid::of_raw(b"module"),
            wasm: Bytes::from_static(b"module"),
            entry: None,
            args: vec!["a".into()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: ["b", "a"]
                .map(|name| Input {
                    name: name.into(),
                    cid: Cid::of_raw(name.as_bytes()),
                    blob: Arc::new(Bytes::new()),
                })
                .into(),
            limits: Limits::default(),
            mode: Mode::Canonical,
        }
    }

    fn info() -> RuntimeInfo {
        RuntimeInfo {
            engine: "wasmtime".into(),
            version: "48.0.8".into(),
            profile: "icn-canonical-1".into(),
            mode: Mode::Canonical,
        }
    }

    #[test]
    fn the_key_depends_on_what_the_guest_can_see() {
        let key = |change: fn(&mut Task)| {
            let mut task = task();
            change(&mut task);
            task.execution_key(&info())
        };
        let base = key(|_| {});
        // Computed by an independent encoder (Python, from the text of the specification).
        assert_eq!(base.to_string(), "bafyreihirje75ykcfj5thw27t72eudqtoarmpo36r4knjyaf2mq7m47brq");
        for same in [
            key(|t| t.job_id = "other".into()),
            key(|t| t.entry = Some("_start".into())),
            key(|t| t.inputs.reverse()),
            key(|t| t.wasm = Bytes::new()),
        ] {
            assert_eq!(same, base);
        }
        for other in [
            key(|t| t.wasm_cid = Cid::of_raw(b"other")),
            key(|t| t.entry = Some("main".into())),
            key(|t| t.args.push(String::new())),
            key(|t| drop(t.env.insert("K".into(), "V".into()))),
            key(|t| t.stdin = t.inputs.pop()),
            key(|t| drop(t.inputs.pop())),
            key(|t| t.limits.fuel_max -= 1),
            key(|t| t.limits.memory_bytes_max -= 1),
            key(|t| t.limits.output_bytes_max -= 1),
        ] {
            assert_ne!(other, base);
        }
    }
}
