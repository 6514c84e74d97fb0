//! Receipts.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header;
use axum::response::IntoResponse;

use super::{CidPath, Shared, json, parse_cid};
use crate::api::{Replay, Verdict};
use crate::problem::Answer;

type Received = Result<Bytes, BytesRejection>;

pub(super) async fn show(State(shared): State<Shared>, path: CidPath) -> Answer<Json<serde_json::Value>> {
    json(shared.node.receipt(parse_cid(path)?).await?)
}

pub(super) async fn bundle(State(shared): State<Shared>, path: CidPath) -> Answer<impl IntoResponse> {
    let bytes = shared.node.receipt_bundle(parse_cid(path)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}

pub(super) async fn verify(State(shared): State<Shared>, body: Received) -> Answer<Json<Verdict>> {
    json(shared.node.verify_receipt(body?).await?)
}

pub(super) async fn replay(State(shared): State<Shared>, body: Received) -> Answer<Json<Replay>> {
    json(shared.node.replay(body?).await?)
}
