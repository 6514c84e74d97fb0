//! A stranger's bytes on every protocol leave the node alive and serving.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::stranger::Stranger;
use common::{Node, TCP, until, within};
use futures::{AsyncReadExt, AsyncWriteExt};
use icn_net::bitswap::message::{
    Block, Entry, FRAME_BYTES_MAX, ITEMS_MAX, Message, Wantlist, encode, prefix_of,
};
use icn_net::{Config, PeerId};
use icn_types::Cid;
use libp2p::StreamProtocol;
use libp2p_stream::Control;
use rand::RngExt;

async fn send(control: &mut Control, to: PeerId, protocol: &'static str, bytes: &[u8]) -> Vec<u8> {
    let stream = control.open_stream(to, StreamProtocol::new(protocol)).await;
    // Who is not let in any more has nothing to send.
    let Ok(mut stream) = stream else { return Vec::new() };
    let _ = stream.write_all(bytes).await;
    let _ = stream.close().await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_millis(200), stream.read_to_end(&mut answer)).await;
    answer
}

fn over_tcp(config: &mut Config) {
    config.listen = vec![TCP.parse().unwrap()];
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_harm_nothing() {
    within(100, async {
        let node = Node::start(over_tcp).await;
        let (to, address, blocks) = (node.id(), node.address(), node.blocks.clone());
        let _node = node.echo();
        let protocols = [
            "/ipfs/bitswap/1.2.0",
            "/icn/mesh/direct/1.0.0",
            "/icn/sync/1.0.0",
            "/icn/topology/1.0.0",
            "/icn/kad/1.0.0",
            "/meshsub/1.2.0",
            "/ipfs/id/1.0.0",
            "/ipfs/id/push/1.0.0",
            "/ipfs/ping/1.0.0",
        ];
        for _ in 0..5 {
            let mut control = Stranger::dial(address.clone()).control;
            for protocol in protocols {
                let mut bytes = vec![0; rand::rng().random_range(1..2_000)];
                rand::rng().fill(&mut bytes[..]);
                send(&mut control, to, protocol, &bytes).await;
                // A frame of plausible length with nonsense inside.
                bytes.truncate(100);
                bytes.insert(0, 100);
                send(&mut control, to, protocol, &bytes).await;
            }
        }
        let friend = Node::start(over_tcp).await;
        friend.net.dial(address).await.unwrap();
        assert_eq!(friend.net.request(to, Bytes::from_static(b"alive?")).await.unwrap(), "alive?");
        let cid = blocks.add("still here");
        assert_eq!(friend.net.fetch_one(cid, vec![to], Duration::from_secs(5)).await.unwrap(), "still here");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_request_ends_its_stream_only() {
    within(30, async {
        let node = Node::start(over_tcp).await;
        let (to, address) = (node.id(), node.address());
        let node = node.echo();
        let mut control = Stranger::dial(address).control;
        let direct = "/icn/mesh/direct/1.0.0";
        let answer = send(&mut control, to, direct, &vec![7; icn_net::MESSAGE_BYTES_MAX + 1]).await;
        assert!(answer.is_empty());
        assert_eq!(send(&mut control, to, direct, b"small").await, b"small");
        assert_eq!(node.peers().await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_abuses_bitswap_is_turned_away() {
    within(60, async {
        let attacks: Vec<Vec<u8>> = vec![
            // A frame longer than any.
            vec![0xff, 0xff, 0xff, 0x7f],
            // More entries than one message may hold.
            {
                let entries = vec![Entry::default(); ITEMS_MAX + 1];
                encode(&Message { wantlist: Some(Wantlist { entries, full: true }), ..Message::default() })
            },
            // A block that nobody asked for.
            {
                let data = Bytes::from(vec![1; 1_000_000]);
                let prefix = prefix_of(&Cid::of_raw(&data));
                encode(&Message { payload: vec![Block { prefix, data }], ..Message::default() })
            },
            // A block of more than 2 MiB.
            {
                let data = Bytes::from(vec![1; FRAME_BYTES_MAX - 100]);
                let prefix = prefix_of(&Cid::of_raw(b""));
                encode(&Message { payload: vec![Block { prefix, data }], ..Message::default() })
            },
        ];
        for attack in attacks {
            let node = Node::start(over_tcp).await;
            let (to, address) = (node.id(), node.address());
            let node = node.echo();
            let mut control = Stranger::dial(address).control;
            until(async || {
                send(&mut control, to, "/ipfs/bitswap/1.2.0", &attack).await;
                node.peers().await.is_empty()
            })
            .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wants_of_one_peer_are_bounded() {
    within(60, async {
        let node = Node::start(over_tcp).await;
        let (to, address) = (node.id(), node.address());
        let node = node.echo();
        let mut control = Stranger::dial(address).control;
        // It takes no stream from us, so nothing that it wants can be answered.
        let mut round = 0u32;
        until(async || {
            round += 1;
            let entry = |n: u32| Entry {
                block: Cid::of_raw(&(round, n).0.wrapping_mul(10_000).wrapping_add(n).to_be_bytes())
                    .to_bytes()
                    .into(),
                ..Entry::default()
            };
            let entries = (0..2_000).map(entry).collect();
            let wants = Message { wantlist: Some(Wantlist { entries, full: false }), ..Message::default() };
            send(&mut control, to, "/ipfs/bitswap/1.2.0", &encode(&wants)).await;
            // A stream that is dropped too soon, on a busy machine, has told nothing.
            node.metrics().dropped_total("bitswap_wants") > 0
        })
        .await;
    })
    .await;
}
