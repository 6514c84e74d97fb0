//! The vectors of `docs/protocol/vectors/` for replicated logs: what this crate does, and what it would write today.
//!
//! `UPDATE_VECTORS=1 cargo test -p icn-gossip --test vectors` writes them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "test code"
)]

#[path = "vectors/entries.rs"]
mod entries;
#[path = "vectors/forks.rs"]
mod forks;
#[path = "vectors/json.rs"]
mod json;
#[path = "vectors/sync.rs"]
mod sync;

use json::Json;

fn check(name: &str, content: &Json) {
    let path = format!("{}/../../docs/protocol/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let wanted = content.to_file();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).is_ok_and(|found| found == wanted),
        "{name} has drifted: run `UPDATE_VECTORS=1 cargo test -p icn-gossip --test vectors`"
    );
}

#[test]
fn entries_are_what_the_file_says() {
    check("entries.json", &entries::file());
}

#[test]
fn fork_proofs_are_what_the_file_says() {
    check("forks.json", &forks::file());
}

#[test]
fn live_messages_are_what_the_file_says() {
    check("live.json", &forks::live());
}

#[test]
fn sessions_are_what_the_file_says() {
    check("sync.json", &sync::file());
}
