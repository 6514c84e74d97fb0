//! Payments made durable on one node, beside databases that do the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use icn_bench::Context;
use icn_bench::limits::Limits;
use icn_bench::measure::Samples;
use icn_bench::report::{Row, Section, Unit};
use icn_identity::Keypair;
use icn_ledger::Post;
use icn_ledger::replica::{Checked, PostRequest};
use icn_store::{Database, OpenOptions};
use icn_types::Did;

use super::shell::{self, Shell};
use super::world::{CURRENCY, World, pay};
use super::{postgres, sqlite};

/// What the specification asks for.
const PAYMENTS_PER_SECOND_MIN: f64 = 5_000.0;
const P99_US_MAX: f64 = 10_000.0;
const TIMES_POSTGRES_MIN: f64 = 3.0;

/// Members whose keys are on other nodes.
const ELSEWHERE: usize = 1_000;

/// Who pays whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The payee's key is on another node: the debit is reserved, and nothing is booked yet.
    Sent,
    /// The payee's key is here too: the node accepts at once, and both legs are booked.
    Booked,
    /// As `Sent`, but the payer's key is elsewhere: the payer signs, and the node checks.
    Submitted,
}

/// One load.
#[derive(Debug, Clone, Copy)]
struct Load {
    kind: Kind,
    /// Members that pay, each one entry after the other.
    payers: usize,
    /// Payments in one entry.
    per_entry: usize,
    /// How long an epoch lasts; 0: nobody seals.
    epoch_seconds: u64,
}

/// What came of a load.
struct Outcome {
    /// From asking until the durable answer, for each entry.
    posts: Samples,
    limits: Limits,
}

const LOADS: [Load; 11] = [
    Load { kind: Kind::Booked, payers: 8, per_entry: 1, epoch_seconds: 0 },
    Load { kind: Kind::Booked, payers: 64, per_entry: 1, epoch_seconds: 0 },
    Load { kind: Kind::Booked, payers: 64, per_entry: 1, epoch_seconds: 1 },
    Load { kind: Kind::Booked, payers: 8, per_entry: 100, epoch_seconds: 0 },
    Load { kind: Kind::Booked, payers: 64, per_entry: 100, epoch_seconds: 0 },
    Load { kind: Kind::Sent, payers: 8, per_entry: 1, epoch_seconds: 0 },
    Load { kind: Kind::Sent, payers: 64, per_entry: 1, epoch_seconds: 0 },
    Load { kind: Kind::Sent, payers: 8, per_entry: 100, epoch_seconds: 0 },
    Load { kind: Kind::Sent, payers: 64, per_entry: 100, epoch_seconds: 0 },
    Load { kind: Kind::Submitted, payers: 8, per_entry: 1, epoch_seconds: 0 },
    Load { kind: Kind::Submitted, payers: 64, per_entry: 1, epoch_seconds: 0 },
];

impl Load {
    fn name(self) -> String {
        let Self { kind, payers, per_entry, epoch_seconds } = self;
        let kind = match kind {
            Kind::Booked => "sent and accepted",
            Kind::Sent => "sent",
            Kind::Submitted => "sent, keys elsewhere",
        };
        let seals = if epoch_seconds == 0 { "" } else { ", a seal each second" };
        format!("{kind}, {payers} payers × {per_entry}{seals}")
    }

    /// Signatures that the node's loop makes for one payment, at least.
    fn signatures(self) -> f64 {
        1.0 / self.per_entry as f64
    }
}

/// Measures payments with few and many payers, small and large entries.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut section = Section::new("payments, durable, one node");
    let mut ours = Vec::new();
    for load in LOADS {
        let outcome = runtime.block_on(run(context, load)).with_context(|| load.name())?;
        let payments = outcome.posts.per_second() * load.per_entry as f64;
        ours.push((load, payments));
        rows(&mut section, load, &outcome, payments);
    }
    if context.plan.books.has_peers {
        peers(context, &mut section, &ours)?;
    }
    Ok(section)
}

fn rows(section: &mut Section, load: Load, outcome: &Outcome, payments: f64) {
    let limits = &outcome.limits;
    let name = load.name();
    let per_second = Row::new(&name, payments, Unit::PerSecond);
    let (limit, what) = if load.kind == Kind::Submitted {
        (limits.verifies_per_second, "bare strict verify, 1 core")
    } else {
        (limits.signs_per_second, "bare sign, 1 core")
    };
    let per_second = per_second.beside(limit / load.signatures(), what);
    let is_floor = load.per_entry == 1;
    section.push(if is_floor { per_second.floor(PAYMENTS_PER_SECOND_MIN) } else { per_second });
    for (share, text) in [(0.5, "median"), (0.99, "p99")] {
        let row = Row::new(format!("… {text}"), outcome.posts.quantile_us(share), Unit::Microseconds)
            .beside(limits.fdatasync_us, "append + fdatasync, median");
        section.push(if is_floor && share > 0.9 { row.floor(P99_US_MAX) } else { row });
    }
}

