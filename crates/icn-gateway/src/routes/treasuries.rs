//! Proposals to treasuries, and their budgets.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection};
use axum::extract::{Path, State};
use icn_types::Page;

use super::ledger::order_of;
use super::listing::{Asked, ListQuery, listing};
use super::{Created, Shared, SpacePath, created, json, optional_json, space_of};
use crate::api::books::{Budget, BudgetRequest, Proposal, ProposalRequest, ProposalTurn, TurnRequest};
use crate::problem::Answer;

type Body<T> = Result<Json<T>, JsonRejection>;
type OrderPath = Result<Path<(String, String)>, PathRejection>;
type List<T> = Answer<Json<Page<T>>>;

pub(super) async fn proposals(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Proposal> {
    json(shared.books()?.proposals(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn propose(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<ProposalRequest>,
) -> Created<Proposal> {
    created(shared.books()?.propose(&space_of(space)?, request?.0).await?)
}

pub(super) async fn proposal(State(shared): State<Shared>, path: OrderPath) -> Answer<Json<Proposal>> {
    let (space, reference) = order_of(path)?;
    json(shared.books()?.proposal(&space, &reference).await?)
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    path: OrderPath,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<Proposal>> {
    let (space, reference) = order_of(path)?;
    let request: TurnRequest = optional_json(body)?;
    json(shared.books()?.turn_proposal(&space, &reference, ProposalTurn::Approve, request).await?)
}

pub(super) async fn withdraw(
    State(shared): State<Shared>,
    path: OrderPath,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<Proposal>> {
    let (space, reference) = order_of(path)?;
    let request: TurnRequest = optional_json(body)?;
    json(shared.books()?.turn_proposal(&space, &reference, ProposalTurn::Withdraw, request).await?)
}

pub(super) async fn budgets(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> List<Budget> {
    json(shared.books()?.budgets(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn allot(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<BudgetRequest>,
) -> Created<Budget> {
    created(shared.books()?.allot_budget(&space_of(space)?, request?.0).await?)
}

pub(super) async fn end_budget(
    State(shared): State<Shared>,
    path: OrderPath,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<Budget>> {
    let (space, reference) = order_of(path)?;
    let request: TurnRequest = optional_json(body)?;
    json(shared.books()?.end_budget(&space, &reference, request).await?)
}
