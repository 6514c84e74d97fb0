//! How much each peer may ask: GCRA for each peer and protocol.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use icn_types::Constraints;
use libp2p::PeerId;

/// Peers remembered after they left, so that coming back does not refill their burst. Full: the peer that leaves is
/// forgotten.
const PEERS_REMEMBERED_MAX: usize = 4_096;

/// Records and provider records a second that one peer may offer; a node that provides a file of 1,000 blocks
/// announces the root alone.
const RECORDS_PER_SECOND: u32 = 100;
const RECORDS_BURST: u32 = 1_000;

/// The share of its limits that a node uses itself, in percent, so that clocks that differ a little never trip the
/// other side.
const OWN_SHARE_PERCENT: u32 = 90;

/// The limiters of one peer.
pub(crate) struct PeerLimits {
    direct: DefaultDirectRateLimiter,
    gossip: DefaultDirectRateLimiter,
    records: DefaultDirectRateLimiter,
    /// In KiB.
    bitswap: DefaultDirectRateLimiter,
    outbound: DefaultDirectRateLimiter,
    pub(crate) streams_max: u32,
    /// Whether the limits were set for this peer by name.
    named: bool,
}

/// The limiters of all peers.
pub(crate) struct Limits {
    default: Constraints,
    bitswap_kib_per_second: u32,
    all: DefaultDirectRateLimiter,
    peers: Mutex<HashMap<PeerId, Arc<PeerLimits>>>,
}

impl Limits {
    pub(crate) fn new(
        default: Constraints,
        messages_per_second_max: u32,
        bitswap_kib_per_second: u32,
    ) -> Self {
        Self {
            default,
            bitswap_kib_per_second,
            all: limiter(messages_per_second_max, messages_per_second_max),
            peers: Mutex::default(),
        }
    }

    /// Sets the limits of one peer. Its bursts start full.
    pub(crate) fn set(&self, peer: PeerId, constraints: &Constraints) {
        let limits = Arc::new(PeerLimits::new(constraints, self.bitswap_kib_per_second, true));
        self.lock().insert(peer, limits);
    }

    pub(crate) fn of(&self, peer: PeerId) -> Arc<PeerLimits> {
        let fresh = || Arc::new(PeerLimits::new(&self.default, self.bitswap_kib_per_second, false));
        Arc::clone(self.lock().entry(peer).or_insert_with(fresh))
    }

    /// Forgets a peer that left, when many are remembered already.
    pub(crate) fn left(&self, peer: PeerId) {
        let mut peers = self.lock();
        if peers.len() > PEERS_REMEMBERED_MAX && peers.get(&peer).is_some_and(|limits| !limits.named) {
            peers.remove(&peer);
        }
    }

    /// Takes one direct request from a peer, or says no.
    pub(crate) fn direct(&self, peer: PeerId) -> bool {
        self.of(peer).direct.check().is_ok() && self.all.check().is_ok()
    }

    /// Takes one gossip message from a peer, or says no.
    pub(crate) fn gossip(&self, peer: PeerId) -> bool {
        self.of(peer).gossip.check().is_ok() && self.all.check().is_ok()
    }

    /// Takes one DHT record or provider record from a peer, or says no.
    pub(crate) fn record(&self, peer: PeerId) -> bool {
        self.of(peer).records.check().is_ok()
    }

    /// Waits until so many bytes of content may go to a peer.
    pub(crate) async fn bitswap(&self, peer: PeerId, bytes: usize) {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let Some(kib) = NonZeroU32::new(kib) else { return };
        // More than the whole burst can never be let through; blocks are far smaller than any burst.
        let _ = self.of(peer).bitswap.until_n_ready(kib).await;
    }

    /// Waits until a peer that has the same limits as we give it would take another request from us.
    pub(crate) async fn outbound(&self, peer: PeerId) {
        self.of(peer).outbound.until_ready().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PeerId, Arc<PeerLimits>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerLimits {
    fn new(constraints: &Constraints, bitswap_kib_per_second: u32, named: bool) -> Self {
        let Constraints { messages_per_second: rate, burst, .. } = *constraints;
        let own = |value: u32| (u64::from(value) * u64::from(OWN_SHARE_PERCENT) / 100) as u32;
        Self {
            direct: limiter(rate, burst),
            gossip: limiter(rate, burst),
            records: limiter(RECORDS_PER_SECOND, RECORDS_BURST),
            // A burst holds at least two blocks of the largest size.
            bitswap: limiter(bitswap_kib_per_second, bitswap_kib_per_second.max(4_096)),
            outbound: limiter(own(rate), own(burst)),
            streams_max: constraints.streams_max.max(1),
            named,
        }
    }
}

/// Builds a limiter; zero counts as one, since a limiter that lets nothing through has no meaning in GCRA.
fn limiter(per_second: u32, burst: u32) -> DefaultDirectRateLimiter {
    let positive = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct(Quota::per_second(positive(per_second)).allow_burst(positive(burst)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraints(rate: u32, burst: u32) -> Constraints {
        Constraints { messages_per_second: rate, burst, ..Constraints::default() }
    }

    #[test]
    fn one_peer_does_not_spend_anothers_burst() {
        let limits = Limits::new(constraints(1, 5), 1_000, 1_000);
        let (loud, quiet) = (PeerId::random(), PeerId::random());
        assert_eq!((0..100).filter(|_| limits.direct(loud)).count(), 5);
        assert!(limits.direct(quiet));
        // Protocols are counted apart.
        assert!(limits.gossip(loud));
    }

    #[test]
    fn named_limits_take_the_place_of_the_default() {
        let limits = Limits::new(constraints(1, 1), 1_000, 1_000);
        let peer = PeerId::random();
        limits.set(peer, &constraints(1, 50));
        assert_eq!((0..100).filter(|_| limits.direct(peer)).count(), 50);
    }

    #[test]
    fn all_peers_together_are_bounded() {
        let limits = Limits::new(constraints(100, 100), 10, 1_000);
        let taken = (0..100).filter(|_| limits.direct(PeerId::random())).count();
        assert!((10..=11).contains(&taken), "{taken}");
    }

    #[test]
    fn peers_that_leave_are_forgotten_once_there_are_many() {
        let limits = Limits::new(constraints(1, 1), 1_000_000, 1_000);
        for _ in 0..PEERS_REMEMBERED_MAX * 2 {
            let peer = PeerId::random();
            limits.record(peer);
            limits.left(peer);
        }
        assert!(limits.lock().len() <= PEERS_REMEMBERED_MAX + 1);
    }
}
