//! How much each peer may ask: GCRA for each peer and protocol, for the group that it is of, and for all together.
//!
//! A message is counted first against its peer, then against the peer's group, then (of a stranger) against what all
//! strangers get, and last against what all peers get. So whoever is over a bound of its own takes nothing from others.
//!
//! A stranger is who has no standing ([`crate::Standing`]). Its limits hold while policy says so
//! ([`crate::Handle::limit_strangers`]); before that it gets what known peers get.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use icn_types::Constraints;
use libp2p::PeerId;

use crate::address::AddressGroup;

mod bucket;
mod peer;
mod share;
mod streams;

use bucket::Bucket;
pub(crate) use peer::Kind;
use peer::{Current, PeerLimits, Rates};
pub(crate) use share::GroupKey;
use share::Groups;
pub use share::{Share, ShareId, ShareLimits};
pub(crate) use streams::StreamPermit;
use streams::Streams;

/// Peers remembered after they left, so that coming back does not refill their burst. Full: the peer that leaves is
/// forgotten.
const PEERS_REMEMBERED_MAX: usize = 4_096;
/// The same for peers whose limits were set by name. Full: a peer whose limits are set, and that is not connected, is
/// not noted; one that leaves is forgotten, and gets what strangers get until its limits are set anew.
const NAMED_REMEMBERED_MAX: usize = 65_536;
/// The part of what all peers get that one peer, one group or all strangers get at most, in percent.
const PART_MAX_PERCENT: u32 = 25;
/// A message counts once for so many bytes or part of it: a large one is dearer than a small one.
const UNIT_BYTES: usize = 64 * 1024;
/// What the class of a peer is called in metrics as long as nobody has said.
pub(crate) const CLASS_UNKNOWN: &str = "isolated";

/// What a node gives to peers of which it knows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strangers {
    /// Whether limits hold from the start ([`crate::Handle::limit_strangers`]). Places are limited always.
    pub is_limited: bool,
    /// The limits of each.
    pub constraints: Constraints,
    /// What those of one address group ([`crate::AddressGroup`]) get together.
    pub share: ShareLimits,
    /// What all of them get together.
    pub together: ShareLimits,
    /// The most of them that are connected at once. Half of these places no known peer takes.
    pub slots_max: u32,
    /// The most of one address group that are connected at once.
    pub slots_per_group_max: u32,
}

/// At which bound a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The peer's own.
    Own,
    /// That of its group.
    Group,
    /// That of all strangers.
    Strangers,
    /// That of all peers.
    All,
}

/// The limiters of all peers.
pub(crate) struct Limits {
    known: Constraints,
    strangers: Option<Strangers>,
    /// Whether the limits of strangers hold.
    is_limiting: AtomicBool,
    bitswap_kib_per_second: u32,
    messages_per_second_max: u32,
    all: Bucket,
    all_strangers: Bucket,
    streams_of_strangers: Arc<Streams>,
    peers: Mutex<HashMap<PeerId, Arc<PeerLimits>>>,
    groups: Mutex<Groups>,
}

impl Refused {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Group => "group",
            Self::Strangers => "strangers",
            Self::All => "all",
        }
    }
}

impl Limits {
    pub(crate) fn new(
        known: Constraints,
        strangers: Option<Strangers>,
        messages_per_second_max: u32,
        bitswap_kib_per_second: u32,
    ) -> Self {
        let part = part(messages_per_second_max);
        let none = ShareLimits { messages_per_second: part, burst: part, streams_max: u32::MAX };
        let together = strangers.as_ref().map_or(none, |strangers| strangers.together);
        Self {
            known,
            is_limiting: AtomicBool::new(strangers.as_ref().is_some_and(|strangers| strangers.is_limited)),
            strangers,
            bitswap_kib_per_second,
            messages_per_second_max,
            all: Bucket::new(messages_per_second_max, messages_per_second_max),
            all_strangers: Bucket::new(together.messages_per_second.min(part), together.burst.min(part)),
            streams_of_strangers: Arc::new(Streams::new(together.streams_max)),
            peers: Mutex::default(),
            groups: Mutex::default(),
        }
    }

