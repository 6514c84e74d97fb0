//! A co-op on four nodes: how fast a payment is everywhere, and certified.
//!
//! Payments are asked for at `POST …/pay` and seen at `GET …/events`, as any program would. They are offered at a rate: each
//! is due at its time, and its delays count from then, so that a node which falls behind shows it. All clocks are this
//! program's. A node tells of an entry when it is checked, applied and durable there.

mod board;
mod coop;
mod load;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use icn_bench::limits::{Limits, MESSAGE_BYTES};
use icn_bench::measure::Samples;
use icn_bench::process::runtime;
use icn_bench::report::{Row, Section, Unit};
use icn_bench::{Context, hop};

use self::board::{Board, Goal};
use self::coop::{Coop, NODES};
use self::load::{Offered, Sustained};

/// The rate at which entries are offered, a second.
const ENTRIES_PER_SECOND: u32 = 1_000;
/// What the specification asks for at this rate, in microseconds.
const PROPAGATION_US_MAX: f64 = 5_000.0;
/// The rates at which payments are offered that witnesses certify, a second.
const CERTIFIED_PER_SECOND: [u32; 2] = [50, 200];
/// Payments in flight on each node when as many are made as the nodes take.
const IN_FLIGHT: usize = 16;

/// Measures how fast entries spread.
pub(crate) fn propagated(context: &Context) -> Result<Section> {
    let mut section = Section::new("four nodes, no witnesses");
    let time = context.plan.books.mesh;
    for (payers, whose) in [(1, "one node"), (NODES, "four nodes")] {
        let limits = limits_now(context)?;
        let offered = runtime()?.block_on(async {
            let coop = Arc::new(Coop::found(context, false).await?);
            let board = Board::follow(&coop).await?;
            load::warm_up(&coop, &board, payers).await?;
            load::offer(&coop, &board, payers, ENTRIES_PER_SECOND, time).await
        })?;
        spread_rows(&mut section, &format!("{ENTRIES_PER_SECOND} entries/s by {whose}"), &offered, &limits)?;
    }
    let limits = limits_now(context)?;
    let sustained = runtime()?.block_on(async {
        let coop = Arc::new(Coop::found(context, true).await?);
        let board = Board::follow(&coop).await?;
        load::warm_up(&coop, &board, NODES).await?;
        settle(&board).await;
        load::sustain(&coop, &board, IN_FLIGHT, time, |_| Goal::Everywhere).await
    })?;
    sustained_rows(
        &mut section,
        "sent, seen on all nodes, accepted",
        &sustained,
        limits.spread_us(),
        "the parts of one",
    )?;
    Ok(section)
}

/// Measures how fast four witnesses certify payments.
pub(crate) fn certified(context: &Context) -> Result<Section> {
    let mut section = Section::new("four nodes, all of them witnesses");
    let time = context.plan.books.mesh;
    let mut firsts = Vec::new();
    for per_second in CERTIFIED_PER_SECOND {
        let limits = limits_now(context)?;
        let offered = runtime()?.block_on(async {
            let (coop, board, first) = witnessed(context).await?;
            firsts.push(first);
            let mut offered = load::offer(&coop, &board, NODES, per_second, time).await?;
            load::until_certified(&board, &mut offered).await;
            anyhow::Ok(offered)
        })?;
        certified_rows(&mut section, &format!("{per_second} payments/s"), &offered, &limits)?;
    }
    let limits = limits_now(context)?;
    let sustained = runtime()?.block_on(async {
        let (coop, board, first) = witnessed(context).await?;
        firsts.push(first);
        load::sustain(&coop, &board, IN_FLIGHT, time, Goal::CertifiedAt).await
    })?;
    sustained_rows(
        &mut section,
        "sent, certified, accepted",
        &sustained,
        limits.certified_us(),
        "the parts of one",
    )?;
    let first = Samples::of(&firsts, firsts.iter().sum())?;
    let name = "first payment after the witnesses were named → certified, worst of 3";
    section.push(Row::new(name, first.quantile(1.0).as_secs_f64(), Unit::Seconds));
    Ok(section)
}

/// Founds a co-op whose members are all witnesses; returns with it how long the first payment took to be certified.
async fn witnessed(context: &Context) -> Result<(Arc<Coop>, Board, Duration)> {
    let coop = Arc::new(Coop::found(context, true).await?);
    coop.name_witnesses().await?;
    let board = Board::follow(&coop).await?;
    let first = load::first_certified(&coop, &board).await?;
    load::warm_up(&coop, &board, NODES).await?;
    settle(&board).await;
    Ok((coop, board, first))
}

/// Lets what the warm-up led to come to its end.
async fn settle(board: &Board) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    board.clear();
}

/// The machine's limits of this moment.
struct Now(Limits);

fn limits_now(context: &Context) -> Result<Now> {
    let each = context.plan.each / 2;
    let mut limits = context.limits.disk_now(each, &context.dir)?;
    limits.hop_us = hop::round_trips(each, MESSAGE_BYTES)?.quantile_us(0.5) / 2.0;
    Ok(Now(limits))
}

impl Now {
    /// An entry signed, written, sent, checked, written.
    fn spread_us(&self) -> f64 {
        1e6 / self.0.signs_per_second
            + 1e6 / self.0.verifies_per_second
            + 2.0 * self.0.fdatasync_us
            + self.0.hop_us
    }

    /// An entry signed, written, sent, checked; a vote for it signed, written, sent, checked.
    fn certified_us(&self) -> f64 {
        2.0 * self.spread_us()
    }
}

