use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::bridges::Graph;
use super::money::gini;
use super::*;

const DAY: u64 = DAY_SECONDS * 1_000;
const NOW: u64 = 1_000 * DAY;

fn did(n: usize) -> Did {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    Did::from_public_key(bytes)
}

fn days_ago(days: u64) -> Timestamp {
    Timestamp::from_millis(NOW - days * DAY)
}

/// A circle of members of 500 days, each with a line of 100.
fn circle(members: usize) -> HealthFacts {
    let account = |n: usize| AccountFacts {
        did: did(n),
        is_member: true,
        is_treasury: false,
        is_frozen: false,
        booked: 0,
        line: 100,
        since: days_ago(500),
    };
    HealthFacts { accounts: (0..members).map(account).collect(), ..HealthFacts::default() }
}

fn pay(facts: &mut HealthFacts, from: usize, to: usize, amount: i64, days: u64) {
    facts.accounts[from].booked -= amount;
    facts.accounts[to].booked += amount;
    let movement = Movement { from: from as u32, to: to as u32, amount, at: days_ago(days) };
    let place = facts.movements.partition_point(|other| other.at <= movement.at);
    facts.movements.insert(place, movement);
    facts.attempts.push(Attempt { at: movement.at, has_failed: false });
}

/// Everybody pays the next, and the one after, every ten days: all is well.
fn lively(members: usize) -> HealthFacts {
    let mut facts = circle(members);
    for days in (0..120).step_by(10) {
        for member in 0..members {
            pay(&mut facts, member, (member + 1) % members, 5, days);
            pay(&mut facts, member, (member + 3) % members, 5, days);
        }
    }
    facts
}

fn judged(facts: &HealthFacts) -> Health {
    Health::of(facts, Timestamp::from_millis(NOW))
}

#[track_caller]
fn check(facts: &HealthFacts, code: SignCode, level: Level, figure: u64, who: &[usize]) {
    let health = judged(facts);
    let sign = health.sign(code).unwrap();
    let who: Vec<Did> = who.iter().map(|n| did(*n)).collect();
    assert_eq!((sign.level, sign.figure, &sign.who), (level, Figure::Ppm(figure), &who), "{}", sign.finding);
    assert_eq!(sign.advice.is_empty(), level == Level::Ok, "{}", sign.advice);
    assert!(health.level >= level && sign.is_judged);
}

#[test]
fn a_lively_circle_is_well() {
    let mut facts = lively(12);
    pay(&mut facts, 0, 3, 30, 5);
    let health = judged(&facts);
    let bad: Vec<&Sign> = health.signs.iter().filter(|sign| sign.level != Level::Ok).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!((health.members, health.active, health.credit), (12, 12, 30));
    assert_eq!((health.volume_30, health.volume_90), (4 * 120 + 30, 10 * 120 + 30));
    let codes: BTreeSet<SignCode> = health.signs.iter().map(|sign| sign.code).collect();
    assert_eq!(codes.len(), RULES.len(), "each sign once");
    assert!(health.signs.iter().all(|sign| !sign.finding.is_empty() && !sign.source.is_empty()));
}

#[test]
fn nothing_says_nothing() {
    for facts in [HealthFacts::default(), circle(3), circle(50)] {
        let health = judged(&facts);
        assert_eq!(health.level, Level::Ok, "{health:?}");
    }
    // Three members who trade are too few for shares of members, and old enough for nothing.
    let mut facts = circle(3);
    pay(&mut facts, 0, 1, 10, 1);
    assert_eq!(judged(&facts).level, Level::Ok);
}

#[test]
fn everything_through_one() {
    let mut facts = circle(12);
    for member in 1..12 {
        pay(&mut facts, member, 0, 10, 3);
        pay(&mut facts, 0, member, 10, 2);
    }
    // 12 active accounts: the busiest two. One of them is the hub.
    check(&facts, SignCode::Concentration, Level::Alarm, 1_000_000, &[0, 1]);
    // Its departure leaves eleven single accounts.
    check(&facts, SignCode::Bridges, Level::Alarm, 10 * 1_000_000 / 12, &[0]);
    let even = lively(20);
    let sign = judged(&even).sign(SignCode::Concentration).unwrap().clone();
    // Two members with two sides each way, less what they pay each other.
    assert_eq!(sign.level, Level::Ok, "{}", sign.finding);
}

