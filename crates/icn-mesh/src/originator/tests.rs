use icn_protocol::{ExecutionReceiptAvailable, JobDecline, RefusalCode};

use icn_types::JobOutcome;

use super::*;
use crate::PaymentState;
use crate::testing::{answer, at, bid, capability, hours, key, params, policy};

const TICKET: u64 = 7;

fn originator() -> Originator {
    Originator::new(key(1), OriginatorConfig::default())
}

/// Submits a job that takes the first bid.
fn submitted(originator: &mut Originator) -> Cid {
    let policy = icn_protocol::ExecutionPolicy {
        placement: Some("FIFO".into()),
        max_price: Some(hours(5)),
        ..policy()
    };
    let submission = Submission { params: params(Some(policy)), remote: false, note: None };
    originator.submit(at(0), submission).unwrap().0
}

fn bids(originator: &mut Originator, job: Cid, executor: u8, price: u64, now: Now) -> Vec<Effect> {
    let bid = bid(key(executor).did(), job, Some(price), now);
    let cid = Cid::of_raw(&[executor, u8::try_from(now.tick.0 % 251).unwrap()]);
    let mut effects = originator.handle(now, OriginatorEvent::Bid { ticket: TICKET, bid, cid });
    effects.extend(held(originator, now, job));
    effects
}

/// Lets the ledger place the hold that is asked for, if one is.
fn held(originator: &mut Originator, now: Now, job: Cid) -> Vec<Effect> {
    let payment = originator.job(&job).unwrap().payments.last();
    let Some(epoch) = payment.filter(|payment| payment.state == PaymentState::Placing).map(|p| p.epoch)
    else {
        return Vec::new();
    };
    originator.handle(now, OriginatorEvent::HoldPlaced { job, epoch, result: Ok(format!("hold#{epoch}")) })
}

fn update(job: Cid, executor: u8, epoch: u64, sequence: u64, state: JobStatus) -> OriginatorEvent {
    OriginatorEvent::Status {
        ticket: TICKET,
        update: Box::new(JobStatusUpdate {
            announcement_id: job,
            executor_did: key(executor).did(),
            lease_epoch: epoch,
            sequence,
            p2p_job_status: state,
            details: Some("log said\nprogress half".into()),
            progress_ppm: None,
            timestamp: at(0).at,
        }),
    }
}

fn available(job: Cid, executor: u8, receipt: &[u8]) -> OriginatorEvent {
    OriginatorEvent::ReceiptAvailable {
        ticket: Some(TICKET),
        available: Box::new(ExecutionReceiptAvailable {
            announcement_id: job,
            originator_did: key(1).did(),
            executor_did: key(executor).did(),
            receipt_cid: Cid::of_dag_cbor(receipt),
            timestamp: at(0).at,
            providers: Vec::new(),
        }),
    }
}

/// A job that executor 2 has accepted.
fn running() -> (Originator, Cid) {
    let mut originator = originator();
    let job = submitted(&mut originator);
    let _ = bids(&mut originator, job, 2, 0, at(0));
    assert_eq!(
        answer(&originator.handle(at(0), update(job, 2, 1, 0, JobStatus::Running))).as_deref(),
        Some("ack")
    );
    (originator, job)
}

fn lease_check(job: Cid, epoch: u64) -> OriginatorEvent {
    OriginatorEvent::Fired(Timer::LeaseChecked { job, epoch })
}

#[test]
fn a_job_that_is_known_is_not_submitted_twice() {
    let mut originator = originator();
    let policy = icn_protocol::ExecutionPolicy {
        placement: Some("FIFO".into()),
        max_price: Some(hours(5)),
        ..policy()
    };
    let job = submitted(&mut originator);
    let before = originator.job(&job).cloned();
    let again = Submission { params: params(Some(policy)), remote: false, note: None };
    assert_eq!(originator.submit(at(9), again).unwrap(), (job, Vec::new()));
    assert_eq!(originator.job(&job).cloned(), before);
}

