//! Reputation from rated receipts.

mod support;

use icn_trust::{Rating, Reputation, ReputationSettings, reputation};
use icn_types::{Cid, Did, JobOutcome, Timestamp};
use proptest::prelude::*;
use support::did;

const EXECUTOR: char = 'x';

fn rating(job: u64, originator: char, outcome: JobOutcome) -> Rating {
    Rating {
        job: Cid::of_raw(&job.to_be_bytes()),
        originator: did(originator),
        executor: did(EXECUTOR),
        outcome,
        at: Timestamp::from_millis(job),
        checked: true,
    }
}

/// Capital letters are trusted in full, `h` in half, others not at all.
fn trust(of: &Did) -> u32 {
    match of.public_key()[0] {
        b'A'..=b'Z' => 1_000_000,
        b'h' => 500_000,
        _ => 0,
    }
}

fn read(ratings: &[Rating]) -> Reputation {
    reputation(&did(EXECUTOR), ratings, trust, &ReputationSettings::default())
}

/// So many valid results for each letter, one after the other.
fn row(letters: &str, each: u64, from: u64) -> Vec<Rating> {
    let jobs = (from..).zip(letters.chars().flat_map(|letter| (0..each).map(move |_| letter)));
    jobs.map(|(job, letter)| rating(job, letter, JobOutcome::Valid)).collect()
}

#[test]
fn each_number_follows_from_the_formula() {
    // A: seven results, five count: 10⁶ · 5 / (5 · 4) = 250,000. h: two count: 500,000 · 2 / 20 = 50,000.
    let ratings: Vec<Rating> = row("A", 7, 0).into_iter().chain(row("h", 2, 100)).collect();
    let reputation = read(&ratings);
    assert_eq!((reputation.score_ppm, reputation.consecutive, reputation.is_proven), (300_000, 7, false));
    let shares: Vec<(u64, u32, u32)> =
        reputation.shares.iter().map(|s| (s.results, s.counted, s.adds_ppm)).collect();
    assert_eq!(shares, [(7, 5, 250_000), (2, 2, 50_000)]);
    let text = reputation.to_string();
    assert!(text.contains("reputation 300000") && text.contains("7 results, 5 count, adds 250000"), "{text}");
    assert_eq!(read(&row("ABCD", 5, 0)).score_ppm, 1_000_000);
    assert_eq!(read(&row("ABCDEF", 50, 0)).score_ppm, 1_000_000);
}

#[test]
fn ten_in_a_row_prove_and_one_trusted_originator_alone_does_not() {
    assert!(!read(&row("A", 1_000, 0)).is_proven);
    assert!(read(&row("AB", 5, 0)).is_proven);
    assert!(!read(&row("ABC", 3, 0)).is_proven);
}

#[test]
fn one_bad_result_resets() {
    for outcome in [JobOutcome::Failed, JobOutcome::Missing, JobOutcome::Invalid] {
        let mut ratings = row("ABCD", 5, 0);
        ratings.push(rating(50, 'A', outcome));
        assert_eq!((read(&ratings).score_ppm, read(&ratings).consecutive), (0, 0));
        assert_eq!(read(&ratings).last_bad, ratings.last().cloned());
        assert_eq!(
            read(&ratings).uncounted,
            0,
            "the bad one is told of as such and not among those that add nothing"
        );
        ratings.extend(row("B", 1, 60));
        assert_eq!(read(&ratings).score_ppm, 50_000, "it starts again");
    }
    // Not checked: neither good nor bad. Run again by the originator: as good as valid.
    let mut ratings = row("AB", 5, 0);
    ratings.push(Rating { checked: false, ..rating(51, 'A', JobOutcome::Valid) });
    ratings.push(rating(52, 'C', JobOutcome::Validated));
    let reputation = read(&ratings);
    assert_eq!((reputation.score_ppm, reputation.is_proven, reputation.uncounted), (550_000, true, 1));
    // Of two words about one job the one that was not checked is the worse, whichever of the good ones it is.
    ratings.push(Rating { checked: false, ..rating(52, 'C', JobOutcome::Valid) });
    assert_eq!((read(&ratings).score_ppm, read(&ratings).uncounted), (500_000, 2));
}

