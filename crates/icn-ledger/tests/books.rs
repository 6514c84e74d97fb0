//! The rules of the books, one by one.

mod books_support;

use std::collections::BTreeSet;

use books_support::*;
use icn_ledger::{
    Act, Books, CreditPolicy, Finality, ForkRule, Item, OrderRef, OrderStatus, Post, Reason, SpacePolicy,
    Tier, Verdict, derived_id,
};
use icn_types::{Cid, Did, Timestamp};
use serde_bytes::ByteBuf;

const ROOM: Verdict = Verdict::Valid;

fn no(reason: Reason) -> Verdict {
    Verdict::Invalid(reason)
}

/// Members 2 to 5, each with a line of 20.
fn space() -> Story {
    Story::founded(4)
}

fn balances(books: &Books) -> Vec<i64> {
    (1..=5).map(|n| books.balance(&did(n), HOURS).booked).collect()
}

#[test]
fn a_payment_is_set_aside_when_sent_and_booked_when_accepted() {
    let mut story = space();
    let paid = story.says(did(2), vec![pay(did(3), 12)]);
    let books = story.books();
    let payer = books.balance(&did(2), HOURS);
    assert_eq!((payer.booked, payer.reserved, payer.available), (0, 12, 8));
    assert_eq!(books.balance(&did(3), HOURS).incoming, 12);
    assert_eq!(books.open_to(&did(3)).len(), 1);
    let order = story.history.order(paid, 0);
    story.says(did(3), vec![accept(order)]);
    let books = story.books();
    assert_eq!(balances(&books), [0, -12, 12, 0, 0]);
    let payer = books.balance(&did(2), HOURS);
    assert_eq!((payer.reserved, payer.available), (0, 8));
    assert_eq!(books.balance(&did(3), HOURS).available, 32);
    assert_eq!(books.order(&order).unwrap().status, OrderStatus::Accepted);
    assert!(books.order(&order).unwrap().is_final);
    assert_eq!(books.history(&did(3), 0, 10).len(), 1);
    assert!(books.open_to(&did(3)).is_empty());
}

#[test]
fn a_debit_beyond_the_line_is_refused_with_its_numbers() {
    let mut story = space();
    story.says(did(2), vec![pay(did(3), 12)]);
    let second = story.says(did(2), vec![pay(did(3), 9), pay(did(3), 8)]);
    let books = story.books();
    assert_eq!(
        books.verdicts(second as u32),
        [no(Reason::LimitExceeded { available: 8, requested: 9 }), ROOM]
    );
    assert_eq!(books.quarantine(0, 10).len(), 1);
    assert_eq!(books.invalid_counts()["limit_exceeded"], 1);
    let why = books.explain(&did(2), HOURS, 5);
    assert_eq!(why.rule, Some(Reason::LimitExceeded { available: 0, requested: 5 }));
    assert!(!why.would_raise.is_empty());
    let text = why.rule.unwrap().to_string();
    assert!(text.contains("can spend 0") && text.contains("takes 5"), "{text}");
}

#[test]
fn split_payments_count_together() {
    // B-57: the limit is on the resulting balance, not on one amount.
    let mut story = space();
    let many = story.says(did(2), (0..30).map(|_| pay(did(3), 1)).collect());
    let books = story.books();
    let valid = books.verdicts(many as u32).iter().filter(|verdict| verdict.is_valid()).count();
    assert_eq!(valid, 20);
}

#[test]
fn only_the_payee_accepts_and_only_once() {
    // Both parties sign (recorded defect 8).
    let mut story = space();
    let paid = story.says(did(2), vec![pay(did(3), 5)]);
    let order = story.history.order(paid, 0);
    let payer = story.says(did(2), vec![accept(order)]);
    let stranger = story.says(did(4), vec![accept(order)]);
    let first = story.says(did(3), vec![accept(order), accept(order)]);
    let again = story.says(did(3), vec![accept(order), Act::Decline { order, reason: None }]);
    let books = story.books();
    assert_eq!(books.verdicts(payer as u32), [no(Reason::NotYours)]);
    assert_eq!(books.verdicts(stranger as u32), [no(Reason::NotYours)]);
    assert_eq!(books.verdicts(first as u32), [ROOM, no(Reason::AlreadyDone)]);
    assert_eq!(books.verdicts(again as u32), [no(Reason::AlreadyDone); 2]);
    assert_eq!(balances(&books), [0, -5, 5, 0, 0]);
}

#[test]
fn what_was_declined_comes_back_when_the_payer_returns_it() {
    let mut story = space();
    let paid = story.says(did(2), vec![pay(did(3), 5)]);
    let order = story.history.order(paid, 0);
    let early = story.says(did(2), vec![Act::Return { order, decline: story.history.raws[paid].id }]);
    let declined = story.says(did(3), vec![Act::Decline { order, reason: None }, accept(order)]);
    let books = story.books();
    assert_eq!(books.verdicts(early as u32), [no(Reason::NotDeclined)]);
    assert_eq!(books.verdicts(declined as u32), [ROOM, no(Reason::AlreadyDone)]);
    assert_eq!(books.balance(&did(2), HOURS).available, 15);
    assert_eq!(books.declined_of(&did(2)).len(), 1);
    let decline = story.history.raws[declined].id;
    let back = story.says(did(2), vec![Act::Return { order, decline }, Act::Return { order, decline }]);
    let books = story.books();
    assert_eq!(books.verdicts(back as u32), [ROOM, no(Reason::AlreadyDone)]);
    assert_eq!(books.balance(&did(2), HOURS).available, 20);
    assert_eq!(books.order(&order).unwrap().status, OrderStatus::Returned);
}

#[test]
fn nobody_pays_itself_strangers_or_in_an_unknown_currency() {
    // B-44, B-45.
    let mut story = space();
    let other =
        Act::Pay { to: did(3), amount: 1, currency: "eur".into(), memo: None, request: None, expires: None };
    let said =
        story.says(did(2), vec![pay(did(2), 1), pay(did(99), 1), other, pay(did(3), 0), pay(did(3), -4)]);
    let stranger = story.says(did(99), vec![pay(did(3), 1)]);
    let books = story.books();
    assert_eq!(
        books.verdicts(said as u32),
        [
            no(Reason::SelfPayment),
            no(Reason::NotAMember(did(99))),
            no(Reason::UnknownCurrency),
            no(Reason::Amount),
            no(Reason::Amount)
        ]
    );
    assert_eq!(books.verdicts(stranger as u32), [no(Reason::NotAMember(did(99)))]);
}

