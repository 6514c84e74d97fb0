//! What statements and health are drawn from agrees with the balances, whatever happened.
#![allow(clippy::indexing_slicing, reason = "a missing key is a broken test")]

mod books_support;

use std::collections::BTreeMap;

use books_support::*;
use icn_ledger::{
    Act, ExportRow, Level, OrderKind, OrderView, Period, SignCode, Statement, StatementItem, StatementOf,
};
use icn_types::{Did, Timestamp};
use proptest::prelude::*;

/// Makes the items of a statement as a node does.
fn item(order: &OrderView, booked_at: Option<Timestamp>) -> StatementItem {
    StatementItem {
        row: ExportRow {
            at: order.at,
            entry: order.id.to_string(),
            payer: order.from,
            payee: order.to,
            amount: order.captured.filter(|captured| *captured > 0).unwrap_or(order.amount),
            currency: order.currency.clone(),
            decimals: 0,
            status: String::new(),
            booked: booked_at.is_some(),
            memo: None,
        },
        kind: order.kind,
        booked_at,
        is_open: false,
    }
}

fn transfer(moved: icn_ledger::Transfer) -> StatementItem {
    StatementItem {
        row: ExportRow {
            at: moved.at,
            entry: moved.id.to_string(),
            payer: moved.from,
            payee: moved.to,
            amount: moved.amount,
            currency: moved.currency,
            decimals: 0,
            status: String::new(),
            booked: true,
            memo: None,
        },
        kind: icn_ledger::OrderKind::Pay,
        booked_at: Some(moved.at),
        is_open: false,
    }
}

fn assert_drawn_right(books: &icn_ledger::Books) {
    let names = BTreeMap::new();
    for currency in books.currencies() {
        let facts = books.health_facts(&currency.code);
        assert!(facts.is_some(), "a currency that is listed");
        let facts = facts.unwrap_or_default();
        assert!(facts.movements.is_sorted_by_key(|movement| movement.at));
        let mut moved = vec![0; facts.accounts.len()];
        for movement in &facts.movements {
            moved[movement.from as usize] -= movement.amount;
            moved[movement.to as usize] += movement.amount;
        }
        for (account, moved) in facts.accounts.iter().zip(&moved) {
            let booked = books.balance(&account.did, &currency.code).booked;
            assert_eq!((account.booked, *moved), (booked, booked), "{}", account.did);
            let history = books.booked_history(&account.did, &currency.code);
            let mut items: Vec<StatementItem> = history.iter().map(|(order, at)| item(order, *at)).collect();
            let moved_by_others = books.transfers(&account.did, 0, usize::MAX).into_iter();
            items.extend(moved_by_others.filter(|one| one.currency == currency.code).map(transfer));
            let statement = Statement::draw(
                StatementOf {
                    title: "",
                    names: &names,
                    account: account.did,
                    currency: &currency.code,
                    decimals: 0,
                    booked,
                    period: Period::default(),
                },
                &items,
            );
            assert_eq!((statement.opening, statement.closing, statement.unlisted), (0, booked, 0));
        }
        assert_eq!(facts.accounts.iter().map(|account| account.booked).sum::<i64>(), 0);
        let with_purse: Vec<Did> = books.accounts(&currency.code).into_iter().map(|(did, _)| did).collect();
        assert!(with_purse.iter().all(|did| facts.accounts.iter().any(|account| account.did == *did)));
    }
}

#[test]
fn a_movement_stands_where_it_was_accepted_and_within_its_epoch() {
    const DAY: u64 = 24 * 3_600_000;
    let mut story = Story::founded(3);
    let pays = |story: &mut Story, amount: i64, sent: u64, taken: u64| {
        let paid = story.says(did(2), vec![pay(did(3), amount)]);
        let order = story.history.order(paid, 0);
        let accepted = story.says(did(3), vec![accept(order)]);
        story.history.raws[paid].at = sent;
        story.history.raws[accepted].at = taken;
    };
    // The payee's clock is right, far ahead, and far behind.
    pays(&mut story, 1, 5 * DAY, 6 * DAY);
    pays(&mut story, 2, 7 * DAY, 900 * DAY);
    let first = story.seal(root(), 1, None, 10 * DAY);
    pays(&mut story, 3, 11 * DAY, 2 * DAY);
    story.seal(root(), 2, Some(first), 20 * DAY);
    pays(&mut story, 4, 21 * DAY, 3 * DAY);
    let held = story.says(did(2), vec![hold(did(4), 5, 999 * DAY)]);
    story.says(did(2), vec![pay(did(4), 2)]);
    let captured = story
        .says(did(2), vec![Act::Capture { hold: story.history.order(held, 0), amount: 4, evidence: None }]);
    let accepted = story.says(did(4), vec![accept(story.history.order(captured, 0))]);
    story.history.raws[accepted].at = 25 * DAY;
    let books = story.books();
    assert_drawn_right(&books);
    let days: Vec<(i64, Option<u64>)> = books
        .booked_history(&did(2), HOURS)
        .iter()
        .map(|(order, at)| (order.amount, at.map(|at| at.as_millis() / DAY)))
        .collect();
    assert_eq!(
        days,
        [
            (1, Some(6)),
            (2, Some(10)),
            (3, Some(10)),
            // Outside of every seal: not before the last one.
            (4, Some(20)),
            (5, Some(25)),
            (2, None)
        ]
    );
    let kinds: Vec<OrderKind> =
        books.booked_history(&did(4), HOURS).iter().map(|(order, _)| order.kind).collect();
    assert_eq!(kinds, [OrderKind::Hold, OrderKind::Pay]);
    assert!(books.booked_history(&did(4), "eggs").is_empty() && books.health_facts("eggs").is_none());
}

#[test]
fn the_books_of_a_space_are_judged() {
    let mut story = Story::founded(4);
    let held = story.says(did(2), vec![hold(did(3), 15, 9_000)]);
    let named = story.history.order(held, 0);
    story.says(did(3), vec![Act::Claim { hold: named, amount: 9, evidence: vec![] }]);
    let paid = story.says(did(4), vec![pay(did(5), 19)]);
    story.says(did(5), vec![accept(story.history.order(paid, 0))]);
    let refused = story.says(did(5), vec![pay(did(2), 1)]);
    story.says(did(2), vec![Act::Decline { order: story.history.order(refused, 0), reason: None }]);
    story.says(root(), vec![Act::Expel { member: did(4) }]);
    let books = story.books();
    let facts = books.health_facts(HOURS).unwrap();
    assert_eq!(facts.attempts.iter().filter(|attempt| attempt.has_failed).count(), 1);
    assert_eq!((facts.attempts.len(), facts.movements.len(), facts.claims.len()), (3, 1, 1));
    let health = icn_ledger::Health::of(&facts, Timestamp::from_millis(1_000));
    let level = |code| health.sign(code).unwrap().level;
    assert_eq!((level(SignCode::LostDebt), level(SignCode::Claims)), (Level::Alarm, Level::Alarm));
    assert_eq!(health.sign(SignCode::LostDebt).unwrap().who, [did(4)]);
    assert_eq!((health.credit, health.volume_30), (19, 19));
    // The root, and those who are left.
    assert_eq!(health.members, 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_balance_is_the_sum_of_what_is_listed(seed in 0_u64..1_000_000) {
        let wild = Wild { steps: 60, forks: seed % 2 == 0, seals: seed % 3 > 0, witnesses: seed % 5 == 0, derived: seed % 2 == 1, treasuries: false };
        let history = draw(seed, wild);
        assert_drawn_right(&history.apply(&history.all()));
    }
}
