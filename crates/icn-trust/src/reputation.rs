//! How well an executor did its jobs, by those who gave them and are trusted here.
//!
//! A pure function of ratings, each of which stands for a verified receipt and what its originator said of it:
//!
//! 1. A rating counts if its originator is trusted with at least [`ReputationSettings::weight_min_ppm`] and is not the executor
//!    itself. One originator has one say about one job: of several the worst.
//! 2. Ratings stand in the order of (time, job, originator). The last bad one resets everything before it (BOINC's rule).
//! 3. After it, each originator counts with the number of its *checked* and valid results, at most
//!    [`ReputationSettings::per_originator_max`], times the trust in it. Results that were not checked count nothing and reset nothing.
//! 4. `score = min(10⁶, ⌊Σ trust · results / (per_originator_max · originators_full)⌋)`; the row of results, by which somebody is
//!    *proven*, is the sum of the same capped numbers.
//!
//! Friends who have no trust from here add nothing, however many they are; one trusted originator alone proves nobody.
//! Sources: seed 000, section 6.5; BOINC, adaptive replication.

use std::collections::BTreeMap;
use std::fmt;

use icn_types::{Cid, Did, JobOutcome, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::graph::PPM;
use crate::settings::range;

/// What an originator says of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// The job.
    pub job: Cid,
    /// Who gave it.
    pub originator: Did,
    /// Who ran it.
    pub executor: Did,
    /// How it ended.
    pub outcome: JobOutcome,
    /// When, as the receipt says.
    pub at: Timestamp,
    /// Whether the result was checked, by running it again or otherwise, and not only taken.
    pub checked: bool,
}

/// The parameters of reputation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReputationSettings {
    /// The trust from which on an originator is heard, in parts per million; at least 1.
    pub weight_min_ppm: u32,
    /// The most results that count for one originator.
    pub per_originator_max: u32,
    /// How many originators, trusted in full and each with all results that count, give a full score.
    pub originators_full: u32,
    /// The row of results from which on an executor is proven.
    pub proven_at: u32,
}

impl Default for ReputationSettings {
    fn default() -> Self {
        Self { weight_min_ppm: 100_000, per_originator_max: 5, originators_full: 4, proven_at: 10 }
    }
}

impl ReputationSettings {
    /// Checks all ranges.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what cannot be.
    pub const fn check(&self) -> Result<(), SettingsError> {
        if self.weight_min_ppm == 0 || self.weight_min_ppm > PPM {
            return Err(range("weight_min_ppm", self.weight_min_ppm as u64, "1 to 1000000"));
        }
        if self.per_originator_max == 0 || self.per_originator_max > 1_000 {
            return Err(range("per_originator_max", self.per_originator_max as u64, "1 to 1000"));
        }
        if self.originators_full == 0 || self.originators_full > 1_000 {
            return Err(range("originators_full", self.originators_full as u64, "1 to 1000"));
        }
        Ok(())
    }
}

/// What one originator adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginatorShare {
    /// The originator.
    pub originator: Did,
    /// The trust in it, in parts per million.
    pub trust_ppm: u32,
    /// Its checked and valid results since the last bad one.
    pub results: u64,
    /// How many of them count.
    pub counted: u32,
    /// What they add to the score, in parts per million, before the sum is cut to a full score.
    pub adds_ppm: u32,
}

/// The reputation of an executor, and every number behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reputation {
    /// The score, in parts per million.
    pub score_ppm: u32,
    /// Whether the row is long enough that not every result needs to be checked.
    pub is_proven: bool,
    /// The row: results that count since the last bad one.
    pub consecutive: u64,
    /// How long a row proves.
    pub proven_at: u32,
    /// The last bad result that counts.
    pub last_bad: Option<Rating>,
    /// What each originator adds, by DID.
    pub shares: Vec<OriginatorShare>,
    /// Ratings whose originators are not trusted enough here, or rate themselves.
    pub ignored: u64,
    /// Ratings since the last bad one that count nothing, since they were not checked.
    pub uncounted: u64,
}

