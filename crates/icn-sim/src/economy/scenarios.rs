//! What is simulated: the seeds' scenarios, ways of reading them, and the ways in which mutual credit fails.

use icn_ledger::{CreditPolicy, Demurrage};

use super::UNIT;

/// How credit lines come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lines {
    /// The same for everybody from the first day, in whole units.
    Fixed(i64),
    /// Reviewed each month by the production policy; a line that was granted is not lowered.
    Policy(CreditPolicy),
}

/// Of what demurrage is taken (conflict C-23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Of what lies above the threshold: the production rule.
    Above,
    /// Of the whole balance once it is above the threshold: as the seeds' simulation did.
    Whole,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fund {
    /// The common fund shares it out equally among the members each month.
    Shared,
    /// The common fund keeps it.
    Kept,
}

/// A charge on idle balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The production rule.
    pub rule: Demurrage,
    /// Of what it is taken.
    pub base: Base,
    /// What becomes of it.
    pub fund: Fund,
}

/// Something that happens to everybody at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shock {
    /// On which day.
    pub day: u32,
    /// What.
    pub kind: ShockKind,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShockKind {
    /// The deepest debtors leave: so many of all agents, in parts per million.
    DebtorsLeave(u32),
    /// So many acquaintances end, in parts per million.
    Distrust(u32),
}

/// Everything that makes a run, but its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// How many agents.
    pub agents: u32,
    /// How many days.
    pub days: u32,
    /// How many spend only what they have, in parts per million.
    pub conservative_ppm: u32,
    /// How many keep near zero; the others spend to the end of their line.
    pub balanced_ppm: u32,
    /// Whether those spend what they have above 50, too. The seeds' agents do not.
    pub spends_surplus: bool,
    /// How many spend and never sell.
    pub riders_ppm: u32,
    /// How many sell and never spend.
    pub hoarders_ppm: u32,
    /// How many join on the way.
    pub newcomers_ppm: u32,
    /// How many of those spend and never sell.
    pub newcomer_riders_ppm: u32,
    /// How many acquaintances each has.
    pub degree: u32,
    /// How likely somebody needs something on a day.
    pub demand_ppm: u32,
    /// How credit lines come about.
    pub lines: Lines,
    /// The charge on idle balances, if there is one.
    pub charge: Option<Charge>,
    /// How likely a member leaves within a year.
    pub leave_ppm: u32,
    /// How likely one leaves within a year who is at the end of its line and has earned nothing for two months.
    pub stuck_leave_ppm: u32,
    /// How likely an acquaintance of somebody who left owing spends only what it has from then on, and ends the acquaintance.
    pub fear_ppm: u32,
    /// Whether stewards freeze who owes and has earned nothing for three months.
    pub freezes: bool,
    /// What happens to everybody, if anything does.
    pub shock: Option<Shock>,
}

/// A setup with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// A word.
    pub name: &'static str,
    /// What it is.
    pub text: &'static str,
    /// The setup.
    pub setup: Setup,
}

impl Setup {
    /// The baseline of the seeds: a static line of 500, no demurrage, mixed habits, 8 % free riders.
    #[must_use]
    pub const fn baseline(agents: u32, days: u32) -> Self {
        Self {
            agents,
            days,
            conservative_ppm: 300_000,
            balanced_ppm: 450_000,
            spends_surplus: false,
            riders_ppm: 80_000,
            hoarders_ppm: 0,
            newcomers_ppm: 0,
            newcomer_riders_ppm: 0,
            degree: 20,
            demand_ppm: 750_000,
            lines: Lines::Fixed(500),
            charge: None,
            leave_ppm: 30_000,
            stuck_leave_ppm: 300_000,
            fear_ppm: 50_000,
            freezes: false,
            shock: None,
        }
    }
}

/// The seeds' demurrage: 2 % a month of what lies above 50.
const fn charge(base: Base, fund: Fund) -> Option<Charge> {
    let rule = Demurrage { threshold: 50 * UNIT, rate_ppm: 20_000, period_days: 30 };
    Some(Charge { rule, base, fund })
}

/// The seeds' recommended policy, with the multiplier that doubles the base at full trust.
fn recommended() -> Lines {
    Lines::Policy(CreditPolicy::default())
}

