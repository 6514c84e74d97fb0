//! The same execution key gives the same outputs, end and fuel: again, from every cache, and from a new runtime.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;

use bytes::Bytes;
use common::{config, execute, guest, hostile, input, runtime, task, wat};
use icn_runtime::{Config, Control, Outcome, Runtime, Task};
use icn_types::{End, Mode};

/// What a receipt states of an outcome and a replay must find again.
fn facts(outcome: &Outcome) -> impl PartialEq + std::fmt::Debug + use<> {
    let Outcome { end, exit_code, error, fuel_used, memory_peak_bytes, host_calls, outputs, anchors, .. } =
        outcome.clone();
    (end, exit_code, error, fuel_used, memory_peak_bytes, host_calls, outputs, anchors)
}

/// Writes 64 random bytes and three readings of the clock to stdout.
fn chance() -> Bytes {
    wat(r#"(module
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\64\00\00\00\58\00\00\00")
      (func (export "_start")
        (drop (call $random (i32.const 100) (i32.const 64)))
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 164)))
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 172)))
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 180)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#)
}

/// NaNs of every making: the bits of 0/0, of a NaN with a payload plus one, and of the root of -1.
fn nans() -> Bytes {
    wat(r#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\40\00\00\00\18\00\00\00")
      (func (export "_start")
        (f64.store (i32.const 64) (f64.div (f64.load (i32.const 32)) (f64.load (i32.const 32))))
        (f64.store (i32.const 72) (f64.add (f64.const -nan:0x4000000000001) (f64.const 1)))
        (f64.store (i32.const 80) (f64.sqrt (f64.const -1)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#)
}

fn tasks() -> Vec<Task> {
    let mut words = task(guest("wordcount"));
    words.inputs =
        (0..40).map(|n| input(&format!("{n}/f"), format!("word{n} the {n}").repeat(500))).collect();
    let mut tile = task(guest("mandelbrot"));
    tile.args = ["1", "1", "2", "100"].map(str::to_owned).into();
    let mut tasks = vec![words, tile, task(chance()), task(nans()), task(guest("posix"))];
    for name in [
        "memory_bomb",
        "recursion",
        "stdout_bomb",
        "file_bomb",
        "table_bomb",
        "endless_loop",
        "endless_calls",
    ] {
        let mut task = task(hostile(name));
        task.limits.fuel_max = 500_000_000;
        tasks.push(task);
    }
    tasks
}

async fn runs_alike(dir: &Path) {
    let config = Config { cache_dir: Some(dir.to_owned()), ..config() };
    let cold = Runtime::new(config.clone()).unwrap();
    let from_disk = Runtime::new(config).unwrap();
    for task in tasks() {
        let first = cold.execute(task.clone(), Control::default()).await;
        let again = cold.execute(task.clone(), Control::default()).await;
        let disk = from_disk.execute(task.clone(), Control::default()).await;
        let fresh = runtime().execute(task, Control::default()).await;
        assert!(first.stages_us.contains_key("compile") && again.stages_us.contains_key("cache"));
        assert!(disk.stages_us.contains_key("cache"), "{:?}", disk.stages_us);
        for other in [again, disk, fresh] {
            assert_eq!(facts(&other), facts(&first));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_facts() {
    runs_alike(tempfile::tempdir().unwrap().path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_do_not_matter() {
    let runtime = runtime();
    let mut alone = Vec::new();
    for task in tasks() {
        alone.push(facts(&runtime.execute(task, Control::default()).await));
    }
    let mut set = tokio::task::JoinSet::new();
    for (n, task) in tasks().into_iter().enumerate() {
        let runtime = runtime.clone();
        set.spawn(async move { (n, runtime.execute(task, Control::default()).await) });
    }
    while let Some(done) = set.join_next().await {
        let (n, outcome) = done.unwrap();
        assert_eq!(facts(&outcome), alone[n]);
    }
}

#[tokio::test]
async fn chance_and_time_follow_from_the_key() {
    let mut random = Vec::new();
    for change in [
        (|_| {}) as fn(&mut Task),
        |task| task.job_id = "another".into(),
        |task| task.args.push("x".into()),
        |task| drop(task.env.insert("K".into(), "V".into())),
        |task| task.inputs.push(input("a", "b")),
        |task| task.stdin = Some(input("", "b")),
        |task| task.limits.fuel_max -= 1,
    ] {
        let mut task = task(chance());
        change(&mut task);
        let outcome = execute(task).await;
        let bytes = outcome.output("stdout").unwrap().clone();
        let times: Vec<u64> =
            bytes[64..].chunks(8).map(|time| u64::from_le_bytes(time.try_into().unwrap())).collect();
        let start = 946_684_800_000_000_000;
        assert_eq!(times, [start, start + 1_000_000, start + 2_000_000]);
        random.push(bytes.slice(..64));
    }
    assert_eq!(random[0], random[1], "the job's id is no part of the key");
    for (n, bytes) in random.iter().enumerate().skip(2) {
        assert!(!random[..n].contains(bytes), "change {n}");
    }
}

#[tokio::test]
async fn the_random_bytes_are_those_of_the_key() {
    use rand::{Rng, SeedableRng};
    use sha2::{Digest, Sha256};
    let (runtime, task) = (runtime(), task(chance()));
    let key = task.execution_key(&runtime.info(Mode::Canonical));
    let mut expected = [0; 64];
    rand_chacha::ChaCha20Rng::from_seed(Sha256::digest(key.to_string()).into()).fill_bytes(&mut expected);
    let outcome = runtime.execute(task, Control::default()).await;
    assert_eq!(&outcome.output("stdout").unwrap()[..64], expected);
}

#[tokio::test]
async fn nans_have_one_form() {
    let outcome = execute(task(nans())).await;
    let bytes = outcome.output("stdout").unwrap();
    let canonical = 0x7ff8_0000_0000_0000_u64.to_le_bytes();
    for nan in bytes.chunks(8) {
        assert_eq!(nan, canonical);
    }
}

#[tokio::test]
async fn fast_mode_has_chance_and_time_of_its_own() {
    let mut task = task(chance());
    task.mode = Mode::Fast;
    let runtime = runtime();
    let first = runtime.execute(task.clone(), Control::default()).await;
    let second = runtime.execute(task, Control::default()).await;
    assert_eq!((first.end, second.end), (End::Exit, End::Exit));
    assert_ne!(first.output("stdout").unwrap()[..64], second.output("stdout").unwrap()[..64]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_foreign_cache_files_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { cache_dir: Some(dir.path().to_owned()), ..config() };
    let files = || -> Vec<_> {
        std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .collect()
    };
    let run = async || {
        Runtime::new(config.clone()).unwrap().execute(task(guest("hello")), Control::default()).await
    };
    let source =
        |outcome: &Outcome| if outcome.stages_us.contains_key("cache") { "cache" } else { "compile" };
    let first = run().await;
    let [file] = files().try_into().unwrap();
    let good = std::fs::read(&file).unwrap();
    let len = good.len();
    for damage in [0, 20, 60, len / 2, len - 1] {
        let mut bad = good.clone();
        bad[damage] ^= 1;
        std::fs::write(&file, bad).unwrap();
        let outcome = run().await;
        assert_eq!((source(&outcome), facts(&outcome)), ("compile", facts(&first)), "byte {damage}");
        assert_eq!(source(&run().await), "cache");
    }
    std::fs::write(&file, &good[..len / 2]).unwrap();
    assert_eq!(source(&run().await), "compile");
    // A file that another node made, under another key.
    std::fs::write(dir.path().join("cache.key"), [9; 32]).unwrap();
    assert_eq!(source(&run().await), "compile");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::remove_file(dir.path().join("cache.key")).unwrap();
        assert_eq!(source(&run().await), "compile");
        let mode = std::fs::metadata(dir.path().join("cache.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_cache_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let bytes_max = 200_000;
    let config = Config { cache_dir: Some(dir.path().to_owned()), cache_bytes_max: bytes_max, ..config() };
    let runtime = Runtime::new(config).unwrap();
    for n in 0..12 {
        let module = wat(&format!(r#"(module (func (export "_start")) (data "{n}"))"#));
        assert_eq!(runtime.execute(task(module), Control::default()).await.end, End::Exit);
    }
    let total: u64 =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(total <= bytes_max + 32, "{total}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_start_together_compile_once() {
    let runtime = runtime();
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let runtime = runtime.clone();
        set.spawn(async move { runtime.execute(task(guest("wordcount")), Control::default()).await });
    }
    let ends: Vec<_> = set.join_all().await.iter().map(|outcome| outcome.end).collect();
    assert_eq!(ends, [End::Exit; 8]);
    assert_eq!(runtime.modules_compiled(), 1);
}