fn spread_rows(section: &mut Section, name: &str, offered: &Offered, limits: &Now) -> Result<()> {
    let Offered { payments, failed, wall, cpu, until_seen } = offered;
    let micros = |name: String, samples: &Samples, share| {
        Row::new(name, samples.quantile_us(share), Unit::Microseconds)
    };
    section.push(Row::new(
        format!("{name}: acknowledged"),
        payments.len() as f64 / wall.as_secs_f64(),
        Unit::PerSecond,
    ));
    let acknowledged: Vec<Duration> =
        payments.iter().map(|(payment, _)| payment.acknowledged.duration_since(payment.due)).collect();
    let acknowledged = Samples::of(&acknowledged, *wall)?;
    let (mut scheduled, mut own, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut unseen = 0;
    for (payment, seen) in payments {
        let here = seen.applied.get(payment.node).copied().flatten();
        for (_, at) in seen.applied.iter().enumerate().filter(|(node, _)| *node != payment.node) {
            let Some(at) = at else {
                unseen += 1;
                continue;
            };
            scheduled.push(at.duration_since(payment.due));
            own.extend(here.map(|here| at.saturating_duration_since(here)));
        }
        last.extend(seen.applied.iter().flatten().max().map(|at| at.duration_since(payment.due)));
    }
    let (scheduled, own) = (Samples::of(&scheduled, *wall)?, Samples::of(&own, *wall)?);
    let last = Samples::of(&last, *wall)?;
    let bound = |row: Row| row.beside(limits.spread_us(), "sign, 2 × fdatasync, hop, verify");
    section.push(micros("… due → acknowledged, median".to_owned(), &acknowledged, 0.5));
    section.push(micros("… due → acknowledged, p99".to_owned(), &acknowledged, 0.99));
    section.push(
        bound(micros("… due → applied on another node, median".to_owned(), &scheduled, 0.5))
            .floor(PROPAGATION_US_MAX),
    );
    section.push(bound(micros("… due → applied on another node, p99".to_owned(), &scheduled, 0.99)));
    section.push(
        micros("… told by its own node → told by another, median".to_owned(), &own, 0.5)
            .beside(limits.0.hop_us, "QUIC on loopback, one way")
            .floor(PROPAGATION_US_MAX),
    );
    section.push(
        micros("… told by its own node → told by another, p99".to_owned(), &own, 0.99)
            .beside(limits.0.hop_us, "QUIC on loopback, one way"),
    );
    section.push(micros("… due → applied on all nodes, p99".to_owned(), &last, 0.99));
    section.push(micros("… due → applied on all nodes, worst".to_owned(), &last, 1.0));
    section.push(Row::new("… payments that failed", *failed as f64, Unit::Count).floor(0.0));
    section.push(
        Row::new(format!("… not seen within {} s", load::PATIENCE.as_secs()), f64::from(unseen), Unit::Count)
            .floor(0.0),
    );
    let share = |cpu: Duration| 100.0 * cpu.as_secs_f64() / until_seen.as_secs_f64();
    let (first, others) = cpu.split_first().context("no nodes")?;
    let mean = others.iter().sum::<Duration>() / u32::try_from(others.len().max(1)).unwrap_or(1);
    section.push(Row::new("… the first node", share(*first), Unit::PercentCpu));
    section.push(Row::new("… each other node", share(mean), Unit::PercentCpu));
    Ok(())
}

fn certified_rows(section: &mut Section, name: &str, offered: &Offered, limits: &Now) -> Result<()> {
    let Offered { payments, failed, wall, .. } = offered;
    section.push(Row::new(
        format!("{name}: acknowledged"),
        payments.len() as f64 / wall.as_secs_f64(),
        Unit::PerSecond,
    ));
    let (mut acknowledged, mut payers, mut everywhere) = (Vec::new(), Vec::new(), Vec::new());
    let mut missing = 0;
    for (payment, seen) in payments {
        acknowledged.push(payment.acknowledged.duration_since(payment.due));
        if let Some(at) = seen.certified.get(payment.node).copied().flatten() {
            payers.push(at.duration_since(payment.due));
        }
        if seen.certified.iter().all(Option::is_some) {
            everywhere.extend(seen.certified.iter().flatten().max().map(|at| at.duration_since(payment.due)));
        } else {
            missing += 1;
        }
    }
    for (what, durations) in [
        ("due → acknowledged", acknowledged),
        ("due → certified on the payer's node", payers),
        ("due → certified on all nodes", everywhere),
    ] {
        let samples = Samples::of(&durations, *wall)?;
        for (name, share) in [("median", 0.5), ("p99", 0.99)] {
            let row = Row::new(format!("… {what}, {name}"), samples.quantile_us(share), Unit::Microseconds);
            let is_certified = what.contains("certified");
            section.push(if is_certified {
                row.beside(limits.certified_us(), "2 × (sign, 2 × fdatasync, hop, verify)")
            } else {
                row
            });
        }
    }
    section.push(Row::new("… payments that failed", *failed as f64, Unit::Count).floor(0.0));
    let missing = Row::new(
        format!("… not certified everywhere within {} s", load::PATIENCE.as_secs()),
        f64::from(missing),
        Unit::Count,
    );
    section.push(missing.floor(0.0));
    Ok(())
}

fn sustained_rows(
    section: &mut Section,
    name: &str,
    sustained: &Sustained,
    limit_us: f64,
    what: &str,
) -> Result<()> {
    let samples = Samples::of(&sustained.durations, sustained.wall)?;
    section.push(Row::new(
        format!("payments, {name}; {IN_FLIGHT} in flight on each node"),
        samples.per_second(),
        Unit::PerSecond,
    ));
    for (name, share) in [("median", 0.5), ("p99", 0.99)] {
        section.push(
            Row::new(format!("… {name}"), samples.quantile_us(share), Unit::Microseconds)
                .beside(limit_us, what),
        );
    }
    Ok(())
}
