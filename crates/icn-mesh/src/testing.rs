//! What the unit tests of this crate share: jobs, keys and clocks.

use std::sync::Arc;

use icn_identity::{Keypair, peer_id};
use icn_protocol::{
    ExecutionPolicy, JobAnnouncement, JobBid, MeshJobParams, NodeCapability, Nonce, Params, Response,
};
use icn_types::{Cid, Did, Duration, ResourceType, Timestamp, TokenAmount};

use crate::{Effect, Now, Tick};

/// A moment after the beginning of the tests.
pub(crate) fn at(seconds: u64) -> Now {
    Now {
        at: Timestamp::from_millis(1_767_225_600_000 + seconds * 1_000),
        tick: Tick(1_000 + seconds * 1_000),
    }
}

pub(crate) fn key(number: u8) -> Arc<Keypair> {
    Arc::new(Keypair::from_seed([number; 32]))
}

pub(crate) fn hours(amount: u64) -> TokenAmount {
    TokenAmount { amount, currency: "hours".into() }
}

pub(crate) fn params(policy: Option<ExecutionPolicy>) -> MeshJobParams {
    MeshJobParams {
        timeout_seconds: 60,
        max_fuel: 1_000,
        memory_bytes_max: 1_000,
        output_bytes_max: 1_000,
        execution_policy: policy,
        ..MeshJobParams::new(Nonce([1; 16]), Cid::of_raw(b"module"))
    }
}

/// A policy that admits everybody and weighs price and reputation alike.
pub(crate) fn policy() -> ExecutionPolicy {
    ExecutionPolicy {
        rep_weight: 500_000,
        price_weight: 500_000,
        region_filter: None,
        min_reputation: None,
        max_price: None,
        allowed_executors: Vec::new(),
        placement: None,
    }
}

pub(crate) fn announcement(originator: Did, params: MeshJobParams, now: Now) -> Box<JobAnnouncement> {
    let mut announcement = JobAnnouncement::new(originator, Params::new(params).unwrap(), now.at);
    announcement.explain = Some(true);
    Box::new(announcement)
}

pub(crate) fn capability(node: Did, at: Timestamp, resources: &[(&str, u64)]) -> NodeCapability {
    NodeCapability {
        node_did: node,
        peer_id: peer_id(&node),
        alias: None,
        region: None,
        supported_runtimes: vec!["test-1".into()],
        available_resources: resources
            .iter()
            .map(|(name, amount)| (ResourceType::Other((*name).to_owned()), *amount))
            .collect(),
        specialized_features: Vec::new(),
        timestamp: at,
        attestation_cid: None,
    }
}

pub(crate) fn bid(executor: Did, job: Cid, price: Option<u64>, now: Now) -> Box<JobBid> {
    Box::new(JobBid {
        announcement_id: job,
        executor_did: executor,
        executor_peer_id: peer_id(&executor),
        price: price.map(hours),
        rates: None,
        region: None,
        timestamp: now.at,
        bid_expires_at: Some(now.at.plus(Duration::from_secs(300))),
        available_resources: None,
        queue_depth: None,
        estimated_start_ms: None,
        blobs_held: Vec::new(),
    })
}

/// The answer among effects: `ack`, or the code of the refusal.
pub(crate) fn answer(effects: &[Effect]) -> Option<String> {
    effects.iter().find_map(|effect| {
        let Effect::Reply { response, .. } = effect else { return None };
        Some(match response {
            Response::Ack => "ack".to_owned(),
            Response::Refused { code, .. } => code.as_str().to_owned(),
        })
    })
}

/// The one message sent among effects.
pub(crate) fn sent(effects: &[Effect]) -> Option<icn_protocol::Message> {
    let bytes = effects.iter().find_map(|effect| {
        let Effect::Send { bytes, .. } = effect else { return None };
        Some(bytes)
    })?;
    match icn_protocol::parse(bytes, icn_protocol::DIRECT_BYTES_MAX).unwrap() {
        icn_protocol::Incoming::Message(raw) => Some(raw.unverified().clone()),
        icn_protocol::Incoming::Unknown { .. } => None,
    }
}