#[test]
fn submissions_have_bounds_and_rules() {
    let config = OriginatorConfig { open_max: 0, ..OriginatorConfig::default() };
    let mut full = Originator::new(key(1), config);
    let submission = |params| Submission { params, remote: false, note: None };
    assert!(matches!(full.submit(at(0), submission(params(None))), Err(SubmitError::Full(0))));
    let mut invalid = params(None);
    invalid.max_fuel = 0;
    assert!(matches!(originator().submit(at(0), submission(invalid)), Err(SubmitError::Invalid(_))));
    let lottery =
        params(Some(icn_protocol::ExecutionPolicy { placement: Some("lottery".into()), ..policy() }));
    assert!(matches!(originator().submit(at(0), submission(lottery)), Err(SubmitError::Placement(_))));
}

#[test]
fn an_update_counts_only_from_the_present_executor_and_epoch() {
    let (mut originator, job) = running();
    let mut check = |event, code: &str| {
        assert_eq!(answer(&originator.handle(at(1), event)).as_deref(), Some(code));
    };
    check(update(job, 2, 1, 1, JobStatus::Running), "ack");
    check(update(job, 2, 1, 1, JobStatus::Running), "ack");
    check(update(job, 3, 1, 2, JobStatus::Running), "wrong_epoch");
    check(update(job, 2, 2, 2, JobStatus::Running), "wrong_epoch");
    check(update(Cid::of_raw(b"another"), 2, 1, 2, JobStatus::Running), "unknown_job");
}

#[test]
fn an_update_says_what_it_says_once() {
    let (mut originator, job) = running();
    let said = |originator: &Originator| {
        originator.job(&job).unwrap().history.iter().filter(|turn| turn.state == "Log").count()
    };
    assert_eq!(said(&originator), 1);
    let _ = originator.handle(at(1), update(job, 2, 1, 0, JobStatus::Running));
    assert_eq!(said(&originator), 1);
    let _ = originator.handle(at(1), update(job, 2, 1, 1, JobStatus::Running));
    assert_eq!(said(&originator), 2);
}

#[test]
fn only_a_newer_update_renews_the_lease() {
    let (mut originator, job) = running();
    let _ = originator.handle(at(5), update(job, 2, 1, 3, JobStatus::Running));
    // Somebody sends an old one again, and again.
    let _ = originator.handle(at(12), update(job, 2, 1, 2, JobStatus::Running));
    let _ = originator.handle(at(15), update(job, 2, 1, 3, JobStatus::Running));
    assert!(matches!(originator.handle(at(15), lease_check(job, 1)).as_slice(), [Effect::Wake { .. }]));
    let _ = originator.handle(at(16), lease_check(job, 1));
    assert_eq!(originator.job(&job).unwrap().state, JobStatus::BiddingOpen);
    let late = originator.handle(at(16), update(job, 2, 1, 4, JobStatus::Running));
    assert_eq!(answer(&late).as_deref(), Some("wrong_epoch"));
}

#[test]
fn an_executor_that_may_have_accepted_keeps_its_first_lease() {
    let mut originator = originator();
    let job = submitted(&mut originator);
    let _ = bids(&mut originator, job, 2, 0, at(0));
    let _ = bids(&mut originator, job, 3, 0, at(0));
    let silent =
        |answer| OriginatorEvent::Answered { request: RequestId::Assignment { job, epoch: 1 }, answer };
    let _ = originator.handle(at(2), silent(Answer::Silent));
    let _ = originator.handle(at(4), silent(Answer::Unsent));
    let effects = originator.handle(at(6), silent(Answer::Silent));
    assert!(matches!(effects.as_slice(), [Effect::Wake { timer: Timer::LeaseChecked { .. }, .. }]));
    let _ = originator.handle(at(14), lease_check(job, 1));
    assert_eq!(originator.job(&job).unwrap().epoch(), 1);
    let _ = originator.handle(at(15), lease_check(job, 1));
    let assignment = originator.job(&job).unwrap().assignment().unwrap();
    assert_eq!((assignment.epoch, assignment.executor), (2, key(3).did()));
}

#[test]
fn an_executor_that_cannot_be_reached_costs_no_time() {
    let mut originator = originator();
    let job = submitted(&mut originator);
    let _ = bids(&mut originator, job, 2, 0, at(0));
    let _ = bids(&mut originator, job, 3, 0, at(0));
    let request = RequestId::Assignment { job, epoch: 1 };
    let _ = originator.handle(at(0), OriginatorEvent::Answered { request, answer: Answer::Unsent });
    assert_eq!(originator.job(&job).unwrap().assignment().unwrap().executor, key(3).did());
}

