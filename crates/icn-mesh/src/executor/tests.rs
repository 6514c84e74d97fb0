mod quota;

use icn_identity::Keypair;
use icn_protocol::{CancelJob, Message, Stage, WorkflowType};
use icn_types::NodeCapacity;
use icn_types::ResourceType;

use super::*;
use crate::testing::{announcement, answer, at, hours, key, params, policy, sent};
use crate::{HoldEnd, HoldRole, Persist};

const TICKET: u64 = 7;

fn executor() -> Executor {
    let capacity = NodeCapacity([(ResourceType::Other("fuel_max".into()), 5_000)].into());
    let config = ExecutorConfig { capacity, running_max: 1, queued_max: 0, ..ExecutorConfig::default() };
    Executor::new(key(2), config)
}

fn announced(executor: &mut Executor, now: Now, nonce: u8) -> (Cid, Vec<Effect>) {
    let mut params = params(None);
    params.nonce = icn_protocol::Nonce([nonce; 16]);
    let announcement = announcement(key(1).did(), params, now);
    let job = announcement.announcement_id;
    (job, executor.handle(now, ExecutorEvent::Announced { announcement, blobs_held: Vec::new() }))
}

/// The assignment that takes the newest bid of `executor`, changed by `change`, signed by `signer`.
fn assigned(
    executor: &mut Executor,
    now: Now,
    job: &Cid,
    signer: &Keypair,
    change: impl FnOnce(&mut JobAssignment),
) -> Vec<Effect> {
    let offer = executor.offers.get(job).cloned();
    let mut assignment = JobAssignment {
        announcement_id: *job,
        originator_did: signer.did(),
        executor_did: executor.me,
        timestamp: now.at,
        lease_epoch: 1,
        lease_seconds: 10,
        bid_cid: offer.as_ref().map_or(*job, |offer| offer.bid_cid),
        params_cid: offer.map_or(*job, |offer| Cid::of_dag_cbor(&offer.params)),
        escrow_id: None,
    };
    change(&mut assignment);
    let signed = icn_protocol::sign(assignment, signer).unwrap();
    let event = ExecutorEvent::Assigned {
        ticket: TICKET,
        assignment: Box::new(signed.body().clone()),
        cid: signed.cid(),
        block: signed.inner().to_vec(),
    };
    executor.handle(now, event)
}

fn starts(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Start { .. }))
}

#[test]
fn a_bid_is_durable_before_it_is_sent_and_expires() {
    let mut executor = executor();
    let (job, effects) = announced(&mut executor, at(0), 1);
    let [Effect::Persist(writes), Effect::Send { .. }, Effect::Wake { timer, .. }] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert!(matches!(writes.as_slice(), [Persist::Offer(offer)] if offer.job == job));
    assert!(matches!(sent(&effects), Some(Message::JobBidV1(_))));
    let timer = timer.clone();
    let early = executor.handle(at(119), ExecutorEvent::Fired(timer.clone()));
    assert!(matches!(early.as_slice(), [Effect::Wake { .. }]));
    let effects = executor.handle(at(120), ExecutorEvent::Fired(timer));
    assert_eq!(effects, [Effect::Note(vec![Persist::OfferGone(job)])]);
    assert_eq!(executor.offers_len(), 0);
}

#[test]
fn what_cannot_run_is_declined_with_a_code_when_asked() {
    let check = |change: &dyn Fn(&mut icn_protocol::MeshJobParams), code: &str| {
        let mut params = params(Some(policy()));
        change(&mut params);
        let announcement = announcement(key(1).did(), params, at(0));
        let silent = Box::new(JobAnnouncement { explain: None, ..announcement.as_ref().clone() });
        let mut executor = executor();
        let heard = ExecutorEvent::Announced { announcement, blobs_held: Vec::new() };
        match sent(&executor.handle(at(0), heard)) {
            Some(Message::JobDeclineV1(decline)) => assert_eq!(decline.code.as_str(), code),
            other => panic!("{other:?}"),
        }
        let heard = ExecutorEvent::Announced { announcement: silent, blobs_held: Vec::new() };
        assert_eq!(executor.handle(at(0), heard), []);
        assert_eq!(executor.offers_len(), 0);
    };
    check(&|params| params.max_fuel = 5_001, "limit");
    check(&|params| params.is_interactive = true, "unsupported");
    check(
        &|params| {
            params.workflow_type = WorkflowType::SequentialPipeline;
            params.stages = vec![Stage {
                stage_id: "one".into(),
                description: None,
                wasm_cid: params.wasm_cid,
                input_source: icn_protocol::InputSource::Job,
                resources_required: None,
                deadline: None,
            }];
        },
        "unsupported",
    );
    check(&|params| params.execution_policy.as_mut().unwrap().region_filter = "south".parse().ok(), "region");
    check(
        &|params| params.execution_policy.as_mut().unwrap().allowed_executors = vec![key(9).did()],
        "policy",
    );
}