#[test]
fn a_hold_counts_when_placed_and_is_captured_in_part() {
    let mut story = space();
    let held = story.says(did(2), vec![hold(did(3), 15, 9_000)]);
    let named = story.history.order(held, 0);
    assert_eq!(story.books().balance(&did(2), HOURS).available, 5);
    let too_much = story.says(did(2), vec![Act::Capture { hold: named, amount: 16, evidence: None }]);
    let not_yet = story.says(did(3), vec![accept(named)]);
    let captured = story.says(
        did(2),
        vec![
            Act::Capture { hold: named, amount: 6, evidence: None },
            Act::Capture { hold: named, amount: 1, evidence: None },
        ],
    );
    let books = story.books();
    assert_eq!(books.verdicts(too_much as u32), [no(Reason::Amount)]);
    assert_eq!(books.verdicts(not_yet as u32), [no(Reason::NotCaptured)]);
    assert_eq!(books.verdicts(captured as u32), [ROOM, no(Reason::AlreadyDone)]);
    let payer = books.balance(&did(2), HOURS);
    assert_eq!((payer.booked, payer.reserved, payer.available), (0, 6, 14));
    let open = books.open_to(&did(3));
    assert_eq!(open.len(), 1);
    story.says(did(3), vec![accept(open[0].id)]);
    let books = story.books();
    assert_eq!(balances(&books), [0, -6, 6, 0, 0]);
    assert_eq!(books.balance(&did(2), HOURS).available, 14);
    assert_eq!(books.order(&named).unwrap().captured, Some(6));
    assert_eq!(books.order(&named).unwrap().status, OrderStatus::Accepted);
}

#[test]
fn a_hold_is_released_by_either_side() {
    let mut story = space();
    let held = story.says(did(2), vec![hold(did(3), 15, 9_000), hold(did(3), 5, 9_000)]);
    let (first, second) = (story.history.order(held, 0), story.history.order(held, 1));
    story.says(did(2), vec![Act::Capture { hold: first, amount: 0, evidence: None }]);
    assert_eq!(story.books().order(&first).unwrap().status, OrderStatus::Released);
    let declined = story.says(did(3), vec![Act::Decline { order: second, reason: None }]);
    let decline = story.history.raws[declined].id;
    story.says(did(2), vec![Act::Return { order: second, decline }]);
    assert_eq!(story.books().balance(&did(2), HOURS).available, 20);
}

#[test]
fn what_is_not_captured_can_be_claimed() {
    let mut story = space();
    let held = story.says(did(2), vec![hold(did(3), 15, 9_000)]);
    let named = story.history.order(held, 0);
    let claimed = story.says(did(3), vec![Act::Claim { hold: named, amount: 9, evidence: vec![] }]);
    let books = story.books();
    let claims = books.claims();
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].creditor, claims[0].debtor, claims[0].amount), (did(3), did(2), 9));
    assert_eq!(claims[0].id, derived_id("claim", &[named, story.history.order(claimed, 0)]));
    assert!(!claims[0].is_settled);
    let captured = story.says(did(2), vec![Act::Capture { hold: named, amount: 9, evidence: None }]);
    story.says(did(3), vec![accept(story.history.order(captured, 0))]);
    let books = story.books();
    assert!(books.claims()[0].is_settled);
    assert_eq!(balances(&books), [0, -9, 9, 0, 0]);
}

#[test]
fn derived_ids_come_from_their_cause_alone() {
    // Recorded defect 1.
    let order = |n: u8| OrderRef { entry: Cid::of_dag_cbor(&[n]), index: 0 };
    assert_eq!(derived_id("claim", &[order(1)]), derived_id("claim", &[order(1)]));
    assert_ne!(derived_id("claim", &[order(1)]), derived_id("claim", &[order(2)]));
    assert_ne!(derived_id("claim", &[order(1)]), derived_id("expiry", &[order(1)]));
}

#[test]
fn a_repeated_key_pays_once() {
    // Recorded defect 1, B-62.
    let mut story = space();
    let post = |amount| Post { key: Some("invoice 7".into()), ..Post::new(vec![pay(did(3), amount)]) };
    story.posts(did(2), post(4));
    let again = story.posts(did(2), post(4));
    let other = story.posts(did(4), post(4));
    let books = story.books();
    assert_eq!(books.verdicts(again as u32), [no(Reason::Repeated)]);
    assert_eq!(books.verdicts(other as u32), [ROOM]);
    assert_eq!(books.balance(&did(2), HOURS).reserved, 4);
}

#[test]
fn the_highest_line_in_the_past_counts() {
    let mut story = space();
    let granted = story.says(root(), vec![line(did(2), 100, 1)]);
    let unaware = story.says_knowing(did(2), &[0], vec![pay(did(3), 50)]);
    let aware = story.says(did(2), vec![pay(did(3), 50)]);
    let lowered = story.says(root(), vec![line(did(2), 10, 2), line(did(2), 500, 2)]);
    let late = story.says_knowing(did(2), &[granted], vec![pay(did(3), 50)]);
    let knowing = story.says(did(2), vec![pay(did(3), 1)]);
    let books = story.books();
    assert_eq!(books.verdicts(unaware as u32), [no(Reason::LimitExceeded { available: 20, requested: 50 })]);
    assert_eq!(books.verdicts(aware as u32), [ROOM]);
    assert_eq!(books.verdicts(lowered as u32), [ROOM, no(Reason::Number(3))]);
    assert_eq!(books.verdicts(late as u32), [ROOM], "the lowering was not in its past");
    assert_eq!(books.verdicts(knowing as u32), [no(Reason::LimitExceeded { available: -90, requested: 1 })]);
    assert!(books.exceeds_known_line(late as u32), "a witness that saw the lowering does not certify it");
    assert_eq!(books.explain(&did(2), HOURS, 1).line_from, Some(story.history.raws[lowered].id));
}

#[test]
fn the_overrun_of_a_lowering_is_known_before() {
    let mut story = space();
    story.says(root(), vec![line(did(2), 100, 1)]);
    story.says(did(2), vec![pay(did(3), 30)]);
    let books = story.books();
    assert_eq!(books.overrun(&did(2), HOURS, 100), 0);
    assert_eq!(books.overrun(&did(2), HOURS, 50), 50);
    assert_eq!(books.overrun(&did(2), HOURS, 10), 70, "already beyond by 20, and 70 more may be spent");
}

#[test]
fn freezes_are_for_stewards_and_bind_whoever_has_seen_them() {
    // B-60.
    let mut story = space();
    let not_allowed =
        story.says(did(4), vec![Act::Freeze { account: did(2), reason: "envy".into(), expires: None }]);
    let frozen =
        story.says(root(), vec![Act::Freeze { account: did(2), reason: "late".into(), expires: None }]);
    let unaware = story.says_knowing(did(2), &[0], vec![pay(did(3), 1)]);
    let aware = story.says_knowing(did(2), &[frozen], vec![pay(did(3), 1)]);
    let books = story.books();
    assert_eq!(books.verdicts(not_allowed as u32), [no(Reason::NotASteward(did(4)))]);
    assert_eq!(books.verdicts(unaware as u32), [ROOM]);
    assert_eq!(books.verdicts(aware as u32), [no(Reason::Frozen)]);
    assert!(books.balance(&did(2), HOURS).frozen);
    story.says(root(), vec![Act::Unfreeze { account: did(2) }]);
    let after = story.says(did(2), vec![pay(did(3), 1)]);
    assert_eq!(story.verdict(after), ROOM);
}

