//! How long connections to a peer have held (NET-56): what a fresh key cannot have.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;

/// Peers whose past is remembered. Full: the one that was connected for the shortest time in all is forgotten.
const PEERS_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy, Default)]
struct Past {
    connected: Duration,
    sessions: u32,
}

/// What is known of past connections.
#[derive(Debug, Default)]
pub(super) struct History(HashMap<PeerId, Past>);

impl History {
    /// Notes that a connection ended after so long.
    pub(super) fn ended(&mut self, peer: PeerId, held: Duration) {
        let past = self.0.entry(peer).or_default();
        past.connected = past.connected.saturating_add(held);
        past.sessions = past.sessions.saturating_add(1);
        if self.0.len() > PEERS_MAX
            && let Some(shortest) =
                self.0.iter().min_by_key(|(_, past)| past.connected).map(|(peer, _)| *peer)
        {
            self.0.remove(&shortest);
        }
    }

    /// Returns how steady a peer is, from 0 up: the number of times that a second must be doubled to reach the mean
    /// time of its connections, the present one included. Coarse, so that minutes do not decide between hours.
    pub(super) fn steadiness(&self, peer: &PeerId, present: Duration) -> u32 {
        let past = self.0.get(peer).copied().unwrap_or_default();
        let total = past.connected.saturating_add(present);
        (total / past.sessions.saturating_add(1))
            .as_secs()
            .checked_ilog2()
            .map_or(0, |doublings| doublings + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn who_stays_is_steady_and_who_comes_and_goes_is_not() {
        let mut history = History::default();
        let (steady, restless, new) = (PeerId::random(), PeerId::random(), PeerId::random());
        history.ended(steady, HOUR * 10);
        for _ in 0..600 {
            history.ended(restless, Duration::from_secs(60));
        }
        let of = |peer| history.steadiness(peer, Duration::ZERO);
        assert!(of(&steady) > of(&restless) && of(&restless) > of(&new));
        assert_eq!(of(&new), 0);
        assert!(history.steadiness(&new, HOUR) > of(&restless), "the present connection counts");
    }

    #[test]
    fn fresh_keys_do_not_push_out_the_past_of_others() {
        let (mut history, steady) = (History::default(), PeerId::random());
        history.ended(steady, HOUR);
        for _ in 0..PEERS_MAX * 2 {
            history.ended(PeerId::random(), Duration::from_millis(1));
        }
        assert_eq!(history.0.len(), PEERS_MAX);
        assert!(history.0.contains_key(&steady));
    }
}
