//! The targets: one for each decoder.

mod books;
mod logs;

use std::fmt::Display;
use std::str::FromStr;

use bytes::Bytes;
use icn_identity::{Ed25519Verifier, Keypair, SignatureError, Verifier};
use icn_protocol::topics::Topic;
use icn_protocol::{
    DIRECT_BYTES_MAX, Incoming, InputSource, Message, Params, ReceiptBundle, Response, parse, receipt,
};
use icn_types::{
    Cid, DAG_CBOR, DAG_PB, Did, Duration, RAW, Region, Timestamp, TokenAmount, check_path, codec,
};
use serde::de::IgnoredAny;

pub use self::books::{pass, post, vote};
pub use self::logs::{entry, fork, live, page, sample_page, sync};

/// Takes every signature, so that inputs reach what lies behind the check.
struct Credulous;

impl Verifier for Credulous {
    fn verify(&self, _: &Did, _: Timestamp, _: &str, _: &[u8], _: &[u8]) -> Result<(), SignatureError> {
        Ok(())
    }
}

/// Strict DAG-CBOR: what decodes has exactly these bytes as its encoding, and whatever has them decodes, unless it is deep.
pub fn codec(data: &[u8]) {
    // Nothing is read here but by the check of the form.
    let read = codec::decode::<IgnoredAny>(data);
    assert_eq!(read.is_ok(), codec::decode_value(data).is_ok(), "a value is not what its form says");
    let value = serde_ipld_dagcbor::from_slice::<codec::Value>(data).ok();
    let is_encoded_alike = value.is_some_and(|value| codec::encode(&value).as_deref() == Ok(data));
    if read != Err(codec::CodecError::TooDeep) {
        assert_eq!(read.is_ok(), is_encoded_alike, "one value has two encodings, or its only one is refused");
    }
}

/// Messages: what is accepted is whole, named, and on one topic at most; a real signature never holds by chance.
pub fn message(data: &[u8]) {
    let Ok(Incoming::Message(raw)) = parse(data, DIRECT_BYTES_MAX) else { return };
    assert!(Message::NAMES.contains(&raw.name()));
    // The committed inputs carry real signatures; whatever else passes would be a forgery of theirs.
    let _ = raw.clone().verify(&Ed25519Verifier::new());
    let Ok(verified) = raw.verify(&Credulous) else { return };
    let message = verified.message();
    assert_eq!(Topic::of(message).is_some(), message.is_gossip());
    assert!(message.is_gossip() || message.is_direct());
    assert!(verified.cid().verify(verified.inner()).is_ok());
    assert!(data.ends_with(verified.inner()), "the inner map is not the one that came");
}

/// Job parameters: the block stays as it came, whatever fields it has.
pub fn params(data: &[u8]) {
    if let Ok(params) = Params::from_bytes(data) {
        assert_eq!(params.bytes(), data);
        assert!(params.cid().verify(data).is_ok());
    }
}

/// Receipts and bundles: what is accepted stays as it came, and one bundle has one form.
pub fn receipt(data: &[u8]) {
    if let Ok(raw) = receipt::parse(data) {
        let _ = raw.clone().verify(&Ed25519Verifier::new());
        if let Ok(signed) = raw.verify(&Credulous) {
            assert_eq!(signed.bytes(), data);
        }
    }
    if let Ok(bundle) = ReceiptBundle::decode(data) {
        assert_eq!(bundle.encode(), data, "one bundle has two forms");
        let _ = bundle.verify(&Credulous);
    }
}

/// Responses: what is read is written and read again as the same.
pub fn response(data: &[u8]) {
    if let Ok(response) = Response::decode(data) {
        assert_eq!(Response::decode(&response.encode()), Ok(response));
    }
}

/// Names as text: what is read is printed in one form, which is read as the same.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    again::<Did>(text);
    again::<Cid>(text);
    again::<Timestamp>(text);
    again::<Duration>(text);
    again::<Region>(text);
    again::<TokenAmount>(text);
    again::<Topic>(text);
    again::<InputSource>(text);
    if check_path(text).is_ok() {
        let stays = std::path::Path::new(text)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        assert!(stays, "`{text}` could leave its folder");
    }
    if let Ok(cid) = Cid::from_bytes(data) {
        assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
    }
}

fn again<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert!(printed.parse::<T>().is_ok_and(|again| again == value), "`{text}` becomes `{printed}`");
    }
}

/// Sealed boxes: nobody makes one that opens without knowing how.
pub fn sealed(data: &[u8]) {
    let _ = icn_identity::open(&Keypair::from_seed([1; 32]), b"fuzz", data);
}

/// Bitswap messages.
pub fn bitswap(data: &[u8]) {
    let _ = icn_net::bitswap::message::decode(Bytes::copy_from_slice(data));
}

/// Blocks of files: sizes add up, and links are CIDs.
pub fn unixfs(data: &[u8]) {
    let block = Bytes::copy_from_slice(data);
    for codec in [DAG_PB, RAW, DAG_CBOR] {
        if let Ok(node) = icn_store::unixfs::parse(&Cid::of(codec, data), &block) {
            let children = node.children.iter().map(|child| child.size).sum::<u64>();
            assert_eq!(node.file_size, node.data.len() as u64 + children);
        }
    }
    let _ = icn_store::unixfs::links(&block);
}
