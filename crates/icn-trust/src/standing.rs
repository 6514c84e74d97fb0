//! What members did wrong lately, and what follows: warn, throttle, quarantine, ban.
//!
//! Each violation adds points, which halve every ten minutes. The action follows from the points there are. A ban ends by
//! itself; an equivocation, which has a proof, lasts until people lift it. Record only what an authenticated sender did:
//! whatever is counted against the author of bytes that anybody could have sent can be used against the innocent (B-98).
//! The evidence itself is kept elsewhere; here is its CID.

mod settings;

use std::collections::BTreeMap;

use icn_types::{Cid, Did, Duration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::settings::StandingSettings;
use crate::decay::halved;

/// How many offenders are kept. Full: the least relevant goes: one that is neither banned nor an equivocator first, then the
/// one with the fewest points, then the one heard of longest ago.
pub const OFFENDERS_MAX: usize = 4_096;
/// Points of one offender are cut to this, so that a flood of violations is forgotten in a bounded time.
const POINTS_MAX: u64 = 1_000;
/// Excess of rate counts at most so often: the limiter drops what is too much anyway, and a burst must not ban.
const EXCESS_EVERY: Duration = Duration::from_secs(1);
/// Points are kept in thousandths.
const MILLI: u64 = 1_000;

/// A kind of violation (SEC-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// It sent something whose signature does not hold.
    InvalidSignature,
    /// It signed two things at one place.
    Equivocation,
    /// It sent bytes that are no message.
    Malformed,
    /// It sent more than it may.
    ExcessiveRate,
}

/// What follows (SEC-03). A harder action is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    None,
    /// Tell people.
    Warn,
    /// Let it do a tenth.
    Throttle,
    /// Treat it as isolated: public topics, no rights.
    Quarantine,
    /// Hear nothing of it.
    Ban {
        /// Until when.
        until: Timestamp,
    },
}

/// What is known of an offender, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffenderView {
    /// What follows now.
    pub action: Action,
    /// Its points now, in thousandths.
    pub milli_points: u64,
    /// How often it did what, since it is known.
    pub counts: BTreeMap<Violation, u64>,
    /// Whether it equivocated and nobody lifted it.
    pub has_equivocated: bool,
    /// When it last did something.
    pub last: Timestamp,
    /// What shows the last violation that had evidence.
    pub evidence: Option<Cid>,
}

/// Everything that is remembered of one offender, for whoever keeps it over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offender {
    /// Its points, in thousandths, as they were when it last did something.
    pub milli: u64,
    /// When it last did something.
    pub at: Timestamp,
    /// How often it did what.
    pub counts: BTreeMap<Violation, u64>,
    /// Whether it equivocated.
    pub has_equivocated: bool,
    /// When its ban ends, or ended.
    pub banned_until: Option<Timestamp>,
    /// When an excess of rate last counted.
    pub excess_at: Option<Timestamp>,
    /// What shows the last violation that had evidence.
    pub evidence: Option<Cid>,
}

impl Offender {
    fn milli(&self, now: Timestamp, settings: &StandingSettings) -> u64 {
        let half_life = u64::from(settings.half_life_secs) * 1_000;
        halved(self.milli, now.since(self.at).as_millis(), half_life)
    }

    /// Tells whether nothing follows any more from what it did.
    fn is_over(&self, now: Timestamp, settings: &StandingSettings) -> bool {
        self.ban(now).is_none() && !self.has_equivocated && self.milli(now, settings) == 0
    }

    fn ban(&self, now: Timestamp) -> Option<Timestamp> {
        self.banned_until.filter(|until| now < *until)
    }

    fn action(&self, now: Timestamp, settings: &StandingSettings) -> Action {
        if let Some(until) = self.ban(now) {
            return Action::Ban { until };
        }
        let points = self.milli(now, settings);
        let reached = |at: u32| points >= u64::from(at) * MILLI;
        if self.has_equivocated || reached(settings.quarantine_at) {
            Action::Quarantine
        } else if reached(settings.throttle_at) {
            Action::Throttle
        } else if reached(settings.warn_at) {
            Action::Warn
        } else {
            Action::None
        }
    }
}

/// The standing of all who did something wrong.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    settings: StandingSettings,
    offenders: BTreeMap<Did, Offender>,
}

impl Standing {
    /// Makes one in which nobody did anything.
    #[must_use]
    pub const fn new(settings: StandingSettings) -> Self {
        Self { settings, offenders: BTreeMap::new() }
    }

    /// Takes back what was remembered of somebody ([`Standing::remembered`]), unless nothing follows from it any more.
    /// Tells whether it was taken.
    pub fn restore(&mut self, now: Timestamp, did: Did, mut offender: Offender) -> bool {
        offender.milli = offender.milli.min(POINTS_MAX * MILLI);
        offender.banned_until = offender.ban(now);
        if offender.is_over(now, &self.settings) {
            return false;
        }
        if !self.offenders.contains_key(&did) && self.offenders.len() >= OFFENDERS_MAX {
            self.evict(now);
        }
        self.offenders.insert(did, offender);
        true
    }

