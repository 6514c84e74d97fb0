//! Turning the end of an execution into a signed receipt, and bringing it to the originator.

use std::collections::BTreeMap;

use icn_identity::Signer;
use icn_protocol::topics::Topic;
use icn_protocol::{
    ExecutionReceipt, ExecutionReceiptAvailable, GuestError, JobStatus, OutputCid, Params, RefusalCode,
    Response, RuntimeInfo, SignedReceipt,
};
use icn_types::{Cid, Did, Duration, End, Mode, StandardJobStatus, Timestamp};

use super::payment::{metered, settle};
use super::{DONE_MAX, Execution, Executor, is_open};
use crate::clock::Now;
use crate::effect::{Answer, Effect, Persist, RequestId, Timer};
use crate::record::ExecutionRecord;

/// What came of an execution, as the shell measured it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionReport {
    /// How it ended.
    pub end: End,
    /// The guest's own code.
    pub exit_code: Option<i32>,
    /// What went wrong.
    pub error: Option<GuestError>,
    /// What came out, stored as blocks.
    pub outputs: Vec<OutputCid>,
    /// Blocks that the guest anchored.
    pub anchors: Vec<Cid>,
    /// Fuel used.
    pub fuel_used: u64,
    /// The most memory that the guest had, in bytes.
    pub memory_peak_bytes: u64,
    /// Calls of host functions by name.
    pub host_calls: BTreeMap<String, u64>,
    /// When work on it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Microseconds of each stage.
    pub stages_us: BTreeMap<String, u64>,
    /// What ran it.
    pub runtime: RuntimeInfo,
}

impl ExecutionReport {
    /// Reports that the node, not the guest, failed.
    #[must_use]
    pub fn fault(at: Timestamp, code: &str, message: String) -> Self {
        Self {
            end: End::NodeFault,
            exit_code: None,
            error: Some(GuestError::new(code, message)),
            outputs: Vec::new(),
            anchors: Vec::new(),
            fuel_used: 0,
            memory_peak_bytes: 0,
            host_calls: BTreeMap::new(),
            started_at: at,
            finished_at: at,
            stages_us: BTreeMap::new(),
            runtime: no_runtime(),
        }
    }
}

impl Executor {
    /// Signs the receipt and makes it durable before anybody hears of it.
    pub(super) fn ended(
        &mut self,
        now: Now,
        job: &Cid,
        epoch: u64,
        mut report: ExecutionReport,
    ) -> Vec<Effect> {
        let (me, signer) = (self.me, std::sync::Arc::clone(&self.signer));
        let Some(execution) = self.executions.get_mut(job).filter(|execution| is_open(execution, epoch))
        else {
            return Vec::new();
        };
        // A guest that came to its own end before it could be stopped keeps that end, unless the lease is over.
        if let Some((end, code, message)) = execution.live.stopping.take()
            && (!report.end.is_deterministic() || code != "cancelled")
        {
            report.end = end;
            report.exit_code = None;
            report.error = Some(GuestError::new(code, message));
        }
        let record = &mut execution.record;
        let Some(signed) = signed_receipt(record, me, report, signer.as_ref())
            .or_else(|| signed_receipt(record, me, unsignable(now), signer.as_ref()))
        else {
            return Vec::new();
        };
        let receipt = signed.receipt().clone();
        let completed = receipt.status == StandardJobStatus::CompletedSuccessfully;
        let state = if completed { JobStatus::Completed } else { JobStatus::Failed };
        record.enter(now.at, state, Some(receipt.end.as_str().to_owned()));
        record.enter(now.at, JobStatus::ReceiptGenerated, Some(signed.cid().to_string()));
        record.receipt_cid = Some(signed.cid());
        record.receipt = Some(receipt);
        settle(record, signed.cid());
        let ended = record.clone();
        self.count_paid(now.at, &ended);
        let Some(Execution { record, .. }) = self.executions.get_mut(job) else { return Vec::new() };
        let mut effects = vec![Effect::Persist(vec![
            Persist::Block { cid: signed.cid(), bytes: signed.bytes().to_vec() },
            Persist::Execution(Box::new(record.clone())),
        ])];
        effects.extend(self.offer_receipt(now, job, epoch));
        let due = ended.dues.iter().find(|due| due.epoch == epoch);
        effects.extend(due.and_then(|due| self.pursue(now, &ended, due)));
        effects.push(Effect::Provide { receipt: signed.cid(), bytes: signed.bytes().to_vec() });
        effects
    }

