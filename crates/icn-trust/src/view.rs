//! One place to ask: scores, classes and their reasons from one viewpoint.
//!
//! A reading of a whole graph is made once and kept until an edge, the viewpoint or time changes it: until the next expiry, or
//! the next midnight UTC, when scores fade. Scores that were asked for are kept beside it, up to
//! [`Settings::cache_size`].

mod explanation;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use icn_types::{Did, Timestamp, TrustContext};
use lru::LruCache;

pub use self::explanation::Explanation;
use crate::class::TrustClass;
use crate::error::SettingsError;
use crate::flow::{Flow, flow_to};
use crate::graph::{PPM, TrustGraph};
use crate::path::{Path, Paths};
use crate::settings::Settings;
use crate::snapshot::Snapshot;

/// How many sources, and how many seeds, a viewpoint may have.
pub const VIEWPOINT_MAX: usize = 1_000;

/// From whom on trust is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewpoint {
    /// Whom the best paths start from: oneself, or all members of one's node. Each is trusted in full.
    pub sources: BTreeSet<Did>,
    /// Whom flows start from: those whom the space chose.
    pub seeds: BTreeSet<Did>,
}

/// What a member's score comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// Parts per million; 0 if nothing leads there.
    pub ppm: u32,
    /// Its class: isolated below the lowest score that counts.
    pub class: TrustClass,
}

/// How often an answer was ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Scores that were.
    pub hits: u64,
    /// Scores that were not.
    pub misses: u64,
    /// Readings of a whole graph.
    pub readings: u64,
}

/// A graph, seen from a viewpoint.
#[derive(Debug)]
pub struct TrustView {
    trust: TrustGraph,
    viewpoint: Viewpoint,
    settings: Settings,
    readings: BTreeMap<TrustContext, Reading>,
    scores: LruCache<(TrustContext, Did), Score>,
    counts: CacheCounts,
}

#[derive(Debug)]
struct Reading {
    generation: u64,
    from: Timestamp,
    snapshot: Snapshot,
    paths: Paths,
}

impl Reading {
    fn holds(&self, generation: u64, now: Timestamp) -> bool {
        self.generation == generation && self.from <= now && now < self.snapshot.until()
    }
}