    /// Goes through everything that is remembered, in the order of DIDs.
    pub fn remembered(&self) -> impl Iterator<Item = (&Did, &Offender)> {
        self.offenders.iter()
    }

    /// Records what an authenticated member did, and returns what follows now.
    pub fn record(
        &mut self,
        now: Timestamp,
        did: Did,
        violation: Violation,
        evidence: Option<Cid>,
    ) -> Action {
        if !self.offenders.contains_key(&did) && self.offenders.len() >= OFFENDERS_MAX {
            self.evict(now);
        }
        let settings = self.settings;
        let offender = self.offenders.entry(did).or_default();
        *offender.counts.entry(violation).or_default() += 1;
        offender.evidence = evidence.or(offender.evidence);
        let points = match violation {
            Violation::ExcessiveRate => {
                let counts = offender.excess_at.is_none_or(|last| now.since(last) >= EXCESS_EVERY);
                if counts {
                    offender.excess_at = Some(now);
                }
                if counts { settings.points(violation) } else { 0 }
            }
            Violation::Equivocation => {
                offender.has_equivocated = true;
                settings.points(violation)
            }
            Violation::InvalidSignature | Violation::Malformed => settings.points(violation),
        };
        let milli = offender.milli(now, &settings).saturating_add(u64::from(points) * MILLI);
        offender.milli = milli.min(POINTS_MAX * MILLI);
        offender.at = now.max(offender.at);
        if points > 0 && offender.milli >= u64::from(settings.ban_at) * MILLI {
            let until = now.plus(Duration::from_secs(u64::from(settings.ban_secs)));
            offender.banned_until = offender.banned_until.max(Some(until));
        }
        offender.action(now, &settings)
    }

    /// Returns what follows from what a member did, at a moment.
    #[must_use]
    pub fn action(&self, did: &Did, now: Timestamp) -> Action {
        self.offenders.get(did).map_or(Action::None, |offender| offender.action(now, &self.settings))
    }

    /// Tells whether nothing of a member is heard at a moment. A look-up: it is asked for every message.
    #[must_use]
    pub fn is_banned(&self, did: &Did, now: Timestamp) -> bool {
        self.offenders.get(did).is_some_and(|offender| offender.ban(now).is_some())
    }

    /// Forgives a member everything: points, ban and equivocations. Tells whether there was anything to forgive.
    pub fn lift(&mut self, did: &Did) -> bool {
        self.offenders.remove(did).is_some()
    }

    /// Returns what is known of a member, if it did anything.
    #[must_use]
    pub fn view(&self, did: &Did, now: Timestamp) -> Option<OffenderView> {
        let offender = self.offenders.get(did)?;
        Some(OffenderView {
            action: offender.action(now, &self.settings),
            milli_points: offender.milli(now, &self.settings),
            counts: offender.counts.clone(),
            has_equivocated: offender.has_equivocated,
            last: offender.at,
            evidence: offender.evidence,
        })
    }

    /// Goes through all who did something, in the order of DIDs.
    pub fn offenders(&self) -> impl Iterator<Item = &Did> {
        self.offenders.keys()
    }

