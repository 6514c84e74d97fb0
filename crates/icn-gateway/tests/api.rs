//! The API as a client sees it: who may ask, what problems look like, pages, streams.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use futures::{StreamExt as _, TryStreamExt as _};
use icn_gateway::api::{Content, Job};
use icn_gateway::{EVENTS_CONTENT_TYPE, JSON_BYTES_MAX, PROBLEM_CONTENT_TYPE, RECEIPT_BYTES_MAX};
use icn_types::{Cid, Page, StandardJobStatus};
use serde_json::Value;
use support::{FakeNode, shared};
use tower::ServiceExt as _;

const TOKEN: &str = "0123456789abcdef";

fn api(node: &Arc<FakeNode>) -> Router {
    icn_gateway::router(node.clone(), TOKEN.to_owned(), "127.0.0.1:7171".parse().unwrap())
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:7171")
        .header("authorization", format!("Bearer {TOKEN}"))
}

async fn send(node: &Arc<FakeNode>, request: Request<Body>) -> Response<Body> {
    api(node).oneshot(request).await.unwrap()
}

async fn get(node: &Arc<FakeNode>, path: &str) -> Response<Body> {
    send(node, request("GET", path).body(Body::empty()).unwrap()).await
}

async fn post(node: &Arc<FakeNode>, path: &str, body: impl Into<Body>) -> Response<Body> {
    let request = request("POST", path).header("content-type", "application/json");
    send(node, request.body(body.into()).unwrap()).await
}

async fn bytes(response: Response<Body>) -> Bytes {
    let pieces: Vec<Bytes> = response.into_body().into_data_stream().try_collect().await.unwrap();
    pieces.concat().into()
}

async fn parsed<T: serde::de::DeserializeOwned>(response: Response<Body>) -> T {
    serde_json::from_slice(&bytes(response).await).unwrap()
}

async fn check_problem(response: Response<Body>, status: u16, code: &str) {
    assert_eq!(response.status().as_u16(), status, "{code}");
    assert_eq!(response.headers()["content-type"], PROBLEM_CONTENT_TYPE, "{code}");
    let body: Value = parsed(response).await;
    assert_eq!(body["code"], code);
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("urn:icn:problem:{code}"));
    for field in ["title", "detail"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{code}: {field}");
    }
}

