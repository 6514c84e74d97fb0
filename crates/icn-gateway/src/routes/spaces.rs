//! Identities, spaces, members and rules.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use icn_types::Page;

use super::listing::{Asked, ListQuery, listing};
use super::{Created, Shared, SpacePath, created, json, space_of};
use crate::api::books::{
    FollowRequest, GrantRequest, Granted, Invited, JoinRequest, Member, NewIdentity, NewInvitation, NewSpace,
    OwnIdentity, RuleRequest, Space, UnfollowRequest, Unfollowed, WitnessSet, Written,
};
use crate::problem::Answer;

type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) async fn identities(
    State(shared): State<Shared>,
    part: Asked<ListQuery>,
) -> Answer<Json<Page<OwnIdentity>>> {
    json(shared.books()?.identities(listing(part)?).await?)
}

pub(super) async fn create_identity(
    State(shared): State<Shared>,
    request: Body<NewIdentity>,
) -> Created<OwnIdentity> {
    created(shared.books()?.create_identity(request?.0).await?)
}

pub(super) async fn list(State(shared): State<Shared>, part: Asked<ListQuery>) -> Answer<Json<Page<Space>>> {
    json(shared.books()?.spaces(listing(part)?).await?)
}

pub(super) async fn create(State(shared): State<Shared>, request: Body<NewSpace>) -> Created<Space> {
    created(shared.books()?.create_space(request?.0).await?)
}

pub(super) async fn join(State(shared): State<Shared>, request: Body<JoinRequest>) -> Created<Space> {
    created(shared.books()?.join_space(request?.0).await?)
}

pub(super) async fn follow(State(shared): State<Shared>, request: Body<FollowRequest>) -> Created<Space> {
    created(shared.books()?.follow_space(request?.0).await?)
}

pub(super) async fn unfollow(
    State(shared): State<Shared>,
    request: Body<UnfollowRequest>,
) -> Answer<Json<Unfollowed>> {
    json(shared.books()?.unfollow_space(request?.0).await?)
}

pub(super) async fn show(State(shared): State<Shared>, space: SpacePath) -> Answer<Json<Space>> {
    json(shared.books()?.space(&space_of(space)?).await?)
}

pub(super) async fn invite(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<NewInvitation>,
) -> Created<Invited> {
    created(shared.books()?.invite(&space_of(space)?, request?.0).await?)
}

pub(super) async fn members(
    State(shared): State<Shared>,
    space: SpacePath,
    part: Asked<ListQuery>,
) -> Answer<Json<Page<Member>>> {
    json(shared.books()?.members(&space_of(space)?, listing(part)?).await?)
}

pub(super) async fn rule(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<RuleRequest>,
) -> Answer<(StatusCode, Json<Written>)> {
    created(shared.books()?.rule(&space_of(space)?, request?.0).await?)
}

pub(super) async fn grant(
    State(shared): State<Shared>,
    space: SpacePath,
    request: Body<GrantRequest>,
) -> Created<Granted> {
    created(shared.books()?.grant(&space_of(space)?, request?.0).await?)
}

pub(super) async fn witnesses(State(shared): State<Shared>, space: SpacePath) -> Answer<Json<WitnessSet>> {
    json(shared.books()?.witnesses(&space_of(space)?).await?)
}
