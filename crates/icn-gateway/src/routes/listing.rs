//! Which part of a list, and other questions in the part of a URL after `?`.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;

use crate::api::Problem;
use crate::api::books::{Explain, Export, ExportFormat, Listing};
use crate::limits::{LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX};
use crate::problem::Answer;

/// What lists are asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    account: Option<String>,
    currency: Option<String>,
    #[serde(rename = "as")]
    identity: Option<String>,
    all: bool,
    offset: usize,
    limit: Option<usize>,
}

/// What an explanation is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExplainQuery {
    account: Option<String>,
    #[serde(rename = "as")]
    identity: Option<String>,
    currency: Option<String>,
    amount: Option<String>,
}

/// What an export is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExportQuery {
    format: ExportFormat,
    account: Option<String>,
}

/// A query that may not be one.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// Checks how many items are wanted.
pub(super) fn limit_of(wanted: Option<usize>) -> Answer<usize> {
    let limit = wanted.unwrap_or(LIST_LIMIT_DEFAULT);
    if (1..=LIST_LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("`limit` is {limit}: ask for 1 to {LIST_LIMIT_MAX} items and page with `offset`");
    Err(Problem::invalid("bad-limit", detail).into())
}

/// Reads which part of a list is wanted.
pub(super) fn listing(query: Asked<ListQuery>) -> Answer<Listing> {
    let ListQuery { account, currency, identity, all, offset, limit } = query?.0;
    Ok(Listing { account, currency, identity, all, offset, limit: limit_of(limit)? })
}

/// Reads what is to be explained.
pub(super) fn explain(query: Asked<ExplainQuery>) -> Answer<Explain> {
    let ExplainQuery { account, identity, currency, amount } = query?.0;
    Ok(Explain { account, identity, currency, amount })
}

/// Reads what is to be exported.
pub(super) fn export(query: Asked<ExportQuery>) -> Answer<Export> {
    let ExportQuery { format, account } = query?.0;
    Ok(Export { format, account })
}
