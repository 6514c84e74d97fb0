//! Nodes tell each other where they stand, and sort each other by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that goes wrong should stop"
)]

mod common;

use common::stranger::Stranger;
use common::{Node, TCP, until, within};
use futures::{AsyncReadExt, AsyncWriteExt};
use icn_net::{NeighborCounts, NeighborLimits, NeighborSet, PeerId, PeerInfo, Standing};
use icn_types::{NodeTier, ServiceRole, Timestamp, TopologyInfo, codec};
use libp2p::StreamProtocol;

fn place(region: &str, cluster: &str) -> TopologyInfo {
    TopologyInfo {
        region: Some(region.parse().unwrap()),
        cluster_id: Some(cluster.parse().unwrap()),
        ..TopologyInfo::default()
    }
}

async fn node_at(region: &str, cluster: &str) -> Node {
    Node::start(|config| config.topology = place(region, cluster)).await
}

async fn info(node: &Node, of: PeerId) -> Option<PeerInfo> {
    node.net.peers().await.into_iter().find(|info| info.peer_id == of)
}

async fn set(node: &Node, of: PeerId) -> Option<NeighborSet> {
    info(node, of).await?.set
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_sorted_by_where_they_say_that_they_stand() {
    within(60, async {
        let hub = node_at("eu", "coop-1").await;
        let near = node_at("eu", "coop-1").await;
        let region = Node::start(|config| {
            config.topology = TopologyInfo {
                tier: NodeTier::Regional,
                service_role: ServiceRole::Archive,
                ..place("eu", "coop-2")
            };
        })
        .await;
        let far = node_at("us", "coop-1").await;
        // Both ways of connecting tell both sides.
        near.net.dial(hub.address()).await.unwrap();
        hub.net.dial(region.address()).await.unwrap();
        far.net.dial(hub.address()).await.unwrap();
        until(async || {
            set(&hub, near.id()).await == Some(NeighborSet::LocalCluster)
                && set(&hub, region.id()).await == Some(NeighborSet::Regional)
                && set(&hub, far.id()).await == Some(NeighborSet::Backbone)
                && set(&near, hub.id()).await == Some(NeighborSet::LocalCluster)
                && set(&region, hub.id()).await == Some(NeighborSet::Regional)
        })
        .await;
        until(async || info(&hub, region.id()).await.is_some_and(|info| info.rtt.is_some())).await;
        let told = info(&hub, region.id()).await.unwrap();
        assert_eq!(
            (told.topology.tier, told.topology.service_role),
            (NodeTier::Regional, ServiceRole::Archive)
        );
        let counts = NeighborCounts { local_cluster: 1, regional: 1, backbone: 1, trusted: 0 };
        assert_eq!(hub.net.neighbors(), counts);
        // Trust moves a far peer, and its loss moves it back.
        hub.net.set_standing(far.id(), Standing { trust_ppm: 800_000, ..Standing::default() });
        assert_eq!(set(&hub, far.id()).await, Some(NeighborSet::Trusted));
        hub.net.set_standing(far.id(), Standing::default());
        assert_eq!(set(&hub, far.id()).await, Some(NeighborSet::Backbone));
        // Whoever moves tells it.
        far.net.set_topology(place("eu", "coop-1")).await.unwrap();
        until(async || set(&hub, far.id()).await == Some(NeighborSet::LocalCluster)).await;
        hub.net.set_topology(place("us", "coop-1")).await.unwrap();
        until(async || {
            set(&hub, far.id()).await == Some(NeighborSet::Backbone)
                && set(&far, hub.id()).await == Some(NeighborSet::Backbone)
        })
        .await;
        // It must not come back.
        hub.net.ban(far.id(), Timestamp::from_millis(u64::MAX));
        let counts = NeighborCounts { local_cluster: 0, regional: 0, backbone: 2, trusted: 0 };
        until(async || hub.net.neighbors() == counts).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_set_keeps_its_best_and_a_freed_place_is_taken() {
    within(60, async {
        let hub = Node::start(|config| {
            config.neighbor_limits = NeighborLimits { local_cluster_max: 1, ..NeighborLimits::default() };
        })
        .await;
        let (first, second) = (Node::start(|_| {}).await, Node::start(|_| {}).await);
        first.net.dial(hub.address()).await.unwrap();
        until(async || set(&hub, first.id()).await.is_some()).await;
        second.net.dial(hub.address()).await.unwrap();
        until(async || hub.net.peers().await.len() == 2).await;
        assert_eq!(set(&hub, second.id()).await, None, "connected, but no neighbour");
        assert_eq!(set(&hub, first.id()).await, Some(NeighborSet::LocalCluster));
        hub.net.set_standing(second.id(), Standing { trust_ppm: 1, ..Standing::default() });
        let both = (set(&hub, first.id()).await, set(&hub, second.id()).await);
        assert_eq!(both, (None, Some(NeighborSet::LocalCluster)), "who is trusted more takes the place");
        // It is gone, and does not dial again.
        second.net.shutdown().await;
        until(async || set(&hub, first.id()).await == Some(NeighborSet::LocalCluster)).await;
    })
    .await;
}

async fn tell(stranger: &mut Stranger, to: PeerId, bytes: &[u8]) -> Vec<u8> {
    let protocol = StreamProtocol::new("/icn/topology/1.0.0");
    let Ok(mut stream) = stranger.control.open_stream(to, protocol).await else { return Vec::new() };
    let _ = stream.write_all(bytes).await;
    let _ = stream.close().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_protocol_is_far_away_and_nonsense_costs_score() {
    within(60, async {
        let hub = Node::start(|config| {
            config.listen = vec![TCP.parse().unwrap()];
            config.topology = place("eu", "coop-1");
        })
        .await;
        let mut old = Stranger::dial(hub.address());
        until(async || set(&hub, old.id).await.is_some()).await;
        assert_eq!(set(&hub, old.id).await, Some(NeighborSet::Backbone));
        let said = codec::encode(&place("eu", "coop-1")).unwrap();
        let answer = tell(&mut old, hub.id(), &said).await;
        assert_eq!(codec::decode::<TopologyInfo>(&answer).unwrap(), place("eu", "coop-1"));
        until(async || set(&hub, old.id).await == Some(NeighborSet::LocalCluster)).await;
        // Too long, and no value at all: what was said before stays.
        assert!(tell(&mut old, hub.id(), &vec![0xa0; icn_net::TOPOLOGY_BYTES_MAX + 1]).await.is_empty());
        tell(&mut old, hub.id(), b"nonsense").await;
        assert_eq!(set(&hub, old.id).await, Some(NeighborSet::LocalCluster));
        until(async || {
            tell(&mut old, hub.id(), &said).await;
            hub.net.metrics().limited_total("topology") > 0
        })
        .await;
        let mut liar = Stranger::dial(hub.address());
        until(async || {
            tell(&mut liar, hub.id(), b"nonsense").await;
            info(&hub, liar.id).await.is_none()
        })
        .await;
    })
    .await;
}
