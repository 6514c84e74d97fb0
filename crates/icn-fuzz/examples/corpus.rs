//! Writes the first inputs of every target: `cargo run -p icn-fuzz --example corpus`.

#[path = "../../icn-protocol/tests/samples/mod.rs"]
mod samples;

use std::io::Result;
use std::path::PathBuf;

use icn_identity::{Keypair, peer_id};
use icn_protocol::{RefusalCode, Response};
use icn_types::{Cid, DAG_PB};

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
    unixfs()
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
