//! Hand-made graphs, drawn, with what every reading must say of them.
//!
//! Scores are parts of one: `a ─0.8→ b` is an edge of 800,000 parts per million. The defaults hold: each hop after the first
//! leaves 0.8, at most six hops. Sources and seeds are `a` unless the test says otherwise.

mod support;

use std::collections::BTreeMap;

use icn_trust::{
    Admission, AdmissionRule, EdgeError, Limit, Path, PathSettings, Paths, Refusal, Snapshot, TrustGraph,
    flow_to, shares,
};
use icn_types::{Did, Timestamp, TrustContext};
use support::{GIVEN, days_later, did, dids, edge, graph, letters};

fn snapshot(graph: &TrustGraph) -> Snapshot {
    Snapshot::new(graph, TrustContext::General, GIVEN, 365)
}

fn path(graph: &TrustGraph, sources: &str, to: char) -> Option<Path> {
    let snapshot = snapshot(graph);
    Paths::new(&snapshot, &dids(sources), &PathSettings::default()).path(&snapshot, &did(to))
}

fn score(graph: &TrustGraph, to: char) -> u32 {
    let snapshot = snapshot(graph);
    Paths::new(&snapshot, &dids("a"), &PathSettings::default()).score(&snapshot, &did(to))
}

/// The letters along a path, and its score.
fn told(path: Option<Path>) -> (String, u32) {
    let Some(path) = path else { return (String::new(), 0) };
    let hops = path.hops.iter().map(|hop| hop.by.to);
    (letters(&std::iter::once(path.source).chain(hops).collect::<Vec<_>>()), path.score_ppm)
}

fn flow(graph: &TrustGraph, to: char, demand: u64) -> icn_trust::Flow {
    let seeds = BTreeMap::from([(did('a'), 10_000_000)]);
    flow_to(&snapshot(graph), &seeds, &did(to), demand, |by| u64::from(by.score_ppm))
}

/// The cut as letters: `bd` for the introduction of d by b.
fn cut(limits: &[Limit]) -> Vec<String> {
    let name = |limit: &Limit| match limit {
        Limit::Introduction { from, to, .. } => letters([from, to]),
        Limit::Seed { did, .. } | Limit::Member { did, .. } => letters([did]),
    };
    limits.iter().map(name).collect()
}

#[test]
fn a_line_loses_with_each_hop() {
    // a ─0.8→ b ─0.5→ c ─1→ d
    let graph = graph("ab 0.8, bc 0.5, cd 1");
    assert_eq!(score(&graph, 'a'), 1_000_000);
    assert_eq!(score(&graph, 'b'), 800_000);
    assert_eq!(score(&graph, 'c'), 320_000); // 0.8 · 0.5 · 0.8
    assert_eq!(score(&graph, 'd'), 256_000); // 0.32 · 1 · 0.8
    assert_eq!(score(&graph, 'z'), 0);
    let path = path(&graph, "a", 'd').unwrap();
    let steps: Vec<(u32, u32)> = path.hops.iter().map(|hop| (hop.decay_ppm, hop.value_ppm)).collect();
    assert_eq!(steps, [(1_000_000, 800_000), (800_000, 320_000), (800_000, 256_000)]);
    // Trust does not go back along an edge.
    assert_eq!(told(self::path(&graph, "d", 'a')), (String::new(), 0));
}

#[test]
fn of_a_diamond_the_better_side_counts() {
    //       ┌─0.9→ b ─0.5→┐
    //    a ─┤             d        a-b-d 0.36, a-c-d 0.504
    //       └─0.7→ c ─0.9→┘
    let graph = graph("ab 0.9, bd 0.5, ac 0.7, cd 0.9");
    assert_eq!(told(path(&graph, "a", 'd')), ("acd".into(), 504_000));
    // Flow takes both sides: 0.5 + 0.7.
    let flow = flow(&graph, 'd', 10_000_000);
    assert_eq!((flow.amount, cut(&flow.cut)), (1_200_000, vec!["ac".into(), "bd".into()]));
    let ways: Vec<(String, u64)> =
        flow.paths.iter().map(|path| (letters(&path.members), path.amount)).collect();
    assert_eq!(ways, [("abd".into(), 500_000), ("acd".into(), 700_000)]);
}

