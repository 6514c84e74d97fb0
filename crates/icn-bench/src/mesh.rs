//! A small mesh of real processes on loopback.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use icn_gateway::api::{Job, JobRequest};
use icn_types::{Cid, StandardJobStatus};
use tempfile::TempDir;

use crate::Context;
use crate::process::Node;

/// A guest that ends at once with 0 (`examples/guests/noop.c`).
pub const NOOP: &[u8] = include_bytes!("../../../examples/guests/bin/noop.wasm");

/// How long the nodes may take to know each other.
const MEET_TIMEOUT: Duration = Duration::from_secs(30);

/// Nodes that know each other. Dropping them kills them and removes their folders.
#[derive(Debug)]
pub struct Mesh {
    /// Submits and does not execute.
    pub submitter: Node,
    /// Execute.
    pub executors: Vec<Node>,
    /// Neither submits nor executes.
    pub bystanders: Vec<Node>,
    _folder: TempDir,
}

impl Mesh {
    /// Starts a submitter and so many executors and bystanders that join it over QUIC, and waits until they have met.
    ///
    /// # Errors
    ///
    /// When a node does not start or they do not meet.
    pub async fn start(context: &Context, executors: usize, bystanders: usize) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("icn-bench-").tempdir_in(&context.dir)?;
        let node = |name: String, flags: &[&str]| {
            let data_dir = folder.path().join(name);
            Node::init(&context.icn, &data_dir)?;
            Node::start(&context.icn, &data_dir, flags)
        };
        let submitter = node("submitter".into(), &["--no-executor"])?;
        let address = submitter.address()?.to_owned();
        let started = |kind: &'static str, count: usize| {
            let (node, address) = (&node, &address);
            (0..count).map(move |number| {
                node(format!("{kind}{number}"), &[&format!("--{kind}"), "--peer", address])
            })
        };
        let executors: Vec<Node> = started("executor", executors).collect::<Result<_>>()?;
        let bystanders: Vec<Node> = started("no-executor", bystanders).collect::<Result<_>>()?;
        let mesh = Self { submitter, executors, bystanders, _folder: folder };
        mesh.meet().await?;
        Ok(mesh)
    }

    async fn meet(&self) -> Result<()> {
        let begun = Instant::now();
        let (peers, executors) = (self.executors.len() + self.bystanders.len(), self.executors.len());
        loop {
            let status = self.submitter.client.status().await?;
            if status.peers >= peers as u64 && status.executors_known >= executors as u64 {
                return Ok(());
            }
            if begun.elapsed() > MEET_TIMEOUT {
                bail!("the nodes did not meet: {} peers, {} executors", status.peers, status.executors_known);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gives the no-op guest to the submitter and returns the request of a job for it: `--placement FIFO`.
    ///
    /// # Errors
    ///
    /// When the submitter does not take the guest.
    pub async fn noop(&self) -> Result<JobRequest> {
        let wasm = self.submitter.client.add(Bytes::from_static(NOOP)).await?;
        Ok(JobRequest { wasm_cid: Some(wasm.cid), placement: Some("FIFO".into()), ..JobRequest::default() })
    }

    /// Runs jobs, untimed, until each executor has fetched and compiled the guest.
    ///
    /// # Errors
    ///
    /// When a job fails, or one executor never gets one.
    pub async fn warm_up(&self, request: &JobRequest) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..1_000 {
            let job = succeeded(self.submitter.client.run(request).await?)?;
            seen.extend(job.executor);
            if seen.len() == self.executors.len() && number >= 20 {
                return Ok(());
            }
        }
        bail!("only {} of {} executors were given jobs", seen.len(), self.executors.len())
    }
}

/// Returns a job that ended well with a receipt.
///
/// # Errors
///
/// When it did not.
pub fn succeeded(job: Job) -> Result<Job> {
    let code = job.error.as_ref().map_or("", |error| error.code.as_str());
    if job.status != StandardJobStatus::CompletedSuccessfully {
        bail!("the job `{}` ended as {:?} {code}", job.id, job.status);
    }
    receipt_of(&job)?;
    Ok(job)
}

/// Returns the receipt of a job that has one.
///
/// # Errors
///
/// When it has none.
pub fn receipt_of(job: &Job) -> Result<Cid> {
    job.receipt_cid.with_context(|| format!("the job `{}` has no receipt", job.id))
}