#[test]
fn an_originator_gets_what_policy_gives_it() {
    let given = |fuel_max, jobs_max| {
        let constraints = icn_types::Constraints { fuel_max, jobs_max, ..icn_types::Constraints::default() };
        Arc::new(crate::Regards { strangers: constraints, ..crate::Regards::default() })
    };
    let mut executor = executor();
    let bids = |effects: &[Effect]| matches!(sent(effects), Some(Message::JobBidV1(_)));
    executor.set_regards(given(999, u32::MAX));
    assert!(!bids(&announced(&mut executor, at(0), 1).1), "the job may use 1,000 of fuel");
    executor.set_regards(given(1_000, 2));
    assert!(bids(&announced(&mut executor, at(0), 2).1));
    assert!(bids(&announced(&mut executor, at(0), 3).1));
    assert!(!bids(&announced(&mut executor, at(0), 4).1), "two at once");
    executor.set_regards(given(1_000, 3));
    assert!(bids(&announced(&mut executor, at(0), 5).1), "without a new start");
}

#[test]
fn an_assignment_is_durable_before_it_is_acknowledged() {
    let mut executor = executor();
    let (job, _) = announced(&mut executor, at(0), 1);
    let effects = assigned(&mut executor, at(1), &job, &key(1), |_| {});
    assert!(matches!(effects.first(), Some(Effect::Persist(writes))
        if writes.iter().any(|write| matches!(write, Persist::Execution(_)))
            && writes.contains(&Persist::OfferGone(job))));
    assert_eq!(answer(&effects).as_deref(), Some("ack"));
    assert!(starts(&effects));
    assert_eq!((executor.open_len(), executor.offers_len()), (1, 0));
}

#[test]
fn each_reason_to_refuse_an_assignment_has_its_code() {
    let check = |seconds, change: &dyn Fn(&mut JobAssignment), signer: u8, code: &str| {
        let mut executor = executor();
        let (job, _) = announced(&mut executor, at(0), 1);
        let effects =
            assigned(&mut executor, at(seconds), &job, &key(signer), |assignment| change(assignment));
        assert_eq!(answer(&effects).as_deref(), Some(code));
        assert!(!starts(&effects));
        assert_eq!(executor.open_len(), 0);
    };
    check(1, &|assignment| assignment.executor_did = key(3).did(), 1, "wrong_recipient");
    check(1, &|assignment| assignment.bid_cid = assignment.params_cid, 1, "unknown_bid");
    check(1, &|assignment| assignment.announcement_id = assignment.params_cid, 1, "unknown_bid");
    check(1, &|_| {}, 3, "not_authorised");
    check(1, &|assignment| assignment.params_cid = assignment.bid_cid, 1, "malformed");
    check(300, &|_| {}, 1, "expired_bid");

    let mut draining = executor();
    let (job, _) = announced(&mut draining, at(0), 1);
    assert_eq!(draining.handle(at(0), ExecutorEvent::Drain), []);
    assert_eq!(
        answer(&assigned(&mut draining, at(1), &job, &key(1), |_| {})).as_deref(),
        Some("shutting_down")
    );

    let mut full = executor();
    let (first, _) = announced(&mut full, at(0), 1);
    let (second, _) = announced(&mut full, at(0), 2);
    assert_eq!(answer(&assigned(&mut full, at(1), &first, &key(1), |_| {})).as_deref(), Some("ack"));
    assert_eq!(answer(&assigned(&mut full, at(1), &second, &key(1), |_| {})).as_deref(), Some("busy"));
}

