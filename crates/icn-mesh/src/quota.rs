//! What one co-op may take of this node: processors, memory and places at once, credit in an hour.
//!
//! It is judged by whom a job is for, not by who runs it: used and demanded together are at most the quota, on all four
//! dimensions. What a co-op has been promised by a bid counts as used, so a bid that binds never has to be broken.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use icn_types::{Cid, Did, Duration, Timestamp};

/// The time over which credit is counted.
const HOUR: Duration = Duration::from_secs(3_600);

/// What a job counts for whom: its originator, and the space that it names.
pub(crate) type For = (Did, Option<Did>);

/// The most that one co-op may take. What is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResourceQuota {
    /// Processors at once, in thousandths.
    pub cpu_millicores_max: Option<u64>,
    /// Memory at once, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// Jobs at once.
    pub tasks_concurrent_max: Option<u64>,
    /// Credit that is held now or was paid within the last hour, in the currency that this node asks for.
    pub credits_per_hour: Option<u64>,
}

impl ResourceQuota {
    /// Tells whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    fn or(self, other: Self) -> Self {
        Self {
            cpu_millicores_max: self.cpu_millicores_max.or(other.cpu_millicores_max),
            memory_bytes_max: self.memory_bytes_max.or(other.memory_bytes_max),
            tasks_concurrent_max: self.tasks_concurrent_max.or(other.tasks_concurrent_max),
            credits_per_hour: self.credits_per_hour.or(other.credits_per_hour),
        }
    }
}

/// The quotas of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    /// For whoever has none of its own; those who are members of no space of this node share one.
    pub default: ResourceQuota,
    /// For single spaces; what one leaves out is as in the default.
    pub spaces: BTreeMap<Did, ResourceQuota>,
}

impl Quotas {
    /// Tells whether nobody is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.default.is_unlimited() && self.spaces.values().all(ResourceQuota::is_unlimited)
    }

    /// Returns the quota of a co-op; none: of those who are in none.
    #[must_use]
    pub fn of(&self, coop: Option<&Did>) -> ResourceQuota {
        let own = coop.and_then(|coop| self.spaces.get(coop)).copied().unwrap_or_default();
        own.or(self.default)
    }
}

/// What a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) cpu_millicores: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) credits: u64,
}

/// A limit that a job would pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OverQuota {
    dimension: Dimension,
    used: u64,
    demanded: u64,
    max: u64,
    /// When enough of what was paid is an hour ago; none when only the end of a job helps, or nothing does.
    retry_at: Option<Timestamp>,
}

impl OverQuota {
    /// Tells whether the job fits once enough is free.
    pub(crate) const fn may_fit(&self) -> bool {
        self.demanded <= self.max
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Cpu,
    Memory,
    Tasks,
    Credits,
}

impl Dimension {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_cores_max",
            Self::Memory => "memory_mb_max",
            Self::Tasks => "tasks_concurrent_max",
            Self::Credits => "credits_per_hour",
        }
    }

    /// Shows a figure in the unit of the configuration.
    fn show(self, figure: u64) -> String {
        let (unit, digits) = match self {
            Self::Cpu => (1_000, 3),
            Self::Memory => (1_024 * 1_024, 1),
            Self::Tasks | Self::Credits => return figure.to_string(),
        };
        let scale = 10_u128.pow(digits);
        // Rounded up: what does not fit by little is not shown as if it did.
        let scaled = (u128::from(figure) * scale).div_ceil(unit);
        let text = format!("{}.{:0width$}", scaled / scale, scaled % scale, width = digits as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |figure| self.dimension.show(figure);
        let (used, demanded, max) = (show(self.used), show(self.demanded), show(self.max));
        write!(f, "`{}`: {used} used and {demanded} demanded, {max} at most: ", self.dimension.as_str())?;
        match self.retry_at {
            _ if !self.may_fit() => f.write_str("ask for less, or another node"),
            Some(at) => write!(f, "it fits at {at} if nothing else is paid until then"),
            None => f.write_str("it fits when a job of the co-op has ended here, or a bid for one is over"),
        }
    }
}

