//! The one unsafe call of this crate.

use wasmtime::{Engine, Module};

/// Turns the bytes of [`Module::serialize`] back into a module.
///
/// Wasmtime checks that engine version and settings match, not that the machine code is sound. The caller therefore
/// only gives bytes whose keyed hash it has verified, so that they are what this node wrote.
#[expect(
    unsafe_code,
    reason = "Module::deserialize trusts its input; the keyed hash of the file was verified"
)]
pub(super) fn deserialize(engine: &Engine, verified: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: the bytes are exactly what `Module::serialize` gave on this node: their BLAKE3 hash, keyed by a secret
    // that only this node's user can read, was checked by the caller just before.
    unsafe { Module::deserialize(engine, verified) }
}
