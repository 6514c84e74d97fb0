//! Every end of `docs/protocol.md`, section 7, and every hostile guest: each is stopped on time, and the host lives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{code, config, execute, guest, hostile, input, runtime, task, text, wat, within};
use icn_runtime::{Blob, Config, Control, Input, Limits, Runtime};
use icn_types::{Cid, End};
use tokio_util::sync::CancellationToken;

/// How much later than its time a job may end beside the other tests. `timing.rs` measures in quiet.
const LATE: Duration = Duration::from_millis(500);

async fn check(name: &str, end: End, error_code: &str) {
    let outcome = runtime().execute(task(hostile(name)), within(20_000)).await;
    assert_eq!((outcome.end, code(&outcome)), (end, error_code), "{name}: {:?}", outcome.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_stop_what_wants_too_much() {
    check("memory_bomb", End::MemoryLimit, "memory_limit").await;
    check("memory_huge_start", End::MemoryLimit, "memory_limit").await;
    check("table_huge_start", End::MemoryLimit, "memory_limit").await;
    check("table_bomb", End::MemoryLimit, "memory_limit").await;
    check("stdout_bomb", End::OutputLimit, "output_limit").await;
    check("output_bomb", End::OutputLimit, "output_limit").await;
    check("file_bomb", End::OutputLimit, "output_limit").await;
    check("recursion", End::Trap, "stack_overflow").await;
    check("memory_polite", End::Exit, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_and_paths_are_confined() {
    for (name, exit_code) in [("descriptor_bomb", 33), ("path_escape", 0)] {
        let mut task = task(hostile(name));
        task.inputs.push(input("a.txt", "secret"));
        let outcome = execute(task).await;
        assert_eq!((outcome.end, outcome.exit_code), (End::Exit, Some(exit_code)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_ends_every_endless_guest() {
    for name in ["endless_loop", "endless_start", "endless_calls", "endless_fill", "memory_spin", "gap_bomb"]
    {
        let mut task = task(hostile(name));
        task.limits.fuel_max = 300_000_000;
        let outcome = execute(task).await;
        assert_eq!((outcome.end, code(&outcome)), (End::OutOfFuel, "out_of_fuel"), "{name}");
        assert_eq!(outcome.fuel_used, 300_000_000, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_a_guest_that_runs_and_one_that_waits() {
    let runtime = Runtime::new(Config { concurrent_max: 1, ..config() }).unwrap();
    let cancels = [CancellationToken::new(), CancellationToken::new()];
    let jobs = cancels.clone().map(|cancel| {
        let runtime = runtime.clone();
        let control = Control { cancel, ..Control::default() };
        tokio::spawn(async move { runtime.execute(task(hostile("endless_loop")), control).await })
    });
    let [first, second] = jobs;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(runtime.slots_free(), 0);
    for cancel in cancels.iter().rev() {
        cancel.cancel();
    }
    for job in [second, first] {
        let outcome = tokio::time::timeout(LATE * 4, job).await.unwrap().unwrap();
        assert_eq!((outcome.end, code(&outcome)), (End::Cancelled, "cancelled"));
        assert!(outcome.stages_us.contains_key("queue") || outcome.stages_us.is_empty());
    }
    // The slot is free again.
    let outcome = runtime.execute(task(guest("noop")), Control::default()).await;
    assert_eq!((outcome.end, outcome.exit_code), (End::Exit, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_come_with_a_backtrace() {
    let module = wat(r#"(module $culprit (func $inner unreachable) (func $outer call $inner)
        (func (export "_start") call $outer))"#);
    let outcome = execute(task(module)).await;
    assert_eq!((outcome.end, code(&outcome), outcome.exit_code), (End::Trap, "unreachable", None));
    let message = outcome.error.unwrap().message;
    for part in ["unreachable", "culprit!inner", "culprit!outer"] {
        assert!(message.contains(part), "{message}");
    }
    for (body, word) in [
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "division_by_zero"),
        ("(drop (i32.load (i32.const -4)))", "memory_out_of_bounds"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "bad_conversion"),
        ("(call_indirect (i32.const 0))", "null_call"),
        ("(call_indirect (i32.const 9))", "table_out_of_bounds"),
    ] {
        let text = format!(r#"(module (memory 1) (table 1 funcref) (func (export "_start") {body}))"#);
        let outcome = execute(task(wat(&text))).await;
        assert_eq!((outcome.end, code(&outcome)), (End::Trap, word), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_modules_say_why() {
    let check = async |module: bytes::Bytes, entry: Option<&str>, error_code: &str, part: &str| {
        let mut task = task(module);
        task.entry = entry.map(str::to_owned);
        let outcome = execute(task).await;
        assert_eq!(
            (outcome.end, code(&outcome)),
            (End::BadModule, error_code),
            "{part}: {:?}",
            outcome.error
        );
        let message = outcome.error.unwrap().message;
        assert!(message.contains(part), "{message}");
    };
    check("no wasm".into(), None, "not_a_module", "not a WebAssembly module").await;
    check(wat("(module)"), None, "no_entry", "`_start`").await;
    check(wat(r#"(module (func (export "_start")))"#), Some("main"), "no_entry", "`main`").await;
    check(wat(r#"(module (func (export "_start") (param i32)))"#), None, "wrong_entry", "(param i32)").await;
    check(wat(r#"(module (memory (export "_start") 1))"#), None, "wrong_entry", "not a function").await;
    check(wat(r#"(module (import "env" "f" (func)))"#), None, "unknown_import", "`env::f`").await;
    let wrong = r#"(module (import "icn_mesh_v1" "host_log" (func (param i64))) (func (export "_start")))"#;
    check(wat(wrong), None, "wrong_import", "host_log").await;
    check(wat(r#"(module (memory i64 1) (func (export "_start")))"#), None, "invalid_module", "memory64")
        .await;
    check(b"\0asm\x01\0\0\0\x0a\x04\x01\x02\0\x00".as_slice().into(), None, "invalid_module", "").await;
}

/// Many functions that are slow to compile: long chains of values that all stay alive.
fn slow_module() -> bytes::Bytes {
    let mut body = String::new();
    for n in 0..1_000 {
        body += &format!(
            "(local.set {} (i32.mul (local.get {}) (local.get {})))",
            n % 400,
            (n * 7) % 400,
            (n * 13) % 400
        );
        body += "(if (local.get 0) (then (local.set 1 (call 0))))";
    }
    let function = format!("(func (result i32) (local {}) {body} (local.get 0))", "i32 ".repeat(400));
    wat(&format!(r#"(module {} (func (export "_start")))"#, function.repeat(8)))
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_compilation_ends_on_time() {
    let module = slow_module();
    let limit = Duration::from_millis(100);
    let runtime = Runtime::new(Config { compile_timeout: limit, ..config() }).unwrap();
    let started = Instant::now();
    let outcome = runtime.execute(task(module.clone()), Control::default()).await;
    let took = started.elapsed();
    assert_eq!((outcome.end, code(&outcome)), (End::BadModule, "compile_timeout"), "{took:?}");
    assert!(took < limit + LATE, "{took:?}");
    // A job's own time ends its compilation as well, and so does cancelling.
    let runtime = common::runtime();
    let outcome = runtime.execute(task(module), within(50)).await;
    assert_eq!(outcome.end, End::Timeout);
    // Other jobs go on meanwhile.
    assert_eq!(runtime.execute(task(guest("noop")), Control::default()).await.end, End::Exit);
}

/// An input that cannot be read, or never answers.
struct Broken(Option<Duration>);

impl Blob for Broken {
    fn len(&self) -> u64 {
        10
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
        match self.0 {
            Some(time) => std::thread::sleep(time),
            None => return Err(std::io::Error::other("the block is gone")),
        }
        Ok(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_cannot_give_is_its_own_fault() {
    let mut unreadable = task(guest("readall"));
    let blob = |broken| Input { name: "x".into(), cid: Cid::of_raw(b"x"), blob: Arc::new(broken) };
    unreadable.args.push("x".into());
    unreadable.inputs.push(blob(Broken(None)));
    let outcome = execute(unreadable.clone()).await;
    assert_eq!((outcome.end, code(&outcome)), (End::NodeFault, "node_fault"));
    assert!(outcome.error.unwrap().message.contains("the block is gone"));

    let mut short = unreadable.clone();
    short.inputs = vec![blob(Broken(Some(Duration::ZERO)))];
    assert_eq!(execute(short).await.end, End::NodeFault);

    // A reading that hangs does not hold the answer back for long.
    let mut hanging = unreadable;
    hanging.inputs = vec![blob(Broken(Some(Duration::from_secs(4))))];
    let started = Instant::now();
    let outcome = runtime().execute(hanging, within(200)).await;
    assert_eq!(outcome.end, End::Timeout);
    assert!(started.elapsed() < Duration::from_secs(3));

    let mut wrong = task(guest("noop"));
    wrong.wasm_cid = Cid::of_raw(b"another");
    let outcome = execute(wrong).await;
    assert_eq!((outcome.end, code(&outcome)), (End::NodeFault, "wrong_module_bytes"));

    let mut named = task(guest("noop"));
    named.inputs.push(input("../x", "x"));
    let outcome = execute(named).await;
    assert_eq!((outcome.end, code(&outcome)), (End::NodeFault, "bad_input_name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_a_failure_is_kept() {
    let module = r#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\08\00\00\00\05\00\00\00hello")
      (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        unreachable))"#;
    let outcome = execute(task(wat(module))).await;
    assert_eq!((outcome.end, text(&outcome, "stdout")), (End::Trap, "hello"));
    // A stream is cut at its limit, not dropped.
    let mut short = task(wat(module));
    short.limits.stream_bytes_max = 3;
    let outcome = execute(short).await;
    assert_eq!((outcome.end, text(&outcome, "stdout")), (End::OutputLimit, "hel"));
    // Files too.
    let mut bomb = task(hostile("output_bomb"));
    bomb.limits = Limits { output_bytes_max: 200_000, ..Limits::default() };
    let outcome = execute(bomb).await;
    assert_eq!(outcome.end, End::OutputLimit);
    assert_eq!(outcome.output("f").unwrap().len(), 3 * 65_536);
    let names: Vec<_> = outcome.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["stdout", "stderr", "f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_what_the_job_was_given() {
    let mut small = task(hostile("memory_polite"));
    small.limits.memory_bytes_max = 1_000_000;
    assert_eq!(execute(small).await.memory_peak_bytes, 65_536);
    let mut bomb = task(hostile("memory_bomb"));
    bomb.limits.memory_bytes_max = 100 * 1024 * 1024;
    let outcome = execute(bomb).await;
    assert_eq!(outcome.end, End::MemoryLimit);
    // 1 page, then steps of 256 pages (16 MiB): six fit into 100 MiB.
    assert_eq!(outcome.memory_peak_bytes, 65_536 + 6 * 256 * 65_536);
    assert!(outcome.error.unwrap().message.contains("104857600 are allowed"));
}
