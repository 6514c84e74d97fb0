//! A node behind a real HTTP server, which answers from memory and as the test wants.

#![allow(dead_code, reason = "each test program uses a part of this")]

pub(crate) mod books;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use icn_gateway::api::{
    Bid, ByteStream, Content, Identity, Job, JobError, JobRequest, Node, Peer, Problem, Replay, Status, Turn,
    TurnStream, Verdict, Why,
};
use icn_types::{Cid, Did, End, Page, StandardJobStatus, Timestamp};

use self::books::FakeBooks;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// What the fake does with the one job it knows.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) status: StandardJobStatus,
    pub(crate) end: Option<End>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) error: Option<&'static str>,
    pub(crate) outputs: Vec<(&'static str, &'static [u8])>,
    pub(crate) receipt_valid: bool,
    /// Refuses the submission.
    pub(crate) refuse: bool,
    /// Stays running until it is cancelled.
    pub(crate) endless: bool,
    /// How many times the stream of events breaks off before it goes through.
    pub(crate) breaks: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            status: StandardJobStatus::CompletedSuccessfully,
            end: Some(End::Exit),
            exit_code: Some(0),
            error: None,
            outputs: vec![("stdout", b"out\n"), ("stderr", b"err\n"), ("sub/result.txt", b"result")],
            receipt_valid: true,
            refuse: false,
            endless: false,
            breaks: 0,
        }
    }
}

pub(crate) struct FakeNode {
    script: Script,
    blocks: Mutex<BTreeMap<Cid, Bytes>>,
    pub(crate) requests: Mutex<Vec<JobRequest>>,
    pub(crate) cancelled: tokio::sync::watch::Sender<Option<String>>,
    breaks: Mutex<usize>,
}

pub(crate) fn did(number: u8) -> Did {
    Did::from_public_key([number; 32])
}

pub(crate) fn job_id() -> Cid {
    Cid::of_dag_cbor(b"the job")
}

fn receipt_cid() -> Cid {
    Cid::of_dag_cbor(b"the receipt")
}

fn content(cid: Cid, bytes: &Bytes) -> Content {
    Content { cid, kind: "file".to_owned(), bytes: bytes.len() as u64, blocks: 1, local: true }
}

impl FakeNode {
    fn new(script: Script) -> Self {
        let node = Self {
            breaks: Mutex::new(script.breaks),
            script,
            blocks: Mutex::default(),
            requests: Mutex::default(),
            cancelled: tokio::sync::watch::Sender::new(None),
        };
        for (_, bytes) in &node.script.outputs {
            node.put(Cid::of_raw(bytes), Bytes::from_static(bytes));
        }
        node.put(receipt_cid(), Bytes::from_static(b"the receipt"));
        node
    }

    fn put(&self, cid: Cid, bytes: Bytes) {
        self.blocks.lock().unwrap().insert(cid, bytes);
    }

    fn held(&self, cid: Cid) -> Result<Bytes, Problem> {
        let missing = || Problem::not_found("content-not-found", format!("nobody has `{cid}`"));
        self.blocks.lock().unwrap().get(&cid).cloned().ok_or_else(missing)
    }

    fn running(&self) -> Job {
        Job {
            id: job_id(),
            role: "originator".to_owned(),
            description: Some("fake".to_owned()),
            status: StandardJobStatus::Running,
            p2p_status: "Executing".to_owned(),
            originator: did(1),
            executor: Some(did(2)),
            lease_epoch: 1,
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
            history: vec![Turn {
                at: Timestamp::from_millis(1_005),
                state: "Announced".to_owned(),
                detail: None,
            }],
        }
    }

    fn ended(&self) -> Job {
        let mut job = self.running();
        job.status = self.script.status;
        job.end = self.script.end;
        job.exit_code = self.script.exit_code;
        job.error = self
            .script
            .error
            .map(|code| JobError { code: code.to_owned(), message: "it went wrong".to_owned() });
        job.outputs = self
            .script
            .outputs
            .iter()
            .map(|(name, bytes)| icn_gateway::api::Output {
                name: (*name).to_owned(),
                cid: Cid::of_raw(bytes),
                bytes: bytes.len() as u64,
            })
            .collect();
        job.receipt_cid = Some(receipt_cid());
        job.history.push(Turn {
            at: Timestamp::from_millis(1_030),
            state: "Verified".to_owned(),
            detail: Some("receipt".to_owned()),
        });
        job
    }

    fn taken_back(&self) -> Job {
        Job { status: StandardJobStatus::Cancelled, end: Some(End::Cancelled), ..self.running() }
    }
}

#[async_trait]
impl Node for FakeNode {
    async fn status(&self) -> Result<Status, Problem> {
        Ok(Status {
            version: "0.1.0".to_owned(),
            did: did(1),
            peer_id: "12D3KooWFake".to_owned(),
            listen: vec!["/ip4/127.0.0.1/udp/7100/quic-v1/p2p/12D3KooWFake".to_owned()],
            api: "http://127.0.0.1:7171".to_owned(),
            started_at: Timestamp::from_millis(1_000),
            peers: 0,
            executor: false,
            region: None,
            jobs_running: 0,
            jobs_open: 0,
            jobs_total: 157,
            executors_known: 0,
            blocks: 0,
            block_bytes: 0,
            block_bytes_max: 1 << 30,
        })
    }

    async fn peers(&self) -> Result<Page<Peer>, Problem> {
        Ok(Page::cut([].into_iter(), 0, 1))
    }

