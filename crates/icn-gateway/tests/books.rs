//! The routes of common books: what they ask for, what they refuse by themselves.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use futures::TryStreamExt as _;
use icn_gateway::api::books::EntryView;
use icn_gateway::{Api, ENTRY_BYTES_MAX, EVENTS_CONTENT_TYPE};
use serde_json::{Value, json};
use support::books::FakeBooks;
use support::{FakeNode, did, shared};
use tower::ServiceExt as _;

const TOKEN: &str = "0123456789abcdef";

async fn send(api: Api, method: &str, path: &str, body: impl Into<Body>) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:7171")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json");
    let router = api.router("127.0.0.1:7171".parse().unwrap());
    router.oneshot(request.body(body.into()).unwrap()).await.unwrap()
}

fn api() -> Api {
    Api::new(shared(FakeNode::default()), TOKEN.to_owned()).with_books(Arc::new(FakeBooks))
}

async fn bytes(response: Response<Body>) -> Bytes {
    let pieces: Vec<Bytes> = response.into_body().into_data_stream().try_collect().await.unwrap();
    pieces.concat().into()
}

async fn problem(response: Response<Body>) -> Value {
    serde_json::from_slice(&bytes(response).await).unwrap()
}

#[tokio::test]
async fn each_route_asks_for_what_it_says() {
    let check = async |method: &str, path: &str, body: Value, expected: &str| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = problem(send(api(), method, path, body).await).await;
        assert_eq!(answer["code"], "called", "{method} {path}: {answer}");
        assert_eq!(answer["detail"], expected, "{method} {path}");
    };
    let usual = "[null,null,null,false,0,20]";
    for list in [
        "members",
        "balances",
        "history",
        "limits",
        "requests",
        "holds",
        "entries",
        "forks",
        "claims",
        "quarantine",
        "misbehaviour",
        "seals",
        "standings",
        "proposals",
        "budgets",
        "transfers",
        "demurrage",
        "disputes",
    ] {
        check("GET", &format!("/v1/spaces/Bakery/{list}"), json!(null), &format!("{list} Bakery {usual}"))
            .await;
        let query = "account=b%20b&currency=hours&as=till&all=true&offset=500&limit=100";
        let expected = format!("{list} Bakery [\"b b\",\"hours\",\"till\",true,500,100]");
        check("GET", &format!("/v1/spaces/Bakery/{list}?{query}"), json!(null), &expected).await;
    }
    check("GET", "/v1/identities", json!(null), &format!("identities - {usual}")).await;
    check("GET", "/v1/spaces?limit=5", json!(null), "spaces - [null,null,null,false,0,5]").await;
    check("GET", "/v1/spaces/Care%20%2F%20Co", json!(null), "space Care / Co null").await;
    check("POST", "/v1/unfollow", json!({ "space": "x" }), "unfollow_space x false").await;
    let whole = json!({ "space": "x", "delete": true });
    check("POST", "/v1/unfollow", whole, "unfollow_space x true").await;
    check("GET", "/v1/spaces/x/events", json!(null), "follow x null").await;
    for plain in ["witnesses", "verify"] {
        check("GET", &format!("/v1/spaces/x/{plain}"), json!(null), &format!("{plain} x null")).await;
    }
    check("GET", "/v1/spaces/x/health", json!(null), "health x null").await;
    check("GET", "/v1/spaces/x/health?currency=hours", json!(null), r#"health x "hours""#).await;
    let explain = "/v1/spaces/x/explain?account=bob&amount=5%20hours";
    check("GET", explain, json!(null), r#"explain x ["bob",null,"5 hours"]"#).await;
    check("POST", "/v1/spaces/x/request", json!({ "of": "bob", "amount": "1" }), r#"ask x "bob""#).await;
    check("POST", "/v1/spaces/x/holds", json!({ "to": "bob", "amount": "1" }), r#"place_hold x "bob""#).await;
    let rule = json!({ "act": { "witnesses": { "members": ["bob"] } }, "as": "ada", "key": "k" });
    check("POST", "/v1/spaces/x/rules", rule, r#"rule x {"witnesses":{"members":["bob"]}}"#).await;
    check("POST", "/v1/spaces/x/entries", json!([1]), "append x 3").await;
    check("GET", "/v1/spaces/x/orders/bafy%231", json!(null), r#"order x "bafy#1""#).await;
    for turn in ["accept", "decline", "capture", "return", "claim", "release"] {
        let expected = format!(r#"turn x ["bafy","{turn}",null]"#);
        check("POST", &format!("/v1/spaces/x/orders/bafy/{turn}"), json!(null), &expected).await;
    }
    let capture = r#"turn x ["bafy","capture","3 hours"]"#;
    check("POST", "/v1/spaces/x/orders/bafy/capture", json!({ "amount": "3 hours" }), capture).await;
    let split = json!({ "amount": "5 hours", "shares": [] });
    let expected = r#"split x {"amount":"5 hours","key":null,"memo":null,"shares":[]}"#;
    check("POST", "/v1/spaces/x/split", split, expected).await;
    check("POST", "/v1/spaces/x/standings/bafy/end", json!(null), r#"end_standing x ["bafy",null]"#).await;
    check("GET", "/v1/spaces/x/proposals/bafy%230", json!(null), r#"proposal x "bafy#0""#).await;
    let propose = json!({ "treasury": "pot", "act": { "end_budget": { "budget": "bafy" } }, "as": "bob" });
    let expected = r#"propose x {"act":{"end_budget":{"budget":"bafy"}},"as":"bob","treasury":"pot"}"#;
    check("POST", "/v1/spaces/x/proposals", propose, expected).await;
    for (turn, name) in [("approve", "Approve"), ("withdraw", "Withdraw")] {
        let expected = format!(r#"turn_proposal x ["bafy","{name}","k"]"#);
        check("POST", &format!("/v1/spaces/x/proposals/bafy/{turn}"), json!({ "key": "k" }), &expected).await;
    }
    let budget = json!({ "treasury": "pot", "terms": { "amount": "5 hours", "every": { "months": 1 } } });
    let expected = r#"allot_budget x {"terms":{"amount":"5 hours","every":{"months":1}},"treasury":"pot"}"#;
    check("POST", "/v1/spaces/x/budgets", budget, expected).await;
    check("POST", "/v1/spaces/x/budgets/bafy/end", json!(null), r#"end_budget x ["bafy",null]"#).await;
    check("GET", "/v1/spaces/x/disputes/bafy%230", json!(null), r#"dispute x "bafy#0""#).await;
    let file = json!({ "order": "bafy", "reason": "late" });
    check("POST", "/v1/spaces/x/disputes", file, r#"file_dispute x ["bafy","late"]"#).await;
    let step = json!({ "step": { "resolve": { "outcome": { "refund": "2 hours" } } } });
    let expected = r#"dispute_step x ["bafy",{"resolve":{"outcome":{"refund":"2 hours"}}}]"#;
    check("POST", "/v1/spaces/x/disputes/bafy", step, expected).await;
    let decline = r#"decline_request x ["bafy","no"]"#;
    check("POST", "/v1/spaces/x/requests/bafy/decline", json!({ "reason": "no" }), decline).await;
}

#[tokio::test]
async fn events_are_one_entry_a_line() {
    let response = send(api(), "GET", "/v1/spaces/Bakery/events", "").await;
    assert_eq!(response.headers()["content-type"], EVENTS_CONTENT_TYPE);
    let body = bytes(response).await;
    let certified: Vec<bool> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice::<EntryView>(line).unwrap().certified)
        .collect();
    assert_eq!(certified, [false, true]);
}

#[tokio::test]
async fn what_is_wrong_never_reaches_the_books() {
    let check = async |method: &str, path: &str, body: &str, status: u16, code: &str| {
        let answer = problem(send(api(), method, path, body.to_owned()).await).await;
        assert_eq!((&answer["status"], &answer["code"]), (&status.into(), &code.into()), "{path}: {answer}");
    };
    check("GET", "/v1/spaces/x/history?limit=101", "", 422, "bad-limit").await;
    check("GET", "/v1/spaces/x/history?limit=0", "", 422, "bad-limit").await;
    check("GET", "/v1/spaces/x/history?since=1", "", 400, "query-unreadable").await;
    check("GET", "/v1/spaces/x/export?format=pdf", "", 400, "query-unreadable").await;
    check("GET", "/v1/spaces/x/statement?format=hledger", "", 400, "query-unreadable").await;
    check("GET", "/v1/spaces/x/statement?year=2026", "", 400, "query-unreadable").await;
    check("GET", "/v1/spaces/x/health?account=bob", "", 400, "query-unreadable").await;
    check("POST", "/v1/spaces/x/pay", r#"{"to":"bob","sum":"5"}"#, 422, "json-wrong").await;
    check("POST", "/v1/spaces/x/rules", r#"{"act":{"found":{}}}"#, 422, "json-wrong").await;
    check("POST", "/v1/spaces/x/orders/bafy/void", "", 404, "no-such-route").await;
    check("POST", "/v1/spaces/x/orders/bafy/accept", "[", 400, "json-unreadable").await;
    check("DELETE", "/v1/spaces/x", "", 405, "no-such-method").await;
    check("GET", &format!("/v1/spaces/{}", "x".repeat(129)), "", 404, "space-not-found").await;
    check("GET", &format!("/v1/spaces/x/orders/{}", "b".repeat(129)), "", 404, "order-not-found").await;
    check("POST", "/v1/spaces/x/entries", &" ".repeat(ENTRY_BYTES_MAX + 1), 413, "body-too-large").await;
}

#[tokio::test]
async fn without_books_the_routes_say_so() {
    let bare = || Api::new(shared(FakeNode::default()), TOKEN.to_owned());
    for path in ["/v1/spaces", "/v1/identities", "/v1/spaces/x/verify"] {
        let response = send(bare(), "GET", path, "").await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        assert_eq!(problem(response).await["code"], "books-unavailable", "{path}");
    }
}

#[tokio::test]
async fn a_refusal_carries_its_numbers() {
    let refused = send(api(), "POST", "/v1/spaces/x/pay", r#"{"to":"bob","amount":"2.5 hours"}"#).await;
    assert_eq!(refused.status(), 403);
    let body = problem(refused).await;
    assert_eq!(body["code"], "limit-exceeded");
    let asked = json!({ "text": "2.50 hours", "smallest": 250, "currency": "hours" });
    assert_eq!(body["explanation"]["requested"], asked);
    assert!(body["explanation"]["available"]["smallest"].is_i64());
}

#[tokio::test]
async fn bytes_keep_their_types() {
    for (format, content_type) in [
        ("hledger", "text/plain; charset=utf-8"),
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json"),
    ] {
        let path = format!("/v1/spaces/x/export?format={format}&account=bob");
        let response = send(api(), "GET", &path, "").await;
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(bytes(response).await, format!("x {format} Some(\"bob\")"));
    }
    for (format, content_type) in [
        ("text", "text/plain; charset=utf-8"),
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json"),
    ] {
        let query = "account=b%20b&as=till&currency=hours&from=2026-11-01&to=2026-11-30&month=2026-11";
        let response =
            send(api(), "GET", &format!("/v1/spaces/x/statement?{query}&format={format}"), "").await;
        assert_eq!(response.headers()["content-type"], content_type);
        let expected = format!(r#"x ["b b","till","hours","2026-11-01","2026-11-30","2026-11","{format}"]"#);
        assert_eq!(bytes(response).await, expected);
    }
    let plain = send(api(), "GET", "/v1/spaces/x/statement", "").await;
    assert_eq!(bytes(plain).await, r#"x [null,null,null,null,null,null,"text"]"#);
    let request = json!({ "author": did(), "acts": [{ "accept": {} }] });
    let prepared = send(api(), "POST", "/v1/spaces/x/entries/prepare", request.to_string()).await;
    assert_eq!(prepared.headers()["content-type"], "application/octet-stream");
    assert_eq!(bytes(prepared).await, "1 acts");
}

#[tokio::test]
async fn what_is_made_is_created() {
    let request = json!({ "name": "till", "passphrase": "correct horse" });
    let made = send(api(), "POST", "/v1/identities", request.to_string()).await;
    assert_eq!(made.status(), 201);
    assert_eq!(problem(made).await["name"], "till");
    let request: icn_gateway::api::books::NewIdentity = serde_json::from_value(request).unwrap();
    assert!(!format!("{request:?}").contains("horse"), "a passphrase never gets into a log");
}