#[test]
fn a_receipt_is_heard_only_from_who_was_assigned() {
    let (mut originator, job) = running();
    let mut check = |event, code: &str| {
        let effects = originator.handle(at(1), event);
        assert_eq!(answer(&effects).as_deref(), Some(code));
        effects
    };
    check(available(job, 3, b"one"), "not_assigned");
    check(available(Cid::of_raw(b"another"), 2, b"one"), "unknown_job");
    let effects = check(available(job, 2, b"one"), "ack");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::FetchReceipt { epoch: 1, .. })));
    let effects = check(available(job, 2, b"one"), "ack");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::FetchReceipt { .. })));
    // While one is fetched, the acknowledgement of another would lose it.
    check(available(job, 2, b"two"), "busy");
}

#[test]
fn one_late_receipt_of_an_assignment_is_recorded() {
    let (mut originator, job) = running();
    let _ = originator.handle(at(11), lease_check(job, 1));
    assert_eq!(originator.job(&job).unwrap().state, JobStatus::BiddingOpen);
    for receipt in [b"one", b"two", b"one"] {
        assert_eq!(answer(&originator.handle(at(12), available(job, 2, receipt))).as_deref(), Some("ack"));
    }
    let record = originator.job(&job).unwrap();
    assert_eq!(record.assignments[0].receipt, Some(Cid::of_dag_cbor(b"one")));
    let late =
        |turn: &&crate::Turn| turn.detail.as_ref().is_some_and(|detail| detail.contains("late receipt"));
    assert_eq!(record.history.iter().filter(late).count(), 1);
}

#[test]
fn a_state_that_only_an_executor_reports_keeps_its_lease_over_a_restart() {
    for state in [JobStatus::Cancelled, JobStatus::Other("Warming".into()), JobStatus::Failed] {
        let (mut first, job) = running();
        let _ = first.handle(at(1), update(job, 2, 1, 1, state.clone()));
        let record = first.job(&job).unwrap().clone();
        assert_eq!(record.state, state);
        let mut second = originator();
        let effects = second.restore(at(2), record);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::Wake { timer: Timer::LeaseChecked { .. }, .. }))
        );
        assert_eq!(second.job(&job).unwrap().epoch(), 1, "{state:?}");
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Publish { .. })), "{state:?}");
    }
}

#[test]
fn a_cancelled_job_that_its_executor_keeps_ends_all_the_same() {
    let (mut originator, job) = running();
    let effects = originator.handle(at(1), OriginatorEvent::Cancel { job, reason: Some("é".repeat(5_000)) });
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Send { request: RequestId::Cancel { .. }, .. }))
    );
    let request = RequestId::Cancel { job, epoch: 1 };
    let busy = Answer::Response(Response::refused(RefusalCode::Busy, ""));
    let effects = originator.handle(at(2), OriginatorEvent::Answered { request, answer: busy });
    assert!(matches!(effects.as_slice(), [Effect::Wake { timer: Timer::ResendCancel { .. }, .. }]));
    for second in 2..31 {
        let _ = originator.handle(at(second), update(job, 2, 1, second, JobStatus::Running));
        let _ = originator.handle(at(second), lease_check(job, 1));
        assert_eq!(originator.job(&job).unwrap().status, StandardJobStatus::Running);
    }
    let _ = originator.handle(at(31), lease_check(job, 1));
    let record = originator.job(&job).unwrap();
    assert_eq!(record.status, StandardJobStatus::Cancelled);
    assert!(record.failure.as_ref().unwrap().message.starts_with('é'));
}

#[test]
fn final_jobs_are_known_after_a_restart() {
    let (mut first, job) = running();
    let _ = first.handle(at(1), OriginatorEvent::Cancel { job, reason: None });
    let _ = first.handle(at(31), lease_check(job, 1));
    let record = first.job(&job).unwrap().clone();
    assert!(record.status.is_final());
    let mut second = originator();
    assert_eq!(second.restore(at(40), record), []);
    assert_eq!((second.open_len(), second.job(&job).is_some()), (0, true));
    assert_eq!(answer(&second.handle(at(41), available(job, 2, b"late"))).as_deref(), Some("ack"));
}

