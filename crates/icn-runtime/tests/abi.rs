//! The host functions: what they answer, and that no pointer of a guest hurts the host.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use bytes::Bytes;
use common::{code, execute, runtime, task, text, wat};
use ed25519_dalek::{Signer, SigningKey};
use icn_runtime::{Control, GuestEvent, LogLevel, abi};
use icn_types::{Cid, End, codec};
use tokio::sync::mpsc;

/// Each function that takes pointers: its parameters' types, and arguments of which the marked ones (`P`) are
/// replaced, one after the other, by a pointer outside of the memory; `Q` marks the pointer to a path that exists.
const POINTERS: &[(&str, &str, &str, &str)] = &[
    (abi::MESH, "host_job_get_id", "i32 i32", "P 9"),
    (abi::MESH, "host_anchor_to_dag", "i32 i32 i32 i32 i32", "0x55 P 9 P 64"),
    (abi::MESH, "host_report_progress", "i32 i32 i32", "1 P 9"),
    (abi::MESH, "host_log", "i32 i32 i32", "1 P 9"),
    (abi::MESH, "host_sha256", "i32 i32 i32", "P 9 P"),
    (abi::MESH, "host_blake3", "i32 i32 i32", "P 9 P"),
    (abi::MESH, "host_ed25519_verify", "i32 i32 i32 i32", "P P 9 P"),
    (abi::WASI, "args_get", "i32 i32", "P P"),
    (abi::WASI, "args_sizes_get", "i32 i32", "P P"),
    (abi::WASI, "environ_get", "i32 i32", "P P"),
    (abi::WASI, "environ_sizes_get", "i32 i32", "P P"),
    (abi::WASI, "clock_res_get", "i32 i32", "0 P"),
    (abi::WASI, "clock_time_get", "i32 i64 i32", "0 0 P"),
    (abi::WASI, "random_get", "i32 i32", "P 9"),
    (abi::WASI, "fd_fdstat_get", "i32 i32", "1 P"),
    (abi::WASI, "fd_filestat_get", "i32 i32", "3 P"),
    (abi::WASI, "fd_prestat_get", "i32 i32", "3 P"),
    (abi::WASI, "fd_prestat_dir_name", "i32 i32 i32", "3 P 9"),
    (abi::WASI, "fd_read", "i32 i32 i32 i32", "0 P 1 P"),
    (abi::WASI, "fd_write", "i32 i32 i32 i32", "1 P 1 P"),
    (abi::WASI, "fd_readdir", "i32 i32 i32 i64 i32", "5 P 99 0 P"),
    (abi::WASI, "path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32", "5 0 Q 2 0 0 0 0 P"),
    (abi::WASI, "path_filestat_get", "i32 i32 i32 i32 i32", "5 0 Q 2 P"),
    (abi::WASI, "path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32", "5 0 Q 2 0 0 0"),
    (abi::WASI, "path_create_directory", "i32 i32 i32", "4 P 2"),
    (abi::WASI, "path_remove_directory", "i32 i32 i32", "4 P 2"),
    (abi::WASI, "path_unlink_file", "i32 i32 i32", "4 P 2"),
    (abi::WASI, "path_rename", "i32 i32 i32 i32 i32 i32", "4 P 2 4 P 2"),
    (abi::WASI, "path_readlink", "i32 i32 i32 i32 i32 i32", "5 P 2 8 8 8"),
    (abi::WASI, "poll_oneoff", "i32 i32 i32 i32", "P P 1 P"),
];

/// Builds a guest that makes one call. At address 0 stands a path, at 16 a list of one buffer.
fn one_call(module: &str, name: &str, types: &str, args: &[&str]) -> Bytes {
    let pushed: String = types.split(' ').zip(args).map(|(ty, arg)| format!("({ty}.const {arg}) ")).collect();
    wat(&format!(
        r#"(module
          (import "{module}" "{name}" (func $call (param {types}) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "in") (data (i32.const 16) "\20\00\00\00\04\00\00\00")
          (func (export "main") (result i32) (call $call {pushed})))"#
    ))
}

