//! Peers that relay more than policy lets them: nothing of them is heard for a while.
//!
//! A message that is dropped here after gossipsub has noted its id would be dropped from everybody else too: whoever is over
//! its limits could silence others by handing on their messages first. So the message that goes over the limit still counts,
//! and what follows is not even looked at: gossipsub ignores a peer below its graylist threshold before it notes anything.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::Driver;

/// For how long.
const MUTE_TIME: Duration = Duration::from_secs(10);
/// Peers that are muted at once. Full: a further one is heard as before.
const MUTED_MAX: usize = 4_096;

/// Who is muted, and until when.
#[derive(Debug, Default)]
pub(super) struct Muted(HashMap<PeerId, Instant>);

impl Muted {
    /// Notes a peer. Tells whether there was room.
    fn note(&mut self, peer: PeerId, now: Instant) -> bool {
        let has_room = self.0.len() < MUTED_MAX || self.0.contains_key(&peer);
        if has_room {
            self.0.insert(peer, now + MUTE_TIME);
        }
        has_room
    }

    /// Tells whether a peer is muted.
    pub(super) fn holds(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// Takes out those whose time is over.
    fn due(&mut self, now: Instant) -> Vec<PeerId> {
        let due: Vec<PeerId> =
            self.0.iter().filter(|(_, until)| **until <= now).map(|(peer, _)| *peer).collect();
        for peer in &due {
            self.0.remove(peer);
        }
        due
    }
}

impl Driver {
    /// Hears no gossip of a peer for a while.
    pub(super) fn mute(&mut self, peer: PeerId) {
        if self.muted.note(peer, Instant::now()) {
            self.score(&peer);
        }
    }

    /// Hears those again whose time is over.
    pub(super) fn unmute(&mut self, now: Instant) {
        for peer in self.muted.due(now) {
            self.score(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_muted_for_a_while_and_again_as_long_as_it_goes_on() {
        let (mut muted, peer, start) = (Muted::default(), PeerId::random(), Instant::now());
        assert!(muted.note(peer, start));
        assert!(muted.note(peer, start + MUTE_TIME / 2));
        assert!(muted.due(start + MUTE_TIME).is_empty());
        assert_eq!(muted.due(start + MUTE_TIME * 2), [peer]);
        assert!(muted.due(start + MUTE_TIME * 2).is_empty());
    }

    #[test]
    fn so_many_are_muted_at_once() {
        let (mut muted, start) = (Muted::default(), Instant::now());
        assert_eq!((0..MUTED_MAX + 5).filter(|_| muted.note(PeerId::random(), start)).count(), MUTED_MAX);
    }
}
