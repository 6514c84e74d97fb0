//! The limiters of one peer.

use std::sync::{Arc, PoisonError, RwLock};

use icn_types::Constraints;

use super::bucket::Bucket;
use super::share::Group;
use super::streams::Streams;

/// Records and provider records a second that one peer, or one group, may offer; a node that provides a file of 1,000
/// blocks announces the root alone.
pub(super) const RECORDS_PER_SECOND: u32 = 100;
pub(super) const RECORDS_BURST: u32 = 1_000;
/// Times that one peer may tell its topology: eight at once, then one every second.
const TOPOLOGY_PER_SECOND: u32 = 1;
const TOPOLOGY_BURST: u32 = 8;
/// Streams a second that a peer, or a group, may open beside one for each message that it may send, and how many at once.
const OPENED_PER_SECOND: u32 = 8;
const OPENED_BURST: u32 = 32;
/// Streams that a peer of a group may open whatever the others of its group do: those with which a connection begins, and one
/// now and then.
const OPENED_ALONE: u32 = 12;
const OPENED_ALONE_EVERY_SECONDS: u32 = 10;
/// The share of its limits that a node uses itself, in percent, so that clocks that differ a little never trip the
/// other side.
const OWN_SHARE_PERCENT: u32 = 90;

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Gossip,
    Record,
}

/// What holds for one peer now.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) constraints: Arc<Constraints>,
    pub(super) rates: Arc<Rates>,
    pub(super) group: Option<Arc<Group>>,
    /// Whether the limits were set for this peer by name.
    pub(super) is_named: bool,
    /// Whether it draws from what strangers get together.
    pub(super) is_stranger: bool,
    /// What its class is called in metrics.
    pub(super) class: &'static str,
}

/// The limiters of one peer, which change while it is connected.
pub(super) struct PeerLimits {
    current: RwLock<Current>,
    pub(super) streams: Arc<Streams>,
}

/// The limiters of one peer that its figures lead to.
pub(super) struct Rates {
    direct: Bucket,
    gossip: Bucket,
    records: Arc<Bucket>,
    pub(super) topology: Arc<Bucket>,
    pub(super) opened: Bucket,
    pub(super) opened_alone: Arc<Bucket>,
    /// In KiB.
    pub(super) bitswap: Arc<Bucket>,
    pub(super) outbound: Bucket,
}

impl PeerLimits {
    pub(super) fn new(current: Current) -> Self {
        let streams = Arc::new(Streams::new(current.constraints.streams_max));
        Self { current: RwLock::new(current), streams }
    }

    pub(super) fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what holds, at once and without filling anything.
    pub(super) fn change(&self, change: impl FnOnce(&mut Current)) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut current);
        self.streams.set_max(current.constraints.streams_max);
    }
}

impl Current {
    /// Puts other figures in place; the same ones change nothing.
    pub(super) fn constrain(&mut self, constraints: &Constraints, outbound: &Constraints) {
        if *self.constraints == *constraints {
            return;
        }
        self.rates = Arc::new(self.rates.changed(constraints, outbound));
        self.constraints = Arc::new(constraints.clone());
    }
}

impl Rates {
    /// Makes full ones. `outbound` are the limits that the peer has towards us, as far as can be guessed.
    pub(super) fn new(constraints: &Constraints, outbound: &Constraints, bitswap_kib: u32) -> Self {
        let Constraints { messages_per_second: rate, burst, .. } = *constraints;
        let (streams, streams_burst) = opened(rate, burst);
        Self {
            direct: Bucket::new(rate, burst),
            gossip: Bucket::new(rate, burst),
            records: Bucket::new(RECORDS_PER_SECOND, RECORDS_BURST).into(),
            topology: Bucket::new(TOPOLOGY_PER_SECOND, TOPOLOGY_BURST).into(),
            opened: Bucket::new(streams, streams_burst),
            opened_alone: Bucket::every(OPENED_ALONE_EVERY_SECONDS, OPENED_ALONE).into(),
            // A burst holds at least two blocks of the largest size.
            bitswap: Bucket::new(bitswap_kib, bitswap_kib.max(4_096)).into(),
            outbound: Bucket::new(own(outbound.messages_per_second), own(outbound.burst)),
        }
    }

    fn changed(&self, constraints: &Constraints, outbound: &Constraints) -> Self {
        let Constraints { messages_per_second: rate, burst, .. } = *constraints;
        let (streams, streams_burst) = opened(rate, burst);
        Self {
            direct: self.direct.changed(rate, burst),
            gossip: self.gossip.changed(rate, burst),
            records: Arc::clone(&self.records),
            topology: Arc::clone(&self.topology),
            opened: self.opened.changed(streams, streams_burst),
            opened_alone: Arc::clone(&self.opened_alone),
            bitswap: Arc::clone(&self.bitswap),
            outbound: self.outbound.changed(own(outbound.messages_per_second), own(outbound.burst)),
        }
    }

    pub(super) fn take(&self, kind: Kind, units: u32) -> bool {
        match kind {
            Kind::Direct => self.direct.take(units),
            Kind::Gossip => self.gossip.take(units),
            Kind::Record => self.records.take(units),
        }
    }
}

/// Returns how many streams may be opened by whom may send so many messages: a second, and at once.
pub(super) const fn opened(messages_per_second: u32, burst: u32) -> (u32, u32) {
    (messages_per_second.saturating_add(OPENED_PER_SECOND), burst.saturating_add(OPENED_BURST))
}

fn own(value: u32) -> u32 {
    u32::try_from(u64::from(value) * u64::from(OWN_SHARE_PERCENT) / 100).unwrap_or(value)
}
