//! What a run has come to.

use icn_ledger::gini;
use serde::Serialize;

use super::UNIT;
use super::agents::{Agent, Place};
use super::market::Market;

/// Something that is measured of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How many payments were made.
    Payments,
    /// How much was paid, for each agent and month, in whole units.
    Volume,
    /// Paid in a year for each unit of credit in existence.
    Turnover,
    /// Payments that a line forbade, of all that were tried: a share.
    Refused,
    /// Members who left owing something: a share.
    Defaults,
    /// What they owed, of all that was paid: a share.
    Lost,
    /// The Gini coefficient of the balances above zero, by the production code.
    Gini,
    /// The same over all members, who counts as zero below zero.
    GiniAll,
    /// What the richest fifth of the members hold of all that is above zero: a share.
    TopFifth,
    /// Members who hold more than 50 and have spent nothing for 90 days: a share.
    Hoarders,
    /// Members who hold more than 100: a share.
    Rich,
    /// Members who have used nine tenths of their line or more: a share.
    AtLimit,
    /// Members who owe and have earned nothing for 90 days: a share.
    Takers,
    /// What the last third of the time paid, beside the middle third: a share.
    Pace,
    /// What newcomers who never sell owe at the end, of all debt: a share.
    NewcomerDebt,
    /// What such a newcomer has taken by the end, in whole units.
    NewcomerTake,
}

/// All measures, in the order of tables.
pub const MEASURES: [Measure; 16] = [
    Measure::Payments,
    Measure::Volume,
    Measure::Turnover,
    Measure::Refused,
    Measure::Defaults,
    Measure::Lost,
    Measure::Gini,
    Measure::GiniAll,
    Measure::TopFifth,
    Measure::Hoarders,
    Measure::Rich,
    Measure::AtLimit,
    Measure::Takers,
    Measure::Pace,
    Measure::NewcomerDebt,
    Measure::NewcomerTake,
];

/// For how many days nothing is spent, or earned, until it counts.
const IDLE_DAYS: u32 = 90;

impl Measure {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Volume => "volume",
            Self::Turnover => "turnover",
            Self::Refused => "refused",
            Self::Defaults => "defaults",
            Self::Lost => "lost",
            Self::Gini => "gini",
            Self::GiniAll => "gini_all",
            Self::TopFifth => "top_fifth",
            Self::Hoarders => "hoarders",
            Self::Rich => "rich",
            Self::AtLimit => "at_limit",
            Self::Takers => "takers",
            Self::Pace => "pace",
            Self::NewcomerDebt => "newcomer_debt",
            Self::NewcomerTake => "newcomer_take",
        }
    }
}

/// The end of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Month {
    /// Payments up to then.
    pub payments: u64,
    /// Paid up to then, in the smallest unit.
    pub volume: i64,
    /// Credit in existence, in the smallest unit.
    pub credit: i64,
    /// The Gini coefficient of the balances above zero, in parts per million.
    pub gini_ppm: u64,
    /// Members.
    pub members: u32,
    /// Members at the end of their line.
    pub at_limit: u32,
    /// Who left owing, up to then.
    pub defaults: u64,
    /// What the common fund holds, in the smallest unit.
    pub fund: i64,
}

/// What a run has come to. Everything in it is integers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How many agents, ever.
    pub agents: u64,
    /// How many days.
    pub days: u64,
    /// How many payments.
    pub payments: u64,
    /// How much was paid, in the smallest unit.
    pub volume: i64,
    /// Payments that a line forbade.
    pub refused: u64,
    /// Members who left owing something.
    pub defaults: u64,
    /// What they owed.
    pub lost: i64,
    /// Credit in existence, summed over all days.
    pub credit_days: i64,
    /// The Gini coefficient of the balances above zero, in parts per million.
    pub gini_ppm: u64,
    /// The same over all members, below zero as zero.
    pub gini_all_ppm: u64,
    /// What the richest fifth hold, of `held`.
    pub top_fifth: i64,
    /// All that members hold above zero.
    pub held: i64,
    /// Members at the end.
    pub members: u64,
    /// Members who hold more than 50 and have spent nothing for 90 days.
    pub hoarders: u64,
    /// Members who hold more than 100.
    pub rich: u64,
    /// Members at the end of their line.
    pub at_limit: u64,
    /// Members who owe and have earned nothing for 90 days.
    pub takers: u64,
    /// All that is owed, by whoever.
    pub debt: i64,
    /// What newcomers who never sell owe.
    pub newcomer_debt: i64,
    /// How many such newcomers there were.
    pub newcomer_riders: u64,
    /// What the common fund holds.
    pub fund: i64,
    /// Days on which the sum was not zero, or somebody was beyond its line: none, ever.
    pub broken: u64,
    /// The months.
    pub months: Vec<Month>,
}

