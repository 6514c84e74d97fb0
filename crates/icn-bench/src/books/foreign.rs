//! Entries of others: checked, put into log and books, made durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use icn_bench::Context;
use icn_bench::report::{Row, Section, Unit};
use icn_gossip::{LiveMessage, SignedEntry};
use icn_identity::Keypair;
use icn_ledger::replica::{Checked, Event, Live};
use icn_store::{Database, OpenOptions};
use tokio::sync::Semaphore;

use super::shell::{self, Shell};
use super::world::World;

/// Members that speak.
const MEMBERS: usize = 1_000;

/// Live messages that are checked at the same time.
const CHECKED_AT_ONCE: usize = 256;

/// Measures entries that come by reconciliation and over gossip, beside their signatures.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut world = World::new(MEMBERS);
    let mut entries = world.found(0)?;
    let founding = entries.len();
    world.payments(context.plan.books.foreign, |entry| {
        entries.push(entry);
        Ok(())
    })?;
    let count = entries.len() - founding;
    let synced = runtime.block_on(synced(context, &world, &entries))?;
    let live = runtime.block_on(live(context, &world, &entries, founding))?;

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let verify = context.limits.verifies_per_second;
    let mut section = Section::new(format!("{count} entries of others, half payments, half acceptances"));
    let per_second = |took: Duration| count as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE);
    section.push(
        Row::new("by reconciliation: checked, applied, durable", per_second(synced), Unit::PerSecond)
            .beside(verify, "bare strict verify, 1 core"),
    );
    section.push(
        Row::new("over gossip: checked, applied, durable", per_second(live), Unit::PerSecond)
            .beside(verify * cores as f64, format!("bare strict verify, {cores} cores")),
    );
    Ok(section)
}

/// One node has everything, the other nothing but the root's key; they meet.
async fn synced(context: &Context, world: &World, entries: &[SignedEntry]) -> Result<Duration> {
    let (from, to) = (tempfile::tempdir_in(&context.dir)?, tempfile::tempdir_in(&context.dir)?);
    let full = Database::open(from.path(), OpenOptions::default())?;
    shell::write_all(&full, world.space(), entries.iter().cloned())?;
    let empty = Database::open(to.path(), OpenOptions::default())?;
    let keys: Vec<Keypair> = world.members.iter().take(1).cloned().collect();
    let source = Shell::start(&full, world.space(), &keys, false)?;
    let sink = Shell::start(&empty, world.space(), std::slice::from_ref(&world.root), false)?;
    let begun = Instant::now();
    Shell::connect(&source, &sink);
    sink.wait_durable(u32::try_from(entries.len())?).await?;
    let took = begun.elapsed();
    sink.close().await?;
    source.close().await?;
    let dropped = sink.replica().log().counts().waiting_dropped;
    if dropped > 0 {
        eprintln!("bench: {dropped} entries came before their past and had to be sent again");
    }
    anyhow::ensure!(sink.replica().books().check_zero_sum(), "the books do not sum to zero");
    Ok(took)
}

/// Entries come one by one, each checked in a task of its own.
async fn live(
    context: &Context,
    world: &World,
    entries: &[SignedEntry],
    founding: usize,
) -> Result<Duration> {
    let folder = tempfile::tempdir_in(&context.dir)?;
    let database = Database::open(folder.path(), OpenOptions::default())?;
    shell::write_all(&database, world.space(), entries.iter().take(founding).cloned())?;
    let sink = Shell::start(&database, world.space(), std::slice::from_ref(&world.root), false)?;
    let from = world.members.first().map_or(world.space(), Keypair::did);
    let messages: Vec<Vec<u8>> = entries
        .iter()
        .skip(founding)
        .map(|entry| LiveMessage::Entry(entry.clone()).encode())
        .collect::<Result<_, _>>()?;
    let room = Arc::new(Semaphore::new(CHECKED_AT_ONCE));
    let begun = Instant::now();
    for bytes in messages {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let sink = Arc::clone(&sink);
        tokio::spawn(async move {
            if let Ok(LiveMessage::Entry(signed)) = LiveMessage::parse(&bytes)
                && let Ok(checked) = Checked::new(signed, sink.verifier.as_ref())
            {
                sink.happen(Event::Live { from, ticket: 0, message: Live::Entry(Box::new(checked)) });
            }
            drop(permit);
        });
    }
    sink.wait_durable(u32::try_from(entries.len())?).await?;
    let took = begun.elapsed();
    sink.close().await?;
    Ok(took)
}
