use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const FULL: u32 = TRUST_FULL_PPM;

fn did(n: u8) -> Did {
    Did::from_public_key([n; 32])
}

fn days(n: u64) -> Duration {
    Duration::from_secs(n * 24 * 3_600)
}

fn others(nets: &[i64]) -> Vec<(Did, i64)> {
    nets.iter().enumerate().map(|(n, net)| (did(u8::try_from(n).unwrap()), *net)).collect()
}

fn check(trust_ppm: u32, nets: &[i64], age: Duration, expected: i64) {
    let (line, explanation) = recommended_line(&CreditPolicy::default(), 0, trust_ppm, &others(nets), age);
    assert_eq!(line, expected, "{trust_ppm} {nets:?} {age}: {explanation}");
    assert_eq!(explanation.line, line);
}

#[test]
fn the_rule_in_rows() {
    // A stranger, and full trust before anything was cleared: the initial line.
    check(0, &[], Duration::ZERO, 20);
    check(FULL, &[], days(400), 20);
    check(FULL, &[9], days(400), 20);
    // Full trust doubles the base (C-22); more than full is full; half adds half.
    check(FULL, &[10], days(90), 40);
    check(2 * FULL, &[10], days(90), 40);
    check(FULL / 2, &[10], days(90), 30);
    check(1, &[10], days(90), 20);
    // Ten more per fifty cleared, and nothing for a part of fifty.
    check(0, &[49], days(90), 20);
    check(0, &[50], days(90), 30);
    check(0, &[99], days(90), 30);
    check(0, &[100], days(90), 40);
    // One counterparty counts up to 100; distinct ones add up.
    check(0, &[1_000_000], days(90), 40);
    check(0, &[100, 100, 100], days(90), 80);
    check(0, &[100, -100, 100], days(90), 60);
    // Never above the maximum.
    check(FULL, &[100; 50], days(90), 500);
    // The ramp is linear in time, and floors.
    check(0, &[100], days(0), 20);
    check(0, &[100], days(45), 30);
    check(0, &[100], days(44), 29);
    check(0, &[100], days(3_000), 40);
}

#[test]
fn the_smallest_unit_counts() {
    let policy = CreditPolicy::default();
    let line =
        |decimals, trust, net, age| recommended_line(&policy, decimals, trust, &[(did(1), net)], age).0;
    assert_eq!(line(2, FULL, 999, days(90)), 2_000);
    assert_eq!(line(2, FULL, 1_000, days(90)), 4_000);
    assert_eq!(line(2, 333_333, 1_000, days(90)), 2_666);
    assert_eq!(line(2, 0, 5_000, Duration::from_secs(3_600)), 2_000);
    assert_eq!(line(2, 0, 5_000, Duration::from_secs(3_600 * 3)), 2_001);
    assert_eq!(line(9, FULL, i64::MAX, days(90)), 60_000_000_000);
}

#[test]
fn signs_of_old_configurations_do_not_matter() {
    let policy = CreditPolicy::default();
    let old = CreditPolicy {
        initial: -20,
        max: -500,
        growth: -10,
        growth_per: -50,
        required_cleared: -10,
        per_counterparty_max: -100,
        ..policy.clone()
    };
    assert_eq!(old.clone().magnitudes(), policy);
    for net in [0, 10, 1_000] {
        let line = |policy| recommended_line(policy, 2, FULL, &[(did(1), net)], days(30));
        assert_eq!(line(&old), line(&policy));
    }
}

#[test]
fn a_policy_without_ramp_or_step_or_bound_does_not_divide_by_zero() {
    let policy = CreditPolicy { ramp_days: 0, growth_per: 0, ..CreditPolicy::default() };
    assert_eq!(recommended_line(&policy, 0, 0, &[(did(1), 10)], Duration::ZERO).0, 120);
    let huge = CreditPolicy {
        initial: i64::MIN,
        max: i64::MAX,
        growth: i64::MAX,
        growth_per: i64::MIN,
        trust_multiplier_ppm: u32::MAX,
        ramp_days: u32::MAX,
        required_cleared: 0,
        per_counterparty_max: i64::MAX,
        balance_max: None,
    };
    assert!(recommended_line(&huge, 255, u32::MAX, &[(did(1), i64::MAX)], days(3_650)).0 > 0);
}

