//! The client of a node's API.

mod books;
mod lines;
mod target;

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use icn_gateway::CancelRequest;
use icn_gateway::api::{
    Bid, Content, Identity, Job, JobRequest, Peer, Problem, Replay, Status, Verdict, Why,
};
use icn_types::{Cid, Page};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::books::{BooksClient, Query, escaped};
pub(crate) use self::lines::JsonLines;
pub(crate) use self::target::{Target, data_dir_default, running_node};
use crate::error::CliError;

/// How long a connection may take: the node is on this machine or near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Talks to one node.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// Finds out where the node is; asks it nothing yet.
    pub(crate) fn new(target: &Target) -> Result<Self, CliError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("icn/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(CliError::because("cannot prepare HTTP requests"))?;
        Ok(Self { http, base: target.base()?, token: target.token()? })
    }

    /// Returns where the node's API answers.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn status(&self) -> Result<Status, CliError> {
        self.get("/v1/status").await
    }

    pub(crate) async fn peers(&self) -> Result<Page<Peer>, CliError> {
        self.get("/v1/peers").await
    }

    pub(crate) async fn identity(&self) -> Result<Identity, CliError> {
        self.get("/v1/identity").await
    }

    /// Uploads bytes as a file.
    pub(crate) async fn add<S>(&self, pieces: S) -> Result<Content, CliError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let request = self.request(Method::POST, "/v1/content").body(reqwest::Body::wrap_stream(pieces));
        self.parsed(request).await
    }

    pub(crate) async fn stat(&self, cid: &Cid) -> Result<Content, CliError> {
        self.get(&format!("/v1/content/{cid}/stat")).await
    }

    /// Starts to download content; gives its length, if it is known, and its bytes.
    pub(crate) async fn cat(&self, cid: &Cid) -> Result<Download, CliError> {
        self.download(&format!("/v1/content/{cid}")).await
    }

    /// Downloads content of at most `bytes_max` bytes into memory.
    pub(crate) async fn fetch(&self, cid: &Cid, bytes_max: usize) -> Result<Bytes, CliError> {
        let mut download = self.cat(cid).await?;
        let mut all = Vec::new();
        while let Some(piece) = download.next().await? {
            if all.len() + piece.len() > bytes_max {
                return Err(CliError::Failed(format!("`{cid}` is larger than {bytes_max} bytes")));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    pub(crate) async fn submit(&self, job: &JobRequest) -> Result<Job, CliError> {
        self.post("/v1/jobs", job).await
    }

    pub(crate) async fn jobs(&self, offset: u64, limit: u64) -> Result<Page<Job>, CliError> {
        self.get(&format!("/v1/jobs?offset={offset}&limit={limit}")).await
    }

    pub(crate) async fn job(&self, id: &str) -> Result<Job, CliError> {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    /// Follows a job: its state now, and after each turn.
    pub(crate) async fn follow(&self, id: &str) -> Result<JsonLines<Job>, CliError> {
        self.lines(&format!("/v1/jobs/{id}/events")).await
    }

    /// Reads an answer that goes on and on.
    async fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<JsonLines<T>, CliError> {
        let response = self.checked(self.request(Method::GET, path)).await?;
        Ok(JsonLines::new(self.base.clone(), response))
    }

    pub(crate) async fn bids(&self, id: &str) -> Result<Page<Bid>, CliError> {
        self.get(&format!("/v1/jobs/{id}/bids")).await
    }

    pub(crate) async fn why(&self, id: &str) -> Result<Why, CliError> {
        self.get(&format!("/v1/jobs/{id}/why")).await
    }

    pub(crate) async fn cancel(&self, id: &str, reason: Option<String>) -> Result<Job, CliError> {
        self.post(&format!("/v1/jobs/{id}/cancel"), &CancelRequest { reason }).await
    }

    pub(crate) async fn receipt(&self, cid: &Cid) -> Result<serde_json::Value, CliError> {
        self.get(&format!("/v1/receipts/{cid}")).await
    }

    /// Fetches a receipt with what stands behind it, so that it verifies and replays anywhere.
    pub(crate) async fn receipt_bundle(&self, cid: &Cid) -> Result<Bytes, CliError> {
        let response = self.checked(self.request(Method::GET, &format!("/v1/receipts/{cid}/bundle"))).await?;
        response.bytes().await.map_err(|error| self.broken(error))
    }

    pub(crate) async fn verify(&self, receipt: Bytes) -> Result<Verdict, CliError> {
        self.parsed(self.request(Method::POST, "/v1/receipts/verify").body(receipt)).await
    }

    pub(crate) async fn replay(&self, receipt: Bytes) -> Result<Replay, CliError> {
        self.parsed(self.request(Method::POST, "/v1/receipts/replay").body(receipt)).await
    }

    pub(crate) async fn backup(&self) -> Result<Download, CliError> {
        self.download("/v1/backup").await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.parsed(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        self.parsed(self.request(Method::POST, path).json(body)).await
    }

    async fn download(&self, path: &str) -> Result<Download, CliError> {
        let response = self.checked(self.request(Method::GET, path)).await?;
        Ok(Download { base: self.base.clone(), length: response.content_length(), response })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn parsed<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let bytes = self.checked(request).await?.bytes().await.map_err(|error| self.broken(error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.broken(error))
    }

    /// Sends a request and turns every answer but success into an error.
    async fn checked(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|source| self.unsent(source))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.broken(error))?;
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(self.explained(problem)),
            Err(_) => Err(self.broken(format!("it says `{status}` and gives no reason"))),
        }
    }

    fn explained(&self, problem: Problem) -> CliError {
        if problem.status != 401 {
            return CliError::Problem(problem);
        }
        CliError::Failed(format!(
            "the node at `{}` does not accept our token: use the `--data-dir` of that node, or set ICN_API_TOKEN to \
             the content of its `api.token`",
            self.base
        ))
    }

    fn unsent(&self, source: reqwest::Error) -> CliError {
        if source.is_connect() || source.is_timeout() {
            CliError::NoAnswer { url: self.base.clone(), source }
        } else {
            self.broken(source)
        }
    }

    fn broken(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
        CliError::BadAnswer { url: self.base.clone(), source: source.into() }
    }
}

/// Bytes on their way here.
#[derive(Debug)]
pub(crate) struct Download {
    base: String,
    response: Response,
    /// How many bytes there will be, if the node said so.
    pub(crate) length: Option<u64>,
}

impl Download {
    /// Gives the next piece; nothing at the end. A connection that breaks off is an error, not an end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, CliError> {
        self.response
            .chunk()
            .await
            .map_err(|source| CliError::BadAnswer { url: self.base.clone(), source: source.into() })
    }
}

/// Reads a file piece by piece, telling `seen` how many bytes each piece has.
pub(crate) fn file_pieces<R>(
    reader: R,
    seen: impl Fn(u64) + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static
where
    R: tokio::io::AsyncRead + Send + 'static,
{
    const PIECE_BYTES: usize = 256 * 1024;
    tokio_util::io::ReaderStream::with_capacity(reader, PIECE_BYTES)
        .inspect_ok(move |piece| seen(piece.len() as u64))
}