#[test]
fn a_repeated_assignment_is_acknowledged_again_and_another_epoch_is_not() {
    let mut executor = executor();
    let (job, _) = announced(&mut executor, at(0), 1);
    let bid = executor.offers.get(&job).unwrap().clone();
    let params_cid = Cid::of_dag_cbor(&bid.params);
    let again = |assignment: &mut JobAssignment| {
        (assignment.bid_cid, assignment.params_cid, assignment.timestamp) =
            (bid.bid_cid, params_cid, at(1).at);
    };
    assert!(starts(&assigned(&mut executor, at(1), &job, &key(1), again)));
    let repeated = assigned(&mut executor, at(2), &job, &key(1), again);
    assert_eq!(answer(&repeated).as_deref(), Some("ack"));
    assert!(!starts(&repeated));
    assert!(matches!(repeated.first(), Some(Effect::Persist(writes)) if !writes.is_empty()));
    for epoch in [1, 2] {
        let other = assigned(&mut executor, at(2), &job, &key(1), |assignment| {
            again(assignment);
            (assignment.lease_epoch, assignment.lease_seconds) = (epoch, 11);
        });
        assert_eq!(answer(&other).as_deref(), Some("wrong_epoch"), "one bid is worth one execution");
    }
}

#[test]
fn only_the_originator_cancels_and_only_the_present_epoch() {
    let mut executor = executor();
    let (job, _) = announced(&mut executor, at(0), 1);
    let cancel = |signer: u8, epoch, job| ExecutorEvent::Cancelled {
        ticket: TICKET,
        cancel: CancelJob {
            announcement_id: job,
            originator_did: key(signer).did(),
            lease_epoch: epoch,
            reason: None,
            timestamp: at(1).at,
        },
    };
    let _ = assigned(&mut executor, at(1), &job, &key(1), |_| {});
    let mut check = |event, code: &str, stops: bool| {
        let effects = executor.handle(at(1), event);
        assert_eq!(answer(&effects).as_deref(), Some(code));
        assert_eq!(effects.contains(&Effect::Stop { job, epoch: 1 }), stops);
    };
    check(cancel(1, Some(1), Cid::of_raw(b"another")), "unknown_job", false);
    check(cancel(3, Some(1), job), "not_authorised", false);
    check(cancel(1, Some(2), job), "wrong_epoch", false);
    check(cancel(1, None, job), "ack", true);
    check(cancel(1, Some(1), job), "ack", false);
}

#[test]
fn a_cancelled_offer_is_gone_from_disk() {
    let mut executor = executor();
    let (job, _) = announced(&mut executor, at(0), 1);
    let cancel = CancelJob {
        announcement_id: job,
        originator_did: key(1).did(),
        lease_epoch: None,
        reason: None,
        timestamp: at(1).at,
    };
    let effects = executor.handle(at(1), ExecutorEvent::Cancelled { ticket: TICKET, cancel });
    assert!(effects.contains(&Effect::Note(vec![Persist::OfferGone(job)])));
    assert_eq!(executor.offers_len(), 0);
}

#[test]
fn who_is_full_is_interested_and_bids_when_a_place_is_free() {
    let mut executor = executor();
    let (first, _) = announced(&mut executor, at(0), 1);
    let _ = assigned(&mut executor, at(1), &first, &key(1), |_| {});
    let (second, effects) = announced(&mut executor, at(1), 2);
    assert!(matches!(sent(&effects), Some(Message::JobInterestV1(_))));
    let report = Box::new(ExecutionReport::fault(at(2).at, "content", "not to be had".into()));
    let effects = executor.handle(at(2), ExecutorEvent::Ended { job: first, epoch: 1, report });
    let bids = effects.iter().any(|effect| {
        matches!(effect, Effect::Persist(writes)
            if matches!(writes.as_slice(), [Persist::Offer(offer)] if offer.job == second))
    });
    assert!(bids, "{effects:?}");
}