#[test]
fn members_come_by_admission_or_invitation_and_go_by_expulsion() {
    let mut story = space();
    let join = |member, issuer| Act::Join {
        invitation: Box::new(invitation(member, issuer, 10_000)),
        nickname: Some("ana".into()),
    };
    let wrong = story.says(did(20), vec![join(Some(did(21)), root())]);
    let by_member = story.says(did(22), vec![join(None, did(2))]);
    let joined = story.says(did(23), vec![join(None, root()), pay(did(2), 20)]);
    let books = story.books();
    assert_eq!(books.verdicts(wrong as u32), [no(Reason::Invitation)]);
    assert_eq!(books.verdicts(by_member as u32), [no(Reason::Invitation)]);
    assert_eq!(books.verdicts(joined as u32), [ROOM, ROOM]);
    let ana = books.members().into_iter().find(|member| member.did == did(23)).unwrap();
    assert_eq!(ana.nickname.as_deref(), Some("ana"));
    let expelled = story.says(root(), vec![Act::Expel { member: did(23) }, Act::Expel { member: root() }]);
    let after = story.says(did(23), vec![pay(did(2), 1), join(None, root())]);
    let books = story.books();
    assert_eq!(books.verdicts(expelled as u32), [ROOM, no(Reason::Root)]);
    assert_eq!(books.verdicts(after as u32), [no(Reason::NotAMember(did(23))), no(Reason::Invitation)]);
    assert!(!books.is_member(&did(23)));
    story.says(root(), vec![Act::Admit { member: did(23), nickname: None }]);
    assert!(story.books().is_member(&did(23)));
}

#[test]
fn stewards_are_appointed_and_dismissed() {
    let mut story = space();
    let appointed =
        story.says(root(), vec![Act::Appoint { member: did(2) }, Act::Appoint { member: did(99) }]);
    let acts = story.says(did(2), vec![line(did(3), 40, 1), Act::Dismiss { member: root() }]);
    let books = story.books();
    assert_eq!(books.verdicts(appointed as u32), [ROOM, no(Reason::NotAMember(did(99)))]);
    assert_eq!(books.verdicts(acts as u32), [ROOM, no(Reason::Root)]);
    assert_eq!(books.stewards().len(), 2);
    let dismissed = story.says(root(), vec![Act::Dismiss { member: did(2) }]);
    let late = story.says_knowing(did(2), &[acts], vec![line(did(3), 50, 2)]);
    let after = story.says_knowing(did(2), &[dismissed], vec![line(did(3), 60, 3)]);
    let books = story.books();
    assert_eq!(books.verdicts(late as u32), [ROOM], "it had not seen the dismissal");
    assert_eq!(books.verdicts(after as u32), [no(Reason::NotASteward(did(2)))]);
}

#[test]
fn a_space_is_founded_once_by_its_root() {
    let mut story = space();
    let found = || vec![Act::Found { name: "mine".into(), created: Timestamp::from_millis(0) }];
    let again = story.says(root(), found());
    let other = story.says(did(2), found());
    let books = story.books();
    assert_eq!(books.verdicts(again as u32), [no(Reason::NotTheFounder)]);
    assert_eq!(books.verdicts(other as u32), [no(Reason::NotTheFounder)]);
    assert_eq!(books.name().as_deref(), Some("north"));
    assert_eq!(books.stewards(), [root()]);
}

#[test]
fn decimals_never_change() {
    let mut story = space();
    let currency = |decimals| Act::Currency { code: HOURS.into(), decimals, policy: CreditPolicy::default() };
    let said = story.says(root(), vec![currency(2), currency(0)]);
    assert_eq!(story.books().verdicts(said as u32), [no(Reason::Decimals), ROOM]);
}

#[test]
fn a_treasury_pays_with_enough_approvals() {
    let mut story = space();
    story
        .says(root(), vec![Act::Treasury { account: did(5), approvers: vec![did(2), did(3)], threshold: 2 }]);
    let with = |by: &[u8]| Post {
        approvals: by.iter().map(|n| approval(did(*n))).collect(),
        ..Post::new(vec![pay(did(4), 3)])
    };
    let few = story.posts(did(5), with(&[2]));
    let twice = story.posts(did(5), with(&[2, 2]));
    let others = story.posts(did(5), with(&[2, 4]));
    let enough = story.posts(did(5), with(&[2, 3]));
    let books = story.books();
    for refused in [few, twice, others] {
        assert_eq!(books.verdicts(refused as u32), [no(Reason::Approvals { found: 1, needed: 2 })]);
    }
    assert_eq!(books.verdicts(enough as u32), [ROOM]);
    assert_eq!(books.treasuries().len(), 1);
}

#[test]
fn a_request_is_paid_once() {
    let mut story = space();
    let request = Act::Request { of: did(2), amount: 3, currency: HOURS.into(), memo: None, expires: None };
    let asked = story.says(did(3), vec![request]);
    let request = Some(story.history.order(asked, 0));
    assert_eq!(story.books().requests(&did(2)).len(), 1);
    let paying =
        Act::Pay { to: did(3), amount: 3, currency: HOURS.into(), memo: None, request, expires: None };
    let paid = story.says(did(2), vec![paying.clone(), paying.clone()]);
    let other = story.says(did(4), vec![paying]);
    let books = story.books();
    assert_eq!(books.verdicts(paid as u32), [ROOM, no(Reason::AlreadyDone)]);
    assert_eq!(books.verdicts(other as u32), [no(Reason::NotYours)]);
    assert!(books.requests(&did(2)).is_empty());
}

#[test]
fn clocks_of_authors_decide_nothing() {
    // Recorded defects 5 and 6, B-48.
    let mut story = space();
    let paid = story.says(did(2), vec![pay_until(did(3), 5, 10)]);
    story.says(did(3), vec![accept(story.history.order(paid, 0))]);
    let before = story.books();
    for raw in &mut story.history.raws {
        raw.at = u64::MAX / 2 - raw.at;
    }
    assert_eq!(before.digest(), story.books().digest());
    assert_eq!(before.balance(&did(3), HOURS).booked, 5, "no seal has ended it");
}

#[test]
fn an_order_ends_with_the_first_seal_at_or_after_its_expiry() {
    let mut story = space();
    let paid = story.says(did(2), vec![pay_until(did(3), 5, 100), hold(did(3), 7, 200)]);
    let first = story.seal(root(), 1, None, 99);
    assert_eq!(story.books().balance(&did(2), HOURS).available, 8);
    let second = story.seal(root(), 2, Some(first), 100);
    let books = story.books();
    assert_eq!(books.last_seal().unwrap().number, 2);
    assert_eq!(books.balance(&did(2), HOURS).available, 13);
    assert_eq!(books.order(&story.history.order(paid, 0)).unwrap().status, OrderStatus::Expired);
    let spent = story.says(did(2), vec![pay(did(4), 13)]);
    let late = story.says(did(3), vec![accept(story.history.order(paid, 0))]);
    let stale = story.says(did(4), vec![pay_until(did(3), 1, 100)]);
    let books = story.books();
    assert_eq!(books.verdicts(spent as u32), [ROOM]);
    assert_eq!(books.verdicts(late as u32), [no(Reason::Expired)]);
    assert_eq!(books.verdicts(stale as u32), [no(Reason::Expired)]);
    let _ = second;
    assert!(books.claims().is_empty(), "it was known to have ended");
}

