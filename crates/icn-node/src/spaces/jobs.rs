//! Jobs are paid: carries out what the machines of jobs ask of the books.
//!
//! Every request is repeated after a restart, so nothing is remembered here: an entry is found again by the key under
//! which it was written, and a hold by its name.

use std::sync::Arc;
use std::time::Duration;

use icn_ledger::replica::{PostRequest, Posted, Refusal, Replica};
use icn_ledger::{Act, OrderKind, OrderRef, OrderStatus, OrderView};
use icn_mesh::{Effect, ExecutorEvent, HoldEnd, HoldRole, OriginatorEvent};
use icn_types::{Cid, Did, JobOutcome, Timestamp, TokenAmount};
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast::error::RecvError;

use super::Space;
use crate::core::{Happening, Node};
use crate::spot;

/// How long an answer of the books is waited for before the books are asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an executor's question about a hold is kept; the machine gives up sooner.
const CHECK_MAX: Duration = Duration::from_secs(60);

/// Carries out one request; it goes on in a task of its own.
pub(crate) fn perform(node: &Arc<Node>, effect: Effect) {
    let node = Arc::clone(node);
    tokio::spawn(async move {
        match effect {
            Effect::PlaceHold { job, epoch, space, to, amount, expires } => {
                let result = place(&node, job, epoch, space, to, &amount, expires).await;
                node.happen(Happening::Originator(OriginatorEvent::HoldPlaced { job, epoch, result })).await;
            }
            Effect::Capture { job, epoch, space, hold, amount, receipt } => {
                let result = capture(&node, job, epoch, space, &hold, &amount, receipt).await;
                node.happen(Happening::Originator(OriginatorEvent::Captured { job, epoch, result })).await;
            }
            Effect::CheckHold { job, epoch, space, hold, from, to, amount, expires_min } => {
                let wanted = Wanted { job, from, to, amount, expires_min };
                let result = check(&node, space, &hold, &wanted).await;
                node.happen(Happening::Executor(ExecutorEvent::HoldChecked { job, epoch, result })).await;
            }
            Effect::ReleaseHold { job, epoch, space, hold, from, reason } => {
                release(&node, job, epoch, space, &hold, from, reason).await;
            }
            Effect::Claim { job, epoch, space, hold, amount, assignment, receipt } => {
                claim(&node, job, epoch, space, &hold, &amount, vec![assignment, receipt]).await;
            }
            Effect::WatchHold { job, epoch, space, hold, role } => {
                watch(&node, job, epoch, space, &hold, role).await;
            }
            Effect::Rate { job, epoch, space, executor, receipt, outcome } => {
                // What a second run has shown is said beside what was said first, and counts in its place.
                let is_first =
                    matches!(outcome, JobOutcome::Valid | JobOutcome::Failed | JobOutcome::Missing);
                let word = if is_first { "rate" } else { outcome.as_str() };
                let act = Act::Rate { executor, job, receipt, outcome };
                let is_new = rate(&node, space, act, key(word, &job, epoch)).await;
                if let (Some(root), Some(receipt), JobOutcome::Valid) = (is_new, receipt, outcome) {
                    spot::maybe(&node, &root, &executor, job, receipt);
                }
            }
            Effect::Persist(_)
            | Effect::Note(_)
            | Effect::Publish { .. }
            | Effect::Send { .. }
            | Effect::Reply { .. }
            | Effect::Wake { .. }
            | Effect::FetchReceipt { .. }
            | Effect::Start { .. }
            | Effect::Stop { .. }
            | Effect::Provide { .. }
            | Effect::Changed { .. } => {}
        }
    });
}

/// Finds the space whose books pay: the one that the job names, else the only one of which this node is a member.
pub(crate) fn paying_space(node: &Node, space: Option<Did>) -> Result<Arc<Space>, String> {
    if let Some(root) = space {
        return node.spaces.get(&root).ok_or_else(|| format!("this node keeps no books of the space {root}"));
    }
    let mut mine = node.spaces.all();
    mine.retain(|space| space.replica().books().is_member(&node.me));
    match (mine.pop(), mine.is_empty()) {
        (Some(space), true) => Ok(space),
        (Some(_), false) => Err("this node is a member of several spaces: name the one that pays with `--space`".into()),
        (None, _) => {
            Err("this node is a member of no space: found one with `icn space create`, or join one with `icn space join`".into())
        }
    }
}

/// The client's word for an entry that belongs to an assignment.
fn key(kind: &str, job: &Cid, epoch: u64) -> Option<String> {
    let digest = Sha256::digest(job.to_bytes());
    let short: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{kind}:{short}:{epoch}"))
}

