//! The token that shows a request comes from the node's own user.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use crate::api::Problem;
use crate::problem::Rejection;
use crate::routes::Shared;

/// Random bytes in a token; its text has twice as many hexadecimal characters.
pub const TOKEN_BYTES: usize = 32;

/// Creates the file of a fresh token, readable by its owner alone, and returns the token.
///
/// An older file is replaced as a whole: a reader sees the old token or the new one, never half of one.
///
/// # Errors
///
/// Any error of the file system or of the system's random source.
pub fn create_token_file(path: &Path) -> io::Result<String> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let token = hex::encode(bytes);
    let fresh = path.with_extension("token.new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&fresh, token.as_bytes())?;
    std::fs::rename(&fresh, path)?;
    Ok(token)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Lets a request pass that carries the token.
pub(crate) async fn require(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if carries(request.headers(), &shared.token) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        401,
        "token-required",
        "the request carries no valid token: send `Authorization: Bearer <token>` with the token from `api.token` \
         in the node's data folder",
    );
    let mut response = Rejection(problem).into_response();
    response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
    response
}

/// Compares in a time that does not depend on where the first difference is.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let Some((scheme, given)) = value.split_once(' ') else { return false };
    scheme.eq_ignore_ascii_case("bearer")
        && !token.is_empty()
        && bool::from(given.trim().as_bytes().ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn only_the_token_itself_passes() {
        for good in ["Bearer secret", "bearer secret", "Bearer  secret"] {
            assert!(carries(&headers(good), "secret"), "{good}");
        }
        for bad in ["secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret"] {
            assert!(!carries(&headers(bad), "secret"), "{bad}");
        }
        assert!(!carries(&HeaderMap::new(), "secret"));
        assert!(!carries(&headers("Bearer "), ""), "an empty token opens nothing");
    }

    #[test]
    fn token_file_is_private_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.token");
        let first = create_token_file(&path).unwrap();
        let second = create_token_file(&path).unwrap();
        assert_eq!(first.len(), 2 * TOKEN_BYTES);
        assert_ne!(first, second);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), second);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
