use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const LIMITS: NeighborLimits =
    NeighborLimits { local_cluster_max: 3, regional_max: 2, backbone_max: 2, trusted_max: 1 };

fn at(region: &str, cluster: &str) -> TopologyInfo {
    TopologyInfo {
        region: Some(region.parse().unwrap()),
        cluster_id: Some(cluster.parse().unwrap()),
        ..TopologyInfo::default()
    }
}

fn sets(limits: NeighborLimits) -> NeighborSets {
    NeighborSets::new(at("na", "coop-1"), limits, [7; 32])
}

fn peer(topology: TopologyInfo, trust_ppm: u32, connected_at: Instant) -> PeerMetadata {
    PeerMetadata { topology, rtt: None, trust_ppm, is_protected: false, connected_at, steadiness: 0 }
}

fn set(placed: Placed) -> Option<NeighborSet> {
    match placed {
        Placed::In { set, .. } => Some(set),
        Placed::Rejected => None,
    }
}

#[test]
fn the_place_decides_first_and_trust_only_far_away() {
    let (mut sets, now) = (sets(NeighborLimits::default()), Instant::now());
    for (topology, trust_ppm, expected) in [
        (at("na", "coop-1"), 0, NeighborSet::LocalCluster),
        // However much it is trusted (C-12).
        (at("na", "coop-1"), 1_000_000, NeighborSet::LocalCluster),
        // The seeds' test put this one into the local cluster (B-10).
        (at("na", "coop-2"), 0, NeighborSet::Regional),
        (at("na", "coop-2"), 900_000, NeighborSet::Regional),
        (at("eu", "coop-1"), 0, NeighborSet::Backbone),
        (at("eu", "coop-1"), TRUSTED_PPM - 1, NeighborSet::Backbone),
        (at("eu", "coop-1"), TRUSTED_PPM, NeighborSet::Trusted),
        // Old nodes, which say nothing (NET-42).
        (TopologyInfo::default(), 0, NeighborSet::Backbone),
    ] {
        let placed = sets.place(PeerId::random(), peer(topology.clone(), trust_ppm, now));
        assert_eq!(set(placed), Some(expected), "{topology:?} {trust_ppm}");
    }
    let counts = NeighborCounts { local_cluster: 2, regional: 2, backbone: 3, trusted: 1 };
    assert_eq!(sets.counts(), counts);
    let mut silent = NeighborSets::new(TopologyInfo::default(), LIMITS, [0; 32]);
    let placed = silent.place(PeerId::random(), peer(TopologyInfo::default(), 0, now));
    assert_eq!(
        set(placed),
        Some(NeighborSet::LocalCluster),
        "two nodes that say nothing are neighbours (C-43)"
    );
}

#[test]
fn strangers_never_push_anybody_out() {
    let (mut sets, now) = (sets(LIMITS), Instant::now());
    let friends: Vec<PeerId> = (0..3).map(|_| PeerId::random()).collect();
    for friend in &friends {
        sets.place(*friend, peer(at("na", "coop-1"), 0, now));
    }
    for _ in 0..1_000 {
        // Not even one that was here before all others.
        let old = now.checked_sub(Duration::from_secs(9)).unwrap();
        let stranger = PeerMetadata { steadiness: 30, ..peer(at("na", "coop-1"), 0, old) };
        assert_eq!(sets.place(PeerId::random(), stranger), Placed::Rejected);
    }
    assert!(friends.iter().all(|friend| sets.set_of(friend) == Some(NeighborSet::LocalCluster)));
}

#[test]
fn who_is_better_takes_the_place_of_the_worst() {
    let (mut sets, now) = (sets(LIMITS), Instant::now());
    let later = now + Duration::from_secs(60);
    let (old, young, friend, better) =
        (PeerId::random(), PeerId::random(), PeerId::random(), PeerId::random());
    sets.place(old, peer(at("na", "coop-1"), 100, now));
    sets.place(young, peer(at("na", "coop-1"), 100, later));
    sets.place(friend, PeerMetadata { is_protected: true, ..peer(at("na", "coop-1"), 0, later) });
    let equal = peer(at("na", "coop-1"), 100, later + Duration::from_secs(1));
    assert_eq!(sets.place(PeerId::random(), equal.clone()), Placed::Rejected, "no longer here than any");
    let steady = PeerMetadata { steadiness: 1, ..equal };
    let placed = sets.place(better, steady);
    assert_eq!(placed, Placed::In { set: NeighborSet::LocalCluster, evicted: Some(young) });
    assert_eq!(sets.metadata(&young), None, "nothing is kept of who is in no set");
    let placed = sets.place(PeerId::random(), peer(at("na", "coop-1"), 500, later));
    assert_eq!(placed, Placed::In { set: NeighborSet::LocalCluster, evicted: Some(old) });
    assert!(sets.set_of(&friend).is_some());
}

#[test]
fn trust_and_topology_move_a_peer() {
    let (mut sets, now) = (sets(LIMITS), Instant::now());
    let it = PeerId::random();
    sets.place(it, peer(at("eu", "coop-9"), 0, now));
    assert_eq!(sets.set_of(&it), Some(NeighborSet::Backbone));
    sets.place(it, peer(at("eu", "coop-9"), 800_000, now));
    assert_eq!(sets.set_of(&it), Some(NeighborSet::Trusted));
    sets.place(it, peer(at("na", "coop-9"), 800_000, now));
    assert_eq!(sets.set_of(&it), Some(NeighborSet::Regional));
    assert!(sets.remove(&it) && !sets.remove(&it));
    assert_eq!(sets.counts(), NeighborCounts::default());
    let mut none =
        NeighborSets::new(at("na", "coop-1"), NeighborLimits { local_cluster_max: 0, ..LIMITS }, [0; 32]);
    assert_eq!(
        none.place(it, peer(at("na", "coop-1"), 900_000, now)),
        Placed::Rejected,
        "a cap of zero (B-06)"
    );
}