    /// Sets the limits of one peer, and the group that it is of. A peer that was here before gets nothing filled by it.
    pub(crate) fn set(&self, peer: PeerId, constraints: &Constraints, share: Option<Share>) {
        let group = share.map(|share| self.group(GroupKey::Named(share.group), share.limits));
        let constraints = self.clamped(constraints);
        let mut peers = self.lock();
        if let Some(limits) = peers.get(&peer) {
            let outbound = self.outbound_of(&constraints);
            limits.change(|current| {
                current.constrain(&constraints, &outbound);
                (current.group, current.is_named, current.is_stranger) = (group, true, false);
            });
        } else if peers.len() < NAMED_REMEMBERED_MAX {
            let fresh = self.fresh(constraints);
            let current = Current { group, is_named: true, is_stranger: false, ..fresh };
            peers.insert(peer, Arc::new(PeerLimits::new(current)));
        }
    }

    /// Tells whether the limits of a peer were set by name.
    fn is_named(&self, peer: PeerId) -> bool {
        self.lock().get(&peer).is_some_and(|limits| limits.current().is_named)
    }

    /// Tells whether policy has said what a peer may do: its limits were set by name, or are those of strangers.
    pub(crate) fn is_judged(&self, peer: PeerId) -> bool {
        let limits = self.lock().get(&peer).cloned();
        limits.map(|limits| limits.current()).is_some_and(|current| current.is_named || current.is_stranger)
    }

    /// Says whether the limits of strangers hold from now on; tells whether that is new. Peers that are connected have to be
    /// [`Limits::met`] again.
    pub(crate) fn limit_strangers(&self, is_limited: bool) -> bool {
        self.is_limiting.swap(is_limited, Ordering::AcqRel) != is_limited
    }

    /// Gives a peer that nothing was set for what known peers get: the operator named it.
    pub(crate) fn know(&self, peer: PeerId) {
        if !self.is_named(peer) {
            self.set(peer, &self.known.clone(), None);
        }
    }

    /// Takes back what was set for a peer by name.
    pub(crate) fn clear(&self, peer: PeerId, from: Option<AddressGroup>, is_stranger: bool) {
        self.of(peer).change(|current| current.is_named = false);
        self.met(peer, from, is_stranger);
    }

    /// Says what the class of a peer is called in metrics, from when it has limits or is connected.
    pub(crate) fn classify(&self, peer: PeerId, class: &'static str) {
        let limits = self.lock().get(&peer).cloned();
        if let Some(limits) = limits {
            limits.change(|current| current.class = class);
        }
    }

    /// Notes where a peer has come from, and whether it is a stranger, who draws from what its address group gets. Nothing
    /// changes for a peer whose limits were set by name.
    pub(crate) fn met(&self, peer: PeerId, from: Option<AddressGroup>, is_stranger: bool) {
        let limits = self.of(peer);
        if limits.current().is_named {
            return;
        }
        let strangers = self.limited().filter(|_| is_stranger);
        let constraints = self.clamped(strangers.map_or(&self.known, |strangers| &strangers.constraints));
        let outbound = self.outbound_of(&constraints);
        let key = from.map_or(GroupKey::Rest, GroupKey::Address);
        let group = strangers.map(|strangers| self.group(key, strangers.share));
        limits.change(|current| {
            current.constrain(&constraints, &outbound);
            (current.group, current.is_stranger) = (group, strangers.is_some());
        });
    }

    /// Returns what strangers get, where that is limited.
    fn limited(&self) -> Option<&Strangers> {
        self.strangers.as_ref().filter(|_| self.is_limiting.load(Ordering::Acquire))
    }

    /// Forgets a peer that left, when many are remembered already.
    pub(crate) fn left(&self, peer: PeerId) {
        let mut peers = self.lock();
        let Some(limits) = peers.get(&peer) else { return };
        let max = if limits.current().is_named { NAMED_REMEMBERED_MAX } else { PEERS_REMEMBERED_MAX };
        if peers.len() > max {
            peers.remove(&peer);
        }
    }

    /// Takes a message of so many bytes from a peer, or says which bound refuses it.
    pub(crate) fn take(&self, peer: PeerId, kind: Kind, bytes: usize) -> Result<(), Refused> {
        let units = units(bytes);
        let Current { rates, group, is_stranger, .. } = self.of(peer).current();
        let check = |is_taken: bool, refused| if is_taken { Ok(()) } else { Err(refused) };
        check(rates.take(kind, units), Refused::Own)?;
        check(group.is_none_or(|group| group.rates().take(kind, units)), Refused::Group)?;
        match kind {
            // Their room is bounded by itself.
            Kind::Record => Ok(()),
            Kind::Direct | Kind::Gossip => {
                check(!is_stranger || self.all_strangers.take(units), Refused::Strangers)?;
                check(self.all.take(units), Refused::All)
            }
        }
    }

