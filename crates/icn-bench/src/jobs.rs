//! The life of a no-op job over three processes: how long, where the time goes, and how many at once.

mod burst;
mod parts;
mod stages;

use std::time::Instant;

use anyhow::Result;
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::mesh::{Mesh, succeeded};
use icn_bench::report::{Row, Section, Unit};

use self::parts::Parts;
use self::stages::Stages;

/// What the specification asks of the median, in microseconds.
const ROUND_TRIP_US_MAX: f64 = 20_000.0;

/// Receipts that are read to see when the guest ran.
const RECEIPTS_MAX: usize = 100;

/// Measures one job after another: submission until the verified receipt, at the client, over HTTP.
pub(crate) fn single(context: &Context) -> Result<Section> {
    let runtime = icn_bench::process::runtime()?;
    let (round_trips, stages, http_us) = runtime.block_on(async {
        let mesh = Mesh::start(context, 2, 0).await?;
        let request = mesh.noop().await?;
        mesh.warm_up(&request).await?;
        let client = &mesh.submitter.client;
        let (mut durations, mut jobs) = (Vec::new(), Vec::new());
        let begun = Instant::now();
        for _ in 0..context.plan.jobs_single {
            let begun = Instant::now();
            let job = succeeded(client.run(&request).await?)?;
            durations.push(begun.elapsed());
            jobs.push(job);
        }
        let round_trips = Samples::of(&durations, begun.elapsed())?;
        let mut stages = Stages::default();
        for (job, took) in jobs.iter().zip(&durations).take(RECEIPTS_MAX) {
            let receipt = client.receipt(&icn_bench::mesh::receipt_of(job)?).await?;
            stages.add(job, &receipt, *took)?;
        }
        let mut asked = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            client.status().await?;
            asked.push(begun.elapsed());
        }
        let http = Samples::of(&asked, asked.iter().sum())?;
        anyhow::Ok((round_trips, stages, http.quantile_us(0.5)))
    })?;
    let parts = Parts::measure(context, http_us)?;

    let mut section = Section::new("no-op job, 3 processes, FIFO, 1 in flight");
    for (name, share) in [("median", 0.5), ("p99", 0.99)] {
        let row = Row::new(
            format!("submit → verified receipt, {name}"),
            round_trips.quantile_us(share),
            Unit::Microseconds,
        )
        .beside(parts.sum_us(), "sum of the parts below");
        section.push(if share == 0.5 { row.floor(ROUND_TRIP_US_MAX) } else { row });
    }
    section.push(Row::new("jobs, one after another", round_trips.per_second(), Unit::PerSecond));
    stages.rows().for_each(|row| section.push(row));
    parts.rows().for_each(|row| section.push(row));
    Ok(section)
}

/// Measures many jobs with 64 in flight.
pub(crate) fn burst(context: &Context) -> Result<Section> {
    let runtime = icn_bench::process::runtime()?;
    let burst = runtime.block_on(async {
        let mesh = Mesh::start(context, 2, 0).await?;
        let request = mesh.noop().await?;
        mesh.warm_up(&request).await?;
        burst::run(&mesh.submitter.client, &request, context.plan.jobs_burst).await
    })?;
    burst.section(context)
}
