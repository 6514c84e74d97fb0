//! What an operator gives to guests, and what can go wrong before the first of them.

use std::path::PathBuf;
use std::time::Duration;

/// How a [`Runtime`](crate::Runtime) is set up. Limits of a single job are in [`Limits`](crate::Limits).
#[derive(Debug, Clone)]
pub struct Config {
    /// Where compiled modules are kept over restarts; `None` keeps them in memory only.
    pub cache_dir: Option<PathBuf>,
    /// The most bytes that `cache_dir` may hold. Full: the file used longest ago is removed.
    pub cache_bytes_max: u64,
    /// The most bytes of compiled code kept in memory. Full: the module used longest ago is dropped.
    pub cache_memory_bytes_max: u64,
    /// The most guests at once. Full: a task waits in its `queue` stage.
    pub concurrent_max: u32,
    /// The most threads that compile at once, those included that passed `compile_timeout` and are still at it.
    pub compiles_max: u32,
    /// The most linear memory that a job may be given, in bytes; a task that asks for more is cut to this.
    pub memory_bytes_max: u64,
    /// The largest module, in bytes.
    pub module_bytes_max: u64,
    /// The largest function of a module, in bytes: compilation time grows faster than a function does.
    pub function_bytes_max: u32,
    /// The most functions of a module.
    pub functions_max: u32,
    /// How long a compilation may take before its module is called bad.
    pub compile_timeout: Duration,
    /// The most elements of a table. Part of the profile `icn-canonical-1`: change it for experiments only.
    pub table_elements_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            cache_dir: None,
            cache_bytes_max: 512 * 1024 * 1024,
            cache_memory_bytes_max: 16 * 1024 * 1024,
            concurrent_max: u32::try_from(cores).unwrap_or(2),
            compiles_max: 2,
            memory_bytes_max: 512 * 1024 * 1024,
            module_bytes_max: 32 * 1024 * 1024,
            function_bytes_max: 1024 * 1024,
            functions_max: 100_000,
            compile_timeout: Duration::from_secs(30),
            table_elements_max: 100_000,
        }
    }
}

/// A runtime that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Wasmtime refused the settings or this machine.
    #[error("the WebAssembly engine did not start: this machine or these settings are not supported")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder of compiled modules cannot be used.
    #[error("the module cache `{0}` cannot be used: check that the folder may be written")]
    Cache(PathBuf, #[source] std::io::Error),
}

impl From<wasmtime::Error> for RuntimeError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Engine(error.into_boxed_dyn_error())
    }
}