    /// Takes one telling of a topology from a peer, or says no.
    pub(crate) fn topology(&self, peer: PeerId) -> bool {
        self.of(peer).current().rates.topology.take(1)
    }

    /// Tells whether a stream that a peer has opened is taken in now, and counts it.
    pub(crate) fn open(&self, peer: PeerId) -> bool {
        let Current { rates, group, .. } = self.of(peer).current();
        match group {
            None => rates.opened.take(1),
            Some(group) => rates.opened_alone.take(1) || group.rates().opened.take(1),
        }
    }

    /// Takes a place for a stream that a peer has opened; none when it, or its group, holds as many as it may.
    pub(crate) fn stream(&self, peer: PeerId) -> Option<StreamPermit> {
        let limits = self.of(peer);
        let mut permit = StreamPermit::of(&limits.streams)?;
        let Current { group, is_stranger, .. } = limits.current();
        if let Some(group) = group {
            permit = permit.join(&group.streams)?;
        }
        if is_stranger {
            permit = permit.join(&self.streams_of_strangers)?;
        }
        Some(permit)
    }

    /// Returns how many streams a peer may hold open at once.
    pub(crate) fn streams_max(&self, peer: PeerId) -> u32 {
        self.of(peer).streams.max()
    }

    /// Returns the group with which a peer shares what it gets.
    pub(crate) fn group_of(&self, peer: PeerId) -> Option<GroupKey> {
        self.of(peer).current().group.map(|group| group.key)
    }

    /// Returns what the class of a peer is called in metrics.
    pub(crate) fn class(&self, peer: PeerId) -> &'static str {
        self.of(peer).current().class
    }

    /// Waits until so many bytes of content may go to a peer.
    pub(crate) async fn bitswap(&self, peer: PeerId, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let Current { rates, group, .. } = self.of(peer).current();
        rates.bitswap.wait(kib).await;
        if let Some(group) = group {
            group.rates().bitswap.wait(kib).await;
        }
    }

    /// Waits until a peer that has the same limits as we give it would take another request of so many bytes from us.
    pub(crate) async fn outbound(&self, peer: PeerId, bytes: usize) {
        self.of(peer).current().rates.outbound.wait(units(bytes)).await;
    }

    fn of(&self, peer: PeerId) -> Arc<PeerLimits> {
        let mut peers = self.lock();
        Arc::clone(
            peers.entry(peer).or_insert_with(|| Arc::new(PeerLimits::new(self.fresh(self.of_strangers())))),
        )
    }

    fn of_strangers(&self) -> Constraints {
        self.clamped(self.limited().map_or(&self.known, |strangers| &strangers.constraints))
    }

    /// What holds for a peer of which nothing is known but its limits.
    fn fresh(&self, constraints: Constraints) -> Current {
        let rates = Rates::new(&constraints, &self.outbound_of(&constraints), self.bitswap_kib_per_second);
        Current {
            rates: Arc::new(rates),
            constraints: Arc::new(constraints),
            group: None,
            is_named: false,
            is_stranger: self.limited().is_some(),
            class: CLASS_UNKNOWN,
        }
    }

    /// What a peer probably lets us ask. It may know us better than we know it, so never less than known peers get.
    fn outbound_of(&self, constraints: &Constraints) -> Constraints {
        Constraints {
            messages_per_second: constraints.messages_per_second.max(self.known.messages_per_second),
            burst: constraints.burst.max(self.known.burst),
            ..Constraints::default()
        }
    }

    fn group(&self, key: GroupKey, limits: ShareLimits) -> Arc<share::Group> {
        let part = part(self.messages_per_second_max);
        let limits = ShareLimits {
            messages_per_second: limits.messages_per_second.min(part),
            burst: limits.burst.min(part),
            ..limits
        };
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get(key, limits, self.bitswap_kib_per_second)
    }

    /// Leaves most of what all peers get to the others.
    fn clamped(&self, constraints: &Constraints) -> Constraints {
        let part = part(self.messages_per_second_max);
        Constraints {
            messages_per_second: constraints.messages_per_second.min(part),
            burst: constraints.burst.min(part),
            ..constraints.clone()
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PeerId, Arc<PeerLimits>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn part(messages_per_second_max: u32) -> u32 {
    let part = u64::from(messages_per_second_max) * u64::from(PART_MAX_PERCENT) / 100;
    u32::try_from(part).unwrap_or(u32::MAX).max(1)
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
