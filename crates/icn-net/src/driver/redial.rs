//! Peers that are dialled again and again until they are connected: those that the operator named, for ever, and those
//! that fell silent, for a while.
//!
//! A cable that was plugged in again is noticed by the first packet that crosses it. QUIC repeats the first packet of a
//! dial after 1 s and after 3 s (RFC 9002, section 6.2: the pause doubles), and then sends nothing until the dial is given
//! up after 5 s. So a dial that was not answered soon is replaced by a new one: there is one dial at a time for each peer,
//! and a packet every 2 s or sooner. Every second dial is left its whole time, for a peer that takes long to answer.
//!
//! What a stranger can make of it: a peer that goes without a goodbye is dialled only where it had a connection, so that
//! nobody sends us to a third party; the number of such peers is bounded, and those that were here longest stay.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use crate::start::with_peer;

/// How long a dial may go unanswered until a new one replaces it: in turn a time in which QUIC sends its first packet
/// twice, and the time that libp2p gives to a QUIC dial.
const PATIENCE_SHORT: Duration = Duration::from_secs(2);
const PATIENCE_LONG: Duration = Duration::from_secs(5);
/// The pause between the beginnings of two dials when the first fails at once: it doubles from the first to the last.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A peer that fell silent is dialled for so long. Its own side does the same, as does the reconciliation of books.
const LOST_TIME: Duration = Duration::from_secs(10 * 60);
/// Peers that fell silent and are dialled. Full: the one that was connected for the shortest time is given up.
const LOST_MAX: usize = 32;

/// A peer that fell silent.
#[derive(Debug)]
struct Lost {
    until: Instant,
    /// How long it was connected.
    held: Duration,
    /// Where it was connected.
    address: Multiaddr,
}

#[derive(Debug)]
struct Redial {
    /// Where the operator says that it is.
    named: Vec<Multiaddr>,
    lost: Option<Lost>,
    /// How many dials there were since it was connected.
    turn: u32,
    pause: Duration,
    /// When the last dial began.
    began: Instant,
    next: Instant,
}

impl Redial {
    fn new(now: Instant) -> Self {
        Self { named: Vec::new(), lost: None, turn: 0, pause: PAUSE_MIN, began: now, next: now }
    }

    fn begin(&mut self, now: Instant, stretch: f64) {
        let patience = if self.turn.is_multiple_of(2) { PATIENCE_SHORT } else { PATIENCE_LONG };
        self.turn += 1;
        self.began = now;
        self.next = now + patience.mul_f64(stretch);
    }

