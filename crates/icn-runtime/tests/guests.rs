//! The committed guests, run as a person would run them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{execute, guest, input, runtime, task, text};
use icn_runtime::{Blob, Control, GuestEvent, Input};
use icn_types::{Cid, End, Mode};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

#[tokio::test]
async fn hello_shows_what_it_is_given() {
    let mut task = task(guest("hello"));
    task.args = ["7", "with space", "ünï"].map(str::to_owned).into();
    task.env = [("B", "2"), ("A", "1=1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    task.stdin = Some(input("", "one\ntwo\n"));
    let outcome = execute(task).await;
    assert_eq!((outcome.end, outcome.exit_code, &outcome.error), (End::Exit, Some(7), &None));
    let expected =
        "arg 0: job\narg 1: 7\narg 2: with space\narg 3: ünï\nenv: A=1=1\nenv: B=2\nstdin: one\nstdin: two\n";
    assert_eq!(text(&outcome, "stdout"), expected);
    assert_eq!(text(&outcome, "stderr"), "hello from job\n");
    assert_eq!(outcome.host_calls["proc_exit"], 1);
    assert!(!outcome.asked_job_id);
    let stages: Vec<_> = outcome.stages_us.keys().map(String::as_str).collect();
    assert_eq!(stages, ["compile", "instantiate", "queue", "run"]);
}

#[tokio::test]
async fn words_are_counted_over_all_of_in() {
    let mut task = task(guest("wordcount"));
    task.inputs =
        vec![input("b/deep/x.txt", "The end, the END."), input("a.txt", "the start"), input("empty", "")];
    let outcome = execute(task).await;
    assert_eq!(outcome.exit_code, Some(0), "{}", text(&outcome, "stderr"));
    assert_eq!(text(&outcome, "counts.txt"), "2 end\n1 start\n3 the\n");
    assert_eq!(text(&outcome, "stdout"), "6 words, 3 different, in 3 files\n");
}

#[tokio::test]
async fn a_tile_is_a_png_and_progress_is_reported() {
    let mut task = task(guest("mandelbrot"));
    task.args = ["0", "0", "1", "64"].map(str::to_owned).into();
    let (tx, mut rx) = mpsc::channel(1);
    let control = Control { events: Some(tx), ..Control::default() };
    let outcome = runtime().execute(task, control).await;
    assert_eq!(outcome.exit_code, Some(0), "{}", text(&outcome, "stderr"));
    let png = outcome.output("tile.png").unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xae\x42\x60\x82"));
    assert_eq!(png.len(), 8 + 25 + 12 + 12 + 64 * (64 * 3 + 1) + 2 + 5 + 4);
    // Two reports were made; the channel had room for one.
    assert_eq!(outcome.host_calls["host_report_progress"], 2);
    let first = GuestEvent::Progress { parts_per_million: 0, text: Some("rows".into()) };
    assert_eq!(rx.recv().await, Some(first));
    assert_eq!(rx.recv().await, None);
}

#[tokio::test]
async fn posix_programs_find_what_they_expect() {
    let mut task = task(guest("posix"));
    task.inputs = vec![input("a.txt", "hello world"), input("sub/b.txt", "b")];
    let outcome = execute(task).await;
    assert_eq!((text(&outcome, "stdout"), outcome.exit_code), ("all as expected\n", Some(0)));
    assert_eq!(text(&outcome, "moved/e/g"), "kept");
    assert_eq!(outcome.outputs.len(), 3);
}

/// 50 MB that are made when they are read, in pieces of odd sizes; it counts what was read.
struct Lazy(Arc<AtomicU64>);

const LAZY_BYTES: u64 = 50_000_000;

fn lazy_byte(at: u64) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8
}

impl Blob for Lazy {
    fn len(&self) -> u64 {
        LAZY_BYTES
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(40_961).min((LAZY_BYTES - offset) as usize);
        for (at, byte) in (offset..).zip(&mut buffer[..len]) {
            *byte = lazy_byte(at);
        }
        self.0.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_inputs_are_read_where_they_are_read() {
    let read = Arc::new(AtomicU64::new(0));
    let lazy = |name: &str| Input {
        name: name.into(),
        cid: Cid::of_raw(b"big"),
        blob: Arc::new(Lazy(Arc::clone(&read))),
    };
    let mut task = task(guest("readall"));
    task.inputs = vec![lazy("big"), lazy("unread")];
    task.args = vec!["big".into()];
    let outcome = execute(task).await;
    assert_eq!(outcome.exit_code, Some(0), "{:?} {}", outcome.error, text(&outcome, "stderr"));
    assert_eq!(read.load(Ordering::Relaxed), LAZY_BYTES);
    let bytes: Vec<u8> = (0..LAZY_BYTES).map(lazy_byte).collect();
    let chain = bytes.chunks(65_536).fold([0; 32], |chain: [u8; 32], piece| {
        Sha256::digest([chain.as_slice(), Sha256::digest(piece).as_slice()].concat()).into()
    });
    assert_eq!(text(&outcome, "stdout"), format!("{}  {LAZY_BYTES}  big\n", hex::encode(chain)));
    assert_eq!(outcome.memory_peak_bytes % 65_536, 0);
    assert!(outcome.memory_peak_bytes < 20_000_000, "the guest reads in pieces");
}

#[tokio::test]
async fn fast_mode_gives_the_same_words_by_the_hosts_clock() {
    let runtime = runtime();
    let mut task = task(guest("wordcount"));
    task.inputs = vec![input("a", "b c b")];
    let canonical = runtime.execute(task.clone(), Control::default()).await;
    task.mode = Mode::Fast;
    let fast = runtime.execute(task, Control::default()).await;
    assert_eq!(fast.outputs, canonical.outputs);
    assert!(fast.fuel_used < canonical.fuel_used, "host calls only");
    assert_eq!(runtime.info(Mode::Fast).profile, "icn-fast-1");
}
