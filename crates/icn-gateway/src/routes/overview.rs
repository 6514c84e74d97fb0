//! What is drawn from a whole ledger: its health, and statements of account.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::listing::Asked;
use super::{Shared, SpacePath, json, space_of, stream_response};
use crate::api::books::{LedgerHealth, StatementFormat, StatementRequest};
use crate::problem::Answer;

/// What health is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HealthQuery {
    currency: Option<String>,
}

/// What a statement is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StatementQuery {
    account: Option<String>,
    #[serde(rename = "as")]
    identity: Option<String>,
    currency: Option<String>,
    from: Option<String>,
    to: Option<String>,
    month: Option<String>,
    format: StatementFormat,
}

pub(super) async fn health(
    State(shared): State<Shared>,
    space: SpacePath,
    query: Asked<HealthQuery>,
) -> Answer<Json<LedgerHealth>> {
    json(shared.books()?.health(&space_of(space)?, query?.0.currency).await?)
}

pub(super) async fn statement(
    State(shared): State<Shared>,
    space: SpacePath,
    query: Asked<StatementQuery>,
) -> Answer<Response> {
    let StatementQuery { account, identity, currency, from, to, month, format } = query?.0;
    let wanted = StatementRequest { account, identity, currency, from, to, month, format };
    let stream = shared.books()?.statement(&space_of(space)?, wanted).await?;
    Ok(stream_response(stream, None, format.content_type()))
}