#[test]
fn bidding_waits_for_those_who_are_known_and_closes_when_they_have_answered() {
    let check = |known: &[u8], closes: bool| {
        let mut originator = originator();
        for executor in known {
            let capability = Box::new(capability(key(*executor).did(), at(0).at, &[]));
            let _ = originator.handle(at(0), OriginatorEvent::Capability(capability));
        }
        let submission = Submission {
            params: params(Some(icn_protocol::ExecutionPolicy { max_price: Some(hours(5)), ..policy() })),
            remote: false,
            note: None,
        };
        let job = originator.submit(at(0), submission).unwrap().0;
        let decline = JobDecline {
            announcement_id: job,
            executor_did: key(4).did(),
            code: RefusalCode::Price,
            detail: None,
            timestamp: at(0).at,
        };
        let _ = originator.handle(at(0), OriginatorEvent::Decline { ticket: TICKET, decline });
        let _ = bids(&mut originator, job, 2, 0, at(0));
        assert_eq!(originator.job(&job).unwrap().epoch() == 1, closes, "{known:?}");
        let closing = Timer::BiddingCloses { job, round: 1 };
        let _ = originator.handle(at(0), OriginatorEvent::Fired(closing));
        assert_eq!(originator.job(&job).unwrap().epoch(), 1, "{known:?}");
    };
    check(&[2], true);
    check(&[2, 4], true);
    check(&[2, 3], false);
    // Who bids and is not known shows that not everybody is known.
    check(&[], false);
}

#[test]
fn bids_that_break_the_policy_are_kept_with_the_reason_and_refused() {
    let mut originator = originator();
    let job = submitted(&mut originator);
    assert_eq!(answer(&bids(&mut originator, job, 2, 6, at(0))).as_deref(), Some("policy"));
    assert_eq!(originator.job(&job).unwrap().epoch(), 0);
    assert!(originator.job(&job).unwrap().bids[0].ineligible.as_ref().unwrap().starts_with("price"));
    assert_eq!(answer(&bids(&mut originator, job, 2, 5, at(1))).as_deref(), Some("ack"));
    assert_eq!(originator.job(&job).unwrap().bids.len(), 1, "a new bid takes the place of the old one");
    assert_eq!(originator.job(&job).unwrap().epoch(), 1);
}

#[test]
fn executors_that_are_busy_do_not_use_up_a_job() {
    let mut originator = originator();
    let job = submitted(&mut originator);
    for epoch in 1..40_u64 {
        let executor = u8::try_from(2 + epoch % 9).unwrap();
        let _ = bids(&mut originator, job, executor, 0, at(epoch));
        let busy = Answer::Response(Response::refused(RefusalCode::Busy, ""));
        let request = RequestId::Assignment { job, epoch };
        let _ = originator.handle(at(epoch), OriginatorEvent::Answered { request, answer: busy });
        assert_eq!(originator.job(&job).unwrap().state, JobStatus::BiddingOpen);
    }
    for epoch in 40..49 {
        let _ = bids(&mut originator, job, 2, 0, at(epoch * 20));
        let _ = originator.handle(at(epoch * 20), update(job, 2, epoch, 1, JobStatus::Running));
        let _ = originator.handle(at(epoch * 20 + 11), lease_check(job, epoch));
    }
    assert_eq!(originator.job(&job).unwrap().failure.as_ref().unwrap().code, "assignments_exhausted");
}

#[test]
fn refusals_do_not_begin_the_time_of_bidding_anew() {
    let mut originator = originator();
    let job = submitted(&mut originator);
    for epoch in 1..5 {
        let now = at(epoch * 120);
        let _ = bids(&mut originator, job, 2, 0, now);
        let refused = Answer::Response(Response::refused(RefusalCode::Busy, ""));
        let request = RequestId::Assignment { job, epoch };
        let _ = originator.handle(now, OriginatorEvent::Answered { request, answer: refused });
    }
    let _ = originator.handle(at(599), OriginatorEvent::Fired(Timer::BiddingFails { job }));
    assert_eq!(originator.job(&job).unwrap().status, StandardJobStatus::Pending);
    let _ = originator.handle(at(600), OriginatorEvent::Fired(Timer::BiddingFails { job }));
    assert_eq!(originator.job(&job).unwrap().failure.as_ref().unwrap().code, "no_executor");
}

