//! The API of a node, as far as figures need it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use icn_gateway::api::{Content, Job, JobRequest, Problem, Status};
use icn_types::Cid;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How long one request may take, the following of a job included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an answer that goes on and on may go on.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Where a running node is: what is used of `node.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct NodeFile {
    /// The process.
    pub pid: u32,
    /// Its addresses, each ending in `/p2p/<peer_id>`.
    pub listen: Vec<String>,
    /// Where its API answers.
    pub api: String,
}

/// Talks to one node.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// Finds the API of the node in a folder; asks it nothing yet.
    ///
    /// # Errors
    ///
    /// When the node's token cannot be read.
    pub fn new(data_dir: &Path, file: &NodeFile) -> Result<Self> {
        let token = std::fs::read_to_string(data_dir.join("api.token")).context("reading `api.token`")?;
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
        Ok(Self { http, base: file.api.clone(), token: token.trim().to_owned() })
    }

    /// Asks how the node is.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn status(&self) -> Result<Status> {
        read(self.send(Method::GET, "/v1/status", |request| request).await?).await
    }

    /// Stores a file.
    ///
    /// # Errors
    ///
    /// When the node does not take it.
    pub async fn add(&self, bytes: Bytes) -> Result<Content> {
        read(self.send(Method::POST, "/v1/content", |request| request.body(bytes)).await?).await
    }

    /// Reads content to its end and returns its length.
    ///
    /// # Errors
    ///
    /// When the node cannot get it.
    pub async fn cat(&self, cid: &Cid) -> Result<u64> {
        let mut response = self.send(Method::GET, &format!("/v1/content/{cid}"), |request| request).await?;
        let mut bytes = 0;
        while let Some(piece) = response.chunk().await.context("the content broke off")? {
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }

    /// Submits a job and follows it to its end.
    ///
    /// # Errors
    ///
    /// When the node refuses it or stops answering; not when the job fails.
    pub async fn run(&self, request: &JobRequest) -> Result<Job> {
        let submitted: Job =
            read(self.send(Method::POST, "/v1/jobs", |builder| builder.json(request)).await?).await?;
        let mut turns = self.lines(&format!("/v1/jobs/{}/events", submitted.id)).await?;
        while let Some(turn) = turns.next::<Job>().await? {
            if turn.status.is_final() {
                return Ok(turn);
            }
        }
        bail!("the turns of `{}` ended before the job", submitted.id)
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// When the node refuses it.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(self.send(Method::GET, path, |request| request).await?).await
    }

    /// Sends JSON and reads JSON.
    ///
    /// # Errors
    ///
    /// When the node refuses it.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        read(self.send(Method::POST, path, |request| request.json(body)).await?).await
    }

    /// Begins to read an answer that goes on and on.
    ///
    /// # Errors
    ///
    /// When the node refuses it.
    pub async fn lines(&self, path: &str) -> Result<Lines> {
        let response = self.send(Method::GET, path, |request| request.timeout(FOLLOW_TIMEOUT)).await?;
        Ok(Lines { response, buffer: BytesMut::new() })
    }

    /// Reads a receipt.
    ///
    /// # Errors
    ///
    /// When the node does not have it.
    pub async fn receipt(&self, cid: &Cid) -> Result<serde_json::Value> {
        read(self.send(Method::GET, &format!("/v1/receipts/{cid}"), |request| request).await?).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        add: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response> {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let response = add(request).send().await.with_context(|| format!("asking the node for `{path}`"))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        match serde_json::from_slice::<Problem>(&response.bytes().await?) {
            Ok(problem) => bail!("the node refused `{path}`: {}", problem.detail),
            Err(_) => bail!("the node refused `{path}`: {status}"),
        }
    }
}

/// Lines of JSON as they come.
#[derive(Debug)]
pub struct Lines {
    response: Response,
    buffer: BytesMut,
}

impl Lines {
    /// Waits for the next line; nothing when the node ended the answer.
    ///
    /// # Errors
    ///
    /// When the answer breaks off or a line has another form.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return serde_json::from_slice(&line).map(Some).context("a line has another form");
            }
            match self.response.chunk().await.context("an answer broke off")? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
    let bytes = response.bytes().await.context("an answer broke off")?;
    serde_json::from_slice(&bytes).context("an answer has another form")
}
