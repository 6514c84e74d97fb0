//! Properties of the books over whole histories drawn from seeds: several authors, forks, certificates, seals.
#![allow(clippy::indexing_slicing, reason = "a missing key is a broken test")]

mod books_support;

use std::collections::BTreeMap;

use books_support::{HOURS, History, Random, Wild, did, draw};
use icn_ledger::{Act, Books, ClaimCause, Mandate, OrderRef, Reason, TransferCause, Verdict};
use proptest::prelude::*;

fn compare(history: &History, seed: u64) {
    let mut random = Random(seed ^ 0xabcd);
    let order = history.all();
    let first = history.apply(&order);
    let replayed = history.replay(&order);
    let verdicts = history.verdicts(&order, &first);
    assert!(verdicts == history.verdicts(&order, &replayed), "replay {seed}");
    assert_eq!(first.digest(), replayed.digest(), "replay");
    assert!(first.check_zero_sum());
    assert!(first.verify(history.items(&order)));
    for _ in 0..3 {
        let order = history.shuffle(&mut random, &order);
        let books = history.apply(&order);
        assert!(verdicts == history.verdicts(&order, &books), "another order {seed}");
        assert_eq!(first.digest(), books.digest(), "another order");
        let books = history.apply_late(&order);
        assert_eq!(first.digest(), books.digest(), "judged late");
    }
    // What became void after it was accepted stands as claims.
    let mut undone = 0_i128;
    for (raw, verdicts) in &verdicts {
        for (act, verdict) in history.raws[*raw].post.acts.iter().zip(verdicts) {
            if let (icn_ledger::Act::Accept { order }, Verdict::Invalid(Reason::OrderVoid)) = (act, verdict) {
                let named = &history.raws[history.by_id[&order.entry]].post.acts[order.index as usize];
                if let icn_ledger::Act::Pay { amount, .. } | icn_ledger::Act::Capture { amount, .. } = named {
                    undone += i128::from(*amount);
                }
            }
        }
    }
    let lapsed: BTreeMap<_, _> = first
        .claims()
        .into_iter()
        .filter(|claim| claim.cause == ClaimCause::Void)
        .filter(|claim| {
            let raw = history.by_id[&claim.by.entry];
            verdicts[&raw][claim.by.index as usize] == Verdict::Invalid(Reason::OrderVoid)
        })
        .map(|claim| (claim.id, claim.amount))
        .collect();
    assert_eq!(undone, lapsed.values().map(|amount| i128::from(*amount)).sum::<i128>(), "claims");
}

/// A treasury among whatever else there is.
fn treasuries(seed: u64) -> Wild {
    let (forks, witnesses, derived) =
        (seed.is_multiple_of(3), seed.is_multiple_of(4), seed.is_multiple_of(5));
    Wild { steps: 120, forks, seals: true, witnesses, derived, treasuries: true }
}

/// Adds up what was paid within budgets, by budget and period, from what the entries say.
fn spent_by_hand(history: &History, books: &Books) -> BTreeMap<(OrderRef, u32), i64> {
    let named = |id: &OrderRef| &history.raws[history.by_id[&id.entry]].post.acts[id.index as usize];
    let mut spent = BTreeMap::new();
    for (raw, entry) in history.raws.iter().enumerate().filter(|(_, entry)| entry.author == did(5)) {
        let budget = match &entry.post.mandate {
            Some(Mandate::Proposal(id)) => {
                let Act::Propose(proposal) = named(id) else { continue };
                proposal.budget
            }
            Some(Mandate::Standing(id)) => {
                let Act::Standing(terms) = named(id) else { continue };
                terms.budget
            }
            None => None,
        };
        let Some(budget) = budget else { continue };
        // What enough approvers approved takes nothing of it.
        let past: Vec<usize> = history.pasts[raw].iter().copied().filter(|one| *one != raw).collect();
        let before = history.apply(&past);
        let approved = before.proposals(None).into_iter().any(|known| {
            Some(Mandate::Proposal(known.id)) == entry.post.mandate
                && known.approved.len() >= known.needed as usize
        });
        if approved {
            continue;
        }
        let known = before.budgets(None).into_iter().find(|known| known.id == budget);
        let period = known.map_or(0, |known| known.period);
        for (act, verdict) in entry.post.acts.iter().zip(books.verdicts(raw as u32)) {
            if let (Act::Pay { amount, .. }, true) = (act, verdict.is_valid()) {
                *spent.entry((budget, period)).or_default() += amount;
            }
        }
    }
    spent
}

