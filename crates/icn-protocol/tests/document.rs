//! `docs/protocol.md` says what the code does: its tables are compared with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use icn_protocol::topics::{
    BITSWAP_PROTOCOL, CAPABILITIES, DIRECT_PROTOCOL, JOBS, KAD_PROTOCOL, MESH_PROTOCOL, RECEIPTS,
};
use icn_protocol::{JobStatus, Message, RefusalCode, capacity, receipt};

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn says(document: &str, what: &str) {
    assert!(document.contains(what), "docs/protocol.md does not say `{what}`");
}

#[test]
fn every_name_is_in_the_document() {
    let document = read("docs/protocol.md");
    for topic in [CAPABILITIES, JOBS, RECEIPTS, "/icn/mesh/jobs/announce/region/<region>/v1"] {
        says(&document, &format!("| `{topic}` |"));
    }
    for protocol in [DIRECT_PROTOCOL, MESH_PROTOCOL, KAD_PROTOCOL, BITSWAP_PROTOCOL, receipt::NAME] {
        says(&document, &format!("`{protocol}`"));
    }
    for code in RefusalCode::ALL {
        says(&document, &format!("`{code}`"));
    }
    for name in Message::NAMES {
        says(&document, &format!("| `{name}` |"));
        says(&document, &format!("**{name}**"));
    }
    for name in [
        capacity::FUEL_MAX,
        capacity::MEMORY_BYTES_MAX,
        capacity::OUTPUT_BYTES_MAX,
        capacity::TIMEOUT_SECONDS_MAX,
        capacity::MODULE_BYTES_MAX,
        capacity::JOBS_MAX,
        capacity::JOBS_FREE,
    ] {
        says(&document, &format!("`{name}`"));
    }
    let folder = format!("{}/../../docs/protocol/vectors", env!("CARGO_MANIFEST_DIR"));
    for file in std::fs::read_dir(folder).unwrap() {
        says(&document, &format!("| `{}` |", file.unwrap().file_name().to_str().unwrap()));
    }
}

#[test]
fn the_table_of_states_is_the_one_in_the_code() {
    let document = read("docs/protocol.md");
    for status in JobStatus::ALL {
        let next: Vec<String> = status.successors().iter().map(|next| format!("`{next}`")).collect();
        let reported = if status.is_reported() { " ● " } else { " " };
        let cell = if next.is_empty() { " ".to_owned() } else { format!(" {} ", next.join(" ")) };
        says(&document, &format!("| `{status}` | `{:?}` |{reported}|{cell}|", status.standard()));
    }
}

#[test]
fn the_table_of_host_functions_is_the_one_of_the_runtime() {
    let document = read("docs/protocol.md");
    let reference = read("crates/icn-runtime/src/abi.rs");
    let rows: Vec<&str> = reference.lines().filter_map(|line| line.strip_prefix("//! |")).collect();
    assert!(rows.len() > 10, "the tables of abi.rs have moved");
    for row in rows {
        says(&document, &format!("|{row}"));
    }
}
