//! Where the time of a job goes: from its history, its receipt and the client's clock.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use icn_bench::report::{Row, Unit};
use icn_gateway::api::Job;
use icn_types::Timestamp;
use serde_json::Value;

/// The stretches of a job's life, in their order. All clocks are of one machine; a history's are exact to a
/// millisecond, so that only means of many jobs say something.
const STRETCHES: [&str; 6] = [
    "submitted → bid chosen",
    "bid chosen → guest starts",
    "guest: fetch, queue, load, run, store",
    "guest ended → receipt verified",
    "HTTP, last write, client",
    "(beside them: bid chosen → acknowledged)",
];

/// Sums over many jobs.
#[derive(Debug, Default)]
pub(super) struct Stages {
    jobs: u32,
    stretches_us: [f64; 6],
    /// The stages that the executor measured, by name.
    executor_us: BTreeMap<String, f64>,
}

impl Stages {
    /// Adds a job with its receipt; `took` is what the client measured from submission to the end.
    ///
    /// # Errors
    ///
    /// When history or receipt lack a moment.
    pub(super) fn add(&mut self, job: &Job, receipt: &Value, took: Duration) -> Result<()> {
        let entered = |state: &str| {
            let turn = job.history.iter().find(|turn| turn.state == state);
            turn.map(|turn| turn.at)
                .with_context(|| format!("`{state}` is not in the history of `{}`", job.id))
        };
        let (chosen, acknowledged) = (entered("AwaitingAssignmentConfirmation")?, entered("Assigned")?);
        let (started, finished) = (moment(receipt, "started_at")?, moment(receipt, "finished_at")?);
        let verified = entered("ReceiptAnchored")?;
        let at_nodes = between(job.submitted_at, verified);
        let stretches = [
            between(job.submitted_at, chosen),
            between(chosen, started),
            between(started, finished),
            between(finished, verified),
            took.as_secs_f64() * 1e6 - at_nodes,
            between(chosen, acknowledged),
        ];
        for (sum, stretch) in self.stretches_us.iter_mut().zip(stretches) {
            *sum += stretch;
        }
        for (stage, us) in &job.stages_us {
            *self.executor_us.entry(stage.clone()).or_default() += *us as f64;
        }
        self.jobs += 1;
        Ok(())
    }

    /// Returns the means as rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        let jobs = f64::from(self.jobs.max(1));
        let stretches =
            STRETCHES.iter().zip(self.stretches_us).map(|(name, us)| (format!("mean: {name}"), us));
        let stages = self.executor_us.iter().map(|(name, us)| (format!("mean, executor: {name}"), *us));
        stretches.chain(stages).map(move |(name, us)| Row::new(name, us / jobs, Unit::Microseconds))
    }
}

fn moment(receipt: &Value, name: &str) -> Result<Timestamp> {
    // Receipts as they are signed count milliseconds; as JSON for people they may be text.
    let value = receipt.get(name).or_else(|| receipt.get("receipt")?.get(name));
    match value {
        Some(Value::Number(ms)) => ms.as_u64().map(Timestamp::from_millis).context("a moment before 1970"),
        Some(Value::String(text)) => Ok(text.parse()?),
        _ => anyhow::bail!("the receipt has no `{name}`"),
    }
}

/// Returns the microseconds from one moment to another; negative when the other was first.
fn between(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_millis() as f64 - from.as_millis() as f64) * 1e3
}