#[test]
fn of_equal_paths_the_shortest_then_the_lowest_dids_is_shown() {
    // Two ways over two hops, alike; and one over one hop that is worth as much.
    let two = graph("ac 0.5, cd 1, ab 0.5, bd 1");
    assert_eq!(told(path(&two, "a", 'd')), ("abd".into(), 400_000));
    let one = graph("ac 0.5, cd 1, ad 0.4");
    assert_eq!(told(path(&one, "a", 'd')), ("ad".into(), 400_000));
    // From two sources that vouch alike: the lower one.
    assert_eq!(told(path(&graph("bd 0.5, cd 0.5"), "bc", 'd')), ("bd".into(), 500_000));
}

#[test]
fn a_cycle_raises_nobody() {
    // a ─0.5→ b ─1→ c ─1→ b, and c ─1→ a
    let graph = graph("ab 0.5, bc 1, cb 1, ca 1");
    assert_eq!((score(&graph, 'b'), score(&graph, 'c'), score(&graph, 'a')), (500_000, 400_000, 1_000_000));
    let flow = flow(&graph, 'c', 10_000_000);
    assert_eq!((flow.amount, cut(&flow.cut)), (500_000, vec!["ab".to_owned()]));
}

#[test]
fn a_bottleneck_limits_everybody_behind_it() {
    //  a ─1→ b ─1→┐         ┌─1→ e
    //  └──1→ c ─1→ d ─0.3→ x ─1→ f
    //                        └─1→ g
    let graph = graph("ab 1, ac 1, bd 1, cd 1, dx 0.3, xe 1, xf 1, xg 1");
    for letter in "xefg".chars() {
        let flow = flow(&graph, letter, 10_000_000);
        assert_eq!((flow.amount, cut(&flow.cut)), (300_000, vec!["dx".to_owned()]), "{letter}");
    }
    // Together they get no more than each alone, and none goes empty.
    let seeds = BTreeMap::from([(did('a'), 10_000_000)]);
    let demands: BTreeMap<Did, u64> = dids("efg").into_iter().map(|did| (did, 200_000)).collect();
    let shares = shares(&snapshot(&graph), &seeds, &demands, |by| u64::from(by.score_ppm));
    assert_eq!(shares.given.values().sum::<u64>(), 300_000);
    assert!(shares.given.values().all(|given| (87_500..=112_500).contains(given)), "{shares:?}");
    assert_eq!(cut(&shares.cut), ["dx"]);
}

#[test]
fn a_flow_stops_at_what_was_asked_for_and_at_the_seeds() {
    let graph = graph("ab 0.8");
    let enough = flow(&graph, 'b', 500_000);
    assert_eq!((enough.amount, enough.cut), (500_000, vec![]));
    // What carries just what was asked for limits nothing.
    let just = flow(&graph, 'b', 800_000);
    assert_eq!((just.amount, just.cut), (800_000, vec![]));
    let seeds = BTreeMap::from([(did('a'), 100_000)]);
    let short = flow_to(&snapshot(&graph), &seeds, &did('b'), 500_000, |by| u64::from(by.score_ppm));
    assert_eq!(short.cut, [Limit::Seed { did: did('a'), capacity: 100_000 }]);
    // A seed that no edge names has what it may hand out, and a stranger nothing.
    let seeds = BTreeMap::from([(did('s'), 100_000)]);
    let to = |letter| flow_to(&snapshot(&graph), &seeds, &did(letter), 500_000, |_| 1).amount;
    assert_eq!((to('s'), to('z'), to('b')), (100_000, 0, 0));
}

#[test]
fn a_good_long_way_does_not_hide_a_short_one_that_goes_on() {
    // c is reached best over b (0.8), but with two hops at most d is reached only over the direct edge of 0.5.
    //  a ─1→ b ─1→ c ─1→ d,  a ─0.5→ c
    let graph = graph("ab 1, bc 1, cd 1, ac 0.5");
    let snapshot = snapshot(&graph);
    let two = Paths::new(&snapshot, &dids("a"), &PathSettings { hops_max: 2, ..PathSettings::default() });
    assert_eq!((two.score(&snapshot, &did('c')), two.score(&snapshot, &did('d'))), (800_000, 400_000));
    assert_eq!(told(two.path(&snapshot, &did('d'))), ("acd".into(), 400_000));
    assert_eq!(told(two.path(&snapshot, &did('c'))), ("abc".into(), 800_000));
}