    async fn identity(&self) -> Result<Identity, Problem> {
        Ok(Identity {
            did: did(1),
            did_key: did(1).to_did_key(),
            peer_id: "12D3KooWFake".to_owned(),
            document: serde_json::json!({ "id": did(1) }),
        })
    }

    async fn add(&self, body: ByteStream) -> Result<Content, Problem> {
        let pieces: Vec<Bytes> =
            body.try_collect().await.map_err(|error| Problem::invalid("upload-broken", error.to_string()))?;
        let bytes = Bytes::from(pieces.concat());
        let cid = Cid::of_raw(&bytes);
        self.put(cid, bytes.clone());
        Ok(content(cid, &bytes))
    }

    async fn stat(&self, cid: Cid) -> Result<Content, Problem> {
        Ok(content(cid, &self.held(cid)?))
    }

    async fn cat(&self, cid: Cid) -> Result<(Content, ByteStream), Problem> {
        let bytes = self.held(cid)?;
        let described = content(cid, &bytes);
        Ok((described, futures::stream::iter([Ok(bytes)]).boxed()))
    }

    async fn submit(&self, request: JobRequest) -> Result<Job, Problem> {
        self.requests.lock().unwrap().push(request);
        if self.script.refuse {
            return Err(Problem::new(403, "policy-refused", "the policy of this node forbids it"));
        }
        Ok(self.running())
    }

    async fn jobs(&self, offset: usize, limit: usize) -> Result<Page<Job>, Problem> {
        Ok(Page::cut(vec![self.ended(); 157].into_iter(), offset, limit))
    }

    async fn job(&self, id: &str) -> Result<Job, Problem> {
        if job_id().to_string().starts_with(id) {
            return Ok(self.ended());
        }
        Err(Problem::not_found("job-not-found", format!("no job has an id that begins with `{id}`")))
    }

    async fn follow(&self, _id: &str) -> Result<TurnStream, Problem> {
        {
            let mut breaks = self.breaks.lock().unwrap();
            if *breaks > 0 {
                *breaks -= 1;
                return Ok(futures::stream::iter([self.running()]).boxed());
            }
        }
        if !self.script.endless {
            return Ok(futures::stream::iter([self.running(), self.ended()]).boxed());
        }
        let mut cancelled = self.cancelled.subscribe();
        let last = self.taken_back();
        let end = futures::stream::once(async move {
            let _told = cancelled.wait_for(Option::is_some).await;
            last
        });
        Ok(futures::stream::iter([self.running()]).chain(end).boxed())
    }

    async fn bids(&self, _id: &str) -> Result<Page<Bid>, Problem> {
        Ok(Page::cut([].into_iter(), 0, 1))
    }

    async fn why(&self, id: &str) -> Result<Why, Problem> {
        let job = self.job(id).await?;
        Ok(Why { id: job.id, summary: "it bid least".to_owned(), executors: vec![], unknown: vec![] })
    }

    async fn cancel(&self, _id: &str, reason: Option<String>) -> Result<Job, Problem> {
        self.cancelled.send_replace(Some(reason.unwrap_or_default()));
        Ok(self.taken_back())
    }

    async fn receipt(&self, cid: Cid) -> Result<serde_json::Value, Problem> {
        Ok(serde_json::json!({ "announcement_id": cid }))
    }

    async fn receipt_bundle(&self, _cid: Cid) -> Result<Bytes, Problem> {
        Ok(Bytes::from_static(b"the bundle"))
    }

    async fn verify_receipt(&self, _bytes: Bytes) -> Result<Verdict, Problem> {
        Ok(Verdict { valid: self.script.receipt_valid, reason: "as the test wants".to_owned() })
    }

    async fn replay(&self, _bytes: Bytes) -> Result<Replay, Problem> {
        Ok(Replay { identical: Some(true), differences: vec![], fuel_used: Some(1), elapsed_us: 1 })
    }

    async fn backup(&self) -> Result<ByteStream, Problem> {
        Ok(futures::stream::iter([Ok(Bytes::from_static(b"archive"))]).boxed())
    }

    async fn metrics(&self) -> String {
        String::new()
    }
}

/// A fake node that answers, and a folder for the command line to work in.
pub(crate) struct Served {
    pub(crate) node: Arc<FakeNode>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) api: String,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    /// Serves a node without common books.
    pub(crate) fn new(script: Script) -> Self {
        Self::start(script, None)
    }

    /// Serves a node that keeps the books of these spaces.
    pub(crate) fn with_spaces(spaces: &[&'static str]) -> (Self, Arc<FakeBooks>) {
        let books = Arc::new(FakeBooks::new(spaces.to_vec()));
        (Self::start(Script::default(), Some(Arc::clone(&books))), books)
    }

    fn start(script: Script, books: Option<Arc<FakeBooks>>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let node = Arc::new(FakeNode::new(script));
        let mut served = icn_gateway::Api::new(node.clone(), TOKEN.to_owned());
        if let Some(books) = books {
            served = served.with_books(books.clone()).with_trust(books);
        }
        runtime.spawn(served.serve(listener, std::future::pending()));
        Self { node, folder: tempfile::tempdir().unwrap(), api, _runtime: runtime }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        self.command_of(&line.split(' ').collect::<Vec<_>>())
    }

    fn command_of(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icn"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path())
            .env("ICN_API", &self.api)
            .env("ICN_API_TOKEN", TOKEN)
            .current_dir(self.path())
            .stdin(std::process::Stdio::null());
        command
    }

    /// Runs a command whose arguments have blanks in them.
    pub(crate) fn icn_args(&self, args: &[&str]) -> Output {
        self.command_of(args).output().unwrap()
    }

    pub(crate) fn icn(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }
}