#[test]
fn strangers_and_oneself_neither_raise_nor_ruin() {
    let mut ratings = row("AB", 5, 0);
    ratings.push(rating(50, 's', JobOutcome::Invalid));
    ratings.push(rating(51, EXECUTOR, JobOutcome::Valid));
    ratings.push(Rating { executor: did('y'), ..rating(52, 'A', JobOutcome::Invalid) });
    let reputation = read(&ratings);
    assert_eq!((reputation.score_ppm, reputation.ignored, reputation.last_bad), (500_000, 2, None));
    // Even if one trusts oneself.
    let all = reputation_of_all(&row("x", 20, 0));
    assert_eq!((all.score_ppm, all.ignored), (0, 20));
}

fn reputation_of_all(ratings: &[Rating]) -> Reputation {
    reputation(&did(EXECUTOR), ratings, |_| 1_000_000, &ReputationSettings::default())
}

#[test]
fn one_job_has_one_say() {
    let mut ratings: Vec<Rating> = (0..10).map(|_| rating(1, 'A', JobOutcome::Valid)).collect();
    assert_eq!(read(&ratings).consecutive, 1);
    ratings.push(rating(1, 'A', JobOutcome::Invalid));
    assert_eq!(
        (read(&ratings).score_ppm, read(&ratings).last_bad.is_some()),
        (0, true),
        "of several the worst"
    );
}

#[test]
fn settings_are_checked() {
    let default = ReputationSettings::default();
    assert_eq!(default.check(), Ok(()));
    for wrong in [
        ReputationSettings { weight_min_ppm: 0, ..default },
        ReputationSettings { per_originator_max: 0, ..default },
        ReputationSettings { originators_full: 1_001, ..default },
    ] {
        assert!(wrong.check().is_err());
    }
}

fn any_rating() -> impl Strategy<Value = Rating> {
    let outcome = prop::sample::select(vec![
        JobOutcome::Valid,
        JobOutcome::Valid,
        JobOutcome::Valid,
        JobOutcome::Validated,
        JobOutcome::Failed,
        JobOutcome::Missing,
        JobOutcome::Invalid,
    ]);
    let originator = prop::sample::select("ABCDEhsx".chars().collect::<Vec<_>>());
    (0..40_u64, originator, outcome, any::<bool>(), 0..30_u64).prop_map(
        |(job, originator, outcome, checked, at)| Rating {
            checked,
            at: Timestamp::from_millis(at),
            ..rating(job, originator, outcome)
        },
    )
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(
        ratings in prop::collection::vec(any_rating(), 0..40).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        prop_assert_eq!(read(&ratings.0), read(&ratings.1));
    }

    #[test]
    fn a_circle_without_trust_gains_nothing(
        ratings in prop::collection::vec(any_rating(), 0..30), crowd in 1..200_u64, each in 1..20_u64
    ) {
        let before = read(&ratings);
        let friends = (0..crowd * each).map(|job| {
            let mut key = [b's'; 32];
            key[1..9].copy_from_slice(&(job % crowd).to_be_bytes());
            Rating { originator: Did::from_public_key(key), ..rating(1_000 + job, 's', JobOutcome::Valid) }
        });
        let with: Vec<Rating> = ratings.into_iter().chain(friends).collect();
        let after = read(&with);
        prop_assert_eq!((after.score_ppm, after.is_proven, after.shares), (before.score_ppm, before.is_proven, before.shares));
    }

    #[test]
    fn a_good_result_lowers_nothing(ratings in prop::collection::vec(any_rating(), 0..40), extra in any_rating()) {
        let before = read(&ratings);
        let good = Rating { outcome: JobOutcome::Valid, job: Cid::of_raw(b"new"), ..extra };
        let after = read(&ratings.into_iter().chain([good]).collect::<Vec<_>>());
        prop_assert!(after.score_ppm >= before.score_ppm && after.consecutive >= before.consecutive);
        prop_assert!(after.score_ppm <= 1_000_000);
    }
}