#[test]
fn an_acceptance_within_the_cut_outlasts_the_expiry() {
    let mut story = space();
    let paid = story.says(did(2), vec![pay_until(did(3), 5, 100)]);
    story.says(did(3), vec![accept(story.history.order(paid, 0))]);
    story.seal(root(), 1, None, 500);
    let books = story.books();
    assert_eq!(balances(&books), [0, -5, 5, 0, 0]);
    assert_eq!(books.order(&story.history.order(paid, 0)).unwrap().status, OrderStatus::Sealed);
}

#[test]
fn an_acceptance_outside_the_cut_is_void_and_claimed() {
    let mut story = space();
    let paid = story.says(did(2), vec![pay_until(did(3), 5, 100)]);
    let seal = story.seal(root(), 1, None, 500);
    let late =
        story.says_knowing(did(3), &[paid], vec![accept(story.history.order(paid, 0)), pay(did(4), 22)]);
    let books = story.books();
    assert_eq!(books.verdicts(late as u32), [no(Reason::Expired), no(Reason::Uncovered)]);
    assert_eq!(books.claims().len(), 1);
    assert_eq!(balances(&books), [0; 5]);
    // Whichever of the two comes first.
    let order: Vec<usize> =
        story.history.all().into_iter().filter(|raw| *raw != seal).chain([seal]).collect();
    assert_eq!(story.history.apply(&order).digest(), books.digest());
}

#[test]
fn a_seal_must_be_right_and_follow() {
    let mut story = space();
    let seal = |number, prev, time, digest: Vec<u8>| Act::Seal {
        number,
        prev,
        time: Timestamp::from_millis(time),
        digest: ByteBuf::from(digest),
    };
    let wrong = story.says(root(), vec![seal(1, None, 10, vec![1; 32])]);
    let member = story.says(did(2), vec![seal(1, None, 10, vec![1; 32])]);
    let first = story.seal(root(), 1, None, 10);
    let id = story.history.raws[first].id;
    let low = story.says(root(), vec![seal(1, Some(id), 20, vec![1; 32])]);
    let early = story.says(root(), vec![seal(2, Some(id), 10, vec![1; 32])]);
    let second = story.seal(root(), 2, Some(first), 11);
    let books = story.books();
    assert_eq!(books.verdicts(wrong as u32), [no(Reason::SealDigest)]);
    assert_eq!(books.verdicts(member as u32), [no(Reason::NotASteward(did(2)))]);
    assert_eq!(books.verdicts(low as u32), [no(Reason::Number(2))]);
    assert_eq!(books.verdicts(early as u32), [no(Reason::SealTime)]);
    assert!(books.is_valid(first as u32) && books.is_valid(second as u32));
    assert!(books.is_sealed(first as u32) && !books.is_sealed(second as u32));
    assert_eq!(books.seals().len(), 2);
}

#[test]
fn of_two_seals_on_one_the_lowest_number_then_id_counts() {
    let mut story = space();
    let paid = story.says(did(2), vec![pay(did(3), 5)]);
    story.says(root(), vec![Act::Appoint { member: did(4) }]);
    let known: BTreeSet<usize> = story.history.all().into_iter().collect();
    let first = story.seal(root(), 2, None, 10);
    // The other steward had not heard of it.
    let mut other = Story { history: story.history.clone(), heads: story.heads.clone() };
    other.history.raws.truncate(first);
    let digest = other
        .history
        .apply(&other.history.all())
        .cut_digest(&other.history.all().iter().map(|n| *n as u32).collect::<Vec<_>>());
    let act = Act::Seal {
        number: 1,
        prev: None,
        time: Timestamp::from_millis(10),
        digest: ByteBuf::from(digest.unwrap().to_vec()),
    };
    let rival = story.posts_knowing(did(4), &known, Post::new(vec![act]));
    let books = story.books();
    assert_eq!(books.last_seal().unwrap().number, 1);
    assert!(books.is_valid(first as u32) && books.is_valid(rival as u32));
    assert!(books.is_sealed(paid as u32));
    let mut order = story.history.all();
    order.swap(first, rival);
    assert_eq!(story.history.apply(&order).digest(), books.digest());
}

#[test]
fn a_lower_seal_that_is_certified_late_takes_its_place() {
    let mut story = space();
    let voters = [did(1), did(2), did(3)];
    story.says(root(), vec![Act::Witnesses { number: 1, members: (1..=4).map(did).collect() }]);
    let low = story.seal(did(2), 1, None, 10);
    let high = story.seal(did(3), 2, None, 11);
    story.certify(did(5), high, 1, &voters);
    assert_eq!(story.books().last_seal().unwrap().number, 2);
    story.certify(did(5), low, 1, &voters);
    let books = story.books();
    assert_eq!(books.last_seal().unwrap().number, 1);
    assert!(!books.is_sealed(low as u32), "a seal does not cover itself");
    // Not once others have built on the other one.
    let next = story.seal(did(2), 3, Some(high), 20);
    story.certify(did(5), next, 1, &voters);
    let numbers: Vec<u64> =
        story.books().seals().iter().filter(|seal| seal.is_in_line).map(|seal| seal.number).collect();
    assert_eq!(numbers, [2, 3]);
}

#[test]
fn what_a_seal_ended_for_its_payer_stays_ended_when_another_takes_its_place() {
    let mut story = space();
    let voters = [did(1), did(2), did(4)];
    story.says(root(), vec![Act::Witnesses { number: 1, members: (1..=4).map(did).collect() }]);
    let paid = story.says(did(3), vec![pay_until(did(5), 15, 100)]);
    let low = story.seal(did(2), 1, None, 50);
    let high = story.seal(did(4), 2, None, 150);
    story.certify(did(1), high, 1, &voters);
    let again = story.says(did(3), vec![pay(did(5), 20)]);
    assert_eq!(story.verdict(again), ROOM);
    // Member 5 has heard of neither seal when it accepts, and gets a claim whichever is in the line.
    let order = story.history.order(paid, 0);
    let late = story.says_knowing(did(5), &[paid], vec![accept(order)]);
    for certified in [false, true] {
        if certified {
            story.certify(did(1), low, 1, &voters);
        }
        let books = story.books();
        assert_eq!(books.last_seal().unwrap().number, if certified { 1 } else { 2 });
        assert_eq!(books.verdicts(again as u32), [ROOM]);
        assert_eq!(books.verdicts(late as u32), [no(Reason::Expired)]);
        assert_eq!(books.order(&order).unwrap().status, OrderStatus::Claimed);
        assert_eq!(books.claims().len(), 1);
        let read = Books::from_snapshot(&books.snapshot().unwrap()).unwrap();
        assert_eq!(read.digest(), books.digest());
    }
}

