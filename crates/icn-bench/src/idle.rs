//! What nodes use while nothing happens.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use icn_bench::Context;
use icn_bench::mesh::{Mesh, succeeded};
use icn_bench::process::{Node, Usage};
use icn_bench::report::{Row, Section, Unit};

/// Jobs that the executor runs before it is watched.
const JOBS: usize = 15;

/// How long what the jobs left to do may go on.
const SETTLE: Duration = Duration::from_secs(3);

/// The specification's bounds: 50 MB (read as 10^6 bytes) resident, one hundredth of a core.
const RSS_MIB_MAX: f64 = 50e6 / (1 << 20) as f64;
const CPU_PERCENT_MAX: f64 = 1.0;

/// Measures memory and CPU of a node that did nothing, of a submitter and of an executor, after fifteen jobs.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let runtime = icn_bench::process::runtime()?;
    let mesh = runtime.block_on(async {
        let mesh = Mesh::start(context, 1, 1).await?;
        let request = mesh.noop().await?;
        for _ in 0..JOBS {
            succeeded(mesh.submitter.client.run(&request).await?)?;
        }
        anyhow::Ok(mesh)
    })?;
    std::thread::sleep(SETTLE.min(context.plan.idle));
    let mut watched: Vec<(&str, &Node)> = vec![("submitter, after 15 jobs", &mesh.submitter)];
    watched.extend(mesh.executors.iter().map(|node| ("executor, after 15 jobs", node)));
    watched.extend(mesh.bystanders.iter().map(|node| ("node without jobs", node)));

    let begun = Instant::now();
    let before: Vec<Usage> = watched.iter().map(|(_, node)| node.usage()).collect::<Result<_>>()?;
    std::thread::sleep(context.plan.idle);
    let wall = begun.elapsed().as_secs_f64();
    let mut section = Section::new(format!("idle for {} s", context.plan.idle.as_secs()));
    for ((name, node), before) in watched.iter().zip(before) {
        let after = node.usage()?;
        let cpu = after.cpu.checked_sub(before.cpu).context("a process lost time")?;
        let rss = after.rss_bytes as f64 / f64::from(1 << 20);
        section.push(Row::new(format!("{name}: resident"), rss, Unit::Mebibytes).floor(RSS_MIB_MAX));
        let percent = cpu.as_secs_f64() / wall * 100.0;
        section.push(Row::new(format!("{name}: CPU"), percent, Unit::PercentCpu).floor(CPU_PERCENT_MAX));
    }
    Ok(section)
}