impl TrustView {
    /// Makes a view of a graph.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings contradict themselves or the viewpoint has too many members.
    pub fn new(trust: TrustGraph, viewpoint: Viewpoint, settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        viewpoint.check()?;
        // Checked above to be at least 1.
        let size = NonZeroUsize::new(settings.cache_size).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            trust,
            viewpoint,
            settings,
            readings: BTreeMap::new(),
            scores: LruCache::new(size),
            counts: CacheCounts::default(),
        })
    }

    /// Returns the graph.
    #[must_use]
    pub const fn graph(&self) -> &TrustGraph {
        &self.trust
    }

    /// Returns the graph, to be changed. Scores follow at once.
    pub const fn graph_mut(&mut self) -> &mut TrustGraph {
        &mut self.trust
    }

    /// Returns the viewpoint.
    #[must_use]
    pub const fn viewpoint(&self) -> &Viewpoint {
        &self.viewpoint
    }

    /// Looks from elsewhere.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when it has too many members; nothing changes then.
    pub fn set_viewpoint(&mut self, viewpoint: Viewpoint) -> Result<(), SettingsError> {
        viewpoint.check()?;
        self.viewpoint = viewpoint;
        self.readings.clear();
        self.scores.clear();
        Ok(())
    }

    /// Returns the settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns how often an answer was ready.
    #[must_use]
    pub const fn cache_counts(&self) -> CacheCounts {
        self.counts
    }

    /// Returns a member's score by the best path from the sources.
    pub fn score(&mut self, graph: TrustContext, did: &Did, now: Timestamp) -> Score {
        self.read(graph, now);
        if let Some(score) = self.scores.get(&(graph, *did)) {
            self.counts.hits += 1;
            return *score;
        }
        self.counts.misses += 1;
        let reading = self.readings.get(&graph);
        let found = reading.map_or(0, |reading| reading.paths.score(&reading.snapshot, did));
        // A source is trusted in full, whether or not an edge names it.
        let ppm = if self.viewpoint.sources.contains(did) { PPM } else { found };
        let score = Score { ppm, class: self.classify(ppm) };
        self.scores.put((graph, *did), score);
        score
    }

    /// Returns a member's class.
    pub fn class(&mut self, graph: TrustContext, did: &Did, now: Timestamp) -> TrustClass {
        self.score(graph, did, now).class
    }

    /// Returns from when on time alone may change a score of a graph.
    pub fn until(&mut self, graph: TrustContext, now: Timestamp) -> Timestamp {
        self.read(graph, now).map_or(now, |reading| reading.snapshot.until())
    }

    /// Returns the path behind a member's score, if one leads there.
    pub fn path(&mut self, graph: TrustContext, did: &Did, now: Timestamp) -> Option<Path> {
        if self.viewpoint.sources.contains(did) {
            return Some(Path { source: *did, hops: Vec::new(), score_ppm: PPM });
        }
        let reading = self.read(graph, now)?;
        reading.paths.path(&reading.snapshot, did)
    }

    /// Returns how much trust reaches a member from the seeds by all ways together, in parts per million, and what limits
    /// it. Each seed and each introduction carries at most its score.
    pub fn flow(&mut self, graph: TrustContext, did: &Did, now: Timestamp) -> Flow {
        let full = u64::from(PPM);
        let seeds = self.viewpoint.seeds.iter().map(|seed| (*seed, full)).collect();
        if let Some(reading) = self.read(graph, now) {
            return flow_to(&reading.snapshot, &seeds, did, full, |by| u64::from(by.score_ppm));
        }
        Flow { amount: 0, demand: full, cut: Vec::new(), paths: Vec::new(), elsewhere: 0 }
    }

    /// Says what a member's score rests on, what limits it, and what would raise it.
    pub fn explain(&mut self, graph: TrustContext, did: &Did, now: Timestamp) -> Explanation {
        let score = self.score(graph, did, now);
        let next = score
            .class
            .above()
            .map(|class| (class, self.settings.cutoffs.of(class).max(self.settings.default_min_score_ppm)));
        Explanation {
            graph,
            did: *did,
            score,
            min_score_ppm: self.settings.default_min_score_ppm,
            next,
            path: self.path(graph, did, now),
            flow: self.flow(graph, did, now),
        }
    }

    /// Returns a snapshot of a graph at a moment: what flows for other purposes are read from.
    pub fn snapshot(&mut self, graph: TrustContext, now: Timestamp) -> Option<&Snapshot> {
        self.read(graph, now).map(|reading| &reading.snapshot)
    }

    fn classify(&self, ppm: u32) -> TrustClass {
        if ppm < self.settings.default_min_score_ppm {
            TrustClass::Isolated
        } else {
            self.settings.cutoffs.class(ppm)
        }
    }

    /// Returns the present reading of a graph, made anew if the one before no longer holds.
    fn read(&mut self, graph: TrustContext, now: Timestamp) -> Option<&Reading> {
        let generation = self.trust.generation();
        if !self.readings.get(&graph).is_some_and(|reading| reading.holds(generation, now)) {
            let snapshot = Snapshot::new(&self.trust, graph, now, self.settings.half_life_days);
            let paths = Paths::new(&snapshot, &self.viewpoint.sources, &self.settings.path);
            self.readings.insert(graph, Reading { generation, from: now, snapshot, paths });
            self.counts.readings += 1;
            // Those of other graphs are dropped too: they are made again in no time.
            self.scores.clear();
        }
        self.readings.get(&graph)
    }
}

impl Viewpoint {
    fn check(&self) -> Result<(), SettingsError> {
        for (name, set) in [("sources", &self.sources), ("seeds", &self.seeds)] {
            if set.len() > VIEWPOINT_MAX {
                let (value, expected) = (set.len() as u64, "at most 1000 members");
                return Err(SettingsError::Range { name, value, expected });
            }
        }
        Ok(())
    }
}
