//! What counts of one graph at one moment, in a form made for reading.
//!
//! Members stand in the order of their DIDs, and each one's edges too, so that no reading can depend on the order in
//! which edges came. Expired edges are left out, and scores are already faded.

use std::collections::BTreeMap;

use icn_types::{Did, Timestamp, TrustContext};

use crate::decay::Left;
use crate::graph::{TrustGraph, Weight};

/// A day in milliseconds. Edges fade at midnight UTC, all at once, so that what was read in a day holds for that day.
pub const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// An edge that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Introduction {
    /// Who vouches.
    pub from: Did,
    /// For whom.
    pub to: Did,
    /// What the author gave, in parts per million.
    pub given_ppm: u32,
    /// What time has left of it.
    pub score_ppm: u32,
    /// Whether it was said in general and not of the graph that was asked for.
    pub is_general: bool,
}

/// The target of an edge by its place, and the numbers of [`Introduction`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arc {
    pub(crate) to: u32,
    pub(crate) given_ppm: u32,
    pub(crate) score_ppm: u32,
    pub(crate) is_general: bool,
}

/// The live edges of one graph at one moment.
///
/// In a graph other than [`TrustContext::General`], what is said in general of the same pair counts where nothing live is said in
/// that graph.
#[derive(Debug, Clone)]
pub struct Snapshot {
    members: Vec<Did>,
    /// Where the edges of each member start in `arcs`; one more entry for the end.
    starts: Vec<u32>,
    arcs: Vec<Arc>,
    until: Timestamp,
}

impl Snapshot {
    /// Reads a graph at a moment. `half_life_days` is the time in which a score fades to its half; 0 for never.
    #[must_use]
    pub fn new(trust: &TrustGraph, graph: TrustContext, now: Timestamp, half_life_days: u32) -> Self {
        let mut places = vec![0_u32; trust.numbers_bound()];
        let mut members = Vec::with_capacity(trust.members_len());
        for (place, (did, number)) in trust.numbered().enumerate() {
            members.push(did);
            if let Some(slot) = places.get_mut(number as usize) {
                // `NODES_MAX` fits.
                *slot = place as u32;
            }
        }
        let until = next_midnight(now, half_life_days);
        let mut reader = Reader { now, half_life_days, until, places, left: BTreeMap::new() };
        let mut starts = Vec::with_capacity(members.len() + 1);
        let mut arcs = Vec::with_capacity(trust.len());
        for (_, number) in trust.numbered() {
            starts.push(arcs.len() as u32);
            let start = arcs.len();
            reader.read(trust, graph, number, &mut arcs);
            if let Some(new) = arcs.get_mut(start..) {
                new.sort_unstable_by_key(|arc: &Arc| arc.to);
            }
        }
        starts.push(arcs.len() as u32);
        Self { members, starts, arcs, until: reader.until }
    }

    /// Goes through the edges that count, by author, then by whom they are about.
    pub fn introductions(&self) -> impl Iterator<Item = Introduction> + '_ {
        (0..self.len()).flat_map(move |place| {
            self.arcs(place as u32).iter().filter_map(move |arc| self.introduction(place as u32, arc))
        })
    }

    /// Counts the members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns from when on time alone may have changed it: the next expiry or the next midnight on which scores fade.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// The place of a member in the order of DIDs.
    pub(crate) fn place(&self, did: &Did) -> Option<u32> {
        self.members.binary_search(did).ok().map(|place| place as u32)
    }

    pub(crate) fn did(&self, place: u32) -> Option<Did> {
        self.members.get(place as usize).copied()
    }

    pub(crate) fn members(&self) -> &[Did] {
        &self.members
    }

    pub(crate) const fn arcs_len(&self) -> usize {
        self.arcs.len()
    }

    /// The edges of the member at a place, by target.
    pub(crate) fn arcs(&self, place: u32) -> &[Arc] {
        let place = place as usize;
        let (Some(start), Some(end)) = (self.starts.get(place), self.starts.get(place + 1)) else {
            return &[];
        };
        self.arcs.get(*start as usize..*end as usize).unwrap_or_default()
    }

    pub(crate) fn introduction(&self, from: u32, arc: &Arc) -> Option<Introduction> {
        Some(Introduction {
            from: self.did(from)?,
            to: self.did(arc.to)?,
            given_ppm: arc.given_ppm,
            score_ppm: arc.score_ppm,
            is_general: arc.is_general,
        })
    }
}

struct Reader {
    now: Timestamp,
    half_life_days: u32,
    until: Timestamp,
    /// Number to place.
    places: Vec<u32>,
    /// What each age in days leaves.
    left: BTreeMap<u64, Left>,
}

impl Reader {
    fn read(&mut self, trust: &TrustGraph, graph: TrustContext, number: u32, arcs: &mut Vec<Arc>) {
        let own = trust.out(graph, number);
        self.take(own, false, |_| false, arcs);
        if graph != TrustContext::General {
            let now = self.now;
            let said = |to: &u32| own.and_then(|out| out.get(to)).is_some_and(|weight| weight.is_live(now));
            self.take(trust.out(TrustContext::General, number), true, said, arcs);
        }
    }

    fn take(
        &mut self,
        out: Option<&BTreeMap<u32, Weight>>,
        is_general: bool,
        skip: impl Fn(&u32) -> bool,
        arcs: &mut Vec<Arc>,
    ) {
        for (to, weight) in out.into_iter().flatten() {
            if !weight.is_live(self.now) || skip(to) {
                continue;
            }
            self.until = weight.expires.map_or(self.until, |end| end.min(self.until));
            let age = day(self.now).saturating_sub(day(weight.given));
            let half_life = u64::from(self.half_life_days);
            let left = self.left.entry(age).or_insert_with(|| Left::after(age, half_life));
            let faded = left.of(u64::from(weight.score_ppm));
            // Fading only lowers.
            let score_ppm = u32::try_from(faded).unwrap_or(weight.score_ppm);
            if let Some(to) = self.places.get(*to as usize).copied().filter(|_| score_ppm > 0) {
                arcs.push(Arc { to, given_ppm: weight.score_ppm, score_ppm, is_general });
            }
        }
    }
}

const fn day(at: Timestamp) -> u64 {
    at.as_millis() / DAY_MS
}

const fn next_midnight(now: Timestamp, half_life_days: u32) -> Timestamp {
    if half_life_days == 0 {
        Timestamp::from_millis(u64::MAX)
    } else {
        Timestamp::from_millis((day(now) + 1) * DAY_MS)
    }
}
