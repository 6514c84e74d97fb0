//! Content exchange and the DHT: several providers, of which some die, stall or lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Blocks, Good, Node, QUIC, TCP, until, within};
use icn_net::{BlockSource, Config, FetchError, Handle, Keypair, NetError, PeerId};
use icn_types::{BLOCK_BYTES_MAX, Cid};

const PATIENCE: Duration = Duration::from_secs(20);

/// A store that does something to each block before it gives it away.
struct Odd<F>(Blocks, F);

impl<F: Fn(Bytes) -> Bytes + Send + Sync + 'static> BlockSource for Odd<F> {
    fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.0.get(cid).map(&self.1)
    }
    fn size(&self, cid: &Cid) -> Option<usize> {
        self.0.size(cid)
    }
}

async fn odd(blocks: &Blocks, change: impl Fn(Bytes) -> Bytes + Send + Sync + 'static) -> Handle {
    with_source(Odd(blocks.clone(), change)).await
}

async fn with_source(source: impl BlockSource) -> Handle {
    let mut config = Config::new(Keypair::generate_ed25519());
    config.listen = vec![QUIC.parse().unwrap()];
    let (net, mut events) =
        icn_net::start(config, Arc::new(source), Arc::new(Good), icn_net::Metrics::default()).await.unwrap();
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    net
}

/// A peer that takes long over its first block.
async fn stuck(blocks: &Blocks, time: Duration) -> Handle {
    let first = std::sync::Once::new();
    odd(blocks, move |data| {
        first.call_once(|| std::thread::sleep(time));
        data
    })
    .await
}

fn many(blocks: &Blocks, count: u32, size: usize) -> Vec<Cid> {
    let data = |n: u32| {
        let mut data = vec![0; size];
        data[..4].copy_from_slice(&n.to_be_bytes());
        data
    };
    (0..count).map(|n| blocks.add(data(n))).collect()
}

