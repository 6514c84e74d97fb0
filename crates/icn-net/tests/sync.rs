//! Streams that reconcile logs: frames both ways, limits, peers that vanish or misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::stranger::Stranger;
use common::{Blocks, Good, Node, QUIC, TCP, until, within};
use futures::{AsyncReadExt, AsyncWriteExt};
use icn_net::{BlockSource, Config, Event, Keypair, NetError, PeerId, SYNC_FRAME_BYTES_MAX, SyncStream};
use libp2p::StreamProtocol;
use rand::RngExt;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/icn/sync/1.0.0");

async fn node(transport: &str) -> Node {
    Node::start(|config| config.listen = vec![transport.parse().unwrap()]).await
}

async fn pair(transport: &str) -> (Node, Node) {
    let (a, b) = (node(transport).await, node(transport).await);
    a.net.dial(b.address()).await.unwrap();
    (a, b)
}

/// Waits for the next stream that a peer opens.
async fn opened(node: &mut Node) -> (PeerId, SyncStream) {
    node.next(|event| if let Event::Sync { peer, stream } = event { Some((peer, stream)) } else { None })
        .await
}

/// Opens a stream from `a` to `b`; gives both ends.
async fn stream(a: &Node, b: &mut Node) -> (SyncStream, SyncStream) {
    let ours = a.net.open_sync(b.id()).await.unwrap();
    let (peer, theirs) = opened(b).await;
    assert_eq!((peer, ours.peer(), theirs.peer()), (a.id(), b.id(), a.id()));
    (ours, theirs)
}

/// Opens a raw stream, once the connection is up.
async fn raw(stranger: &mut Stranger, to: PeerId) -> libp2p::Stream {
    stranger.control.open_stream(to, PROTOCOL).await.unwrap()
}

/// Sends back whatever comes.
fn echo(mut stream: SyncStream) -> tokio::task::JoinHandle<Result<(), NetError>> {
    tokio::spawn(async move {
        while let Some(frame) = stream.recv().await? {
            stream.send(&frame).await?;
        }
        stream.close().await
    })
}

/// A frame that tells its number, at both ends.
fn frame(number: usize, bytes: usize) -> Vec<u8> {
    let mut frame = vec![number as u8; bytes];
    if let (Some(start), Some(end)) = (frame.first_chunk::<8>().copied(), bytes.checked_sub(8)) {
        frame[end..].copy_from_slice(&start);
        frame[..8].copy_from_slice(&number.to_be_bytes());
    }
    frame
}

