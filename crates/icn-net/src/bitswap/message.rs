//! The messages of Bitswap 1.2.0 and their framing: an unsigned varint with the length, then protobuf.

use bytes::Bytes;
use futures::AsyncRead;
use icn_types::{BLOCK_BYTES_MAX, Cid};
use prost::Message as _;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use sha2::{Digest, Sha256};

use crate::frame::{self, FrameError};

/// The largest frame, in bytes: one block of the largest size and the protobuf around it.
pub const FRAME_BYTES_MAX: usize = BLOCK_BYTES_MAX + 64 * 1024;

/// Wants, blocks and presences in one message. A message of two-byte entries would otherwise grow thirtyfold in memory.
pub const ITEMS_MAX: usize = 4_096;

/// One message, as the Bitswap specification gives it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Message {
    /// What the sender wants.
    #[prost(message, optional, tag = "1")]
    pub wantlist: Option<Wantlist>,
    /// Blocks, each with what its CID is made of.
    #[prost(message, repeated, tag = "3")]
    pub payload: Vec<Block>,
    /// Whether the sender has what the receiver asked about.
    #[prost(message, repeated, tag = "4")]
    pub block_presences: Vec<BlockPresence>,
    /// Bytes that the sender has still queued.
    #[prost(int32, tag = "5")]
    pub pending_bytes: i32,
}

/// A list of wants, a change to it unless `full`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Wantlist {
    /// The wants.
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<Entry>,
    /// Whether the list takes the place of the earlier ones.
    #[prost(bool, tag = "2")]
    pub full: bool,
}

/// One want.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// The binary CID.
    #[prost(bytes = "bytes", tag = "1")]
    pub block: Bytes,
    /// Larger is more urgent.
    #[prost(int32, tag = "2")]
    pub priority: i32,
    /// Whether the want is taken back.
    #[prost(bool, tag = "3")]
    pub cancel: bool,
    /// See [`WantType`].
    #[prost(enumeration = "WantType", tag = "4")]
    pub want_type: i32,
    /// Whether the sender wants to be told when the block is not there.
    #[prost(bool, tag = "5")]
    pub send_dont_have: bool,
}

/// What is wanted of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum WantType {
    /// Its bytes.
    Block = 0,
    /// Whether it is there.
    Have = 1,
}

/// A block without the hash in its CID, which the receiver computes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Block {
    /// The binary CID up to the digest.
    #[prost(bytes = "bytes", tag = "1")]
    pub prefix: Bytes,
    /// The bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
}

/// An answer about one block.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BlockPresence {
    /// The binary CID.
    #[prost(bytes = "bytes", tag = "1")]
    pub cid: Bytes,
    /// See [`Presence`].
    #[prost(enumeration = "Presence", tag = "2")]
    pub presence: i32,
}

/// Whether a block is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Presence {
    /// It is.
    Have = 0,
    /// It is not.
    DontHave = 1,
}

/// Bytes that are not a message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    #[error("a Bitswap frame of {0} bytes: at most {FRAME_BYTES_MAX} are read")]
    FrameTooLarge(u64),
    /// The message holds more than [`ITEMS_MAX`] items.
    #[error("a Bitswap message with more than {ITEMS_MAX} items")]
    TooManyItems,
    /// The bytes are not protobuf of this schema.
    #[error("not a Bitswap message")]
    Protobuf(#[from] prost::DecodeError),
    /// The stream broke off.
    #[error("the stream broke off")]
    Io(#[from] std::io::Error),
}

/// Decodes a message without its frame.
///
/// # Errors
///
/// [`DecodeError::FrameTooLarge`], [`DecodeError::TooManyItems`], [`DecodeError::Protobuf`].
pub fn decode(frame: Bytes) -> Result<Message, DecodeError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::FrameTooLarge(frame.len() as u64));
    }
    if items(&frame, true)? > ITEMS_MAX {
        return Err(DecodeError::TooManyItems);
    }
    Ok(Message::decode(frame)?)
}

/// Encodes a message with its frame.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    message.encode_length_delimited_to_vec()
}

/// Counts the submessages of a message, those of its wantlist included, without making room for any.
fn items(mut bytes: &[u8], is_outer: bool) -> Result<usize, prost::DecodeError> {
    let mut count = 0;
    while bytes.has_remaining() {
        let (tag, wire) = decode_key(&mut bytes)?;
        match wire {
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
                let Some((inner, rest)) = bytes.split_at_checked(length) else { break };
                count += 1;
                if is_outer && tag == 1 {
                    count += items(inner, false)?;
                }
                bytes = rest;
            }
            WireType::Varint => drop(decode_varint(&mut bytes)?),
            WireType::ThirtyTwoBit => bytes = bytes.get(4..).unwrap_or_default(),
            WireType::SixtyFourBit => bytes = bytes.get(8..).unwrap_or_default(),
            // Groups are no part of the schema; the decoder refuses or skips them, and they hold no items of ours.
            WireType::StartGroup | WireType::EndGroup => count += 1,
        }
        if count > ITEMS_MAX {
            break;
        }
    }
    Ok(count)
}

/// Reads one frame; none at the end of the stream. `progress` is called whenever bytes have arrived.
///
/// # Errors
///
/// [`DecodeError::FrameTooLarge`] before any of the frame is read, [`DecodeError::Io`] when the stream breaks off.
pub async fn read_frame<R: AsyncRead + Unpin>(
    io: &mut R,
    progress: impl Fn(),
) -> Result<Option<Bytes>, DecodeError> {
    let frame = frame::read(io, FRAME_BYTES_MAX, |_| progress()).await.map_err(|error| match error {
        FrameError::TooLarge(bytes) => DecodeError::FrameTooLarge(bytes),
        FrameError::Io(error) => DecodeError::Io(error),
    })?;
    Ok(frame.map(Bytes::from))
}