/// The receipt of executor 2 for an assignment of the job.
fn receipt_of(originator: &Originator, job: &Cid, epoch: usize) -> Box<icn_protocol::ExecutionReceipt> {
    let record = originator.job(job).unwrap();
    let assignment = &record.assignments[epoch - 1];
    let params = Params::from_bytes(&record.params).unwrap();
    let none = || "none".to_owned();
    Box::new(icn_protocol::ExecutionReceipt {
        announcement_id: *job,
        assignment_cid: assignment.cid,
        lease_epoch: assignment.epoch,
        job_params_cid: params.cid(),
        originator_did: key(1).did(),
        executor_did: assignment.executor,
        status: StandardJobStatus::CompletedSuccessfully,
        end: icn_types::End::Exit,
        exit_code: Some(0),
        error: None,
        wasm_cid: params.wasm_cid,
        stdin_cid: None,
        input_cids: Vec::new(),
        output_cids: Vec::new(),
        fuel_used: 1,
        memory_peak_bytes: 1,
        host_calls: BTreeMap::new(),
        started_at: at(0).at,
        finished_at: at(1).at,
        stages_us: BTreeMap::new(),
        price: None,
        runtime: icn_protocol::RuntimeInfo {
            engine: none(),
            version: none(),
            profile: none(),
            mode: icn_types::Mode::Canonical,
        },
        anchors: Vec::new(),
    })
}

#[test]
fn a_receipt_of_an_earlier_lease_of_the_same_executor_is_not_paid() {
    let (mut originator, job) = running();
    let _ = originator.handle(at(11), lease_check(job, 1));
    // The same executor again, and then what it made under its first lease.
    let _ = bids(&mut originator, job, 2, 0, at(12));
    let _ = originator.handle(at(12), update(job, 2, 2, 1, JobStatus::Running));
    let fetched = |originator: &Originator, epoch: usize, name: &[u8]| OriginatorEvent::ReceiptFetched {
        job,
        cid: Cid::of_dag_cbor(name),
        executor: key(2).did(),
        result: Ok(receipt_of(originator, &job, epoch)),
    };
    assert_eq!(answer(&originator.handle(at(13), available(job, 2, b"first"))).as_deref(), Some("ack"));
    let event = fetched(&originator, 1, b"first");
    let _ = originator.handle(at(13), event);
    let record = originator.job(&job).unwrap();
    assert_eq!((record.status, record.receipt_cid), (StandardJobStatus::Running, None));
    let receipts: Vec<Option<Cid>> = record.assignments.iter().map(|assignment| assignment.receipt).collect();
    assert_eq!(receipts, [Some(Cid::of_dag_cbor(b"first")), None]);
    // Its current lease goes on, and its receipt counts.
    assert_eq!(answer(&originator.handle(at(14), available(job, 2, b"second"))).as_deref(), Some("ack"));
    let event = fetched(&originator, 2, b"second");
    let _ = originator.handle(at(14), event);
    let record = originator.job(&job).unwrap();
    assert_eq!(record.status, StandardJobStatus::CompletedSuccessfully);
    assert_eq!(record.receipt_cid, Some(Cid::of_dag_cbor(b"second")));
    // Nothing that comes after the end changes it.
    let before = record.clone();
    for event in [available(job, 2, b"third"), fetched(&originator, 1, b"first"), lease_check(job, 2)] {
        let _ = originator.handle(at(15), event);
    }
    assert_eq!(originator.job(&job).unwrap(), &before);
}

/// A job whose hold of 4 hours for executor 2 is asked for.
fn placing() -> (Originator, Cid, Vec<Effect>) {
    let mut originator = originator();
    let job = submitted(&mut originator);
    let mut bid = bid(key(2).did(), job, Some(4), at(0));
    bid.rates = Some(icn_protocol::PriceRates { base: 1, per_million_fuel: 2 });
    let event = OriginatorEvent::Bid { ticket: TICKET, bid, cid: Cid::of_raw(b"bid") };
    let effects = originator.handle(at(0), event);
    (originator, job, effects)
}

