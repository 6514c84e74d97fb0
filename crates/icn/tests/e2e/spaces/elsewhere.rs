//! A member whose key is on no node: it asks for the bytes of its next entry, signs them, and hands them in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use icn_identity::{Keypair, Signer as _};
use icn_types::Did;
use serde_json::{Value, json};

use crate::node::Node;

/// The path of a space that is called so.
const SPACE: &str = "/v1/spaces/Bakery";

/// The member.
pub(super) struct Elsewhere {
    key: Keypair,
}

impl Elsewhere {
    pub(super) fn new() -> Self {
        Self { key: Keypair::generate_from_os().unwrap() }
    }

    pub(super) fn did(&self) -> Did {
        self.key.did()
    }

    /// Signs the entry that comes next by what a node knows.
    #[track_caller]
    pub(super) fn sign(&self, node: &Node, act: &Value) -> Vec<u8> {
        let request = json!({ "author": self.did(), "acts": [act] }).to_string();
        let path = format!("{SPACE}/entries/prepare");
        let (status, entry) = post(node, &path, "application/json", request.as_bytes());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&entry));
        let signature = self.key.sign("EntryV1", &entry);
        // DAG-CBOR: {"sig": 64 bytes, "entry": bytes}, the shorter key first.
        let length = u16::try_from(entry.len()).unwrap().to_be_bytes();
        [b"\xa2\x63sig\x58\x40", signature.as_bytes().as_slice(), b"\x65entry\x59", &length, &entry].concat()
    }

    /// Hands an entry in, and gives the answer.
    pub(super) fn hand_in(node: &Node, signed: &[u8]) -> (u16, Value) {
        let path = format!("{SPACE}/entries");
        let (status, answer) = post(node, &path, "application/vnd.ipld.dag-cbor", signed);
        (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// Signs and hands in, and names the entry.
    #[track_caller]
    pub(super) fn say(&self, node: &Node, act: &Value) -> String {
        let (status, answer) = Self::hand_in(node, &self.sign(node, act));
        assert_eq!(status, 201, "{answer}");
        super::word(&answer["entry"])
    }

    /// Pays, and names the order.
    #[track_caller]
    pub(super) fn pay(&self, node: &Node, to: &Node, smallest: i64) -> String {
        let act = json!({ "pay": { "to": to.did(), "amount": smallest, "currency": "hours" } });
        format!("{}#0", self.say(node, &act))
    }
}

fn post(node: &Node, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let api = node.file["api"].as_str().unwrap().trim_start_matches("http://");
    let token = std::fs::read_to_string(node.folder().join("api.token")).unwrap();
    let mut stream = TcpStream::connect(api).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        token.trim(),
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}