#[test]
fn the_explanation_says_what_would_help() {
    let policy = CreditPolicy::default();
    let explain = |nets: &[i64], age| recommended_line(&policy, 2, 0, &others(nets), age).1;
    let newcomer = explain(&[400], days(3));
    assert_eq!(newcomer.required_left, 600);
    assert!(newcomer.would_raise()[0].contains("6.00"), "{:?}", newcomer.would_raise());
    assert!(newcomer.to_string().contains("6.00 must be cleared"), "{newcomer}");
    let ramping = explain(&[10_000], days(45));
    assert_eq!((ramping.line, ramping.full, ramping.counterparties_full), (3_000, 4_000, 1));
    assert!(ramping.to_string().contains("day 45 of 90"), "{ramping}");
    assert!(ramping.would_raise()[0].contains("within 45 days"), "{:?}", ramping.would_raise());
    let full = explain(&[10_000; 40], days(90));
    assert!(full.would_raise().is_empty());
    assert_eq!(full.line, full.max);
}

fn any_policy() -> impl Strategy<Value = CreditPolicy> {
    (
        (0..1_000_i64, 0..5_000_i64, 0..100_i64, 1..200_i64),
        (0..3_000_000_u32, 0..200_u32, 0..100_i64, 0..500_i64),
    )
        .prop_map(|((initial, above, growth, growth_per), (trust, ramp_days, required, one_max))| {
            CreditPolicy {
                initial,
                max: initial + above,
                growth,
                growth_per,
                trust_multiplier_ppm: trust,
                ramp_days,
                required_cleared: required,
                per_counterparty_max: one_max,
                balance_max: None,
            }
        })
}

proptest! {
    #[test]
    fn more_of_anything_never_lowers_it_and_max_bounds_it(
        policy in any_policy(),
        decimals in 0..=9_u8,
        trust in (0..1_100_000_u32, 0..1_100_000_u32),
        age in (0..20_000_000_000_u64, 0..20_000_000_000_u64),
        nets in vec(-1_000_000..1_000_000_i64, 0..8),
        more in (any::<prop::sample::Index>(), 0..1_000_000_i64),
    ) {
        let line = |trust, nets: &[i64], age| {
            recommended_line(&policy, decimals, trust, &others(nets), Duration::from_millis(age)).0
        };
        let unit = 10_i64.pow(u32::from(decimals));
        let before = line(trust.0, &nets, age.0);
        prop_assert!(before <= policy.max * unit);
        prop_assert!(before >= policy.initial * unit);
        prop_assert!(line(trust.0.max(trust.1), &nets, age.0) >= before);
        prop_assert!(line(trust.0, &nets, age.0.max(age.1)) >= before);
        if !nets.is_empty() {
            let mut better = nets.clone();
            let at = more.0.index(better.len());
            better[at] += more.1;
            prop_assert!(line(trust.0, &better, age.0) >= before);
        }
    }

    #[test]
    fn two_friends_cannot_pump_each_other(
        policy in any_policy(),
        payments in vec((any::<bool>(), 1..10_000_i64), 1..200),
        elsewhere in vec(0..1_000_i64, 0..5),
    ) {
        // Payments to and fro, in whole units; each side's book of the other.
        let net: i64 = payments.iter().map(|(to_ann, amount)| if *to_ann { *amount } else { -amount }).sum();
        let cleared = |net: Option<i64>| {
            let mut nets = others(&elsewhere);
            nets.extend(net.map(|net| (did(200), net)));
            recommended_line(&policy, 0, 0, &nets, days(1_000)).1
        };
        let (alone, ann, ben) = (cleared(None), cleared(Some(net)), cleared(Some(-net)));
        let gain = (ann.cleared - alone.cleared) + (ben.cleared - alone.cleared);
        prop_assert!(gain <= policy.per_counterparty_max);
        let steps = policy.per_counterparty_max / policy.growth_per + 1;
        prop_assert!(ann.full - alone.full <= steps * policy.growth);
    }

    #[test]
    fn how_payments_are_split_or_listed_does_not_matter(
        policy in any_policy(),
        items in vec((0..4_u8, -10_000..10_000_i64), 0..30),
    ) {
        let line = |items: &[(u8, i64)]| {
            let nets: Vec<(Did, i64)> = items.iter().map(|(n, net)| (did(*n), *net)).collect();
            recommended_line(&policy, 2, 500_000, &nets, days(30))
        };
        let mut turned = items.clone();
        turned.reverse();
        let summed: Vec<(u8, i64)> = (0..4)
            .map(|n| (n, items.iter().filter(|item| item.0 == n).map(|item| item.1).sum()))
            .collect();
        prop_assert_eq!(line(&items), line(&turned));
        prop_assert_eq!(line(&items), line(&summed));
    }
}
