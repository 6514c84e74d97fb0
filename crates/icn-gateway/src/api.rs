//! What the API asks of a node, and the JSON that goes over it. The command line reads the same types.

pub mod books;
pub mod trust;

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use icn_types::{Cid, Did, End, Page, Region, StandardJobStatus, Timestamp, TokenAmount};
use serde::{Deserialize, Serialize};

/// Bytes of any length, in pieces.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Turns of a job as they happen; ends after the last one.
pub type TurnStream = Pin<Box<dyn Stream<Item = Job> + Send>>;

/// A node, as the API sees it.
#[async_trait]
pub trait Node: Send + Sync + 'static {
    /// Tells at a glance how the node is.
    async fn status(&self) -> Result<Status, Problem>;
    /// Lists the peers that the node is connected to.
    async fn peers(&self) -> Result<Page<Peer>, Problem>;
    /// Tells who the node is.
    async fn identity(&self) -> Result<Identity, Problem>;

    /// Stores a file as UnixFS and pins it.
    async fn add(&self, body: ByteStream) -> Result<Content, Problem>;
    /// Describes content, fetching its root from the network if need be.
    async fn stat(&self, cid: Cid) -> Result<Content, Problem>;
    /// Reads content: a UnixFS file's bytes, or the raw bytes of any other block. Fetches what is missing.
    async fn cat(&self, cid: Cid) -> Result<(Content, ByteStream), Problem>;

    /// Submits a job.
    async fn submit(&self, request: JobRequest) -> Result<Job, Problem>;
    /// Lists jobs, newest first.
    async fn jobs(&self, offset: usize, limit: usize) -> Result<Page<Job>, Problem>;
    /// Shows one job, found by its id or a unique prefix of it.
    async fn job(&self, id: &str) -> Result<Job, Problem>;
    /// Follows one job: its state now, then after each turn, until it is final.
    async fn follow(&self, id: &str) -> Result<TurnStream, Problem>;
    /// Lists the bids for one job.
    async fn bids(&self, id: &str) -> Result<Page<Bid>, Problem>;
    /// Explains why a job runs where it runs, or does not run.
    async fn why(&self, id: &str) -> Result<Why, Problem>;
    /// Cancels a job; a final job stays as it is.
    async fn cancel(&self, id: &str, reason: Option<String>) -> Result<Job, Problem>;

    /// Shows a receipt, as JSON with its fields' names.
    async fn receipt(&self, cid: Cid) -> Result<serde_json::Value, Problem>;
    /// Packs a receipt with the assignment and parameters behind it, so that it can be verified anywhere.
    async fn receipt_bundle(&self, cid: Cid) -> Result<Bytes, Problem>;
    /// Verifies the bytes of a receipt or bundle.
    async fn verify_receipt(&self, bytes: Bytes) -> Result<Verdict, Problem>;
    /// Runs the job of a receipt (or bundle) again and compares.
    async fn replay(&self, bytes: Bytes) -> Result<Replay, Problem>;

    /// Streams a consistent copy of keystore and data (a tar archive).
    async fn backup(&self) -> Result<ByteStream, Problem>;
    /// Renders the metrics in the OpenMetrics text format.
    async fn metrics(&self) -> String;
}

/// Why a request could not be answered. On the wire an RFC 9457 problem body; `code` is stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// The HTTP status: 400 unreadable, 401 no token, 403 refused by a rule, 404 unknown, 409 decided otherwise,
    /// 422 wrong, 503 full.
    pub status: u16,
    /// A stable word for scripts, such as `job-not-found`.
    pub code: String,
    /// What was wrong and what to do next.
    pub detail: String,
    /// The numbers behind a refusal by a credit line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Box<books::Explanation>>,
}

impl Problem {
    /// Makes a problem.
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into(), explanation: None }
    }

    /// A rule of the space forbids it.
    pub fn refused(code: &str, detail: impl Into<String>) -> Self {
        Self::new(403, code, detail)
    }

    /// Adds the numbers behind a refusal.
    #[must_use]
    pub fn with_explanation(mut self, explanation: books::Explanation) -> Self {
        self.explanation = Some(Box::new(explanation));
        self
    }

    /// The thing asked for does not exist, as far as this node can tell.
    pub fn not_found(code: &str, detail: impl Into<String>) -> Self {
        Self::new(404, code, detail)
    }

    /// The request can be read but not carried out as it is.
    pub fn invalid(code: &str, detail: impl Into<String>) -> Self {
        Self::new(422, code, detail)
    }

    /// Something of ours failed; the log has more.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(500, "internal", detail)
    }
}

