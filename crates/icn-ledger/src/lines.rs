//! How large a credit line the policy of a currency suggests for a member.
//!
//! It is advice for a steward, who grants it by a signed entry; nobody's payment is judged by it. The rule (conflict C-22):
//!
//! ```text
//! full  = min(max, initial · (1 + trust · trust_multiplier) + growth · ⌊cleared / growth_per⌋)
//! line  = initial                                        while cleared < required_cleared
//!         initial + ⌊(full − initial) · age / ramp_days⌋  then
//! ```
//!
//! Everything is integers of the smallest unit, and every division rounds down. *Cleared* is what a member received net, summed
//! over distinct counterparties, each counted up to `per_counterparty_max`: two friends that pay each other to and fro add at
//! most that much, however often they do it (B-58).

use std::collections::BTreeMap;
use std::fmt;

use icn_types::{Did, Duration};
use serde::{Deserialize, Serialize};

use crate::money::format_amount;
use crate::policy::CreditPolicy;

/// Full trust, in parts per million. More counts as this.
pub const TRUST_FULL_PPM: u32 = 1_000_000;

const DAY_MS: i128 = 24 * 3_600 * 1_000;
const PPM: i128 = 1_000_000;

/// How a recommended line came about, all amounts in the smallest unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineExplanation {
    /// The recommended line.
    pub line: i64,
    /// What every member starts with.
    pub initial: i64,
    /// What trust adds.
    pub from_trust: i64,
    /// What cleared volume adds.
    pub from_cleared: i64,
    /// The line after the ramp: the sum of the three, at most `max`.
    pub full: i64,
    /// The highest line of this currency.
    pub max: i64,
    /// Net receipts, each counterparty counted up to `per_counterparty_max`.
    pub cleared: i64,
    /// How many counterparties count.
    pub counterparties: u64,
    /// How many of them reached `per_counterparty_max`: more with them adds nothing.
    pub counterparties_full: u64,
    /// The most that one counterparty adds to `cleared`.
    pub per_counterparty_max: i64,
    /// What must still be cleared before the line exceeds `initial`; 0 when it is done.
    pub required_left: i64,
    /// What must still be cleared for the next step of growth.
    pub next_step_in: i64,
    /// How much a step adds.
    pub step: i64,
    /// Days of the ramp that have passed, at most `ramp_days`.
    pub ramp_days_done: u32,
    /// Days of the whole ramp.
    pub ramp_days: u32,
    /// How many decimals the amounts have.
    pub decimals: u8,
}

/// Recommends a credit line, in the smallest unit of the currency, and says why.
///
/// `trust_ppm` is the trust in the member in parts per million, 0 for strangers. `counterparties` holds what the member
/// received from each less what it paid to it, in the smallest unit; several items of one counterparty are added up.
/// Negative amounts in the policy are read as magnitudes (B-56).
#[must_use]
pub fn recommended_line(
    policy: &CreditPolicy,
    decimals: u8,
    trust_ppm: u32,
    counterparties: &[(Did, i64)],
    member_for: Duration,
) -> (i64, LineExplanation) {
    let policy = policy.clone().magnitudes();
    // Not above 10^18, so that products of three such numbers stay within 128 bits for every policy that passes its check.
    let unit = 10_i128.pow(u32::from(decimals.min(18)));
    let scaled = |whole: i64| i128::from(whole).saturating_mul(unit);
    let max = scaled(policy.max);
    let initial = scaled(policy.initial).min(max);
    let (step, step_per) = (scaled(policy.growth), scaled(policy.growth_per.max(1)));
    let (required, one_max) = (scaled(policy.required_cleared), scaled(policy.per_counterparty_max));

    let volume = Volume::of(counterparties, one_max);
    let trust = i128::from(trust_ppm.min(TRUST_FULL_PPM));
    let gain = trust.saturating_mul(i128::from(policy.trust_multiplier_ppm));
    let from_trust = initial.saturating_mul(gain) / (PPM * PPM);
    let from_cleared = step.saturating_mul(volume.cleared / step_per);
    let full = initial.saturating_add(from_trust).saturating_add(from_cleared).min(max);

    let ramp_ms = i128::from(policy.ramp_days) * DAY_MS;
    let age_ms = i128::from(member_for.as_millis()).min(ramp_ms);
    let above = full - initial;
    let ramped = if ramp_ms == 0 { above } else { above.saturating_mul(age_ms) / ramp_ms };
    let line = if volume.cleared < required { initial } else { initial + ramped };

    let explanation = LineExplanation {
        line: narrow(line),
        initial: narrow(initial),
        from_trust: narrow(from_trust),
        from_cleared: narrow(from_cleared),
        full: narrow(full),
        max: narrow(max),
        cleared: narrow(volume.cleared),
        counterparties: volume.counted,
        counterparties_full: volume.full,
        per_counterparty_max: narrow(one_max),
        required_left: narrow((required - volume.cleared).max(0)),
        next_step_in: narrow(step_per - volume.cleared % step_per),
        step: narrow(step),
        ramp_days_done: u32::try_from(age_ms / DAY_MS).unwrap_or(policy.ramp_days),
        ramp_days: policy.ramp_days,
        decimals,
    };
    (explanation.line, explanation)
}