#[test]
fn beyond_the_cap_nobody_is_reached() {
    // a → b → c → d → e → f → g (six hops) → h (seven)
    let graph = graph("ab 1, bc 1, cd 1, de 1, ef 1, fg 1, gh 1");
    assert_eq!(score(&graph, 'g'), 327_680); // 0.8⁵
    assert_eq!(score(&graph, 'h'), 0);
}

#[test]
fn what_expired_or_was_taken_back_was_never_there() {
    let mut graph = graph("ab 0.8");
    let ends = days_later(2);
    graph.set(&icn_trust::Edge { expires: Some(ends), ..edge('b', 'c', 1_000_000) }).unwrap();
    let at = |now| {
        let snapshot = Snapshot::new(&graph, TrustContext::General, now, 0);
        let score = Paths::new(&snapshot, &dids("a"), &PathSettings::default()).score(&snapshot, &did('c'));
        (score, snapshot.until())
    };
    assert_eq!(at(GIVEN), (640_000, ends));
    assert_eq!(at(Timestamp::from_millis(ends.as_millis() - 1)), (640_000, ends));
    assert_eq!(at(ends).0, 0);
    // Revoking is a score of 0; it counts as a change once.
    let generation = graph.generation();
    assert_eq!(graph.set(&edge('a', 'b', 0)), Ok(true));
    assert_eq!(graph.set(&edge('a', 'b', 0)), Ok(false));
    assert_eq!((graph.generation(), graph.len(), score(&graph, 'b')), (generation + 1, 1, 0));
}

#[test]
fn scores_fade_to_their_half_in_a_year_at_midnight() {
    let graph = graph("ab 0.8");
    let at = |now| {
        let snapshot = Snapshot::new(&graph, TrustContext::General, now, 365);
        (
            Paths::new(&snapshot, &dids("a"), &PathSettings::default()).score(&snapshot, &did('b')),
            snapshot.until(),
        )
    };
    assert_eq!(at(days_later(365)).0, 400_000);
    assert_eq!(at(days_later(730)).0, 200_000);
    let (today, midnight) = at(GIVEN);
    assert_eq!((today, midnight.as_millis() % icn_trust::DAY_MS), (800_000, 0));
    assert_eq!(at(Timestamp::from_millis(midnight.as_millis() - 1)).0, 800_000);
    assert_eq!(at(midnight).0, 798_482); // 0.8 · 2^(−1/365)
    // What is dated in the future has not faded.
    assert_eq!(at(Timestamp::from_millis(0)).0, 800_000);
}

#[test]
fn nobody_vouches_for_itself_or_beyond_full_trust() {
    let mut graph = graph("aa 1");
    assert!(graph.is_empty());
    assert_eq!(graph.set(&edge('a', 'a', 1)), Err(EdgeError::OwnVoucher(did('a'))));
    assert_eq!(graph.set(&edge('a', 'b', 1_000_001)), Err(EdgeError::Score(1_000_001)));
    assert_eq!((graph.len(), graph.generation(), graph.members_len()), (0, 0, 0));
}

#[test]
fn one_member_vouches_for_so_many_and_no_more() {
    let mut graph = TrustGraph::new();
    let whom = |number: u16| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        icn_trust::Edge { to: Did::from_public_key(key), ..edge('a', 'b', 500_000) }
    };
    for number in 0..icn_trust::OUT_DEGREE_MAX as u16 {
        graph.set(&whom(number)).unwrap();
    }
    assert_eq!(graph.set(&whom(2_000)), Err(EdgeError::TooManyVouched(did('a'))));
    // What is there can be changed; what is taken back makes room, and its member is forgotten.
    assert_eq!(graph.set(&icn_trust::Edge { score_ppm: 1, ..whom(0) }), Ok(true));
    assert!(graph.remove(TrustContext::General, &did('a'), &whom(1).to));
    assert_eq!(graph.members_len(), icn_trust::OUT_DEGREE_MAX);
    assert_eq!(graph.set(&whom(2_000)), Ok(true));
    assert_eq!(graph.set(&icn_trust::Edge { graph: TrustContext::Ledger, ..whom(3_000) }), Ok(true));
}