/// Returns what stands before the digest in a binary CID.
#[must_use]
pub fn prefix_of(cid: &Cid) -> Bytes {
    let mut bytes = cid.to_bytes();
    let (_, digest_len) = cid.hash_kind();
    bytes.truncate(bytes.len().saturating_sub(digest_len));
    bytes.into()
}

/// Computes the CID of a block by hashing its bytes as its prefix says. None when the prefix cannot be read or names a
/// hash function that is not SHA-256 or BLAKE3.
#[must_use]
pub fn cid_of(block: &Block) -> Option<Cid> {
    let mut rest: &[u8] = &block.prefix;
    let version = decode_varint(&mut rest).ok()?;
    let codec = decode_varint(&mut rest).ok()?;
    let hash = decode_varint(&mut rest).ok()?;
    let length = decode_varint(&mut rest).ok()?;
    if version > 1 || length != 32 || !rest.is_empty() {
        return None;
    }
    let digest: [u8; 32] = match hash {
        0x12 => Sha256::digest(&block.data).into(),
        0x1e => blake3::hash(&block.data).into(),
        _ => return None,
    };
    let mut cid = Vec::with_capacity(block.prefix.len() + digest.len());
    for part in [1, codec, hash, length] {
        prost::encoding::encode_varint(part, &mut cid);
    }
    cid.extend_from_slice(&digest);
    Cid::from_bytes(&cid).ok()
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Message {
        let data = Bytes::from_static(b"hello");
        let cid = Cid::of_raw(&data);
        Message {
            wantlist: Some(Wantlist {
                entries: vec![Entry {
                    block: cid.to_bytes().into(),
                    priority: 1,
                    cancel: false,
                    want_type: WantType::Have as i32,
                    send_dont_have: true,
                }],
                full: false,
            }),
            payload: vec![Block { prefix: prefix_of(&cid), data }],
            block_presences: vec![BlockPresence {
                cid: cid.to_bytes().into(),
                presence: Presence::DontHave as i32,
            }],
            pending_bytes: 7,
        }
    }

    #[test]
    fn frames_are_read_as_written() {
        let mut bytes = encode(&sample());
        bytes.extend(encode(&Message::default()));
        let mut io = Cursor::new(bytes);
        let frame = block_on(read_frame(&mut io, || {})).unwrap().unwrap();
        assert_eq!(decode(frame).unwrap(), sample());
        assert!(block_on(read_frame(&mut io, || {})).unwrap().unwrap().is_empty());
        assert!(block_on(read_frame(&mut io, || {})).unwrap().is_none());
    }

    #[test]
    fn a_message_has_the_bytes_of_the_schema() {
        // Written by hand from the .proto file: wantlist { entries { block: 01 02, wantType: Have } }.
        let bytes = [0x0a, 0x08, 0x0a, 0x06, 0x0a, 0x02, 0x01, 0x02, 0x20, 0x01];
        let message = decode(Bytes::copy_from_slice(&bytes)).unwrap();
        let entry = &message.wantlist.as_ref().unwrap().entries[0];
        assert_eq!((entry.block.as_ref(), entry.want_type), (&[1u8, 2][..], WantType::Have as i32));
        assert_eq!(encode(&message)[1..], bytes);
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_read() {
        let mut io = Cursor::new(vec![0xff, 0xff, 0xff, 0x7f, 0, 0]);
        assert!(matches!(block_on(read_frame(&mut io, || {})), Err(DecodeError::FrameTooLarge(_))));
        let mut endless = Cursor::new(vec![0xff; 20]);
        assert!(matches!(block_on(read_frame(&mut endless, || {})), Err(DecodeError::FrameTooLarge(_))));
        let mut short = Cursor::new(vec![5, 1]);
        assert!(matches!(block_on(read_frame(&mut short, || {})), Err(DecodeError::Io(_))));
    }

    #[test]
    fn a_message_of_many_small_entries_is_refused() {
        let entries = [0x0a, 0x00].repeat(ITEMS_MAX + 1);
        let mut bytes = vec![0x0a];
        prost::encoding::encode_varint(entries.len() as u64, &mut bytes);
        bytes.extend(entries);
        assert!(matches!(decode(bytes.into()), Err(DecodeError::TooManyItems)));
        let presences = [0x22, 0x00].repeat(ITEMS_MAX + 1);
        assert!(matches!(decode(presences.into()), Err(DecodeError::TooManyItems)));
    }

    #[test]
    fn the_cid_of_a_block_is_computed_not_believed() {
        let data = Bytes::from_static(b"hello world");
        let cid = Cid::of_raw(&data);
        let block = Block { prefix: prefix_of(&cid), data };
        assert_eq!(cid_of(&block), Some(cid));
        let lie = Block { data: Bytes::from_static(b"hello worlb"), ..block.clone() };
        assert_ne!(cid_of(&lie), Some(cid));
        for prefix in [&[][..], &[1], &[2, 0x55, 0x12, 32], &[1, 0x55, 0x11, 32], &[1, 0x55, 0x12, 32, 0]] {
            assert_eq!(cid_of(&Block { prefix: Bytes::copy_from_slice(prefix), ..block.clone() }), None);
        }
        // Version 0 is read as the version 1 that it stands for.
        let v0 = Block { prefix: Bytes::from_static(&[0, 0x70, 0x12, 32]), ..block };
        assert_eq!(cid_of(&v0), Some(Cid::of(icn_types::DAG_PB, b"hello world")));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(message) = decode(bytes.clone().into()) {
                let again = message.encode_to_vec();
                prop_assert_eq!(decode(again.into()).unwrap(), message);
            }
            let _ = block_on(read_frame(&mut Cursor::new(bytes), || {}));
        }
    }
}
