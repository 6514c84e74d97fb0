//! The ledger of a space.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use icn_types::Page;

use super::listing::{self, Asked, ExplainQuery, ExportQuery, ListQuery, listing};
use super::{
    Created, Shared, SpacePath, created, events_response, json, optional_json, space_of, stream_response,
};
use crate::api::Problem;
use crate::api::books::{
    AskRequest, Asked as AskedFor, Balance, DebtClaim, EntryView, Explanation, Fork, HoldRequest,
    LedgerVerdict, Misbehaviour, Movement, Order, PayRequest, PrepareRequest, Quarantined, Seal, TurnRequest,
    Written,
};
use crate::limits::REFERENCE_BYTES_MAX;
use crate::problem::Answer;

type Body<T> = Result<Json<T>, JsonRejection>;
type Received = Result<Bytes, BytesRejection>;
type OrderPath = Result<Path<(String, String)>, PathRejection>;
type TurnPath = Result<Path<(String, String, String)>, PathRejection>;
type List<T> = Answer<Json<Page<T>>>;

pub(super) async fn balances(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Balance> {
    json(shared.books()?.balances(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn history(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Movement> {
    json(shared.books()?.history(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn limits(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Explanation> {
    json(shared.books()?.limits(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn explain(
    State(shared): State<Shared>,
    space: SpacePath,
    question: Asked<ExplainQuery>,
) -> Answer<Json<Explanation>> {
    json(shared.books()?.explain(&space_of(space)?, listing::explain(question)?).await?)
}

pub(super) async fn pay(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<PayRequest>,
) -> Created<Order> {
    created(shared.books()?.pay(&space_of(space)?, request?.0).await?)
}

pub(super) async fn ask(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<AskRequest>,
) -> Created<AskedFor> {
    created(shared.books()?.ask(&space_of(space)?, request?.0).await?)
}

pub(super) async fn requests(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<AskedFor> {
    json(shared.books()?.requests(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn decline_request(
    State(shared): State<Shared>,
    path: OrderPath,
    body: Received,
) -> Answer<Json<AskedFor>> {
    let (space, reference) = order_of(path)?;
    let request: TurnRequest = optional_json(body)?;
    json(shared.books()?.decline_request(&space, &reference, request).await?)
}

pub(super) async fn place_hold(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<HoldRequest>,
) -> Created<Order> {
    created(shared.books()?.place_hold(&space_of(space)?, request?.0).await?)
}

pub(super) async fn holds(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Order> {
    json(shared.books()?.holds(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn order(State(shared): State<Shared>, path: OrderPath) -> Answer<Json<Order>> {
    let (space, reference) = order_of(path)?;
    json(shared.books()?.order(&space, &reference).await?)
}

pub(super) async fn turn(
    State(shared): State<Shared>,
    path: TurnPath,
    body: Received,
) -> Answer<Json<Order>> {
    let Path((space, reference, turn)) = path?;
    let Ok(turn) = turn.parse() else {
        let detail = "an order can be accepted, declined, captured, returned, claimed or released: \
                      POST to `accept`, `decline`, `capture`, `return`, `claim` or `release`";
        return Err(Problem::not_found("no-such-route", detail).into());
    };
    let (space, reference) = order_of(Ok(Path((space, reference))))?;
    let request: TurnRequest = optional_json(body)?;
    json(shared.books()?.turn(&space, &reference, turn, request).await?)
}

pub(super) async fn entries(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<EntryView> {
    json(shared.books()?.entries(&space_of(space)?, listing(part)?).await?)
}

/// Follows the books: one line of JSON for each entry that comes from now on.
pub(super) async fn events(State(shared): State<Shared>, space: SpacePath) -> Answer<Response> {
    let entries = shared.books()?.follow(&space_of(space)?).await?;
    Ok(events_response(&shared, entries))
}

pub(super) async fn prepare(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<PrepareRequest>,
) -> Answer<impl IntoResponse> {
    let bytes = shared.books()?.prepare(&space_of(space)?, request?.0).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}

pub(super) async fn append(
    State(shared): State<Shared>,
    space: SpacePath,
    entry: Received,
) -> Created<Written> {
    created(shared.books()?.append(&space_of(space)?, entry?).await?)
}

pub(super) async fn forks(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Fork> {
    json(shared.books()?.forks(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn claims(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<DebtClaim> {
    json(shared.books()?.claims(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn quarantine(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Quarantined> {
    json(shared.books()?.quarantine(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn misbehaviour(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Misbehaviour> {
    json(shared.books()?.misbehaviour(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn seals(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Seal> {
    json(shared.books()?.seals(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn verify(State(shared): State<Shared>, space: SpacePath) -> Answer<Json<LedgerVerdict>> {
    json(shared.books()?.verify(&space_of(space)?).await?)
}

pub(super) async fn export(
    State(shared): State<Shared>,
    space: SpacePath,
    wanted: Asked<ExportQuery>,
) -> Answer<Response> {
    let wanted = listing::export(wanted)?;
    let content_type = wanted.format.content_type();
    Ok(stream_response(shared.books()?.export(&space_of(space)?, wanted).await?, None, content_type))
}

/// Reads a space and a reference out of a path.
pub(super) fn order_of(path: OrderPath) -> Answer<(String, String)> {
    let Path((space, reference)) = path?;
    let space = space_of(Ok(Path(space)))?;
    if reference.len() <= REFERENCE_BYTES_MAX {
        return Ok((space, reference));
    }
    Err(Problem::not_found("order-not-found", "no order has a reference as long as the one given").into())
}