#[test]
fn those_who_keep_and_those_who_take() {
    let mut facts = lively(18);
    facts.accounts.extend(circle(22).accounts.drain(18..));
    for (taker, keeper) in [(18, 20), (19, 21)] {
        pay(&mut facts, taker, keeper, 60, 100);
        pay(&mut facts, taker, keeper, 20, 20);
    }
    check(&facts, SignCode::Hoarders, Level::Ok, 2 * 1_000_000 / 22, &[20, 21]);
    check(&facts, SignCode::Takers, Level::Watch, 2 * 1_000_000 / 22, &[18, 19]);
    // A common fund may keep, and so may who is new.
    facts.accounts[20].is_treasury = true;
    facts.accounts[21].since = days_ago(10);
    check(&facts, SignCode::Hoarders, Level::Ok, 0, &[]);
    // One purchase is enough.
    facts.accounts[20].is_treasury = false;
    pay(&mut facts, 20, 0, 1, 1);
    check(&facts, SignCode::Hoarders, Level::Ok, 0, &[]);
}

#[test]
fn a_gini_that_can_be_computed_by_hand() {
    assert_eq!(gini(&[]), 0);
    assert_eq!(gini(&[5]), 0);
    assert_eq!(gini(&[3, 3, 3]), 0);
    assert_eq!(gini(&[1, 3]), 250_000);
    assert_eq!(gini(&[1, 2, 3, 4]), 250_000);
    // A fifth of the holders with 80 %: 0.60.
    assert_eq!(gini(&[5, 5, 5, 5, 80]), 600_000);
    assert_eq!(gini(&[i64::MAX, i64::MAX]), 0);
}

#[test]
fn too_much_credit_for_the_trade() {
    let mut facts = circle(4);
    pay(&mut facts, 0, 1, 250, 40);
    pay(&mut facts, 2, 3, 100, 3);
    check(&facts, SignCode::DeficitRatio, Level::Alarm, 3_500_000, &[]);
    pay(&mut facts, 2, 3, 40, 3);
    check(&facts, SignCode::DeficitRatio, Level::Watch, 390 * 1_000_000 / 140, &[]);
    facts.movements.retain(|movement| movement.at < days_ago(30));
    check(&facts, SignCode::DeficitRatio, Level::Alarm, u64::MAX / 1_000, &[]);
}

#[test]
fn trade_that_dies_down() {
    let mut facts = circle(3);
    pay(&mut facts, 0, 1, 10, 100);
    for days in [80, 60, 40] {
        pay(&mut facts, 0, 1, 100, days);
    }
    pay(&mut facts, 0, 1, 70, 5);
    check(&facts, SignCode::Velocity, Level::Watch, 3 * 70 * 1_000_000 / 370, &[]);
    facts.movements.last_mut().unwrap().amount = 10;
    check(&facts, SignCode::Velocity, Level::Alarm, 3 * 10 * 1_000_000 / 310, &[]);
    // A space that is younger than the window is not judged by it.
    facts.movements.remove(0);
    assert!(!judged(&facts).sign(SignCode::Velocity).unwrap().is_judged);
}

#[test]
fn lines_that_are_used_up() {
    let mut facts = circle(10);
    for member in 0..3 {
        pay(&mut facts, member, member + 5, 90, 5);
    }
    check(&facts, SignCode::AtLimit, Level::Alarm, 300_000, &[0, 1, 2]);
    check(&facts, SignCode::LinesUsed, Level::Ok, 270_000, &[]);
    for member in 3..5 {
        pay(&mut facts, member, member + 5, 89, 5);
        pay(&mut facts, member - 3, 9, 30, 1);
    }
    pay(&mut facts, 2, 9, 30, 1);
    check(&facts, SignCode::AtLimit, Level::Alarm, 300_000, &[0, 1, 2]);
    check(&facts, SignCode::LinesUsed, Level::Watch, (3 * 120 + 2 * 89) * 1_000, &[]);
}

#[test]
fn debts_that_grow_old() {
    let mut facts = circle(4);
    pay(&mut facts, 0, 1, 30, 200);
    pay(&mut facts, 2, 3, 70, 300);
    // Back to zero in between: the debt is new again.
    pay(&mut facts, 3, 2, 70, 50);
    pay(&mut facts, 2, 3, 70, 10);
    check(&facts, SignCode::DebtAge, Level::Watch, 300_000, &[0]);
    let oldest = |facts: &HealthFacts| judged(facts).sign(SignCode::DebtAge).unwrap().more[0].1;
    assert_eq!(oldest(&facts), Figure::Days(200));
    pay(&mut facts, 0, 1, 40, 4);
    check(&facts, SignCode::DebtAge, Level::Alarm, 500_000, &[0]);
}

#[test]
fn debts_of_those_who_left() {
    let mut facts = circle(60);
    for member in 0..30 {
        pay(&mut facts, member, member + 30, 50, 5);
    }
    facts.accounts[4].is_member = false;
    check(&facts, SignCode::LostDebt, Level::Watch, 1_000_000 / 30, &[4]);
    facts.accounts[5].is_frozen = true;
    check(&facts, SignCode::LostDebt, Level::Alarm, 2 * 1_000_000 / 30, &[4, 5]);
}