#[test]
fn credits_are_spendable_at_the_level_of_the_policy() {
    let mut story = space();
    let voters = [did(1), did(2), did(3)];
    story.says(root(), vec![Act::Witnesses { number: 1, members: (1..=4).map(did).collect() }]);
    let tier = |from, level| Tier { from, level };
    let finality =
        vec![tier(0, Finality::Accepted), tier(5, Finality::Certified), tier(15, Finality::Sealed)];
    story.says(root(), vec![Act::Policy(SpacePolicy { finality, ..SpacePolicy::default() })]);
    let paid = story.says(did(2), vec![pay(did(3), 4), pay(did(3), 16)]);
    let middle = story.says(did(4), vec![pay(did(3), 10)]);
    let orders = [(paid, 0), (paid, 1), (middle, 0)].map(|(raw, n)| accept(story.history.order(raw, n)));
    story.says(did(3), orders.to_vec());
    let balance = story.books().balance(&did(3), HOURS);
    assert_eq!((balance.booked, balance.pending, balance.available), (30, 26, 24));
    // Too few voters, then a quorum.
    story.certify(did(3), middle, 1, &voters[..2]);
    assert_eq!(story.books().balance(&did(3), HOURS).available, 24);
    story.certify(did(3), middle, 1, &voters);
    let books = story.books();
    assert_eq!(books.balance(&did(3), HOURS).available, 34);
    assert!(books.is_certified(middle as u32));
    assert_eq!(books.order(&story.history.order(middle, 0)).unwrap().status, OrderStatus::Certified);
    assert!(books.set_has_certified(1));
    // A seal of a witness counts once it is certified.
    let seal = story.seal(did(2), 1, None, 50);
    assert!(story.books().last_seal().is_none());
    story.certify(did(5), seal, 1, &voters);
    let books = story.books();
    assert_eq!(books.last_seal().unwrap().number, 1);
    // Where there are witnesses a seal alone makes nothing final.
    assert_eq!(books.balance(&did(3), HOURS).available, 34);
    assert_eq!(books.to_show(&did(3)), [story.history.raws[paid].id]);
    story.certify(did(3), paid, 1, &voters);
    let books = story.books();
    assert_eq!(books.balance(&did(3), HOURS).available, 50);
    assert!(books.to_show(&did(3)).is_empty());
    let spent = story.says(did(3), vec![pay(did(5), 50)]);
    assert_eq!(story.verdict(spent), ROOM);
}

#[test]
fn without_a_policy_witnesses_make_certified_final() {
    let mut story = space();
    story.says(root(), vec![Act::Witnesses { number: 1, members: vec![root()] }]);
    let paid = story.says(did(2), vec![pay(did(3), 4)]);
    story.says(did(3), vec![accept(story.history.order(paid, 0))]);
    let early = story.says(did(3), vec![pay(did(4), 21)]);
    assert_eq!(story.verdict(early), no(Reason::LimitExceeded { available: 20, requested: 21 }));
    story.certify(did(3), paid, 1, &[root()]);
    let then = story.says(did(3), vec![pay(did(4), 21)]);
    assert_eq!(story.verdict(then), ROOM);
}

#[test]
fn a_witness_set_follows_once_the_one_before_certified_it() {
    let mut story = space();
    let set = |number, members: &[u8]| Act::Witnesses {
        number,
        members: members.iter().copied().map(did).collect(),
    };
    story.says(root(), vec![set(1, &[1, 2, 3, 4])]);
    let skipped = story.says(root(), vec![set(3, &[5])]);
    let next = story.says(root(), vec![set(2, &[2, 5])]);
    let books = story.books();
    assert_eq!(books.verdicts(skipped as u32), [no(Reason::Number(2))]);
    assert_eq!(books.witness_set().unwrap().number, 1);
    story.certify(did(3), next, 1, &[did(1), did(2), did(4)]);
    let set = story.books().witness_set().unwrap();
    assert_eq!((set.number, set.members), (2, vec![did(2), did(5)]));
    assert_eq!(set.handed_over_by, [did(1), did(2), did(4)]);
    assert!(!story.books().set_has_certified(1), "other than the naming itself");
}

/// Member 2 signs `width` entries at its second place, each paying another member, who accepts. Returns them.
fn forked(width: u8) -> (Story, Vec<usize>) {
    let mut story = space();
    let first = story.says(did(2), vec![pay(did(3), 1)]);
    let mut branches = Vec::new();
    for n in 0..width {
        story.heads.insert(did(2), first);
        let to = did(3 + n % 3);
        let paid = story.says_knowing(did(2), &[first], vec![pay(to, 10)]);
        story.says_knowing(to, &[paid], vec![accept(story.history.order(paid, 0))]);
        branches.push(paid);
    }
    (story, branches)
}

fn permutations(of: &[usize]) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![vec![]];
    }
    of.iter()
        .flat_map(|one| {
            let rest: Vec<usize> = of.iter().copied().filter(|other| other != one).collect();
            permutations(&rest).into_iter().map(move |mut tail| {
                tail.insert(0, *one);
                tail
            })
        })
        .collect()
}

#[test]
fn forks_of_any_width_end_alike_in_every_order_of_arrival() {
    // Recorded defect 7, B-51.
    for width in 2..=4 {
        let (story, branches) = forked(width);
        let lowest = *branches.iter().min_by_key(|raw| story.history.raws[**raw].id).unwrap();
        let mut digests = BTreeSet::new();
        for arrival in permutations(&branches) {
            // Each branch with the acceptance behind it.
            let tail: Vec<usize> = arrival.iter().flat_map(|raw| [*raw, raw + 1]).collect();
            let order: Vec<usize> = (0..2).chain(tail).collect();
            // Acceptances of one payee are one chain and keep their order.
            let is_causal = order
                .iter()
                .enumerate()
                .all(|(n, raw)| story.history.pasts[*raw].iter().all(|one| order[..=n].contains(one)));
            if !is_causal {
                continue;
            }
            let books = story.history.apply(&order);
            let forks = books.forks();
            assert_eq!(forks.len(), 1);
            assert_eq!(forks[0].branches.len(), usize::from(width));
            assert_eq!(forks[0].winner, story.history.raws[lowest].id);
            assert_eq!(forks[0].rule, ForkRule::LowestId);
            assert_eq!(books.claims().len(), usize::from(width) - 1);
            assert!(books.claims().iter().all(|claim| claim.debtor == did(2) && claim.amount == 10));
            assert!(books.check_zero_sum());
            digests.insert(books.digest());
        }
        assert_eq!(digests.len(), 1);
    }
}