fn placed(job: Cid, epoch: u64, result: Result<&str, &str>) -> OriginatorEvent {
    let result = result.map(str::to_owned).map_err(str::to_owned);
    OriginatorEvent::HoldPlaced { job, epoch, result }
}

/// What is asked of the ledger among effects, each with the number of writes before it.
fn asked(effects: &[Effect]) -> Vec<(usize, Effect)> {
    let mut writes = 0;
    let mut asked = Vec::new();
    for effect in effects {
        writes += usize::from(matches!(effect, Effect::Persist(_)));
        let is_asked =
            matches!(effect, Effect::PlaceHold { .. } | Effect::Capture { .. } | Effect::WatchHold { .. });
        asked.extend(is_asked.then(|| (writes, effect.clone())));
    }
    asked
}

#[test]
fn a_hold_is_intended_durably_and_asked_for_again_after_a_restart() {
    let (mut first, job, effects) = placing();
    let asked_first = asked(&effects);
    let [(1, Effect::PlaceHold { epoch: 1, to, amount, expires, .. })] = asked_first.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((*to, amount, *expires), (key(2).did(), &hours(4), at(60 + 3_600).at));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Send { .. })));
    let mut second = originator();
    let effects = second.restore(at(9), first.job(&job).unwrap().clone());
    assert_eq!(asked(&effects), [(0, asked_first[0].1.clone())], "the same words");
    for originator in [&mut first, &mut second] {
        assert_eq!(originator.handle(at(10), placed(job, 2, Ok("h#0"))), []);
        let effects = originator.handle(at(10), placed(job, 1, Ok("h#0")));
        assert!(matches!(effects.first(), Some(Effect::Persist(_))));
        match crate::testing::sent(&effects) {
            Some(icn_protocol::Message::AssignJobV1(assignment)) => {
                assert_eq!(assignment.escrow_id.as_deref(), Some("h#0"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(originator.handle(at(10), placed(job, 1, Ok("h#0"))), [], "it is placed once");
    }
}

#[test]
fn a_refused_hold_goes_to_a_cheaper_bid_under_a_new_epoch_or_fails_the_job() {
    for cheaper in [Some(3), Some(4), None] {
        let (mut originator, job, _) = placing();
        if let Some(price) = cheaper {
            let bid = bid(key(3).did(), job, Some(price), at(0));
            let event = OriginatorEvent::Bid { ticket: TICKET, bid, cid: Cid::of_raw(b"other") };
            assert_eq!(asked(&originator.handle(at(0), event)), []);
        }
        let effects = originator.handle(at(1), placed(job, 1, Err("3 of 4 hours are left")));
        let record = originator.job(&job).unwrap();
        if cheaper == Some(3) {
            assert!(matches!(asked(&effects).as_slice(), [(1, Effect::PlaceHold { epoch: 2, .. })]));
            assert_eq!(record.state, JobStatus::BiddingClosed);
        } else {
            let failure = record.failure.as_ref().unwrap();
            assert_eq!(failure.code, "payment_refused");
            assert!(failure.message.ends_with("3 of 4 hours are left"), "{}", failure.message);
            assert!(record.is_settled());
        }
    }
}

#[test]
fn between_two_epochs_nobody_has_the_job() {
    let (mut originator, job, _) = placing();
    let _ = originator.handle(at(0), placed(job, 1, Ok("h#0")));
    let _ = originator.handle(at(1), update(job, 2, 1, 1, JobStatus::Running));
    let other = bid(key(3).did(), job, Some(2), at(1));
    let event = OriginatorEvent::Bid { ticket: TICKET, bid: other, cid: Cid::of_raw(b"other") };
    let _ = originator.handle(at(1), event);
    let effects = originator.handle(at(12), lease_check(job, 1));
    assert!(matches!(asked(&effects).as_slice(), [(1, Effect::PlaceHold { epoch: 2, .. })]));
    let late = originator.handle(at(12), update(job, 2, 1, 2, JobStatus::Running));
    assert_eq!(answer(&late).as_deref(), Some("wrong_epoch"));
    assert_eq!(originator.handle(at(30), lease_check(job, 1)), []);
    let _ = originator.handle(at(31), available(job, 2, b"late"));
    assert_eq!(originator.job(&job).unwrap().receipt_cid, None);
}

#[test]
fn a_receipt_is_captured_once_durable_if_it_asks_what_the_bid_allows() {
    let check = |price: Option<u64>, fuel: u64, end: icn_types::End, due: Result<Option<u64>, &str>| {
        let (mut originator, job, _) = placing();
        let _ = originator.handle(at(0), placed(job, 1, Ok("h#0")));
        let _ = originator.handle(at(1), available(job, 2, b"receipt"));
        let mut receipt = receipt_of(&originator, &job, 1);
        (receipt.price, receipt.fuel_used, receipt.end) = (price.map(hours), fuel, end);
        let cid = Cid::of_dag_cbor(b"receipt");
        let fetched =
            OriginatorEvent::ReceiptFetched { job, cid, executor: key(2).did(), result: Ok(receipt) };
        let effects = originator.handle(at(2), fetched);
        let record = originator.job(&job).unwrap().clone();
        match due {
            Err(word) => {
                let why = record.history.iter().rev().find(|turn| turn.state == "Note").unwrap();
                assert!(why.detail.as_ref().unwrap().contains(word), "{why:?}");
                assert_eq!((record.receipt_cid, record.payments[0].state), (None, PaymentState::Held));
            }
            Ok(None) => {
                assert_eq!(asked(&effects), []);
                assert_eq!(record.payments[0].state, PaymentState::Held, "its executor gives it back");
            }
            Ok(Some(due)) => {
                let asked_first = asked(&effects);
                let [(1, Effect::Capture { epoch: 1, hold, amount, receipt, .. })] = asked_first.as_slice()
                else {
                    panic!("{effects:?}")
                };
                assert_eq!((hold.as_str(), amount, *receipt), ("h#0", &hours(due), cid));
                // Asked for again after a restart, in the same words, until the ledger answers.
                let mut again = super::tests::originator();
                let effects = again.restore(at(3), record);
                assert!(asked(&effects).contains(&(0, asked_first[0].1.clone())));
                assert_eq!((again.open_len(), again.unsettled_len()), (0, 1));
                let _ = again.handle(at(4), OriginatorEvent::Captured { job, epoch: 1, result: Ok(()) });
                assert_eq!(again.job(&job).unwrap().payments[0].to_string(), format!("captured {due} hours"));
                assert_eq!((again.open_len(), again.unsettled_len()), (0, 0));
                let record = again.job(&job).unwrap().clone();
                assert_eq!(super::tests::originator().restore(at(5), record), []);
            }
        }
    };
    use icn_types::End;
    check(Some(3), 1, End::Exit, Ok(Some(3)));
    check(Some(1), 0, End::Trap, Ok(Some(1)));
    check(Some(4), 1_000_001, End::OutOfFuel, Ok(Some(4)));
    check(Some(3), 1, End::Timeout, Ok(None));
    check(Some(5), 1_000_001, End::Exit, Err("the bid was 4 hours"));
    check(Some(4), 1, End::Exit, Err("by the rates of the bid it is 3 hours"));
    check(Some(2), 1, End::Exit, Err("by the rates of the bid it is 3 hours"));
    check(None, 1, End::Exit, Err("by the rates of the bid it is 3 hours"));
}

#[test]
fn an_executor_that_keeps_holds_is_passed_over() {
    let mut originator = originator();
    let job = submitted(&mut originator);
    for epoch in 1..=4_u64 {
        let _ = bids(&mut originator, job, 2, 1, at(epoch));
        let busy = Answer::Response(Response::refused(RefusalCode::Busy, ""));
        let request = RequestId::Assignment { job, epoch };
        let _ = originator.handle(at(epoch), OriginatorEvent::Answered { request, answer: busy });
    }
    assert_eq!(originator.job(&job).unwrap().payments.len(), 3);
    // One of them comes back, and its waiting bid is taken.
    let ended = OriginatorEvent::HoldEnded { job, epoch: 2, how: HoldEnd::Released };
    let effects = originator.handle(at(9), ended);
    assert!(matches!(asked(&effects).as_slice(), [(1, Effect::PlaceHold { epoch: 4, .. })]));
}

#[test]
fn those_may_be_asked_whom_the_job_and_this_node_do_not_rule_out() {
    let mut originator = originator();
    let fuel = [(icn_protocol::capacity::FUEL_MAX, 700)];
    for (number, amounts) in [(1, &[][..]), (2, &fuel), (3, &[])] {
        let capability = Box::new(capability(key(number).did(), at(0).at, amounts));
        drop(originator.handle(at(0), OriginatorEvent::Capability(capability)));
    }
    let asked = |originator: &Originator, policy: icn_protocol::ExecutionPolicy, remote| {
        let params = params(Some(policy));
        let mut all = originator.askable(at(0), &params, remote);
        all.sort_unstable();
        all
    };
    let sorted = |mut all: Vec<(Did, u64)>| {
        all.sort_unstable();
        all
    };
    let [me, small, other] = [1, 2, 3].map(|number| key(number).did());
    assert_eq!(originator.me, me);
    // A job that could use more than somebody allows is no reason not to ask it: how much it may use is the question.
    let all = [(me, u64::MAX), (small, 700), (other, u64::MAX)];
    assert_eq!(asked(&originator, policy(), false), sorted(all.to_vec()));
    assert_eq!(asked(&originator, policy(), true), sorted(all[1..].to_vec()));
    let named = icn_protocol::ExecutionPolicy { allowed_executors: vec![small], ..policy() };
    assert_eq!(asked(&originator, named.clone(), false), [(small, 700)]);
    // Where trust counts, this node chooses nobody whom it trusts too little, unless the job names it.
    let regards = crate::Regards { trust_min_ppm: Some(300_000), ..crate::Regards::default() };
    originator.set_regards(Arc::new(regards));
    assert_eq!(asked(&originator, policy(), false), [(me, u64::MAX)]);
    assert_eq!(asked(&originator, named, false), [(small, 700)]);
}

#[test]
fn a_job_that_was_run_again_speaks_for_or_against_its_executor() {
    let finished = || {
        let (mut originator, job) = running();
        let _ = originator.handle(at(13), available(job, 2, b"receipt"));
        let result = Ok(receipt_of(&originator, &job, 1));
        let cid = Cid::of_dag_cbor(b"receipt");
        let event = OriginatorEvent::ReceiptFetched { job, cid, executor: key(2).did(), result };
        let _ = originator.handle(at(13), event);
        assert_eq!(originator.job(&job).unwrap().receipt_cid, Some(cid));
        (originator, job)
    };
    for (differences, expected, words) in [
        (vec![], JobOutcome::Validated, "told the truth"),
        (
            vec!["fuel: the receipt says 1, the replay gave 2".to_owned()],
            JobOutcome::Invalid,
            "the receipt says 1",
        ),
    ] {
        let (mut originator, job) = finished();
        let is_lie = !differences.is_empty();
        let effects = originator.handle(at(14), OriginatorEvent::Checked { job, differences });
        let said = effects.iter().find_map(|effect| {
            let Effect::Rate { executor, receipt, outcome, epoch: 1, .. } = effect else { return None };
            Some((*executor, *receipt, *outcome))
        });
        assert_eq!(said, Some((key(2).did(), Some(Cid::of_dag_cbor(b"receipt")), expected)));
        let record = originator.job(&job).unwrap();
        assert_eq!(record.status, StandardJobStatus::CompletedSuccessfully, "the job has ended all the same");
        assert!(record.history.last().unwrap().detail.as_ref().unwrap().contains(words));
        let track = originator.tracks[&key(2).did()];
        assert_eq!(track.broken, u64::from(is_lie));
        // Found out is found out, after a new start too.
        let mut again = self::originator();
        drop(again.restore(at(15), record.clone()));
        assert_eq!(again.tracks[&key(2).did()], track);
    }
    // A job that is not finished, or not known, cannot have been run again.
    let (mut originator, job) = running();
    for job in [job, Cid::of_dag_cbor(b"unknown")] {
        assert!(originator.handle(at(1), OriginatorEvent::Checked { job, differences: vec![] }).is_empty());
    }
}
