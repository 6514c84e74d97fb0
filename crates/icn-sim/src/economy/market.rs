//! One run: day after day, who buys from whom, and what policy says to it.

use icn_ledger::CreditPolicy;
use icn_types::{Did, Duration};

use super::agents::{Agent, Pattern, Place, did_of};
use super::measures::{Month, Outcome, outcome};
use super::rules::Rules;
use super::scenarios::{Base, Charge, Fund, Lines, Setup, ShockKind};
use super::trust::{Network, PARTNER_TRUST_PPM};
use super::{MONTH_DAYS, PPM, UNIT};
use crate::random::Random;

/// How many acquaintances somebody asks who needs something.
const ASKED: usize = 3;
/// The largest payment, in whole units. Amounts are the lower of two draws: most are small (seed 002: a line of 20 is two
/// to four small payments).
const PAYMENT_MAX: u64 = 20;
/// For how many days somebody at the end of its line earns nothing until it may give up.
const STUCK_DAYS: u32 = 60;
/// For how many days somebody owes and earns nothing until stewards freeze it.
const FREEZE_DAYS: u32 = 90;

const DAY: u64 = 24 * 3_600;

/// Runs a setup from a seed. The same seed gives the same run; habits and acquaintances of the agents depend on the seed
/// and on how many there are of each kind, so that two setups can be compared seed by seed.
#[must_use]
pub fn run<R: Rules>(rules: &R, setup: &Setup, seed: u64) -> Outcome {
    let mut market = Market::new(rules, setup, seed);
    (0..setup.days).for_each(|day| market.day(day));
    outcome(&market)
}

/// The state of a run.
pub(super) struct Market<'a, R> {
    rules: &'a R,
    pub(super) setup: &'a Setup,
    random: Random,
    pub(super) agents: Vec<Agent>,
    network: Network,
    pub(super) fund: i64,
    pub(super) counts: Counts,
    pub(super) months: Vec<Month>,
    // Kept from month to month, so that nothing is allocated anew.
    nets: Vec<(Did, i64)>,
    shares: Vec<(u32, u64)>,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) payments: u64,
    pub(super) volume: i64,
    pub(super) refused: u64,
    pub(super) defaults: u64,
    pub(super) lost: i64,
    /// Credit in existence, summed over all days.
    pub(super) credit_days: i64,
    /// Days on which the sum was not zero, or somebody was beyond its line.
    pub(super) broken: u64,
}

impl<'a, R: Rules> Market<'a, R> {
    fn new(rules: &'a R, setup: &'a Setup, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let agents = Agent::all(&mut random, setup);
        let network = Network::draw(&mut random, &agents, setup.degree);
        let months = (setup.days / MONTH_DAYS) as usize;
        let n = agents.len();
        let mut market = Self {
            rules,
            setup,
            random,
            agents,
            network,
            fund: 0,
            counts: Counts::default(),
            months: Vec::with_capacity(months),
            nets: Vec::with_capacity(n),
            shares: Vec::with_capacity(n),
        };
        market.measure_trust();
        market.review_lines(0);
        market
    }

    fn day(&mut self, day: u32) {
        if let Some(shock) = self.setup.shock.filter(|shock| shock.day == day) {
            self.strike(shock.kind);
        }
        // Somebody else comes first each day.
        let n = self.agents.len();
        let first = self.random.index(n);
        for place in (first..n).chain(0..first) {
            self.turn(place, day);
        }
        if day % MONTH_DAYS == MONTH_DAYS - 1 {
            self.month_end(day);
        }
        self.audit();
    }

