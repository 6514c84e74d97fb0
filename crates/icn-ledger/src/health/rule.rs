//! From which figure on a sign is worth watching, or an alarm, and who says so.

use serde::{Deserialize, Serialize};

use super::Figure;

/// Which early sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignCode {
    /// How much goes through the busiest accounts.
    Concentration,
    /// Who keeps credit and spends nothing.
    Hoarders,
    /// Who owes and earns nothing.
    Takers,
    /// How unequal what is held is.
    Inequality,
    /// How much credit there is for each unit of monthly trade.
    DeficitRatio,
    /// Whether trade slows down.
    Velocity,
    /// How much of all lines is used.
    LinesUsed,
    /// Who has come to the end of its line.
    AtLimit,
    /// How much debt is old.
    DebtAge,
    /// How much is owed by those who cannot or will not work it off.
    LostDebt,
    /// Newcomers who spend and do not earn.
    Newcomers,
    /// Accounts whose departure splits the circle of trade.
    Bridges,
    /// What is owed outside the books.
    Claims,
    /// Payments that come to nothing.
    Unmet,
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worse {
    Higher,
    Lower,
}

/// The limits of one sign.
pub(super) struct Rule {
    pub(super) code: SignCode,
    pub(super) worse: Worse,
    pub(super) watch: Figure,
    pub(super) alarm: Figure,
    /// Where the limits come from.
    pub(super) source: &'static str,
    /// What to do when it is not well.
    pub(super) advice: &'static str,
}

const fn rule(code: SignCode, watch: u64, alarm: u64, source: &'static str, advice: &'static str) -> Rule {
    let (watch, alarm) = (Figure::Ppm(watch), Figure::Ppm(alarm));
    Rule { code, worse: Worse::Higher, watch, alarm, source, advice }
}

/// All signs, in the order in which they are shown.
pub(super) const RULES: [Rule; 14] = [
    rule(
        SignCode::Concentration,
        600_000,
        850_000,
        "chosen here: between the simulated baseline and a star; studies of Sardex and Sarafu find such a core",
        "introduce members of different circles to each other, and ask what happens if one of the busiest leaves",
    ),
    rule(
        SignCode::Hoarders,
        100_000,
        200_000,
        "seed 002, failure mode 1: in the LETS that froze, 20 to 30 % of the members held 80 % of the credit",
        "show them what they could buy here; consider demurrage above a threshold, which pays into the common fund",
    ),
    rule(
        SignCode::Takers,
        80_000,
        200_000,
        "seed 002, scenario 4: 8 % of free riders are usual, about 20 % are tolerated",
        "talk to them early and kindly: find work they can offer, agree on a plan, and do not raise their lines meanwhile",
    ),
    rule(
        SignCode::Inequality,
        500_000,
        600_000,
        "seed 002, failure mode 1: 20 % or 30 % of the members with 80 % of the credit is a Gini of 0.60 or 0.50",
        "find out what the richest accounts would buy, and consider demurrage above a threshold",
    ),
    rule(
        SignCode::DeficitRatio,
        2_500_000,
        3_000_000,
        "IRTA's guideline for trade exchanges: credit of 2.5 to 3 times the monthly volume",
        "grant no higher lines until trade has caught up, and bring wants and offers together",
    ),
    Rule {
        code: SignCode::Velocity,
        worse: Worse::Lower,
        watch: Figure::Ppm(700_000),
        alarm: Figure::Ppm(400_000),
        source: "chosen here: seed 002, failure mode 4 (velocity collapse), names no figure",
        advice: "ask what people miss: hold a market, suggest matches between wants and offers, look at hoarders",
    },
    rule(
        SignCode::LinesUsed,
        500_000,
        800_000,
        "chosen here: beyond half, one default in two can stop another trade (seed 002, failure mode 3)",
        "look at who is near the limit, and help those members to earn before anybody grants more",
    ),
    rule(
        SignCode::AtLimit,
        100_000,
        250_000,
        "chosen here: a cascade starts from accounts without any room (seed 002, failure mode 3)",
        "match these members with buyers for what they offer; a payment they cannot make stops others",
    ),
    rule(
        SignCode::DebtAge,
        250_000,
        500_000,
        "chosen here: trade exchanges age their receivables; half a year is two of a newcomer's ramps",
        "agree on a plan with the oldest debtors, or write off what will never be worked off, openly",
    ),
    rule(
        SignCode::LostDebt,
        27_000,
        41_000,
        "seed 002, scenarios 1 and 4: 2.7 % of defaults in the baseline, 4.1 % with a fifth of free riders",
        "settle it: the common fund takes it over, or it is written off by a decision of the members",
    ),
    rule(
        SignCode::Newcomers,
        500_000,
        750_000,
        "chosen here: in Argentina's clubs newcomers spent without offering, and the clubs fell",
        "let sponsors help them to their first sale; keep new lines at the first step until they have earned",
    ),
    rule(
        SignCode::Bridges,
        100_000,
        250_000,
        "chosen here: circulation is modular and local (Sarafu), so that one bridge can carry a whole part",
        "propose trades between the parts that only this account connects",
    ),
    rule(
        SignCode::Claims,
        1,
        50_000,
        "chosen here: any debt outside the books is worth a look",
        "see `icn ledger claims`: settle each with both sides, by a payment that repeats it",
    ),
    rule(
        SignCode::Unmet,
        100_000,
        250_000,
        "chosen here: a payment in ten that comes to nothing is noticed by everybody",
        "ask payees why they decline or do not answer; a node that is off accepts nothing",
    ),
];

/// How many accounts must have traded before shares of accounts say anything.
pub(super) const ACTIVE_MIN: usize = 10;
/// How many newcomers must have traded before their share says anything.
pub(super) const NEWCOMERS_MIN: usize = 3;
/// How many payments must have been begun before the share of the failed ones says anything.
pub(super) const ATTEMPTS_MIN: usize = 10;
/// The longer window, in days: what is called one-way has been so for as long.
pub(super) const LONG_DAYS: u64 = 90;
/// The shorter window, in days.
pub(super) const SHORT_DAYS: u64 = 30;
/// From how many days on a debt is old.
pub(super) const OLD_DEBT_DAYS: u64 = 180;
/// How much of its line an account has used that is at its end, in parts per million.
pub(super) const AT_LIMIT_PPM: u64 = 900_000;
