//! Amounts as people write them.

use serde::{Deserialize, Serialize};

use crate::api::Problem;

/// The most decimals that a currency has.
const DECIMALS_MAX: u8 = 9;

/// An amount of a currency, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// With the currency's decimals and its code: `-2.50 hours`.
    pub text: String,
    /// In the smallest unit of the currency.
    pub smallest: i64,
    /// The currency's code.
    pub currency: String,
}

impl Amount {
    /// Makes an amount of so many of the smallest unit.
    #[must_use]
    pub fn new(smallest: i64, currency: &str, decimals: u8) -> Self {
        let text = format!("{} {currency}", amount_text(smallest, decimals));
        Self { text, smallest, currency: currency.to_owned() }
    }

    /// Reads an amount of 0 or more, such as `2.5 hours`. A bare number is of the only currency, if there is only one.
    ///
    /// `currencies` are the codes with their decimals.
    ///
    /// # Errors
    ///
    /// 422 `bad-amount` or `unknown-currency`, which names the currencies there are.
    pub fn parse<'a>(
        text: &str,
        currencies: impl IntoIterator<Item = (&'a str, u8)>,
    ) -> Result<Self, Problem> {
        let currencies: Vec<(&str, u8)> = currencies.into_iter().collect();
        let shown: String = text.chars().take(64).collect();
        let known = || {
            let codes: Vec<String> = currencies.iter().map(|(code, _)| format!("`{code}`")).collect();
            if codes.is_empty() { "none yet".to_owned() } else { codes.join(", ") }
        };
        let (number, code) = match (text.trim().split_once(' '), currencies.as_slice()) {
            (Some((number, code)), _) => (number, code.trim()),
            (None, [(only, _)]) => (text.trim(), *only),
            (None, _) => {
                let detail =
                    format!("`{shown}` names no currency: write `2.50 CODE` with one of {}", known());
                return Err(Problem::invalid("bad-amount", detail));
            }
        };
        let Some((code, decimals)) = currencies.iter().find(|(known, _)| *known == code) else {
            let code: String = code.chars().take(32).collect();
            let detail = format!("the space has no currency `{code}`: it has {}", known());
            return Err(Problem::invalid("unknown-currency", detail));
        };
        match parse_decimal(number, *decimals) {
            Some(smallest) => Ok(Self::new(smallest, code, *decimals)),
            None => {
                let detail = format!(
                    "`{shown}` is not an amount: expected digits, with at most {decimals} after the point, and \
                     the currency, such as `{} {code}`",
                    amount_text(25 * 10_i64.pow(u32::from((*decimals).min(DECIMALS_MAX))) / 10, *decimals)
                );
                Err(Problem::invalid("bad-amount", detail))
            }
        }
    }
}

/// Writes so many of a currency's smallest unit with its decimals: `-2.50`.
#[must_use]
pub fn amount_text(smallest: i64, decimals: u8) -> String {
    let decimals = usize::from(decimals.min(DECIMALS_MAX));
    let sign = if smallest < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", smallest.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Reads digits with at most so many after a point; exact or nothing.
fn parse_decimal(text: &str, decimals: u8) -> Option<i64> {
    let decimals = usize::from(decimals.min(DECIMALS_MAX));
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) || fraction.len() > decimals {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_all_decimals() {
        let check = |smallest, decimals, expected: &str| {
            assert_eq!(amount_text(smallest, decimals), expected, "{smallest} {decimals}");
        };
        check(250, 2, "2.50");
        check(-250, 2, "-2.50");
        check(5, 2, "0.05");
        check(-5, 2, "-0.05");
        check(0, 2, "0.00");
        check(7, 0, "7");
        check(1, 9, "0.000000001");
        check(i64::MIN, 9, "-9223372036.854775808");
        check(i64::MAX, 0, "9223372036854775807");
    }

    #[test]
    fn amounts_are_read_exactly() {
        let currencies = [("hours", 2), ("eggs", 0)];
        let check = |text: &str, expected: Option<(i64, &str)>| {
            let amount = Amount::parse(text, currencies).ok();
            let amount = amount.as_ref().map(|amount| (amount.smallest, amount.currency.as_str()));
            assert_eq!(amount, expected, "{text}");
        };
        check("2.5 hours", Some((250, "hours")));
        check("2.50 hours", Some((250, "hours")));
        check(" 2  hours ", Some((200, "hours")));
        check("0.01 hours", Some((1, "hours")));
        check("12 eggs", Some((12, "eggs")));
        check("92233720368547758.07 hours", Some((i64::MAX, "hours")));
        for bad in [
            "92233720368547758.08 hours",
            "2.505 hours",
            "2. hours",
            ".5 hours",
            "-1 hours",
            "+1 hours",
            "1e3 hours",
            "2,5 hours",
            "1.5 eggs",
            "5",
            "5 apples",
            "hours",
            "",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn a_bare_number_is_of_the_only_currency() {
        assert_eq!(Amount::parse("5", [("hours", 1)]).unwrap().text, "5.0 hours");
        assert_eq!(Amount::parse("5", []).unwrap_err().code, "bad-amount");
        let error = Amount::parse("5 eggs", [("hours", 1)]).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.detail.contains("`hours`")),
            ("unknown-currency", true),
            "{error}"
        );
    }
}
