//! The codec of `/icn/topology/1.0.0`: each side tells where it stands, in one value of DAG-CBOR, ended by closing the
//! write side. The connection itself says who tells it.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use icn_types::TopologyInfo;
use icn_types::codec::{self, CodecError};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;

/// The protocol.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/icn/topology/1.0.0");
/// The largest topology, in bytes. Longer: the stream ends.
pub const TOPOLOGY_BYTES_MAX: usize = 1_024;

/// Reads and writes raw bytes up to [`TOPOLOGY_BYTES_MAX`].
#[derive(Debug, Clone, Default)]
pub(crate) struct TopologyCodec;

/// Encodes a topology. Empty when it is too large, which no peer takes.
pub(crate) fn encode(topology: &TopologyInfo) -> Bytes {
    let bytes = codec::encode(topology).unwrap_or_default();
    if bytes.len() > TOPOLOGY_BYTES_MAX { Bytes::new() } else { bytes.into() }
}

/// Decodes a topology; fields that a later version may add are passed over.
///
/// # Errors
///
/// [`CodecError`] for what is not strict DAG-CBOR, or names no tier or role.
pub(crate) fn decode(bytes: &[u8]) -> Result<TopologyInfo, CodecError> {
    codec::decode(bytes)
}

impl Codec for TopologyCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, told: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&told).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, told: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&told).await
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    io.take(TOPOLOGY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.is_empty() || bytes.len() > TOPOLOGY_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a topology of no bytes, or of more than 1 KiB",
        ));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use icn_types::{NodeTier, ServiceRole};
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    #[test]
    fn what_is_read_is_bounded() {
        for (bytes, fits) in
            [(0, false), (1, true), (TOPOLOGY_BYTES_MAX, true), (TOPOLOGY_BYTES_MAX + 1, false)]
        {
            assert_eq!(block_on(read(&mut Cursor::new(vec![7; bytes]))).is_ok(), fits, "{bytes}");
        }
    }

    /// The cases that `docs/protocol/vectors/topology.json` shows.
    fn vectors() -> Json {
        let full = TopologyInfo {
            region: Some("us-west".parse().unwrap()),
            cluster_id: Some("my-coop".parse().unwrap()),
            tier: NodeTier::Regional,
            service_role: ServiceRole::Archive,
            capacity: None,
        };
        let valid = [("says nothing", TopologyInfo::default()), ("says where it stands", full)].map(|(what, topology)| {
            serde_json::json!({"what": what, "topology": topology, "bytes": hex::encode(encode(&topology))})
        });
        let invalid = [
            ("no map", "80".to_owned()),
            ("cut off", "a164746965726465".to_owned()),
            ("a tier that is none", hex::encode([&[0xa1, 0x64][..], b"tier", &[0x63], b"sky"].concat())),
            ("a region that is none", hex::encode([&[0xa1, 0x66][..], b"region", &[0x62], b"EU"].concat())),
            ("something behind it", "a000".to_owned()),
            ("a length that is not the shortest", "b800".to_owned()),
        ]
        .map(|(why, bytes)| serde_json::json!({"why": why, "bytes": bytes}));
        serde_json::json!({"valid": valid, "invalid": invalid})
    }

    #[test]
    fn the_vectors_are_current_and_hold() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/vectors/topology.json");
        let made = format!("{}\n", serde_json::to_string_pretty(&vectors()).unwrap());
        // `UPDATE_VECTORS=1 cargo test -p icn-net vectors` writes it anew.
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), made);
        let vectors: Json = serde_json::from_str(&made).unwrap();
        let bytes = |case: &Json| hex::decode(case["bytes"].as_str().unwrap()).unwrap();
        for case in vectors["valid"].as_array().unwrap() {
            let decoded = decode(&bytes(case)).unwrap();
            assert_eq!(serde_json::to_value(&decoded).unwrap(), case["topology"]);
            assert_eq!(encode(&decoded), bytes(case));
        }
        for case in vectors["invalid"].as_array().unwrap() {
            assert!(decode(&bytes(case)).is_err(), "{}", case["why"]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_topology_or_an_error(bytes: Vec<u8>) {
            if let Ok(topology) = decode(&bytes) {
                prop_assert!(decode(&encode(&topology)).is_ok());
            }
        }
    }
}
