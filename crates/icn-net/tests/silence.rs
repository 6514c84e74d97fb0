//! Peers that fall silent, and come back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use std::time::{Duration, Instant};

use common::cable::Cable;
use common::{Node, until, within};
use icn_net::{Event, Multiaddr, PeerId};

/// A first packet goes out at least every two seconds, and one of them is enough.
const BACK_WITHIN: Duration = Duration::from_secs(3);
/// Longer than any pause between two packets to a peer that is dialled again and again.
const QUIET: Duration = Duration::from_secs(3);

/// Two nodes that know each other by the cable alone: the first has no address to be found at, and to the first the second
/// is not on the same machine, so that its loopback addresses mean nothing.
async fn pair() -> (Node, Node, Cable) {
    let (a, b) = (Node::start(|config| config.listen.clear()).await, Node::start(|_| {}).await);
    let cable = Cable::new(&b.address()).await;
    a.net.dial(at(&cable, b.id())).await.unwrap();
    // The connection is up for the dialler first.
    until(async || !b.net.peers().await.is_empty()).await;
    // A question of the DHT that the cable cuts off would be asked again another way.
    cable.calm().await;
    (a, b, cable)
}

fn at(cable: &Cable, peer: PeerId) -> Multiaddr {
    format!("/dns4/localhost/udp/{}/quic-v1/p2p/{peer}", cable.port).parse().unwrap()
}

/// Only bootstrap peers were dialled again. A dial that was begun in silence stood in the way of the next, and sent
/// nothing for seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_nobody_named_is_connected_again_soon_after_the_cable_is_back() {
    within(60, async {
        let (a, b, cable) = pair().await;
        cable.pull();
        until(async || a.net.peers().await.is_empty() && b.net.peers().await.is_empty()).await;
        let before = cable.lost();
        until(async || cable.lost() >= before + 3).await;
        cable.plug();
        let plugged = Instant::now();
        until(async || !b.net.peers().await.is_empty()).await;
        assert!(plugged.elapsed() < BACK_WITHIN, "it took {:?}", plugged.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_said_goodbye_is_left_alone() {
    within(60, async {
        let (a, b, cable) = pair().await;
        b.net.shutdown().await;
        until(async || a.net.peers().await.is_empty()).await;
        cable.pull();
        // The DHT may dial it once.
        let mut lost = cable.lost();
        loop {
            tokio::time::sleep(QUIET).await;
            if cable.lost() == lost {
                return;
            }
            lost = cable.lost();
        }
    })
    .await;
}

/// The dial to a peer that came by itself went on. Answered later, it looked like the dial of a restarted process, and
/// both connections were ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_dial_to_a_peer_that_comes_by_itself_is_hung_up() {
    within(60, async {
        let (a, mut b) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        let cable = Cable::new(&b.address()).await;
        cable.pull();
        let (net, address) = (a.net.clone(), at(&cable, b.id()));
        let dialling = tokio::spawn(async move { net.dial(address).await });
        // A first flight has two packets at most; after the second flight, the third would follow two seconds later.
        until(async || cable.lost() > 2).await;
        b.net.dial(a.address()).await.unwrap();
        assert_eq!(dialling.await.unwrap().unwrap(), b.id());
        cable.plug();
        let ended = b.next(|event| if let Event::PeerDisconnected { .. } = event { Some(()) } else { None });
        assert!(tokio::time::timeout(QUIET, ended).await.is_err());
    })
    .await;
}
