//! Problems as HTTP answers (RFC 9457).

use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::Problem;
use crate::api::books::Explanation;

/// Content type of every error's body.
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which a client may try again when something is full.
const RETRY_AFTER_SECONDS: &str = "1";

/// A problem on its way out.
pub(crate) struct Rejection(pub(crate) Problem);

/// What a handler gives.
pub(crate) type Answer<T> = Result<T, Rejection>;

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a Explanation>,
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Body {
            r#type: format!("urn:icn:problem:{}", problem.code),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: &problem.detail,
            code: &problem.code,
            explanation: problem.explanation.as_deref(),
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_CONTENT_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

impl From<JsonRejection> for Rejection {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "body-too-large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "json-required",
            StatusCode::UNPROCESSABLE_ENTITY => "json-wrong",
            _ => "json-unreadable",
        };
        Self(Problem::new(status.as_u16(), code, rejection.body_text()))
    }
}

impl From<BytesRejection> for Rejection {
    fn from(rejection: BytesRejection) -> Self {
        let status = rejection.status();
        let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "body-too-large" } else { "body-unreadable" };
        Self(Problem::new(status.as_u16(), code, rejection.body_text()))
    }
}

impl From<PathRejection> for Rejection {
    fn from(rejection: PathRejection) -> Self {
        Self(Problem::new(400, "path-unreadable", rejection.body_text()))
    }
}

impl From<QueryRejection> for Rejection {
    fn from(rejection: QueryRejection) -> Self {
        Self(Problem::new(400, "query-unreadable", rejection.body_text()))
    }
}