    fn evict(&mut self, now: Timestamp) {
        let relevance = |offender: &Offender| {
            let stays = offender.has_equivocated || offender.ban(now).is_some();
            (stays, offender.milli(now, &self.settings), offender.at)
        };
        let least =
            self.offenders.iter().min_by_key(|(_, offender)| relevance(offender)).map(|(did, _)| *did);
        if let Some(did) = least {
            self.offenders.remove(&did);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn did(number: u16) -> Did {
        let mut key = [9; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        Did::from_public_key(key)
    }

    #[test]
    fn actions_follow_points_and_points_halve() {
        let mut standing = Standing::default();
        let actions: Vec<Action> =
            (0..6).map(|_| standing.record(START, did(1), Violation::InvalidSignature, None)).collect();
        use Action::{Quarantine, Throttle, Warn};
        assert_eq!(actions, [Warn, Warn, Throttle, Throttle, Quarantine, Quarantine]);
        // 60 points: 30 after ten minutes, 15 after twenty, 7.5 after thirty.
        for (seconds, action) in [(0, Quarantine), (600, Throttle), (1_200, Warn), (1_800, Action::None)] {
            assert_eq!(standing.action(&did(1), at(seconds)), action, "{seconds}");
        }
        assert_eq!(standing.view(&did(1), at(1_800)).unwrap().milli_points, 7_500);
        assert_eq!(standing.action(&did(2), START), Action::None);
    }

    #[test]
    fn a_ban_ends_by_itself_and_can_be_lifted() {
        let mut standing = Standing::default();
        for _ in 0..20 {
            standing.record(START, did(1), Violation::Malformed, None);
        }
        let until = at(12 * 3_600);
        assert_eq!(standing.action(&did(1), at(12 * 3_600 - 1)), Action::Ban { until });
        assert_eq!(standing.action(&did(1), until), Action::None);
        assert!(standing.is_banned(&did(1), START) && !standing.is_banned(&did(1), until));
        assert!(!standing.is_banned(&did(2), START), "nobody knows it");
        assert!(standing.lift(&did(1)));
        assert_eq!(standing.action(&did(1), START), Action::None);
        assert!(!standing.lift(&did(1)));
    }

    #[test]
    fn an_equivocation_lasts_until_it_is_lifted() {
        let mut standing = Standing::default();
        let proof = Cid::of_raw(b"two entries");
        assert_eq!(standing.record(START, did(1), Violation::Equivocation, Some(proof)), Action::Quarantine);
        let year_later = at(365 * 86_400);
        assert_eq!(standing.action(&did(1), year_later), Action::Quarantine);
        let view = standing.view(&did(1), year_later).unwrap();
        assert_eq!((view.milli_points, view.evidence), (0, Some(proof)));
        standing.lift(&did(1));
        assert_eq!(standing.action(&did(1), year_later), Action::None);
    }

    #[test]
    fn a_burst_warns_nobody_and_a_flood_is_banned_in_minutes() {
        let mut standing = Standing::default();
        for _ in 0..10_000 {
            assert_eq!(standing.record(START, did(1), Violation::ExcessiveRate, None), Action::None);
        }
        let banned = (1..600).find(|second| {
            let action = standing.record(at(*second), did(1), Violation::ExcessiveRate, None);
            matches!(action, Action::Ban { .. })
        });
        assert!((100..120).contains(&banned.unwrap()), "{banned:?}");
    }

    #[test]
    fn a_crowd_of_small_offenders_does_not_push_out_the_large_ones() {
        let mut standing = Standing::default();
        standing.record(START, did(0), Violation::Equivocation, None);
        for _ in 0..20 {
            standing.record(START, did(1), Violation::Malformed, None);
        }
        standing.record(START, did(2), Violation::InvalidSignature, None);
        for number in 3..6_000 {
            standing.record(at(1), did(number), Violation::Malformed, None);
        }
        assert_eq!(standing.offenders().count(), OFFENDERS_MAX);
        assert_eq!(standing.action(&did(0), at(1)), Action::Quarantine);
        assert!(matches!(standing.action(&did(1), at(1)), Action::Ban { .. }));
        assert_ne!(standing.view(&did(2), at(1)), None, "ten points outweigh five");
        assert_ne!(standing.view(&did(5_999), at(1)), None, "the newest is there");
    }

    #[test]
    fn what_is_remembered_goes_on_where_it_was_and_what_is_over_is_forgotten() {
        let mut before = Standing::default();
        for _ in 0..20 {
            before.record(START, did(1), Violation::Malformed, None);
        }
        before.record(START, did(2), Violation::InvalidSignature, None);
        before.record(START, did(3), Violation::Equivocation, Some(Cid::of_raw(b"two entries")));
        let kept: Vec<(Did, Offender)> = before.remembered().map(|(did, it)| (*did, it.clone())).collect();
        let restored = |now: Timestamp| {
            let mut after = Standing::default();
            let taken: Vec<bool> =
                kept.iter().map(|(did, it)| after.restore(now, *did, it.clone())).collect();
            (after, taken)
        };
        let (mut after, taken) = restored(at(60));
        assert_eq!(taken, [true; 3]);
        for number in 1..4 {
            assert_eq!(after.view(&did(number), at(60)), before.view(&did(number), at(60)), "{number}");
        }
        assert!(after.lift(&did(1)) && after.action(&did(1), at(60)) == Action::None);
        // After half a day the ban has ended and all points have faded; two signatures at one place stay what they are.
        let (after, taken) = restored(at(12 * 3_600));
        assert_eq!(taken, [false, false, true]);
        assert_eq!((after.action(&did(1), START), after.offenders().count()), (Action::None, 1));
        // A row that says more points than anybody can have does not last longer for it.
        let mut after = Standing::default();
        after.restore(START, did(1), Offender { milli: u64::MAX, at: START, ..Offender::default() });
        assert_eq!(after.view(&did(1), START).unwrap().milli_points, POINTS_MAX * MILLI);
    }

    #[test]
    fn thresholds_must_rise_and_points_fade() {
        assert_eq!(StandingSettings::default().check(), Ok(()));
        let default = StandingSettings::default();
        for (wrong, name) in [
            (StandingSettings { half_life_secs: 0, ..default }, "half_life_secs"),
            (StandingSettings { warn_at: 0, ..default }, "warn_at"),
            (StandingSettings { quarantine_at: 25, ..default }, "quarantine_at"),
            (StandingSettings { ban_at: 1_001, ..default }, "ban_at"),
        ] {
            assert!(wrong.check().unwrap_err().to_string().contains(name), "{name}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_forgives_nothing() {
        let mut standing = Standing::default();
        for _ in 0..5 {
            standing.record(at(100), did(1), Violation::InvalidSignature, None);
        }
        assert_eq!(standing.record(START, did(1), Violation::Malformed, None), Action::Quarantine);
        assert_eq!(standing.view(&did(1), at(100)).unwrap().milli_points, 55_000);
    }
}
