//! Quotas of co-ops as an executor holds them.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{Quotas, Regards, ResourceQuota};

/// Members 1 and 3 are in the co-op 8, 3 is in 9 as well; 5 is in none.
fn regards() -> Arc<Regards> {
    let coop = |n: u8| key(n).did();
    let coops = BTreeMap::from([
        (key(1).did(), BTreeSet::from([coop(8)])),
        (key(3).did(), BTreeSet::from([coop(8), coop(9)])),
    ]);
    Arc::new(Regards { coops, ..Regards::default() })
}

fn limited(default: ResourceQuota) -> Executor {
    let quotas = Quotas { default, ..Quotas::default() };
    let config = ExecutorConfig { quotas, price_base: Some(hours(3)), ..ExecutorConfig::default() };
    let mut executor = Executor::new(key(2), config);
    executor.set_regards(regards());
    executor
}

/// Announces a paid job by a member for a space, and gives the reason when it is declined.
fn asks(executor: &mut Executor, now: Now, nonce: u8, by: u8, space: Option<u8>) -> (Cid, Option<String>) {
    let paying = icn_protocol::ExecutionPolicy { max_price: Some(hours(9)), ..policy() };
    let mut params = params(Some(paying));
    params.nonce = icn_protocol::Nonce([nonce; 16]);
    params.space = space.map(|space| key(space).did());
    let announcement = announcement(key(by).did(), params, now);
    let job = announcement.announcement_id;
    let effects = executor.handle(now, ExecutorEvent::Announced { announcement, blobs_held: Vec::new() });
    let declined = match sent(&effects) {
        Some(Message::JobDeclineV1(decline)) => {
            assert_eq!(decline.code.as_str(), "policy");
            Some(decline.detail.clone().unwrap_or_default())
        }
        Some(Message::JobBidV1(_)) => None,
        other => panic!("{other:?}"),
    };
    (job, declined)
}

fn runs(executor: &mut Executor, now: Now, job: &Cid, by: u8) {
    let _ = assigned(executor, now, job, &key(by), |one| one.escrow_id = Some(format!("{job}")));
    let checked = ExecutorEvent::HoldChecked { job: *job, epoch: 1, result: Ok(at(99_999).at) };
    assert!(starts(&executor.handle(now, checked)));
}

fn ends(executor: &mut Executor, now: Now, job: &Cid, end: icn_types::End) {
    let made = ExecutionReport { started_at: now.at, finished_at: now.at, ..*report(end, 7) };
    let _ = executor.handle(now, ExecutorEvent::Ended { job: *job, epoch: 1, report: Box::new(made) });
}

const TWO: ResourceQuota = ResourceQuota {
    cpu_millicores_max: None,
    memory_bytes_max: None,
    tasks_concurrent_max: Some(2),
    credits_per_hour: None,
};

#[test]
fn jobs_are_counted_for_the_co_op_of_who_submits_them() {
    let mut executor = limited(TWO);
    let (first, none) = asks(&mut executor, at(0), 1, 1, Some(8));
    assert_eq!(none, None);
    let (_, none) = asks(&mut executor, at(0), 2, 3, None);
    assert_eq!(none, None, "who is in two of them takes of the first");
    let (_, declined) = asks(&mut executor, at(0), 3, 1, None);
    let declined = declined.unwrap();
    assert!(
        declined.starts_with(&format!(
            "the quota of the co-op {}, `tasks_concurrent_max`: 2 used and 1 ",
            key(8).did()
        )),
        "{declined}"
    );
    assert_eq!(asks(&mut executor, at(0), 4, 3, Some(9)).1, None, "another co-op has its own");
    // Naming a space that one is not a member of does not help.
    assert!(asks(&mut executor, at(0), 5, 1, Some(9)).1.is_some());
    // Whoever is in none of them shares one quota.
    assert_eq!(asks(&mut executor, at(0), 6, 5, Some(8)).1, None);
    assert_eq!(asks(&mut executor, at(0), 7, 6, None).1, None);
    assert!(asks(&mut executor, at(0), 8, 7, None).1.unwrap().contains("none of this node's spaces"));
    // The same announcement again is the same job; its own jobs a node may always run.
    assert_eq!(asks(&mut executor, at(1), 1, 1, Some(8)), (first, None));
    assert_eq!(asks(&mut executor, at(1), 9, 2, None).1, None);
}

#[test]
fn a_place_is_free_again_however_a_job_ends() {
    for how in ["exit", "expired", "withdrawn", "refused"] {
        let mut executor = limited(ResourceQuota { tasks_concurrent_max: Some(1), ..TWO });
        let (job, _) = asks(&mut executor, at(0), 1, 1, Some(8));
        assert!(asks(&mut executor, at(0), 2, 1, Some(8)).1.is_some(), "a bid binds");
        match how {
            "exit" => {
                runs(&mut executor, at(1), &job, 1);
                assert!(asks(&mut executor, at(1), 2, 1, Some(8)).1.is_some(), "it runs");
                ends(&mut executor, at(2), &job, icn_types::End::Exit);
            }
            "expired" => drop(executor.handle(at(130), ExecutorEvent::Fired(Timer::BidExpires { job }))),
            "withdrawn" => {
                let (executor_did, originator) = (key(4).did(), key(1).did());
                let _ = executor.handle(
                    at(2),
                    ExecutorEvent::FinishedElsewhere { job, executor: executor_did, originator },
                );
            }
            _ => {
                let _ = assigned(&mut executor, at(1), &job, &key(1), |one| one.escrow_id = Some("h".into()));
                assert!(asks(&mut executor, at(1), 2, 1, Some(8)).1.is_some(), "its hold is looked at");
                let refused = ExecutorEvent::HoldChecked { job, epoch: 1, result: Err("no".into()) };
                let _ = executor.handle(at(2), refused);
                let _ = executor.handle(at(130), ExecutorEvent::Fired(Timer::BidExpires { job }));
            }
        }
        assert_eq!(asks(&mut executor, at(131), 2, 1, Some(8)).1, None, "{how}");
    }
}

