//! Who trusts whom, and the reputation of executors.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use icn_types::{Page, TrustContext};
use serde::Deserialize;

use super::listing::{Asked, limit_of};
use super::{Created, Shared, SpacePath, created, json, space_of};
use crate::api::books::Written;
use crate::api::trust::{
    Answer as TrustAnswer, Edge, EdgeListing, Offender, Question, Reputation, TrustRequest,
};
use crate::problem::Answer;

/// What the list of edges is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EdgeQuery {
    from: Option<String>,
    to: Option<String>,
    context: Option<TrustContext>,
    offset: usize,
    limit: Option<usize>,
}

/// What an explanation is asked with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PathQuery {
    #[serde(default)]
    from: Option<String>,
    to: String,
    #[serde(default)]
    context: TrustContext,
}

/// Which part of the list of executors is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PageQuery {
    offset: usize,
    limit: Option<usize>,
}

pub(super) async fn edges(
    State(shared): State<Shared>,
    space: SpacePath,
    query: Asked<EdgeQuery>,
) -> Answer<Json<Page<Edge>>> {
    let EdgeQuery { from, to, context, offset, limit } = query?.0;
    let part = EdgeListing { from, to, context, offset, limit: limit_of(limit)? };
    json(shared.trust()?.edges(&space_of(space)?, part).await?)
}

pub(super) async fn say(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Result<Json<TrustRequest>, JsonRejection>,
) -> Created<Written> {
    created(shared.trust()?.say(&space_of(space)?, request?.0).await?)
}

pub(super) async fn explain(
    State(shared): State<Shared>,
    space: SpacePath,
    query: Asked<PathQuery>,
) -> Answer<Json<TrustAnswer>> {
    let PathQuery { from, to, context } = query?.0;
    json(shared.trust()?.explain(&space_of(space)?, Question { from, to, context }).await?)
}

pub(super) async fn reputations(
    State(shared): State<Shared>,
    space: SpacePath,
    query: Asked<PageQuery>,
) -> Answer<Json<Page<Reputation>>> {
    let PageQuery { offset, limit } = query?.0;
    json(shared.trust()?.reputations(&space_of(space)?, offset, limit_of(limit)?).await?)
}

pub(super) async fn offenders(
    State(shared): State<Shared>,
    query: Asked<PageQuery>,
) -> Answer<Json<Page<Offender>>> {
    let PageQuery { offset, limit } = query?.0;
    json(shared.trust()?.offenders(offset, limit_of(limit)?).await?)
}

pub(super) async fn forgive(
    State(shared): State<Shared>,
    did: Result<Path<String>, PathRejection>,
) -> Answer<Json<Offender>> {
    json(shared.trust()?.forgive(&did?.0).await?)
}

pub(super) async fn reputation(
    State(shared): State<Shared>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Answer<Json<Reputation>> {
    let Path((space, executor)) = path?;
    json(shared.trust()?.reputation(&space, &executor).await?)
}
