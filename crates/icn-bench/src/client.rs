//! The API of a node, as far as figures need it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use icn_gateway::api::{Content, Job, JobRequest, Problem, Status};
use icn_types::Cid;
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long one request may take, the following of a job included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

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
        let path = format!("/v1/jobs/{}/events", submitted.id);
        let mut turns = self.send(Method::GET, &path, |builder| builder).await?;
        let mut line = Vec::new();
        while let Some(piece) = turns.chunk().await.context("the turns of a job broke off")? {
            line.extend_from_slice(&piece);
            while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                let rest = line.split_off(end + 1);
                let turn: Job = serde_json::from_slice(&line).context("a turn of a job is not JSON")?;
                if turn.status.is_final() {
                    return Ok(turn);
                }
                line = rest;
            }
        }
        bail!("the turns of `{}` ended before the job", submitted.id)
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

async fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
    let bytes = response.bytes().await.context("an answer broke off")?;
    serde_json::from_slice(&bytes).context("an answer has another form")
}
