//! What holds for every graph.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use icn_trust::{
    Admission, AdmissionRule, Edge, Flow, Introduction, Limit, PPM, PathSettings, Paths, Snapshot,
    TrustGraph, WEIGHT, Walk, WalkSettings, flow_to, shares,
};
use icn_types::{Did, TrustContext};
use proptest::prelude::*;
use support::{GIVEN, days_later, did, dids, edge};

const MEMBERS: &str = "abcdefghij";

fn any_member() -> impl Strategy<Value = char> {
    prop::sample::select(MEMBERS.chars().collect::<Vec<_>>())
}

fn any_edge() -> impl Strategy<Value = Edge> {
    let graph = prop::sample::select(TrustContext::ALL.to_vec());
    let expires = prop_oneof![3 => Just(None), 1 => (0..400_u64).prop_map(|days| Some(days_later(days)))];
    (any_member(), any_member(), graph, prop_oneof![1 => Just(0), 9 => 1..=PPM], expires).prop_map(
        |(from, to, graph, score_ppm, expires)| Edge { graph, expires, ..edge(from, to, score_ppm) },
    )
}

fn any_edges() -> impl Strategy<Value = Vec<Edge>> {
    prop::collection::vec(any_edge(), 0..50)
}

fn graph_of(edges: &[Edge]) -> TrustGraph {
    let mut graph = TrustGraph::new();
    for edge in edges {
        graph.set(edge).ok();
    }
    graph
}

fn snapshot(graph: &TrustGraph, which: TrustContext) -> Snapshot {
    Snapshot::new(graph, which, days_later(30), 365)
}

fn path_scores(snapshot: &Snapshot, settings: &PathSettings) -> Vec<u32> {
    let paths = Paths::new(snapshot, &dids("ab"), settings);
    MEMBERS.chars().map(|letter| paths.score(snapshot, &did(letter))).collect()
}

fn flow(snapshot: &Snapshot, to: char) -> Flow {
    let seeds = BTreeMap::from([(did('a'), 1_500_000), (did('b'), 300_000)]);
    flow_to(snapshot, &seeds, &did(to), u64::from(PPM), |by| u64::from(by.score_ppm))
}

fn demands() -> BTreeMap<Did, u64> {
    MEMBERS
        .chars()
        .zip([0, 10, 200_000, 1_000_000, 7, 500_000, 900_000, 1, 400_000, 50_000])
        .map(|(letter, demand)| (did(letter), demand))
        .collect()
}

/// The best of all paths without circles, tried one by one.
fn best_by_trying(
    arcs: &[Introduction],
    at: Did,
    to: Did,
    value: u64,
    hop: u32,
    settings: &PathSettings,
    met: &mut Vec<Did>,
) -> u64 {
    if at == to {
        return value;
    }
    let mut best = 0;
    for arc in arcs.iter().filter(|arc| arc.from == at) {
        if hop < settings.hops_max && !met.contains(&arc.to) {
            let decay = if hop == 0 { u64::from(PPM) } else { u64::from(settings.hop_decay_ppm) };
            let next = value * u64::from(arc.score_ppm) * decay / 1_000_000_000_000;
            met.push(arc.to);
            best = best.max(best_by_trying(arcs, arc.to, to, next, hop + 1, settings, met));
            met.pop();
        }
    }
    best
}

