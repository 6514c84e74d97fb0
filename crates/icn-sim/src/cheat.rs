//! What cheats do beside running the same machines as everybody.

use std::collections::BTreeMap;

use icn_mesh::RequestId;
use icn_protocol::{
    DIRECT_BYTES_MAX, ExecutionReceipt, ExecutionReceiptAvailable, Incoming, JobAssignment, Message, Params,
    RuntimeInfo,
};
use icn_types::{Cid, Did, Duration, End, Mode};

use crate::config::Cheat;
use crate::world::World;

/// How many of its messages a cheat remembers.
const SENT_MAX: usize = 32;

/// How long a cheat waits for an answer that it does not read.
const PATIENCE: Duration = Duration::from_secs(2);

impl World {
    /// Changes what a cheat sends, or sends more.
    pub(crate) fn twist(&mut self, at: usize, to: &Did, bytes: Vec<u8>) -> Vec<u8> {
        let Some(cheat) = self.nodes.get(at).and_then(|node| node.config.cheat) else { return bytes };
        let receiver = self.by_did.get(to).copied();
        if let (Some(node), Some(receiver)) = (self.nodes.get_mut(at), receiver) {
            node.sent.push_back((receiver, bytes.clone()));
            if node.sent.len() > SENT_MAX {
                node.sent.pop_front();
            }
        }
        let Ok(Incoming::Message(raw)) = icn_protocol::parse(&bytes, DIRECT_BYTES_MAX) else { return bytes };
        match (cheat, raw.unverified()) {
            (Cheat::LiesAboutCids, Message::ExecutionReceiptAvailableV1(available)) => {
                let lie = self.lie(at);
                let available = ExecutionReceiptAvailable { receipt_cid: lie, ..available.as_ref().clone() };
                self.sign(at, available).unwrap_or(bytes)
            }
            (Cheat::NamesOtherHolds, Message::AssignJobV1(assignment)) if receiver != Some(at) => {
                let holds: Vec<String> = self.ledger.holds.keys().cloned().collect();
                let index = self.random.index(holds.len() + 1);
                let assignment =
                    JobAssignment { escrow_id: holds.get(index).cloned(), ..assignment.as_ref().clone() };
                self.sign(at, assignment).unwrap_or(bytes)
            }
            (Cheat::AssignsTwice, Message::AssignJobV1(assignment)) => {
                self.assign_again(at, assignment);
                bytes
            }
            _ => bytes,
        }
    }

    /// Gives a CID that is nothing, or a block that is no receipt of the job.
    fn lie(&mut self, at: usize) -> Cid {
        let number = self.random.next();
        let known = self.nodes.get(at).map(|node| node.disk.blocks.keys().copied().collect::<Vec<_>>());
        let known = known.unwrap_or_default();
        let index = self.random.index(known.len() + 1);
        known.get(index).copied().unwrap_or_else(|| Cid::of_dag_cbor(&number.to_le_bytes()))
    }

    /// The same bid under a second epoch, and for an executor that did not make it.
    fn assign_again(&mut self, at: usize, assignment: &JobAssignment) {
        let next = JobAssignment { lease_epoch: assignment.lease_epoch + 1, ..assignment.clone() };
        let other = self.random.index(self.nodes.len());
        let elsewhere = JobAssignment { executor_did: self.did(other), ..assignment.clone() };
        for assignment in [next, elsewhere] {
            let to = assignment.executor_did;
            if let Some(bytes) = self.sign(at, assignment) {
                self.send(at, &to, bytes, RequestId::Forget, PATIENCE);
            }
        }
    }

    fn sign<T: icn_protocol::Body>(&self, at: usize, body: T) -> Option<Vec<u8>> {
        let signer = self.nodes.get(at)?.signer.as_ref();
        icn_protocol::sign(body, signer).ok().map(icn_protocol::Signed::into_wire)
    }

    /// What a cheat does from time to time.
    pub(crate) fn cheat(&mut self, at: usize) {
        match self.nodes.get(at).and_then(|node| node.config.cheat) {
            Some(Cheat::Replays) => {
                let len = self.nodes.get(at).map_or(0, |node| node.sent.len());
                let index = self.random.index(len);
                let old = self.nodes.get(at).and_then(|node| node.sent.get(index)).cloned();
                if let Some((to, bytes)) = old {
                    let exchange = self.number();
                    self.deliver(at, to, exchange, bytes);
                }
            }
            Some(Cheat::NeverAssigned) => {
                let jobs: Vec<(Cid, usize)> = self.plans.iter().map(|(id, plan)| (*id, plan.owner)).collect();
                let index = self.random.index(jobs.len());
                if let Some((job, owner)) = jobs.get(index) {
                    self.forge(at, *job, *owner);
                }
            }
            Some(
                Cheat::LiesAboutCids
                | Cheat::Mute
                | Cheat::AssignsTwice
                | Cheat::Pretends
                | Cheat::NamesOtherHolds
                | Cheat::NeverCaptures,
            )
            | None => {}
        }
        self.cheat_again(at);
    }

    /// Announces a receipt that no assignment of the originator stands behind, directly and by gossip.
    fn forge(&mut self, at: usize, job: Cid, owner: usize) {
        let Some(plan) = self.plans.get(&job) else { return };
        let Ok(params) = Params::new(plan.job.params(self.seed, plan.number)) else { return };
        let (me, originator_did) = (self.did(at), self.did(owner));
        let Some(now) = self.nodes.get(at).map(|node| node.now(self.now_ms).at) else { return };
        let none = || "none".to_owned();
        let receipt = ExecutionReceipt {
            announcement_id: job,
            assignment_cid: Cid::of_dag_cbor(&self.random.next().to_le_bytes()),
            lease_epoch: 1,
            job_params_cid: params.cid(),
            originator_did,
            executor_did: me,
            status: ExecutionReceipt::status_of(End::Exit, Some(0)),
            end: End::Exit,
            exit_code: Some(0),
            error: None,
            wasm_cid: params.wasm_cid,
            stdin_cid: None,
            input_cids: Vec::new(),
            output_cids: Vec::new(),
            fuel_used: 1,
            memory_peak_bytes: 1,
            host_calls: BTreeMap::new(),
            started_at: now,
            finished_at: now,
            stages_us: BTreeMap::new(),
            price: None,
            runtime: RuntimeInfo { engine: none(), version: none(), profile: none(), mode: Mode::Canonical },
            anchors: Vec::new(),
        };
        let Some(node) = self.nodes.get_mut(at) else { return };
        let Ok(signed) = receipt.sign(node.signer.as_ref()) else { return };
        node.forged.insert(signed.cid(), signed.bytes().to_vec());
        let available = ExecutionReceiptAvailable {
            announcement_id: job,
            originator_did,
            executor_did: me,
            receipt_cid: signed.cid(),
            timestamp: now,
            providers: Vec::new(),
        };
        if let Some(bytes) = self.sign(at, available) {
            self.gossip(at, icn_protocol::topics::RECEIPTS, &bytes, true);
            self.send(at, &originator_did, bytes, RequestId::Forget, PATIENCE);
        }
    }
}