#[test]
fn what_a_guest_says_fits_into_updates_and_nothing_is_lost() {
    let mut executor = executor();
    let (job, _) = announced(&mut executor, at(0), 1);
    let _ = assigned(&mut executor, at(1), &job, &key(1), |_| {});
    let _ = executor.handle(at(1), ExecutorEvent::Started { job, epoch: 1 });
    for number in 0..40 {
        let line = format!("log {number} {}", "é".repeat(if number == 39 { 9_000 } else { 200 }));
        let _ = executor.handle(at(1), ExecutorEvent::Said { job, epoch: 1, line });
    }
    let mut heard = Vec::new();
    for _ in 0..20 {
        let sequence = executor.executions.get(&job).unwrap().live.beat.unwrap();
        let effects = executor.handle(at(1), ExecutorEvent::Fired(Timer::Beat { job, epoch: 1, sequence }));
        let Some(Message::JobStatusUpdateV1(update)) = sent(&effects) else { panic!("{effects:?}") };
        heard.extend(update.details.unwrap_or_default().lines().map(|line| line[..6].trim().to_owned()));
    }
    let expected: Vec<String> = (0..40).map(|number| format!("log {number}")).collect();
    assert_eq!(heard, expected);
}

#[test]
fn an_untimely_receipt_is_offered_again_and_one_refused_for_good_is_not() {
    for (code, again) in [("stale", true), ("future", true), ("busy", true), ("unknown_job", false)] {
        let mut executor = executor();
        let (job, _) = announced(&mut executor, at(0), 1);
        let _ = assigned(&mut executor, at(1), &job, &key(1), |_| {});
        let report = Box::new(ExecutionReport::fault(at(2).at, "content", "not to be had".into()));
        let _ = executor.handle(at(2), ExecutorEvent::Ended { job, epoch: 1, report });
        let response = icn_protocol::Response::refused(code.to_owned().into(), "");
        let request = RequestId::Receipt { job, epoch: 1 };
        let answered = ExecutorEvent::Answered { request, answer: Answer::Response(response) };
        let effects = executor.handle(at(3), answered);
        assert_eq!(matches!(effects.as_slice(), [Effect::Wake { .. }]), again, "{code}");
        assert_eq!(executor.undelivered_len() > 0, again, "{code}");
    }
}

#[test]
fn a_price_goes_from_the_bid_into_the_receipt() {
    let config = ExecutorConfig { price_base: Some(hours(3)), ..ExecutorConfig::default() };
    let mut executor = Executor::new(key(2), config);
    let paying = icn_protocol::ExecutionPolicy { max_price: Some(hours(4)), ..policy() };
    let announcement = announcement(key(1).did(), params(Some(paying)), at(0));
    let job = announcement.announcement_id;
    let _ = executor.handle(at(0), ExecutorEvent::Announced { announcement, blobs_held: Vec::new() });
    // The node's own price may change between bid and assignment: the bid binds.
    executor.config.price_base = Some(hours(9));
    let _ = assigned(&mut executor, at(1), &job, &key(1), |assignment| {
        assignment.escrow_id = Some("hold#1".into());
    });
    let checked = ExecutorEvent::HoldChecked { job, epoch: 1, result: Ok(at(9_999).at) };
    assert!(starts(&executor.handle(at(1), checked)));
    let report = Box::new(ExecutionReport::fault(at(2).at, "content", "not to be had".into()));
    let _ = executor.handle(at(2), ExecutorEvent::Ended { job, epoch: 1, report });
    assert_eq!(executor.execution(&job).unwrap().receipt.as_ref().unwrap().price, Some(hours(3)));
}

/// Sends the update that is due and gives its number.
fn beat(executor: &mut Executor, now: Now, job: Cid) -> u64 {
    let sequence = executor.executions.get(&job).unwrap().live.beat.unwrap();
    let effects = executor.handle(now, ExecutorEvent::Fired(Timer::Beat { job, epoch: 1, sequence }));
    assert!(matches!(sent(&effects), Some(Message::JobStatusUpdateV1(_))));
    sequence
}

fn status_answered(
    executor: &mut Executor,
    now: Now,
    job: Cid,
    sequence: u64,
    answer: Answer,
) -> Vec<Effect> {
    let request = RequestId::Status { job, epoch: 1, sequence };
    executor.handle(now, ExecutorEvent::Answered { request, answer })
}