#[test]
fn newcomers_who_only_spend() {
    let mut facts = circle(6);
    (2..6).for_each(|n| facts.accounts[n].since = days_ago(30));
    pay(&mut facts, 2, 0, 10, 5);
    pay(&mut facts, 3, 0, 15, 5);
    assert!(!judged(&facts).sign(SignCode::Newcomers).unwrap().is_judged);
    pay(&mut facts, 0, 4, 15, 5);
    check(&facts, SignCode::Newcomers, Level::Watch, 666_666, &[3, 2]);
    pay(&mut facts, 5, 1, 1, 5);
    check(&facts, SignCode::Newcomers, Level::Alarm, 750_000, &[3, 2, 5]);
}

#[test]
fn claims_and_failed_payments() {
    let mut facts = lively(10);
    pay(&mut facts, 0, 1, 100, 5);
    facts.claims = vec![(did(3), 4), (did(3), 0)];
    check(&facts, SignCode::Claims, Level::Watch, 40_000, &[3]);
    facts.claims.push((did(1), 1));
    check(&facts, SignCode::Claims, Level::Alarm, 50_000, &[1, 3]);
    facts.attempts.iter_mut().filter(|attempt| attempt.at >= days_ago(90)).step_by(4).for_each(|attempt| {
        attempt.has_failed = true;
    });
    let unmet = judged(&facts).sign(SignCode::Unmet).unwrap().clone();
    assert_eq!(unmet.level, Level::Alarm, "{}", unmet.finding);
}

#[test]
fn names_are_bounded_and_counted() {
    let mut facts = circle(40);
    (0..20).for_each(|member| pay(&mut facts, member, member + 20, 95, 5));
    let health = judged(&facts);
    let sign = health.sign(SignCode::AtLimit).unwrap();
    assert_eq!((sign.who.len(), sign.who_total), (WHO_MAX, 20));
}

/// Counts the parts of a graph without one account, slowly.
fn parts_without(pairs: &[(usize, usize)], gone: usize) -> Vec<usize> {
    let mut near: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (a, b) in pairs.iter().filter(|(a, b)| a != b) {
        for (a, b) in [(*a, *b), (*b, *a)] {
            if a != gone {
                let known = near.entry(a).or_default();
                if b != gone {
                    known.insert(b);
                }
            }
        }
    }
    let mut sizes = Vec::new();
    while let Some(first) = near.keys().next().copied() {
        let mut reached = BTreeSet::from([first]);
        let mut left = vec![first];
        while let Some(place) = left.pop() {
            for next in near.remove(&place).unwrap_or_default() {
                if reached.insert(next) {
                    left.push(next);
                }
            }
        }
        sizes.push(reached.len());
    }
    sizes.sort_unstable();
    sizes
}

proptest! {
    #[test]
    fn bridges_are_what_taking_one_away_shows(
        pairs in prop::collection::vec((0_usize..14, 0_usize..14), 0..28),
    ) {
        let graph = Graph::of(pairs.iter().copied());
        let cut = graph.cut_off();
        let whole = parts_without(&pairs, usize::MAX);
        prop_assert_eq!(graph.parts(), whole.len());
        for place in 0..14 {
            if !pairs.iter().any(|(a, b)| a != b && (*a == place || *b == place)) {
                prop_assert!(!cut.contains_key(&place));
                continue;
            }
            let more_parts = parts_without(&pairs, place).len() > whole.len();
            prop_assert_eq!(cut.contains_key(&place), more_parts, "{}", place);
        }
    }

    #[test]
    fn what_is_cut_off_is_all_but_the_largest_piece(
        pairs in prop::collection::vec((0_usize..10, 0_usize..10), 1..12),
    ) {
        // One connected graph: everything hangs on what came before.
        let tree: Vec<(usize, usize)> = pairs.iter().enumerate().map(|(n, (a, _))| (n + 1, a % (n + 1))).collect();
        let graph = Graph::of(tree.iter().copied());
        for (place, lost) in graph.cut_off() {
            let pieces = parts_without(&tree, place);
            prop_assert_eq!(lost, pieces.iter().sum::<usize>() - pieces.last().unwrap());
        }
    }

    #[test]
    fn any_facts_can_be_judged(
        payments in prop::collection::vec((0_usize..6, 0_usize..6, 1_i64..i64::MAX / 64, 0_u64..400), 0..40),
        now in 0_u64..3 * NOW,
    ) {
        let mut facts = circle(6);
        for (from, to, amount, days) in payments {
            pay(&mut facts, from, to, amount, days);
        }
        let health = Health::of(&facts, Timestamp::from_millis(now));
        prop_assert!(health.volume_30 <= health.volume_90);
        for sign in &health.signs {
            prop_assert!(sign.is_judged || sign.level == Level::Ok);
        }
    }
}
