//! What many peers draw from together: those behind one introducer, or strangers from one corner of the address space.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use icn_types::Did;

use super::bucket::Bucket;
use super::peer::{Kind, RECORDS_BURST, RECORDS_PER_SECOND, opened};
use super::streams::Streams;
use crate::address::AddressGroup;

/// Groups that are counted. Full: those that nobody holds any more go; all further ones share one.
const GROUPS_MAX: usize = 4_096;

/// Names peers whose limits are counted together, such as those behind one introducer. What it is made from, policy
/// decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId(pub [u8; 32]);

/// What the peers of one group get together, whatever each of them may get alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareLimits {
    /// Messages a second, sustained.
    pub messages_per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// Streams open at once.
    pub streams_max: u32,
}

/// A group and what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The group.
    pub group: ShareId,
    /// What its peers get together. The last that was said for a group holds.
    pub limits: ShareLimits,
}

impl From<Did> for ShareId {
    fn from(did: Did) -> Self {
        Self(*did.public_key())
    }
}

/// Whom a group consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GroupKey {
    Named(ShareId),
    Address(AddressGroup),
    /// Strangers whose address says nothing, and groups beyond [`GROUPS_MAX`].
    Rest,
}

/// The limiters of one group.
pub(super) struct Group {
    pub(super) key: GroupKey,
    rates: RwLock<(ShareLimits, Arc<GroupRates>)>,
    pub(super) streams: Arc<Streams>,
}

pub(super) struct GroupRates {
    direct: Bucket,
    gossip: Bucket,
    records: Arc<Bucket>,
    pub(super) opened: Bucket,
    /// In KiB.
    pub(super) bitswap: Arc<Bucket>,
}

impl Group {
    fn new(key: GroupKey, limits: ShareLimits, bitswap_kib_per_second: u32) -> Self {
        let rate = |burst| Bucket::new(limits.messages_per_second, burst);
        let (streams, streams_burst) = opened(limits.messages_per_second, limits.burst);
        let rates = GroupRates {
            direct: rate(limits.burst),
            gossip: rate(limits.burst),
            records: Bucket::new(RECORDS_PER_SECOND, RECORDS_BURST).into(),
            opened: Bucket::new(streams, streams_burst),
            bitswap: Bucket::new(bitswap_kib_per_second, bitswap_kib_per_second.max(4_096)).into(),
        };
        Self {
            key,
            rates: RwLock::new((limits, Arc::new(rates))),
            streams: Arc::new(Streams::new(limits.streams_max)),
        }
    }

    pub(super) fn rates(&self) -> Arc<GroupRates> {
        Arc::clone(&self.rates.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn set(&self, limits: ShareLimits) {
        let mut rates = self.rates.write().unwrap_or_else(PoisonError::into_inner);
        if rates.0 == limits {
            return;
        }
        let ShareLimits { messages_per_second: rate, burst, streams_max } = limits;
        self.streams.set_max(streams_max);
        let (streams, streams_burst) = opened(rate, burst);
        let old = &rates.1;
        let next = GroupRates {
            direct: old.direct.changed(rate, burst),
            gossip: old.gossip.changed(rate, burst),
            records: Arc::clone(&old.records),
            opened: old.opened.changed(streams, streams_burst),
            bitswap: Arc::clone(&old.bitswap),
        };
        *rates = (limits, Arc::new(next));
    }
}

impl GroupRates {
    pub(super) fn take(&self, kind: Kind, units: u32) -> bool {
        match kind {
            Kind::Direct => self.direct.take(units),
            Kind::Gossip => self.gossip.take(units),
            Kind::Record => self.records.take(units),
        }
    }
}

/// All groups.
#[derive(Default)]
pub(super) struct Groups(HashMap<GroupKey, Arc<Group>>);

impl Groups {
    /// Returns a group, with the limits that were just said for it.
    pub(super) fn get(&mut self, key: GroupKey, limits: ShareLimits, bitswap_kib: u32) -> Arc<Group> {
        if let Some(group) = self.0.get(&key) {
            group.set(limits);
            return Arc::clone(group);
        }
        if self.0.len() >= GROUPS_MAX {
            self.0.retain(|_, group| Arc::strong_count(group) > 1);
        }
        let key = if self.0.len() >= GROUPS_MAX { GroupKey::Rest } else { key };
        Arc::clone(self.0.entry(key).or_insert_with(|| Arc::new(Group::new(key, limits, bitswap_kib))))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ShareLimits = ShareLimits { messages_per_second: 1, burst: 10, streams_max: 2 };

    fn key(n: u16) -> GroupKey {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        GroupKey::Named(ShareId(id))
    }

    #[test]
    fn groups_are_bounded_and_the_rest_shares_one() {
        let mut groups = Groups::default();
        let held: Vec<_> = (0..5_000).map(|n| groups.get(key(n), LIMITS, 1_000)).collect();
        assert!(groups.len() <= GROUPS_MAX + 1);
        assert!(Arc::ptr_eq(&held[4_500], &held[4_999]), "two of the rest");
        assert!(!Arc::ptr_eq(&held[0], &held[1]));
        drop(held);
        groups.get(key(6_000), LIMITS, 1_000);
        assert!(groups.len() <= 2, "groups that nobody is in are forgotten");
    }

    #[test]
    fn what_is_said_again_changes_nothing_and_what_is_lower_holds_at_once() {
        let mut groups = Groups::default();
        let group = groups.get(key(1), LIMITS, 1_000);
        let taken = |tries| (0..tries).filter(|_| group.rates().take(Kind::Direct, 1)).count();
        assert_eq!(taken(6), 6);
        groups.get(key(1), LIMITS, 1_000);
        groups.get(key(1), ShareLimits { burst: 2, ..LIMITS }, 1_000);
        assert_eq!(taken(100), 2);
        groups.get(key(1), LIMITS, 1_000);
        assert_eq!(taken(100), 0);
    }
}