/// Lists all scenarios of so many agents and days.
#[must_use]
pub fn scenarios(agents: u32, days: u32) -> Vec<Scenario> {
    let base = || Setup::baseline(agents, days);
    let doubled = CreditPolicy {
        initial: 500,
        max: 1_000,
        growth: 0,
        growth_per: 50,
        ramp_days: 0,
        required_cleared: 0,
        ..CreditPolicy::default()
    };
    let halfway = days / 2;
    let leave = |lines: Lines| Setup {
        lines,
        fear_ppm: 300_000,
        shock: Some(Shock { day: halfway, kind: ShockKind::DebtorsLeave(50_000) }),
        ..base()
    };
    let distrust = |charge: Option<Charge>| Setup {
        charge,
        shock: Some(Shock { day: halfway, kind: ShockKind::Distrust(700_000) }),
        ..base()
    };
    let newcomers =
        |lines: Lines| Setup { newcomers_ppm: 300_000, newcomer_riders_ppm: 300_000, lines, ..base() };
    let riders = |riders_ppm: u32| Setup { riders_ppm, ..base() };
    let with_degree = |degree: u32| Setup { degree, ..base() };
    let shared = charge(Base::Above, Fund::Shared);
    let spending = |setup: Setup| Setup { spends_surplus: true, ..setup };
    let all: [(&'static str, &'static str, Setup); 34] = [
        ("baseline", "static lines of 500, no demurrage, mixed habits, 8 % free riders", base()),
        (
            "dynamic",
            "lines by the recommended policy: 20 at first, growing with trust and trade to at most 500",
            Setup { lines: recommended(), ..base() },
        ),
        (
            "dynamic-doubled",
            "another reading: 500 for everybody, up to 1,000 at full trust",
            Setup { lines: Lines::Policy(doubled), ..base() },
        ),
        ("demurrage", "2 % a month above 50, shared out equally", Setup { charge: shared, ..base() }),
        (
            "demurrage-whole",
            "2 % a month of the whole balance once it is above 50, shared out equally",
            Setup { charge: charge(Base::Whole, Fund::Shared), ..base() },
        ),
        (
            "demurrage-kept",
            "2 % a month above 50, kept by the common fund",
            Setup { charge: charge(Base::Above, Fund::Kept), ..base() },
        ),
        ("riders", "20 % free riders", riders(200_000)),
        (
            "riders-frozen",
            "20 % free riders, and stewards who freeze them",
            Setup { freezes: true, ..riders(200_000) },
        ),
        (
            "riders-dynamic",
            "20 % free riders, lines by the recommended policy",
            Setup { lines: recommended(), ..riders(200_000) },
        ),
        ("riders-40", "40 % free riders", riders(400_000)),
        ("sparse", "30 % of the acquaintances: 6 instead of 20", with_degree(6)),
        ("degree-2", "2 acquaintances each", with_degree(2)),
        ("degree-4", "4 acquaintances each", with_degree(4)),
        ("degree-10", "10 acquaintances each", with_degree(10)),
        ("degree-40", "40 acquaintances each", with_degree(40)),
        ("tight", "static lines of 100", Setup { lines: Lines::Fixed(100), ..base() }),
        ("lively", "everybody needs something every day", Setup { demand_ppm: 1_000_000, ..base() }),
        ("trust-crisis", "70 % of the acquaintances end half-way", distrust(None)),
        ("trust-crisis-demurrage", "the same with demurrage", distrust(shared)),
        ("hoarding", "25 % sell and never spend", Setup { hoarders_ppm: 250_000, ..base() }),
        (
            "hoarding-demurrage",
            "the same with demurrage",
            Setup { hoarders_ppm: 250_000, charge: shared, ..base() },
        ),
        (
            "cascade",
            "the deepest debtors, 5 % of all, leave half-way, and their acquaintances take fright",
            leave(Lines::Fixed(500)),
        ),
        ("cascade-dynamic", "the same with lines by the recommended policy", leave(recommended())),
        (
            "newcomers",
            "30 % join on the way, a third of them to spend only; static lines",
            newcomers(Lines::Fixed(500)),
        ),
        ("newcomers-ramp", "the same with lines by the recommended policy", newcomers(recommended())),
        (
            "recommended",
            "all recommended parameters at once: policy, demurrage, freezing",
            Setup { lines: recommended(), charge: shared, freezes: true, ..base() },
        ),
        (
            "spenders",
            "the baseline, but balanced members also spend what they have above 50",
            spending(base()),
        ),
        (
            "spenders-dynamic",
            "spenders, lines by the recommended policy",
            spending(Setup { lines: recommended(), ..base() }),
        ),
        (
            "spenders-demurrage",
            "spenders, 2 % a month above 50, shared",
            spending(Setup { charge: shared, ..base() }),
        ),
        ("spenders-riders", "spenders, 20 % free riders", spending(riders(200_000))),
        ("spenders-sparse", "spenders, 6 instead of 20 acquaintances", spending(with_degree(6))),
        (
            "spenders-hoarding",
            "spenders, of whom 25 % hoard",
            spending(Setup { hoarders_ppm: 250_000, ..base() }),
        ),
        (
            "spenders-cascade",
            "spenders, the deepest debtors leave half-way",
            spending(leave(Lines::Fixed(500))),
        ),
        (
            "spenders-cascade-dynamic",
            "the same with lines by the recommended policy",
            spending(leave(recommended())),
        ),
    ];
    all.into_iter().map(|(name, text, setup)| Scenario { name, text, setup }).collect()
}

/// Finds a scenario by its name.
#[must_use]
pub fn scenario(name: &str, agents: u32, days: u32) -> Option<Scenario> {
    scenarios(agents, days).into_iter().find(|scenario| scenario.name == name)
}
