//! Refuses requests that were sent to another name.
//!
//! A web page can make its own name resolve to 127.0.0.1 and so send requests here from a visitor's browser (DNS
//! rebinding). Such a request carries the page's name in `Host`. Only names that no stranger can own are accepted.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::api::Problem;
use crate::problem::Rejection;
use crate::routes::Shared;

/// Lets a request pass that was sent to this machine by a name of its own.
pub(crate) async fn require_own(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let given = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    // HTTP/1.1 also allows the whole address in the request line, which then counts instead of the header.
    let named = request.uri().authority().map(Authority::as_str).or(given);
    if named.is_some_and(|host| is_own(host, shared.bound)) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        403,
        "host-refused",
        "the request names a host that is not this machine: use `127.0.0.1`, `[::1]` or `localhost`, or the address \
         that the API listens on",
    );
    Rejection(problem).into_response()
}

/// Tells whether `host` (with or without a port) is loopback or the address that the API is bound to. An API that is
/// bound to all addresses accepts every literal address: a page cannot own one.
fn is_own(host: &str, bound: SocketAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let Ok(address) = literal.parse::<IpAddr>() else { return false };
    address.is_loopback() || address == bound.ip() || bound.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_own() {
        let check = |host: &str, bound: &str, expected: bool| {
            assert_eq!(is_own(host, bound.parse().unwrap()), expected, "{host} at {bound}");
        };
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:7171", "127.9.9.9:1", "[::1]:7171"]
        {
            check(host, "127.0.0.1:7171", true);
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7171", "10.0.0.7", "", "a b"]
        {
            check(host, "127.0.0.1:7171", false);
        }
        check("10.0.0.7:7171", "10.0.0.7:7171", true);
        check("10.0.0.8:7171", "10.0.0.7:7171", false);
        check("10.0.0.8:7171", "0.0.0.0:7171", true);
        check("evil.example", "0.0.0.0:7171", false);
    }
}
