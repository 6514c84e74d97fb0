//! Payments offered at a rate, whether the nodes keep up or not; and as many as they take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use icn_types::Cid;

use super::board::{Board, Goal, Seen};
use super::coop::{Coop, NODES};

/// How long is waited for what is still on its way when the time is over.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// Payments made before those that are timed: they open connections and wake caches.
const WARM_UP: usize = 200;

/// One payment, acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payment {
    pub(super) node: usize,
    /// When it was due. Its delays count from here, also when it was asked for later.
    pub(super) due: Instant,
    pub(super) acknowledged: Instant,
    pub(super) entry: Cid,
}

/// What came of payments offered at a rate.
pub(super) struct Offered {
    pub(super) payments: Vec<(Payment, Seen)>,
    /// Payments that were refused or not answered.
    pub(super) failed: usize,
    /// From the first payment that was due to the last acknowledgement.
    pub(super) wall: Duration,
    /// The time on any core that each node used, until everything was seen.
    pub(super) cpu: Vec<Duration>,
    /// How long that took.
    pub(super) until_seen: Duration,
}

/// What came of as many payments as the nodes took.
pub(super) struct Sustained {
    pub(super) durations: Vec<Duration>,
    /// Until the last one was accepted on every node.
    pub(super) wall: Duration,
}

/// Makes some payments on each of the first `payers` nodes and waits until they are everywhere.
pub(super) async fn warm_up(coop: &Arc<Coop>, board: &Board, payers: usize) -> Result<()> {
    for number in 0..WARM_UP {
        let entry = coop.pay(number % payers).await?;
        tokio::time::timeout(PATIENCE, board.until(entry, Goal::Everywhere))
            .await
            .context("a payment did not reach every node")??;
    }
    coop.until_equal().await?;
    board.clear();
    Ok(())
}

/// Makes one payment and waits until it is certified on its payer's node: freshly named witnesses first merge with each
/// other. Returns how long it took.
pub(super) async fn first_certified(coop: &Coop, board: &Board) -> Result<Duration> {
    let begun = Instant::now();
    let entry = coop.pay(0).await?;
    tokio::time::timeout(PATIENCE, board.until(entry, Goal::CertifiedAt(0)))
        .await
        .context("the first payment was not certified")??;
    Ok(begun.elapsed())
}

/// Offers so many payments a second on the first `payers` nodes by turns, each at its time.
pub(super) async fn offer(
    coop: &Arc<Coop>,
    board: &Board,
    payers: usize,
    per_second: u32,
    time: Duration,
) -> Result<Offered> {
    let before = coop.usage()?;
    let begun = Instant::now();
    let runtime = tokio::runtime::Handle::current();
    let asking = Arc::clone(coop);
    // A thread of its own keeps the time: the runtime's timers are good to a millisecond.
    let paced = tokio::task::spawn_blocking(move || {
        let count = (time.as_secs_f64() * f64::from(per_second)) as u32;
        let mut tasks = Vec::new();
        for number in 0..count {
            let due = begun + Duration::from_secs(1) * number / per_second;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let coop = Arc::clone(&asking);
            let node = number as usize % payers;
            tasks.push(runtime.spawn(async move {
                let entry = coop.pay(node).await?;
                anyhow::Ok(Payment { node, due, acknowledged: Instant::now(), entry })
            }));
        }
        tasks
    });
    let mut payments = Vec::new();
    let mut failed = 0;
    for task in paced.await? {
        match task.await? {
            Ok(payment) => payments.push(payment),
            Err(error) => {
                if failed == 0 {
                    eprintln!("bench: a payment failed: {error:#}");
                }
                failed += 1;
            }
        }
    }
    let last = payments.iter().map(|payment| payment.acknowledged).max().context("no payment was made")?;
    until(|| payments.iter().all(|payment| is_everywhere(&board.seen(&payment.entry)))).await;
    let until_seen = begun.elapsed();
    let after = coop.usage()?;
    board.check()?;
    let cpu = before.iter().zip(&after).map(|(before, after)| after.cpu.saturating_sub(before.cpu)).collect();
    let payments = payments.into_iter().map(|payment| (payment, board.seen(&payment.entry))).collect();
    Ok(Offered { payments, failed, wall: last.duration_since(begun), cpu, until_seen })
}

/// Waits until all these payments are certified on every node, or for long enough.
pub(super) async fn until_certified(board: &Board, offered: &mut Offered) {
    let is_certified = |entry: &Cid| board.seen(entry).certified.iter().all(Option::is_some);
    until(|| offered.payments.iter().all(|(payment, _)| is_certified(&payment.entry))).await;
    for (payment, seen) in &mut offered.payments {
        *seen = board.seen(&payment.entry);
    }
}

/// Keeps so many payments in flight on each node; each is followed by the next when it has reached the goal.
pub(super) async fn sustain(
    coop: &Arc<Coop>,
    board: &Board,
    in_flight: usize,
    time: Duration,
    goal: fn(usize) -> Goal,
) -> Result<Sustained> {
    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let slots: Vec<_> = (0..NODES * in_flight)
        .map(|slot| {
            let (coop, board, over) = (Arc::clone(coop), board.clone(), Arc::clone(&over));
            let node = slot % NODES;
            tokio::spawn(async move {
                let mut durations = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let entry = coop.pay(node).await?;
                    tokio::time::timeout(PATIENCE, board.until(entry, goal(node)))
                        .await
                        .context("a payment did not come through")??;
                    durations.push(begun.elapsed());
                }
                anyhow::Ok(durations)
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut durations = Vec::new();
    for slot in slots {
        durations.extend(slot.await??);
    }
    until(|| board.accepted() >= durations.len()).await;
    let wall = begun.elapsed();
    board.check()?;
    anyhow::ensure!(board.accepted() >= durations.len(), "some payments were not accepted everywhere");
    Ok(Sustained { durations, wall })
}

fn is_everywhere(seen: &Seen) -> bool {
    seen.applied.iter().all(Option::is_some)
}

/// Waits for something, but not for ever.
async fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
    }
}
