//! What peers have done wrong: a score that decays, a disconnection, a ban.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::Driver;
use crate::handle::Misbehaviour;

/// A score halves in so long (Lighthouse's figure).
const HALF_LIFE: Duration = Duration::from_secs(600);
/// At this score a peer is disconnected; a peer that goes on is banned.
const DISCONNECT_AT: f64 = -20.0;
const BAN_AT: f64 = -50.0;
const WORST: f64 = -100.0;
/// A flood of messages over the limits counts as one fault in so long: after ten seconds of it the peer goes.
const FLOOD_INTERVAL: Duration = Duration::from_secs(1);
/// How long a ban lasts to which reports lead ([`crate::Handle::report`]).
pub const BAN_TIME: icn_types::Duration = icn_types::Duration::from_millis(3_600_000);
/// Peers remembered. Full: the one reported longest ago is forgiven.
const PEERS_MAX: usize = 2_048;

#[derive(Debug, Clone, Copy)]
struct Score {
    value: f64,
    at: Instant,
}

/// The scores, all below zero.
#[derive(Debug, Default)]
pub(super) struct Blame {
    scores: HashMap<PeerId, Score>,
}

impl Blame {
    /// Lowers a peer's score and returns it.
    fn lower(&mut self, peer: PeerId, misbehaviour: Misbehaviour, now: Instant) -> f64 {
        let points = match misbehaviour {
            Misbehaviour::Minor => 2.0,
            Misbehaviour::Major => 10.0,
            Misbehaviour::Fatal => 100.0,
        };
        let score = self.scores.entry(peer).or_insert(Score { value: 0.0, at: now });
        let halves = now.duration_since(score.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        *score = Score { value: (score.value * 0.5_f64.powf(halves) - points).max(WORST), at: now };
        let value = score.value;
        if self.scores.len() > PEERS_MAX
            && let Some(oldest) = self.scores.iter().min_by_key(|(_, score)| score.at).map(|(peer, _)| *peer)
        {
            self.scores.remove(&oldest);
        }
        value
    }

    /// Returns a peer's score as it was after its last fault.
    pub(super) fn score(&self, peer: &PeerId) -> f64 {
        self.scores.get(peer).map_or(0.0, |score| score.value)
    }

    /// Tells whether a peer's last fault is long enough ago for the next to count, where faults come in floods.
    fn is_due(&self, peer: PeerId, now: Instant) -> bool {
        self.scores.get(&peer).is_none_or(|score| now.duration_since(score.at) >= FLOOD_INTERVAL)
    }
}

impl Driver {
    pub(super) fn on_report(&mut self, peer: PeerId, misbehaviour: Misbehaviour) {
        let now = Instant::now();
        let score = self.blame.lower(peer, misbehaviour, now);
        self.score(&peer);
        if score <= BAN_AT {
            let wall = (self.shared.clock)();
            self.shared.doors.ban(peer, wall.plus(BAN_TIME), wall);
            tracing::info!("a peer is banned for an hour");
            tracing::debug!(%peer, score, "banned");
        } else if score <= DISCONNECT_AT {
            tracing::debug!(%peer, score, "disconnected");
            // An error says that it has left already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Notes that a peer goes on sending over its limits.
    pub(super) fn on_flood(&mut self, peer: PeerId) {
        if self.blame.is_due(peer, Instant::now()) {
            self.on_report(peer, Misbehaviour::Minor);
        }
    }

    /// Forgets what a peer was blamed for.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.blame.scores.remove(&peer);
        self.score(&peer);
    }

    /// Forgets the bans that are over, and what they were for.
    pub(super) fn pardon(&mut self) {
        let (over, left) = self.shared.doors.expire((self.shared.clock)());
        for peer in over {
            self.blame.scores.remove(&peer);
        }
        self.shared.metrics.banned(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_fall_and_recover() {
        let mut blame = Blame::default();
        let (peer, start) = (PeerId::random(), Instant::now());
        assert_eq!(blame.lower(peer, Misbehaviour::Major, start), -10.0);
        assert_eq!(blame.lower(peer, Misbehaviour::Major, start), -20.0);
        let later = blame.lower(peer, Misbehaviour::Minor, start + HALF_LIFE);
        assert!((later + 12.0).abs() < 0.01, "{later}");
        assert_eq!(blame.lower(peer, Misbehaviour::Fatal, start + HALF_LIFE), WORST);
    }

    #[test]
    fn a_flood_counts_once_a_second() {
        let mut blame = Blame::default();
        let (peer, start) = (PeerId::random(), Instant::now());
        assert!(blame.is_due(peer, start));
        blame.lower(peer, Misbehaviour::Minor, start);
        assert!(!blame.is_due(peer, start + FLOOD_INTERVAL / 2));
        assert!(blame.is_due(peer, start + FLOOD_INTERVAL));
    }

    #[test]
    fn scores_are_bounded() {
        let mut blame = Blame::default();
        for _ in 0..PEERS_MAX * 2 {
            blame.lower(PeerId::random(), Misbehaviour::Minor, Instant::now());
        }
        assert_eq!(blame.scores.len(), PEERS_MAX);
    }
}
