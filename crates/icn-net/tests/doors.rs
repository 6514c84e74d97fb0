//! Whom a node lets in: places by trust, corners of the address space, bans.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use common::corner::{stand_in, tell_apart};
use common::{Node, until, within};
use icn_net::{Banned, Config, Handle, PeerId, ShareId, ShareLimits, Standing, Strangers};
use icn_types::{Constraints, Timestamp};

fn with_strangers(config: &mut Config, slots_max: u32, slots_per_group_max: u32) {
    tell_apart(config);
    let share = ShareLimits { messages_per_second: 2_000, burst: 10_000, streams_max: 256 };
    config.strangers = Some(Strangers {
        is_limited: true,
        constraints: Constraints::default(),
        share,
        together: share,
        slots_max,
        slots_per_group_max,
    });
}

fn trusted(trust_ppm: u32) -> Standing {
    Standing { trust_ppm, ..Standing::default() }
}

async fn connected(net: &Handle) -> BTreeSet<PeerId> {
    net.peers().await.into_iter().map(|peer| peer.peer_id).collect()
}

/// Waits until a peer that was refused before is let in: it may take a moment until it knows that it was refused.
async fn enters_again(node: &Node, hub: &Handle) {
    until(async || enters(node, hub).await).await;
}

/// Dials, and tells whether the other side has let it in, which a request that is answered shows.
async fn enters(node: &Node, hub: &Handle) -> bool {
    let _ = node.net.dial(hub.listen_addrs()[0].clone()).await;
    node.net.request(hub.peer_id(), Bytes::from_static(b"?")).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_takes_nobodys_place_and_a_known_peer_takes_a_strangers() {
    within(60, async {
        let hub = Node::start(|config| {
            with_strangers(config, 2, 100);
            config.peers_max = 5;
        })
        .await
        .echo();
        let mut strangers = Vec::new();
        for _ in 0..2 {
            let stranger = Node::start(|_| {}).await;
            assert!(enters(&stranger, &hub).await);
            strangers.push(stranger);
        }
        let mut others = Vec::new();
        for _ in 0..5 {
            let stranger = Node::start(|_| {}).await;
            assert!(!enters(&stranger, &hub).await, "the pool is full");
            others.push(stranger);
        }
        assert!(hub.metrics().connection_rejected_for("strangers") >= 5);
        let first: BTreeSet<PeerId> = strangers.iter().map(Node::id).collect();
        assert_eq!(connected(&hub).await, first, "no newcomer has pushed anybody out");
        // Of five places a fifth is for own dials: four come in, two strangers among them.
        let mut known = Vec::new();
        for trust in [300_000, 300_000] {
            let peer = Node::start(|_| {}).await;
            hub.set_standing(peer.id(), trusted(trust));
            assert!(enters(&peer, &hub).await);
            known.push(peer);
        }
        let better = Node::start(|_| {}).await;
        hub.set_standing(better.id(), trusted(300_000));
        assert!(enters(&better, &hub).await, "a known peer takes a stranger's place");
        until(async || connected(&hub).await.len() == 4).await;
        let left: Vec<PeerId> = connected(&hub).await.intersection(&first).copied().collect();
        assert_eq!(left, [strangers[0].id()], "the one that came last went, and one stays in any case");
        let equal = Node::start(|_| {}).await;
        hub.set_standing(equal.id(), trusted(300_000));
        assert!(!enters(&equal, &hub).await, "who is no better takes nobody's place");
        let friend = Node::start(|_| {}).await;
        hub.set_standing(friend.id(), Standing { is_protected: true, ..Standing::default() });
        assert!(enters(&friend, &hub).await);
        let info = hub.peers().await.into_iter().find(|info| info.peer_id == friend.id()).unwrap();
        assert!(info.is_protected && info.trust_ppm == 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_behind_one_introducer_makes_room_for_a_newcomer() {
    within(60, async {
        let hub = Node::start(|config| {
            with_strangers(config, 2, 100);
            config.peers_max = 5;
        })
        .await
        .echo();
        let member = Standing { is_known: true, ..Standing::default() };
        let mut crowd = Vec::new();
        for _ in 0..4 {
            let peer = Node::start(|_| {}).await;
            hub.set_standing(peer.id(), Standing { group: Some(ShareId([1; 32])), ..member });
            assert!(enters(&peer, &hub).await, "there is room");
            crowd.push(peer);
        }
        let newcomer = Node::start(|_| {}).await;
        hub.set_standing(newcomer.id(), member);
        assert!(enters(&newcomer, &hub).await);
        until(async || connected(&hub).await.len() == 4).await;
        assert!(connected(&hub).await.contains(&newcomer.id()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_corner_of_the_address_space_cannot_take_all_places() {
    within(60, async {
        let hub = Node::start(|config| {
            with_strangers(config, 6, 2);
            config.peers_max = 10;
        })
        .await
        .echo();
        let mut attackers = Vec::new();
        for _ in 0..12 {
            let attacker = Node::start(|config| stand_in(config, 7)).await;
            let _ = enters(&attacker, &hub).await;
            attackers.push(attacker);
        }
        let theirs: BTreeSet<PeerId> = attackers.iter().map(Node::id).collect();
        assert_eq!(connected(&hub).await.intersection(&theirs).count(), 2);
        assert!(hub.metrics().connection_rejected_for("address_group") >= 10);
        let mut honest = Vec::new();
        for corner in [8, 9, 10] {
            let node = Node::start(|config| stand_in(config, corner)).await;
            assert!(enters(&node, &hub).await, "there is room for who comes from elsewhere");
            honest.push(node);
        }
        // A member from the attackers' corner is let in by its standing.
        let member = Node::start(|config| stand_in(config, 7)).await;
        hub.set_standing(member.id(), trusted(100_000));
        assert!(enters(&member, &hub).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_trusted_too_little_is_refused_where_the_operator_says_so() {
    within(30, async {
        let hub = Node::start(|config| config.trust_ppm_min = 100_000).await.echo();
        let peer = Node::start(|_| {}).await;
        assert!(!enters(&peer, &hub).await);
        assert!(hub.metrics().connection_rejected_for("trust_too_low") >= 1);
        hub.set_standing(peer.id(), trusted(100_000));
        enters_again(&peer, &hub).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_ends_connections_and_ends_itself() {
    within(60, async {
        let time = Arc::new(AtomicU64::new(1_000));
        let clock = Arc::clone(&time);
        let hub = Node::start(|config| {
            config.clock = Arc::new(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        })
        .await
        .echo();
        let peer = Node::start(|_| {}).await;
        assert!(enters(&peer, &hub).await);
        hub.ban(peer.id(), Timestamp::from_millis(5_000));
        until(async || hub.peers().await.is_empty()).await;
        assert!(!enters(&peer, &hub).await);
        assert!(hub.dial(peer.address()).await.is_err(), "nor is it dialled");
        let bans = hub.bans();
        assert_eq!(bans.len(), 1);
        assert_eq!((bans[0].banned, bans[0].until.as_millis()), (Banned::Peer(peer.id()), 5_000));
        // A restart that is told of the ban keeps it.
        let after = Node::start(|config| {
            config.bans = bans;
            config.clock = Arc::new(|| Timestamp::from_millis(4_999));
        })
        .await
        .echo();
        assert!(!enters(&peer, &after).await);
        assert!(after.unban(Banned::Peer(peer.id())));
        enters_again(&peer, &after).await;
        time.store(5_000, Ordering::SeqCst);
        assert!(hub.bans().is_empty());
        enters_again(&peer, &hub).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_banned_peers_close_their_corner_to_strangers() {
    within(60, async {
        let time = Arc::new(AtomicU64::new(1_000));
        let clock = Arc::clone(&time);
        let hub = Node::start(|config| {
            tell_apart(config);
            config.clock = Arc::new(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        })
        .await
        .echo();
        let in_corner = || Node::start(|config| stand_in(config, 7));
        let (bystander, member) = (in_corner().await, in_corner().await);
        hub.set_standing(member.id(), trusted(100_000));
        assert!(enters(&bystander, &hub).await && enters(&member, &hub).await);
        let mut banned = Vec::new();
        for n in 0..5 {
            let peer = in_corner().await;
            assert!(enters(&peer, &hub).await, "{n} banned are no reason yet");
            hub.ban(peer.id(), Timestamp::from_millis(5_000));
            banned.push(peer);
        }
        until(async || connected(&hub).await == BTreeSet::from([member.id()])).await;
        assert!(!enters(&bystander, &hub).await);
        let elsewhere = Node::start(|config| stand_in(config, 8)).await;
        assert!(enters(&elsewhere, &hub).await);
        let corner = Banned::Group("127.0.7.0/24".parse().unwrap());
        assert!(hub.bans().iter().any(|ban| ban.banned == corner));
        time.store(5_000, Ordering::SeqCst);
        enters_again(&bystander, &hub).await;
    })
    .await;
}
