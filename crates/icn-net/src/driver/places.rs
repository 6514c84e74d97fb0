//! To whom own messages go at once: to every subscriber whose limits are its own, and to a few of those that share one
//! allowance.
//!
//! Gossipsub sends what a node publishes to each subscriber, so that no crowd in its mesh can keep it quiet (flood publishing,
//! v1.1). A thousand identities behind one introducer would cost a thousand sends for each message. They share what they may
//! send, so they share what they get: a few of each group have a place. The others are scored below gossipsub's publish
//! threshold and above its graylist: what they say is heard, and what they miss comes to them from others or with the next
//! reconciliation.

use std::collections::{BTreeMap, HashMap};

use libp2p::PeerId;
use rand::Rng;
use rand::seq::SliceRandom as _;

use super::Driver;
use crate::limits::GroupKey;

/// Peers of one group that have a place.
const PLACES_PER_GROUP: usize = 2;
/// Peers of all groups together that have one. Full: groups have fewer each, and of more groups than this some have none.
const PLACES_MAX: usize = 32;

/// Who has a place and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<PeerId, Place>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its limits are its own.
    Free,
    /// It has one of its group's.
    Taken,
    /// It waits for one.
    Waits,
}

impl Places {
    /// Divides the places among connected peers; whoever has one keeps it while its group may. Returns the new peers, and those
    /// that have or lost one.
    fn divide(&mut self, peers: &[(PeerId, Option<GroupKey>)], random: &mut impl Rng) -> Vec<PeerId> {
        let mut groups: BTreeMap<GroupKey, Vec<PeerId>> = BTreeMap::new();
        let mut next: HashMap<PeerId, Place> = HashMap::new();
        for (peer, group) in peers {
            match group {
                None => drop(next.insert(*peer, Place::Free)),
                Some(group) => groups.entry(*group).or_default().push(*peer),
            }
        }
        let needed = |each: usize| groups.values().map(|peers| peers.len().min(each)).sum::<usize>();
        let each = (1..=PLACES_PER_GROUP).rev().find(|each| needed(*each) <= PLACES_MAX).unwrap_or(1);
        // Whoever has a place comes first; the rest in an order that nobody can aim at.
        let mut groups: Vec<Vec<PeerId>> = groups.into_values().collect();
        let has_place = |peer: &PeerId| self.0.get(peer) == Some(&Place::Taken);
        for group in &mut groups {
            group.shuffle(random);
            group.sort_by_key(|peer| !has_place(peer));
        }
        groups.shuffle(random);
        groups.sort_by_key(|group| !group.first().is_some_and(has_place));
        let mut left = PLACES_MAX;
        for group in groups {
            for (peer, number) in group.into_iter().zip(0..) {
                let is_taken = number < each && left > 0;
                left -= usize::from(is_taken);
                next.insert(peer, if is_taken { Place::Taken } else { Place::Waits });
            }
        }
        let is_other = |peer: &&PeerId| self.0.get(*peer) != next.get(*peer);
        let changed = next.keys().filter(is_other).copied().collect();
        self.0 = next;
        changed
    }

    /// Tells whether a peer waits for a place.
    pub(super) fn waits(&self, peer: &PeerId) -> bool {
        self.0.get(peer) == Some(&Place::Waits)
    }
}

impl Driver {
    /// Divides the places anew: peers come and go, and groups with what is thought of them.
    pub(super) fn divide_places(&mut self) {
        let limits = &self.shared.limits;
        let peers: Vec<_> =
            self.swarm.connected_peers().map(|peer| (*peer, limits.group_of(*peer))).collect();
        for peer in self.places.divide(&peers, &mut rand::rng()) {
            self.score(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::limits::ShareId;

    fn group(n: u8, size: usize) -> Vec<(PeerId, Option<GroupKey>)> {
        (0..size).map(|_| (PeerId::random(), Some(GroupKey::Named(ShareId([n; 32]))))).collect()
    }

    fn taken(places: &Places, peers: &[(PeerId, Option<GroupKey>)]) -> Vec<PeerId> {
        peers.iter().map(|(peer, _)| *peer).filter(|peer| !places.waits(peer)).collect()
    }

    #[test]
    fn a_crowd_has_the_places_of_its_group_and_others_have_theirs() {
        let (mut places, mut random) = (Places::default(), StdRng::seed_from_u64(1));
        let (crowd, few) = (group(1, 200), group(2, PLACES_PER_GROUP));
        let free: Vec<_> = (0..50).map(|_| (PeerId::random(), None)).collect();
        let all = [&crowd[..], &few, &free].concat();
        assert_eq!(places.divide(&all, &mut random).len(), 252, "all are new");
        assert_eq!(taken(&places, &crowd).len(), PLACES_PER_GROUP);
        assert_eq!((taken(&places, &few).len(), taken(&places, &free).len()), (PLACES_PER_GROUP, 50));
        assert!(places.divide(&all, &mut random).is_empty(), "who has a place keeps it");
        // One of them leaves: another has its place.
        let gone = taken(&places, &crowd)[0];
        let rest: Vec<_> = all.iter().filter(|(peer, _)| *peer != gone).copied().collect();
        assert_eq!(places.divide(&rest, &mut random).len(), 1);
        assert_eq!(taken(&places, &rest).len(), 2 * PLACES_PER_GROUP + 50);
        // It comes back, and is told of as one that waits.
        assert_eq!(places.divide(&all, &mut random), [gone]);
        assert!(places.waits(&gone));
        // Somebody vouches for it.
        let lifted: Vec<_> = all.iter().map(|(peer, key)| (*peer, key.filter(|_| *peer != gone))).collect();
        assert_eq!(places.divide(&lifted, &mut random), [gone]);
        assert!(!places.waits(&gone));
    }

    #[test]
    fn many_groups_have_fewer_places_each_and_a_new_one_gets_its_part() {
        let (mut places, mut random) = (Places::default(), StdRng::seed_from_u64(2));
        let mut all: Vec<_> = (0..16).flat_map(|n| group(n, 10)).collect();
        places.divide(&all, &mut random);
        assert_eq!(taken(&places, &all).len(), PLACES_MAX);
        let another = group(16, 10);
        all.extend(&another);
        places.divide(&all, &mut random);
        assert_eq!((taken(&places, &all).len(), taken(&places, &another).len()), (17, 1));
        let many: Vec<_> = (0..200).flat_map(|n| group(n, 1)).collect();
        places.divide(&many, &mut random);
        let before = taken(&places, &many);
        assert_eq!(before.len(), PLACES_MAX);
        places.divide(&many, &mut random);
        assert_eq!(taken(&places, &many), before);
    }
}
