//! Direct requests: over each transport, within limits, after restarts.
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

use bytes::Bytes;
use common::{Blocks, Node, QUIC, TCP, WS, until, within};
use icn_net::{Config, Event, Keypair, MESSAGE_BYTES_MAX, NetError, PeerId, RequestError, start};
use icn_types::Constraints;

async fn pair(transport: &str) -> (Node, Node) {
    let listen = |config: &mut Config| config.listen = vec![transport.parse().unwrap()];
    (Node::start(listen).await, Node::start(listen).await)
}

async fn requests_are_answered_over(transport: &str) {
    within(30, async {
        let (a, b) = pair(transport).await;
        let (to, address) = (b.id(), b.address());
        let b = b.echo();
        assert_eq!(a.net.dial(address.clone()).await.unwrap(), to);
        assert_eq!(a.net.dial(address).await.unwrap(), to, "dialling again does nothing");
        for size in [1, 1_000, MESSAGE_BYTES_MAX] {
            let data = Bytes::from(vec![7; size]);
            assert_eq!(a.net.request(to, data.clone()).await.unwrap(), data);
        }
        until(async || {
            a.net.peers().await.first().is_some_and(|peer| peer.agent.is_some() && peer.rtt.is_some())
        })
        .await;
        let peers = a.net.peers().await;
        assert_eq!((peers.len(), peers[0].agent.as_deref()), (1, Some(icn_net::AGENT)));
        assert_eq!(peers[0].did, icn_identity::did_of(&to));
        assert_eq!(a.net.known_addresses()[0].0, to);
        b.shutdown().await;
        until(async || a.net.peers().await.is_empty()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quic() {
    requests_are_answered_over(QUIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp() {
    requests_are_answered_over(TCP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket() {
    requests_are_answered_over(WS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_both_ways() {
    within(30, async {
        let (a, mut b) = pair(QUIC).await;
        let to = a.net.dial(b.address()).await.unwrap();
        let large = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
        assert_eq!(a.net.request(to, large.clone()).await, Err(RequestError::TooLarge));
        let net = a.net.clone();
        let asked = tokio::spawn(async move { net.request(to, Bytes::from_static(b"?")).await });
        let reply =
            b.next(|event| if let Event::Request { reply, .. } = event { Some(reply) } else { None }).await;
        reply.send(large);
        assert!(matches!(asked.await.unwrap(), Err(RequestError::Closed(_))));
        // The connection has survived.
        let b = b.echo();
        assert_eq!(a.net.request(to, Bytes::from_static(b"!")).await.unwrap(), "!");
        drop(b);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_a_timeout_and_an_absent_peer_an_error() {
    within(30, async {
        let (a, mut b) = (
            Node::start(|config| config.direct_timeout = Duration::from_millis(500)).await,
            Node::start(|_| {}).await,
        );
        let to = a.net.dial(b.address()).await.unwrap();
        let net = a.net.clone();
        let asked = tokio::spawn(async move { net.request(to, Bytes::from_static(b"?")).await });
        let _held =
            b.next(|event| if let Event::Request { reply, .. } = event { Some(reply) } else { None }).await;
        assert_eq!(asked.await.unwrap(), Err(RequestError::Timeout));
        let nobody = PeerId::random();
        let error = a.net.request(nobody, Bytes::from_static(b"?")).await.unwrap_err();
        assert!(matches!(error, RequestError::NotConnected { peer, .. } if peer == nobody), "{error}");
        assert!(matches!(a.net.connect(a.id()).await, Err(NetError::Myself(_))));
    })
    .await;
}

/// A peer sends far beyond its limits over one transport, and another is served meanwhile.
async fn flooded(listen: &str) {
    within(30, async {
        let limits = Constraints { messages_per_second: 1, burst: 20, ..Constraints::default() };
        let server = Node::start(|config| {
            config.constraints = limits;
            config.listen = vec![listen.parse().unwrap()];
        })
        .await;
        let (to, address) = (server.id(), server.address());
        let server = server.echo();
        let (loud, quiet) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        loud.net.dial(address.clone()).await.unwrap();
        quiet.net.dial(address).await.unwrap();
        let begun = Instant::now();
        let flood = (0..100).map(|_| loud.net.request(to, Bytes::from_static(b"x")));
        let answers = futures::future::join_all(flood).await;
        let count = |of: fn(&Result<Bytes, RequestError>) -> bool| answers.iter().filter(|it| of(it)).count();
        let (served, refused) = (count(Result::is_ok), count(|it| *it == Err(RequestError::Refused)));
        let (share, waited) = (20 + begun.elapsed().as_secs() as usize + 1, begun.elapsed());
        assert!((20..=share).contains(&served), "{served} of 100 served in {waited:?}");
        assert!(refused >= 20, "{refused} of 100 refused");
        assert!(server.metrics().limited_total("direct") as usize >= refused);
        assert!(waited > Duration::from_secs(2), "what goes far beyond is not even read at once: {waited:?}");
        assert_eq!(quiet.net.request(to, Bytes::from_static(b"y")).await.unwrap(), "y");
        // A peer that is trusted more gets more.
        server.set_constraints(loud.id(), &Constraints::default(), None);
        assert_eq!(loud.net.request(to, Bytes::from_static(b"z")).await.unwrap(), "z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flooding_peer_is_refused_while_another_is_served() {
    futures::future::join3(flooded(QUIC), flooded(TCP), flooded(WS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited() {
    within(30, async {
        let hub = Node::start(|config| config.peers_max = 5).await;
        let mut leaves = Vec::new();
        for _ in 0..8 {
            let leaf = Node::start(|_| {}).await;
            // The connection may come up for the dialler before the hub refuses it.
            let _ = leaf.net.dial(hub.address()).await;
            leaves.push(leaf);
        }
        until(async || hub.net.metrics().connection_rejected_total() >= 4).await;
        assert_eq!(hub.net.peers().await.len(), 4, "a fifth of the places is kept for own connections");
        let other = Node::start(|_| {}).await;
        hub.net.dial(other.address()).await.unwrap();
        assert_eq!(hub.net.peers().await.len(), 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_bootstrap_peer_is_found_again() {
    within(60, async {
        for (transport, is_named) in [(TCP, true), (TCP, false), (QUIC, true)] {
            let key = Keypair::generate_ed25519();
            let first = Node::start(|config| {
                config.keypair = key.clone();
                config.listen = vec![transport.parse().unwrap()];
            })
            .await;
            let mut address = first.address();
            let at = {
                let mut bare = address.clone();
                bare.pop();
                bare
            };
            if !is_named {
                address = at.clone();
            }
            let a = Node::start(|config| config.peers = vec![address]).await;
            until(async || !a.net.peers().await.is_empty()).await;
            first.net.shutdown().await;
            until(async || a.net.peers().await.is_empty()).await;
            // On a busy machine another program may hold the port for a moment.
            let second = loop {
                let again = |config: &mut Config| {
                    config.keypair = key.clone();
                    config.listen = vec![at.clone()];
                };
                match Node::try_start(Blocks::default(), again).await {
                    Ok(second) => break second,
                    Err(NetError::Listen { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
                    Err(error) => panic!("{error}"),
                }
            };
            let to = second.id();
            let _second = second.echo();
            // Both sides dial: one of two connections may end with a request on it.
            until(async || {
                let answer = a.net.request(to, Bytes::from_static(b"again")).await;
                assert!(answer.as_ref().is_err() || answer.as_ref().is_ok_and(|answer| answer == "again"));
                answer.is_ok()
            })
            .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remembered_peers_are_dialled_at_start() {
    within(30, async {
        let (a, b) = pair(QUIC).await;
        b.net.dial(a.address()).await.unwrap();
        let known = b.net.known_addresses();
        b.net.shutdown().await;
        let again = Node::start(|config| config.known_peers = known).await;
        until(async || !again.net.peers().await.is_empty()).await;
        assert_eq!(again.net.peers().await[0].peer_id, a.id());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error_that_names_the_address() {
    within(30, async {
        for transport in [TCP, QUIC, WS] {
            let first = Node::start(|config| config.listen = vec![transport.parse().unwrap()]).await;
            let mut taken = first.address();
            taken.pop();
            let mut config = Config::new(Keypair::generate_ed25519());
            config.listen = vec![taken.clone()];
            let blocks = std::sync::Arc::new(common::Blocks::default());
            let result =
                start(config, blocks, std::sync::Arc::new(common::Good), icn_net::Metrics::default()).await;
            let error = result.err().expect("the port is taken").to_string();
            assert!(error.contains(&taken.to_string()), "{error}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_peer_is_disconnected_then_refused() {
    within(30, async {
        let (mut a, b) = pair(QUIC).await;
        let bad = b.id();
        b.net.dial(a.address()).await.unwrap();
        a.next(|event| matches!(event, Event::PeerConnected { .. }).then_some(())).await;
        a.net.report(bad, icn_net::Misbehaviour::Minor);
        assert!(a.net.score(bad).await.is_some_and(|score| score < 0.0));
        a.net.report(bad, icn_net::Misbehaviour::Fatal);
        a.next(|event| matches!(event, Event::PeerDisconnected { .. }).then_some(())).await;
        until(async || b.net.peers().await.is_empty()).await;
        let _ = b.net.dial(a.address()).await;
        until(async || a.net.metrics().connection_rejected_total() >= 1).await;
        assert!(a.net.peers().await.is_empty());
        // Who is forgiven is not banned for the next trifle.
        assert!(a.net.unban(icn_net::Banned::Peer(bad)));
        until(async || b.net.dial(a.address()).await.is_ok() && a.net.score(bad).await.is_some()).await;
        a.net.report(bad, icn_net::Misbehaviour::Minor);
        assert!(a.net.score(bad).await.is_some_and(|score| score < 0.0));
        assert!(a.net.bans().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_find_each_other_by_mdns() {
    let on = |config: &mut Config| {
        config.mdns = true;
        config.listen = vec!["/ip4/0.0.0.0/tcp/0".parse().unwrap()];
    };
    let (a, b) = (Node::start(on).await, Node::start(on).await);
    let found = until(async || a.net.peers().await.iter().any(|peer| peer.peer_id == b.id()));
    if tokio::time::timeout(Duration::from_secs(8), found).await.is_err() {
        println!("skipped: this machine lets no multicast through");
    }
}

/// The second address of the first listener came while the second listener was bound, and was lost.
#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_every_listener_is_told() {
    within(20, async {
        let node = Node::start(|config| {
            config.listen = ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"]
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
        })
        .await;
        let of = |part: &str| {
            node.net.listen_addrs().iter().filter(|address| address.to_string().contains(part)).count()
        };
        // One for each address of this machine, whichever those are.
        while of("/udp/") != of("/tcp/") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
