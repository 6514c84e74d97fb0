//! The seam to the policy that real members live under.

use icn_ledger::{CreditPolicy, Demurrage, MoneyError};
use icn_types::{Did, Duration};

use super::DECIMALS;

/// The decisions of policy. Each is made by the production code unless a test plants a bug.
pub trait Rules: Sync {
    /// Tells whether an account may spend.
    fn covers(&self, balance: i64, line: i64, amount: i64) -> bool {
        icn_ledger::covers(i128::from(balance), line, amount)
    }

    /// Measures a credit line.
    fn line(&self, policy: &CreditPolicy, trust_ppm: u32, nets: &[(Did, i64)], member_for: Duration) -> i64 {
        icn_ledger::recommended_line(policy, DECIMALS, trust_ppm, nets, member_for).0
    }

    /// Charges a balance for one period.
    fn fee(&self, rule: &Demurrage, balance: i64) -> i64 {
        rule.fee(balance, 1)
    }

    /// Divides a total so that the parts add up.
    ///
    /// # Errors
    ///
    /// When there is nobody to divide among.
    fn split(&self, total: i64, shares: &[(u32, u64)]) -> Result<Vec<i64>, MoneyError> {
        icn_ledger::split(total, shares)
    }
}

/// The production code, and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Production;

impl Rules for Production {}