/// Tells whether an account may spend an amount: its balance stays at or above the line below zero. This is the rule by
/// which every payment and hold is judged.
#[must_use]
pub const fn covers(balance: i128, line: i64, amount: i64) -> bool {
    amount as i128 <= balance + line as i128
}

struct Volume {
    cleared: i128,
    counted: u64,
    full: u64,
}

impl Volume {
    fn of(counterparties: &[(Did, i64)], one_max: i128) -> Self {
        let mut nets: BTreeMap<Did, i128> = BTreeMap::new();
        for (did, net) in counterparties {
            *nets.entry(*did).or_default() += i128::from(*net);
        }
        let mut volume = Self { cleared: 0, counted: 0, full: 0 };
        for net in nets.into_values().filter(|net| *net > 0) {
            volume.cleared = volume.cleared.saturating_add(net.min(one_max));
            volume.counted += 1;
            volume.full += u64::from(net >= one_max);
        }
        volume
    }
}

fn narrow(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

impl LineExplanation {
    /// Lists what would raise the line, in sentences for people; empty at the maximum.
    #[must_use]
    pub fn would_raise(&self) -> Vec<String> {
        let mut hints = Vec::new();
        let text = |amount| format_amount(amount, self.decimals);
        if self.line >= self.max {
            return hints;
        }
        if self.required_left > 0 {
            hints.push(format!("receive {} more from other members", text(self.required_left)));
        } else if self.full > self.line {
            let days = self.ramp_days.saturating_sub(self.ramp_days_done);
            hints.push(format!("wait: within {days} days the line rises to {}", text(self.full)));
        }
        if self.full < self.max && self.step > 0 {
            let (more, step) = (text(self.next_step_in), text(self.step));
            let limit = text(self.per_counterparty_max);
            hints.push(format!(
                "receive {more} more, each member counting up to {limit}: {step} more in the end"
            ));
        }
        hints
    }
}

impl fmt::Display for LineExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |amount| format_amount(amount, self.decimals);
        write!(
            f,
            "{} = {} to start with + {} for trust + {} for {} cleared with {} members, at most {}",
            text(self.line),
            text(self.initial),
            text(self.from_trust),
            text(self.from_cleared),
            text(self.cleared),
            self.counterparties,
            text(self.max)
        )?;
        if self.required_left > 0 {
            write!(f, "; {} must be cleared before it rises", text(self.required_left))
        } else if self.line < self.full {
            let (done, days) = (self.ramp_days_done, self.ramp_days);
            write!(f, "; day {done} of {days} on the way to {}", text(self.full))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
