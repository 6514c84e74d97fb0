//! The two protobuf messages: DAG-PB nodes and the UnixFS data inside them.

use bytes::Bytes;
use prost::Message;

/// A node of DAG-PB. Its canonical form writes the links first, though their field number is higher.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PbNode {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) data: Option<Bytes>,
    #[prost(message, repeated, tag = "2")]
    pub(super) links: Vec<PbLink>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PbLink {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) hash: Option<Bytes>,
    #[prost(string, optional, tag = "2")]
    pub(super) name: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) tsize: Option<u64>,
}

/// The UnixFS message in a node's data.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PbData {
    #[prost(uint64, required, tag = "1")]
    pub(super) kind: u64,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) data: Option<Bytes>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) filesize: Option<u64>,
    #[prost(uint64, repeated, packed = "false", tag = "4")]
    pub(super) blocksizes: Vec<u64>,
}

pub(super) const KIND_RAW: u64 = 0;
pub(super) const KIND_DIRECTORY: u64 = 1;
pub(super) const KIND_FILE: u64 = 2;
pub(super) const KIND_METADATA: u64 = 3;
pub(super) const KIND_SYMLINK: u64 = 4;
pub(super) const KIND_HAMT: u64 = 5;

impl PbNode {
    /// Encodes links before data, as the DAG-PB specification demands; the encoder alone would go by field number.
    pub(super) fn canonical(links: Vec<PbLink>, data: Bytes) -> Vec<u8> {
        let links = Self { data: None, links };
        let data = Self { data: Some(data), links: Vec::new() };
        let mut bytes = Vec::with_capacity(links.encoded_len() + data.encoded_len());
        bytes.extend(links.encode_to_vec());
        bytes.extend(data.encode_to_vec());
        bytes
    }
}