/// Writes one act as this node; waits as long as the own head is not confirmed.
async fn write(node: &Node, space: &Space, act: Act, key: Option<String>) -> Result<Posted, Refusal> {
    loop {
        let request = PostRequest {
            author: node.me,
            acts: vec![act.clone()],
            approvals: Vec::new(),
            key: key.clone(),
            is_offline: false,
        };
        match space.post(request).await {
            Err(Refusal::Unconfirmed(_) | Refusal::Busy) => tokio::time::sleep(AGAIN).await,
            other => return other,
        }
    }
}

fn in_smallest(amount: &TokenAmount) -> Result<i64, String> {
    i64::try_from(amount.amount).map_err(|_| "the amount is beyond what books can hold".to_owned())
}

async fn place(
    node: &Node,
    job: Cid,
    epoch: u64,
    space: Option<Did>,
    to: Did,
    amount: &TokenAmount,
    expires: Timestamp,
) -> Result<String, String> {
    let space = paying_space(node, space)?;
    let act = Act::Hold {
        to,
        amount: in_smallest(amount)?,
        currency: amount.currency.clone(),
        expires,
        purpose: Some(job),
    };
    let posted =
        write(node, &space, act, key("hold", &job, epoch)).await.map_err(|refusal| refusal.to_string())?;
    Ok(OrderRef { entry: posted.entry, index: 0 }.to_string())
}

