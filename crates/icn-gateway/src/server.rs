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
use crate::api::books::Books;
use crate::api::trust::Trust;
use crate::limits::DRAIN_TIMEOUT;
use crate::routes::{Shared, table};

/// The API of a node, before it is served.
#[derive(Clone)]
pub struct Api {
    node: Arc<dyn Node>,
    books: Option<Arc<dyn Books>>,
    trust: Option<Arc<dyn Trust>>,
    token: String,
}

impl Api {
    /// Takes a node, and the token that requests must carry.
    #[must_use]
    pub fn new(node: Arc<dyn Node>, token: String) -> Self {
        Self { node, books: None, trust: None, token }
    }

    /// Adds the common books. Without them their routes answer 503 `books-unavailable`.
    #[must_use]
    pub fn with_books(mut self, books: Arc<dyn Books>) -> Self {
        self.books = Some(books);
        self
    }

    /// Adds what the node knows of trust. Without it those routes answer 503 `trust-unavailable`.
    #[must_use]
    pub fn with_trust(mut self, trust: Arc<dyn Trust>) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Serves the API until `shutdown` is ready, then takes no more requests and gives running ones 5 seconds.
    ///
    /// # Errors
    ///
    /// An error of the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let closing = CancellationToken::new();
        let shared = self.shared(listener.local_addr()?, closing.clone());
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

    /// Builds the API without a server, as if it were bound to `bound`.
    pub fn router(self, bound: SocketAddr) -> Router {
        table(self.shared(bound, CancellationToken::new()))
    }

    fn shared(self, bound: SocketAddr, closing: CancellationToken) -> Shared {
        Shared {
            node: self.node,
            books: self.books,
            trust: self.trust,
            token: self.token.into(),
            bound,
            closing,
        }
    }
}

/// Serves the API of a node without common books; as [`Api::serve`].
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
    Api::new(node, token).serve(listener, shutdown).await
}

/// Builds the API of a node without common books; as [`Api::router`].
pub fn router(node: Arc<dyn Node>, token: String, bound: SocketAddr) -> Router {
    Api::new(node, token).router(bound)
}

/// Is ready when the time for running requests is over.
async fn drained(closing: CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(DRAIN_TIMEOUT).await;
}