#[test]
fn a_scope_is_sampled_from_its_sets_without_repeats() {
    let (mut sets, now) = (sets(NeighborLimits::default()), Instant::now());
    let mut of = BTreeMap::new();
    for (set, topology, trust_ppm) in [
        (NeighborSet::LocalCluster, at("na", "coop-1"), 0),
        (NeighborSet::Regional, at("na", "coop-2"), 0),
        (NeighborSet::Backbone, at("eu", "coop-1"), 0),
        (NeighborSet::Trusted, at("eu", "coop-1"), 900_000),
    ] {
        let peers: BTreeSet<PeerId> = (0..5).map(|_| PeerId::random()).collect();
        for it in &peers {
            sets.place(*it, peer(topology.clone(), trust_ppm, now));
        }
        of.insert(set, peers);
    }
    let mut rng = StdRng::seed_from_u64(1);
    for (scope, expected) in [
        (Scope::LocalCluster, &[NeighborSet::LocalCluster][..]),
        (Scope::Regional, &[NeighborSet::LocalCluster, NeighborSet::Regional]),
        (Scope::Global, &NeighborSet::ALL),
        (Scope::Federation, &[NeighborSet::Backbone, NeighborSet::Trusted]),
    ] {
        let all: BTreeSet<PeerId> = expected.iter().flat_map(|set| of[set].iter().copied()).collect();
        let sampled = sets.sample(scope, 1_000, &mut rng);
        assert_eq!(sampled.len(), all.len());
        assert_eq!(sampled.into_iter().collect::<BTreeSet<_>>(), all, "{scope}");
        let few = sets.sample(scope, 3, &mut rng);
        assert_eq!(few.iter().collect::<BTreeSet<_>>().len(), 3);
        assert!(few.iter().all(|peer| all.contains(peer)));
        assert!(sets.sample(scope, 0, &mut rng).is_empty());
    }
    // By and by everybody is asked.
    let asked: BTreeSet<PeerId> = (0..200).flat_map(|_| sets.sample(Scope::Global, 2, &mut rng)).collect();
    assert_eq!(asked.len(), 20);
}

#[derive(Debug, Clone)]
enum Step {
    Place { who: usize, region: bool, cluster: bool, trust_ppm: u32, is_protected: bool, steadiness: u32 },
    Remove(usize),
    Move(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let trust = prop_oneof![Just(0), Just(100_000), Just(TRUSTED_PPM), 0..1_000_000u32];
    let place = (0..24usize, any::<bool>(), any::<bool>(), trust, prop::bool::weighted(0.1), 0..4u32)
        .prop_map(|(who, region, cluster, trust_ppm, is_protected, steadiness)| Step::Place {
            who,
            region,
            cluster,
            trust_ppm,
            is_protected,
            steadiness,
        });
    let step = prop_oneof![8 => place, 2 => (0..24usize).prop_map(Step::Remove), 1 => any::<bool>().prop_map(Step::Move)];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn invariants_hold_whoever_comes_and_goes(steps in steps()) {
        let peers: Vec<PeerId> = (0..24u8).map(|n| {
            let key = libp2p::identity::Keypair::ed25519_from_bytes([n + 1; 32]).unwrap();
            key.public().to_peer_id()
        }).collect();
        let (mut sets, start) = (sets(LIMITS), Instant::now());
        for (second, step) in (0u64..).zip(steps) {
            let before = sets.clone();
            match step {
                Step::Place { who, region, cluster, trust_ppm, is_protected, steadiness } => {
                    let topology = at(if region { "na" } else { "eu" }, if cluster { "coop-1" } else { "coop-2" });
                    let connected_at = start + Duration::from_secs(second);
                    let metadata =
                        PeerMetadata { topology, rtt: None, trust_ppm, is_protected, connected_at, steadiness };
                    if let Placed::In { evicted: Some(victim), .. } = sets.place(peers[who], metadata) {
                        let victim = &before.metadata[&victim];
                        prop_assert!(!victim.is_protected, "a protected peer gave way");
                        prop_assert!(trust_ppm > 0 || is_protected, "a stranger took a place");
                        prop_assert!(is_protected || trust_ppm >= victim.trust_ppm);
                    }
                    // Nobody else goes than the one who gives way.
                    let gone = before.metadata.keys().filter(|peer| !sets.metadata.contains_key(peer));
                    prop_assert!(gone.filter(|peer| **peer != peers[who]).count() <= 1);
                }
                Step::Remove(who) => {
                    sets.remove(&peers[who]);
                    prop_assert_eq!(sets.set_of(&peers[who]), None);
                }
                Step::Move(home) => {
                    sets.set_own(at(if home { "na" } else { "eu" }, "coop-1"));
                    let all = sets.metadata.clone();
                    for (peer, metadata) in all {
                        sets.place(peer, metadata);
                    }
                }
            }
            let members: Vec<PeerId> = sets.sets.values().flatten().copied().collect();
            let distinct: BTreeSet<PeerId> = members.iter().copied().collect();
            prop_assert_eq!(members.len(), distinct.len(), "a peer is in two sets");
            prop_assert_eq!(&distinct, &sets.metadata.keys().copied().collect::<BTreeSet<_>>());
            for set in NeighborSet::ALL {
                prop_assert!(sets.count(set) <= LIMITS.of(set));
            }
            for peer in &distinct {
                prop_assert_eq!(sets.set_of(peer), Some(sets.set_for(&sets.metadata[peer])));
            }
        }
    }
}
