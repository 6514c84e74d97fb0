use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn text_is_read_exactly() {
    for (text, decimals, expected) in [
        ("12.50", 2, 1_250),
        ("12.5", 2, 1_250),
        ("12", 2, 1_200),
        ("-3", 0, -3),
        ("-0.01", 2, -1),
        ("0", 9, 0),
        ("007", 0, 7),
        ("9223372036854775807", 0, i64::MAX),
        ("-9223372036854775808", 0, i64::MIN),
        ("92233720368547758.07", 2, i64::MAX),
        ("-9223372036.854775808", 9, i64::MIN),
    ] {
        assert_eq!(parse_amount(text, decimals), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_exact_is_refused() {
    let unreadable = [
        "", "-", ".", "5.", ".5", "--5", "+5", "1,50", "1 000", "1_000", "1e3", "0x10", "5.-1", "٣", "1.2.3",
        "∞", "NaN", " 5",
    ];
    for text in unreadable {
        assert!(matches!(parse_amount(text, 2), Err(MoneyError::Unreadable(_))), "{text}");
    }
    for (text, decimals) in [("12.505", 2), ("12.500", 2), ("3.0", 0)] {
        assert!(matches!(parse_amount(text, decimals), Err(MoneyError::Decimals { .. })), "{text}");
    }
    let too_large = [
        ("9223372036854775808", 0),
        ("-9223372036854775809", 0),
        ("92233720368547758.08", 2),
        ("9223372036854775807", 1),
        ("99999999999999999999999999999999999999999999", 0),
    ];
    for (text, decimals) in too_large {
        assert!(matches!(parse_amount(text, decimals), Err(MoneyError::Overflow(_))), "{text}");
    }
    let error = parse_amount("12.505", 2).unwrap_err().to_string();
    assert!(error.contains("at most 2"), "{error}");
}

#[test]
fn money_has_a_number_and_a_known_currency() {
    let decimals_of = |code: &str| match code {
        "hours" => Some(2),
        "eggs" => Some(0),
        _ => None,
    };
    let parse = |text| Money::parse(text, &decimals_of);
    let money = parse(" 12.50  hours ").unwrap();
    assert_eq!((money.amount, money.to_string()), (1_250, "12.50 hours".to_owned()));
    assert_eq!(parse("-3 eggs").unwrap().to_string(), "-3 eggs");
    assert!(matches!(parse("0.5 eggs"), Err(MoneyError::Decimals { .. })));
    assert!(matches!(parse("1 euros"), Err(MoneyError::UnknownCurrency(_))));
    for text in ["", "12.50", "hours", "1 hours please"] {
        assert!(matches!(parse(text), Err(MoneyError::Currency(_))), "{text}");
    }
}

#[test]
fn the_largest_remainders_get_the_missing_units() {
    // The vectors of the survey of peers: the last two columns differ from flooring and giving to the first.
    for (total, weights, expected) in [
        (100, [1, 1, 1], [34, 33, 33]),
        (7, [6, 3, 1], [4, 2, 1]),
        (7, [1, 3, 6], [1, 2, 4]),
        (11, [1, 1, 98], [0, 0, 11]),
        (101, [50, 30, 20], [51, 30, 20]),
        (-7, [6, 3, 1], [-4, -2, -1]),
        (0, [1, 2, 3], [0, 0, 0]),
        (5, [0, 1, 0], [0, 5, 0]),
        (i64::MIN, [u64::MAX, 0, 0], [i64::MIN, 0, 0]),
    ] {
        let shares: Vec<(usize, u64)> = weights.into_iter().enumerate().collect();
        assert_eq!(split(total, &shares).unwrap(), expected, "{total} by {weights:?}");
    }
    assert_eq!(split(5, &[("a", 0), ("b", 0)]), Err(MoneyError::NoShares));
    assert_eq!(split::<u8>(5, &[]), Err(MoneyError::NoShares));
}

proptest! {
    #[test]
    fn format_and_parse_are_inverse(amount in any::<i64>(), decimals in 0..=9_u8) {
        prop_assert_eq!(parse_amount(&format_amount(amount, decimals), decimals), Ok(amount));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-.0-9 a-zé]{0,30}", decimals in any::<u8>()) {
        if let Ok(amount) = parse_amount(&text, decimals) {
            prop_assert_eq!(parse_amount(&format_amount(amount, decimals), decimals), Ok(amount));
        }
    }

    #[test]
    fn parts_add_up_are_fair_and_know_no_order(
        total in any::<i64>(),
        weights in vec(prop_oneof![0..10_u64, any::<u64>()], 1..12),
        turn in any::<prop::sample::Index>(),
    ) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let shares: Vec<(usize, u64)> = weights.into_iter().enumerate().collect();
        let parts = split(total, &shares).unwrap();
        prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(total));
        let sum: i128 = shares.iter().map(|(_, weight)| i128::from(*weight)).sum();
        for ((_, weight), part) in shares.iter().zip(&parts) {
            let exact = i128::from(total.unsigned_abs()) * i128::from(*weight) / sum;
            prop_assert!((0..=1).contains(&(i128::from(part.unsigned_abs()) - exact)));
        }
        let mut turned = shares.clone();
        turned.rotate_left(turn.index(shares.len()));
        let again = split(total, &turned).unwrap();
        for ((key, _), part) in turned.iter().zip(again) {
            prop_assert_eq!(part, parts[*key]);
        }
    }
}
