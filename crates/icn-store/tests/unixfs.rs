//! Files: names that other tools give, any cutting, any offset, any valid layout, and no harm from invalid ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use icn_store::unixfs::{
    self, Added, Builder, CHUNK_BYTES, Child, DEPTH_MAX, LINKS_MAX, Reader, Step, UnixFsError, Walk,
};
use icn_store::{Block, Database, OpenOptions};
use icn_types::{Cid, DAG_CBOR, DAG_PB, RAW};
use proptest::prelude::*;
use prost::Message;

type Blocks = BTreeMap<Cid, Bytes>;

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 7 + 3) % 251) as u8).collect()
}

/// Builds a file from pieces of the given length.
fn build(content: &[u8], chunk: usize, links: usize, piece: usize) -> (Added, Blocks) {
    let mut builder = Builder::with_layout(chunk, links);
    let mut blocks = Vec::new();
    for piece in content.chunks(piece.max(1)) {
        blocks.extend(builder.push(piece));
    }
    let (added, last) = builder.finish();
    blocks.extend(last);
    assert_eq!(added.blocks, blocks.len() as u64);
    assert_eq!(blocks.last().map(Block::cid), Some(added.cid));
    (added, blocks.into_iter().map(|block| (block.cid(), block.into_bytes())).collect())
}

