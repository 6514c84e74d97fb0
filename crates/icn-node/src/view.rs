//! What the API shows of a job.

use icn_gateway::api::{Bid, Job, JobError, Output, Turn};
use icn_mesh::{ExecutionRecord, JobRecord};
use icn_protocol::{ExecutionReceipt, Params};
use icn_types::{Cid, Did, StandardJobStatus};

/// Shows a job that was submitted here.
pub(crate) fn of_job(record: &JobRecord, me: Did) -> Job {
    let assignment = record.assignment();
    let agreed = assignment.and_then(|last| {
        let bids = record.bids.iter().rev();
        bids.clone()
            .find(|bid| bid.executor == last.executor && bid.outcome.is_some())
            .and_then(|bid| bid.price.clone())
    });
    let base = Job {
        id: record.id,
        role: "originator".into(),
        description: record.description.clone(),
        status: record.status,
        p2p_status: record.state.as_str().to_owned(),
        originator: me,
        executor: assignment.map(|last| last.executor),
        lease_epoch: record.epoch(),
        end: None,
        exit_code: None,
        error: record
            .failure
            .as_ref()
            .map(|failure| JobError { code: failure.code.clone(), message: failure.message.clone() }),
        fuel_used: None,
        price: agreed,
        payment: record.payments.last().map(ToString::to_string),
        outputs: Vec::new(),
        receipt_cid: record.receipt_cid,
        stages_us: Default::default(),
        submitted_at: record.submitted_at,
        history: turns(&record.history),
    };
    with_receipt(base, record.receipt.as_ref())
}

/// Shows a job that runs or ran here for somebody else.
pub(crate) fn of_execution(record: &ExecutionRecord) -> Job {
    let base = Job {
        id: record.job,
        role: "executor".into(),
        description: description(&record.params),
        status: record.receipt.as_ref().map_or(StandardJobStatus::Running, |receipt| receipt.status),
        p2p_status: record.state.as_str().to_owned(),
        originator: record.originator,
        executor: None,
        lease_epoch: record.epoch,
        end: None,
        exit_code: None,
        error: None,
        fuel_used: None,
        price: record.price.clone(),
        payment: record.dues.last().map(ToString::to_string),
        outputs: Vec::new(),
        receipt_cid: record.receipt_cid,
        stages_us: Default::default(),
        submitted_at: record.accepted_at,
        history: turns(&record.history),
    };
    with_receipt(base, record.receipt.as_ref())
}

fn with_receipt(job: Job, receipt: Option<&ExecutionReceipt>) -> Job {
    let Some(receipt) = receipt else { return job };
    let error = receipt.error.as_ref();
    let error = error.map(|error| JobError { code: error.code.clone(), message: error.message.clone() });
    Job {
        executor: Some(receipt.executor_did),
        end: Some(receipt.end),
        exit_code: receipt.exit_code,
        error: error.or(job.error),
        fuel_used: Some(receipt.fuel_used),
        price: receipt.price.clone().or(job.price),
        outputs: receipt
            .output_cids
            .iter()
            .map(|output| Output { name: output.name.clone(), cid: output.cid, bytes: output.bytes })
            .collect(),
        stages_us: receipt.stages_us.clone(),
        ..job
    }
}

fn description(params: &[u8]) -> Option<String> {
    Params::from_bytes(params).ok().and_then(|params| params.description.clone())
}

fn turns(history: &[icn_mesh::Turn]) -> Vec<Turn> {
    history
        .iter()
        .map(|turn| Turn { at: turn.at, state: turn.state.clone(), detail: turn.detail.clone() })
        .collect()
}

/// Shows the bids of a job.
pub(crate) fn bids_of(record: &JobRecord) -> Vec<Bid> {
    record
        .bids
        .iter()
        .map(|bid| Bid {
            executor: bid.executor,
            price: bid.price.clone(),
            score: bid.score,
            region: bid.region.clone(),
            at: bid.at,
            chosen: bid.outcome.is_some(),
            outcome: bid
                .outcome
                .clone()
                .or_else(|| bid.ineligible.as_ref().map(|rule| format!("not eligible: {rule}"))),
        })
        .collect()
}

/// What a node can never know of a job's auction.
pub(crate) fn unknowable(id: &Cid) -> Vec<String> {
    vec![
        "executors that this node has not heard of, and what they would have bid".into(),
        format!("executors that heard of {} but kept silent without advertising themselves", id.short()),
    ]
}
