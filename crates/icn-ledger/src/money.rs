//! Amounts as people write them, exactly, and fair division.

use std::fmt;

use crate::act::DECIMALS_MAX;

/// An amount of a currency, which knows how many decimals people see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// How much, in the smallest unit. Balances may be negative.
    pub amount: i64,
    /// How many decimals people see.
    pub decimals: u8,
    /// The currency's code.
    pub code: String,
}

/// A text that is no amount, or one that cannot be divided.
///
/// Blame: the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a number.
    #[error("`{0}` is not an amount: expected digits with at most one `.`, such as `12.50`")]
    Unreadable(String),
    /// More decimals than the currency has.
    #[error("`{text}` has more decimals than this currency: write at most {decimals}")]
    Decimals {
        /// What was written.
        text: String,
        /// How many there may be.
        decimals: u8,
    },
    /// More than 64 bits of the smallest unit.
    #[error("`{0}` is too large: amounts have at most 19 digits, decimals included")]
    Overflow(String),
    /// A number without a currency, or one with too many words.
    #[error("`{0}` is not an amount of money: expected a number and a currency, such as `12.50 hours`")]
    Currency(String),
    /// A currency that the books do not know.
    #[error("the currency `{0}` is not known here: list those that are with `icn ledger limits`")]
    UnknownCurrency(String),
    /// Nothing to divide by.
    #[error("nothing can be split among nobody: at least one share must be more than 0")]
    NoShares,
}

impl Money {
    /// Reads a number and a currency, such as `12.50 hours`. `decimals_of` knows the currencies.
    ///
    /// # Errors
    ///
    /// [`MoneyError`] with what is not right.
    pub fn parse(text: &str, decimals_of: &dyn Fn(&str) -> Option<u8>) -> Result<Self, MoneyError> {
        let mut words = text.split_whitespace();
        let (Some(number), Some(code), None) = (words.next(), words.next(), words.next()) else {
            return Err(MoneyError::Currency(quoted(text)));
        };
        let decimals = decimals_of(code).ok_or_else(|| MoneyError::UnknownCurrency(quoted(code)))?;
        Ok(Self { amount: parse_amount(number, decimals)?, decimals, code: code.to_owned() })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", format_amount(self.amount, self.decimals), self.code)
    }
}

/// Reads a decimal number as an amount in the smallest unit, exactly. Fewer decimals than the currency has are fine, more
/// are refused: `12.5` with 2 decimals is 1250.
///
/// # Errors
///
/// [`MoneyError`] for anything but an optional `-`, digits, and at most one `.` between digits; and beyond 64 bits.
pub fn parse_amount(text: &str, decimals: u8) -> Result<i64, MoneyError> {
    let unreadable = || MoneyError::Unreadable(quoted(text));
    let (is_negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text),
    };
    let (whole, part) = match number.split_once('.') {
        Some((_, "")) => return Err(unreadable()),
        Some(parts) => parts,
        None => (number, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable());
    }
    let decimals = decimals.min(DECIMALS_MAX);
    let Some(missing) = usize::from(decimals).checked_sub(part.len()) else {
        return Err(MoneyError::Decimals { text: quoted(text), decimals });
    };
    let zeros = std::iter::repeat_n(b'0', missing);
    // Negative all along, because there is one more negative number than positive ones.
    let amount = whole
        .bytes()
        .chain(part.bytes())
        .chain(zeros)
        .try_fold(0_i64, |amount, digit| amount.checked_mul(10)?.checked_sub(i64::from(digit - b'0')));
    let amount = if is_negative { amount } else { amount.and_then(i64::checked_neg) };
    amount.ok_or_else(|| MoneyError::Overflow(quoted(text)))
}

/// Writes an amount with all decimals of its currency: 1250 with 2 decimals is `12.50`. [`parse_amount`] reads it back.
#[must_use]
pub fn format_amount(amount: i64, decimals: u8) -> String {
    let decimals = decimals.min(DECIMALS_MAX);
    let sign = if amount < 0 { "-" } else { "" };
    let unit = 10_u64.pow(u32::from(decimals));
    let (whole, part) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    if decimals == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part:0width$}", width = usize::from(decimals))
    }
}

/// Divides a total by weights so that the parts add up to it: each gets the floor of its share, and the missing units go
/// one each to the largest remainders, ties to the lowest key. A negative total is divided like its magnitude.
///
/// The parts come in the order of `shares`; the result for a key does not depend on that order while keys differ.
///
/// # Errors
///
/// [`MoneyError::NoShares`] when the weights sum to 0.
pub fn split<K: Ord>(total: i64, shares: &[(K, u64)]) -> Result<Vec<i64>, MoneyError> {
    let sum: u128 = shares.iter().map(|(_, weight)| u128::from(*weight)).sum();
    if sum == 0 {
        return Err(MoneyError::NoShares);
    }
    let size = u128::from(total.unsigned_abs());
    // At most 2^63 · 2^64: within 128 bits.
    let product = |weight: u64| size * u128::from(weight);
    let mut parts: Vec<u128> = shares.iter().map(|(_, weight)| product(*weight) / sum).collect();
    let missing = size - parts.iter().sum::<u128>();
    let mut order: Vec<(u128, &K, &mut u128)> = shares
        .iter()
        .zip(&mut parts)
        .map(|((key, weight), part)| (product(*weight) % sum, key, part))
        .collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    // Fewer units are missing than there are shares with a remainder.
    let missing = usize::try_from(missing).unwrap_or(usize::MAX);
    order.into_iter().take(missing).for_each(|(_, _, part)| *part += 1);
    let signed = |part: u128| {
        let part = i128::try_from(part).unwrap_or(i128::MAX);
        i64::try_from(if total < 0 { -part } else { part }).unwrap_or(total)
    };
    Ok(parts.into_iter().map(signed).collect())
}

fn quoted(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
