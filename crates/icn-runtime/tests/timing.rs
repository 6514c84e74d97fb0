//! How soon a guest stops once its time is up. A test program of its own, so that no other test runs beside it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::{Duration, Instant};

use common::{code, hostile, runtime, task, within};
use icn_types::{End, Mode};

/// How much later than its time a guest may end on a busy machine. On a quiet one it is below 20 ms, but for a single
/// `memory.fill` or `memory.copy`, which is never cut in two and takes as long as it takes.
const LATE: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn time_ends_every_endless_guest_in_both_modes() {
    let runtime = runtime();
    for mode in [Mode::Canonical, Mode::Fast] {
        for name in
            ["endless_loop", "endless_start", "endless_calls", "endless_fill", "memory_spin", "gap_bomb"]
        {
            let mut task = task(hostile(name));
            task.mode = mode;
            task.limits.fuel_max = u64::MAX;
            // Compiled first, so that only the guest is timed.
            runtime.execute(task.clone(), within(1)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let started = Instant::now();
            let outcome = runtime.execute(task, within(100)).await;
            let took = started.elapsed();
            assert_eq!((outcome.end, code(&outcome)), (End::Timeout, "timeout"), "{name} {mode:?}");
            println!("{name} {mode:?}: {took:?}");
            assert!(
                took >= Duration::from_millis(100) && took < Duration::from_millis(100) + LATE,
                "{name}: {took:?}"
            );
        }
    }
}
