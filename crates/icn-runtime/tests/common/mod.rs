//! What the runtime's tests share: modules, tasks, and a runtime that is quick to start.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test uses its part; nothing here is published"
)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use icn_runtime::{Config, Control, Input, Limits, Outcome, Runtime, Task};
use icn_types::{Cid, Mode};

pub fn guests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/guests")
}

/// A committed C guest.
pub fn guest(name: &str) -> Bytes {
    let path = guests().join(format!("bin/{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

/// A hostile guest, from its text.
pub fn hostile(name: &str) -> Bytes {
    wat::parse_file(guests().join(format!("hostile/{name}.wat"))).unwrap().into()
}

pub fn wat(text: &str) -> Bytes {
    wat::parse_str(text).unwrap().into()
}

pub fn task(wasm: Bytes) -> Task {
    Task {
        job_id: "bafyjob".into(),
        wasm_cid: Cid::of_raw(&wasm),
        wasm,
        entry: None,
        args: Vec::new(),
        env: BTreeMap::new(),
        stdin: None,
        inputs: Vec::new(),
        limits: Limits { output_bytes_max: 64 * 1024 * 1024, ..Limits::default() },
        mode: Mode::Canonical,
    }
}

pub fn input(name: &str, content: impl Into<Bytes>) -> Input {
    let bytes = content.into();
    Input { name: name.into(), cid: Cid::of_raw(&bytes), blob: Arc::new(bytes) }
}

pub fn config() -> Config {
    Config { concurrent_max: 4, ..Config::default() }
}

pub fn runtime() -> Runtime {
    Runtime::new(config()).unwrap()
}

pub async fn execute(task: Task) -> Outcome {
    runtime().execute(task, Control::default()).await
}

pub fn within(ms: u64) -> Control {
    Control { timeout: Duration::from_millis(ms), ..Control::default() }
}

/// The error's code, for ends that have one.
pub fn code(outcome: &Outcome) -> &str {
    outcome.error.as_ref().map_or("", |error| error.code.as_str())
}

pub fn text<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    std::str::from_utf8(outcome.output(name).unwrap()).unwrap()
}
