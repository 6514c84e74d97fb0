//! Two large logs that differ a little find the difference.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use icn_bench::Context;
use icn_bench::report::{Row, Section, Unit};
use icn_gossip::{Hello, Log, LogLimits, Restored, SignedEntry, Step, Summary, SyncSession};
use icn_ledger::replica::log_of;
use icn_types::{Cid, Did};

/// Members that have spoken.
const AUTHORS: u32 = 5_000;

/// The size of a small payment, in bytes.
const ENTRY_BYTES: usize = 300;

/// What the specification asks for: size, differences, round trips, bytes, seconds.
const FLOORS: [(u32, u32, f64, f64, Option<f64>); 2] =
    [(100_000, 10, 2.0, 16_000.0, None), (1_000_000, 100, 3.0, 200_000.0, Some(1.0))];

/// Measures the reconciliation of sets that differ in 10, 100 and 10,000 entries.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let mut section = Section::new("reconciliation, half of the differences on each side");
    for size in &context.plan.books.sets {
        for differences in [10, 100, 10_000] {
            // A set without most of its entries is another case.
            if differences * 10 <= *size {
                rows(context, &mut section, *size, differences)?;
            }
        }
    }
    Ok(section)
}

fn rows(context: &Context, section: &mut Section, size: u32, differences: u32) -> Result<()> {
    let (summary, took) = reconcile(size, differences)?;
    let floor = FLOORS.iter().find(|floor| floor.0 == size && floor.1 == differences);
    let name = format!("{differences} differences in {size}");
    let with = |row: Row, floor: Option<f64>| match floor {
        Some(floor) => row.floor(floor),
        None => row,
    };
    let trips = f64::from(summary.neg_round_trips);
    section.push(with(Row::new(format!("{name}: round trips"), trips, Unit::Count), floor.map(|f| f.2)));
    let bytes = Row::new("… bytes to find them", summary.neg_bytes as f64, Unit::Bytes)
        .beside(f64::from(differences) * 32.0, "their ids alone");
    section.push(with(bytes, floor.map(|f| f.3)));
    let loopback = f64::from(summary.round_trips) * 2.0 * context.limits.hop_us / 1e6;
    let time = Row::new("… both sides' work, entries exchanged", took.as_secs_f64(), Unit::Seconds)
        .beside(loopback, "its round trips, QUIC on loopback");
    section.push(with(time, floor.and_then(|f| f.4)));
    Ok(())
}

/// Entry `n` is by author `n % AUTHORS`, after that author's last; its body is made up, since a session reads no body.
fn entry(n: u32) -> SignedEntry {
    let mut bytes = vec![0; ENTRY_BYTES];
    bytes.iter_mut().zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
    SignedEntry::new(bytes, vec![0; 64])
}

fn restored(n: u32) -> Restored {
    let mut author = [0; 32];
    author.iter_mut().zip((n % AUTHORS).to_be_bytes()).for_each(|(to, from)| *to = from);
    Restored {
        id: Cid::of_dag_cbor(entry(n).entry()),
        author: Did::from_public_key(author),
        seq: u64::from(n / AUTHORS) + 1,
        prev: n.checked_sub(AUTHORS).map(|prev| Cid::of_dag_cbor(entry(prev).entry())),
        deps: Vec::new(),
        refs: Vec::new(),
    }
}

/// Lists what one side lacks: the last entries of every other author.
fn lacking(size: u32, count: u32, odd: u32) -> Vec<u32> {
    let authors = AUTHORS / 2;
    (0..count).map(|n| size - (n / authors + 1) * AUTHORS + n % authors * 2 + odd).collect()
}

fn reconcile(size: u32, differences: u32) -> Result<(Summary, Duration)> {
    let (mine, theirs) = (lacking(size, differences / 2, 0), lacking(size, differences - differences / 2, 1));
    let fill = |skip: &[u32]| -> Result<Log> {
        let skip: std::collections::BTreeSet<u32> = skip.iter().copied().collect();
        let mut log = Log::new(log_of(Did::from_public_key([7; 32])), LogLimits::default());
        for n in (0..size).filter(|n| !skip.contains(n)) {
            log.restore(&restored(n))?;
        }
        Ok(log)
    };
    let (mut one, mut two) = (fill(&mine)?, fill(&theirs)?);
    let known: HashMap<Cid, u32> =
        mine.iter().chain(&theirs).map(|n| (Cid::of_dag_cbor(entry(*n).entry()), *n)).collect();
    let begun = Instant::now();
    let summary = exchange(&mut one, &mut two, &known)?;
    let took = begun.elapsed();
    ensure!(one.frontier_digest() == two.frontier_digest(), "the sides differ after they were reconciled");
    Ok((summary, took))
}

/// Runs one session; what arrives is taken at once.
fn exchange(one: &mut Log, two: &mut Log, known: &HashMap<Cid, u32>) -> Result<Summary> {
    let entries = |id: &Cid| known.get(id).map(|n| entry(*n));
    let perform = |log: &mut Log, session: &mut SyncSession, mut steps: Vec<Step>| -> Result<Vec<Vec<u8>>> {
        let mut out = Vec::new();
        loop {
            for step in steps {
                match step {
                    Step::Send(message) => out.push(message),
                    Step::Received(list) => {
                        for signed in list {
                            let id = Cid::of_dag_cbor(signed.entry());
                            log.restore(&restored(*known.get(&id).context("nobody asked for this entry")?))?;
                        }
                    }
                    Step::Done(_) | Step::Peer(_) => {}
                    Step::Proofs(_) | Step::Extra(_) | Step::Refused { .. } => bail!("nobody said that"),
                }
            }
            if !session.is_sending() {
                return Ok(out);
            }
            steps = session.pump(log, &entries);
        }
    };
    let (mut lead, steps) = SyncSession::initiate(one, None, Vec::new());
    let mut to_two = perform(one, &mut lead, steps)?;
    let hello = Hello::parse(to_two.first().context("a session begins with `hello`")?)?;
    to_two.remove(0);
    let (mut follow, steps) = SyncSession::respond(two, hello, None, Vec::new())?;
    let mut to_one = perform(two, &mut follow, steps)?;
    while !to_one.is_empty() || !to_two.is_empty() {
        for message in std::mem::take(&mut to_one) {
            let steps = lead.handle(one, &entries, &message)?;
            to_two.extend(perform(one, &mut lead, steps)?);
        }
        for message in std::mem::take(&mut to_two) {
            let steps = follow.handle(two, &entries, &message)?;
            to_one.extend(perform(two, &mut follow, steps)?);
        }
    }
    Ok(*lead.summary())
}
