//! The node as the API sees it.

pub(crate) mod books;
pub(crate) mod trust;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use icn_gateway::api::{
    self, Bid, ByteStream, Content, Identity, Job, JobRequest, Peer, Problem, Replay, Status, TurnStream,
    Verdict, Why, WhyExecutor,
};
use icn_mesh::{JobRecord, OriginatorEvent, Submission, SubmitError};
use icn_net::Direction;
use icn_protocol::{ExecutionPolicy, MeshJobParams, NamedCid, Nonce};
use icn_store::StoreError;
use icn_types::{Cid, Did, Page, SCORE_MAX_PPM};
use tokio::sync::broadcast::error::RecvError;

use crate::content::{self, AddError};
use crate::core::{Happening, Node, SubmitFailure, lock};
use crate::index::{Found, Role};
use crate::trust::fuel;
use crate::{receipt, replay, spaces, view, work};

/// The node behind the API.
pub(crate) struct Face(pub(crate) Arc<Node>);

/// The reason of pins that users set by adding content.
const ADDED_PIN: &str = "added";

/// How long the rest of an upload that is refused is taken in, and thrown away.
const REST_TIME_MAX: Duration = Duration::from_secs(30);

#[async_trait]
impl api::Node for Face {
    async fn status(&self) -> Result<Status, Problem> {
        let node = &self.0;
        let now = node.clock.now();
        let peers = node.net.peers().await.len() as u64;
        let blocks = node.blocks.stats();
        let machines = node.machines();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            did: node.me,
            peer_id: node.net.peer_id().to_string(),
            listen: node.addresses(),
            api: node.api.clone(),
            started_at: node.started_at,
            peers,
            executor: machines.executor.is_some(),
            region: node.config.node.region.clone(),
            jobs_running: machines.executor.as_ref().map_or(0, |executor| executor.open_len() as u64),
            jobs_open: machines.originator.open_len() as u64,
            jobs_total: lock(&node.index).len() as u64,
            executors_known: machines.originator.directory().fresh(now.at).count() as u64,
            blocks: blocks.blocks,
            block_bytes: blocks.bytes,
            block_bytes_max: node.config.storage.blocks_bytes_max,
        })
    }

    async fn peers(&self) -> Result<Page<Peer>, Problem> {
        let node = &self.0;
        let peers = node.net.peers().await;
        let machines = node.machines();
        let now = node.clock.now();
        let executors: std::collections::BTreeMap<_, _> =
            machines.originator.directory().fresh(now.at).collect();
        let peers: Vec<Peer> = peers
            .into_iter()
            .map(|peer| {
                let known = peer.did.and_then(|did| executors.get(&did).copied());
                Peer {
                    peer_id: peer.peer_id.to_string(),
                    did: peer.did,
                    address: peer.address.to_string(),
                    direction: match peer.direction {
                        Direction::Inbound => "inbound".into(),
                        Direction::Outbound => "outbound".into(),
                    },
                    rtt_us: peer.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
                    agent: peer.agent,
                    executor: known.is_some(),
                    region: known.and_then(|known| known.region.clone()),
                    class: peer.did.map(|did| node.trust.verdict(now.at, &did).class.to_string()),
                    neighbors: peer.set.map(|set| set.as_str().to_owned()),
                }
            })
            .collect();
        let len = peers.len();
        Ok(Page::cut(peers.into_iter(), 0, len))
    }

    async fn identity(&self) -> Result<Identity, Problem> {
        let node = &self.0;
        let addresses = node.addresses();
        Ok(Identity {
            did: node.me,
            did_key: node.me.to_did_key(),
            peer_id: node.net.peer_id().to_string(),
            document: icn_identity::did_document(&node.me, &addresses),
        })
    }

    async fn add(&self, mut body: ByteStream) -> Result<Content, Problem> {
        let added = content::add(&self.0.blocks, &mut body, ADDED_PIN).await;
        if added.is_err() {
            // The connection would be cut under a client that still sends, and the answer lost with it.
            let rest = body.for_each(|_| std::future::ready(()));
            drop(tokio::time::timeout(REST_TIME_MAX, rest).await);
        }
        let added = added.map_err(|error| match error {
            AddError::Source(source) => {
                Problem::new(400, "content-cut", format!("the content did not arrive whole: {source}"))
            }
            AddError::Store(error) => store_problem(&error),
        })?;
        // Nodes that are not connected to this one find it by the root.
        let (net, root) = (self.0.net.clone(), added.cid);
        tokio::spawn(async move {
            if let Err(error) = net.provide(&root).await {
                tracing::debug!(cid = %root, error = %error, "content is not provided by the DHT");
            }
        });
        Ok(Content {
            cid: added.cid,
            kind: "file".into(),
            bytes: added.bytes,
            blocks: added.blocks,
            local: true,
        })
    }

    async fn stat(&self, cid: Cid) -> Result<Content, Problem> {
        let node = &self.0;
        let root = receipt::find(node, cid).await.ok_or_else(|| content_missing(cid))?;
        if !content::is_file(&cid) {
            return Ok(Content {
                cid,
                kind: "block".into(),
                bytes: root.len() as u64,
                blocks: 1,
                local: true,
            });
        }
        match icn_store::unixfs::parse(&cid, &root) {
            Ok(file) => {
                let missing = icn_store::unixfs::missing(&node.blocks, &cid, 1)
                    .map_err(|error| unreadable(cid, &error))?;
                let blocks = 1 + file.children.len() as u64;
                Ok(Content {
                    cid,
                    kind: "file".into(),
                    bytes: file.file_size,
                    blocks,
                    local: missing.is_empty(),
                })
            }
            Err(_) => {
                Ok(Content { cid, kind: "block".into(), bytes: root.len() as u64, blocks: 1, local: true })
            }
        }
    }

    async fn cat(&self, cid: Cid) -> Result<(Content, ByteStream), Problem> {
        let node = Arc::clone(&self.0);
        let content = self.stat(cid).await?;
        if content.kind == "block" {
            let bytes = receipt::find(&node, cid).await.ok_or_else(|| content_missing(cid))?;
            return Ok((content, Box::pin(futures::stream::once(async move { Ok(bytes) }))));
        }
        let len = content.bytes;
        let ahead = (!content.local).then(|| Ahead::begin(&node, cid));
        let state = (node, icn_store::unixfs::Reader::new(cid), ahead, 0_u64);
        let stream = futures::stream::try_unfold(state, move |(node, mut reader, ahead, at)| async move {
            if at >= len {
                return Ok(None);
            }
            let chunk = next_chunk(&node, &mut reader, ahead.as_ref(), at).await?;
            let next = at + chunk.len() as u64;
            if chunk.is_empty() { Ok(None) } else { Ok(Some((chunk, (node, reader, ahead, next)))) }
        });
        Ok((content, Box::pin(stream)))
    }

    async fn submit(&self, request: JobRequest) -> Result<Job, Problem> {
        let space = self.paying_space(&request)?;
        let is_usual = request.max_fuel.is_none();
        let (mut params, remote) = params_of(request)?;
        params.space = space;
        for cid in
            params.input_cids.iter().map(|input| input.cid).chain([params.wasm_cid]).chain(params.stdin_cid)
        {
            if !content::is_file(&cid) {
                let detail =
                    format!("`{cid}` is not the CID of a file: add the file and use the CID that comes back");
                return Err(Problem::invalid("not-a-file", detail));
            }
        }
        let note = if is_usual { self.limit_fuel(&mut params, remote) } else { None };
        let id = self.0.submit(Submission { params, remote, note }).await.map_err(submit_problem)?;
        self.job(&id.to_string()).await
    }

    async fn jobs(&self, offset: usize, limit: usize) -> Result<Page<Job>, Problem> {
        let (ids, total) = {
            let index = lock(&self.0.index);
            (index.page(offset, limit), index.len())
        };
        let items: Vec<Job> = ids.into_iter().filter_map(|(id, role)| self.show(&id, role)).collect();
        let has_more = offset.saturating_add(items.len()) < total;
        Ok(Page { items, total: total as u64, has_more })
    }

    async fn job(&self, id: &str) -> Result<Job, Problem> {
        let (id, role) = self.find(id)?;
        self.show(&id, role).ok_or_else(|| job_missing(&id.to_string()))
    }

    async fn follow(&self, id: &str) -> Result<TurnStream, Problem> {
        let changes = self.0.changes.subscribe();
        let first = self.job(id).await?;
        let face = Self(Arc::clone(&self.0));
        let id = first.id;
        let state = (face, changes, Some(first), false);
        let stream = futures::stream::unfold(state, move |(face, mut changes, first, done)| async move {
            if done {
                return None;
            }
            if let Some(job) = first {
                let done = job.status.is_final();
                return Some((job, (face, changes, None, done)));
            }
            loop {
                match changes.recv().await {
                    Ok(changed) if changed != id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return None,
                }
            }
            let job = face.job(&id.to_string()).await.ok()?;
            let done = job.status.is_final();
            Some((job, (face, changes, None, done)))
        });
        Ok(stream.boxed())
    }

    async fn bids(&self, id: &str) -> Result<Page<Bid>, Problem> {
        let bids = view::bids_of(&self.originated(id)?);
        let len = bids.len();
        Ok(Page::cut(bids.into_iter(), 0, len))
    }

    async fn why(&self, id: &str) -> Result<Why, Problem> {
        let record = self.originated(id)?;
        let now = self.0.clock.now();
        let machines = self.0.machines();
        let standings = machines.originator.why(now, &record);
        Ok(Why {
            id: record.id,
            summary: machines.originator.summary(now, &record),
            executors: standings
                .into_iter()
                .map(|(executor, standing, detail)| WhyExecutor {
                    executor,
                    standing: standing.into(),
                    detail,
                })
                .collect(),
            unknown: view::unknowable(&record.id),
        })
    }

    async fn cancel(&self, id: &str, reason: Option<String>) -> Result<Job, Problem> {
        let record = self.originated(id)?;
        self.0.happen(Happening::Originator(OriginatorEvent::Cancel { job: record.id, reason })).await;
        self.job(&record.id.to_string()).await
    }

    async fn receipt(&self, cid: Cid) -> Result<serde_json::Value, Problem> {
        let bytes = receipt::find(&self.0, cid).await.ok_or_else(|| content_missing(cid))?;
        let raw = icn_protocol::receipt::parse(&bytes).map_err(|error| {
            Problem::invalid("not-a-receipt", format!("`{cid}` is no receipt: {}", receipt::chain(&error)))
        })?;
        serde_json::to_value(raw.unverified()).map_err(|error| Problem::internal(error.to_string()))
    }

    async fn receipt_bundle(&self, cid: Cid) -> Result<Bytes, Problem> {
        receipt::bundle(&self.0, cid).await.map_err(|reason| Problem::not_found("receipt-incomplete", reason))
    }

    async fn verify_receipt(&self, bytes: Bytes) -> Result<Verdict, Problem> {
        // What stands behind a bare receipt may have to be fetched.
        if let Ok(raw) = icn_protocol::receipt::parse(&bytes) {
            let receipt = raw.unverified();
            let executor = icn_identity::peer_id(&receipt.executor_did);
            let originator = icn_identity::peer_id(&receipt.originator_did);
            let providers = [executor, originator];
            for cid in [receipt.assignment_cid, receipt.job_params_cid] {
                let fetching = content::block(&self.0, cid, &providers);
                drop(tokio::time::timeout(Duration::from_secs(5), fetching).await);
            }
        }
        Ok(receipt::judge(&bytes, Some(&self.0.blocks)))
    }

    async fn replay(&self, bytes: Bytes) -> Result<Replay, Problem> {
        let node = &self.0;
        let verdict = self.verify_receipt(bytes.clone()).await?;
        if !verdict.valid {
            return Err(Problem::invalid(
                "receipt-invalid",
                format!("the receipt does not hold: {}", verdict.reason),
            ));
        }
        let verified = receipt::verify_file(&bytes, |cid| node.blocks.get(cid).ok().flatten())
            .map_err(|error| Problem::invalid("receipt-invalid", receipt::chain(&error)))?;
        let held = verified.receipt.receipt();
        let providers =
            [icn_identity::peer_id(&held.executor_did), icn_identity::peer_id(&held.originator_did)];
        work::prepare(node, held.announcement_id, &verified.params, &providers)
            .await
            .map_err(|error| Problem::not_found("content-missing", receipt::chain(&error)))?;
        Ok(replay::replay(&node.runtime, &node.blocks, held, &verified.params).await)
    }

    async fn backup(&self) -> Result<ByteStream, Problem> {
        crate::backup::stream(&self.0)
            .await
            .map_err(|error| Problem::internal(format!("the backup failed: {error:#}")))
    }

    async fn metrics(&self) -> String {
        self.0.spaces.metrics.observe(&self.0.spaces);
        self.0.metrics.render()
    }
}