    /// One agent's day: it joins if it is time, and buys if it needs something and wants to.
    fn turn(&mut self, place: usize, day: u32) {
        let draw = self.random.next();
        let Some(agent) = self.agents.get_mut(place) else { return };
        if agent.place == Place::Outside && agent.joined <= day {
            agent.place = Place::Member;
            self.review_line(place, day);
        }
        let Some(agent) = self.agents.get(place) else { return };
        if draw % PPM >= u64::from(self.setup.demand_ppm) || !agent.wants_to_spend() {
            return;
        }
        // One draw serves for the amount, too: its upper half has nothing to do with the lower.
        let (a, b) = (draw >> 40 & 0xfff, draw >> 52);
        let cents = a.min(b) * (PAYMENT_MAX - 1) * UNIT.unsigned_abs() / 0xfff;
        let amount = UNIT + i64::try_from(cents).unwrap_or(0);
        let range = self.network.range(place);
        if range.is_empty() {
            return;
        }
        let mut asked = self.random.next();
        for _ in 0..ASKED {
            let len = range.len() as u64;
            let at = range.start + usize::try_from(asked % len).unwrap_or(0);
            asked /= len;
            let Some(edge) = self.network.edges.get(at).filter(|edge| edge.trust_ppm >= PARTNER_TRUST_PPM)
            else {
                continue;
            };
            let (to, back) = (edge.to as usize, edge.back as usize);
            if self.agents.get(to).is_some_and(Agent::can_sell) {
                self.pay((place, to), (at, back), amount, day);
                return;
            }
        }
    }

    fn pay(&mut self, (from, to): (usize, usize), (edge, back): (usize, usize), amount: i64, day: u32) {
        let Some(payer) = self.agents.get_mut(from) else { return };
        if !self.rules.covers(payer.balance, payer.line, amount) {
            self.counts.refused += 1;
            return;
        }
        payer.balance -= amount;
        payer.last_spent = day;
        if let Some(payee) = self.agents.get_mut(to) {
            payee.balance += amount;
            payee.last_income = day;
            payee.sold += 1;
        }
        for (at, change) in [(edge, -amount), (back, amount)] {
            if let Some(edge) = self.network.edges.get_mut(at) {
                edge.net += change;
            }
        }
        self.counts.payments += 1;
        self.counts.volume += amount;
    }

    /// Checks, every day, what must always hold.
    fn audit(&mut self) {
        let (mut sum, mut credit) = (self.fund, self.fund.max(0));
        let mut is_beyond = false;
        for agent in &self.agents {
            sum += agent.balance;
            credit += agent.balance.max(0);
            is_beyond |= agent.balance < -agent.line;
        }
        self.counts.credit_days += credit;
        self.counts.broken += u64::from(sum != 0 || is_beyond);
    }

    fn month_end(&mut self, day: u32) {
        self.leave(day);
        self.freeze(day);
        self.charge();
        self.review_lines(day);
        self.agents.iter_mut().for_each(|agent| agent.sold = 0);
        let month = Month::of(self);
        self.months.push(month);
    }

    fn measure_trust(&mut self) {
        for (agent, score) in self.agents.iter_mut().zip(self.network.scores()) {
            agent.trust_ppm = score;
        }
    }

    fn review_lines(&mut self, day: u32) {
        (0..self.agents.len()).for_each(|place| self.review_line(place, day));
    }

    /// Grants what policy recommends by now; what was granted is not lowered.
    fn review_line(&mut self, place: usize, day: u32) {
        let line = match &self.setup.lines {
            Lines::Fixed(units) => units * UNIT,
            Lines::Policy(policy) => self.recommended(policy, place, day),
        };
        if let Some(agent) = self.agents.get_mut(place).filter(|agent| agent.is_here()) {
            agent.line = agent.line.max(line);
        }
    }

    fn recommended(&mut self, policy: &CreditPolicy, place: usize, day: u32) -> i64 {
        let Some(agent) = self.agents.get(place).filter(|agent| agent.is_here()) else { return 0 };
        let edges = self.network.edges.get(self.network.range(place)).into_iter().flatten();
        self.nets.clear();
        self.nets.extend(edges.filter(|edge| edge.net != 0).map(|edge| (did_of(edge.to), edge.net)));
        let member_for = Duration::from_secs(u64::from(day.saturating_sub(agent.joined)) * DAY);
        self.rules.line(policy, agent.trust_ppm, &self.nets, member_for)
    }

