//! Amounts of a currency, in integers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// So many of a currency's smallest unit. Prices are never negative; balances are the ledger's affair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenAmount {
    /// How many of the smallest unit.
    pub amount: u64,
    /// The currency's code, such as `hours`: 1 to 32 of `a-z`, `A-Z`, `0-9`, `-`, `_`.
    pub currency: String,
}

/// An amount that cannot be read or computed with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not `<integer> <currency>`.
    #[error("`{0}` is not an amount: expected a whole number and a currency, such as `5 hours`")]
    Unreadable(String),
    /// Two currencies met.
    #[error("amounts in `{0}` and `{1}` cannot be compared or added: use one currency")]
    Currency(String, String),
    /// The sum is beyond 64 bits.
    #[error("the sum is too large")]
    Overflow,
}

impl TokenAmount {
    /// Tells whether the currency's code is well formed.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (1..=32).contains(&self.currency.len())
            && self.currency.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && i64::try_from(self.amount).is_ok()
    }

    /// Adds two amounts of one currency.
    ///
    /// # Errors
    ///
    /// [`AmountError::Currency`] for two currencies, [`AmountError::Overflow`] beyond 64 bits.
    pub fn checked_add(&self, other: &Self) -> Result<Self, AmountError> {
        if self.currency != other.currency {
            return Err(AmountError::Currency(self.currency.clone(), other.currency.clone()));
        }
        let amount = self.amount.checked_add(other.amount).ok_or(AmountError::Overflow)?;
        Ok(Self { amount, currency: self.currency.clone() })
    }
}

impl fmt::Display for TokenAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

impl FromStr for TokenAmount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let fail = || AmountError::Unreadable(text.chars().take(64).collect());
        let (amount, currency) = text.trim().split_once(' ').ok_or_else(fail)?;
        let amount =
            Self { amount: amount.parse().map_err(|_| fail())?, currency: currency.trim().to_owned() };
        if amount.is_valid() { Ok(amount) } else { Err(fail()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_numbers_of_a_currency() {
        assert_eq!(
            "5 hours".parse::<TokenAmount>().unwrap(),
            TokenAmount { amount: 5, currency: "hours".into() }
        );
        for text in ["5", "hours", "5.5 hours", "-5 hours", "5 hours please", "9223372036854775808 hours"] {
            assert!(text.parse::<TokenAmount>().is_err(), "{text}");
        }
    }

    #[test]
    fn currencies_do_not_mix() {
        let (a, b): (TokenAmount, TokenAmount) = ("1 hours".parse().unwrap(), "1 eggs".parse().unwrap());
        assert!(matches!(a.checked_add(&b), Err(AmountError::Currency(..))));
        assert_eq!(a.checked_add(&a).unwrap().amount, 2);
    }
}
