//! The route table, and what all routes share.

mod content;
mod disputes;
mod jobs;
mod ledger;
mod listing;
mod node;
mod overview;
mod receipts;
mod spaces;
mod treasuries;
mod trust;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt as _};
use icn_types::Cid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

pub use self::jobs::CancelRequest;
use crate::api::books::Books;
use crate::api::trust::Trust;
use crate::api::{ByteStream, Node, Problem};
use crate::limits::{
    ANSWER_TIMEOUT, ENTRY_BYTES_MAX, EVENTS_CONTENT_TYPE, FETCH_TIMEOUT, JSON_BYTES_MAX, RECEIPT_BYTES_MAX,
    REFERENCE_BYTES_MAX,
};
use crate::problem::{Answer, Rejection};
use crate::{host, token};

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) node: Arc<dyn Node>,
    /// The common books, on a node that keeps some.
    pub(crate) books: Option<Arc<dyn Books>>,
    /// What the node knows of trust.
    pub(crate) trust: Option<Arc<dyn Trust>>,
    pub(crate) token: Arc<str>,
    /// Where the API is bound.
    pub(crate) bound: SocketAddr,
    /// Fires when the server is about to end, so that endless answers end too.
    pub(crate) closing: CancellationToken,
}

impl Shared {
    /// Returns the common books.
    fn books(&self) -> Answer<&dyn Books> {
        self.books.as_deref().ok_or_else(|| {
            Problem::new(
                503,
                "books-unavailable",
                "this node keeps no common books, or is still opening them",
            )
            .into()
        })
    }
}

impl Shared {
    /// Returns what the node knows of trust.
    fn trust(&self) -> Answer<&dyn Trust> {
        self.trust.as_deref().ok_or_else(|| {
            Problem::new(503, "trust-unavailable", "this node keeps no common books: trust stands in them")
                .into()
        })
    }
}

/// Builds the whole API.
pub(crate) fn table(shared: Shared) -> Router {
    Router::new()
        .route("/healthz", get(node::healthz))
        .route("/metrics", get(node::metrics))
        .nest("/v1", version_1(&shared))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(shared.clone(), host::require_own))
        .with_state(shared)
}

fn version_1(shared: &Shared) -> Router<Shared> {
    questions()
        .merge(books())
        .merge(entries())
        .merge(trusts())
        .merge(audits())
        .merge(fetches())
        .merge(transfers())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(shared.clone(), token::require))
}

/// Routes that answer from what the node knows.
fn questions() -> Router<Shared> {
    Router::new()
        .route("/status", get(node::status))
        .route("/peers", get(node::peers))
        .route("/identity", get(node::identity))
        .route("/jobs", get(jobs::list).post(jobs::submit))
        .route("/jobs/{id}", get(jobs::show))
        .route("/jobs/{id}/bids", get(jobs::bids))
        .route("/jobs/{id}/why", get(jobs::why))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(middleware::from_fn_with_state(ANSWER_TIMEOUT, within))
}

