//! What policy says holds at once: limits, shares, streams.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::corner::{stand_in, tell_apart};
use common::{Node, TOPIC, until, within};
use futures::future::join_all;
use icn_net::{
    Config, Event, Handle, Offence, PeerId, RequestError, Share, ShareId, ShareLimits, Standing, Strangers,
    Verdict,
};
use icn_types::Constraints;

/// A node that answers everything and notes what it hears.
struct Server {
    net: Handle,
    offences: Arc<Mutex<Vec<(PeerId, Offence)>>>,
    heard: Arc<Mutex<Vec<Bytes>>>,
}

async fn server(edit: impl FnOnce(&mut Config)) -> Server {
    let Node { net, mut events, .. } = Node::start(edit).await;
    let (offences, heard) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
    let server = Server { net, offences: Arc::clone(&offences), heard: Arc::clone(&heard) };
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            match event {
                Event::Request { data, reply, .. } => reply.send(data),
                Event::Gossip { data, verdict, .. } => {
                    heard.lock().unwrap().push(data);
                    verdict.send(Verdict::Ignore);
                }
                Event::Offence { peer, offence, .. } => offences.lock().unwrap().push((peer, offence)),
                _ => {}
            }
        }
    });
    server
}

fn limits(rate: u32, burst: u32) -> Constraints {
    Constraints { messages_per_second: rate, burst, ..Constraints::default() }
}

fn share(n: u8, rate: u32) -> Option<Share> {
    let limits = ShareLimits { messages_per_second: rate, burst: rate, streams_max: 64 };
    Some(Share { group: ShareId([n; 32]), limits })
}

