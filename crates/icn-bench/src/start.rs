//! From the start of a process to a node that is ready.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use icn_bench::Context;
use icn_bench::measure::Samples;
use icn_bench::process::Node;
use icn_bench::report::{Row, Section, Unit};

/// Measures first starts and later ones, beside a process of the same program that does nothing.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    let folder = tempfile::tempdir_in(&context.dir)?;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for number in 0..context.plan.starts {
        let data_dir = folder.path().join(format!("node{number}"));
        Node::init(&context.icn, &data_dir)?;
        for durations in [&mut first, &mut again] {
            durations.push(Node::start(&context.icn, &data_dir, &[])?.ready_after);
        }
    }
    let bare = Samples::collect(Duration::from_millis(200), || {
        let mut version = Command::new(&context.icn);
        version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null());
        version.status().context("starting `icn --version`").map(drop)
    })?;

    let mut section = Section::new("start to ready");
    for (name, durations) in [("in a fresh folder", first), ("after kill -9", again)] {
        let samples = Samples::of(&durations, durations.iter().sum())?;
        section.push(
            Row::new(format!("{name}, median"), samples.quantile_us(0.5), Unit::Microseconds)
                .beside(bare.quantile_us(0.5), "`icn --version`")
                .floor(1e6),
        );
    }
    Ok(section)
}
