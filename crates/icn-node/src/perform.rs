//! Carrying out the effects of the machines.

use std::sync::Arc;

use icn_mesh::{Answer, Effect, ExecutorEvent, OriginatorEvent, Persist, RequestId, Timer};
use icn_net::RequestError;
use icn_protocol::Response;
use icn_store::{Batch, Block, StoreError};
use icn_types::{Cid, Did, Duration};
use tokio::sync::oneshot;
use tokio_util::time::DelayQueue;

use crate::answer::Asker;
use crate::core::{Happening, Node, lock};
use crate::index::Role;

/// The reason of the pins that keep what jobs rely on.
pub(crate) const JOB_PIN: &str = "job";

/// For so long after the start, who cannot be reached is asked again: connections of before come back by themselves.
const YOUNG: Duration = Duration::from_secs(5);

/// Carries out one effect; what takes time goes on in a task of its own.
pub(crate) fn perform(node: &Arc<Node>, effect: Effect, timers: &mut DelayQueue<Timer>) {
    match effect {
        // The loop has written these already, in their order.
        Effect::Persist(_) | Effect::Note(_) => {}
        Effect::Publish { topic, bytes, remote_only } => publish(node, topic, bytes, remote_only),
        Effect::Send { to, bytes, request, patience } => send(node, to, bytes, request, patience),
        Effect::Reply { ticket, response } => node.reply(ticket, &response),
        Effect::Wake { timer, after } => drop(timers.insert(timer, after.to_std())),
        Effect::FetchReceipt { job, epoch: _, receipt, executor, providers } => {
            crate::receipt::spawn_fetch(node, job, receipt, executor, &providers);
        }
        Effect::Start { record } => crate::work::spawn(node, *record),
        Effect::Stop { job, epoch } => {
            if let Some(token) = lock(&node.running).get(&(job, epoch)) {
                token.cancel();
            }
        }
        Effect::Provide { receipt, bytes } => crate::receipt::provide(node, receipt, bytes),
        // Nobody follows: nobody misses it.
        Effect::Changed { job } => drop(node.changes.send(job)),
        Effect::PlaceHold { .. }
        | Effect::Capture { .. }
        | Effect::CheckHold { .. }
        | Effect::ReleaseHold { .. }
        | Effect::Claim { .. }
        | Effect::WatchHold { .. }
        | Effect::Rate { .. } => crate::spaces::jobs::perform(node, effect),
    }
}

/// Puts the writes of one moment into one batch.
pub(crate) fn batch_of(node: &Node, writes: &[Persist]) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for write in writes {
        match write {
            Persist::Job(record) => batch.put(&node.tables.jobs, record.id, record.as_ref())?,
            Persist::Execution(record) => {
                lock(&node.index).add(record.job, record.accepted_at, Role::Executor);
                batch.put(&node.tables.executions, record.job, record.as_ref())?;
                if let Some(receipt) = record.receipt.as_ref().filter(|_| record.delivered) {
                    // The originator has them, or never will: from now on they may be collected.
                    for output in &receipt.output_cids {
                        node.blocks.unpin_in(&mut batch, &output.cid, &crate::work::output_pin(record.job));
                    }
                }
            }
            Persist::Offer(offer) => batch.put(&node.tables.offers, offer.job, offer)?,
            Persist::OfferGone(job) => batch.delete(&node.tables.offers, *job),
            Persist::Block { cid, bytes } => {
                node.blocks.put_in(&mut batch, vec![Block::check(*cid, bytes.clone())?])?;
                node.blocks.pin_in(&mut batch, cid, JOB_PIN);
            }
        }
    }
    Ok(batch)
}

fn publish(node: &Arc<Node>, topic: String, bytes: Vec<u8>, remote_only: bool) {
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let data = bytes::Bytes::from(bytes);
        if !remote_only {
            crate::hearing::hear_own_gossip(&node, &data).await;
        }
        if let Err(error) = node.net.publish(&topic, data).await {
            tracing::warn!(topic, error = %error, "a message was not published");
        }
    });
}

/// Sends a direct message and brings its answer to the machine that waits for it.
fn send(node: &Arc<Node>, to: Did, bytes: Vec<u8>, request: RequestId, patience: Duration) {
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let asking = ask_again(&node, to, bytes.into());
        // Dialling counts as well: a peer that is not there in time is treated like one that does not answer.
        let answer = tokio::time::timeout(patience.to_std(), asking).await.unwrap_or(Answer::Silent);
        match &request {
            RequestId::Assignment { .. } | RequestId::Cancel { .. } => {
                node.happen(Happening::Originator(OriginatorEvent::Answered { request, answer })).await;
            }
            RequestId::Bid { .. } | RequestId::Status { .. } | RequestId::Receipt { .. } => {
                if matches!(answer, Answer::Silent | Answer::Unsent) {
                    // What fails at once must not be tried again at once.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                node.happen(Happening::Executor(ExecutorEvent::Answered { request, answer })).await;
            }
            RequestId::Forget => {
                if let Answer::Response(Response::Refused { code, message }) = answer {
                    tracing::debug!(%to, %code, message, "a bid or decline was refused");
                }
            }
        }
    });
}

/// Asks a member. A node that was started a moment ago has not been found by everybody yet: it tries for a while.
async fn ask_again(node: &Arc<Node>, to: Did, bytes: bytes::Bytes) -> Answer {
    loop {
        let answer = ask(node, to, bytes.clone()).await;
        let is_young = node.clock.now().at.since(node.started_at) < YOUNG;
        if answer != Answer::Unsent || !is_young {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Asks a member, who may be this node itself.
async fn ask(node: &Arc<Node>, to: Did, bytes: bytes::Bytes) -> Answer {
    if to == node.me {
        let (sender, answered) = oneshot::channel();
        crate::hearing::hear_request(node, icn_identity::peer_id(&node.me), &bytes, Asker::Local(sender))
            .await;
        return answered.await.map_or(Answer::Silent, Answer::Response);
    }
    match node.net.request(icn_identity::peer_id(&to), bytes).await {
        Ok(bytes) => Response::decode(&bytes).map_or(Answer::Silent, Answer::Response),
        Err(error) => {
            tracing::debug!(%to, error = %error, "a direct message was not answered");
            match error {
                RequestError::NotConnected { .. }
                | RequestError::Refused
                | RequestError::TooManyStreams
                | RequestError::TooLarge
                | RequestError::Unsupported => Answer::Unsent,
                // Too much waits for this peer: another peer would not be better, a moment later would.
                RequestError::Full => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    Answer::Silent
                }
                RequestError::Timeout | RequestError::Closed(_) | RequestError::Shutdown => Answer::Silent,
            }
        }
    }
}

/// Returns the blocks of a job that are stored here.
pub(crate) fn blobs_held(node: &Node, cids: impl Iterator<Item = Cid>) -> Vec<Cid> {
    cids.filter(|cid| node.blocks.has(cid).unwrap_or(false)).take(64).collect()
}