async fn ask(net: &Handle, to: PeerId, times: usize) -> usize {
    let answers = join_all((0..times).map(|_| net.request(to, Bytes::from_static(b"?")))).await;
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn lower_limits_bite_at_once_and_no_change_is_a_gift() {
    within(60, async {
        let server = server(|_| {}).await;
        let (to, address) = (server.net.peer_id(), server.net.listen_addrs()[0].clone());
        let peer = Node::start(|_| {}).await;
        peer.net.dial(address).await.unwrap();
        assert_eq!(ask(&peer.net, to, 50).await, 50);
        server.net.set_constraints(peer.id(), &limits(1, 5), None);
        let changed = Instant::now();
        let got = ask(&peer.net, to, 50).await;
        let share = || 5 + 1 + changed.elapsed().as_secs() as usize;
        assert!((5..=share()).contains(&got), "{got} of 50 after the change");
        // A policy that says the same every second, or changes its mind, fills nothing.
        for _ in 0..10 {
            server.net.set_constraints(peer.id(), &limits(1, 5), None);
            server.net.set_constraints(peer.id(), &limits(1, 50), None);
        }
        let all = got + ask(&peer.net, to, 50).await;
        assert!(all <= share(), "{all} of 100 after no change, in {:?}", changed.elapsed());
        assert_eq!(server.net.peers().await.len(), 1, "nobody had to reconnect");
        let told = || server.offences.lock().unwrap().clone();
        until(async || !told().is_empty()).await;
        assert_eq!(told(), [(peer.id(), Offence::ExcessRate)], "told once, not for each message");
        server.net.set_constraints(peer.id(), &limits(2_000, 10_000), None);
        until(async || ask(&peer.net, to, 20).await == 20).await;
    })
    .await;
}

/// Messages, and from whom they came.
type Heard = Arc<Mutex<Vec<(PeerId, Bytes)>>>;

/// Notes what a node hears.
fn listen(node: Node) -> (Handle, Heard) {
    let (Node { net, mut events, .. }, heard) = (node, Heard::default());
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Gossip { from, data, verdict, .. } = event {
                notes.lock().unwrap().push((from, data));
                verdict.send(Verdict::Ignore);
            }
        }
    });
    (net, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn own_messages_go_to_a_few_of_a_crowd_and_to_everybody_else() {
    within(60, async {
        let mut node = Node::start(|_| {}).await;
        let (mut crowd, mut others) = (Vec::new(), Vec::new());
        for n in 0..15 {
            let peer = Node::start(|_| {}).await;
            node.net.set_constraints(peer.id(), &limits(100, 100), share(1, 1).filter(|_| n < 12));
            peer.net.dial(node.address()).await.unwrap();
            node.subscribed(peer.id()).await;
            if n < 12 { crowd.push(listen(peer)) } else { others.push(listen(peer)) }
        }
        let net = node.net.clone();
        let waits = async |peer: PeerId| net.score(peer).await.is_some_and(|score| score < -100.0);
        let waiting = async || {
            let all = join_all(crowd.iter().map(|(net, _)| waits(net.peer_id()))).await;
            all.into_iter().filter(|waits| *waits).count()
        };
        until(async || waiting().await == 10).await;
        for n in 0..10u8 {
            node.net.publish(TOPIC, Bytes::from(vec![n])).await.unwrap();
        }
        let count = |heard: &Mutex<Vec<_>>| heard.lock().unwrap().len();
        until(async || others.iter().all(|(_, heard)| count(heard) == 10)).await;
        until(async || crowd.iter().filter(|(_, heard)| count(heard) == 10).count() == 2).await;
        assert_eq!(crowd.iter().filter(|(_, heard)| count(heard) == 0).count(), 10);
        // What those without a place say is heard all the same, and a word for one of them gives it all.
        let (lifted, heard) = crowd.iter().find(|(_, heard)| count(heard) == 0).unwrap();
        lifted.publish(TOPIC, Bytes::from_static(b"from the crowd")).await.unwrap();
        node.next(|event| {
            matches!(event, Event::Gossip { data, .. } if data == "from the crowd").then_some(())
        })
        .await;
        node.net.set_constraints(lifted.peer_id(), &limits(100, 100), None);
        until(async || !waits(lifted.peer_id()).await).await;
        node.net.publish(TOPIC, Bytes::from_static(b"to all")).await.unwrap();
        until(async || heard.lock().unwrap().iter().any(|(_, data)| data == "to all")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hands_on_too_much_silences_nobody() {
    within(60, async {
        let node = Node::start(|_| {}).await;
        let address = node.address();
        let (mut crowd, mut honest) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        node.net.set_constraints(crowd.id(), &limits(1, 5), share(1, 5));
        for peer in [&mut crowd, &mut honest] {
            peer.net.dial(address.clone()).await.unwrap();
            peer.subscribed(node.id()).await;
        }
        let (net, heard) = listen(node);
        let words: Vec<Bytes> = (0..200u8).map(|n| Bytes::from(vec![n; 3])).collect();
        // It says first what somebody else is about to say.
        for word in &words {
            crowd.net.publish(TOPIC, word.clone()).await.unwrap();
        }
        until(async || net.score(crowd.id()).await.is_some_and(|score| score < -900.0)).await;
        for word in &words {
            honest.net.publish(TOPIC, word.clone()).await.unwrap();
        }
        let all = || heard.lock().unwrap().clone();
        until(async || all().len() >= words.len()).await;
        let said: std::collections::BTreeSet<Bytes> = all().into_iter().map(|(_, word)| word).collect();
        assert_eq!((said.len(), all().len()), (words.len(), words.len()), "each once");
        assert!(all().iter().any(|(from, _)| *from == honest.id()), "not all by way of the crowd");
        // After a while it is heard again.
        until(async || net.score(crowd.id()).await.is_some_and(|score| score > -200.0)).await;
        crowd.net.publish(TOPIC, Bytes::from_static(b"again")).await.unwrap();
        until(async || all().iter().any(|(_, word)| word == "again")).await;
    })
    .await;
}

/// Floods a server from many peers until told to stop; returns how many requests got through.
async fn flood(crowd: Vec<Handle>, to: PeerId, stop: Arc<AtomicBool>) -> usize {
    let passed = Arc::new(AtomicUsize::new(0));
    let loops = crowd.iter().map(|peer| async {
        let mut n = 0u64;
        while !stop.load(Ordering::Relaxed) {
            n += 1;
            let noise = [peer.peer_id().to_bytes(), n.to_be_bytes().to_vec()].concat();
            let _ = peer.publish(TOPIC, noise.into()).await;
            passed.fetch_add(ask(peer, to, 20).await, Ordering::Relaxed);
        }
    });
    join_all(loops).await;
    passed.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_group_costs_an_honest_peer_nothing() {
    within(120, async {
        // All peers together may send 400 a second, so that the crowd could use up everything.
        let server = server(|config| config.messages_per_second_max = 400).await;
        let (to, address) = (server.net.peer_id(), server.net.listen_addrs()[0].clone());
        let mut crowd = Vec::new();
        for _ in 0..12 {
            let sybil = Node::start(|config| config.topics.clear()).await;
            server.net.set_constraints(sybil.id(), &limits(100, 100), share(1, 60));
            sybil.net.dial(address.clone()).await.unwrap();
            crowd.push(sybil.echo());
        }
        let mut honest = Node::start(|_| {}).await;
        server.net.set_constraints(honest.id(), &limits(50, 100), share(2, 100));
        honest.net.dial(address).await.unwrap();
        honest.subscribed(to).await;
        let (stop, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let flooding = tokio::spawn(flood(crowd, to, Arc::clone(&stop)));
        let metrics = server.net.metrics().clone();
        // They have used up what they may ask, and what they may be refused.
        until(async || metrics.limited_total("direct") > 0 && metrics.limited_total("streams_opened") > 0)
            .await;
        for n in 0..40u8 {
            let answer = honest.net.request(to, Bytes::from_static(b"?")).await;
            assert_eq!(answer, Ok(Bytes::from_static(b"?")), "request {n}");
            honest.net.publish(TOPIC, Bytes::from(vec![n; 10])).await.unwrap();
        }
        let arrived = || server.heard.lock().unwrap().iter().filter(|data| data.len() == 10).count();
        until(async || arrived() == 40).await;
        stop.store(true, Ordering::Relaxed);
        let passed = flooding.await.unwrap();
        let share = 60.0 + 60.0 * begun.elapsed().as_secs_f64();
        assert!(passed as f64 <= share, "{passed} of the crowd passed, and {share} may");
        let offenders = server.offences.lock().unwrap().clone();
        assert!(offenders.iter().all(|(peer, _)| *peer != honest.id()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_share_by_address_and_known_peers_do_not_notice() {
    within(60, async {
        let server = server(|config| {
            tell_apart(config);
            config.strangers = Some(Strangers {
                is_limited: true,
                constraints: limits(1, 10),
                together: ShareLimits { messages_per_second: 100, burst: 1_000, streams_max: 64 },
                share: ShareLimits { messages_per_second: 1, burst: 25, streams_max: 64 },
                slots_max: 50,
                slots_per_group_max: 50,
            });
        })
        .await;
        let (to, address) = (server.net.peer_id(), server.net.listen_addrs()[0].clone());
        let mut got = Vec::new();
        for corner in [2, 2, 2, 2, 2, 3] {
            let stranger = Node::start(|config| stand_in(config, corner)).await;
            stranger.net.dial(address.clone()).await.unwrap();
            got.push(ask(&stranger.net, to, 30).await);
        }
        let first: usize = got[..5].iter().sum();
        assert!((25..=35).contains(&first), "{got:?}: five of one corner get the share of one corner");
        assert!((10..=13).contains(&got[5]), "{got:?}: another corner has its own");
        let known = Node::start(|config| stand_in(config, 2)).await;
        server.net.set_constraints(known.id(), &Constraints::default(), None);
        known.net.dial(address.clone()).await.unwrap();
        assert_eq!(ask(&known.net, to, 50).await, 50);
        // Whom the operator named is no stranger either.
        let named = Node::start(|config| stand_in(config, 2)).await;
        let at = named.address();
        let hub = self::server(|config| {
            tell_apart(config);
            config.peers = vec![at];
            config.strangers = Some(Strangers {
                is_limited: true,
                constraints: limits(1, 1),
                together: ShareLimits { messages_per_second: 1, burst: 1, streams_max: 1 },
                share: ShareLimits { messages_per_second: 1, burst: 1, streams_max: 1 },
                slots_max: 0,
                slots_per_group_max: 0,
            });
        })
        .await;
        until(async || named.net.peers().await.len() == 1).await;
        assert_eq!(ask(&named.net, hub.net.peer_id(), 50).await, 50);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_limited_when_policy_says_so_and_until_they_are_known() {
    within(60, async {
        let server = server(|config| {
            tell_apart(config);
            let few = ShareLimits { messages_per_second: 1, burst: 12, streams_max: 64 };
            config.strangers = Some(Strangers {
                is_limited: false,
                constraints: limits(1, 10),
                share: few,
                together: few,
                slots_max: 50,
                slots_per_group_max: 50,
            });
        })
        .await;
        let (to, address) = (server.net.peer_id(), server.net.listen_addrs()[0].clone());
        let mut peers = Vec::new();
        for _ in 0..3 {
            let peer = Node::start(|config| stand_in(config, 2)).await;
            peer.net.dial(address.clone()).await.unwrap();
            assert_eq!(ask(&peer.net, to, 50).await, 50, "nobody is limited yet");
            peers.push(peer);
        }
        let (member, strangers) = (peers.pop().unwrap(), peers);
        let known = Standing { is_known: true, ..Standing::default() };
        server.net.set_standings([(member.id(), known)]);
        server.net.limit_strangers(true);
        let mut got = 0;
        for stranger in &strangers {
            got += ask(&stranger.net, to, 30).await;
        }
        assert!(got <= 20, "{got}: they share what their corner gets");
        assert_eq!(ask(&member.net, to, 50).await, 50);
        // Who is told to be known is no stranger from then on, and who is not told any more is one again.
        server.net.set_standings([(strangers[0].id(), known)]);
        until(async || ask(&strangers[0].net, to, 20).await == 20).await;
        let got = ask(&member.net, to, 30).await;
        assert!(got <= 15, "{got}");
        server.net.limit_strangers(false);
        until(async || ask(&member.net, to, 20).await == 20).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_requests_are_counted_and_the_one_too_many_is_told_so() {
    within(30, async {
        let mut server = Node::start(|config| config.constraints.streams_max = 2).await;
        let (to, address) = (server.id(), server.address());
        let peer = Node::start(|_| {}).await;
        peer.net.dial(address).await.unwrap();
        let asking: Vec<_> = (0..5)
            .map(|_| {
                let net = peer.net.clone();
                tokio::spawn(async move { net.request(to, Bytes::from_static(b"?")).await })
            })
            .collect();
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(
                server
                    .next(|event| match event {
                        Event::Request { reply, .. } => Some(reply),
                        _ => None,
                    })
                    .await,
            );
        }
        until(async || server.net.metrics().stream_rejections_total() == 3).await;
        for reply in held {
            reply.send(Bytes::from_static(b"!"));
        }
        let answers: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
        let count = |answer: &Result<Bytes, RequestError>| answers.iter().filter(|it| *it == answer).count();
        assert_eq!(count(&Ok(Bytes::from_static(b"!"))), 2);
        assert_eq!(count(&Err(RequestError::TooManyStreams)), 3, "{answers:?}");
        // The places are free again; and streams for logs take from the same.
        let _first = peer.net.open_sync(to).await.unwrap();
        let _second = peer.net.open_sync(to).await.unwrap();
        let mut streams = Vec::new();
        while streams.len() < 2 {
            streams.push(
                server
                    .next(|event| match event {
                        Event::Sync { stream, .. } => Some(stream),
                        _ => None,
                    })
                    .await,
            );
        }
        let refused = peer.net.request(to, Bytes::from_static(b"?")).await;
        assert_eq!(refused, Err(RequestError::TooManyStreams));
        drop(streams);
        let again = peer.net.clone();
        let asking = tokio::spawn(async move {
            loop {
                let answer = again.request(to, Bytes::from_static(b"?")).await;
                if answer != Err(RequestError::TooManyStreams) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let reply = server
            .next(|event| match event {
                Event::Request { reply, .. } => Some(reply),
                _ => None,
            })
            .await;
        reply.send(Bytes::from_static(b"!"));
        assert_eq!(asking.await.unwrap().unwrap(), "!");
    })
    .await;
}
