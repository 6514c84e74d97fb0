//! Writes the first inputs of every target: `cargo run -p icn-fuzz --example corpus`.

#[path = "../../icn-protocol/tests/samples/mod.rs"]
mod samples;

use std::io::Result;
use std::path::PathBuf;

use icn_identity::{Keypair, peer_id};
use icn_protocol::{RefusalCode, Response};
use icn_types::{Cid, DAG_PB};
use serde_json::Value as Json;

fn main() -> Result<()> {
    for (name, wire, _) in samples::messages() {
        write("message", name, &wire)?;
        write("codec", name, &wire)?;
    }
    write("message", "unknown", &samples::close("TeleportV1", &samples::open(samples::bid().wire()).1))?;
    for (name, bytes) in
        [("deep", "81818181818180"), ("boastful", "bbffffffffffffffff"), ("float", "fb3ff8000000000000")]
    {
        write("codec", name, &hex::decode(bytes).map_err(std::io::Error::other)?)?;
    }
    write("params", "job", samples::params().bytes())?;
    write("receipt", "receipt", samples::receipt().bytes())?;
    write("receipt", "bundle", &samples::bundle().encode())?;
    write("response", "ack", &Response::Ack.encode())?;
    write("response", "busy", &Response::refused(RefusalCode::Busy, "later").encode())?;
    write("response", "newer", &Response::refused(RefusalCode::Other("too_hot".into()), "").encode())?;
    names()?;
    sealed()?;
    bitswap()?;
    unixfs()?;
    logs()?;
    books()
}

/// Reads a vector file.
fn vectors(name: &str) -> Result<Json> {
    let path = format!("{}/../../docs/protocol/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Returns a field; null when there is none.
fn part<'a>(json: &'a Json, name: &str) -> &'a Json {
    json.get(name).unwrap_or(&Json::Null)
}

