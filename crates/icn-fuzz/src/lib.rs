//! What every decoder that a stranger reaches must hold, as functions of bytes.
//!
//! Each function of [`targets`] takes any bytes and panics when a promise is broken. `fuzz/` calls them under libFuzzer;
//! the tests of this crate replay the committed inputs of `fuzz/corpus/<target>/` and need no special toolchain.

pub mod targets;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by the name of its folder in `fuzz/corpus`.
pub const TARGETS: &[Target] = &[
    ("bitswap", targets::bitswap),
    ("codec", targets::codec),
    ("entry", targets::entry),
    ("fork", targets::fork),
    ("live", targets::live),
    ("message", targets::message),
    ("names", targets::names),
    ("page", targets::page),
    ("params", targets::params),
    ("pass", targets::pass),
    ("post", targets::post),
    ("receipt", targets::receipt),
    ("response", targets::response),
    ("sealed", targets::sealed),
    ("sync", targets::sync),
    ("unixfs", targets::unixfs),
    ("vote", targets::vote),
];