/// Lets databases of others do the same double entry.
fn peers(context: &Context, section: &mut Section, ours: &[(Load, f64)]) -> Result<()> {
    match postgres::measure(context)? {
        postgres::Outcome::Measured { single, bulk, per_bulk } => {
            let disk = context.limits.disk_now(context.plan.each / 2, &context.dir)?;
            section.push(
                Row::new("PostgreSQL, 8 connections × 1", single.per_second(), Unit::PerSecond)
                    .beside(disk.fdatasyncs_per_second, "append + fdatasync, 1 writer"),
            );
            for (share, text) in [(0.5, "median"), (0.99, "p99")] {
                section.push(
                    Row::new(format!("… {text}"), single.quantile_us(share), Unit::Microseconds)
                        .beside(disk.fdatasync_us, "append + fdatasync, median"),
                );
            }
            let bulk = bulk.per_second() * per_bulk as f64;
            section.push(Row::new(format!("PostgreSQL, 8 connections × {per_bulk}"), bulk, Unit::PerSecond));
            for (load, ours) in ours.iter().filter(|(load, _)| load.epoch_seconds == 0) {
                let (theirs, is_floor) =
                    if load.per_entry == 1 { (single.per_second(), true) } else { (bulk, false) };
                let times = ours / theirs.max(f64::MIN_POSITIVE);
                let row = Row::new(format!("to PostgreSQL: {}", load.name()), times, Unit::Times);
                section.push(if is_floor { row.floor(TIMES_POSTGRES_MIN) } else { row });
            }
        }
        postgres::Outcome::Skipped(why) => section.note(format!("PostgreSQL is not beside: {why}.")),
    }
    match sqlite::measure(context)? {
        Ok(per_second) => {
            section.push(Row::new("SQLite, WAL, 1 connection, 1,000 per commit", per_second, Unit::PerSecond))
        }
        Err(why) => section.note(format!("SQLite is not beside: {why}.")),
    }
    Ok(())
}

async fn run(context: &Context, load: Load) -> Result<Outcome> {
    let folder = tempfile::tempdir_in(&context.dir)?;
    let limits = context.limits.disk_now(context.plan.each / 2, &context.dir)?;
    let database = Database::open(folder.path(), OpenOptions::default())?;
    let mut world = World::new(load.payers + ELSEWHERE);
    shell::write_all(&database, world.space(), world.found(load.epoch_seconds)?)?;
    let payers: Vec<Keypair> = world.members.iter().take(load.payers).cloned().collect();
    let mut here: Vec<Keypair> = if load.kind == Kind::Submitted { Vec::new() } else { payers.clone() };
    here.push(world.root.clone());
    let shell = Shell::start(&database, world.space(), &here, true)?;

    let dids: Arc<[Did]> = match load.kind {
        Kind::Booked => payers.iter().map(Keypair::did).collect(),
        Kind::Sent | Kind::Submitted => world.members.iter().skip(load.payers).map(Keypair::did).collect(),
    };
    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let tasks: Vec<_> = payers
        .into_iter()
        .enumerate()
        .map(|(n, key)| {
            tokio::spawn(payer(Arc::clone(&shell), key, n, load, Arc::clone(&dids), Arc::clone(&over)))
        })
        .collect();
    tokio::time::sleep(context.plan.books.load).await;
    over.store(true, Ordering::Relaxed);
    let mut durations = Vec::new();
    for task in tasks {
        durations.extend(task.await??);
    }
    let posts = Samples::of(&durations, begun.elapsed())?;
    shell.close().await?;
    check(&shell, load, durations.len(), &dids)?;
    Ok(Outcome { posts, limits })
}

/// Pays until the time is over; each entry is answered when it is durable.
async fn payer(
    shell: Arc<Shell>,
    key: Keypair,
    number: usize,
    load: Load,
    dids: Arc<[Did]>,
    over: Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    let author = key.did();
    let mut payees = dids.iter().copied().cycle().skip(number + 1).filter(|did| *did != author);
    let mut durations = Vec::new();
    loop {
        let acts: Vec<_> = payees.by_ref().take(load.per_entry).map(pay).collect();
        let begun = Instant::now();
        if load.kind == Kind::Submitted {
            let entry = shell.replica().next_entry(shell::now(), author, &Post::new(acts))?;
            let signed = entry.sign(&key)?.signed().clone();
            shell.submit(Checked::new(signed, shell.verifier.as_ref())?).await?;
        } else {
            shell
                .post(PostRequest { author, acts, approvals: Vec::new(), key: None, is_offline: false })
                .await?;
        }
        durations.push(begun.elapsed());
        if over.load(Ordering::Relaxed) {
            return Ok(durations);
        }
    }
}

/// Looks whether everything that was answered is in the books.
fn check(shell: &Shell, load: Load, posts: usize, payees: &[Did]) -> Result<()> {
    let replica = shell.replica();
    let books = replica.books();
    ensure!(books.check_zero_sum(), "the books do not sum to zero");
    ensure!(books.quarantine(0, 1).is_empty(), "some payments do not count");
    let waiting: i64 = payees.iter().map(|payee| books.balance(payee, CURRENCY).incoming).sum();
    let sent = i64::try_from(posts * load.per_entry)?;
    let expected = if load.kind == Kind::Booked { 0 } else { sent };
    ensure!(waiting == expected, "{waiting} units wait to be accepted, {expected} should");
    Ok(())
}
