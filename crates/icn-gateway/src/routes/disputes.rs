//! Standing orders, payments to several, disputes, and transfers that follow from them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection};
use axum::extract::{Path, State};
use icn_types::Page;

use super::ledger::order_of;
use super::listing::{Asked, ListQuery, listing};
use super::{Created, Shared, SpacePath, created, json, optional_json, space_of};
use crate::api::books::{
    DemurrageRule, Dispute, DisputeRequest, DisputeStepRequest, Order, SplitRequest, Standing,
    StandingRequest, Transfer, TurnRequest,
};
use crate::problem::Answer;

type Body<T> = Result<Json<T>, JsonRejection>;
type OrderPath = Result<Path<(String, String)>, PathRejection>;
type List<T> = Answer<Json<Page<T>>>;

pub(super) async fn standings(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Standing> {
    json(shared.books()?.standings(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn place_standing(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<StandingRequest>,
) -> Created<Standing> {
    created(shared.books()?.place_standing(&space_of(space)?, request?.0).await?)
}

pub(super) async fn end_standing(
    State(shared): State<Shared>,
    path: OrderPath,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<Standing>> {
    let (space, reference) = order_of(path)?;
    let request: TurnRequest = optional_json(body)?;
    json(shared.books()?.end_standing(&space, &reference, request).await?)
}

pub(super) async fn split(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<SplitRequest>,
) -> Created<Vec<Order>> {
    created(shared.books()?.split(&space_of(space)?, request?.0).await?)
}

pub(super) async fn transfers(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Transfer> {
    json(shared.books()?.transfers(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn demurrage(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<DemurrageRule> {
    json(shared.books()?.demurrage(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn list(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Dispute> {
    json(shared.books()?.disputes(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn file(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<DisputeRequest>,
) -> Created<Dispute> {
    created(shared.books()?.file_dispute(&space_of(space)?, request?.0).await?)
}

pub(super) async fn show(State(shared): State<Shared>, path: OrderPath) -> Answer<Json<Dispute>> {
    let (space, reference) = order_of(path)?;
    json(shared.books()?.dispute(&space, &reference).await?)
}

pub(super) async fn step(
    State(shared): State<Shared>,
    path: OrderPath,
    request: Body<DisputeStepRequest>,
) -> Answer<Json<Dispute>> {
    let (space, reference) = order_of(path)?;
    json(shared.books()?.dispute_step(&space, &reference, request?.0).await?)
}