#[test]
fn what_is_drawn_holds_every_case_of_a_treasury() {
    let mut met: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..150 {
        let history = draw(seed, treasuries(seed));
        let books = history.apply(&history.all());
        for (raw, _) in history.raws.iter().enumerate().filter(|(_, entry)| entry.post.mandate.is_some()) {
            for verdict in books.verdicts(raw as u32) {
                *met.entry(verdict.err().map_or("valid", |reason| reason.code())).or_default() += 1;
            }
        }
        let periods = books.budgets(None).iter().map(|one| one.period.min(1)).sum::<u32>();
        *met.entry("periods").or_default() += periods;
        *met.entry("drawn").or_default() += spent_by_hand(&history, &books).len() as u32;
    }
    for case in [
        "valid",
        "approvals",
        "over_budget",
        "budget_ended",
        "proposal_over",
        "not_proposed",
        "forked_holder",
        "periods",
        "drawn",
    ] {
        assert!(met.get(case).is_some_and(|times| *times > 0), "{case} never happened: {met:?}");
    }
}

fn cases(default: u32) -> ProptestConfig {
    let default = std::env::var("BOOKS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(default) }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn any_order_gives_the_same_books(seed in any::<u64>()) {
        compare(&draw(seed, Wild { steps: 60, forks: false, seals: false, witnesses: false, derived: false, treasuries: false }), seed);
    }

    #[test]
    fn any_order_gives_the_same_books_with_forks(seed in any::<u64>()) {
        compare(&draw(seed, Wild { steps: 50, forks: true, seals: false, witnesses: false, derived: false, treasuries: false }), seed);
    }

    #[test]
    fn any_order_gives_the_same_books_with_seals(seed in any::<u64>()) {
        compare(&draw(seed, Wild { steps: 60, forks: false, seals: true, witnesses: false, derived: false, treasuries: false }), seed);
    }

    #[test]
    fn any_order_gives_the_same_books_with_everything(seed in any::<u64>()) {
        compare(&draw(seed, Wild { steps: 60, forks: true, seals: true, witnesses: true, derived: false, treasuries: false }), seed);
    }

    #[test]
    fn any_order_gives_the_same_books_with_what_is_derived(seed in any::<u64>()) {
        compare(&draw(seed, Wild { steps: 80, forks: false, seals: true, witnesses: false, derived: true, treasuries: false }), seed);
    }

    #[test]
    fn any_order_gives_the_same_books_with_what_is_derived_and_everything(seed in any::<u64>()) {
        compare(&draw(seed, Wild { steps: 80, forks: true, seals: true, witnesses: seed % 2 == 0, derived: true, treasuries: false }), seed);
    }

    #[test]
    fn any_order_gives_the_same_books_with_treasuries(seed in any::<u64>()) {
        compare(&draw(seed, treasuries(seed)), seed);
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_treasury_spends_no_more_of_a_budget_than_was_allotted(seed in any::<u64>()) {
        // Without forks and other witnesses the past of an entry shows what its author saw.
        let plain = Wild { forks: false, witnesses: false, derived: false, ..treasuries(seed) };
        let history = draw(seed, plain);
        let books = history.apply(&history.all());
        let spent = spent_by_hand(&history, &books);
        for budget in books.budgets(None) {
            for ((_, period), amount) in spent.iter().filter(|((id, _), _)| *id == budget.id) {
                prop_assert!(*amount <= budget.terms.amount, "{budget:?} in {period}: {amount}");
            }
        }
    }

    #[test]
    fn a_checkpoint_goes_on_like_the_books_it_was_taken_of(seed in any::<u64>()) {
        let history = draw(seed, Wild { steps: 50, forks: seed % 2 == 0, seals: true, witnesses: seed % 3 == 0, derived: seed % 4 < 2, treasuries: false });
        let order = history.all();
        let items = history.items(&order);
        let whole = history.apply(&order);
        let half = items.len() / 2;
        let restored = Books::from_snapshot(&history.apply(&order[..half]).snapshot().unwrap()).unwrap();
        prop_assert_eq!(restored.digest(), history.apply(&order[..half]).digest());
        let mut books = restored;
        for (n, item) in items.iter().enumerate().skip(half) {
            if books.apply(item.clone()).rejudge {
                prop_assert!(books.snapshot().is_err());
                books.rejudge(items[..=n].to_vec());
            }
        }
        prop_assert_eq!(books.digest(), whole.digest());
        let bytes = books.snapshot().unwrap();
        prop_assert_eq!(Books::from_snapshot(&bytes).unwrap().snapshot().unwrap(), bytes.clone());
        prop_assert!(Books::from_snapshot(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_verdict_follows_from_the_past_alone(seed in any::<u64>()) {
        // Without forks and seals nothing but the past decides: each entry with its past only gives the same verdicts.
        let history = draw(seed, Wild { steps: 50, forks: false, seals: false, witnesses: seed % 2 == 0, derived: seed % 3 == 0, treasuries: false });
        let order = history.all();
        let books = history.apply(&order);
        for raw in order.iter().copied().filter(|raw| raw % 5 == 0) {
            let past: Vec<usize> = history.pasts[raw].iter().copied().collect();
            let alone = history.apply(&past);
            let place = past.iter().position(|one| *one == raw).unwrap() as u32;
            prop_assert_eq!(alone.verdicts(place), books.verdicts(raw as u32));
        }
    }

    #[test]
    fn nobody_spends_beyond_its_line(seed in any::<u64>()) {
        let history = draw(seed, Wild { steps: 60, forks: seed % 2 == 0, seals: seed % 3 == 0, witnesses: false, derived: false, treasuries: false });
        for (raw, entry) in history.raws.iter().enumerate() {
            let spends = |act: &Act| matches!(act, Act::Pay { .. } | Act::Hold { .. });
            if !entry.post.acts.iter().any(spends) {
                continue;
            }
            let past: Vec<usize> = history.pasts[raw].iter().copied().collect();
            let books = history.apply(&past);
            if books.forks().iter().any(|fork| fork.author == entry.author) {
                continue;
            }
            let verdicts = books.verdicts(past.iter().position(|one| *one == raw).unwrap() as u32);
            let spent = entry.post.acts.iter().zip(&verdicts).any(|(act, verdict)| spends(act) && verdict.is_valid());
            let lowers = entry.post.acts.iter().any(Act::is_rule);
            if spent && !lowers {
                let balance = books.balance(&entry.author, HOURS);
                prop_assert!(balance.booked - balance.reserved >= -balance.line, "{balance:?} at {raw}");
                prop_assert!(balance.available >= 0, "{balance:?} at {raw}");
            }
        }
    }
}

/// The properties above say little about what is never drawn.
#[test]
fn the_histories_hold_what_is_derived() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..100 {
        let wild = Wild {
            steps: 80,
            forks: seed % 2 == 0,
            seals: true,
            witnesses: seed % 3 == 0,
            derived: true,
            treasuries: false,
        };
        let history = draw(seed, wild);
        let books = history.replay(&history.all());
        for transfer in (1..=6).flat_map(|n| books.transfers(&books_support::did(n), 0, 1_000)) {
            *counts
                .entry(match transfer.cause {
                    TransferCause::Demurrage { .. } => "demurrage",
                    TransferCause::Dispute { .. } => "dispute",
                    TransferCause::WriteOff => "write-off",
                })
                .or_default() += 1;
        }
        let beside = books.seals().iter().filter(|seal| seal.is_in_force && !seal.is_in_line).count();
        *counts.entry("seals beside the line").or_default() += beside;
        *counts.entry("seals").or_default() += books.seals().len();
        *counts.entry("disputes").or_default() += books.disputes().len();
        let resolved = books.disputes().iter().filter(|dispute| dispute.outcome.is_some()).count();
        *counts.entry("resolved").or_default() += resolved;
        *counts.entry("forks").or_default() += books.forks().len();
    }
    eprintln!("{counts:?}");
    for what in ["demurrage", "dispute", "write-off", "seals beside the line", "resolved", "forks"] {
        assert!(counts.get(what).is_some_and(|count| *count >= 8), "too little of {what}: {counts:?}");
    }
}
