//! The best path: how far a member's word carries.
//!
//! From a set of sources, each trusted in full, along edges. With the faded scores `s₁ … sₖ` of a path of `k` hops and `d` the
//! decay of each hop after the first:
//!
//! ```text
//! v₀ = 1,000,000        v₁ = ⌊v₀ · s₁ / 10⁶⌋        vᵢ = ⌊vᵢ₋₁ · sᵢ · d / 10¹²⌋
//! ```
//!
//! The score is the highest `vₖ` of all paths with at most `hops_max` hops. It is computed by layers (Bellman and Ford): the
//! best value with exactly `h` hops from the best with `h − 1`. A member's best value alone is not enough for that, since a
//! better path may be too long to go on. Every step is monotone and none raises a value, so a layer needs to go on only from
//! members that it improved, and a cycle never helps.
//!
//! Of equal paths the one with the fewest hops is shown, then, step by step back from the member, the one whose introducer has
//! the lowest DID. Sources: seed 002, section 2; conflict B-86.

use std::collections::BTreeSet;

use icn_types::Did;

use crate::graph::PPM;
use crate::settings::PathSettings;
use crate::snapshot::{Introduction, Snapshot};

/// The most hops that can be asked for. More count as this.
pub const HOPS_MAX: u32 = 16;

/// Where a walk back ends.
const NOBODY: u32 = u32::MAX;

/// How a member was reached in a layer.
#[derive(Debug, Clone, Copy)]
struct Reached {
    member: u32,
    value: u32,
    /// The introducer, or [`NOBODY`] for a source.
    from: u32,
}

/// Every member's best path from a set of sources. Ask it with the snapshot that it was made from.
#[derive(Debug, Clone)]
pub struct Paths {
    /// By hops, then by member in order: who was reached better than with fewer hops.
    layers: Vec<Vec<Reached>>,
    best: Vec<u32>,
    settings: PathSettings,
}

/// One hop of a path, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The edge.
    pub by: Introduction,
    /// What this hop leaves of the value for being further away, in parts per million: all of it on the first.
    pub decay_ppm: u32,
    /// The value after this hop.
    pub value_ppm: u32,
}

/// A path and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where it starts: one of the sources.
    pub source: Did,
    /// The hops, in order; none for a source itself.
    pub hops: Vec<Hop>,
    /// The value at its end, in parts per million.
    pub score_ppm: u32,
}

impl Paths {
    /// Finds the best path from the sources to everybody. Sources that no edge names lead nowhere.
    #[must_use]
    pub fn new(snapshot: &Snapshot, sources: &BTreeSet<Did>, settings: &PathSettings) -> Self {
        let mut best = vec![0; snapshot.len()];
        let start: Vec<Reached> = sources
            .iter()
            .filter_map(|did| snapshot.place(did))
            .map(|member| Reached { member, value: PPM, from: NOBODY })
            .collect();
        raise(&mut best, &start);
        let mut layers = vec![start];
        for hop in 1..=settings.hops_max.min(HOPS_MAX) {
            let next = layers.last().map(|last| layer(snapshot, last, &best, settings.decay_ppm(hop)));
            let Some(next) = next.filter(|next| !next.is_empty()) else { break };
            raise(&mut best, &next);
            layers.push(next);
        }
        Self { layers, best, settings: *settings }
    }

    /// Returns a member's score in parts per million, 0 where no path leads.
    #[must_use]
    pub fn score(&self, snapshot: &Snapshot, did: &Did) -> u32 {
        let place = snapshot.place(did);
        place.and_then(|place| self.best.get(place as usize)).copied().unwrap_or_default()
    }

    /// Returns the path behind a member's score, if one leads there.
    #[must_use]
    pub fn path(&self, snapshot: &Snapshot, did: &Did) -> Option<Path> {
        let place = snapshot.place(did)?;
        let best = *self.best.get(place as usize)?;
        let (hops, _) =
            self.layers.iter().enumerate().find(|(_, layer)| {
                find(layer, place).is_some_and(|reached| reached.value == best && best > 0)
            })?;
        let mut path = Path { source: *did, hops: Vec::with_capacity(hops), score_ppm: best };
        let mut member = place;
        for hop in (1..=hops).rev() {
            let reached = find(self.layers.get(hop)?, member)?;
            let arcs = snapshot.arcs(reached.from);
            let arc = arcs.get(arcs.binary_search_by_key(&member, |arc| arc.to).ok()?)?;
            path.hops.push(Hop {
                by: snapshot.introduction(reached.from, arc)?,
                decay_ppm: self.settings.decay_ppm(hop as u32),
                value_ppm: reached.value,
            });
            member = reached.from;
        }
        path.hops.reverse();
        path.source = snapshot.did(member)?;
        Some(path)
    }
}

/// The value after one more hop; never more than before.
pub(crate) fn after_hop(value: u32, score_ppm: u32, decay_ppm: u32) -> u32 {
    let product = u128::from(value) * u128::from(score_ppm.min(PPM)) * u128::from(decay_ppm.min(PPM));
    u32::try_from(product / (u128::from(PPM) * u128::from(PPM))).unwrap_or(value)
}

/// Whom one more hop reaches better than before.
fn layer(snapshot: &Snapshot, last: &[Reached], best: &[u32], decay_ppm: u32) -> Vec<Reached> {
    let mut reached: Vec<(u32, u32)> = vec![(0, NOBODY); best.len()];
    // Introducers come in rising order, and only a higher value replaces one: of equals the lowest DID stays.
    for from in last {
        for arc in snapshot.arcs(from.member) {
            let value = after_hop(from.value, arc.score_ppm, decay_ppm);
            let (Some(slot), Some(best)) = (reached.get_mut(arc.to as usize), best.get(arc.to as usize))
            else {
                continue;
            };
            if value > *best && value > slot.0 {
                *slot = (value, from.member);
            }
        }
    }
    let improved = reached.into_iter().enumerate().filter(|(_, (value, _))| *value > 0);
    improved.map(|(member, (value, from))| Reached { member: member as u32, value, from }).collect()
}

fn raise(best: &mut [u32], layer: &[Reached]) {
    for reached in layer {
        if let Some(slot) = best.get_mut(reached.member as usize) {
            *slot = reached.value;
        }
    }
}

fn find(layer: &[Reached], member: u32) -> Option<Reached> {
    let index = layer.binary_search_by_key(&member, |reached| reached.member).ok()?;
    layer.get(index).copied()
}
