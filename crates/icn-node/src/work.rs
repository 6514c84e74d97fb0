//! Running a job for its originator: fetch, run, store what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use icn_mesh::{ExecutionRecord, ExecutionReport, ExecutorEvent};
use icn_protocol::{GuestError, MeshJobParams, OutputCid, Params, RuntimeInfo};
use icn_runtime::{Control, GuestEvent, Input, Limits, LogLevel, Outcome, Task};
use icn_store::unixfs::UnixFsError;
use icn_store::{Batch, Blocks, StoreError};
use icn_types::{Cid, End, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::wall;
use crate::content::{self, ContentError, FileBlob};
use crate::core::{Happening, Node, lock};

/// How many reports of a guest wait to be passed on. Full: the report is dropped.
const GUEST_EVENTS_MAX: usize = 64;

/// Starts an execution in a task of its own; its end comes back to the executor's machine.
pub(crate) fn spawn(node: &Arc<Node>, record: ExecutionRecord) {
    let (job, epoch) = (record.job, record.epoch);
    let token = CancellationToken::new();
    lock(&node.running).insert((job, epoch), token.clone());
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let report = Box::new(execute(&node, &record, token).await);
        lock(&node.running).remove(&(job, epoch));
        node.metrics.task_completed(report.end);
        node.happen(Happening::Executor(ExecutorEvent::Ended { job, epoch, report })).await;
    });
}

async fn execute(node: &Arc<Node>, record: &ExecutionRecord, token: CancellationToken) -> ExecutionReport {
    let started_at = wall();
    let began = Instant::now();
    let Ok(params) = Params::from_bytes(&record.params) else {
        return ExecutionReport::fault(
            started_at,
            "bad_params",
            "the stored parameters cannot be read".into(),
        );
    };
    let originator = icn_identity::peer_id(&record.originator);
    let providers = [originator];
    let fetching = prepare(node, record.job, &params, &providers);
    let task = tokio::select! {
        task = fetching => task,
        () = token.cancelled() => return stopped(started_at),
    };
    let fetched_us = micros(began.elapsed());
    let task = match task {
        Ok(task) => task,
        Err(error) => return unprepared(node, started_at, &params, &error),
    };
    let pinned = pin_inputs(node, record.job, &params);
    node.happen(Happening::Executor(ExecutorEvent::Started { job: record.job, epoch: record.epoch })).await;
    let info = node.runtime.info(params.mode());
    let control = Control {
        timeout: Duration::from_secs(params.timeout_seconds),
        cancel: token,
        events: Some(pass_on(node, record.job, record.epoch)),
    };
    let mut outcome = node.runtime.execute(task, control).await;
    outcome.stages_us.insert("fetch".into(), fetched_us);
    let storing = Instant::now();
    let stored = store_outputs(node, record.job, &outcome).await;
    outcome.stages_us.insert("store".into(), micros(storing.elapsed()));
    unpin_inputs(node, record.job, &pinned);
    observe(node, &outcome.stages_us);
    match stored {
        Ok(outputs) => report(started_at, outcome, outputs, runtime_info(&info)),
        Err(error) => {
            ExecutionReport::fault(started_at, "store", format!("the outputs cannot be stored: {error}"))
        }
    }
}

fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

fn stopped(started_at: Timestamp) -> ExecutionReport {
    let fault =
        ExecutionReport::fault(started_at, "cancelled", "stopped while its content was fetched".into());
    ExecutionReport { end: End::Cancelled, finished_at: wall(), ..fault }
}

/// Why a job could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// Something could not be had.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] UnixFsError),
}

/// A module that is no file, or too large for a module, is a bad module wherever it runs; all else is this node's fault.
fn unprepared(node: &Node, at: Timestamp, params: &Params, error: &PrepareError) -> ExecutionReport {
    let chain = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    let message = format!("{error}{chain}");
    let fault =
        ExecutionReport { finished_at: wall(), ..ExecutionReport::fault(at, "content", message.clone()) };
    match error {
        PrepareError::Content(ContentError::NotAFile { cid, .. } | ContentError::TooLarge { cid, .. })
            if *cid == params.wasm_cid =>
        {
            let error = Some(GuestError::new("not_a_module", message));
            ExecutionReport {
                end: End::BadModule,
                error,
                runtime: runtime_info(&node.runtime.info(params.mode())),
                ..fault
            }
        }
        PrepareError::Content(_) | PrepareError::File(_) => fault,
    }
}

/// Fetches module and inputs and makes them a task.
pub(crate) async fn prepare(
    node: &Node,
    job: Cid,
    params: &MeshJobParams,
    providers: &[icn_net::PeerId],
) -> Result<Task, PrepareError> {
    let module_bytes_max = node.runtime.config().module_bytes_max;
    content::fetch_file(node, params.wasm_cid, providers, module_bytes_max).await?;
    let inputs = params.input_cids.iter().map(|input| input.cid).chain(params.stdin_cid);
    for cid in inputs {
        content::fetch_file(node, cid, providers, u64::MAX).await?;
    }
    Ok(task_of(&node.blocks, job, params)?)
}

