//! Do real processes agree? Each test starts nodes of the built program, in folders and on ports of its own, waits for
//! conditions (never for time to pass), and kills what it started. When a test fails, the logs of its nodes are printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod ends;
mod guests;
mod hostile;
mod jobs;
mod keeping;
mod killed;
mod liars;
mod mesh;
mod messages;
mod node;
mod receipts;
mod rogue;
mod spaces;
mod strangers;
mod world;