#[tokio::test]
async fn everything_under_v1_needs_the_token() {
    let node = shared(FakeNode::default());
    for path in ["/v1/status", "/v1/jobs", "/v1/backup", "/v1/no-such-thing"] {
        for token in [None, Some("Bearer wrong"), Some("Basic 0123456789abcdef")] {
            let mut request = Request::builder().uri(path).header("host", "localhost");
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            let response = send(&node, request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            check_problem(response, 401, "token-required").await;
        }
    }
}

#[tokio::test]
async fn health_and_metrics_need_no_token() {
    let node = shared(FakeNode::default());
    for (path, expected) in [("/healthz", "ok\n"), ("/metrics", "# EOF\n")] {
        let request = Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = send(&node, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(bytes(response).await, expected);
    }
}

#[tokio::test]
async fn another_host_is_refused_even_with_the_token() {
    let node = shared(FakeNode::default());
    for path in ["/v1/identity", "/metrics", "/healthz", "/"] {
        for host in [Some("evil.example"), Some("evil.example:7171"), None] {
            let mut request = Request::builder().uri(path).header("authorization", format!("Bearer {TOKEN}"));
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let response = send(&node, request.body(Body::empty()).unwrap()).await;
            check_problem(response, 403, "host-refused").await;
        }
    }
}

#[tokio::test]
async fn problems_are_problem_bodies() {
    let node = shared(FakeNode::default());
    check_problem(get(&node, "/v1/no-such-thing").await, 404, "no-such-route").await;
    check_problem(get(&node, "/elsewhere").await, 404, "no-such-route").await;
    check_problem(post(&node, "/v1/status", "").await, 405, "no-such-method").await;
    check_problem(get(&node, "/v1/content/not-a-cid").await, 400, "bad-cid").await;
    check_problem(get(&node, "/v1/receipts/%ff").await, 400, "path-unreadable").await;
    check_problem(get(&node, "/v1/jobs/bafk").await, 404, "job-not-found").await;
    check_problem(get(&node, &format!("/v1/jobs/{}", "b".repeat(200))).await, 404, "job-not-found").await;
    check_problem(post(&node, "/v1/jobs", "{").await, 400, "json-unreadable").await;
    check_problem(post(&node, "/v1/jobs", r#"{"wasm":1}"#).await, 422, "json-wrong").await;
    check_problem(post(&node, "/v1/jobs", "{}").await, 422, "module-required").await;
    check_problem(post(&node, "/v1/jobs/x/cancel", "[").await, 400, "json-unreadable").await;
    let untyped = request("POST", "/v1/jobs").body(Body::from("{}")).unwrap();
    check_problem(send(&node, untyped).await, 415, "json-required").await;
    let full = get(&node, "/v1/status").await;
    assert_eq!(full.headers()["retry-after"], "1");
    check_problem(full, 503, "starting").await;
}

#[tokio::test]
async fn bodies_are_bounded() {
    let node = shared(FakeNode::default());
    let check = async |path: &str, size: usize| {
        check_problem(post(&node, path, vec![b' '; size]).await, 413, "body-too-large").await;
    };
    check("/v1/jobs", JSON_BYTES_MAX + 1).await;
    check("/v1/jobs/x/cancel", JSON_BYTES_MAX + 1).await;
    check("/v1/receipts/verify", RECEIPT_BYTES_MAX + 1).await;
    check("/v1/receipts/replay", RECEIPT_BYTES_MAX + 1).await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let node = shared(FakeNode { jobs: 157, ..FakeNode::default() });
    let check = async |query: &str, items: usize, has_more: bool| {
        let page: Page<Job> = parsed(get(&node, &format!("/v1/jobs{query}")).await).await;
        assert_eq!((page.items.len(), page.total, page.has_more), (items, 157, has_more), "{query}");
    };
    check("", 20, true).await;
    check("?offset=140", 17, false).await;
    check("?limit=100&offset=20", 100, true).await;
    check("?offset=18446744073709551615", 0, false).await;
    for query in ["?limit=0", "?limit=101"] {
        check_problem(get(&node, &format!("/v1/jobs{query}")).await, 422, "bad-limit").await;
    }
    for query in ["?limit=x", "?offset=-1", "?page=2"] {
        check_problem(get(&node, &format!("/v1/jobs{query}")).await, 400, "query-unreadable").await;
    }
}

#[tokio::test]
async fn content_streams_both_ways() {
    let node = shared(FakeNode::default());
    let sent: Vec<u8> = (0..5_000_000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    let pieces: Vec<std::io::Result<Bytes>> =
        sent.chunks(60_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let body = Body::from_stream(futures::stream::iter(pieces));
    let added: Content = parsed(post(&node, "/v1/content", body).await).await;
    assert_eq!(added.bytes, 5_000_000);

    let response = get(&node, &format!("/v1/content/{}", added.cid)).await;
    assert_eq!(response.headers()["content-length"], "5000000");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    assert_eq!(response.headers()["etag"], format!("\"{}\"", added.cid));
    assert!(bytes(response).await == sent);

    let stat: Content = parsed(get(&node, &format!("/v1/content/{}/stat", added.cid)).await).await;
    assert_eq!(stat, added);
    let unknown = Cid::of_raw(b"unknown");
    check_problem(get(&node, &format!("/v1/content/{unknown}")).await, 404, "content-not-found").await;
}

#[tokio::test]
async fn broken_upload_reaches_the_node_as_an_error() {
    let node = shared(FakeNode::default());
    let pieces = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("the client went away"))];
    let body = Body::from_stream(futures::stream::iter(pieces));
    check_problem(post(&node, "/v1/content", body).await, 422, "upload-broken").await;
}

#[tokio::test]
async fn events_are_one_job_a_line() {
    let node = shared(FakeNode::default());
    let response = get(&node, "/v1/jobs/x/events").await;
    assert_eq!(response.headers()["content-type"], EVENTS_CONTENT_TYPE);
    let body = bytes(response).await;
    let jobs: Vec<Job> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs[1].status, StandardJobStatus::CompletedSuccessfully);
}

#[tokio::test]
async fn cancel_takes_a_reason_or_none() {
    let node = shared(FakeNode::default());
    post(&node, "/v1/jobs/x/cancel", r#"{"reason":"changed my mind"}"#).await;
    post(&node, "/v1/jobs/x/cancel", "").await;
    assert_eq!(*node.reasons.lock().unwrap(), [Some("changed my mind".to_owned()), None]);
}

#[tokio::test]
async fn receipts_go_in_as_bytes() {
    let node = shared(FakeNode::default());
    let verdict: Value = parsed(post(&node, "/v1/receipts/verify", "good").await).await;
    assert_eq!(verdict["valid"], true);
    let replay: Value = parsed(post(&node, "/v1/receipts/replay", "good").await).await;
    assert_eq!(replay["identical"], true);
    let cid = Cid::of_raw(b"receipt");
    assert_eq!(bytes(get(&node, &format!("/v1/receipts/{cid}/bundle")).await).await, "bundle");
    assert_eq!(bytes(get(&node, "/v1/backup").await).await, "tar");
}

#[tokio::test]
async fn shutdown_ends_followers_and_the_server() {
    let node = shared(FakeNode { endless: true, ..FakeNode::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(icn_gateway::serve(listener, node, TOKEN.to_owned(), async {
        stopped.await.unwrap();
    }));
    let mut follower = tokio::net::TcpStream::connect(address).await.unwrap();
    let head =
        format!("GET /v1/jobs/x/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut follower, head.as_bytes()).await.unwrap();
    let mut stream = tokio_util::io::ReaderStream::new(follower);
    assert!(stream.next().await.unwrap().unwrap().starts_with(b"HTTP/1.1 200 OK"));
    stop.send(()).unwrap();
    let rest: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert!(rest.concat().ends_with(b"0\r\n\r\n"), "the stream ends as a whole answer");
    server.await.unwrap().unwrap();
}
