//! A node that remembers what it was asked and answers from memory.

#![allow(dead_code, reason = "each test program uses a part of this")]

pub(crate) mod books;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use icn_gateway::api::{
    Bid, ByteStream, Content, Identity, Job, JobRequest, Node, Peer, Problem, Replay, Status, TurnStream,
    Verdict, Why,
};
use icn_types::{Cid, Did, Page, StandardJobStatus, Timestamp};

/// The fake.
#[derive(Default)]
pub(crate) struct FakeNode {
    /// Content by name.
    pub(crate) blocks: Mutex<BTreeMap<Cid, Bytes>>,
    /// Reasons of cancellations.
    pub(crate) reasons: Mutex<Vec<Option<String>>>,
    /// How many jobs the list has.
    pub(crate) jobs: usize,
    /// Keeps followers waiting for ever after the first line.
    pub(crate) endless: bool,
}

/// A DID for tests.
pub(crate) fn did() -> Did {
    Did::from_public_key([7; 32])
}

/// A job for tests, told apart by its number.
pub(crate) fn job(number: usize) -> Job {
    Job {
        id: Cid::of_raw(&number.to_be_bytes()),
        role: "originator".to_owned(),
        description: None,
        status: StandardJobStatus::Pending,
        p2p_status: "BiddingOpen".to_owned(),
        originator: did(),
        executor: None,
        lease_epoch: 0,
        end: None,
        exit_code: None,
        error: None,
        fuel_used: None,
        payment: None,
        price: None,
        outputs: Vec::new(),
        receipt_cid: None,
        stages_us: BTreeMap::new(),
        submitted_at: Timestamp::from_millis(1_000),
        history: Vec::new(),
    }
}

fn content(cid: Cid, bytes: &Bytes) -> Content {
    Content { cid, kind: "file".to_owned(), bytes: bytes.len() as u64, blocks: 1, local: true }
}

impl FakeNode {
    fn held(&self, cid: Cid) -> Result<Bytes, Problem> {
        let blocks = self.blocks.lock().unwrap();
        blocks.get(&cid).cloned().ok_or_else(|| Problem::not_found("content-not-found", "nobody has it"))
    }
}

#[async_trait]
impl Node for FakeNode {
    async fn status(&self) -> Result<Status, Problem> {
        Err(Problem::new(503, "starting", "the node is starting: try again in a second"))
    }

    async fn peers(&self) -> Result<Page<Peer>, Problem> {
        Ok(Page::cut([].into_iter(), 0, 1))
    }

    async fn identity(&self) -> Result<Identity, Problem> {
        Ok(Identity {
            did: did(),
            did_key: did().to_did_key(),
            peer_id: "12D3KooW".to_owned(),
            document: serde_json::json!({ "id": did() }),
        })
    }

    async fn add(&self, body: ByteStream) -> Result<Content, Problem> {
        let pieces: Vec<Bytes> =
            body.try_collect().await.map_err(|error| Problem::invalid("upload-broken", error.to_string()))?;
        let bytes = Bytes::from(pieces.concat());
        let cid = Cid::of_raw(&bytes);
        self.blocks.lock().unwrap().insert(cid, bytes.clone());
        Ok(content(cid, &bytes))
    }

    async fn stat(&self, cid: Cid) -> Result<Content, Problem> {
        Ok(content(cid, &self.held(cid)?))
    }

    async fn cat(&self, cid: Cid) -> Result<(Content, ByteStream), Problem> {
        let bytes = self.held(cid)?;
        let pieces: Vec<_> = bytes.chunks(1_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Ok((content(cid, &bytes), futures::stream::iter(pieces).boxed()))
    }

    async fn submit(&self, request: JobRequest) -> Result<Job, Problem> {
        if request.wasm_cid.is_none() {
            return Err(Problem::invalid("module-required", "`wasm_cid` is missing"));
        }
        Ok(job(0))
    }

    async fn jobs(&self, offset: usize, limit: usize) -> Result<Page<Job>, Problem> {
        let all: Vec<Job> = (0..self.jobs).map(job).collect();
        Ok(Page::cut(all.into_iter(), offset, limit))
    }

    async fn job(&self, id: &str) -> Result<Job, Problem> {
        Err(Problem::not_found("job-not-found", format!("no job has the id `{id}`")))
    }

    async fn follow(&self, _id: &str) -> Result<TurnStream, Problem> {
        let first = futures::stream::iter([job(1)]);
        if self.endless {
            return Ok(first.chain(futures::stream::pending()).boxed());
        }
        let mut last = job(1);
        last.status = StandardJobStatus::CompletedSuccessfully;
        Ok(first.chain(futures::stream::iter([last])).boxed())
    }

    async fn bids(&self, _id: &str) -> Result<Page<Bid>, Problem> {
        Ok(Page::cut([].into_iter(), 0, 1))
    }

    async fn why(&self, _id: &str) -> Result<Why, Problem> {
        Ok(Why { id: job(0).id, summary: "it waits".to_owned(), executors: vec![], unknown: vec![] })
    }

    async fn cancel(&self, _id: &str, reason: Option<String>) -> Result<Job, Problem> {
        self.reasons.lock().unwrap().push(reason);
        Ok(job(0))
    }

    async fn receipt(&self, cid: Cid) -> Result<serde_json::Value, Problem> {
        Ok(serde_json::json!({ "cid": cid }))
    }

    async fn receipt_bundle(&self, _cid: Cid) -> Result<Bytes, Problem> {
        Ok(Bytes::from_static(b"bundle"))
    }

    async fn verify_receipt(&self, bytes: Bytes) -> Result<Verdict, Problem> {
        Ok(Verdict { valid: bytes == "good", reason: format!("{} bytes", bytes.len()) })
    }

    async fn replay(&self, _bytes: Bytes) -> Result<Replay, Problem> {
        Ok(Replay { identical: Some(true), differences: vec![], fuel_used: Some(1), elapsed_us: 1 })
    }

    async fn backup(&self) -> Result<ByteStream, Problem> {
        Ok(futures::stream::iter([Ok(Bytes::from_static(b"tar"))]).boxed())
    }

    async fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

/// Puts a fake behind the trait.
pub(crate) fn shared(node: FakeNode) -> Arc<FakeNode> {
    Arc::new(node)
}
