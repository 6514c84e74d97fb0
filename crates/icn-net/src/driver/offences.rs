//! What is told to policy about peers that do what they may not: seldom, however often they do it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::Driver;
use crate::event::{Event, Offence};
use crate::limits::Refused;

/// An offence of one peer is told so often at most.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// Peers and offences that are counted. Full: those told longer ago than the interval are forgotten; while none is, a
/// further one is not told and counted as dropped.
const COUNTED_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Count {
    told_at: Instant,
    since: u64,
}

/// The offences of the last minute.
#[derive(Debug, Default)]
pub(super) struct Offences(HashMap<(PeerId, Offence), Count>);

/// Whether an offence is to be told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Now, with how often it happened since it was told last.
    Now(u64),
    Later,
    Full,
}

impl Offences {
    fn note(&mut self, now: Instant, peer: PeerId, offence: Offence) -> Told {
        if self.0.len() >= COUNTED_MAX && !self.0.contains_key(&(peer, offence)) {
            self.0.retain(|_, count| now.duration_since(count.told_at) < TELL_INTERVAL);
            if self.0.len() >= COUNTED_MAX {
                return Told::Full;
            }
        }
        let Some(count) = self.0.get_mut(&(peer, offence)) else {
            self.0.insert((peer, offence), Count { told_at: now, since: 0 });
            return Told::Now(1);
        };
        count.since = count.since.saturating_add(1);
        if now.duration_since(count.told_at) < TELL_INTERVAL {
            return Told::Later;
        }
        let told = Told::Now(count.since);
        *count = Count { told_at: now, since: 0 };
        told
    }
}

impl Driver {
    /// Counts a message that a bound refused. Only who is over its own bound has done anything.
    pub(super) fn on_limited(&mut self, peer: PeerId, refused: Refused) {
        self.shared.metrics.message_limited(self.shared.limits.class(peer), refused);
        if refused == Refused::Own {
            self.offence(peer, Offence::ExcessRate);
        }
    }

    /// Notes an offence, and tells policy when it is time.
    pub(super) fn offence(&mut self, peer: PeerId, offence: Offence) {
        match self.offences.note(Instant::now(), peer, offence) {
            Told::Now(count) => {
                self.shared.metrics.offence(offence.as_str());
                self.notify(Event::Offence { peer, offence, count });
            }
            Told::Later => {}
            Told::Full => self.shared.metrics.dropped("offences"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offence_is_told_once_a_minute_with_its_count() {
        let (mut offences, peer, start) = (Offences::default(), PeerId::random(), Instant::now());
        assert_eq!(offences.note(start, peer, Offence::ExcessRate), Told::Now(1));
        for _ in 0..500 {
            assert_eq!(offences.note(start, peer, Offence::ExcessRate), Told::Later);
        }
        assert_eq!(offences.note(start, peer, Offence::ExcessStreams), Told::Now(1));
        assert_eq!(offences.note(start + TELL_INTERVAL, peer, Offence::ExcessRate), Told::Now(501));
        assert_eq!(offences.note(start + TELL_INTERVAL, peer, Offence::ExcessRate), Told::Later);
    }

    #[test]
    fn offenders_are_bounded_and_forgotten() {
        let (mut offences, start) = (Offences::default(), Instant::now());
        for _ in 0..COUNTED_MAX {
            offences.note(start, PeerId::random(), Offence::ExcessRate);
        }
        assert_eq!(offences.note(start, PeerId::random(), Offence::ExcessRate), Told::Full);
        assert_eq!(offences.note(start + TELL_INTERVAL, PeerId::random(), Offence::ExcessRate), Told::Now(1));
        assert_eq!(offences.0.len(), 1);
    }
}