    /// Tells the originator, directly and by gossip, that the receipt is there; again until it acknowledges.
    pub(super) fn offer_receipt(&mut self, now: Now, job: &Cid, epoch: u64) -> Vec<Effect> {
        let (me, patience, deliver_for) = (self.me, self.config.patience, self.config.deliver_for);
        let Some(execution) =
            self.executions.get_mut(job).filter(|execution| execution.record.epoch == epoch)
        else {
            return Vec::new();
        };
        let (Some(receipt_cid), false) = (execution.record.receipt_cid, execution.record.delivered) else {
            return Vec::new();
        };
        if now.at.since(execution.record.accepted_at) > deliver_for {
            return self.delivered(job);
        }
        let first = execution.live.deliveries == 0;
        execution.live.deliveries = execution.live.deliveries.saturating_add(1);
        let available = ExecutionReceiptAvailable {
            announcement_id: *job,
            originator_did: execution.record.originator,
            executor_did: me,
            receipt_cid,
            timestamp: now.at,
            providers: Vec::new(),
        };
        let Ok(signed) = icn_protocol::sign(available, self.signer.as_ref()) else { return Vec::new() };
        let request = RequestId::Receipt { job: *job, epoch };
        let to = execution.record.originator;
        let mut effects = vec![Effect::Send { to, bytes: signed.wire().to_vec(), request, patience }];
        if first {
            let topic = Topic::Receipts.to_string();
            effects.push(Effect::Publish { topic, bytes: signed.into_wire(), remote_only: true });
        }
        effects
    }

    pub(super) fn receipt_answered(
        &mut self,
        _now: Now,
        job: &Cid,
        epoch: u64,
        answer: Answer,
    ) -> Vec<Effect> {
        let Some(execution) = self.executions.get(job).filter(|execution| execution.record.epoch == epoch)
        else {
            return Vec::new();
        };
        let retry = match answer {
            Answer::Response(Response::Ack) => false,
            // Refused for good, or for now: one whose clocks or start made this one untimely may take the next.
            Answer::Response(Response::Refused { code, .. }) => {
                code.is_temporary() || matches!(code, RefusalCode::Stale | RefusalCode::Future)
            }
            Answer::Silent | Answer::Unsent => true,
        };
        if !retry {
            return self.delivered(job);
        }
        let after = Duration::from_millis(retry_ms(execution.live.deliveries));
        vec![Effect::Wake { timer: Timer::ResendReceipt { job: *job, epoch }, after }]
    }

    /// Closes an execution: nobody waits for its receipt any more.
    fn delivered(&mut self, job: &Cid) -> Vec<Effect> {
        let Some(execution) = self.executions.get_mut(job) else { return Vec::new() };
        if std::mem::replace(&mut execution.record.delivered, true) {
            return Vec::new();
        }
        let note = Effect::Note(vec![Persist::Execution(Box::new(execution.record.clone()))]);
        self.retire(job);
        vec![note]
    }

    /// Lets a job be forgotten some time after nothing of it is open any more: neither its delivery nor a payment.
    pub(super) fn retire(&mut self, job: &Cid) {
        if !self.is_retired(job) {
            return;
        }
        self.done.push_back(*job);
        if self.done.len() > DONE_MAX
            && let Some(oldest) = self.done.pop_front()
            && self.is_retired(&oldest)
        {
            self.executions.remove(&oldest);
        }
    }

    fn is_retired(&self, job: &Cid) -> bool {
        self.executions
            .get(job)
            .is_some_and(|execution| execution.record.delivered && execution.record.is_settled())
    }
}

/// Gives the wait before a receipt is offered again, in milliseconds: short as long as the originator may still count the
/// lease, then twice as long each time, up to a minute.
const fn retry_ms(deliveries: u32) -> u64 {
    let quick = if deliveries < 2 { deliveries } else { 2 };
    let slow = deliveries.saturating_sub(10);
    let doublings = if slow > 8 { 8 } else { slow };
    200 << if doublings > quick { doublings } else { quick }
}

/// Fills in and signs the one receipt of an execution; nothing when a field breaks a rule of the protocol.
fn signed_receipt(
    record: &ExecutionRecord,
    executor_did: Did,
    report: ExecutionReport,
    signer: &dyn Signer,
) -> Option<SignedReceipt> {
    let params = Params::from_bytes(&record.params).ok()?;
    let runtime = RuntimeInfo { mode: params.mode(), ..report.runtime };
    let receipt = ExecutionReceipt {
        announcement_id: record.job,
        assignment_cid: record.assignment_cid,
        lease_epoch: record.epoch,
        job_params_cid: params.cid(),
        originator_did: record.originator,
        executor_did,
        status: ExecutionReceipt::status_of(report.end, report.exit_code),
        end: report.end,
        exit_code: report.exit_code,
        error: report.error,
        wasm_cid: params.wasm_cid,
        stdin_cid: params.stdin_cid,
        input_cids: params.input_cids.clone(),
        output_cids: report.outputs,
        fuel_used: report.fuel_used,
        memory_peak_bytes: report.memory_peak_bytes,
        host_calls: report.host_calls,
        started_at: report.started_at,
        finished_at: report.finished_at.max(report.started_at),
        stages_us: report.stages_us,
        price: metered(record, report.fuel_used),
        runtime,
        anchors: report.anchors,
    };
    receipt.sign(signer).ok()
}

/// Stands in for a report that has no valid receipt, such as one that would not fit into a block.
fn unsignable(now: Now) -> ExecutionReport {
    let message =
        "the outcome cannot be told in a receipt: its outputs are too many or its figures out of range";
    ExecutionReport::fault(now.at, "unreceiptable", message.to_owned())
}

/// What the receipt of an execution names that never reached a runtime.
fn no_runtime() -> RuntimeInfo {
    let none = || "none".to_owned();
    RuntimeInfo { engine: none(), version: none(), profile: none(), mode: Mode::Canonical }
}