fn read_all(root: Cid, blocks: &Blocks) -> Result<Vec<u8>, UnixFsError> {
    let mut reader = Reader::new(root);
    let mut bytes = Vec::new();
    loop {
        let chunk = reader.chunk_at(bytes.len() as u64, blocks)?;
        if chunk.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// Made with `ipfs-unixfs-importer` 17.1.1 (Helia's): fixed-size chunker, balanced layout, raw leaves, CIDv1, a single
/// leaf stands for itself; content byte i = (7 i + 3) mod 251. Columns: length, chunk, links, root, distinct blocks.
const IMPORTED: &[(usize, usize, usize, &str, usize)] = &[
    (0, CHUNK_BYTES, LINKS_MAX, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 1),
    (1, CHUNK_BYTES, LINKS_MAX, "bafkreiaij7wqrolyv5gx2glkordkq22yacpgg23bdwyweenwlknk37zjyu", 1),
    (1_048_576, CHUNK_BYTES, LINKS_MAX, "bafkreia2yq37i5wercwluqaav55orhxvh577x3xs5e3ykcmf6xhlrnnon4", 1),
    (1_048_577, CHUNK_BYTES, LINKS_MAX, "bafybeigc5argbfcwlwcqxiny2elwgiq32feodcbhaydp3ttap5yhjgcwim", 3),
    (10_485_765, CHUNK_BYTES, LINKS_MAX, "bafybeih4p7hibogzunq3s53gdqdcwpo7fgphy43x4cfrbzhoi2czwyv4fe", 12),
    (15, 16, 4, "bafkreieywazetv26mqxpihyw7ryuq3vilnkr7sgjamsl45z5hftykl3zbq", 1),
    (16, 16, 4, "bafkreie4ssjg364uim7hsdzmecpcmm5s3u7jekzhigwgq7qwjvei2h7wpq", 1),
    (17, 16, 4, "bafybeigerw4w5zkevr4t74d7ce5s75clmka6r7jr36o53lmbdu2pwjff6a", 3),
    (48, 16, 4, "bafybeif6qkylnxli333ppccn3iire3htzs2gli5rt72pgjcshcopiz4dwa", 4),
    (49, 16, 4, "bafybeierwtzezcu6agyevfsolqgrtcbxr7zlezeybcmr3bedv2qupv5ed4", 5),
    (64, 16, 4, "bafybeid4lawpf5yxcomans4llhljkevnowd6xgrfu2y5tnsh3mu2gfxw3i", 5),
    (65, 16, 4, "bafybeibnk76reo75hvj5kyabwlksn7mhue5q5gl4fsjm6ljwli5t6rfuea", 8),
    (1_024, 16, 4, "bafybeicyzp5zyala6kqbkjl3ukfv7c464fp2ogrvnfl3d7b4rctqfy66ou", 85),
    (1_025, 16, 4, "bafybeigv24av6osiqv6lgpmnvaw64mmctshgtauwbzozdcd75gpgyz4wue", 90),
    (3_207, 16, 4, "bafybeicf3dg5modxxaiv3x3h55gk65dspeg5rbphfs2doz3oozigl3zdxe", 270),
    (5_000, 16, 4, "bafybeigfdfyfn2rbsaomcndcme5dkyrhzcdbhbgh7ejxehham4hq2tyhri", 359),
    (41_201, 40, 1_024, "bafybeia277jibbqdhvuftuyxa6zcrdszqe6bdprsfngeyiwd5golafhuje", 255),
];

#[test]
fn names_are_those_of_helia() {
    for (len, chunk, links, root, distinct) in IMPORTED {
        let content = content(*len);
        let (added, blocks) = build(&content, *chunk, *links, 100_000);
        assert_eq!(added.cid.to_string(), *root, "{len} bytes in chunks of {chunk}");
        assert_eq!(added.bytes, *len as u64);
        assert_eq!(blocks.len(), *distinct);
        assert_eq!(read_all(added.cid, &blocks).unwrap(), content);
    }
    let (hello, _) = build(b"hello world", CHUNK_BYTES, LINKS_MAX, 3);
    assert_eq!(hello.cid.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
}

// Messages of the test's own, so that nodes can be made that the builder would never make.

#[derive(Clone, PartialEq, Message)]
struct PbLink {
    #[prost(bytes = "vec", optional, tag = "1")]
    hash: Option<Vec<u8>>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    tsize: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct PbNode {
    #[prost(message, repeated, tag = "2")]
    links: Vec<PbLink>,
    #[prost(bytes = "vec", optional, tag = "1")]
    data: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct PbData {
    #[prost(uint64, required, tag = "1")]
    kind: u64,
    #[prost(bytes = "vec", optional, tag = "2")]
    data: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "3")]
    filesize: Option<u64>,
    #[prost(uint64, repeated, packed = "false", tag = "4")]
    blocksizes: Vec<u64>,
}

fn node(kind: u64, data: Option<&[u8]>, filesize: Option<u64>, children: &[Child]) -> Block {
    let inner = PbData {
        kind,
        data: data.map(<[u8]>::to_vec),
        filesize,
        blocksizes: children.iter().map(|child| child.size).collect(),
    };
    let link = |child: &Child| PbLink { hash: Some(child.cid.to_bytes()), name: None, tsize: None };
    let node = PbNode { links: children.iter().map(link).collect(), data: Some(inner.encode_to_vec()) };
    Block::of(DAG_PB, node.encode_to_vec())
}

fn child(block: &Block, size: u64) -> Child {
    Child { cid: block.cid(), size }
}

fn map(blocks: &[&Block]) -> Blocks {
    blocks.iter().map(|block| (block.cid(), block.bytes().clone())).collect()
}

#[test]
fn other_layouts_are_read() {
    // Bytes in the inner node, a DAG-PB leaf of type Raw, one of type File, a raw leaf, an empty part, uneven depth.
    let leaf_raw_type = node(0, Some(b"cd"), Some(2), &[]);
    let leaf_file_type = node(2, Some(b"ef"), None, &[]);
    let leaf = Block::of(RAW, &b"gh"[..]);
    let empty = Block::of(RAW, &b""[..]);
    let low = node(2, None, Some(4), &[child(&leaf_file_type, 2), child(&leaf, 2)]);
    let root = node(
        2,
        Some(b"ab"),
        Some(10),
        &[child(&leaf_raw_type, 2), child(&empty, 0), child(&low, 4), child(&leaf, 2)],
    );
    let blocks = map(&[&leaf_raw_type, &leaf_file_type, &leaf, &empty, &low, &root]);
    assert_eq!(read_all(root.cid(), &blocks).unwrap(), b"abcdefghgh");
    for from in 0..=10 {
        let mut buffer = [0; 4];
        let len = Reader::new(root.cid()).read_at(from, &mut buffer, &blocks).unwrap();
        assert_eq!(&buffer[..len], &b"abcdefghgh"[from as usize..(from as usize + 4).min(10)]);
    }
}

fn refusal(root: &Block, others: &[&Block]) -> UnixFsError {
    let mut blocks = map(others);
    blocks.insert(root.cid(), root.bytes().clone());
    read_all(root.cid(), &blocks).unwrap_err()
}

#[test]
fn what_is_no_file_is_said_to_be() {
    for (kind, name) in [
        (1, "a directory"),
        (5, "a directory"),
        (4, "a symbolic link"),
        (3, "metadata"),
        (9, "of an unknown kind"),
    ] {
        let error = refusal(&node(kind, None, None, &[]), &[]);
        assert!(matches!(error, UnixFsError::OtherKind { kind, .. } if kind == name), "{error}");
    }
    let cbor = Block::of(DAG_CBOR, &b"\xa0"[..]);
    assert!(matches!(refusal(&cbor, &[]), UnixFsError::NotAFile { .. }));
    for bytes in [&b""[..], b"\xff\xff", b"\x0a\x02\xff\xff"] {
        assert!(matches!(refusal(&Block::of(DAG_PB, bytes), &[]), UnixFsError::Unreadable { .. }));
    }
    let absent = Block::of(RAW, &b"absent"[..]);
    let error = refusal(&node(2, None, None, &[child(&absent, 6)]), &[]);
    assert!(matches!(error, UnixFsError::Missing { cid } if cid == absent.cid()));
}

#[test]
fn sizes_that_lie_are_refused() {
    let leaf = Block::of(RAW, &b"1234"[..]);
    let lies = [
        node(2, None, Some(5), &[child(&leaf, 4)]),
        node(2, None, Some(5), &[child(&leaf, 5)]),
        node(2, None, Some(3), &[child(&leaf, 3)]),
        node(2, Some(b"x"), Some(4), &[child(&leaf, 4)]),
        node(2, None, None, &[child(&leaf, u64::MAX), child(&leaf, 1)]),
        node(2, Some(b"x"), None, &[child(&leaf, u64::MAX)]),
    ];
    for lie in &lies {
        let error = refusal(lie, &[&leaf]);
        assert!(matches!(error, UnixFsError::Sizes { .. }), "{error}");
        let mut walk = Walk::new(lie.cid());
        walk.next_wanted().unwrap();
        let walked = walk.supply(&lie.cid(), lie.bytes()).and_then(|()| {
            let cid = walk.next_wanted().unwrap();
            walk.supply(&cid, leaf.bytes())
        });
        assert!(matches!(walked, Err(UnixFsError::Sizes { .. })));
    }
    // One link, no size.
    let link = PbLink { hash: Some(leaf.cid().to_bytes()), name: None, tsize: None };
    let data = PbData { kind: 2, data: None, filesize: None, blocksizes: vec![] };
    let bare = PbNode { links: vec![link], data: Some(data.encode_to_vec()) };
    let error = refusal(&Block::of(DAG_PB, bare.encode_to_vec()), &[&leaf]);
    assert!(matches!(error, UnixFsError::Sizes { .. }), "{error}");
}

#[test]
fn depth_and_repetition_are_bounded() {
    // Each level repeats the one below it a thousand times: 1000^n bytes from n blocks.
    let mut block = Block::of(RAW, &b"x"[..]);
    let mut size = 1;
    let mut blocks = map(&[&block]);
    for _ in 0..6 {
        block = node(2, None, None, &vec![child(&block, size); 1_000]);
        size *= 1_000;
        blocks.insert(block.cid(), block.bytes().clone());
    }
    let mut reader = Reader::new(block.cid());
    assert_eq!(reader.file_size(&blocks).unwrap(), size);
    assert_eq!(reader.read_at(size - 3, &mut [0; 8], &blocks).unwrap(), 3);
    let mut walk = Walk::new(block.cid());
    let mut named = 0;
    while let Some(cid) = walk.next_wanted() {
        walk.supply(&cid, &blocks[&cid]).unwrap();
        named += 1;
    }
    assert!(walk.is_done());
    assert_eq!((named, walk.file_size()), (7, Some(size)));

    let mut block = Block::of(RAW, &b"x"[..]);
    let mut blocks = map(&[&block]);
    for _ in 1..DEPTH_MAX {
        block = node(2, None, None, &[child(&block, 1)]);
        blocks.insert(block.cid(), block.bytes().clone());
    }
    assert_eq!(read_all(block.cid(), &blocks).unwrap(), b"x");
    let deeper = node(2, None, None, &[child(&block, 1)]);
    blocks.insert(deeper.cid(), deeper.bytes().clone());
    assert!(matches!(read_all(deeper.cid(), &blocks), Err(UnixFsError::TooDeep { .. })));
    let mut walk = Walk::new(deeper.cid());
    let walked = std::iter::from_fn(|| walk.next_wanted().map(|cid| walk.supply(&cid, &blocks[&cid])));
    assert!(matches!(walked.last(), Some(Err(UnixFsError::TooDeep { .. }))));

    let (added, blocks) = build(&content(5_000), 16, 4, 5_000);
    let mut walk = Walk::with_blocks_max(added.cid, 20);
    let walked = std::iter::from_fn(|| walk.next_wanted().map(|cid| walk.supply(&cid, &blocks[&cid])));
    assert!(walked.into_iter().any(|step| matches!(step, Err(UnixFsError::TooManyBlocks { max: 20 }))));
}

#[test]
fn a_reader_asks_once_for_each_block_when_read_in_order() {
    let content = content(1_000);
    let (added, blocks) = build(&content, 16, 4, 1_000);
    let mut reader = Reader::new(added.cid);
    let mut asked = 0;
    let mut read = Vec::new();
    loop {
        match reader.step(read.len() as u64).unwrap() {
            Step::Need(cid) => {
                asked += 1;
                assert!(matches!(
                    reader.supply(&Cid::of_raw(b"another"), &blocks[&cid]),
                    Err(UnixFsError::NotAsked)
                ));
                assert_eq!(reader.step(read.len() as u64).unwrap(), Step::Need(cid));
                reader.supply(&cid, &blocks[&cid]).unwrap();
            }
            // Byte by byte, the worst of consumers.
            Step::Data(bytes) => read.push(bytes[0]),
            Step::End => break,
        }
    }
    assert_eq!(read, content);
    assert_eq!(asked, added.blocks);
}

#[test]
fn files_go_through_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = Database::open(dir.path(), OpenOptions::default()).unwrap().blocks();
    let content = content(20 * 1024 * 1024 + 17);
    let added = unixfs::add(&blocks, &mut content.as_slice()).unwrap();
    assert_eq!(added, build(&content, CHUNK_BYTES, LINKS_MAX, 1 << 16).0);
    assert!(unixfs::missing(&blocks, &added.cid, 10).unwrap().is_empty());
    let mut reader = Reader::new(added.cid);
    assert_eq!(reader.file_size(&blocks).unwrap(), content.len() as u64);
    let mut read = vec![0; content.len()];
    assert_eq!(reader.read_at(0, &mut read, &blocks).unwrap(), content.len());
    assert!(read == content);
    let leaf = Cid::of_raw(&content[CHUNK_BYTES..2 * CHUNK_BYTES]);
    blocks.delete(&leaf).unwrap();
    assert_eq!(unixfs::missing(&blocks, &added.cid, 10).unwrap(), [leaf]);
    let error = reader.read_at(CHUNK_BYTES as u64, &mut [0], &blocks).unwrap_err();
    assert!(matches!(error, UnixFsError::Missing { cid } if cid == leaf));
}

proptest! {
    #[test]
    fn reading_undoes_building(
        len in 0_usize..3_000,
        chunk in 1_usize..60,
        links in 2_usize..6,
        pieces in (1_usize..400, 1_usize..400),
        ranges in proptest::collection::vec((0_u64..3_200, 0_usize..500), 0..12),
    ) {
        let content = content(len);
        let (added, blocks) = build(&content, chunk, links, pieces.0);
        prop_assert_eq!(added, build(&content, chunk, links, pieces.1).0);
        prop_assert_eq!(read_all(added.cid, &blocks).unwrap(), content.clone());
        let mut reader = Reader::new(added.cid);
        for (from, len) in ranges {
            let mut buffer = vec![0; len];
            let read = reader.read_at(from, &mut buffer, &blocks).unwrap();
            let start = (from as usize).min(content.len());
            let expected = &content[start..(start + len).min(content.len())];
            prop_assert_eq!(&buffer[..read], expected);
        }
    }

    #[test]
    fn any_bytes_are_a_node_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let cid = Cid::of(DAG_PB, &bytes);
        drop(unixfs::links(&bytes));
        if let Ok(node) = unixfs::parse(&cid, &bytes) {
            let children: u64 = node.children.iter().map(|child| child.size).sum();
            prop_assert_eq!(node.file_size, node.data.len() as u64 + children);
        }
        drop(read_all(cid, &BTreeMap::from([(cid, bytes)])));
    }

    #[test]
    fn a_changed_node_does_no_harm(at in 0_usize..200, to: u8, from in 0_u64..400) {
        let (added, mut blocks) = build(&content(300), 16, 4, 300);
        // As a careless caller would: the bytes under the name are not checked here.
        let mut root = blocks[&added.cid].to_vec();
        let at = at % root.len();
        root[at] = to;
        blocks.insert(added.cid, root.into());
        drop(Reader::new(added.cid).read_at(from, &mut [0; 64], &blocks));
    }
}
