//! About the node itself.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use icn_types::Page;

use super::{Shared, json, stream_response};
use crate::api::{Identity, Peer, Status};
use crate::problem::Answer;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPENMETRICS)], shared.node.metrics().await)
}

pub(super) async fn status(State(shared): State<Shared>) -> Answer<Json<Status>> {
    json(shared.node.status().await?)
}

pub(super) async fn peers(State(shared): State<Shared>) -> Answer<Json<Page<Peer>>> {
    json(shared.node.peers().await?)
}

pub(super) async fn identity(State(shared): State<Shared>) -> Answer<Json<Identity>> {
    json(shared.node.identity().await?)
}

pub(super) async fn backup(State(shared): State<Shared>) -> Answer<Response> {
    Ok(stream_response(shared.node.backup().await?, None, "application/x-tar"))
}