async fn frames_go_both_ways_over(transport: &str) {
    within(60, async {
        let (a, mut b) = pair(transport).await;
        let (mut ours, theirs) = stream(&a, &mut b).await;
        let echo = echo(theirs);
        let sizes = [0, 1, 127, 128, 16_384, 300_000, SYNC_FRAME_BYTES_MAX];
        for (number, bytes) in sizes.into_iter().enumerate() {
            ours.send(&frame(number, bytes)).await.unwrap();
            assert_eq!(ours.recv().await.unwrap().unwrap(), frame(number, bytes), "{bytes} bytes");
        }
        ours.close().await.unwrap();
        assert_eq!(ours.recv().await.unwrap(), None, "the other side closes too");
        assert_eq!(ours.recv().await.unwrap(), None, "and stays closed");
        assert!(matches!(ours.send(b"late").await, Err(NetError::Stream { .. })));
        echo.await.unwrap().unwrap();
        // A length of 128 and more takes two bytes, of 16,384 and more three.
        let moved = sizes.iter().sum::<usize>() + 3 + 2 + 3 * 3;
        for net in [&a.net, &b.net] {
            for kind in ["sent", "received"] {
                assert_eq!(net.metrics().sync_bytes_total(kind), moved as u64, "{kind}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quic() {
    frames_go_both_ways_over(QUIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp() {
    frames_go_both_ways_over(TCP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sides_that_send_large_frames_do_not_block_each_other() {
    within(60, async {
        for transport in [QUIC, TCP] {
            let (a, mut b) = pair(transport).await;
            let (mut ours, mut theirs) = stream(&a, &mut b).await;
            // One each at a time.
            for round in 0..5 {
                let (up, down) =
                    (frame(round, SYNC_FRAME_BYTES_MAX), frame(round + 100, SYNC_FRAME_BYTES_MAX));
                let (sent, taken) = tokio::join!(ours.send(&up), theirs.send(&down));
                sent.and(taken).unwrap();
                assert_eq!(theirs.recv().await.unwrap().unwrap(), up);
                assert_eq!(ours.recv().await.unwrap().unwrap(), down);
            }
            // Many at once, each end on its own task.
            let ends = [ours.split(), theirs.split()].into_iter().flat_map(|(mut sender, mut receiver)| {
                let sending = tokio::spawn(async move {
                    for number in 0..10 {
                        sender.send(&frame(number, 500_000)).await.unwrap();
                    }
                    sender.close().await.unwrap();
                });
                let receiving = tokio::spawn(async move {
                    for number in 0..10 {
                        assert_eq!(receiver.recv().await.unwrap().unwrap(), frame(number, 500_000));
                    }
                    assert_eq!(receiver.recv().await.unwrap(), None);
                });
                [sending, receiving]
            });
            for end in ends.collect::<Vec<_>>() {
                end.await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_moment_do_not_mix() {
    within(60, async {
        let (mut a, mut b) = pair(QUIC).await;
        let mut streams = Vec::new();
        for _ in 0..2 {
            let (ours, theirs) = stream(&a, &mut b).await;
            echo(theirs);
            streams.push(ours);
            let (theirs, ours) = stream(&b, &mut a).await;
            echo(ours);
            streams.push(theirs);
        }
        let sessions = streams.into_iter().enumerate().map(|(session, mut stream)| {
            tokio::spawn(async move {
                for round in 0..50 {
                    let message = frame(session * 1_000 + round, 1_000 * (session + 1) + round);
                    stream.send(&message).await.unwrap();
                    assert_eq!(stream.recv().await.unwrap().unwrap(), message);
                }
            })
        });
        for session in sessions.collect::<Vec<_>>() {
            session.await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_loses_no_frame_but_half_a_frame_breaks_the_stream() {
    within(60, async {
        let (a, mut b) = pair(TCP).await;
        let (mut ours, mut theirs) = stream(&a, &mut b).await;
        let sending = tokio::spawn(async move {
            for number in 0..100 {
                ours.send(&frame(number, 50_000)).await.unwrap();
            }
            ours
        });
        for number in 0..100 {
            let received = loop {
                match tokio::time::timeout(Duration::from_micros(200), theirs.recv()).await {
                    Ok(received) => break received.unwrap().unwrap(),
                    Err(_) => continue,
                }
            };
            assert_eq!(received, frame(number, 50_000));
        }
        let mut ours = sending.await.unwrap();
        // Nobody receives: sooner or later a frame gets stuck.
        let large = vec![0; SYNC_FRAME_BYTES_MAX];
        while tokio::time::timeout(Duration::from_millis(300), ours.send(&large)).await.is_ok() {}
        assert!(matches!(ours.send(b"next").await, Err(NetError::Stream { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_both_ways() {
    within(60, async {
        let mut b = node(TCP).await;
        let a = node(TCP).await;
        a.net.dial(b.address()).await.unwrap();
        let (mut ours, theirs) = stream(&a, &mut b).await;
        let _echo = echo(theirs);
        let large = vec![0; SYNC_FRAME_BYTES_MAX + 1];
        assert!(matches!(ours.send(&large).await, Err(NetError::TooLarge { .. })));
        ours.send(b"small").await.unwrap();
        assert_eq!(ours.recv().await.unwrap().unwrap(), b"small", "nothing of the large one was sent");

        let mut stranger = Stranger::dial(b.address());
        // One byte more than 1 MiB; five bytes that go on; 34 GB.
        for length in [&[0x81, 0x80, 0x40][..], &[0xff; 5], &[0xff, 0xff, 0xff, 0xff, 0x7f]] {
            let mut bad = raw(&mut stranger, b.id()).await;
            bad.write_all(length).await.unwrap();
            bad.flush().await.unwrap();
            let (peer, mut theirs) = opened(&mut b).await;
            let error = theirs.recv().await.unwrap_err();
            assert!(matches!(error, NetError::Frame { peer } if peer == stranger.id), "{error}");
            assert_eq!(peer, stranger.id);
        }
        // Ten points for each: it has to go.
        let id = stranger.id;
        until(async || !b.net.peers().await.iter().any(|peer| peer.peer_id == id)).await;
        ours.send(b"still here").await.unwrap();
        assert_eq!(ours.recv().await.unwrap().unwrap(), b"still here");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_peer_are_limited() {
    within(60, async {
        let (a, mut b) = pair(QUIC).await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(stream(&a, &mut b).await);
        }
        let mut fifth = a.net.open_sync(b.id()).await.unwrap();
        assert!(!matches!(fifth.recv().await, Ok(Some(_))), "the fifth is closed");
        until(async || b.net.metrics().dropped_total("sync_streams") == 1).await;
        // The other direction, and another peer, have their own places.
        let c = node(QUIC).await;
        c.net.dial(b.address()).await.unwrap();
        let mut a = a;
        let others = (stream(&b, &mut a).await, stream(&c, &mut b).await);
        // A place is free as soon as the application drops the stream, whatever the peer does.
        let (ours, theirs) = held.pop().unwrap();
        drop(theirs);
        let (_, sixth) = stream(&a, &mut b).await;
        // Half a stream is a stream.
        let (sender, receiver) = sixth.split();
        drop(sender);
        let mut seventh = a.net.open_sync(b.id()).await.unwrap();
        assert!(!matches!(seventh.recv().await, Ok(Some(_))));
        drop(receiver);
        stream(&a, &mut b).await;
        drop((ours, others));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_all_peers_are_limited() {
    within(100, async {
        let mut hub = node(TCP).await;
        let (to, address) = (hub.id(), hub.address());
        let mut held = Vec::new();
        let mut strangers = Vec::new();
        for _ in 0..16 {
            let mut stranger = Stranger::dial(address.clone());
            for _ in 0..4 {
                let stream = raw(&mut stranger, to).await;
                held.push((stream, opened(&mut hub).await));
            }
            strangers.push(stranger);
        }
        let mut late = Stranger::dial(address);
        let mut refused = raw(&mut late, to).await;
        let mut answer = Vec::new();
        let _ = refused.read_to_end(&mut answer).await;
        assert_eq!(hub.net.metrics().dropped_total("sync_streams"), 1);
        held.pop();
        let _stream = raw(&mut late, to).await;
        assert_eq!(opened(&mut hub).await.0, late.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_vanishes_is_noticed() {
    within(60, async {
        for transport in [TCP, QUIC] {
            let mut b = node(transport).await;
            let mut stranger = Stranger::dial(b.address());
            let (mut whole, mut half) = (raw(&mut stranger, b.id()).await, raw(&mut stranger, b.id()).await);
            for (stream, bytes) in [(&mut whole, &[3, b'y', b'e', b's'][..]), (&mut half, &[100, 1, 2, 3])] {
                stream.write_all(bytes).await.unwrap();
                stream.flush().await.unwrap();
            }
            let mut ends = [opened(&mut b).await.1, opened(&mut b).await.1];
            let mut frames = Vec::new();
            until(async || {
                // Which of the two streams came first is not known.
                for end in &mut ends {
                    if let Ok(frame) = tokio::time::timeout(Duration::from_millis(20), end.recv()).await {
                        frames.push(frame.unwrap().unwrap());
                    }
                }
                !frames.is_empty()
            })
            .await;
            assert_eq!(frames, [b"yes"]);
            stranger.vanish();
            drop((whole, half));
            let [first, second] = &mut ends;
            let ended = [first.recv().await, second.recv().await];
            let broke = ended.iter().filter(|end| matches!(end, Err(NetError::Stream { .. }))).count();
            let closed = ended.iter().filter(|end| matches!(end, Ok(None))).count();
            assert_eq!((broke, closed), (1, 1), "{transport}: only the half frame is an error: {ended:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_end_their_stream_only() {
    within(60, async {
        let mut b = node(QUIC).await;
        let a = node(QUIC).await;
        a.net.dial(b.address()).await.unwrap();
        let (mut good, theirs) = stream(&a, &mut b).await;
        let _echo = echo(theirs);
        for _ in 0..20 {
            let mut stranger = Stranger::dial(b.address());
            let mut stream = raw(&mut stranger, b.id()).await;
            let mut bytes = vec![0; rand::rng().random_range(1..3_000)];
            rand::rng().fill(&mut bytes[..]);
            // Who is found out early cannot write the rest.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.close().await;
            let (_, mut theirs) = opened(&mut b).await;
            while let Ok(Some(frame)) = theirs.recv().await {
                assert!(frame.len() < bytes.len());
            }
        }
        good.send(b"still here").await.unwrap();
        assert_eq!(good.recv().await.unwrap().unwrap(), b"still here");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_or_does_not_speak_it_is_told_apart() {
    within(60, async {
        let (a, mut b) = (node(QUIC).await, node(QUIC).await);
        let nobody = PeerId::random();
        assert!(matches!(a.net.open_sync(nobody).await, Err(NetError::Dial { .. })));
        assert!(matches!(a.net.open_sync(a.id()).await, Err(NetError::Myself(_))));
        // A stranger that accepts no protocol.
        let stranger = Stranger::dial(a.address());
        until(async || a.net.peers().await.iter().any(|peer| peer.peer_id == stranger.id)).await;
        let error = a.net.open_sync(stranger.id).await.unwrap_err();
        assert!(matches!(error, NetError::Unsupported { peer, .. } if peer == stranger.id), "{error}");
        // Somebody whose address is known is dialled.
        a.net.add_addresses(b.id(), vec![b.address()]);
        let (mut ours, theirs) = stream(&a, &mut b).await;
        // An application that has no use for a stream drops it.
        drop(theirs);
        assert!(!matches!(ours.recv().await, Ok(Some(_))));
        a.net.shutdown().await;
        assert!(matches!(a.net.open_sync(b.id()).await, Err(NetError::Closed)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_arrives_though_the_stream_is_dropped_at_once() {
    within(60, async {
        for transport in [QUIC, TCP] {
            let (a, mut b) = pair(transport).await;
            for number in 0..20 {
                let (mut ours, mut theirs) = stream(&a, &mut b).await;
                ours.send(&frame(number, 100_000)).await.unwrap();
                ours.send(b"last").await.unwrap();
                ours.close().await.unwrap();
                drop(ours);
                assert_eq!(theirs.recv().await.unwrap().unwrap(), frame(number, 100_000));
                assert_eq!(theirs.recv().await.unwrap().unwrap(), b"last");
                assert_eq!(theirs.recv().await.unwrap(), None);
            }
        }
    })
    .await;
}

/// The task that takes in streams outlived the swarm, and kept the store open that a restarted node needed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_the_swarm() {
    within(30, async {
        let blocks: Arc<dyn BlockSource> = Arc::new(Blocks::default());
        let held = Arc::downgrade(&blocks);
        let config = Config::new(Keypair::generate_ed25519());
        let (net, mut events) =
            icn_net::start(config, blocks, Arc::new(Good), icn_net::Metrics::default()).await.unwrap();
        net.shutdown().await;
        while events.recv().await.is_some() {}
        drop(net);
        until(async || held.upgrade().is_none()).await;
    })
    .await;
}

/// The library takes one stream at a moment and drops the others: half of the peers that came at once were turned away.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_come_at_one_moment_are_served() {
    within(100, async {
        for transport in [QUIC, TCP] {
            let mut hub = node(transport).await;
            let (to, address) = (hub.id(), hub.address());
            let mut strangers: Vec<_> = (0..16).map(|_| Stranger::dial(address.clone())).collect();
            for stranger in &mut strangers {
                // Opened to see that the connection is up.
                drop(raw(stranger, to).await);
                drop(opened(&mut hub).await);
            }
            tokio::spawn(async move {
                loop {
                    echo(opened(&mut hub).await.1);
                }
            });
            let controls = strangers.iter().flat_map(|one| std::iter::repeat_n(one.control.clone(), 4));
            let sessions = controls.map(|mut control| {
                tokio::spawn(async move {
                    let mut stream = control.open_stream(to, PROTOCOL).await.unwrap();
                    stream.write_all(b"\x05hello").await.unwrap();
                    stream.flush().await.unwrap();
                    let mut answer = [0; 6];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(&answer, b"\x05hello");
                })
            });
            for session in sessions.collect::<Vec<_>>() {
                session.await.unwrap();
            }
        }
    })
    .await;
}