/// A node at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Program version.
    pub version: String,
    /// Who the node is.
    pub did: Did,
    /// The libp2p peer.
    pub peer_id: String,
    /// Addresses, each ending in `/p2p/<peer_id>`.
    pub listen: Vec<String>,
    /// Where this API answers (`http://127.0.0.1:…`).
    pub api: String,
    /// When the process became ready.
    pub started_at: Timestamp,
    /// Connected peers.
    pub peers: u64,
    /// Whether the node runs jobs for others.
    pub executor: bool,
    /// Where the node says it stands.
    pub region: Option<Region>,
    /// Jobs running here now.
    pub jobs_running: u64,
    /// Jobs submitted here that are not final.
    pub jobs_open: u64,
    /// Jobs known here.
    pub jobs_total: u64,
    /// Executors whose fresh advertisement is known.
    pub executors_known: u64,
    /// Blocks stored.
    pub blocks: u64,
    /// Bytes of blocks stored.
    pub block_bytes: u64,
    /// Bytes of blocks allowed.
    pub block_bytes_max: u64,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The libp2p peer.
    pub peer_id: String,
    /// Its DID, when its key is an Ed25519 key.
    pub did: Option<Did>,
    /// The address of the connection.
    pub address: String,
    /// Who dialled: `inbound` or `outbound`.
    pub direction: String,
    /// Round trip in microseconds, once measured.
    pub rtt_us: Option<u64>,
    /// What it says it is (`icn/0.1.0`).
    pub agent: Option<String>,
    /// Whether it advertises that it runs jobs.
    pub executor: bool,
    /// Its region, if advertised.
    pub region: Option<Region>,
    /// How well it is known here: `isolated`, `known`, `partner`, `federated` or `intimate`.
    #[serde(default)]
    pub class: Option<String>,
    /// Among which neighbours it counts: `local_cluster`, `regional`, `backbone` or `trusted`.
    #[serde(default)]
    pub neighbors: Option<String>,
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Canonical DID.
    pub did: Did,
    /// The same as W3C did:key.
    pub did_key: String,
    /// The libp2p peer of the same key.
    pub peer_id: String,
    /// The DID document.
    pub document: serde_json::Value,
}

/// Content by its CID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its name.
    pub cid: Cid,
    /// `file` (UnixFS) or `block`.
    pub kind: String,
    /// Bytes that `cat` gives.
    pub bytes: u64,
    /// Blocks at hand (all of them once it is fetched).
    pub blocks: u64,
    /// Whether all of it is stored here.
    pub local: bool,
}

/// A job to submit. Content must have been added before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobRequest {
    /// The WebAssembly module.
    pub wasm_cid: Option<Cid>,
    /// A word for people.
    pub description: Option<String>,
    /// The export to call; `_start` when absent.
    pub entry: Option<String>,
    /// Arguments after `argv[0]`.
    pub args: Vec<String>,
    /// Environment.
    pub env: std::collections::BTreeMap<String, String>,
    /// Standard input.
    pub stdin_cid: Option<Cid>,
    /// Files under `/in`.
    pub inputs: Vec<NamedCid>,
    /// The most it may cost, in the smallest unit of the currency.
    pub max_price: Option<TokenAmount>,
    /// The space whose books pay for it; the only one of the node when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The own identity that pays; the node's own when absent.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Only executors of this region.
    pub region: Option<Region>,
    /// Wall-clock limit in seconds; 600 when absent.
    pub timeout_seconds: Option<u64>,
    /// Fuel limit; 10^12 when absent, or as much as an executor is expected to give this node, if that is less.
    pub max_fuel: Option<u64>,
    /// Memory limit in bytes; 512 MiB when absent.
    pub memory_bytes_max: Option<u64>,
    /// Output limit in bytes; 256 MiB when absent.
    pub output_bytes_max: Option<u64>,
    /// Placement policy by name; the default policy when absent.
    pub placement: Option<String>,
    /// Only executors with this reputation at least, such as `0.3` or `30%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_reputation: Option<String>,
    /// How much reputation counts among bids, from `0` to `1`; the price counts as much as is left. Half of each when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reputation_weight: Option<String>,
    /// Never on the submitting node.
    pub remote: bool,
    /// Only these executors; empty means any.
    pub allowed_executors: Vec<Did>,
    /// Only executors that have this much.
    pub resources_required: icn_types::Resources,
    /// `fast` gives up replayability for speed.
    pub mode: icn_types::Mode,
}

