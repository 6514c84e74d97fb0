//! Logs and metrics: what an operator sees of a node.
//!
//! [`logs`] sets up the one log of the process, on standard error. [`Metrics`] counts for one node and renders
//! the page that Prometheus reads; there is no global registry, so that two nodes in one process stay apart.
//!
//! This crate never decides anything and opens no socket: the gateway serves the page, the node fills it in.
//! Labels come from enums and from names in the source, never from peers, so that a stranger cannot make the
//! page grow.

pub mod logs;
mod metrics;
mod process;

pub use metrics::{CONTENT_TYPE, Metrics, SupervisorState};