impl Month {
    pub(super) fn of<R>(market: &Market<'_, R>) -> Self {
        let (held, _) = holdings(&market.agents);
        let here = || market.agents.iter().filter(|agent| agent.is_here());
        let many = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        Self {
            payments: market.counts.payments,
            volume: market.counts.volume,
            credit: market.agents.iter().map(|agent| agent.balance.max(0)).sum::<i64>() + market.fund.max(0),
            gini_ppm: gini(&held),
            members: many(here().count()),
            at_limit: many(here().filter(|agent| agent.is_at_limit()).count()),
            defaults: market.counts.defaults,
            fund: market.fund,
        }
    }
}

/// Lists what members hold above zero, in rising order, and its sum.
fn holdings(agents: &[Agent]) -> (Vec<i64>, i64) {
    let here = agents.iter().filter(|agent| agent.is_here() && agent.balance > 0);
    let mut held: Vec<i64> = here.map(|agent| agent.balance).collect();
    held.sort_unstable();
    let sum = held.iter().sum();
    (held, sum)
}

pub(super) fn outcome<R>(market: &Market<'_, R>) -> Outcome {
    let (setup, counts) = (market.setup, market.counts);
    let here = || market.agents.iter().filter(|agent| agent.is_here());
    let count = |is_so: &dyn Fn(&Agent) -> bool| here().filter(|agent| is_so(agent)).count() as u64;
    let idle_since = |last: u32| setup.days.saturating_sub(last) > IDLE_DAYS;
    let members = here().count() as u64;
    let (held, held_sum) = holdings(&market.agents);
    let all: Vec<i64> = std::iter::repeat_n(0, here().filter(|agent| agent.balance <= 0).count())
        .chain(held.iter().copied())
        .collect();
    let fifth = usize::try_from(members.div_ceil(5)).unwrap_or(0);
    let is_new_rider = |agent: &&Agent| agent.is_newcomer && !agent.sells && agent.place != Place::Outside;
    Outcome {
        agents: market.agents.iter().filter(|agent| agent.place != Place::Outside).count() as u64,
        days: u64::from(setup.days),
        payments: counts.payments,
        volume: counts.volume,
        refused: counts.refused,
        defaults: counts.defaults,
        lost: counts.lost,
        credit_days: counts.credit_days,
        gini_ppm: gini(&held),
        gini_all_ppm: gini(&all),
        top_fifth: held.iter().rev().take(fifth).sum(),
        held: held_sum,
        members,
        hoarders: count(&|agent| agent.balance > 50 * UNIT && idle_since(agent.last_spent)),
        rich: count(&|agent| agent.balance > 100 * UNIT),
        at_limit: count(&Agent::is_at_limit),
        takers: count(&|agent| agent.owes() && idle_since(agent.last_income)),
        debt: -market.agents.iter().map(|agent| agent.balance.min(0)).sum::<i64>(),
        newcomer_debt: -market
            .agents
            .iter()
            .filter(is_new_rider)
            .map(|agent| agent.balance.min(0))
            .sum::<i64>(),
        newcomer_riders: market.agents.iter().filter(is_new_rider).count() as u64,
        fund: market.fund,
        broken: counts.broken,
        months: market.months.clone(),
    }
}

impl Outcome {
    /// Returns a measure as a number for statistics.
    #[must_use]
    pub fn value(&self, measure: Measure) -> f64 {
        let per = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let units = |smallest: i64| smallest as f64 / UNIT as f64;
        let (members, days) = (self.members as f64, self.days as f64);
        match measure {
            Measure::Payments => self.payments as f64,
            Measure::Volume => per(units(self.volume) * 30.0, self.agents as f64 * days),
            Measure::Turnover => per(units(self.volume) * 365.0, units(self.credit_days)),
            Measure::Refused => per(self.refused as f64, (self.refused + self.payments) as f64),
            Measure::Defaults => per(self.defaults as f64, self.agents as f64),
            Measure::Lost => per(self.lost as f64, self.volume as f64),
            Measure::Gini => self.gini_ppm as f64 / 1e6,
            Measure::GiniAll => self.gini_all_ppm as f64 / 1e6,
            Measure::TopFifth => per(self.top_fifth as f64, self.held as f64),
            Measure::Hoarders => per(self.hoarders as f64, members),
            Measure::Rich => per(self.rich as f64, members),
            Measure::AtLimit => per(self.at_limit as f64, members),
            Measure::Takers => per(self.takers as f64, members),
            Measure::Pace => self.pace(),
            Measure::NewcomerDebt => per(self.newcomer_debt as f64, self.debt as f64),
            Measure::NewcomerTake => per(units(self.newcomer_debt), self.newcomer_riders as f64),
        }
    }

    fn pace(&self) -> f64 {
        let months = self.months.len();
        let volume_at = |month: usize| {
            let before = month.checked_sub(1).and_then(|month| self.months.get(month));
            before.map_or(0, |month| month.volume)
        };
        let third = months / 3;
        let middle = volume_at(months - third) - volume_at(months - 2 * third);
        let last = volume_at(months) - volume_at(months - third);
        if middle > 0 { last as f64 / middle as f64 } else { 0.0 }
    }
}