#[test]
fn a_certified_branch_stands_whatever_its_id() {
    for chosen in 0..2 {
        let mut story = space();
        story.says(root(), vec![Act::Witnesses { number: 1, members: (1..=4).map(did).collect() }]);
        let first = story.says(did(2), vec![pay(did(3), 1)]);
        let mut branches = Vec::new();
        for n in 0..2 {
            story.heads.insert(did(2), first);
            branches.push(story.says_knowing(did(2), &[first], vec![pay(did(4 + n), 10)]));
        }
        story.certify(did(3), branches[chosen], 1, &[did(1), did(3), did(4)]);
        let books = story.books();
        let fork = &books.forks()[0];
        assert_eq!((fork.winner, fork.rule), (story.history.raws[branches[chosen]].id, ForkRule::Certified));
        assert!(!books.is_alone(&did(2), 2) && books.is_alone(&did(2), 1));
    }
}

#[test]
fn the_branch_in_the_earliest_seal_stands_and_the_seal_with_it() {
    let mut story = space();
    let first = story.says(did(2), vec![pay(did(3), 1)]);
    let kept = story.says(did(2), vec![pay(did(4), 2)]);
    let later = story.says(did(2), vec![pay(did(4), 3)]);
    story.says(did(4), vec![accept(story.history.order(kept, 0)), accept(story.history.order(later, 0))]);
    story.seal(root(), 1, None, 50);
    let after = story.says(did(2), vec![pay(did(3), 1)]);
    let before = story.books();
    for n in 0..6 {
        let mut fork = Story { history: story.history.clone(), heads: story.heads.clone() };
        fork.heads.insert(did(2), first);
        fork.says_knowing(did(2), &[first], vec![pay(did(5), 3 + n)]);
        let books = fork.books();
        assert_eq!(books.forks()[0].rule, ForkRule::Sealed);
        assert_eq!(books.forks()[0].winner, story.history.raws[kept].id);
        assert_eq!(books.last_seal(), before.last_seal(), "a late fork does not undo a seal");
        assert_eq!(books.verdicts(later as u32), [ROOM], "what was sealed stands");
        assert_eq!(books.verdicts(after as u32), [no(Reason::Forked(2))]);
        assert_eq!(balances(&books), [0, -5, 0, 5, 0]);
    }
}

#[test]
fn a_fork_stops_its_author_until_a_steward_lifts_it() {
    let (mut story, branches) = forked(2);
    let lowest = *branches.iter().min_by_key(|raw| story.history.raws[**raw].id).unwrap();
    let unaware = story.says_knowing(root(), &[0], vec![Act::Unfreeze { account: did(2) }]);
    story.heads.insert(did(2), lowest);
    let stopped = story.says(did(2), vec![pay(did(3), 1)]);
    let books = story.books();
    assert!(books.is_forked(&did(2)));
    assert_eq!(books.verdicts(stopped as u32), [no(Reason::Forked(2))]);
    assert!(books.balance(&did(2), HOURS).frozen);
    let _ = unaware;
    story.says(root(), vec![Act::Unfreeze { account: did(2) }]);
    let lifted = story.says(did(2), vec![pay(did(3), 1)]);
    let books = story.books();
    assert_eq!(books.verdicts(lifted as u32), [ROOM]);
    assert!(books.forks()[0].is_lifted && !books.is_forked(&did(2)));
}

/// The story in which the author has signed another entry behind `first`, with a lower id than `loser`, which stands there.
fn losing(story: &Story, author: Did, first: usize, loser: usize) -> Story {
    let mut amount = 0;
    loop {
        amount += 1;
        let mut fork = Story { history: story.history.clone(), heads: story.heads.clone() };
        fork.heads.insert(author, first);
        let other = fork.says_knowing(author, &[first], vec![pay(did(5), amount)]);
        if fork.history.order(other, 0).entry < fork.history.order(loser, 0).entry {
            return fork;
        }
    }
}

/// Who claims how much from whom.
fn claims(books: &Books) -> Vec<(Did, Did, i64)> {
    let mut claims: Vec<_> =
        books.claims().iter().map(|claim| (claim.creditor, claim.debtor, claim.amount)).collect();
    claims.sort();
    claims
}

#[test]
fn dependants_of_a_void_payment_are_judged_again() {
    // B-51: member 3 spends what member 2 paid on a branch that loses.
    let mut story = space();
    let first = story.says(did(2), vec![pay(did(5), 1)]);
    let paid = story.says(did(2), vec![pay(did(3), 15)]);
    let spent = story.says(did(3), vec![accept(story.history.order(paid, 0)), pay(did(4), 30)]);
    let taken = story.says(did(4), vec![accept(story.history.order(spent, 1)), pay(did(5), 40)]);
    assert!(story.books().is_valid(taken as u32));
    // Another entry at its place, with a lower id.
    let books = losing(&story, did(2), first, paid).books();
    assert_eq!(books.verdicts(paid as u32), [no(Reason::Void)]);
    assert_eq!(books.verdicts(spent as u32), [no(Reason::OrderVoid), no(Reason::Uncovered)]);
    assert_eq!(books.verdicts(taken as u32), [no(Reason::OrderVoid), no(Reason::Uncovered)]);
    assert_eq!(claims(&books), [(did(3), did(2), 15), (did(4), did(3), 30)]);
    assert_eq!(balances(&books), [0; 5]);
    assert!(!books.quarantine(0, 10).is_empty());
}

#[test]
fn what_is_sent_to_somebody_whose_joining_is_void_stays_set_aside() {
    let mut story = space();
    let join = |nonce: u64| Act::Join {
        invitation: Box::new(invitation(None, root(), 10_000 + nonce)),
        nickname: None,
    };
    let joined = story.says(did(23), vec![join(0)]);
    let paid = story.says(did(2), vec![pay(did(23), 15)]);
    for n in 1.. {
        let mut fork = Story { history: story.history.clone(), heads: story.heads.clone() };
        fork.heads.remove(&did(23));
        let known: Vec<usize> = (0..joined).collect();
        let other = fork.says_knowing(did(23), &known, vec![join(n)]);
        if fork.history.raws[other].id > fork.history.raws[joined].id {
            continue;
        }
        let books = fork.books();
        assert_eq!(books.verdicts(joined as u32), [no(Reason::Void)]);
        assert_eq!(books.verdicts(paid as u32), [ROOM]);
        assert_eq!(books.balance(&did(2), HOURS).available, 5);
        break;
    }
}

