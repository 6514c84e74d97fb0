//! Content by its CID.

use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::{StreamExt as _, TryStreamExt as _};

use super::{CidPath, Shared, json, parse_cid, stream_response};
use crate::api::{ByteStream, Content};
use crate::limits::UPLOAD_PAUSE_MAX;
use crate::problem::Answer;

pub(super) async fn add(State(shared): State<Shared>, body: Body) -> Answer<Json<Content>> {
    json(shared.node.add(upload(body)).await?)
}

/// Reads a body piece by piece; one that pauses too long fails, so that it cannot hold the node's resources.
fn upload(body: Body) -> ByteStream {
    let pieces = body.into_data_stream().map_err(io::Error::other);
    let timed = tokio_stream::StreamExt::timeout(pieces, UPLOAD_PAUSE_MAX);
    futures::StreamExt::map(timed, |piece| {
        piece.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the upload paused for too long"))
        })
    })
    .boxed()
}

pub(super) async fn stat(State(shared): State<Shared>, path: CidPath) -> Answer<Json<Content>> {
    json(shared.node.stat(parse_cid(path)?).await?)
}

pub(super) async fn cat(State(shared): State<Shared>, path: CidPath) -> Answer<Response> {
    let cid = parse_cid(path)?;
    let (content, stream) = shared.node.cat(cid).await?;
    let mut response = stream_response(stream, Some(content.bytes), "application/octet-stream");
    if let Ok(tag) = HeaderValue::try_from(format!("\"{cid}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