fn cases(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn bytes(json: &Json) -> Result<Vec<u8>> {
    hex::decode(json.as_str().unwrap_or_default()).map_err(std::io::Error::other)
}

/// Writes the accepted cases of a list, and as many refused ones; each bears its `why`.
fn write_cases(target: &str, list: &Json, field: &str, refused_max: usize) -> Result<()> {
    let mut refused = 0;
    for case in cases(list) {
        refused += usize::from(case.get("refused").is_some());
        if case.get("refused").is_none() || refused <= refused_max {
            let why = part(case, "why").as_str().unwrap_or_default();
            let name: Vec<&str> =
                why.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
            write(target, &name.join("_"), &bytes(part(case, field))?)?;
        }
    }
    Ok(())
}

fn logs() -> Result<()> {
    write_cases("entry", part(&vectors("entries.json")?, "cases"), "bytes", 3)?;
    write_cases("fork", &vectors("forks.json")?, "bytes", 3)?;
    write_cases("live", &vectors("live.json")?, "bytes", 1)?;
    write("page", "replica", &icn_fuzz::targets::sample_page())?;
    let empty = icn_gossip::Log::new(
        icn_gossip::LogId { space: samples::originator().did(), topic: icn_gossip::TopicName::ledger() },
        icn_gossip::LogLimits::default(),
    );
    write("page", "empty", &empty.snapshot())?;
    let sync = vectors("sync.json")?;
    for (number, session) in cases(part(&sync, "sessions")).iter().enumerate() {
        // What the one side said is what the other one hears.
        for (side, from) in [(0, "responder"), (1, "initiator"), (2, "responder"), (3, "initiator")] {
            let mut stream = vec![side];
            for message in
                cases(part(session, "messages")).iter().filter(|message| part(message, "from") == from)
            {
                let framed = icn_gossip::frame(&bytes(part(message, "bytes"))?);
                stream.extend(framed.map_err(std::io::Error::other)?);
            }
            write("sync", &format!("session_{number}_{from}_{side}"), &stream)?;
        }
    }
    let refused =
        icn_gossip::frame(&icn_gossip::refuse("not_a_member", "")).map_err(std::io::Error::other)?;
    write("sync", "refused", &[&[0], &refused[..]].concat())
}

fn books() -> Result<()> {
    let posts = vectors("posts.json")?;
    write_cases("post", part(&posts, "valid"), "bytes", 0)?;
    write_cases("post", part(&posts, "refused"), "bytes", 3)?;
    write_cases("vote", part(&vectors("certificates.json")?, "votes"), "bytes", 3)?;
    let passes = vectors("passes.json")?;
    for (number, case) in
        cases(part(&passes, "passes")).iter().enumerate().filter(|(number, _)| [0, 7].contains(number))
    {
        write("pass", &format!("pass_{number}"), &bytes(part(case, "bytes"))?)?;
    }
    for (number, case) in cases(part(&passes, "invitations")).iter().enumerate().take(4) {
        write(
            "pass",
            &format!("invitation_{number}"),
            part(case, "text").as_str().unwrap_or_default().as_bytes(),
        )?;
    }
    write("pass", "order", format!("{}#3", samples::job()).as_bytes())
}

fn names() -> Result<()> {
    let key = samples::executor();
    for (name, text) in [
        ("did_icn", key.did().to_string()),
        ("did_key", key.did().to_did_key()),
        ("cid", samples::job().to_string()),
        ("cid_v0", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".into()),
        ("timestamp", samples::NOW.to_string()),
        ("duration", "PT1.5S".into()),
        ("amount", "5 hours".into()),
        ("topic", "/icn/mesh/jobs/announce/region/eu-central/v1".into()),
        ("source", "stages:a,b".into()),
        ("path", "a/../b".into()),
        ("peer", peer_id(&key.did()).to_string()),
    ] {
        write("names", name, text.as_bytes())?;
    }
    Ok(())
}

fn sealed() -> Result<()> {
    let key = Keypair::from_seed([1; 32]);
    // The example of a box is made once and kept: sealing draws fresh randomness.
    if !folder("sealed").join("box").exists() {
        let sealed = icn_identity::seal(&key.did(), b"fuzz", b"hello").map_err(std::io::Error::other)?;
        write("sealed", "box", &sealed)?;
    }
    write("sealed", "short", &[0; 47])
}

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap_or(u8::MAX)], bytes].concat()
}

fn bitswap() -> Result<()> {
    let cid = Cid::of_raw(b"hello").to_bytes();
    // Wants one block (priority 1, the block itself, tell me if you have not).
    let entry = [field(1, &cid), vec![2 << 3, 1, 4 << 3, 0, 5 << 3, 1]].concat();
    write("bitswap", "want", &field(1, &field(1, &entry)))?;
    let prefix = [1, 0x55, 0x12, 0x20];
    write("bitswap", "block", &field(3, &[field(1, &prefix), field(2, b"hello")].concat()))?;
    write("bitswap", "dont_have", &field(4, &[field(1, &cid), vec![2 << 3, 1]].concat()))
}

fn unixfs() -> Result<()> {
    // An empty file, and a file of two parts.
    write("unixfs", "empty", &field(1, &[8, 2, 24, 0]))?;
    let link = |bytes: &[u8]| {
        let size = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        field(2, &[field(1, &Cid::of_raw(bytes).to_bytes()), field(2, b""), vec![24, size]].concat())
    };
    let data = field(1, &[8, 2, 24, 10, 32, 5, 32, 5]);
    let node = [link(b"hello"), link(b"world"), data].concat();
    assert_eq!(Cid::of(DAG_PB, &node).codec(), DAG_PB);
    write("unixfs", "two_parts", &node)?;
    write("unixfs", "folder", &field(1, &[8, 1]))
}

fn folder(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus")).join(target)
}

fn write(target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    std::fs::create_dir_all(folder(target))?;
    std::fs::write(folder(target).join(name), bytes)
}
