//! Early warning: the signs by which mutual credit is known to fail, with the figures behind them.
//!
//! Each sign has a figure, two limits with their source, a sentence that says what was found, and, when it is not well, what
//! to do. It is advice for people: no payment is judged by it. Sources: seed 002, known failure modes; the trade
//! exchanges' own guideline (IRTA); what is reported of LETS, of Argentina's clubs, of Sardex and of Sarafu. A limit that
//! nobody has published is called *chosen here*.
//!
//! Everything is integers: shares are in parts per million, rounded down. The times come from members' clocks, held within
//! sealed epochs, so that a wrong clock shifts a figure by an epoch at most once the epoch is sealed.

mod bridges;
mod facts;
mod money;
mod people;
mod rule;
mod window;

use icn_types::{Did, Duration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::facts::{AccountFacts, Attempt, HealthFacts, Movement};
pub use self::money::gini;
pub use self::rule::SignCode;
use self::rule::{LONG_DAYS, RULES, Rule, SHORT_DAYS, Worse};
use self::window::Window;
use crate::money::format_amount;

/// The most accounts that a sign names; all of them are counted.
pub const WHO_MAX: usize = 10;

const DAY_SECONDS: u64 = 24 * 3_600;
const PPM: i128 = 1_000_000;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing to do.
    #[default]
    Ok,
    /// Worth a look.
    Watch,
    /// Worth a meeting.
    Alarm,
}

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// A share or a ratio, in parts per million.
    Ppm(u64),
    /// How many.
    Count(u64),
    /// How many days.
    Days(u64),
    /// So much of the currency's smallest unit.
    Amount(i64),
}

/// One early sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Which.
    pub code: SignCode,
    /// How well it is.
    pub level: Level,
    /// Whether there was enough to judge; if not, the level is [`Level::Ok`].
    pub is_judged: bool,
    /// The figure that is held against the limits.
    pub figure: Figure,
    /// From where on it is worth a look.
    pub watch: Figure,
    /// From where on it is an alarm.
    pub alarm: Figure,
    /// Whether lower figures are worse.
    pub lower_is_worse: bool,
    /// Other figures that belong to it.
    pub more: Vec<(String, Figure)>,
    /// Whom it is about, those with the most first; at most [`WHO_MAX`].
    pub who: Vec<Did>,
    /// How many it is about.
    pub who_total: u64,
    /// What was found, in a sentence.
    pub finding: String,
    /// What to do, in a sentence; empty while all is well.
    pub advice: String,
    /// Where the limits come from.
    pub source: String,
}

/// How healthy a currency is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The worst level of all signs.
    pub level: Level,
    /// How many members there are.
    pub members: u64,
    /// How many accounts took part in trade in the last 90 days.
    pub active: u64,
    /// Credit in existence: the sum of all balances above zero, in the smallest unit.
    pub credit: i64,
    /// What moved in the last 30 days, in the smallest unit.
    pub volume_30: i64,
    /// What moved in the last 90 days, in the smallest unit.
    pub volume_90: i64,
    /// The signs, in a fixed order.
    pub signs: Vec<Sign>,
}

impl Health {
    /// Judges the facts as of a moment. Whatever bears a later time counts as of that moment.
    #[must_use]
    pub fn of(facts: &HealthFacts, now: Timestamp) -> Self {
        let long = Window::of(facts, now, LONG_DAYS);
        let short = Window::of(facts, now, SHORT_DAYS);
        let subject = Subject { facts, now, long: &long, short: &short };
        let signs: Vec<Sign> = RULES.iter().map(|rule| subject.sign(rule)).collect();
        Self {
            level: signs.iter().map(|sign| sign.level).max().unwrap_or_default(),
            members: count(facts.accounts.iter().filter(|account| account.is_member).count()),
            active: count(long.active()),
            credit: narrow(subject.credit()),
            volume_30: narrow(short.volume),
            volume_90: narrow(long.volume),
            signs,
        }
    }

