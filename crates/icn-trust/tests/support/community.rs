//! The sybil set-up of the tests and of `cargo xtask bench trust`: a small world of honest members, and a crowd of made-up
//! ones that a few deceived members vouch for.

use std::collections::BTreeSet;

use icn_trust::{Edge, TrustGraph};
use icn_types::{Did, Timestamp, TrustContext};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

/// When all edges were given.
pub(crate) const GIVEN: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// How large, and from which number the generator starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) honest: usize,
    pub(crate) sybils: usize,
    pub(crate) attack_edges: usize,
    pub(crate) seeds: usize,
}

/// Who there is, and who vouches for whom.
#[derive(Debug, Clone)]
pub(crate) struct Community {
    pub(crate) graph: TrustGraph,
    pub(crate) honest: Vec<Did>,
    pub(crate) sybils: Vec<Did>,
    pub(crate) seeds: BTreeSet<Did>,
    /// Who was deceived, and by whom.
    pub(crate) attack_edges: Vec<(Did, Did)>,
}

/// Makes a community. Each honest member and its eight neighbours on a ring know each other, and so do it and four others
/// from anywhere: about sixteen. Each sybil vouches for twenty others in full. Scores of honest members are 0.5 to 0.95,
/// of a deceived one for a sybil 0.9.
pub(crate) fn community(plan: Plan) -> Community {
    let mut rng = ChaCha20Rng::seed_from_u64(plan.seed);
    let mut dids =
        |len: usize| -> Vec<Did> { (0..len).map(|_| Did::from_public_key(rng.random())).collect() };
    let (honest, sybils) = (dids(plan.honest), dids(plan.sybils));
    let mut community = Community {
        graph: TrustGraph::new(),
        seeds: honest.iter().take(plan.seeds).copied().collect(),
        // Seeds must not stand side by side on the ring.
        honest: shuffled(honest, &mut rng),
        sybils,
        attack_edges: Vec::new(),
    };
    let len = community.honest.len();
    for index in 0..len {
        for step in 1..=4 {
            let score = rng.random_range(500_000..=950_000);
            community.know((false, index), (false, (index + step) % len), score);
            let (score, other) = (rng.random_range(500_000..=950_000), rng.random_range(0..len));
            community.know((false, index), (false, other), score);
        }
    }
    for index in 0..plan.sybils {
        for _ in 0..20 {
            let other = rng.random_range(0..plan.sybils);
            community.know((true, index), (true, other), 1_000_000);
        }
    }
    while plan.sybils > 0 && community.attack_edges.len() < plan.attack_edges {
        let (from, to) = (rng.random_range(0..len), rng.random_range(0..plan.sybils));
        if let Some(edge) = community.know((false, from), (true, to), 900_000)
            && !community.attack_edges.contains(&edge)
        {
            community.attack_edges.push(edge);
        }
    }
    community
}

impl Community {
    /// Sets an edge each way between two members, named by whether they are sybils and by their place.
    fn know(&mut self, from: (bool, usize), to: (bool, usize), score_ppm: u32) -> Option<(Did, Did)> {
        let find = |(is_sybil, index): (bool, usize)| {
            let group = if is_sybil { &self.sybils } else { &self.honest };
            group.get(index).copied()
        };
        let (from, to) = (find(from)?, find(to)?);
        for (from, to) in [(from, to), (to, from)] {
            let edge =
                Edge { from, to, graph: TrustContext::General, score_ppm, given: GIVEN, expires: None };
            // Whoever was drawn to know itself, or too many, does not.
            self.graph.set(&edge).ok();
        }
        Some((from, to))
    }
}

/// Puts members into a random order (Fisher and Yates).
fn shuffled(mut members: Vec<Did>, rng: &mut ChaCha20Rng) -> Vec<Did> {
    for index in (1..members.len()).rev() {
        members.swap(index, rng.random_range(0..=index));
    }
    members
}