/// Routes of identities, spaces and what is paid in them.
fn books() -> Router<Shared> {
    Router::new()
        .route("/identities", get(spaces::identities).post(spaces::create_identity))
        .route("/spaces", get(spaces::list).post(spaces::create))
        .route("/spaces/{space}", get(spaces::show))
        .route("/spaces/{space}/invitations", post(spaces::invite))
        .route("/spaces/{space}/members", get(spaces::members))
        .route("/spaces/{space}/rules", post(spaces::rule))
        .route("/spaces/{space}/grants", post(spaces::grant))
        .route("/spaces/{space}/witnesses", get(spaces::witnesses))
        .route("/spaces/{space}/balances", get(ledger::balances))
        .route("/spaces/{space}/history", get(ledger::history))
        .route("/spaces/{space}/limits", get(ledger::limits))
        .route("/spaces/{space}/explain", get(ledger::explain))
        .route("/spaces/{space}/pay", post(ledger::pay))
        .route("/spaces/{space}/request", post(ledger::ask))
        .route("/spaces/{space}/requests", get(ledger::requests))
        .route("/spaces/{space}/requests/{ref}/decline", post(ledger::decline_request))
        .route("/spaces/{space}/holds", get(ledger::holds).post(ledger::place_hold))
        .route("/spaces/{space}/orders/{ref}", get(ledger::order))
        .route("/spaces/{space}/orders/{ref}/{turn}", post(ledger::turn))
        .route("/spaces/{space}/forks", get(ledger::forks))
        .route("/spaces/{space}/claims", get(ledger::claims))
        .route("/spaces/{space}/quarantine", get(ledger::quarantine))
        .route("/spaces/{space}/misbehaviour", get(ledger::misbehaviour))
        .route("/spaces/{space}/seals", get(ledger::seals))
        .route("/spaces/{space}/standings", get(disputes::standings).post(disputes::place_standing))
        .route("/spaces/{space}/standings/{ref}/end", post(disputes::end_standing))
        .route("/spaces/{space}/split", post(disputes::split))
        .route("/spaces/{space}/proposals", get(treasuries::proposals).post(treasuries::propose))
        .route("/spaces/{space}/proposals/{ref}", get(treasuries::proposal))
        .route("/spaces/{space}/proposals/{ref}/approve", post(treasuries::approve))
        .route("/spaces/{space}/proposals/{ref}/withdraw", post(treasuries::withdraw))
        .route("/spaces/{space}/budgets", get(treasuries::budgets).post(treasuries::allot))
        .route("/spaces/{space}/budgets/{ref}/end", post(treasuries::end_budget))
        .route("/spaces/{space}/transfers", get(disputes::transfers))
        .route("/spaces/{space}/demurrage", get(disputes::demurrage))
        .route("/spaces/{space}/disputes", get(disputes::list).post(disputes::file))
        .route("/spaces/{space}/disputes/{ref}", get(disputes::show).post(disputes::step))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(middleware::from_fn_with_state(ANSWER_TIMEOUT, within))
}

/// Routes of trust, and of what follows from it.
fn trusts() -> Router<Shared> {
    Router::new()
        .route("/offenders", get(trust::offenders))
        .route("/offenders/{did}/forgive", post(trust::forgive))
        .route("/spaces/{space}/trust", get(trust::edges).post(trust::say))
        .route("/spaces/{space}/trust/path", get(trust::explain))
        .route("/spaces/{space}/reputation", get(trust::reputations))
        .route("/spaces/{space}/reputation/{executor}", get(trust::reputation))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(middleware::from_fn_with_state(ANSWER_TIMEOUT, within))
}

/// Routes of entries, whose bodies are small.
fn entries() -> Router<Shared> {
    Router::new()
        .route("/spaces/{space}/entries", get(ledger::entries).post(ledger::append))
        .route("/spaces/{space}/entries/prepare", post(ledger::prepare))
        .layer(DefaultBodyLimit::max(ENTRY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(ANSWER_TIMEOUT, within))
}

/// Routes that read or fetch whole books, which take as long as the books are.
fn audits() -> Router<Shared> {
    Router::new()
        .route("/join", post(spaces::join))
        .route("/follow", post(spaces::follow))
        .route("/unfollow", post(spaces::unfollow))
        .route("/spaces/{space}/verify", get(ledger::verify))
        .route("/spaces/{space}/export", get(ledger::export))
        .route("/spaces/{space}/health", get(overview::health))
        .route("/spaces/{space}/statement", get(overview::statement))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
}

/// Routes that may have to fetch from other nodes before they can answer.
fn fetches() -> Router<Shared> {
    Router::new()
        .route("/content/{cid}", get(content::cat))
        .route("/content/{cid}/stat", get(content::stat))
        .route("/receipts/{cid}", get(receipts::show))
        .route("/receipts/{cid}/bundle", get(receipts::bundle))
        .route("/receipts/verify", post(receipts::verify))
        .layer(DefaultBodyLimit::max(RECEIPT_BYTES_MAX))
        .layer(middleware::from_fn_with_state(FETCH_TIMEOUT, within))
}

/// Routes that take as long as they take: they move bytes, follow a job or the books, or run a job.
fn transfers() -> Router<Shared> {
    Router::new()
        .route("/content", post(content::add))
        .route("/jobs/{id}/events", get(jobs::events))
        .route("/spaces/{space}/events", get(ledger::events))
        .route("/receipts/replay", post(receipts::replay))
        .route("/backup", get(node::backup))
        .layer(DefaultBodyLimit::max(RECEIPT_BYTES_MAX))
}

/// Gives up when no answer has begun in time.
async fn within(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("there was no answer within {} seconds: try again later", limit.as_secs());
            Rejection(Problem::new(504, "timeout", detail)).into_response()
        }
    }
}

