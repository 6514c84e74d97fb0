//! The cooperative virtual machine (CoVm): WebAssembly jobs in a metered, deterministic sandbox.
//!
//! A [`Runtime`] compiles modules, keeps what it compiled, and executes one [`Task`] at a time in each of a bounded
//! number of slots. What comes back is an [`Outcome`]: how the guest ended, what it wrote, what it used. There is no
//! error beside it, because every failure is an end that a receipt can state (`docs/protocol.md`, section 7).
//!
//! A guest sees WASI preview 1 over a file system in memory, plus the functions of the module `icn_mesh_v1`; both are
//! listed, with their costs, in [`abi`]. It never sees a host file, a socket, another guest, or the host's clock in
//! canonical mode. In that mode the same [execution key](Task::execution_key) gives the same outputs, end and fuel on
//! every machine; the checklist is that of Wasmtime's book, "deterministic Wasm execution".
//!
//! This crate does not decide who may run what, fetches nothing and signs nothing.

pub mod abi;
mod blob;
mod cache;
mod clock;
mod config;
mod engine;
mod fs;
mod interrupt;
mod job;
mod memory;
mod mesh;
mod outcome;
mod random;
mod run;
mod runtime;
mod scan;
mod stop;
mod task;
mod ticker;
mod wasi;

pub use crate::blob::Blob;
pub use crate::config::{Config, RuntimeError};
pub use crate::outcome::{ExecutionError, Outcome, OutputFile};
pub use crate::runtime::Runtime;
pub use crate::task::{Control, GuestEvent, Input, Limits, LogLevel, RuntimeInfo, Task};