#[test]
fn what_did_not_fit_is_bid_for_as_soon_as_it_does() {
    let mut executor = limited(ResourceQuota { tasks_concurrent_max: Some(1), ..TWO });
    let bid_for = |effects: &[Effect]| match sent(effects) {
        Some(Message::JobBidV1(bid)) => Some(bid.announcement_id),
        _ => None,
    };
    let (first, _) = asks(&mut executor, at(0), 1, 1, Some(8));
    let (second, declined) = asks(&mut executor, at(0), 2, 1, Some(8));
    assert!(declined.is_some());
    let (third, declined) = asks(&mut executor, at(0), 3, 1, Some(8));
    assert!(declined.is_some());
    let (_, none) = asks(&mut executor, at(0), 4, 3, Some(9));
    assert_eq!(none, None, "the other co-op does not wait behind them");
    runs(&mut executor, at(1), &first, 1);
    let made = report(icn_types::End::Exit, 7);
    let effects = executor.handle(at(2), ExecutorEvent::Ended { job: first, epoch: 1, report: made });
    let bids: Vec<Cid> = effects.iter().filter_map(|effect| bid_for(std::slice::from_ref(effect))).collect();
    assert_eq!(bids, [second]);
    let effects = executor.handle(at(130), ExecutorEvent::Fired(Timer::BidExpires { job: second }));
    assert_eq!(bid_for(&effects), None, "nobody waits for bids any more");
    let (_, none) = asks(&mut executor, at(131), 3, 1, Some(8));
    assert_eq!((none, executor.offers.contains_key(&third)), (None, true));
}

#[test]
fn credit_is_counted_for_an_hour_after_it_is_owed_and_across_a_restart() {
    let quota = ResourceQuota { credits_per_hour: Some(7), ..ResourceQuota::default() };
    let mut executor = limited(quota);
    let (job, _) = asks(&mut executor, at(0), 1, 1, Some(8));
    runs(&mut executor, at(1), &job, 1);
    let (fault, none) = asks(&mut executor, at(1), 2, 1, Some(8));
    assert_eq!(none, None);
    let declined = asks(&mut executor, at(1), 3, 1, Some(8)).1.unwrap();
    assert!(
        declined.contains("`credits_per_hour`: 6 used and 3 demanded, 7 at most: it fits when"),
        "{declined}"
    );
    ends(&mut executor, at(100), &job, icn_types::End::Exit);
    runs(&mut executor, at(101), &fault, 1);
    ends(&mut executor, at(102), &fault, icn_types::End::NodeFault);
    // What failed on the node's side costs nothing.
    assert_eq!(asks(&mut executor, at(103), 3, 1, Some(8)).1, None);
    let declined = asks(&mut executor, at(103), 4, 1, Some(8)).1.unwrap();
    assert!(declined.contains(&format!("it fits at {}", at(3_700).at)), "{declined}");
    let record = executor.execution(&job).cloned().unwrap();
    let mut again = limited(ResourceQuota { credits_per_hour: Some(5), ..quota });
    let _ = again.restore(at(300), record);
    let declined = asks(&mut again, at(300), 5, 1, Some(8)).1.unwrap();
    assert!(declined.contains(&format!("it fits at {}", at(3_700).at)), "{declined}");
    assert!(asks(&mut again, at(3_699), 5, 1, Some(8)).1.is_some());
    assert_eq!(asks(&mut again, at(3_700), 5, 1, Some(8)).1, None);
}

#[test]
fn a_job_takes_a_processor_at_least_and_the_memory_it_may_use() {
    let memory = params(None).memory_bytes_max;
    let quota = ResourceQuota {
        cpu_millicores_max: Some(2_000),
        memory_bytes_max: Some(3 * memory),
        ..ResourceQuota::default()
    };
    let mut executor = limited(quota);
    assert_eq!(asks(&mut executor, at(0), 1, 1, None).1, None);
    assert_eq!(asks(&mut executor, at(0), 2, 1, None).1, None);
    assert!(
        asks(&mut executor, at(0), 3, 1, None).1.unwrap().contains("`cpu_cores_max`: 2 used and 1 demanded")
    );
    let mut executor = limited(ResourceQuota { cpu_millicores_max: None, ..quota });
    for n in 1..=3 {
        assert_eq!(asks(&mut executor, at(0), n, 1, None).1, None);
    }
    assert!(asks(&mut executor, at(0), 4, 1, None).1.unwrap().contains("`memory_mb_max`"));
}
