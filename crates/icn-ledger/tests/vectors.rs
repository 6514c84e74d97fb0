//! The vectors of `docs/protocol/vectors/` for the books: what this crate does, and what it would write today.
//!
//! `UPDATE_VECTORS=1 cargo test -p icn-ledger --test vectors` writes them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "test code"
)]

#[path = "vectors/books.rs"]
mod books;
#[path = "vectors/certificates.rs"]
mod certificates;
#[path = "vectors/passes.rs"]
mod passes;
#[path = "vectors/posts.rs"]
mod posts;

use icn_identity::Keypair;
use icn_ledger::PostError;
use serde_json::Value as Json;

/// The seeds are 32 times this byte.
fn key(seed: u8) -> Keypair {
    Keypair::from_seed([seed; 32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn word(error: &PostError) -> &'static str {
    match error {
        PostError::Version(_) => "version",
        PostError::Codec(_) => "malformed",
        PostError::Field(..) => "field",
        PostError::Signature(_) => "signature",
    }
}

/// Writes what became of a case, and makes sure that it is what was meant: a word of refusal, or none.
fn verdict<T>(case: &mut Json, wanted: Option<&str>, read: &Result<T, PostError>) {
    assert_eq!(read.as_ref().err().map(word), wanted, "{}", case["why"]);
    match wanted {
        Some(word) => case["refused"] = word.into(),
        None => case["accepted"] = true.into(),
    }
}

fn check(name: &str, content: &Json) {
    let path = format!("{}/../../docs/protocol/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let wanted = format!("{content:#}\n");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).is_ok_and(|found| found == wanted),
        "{name} has drifted: run `UPDATE_VECTORS=1 cargo test -p icn-ledger --test vectors`"
    );
}

#[test]
fn posts_are_what_the_file_says() {
    check("posts.json", &posts::file());
}

#[test]
fn certificates_and_approvals_are_what_the_file_says() {
    check("certificates.json", &certificates::file());
}

#[test]
fn invitations_and_passes_are_what_the_file_says() {
    check("passes.json", &passes::file());
}

#[test]
fn a_small_space_is_what_the_file_says() {
    check("books.json", &books::file());
}
