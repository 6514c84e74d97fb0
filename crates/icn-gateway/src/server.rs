//! The server's life.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::Node;
use crate::limits::DRAIN_TIMEOUT;
use crate::routes::{Shared, table};

/// Serves the API until `shutdown` is ready, then takes no more requests and gives running ones 5 seconds.
///
/// # Errors
///
/// An error of the listener.
pub async fn serve(
    listener: TcpListener,
    node: Arc<dyn Node>,
    token: String,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let closing = CancellationToken::new();
    let shared =
        Shared { node, token: token.into(), bound: listener.local_addr()?, closing: closing.clone() };
    let announced = closing.clone();
    // An answer must not wait for the asker's acknowledgement of the one before (Nagle's algorithm).
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let server = axum::serve(listener, table(shared)).with_graceful_shutdown(async move {
        shutdown.await;
        announced.cancel();
    });
    tokio::select! {
        ended = server => ended,
        () = drained(closing) => {
            tracing::info!("requests were still running at the end of the API's drain time and are cut off");
            Ok(())
        }
    }
}

/// Is ready when the time for running requests is over.
async fn drained(closing: CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(DRAIN_TIMEOUT).await;
}

/// Builds the API without a server, as if it were bound to `bound`.
pub fn router(node: Arc<dyn Node>, token: String, bound: SocketAddr) -> Router {
    table(Shared { node, token: token.into(), bound, closing: CancellationToken::new() })
}