#[test]
fn a_lease_is_counted_from_sending_the_update_that_renewed_it() {
    let mut executor = executor();
    let (job, _) = announced(&mut executor, at(0), 1);
    let _ = assigned(&mut executor, at(1), &job, &key(1), |_| {});
    let sequence = beat(&mut executor, at(4), job);
    let ack = Answer::Response(icn_protocol::Response::Ack);
    assert_eq!(status_answered(&mut executor, at(8), job, sequence, ack), []);
    let ends = || ExecutorEvent::Fired(Timer::LeaseEnds { job, epoch: 1 });
    let effects = executor.handle(at(11), ends());
    assert!(matches!(effects.as_slice(), [Effect::Wake { after, .. }] if *after == Duration::from_secs(3)));
    assert_eq!(executor.handle(at(14), ends()), [Effect::Stop { job, epoch: 1 }]);
    assert_eq!(executor.handle(at(15), ends()), [], "it is stopped once");
}

#[test]
fn an_executor_stops_when_it_hears_that_its_lease_is_over() {
    for (code, stops) in [("wrong_epoch", true), ("unknown_job", true), ("busy", false), ("stale", false)] {
        let mut executor = executor();
        let (job, _) = announced(&mut executor, at(0), 1);
        let _ = assigned(&mut executor, at(1), &job, &key(1), |_| {});
        let sequence = beat(&mut executor, at(2), job);
        let refused = Answer::Response(icn_protocol::Response::refused(code.to_owned().into(), ""));
        let effects = status_answered(&mut executor, at(2), job, sequence, refused);
        assert_eq!(effects.contains(&Effect::Stop { job, epoch: 1 }), stops, "{code}");
    }
}

/// An executor that asks 1 hour, and 2 for each million of fuel, and the job that it was offered.
fn paid(max: Option<u64>, max_fuel: u64) -> (Executor, Cid, Vec<Effect>) {
    let config = ExecutorConfig {
        price_base: Some(hours(1)),
        price_per_million_fuel: 2,
        running_max: 1,
        queued_max: 0,
        ..ExecutorConfig::default()
    };
    let mut executor = Executor::new(key(2), config);
    let mut params = params(Some(icn_protocol::ExecutionPolicy { max_price: max.map(hours), ..policy() }));
    params.max_fuel = max_fuel;
    let announcement = announcement(key(1).did(), params, at(0));
    let job = announcement.announcement_id;
    let heard = ExecutorEvent::Announced { announcement, blobs_held: Vec::new() };
    let effects = executor.handle(at(0), heard);
    (executor, job, effects)
}

fn under_hold(executor: &mut Executor, job: &Cid, hold: Option<&str>, epoch: u64) -> Vec<Effect> {
    assigned(executor, at(1), job, &key(1), |assignment| {
        assignment.escrow_id = hold.map(str::to_owned);
        assignment.lease_epoch = epoch;
    })
}

fn checked(job: Cid, result: Result<icn_types::Timestamp, String>) -> ExecutorEvent {
    ExecutorEvent::HoldChecked { job, epoch: 1, result }
}

fn released(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| {
        let Effect::ReleaseHold { hold, .. } = effect else { return None };
        Some(hold.as_str())
    })
}

fn report(end: icn_types::End, fuel_used: u64) -> Box<ExecutionReport> {
    let exit_code = (end == icn_types::End::Exit).then_some(3);
    Box::new(ExecutionReport {
        end,
        exit_code,
        fuel_used,
        ..ExecutionReport::fault(at(2).at, "code", String::new())
    })
}

#[test]
fn a_bid_asks_by_the_rates_and_at_most_what_the_job_pays() {
    let check = |max, max_fuel, expected: Result<u64, &str>| {
        let (_, _, effects) = paid(max, max_fuel);
        match (sent(&effects), expected) {
            (Some(Message::JobBidV1(bid)), Ok(price)) => {
                assert_eq!(bid.price, Some(hours(price)));
                assert_eq!(bid.rates, Some(icn_protocol::PriceRates { base: 1, per_million_fuel: 2 }));
            }
            (Some(Message::JobDeclineV1(decline)), Err(code)) => assert_eq!(decline.code.as_str(), code),
            (other, _) => panic!("{other:?}"),
        }
    };
    check(Some(9), 1, Ok(3));
    check(Some(9), 1_000_000, Ok(3));
    check(Some(9), 1_000_001, Ok(5));
    check(Some(4), 1_000_001, Ok(4));
    check(Some(1), 1_000_001, Ok(1));
    check(Some(0), 1, Err("price"));
    check(None, 1, Err("price"));
    check(Some(i64::MAX as u64), i64::MAX as u64, Ok(1 + 2 * 9_223_372_036_855));
}