#[test]
fn a_certified_debit_stands_when_its_cover_is_lost() {
    // Small amounts are final at once; member 3 spends one with member 4, and witnesses certify that.
    let mut story = space();
    story.says(root(), vec![Act::Witnesses { number: 1, members: vec![root()] }]);
    let finality = vec![Tier { from: 0, level: Finality::Accepted }];
    story.says(root(), vec![Act::Policy(SpacePolicy { finality, ..SpacePolicy::default() })]);
    let first = story.says(did(2), vec![pay(did(5), 1)]);
    let paid = story.says(did(2), vec![pay(did(3), 15)]);
    let spent = story.says(did(3), vec![accept(story.history.order(paid, 0)), pay(did(4), 30)]);
    let taken = story.says(did(4), vec![accept(story.history.order(spent, 1))]);
    let mut certified = Story { history: story.history.clone(), heads: story.heads.clone() };
    certified.certify(did(4), spent, 1, &[root()]);
    for (is_certified, story) in [(false, story), (true, certified)] {
        let books = losing(&story, did(2), first, paid).books();
        let spending = if is_certified { ROOM } else { no(Reason::Uncovered) };
        assert_eq!(books.verdicts(spent as u32), [no(Reason::OrderVoid), spending]);
        assert_eq!(books.is_valid(taken as u32), is_certified);
        let of_third = (did(3), did(2), 15);
        let expected = if is_certified { vec![of_third] } else { vec![of_third, (did(4), did(3), 30)] };
        assert_eq!(claims(&books), expected);
        // The loss is that of whoever took what is void: its account goes below its line by so much.
        let available = if is_certified { -10 } else { 20 };
        assert_eq!(books.balance(&did(3), HOURS).available, available);
        assert!(books.check_zero_sum());
    }
}

#[test]
fn what_was_captured_of_an_uncovered_hold_is_claimed() {
    // Member 3 sets aside what member 2 paid on a branch that loses, and pays member 4 out of it.
    let mut story = space();
    let first = story.says(did(2), vec![pay(did(5), 1)]);
    let paid = story.says(did(2), vec![pay(did(3), 15)]);
    let held = story.says(did(3), vec![accept(story.history.order(paid, 0)), hold(did(4), 30, 5_000)]);
    let held = story.history.order(held, 1);
    let capture = |amount| Act::Capture { hold: held, amount, evidence: None };
    let captured = story.says(did(3), vec![capture(10)]);
    let twice = story.says(did(3), vec![capture(10)]);
    let taken = story.says(did(4), vec![accept(story.history.order(captured, 0))]);
    let again = story.says(did(4), vec![accept(story.history.order(twice, 0))]);
    assert!(story.books().is_valid(taken as u32) && !story.books().is_valid(again as u32));
    let books = losing(&story, did(2), first, paid).books();
    assert_eq!(books.verdicts(captured as u32), [no(Reason::OrderInvalid)]);
    assert_eq!(books.verdicts(taken as u32), [no(Reason::OrderVoid)]);
    assert_eq!(books.verdicts(again as u32), [no(Reason::NoSuchOrder)]);
    assert_eq!(claims(&books), [(did(3), did(2), 15), (did(4), did(3), 10)]);
}

#[test]
fn what_was_spent_after_a_void_decline_is_claimed() {
    // Member 3 declines on a branch that loses; member 2 has taken the credit back and spent it with member 4.
    let mut story = space();
    let first = story.says(did(3), vec![pay(did(5), 1)]);
    let paid = story.says(did(2), vec![pay(did(3), 15)]);
    let order = story.history.order(paid, 0);
    let declined = story.says(did(3), vec![Act::Decline { order, reason: None }]);
    let back = Act::Return { order, decline: story.history.raws[declined].id };
    let spent = story.says(did(2), vec![back.clone(), back, pay(did(4), 20)]);
    let taken = story.says(did(4), vec![accept(story.history.order(spent, 2))]);
    assert_eq!(story.books().verdicts(spent as u32), [ROOM, no(Reason::AlreadyDone), ROOM]);
    assert!(story.books().is_valid(taken as u32));
    let books = losing(&story, did(3), first, declined).books();
    let void = no(Reason::DeclineVoid);
    assert_eq!(books.verdicts(spent as u32), [void, void, no(Reason::Uncovered)]);
    assert_eq!(books.verdicts(taken as u32), [no(Reason::OrderVoid)]);
    assert_eq!(claims(&books), [(did(4), did(2), 20)]);
    assert_eq!(books.balance(&did(2), HOURS).available, 5);
    // The checkpoint keeps it.
    let read = Books::from_snapshot(&books.snapshot().unwrap()).unwrap();
    assert_eq!(read.digest(), books.digest());
}

#[test]
fn a_repair_before_anybody_relied_on_it_is_no_fraud() {
    let mut story = space();
    let first = story.says(did(2), vec![pay(did(3), 1)]);
    let lost = story.says(did(2), vec![pay(did(3), 2)]);
    story.heads.insert(did(2), first);
    let kept = story.says_knowing(did(2), &[first], vec![pay(did(4), 3)]);
    let id = story.history.raws[lost].id;
    let repair = story.says(did(2), vec![Act::Repair { at: 2, lost: vec![id] }, pay(did(4), 4)]);
    let books = story.books();
    assert_eq!(books.forks()[0].rule, ForkRule::Repaired);
    assert_eq!(books.forks()[0].winner, story.history.raws[kept].id);
    assert_eq!(books.verdicts(repair as u32), [ROOM, ROOM]);
    assert!(!books.is_forked(&did(2)));
    // A seal covers what was given up together with the repair.
    let mut sealed = Story { history: story.history.clone(), heads: story.heads.clone() };
    sealed.seal(root(), 1, None, 10);
    let books = sealed.books();
    assert!(books.is_sealed(lost as u32));
    assert_eq!(books.forks()[0].rule, ForkRule::Repaired);
    // Once somebody has taken what it gives up, it is a fork like another.
    story.says(did(3), vec![accept(story.history.order(lost, 0))]);
    let books = story.books();
    assert_ne!(books.forks()[0].rule, ForkRule::Repaired);
    assert!(books.is_forked(&did(2)));
}

#[test]
fn what_was_certified_stands_when_its_author_forks_before_it() {
    let mut story = space();
    story.says(root(), vec![Act::Witnesses { number: 1, members: (1..=4).map(did).collect() }]);
    let first = story.says(did(2), vec![pay(did(3), 1)]);
    let second = story.says(did(2), vec![pay(did(3), 2)]);
    let third = story.says(did(2), vec![pay(did(3), 3)]);
    story.certify(did(3), third, 1, &[did(1), did(3), did(4)]);
    let fourth = story.says(did(2), vec![pay(did(3), 4)]);
    story.heads.insert(did(2), first);
    story.says_knowing(did(2), &[first], vec![pay(did(5), 9)]);
    let books = story.books();
    assert_eq!(books.verdicts(second as u32), [ROOM]);
    assert_eq!(books.verdicts(third as u32), [ROOM]);
    assert_eq!(books.verdicts(fourth as u32), [no(Reason::Forked(2))]);
}

