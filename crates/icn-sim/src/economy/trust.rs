//! Who trusts whom: a small world, drawn from the seed.

use super::PPM;
use super::agents::Agent;
use crate::random::Random;

/// Below this, nobody trades with each other (seed 002: partners with trust of 0.3 or more).
pub(super) const PARTNER_TRUST_PPM: u32 = 300_000;

/// How many hops trust reaches.
const HOPS: usize = 3;
/// One founder in so many members: those whose word the community starts from.
const FOUNDER_EVERY: usize = 20;
/// How many edges of the ring lead elsewhere, in parts per million.
const REWIRED_PPM: u64 = 200_000;

/// One side of an acquaintance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) to: u32,
    /// The other side of the same acquaintance.
    pub(super) back: u32,
    pub(super) trust_ppm: u32,
    /// What was received from the other side, less what was given to it.
    pub(super) net: i64,
}

/// All acquaintances, by agent.
#[derive(Debug)]
pub(super) struct Network {
    /// Where the edges of each agent begin; one more than there are agents.
    starts: Vec<u32>,
    pub(super) edges: Vec<Edge>,
}

impl Network {
    /// Draws a ring of neighbours of which a fifth lead elsewhere (Watts and Strogatz 1998): `degree` edges for each.
    pub(super) fn draw(random: &mut Random, agents: &[Agent], degree: u32) -> Self {
        let n = agents.len();
        let reach = (degree as usize / 2).min(n.saturating_sub(1) / 2).max(1);
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(n * reach);
        for a in 0..n {
            for step in 1..=reach {
                let other = if random.chance(REWIRED_PPM) { random.index(n) } else { (a + step) % n };
                if other != a {
                    pairs.push((narrow(a.min(other)), narrow(a.max(other))));
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        Self::of(&pairs, agents)
    }

    fn of(pairs: &[(u32, u32)], agents: &[Agent]) -> Self {
        let mut degrees = vec![0_u32; agents.len()];
        for place in pairs.iter().flat_map(|(a, b)| [*a, *b]) {
            if let Some(degree) = degrees.get_mut(place as usize) {
                *degree += 1;
            }
        }
        let mut starts = vec![0];
        starts.extend(degrees.iter().scan(0, |sum, degree| {
            *sum += degree;
            Some(*sum)
        }));
        let mut next = starts.clone();
        let mut edges = vec![Edge { to: 0, back: 0, trust_ppm: 0, net: 0 }; pairs.len() * 2];
        let trust_of = |place: u32| agents.get(place as usize).map_or(0, |agent| agent.propensity_ppm);
        for (a, b) in pairs {
            let trust_ppm = u32::midpoint(trust_of(*a), trust_of(*b));
            let (Some(first), Some(second)) = (take(&mut next, *a), take(&mut next, *b)) else {
                continue;
            };
            for (at, to, back) in [(first, *b, second), (second, *a, first)] {
                if let Some(edge) = edges.get_mut(at as usize) {
                    *edge = Edge { to, back, trust_ppm, net: 0 };
                }
            }
        }
        Self { starts, edges }
    }

    /// Returns where the edges of an agent are.
    pub(super) fn range(&self, agent: usize) -> std::ops::Range<usize> {
        let at = |place: usize| self.starts.get(place).map_or(0, |start| *start as usize);
        at(agent)..at(agent + 1)
    }

    /// Says how far the community trusts each agent, in parts per million: the best product of trust over at most three
    /// hops from a founder. This is the seam to `icn-trust`: whatever measures trust in a member stands here.
    pub(super) fn scores(&self) -> Vec<u32> {
        let n = self.starts.len().saturating_sub(1);
        let mut scores: Vec<u32> =
            (0..n).map(|agent| if agent % FOUNDER_EVERY == 0 { 1_000_000 } else { 0 }).collect();
        for _ in 0..HOPS {
            let before = scores.clone();
            for (agent, score) in scores.iter_mut().enumerate() {
                for edge in self.edges.get(self.range(agent)).into_iter().flatten() {
                    let of = before.get(edge.to as usize).copied().unwrap_or(0);
                    let through = u64::from(of) * u64::from(edge.trust_ppm) / PPM;
                    *score = (*score).max(u32::try_from(through).unwrap_or(0));
                }
            }
        }
        scores
    }

    /// Ends an acquaintance on both sides.
    pub(super) fn distrust(&mut self, edge: usize) {
        let back = self.edges.get(edge).map(|edge| edge.back as usize);
        for at in std::iter::once(edge).chain(back) {
            if let Some(edge) = self.edges.get_mut(at) {
                edge.trust_ppm = 0;
            }
        }
    }
}

fn take(next: &mut [u32], agent: u32) -> Option<u32> {
    let place = next.get_mut(agent as usize)?;
    let taken = *place;
    *place += 1;
    Some(taken)
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(0)
}