#[test]
fn a_paid_job_is_answered_when_its_hold_is_checked() {
    let (mut executor, job, _) = paid(Some(9), 1);
    let effects = under_hold(&mut executor, &job, Some("h#0"), 1);
    let [Effect::CheckHold { hold, from, to, amount, expires_min, .. }, Effect::Wake { timer, after }] =
        effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!((hold.as_str(), *from, *to), ("h#0", key(1).did(), key(2).did()));
    assert_eq!((amount, *expires_min), (&hours(3), at(1 + 60 + 600).at));
    assert_eq!(*after, Duration::from_secs(5));
    let timer = timer.clone();
    assert!(executor.is_full(), "it has its place already");
    assert_eq!(under_hold(&mut executor, &job, Some("h#0"), 1), [], "the repeat waits with it");
    let effects = executor.handle(at(2), checked(job, Ok(at(900).at)));
    assert!(matches!(effects.first(), Some(Effect::Persist(_))));
    assert!(starts(&effects));
    let acks = effects.iter().filter(|effect| matches!(effect, Effect::Reply { .. })).count();
    assert_eq!(acks, 2);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WatchHold { role: HoldRole::Payee, .. })));
    // The lease runs since the assignment came.
    let ends = effects.iter().find_map(|effect| {
        let Effect::Wake { timer: Timer::LeaseEnds { .. }, after } = effect else { return None };
        Some(*after)
    });
    assert_eq!(ends, Some(Duration::from_secs(9)));
    assert_eq!(executor.handle(at(6), ExecutorEvent::Fired(timer)), [], "the wait is over");
    assert_eq!(executor.handle(at(6), checked(job, Err("late".into()))), []);
    let over = executor.handle(at(11), ExecutorEvent::Fired(Timer::LeaseEnds { job, epoch: 1 }));
    assert_eq!(over, [Effect::Stop { job, epoch: 1 }]);
}

#[test]
fn what_is_not_covered_is_refused_and_given_back() {
    let (mut executor, job, _) = paid(Some(9), 1);
    let effects = under_hold(&mut executor, &job, None, 1);
    assert_eq!(answer(&effects).as_deref(), Some("payment_not_covered"));
    for how in ["not covered", "silence", "draining", "cancelled"] {
        let (mut executor, job, _) = paid(Some(9), 1);
        let _ = under_hold(&mut executor, &job, Some("h#0"), 1);
        let (event, code) = match how {
            "silence" => (ExecutorEvent::Fired(Timer::HoldWaited { job, epoch: 1 }), "payment_not_covered"),
            "draining" => (ExecutorEvent::HandBack, "shutting_down"),
            "cancelled" => {
                let cancel = CancelJob {
                    announcement_id: job,
                    originator_did: key(1).did(),
                    lease_epoch: None,
                    reason: None,
                    timestamp: at(1).at,
                };
                (ExecutorEvent::Cancelled { ticket: 8, cancel }, "ack")
            }
            _ => (checked(job, Err("it is not covered".into())), "payment_not_covered"),
        };
        let effects = executor.handle(at(2), event);
        assert_eq!(answer(&effects).as_deref(), Some(code), "{how}");
        assert_eq!(released(&effects), Some("h#0"), "{how}");
        assert_eq!((executor.checking_len(), executor.open_len(), starts(&effects)), (0, 0, false), "{how}");
        assert_eq!(executor.handle(at(2), checked(job, Ok(at(900).at))), [], "{how}");
    }
}

#[test]
fn a_hold_that_a_job_runs_under_is_not_given_back_by_another_assignment() {
    let (mut executor, job, _) = paid(Some(9), 1);
    let _ = under_hold(&mut executor, &job, Some("h#0"), 1);
    let effects = under_hold(&mut executor, &job, Some("h#0"), 2);
    assert_eq!((answer(&effects).as_deref(), released(&effects)), (Some("wrong_epoch"), None));
    let _ = executor.handle(at(1), checked(job, Ok(at(900).at)));
    let effects = under_hold(&mut executor, &job, Some("h#0"), 2);
    assert_eq!((answer(&effects).as_deref(), released(&effects)), (Some("wrong_epoch"), None));
    let effects = under_hold(&mut executor, &job, Some("other#0"), 2);
    assert_eq!(released(&effects), Some("other#0"));
}