/// Makes a task of a job whose content is all here.
pub(crate) fn task_of(blocks: &Blocks, job: Cid, params: &MeshJobParams) -> Result<Task, UnixFsError> {
    let input = |name: &str, cid: Cid| -> Result<Input, UnixFsError> {
        Ok(Input { name: name.to_owned(), cid, blob: FileBlob::open(blocks, cid)? })
    };
    Ok(Task {
        job_id: job.to_string(),
        wasm_cid: params.wasm_cid,
        wasm: content::read_file(blocks, params.wasm_cid)?,
        entry: params.entry.clone(),
        args: params.args.clone(),
        env: params.env.clone(),
        stdin: params.stdin_cid.map(|cid| input("stdin", cid)).transpose()?,
        inputs: params
            .input_cids
            .iter()
            .map(|named| input(&named.name, named.cid))
            .collect::<Result<_, _>>()?,
        limits: Limits {
            fuel_max: params.max_fuel,
            memory_bytes_max: params.memory_bytes_max,
            output_bytes_max: params.output_bytes_max,
            ..Limits::default()
        },
        mode: params.mode(),
    })
}

fn run_pin(job: Cid) -> String {
    format!("run:{job}")
}

/// Keeps what a long job reads from being collected while it runs.
fn pin_inputs(node: &Node, job: Cid, params: &Params) -> Vec<Cid> {
    let large: Vec<Cid> = params.input_cids.iter().map(|input| input.cid).chain(params.stdin_cid).collect();
    let mut batch = Batch::new();
    for cid in &large {
        node.blocks.pin_in(&mut batch, cid, &run_pin(job));
    }
    if !large.is_empty() && node.db.commit_relaxed(batch).is_err() {
        tracing::warn!(%job, "the inputs of a job could not be pinned");
    }
    large
}

fn unpin_inputs(node: &Node, job: Cid, pinned: &[Cid]) {
    let mut batch = Batch::new();
    for cid in pinned {
        node.blocks.unpin_in(&mut batch, cid, &run_pin(job));
    }
    if !pinned.is_empty() && node.db.commit_relaxed(batch).is_err() {
        tracing::warn!(%job, "the inputs of a job could not be unpinned");
    }
}

/// The pin that keeps outputs on their executor until the originator has them.
pub(crate) fn output_pin(job: Cid) -> String {
    format!("out:{job}")
}

/// Writes the outputs; they are durable together with the receipt, whose commit comes after.
async fn store_outputs(node: &Node, job: Cid, outcome: &Outcome) -> Result<Vec<OutputCid>, StoreError> {
    let mut batch = Batch::new();
    let mut large = Vec::new();
    let mut outputs = Vec::new();
    for output in &outcome.outputs {
        let (cid, blocks) = content::blocks_of(&output.bytes);
        outputs.push(OutputCid { name: output.name.clone(), cid, bytes: output.bytes.len() as u64 });
        if !output.bytes.is_empty() {
            large.extend(blocks);
            node.blocks.pin_in(&mut batch, &cid, &output_pin(job));
        }
    }
    for (cid, bytes) in &outcome.anchors {
        large.push(icn_store::Block::check(*cid, bytes.clone())?);
        node.blocks.pin_in(&mut batch, cid, crate::perform::JOB_PIN);
    }
    if large.is_empty() {
        return Ok(outputs);
    }
    if large.iter().map(|block| block.bytes().len()).sum::<usize>() > 256 * 1024 {
        node.blocks.put_many_async(large).await?;
    } else {
        node.blocks.put_in(&mut batch, large)?;
    }
    node.db.commit_relaxed(batch)?;
    Ok(outputs)
}

fn report(
    started_at: Timestamp,
    outcome: Outcome,
    outputs: Vec<OutputCid>,
    runtime: RuntimeInfo,
) -> ExecutionReport {
    ExecutionReport {
        end: outcome.end,
        exit_code: outcome.exit_code,
        error: outcome.error.map(|error| GuestError::new(error.code, error.message)),
        outputs,
        anchors: outcome.anchors.into_iter().map(|(cid, _)| cid).collect(),
        fuel_used: outcome.fuel_used,
        memory_peak_bytes: outcome.memory_peak_bytes,
        host_calls: outcome.host_calls,
        started_at,
        finished_at: wall(),
        stages_us: outcome.stages_us,
        runtime,
    }
}

pub(crate) fn runtime_info(info: &icn_runtime::RuntimeInfo) -> RuntimeInfo {
    RuntimeInfo {
        engine: info.engine.clone(),
        version: info.version.clone(),
        profile: info.profile.clone(),
        mode: info.mode,
    }
}

/// Brings what the guest says to the executor's machine.
fn pass_on(node: &Arc<Node>, job: Cid, epoch: u64) -> mpsc::Sender<GuestEvent> {
    let (sender, mut events) = mpsc::channel(GUEST_EVENTS_MAX);
    let node = Arc::clone(node);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let line = line_of(event);
            node.happen(Happening::Executor(ExecutorEvent::Said { job, epoch, line })).await;
        }
    });
    sender
}

fn line_of(event: GuestEvent) -> String {
    let line = match event {
        GuestEvent::Progress { parts_per_million, text } => {
            let percent = parts_per_million / 10_000;
            format!("progress {percent} % {}", text.unwrap_or_default())
        }
        GuestEvent::Log { level, text } => {
            let level = match level {
                LogLevel::Error => "error",
                LogLevel::Warn => "warn",
                LogLevel::Info => "info",
                LogLevel::Debug => "debug",
                LogLevel::Trace => "trace",
            };
            format!("log {level}: {text}")
        }
    };
    line.replace(['\n', '\r'], " ").trim_end().to_owned()
}

/// Counts the stages that this version knows; names from elsewhere never become labels.
fn observe(node: &Node, stages_us: &BTreeMap<String, u64>) {
    for stage in ["fetch", "queue", "compile", "cache", "instantiate", "run", "store"] {
        if let Some(us) = stages_us.get(stage) {
            node.metrics.stage_observed(stage, Duration::from_micros(*us));
        }
    }
}