proptest! {
    #[test]
    fn the_best_path_is_the_best_of_all_paths(
        edges in prop::collection::vec(any_edge(), 0..18), hops_max in 1..5_u32, hop_decay_ppm in 0..=PPM
    ) {
        let snapshot = snapshot(&graph_of(&edges), TrustContext::General);
        let settings = PathSettings { hops_max, hop_decay_ppm };
        let arcs: Vec<Introduction> = snapshot.introductions().collect();
        let paths = Paths::new(&snapshot, &dids("a"), &settings);
        for letter in MEMBERS.chars().skip(1) {
            let tried = best_by_trying(&arcs, did('a'), did(letter), u64::from(PPM), 0, &settings, &mut vec![did('a')]);
            prop_assert_eq!(u64::from(paths.score(&snapshot, &did(letter))), tried);
        }
    }

    #[test]
    fn a_path_adds_up_to_its_score(edges in any_edges()) {
        let snapshot = snapshot(&graph_of(&edges), TrustContext::Ledger);
        let paths = Paths::new(&snapshot, &dids("ab"), &PathSettings::default());
        for letter in MEMBERS.chars() {
            let score = paths.score(&snapshot, &did(letter));
            let Some(path) = paths.path(&snapshot, &did(letter)) else {
                prop_assert_eq!(score, 0);
                continue;
            };
            let (mut at, mut value) = (path.source, u64::from(PPM));
            prop_assert!(dids("ab").contains(&at) && path.hops.len() <= 6);
            for hop in &path.hops {
                prop_assert_eq!(hop.by.from, at);
                value = value * u64::from(hop.by.score_ppm) * u64::from(hop.decay_ppm) / 1_000_000_000_000;
                prop_assert_eq!(u64::from(hop.value_ppm), value);
                at = hop.by.to;
            }
            prop_assert_eq!((at, value), (did(letter), u64::from(score)));
        }
    }

    #[test]
    fn no_reading_goes_beyond_full_trust(edges in any_edges()) {
        for which in TrustContext::ALL {
            let snapshot = snapshot(&graph_of(&edges), which);
            for arc in snapshot.introductions() {
                prop_assert!(arc.score_ppm <= arc.given_ppm && arc.given_ppm <= PPM && arc.from != arc.to);
            }
            prop_assert!(path_scores(&snapshot, &PathSettings::default()).iter().all(|score| *score <= PPM));
            prop_assert!(MEMBERS.chars().all(|letter| flow(&snapshot, letter).amount <= u64::from(PPM)));
            let walk = Walk::new(&snapshot, &dids("ab"), &WalkSettings::default());
            prop_assert!(walk.sum() <= WEIGHT);
        }
    }

    #[test]
    fn the_order_of_edges_does_not_matter(edges in any_edges(), order in any::<prop::sample::Index>()) {
        // One edge for each pair and graph: what is said later of the same pair takes the place of the earlier.
        let last: BTreeMap<_, Edge> = edges.iter().map(|e| ((e.from, e.to, e.graph), e.clone())).collect();
        let forward: Vec<Edge> = last.values().cloned().collect();
        let mut turned = forward.clone();
        turned.reverse();
        if !turned.is_empty() {
            let turns = order.index(turned.len());
            turned.rotate_left(turns);
        }
        let (one, other, all) = (graph_of(&forward), graph_of(&turned), graph_of(&edges));
        prop_assert!(one.edges().eq(other.edges()) && one.edges().eq(all.edges()));
        for which in TrustContext::ALL {
            let (one, other) = (snapshot(&one, which), snapshot(&other, which));
            for letter in MEMBERS.chars() {
                prop_assert_eq!(flow(&one, letter), flow(&other, letter));
                let path = |at: &Snapshot| Paths::new(at, &dids("ab"), &PathSettings::default()).path(at, &did(letter));
                prop_assert_eq!(path(&one), path(&other));
                let weight = |at: &Snapshot| Walk::new(at, &dids("ab"), &WalkSettings::default()).rank(at, &did(letter));
                prop_assert_eq!(weight(&one), weight(&other));
            }
            let rule = AdmissionRule::for_members(8, 2, 2);
            let admitted = |at: &Snapshot| Admission::new(at, &dids("ab"), &rule).accepted().clone();
            prop_assert_eq!(admitted(&one), admitted(&other));
        }
    }

    #[test]
    fn what_is_taken_back_was_never_said(edges in any_edges(), extra in any_edge()) {
        let pair = |edge: &Edge| (edge.from, edge.to, edge.graph);
        let others: Vec<Edge> = edges.into_iter().filter(|edge| pair(edge) != pair(&extra)).collect();
        let (never, mut with) = (graph_of(&others), graph_of(&others));
        with.set(&extra).ok();
        with.set(&Edge { score_ppm: 0, ..extra }).ok();
        prop_assert!(never.edges().eq(with.edges()));
        prop_assert_eq!((never.len(), never.members_len()), (with.len(), with.members_len()));
        for which in TrustContext::ALL {
            let (never, with) = (snapshot(&never, which), snapshot(&with, which));
            for letter in MEMBERS.chars() {
                prop_assert_eq!(flow(&never, letter), flow(&with, letter));
            }
            prop_assert_eq!(path_scores(&never, &PathSettings::default()), path_scores(&with, &PathSettings::default()));
        }
    }

    #[test]
    fn more_trust_lowers_nobody(edges in any_edges(), extra in any_edge()) {
        let before = graph_of(&edges);
        let said = before.get(TrustContext::General, &extra.from, &extra.to);
        let raised = Edge {
            graph: TrustContext::General,
            score_ppm: extra.score_ppm.max(said.as_ref().map_or(1, |edge| edge.score_ppm)),
            expires: None,
            ..extra
        };
        let mut after = before.clone();
        after.set(&raised).ok();
        let (before, after) = (snapshot(&before, TrustContext::General), snapshot(&after, TrustContext::General));
        for letter in MEMBERS.chars() {
            prop_assert!(flow(&after, letter).amount >= flow(&before, letter).amount);
        }
        let (old, new) = (path_scores(&before, &PathSettings::default()), path_scores(&after, &PathSettings::default()));
        prop_assert!(old.iter().zip(&new).all(|(old, new)| old <= new), "{old:?} {new:?}");
    }

    #[test]
    fn a_flow_is_its_cut_and_at_most_any_cut(edges in any_edges(), side in prop::collection::btree_set(any_member(), 0..10)) {
        let snapshot = snapshot(&graph_of(&edges), TrustContext::General);
        for letter in MEMBERS.chars() {
            let flow = flow(&snapshot, letter);
            if flow.amount < flow.demand {
                prop_assert_eq!(flow.cut.iter().map(Limit::capacity).sum::<u64>(), flow.amount);
            }
            prop_assert_eq!(flow.paths.iter().map(|path| path.amount).sum::<u64>() + flow.elsewhere, flow.amount);
            // Any set of members that holds this one: what enters it bounds the flow.
            let inside: BTreeSet<Did> = side.iter().copied().chain([letter]).map(did).collect();
            let enters = |arc: &Introduction| inside.contains(&arc.to) && !inside.contains(&arc.from);
            let cut: u64 = snapshot.introductions().filter(enters).map(|arc| u64::from(arc.score_ppm)).sum();
            let own: u64 = [('a', 1_500_000), ('b', 300_000)].iter().filter(|(seed, _)| inside.contains(&did(*seed))).map(|(_, most)| *most).sum();
            prop_assert!(flow.amount <= cut + own);
        }
    }

    #[test]
    fn every_group_gets_at_most_what_enters_it(edges in any_edges(), group in prop::collection::btree_set(any_member(), 1..10)) {
        let snapshot = snapshot(&graph_of(&edges), TrustContext::General);
        let seeds = BTreeMap::from([(did('a'), 800_000), (did('b'), 300_000)]);
        let shares = shares(&snapshot, &seeds, &demands(), |by| u64::from(by.score_ppm));
        let inside: BTreeSet<Did> = group.iter().copied().map(did).collect();
        let enters = |arc: &Introduction| inside.contains(&arc.to) && !inside.contains(&arc.from);
        let cut: u64 = snapshot.introductions().filter(enters).map(|arc| u64::from(arc.score_ppm)).sum();
        let own: u64 = seeds.iter().filter(|(seed, _)| inside.contains(*seed)).map(|(_, most)| *most).sum();
        let given: u64 = inside.iter().map(|did| shares.given[did]).sum();
        prop_assert!(given <= cut + own, "{given} through {cut} and {own}");
        for (did, demand) in demands() {
            prop_assert!(shares.given[&did] <= demand);
            // What all get together is at most what one could get alone, for each.
            let alone = flow_to(&snapshot, &seeds, &did, demand, |by| u64::from(by.score_ppm)).amount;
            prop_assert!(shares.given[&did] <= alone);
        }
    }

    #[test]
    fn admission_gives_no_more_than_there_is(edges in any_edges(), first in 1..8_u32) {
        let snapshot = snapshot(&graph_of(&edges), TrustContext::General);
        let rule = AdmissionRule { capacities: vec![first, 2, 1], score_min_ppm: 300_000 };
        let admission = Admission::new(&snapshot, &dids("ab"), &rule);
        prop_assert!(admission.accepted().len() as u32 <= 2 * first);
        for letter in MEMBERS.chars() {
            match admission.why_not(&did(letter)) {
                None => prop_assert!(admission.accepted().contains(&did(letter))),
                Some(icn_trust::Refusal::NotReached) => {}
                Some(icn_trust::Refusal::Full(limits)) => {
                    prop_assert!(!limits.is_empty());
                    for limit in limits {
                        let Limit::Member { did, distance, capacity } = limit else { panic!("{limit:?}") };
                        prop_assert!(admission.accepted().contains(&did));
                        prop_assert_eq!(u64::from(rule.capacities[distance as usize]), capacity);
                    }
                }
            }
        }
    }
}

