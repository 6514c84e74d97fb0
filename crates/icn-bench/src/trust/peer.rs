//! The same questions for the crate `petgraph`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use icn_trust::{AdmissionRule, Edge};
use icn_types::Did;
use petgraph::algo::{dijkstra, dinics};
use petgraph::graph::{DiGraph, NodeIndex};

/// More than flows anywhere here.
const PLENTY: u64 = 1 << 42;

/// Edges whose ends are numbers already.
pub(super) struct Peer {
    numbers: HashMap<Did, usize>,
    edges: Vec<(usize, usize, u32)>,
    members: usize,
}

impl Peer {
    pub(super) fn new(members: &[Did], edges: &[Edge]) -> Self {
        let numbers: HashMap<Did, usize> =
            members.iter().enumerate().map(|(number, did)| (*did, number)).collect();
        let number = |did: &Did| numbers.get(did).copied();
        let edges = edges
            .iter()
            .filter_map(|edge| Some((number(&edge.from)?, number(&edge.to)?, edge.score_ppm)))
            .collect();
        Self { edges, members: members.len(), numbers }
    }

    /// The graph, with the logarithm of each score as its length, and the decay of a hop added.
    pub(super) fn network(&self) -> DiGraph<(), f64> {
        let mut graph = DiGraph::with_capacity(self.members, self.edges.len());
        for _ in 0..self.members {
            graph.add_node(());
        }
        for (from, to, score) in &self.edges {
            let length = -(f64::from(*score) / 1e6 * 0.8).ln();
            graph.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), length);
        }
        graph
    }

    /// Finds the best paths from the first member, and counts whom they reach.
    pub(super) fn dijkstra(&self, network: &DiGraph<(), f64>) -> usize {
        dijkstra(network, NodeIndex::new(0), None, |edge| *edge.weight()).len()
    }

    pub(super) fn flow(&self, seeds: &BTreeMap<Did, u64>, sink: &Did) -> u64 {
        let Some(sink) = self.numbers.get(sink) else { return 0 };
        let mut graph = DiGraph::<(), u64>::with_capacity(self.members + 2, self.edges.len() + seeds.len());
        for _ in 0..self.members {
            graph.add_node(());
        }
        let source = graph.add_node(());
        for (from, to, score) in &self.edges {
            graph.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), u64::from(*score));
        }
        for (seed, most) in seeds {
            if let Some(seed) = self.numbers.get(seed) {
                graph.add_edge(source, NodeIndex::new(*seed), *most);
            }
        }
        dinics(&graph, source, NodeIndex::new(*sink)).0
    }

    /// How many a rule admits.
    pub(super) fn admitted(&self, seeds: &BTreeSet<Did>, rule: &AdmissionRule) -> u64 {
        let distances = self.distances(seeds, rule);
        let mut graph = DiGraph::<(), u64>::new();
        for _ in 0..2 * self.members {
            graph.add_node(());
        }
        let (source, sink) = (graph.add_node(()), graph.add_node(()));
        let within = |member: usize| distances.get(&member).and_then(|at| rule.capacities.get(*at)).copied();
        for seed in seeds.iter().filter_map(|did| self.numbers.get(did)) {
            graph.add_edge(source, NodeIndex::new(2 * seed), PLENTY);
        }
        for member in 0..self.members {
            let Some(capacity) = within(member) else { continue };
            graph.add_edge(NodeIndex::new(2 * member), sink, 1);
            graph.add_edge(
                NodeIndex::new(2 * member),
                NodeIndex::new(2 * member + 1),
                u64::from(capacity) - 1,
            );
        }
        for (from, to, score) in &self.edges {
            if *score >= rule.score_min_ppm && within(*from).is_some() {
                graph.add_edge(NodeIndex::new(2 * from + 1), NodeIndex::new(2 * to), PLENTY);
            }
        }
        dinics(&graph, source, sink).0
    }

    fn distances(&self, seeds: &BTreeSet<Did>, rule: &AdmissionRule) -> HashMap<usize, usize> {
        let mut out: HashMap<usize, Vec<usize>> = HashMap::new();
        for (from, to, _) in self.edges.iter().filter(|(_, _, score)| *score >= rule.score_min_ppm) {
            out.entry(*from).or_default().push(*to);
        }
        let starts = seeds.iter().filter_map(|did| self.numbers.get(did));
        let mut distances: HashMap<usize, usize> = starts.map(|seed| (*seed, 0)).collect();
        let mut waiting: VecDeque<usize> = distances.keys().copied().collect();
        while let Some(at) = waiting.pop_front() {
            let next = distances.get(&at).copied().unwrap_or_default() + 1;
            for to in out.get(&at).into_iter().flatten() {
                if !distances.contains_key(to) {
                    distances.insert(*to, next);
                    waiting.push_back(*to);
                }
            }
        }
        distances
    }
}
