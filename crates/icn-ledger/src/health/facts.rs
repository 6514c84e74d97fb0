//! What health is judged by.

use icn_types::{Did, Timestamp};

/// One currency of a space, as far as its health follows from it.
///
/// [`Books::health_facts`](crate::Books::health_facts) draws it from the books; the economic simulation makes its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthFacts {
    /// How many decimals the currency has.
    pub decimals: u8,
    /// Its accounts: every member, and whoever has used it.
    pub accounts: Vec<AccountFacts>,
    /// What moved between them, oldest first.
    pub movements: Vec<Movement>,
    /// Payments and holds that were begun.
    pub attempts: Vec<Attempt>,
    /// Open claims: the creditor, and how much in the smallest unit.
    pub claims: Vec<(Did, i64)>,
}

/// One account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFacts {
    /// Whose.
    pub did: Did,
    /// Whether it is a member now.
    pub is_member: bool,
    /// Whether it is a treasury: a common account is neither a hoarder nor a free rider.
    pub is_treasury: bool,
    /// Whether it cannot spend: frozen, or forked.
    pub is_frozen: bool,
    /// Its balance, in the smallest unit.
    pub booked: i64,
    /// How far below zero it may go.
    pub line: i64,
    /// Since when it is known.
    pub since: Timestamp,
}

/// Something that moved from one account to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The payer, by its place among the accounts.
    pub from: u32,
    /// The payee, by its place among the accounts.
    pub to: u32,
    /// How much, in the smallest unit; above 0.
    pub amount: i64,
    /// When it was booked.
    pub at: Timestamp,
}

/// A payment or hold that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// Whether it was declined, or lapsed.
    pub has_failed: bool,
}