#[test]
fn a_walk_keeps_its_weight_near_the_seeds() {
    // a ⇄ b ⇄ c, and z ⇄ y apart
    let graph = support::graph("ab 1, ba 1, bc 1, cb 1, zy 1, yz 1");
    let snapshot = Snapshot::new(&graph, TrustContext::General, GIVEN, 0);
    let walk = Walk::new(&snapshot, &dids("a"), &WalkSettings { steps: 1, restart_ppm: 0 });
    assert_eq!(walk.weight(&snapshot, &did('b')), WEIGHT);
    let walk = Walk::new(&snapshot, &dids("a"), &WalkSettings { steps: 2, restart_ppm: 0 });
    assert_eq!(walk.weight(&snapshot, &did('a')), WEIGHT / 2);
    assert_eq!(walk.weight(&snapshot, &did('c')), WEIGHT / 2);
    let walk = Walk::new(&snapshot, &dids("a"), &WalkSettings { steps: 1, restart_ppm: 250_000 });
    assert_eq!(walk.weight(&snapshot, &did('a')), WEIGHT / 4);
    assert_eq!(walk.rank(&snapshot, &did('b')), WEIGHT / 4 * 3 / 2, "two introduce b");
    for apart in ['y', 'z', 'q'] {
        assert_eq!(walk.weight(&snapshot, &did(apart)), 0);
    }
    assert_eq!(Walk::new(&snapshot, &dids(""), &WalkSettings::default()).sum(), 0);
    for (steps, restart_ppm) in [(0, 0), (65, 0), (1, 1_000_001)] {
        assert!(WalkSettings { steps, restart_ppm }.check().is_err());
    }
}
