//! Who trades, and by which habits.

use icn_types::Did;

use super::scenarios::Setup;
use super::{PPM, UNIT};
use crate::random::Random;

/// When an agent spends (seed 002: SIM-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Only what it has.
    Conservative,
    /// While its balance is within 50 of zero: above that it stops, as the seeds' agents do.
    Balanced,
    /// While its balance is not 50 below zero or more.
    Even,
    /// Down to the end of its line.
    Aggressive,
    /// Never.
    Hoarding,
}

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It has not joined yet.
    Outside,
    Member,
    /// It may not spend.
    Frozen,
    /// It has left, with whatever balance it had.
    Left,
}

/// A balanced agent spends while its balance is nearer to zero than this.
const BALANCED_WITHIN: i64 = 50 * UNIT;

#[derive(Debug, Clone, Copy)]
pub(super) struct Agent {
    pub(super) balance: i64,
    pub(super) line: i64,
    pub(super) pattern: Pattern,
    pub(super) place: Place,
    /// Whether it ever sells.
    pub(super) sells: bool,
    pub(super) is_newcomer: bool,
    /// How many sales a month it can serve.
    pub(super) capacity: u32,
    pub(super) sold: u32,
    pub(super) joined: u32,
    pub(super) last_income: u32,
    pub(super) last_spent: u32,
    /// How far it trusts others, and others it.
    pub(super) propensity_ppm: u32,
    /// What the trust network says of it.
    pub(super) trust_ppm: u32,
}

impl Agent {
    fn draw(random: &mut Random, setup: &Setup) -> Self {
        let habit = random.next() % PPM;
        let pattern = match habit {
            habit if habit < u64::from(setup.conservative_ppm) => Pattern::Conservative,
            habit if habit < u64::from(setup.conservative_ppm + setup.balanced_ppm) => {
                if setup.spends_surplus { Pattern::Even } else { Pattern::Balanced }
            }
            _ => Pattern::Aggressive,
        };
        let is_newcomer = random.chance(u64::from(setup.newcomers_ppm));
        let riders = if is_newcomer { setup.newcomer_riders_ppm } else { setup.riders_ppm };
        let is_rider = random.chance(u64::from(riders));
        let hoards = random.chance(u64::from(setup.hoarders_ppm));
        let pattern = match (is_rider, hoards) {
            (true, _) => Pattern::Aggressive,
            (false, true) => Pattern::Hoarding,
            (false, false) => pattern,
        };
        let within_run = random.within((1, u64::from(setup.days.max(2)) * 2 / 3));
        let joined = if is_newcomer { u32::try_from(within_run).unwrap_or(0) } else { 0 };
        let propensity_ppm = u32::try_from(random.next() % (PPM + 1)).unwrap_or(0);
        let capacity = u32::try_from(random.within((8, 30))).unwrap_or(8);
        Self {
            balance: 0,
            line: 0,
            pattern,
            place: if is_newcomer { Place::Outside } else { Place::Member },
            sells: !is_rider,
            is_newcomer,
            capacity,
            sold: 0,
            joined,
            last_income: joined,
            last_spent: joined,
            propensity_ppm,
            trust_ppm: 0,
        }
    }

    pub(super) fn all(random: &mut Random, setup: &Setup) -> Vec<Self> {
        (0..setup.agents).map(|_| Self::draw(random, setup)).collect()
    }

    /// Tells whether it would like to spend now.
    pub(super) const fn wants_to_spend(&self) -> bool {
        if !matches!(self.place, Place::Member) {
            return false;
        }
        match self.pattern {
            Pattern::Conservative => self.balance > 0,
            Pattern::Balanced => self.balance.abs() < BALANCED_WITHIN,
            Pattern::Even => self.balance > -BALANCED_WITHIN,
            Pattern::Aggressive => self.balance > -self.line,
            Pattern::Hoarding => false,
        }
    }

    /// Tells whether it would serve somebody now.
    pub(super) const fn can_sell(&self) -> bool {
        self.sells && matches!(self.place, Place::Member | Place::Frozen) && self.sold < self.capacity
    }

    pub(super) const fn is_here(&self) -> bool {
        matches!(self.place, Place::Member | Place::Frozen)
    }

    pub(super) const fn owes(&self) -> bool {
        self.balance < 0
    }

    /// Tells whether it has come to the end of its line: nine tenths of it or more are used.
    pub(super) const fn is_at_limit(&self) -> bool {
        self.line > 0 && -self.balance * 10 >= self.line * 9
    }
}

/// Names an agent for the code that knows members.
pub(super) fn did_of(agent: u32) -> Did {
    let mut bytes = [0x45; 32];
    for (to, from) in bytes.iter_mut().zip(agent.to_be_bytes()) {
        *to = from;
    }
    Did::from_public_key(bytes)
}
