//! The executors that a node has heard of.

use std::collections::BTreeMap;

use icn_protocol::NodeCapability;
use icn_types::{Did, Duration, NodeCapacity, Region, Timestamp};

/// How many executors are remembered. Full: the one heard from longest ago is forgotten.
const EXECUTORS_MAX: usize = 4_096;

/// How long an advertisement counts; executors repeat theirs every third of this.
pub(crate) const FRESH: Duration = Duration::from_secs(180);

/// What an executor last said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownExecutor {
    /// Where it stands.
    pub region: Option<Region>,
    /// What it offers, and the limits it sets.
    pub capacity: NodeCapacity,
    /// The runtimes it has.
    pub runtimes: Vec<String>,
    /// When it said so.
    pub at: Timestamp,
}

/// The executors heard of, newest advertisement of each.
#[derive(Debug, Default)]
pub struct Directory {
    known: BTreeMap<Did, KnownExecutor>,
}

impl Directory {
    /// Takes note of an advertisement; returns whether the executor was not known as fresh before.
    pub fn hear(&mut self, now: Timestamp, capability: &NodeCapability) -> bool {
        let fresh_before = self.fresh(now).any(|(did, _)| *did == capability.node_did);
        if self.known.get(&capability.node_did).is_some_and(|known| known.at >= capability.timestamp) {
            return false;
        }
        if self.known.len() >= EXECUTORS_MAX && !self.known.contains_key(&capability.node_did) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.at).map(|(did, _)| *did);
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        let known = KnownExecutor {
            region: capability.region.clone(),
            capacity: NodeCapacity(capability.available_resources.clone()),
            runtimes: capability.supported_runtimes.clone(),
            at: capability.timestamp,
        };
        self.known.insert(capability.node_did, known);
        !fresh_before
    }

    /// Forgets an executor that went away.
    pub fn forget(&mut self, did: &Did) {
        self.known.remove(did);
    }

    /// Lists the executors whose advertisement still counts.
    pub fn fresh(&self, now: Timestamp) -> impl Iterator<Item = (&Did, &KnownExecutor)> {
        self.known.iter().filter(move |(_, known)| now.since(known.at) <= FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, capability, key};

    #[test]
    fn the_newest_advertisement_counts_while_it_is_fresh() {
        let mut directory = Directory::default();
        let did = key(1).did();
        let mut hear = |now, stamped, fuel| {
            directory.hear(at(now).at, &capability(did, at(stamped).at, &[("fuel_max", fuel)]))
        };
        assert!(hear(0, 0, 1), "it was not known");
        assert!(!hear(10, 10, 2), "it was known as fresh");
        assert!(!hear(11, 5, 3), "an older one changes nothing");
        assert!(!hear(11, 10, 3), "the same one again changes nothing");
        assert!(hear(400, 399, 4), "it was not heard of for too long");
        let known: Vec<u64> =
            directory.fresh(at(579).at).flat_map(|(_, known)| known.capacity.0.values().copied()).collect();
        assert_eq!(known, [4]);
        assert_eq!(directory.fresh(at(580).at).count(), 0);
        directory.forget(&did);
        assert_eq!(directory.fresh(at(400).at).count(), 0);
    }

    #[test]
    fn a_full_directory_forgets_who_was_silent_longest() {
        let mut directory = Directory::default();
        let did = |number: u32| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            Did::from_public_key(key)
        };
        let at_ms = |ms| Timestamp::from_millis(1_000_000 + ms);
        for number in 0..u32::try_from(EXECUTORS_MAX).unwrap() + 10 {
            let stamped = at_ms(u64::from(number));
            directory.known.insert(
                did(u32::MAX),
                KnownExecutor {
                    region: None,
                    capacity: NodeCapacity::default(),
                    runtimes: Vec::new(),
                    at: at_ms(99_999),
                },
            );
            if directory.known.len() < EXECUTORS_MAX {
                let known = KnownExecutor {
                    region: None,
                    capacity: NodeCapacity::default(),
                    runtimes: Vec::new(),
                    at: stamped,
                };
                directory.known.insert(did(number), known);
            } else {
                directory.hear(stamped, &capability(did(number), stamped, &[]));
            }
        }
        assert_eq!(directory.known.len(), EXECUTORS_MAX);
        assert!(!directory.known.contains_key(&did(0)));
        assert!(directory.known.contains_key(&did(u32::MAX)));
    }
}