    /// Returns one sign.
    #[must_use]
    pub fn sign(&self, code: SignCode) -> Option<&Sign> {
        self.signs.iter().find(|sign| sign.code == code)
    }
}

/// What the signs are taken of.
struct Subject<'a> {
    facts: &'a HealthFacts,
    now: Timestamp,
    long: &'a Window,
    short: &'a Window,
}

/// What a measure has found.
struct Found {
    figure: u64,
    is_judged: bool,
    more: Vec<(&'static str, Figure)>,
    /// Accounts by place, the most important first.
    who: Vec<usize>,
    finding: String,
}

impl Subject<'_> {
    fn sign(&self, rule: &Rule) -> Sign {
        let found = match rule.code {
            SignCode::Concentration => self.concentration(),
            SignCode::Hoarders => self.hoarders(),
            SignCode::Takers => self.takers(),
            SignCode::Inequality => self.inequality(),
            SignCode::DeficitRatio => self.deficit_ratio(),
            SignCode::Velocity => self.velocity(),
            SignCode::LinesUsed => self.lines_used(),
            SignCode::AtLimit => self.at_limit(),
            SignCode::DebtAge => self.debt_age(),
            SignCode::LostDebt => self.lost_debt(),
            SignCode::Newcomers => self.newcomers(),
            SignCode::Bridges => self.bridges(),
            SignCode::Claims => self.claims(),
            SignCode::Unmet => self.unmet(),
        };
        let level = if found.is_judged { level(rule, found.figure) } else { Level::Ok };
        let dids = found.who.iter().filter_map(|place| self.facts.accounts.get(*place));
        Sign {
            code: rule.code,
            level,
            is_judged: found.is_judged,
            figure: Figure::Ppm(found.figure),
            watch: rule.watch,
            alarm: rule.alarm,
            lower_is_worse: rule.worse == Worse::Lower,
            more: found.more.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect(),
            who: dids.take(WHO_MAX).map(|account| account.did).collect(),
            who_total: count(found.who.len()),
            finding: found.finding,
            advice: if level == Level::Ok { String::new() } else { rule.advice.to_owned() },
            source: rule.source.to_owned(),
        }
    }

    /// Sums all balances above zero.
    fn credit(&self) -> i128 {
        self.facts.accounts.iter().map(|account| i128::from(account.booked.max(0))).sum()
    }

    /// Sums all balances below zero, as a magnitude.
    fn debt(&self) -> i128 {
        self.facts.accounts.iter().map(debt_of).sum()
    }

    /// Returns the moment so many days ago.
    fn ago(&self, days: u64) -> Timestamp {
        self.now.minus(Duration::from_secs(days * DAY_SECONDS))
    }

    fn amount(&self, smallest: i128) -> String {
        format_amount(narrow(smallest), self.facts.decimals)
    }
}

fn level(rule: &Rule, figure: u64) -> Level {
    let (Figure::Ppm(watch), Figure::Ppm(alarm)) = (rule.watch, rule.alarm) else { return Level::Ok };
    let reaches = |limit: u64| match rule.worse {
        Worse::Higher => figure >= limit,
        Worse::Lower => figure < limit,
    };
    match (reaches(watch), reaches(alarm)) {
        (_, true) => Level::Alarm,
        (true, false) => Level::Watch,
        (false, false) => Level::Ok,
    }
}

fn debt_of(account: &AccountFacts) -> i128 {
    i128::from(account.booked).min(0).abs()
}

/// Divides, in parts per million, rounded down; 0 of nothing.
fn share(part: i128, whole: i128) -> u64 {
    if whole <= 0 {
        return 0;
    }
    u64::try_from(part.max(0).saturating_mul(PPM) / whole).unwrap_or(u64::MAX)
}

/// Writes a share for people: `12.3 %`.
fn percent(ppm: u64) -> String {
    format!("{}.{} %", ppm / 10_000, ppm % 10_000 / 1_000)
}

/// Writes a ratio for people: `2.50`.
fn times(ppm: u64) -> String {
    format!("{}.{:02}", ppm / 1_000_000, ppm % 1_000_000 / 10_000)
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn narrow(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
