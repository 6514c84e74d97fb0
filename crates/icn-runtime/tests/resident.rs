//! What fifteen jobs leave in memory. A test program of its own, so that nothing else is counted.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use common::{guest, runtime, task};
use icn_runtime::Control;

/// The most that the runtime may hold on to, in bytes, of the 50 MB that an idle node may have. Measured: 15 MB, nearly
/// all of it what the allocator keeps after compilations.
const KEPT_MAX: u64 = 24_000_000;

/// Memory of this process that no file backs, in bytes.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_jobs_leave_little_behind() {
    let before = anonymous();
    let runtime = runtime();
    for n in 0..15 {
        let mut task = task(guest(["noop", "wordcount", "mandelbrot", "hello", "readall"][n % 5]));
        task.args = ["0", "0", "1", "1024"].map(str::to_owned).into();
        runtime.execute(task, Control::default()).await;
    }
    let kept = anonymous().saturating_sub(before);
    println!("fifteen jobs leave {kept} bytes");
    assert!(kept < KEPT_MAX, "{kept}");
}
