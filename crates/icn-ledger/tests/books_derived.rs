//! What moves money without the word of the account's own chain, and what ends by sealed time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that goes wrong should stop")]

mod books_support;

use books_support::{DAY, HOURS, Story, accept, demurrage, did, dispute_rules, line, pay, root, standing};
use icn_ledger::{
    Act, CreditPolicy, DisputeAct, DisputeOutcome, DisputeStatus, OrderRef, Reason, SpacePolicy,
    TransferCause, Verdict,
};
use icn_types::{Did, Timestamp};

fn invalid(reason: Reason) -> Verdict {
    Verdict::Invalid(reason)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn booked(story: &Story, account: u8) -> i64 {
    story.books().balance(&did(account), HOURS).booked
}

/// Members 2 to 6, disputes and a fund (6); member 2 has a line of 200, and has paid member 3 what is asked for.
fn paid(amount: i64) -> (Story, OrderRef, usize) {
    let mut story = Story::founded(5);
    story.says(root(), vec![Act::Policy(dispute_rules()), line(did(2), 200, 1)]);
    let sent = story.says(did(2), vec![pay(did(3), amount)]);
    let order = story.history.order(sent, 0);
    let taken = story.says(did(3), vec![accept(order)]);
    (story, order, taken)
}

fn file(story: &mut Story, by: Did, order: OrderRef, acceptance: usize) -> OrderRef {
    let acceptance = story.history.raws[acceptance].id;
    let act = DisputeAct::File { order, acceptance, reason: "the wheel is loose".into(), evidence: vec![] };
    let raw = story.says(by, vec![Act::Dispute(act)]);
    story.history.order(raw, 0)
}

fn step(story: &mut Story, by: Did, step: DisputeAct) -> Verdict {
    let raw = story.says(by, vec![Act::Dispute(step)]);
    story.verdict(raw)
}

fn resolve(story: &mut Story, by: Did, dispute: OrderRef, outcome: DisputeOutcome) -> Verdict {
    step(story, by, DisputeAct::Resolve { dispute, outcome })
}

#[test]
fn a_freeze_ends_with_the_first_seal_at_or_after_its_time() {
    let mut story = Story::founded(2);
    let freeze = Act::Freeze { account: did(2), reason: "late".into(), expires: Some(at(5_000)) };
    story.says(root(), vec![freeze]);
    let frozen = story.says(did(2), vec![pay(did(3), 1)]);
    assert_eq!(story.verdict(frozen), invalid(Reason::Frozen));
    let first = story.seal(root(), 1, None, 4_999);
    let frozen = story.says(did(2), vec![pay(did(3), 1)]);
    assert_eq!(story.verdict(frozen), invalid(Reason::Frozen));
    story.seal(root(), 2, Some(first), 5_000);
    let free = story.says(did(2), vec![pay(did(3), 1)]);
    assert_eq!(story.verdict(free), Verdict::Valid);
    assert!(!story.books().balance(&did(2), HOURS).frozen);
    // Whoever has not seen the seal is frozen still.
    let mut blind = Story::founded(2);
    let freeze = Act::Freeze { account: did(2), reason: "late".into(), expires: Some(at(5_000)) };
    let frozen = blind.says(root(), vec![freeze]);
    blind.seal(root(), 1, None, 6_000);
    let unseen = blind.says_knowing(did(2), &[frozen], vec![pay(did(3), 1)]);
    assert_eq!(blind.verdict(unseen), invalid(Reason::Frozen));
}

#[test]
fn idle_balances_are_charged_at_the_seals_that_end_periods() {
    let (mut story, _, _) = paid(100);
    story.says(root(), vec![demurrage(did(6))]);
    // The first seal that knows the rule starts its time.
    let first = story.seal(root(), 1, None, DAY / 2);
    assert_eq!(booked(&story, 3), 100);
    let second = story.seal(root(), 2, Some(first), DAY / 2 + 9);
    assert_eq!(booked(&story, 3), 100, "no period has ended");
    // 30 % of what lies above 2, rounded down.
    let third = story.seal(root(), 3, Some(second), DAY);
    assert_eq!((booked(&story, 2), booked(&story, 3), booked(&story, 6)), (-100, 71, 29));
    // Two periods at once, one after the other: 20 and 14.
    let fourth = story.seal(root(), 4, Some(third), 3 * DAY);
    assert_eq!((booked(&story, 3), booked(&story, 6)), (71 - 20 - 14, 29 + 34));
    let books = story.books();
    let transfers = books.transfers(&did(3), 0, 10);
    assert_eq!(transfers.iter().map(|one| one.amount).collect::<Vec<_>>(), [34, 29]);
    assert!(
        transfers.iter().all(|one| one.to == did(6) && matches!(one.cause, TransferCause::Demurrage { .. }))
    );
    assert_ne!(transfers[0].id, transfers[1].id);
    assert_eq!(books.transfers(&did(6), 0, 10), transfers);
    assert_eq!(books.explain(&did(3), HOURS, 1).derived, -63);
    // What was charged cannot be spent, and the fund can spend what it got.
    let beyond = story.says(did(3), vec![pay(did(4), 37 + 20 + 1)]);
    assert_eq!(story.verdict(beyond), invalid(Reason::LimitExceeded { available: 57, requested: 58 }));
    let fund = story.says(did(6), vec![pay(did(4), 63 + 20)]);
    assert_eq!(story.verdict(fund), Verdict::Valid);
    // The end of the rule ends it, whatever passes.
    story.says(root(), vec![Act::Demurrage { currency: HOURS.into(), rule: None, fund: None }]);
    story.seal(root(), 5, Some(fourth), 9 * DAY);
    assert_eq!(booked(&story, 3), 37);
    assert_eq!(story.books().demurrage(), []);
}

#[test]
fn only_stewards_set_a_charge_and_its_fund_is_known() {
    let mut story = Story::founded(2);
    let mine = story.says(did(2), vec![demurrage(did(2))]);
    assert_eq!(story.verdict(mine), invalid(Reason::NotASteward(did(2))));
    let unknown = story.says(root(), vec![demurrage(did(99))]);
    assert_eq!(story.verdict(unknown), invalid(Reason::NotAMember(did(99))));
    let missing =
        story.says(root(), vec![Act::Demurrage { currency: "euro".into(), rule: None, fund: None }]);
    assert_eq!(story.verdict(missing), invalid(Reason::UnknownCurrency));
}

/// Two seals on one both end a period. Only the one in the line charges; whoever was paid out of what the other had
/// brought the fund has a claim.
#[test]
fn of_two_seals_that_race_only_one_charges() {
    let witnesses: Vec<Did> = (2..=5).map(did).collect();
    let (mut story, _, _) = paid(100);
    let accepted = SpacePolicy {
        finality: vec![icn_ledger::Tier { from: 0, level: icn_ledger::Finality::Accepted }],
        ..dispute_rules()
    };
    story.says(root(), vec![Act::Policy(accepted), demurrage(did(6)), line(did(6), 0, 1)]);
    let first = story.seal(root(), 1, None, DAY / 2);
    story.says(root(), vec![Act::Witnesses { number: 1, members: witnesses.clone() }]);
    let base: std::collections::BTreeSet<usize> = story.history.all().into_iter().collect();
    let one = story.seal(did(2), 3, Some(first), DAY);
    let Act::Seal { digest, prev, .. } = story.history.raws[one].post.acts[0].clone() else { return };
    story.certify(did(2), one, 1, &witnesses[..3]);
    assert_eq!((booked(&story, 3), booked(&story, 6)), (71, 29));
    let spent = story.says(did(6), vec![pay(did(4), 29)]);
    let order = story.history.order(spent, 0);
    let taken = story.says(did(4), vec![accept(order)]);
    assert_eq!(story.verdict(taken), Verdict::Valid);
    // The other one, of the same cut with a lower number, comes to light afterwards.
    let two = Act::Seal { number: 2, prev, time: at(2 * DAY), digest };
    let two = story.posts_knowing(did(5), &base, icn_ledger::Post::new(vec![two]));
    story.certify(did(5), two, 1, &witnesses[1..]);
    let books = story.books();
    let line: Vec<u64> =
        books.seals().iter().filter(|seal| seal.is_in_line).map(|seal| seal.number).collect();
    assert_eq!(line, [1, 2], "the lowest number counts");
    // 29 for one day, 20 for the second: charged once each.
    assert_eq!((booked(&story, 3), booked(&story, 6)), (51, 49));
    assert_eq!(books.transfers(&did(3), 0, 10).len(), 1);
    // What the fund spent of the charge that counts no more is uncovered; its payee has a claim.
    assert_eq!(story.verdict(spent), invalid(Reason::Uncovered));
    assert_eq!(story.verdict(taken), invalid(Reason::OrderVoid));
    assert_eq!(books.claims().iter().map(|claim| claim.amount).collect::<Vec<_>>(), [29]);
}

#[test]
fn a_dispute_is_resolved_by_the_mediator_that_both_name() {
    let (mut story, order, taken) = paid(100);
    let dispute = file(&mut story, did(2), order, taken);
    let again = DisputeAct::File {
        order,
        acceptance: story.history.raws[taken].id,
        reason: String::new(),
        evidence: vec![],
    };
    assert_eq!(step(&mut story, did(3), again.clone()), invalid(Reason::AlreadyDone));
    assert_eq!(step(&mut story, did(4), again), invalid(Reason::NotYours));
    assert_eq!(story.books().disputes()[0].status, DisputeStatus::Contested);
    let show = |note: &str| DisputeAct::Evidence { dispute, items: vec![], note: Some(note.into()) };
    assert_eq!(step(&mut story, did(3), show("it was new")), Verdict::Valid);
    assert_eq!(step(&mut story, did(5), show("I saw it")), invalid(Reason::NotYours));
    let name = |mediator| DisputeAct::Mediate { dispute, mediator };
    assert_eq!(step(&mut story, did(2), name(did(3))), invalid(Reason::NotTheMediator), "no party");
    assert_eq!(step(&mut story, did(2), name(did(5))), Verdict::Valid);
    let reversed = DisputeOutcome::EntryReversed;
    assert_eq!(resolve(&mut story, did(5), dispute, reversed), invalid(Reason::NotTheMediator));
    assert_eq!(step(&mut story, did(3), name(did(5))), Verdict::Valid);
    assert_eq!(story.books().disputes()[0].mediator, Some(did(5)));
    let much = DisputeOutcome::PartialRefund { amount: 101 };
    assert_eq!(resolve(&mut story, did(5), dispute, much), invalid(Reason::Amount));
    let write_off = DisputeOutcome::WriteOff { amount: 10 };
    assert_eq!(resolve(&mut story, did(5), dispute, write_off), invalid(Reason::NotASteward(did(5))));
    // The payee has spent some of it, which is no hindrance: it goes below its line.
    story.says(did(3), vec![pay(did(4), 110)]);
    let part = DisputeOutcome::PartialRefund { amount: 40 };
    assert_eq!(resolve(&mut story, did(5), dispute, part), Verdict::Valid);
    let books = story.books();
    assert_eq!((booked(&story, 2), booked(&story, 3)), (-60, 60));
    assert_eq!(books.balance(&did(3), HOURS).available, 20 + 100 - 110 - 40);
    assert_eq!(books.net_received(&did(3), HOURS), [(did(2), 60)], "what went back is not cleared volume");
    let shown = &books.disputes()[0];
    assert_eq!((shown.status, shown.outcome, shown.evidence.len()), (DisputeStatus::Resolved, Some(part), 1));
    assert_eq!(books.transfers(&did(2), 0, 9)[0].cause, TransferCause::Dispute { order });
    // Once.
    assert_eq!(resolve(&mut story, did(5), dispute, part), invalid(Reason::AlreadyDone));
    let again = story.history.raws[taken].id;
    let again = DisputeAct::File { order, acceptance: again, reason: String::new(), evidence: vec![] };
    assert_eq!(step(&mut story, did(2), again), invalid(Reason::AlreadyDone));
}

#[test]
fn what_was_not_accepted_is_not_disputed() {
    let mut story = Story::founded(3);
    let sent = story.says(did(2), vec![pay(did(3), 5)]);
    let order = story.history.order(sent, 0);
    let early = DisputeAct::File {
        order,
        acceptance: story.history.raws[sent].id,
        reason: String::new(),
        evidence: vec![],
    };
    assert_eq!(step(&mut story, did(2), early), invalid(Reason::NotAccepted));
}

/// Without agreement one of the space's list is chosen after a day of sealed time; after two days anybody may hand it on.
#[test]
fn sealed_time_assigns_a_mediator_and_escalates() {
    let (mut story, order, taken) = paid(100);
    let dispute = file(&mut story, did(2), order, taken);
    let escalate = || DisputeAct::Escalate { dispute };
    assert_eq!(step(&mut story, did(2), escalate()), invalid(Reason::TooEarly));
    let first = story.seal(root(), 1, None, DAY);
    assert_eq!(story.books().disputes()[0].escalates_at, Some(at(3 * DAY)));
    let second = story.seal(root(), 2, Some(first), 2 * DAY - 1);
    assert_eq!(story.books().disputes()[0].mediator, None);
    let third = story.seal(root(), 3, Some(second), 2 * DAY);
    // Of the two on the list one is a party.
    assert_eq!(story.books().disputes()[0].mediator, Some(did(4)));
    assert_eq!(step(&mut story, did(2), escalate()), invalid(Reason::TooEarly));
    story.seal(root(), 4, Some(third), 3 * DAY);
    assert_eq!(step(&mut story, did(5), escalate()), Verdict::Valid);
    assert_eq!(story.books().disputes()[0].status, DisputeStatus::Escalated);
    let stands = DisputeOutcome::EntryValid;
    assert_eq!(resolve(&mut story, did(4), dispute, stands), invalid(Reason::NotTheMediator));
    // The fund pays whoever complained; the payment stands.
    let write_off = DisputeOutcome::WriteOff { amount: 30 };
    assert_eq!(resolve(&mut story, root(), dispute, write_off), Verdict::Valid);
    assert_eq!((booked(&story, 2), booked(&story, 3), booked(&story, 6)), (-70, 100, -30));
}

/// Two stewards decide at once: the first by the order of rules counts, everywhere.
#[test]
fn of_two_resolutions_one_counts() {
    let (mut story, order, taken) = paid(100);
    story.says(root(), vec![Act::Appoint { member: did(5) }]);
    let dispute = file(&mut story, did(2), order, taken);
    let mediate = DisputeAct::Mediate { dispute, mediator: root() };
    assert_eq!(step(&mut story, did(5), mediate), Verdict::Valid);
    let handed = story.says(root(), vec![Act::Dispute(DisputeAct::Escalate { dispute })]);
    let of = |outcome| vec![Act::Dispute(DisputeAct::Resolve { dispute, outcome })];
    let one = story.says_knowing(root(), &[handed], of(DisputeOutcome::EntryReversed));
    let two = story.says_knowing(did(5), &[handed], of(DisputeOutcome::PartialRefund { amount: 10 }));
    let id = |raw: usize| story.history.raws[raw].id;
    let wanted = if id(one).to_bytes() < id(two).to_bytes() { 0 } else { -90 };
    assert_eq!(booked(&story, 2), wanted);
    assert_eq!(story.books().transfers(&did(2), 0, 9).len(), 1);
}

#[test]
fn the_debt_of_who_left_is_written_off_once() {
    let (mut story, _, _) = paid(100);
    story.says(root(), vec![Act::Appoint { member: did(5) }]);
    let act = |amount, number| Act::WriteOff {
        account: did(2),
        currency: HOURS.into(),
        amount,
        number,
        reason: "left the village".into(),
    };
    let early = story.says(root(), vec![act(100, 1)]);
    assert_eq!(story.verdict(early), invalid(Reason::StillAMember(did(2))));
    let gone = story.says(root(), vec![Act::Expel { member: did(2) }]);
    // Two stewards at once.
    let one = story.says_knowing(root(), &[gone], vec![act(100, 1)]);
    let two = story.says_knowing(did(5), &[gone], vec![act(100, 1)]);
    assert_eq!((story.verdict(one), story.verdict(two)), (Verdict::Valid, Verdict::Valid));
    assert_eq!((booked(&story, 2), booked(&story, 6)), (0, -100));
    assert_eq!(story.books().next_write_off(&did(2), HOURS), 2);
    let third = story.says(root(), vec![act(1, 1)]);
    assert_eq!(story.verdict(third), invalid(Reason::Number(2)));
    let mine = story.says(did(3), vec![act(1, 2)]);
    assert_eq!(story.verdict(mine), invalid(Reason::NotASteward(did(3))));
}

#[test]
fn without_a_fund_nothing_is_written_off() {
    let mut story = Story::founded(2);
    story.says(root(), vec![Act::Expel { member: did(2) }]);
    let act = Act::WriteOff {
        account: did(2),
        currency: HOURS.into(),
        amount: 1,
        number: 1,
        reason: String::new(),
    };
    let raw = story.says(root(), vec![act]);
    assert_eq!(story.verdict(raw), invalid(Reason::NoFund));
}

#[test]
fn a_highest_balance_refuses_what_would_lift_it_further() {
    let mut story = Story::founded(3);
    let policy = CreditPolicy { balance_max: Some(15), ..CreditPolicy::default() };
    story.says(root(), vec![Act::Currency { code: HOURS.into(), decimals: 0, policy }]);
    let sent = story.says(did(2), vec![pay(did(3), 10)]);
    let order = story.history.order(sent, 0);
    story.says(did(3), vec![accept(order)]);
    assert_eq!(story.books().room(&did(3), HOURS), Some(5));
    let sent = story.says(did(2), vec![pay(did(3), 6)]);
    let more = story.history.order(sent, 0);
    let refused = story.says(did(3), vec![accept(more)]);
    assert_eq!(story.verdict(refused), invalid(Reason::BalanceMax { max: 15, would: 16 }));
    assert_eq!(booked(&story, 3), 10);
    // Once something was spent there is room again.
    story.says(did(3), vec![pay(did(4), 1)]);
    let fits = story.says(did(3), vec![accept(more)]);
    assert_eq!(story.verdict(fits), Verdict::Valid);
}

#[test]
fn a_standing_order_is_its_payers_to_place_and_end() {
    let mut story = Story::founded(3);
    let bad = story.says(did(2), vec![Act::Standing(standing(did(2), 5, 1_000, 1))]);
    assert_eq!(story.verdict(bad), invalid(Reason::SelfPayment));
    let bad = story.says(did(2), vec![Act::Standing(standing(did(99), 5, 1_000, 1))]);
    assert_eq!(story.verdict(bad), invalid(Reason::NotAMember(did(99))));
    let placed = story.says(did(2), vec![Act::Standing(standing(did(3), 5, 1_000, 1))]);
    let order = story.history.order(placed, 0);
    let list = story.books().standings(&did(2), |_| 0);
    assert_eq!((list.len(), list[0].paid, list[0].next_due), (1, 0, Some(at(1_000))));
    let key = icn_ledger::standing_key(&order, 0);
    let post = icn_ledger::Post { key: Some(key), ..icn_ledger::Post::new(vec![pay(did(3), 5)]) };
    story.posts(did(2), post.clone());
    assert_eq!(story.books().standings(&did(2), |_| 0)[0].paid, 1);
    let twice = story.posts(did(2), post);
    assert_eq!(story.verdict(twice), invalid(Reason::Repeated));
    let ends = story.says(did(2), vec![Act::EndStanding { standing: order }]);
    assert_eq!(story.verdict(ends), Verdict::Valid);
    let list = story.books().standings(&did(2), |_| 0);
    assert_eq!((list[0].is_ended, list[0].next_due), (true, None));
}