impl Face {
    fn find(&self, prefix: &str) -> Result<(Cid, Role), Problem> {
        match lock(&self.0.index).find(prefix) {
            Found::One(id, role) => Ok((id, role)),
            Found::None => Err(job_missing(prefix)),
            Found::Many(count) => {
                let detail = format!("`{prefix}` is the beginning of {count} jobs' ids: give more of it");
                Err(Problem::new(409, "job-ambiguous", detail))
            }
        }
    }

    fn show(&self, id: &Cid, role: Role) -> Option<Job> {
        match role {
            Role::Originator => self.record(id).map(|record| view::of_job(&record, self.0.me)),
            Role::Executor => {
                let live =
                    self.0.machines().executor.as_ref().and_then(|executor| executor.execution(id).cloned());
                live.or_else(|| self.0.tables.executions.get(*id).ok().flatten())
                    .as_ref()
                    .map(view::of_execution)
            }
        }
    }

    fn record(&self, id: &Cid) -> Option<JobRecord> {
        let live = self.0.machines().originator.job(id).cloned();
        live.or_else(|| self.0.tables.jobs.get(*id).ok().flatten())
    }

    fn originated(&self, prefix: &str) -> Result<JobRecord, Problem> {
        let (id, role) = self.find(prefix)?;
        if role == Role::Executor {
            let detail = format!("the job `{id}` only runs here: ask the node that submitted it");
            return Err(Problem::new(409, "not-the-originator", detail));
        }
        self.record(&id).ok_or_else(|| job_missing(prefix))
    }
}

