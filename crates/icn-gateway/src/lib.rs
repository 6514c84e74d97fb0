//! The node's HTTP API.
//!
//! This crate turns HTTP requests into calls of [`api::Node`], [`api::books::Books`] and [`api::trust::Trust`], and their answers into JSON, NDJSON and byte streams. It
//! decides who may ask (the holder of the token, on this machine) and how much a request may send; what the answers
//! are is the node's affair. It never opens a connection by itself and keeps no state between requests.
//!
//! | route | does |
//! |---|---|
//! | `GET /healthz` | answers `ok` while the process serves requests; needs no token |
//! | `GET /metrics` | OpenMetrics text; needs no token |
//! | `GET /v1/status`, `/v1/peers`, `/v1/identity` | [`api::Status`], a page of [`api::Peer`], [`api::Identity`] |
//! | `POST /v1/content` | stores the body as a file: [`api::Content`] |
//! | `GET /v1/content/{cid}`, `…/stat` | the bytes; [`api::Content`] |
//! | `POST /v1/jobs` | submits an [`api::JobRequest`]: [`api::Job`] |
//! | `GET /v1/jobs?offset=&limit=` | a page of [`api::Job`], newest first |
//! | `GET /v1/jobs/{id}`, `…/bids`, `…/why` | [`api::Job`], a page of [`api::Bid`], [`api::Why`] |
//! | `GET /v1/jobs/{id}/events` | one [`api::Job`] a line (NDJSON) after each turn, until the job is final |
//! | `POST /v1/jobs/{id}/cancel` | cancels, with an optional [`CancelRequest`]: [`api::Job`] |
//! | `GET /v1/receipts/{cid}`, `…/bundle` | the receipt as JSON; the bytes that verify anywhere |
//! | `POST /v1/receipts/verify`, `…/replay` | [`api::Verdict`], [`api::Replay`] of the bytes sent |
//! | `GET`, `POST /v1/identities` | a page of [`api::books::OwnIdentity`]; makes one |
//! | `GET`, `POST /v1/spaces`, `POST /v1/join` | a page of [`api::books::Space`]; founds one; takes up an invitation |
//! | `POST /v1/follow`, `POST /v1/unfollow` | reads a space without being a member: [`api::books::Space`]; stops that: [`api::books::Unfollowed`] |
//! | `GET /v1/spaces/{space}`, `…/members`, `…/witnesses` | [`api::books::Space`], its [`api::books::Member`]s and [`api::books::WitnessSet`] |
//! | `POST …/invitations`, `…/rules`, `…/grants` | [`api::books::Invited`]; writes an [`api::books::Rule`]; [`api::books::Granted`] |
//! | `GET …/balances`, `…/history`, `…/limits`, `…/explain` | [`api::books::Balance`], [`api::books::Movement`], [`api::books::Explanation`] |
//! | `POST …/pay`; `POST …/request`, `GET …/requests`, `POST …/requests/{ref}/decline` | [`api::books::Order`]; [`api::books::Asked`] |
//! | `GET`, `POST …/holds` | holds as [`api::books::Order`]; places one |
//! | `GET …/orders/{ref}`, `POST …/orders/{ref}/{turn}` | [`api::books::Order`]; takes it an [`api::books::OrderTurn`] further |
//! | `GET`, `POST …/entries`, `POST …/entries/prepare` | [`api::books::EntryView`]; an entry signed elsewhere; its bytes to sign |
//! | `GET …/events` | one [`api::books::EntryView`] a line (NDJSON) for each entry from now on, and again once it is certified |
//! | `GET …/forks`, `…/claims`, `…/quarantine`, `…/misbehaviour`, `…/seals` | what shows that the books are right |
//! | `GET …/verify`, `…/export?format=` | [`api::books::LedgerVerdict`]; the books for other programs |
//! | `GET`, `POST …/trust`, `GET …/trust/path` | [`api::trust::Edge`]; says how far somebody is trusted; [`api::trust::Answer`] |
//! | `GET /v1/offenders`, `POST /v1/offenders/{did}/forgive` | [`api::trust::Offender`]s; forgives one |
//! | `GET …/reputation`, `…/reputation/{executor}` | [`api::trust::Reputation`] |
//! | `GET …/health`, `…/statement?month=&format=` | [`api::books::LedgerHealth`]; a statement of account |
//! | `GET /v1/backup` | a tar archive of keystore and data |
//!
//! Errors are RFC 9457 problem bodies with a stable `code`.

pub mod api;
mod host;
mod limits;
mod problem;
mod routes;
mod server;
mod token;

pub use crate::limits::{
    ENTRY_BYTES_MAX, EVENTS_CONTENT_TYPE, JSON_BYTES_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX,
    RECEIPT_BYTES_MAX,
};
pub use crate::problem::PROBLEM_CONTENT_TYPE;
pub use crate::routes::CancelRequest;
pub use crate::server::{Api, router, serve};
pub use crate::token::{TOKEN_BYTES, create_token_file};