    /// Moves the charge on idle balances to the fund, and shares out what the fund has.
    fn charge(&mut self) {
        let Some(Charge { rule, base, fund }) = self.setup.charge else { return };
        for agent in self.agents.iter_mut().filter(|agent| agent.is_here()) {
            let fee = match base {
                Base::Above => self.rules.fee(&rule, agent.balance),
                Base::Whole if agent.balance > rule.threshold => {
                    self.rules.fee(&icn_ledger::Demurrage { threshold: 0, ..rule }, agent.balance)
                }
                Base::Whole => 0,
            };
            agent.balance -= fee;
            self.fund += fee;
        }
        if fund == Fund::Shared {
            self.share_out();
        }
    }

    fn share_out(&mut self) {
        self.shares.clear();
        let members = (0_u32..).zip(&self.agents).filter(|(_, agent)| agent.is_here());
        self.shares.extend(members.map(|(place, _)| (place, 1)));
        let Ok(parts) = self.rules.split(self.fund, &self.shares) else { return };
        for ((place, _), part) in self.shares.iter().zip(parts) {
            if let Some(agent) = self.agents.get_mut(*place as usize) {
                agent.balance += part;
                self.fund -= part;
            }
        }
    }

    /// Lets members leave: some who have had enough, more of those who are stuck.
    fn leave(&mut self, day: u32) {
        for place in 0..self.agents.len() {
            let draw = self.random.next() % PPM;
            let Some(agent) = self.agents.get(place).filter(|agent| agent.is_here()) else { continue };
            let is_stuck = agent.is_at_limit() && day.saturating_sub(agent.last_income) >= STUCK_DAYS;
            let yearly = if is_stuck { self.setup.stuck_leave_ppm } else { self.setup.leave_ppm };
            if draw < u64::from(yearly) * u64::from(MONTH_DAYS) / 365 {
                self.go(place);
            }
        }
    }

    /// Lets one leave with the balance it has. Whoever was near and is owed takes fright, perhaps.
    fn go(&mut self, place: usize) {
        let Some(agent) = self.agents.get_mut(place) else { return };
        agent.place = Place::Left;
        if !agent.owes() {
            return;
        }
        self.counts.defaults += 1;
        self.counts.lost -= agent.balance;
        for at in self.network.range(place) {
            if !self.random.chance(u64::from(self.setup.fear_ppm)) {
                continue;
            }
            let to = self.network.edges.get(at).map(|edge| edge.to as usize);
            self.network.distrust(at);
            if let Some(other) = to.and_then(|to| self.agents.get_mut(to))
                && other.pattern != Pattern::Hoarding
                && other.sells
            {
                other.pattern = Pattern::Conservative;
            }
        }
    }

    fn freeze(&mut self, day: u32) {
        if !self.setup.freezes {
            return;
        }
        for agent in self.agents.iter_mut().filter(|agent| agent.is_here()) {
            let is_taking = agent.owes() && day.saturating_sub(agent.last_income) >= FREEZE_DAYS;
            agent.place = if is_taking { Place::Frozen } else { Place::Member };
        }
    }

    fn strike(&mut self, kind: ShockKind) {
        match kind {
            ShockKind::DebtorsLeave(ppm) => {
                let mut deepest: Vec<(i64, usize)> = (0..self.agents.len())
                    .filter_map(|place| self.agents.get(place).map(|agent| (agent, place)))
                    .filter(|(agent, _)| agent.is_here() && agent.owes())
                    .map(|(agent, place)| (agent.balance, place))
                    .collect();
                deepest.sort_unstable();
                let many = self.agents.len() as u64 * u64::from(ppm) / PPM;
                let many = usize::try_from(many).unwrap_or(0);
                deepest.into_iter().take(many).for_each(|(_, place)| self.go(place));
            }
            ShockKind::Distrust(ppm) => {
                for at in 0..self.network.edges.len() {
                    // Each acquaintance is looked at once, from its lower side.
                    let is_first = self.network.edges.get(at).is_some_and(|edge| at < edge.back as usize);
                    if is_first && self.random.chance(u64::from(ppm)) {
                        self.network.distrust(at);
                    }
                }
                self.measure_trust();
            }
        }
    }
}