async fn call(module: &str, name: &str, types: &str, args: &[&str]) -> icn_runtime::Outcome {
    let mut task = task(one_call(module, name, types, args));
    task.entry = Some("main".into());
    task.env.insert("K".into(), "V".into());
    task.inputs.push(common::input("a", "a"));
    task.stdin = Some(common::input("", "abcdef"));
    execute(task).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_pointers_trap_the_guest() {
    for (module, name, types, pattern) in POINTERS {
        let args: Vec<&str> = pattern
            .split(' ')
            .map(|arg| match arg {
                "P" => "16",
                "Q" => "0",
                other => other,
            })
            .collect();
        let outcome = call(module, name, types, &args).await;
        assert_eq!(outcome.end, End::Exit, "{name}: {:?}", outcome.error);
        for (at, _) in pattern.split(' ').enumerate().filter(|(_, arg)| matches!(*arg, "P" | "Q")) {
            for pointer in ["65536", "65535", "-1", "0x7fffffff"] {
                let mut args = args.clone();
                args[at] = pointer;
                // Two bytes and less fit at 65535 only for one-byte accesses, of which there are none.
                let outcome = call(module, name, types, &args).await;
                assert_eq!(
                    (outcome.end, code(&outcome)),
                    (End::Trap, "bad_pointer"),
                    "{name} argument {at} = {pointer}: exit {:?}",
                    outcome.exit_code
                );
            }
        }
    }
}

#[tokio::test]
async fn bad_buffers_in_lists_trap_the_guest() {
    for (name, data) in [("fd_write", r"\fe\ff\00\00\04\00\00\00"), ("fd_read", r"\00\00\00\00\ff\ff\ff\ff")]
    {
        let module = wat(&format!(
            r#"(module
              (import "wasi_snapshot_preview1" "{name}" (func $call (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "{data}")
              (func (export "_start") (drop (call $call (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
        ));
        let outcome = execute(task(module)).await;
        let expected = if name == "fd_read" { (End::Exit, "") } else { (End::Trap, "bad_pointer") };
        assert_eq!(
            (outcome.end, code(&outcome)),
            expected,
            "{name}: stdout cannot be read, whatever the list"
        );
    }
}

#[tokio::test]
async fn without_a_memory_every_pointer_is_bad() {
    let module = wat(r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (func (export "_start") (drop (call $random (i32.const 0) (i32.const 1)))))"#);
    let outcome = execute(task(module)).await;
    assert_eq!((outcome.end, code(&outcome)), (End::Trap, "bad_pointer"));
    assert!(outcome.error.unwrap().message.contains("has 0 bytes"));
}

/// Calls a mesh function and writes what stands at 256 to 512 afterwards to stdout; the exit code is the result.
async fn mesh(
    name: &str,
    args: &[i64],
    data: &[u8],
) -> (i32, Vec<u8>, icn_runtime::Outcome, Option<GuestEvent>) {
    let types = "i32 ".repeat(args.len());
    let pushed: String = args.iter().map(|arg| format!("(i32.const {arg}) ")).collect();
    let data: String = data.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let module = wat(&format!(
        r#"(module
          (import "icn_mesh_v1" "{name}" (func $call (param {types}) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 16)
          (data (i32.const 0) "\00\01\00\00\00\01\00\00") (data (i32.const 1024) "{data}")
          (func (export "main") (result i32)
            (call $call {pushed})
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    ));
    let mut task = task(module);
    task.entry = Some("main".into());
    let (tx, mut rx) = mpsc::channel(4);
    let outcome = runtime().execute(task, Control { events: Some(tx), ..Control::default() }).await;
    assert_eq!(outcome.end, End::Exit, "{:?}", outcome.error);
    let shown = outcome.output("stdout").unwrap().to_vec();
    (outcome.exit_code.unwrap(), shown, outcome, rx.try_recv().ok())
}

#[tokio::test]
async fn hashes_and_signatures_are_the_hosts() {
    let (result, shown, ..) = mesh("host_sha256", &[1024, 3, 256], b"abc").await;
    assert_eq!(result, 0);
    assert_eq!(hex::encode(&shown[..32]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let (result, shown, ..) = mesh("host_blake3", &[1024, 3, 256], b"abc").await;
    assert_eq!(result, 0);
    assert_eq!(hex::encode(&shown[..32]), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");

    let key = SigningKey::from_bytes(&[5; 32]);
    let signed = [key.verifying_key().as_bytes().as_slice(), &key.sign(b"abc").to_bytes(), b"abc"].concat();
    let verify =
        async |data: &[u8]| mesh("host_ed25519_verify", &[1024, 1024 + 96, 3, 1024 + 32], data).await.0;
    assert_eq!(verify(&signed).await, 1);
    for at in [0, 40, 98] {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        assert_eq!(verify(&changed).await, 0, "byte {at}");
    }
    // The neutral point signs everything for verifiers that are not strict.
    let mut weak = vec![0; 99];
    weak[0] = 1;
    weak[32] = 1;
    assert_eq!(verify(&weak).await, 0);
}

#[tokio::test]
async fn job_ids_are_given_where_there_is_room() {
    let (result, shown, outcome, _) = mesh("host_job_get_id", &[256, 64], b"").await;
    assert_eq!((result, &shown[..8]), (7, b"bafyjob\0".as_slice()));
    assert!(outcome.asked_job_id);
    assert_eq!(mesh("host_job_get_id", &[256, 0], b"").await.0, 7);
    let (result, shown, ..) = mesh("host_job_get_id", &[256, 6], b"").await;
    assert_eq!((result, shown[0]), (abi::ERROR_BUFFER_TOO_SMALL, 0));
}

#[tokio::test]
async fn anchors_are_blocks_with_names() {
    let (result, shown, outcome, _) = mesh("host_anchor_to_dag", &[0x55, 1024, 3, 256, 64], b"abc").await;
    let cid = Cid::of_raw(b"abc");
    assert_eq!(&shown[..result as usize], cid.to_string().as_bytes());
    assert_eq!(outcome.anchors, [(cid, Bytes::from_static(b"abc"))]);
    let value = codec::encode(&[1, 2]).unwrap();
    let (_, _, outcome, _) =
        mesh("host_anchor_to_dag", &[0x71, 1024, value.len() as i64, 256, 64], &value).await;
    assert_eq!(outcome.anchors, [(Cid::of_dag_cbor(&value), Bytes::from(value))]);
    for (args, expected) in [
        ([0x71, 1024, 3, 256, 64], abi::ERROR_INVALID),
        ([0x70, 1024, 3, 256, 64], abi::ERROR_INVALID),
        ([0x55, 1024, 3, 256, 10], abi::ERROR_BUFFER_TOO_SMALL),
        ([0x55, 1024, 262_145, 256, 64], abi::ERROR_TOO_LARGE),
    ] {
        let (result, _, outcome, _) = mesh("host_anchor_to_dag", &args, b"abc").await;
        assert_eq!((result, outcome.anchors.len()), (expected, 0), "{args:?}");
    }
}

#[tokio::test]
async fn reports_reach_whoever_listens() {
    let event = mesh("host_log", &[2, 1024, 3], b"abc").await.3;
    assert_eq!(event, Some(GuestEvent::Log { level: LogLevel::Info, text: "abc".into() }));
    let event = mesh("host_report_progress", &[500_000, 1024, 0], b"").await.3;
    assert_eq!(event, Some(GuestEvent::Progress { parts_per_million: 500_000, text: None }));
    for (name, args, expected) in [
        ("host_log", [5, 1024, 3], abi::ERROR_INVALID),
        ("host_log", [-1, 1024, 3], abi::ERROR_INVALID),
        ("host_log", [0, 1024, 5_000], abi::ERROR_TOO_LARGE),
        ("host_log", [0, 1027, 1], abi::ERROR_INVALID),
        ("host_report_progress", [1_000_001, 1024, 0], abi::ERROR_INVALID),
        ("host_report_progress", [1, 1024, 1_025], abi::ERROR_TOO_LARGE),
    ] {
        let (result, _, _, event) = mesh(name, &args, b"abc\xff").await;
        assert_eq!((result, event), (expected, None), "{name} {args:?}");
    }
}

#[tokio::test]
async fn host_calls_cost_what_the_table_says() {
    let fuel = async |len: i64| mesh("host_sha256", &[1024, len, 256], b"").await.2.fuel_used;
    let (none, some) = (fuel(0).await, fuel(1_000).await);
    assert_eq!(some - none, 6_000);
    // 1,000 for the hash, 1,000 and 256 bytes for the write, the rest for instructions.
    assert!((2_256..2_300).contains(&none), "{none}");
    let outcome = mesh("host_sha256", &[1024, 0, 256], b"").await.2;
    assert_eq!(outcome.host_calls, [("fd_write".to_owned(), 1), ("host_sha256".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_call_that_cannot_be_paid_ends_the_guest() {
    let mut task = task(one_call(abi::MESH, "host_sha256", "i32 i32 i32", &["0", "60000", "0"]));
    task.entry = Some("main".into());
    task.limits.fuel_max = 100_000;
    let outcome = execute(task).await;
    assert_eq!((outcome.end, outcome.fuel_used), (End::OutOfFuel, 100_000));
}

#[tokio::test]
async fn libraries_can_be_called_by_name() {
    let module = wat(r#"(module (memory (export "memory") 1)
        (func (export "_initialize") (i32.store (i32.const 0) (i32.const 42)))
        (func (export "answer") (result i32) (i32.load (i32.const 0))))"#);
    let mut task = task(module);
    task.entry = Some("answer".into());
    let outcome = execute(task).await;
    assert_eq!((outcome.end, outcome.exit_code, text(&outcome, "stdout")), (End::Exit, Some(42), ""));
}

#[tokio::test]
async fn sleeping_passes_virtual_time_at_once() {
    // Sleeps a day by a relative clock subscription, then tells the seconds that passed.
    let module = wat(r#"(module
      (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "main") (result i32)
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 0)))
        (i32.store (i32.const 112) (i32.const 1))
        (i64.store (i32.const 120) (i64.const 86400000000000))
        (drop (call $poll (i32.const 96) (i32.const 200) (i32.const 1) (i32.const 300)))
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 8)))
        (i32.wrap_i64 (i64.div_u (i64.sub (i64.load (i32.const 8)) (i64.load (i32.const 0))) (i64.const 1000000000)))))"#);
    let mut task = task(module);
    task.entry = Some("main".into());
    let outcome = execute(task).await;
    assert_eq!((outcome.end, outcome.exit_code), (End::Exit, Some(86_400)));
}