#[test]
fn what_is_said_in_general_holds_where_nothing_else_is_said() {
    // In general a ─0.9→ b ─0.9→ c; in the ledger a ─0.2→ b.
    let mut graph = graph("ab 0.9, bc 0.9");
    let ledger = icn_trust::Edge {
        graph: TrustContext::Ledger,
        expires: Some(days_later(1)),
        ..edge('a', 'b', 200_000)
    };
    graph.set(&ledger).unwrap();
    let read = |which, now| {
        let snapshot = Snapshot::new(&graph, which, now, 0);
        let paths = Paths::new(&snapshot, &dids("a"), &PathSettings::default());
        (paths.score(&snapshot, &did('b')), paths.path(&snapshot, &did('c')).unwrap())
    };
    assert_eq!(read(TrustContext::General, GIVEN).0, 900_000);
    assert_eq!(read(TrustContext::Compute, GIVEN).0, 900_000);
    let (b, to_c) = read(TrustContext::Ledger, GIVEN);
    assert_eq!((b, to_c.score_ppm), (200_000, 144_000));
    let said: Vec<bool> = to_c.hops.iter().map(|hop| hop.by.is_general).collect();
    assert_eq!(said, [false, true]);
    // When it has expired, the general word holds again.
    assert_eq!(read(TrustContext::Ledger, days_later(1)).0, 900_000);
}

#[test]
fn edges_are_told_in_order_and_graphs_have_names() {
    let mut graph = graph("bc 0.5, ab 0.5, az 0.5, ac 0.5");
    graph.set(&icn_trust::Edge { graph: TrustContext::Ledger, ..edge('a', 'b', 1) }).unwrap();
    let told: Vec<String> =
        graph.edges().map(|edge| format!("{} {}", letters([&edge.from, &edge.to]), edge.graph)).collect();
    assert_eq!(told, ["ab general", "ac general", "az general", "ab ledger", "bc general"]);
    assert_eq!(graph.get(TrustContext::General, &did('a'), &did('z')), Some(edge('a', 'z', 500_000)));
    for which in TrustContext::ALL {
        assert_eq!(which.to_string().parse(), Ok(which));
        assert_eq!(serde_json::to_string(&which).unwrap(), format!("\"{which}\""));
    }
    assert!("money".parse::<TrustContext>().unwrap_err().to_string().contains("`money`"));
}

#[test]
fn admission_names_whoever_has_brought_in_all_it_may() {
    // a may bring in two, those two nobody: b and c are in, d waits for a place of a, e for one of b.
    //  a ─→ b ─→ e,  a ─→ c,  a ─→ d,  and d ─0.2→ f, which does not count
    let graph = graph("ab 1, ac 1, ad 1, be 1, df 0.2");
    let rule = AdmissionRule { capacities: vec![3, 1, 1], score_min_ppm: 300_000 };
    let admission = Admission::new(&snapshot(&graph), &dids("a"), &rule);
    assert_eq!(letters(admission.accepted()), "abc");
    let member = |letter, distance, capacity| Limit::Member { did: did(letter), distance, capacity };
    assert_eq!(admission.why_not(&did('b')), None);
    assert_eq!(admission.why_not(&did('d')), Some(Refusal::Full(vec![member('a', 0, 3)])));
    // b could be reached once more only if a had a place left, and a has none: a limits e, too.
    assert_eq!(admission.why_not(&did('e')), Some(Refusal::Full(vec![member('a', 0, 3)])));
    assert_eq!(admission.why_not(&did('f')), Some(Refusal::NotReached));
    assert_eq!(admission.why_not(&did('z')), Some(Refusal::NotReached));
    let wider = AdmissionRule { capacities: vec![9, 1, 1], ..rule };
    let admission = Admission::new(&snapshot(&graph), &dids("a"), &wider);
    assert_eq!(letters(admission.accepted()), "abcd");
    assert_eq!(admission.why_not(&did('e')), Some(Refusal::Full(vec![member('b', 1, 1)])));
}

#[test]
fn rules_of_admission_are_checked() {
    let rule = AdmissionRule::for_members(500, 5, 9);
    assert_eq!((rule.check(), &rule.capacities), (Ok(()), &vec![100, 14, 2, 1]));
    assert_eq!(AdmissionRule::for_members(3, 5, 9).capacities, [1]);
    for (capacities, text) in
        [(vec![], "capacities"), (vec![1; 17], "capacities"), (vec![2, 0], "capacities")]
    {
        let wrong = AdmissionRule { capacities, ..rule.clone() };
        assert!(wrong.check().unwrap_err().to_string().contains(text));
    }
}
