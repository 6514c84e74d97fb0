//! What is told to policy about peers that do what they may not: seldom, however often they do it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::Driver;
use crate::event::{Event, Offence};
use crate::limits::Refused;

/// An offence of one peer is told so often at most.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// So many streams beyond its bound in that time are nobody's fault: the requests of an honest peer overlap when this node is slow.
const STREAMS_TOLERATED: u64 = 64;
/// Peers and offences that are counted. Full: those told longer ago than the interval are forgotten; while none is, a
/// further one is not told and counted as dropped.
const COUNTED_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Count {
    /// Or counted first, as long as it was not told.
    told_at: Instant,
    since: u64,
    was_told: bool,
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
        let fresh = Count { told_at: now, since: 0, was_told: false };
        let count = self.0.entry((peer, offence)).or_insert(fresh);
        let tolerated = match offence {
            Offence::ExcessRate => 0,
            Offence::ExcessStreams => STREAMS_TOLERATED,
        };
        let is_over = now.duration_since(count.told_at) >= TELL_INTERVAL;
        if is_over && count.since <= tolerated {
            *count = fresh;
        }
        count.since = count.since.saturating_add(1);
        let is_due = if count.was_told { is_over } else { count.since > tolerated };
        if !is_due {
            return Told::Later;
        }
        let told = Told::Now(count.since);
        *count = Count { was_told: true, ..fresh };
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
        assert_eq!(offences.note(start + TELL_INTERVAL, peer, Offence::ExcessRate), Told::Now(501));
        assert_eq!(offences.note(start + TELL_INTERVAL, peer, Offence::ExcessRate), Told::Later);
    }

    #[test]
    fn a_few_streams_too_many_are_nobodys_fault() {
        let (mut offences, peer, start) = (Offences::default(), PeerId::random(), Instant::now());
        let mut told = |at, times| -> Vec<Told> {
            let notes = (0..times).map(|_| offences.note(at, peer, Offence::ExcessStreams));
            notes.filter(|told| *told != Told::Later).collect()
        };
        for minute in 0..3 {
            assert_eq!(told(start + TELL_INTERVAL * minute, STREAMS_TOLERATED), [], "minute {minute}");
        }
        let flood = start + TELL_INTERVAL * 3;
        assert_eq!(told(flood, STREAMS_TOLERATED * 3), [Told::Now(STREAMS_TOLERATED + 1)]);
        assert_eq!(told(flood + TELL_INTERVAL, 1), [Told::Now(STREAMS_TOLERATED * 2)]);
        assert_eq!(told(flood + TELL_INTERVAL * 2, STREAMS_TOLERATED), []);
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
