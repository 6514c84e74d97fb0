//! Durable writes through group commit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_store::{Batch, Database, OpenOptions, Table};
use serde_bytes::ByteBuf;

/// What a state change of a job writes: its own row and one of its history, in bytes.
const ROW_BYTES: [usize; 2] = [600, 120];

/// Measures durable batches with few and many writers, beside a bare append and sync.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let mut section = Section::new("durable writes");
    for writers in [1, 16, 64] {
        let folder = tempfile::tempdir_in(&context.dir)?;
        let database = Database::open(folder.path(), OpenOptions::default())?;
        let limits = context.limits.disk_now(context.plan.each / 2, &context.dir)?;
        let samples = commits(&database, writers, context.plan.each)?;
        let plural = if writers == 1 { "" } else { "s" };
        section.push(
            Row::new(format!("batches, {writers} writer{plural}"), samples.per_second(), Unit::PerSecond)
                .beside(limits.fdatasyncs_per_second, "append + fdatasync, 1 writer"),
        );
        section.push(
            Row::new(
                format!("batch, {writers} writer{plural}, median"),
                samples.quantile_us(0.5),
                Unit::Microseconds,
            )
            .beside(limits.fdatasync_us, "append + fdatasync"),
        );
    }
    Ok(section)
}

/// Commits from so many threads until the time is over.
fn commits(database: &Database, writers: usize, each: Duration) -> Result<Samples> {
    let table = database.table("bench");
    let (over, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let durations = std::thread::scope(|scope| {
        let write = || write_until(database, &table, &over, &next);
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(write)).collect();
        std::thread::sleep(each);
        over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a writer panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    Samples::of(&durations, begun.elapsed())
}

fn write_until(
    database: &Database,
    table: &Table<ByteBuf>,
    over: &AtomicBool,
    next: &AtomicU64,
) -> Result<Vec<Duration>> {
    let mut durations = Vec::new();
    // At least one each, however busy the machine.
    loop {
        let key = next.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        let mut batch = Batch::new();
        for (part, bytes) in (0_u64..).zip(ROW_BYTES) {
            batch.put(table, (key, part), &ByteBuf::from(vec![42; bytes]))?;
        }
        database.commit_blocking(batch).context("a durable write")?;
        durations.push(begun.elapsed());
        if over.load(Ordering::Relaxed) {
            return Ok(durations);
        }
    }
}