/// A file by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCid {
    /// Path below `/in`.
    pub name: String,
    /// Its content.
    pub cid: Cid,
}

/// A job as scripts see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The announcement id (a CID).
    pub id: Cid,
    /// `originator` or `executor`: what this node is to the job.
    pub role: String,
    /// A word for people.
    pub description: Option<String>,
    /// How it stands, in five words.
    pub status: StandardJobStatus,
    /// How it stands, in detail.
    pub p2p_status: String,
    /// Who submitted it.
    pub originator: Did,
    /// Who runs or ran it.
    pub executor: Option<Did>,
    /// Which assignment counts, from 1; 0 before the first.
    pub lease_epoch: u64,
    /// How it ended.
    pub end: Option<End>,
    /// The guest's own code.
    pub exit_code: Option<i32>,
    /// What went wrong.
    pub error: Option<JobError>,
    /// Fuel used.
    pub fuel_used: Option<u64>,
    /// Price agreed.
    pub price: Option<TokenAmount>,
    /// How the payment stands: `held`, `captured 3 hours`, `released`, `claimed …`; nothing for a job that costs nothing.
    #[serde(default)]
    pub payment: Option<String>,
    /// What came out, `stdout` and `stderr` among them.
    pub outputs: Vec<Output>,
    /// The receipt.
    pub receipt_cid: Option<Cid>,
    /// Microseconds of each stage on the executor, from the receipt.
    pub stages_us: std::collections::BTreeMap<String, u64>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Every turn, from submission to the verified receipt.
    pub history: Vec<Turn>,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// A stable word, such as `out_of_fuel`.
    pub code: String,
    /// For people.
    pub message: String,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Path below `/out`, or `stdout`, `stderr`.
    pub name: String,
    /// Its content.
    pub cid: Cid,
    /// Its length.
    pub bytes: u64,
}

/// One turn in the life of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// The state entered, or `Progress` and `Log` for what the guest said.
    pub state: String,
    /// What there is to say.
    pub detail: Option<String>,
}

/// A bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// Who bids.
    pub executor: Did,
    /// What it asks.
    pub price: Option<TokenAmount>,
    /// What the placement policy makes of it, in parts per million; higher is better.
    pub score: u64,
    /// Where it stands.
    pub region: Option<Region>,
    /// When it came in.
    pub at: Timestamp,
    /// Whether it was chosen.
    pub chosen: bool,
    /// What became of it (`accepted`, `refused: …`, `silent`), once assigned.
    pub outcome: Option<String>,
}

/// Why a job is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The job.
    pub id: Cid,
    /// One sentence that answers the question.
    pub summary: String,
    /// Everybody that this node knows of, and what it knows.
    pub executors: Vec<WhyExecutor>,
    /// What this node cannot know.
    pub unknown: Vec<String>,
}

/// What is known of one executor concerning one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyExecutor {
    /// Who.
    pub executor: Did,
    /// `chosen`, `bid`, `declined`, `not-eligible`, `silent`.
    pub standing: String,
    /// By which rule, with the figures.
    pub detail: String,
}

/// Whether a receipt holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it does.
    pub valid: bool,
    /// Why not; or what was checked.
    pub reason: String,
}

/// What running a job again showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Whether end, outputs and fuel are the same; nothing when the receipt's end does not replay.
    pub identical: Option<bool>,
    /// What differs, or why it cannot be compared.
    pub differences: Vec<String>,
    /// Fuel used this time.
    pub fuel_used: Option<u64>,
    /// Microseconds it took.
    pub elapsed_us: u64,
}
