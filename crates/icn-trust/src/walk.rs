//! A walk from the seeds: for ranking, never for what grants anything.
//!
//! A weight starts at the seeds, in equal parts. In each of a fixed number of steps every member passes on what it has along
//! its introductions, in proportion to their scores; a part goes back to the seeds at once (personalised PageRank), or none
//! does (the early-ended walk of SybilRank). A crowd behind few introductions gets little, since little weight crosses them
//! in so few steps.
//!
//! All in integers: weights out of [`WEIGHT`], every division rounded down, members in the order of DIDs. What rounding
//! loses (less than one for each introduction and step) is lost, so that the sum never rises.
//!
//! Sources: Cao et al., SybilRank (NSDI 2012); Page et al., personalised PageRank.

use std::collections::BTreeSet;

use icn_types::Did;
use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::graph::PPM;
use crate::settings::range;
use crate::snapshot::Snapshot;

/// The weight that all members have together.
pub const WEIGHT: u64 = 1_000_000_000_000;
/// The most steps that can be asked for. More count as this.
pub const STEPS_MAX: u32 = 64;

/// How the weight walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WalkSettings {
    /// How many steps, 1 to [`STEPS_MAX`]: about the logarithm of the number of members.
    pub steps: u32,
    /// What goes back to the seeds in each step, in parts per million; 0 for the walk of SybilRank.
    pub restart_ppm: u32,
}

impl Default for WalkSettings {
    fn default() -> Self {
        Self { steps: 12, restart_ppm: 150_000 }
    }
}

impl WalkSettings {
    /// Checks all ranges.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what cannot be.
    pub const fn check(&self) -> Result<(), SettingsError> {
        if self.steps == 0 || self.steps > STEPS_MAX {
            return Err(range("steps", self.steps as u64, "1 to 64"));
        }
        if self.restart_ppm > PPM {
            return Err(range("restart_ppm", self.restart_ppm as u64, "0 to 1000000"));
        }
        Ok(())
    }
}

/// Where the weight lies after the walk. Ask it with the snapshot that it was made from.
#[derive(Debug, Clone)]
pub struct Walk {
    weights: Vec<u64>,
    /// The scores of all introductions of each member, summed up.
    introduced: Vec<u64>,
}

impl Walk {
    /// Lets the weight walk. Seeds that no edge names have no part; without any seed all weights are 0.
    #[must_use]
    pub fn new(snapshot: &Snapshot, seeds: &BTreeSet<Did>, settings: &WalkSettings) -> Self {
        let seeds: Vec<u32> = seeds.iter().filter_map(|did| snapshot.place(did)).collect();
        let restart = u64::from(settings.restart_ppm.min(PPM));
        let mut weights = vec![0; snapshot.len()];
        give(&mut weights, &seeds, WEIGHT);
        for _ in 0..settings.steps.min(STEPS_MAX) {
            weights = step(snapshot, &weights, &seeds, restart);
        }
        let mut introduced = vec![0_u64; snapshot.len()];
        for place in 0..snapshot.len() as u32 {
            for arc in snapshot.arcs(place) {
                if let Some(sum) = introduced.get_mut(arc.to as usize) {
                    *sum += u64::from(arc.score_ppm);
                }
            }
        }
        Self { weights, introduced }
    }

    /// Returns the weight of a member, out of [`WEIGHT`].
    #[must_use]
    pub fn weight(&self, snapshot: &Snapshot, did: &Did) -> u64 {
        let place = snapshot.place(did);
        place.and_then(|place| self.weights.get(place as usize)).copied().unwrap_or_default()
    }

    /// Returns the weight of a member for each full introduction of it: what to rank by, since weight alone favours whoever
    /// has many introductions.
    #[must_use]
    pub fn rank(&self, snapshot: &Snapshot, did: &Did) -> u64 {
        let place = snapshot.place(did);
        let introduced =
            place.and_then(|place| self.introduced.get(place as usize)).copied().unwrap_or_default();
        let rank = u128::from(self.weight(snapshot, did)) * u128::from(PPM) / u128::from(introduced.max(1));
        u64::try_from(rank).unwrap_or(u64::MAX)
    }

    /// Returns all weights together: at most [`WEIGHT`].
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.weights.iter().sum()
    }
}

fn step(snapshot: &Snapshot, weights: &[u64], seeds: &[u32], restart: u64) -> Vec<u64> {
    let mut next = vec![0_u64; weights.len()];
    let mut back = 0;
    for (place, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
        let arcs = snapshot.arcs(place as u32);
        let scores: u64 = arcs.iter().map(|arc| u64::from(arc.score_ppm)).sum();
        // `WEIGHT` times a million fits; whoever vouches for nobody passes all of it back.
        let home = if scores == 0 { *weight } else { weight * restart / u64::from(PPM) };
        back += home;
        let on = u128::from(weight - home);
        for arc in arcs {
            let part = on * u128::from(arc.score_ppm) / u128::from(scores.max(1));
            if let Some(slot) = next.get_mut(arc.to as usize) {
                *slot += u64::try_from(part).unwrap_or_default();
            }
        }
    }
    give(&mut next, seeds, back);
    next
}

/// Divides an amount among seeds; the first get what does not divide.
fn give(weights: &mut [u64], seeds: &[u32], amount: u64) {
    let len = seeds.len() as u64;
    for (index, seed) in seeds.iter().enumerate() {
        if let Some(slot) = weights.get_mut(*seed as usize) {
            *slot += amount / len + u64::from((index as u64) < amount % len);
        }
    }
}