/// A whole file on its way here, many blocks at a time, ahead of the one who reads it. Ends with the reader.
struct Ahead(tokio::task::JoinHandle<()>);

impl Ahead {
    fn begin(node: &Arc<Node>, cid: Cid) -> Self {
        let node = Arc::clone(node);
        Self(tokio::spawn(async move {
            if let Err(error) = content::fetch_file(&node, cid, &[], u64::MAX).await {
                tracing::debug!(%cid, error = %error, "a file was not fetched ahead of its reader");
            }
        }))
    }

    /// Waits until a block is here, or the fetch is over.
    async fn wait_for(&self, node: &Node, cid: &Cid) {
        while !self.0.is_finished() && !node.blocks.has(cid).unwrap_or(true) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads on in a file, fetching the next part of it when it is not here.
async fn next_chunk(
    node: &Node,
    reader: &mut icn_store::unixfs::Reader,
    ahead: Option<&Ahead>,
    at: u64,
) -> std::io::Result<Bytes> {
    use icn_store::unixfs::Step;
    loop {
        match reader.step(at).map_err(std::io::Error::other)? {
            Step::Data(bytes) => return Ok(bytes),
            Step::End => return Ok(Bytes::new()),
            Step::Need(cid) => {
                if let Some(ahead) = ahead {
                    ahead.wait_for(node, &cid).await;
                }
                let block = content::block(node, cid, &[]).await.map_err(std::io::Error::other)?;
                reader.supply(&cid, &block).map_err(std::io::Error::other)?;
            }
        }
    }
}

impl Face {
    /// Has a job for which nobody named an amount ask for no more fuel than it is given, and says so.
    fn limit_fuel(&self, params: &mut MeshJobParams, remote: bool) -> Option<String> {
        let given = fuel::usual_fuel(&self.0, params, remote);
        let is_less = given < params.max_fuel;
        is_less.then(|| {
            params.max_fuel = given;
            format!(
                "it may use {given} of fuel: no executor that is known here gives this node more. `--max-fuel` asks for another \
                 amount; a member who vouches for it (`icn trust add {}`) raises what it gets",
                self.0.me
            )
        })
    }

    /// Finds the space whose books pay for a job; none for a job that costs nothing, or that nobody here can pay for.
    fn paying_space(&self, request: &JobRequest) -> Result<Option<Did>, Problem> {
        let node = &self.0;
        let payer = request.identity.as_deref().and_then(|name| node.spaces.identities.find(Some(name)));
        if request.identity.is_some() && payer.is_none_or(|payer| payer.did() != node.me) {
            let detail = "a job is paid by the node's own identity: leave `--as` out";
            return Err(Problem::invalid("not-the-payer", detail));
        }
        let open = node.spaces.all();
        if let Some(text) = &request.space {
            let names: Vec<(Did, String)> = open
                .iter()
                .map(|space| (space.root, space.replica().books().name().unwrap_or_default()))
                .collect();
            let names = names.iter().map(|(root, name)| (*root, name.as_str()));
            return icn_gateway::api::books::find_space(text, names).map(Some);
        }
        Ok(spaces::jobs::paying_space(node, None).ok().map(|space| space.root))
    }
}

fn params_of(request: JobRequest) -> Result<(MeshJobParams, bool), Problem> {
    let wasm_cid = request
        .wasm_cid
        .ok_or_else(|| Problem::invalid("wasm-missing", "a job needs `wasm_cid`: add the module first"))?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)
        .map_err(|error| Problem::internal(format!("the system gives no randomness: {error}")))?;
    let share = |name: &'static str, text: Option<String>| {
        let read = |text: String| {
            icn_types::parse_score(&text)
                .map_err(|error| Problem::invalid("score-wrong", format!("`{name}`: {error}")))
        };
        text.map(read).transpose()
    };
    let rep_weight = share("reputation_weight", request.reputation_weight)?.unwrap_or(SCORE_MAX_PPM / 2);
    let policy = ExecutionPolicy {
        rep_weight,
        price_weight: SCORE_MAX_PPM.saturating_sub(rep_weight),
        region_filter: request.region,
        min_reputation: share("min_reputation", request.min_reputation)?,
        max_price: request.max_price,
        allowed_executors: request.allowed_executors,
        placement: request.placement,
    };
    let usual = MeshJobParams::new(Nonce(nonce), wasm_cid);
    let params = MeshJobParams {
        description: request.description,
        entry: request.entry,
        args: request.args,
        env: request.env,
        stdin_cid: request.stdin_cid,
        input_cids: request
            .inputs
            .into_iter()
            .map(|input| NamedCid { name: input.name, cid: input.cid })
            .collect(),
        resources_required: icn_types::ResourceProfile(request.resources_required),
        timeout_seconds: request.timeout_seconds.unwrap_or(usual.timeout_seconds),
        max_fuel: request.max_fuel.unwrap_or(usual.max_fuel),
        memory_bytes_max: request.memory_bytes_max.unwrap_or(usual.memory_bytes_max),
        output_bytes_max: request.output_bytes_max.unwrap_or(usual.output_bytes_max),
        mode: Some(request.mode),
        execution_policy: Some(policy),
        ..usual
    };
    Ok((params, request.remote))
}

fn job_missing(id: &str) -> Problem {
    Problem::not_found(
        "job-not-found",
        format!("no job of this node has an id that begins with `{id}`: `icn job list` shows them"),
    )
}

fn content_missing(cid: Cid) -> Problem {
    Problem::not_found(
        "content-not-found",
        format!("`{cid}` is not stored here and nobody who was asked has it"),
    )
}

fn unreadable(cid: Cid, error: &dyn std::error::Error) -> Problem {
    Problem::invalid("content-unreadable", format!("`{cid}` cannot be read: {}", receipt::chain(error)))
}

fn submit_problem(failure: SubmitFailure) -> Problem {
    match failure {
        SubmitFailure::Refused(error @ SubmitError::Full(_)) => {
            Problem::new(503, "jobs-full", error.to_string())
        }
        SubmitFailure::Refused(error) => Problem::invalid("job-invalid", receipt::chain(&error)),
        SubmitFailure::Store(error) => store_problem(&error),
    }
}

fn store_problem(error: &StoreError) -> Problem {
    if error.is_full() {
        Problem::new(507, "storage-full", receipt::chain(error))
    } else {
        Problem::internal(receipt::chain(error))
    }
}