#[test]
fn what_is_due_is_metered_and_what_is_not_goes_back() {
    use icn_types::End;
    let check = |end, fuel, due: Option<u64>| {
        let (mut executor, job, _) = paid(Some(4), 5_000_000);
        let _ = under_hold(&mut executor, &job, Some("h#0"), 1);
        let _ = executor.handle(at(1), checked(job, Ok(at(900).at)));
        let ended = ExecutorEvent::Ended { job, epoch: 1, report: report(end, fuel) };
        let effects = executor.handle(at(2), ended);
        let record = executor.execution(&job).unwrap().clone();
        let taken = record.dues[0].taken.as_ref().map(|amount| amount.amount);
        assert_eq!((taken, released(&effects).is_none()), (due, due.is_some()), "{end:?}");
        let written = effects.iter().position(|effect| matches!(effect, Effect::Persist(_))).unwrap();
        let told = effects.iter().position(|effect| {
            matches!(effect, Effect::ReleaseHold { .. } | Effect::Wake { timer: Timer::ClaimDue { .. }, .. })
        });
        assert!(told.unwrap() > written);
        // After a restart it is the same, though the receipt was delivered.
        let mut again = Executor::new(key(2), ExecutorConfig::default());
        let effects = again.restore(at(3), ExecutionRecord { delivered: true, ..record });
        assert_eq!(released(&effects).is_none(), due.is_some());
        assert_eq!(again.unsettled_len(), 1);
    };
    check(End::Exit, 0, Some(1));
    check(End::Exit, 1, Some(3));
    check(End::Trap, 1_000_000, Some(3));
    check(End::OutOfFuel, 1_000_001, Some(4));
    check(End::BadModule, 0, Some(1));
    check(End::NodeFault, 1, None);
    check(End::Timeout, 1, None);
    check(End::Cancelled, 1, None);
}

#[test]
fn what_is_owed_is_claimed_once_shortly_before_the_hold_ends() {
    let (mut executor, job, _) = paid(Some(9), 1);
    let _ = under_hold(&mut executor, &job, Some("h#0"), 1);
    let _ = executor.handle(at(1), checked(job, Ok(at(900).at)));
    let _ = executor
        .handle(at(2), ExecutorEvent::Ended { job, epoch: 1, report: report(icn_types::End::Exit, 1) });
    let due = || ExecutorEvent::Fired(Timer::ClaimDue { job, epoch: 1 });
    let early = executor.handle(at(599), due());
    assert!(matches!(early.as_slice(), [Effect::Wake { after, .. }] if *after == Duration::from_secs(1)));
    let effects = executor.handle(at(600), due());
    let [Effect::Persist(_), Effect::Claim { amount, receipt, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let record = executor.execution(&job).unwrap().clone();
    assert_eq!((amount, Some(*receipt)), (&hours(3), record.receipt_cid));
    assert_eq!(executor.handle(at(601), due()), []);
    let mut again = Executor::new(key(2), ExecutorConfig::default());
    let effects = again.restore(at(602), record);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Claim { .. })));
    let how = HoldEnd::Claimed(hours(3));
    let _ = again.handle(at(603), ExecutorEvent::HoldEnded { job, epoch: 1, how });
    assert_eq!(again.unsettled_len(), 0);
}

#[test]
fn a_guest_whose_hold_has_ended_is_stopped() {
    let (mut executor, job, _) = paid(Some(9), 1);
    let _ = under_hold(&mut executor, &job, Some("h#0"), 1);
    let _ = executor.handle(at(1), checked(job, Ok(at(900).at)));
    let ended = ExecutorEvent::HoldEnded { job, epoch: 1, how: HoldEnd::Expired };
    let effects = executor.handle(at(2), ended.clone());
    assert!(effects.contains(&Effect::Stop { job, epoch: 1 }));
    assert_eq!(executor.handle(at(2), ended), []);
    let effects = executor
        .handle(at(3), ExecutorEvent::Ended { job, epoch: 1, report: report(icn_types::End::Exit, 1) });
    assert_eq!(released(&effects), None, "there is nothing to give back");
    assert_eq!(executor.unsettled_len(), 0);
}