async fn no_route(uri: Uri) -> Rejection {
    let path: String = uri.path().chars().take(200).collect();
    Rejection(Problem::not_found("no-such-route", format!("there is nothing at `{path}`")))
}

async fn no_method(method: Method, uri: Uri) -> Rejection {
    let path: String = uri.path().chars().take(200).collect();
    Rejection(Problem::new(405, "no-such-method", format!("`{method}` is not something `{path}` can do")))
}

/// The part of a path that should be a CID.
type CidPath = Result<Path<String>, PathRejection>;

/// Reads a CID out of a path.
fn parse_cid(path: CidPath) -> Answer<Cid> {
    let Path(text) = path?;
    text.parse().map_err(|error: icn_types::CidError| Problem::new(400, "bad-cid", error.to_string()).into())
}

/// The part of a path that should name a space.
type SpacePath = Result<Path<String>, PathRejection>;

/// Reads the name of a space out of a path.
fn space_of(path: SpacePath) -> Answer<String> {
    let Path(space) = path?;
    if space.len() <= REFERENCE_BYTES_MAX {
        return Ok(space);
    }
    Err(Problem::not_found("space-not-found", "no space has a name as long as the one given").into())
}

/// Reads a JSON body that may be left out.
fn optional_json<T: Default + DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Answer<T> {
    let body = body?;
    if body.is_empty() {
        return Ok(T::default());
    }
    let parsed = serde_json::from_slice(&body);
    Ok(parsed
        .map_err(|error| Problem::new(400, "json-unreadable", format!("the body is unreadable: {error}")))?)
}

/// Answers with bytes of a known or unknown length, under a content type.
fn stream_response(stream: ByteStream, bytes: Option<u64>, content_type: &'static str) -> Response {
    let logged = stream.inspect(|piece| {
        if let Err(error) = piece {
            tracing::debug!(%error, "an answer was cut short");
        }
    });
    let mut response = Response::new(Body::from_stream(logged));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(bytes) = bytes {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    response
}

/// Answers with one line of JSON for each value, until the values end or the server does.
fn events_response<T: Serialize + Send + 'static>(
    shared: &Shared,
    values: impl Stream<Item = T> + Send + 'static,
) -> Response {
    let lines = values.take_until(shared.closing.clone().cancelled_owned()).filter_map(|value| async move {
        let mut line = serde_json::to_vec(&value).ok()?;
        line.push(b'\n');
        Some(Ok::<_, Infallible>(Bytes::from(line)))
    });
    ([(header::CONTENT_TYPE, EVENTS_CONTENT_TYPE)], Body::from_stream(lines)).into_response()
}

/// The answer to a request that made something.
type Created<T> = Answer<(StatusCode, Json<T>)>;

/// Answers with the JSON of what was made.
fn created<T>(value: T) -> Created<T> {
    Ok((StatusCode::CREATED, Json(value)))
}

/// Answers with JSON.
fn json<T>(value: T) -> Answer<Json<T>> {
    Ok(Json(value))
}
