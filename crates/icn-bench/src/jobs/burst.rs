//! Many jobs at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use icn_bench::Context;
use icn_bench::client::Client;
use icn_bench::measure::Samples;
use icn_bench::mesh::succeeded;
use icn_bench::report::{Row, Section, Unit};
use icn_gateway::api::JobRequest;

use super::parts::Parts;

/// Jobs in flight at once.
const IN_FLIGHT: usize = 64;

/// What the specification asks for.
const JOBS_PER_SECOND_MIN: f64 = 200.0;

/// What came of many jobs.
#[derive(Debug)]
pub(super) struct Burst {
    jobs: usize,
    durations: Vec<Duration>,
    wall: Duration,
}

/// Runs so many jobs, each slot submitting its next one when its last one has ended.
pub(super) async fn run(client: &Client, request: &JobRequest, jobs: usize) -> Result<Burst> {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let slots: Vec<_> = (0..IN_FLIGHT)
        .map(|_| tokio::spawn(slot(client.clone(), request.clone(), Arc::clone(&next), jobs)))
        .collect();
    let mut durations = Vec::new();
    for slot in slots {
        durations.extend(slot.await?);
    }
    Ok(Burst { jobs, durations, wall: begun.elapsed() })
}

/// Returns the durations of the jobs that ended well; the others are told and counted by their absence.
async fn slot(client: Client, request: JobRequest, next: Arc<AtomicUsize>, jobs: usize) -> Vec<Duration> {
    let mut durations = Vec::new();
    while next.fetch_add(1, Ordering::Relaxed) < jobs {
        let begun = Instant::now();
        match client.run(&request).await.and_then(succeeded) {
            Ok(_) => durations.push(begun.elapsed()),
            Err(error) => eprintln!("bench: a job of the burst failed: {error:#}"),
        }
    }
    durations
}

impl Burst {
    /// Returns the rows.
    pub(super) fn section(&self, context: &Context) -> Result<Section> {
        let samples = Samples::of(&self.durations, self.wall)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let signatures = 1e6 / Parts::signatures_us(context) * cores as f64;
        let mut section =
            Section::new(format!("{} no-op jobs, 3 processes, FIFO, {IN_FLIGHT} in flight", self.jobs));
        section.push(
            Row::new("jobs with a verified receipt", samples.per_second(), Unit::PerSecond)
                .beside(signatures, format!("their signatures alone, {cores} cores"))
                .floor(JOBS_PER_SECOND_MIN),
        );
        section.push(
            Row::new("jobs that failed", (self.jobs - self.durations.len()) as f64, Unit::Count).floor(0.0),
        );
        for (name, share) in [("median", 0.5), ("p99", 0.99)] {
            section.push(Row::new(
                format!("submit → verified receipt, {name}"),
                samples.quantile_us(share),
                Unit::Microseconds,
            ));
        }
        Ok(section)
    }
}
