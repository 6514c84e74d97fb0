//! What this node adds to gossipsub's score of a peer.

use libp2p::PeerId;

use super::Driver;

/// Of a peer that is muted: far below the graylist threshold, so that gossipsub looks at nothing of it.
const MUTED: f64 = -1_000.0;
/// Of a peer without a place: below the publish threshold (-100) with all that it can earn (20), and above the graylist (-200) with
/// whatever it may have done wrong before it is banned.
const WAITS: f64 = -140.0;

impl Driver {
    /// Tells gossipsub the score of a peer as it is now.
    pub(super) fn score(&mut self, peer: &PeerId) {
        let score = match (self.muted.holds(peer), self.places.waits(peer)) {
            (true, _) => MUTED,
            (false, true) => self.blame.score(peer) + WAITS,
            (false, false) => self.blame.score(peer),
        };
        self.swarm.behaviour_mut().gossip.set_application_score(peer, score);
    }
}