/// What was taken and not given back. It does not know which co-op somebody is in: memberships change.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    open: BTreeMap<Cid, (For, Demand)>,
    /// Oldest first.
    paid: VecDeque<(Timestamp, For, u64)>,
}

impl Usage {
    /// Notes that a job takes its part until it is let go of. The same job again takes it once.
    pub(crate) fn take(&mut self, job: Cid, whose: For, demand: Demand) {
        self.open.insert(job, (whose, demand));
    }

    /// Lets go of all jobs but those that are still open.
    pub(crate) fn retain(&mut self, is_open: impl Fn(&Cid) -> bool) {
        self.open.retain(|job, _| is_open(job));
    }

    /// Notes that credit was paid, or is owed for good.
    pub(crate) fn pay(&mut self, now: Timestamp, at: Timestamp, whose: For, amount: u64) {
        self.forget(now);
        if amount > 0 && at.plus(HOUR) > now {
            let place = self.paid.partition_point(|(before, ..)| *before <= at);
            self.paid.insert(place, (at, whose, amount));
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while self.paid.front().is_some_and(|(at, ..)| at.plus(HOUR) <= now) {
            self.paid.pop_front();
        }
    }

    /// Tells whether a job fits into a quota beside all that `counts` for the same co-op. What the job itself took already does
    /// not count.
    pub(crate) fn judge(
        &mut self,
        now: Timestamp,
        quota: &ResourceQuota,
        job: &Cid,
        demand: &Demand,
        counts: impl Fn(&For) -> bool,
    ) -> Result<(), OverQuota> {
        self.forget(now);
        let others = self.open.iter().filter(|(other, (whose, _))| *other != job && counts(whose));
        let mut used = [0_u64; 4];
        for (_, (_, taken)) in others {
            let parts = [taken.cpu_millicores, taken.memory_bytes, 1, taken.credits];
            used.iter_mut().zip(parts).for_each(|(sum, part)| *sum = sum.saturating_add(part));
        }
        let [cpu, memory, tasks, held] = used;
        let paid = || self.paid.iter().filter(|(_, whose, _)| counts(whose));
        let credits = paid().fold(held, |sum, (_, _, amount)| sum.saturating_add(*amount));
        let rows = [
            (Dimension::Cpu, cpu, demand.cpu_millicores, quota.cpu_millicores_max),
            (Dimension::Memory, memory, demand.memory_bytes, quota.memory_bytes_max),
            (Dimension::Tasks, tasks, 1, quota.tasks_concurrent_max),
            (Dimension::Credits, credits, demand.credits, quota.credits_per_hour),
        ];
        for (dimension, used, demanded, max) in rows {
            // A job that takes nothing of it is not held up by it.
            let Some(max) = max.filter(|max| demanded > 0 && used.saturating_add(demanded) > *max) else {
                continue;
            };
            let mut left = used;
            let retry_at = (dimension == Dimension::Credits).then(|| {
                paid().find_map(|(at, _, amount)| {
                    left = left.saturating_sub(*amount);
                    (left.saturating_add(demanded) <= max).then(|| at.plus(HOUR))
                })
            });
            return Err(OverQuota { dimension, used, demanded, max, retry_at: retry_at.flatten() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn did(n: u8) -> Did {
        Did::from_public_key([n; 32])
    }

    fn job(n: usize) -> Cid {
        Cid::of_raw(&n.to_be_bytes())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(10_000_000 + seconds * 1_000)
    }

    const fn demand(cpu_millicores: u64, memory_bytes: u64, credits: u64) -> Demand {
        Demand { cpu_millicores, memory_bytes, credits }
    }

    const QUOTA: ResourceQuota = ResourceQuota {
        cpu_millicores_max: Some(2_500),
        memory_bytes_max: Some(96 << 20),
        tasks_concurrent_max: Some(3),
        credits_per_hour: Some(10),
    };

    fn why(usage: &mut Usage, now: u64, quota: &ResourceQuota, wanted: &Demand) -> String {
        let verdict = usage.judge(at(now), quota, &job(99), wanted, |_| true);
        verdict.map_or_else(|over| over.to_string(), |()| String::new())
    }

    #[test]
    fn used_and_demanded_are_at_most_the_quota_on_every_dimension() {
        let mut usage = Usage::default();
        usage.take(job(1), (did(1), None), demand(1_000, 64 << 20, 4));
        for (wanted, said) in [
            (demand(1_500, 32 << 20, 6), ""),
            (
                demand(1_501, 32 << 20, 6),
                "`cpu_cores_max`: 1 used and 1.501 demanded, 2.5 at most: it fits when a job of the co-op has ended \
                 here, or a bid for one is over",
            ),
            (
                demand(1_000, (32 << 20) + 1, 6),
                "`memory_mb_max`: 64 used and 32.1 demanded, 96 at most: it fits when a job of the co-op has ended \
                 here, or a bid for one is over",
            ),
            (
                demand(1_000, 32 << 20, 7),
                "`credits_per_hour`: 4 used and 7 demanded, 10 at most: it fits when a job of the co-op has ended \
                 here, or a bid for one is over",
            ),
            (
                demand(1_000, 97 << 20, 0),
                "`memory_mb_max`: 64 used and 97 demanded, 96 at most: ask for less, or another node",
            ),
        ] {
            assert_eq!(why(&mut usage, 0, &QUOTA, &wanted), said);
        }
        let small = demand(1, 1, 0);
        usage.take(job(2), (did(1), None), small);
        usage.take(job(3), (did(1), None), small);
        assert!(
            why(&mut usage, 0, &QUOTA, &small).starts_with("`tasks_concurrent_max`: 3 used and 1 demanded")
        );
        // A job that was judged before does not stand in its own way.
        assert_eq!(usage.judge(at(0), &QUOTA, &job(3), &small, |_| true), Ok(()));
        usage.retain(|one| *one == job(1));
        assert_eq!(why(&mut usage, 0, &QUOTA, &small), "");
    }

    #[test]
    fn credit_counts_while_it_is_held_and_for_an_hour_after_it_is_paid() {
        let mut usage = Usage::default();
        let whose = (did(1), None);
        usage.pay(at(0), at(0), whose, 3);
        usage.pay(at(600), at(600), whose, 4);
        let retry = |usage: &mut Usage, now, credits| {
            let verdict = usage.judge(at(now), &QUOTA, &job(9), &demand(0, 0, credits), |_| true);
            verdict.err().map(|over| over.retry_at)
        };
        assert_eq!(retry(&mut usage, 700, 3), None);
        assert_eq!(retry(&mut usage, 700, 4), Some(Some(at(3_600))));
        assert_eq!(retry(&mut usage, 700, 7), Some(Some(at(4_200))));
        assert_eq!(retry(&mut usage, 700, 11), Some(None), "never");
        usage.take(job(1), whose, demand(0, 0, 3));
        assert_eq!(retry(&mut usage, 700, 8), Some(None), "not while that is held");
        assert_eq!(retry(&mut usage, 3_599, 4), Some(Some(at(4_200))));
        assert_eq!(retry(&mut usage, 3_600, 3), None);
        assert!(why(&mut usage, 3_600, &QUOTA, &demand(0, 0, 4)).ends_with(&format!(
            "7 used and 4 demanded, 10 at most: it fits at {} if nothing else is paid until then",
            at(4_200)
        )));
        assert_eq!(usage.paid.len(), 1);
        // What is free is not held up by what was paid.
        assert_eq!(
            why(&mut usage, 3_600, &ResourceQuota { credits_per_hour: Some(0), ..QUOTA }, &demand(0, 0, 0)),
            ""
        );
        // What comes back from the disk is too old, or takes its place by its time.
        usage.pay(at(9_000), at(1_000), whose, 5);
        assert!(usage.paid.is_empty());
        usage.pay(at(9_000), at(8_000), whose, 5);
        usage.pay(at(9_000), at(7_000), whose, 6);
        assert_eq!(usage.paid.front().map(|(_, _, amount)| *amount), Some(6));
    }

    #[test]
    fn what_a_space_leaves_out_is_as_in_the_default() {
        let own = ResourceQuota { tasks_concurrent_max: Some(9), ..ResourceQuota::default() };
        let quotas = Quotas { default: QUOTA, spaces: BTreeMap::from([(did(1), own)]) };
        assert_eq!(quotas.of(None), QUOTA);
        assert_eq!(quotas.of(Some(&did(2))), QUOTA);
        assert_eq!(quotas.of(Some(&did(1))), ResourceQuota { tasks_concurrent_max: Some(9), ..QUOTA });
        assert!(!quotas.is_unlimited() && Quotas::default().is_unlimited());
    }

    proptest! {
        #[test]
        fn nothing_that_fits_is_ever_over_on_any_dimension_and_the_order_of_ends_does_not_matter(
            wanted in proptest::collection::vec((0_u64..3, 0_u64..1_500, 0_u64..60, 0_u64..6, 0_u64..900), 1..60),
            ends in proptest::collection::vec((any::<u16>(), any::<bool>()), 0..120),
        ) {
            let quota = ResourceQuota { memory_bytes_max: Some(100), ..QUOTA };
            let mut usage = Usage::default();
            // What is open, and what was paid, by hand: by co-op.
            let mut open: BTreeMap<usize, (u64, Demand)> = BTreeMap::new();
            let mut paid: Vec<(u64, u64, u64)> = Vec::new();
            let (mut now, mut ends) = (0, ends.into_iter());
            for (n, (coop, cpu, memory, credits, later)) in wanted.into_iter().enumerate() {
                now += later;
                for (pick, is_paid) in ends.by_ref().take(2) {
                    let Some(ended) = open.keys().nth(usize::from(pick) % open.len().max(1)).copied() else { continue };
                    let (whose, taken) = open.remove(&ended).unwrap();
                    if is_paid {
                        paid.push((now, whose, taken.credits));
                        usage.pay(at(now), at(now), (did(whose as u8), None), taken.credits);
                    }
                }
                usage.retain(|one| open.keys().any(|n| job(*n) == *one));
                let asked = demand(cpu, memory, credits);
                let mine = (did(coop as u8), None);
                let fits = usage.judge(at(now), &quota, &job(n), &asked, |whose| *whose == mine).is_ok();
                let sum = |part: fn(&Demand) -> u64| {
                    open.values().filter(|(whose, _)| *whose == coop).map(|(_, taken)| part(taken)).sum::<u64>()
                };
                let recent: u64 =
                    paid.iter().filter(|(at, whose, _)| *whose == coop && at + 3_600 > now).map(|one| one.2).sum();
                let within = [
                    (sum(|one| one.cpu_millicores), cpu, 2_500),
                    (sum(|one| one.memory_bytes), memory, 100),
                    (sum(|_| 1), 1, 3),
                    (sum(|one| one.credits) + recent, credits, 10),
                ];
                prop_assert_eq!(fits, within.iter().all(|(used, wants, max)| *wants == 0 || used + wants <= *max));
                if fits {
                    open.insert(n, (coop, asked));
                    usage.take(job(n), mine, asked);
                }
            }
            // Whatever is let go of last, all of it is free then.
            usage.retain(|_| false);
            let all = demand(2_500, 100, 10);
            for coop in 0..3 {
                let mine = (did(coop), None);
                prop_assert!(usage.judge(at(now + 3_600), &quota, &job(999), &all, |whose| *whose == mine).is_ok());
            }
        }
    }
}