#[test]
fn preview_says_what_applying_would_and_changes_nothing() {
    let mut story = space();
    story.says(did(2), vec![pay(did(3), 12)]);
    let next = story.says(did(2), vec![pay(did(3), 8), pay(did(3), 1)]);
    let items = story.history.items(&story.history.all());
    let mut books = Books::new(root());
    for item in &items[..next] {
        books.apply(item.clone());
    }
    let before = books.digest();
    let previewed = books.preview(&items[next]);
    assert_eq!(books.digest(), before);
    let outcome = books.apply(items[next].clone());
    assert_eq!(outcome.verdicts, previewed);
    assert_eq!(
        outcome.accounts,
        [did(2), did(3)].into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
}

#[test]
fn what_was_considered_is_applied_as_if_it_had_not_been() {
    let mut story = space();
    story.says(did(2), vec![pay(did(3), 12)]);
    let next = story.says(did(2), vec![pay(did(3), 8), pay(did(3), 1)]);
    let items = story.history.items(&story.history.all());
    let other = Item { post: Post::new(vec![pay(did(4), 1)]), ..items[next].clone() };
    let mut plain = Books::new(root());
    let mut same = Books::new(root());
    let mut another = Books::new(root());
    for item in &items {
        let outcome = plain.apply(item.clone());
        assert_eq!(same.consider(item.clone()), outcome.verdicts);
        assert_eq!(same.apply(item.clone()), outcome);
        another.consider(Item { idx: item.idx, ..other.clone() });
        assert_eq!(another.apply(item.clone()), outcome);
    }
    assert_eq!([same.digest(), another.digest()], [plain.digest(), plain.digest()]);
}

#[test]
fn balances_never_leave_their_range() {
    // B-44, recorded defect 19: whole numbers, checked.
    let mut story = space();
    let huge = i64::MAX;
    story.says(root(), (2..=5).map(|n| line(did(n), huge, 1)).collect());
    let one = story.says(did(2), vec![pay(did(3), huge)]);
    let two = story.says(did(4), vec![pay(did(3), huge)]);
    let taken =
        story.says(did(3), vec![accept(story.history.order(one, 0)), accept(story.history.order(two, 0))]);
    let books = story.books();
    assert_eq!(books.verdicts(taken as u32), [ROOM, no(Reason::Overflow)]);
    assert_eq!(books.balance(&did(3), HOURS).booked, huge);
    assert!(books.check_zero_sum());
}

#[test]
fn verify_finds_a_missing_entry() {
    let mut story = space();
    story.says(did(2), vec![pay(did(3), 1)]);
    let books = story.books();
    let items = story.history.items(&story.history.all());
    assert!(books.verify(items.clone()));
    assert!(!books.verify(items[..1].to_vec()));
}

#[test]
#[ignore = "measures: run in release with --nocapture"]
fn payments_per_second() {
    let mut story = Story::founded(5);
    story.says(root(), (2..=6).map(|n| line(did(n), 1_000_000_000, 1)).collect());
    let mut history = story.history.clone();
    let mut heads = story.heads.clone();
    let start = history.raws.len();
    let empty = BTreeSet::new();
    let mut last = start - 1;
    for n in 0..100_000_usize {
        let payer = did(2 + (n % 4) as u8);
        let payee = did(2 + ((n + 1) % 4) as u8);
        for (who, act) in [(payer, None), (payee, Some(()))] {
            let act = match act {
                None => pay(payee, 1),
                Some(()) => accept(OrderRef { entry: history.raws[last].id, index: 0 }),
            };
            let prev = heads.get(&who).copied();
            // Pasts are not needed here and would grow without bound.
            let raw = history.write(who, prev, &[last], Post::new(vec![act]));
            history.pasts[raw] = empty.clone();
            heads.insert(who, raw);
            last = raw;
        }
    }
    let items = history.items(&history.all());
    let mut books = Books::new(root());
    let clock = std::time::Instant::now();
    let count = items.len();
    for item in items {
        assert!(!books.apply(item).rejudge);
    }
    let took = clock.elapsed();
    println!("{count} entries in {took:?}: {:.0}/s", count as f64 / took.as_secs_f64());
    assert_eq!(books.invalid_counts().len(), 0);
    let clock = std::time::Instant::now();
    let digest = books.digest();
    println!("digest {digest} in {:?}", clock.elapsed());
}

#[test]
fn the_last_word_about_somebody_counts() {
    let mut story = space();
    story.says(did(2), vec![trust(did(3), 300_000), trust(did(4), 500_000), trust(did(9), 1)]);
    story.says(did(2), vec![trust(did(3), 700_000), trust(did(4), 0)]);
    let own = story.says(did(3), vec![trust(did(3), 1_000_000)]);
    let stranger = story.says(did(9), vec![trust(did(2), 1_000_000)]);
    let books = story.books();
    let mut edges: Vec<_> = books.trust_edges().map(|edge| (edge.from, edge.to, edge.score_ppm)).collect();
    edges.sort();
    let mut wanted = vec![(did(2), did(3), 700_000), (did(2), did(9), 1)];
    wanted.sort();
    assert_eq!(edges, wanted);
    assert_eq!(books.verdicts(own as u32), [no(Reason::OwnWord)]);
    assert_eq!(books.verdicts(stranger as u32), [no(Reason::NotAMember(did(9)))]);
}

#[test]
fn nobody_trusts_more_than_a_thousand_others() {
    let someone = |n: usize| {
        Did::from_public_key(Cid::of_dag_cbor(&n.to_be_bytes()).to_bytes()[4..36].try_into().unwrap())
    };
    let mut story = space();
    for first in (0..1_024).step_by(256) {
        story.says(did(2), (first..first + 256).map(|n| trust(someone(n), 1)).collect());
    }
    let more = story.says(did(2), vec![trust(someone(7), 2), trust(someone(2_000), 1)]);
    let room = story.says(did(2), vec![trust(someone(7), 0), trust(someone(2_000), 1)]);
    let books = story.books();
    assert_eq!(books.verdicts(more as u32), [ROOM, no(Reason::TooManyEdges)]);
    assert_eq!(books.verdicts(room as u32), [ROOM, ROOM]);
    assert_eq!(books.trust_edges().count(), 1_024);
}

#[test]
fn an_originator_says_once_what_came_of_a_job() {
    let mut story = space();
    for job in 0..70 {
        story.says(did(2), vec![rate(did(3), job)]);
    }
    story.says(did(2), vec![rate(did(3), 69)]);
    let books = story.books();
    let jobs: Vec<Cid> = books.ratings().map(|rating| rating.job).collect();
    assert_eq!(jobs.len(), 64);
    assert_eq!(jobs.last(), Some(&Cid::of_dag_cbor(&[69])));
    assert_eq!(jobs.iter().filter(|job| **job == Cid::of_dag_cbor(&[69])).count(), 1);
}

#[test]
fn what_a_losing_branch_said_of_others_does_not_count() {
    let mut story = space();
    let first = story.says(did(2), vec![pay(did(5), 1)]);
    let word = story.says(did(2), vec![trust(did(3), 700_000)]);
    assert_eq!(story.books().trust_edges().count(), 1);
    assert_eq!(losing(&story, did(2), first, word).books().trust_edges().count(), 0);
}

#[test]
fn members_know_who_let_them_in() {
    let story = space();
    let introducers = story.books().introducers();
    assert_eq!(introducers.get(&did(3)), Some(&root()));
    assert_eq!(introducers.get(&root()), None);
}
