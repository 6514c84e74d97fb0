//! A node that starts with many entries: how long until its books are ready, and how much memory they take.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use icn_bench::Context;
use icn_bench::report::{Row, Section, Unit};
use icn_gossip::{Admitted, Log, LogLimits};
use icn_ledger::replica::{Checked, log_of};
use icn_ledger::{Books, Item};
use icn_store::{Database, OpenOptions};
use icn_types::Did;
use serde::{Deserialize, Serialize};

use super::shell::{EntryRows, restore, write_all};
use super::world::World;

/// Members that have spoken.
const MEMBERS: usize = 1_000;

/// What a child process does with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Replay {
    /// What a node does.
    Replica,
    /// Log and books alone, to see what each holds.
    Books,
}

/// What a child process found.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    entries: usize,
    /// Reading the rows, not looking into them.
    raw: Duration,
    /// The same, and decoding them.
    decoded: Duration,
    /// From the rows to the books.
    ready: Duration,
    /// Resident memory before and after, and the most between, in bytes.
    before: u64,
    after: u64,
    peak: u64,
    /// What the log holds, by its own count.
    log: u64,
}

/// Measures a start in a process of its own.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let folder = tempfile::tempdir_in(&context.dir)?;
    fill(folder.path(), context.plan.books.start)?;
    let node = child(folder.path(), Replay::Replica)?;
    let bare = child(folder.path(), Replay::Books)?;
    let count = node.entries;
    let seconds = |duration: Duration| duration.as_secs_f64();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let each = |bytes: u64| bytes as f64 / count as f64;
    let mut section = Section::new(format!("start with {count} entries, half payments, half acceptances"));
    section.push(
        Row::new("from the first row to ready books", seconds(node.ready), Unit::Seconds)
            .beside(seconds(node.raw), "reading the same rows"),
    );
    section.push(
        Row::new("reading and decoding the rows", seconds(node.decoded), Unit::Seconds)
            .beside(seconds(node.raw), "reading the same rows"),
    );
    section.push(
        Row::new("log and books alone", seconds(bare.ready), Unit::Seconds)
            .beside(seconds(bare.raw), "reading the same rows"),
    );
    section.push(Row::new("resident, ready", mebibytes(node.after), Unit::Mebibytes));
    section.push(Row::new("resident, at most", mebibytes(node.peak), Unit::Mebibytes));
    section.push(Row::new("resident, log and books alone", mebibytes(bare.after), Unit::Mebibytes));
    let whole = bare.after.saturating_sub(bare.before);
    section.push(Row::new("log, each entry", each(bare.log), Unit::Bytes));
    section.push(Row::new("books, each entry", each(whole.saturating_sub(bare.log)), Unit::Bytes));
    section.push(Row::new(
        "node above log and books, at most, each entry",
        each(node.peak.saturating_sub(node.before).saturating_sub(whole)),
        Unit::Bytes,
    ));
    Ok(section)
}

/// Writes the entries down, and closes the database.
fn fill(dir: &Path, count: u32) -> Result<()> {
    let database = Database::open(dir, OpenOptions::default())?;
    let mut world = World::new(MEMBERS);
    let founding = world.found(0)?;
    let rows = EntryRows::of(&database, world.space());
    let mut next = u32::try_from(founding.len())?;
    write_all(&database, world.space(), founding)?;
    let mut batch = icn_store::Batch::new();
    world.payments(count, |entry| {
        rows.put(&mut batch, next, &entry)?;
        next += 1;
        if batch.len() >= 1_000 {
            database.commit_relaxed(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    Ok(database.commit_blocking(batch)?)
}

/// Runs this program anew: what this process has freed would make memory look smaller than it is.
fn child(dir: &Path, what: Replay) -> Result<Found> {
    let program: PathBuf = std::env::current_exe().context("finding this program")?;
    if program.file_stem().is_none_or(|name| name != "icn-bench") {
        // A test is another program.
        return measured(dir, what);
    }
    let name = what.to_possible_value().context("it has a name")?;
    let output =
        Command::new(program).args(["--replay-as", name.get_name(), "--replay"]).arg(dir).output()?;
    ensure!(output.status.success(), "a start failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("a start said something else")
}

/// What the child does: starts from a folder, and prints what it took as JSON.
pub(crate) fn replay(dir: &Path, what: Replay) -> Result<()> {
    println!("{}", serde_json::to_string(&measured(dir, what)?)?);
    Ok(())
}

fn measured(dir: &Path, what: Replay) -> Result<Found> {
    let space = World::new(0).space();
    let database = Database::open(dir, OpenOptions::default())?;
    let rows = EntryRows::of(&database, space);
    // Once unmeasured: what the database keeps in memory belongs to neither.
    let entries = rows.iter().try_fold(0, |count, entry| entry.map(|_| count + 1))?;
    let begun = Instant::now();
    rows.iter().try_for_each(|entry| entry.map(drop))?;
    let raw = begun.elapsed();
    let begun = Instant::now();
    for entry in rows.iter() {
        std::hint::black_box(Checked::trusted(entry?)?);
    }
    let decoded = begun.elapsed();
    let (before, _) = resident()?;
    let begun = Instant::now();
    let (log, ready, after, peak) = match what {
        Replay::Replica => {
            let replica = restore(&rows, &[], false)?;
            let ready = begun.elapsed();
            ensure!(
                replica.books().check_zero_sum() && replica.log().len() == entries,
                "the books are not whole"
            );
            let (after, peak) = resident()?;
            (replica.log().memory_bytes(), ready, after, peak)
        }
        Replay::Books => {
            let (log, books) = log_and_books(&rows, space)?;
            let ready = begun.elapsed();
            ensure!(books.check_zero_sum() && log.len() == entries, "the books are not whole");
            let (after, peak) = resident()?;
            (log.memory_bytes(), ready, after, peak)
        }
    };
    Ok(Found { entries, raw, decoded, ready, before, after, peak, log: log as u64 })
}

fn log_and_books(rows: &EntryRows, space: Did) -> Result<(Log, Books)> {
    let (mut log, mut books) = (Log::new(log_of(space), LogLimits::default()), Books::new(space));
    for entry in rows.iter() {
        let Checked { entry, post } = Checked::trusted(entry?)?;
        let refs = post.refs();
        let Admitted::Applied(applied) = log.admit(entry, refs.clone()) else {
            anyhow::bail!("an entry does not follow those before it")
        };
        let applied = applied.first().context("an applied entry is told")?;
        let body = applied.entry.entry();
        let outcome = books.apply(Item {
            idx: applied.position.idx.0,
            prev: applied.position.prev.map(|idx| idx.0),
            deps: applied.position.deps.iter().map(|idx| idx.0).collect(),
            refs: refs.into_iter().filter_map(|id| log.idx(&id).map(|idx| (id, idx.0))).collect(),
            id: applied.entry.id(),
            author: body.author,
            seq: body.seq,
            at: body.at,
            space: body.space,
            post,
        });
        ensure!(!outcome.rejudge, "nothing here is to be judged anew");
    }
    Ok((log, books))
}

/// Reads resident memory of this process: now, and at most.
fn resident() -> Result<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
    };
    field("VmRSS:").zip(field("VmHWM:")).context("`/proc` has another form")
}
