//! Jobs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use icn_types::Page;
use serde::{Deserialize, Serialize};

use super::listing::limit_of;
use super::{Shared, events_response, json, optional_json};
use crate::api::{Bid, Job, JobRequest, Problem, Why};
use crate::limits::JOB_ID_BYTES_MAX;
use crate::problem::Answer;

/// The body of a cancellation; may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CancelRequest {
    /// What the executor and the history are told.
    pub reason: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Part {
    offset: usize,
    limit: Option<usize>,
}

type Id = Result<Path<String>, PathRejection>;

pub(super) async fn submit(
    State(shared): State<Shared>,
    request: Result<Json<JobRequest>, JsonRejection>,
) -> Answer<(StatusCode, Json<Job>)> {
    Ok((StatusCode::CREATED, Json(shared.node.submit(request?.0).await?)))
}

pub(super) async fn list(
    State(shared): State<Shared>,
    part: Result<Query<Part>, QueryRejection>,
) -> Answer<Json<Page<Job>>> {
    let Part { offset, limit } = part?.0;
    json(shared.node.jobs(offset, limit_of(limit)?).await?)
}

pub(super) async fn show(State(shared): State<Shared>, id: Id) -> Answer<Json<Job>> {
    json(shared.node.job(&known_length(id)?).await?)
}

pub(super) async fn bids(State(shared): State<Shared>, id: Id) -> Answer<Json<Page<Bid>>> {
    json(shared.node.bids(&known_length(id)?).await?)
}

pub(super) async fn why(State(shared): State<Shared>, id: Id) -> Answer<Json<Why>> {
    json(shared.node.why(&known_length(id)?).await?)
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    id: Id,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<Job>> {
    let request: CancelRequest = optional_json(body)?;
    json(shared.node.cancel(&known_length(id)?, request.reason).await?)
}

/// Follows a job: one line of JSON now and one after each turn. Ends with the job, or when the node shuts down.
pub(super) async fn events(State(shared): State<Shared>, id: Id) -> Answer<Response> {
    let turns = shared.node.follow(&known_length(id)?).await?;
    Ok(events_response(&shared, turns))
}

fn known_length(id: Id) -> Answer<String> {
    let Path(id) = id?;
    if id.len() <= JOB_ID_BYTES_MAX {
        return Ok(id);
    }
    Err(Problem::not_found("job-not-found", "no job has an id as long as the one given").into())
}