    fn addresses(&self, peer: PeerId) -> Vec<Multiaddr> {
        let lost = self.lost.iter().map(|lost| &lost.address);
        let all = lost.chain(&self.named).map(|address| with_peer(address.clone(), peer));
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The peers that are to be dialled again.
#[derive(Debug, Default)]
pub(super) struct Redials(BTreeMap<PeerId, Redial>);

impl Redials {
    /// Notes a peer that the operator named.
    pub(super) fn name(&mut self, now: Instant, peer: PeerId, address: Multiaddr) {
        self.0.entry(peer).or_insert_with(|| Redial::new(now)).named.push(address);
    }

    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// Notes a peer that fell silent after it was connected for so long.
    pub(super) fn lose(&mut self, now: Instant, peer: PeerId, address: Multiaddr, held: Duration) {
        let redial = self.0.entry(peer).or_insert_with(|| Redial::new(now));
        redial.lost = Some(Lost { until: now + LOST_TIME, held, address });
        redial.next = now;
        let held = |redial: &Redial| redial.lost.as_ref().map(|lost| lost.held);
        if self.0.values().filter_map(held).count() > LOST_MAX {
            let lost = self.0.iter().filter_map(|(peer, redial)| Some((held(redial)?, *peer)));
            if let Some((_, shortest)) = lost.min() {
                self.find(&shortest);
            }
        }
    }

    /// Notes that a peer is connected, or that it is not missed.
    pub(super) fn find(&mut self, peer: &PeerId) {
        let Some(redial) = self.0.get_mut(peer) else { return };
        if redial.named.is_empty() {
            self.0.remove(peer);
        } else {
            (redial.lost, redial.turn, redial.pause) = (None, 0, PAUSE_MIN);
            redial.next = redial.began;
        }
    }

    /// Notes that a peer is dialled now.
    pub(super) fn begin(&mut self, now: Instant, peer: &PeerId) {
        if let Some(redial) = self.0.get_mut(peer) {
            redial.begin(now, 1.0);
        }
    }

    /// Notes that a dial to a peer has failed.
    pub(super) fn fail(&mut self, peer: &PeerId) {
        let Some(redial) = self.0.get_mut(peer) else { return };
        redial.next = redial.next.min(redial.began + redial.pause);
        redial.pause = (redial.pause * 2).min(PAUSE_MAX);
    }

    /// Lists whom to dial now, and where; `stretch` is a number around 1 by which pauses differ each time.
    pub(super) fn due(
        &mut self,
        now: Instant,
        is_connected: impl Fn(&PeerId) -> bool,
        mut stretch: impl FnMut() -> f64,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        for redial in self.0.values_mut() {
            redial.lost.take_if(|lost| lost.until <= now);
        }
        self.0.retain(|_, redial| redial.lost.is_some() || !redial.named.is_empty());
        let mut due = Vec::new();
        for (peer, redial) in &mut self.0 {
            if redial.next > now || is_connected(peer) {
                continue;
            }
            redial.begin(now, stretch());
            due.push((*peer, redial.addresses(*peer)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn place(port: u16) -> Multiaddr {
        format!("/ip4/10.0.0.1/udp/{port}/quic-v1").parse().unwrap()
    }

    /// The times at which a peer is dialled from now on, in ms.
    fn times(redials: &mut Redials, now: Instant, peer: PeerId, during: Duration, fails: bool) -> Vec<u128> {
        let mut times = Vec::new();
        for ms in (0..during.as_millis()).step_by(50) {
            let at = now + Duration::from_millis(ms as u64);
            let due = redials.due(at, |_| false, || 1.0);
            if due.iter().any(|(dialled, _)| *dialled == peer) {
                times.push(ms);
                if fails {
                    redials.fail(&peer);
                }
            }
        }
        times
    }

    #[test]
    fn a_silent_peer_is_dialled_anew_before_the_last_dial_ends_and_given_up_in_the_end() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut redials = Redials::default();
        redials.lose(now, peer, place(1), SECOND);
        let dialled = times(&mut redials, now, peer, LOST_TIME * 2, false);
        assert_eq!(&dialled[..5], &[0, 2_000, 7_000, 9_000, 14_000]);
        assert!(dialled.last().is_some_and(|last| *last < LOST_TIME.as_millis()));
        assert!(!redials.contains(&peer));
    }

    #[test]
    fn a_peer_that_refuses_is_dialled_with_growing_pauses() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut redials = Redials::default();
        redials.name(now, peer, place(1));
        let dialled = times(&mut redials, now, peer, SECOND * 10, true);
        assert_eq!(&dialled[..6], &[0, 250, 750, 1_750, 3_750, 5_750]);
    }

    #[test]
    fn a_peer_that_is_back_is_dialled_at_once_when_it_goes_again() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut redials = Redials::default();
        redials.name(now, peer, place(1));
        times(&mut redials, now, peer, SECOND * 10, true);
        redials.find(&peer);
        let later = now + SECOND * 60;
        assert!(redials.due(later, |_| true, || 1.0).is_empty(), "it is connected");
        redials.lose(later, peer, place(2), SECOND);
        let addresses = [with_peer(place(1), peer), with_peer(place(2), peer)];
        assert_eq!(redials.due(later, |_| false, || 1.0), [(peer, addresses.to_vec())]);
        let long_after = later + LOST_TIME;
        assert_eq!(redials.due(long_after, |_| false, || 1.0), [(peer, addresses[..1].to_vec())]);
    }

    #[test]
    fn strangers_do_not_push_out_whom_we_knew_longer() {
        let (now, friend) = (Instant::now(), PeerId::random());
        let mut redials = Redials::default();
        redials.lose(now, friend, place(1), SECOND * 60);
        for port in 2..200 {
            redials.lose(now, PeerId::random(), place(port), SECOND);
        }
        assert_eq!(redials.0.len(), LOST_MAX);
        assert!(redials.contains(&friend));
    }
}
