//! One block of a file, understood.

use bytes::Bytes;
use icn_types::{BLOCK_BYTES_MAX, Cid, DAG_PB, RAW};
use prost::Message;

use super::UnixFsError;
use super::proto::{
    KIND_DIRECTORY, KIND_FILE, KIND_HAMT, KIND_METADATA, KIND_RAW, KIND_SYMLINK, PbData, PbLink, PbNode,
};

/// One block of a file: first its own bytes, then its children's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Bytes of the file that stand in this block.
    pub data: Bytes,
    /// The blocks that continue the file, in order.
    pub children: Vec<Child>,
    /// Bytes of the file under this node: its own and its children's.
    pub file_size: u64,
}

/// A link to a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// The block.
    pub cid: Cid,
    /// Bytes of the file under it, as the parent claims.
    pub size: u64,
}

/// Reads a block of a file. That the bytes are those of the CID is the caller's to check.
///
/// # Errors
///
/// See [`UnixFsError`]; sizes must add up without overflow.
pub fn parse(cid: &Cid, block: &Bytes) -> Result<Node, UnixFsError> {
    if block.len() > BLOCK_BYTES_MAX {
        let detail = format!("{} bytes are more than {BLOCK_BYTES_MAX}", block.len());
        return Err(UnixFsError::Unreadable { cid: *cid, detail });
    }
    match cid.codec() {
        RAW => Ok(Node { data: block.clone(), children: Vec::new(), file_size: block.len() as u64 }),
        DAG_PB => parse_pb(cid, block),
        _ => Err(UnixFsError::NotAFile { cid: *cid }),
    }
}

/// Returns the links of a DAG-PB block, whatever it holds.
///
/// # Errors
///
/// The reason in words when the bytes are not DAG-PB.
pub fn links(block: &Bytes) -> Result<Vec<Cid>, String> {
    let node = PbNode::decode(block.clone()).map_err(|error| error.to_string())?;
    node.links.iter().map(link_cid).collect()
}

fn link_cid(link: &PbLink) -> Result<Cid, String> {
    let hash = link.hash.as_ref().ok_or("a link names no block")?;
    Cid::from_bytes(hash).map_err(|error| error.to_string())
}

fn parse_pb(cid: &Cid, block: &Bytes) -> Result<Node, UnixFsError> {
    let unreadable = |detail: String| UnixFsError::Unreadable { cid: *cid, detail };
    let sizes = |detail: String| UnixFsError::Sizes { cid: *cid, detail };
    let node = PbNode::decode(block.clone()).map_err(|error| unreadable(error.to_string()))?;
    let inner = node.data.ok_or_else(|| unreadable("it has no UnixFS data".into()))?;
    let inner = PbData::decode(inner).map_err(|error| unreadable(error.to_string()))?;
    check_kind(cid, inner.kind)?;
    if inner.blocksizes.len() != node.links.len() {
        return Err(sizes(format!("{} links, {} sizes", node.links.len(), inner.blocksizes.len())));
    }
    let children = node
        .links
        .iter()
        .zip(&inner.blocksizes)
        .map(|(link, size)| Ok(Child { cid: link_cid(link).map_err(unreadable)?, size: *size }))
        .collect::<Result<Vec<_>, UnixFsError>>()?;
    let data = inner.data.unwrap_or_default();
    let file_size = children
        .iter()
        .try_fold(data.len() as u64, |sum, child| sum.checked_add(child.size))
        .ok_or_else(|| sizes("their sum is too large".into()))?;
    match inner.filesize {
        Some(claimed) if claimed != file_size => {
            Err(sizes(format!("the parts have {file_size} bytes, the whole {claimed}")))
        }
        _ => Ok(Node { data, children, file_size }),
    }
}

fn check_kind(cid: &Cid, kind: u64) -> Result<(), UnixFsError> {
    let kind = match kind {
        KIND_RAW | KIND_FILE => return Ok(()),
        KIND_DIRECTORY | KIND_HAMT => "a directory",
        KIND_SYMLINK => "a symbolic link",
        KIND_METADATA => "metadata",
        _ => "of an unknown kind",
    };
    Err(UnixFsError::OtherKind { cid: *cid, kind })
}

/// Makes the block of an inner node of a file.
pub(super) fn inner_block(children: &[(Child, u64)]) -> Vec<u8> {
    let links = children
        .iter()
        .map(|(child, tsize)| PbLink {
            hash: Some(child.cid.to_bytes().into()),
            // Common tools write the empty name, and their CIDs depend on it.
            name: Some(String::new()),
            tsize: Some(*tsize),
        })
        .collect();
    let data = PbData {
        kind: KIND_FILE,
        data: None,
        filesize: Some(children.iter().map(|(child, _)| child.size).sum()),
        blocksizes: children.iter().map(|(child, _)| child.size).collect(),
    };
    PbNode::canonical(links, data.encode_to_vec().into())
}
