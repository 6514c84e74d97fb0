//! The cooperative virtual machine: WebAssembly jobs in a metered, deterministic sandbox