/// Computes an executor's reputation from ratings in any order; those of others are left out. `trust_ppm` tells how much an
/// originator is trusted from where one stands.
#[must_use]
pub fn reputation(
    executor: &Did,
    ratings: &[Rating],
    trust_ppm: impl Fn(&Did) -> u32,
    settings: &ReputationSettings,
) -> Reputation {
    let mut trust: BTreeMap<Did, u32> = BTreeMap::new();
    let mut ignored = 0;
    // One say for each originator and job, and then all in their order.
    let mut says: BTreeMap<(Did, Cid), &Rating> = BTreeMap::new();
    for rating in ratings.iter().filter(|rating| rating.executor == *executor) {
        let weight =
            *trust.entry(rating.originator).or_insert_with(|| trust_ppm(&rating.originator).min(PPM));
        if rating.originator == *executor || weight < settings.weight_min_ppm.max(1) {
            ignored += 1;
            continue;
        }
        let say = says.entry((rating.originator, rating.job)).or_insert(rating);
        *say = (*say).max_by_harm(rating);
    }
    let mut row: Vec<&Rating> = says.into_values().collect();
    row.sort_unstable_by_key(|rating| (rating.at, rating.job, rating.originator));
    let bad = row.iter().rposition(|rating| rating.outcome.is_bad());
    let last_bad = bad.and_then(|index| row.get(index)).map(|rating| (*rating).clone());
    let since = row.get(bad.map_or(0, |index| index + 1)..).unwrap_or_default();

    let mut results: BTreeMap<Did, u64> = BTreeMap::new();
    for rating in since.iter().filter(|rating| rating.counts()) {
        *results.entry(rating.originator).or_default() += 1;
    }
    let shares: Vec<OriginatorShare> = results
        .iter()
        .map(|(originator, results)| {
            share(*originator, *results, trust.get(originator).copied().unwrap_or_default(), settings)
        })
        .collect();
    let sum: u64 = shares.iter().map(|share| u64::from(share.adds_ppm)).sum();
    let consecutive: u64 = shares.iter().map(|share| u64::from(share.counted)).sum();
    Reputation {
        score_ppm: u32::try_from(sum.min(u64::from(PPM))).unwrap_or(PPM),
        is_proven: consecutive >= u64::from(settings.proven_at),
        consecutive,
        proven_at: settings.proven_at,
        last_bad,
        shares,
        ignored,
        uncounted: since.iter().filter(|rating| !rating.counts()).count() as u64,
    }
}

impl Rating {
    fn counts(&self) -> bool {
        self.checked && !self.outcome.is_bad()
    }

    /// Of two ratings of one job the worse: a worse outcome, then one that was not checked, then the later.
    fn max_by_harm<'a>(&'a self, other: &'a Self) -> &'a Self {
        let bad = |rating: &Self| rating.outcome.is_bad().then_some(rating.outcome);
        let harm = |rating: &Self| (bad(rating), !rating.checked, rating.at);
        if harm(other) > harm(self) { other } else { self }
    }
}

fn share(originator: Did, results: u64, trust_ppm: u32, settings: &ReputationSettings) -> OriginatorShare {
    let most = settings.per_originator_max.max(1);
    let counted = u32::try_from(results).unwrap_or(u32::MAX).min(most);
    let full = u64::from(most) * u64::from(settings.originators_full.max(1));
    let adds = u64::from(trust_ppm) * u64::from(counted) / full;
    OriginatorShare { originator, trust_ppm, results, counted, adds_ppm: u32::try_from(adds).unwrap_or(PPM) }
}

impl fmt::Display for Reputation {
    /// Writes what the score is and where it comes from, in sentences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "reputation {} of 1000000", self.score_ppm)?;
        let (row, needed) = (self.consecutive, self.proven_at);
        match self.is_proven {
            true => writeln!(f, "proven: {row} checked results in a row count, {needed} are needed")?,
            false => writeln!(f, "not proven: {row} checked results in a row count, {needed} are needed")?,
        }
        for share in &self.shares {
            writeln!(
                f,
                "{} (trust {}): {} results, {} count, adds {}",
                share.originator, share.trust_ppm, share.results, share.counted, share.adds_ppm
            )?;
        }
        if let Some(bad) = &self.last_bad {
            writeln!(
                f,
                "job {} of {} was {} on {}: what was before no longer counts",
                bad.job, bad.originator, bad.outcome, bad.at
            )?;
        }
        write!(
            f,
            "{} ratings by strangers were left out, {} unchecked ones add nothing",
            self.ignored, self.uncounted
        )
    }
}