async fn capture(
    node: &Node,
    job: Cid,
    epoch: u64,
    space: Option<Did>,
    hold: &str,
    amount: &TokenAmount,
    receipt: Cid,
) -> Result<(), String> {
    let space = paying_space(node, space)?;
    let hold: OrderRef = hold.parse().map_err(|_| "the name of the hold cannot be read".to_owned())?;
    let act = Act::Capture { hold, amount: in_smallest(amount)?, evidence: Some(receipt) };
    match write(node, &space, act, key("capture", &job, epoch)).await {
        Ok(_) => Ok(()),
        // It may have been captured by hand.
        Err(_) if matches!(ending(&space, &hold), Some(HoldEnd::Captured(_))) => Ok(()),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// What an executor asks of a hold.
struct Wanted {
    job: Cid,
    from: Did,
    to: Did,
    amount: TokenAmount,
    expires_min: Timestamp,
}

/// Waits until a hold is seen and covered, or shows itself not to be what was asked for.
async fn check(node: &Node, space: Option<Did>, hold: &str, wanted: &Wanted) -> Result<Timestamp, String> {
    let space = paying_space(node, space)?;
    let hold: OrderRef = hold.parse().map_err(|_| "the name of the hold cannot be read".to_owned())?;
    let mut changes = space.changes.subscribe();
    let seen = async {
        loop {
            if let Some(answer) = judge(&space, &hold, wanted) {
                return answer;
            }
            // A follower that is too slow misses changes: look from time to time as well.
            drop(tokio::time::timeout(Duration::from_millis(100), changes.recv()).await);
        }
    };
    let patience = tokio::time::timeout(CHECK_MAX, seen);
    patience.await.unwrap_or_else(|_| Err("the hold was not seen in time".to_owned()))
}

/// Judges a hold; none as long as it is not known, or not certified where that is needed.
fn judge(space: &Space, hold: &OrderRef, wanted: &Wanted) -> Option<Result<Timestamp, String>> {
    let replica = space.replica();
    let books = replica.books();
    let Some(order) = replica.order(hold) else {
        let entry = replica.log().contains(&hold.entry);
        return entry.then(|| Err("the act that the assignment names is no hold that counts".to_owned()));
    };
    let fault = if order.kind != OrderKind::Hold {
        "it is a payment, not a hold"
    } else if order.from != wanted.from || order.to != wanted.to {
        "it is between others"
    } else if purpose(&replica, hold) != Some(wanted.job) {
        "it was placed for another job"
    } else if order.currency != wanted.amount.currency
        || in_smallest(&wanted.amount).is_ok_and(|amount| order.amount < amount)
    {
        "it does not cover the price"
    } else if order.expires.is_none_or(|expires| expires < wanted.expires_min) {
        "it lapses too soon"
    } else if order.status != OrderStatus::Placed {
        "it is open no more"
    } else {
        let is_certified = books.witness_set().is_none() || replica.is_certified(&hold.entry);
        return is_certified.then(|| Ok(order.expires.unwrap_or_default()));
    };
    Some(Err(fault.to_owned()))
}

async fn release(
    node: &Node,
    job: Cid,
    epoch: u64,
    space: Option<Did>,
    hold: &str,
    from: Did,
    reason: String,
) {
    let (Ok(space), Ok(hold)) = (paying_space(node, space), hold.parse::<OrderRef>()) else { return };
    let (order, purpose) = {
        let replica = space.replica();
        (replica.order(&hold), purpose(&replica, &hold))
    };
    let is_ours = |order: &OrderView| order.to == node.me && order.from == from && purpose == Some(job);
    if order.as_ref().is_some_and(|order| is_ours(order) && order.status == OrderStatus::Placed) {
        let reason = reason.chars().take(200).collect();
        let act = Act::Decline { order: hold, reason: Some(reason) };
        if let Err(refusal) = write(node, &space, act, key("release", &job, epoch)).await {
            tracing::debug!(%hold, error = %refusal, "a hold was not released");
        }
    }
    if order.as_ref().is_some_and(is_ours)
        && let Some(how) = ending(&space, &hold)
    {
        node.happen(Happening::Executor(ExecutorEvent::HoldEnded { job, epoch, how })).await;
    }
}

async fn claim(
    node: &Node,
    job: Cid,
    epoch: u64,
    space: Option<Did>,
    hold: &str,
    amount: &TokenAmount,
    evidence: Vec<Cid>,
) {
    let (Ok(space), Ok(hold), Ok(due)) =
        (paying_space(node, space), hold.parse::<OrderRef>(), in_smallest(amount))
    else {
        return;
    };
    if ending(&space, &hold).is_none() {
        let act = Act::Claim { hold, amount: due, evidence };
        if let Err(refusal) = write(node, &space, act, key("claim", &job, epoch)).await {
            tracing::warn!(%hold, error = %refusal, "what is owed for a job could not be claimed");
        }
    }
    if let Some(how) = ending(&space, &hold) {
        node.happen(Happening::Executor(ExecutorEvent::HoldEnded { job, epoch, how })).await;
    }
}

/// Says in the books what came of a job, if this node keeps any for it. Returns the space, unless it was said before.
async fn rate(node: &Node, space: Option<Did>, act: Act, key: Option<String>) -> Option<Did> {
    let space = paying_space(node, space).ok()?;
    match write(node, &space, act, key).await {
        Ok(posted) => (!posted.is_repeat).then_some(space.root),
        Err(refusal) => {
            tracing::debug!(error = %refusal, "what came of a job was not said in the books");
            None
        }
    }
}

/// Tells when a hold has ended.
async fn watch(node: &Node, job: Cid, epoch: u64, space: Option<Did>, hold: &str, role: HoldRole) {
    let (Ok(space), Ok(hold)) = (paying_space(node, space), hold.parse::<OrderRef>()) else { return };
    let mut changes = space.changes.subscribe();
    let how = loop {
        if let Some(how) = ending(&space, &hold) {
            break how;
        }
        match changes.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    };
    node.happen(match role {
        HoldRole::Payer => Happening::Originator(OriginatorEvent::HoldEnded { job, epoch, how }),
        HoldRole::Payee => Happening::Executor(ExecutorEvent::HoldEnded { job, epoch, how }),
    })
    .await;
}

/// Reads what a hold was placed for.
fn purpose(replica: &Replica, hold: &OrderRef) -> Option<Cid> {
    match replica.act(hold) {
        Some(Act::Hold { purpose, .. }) => purpose,
        Some(_) | None => None,
    }
}

/// Tells how a hold has ended; none as long as it is open or unknown.
fn ending(space: &Space, hold: &OrderRef) -> Option<HoldEnd> {
    let replica = space.replica();
    let order = replica.order(hold)?;
    let of = |amount: i64| TokenAmount {
        amount: u64::try_from(amount).unwrap_or_default(),
        currency: order.currency.clone(),
    };
    match order.status {
        OrderStatus::Captured | OrderStatus::Accepted | OrderStatus::Certified | OrderStatus::Sealed => {
            Some(HoldEnd::Captured(of(order.captured.unwrap_or_default())))
        }
        OrderStatus::Declined | OrderStatus::Returned | OrderStatus::Released => Some(HoldEnd::Released),
        OrderStatus::Expired | OrderStatus::Void | OrderStatus::Invalid => Some(HoldEnd::Expired),
        OrderStatus::Claimed => {
            let claims = replica.books().claims();
            let claimed = claims.iter().find(|claim| claim.order == *hold).map_or(0, |claim| claim.amount);
            Some(HoldEnd::Claimed(of(claimed)))
        }
        OrderStatus::Placed | OrderStatus::Sent | OrderStatus::Open | OrderStatus::Paid => None,
    }
}