/// Fetches blocks and checks that each comes once, whole.
async fn fetch_all(net: &Handle, cids: &[Cid], providers: Vec<PeerId>) {
    let mut stream = net.fetch(cids.to_vec(), providers, PATIENCE);
    let mut missing: HashSet<Cid> = cids.iter().copied().collect();
    while let Some(item) = stream.recv().await {
        let (cid, data) = item.unwrap();
        cid.verify(&data).unwrap();
        assert!(missing.remove(&cid), "{cid} came twice");
    }
    assert!(missing.is_empty(), "{} missing", missing.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_come_from_the_peer_that_has_them() {
    within(60, async {
        for transport in [QUIC, TCP] {
            let listen = |config: &mut Config| config.listen = vec![transport.parse().unwrap()];
            let (a, b) = (Node::start(listen).await, Node::start(listen).await);
            a.net.dial(b.address()).await.unwrap();
            let cids = many(&b.blocks, 200, 20_000);
            fetch_all(&a.net, &cids, vec![b.id()]).await;
            // Without a hint the connected peers are asked.
            let more = many(&b.blocks, 20, 20_001);
            fetch_all(&a.net, &more, Vec::new()).await;
            // The largest block, and an empty one.
            let largest = b.blocks.add(vec![1; BLOCK_BYTES_MAX]);
            assert_eq!(
                a.net.fetch_one(largest, vec![b.id()], PATIENCE).await.unwrap().len(),
                BLOCK_BYTES_MAX
            );
            let empty = b.blocks.add(Bytes::new());
            assert_eq!(a.net.fetch_one(empty, vec![b.id()], PATIENCE).await.unwrap().len(), 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_fetch_from_each_other_at_once() {
    within(60, async {
        let (a, b) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        a.net.dial(b.address()).await.unwrap();
        let (of_a, of_b) = (many(&a.blocks, 60, 1_000_000), many(&b.blocks, 60, 1_000_001));
        tokio::join!(fetch_all(&a.net, &of_b, vec![b.id()]), fetch_all(&b.net, &of_a, vec![a.id()]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fetch_goes_on_when_one_provider_dies_and_another_lies() {
    within(60, async {
        let blocks = Blocks::default();
        let cids = many(&blocks, 100, 50_000);
        let slow = |data| {
            std::thread::sleep(Duration::from_millis(5));
            data
        };
        let dying = odd(&blocks, slow).await;
        let steady = odd(&blocks, slow).await;
        let liar = odd(&blocks, |data| data.iter().map(|byte| !byte).collect::<Vec<u8>>().into()).await;
        let a = Node::start(|_| {}).await;
        for net in [&dying, &steady, &liar] {
            a.net.dial(net.listen_addrs()[0].clone()).await.unwrap();
        }
        let providers = vec![liar.peer_id(), dying.peer_id(), steady.peer_id()];
        let mut stream = a.net.fetch(cids.clone(), providers, PATIENCE);
        let mut got = HashSet::new();
        while let Some(item) = stream.recv().await {
            let (cid, data) = item.unwrap();
            cid.verify(&data).unwrap();
            got.insert(cid);
            if got.len() == 20 {
                dying.shutdown().await;
            }
        }
        assert_eq!(got.len(), cids.len());
        // The liar loses score or is disconnected; where the others were faster, with one of the next blocks.
        until(async || {
            let next = blocks.add(rand::random::<[u8; 32]>().to_vec());
            assert!(a.net.fetch_one(next, vec![liar.peer_id()], PATIENCE).await.is_ok());
            a.net.score(liar.peer_id()).await.is_none_or(|score| score < -5.0)
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_stalls_is_passed_over() {
    within(30, async {
        let blocks = Blocks::default();
        let cids = many(&blocks, 4, 1_000);
        let stuck = stuck(&blocks, Duration::from_secs(7)).await;
        let good = odd(&blocks, |data| data).await;
        let a = Node::start(|_| {}).await;
        a.net.dial(stuck.listen_addrs()[0].clone()).await.unwrap();
        a.net.dial(good.listen_addrs()[0].clone()).await.unwrap();
        fetch_all(&a.net, &cids, vec![stuck.peer_id(), good.peer_id()]).await;
    })
    .await;
}

/// A store that takes long to tell, the first time, whether it has a block.
struct Hesitant(Blocks, std::sync::Once);

impl BlockSource for Hesitant {
    fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.0.get(cid)
    }
    fn size(&self, cid: &Cid) -> Option<usize> {
        self.1.call_once(|| std::thread::sleep(Duration::from_secs(3)));
        self.0.size(cid)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_that_was_silent_is_asked_once_more() {
    within(30, async {
        let blocks = Blocks::default();
        let cid = blocks.add("slow to tell");
        let hesitant = with_source(Hesitant(blocks, std::sync::Once::new())).await;
        let a = Node::start(|_| {}).await;
        a.net.dial(hesitant.listen_addrs()[0].clone()).await.unwrap();
        assert_eq!(a.net.fetch_one(cid, Vec::new(), PATIENCE).await.unwrap(), "slow to tell");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_is_said_soon_and_a_block_too_large_is_not_moved() {
    within(30, async {
        let (a, b) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        a.net.dial(b.address()).await.unwrap();
        let start = std::time::Instant::now();
        let absent = Cid::of_raw(b"nobody has this");
        let error = a.net.fetch_one(absent, vec![b.id()], PATIENCE).await.unwrap_err();
        assert_eq!(error, FetchError::NotFound(absent));
        assert!(start.elapsed() < Duration::from_secs(5), "the peer's no is believed at once");
        let large = b.blocks.add(vec![0; BLOCK_BYTES_MAX + 1]);
        assert_eq!(a.net.fetch_one(large, vec![b.id()], PATIENCE).await, Err(FetchError::NotFound(large)));
        // One that is missing does not keep the others.
        let there = b.blocks.add("there");
        let mut both = a.net.fetch(vec![absent, there], vec![b.id()], PATIENCE);
        let mut results = vec![both.recv().await.unwrap(), both.recv().await.unwrap()];
        results.sort_by_key(Result::is_err);
        assert_eq!(results, [Ok((there, Bytes::from_static(b"there"))), Err(FetchError::NotFound(absent))]);
        assert!(both.recv().await.is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_ends_when_nothing_comes() {
    within(30, async {
        let blocks = Blocks::default();
        let cids = many(&blocks, 3, 100);
        let stuck = stuck(&blocks, Duration::from_secs(3)).await;
        let a = Node::start(|_| {}).await;
        a.net.dial(stuck.listen_addrs()[0].clone()).await.unwrap();
        let mut stream = a.net.fetch(cids, vec![stuck.peer_id()], Duration::from_secs(1));
        assert!(matches!(stream.recv().await, Some(Err(FetchError::Timeout { missing: 3, .. }))));
        assert!(stream.recv().await.is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_found_and_dialled_through_the_dht() {
    within(60, async {
        let hub = Node::start(|_| {}).await;
        let join = |config: &mut Config| config.peers = vec![hub.address()];
        let (a, c) = (Node::start(join).await, Node::start(join).await);
        for node in [&a, &c] {
            until(async || node.net.peers().await.iter().any(|peer| peer.agent.is_some())).await;
        }
        let cid = c.blocks.add("far away");
        c.net.provide(&cid).await.unwrap();
        until(async || a.net.find_providers(&cid).await.contains(&c.id())).await;
        assert!(a.net.find_providers(&Cid::of_raw(b"unknown")).await.is_empty());
        let data = a.net.fetch_one(cid, Vec::new(), PATIENCE).await.unwrap();
        assert_eq!(data, "far away");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_kept_only_when_the_check_accepts_them() {
    within(60, async {
        let (a, b) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        a.net.dial(b.address()).await.unwrap();
        until(async || a.net.peers().await[0].agent.is_some() && b.net.peers().await[0].agent.is_some())
            .await;
        let refused = a.net.put_record(b"key".to_vec(), b"bad value".to_vec()).await;
        assert!(matches!(refused, Err(NetError::InvalidRecord)));
        let large = a.net.put_record(b"key".to_vec(), vec![b'x'; 9_000]).await;
        assert!(matches!(large, Err(NetError::TooLarge { .. })));
        a.net.put_record(b"key".to_vec(), b"good value".to_vec()).await.unwrap();
        let found = async |net: &Handle| net.get_record(b"key".to_vec()).await;
        until(async || found(&b.net).await == [Bytes::from_static(b"good value")]).await;
        until(async || b.net.metrics().records_kept_total() == 1).await;
        // The record has moved: its author may go.
        a.net.shutdown().await;
        until(async || b.net.peers().await.is_empty()).await;
        assert_eq!(found(&b.net).await, [Bytes::from_static(b"good value")]);
        assert!(b.net.get_record(b"other".to_vec()).await.is_empty());
    })
    .await;
}
