//! Spot checks: some finished jobs of this node are run again here, those of executors without a proven record more often.
//!
//! A receipt is signed, and its signature says nothing about whether it is true. Canonical mode makes a second run equal to the
//! first, so that a lie is found by chance (after BOINC's adaptive replication).

use std::sync::Arc;

use anyhow::Context as _;
use icn_mesh::OriginatorEvent;
use icn_types::{Cid, Did};

use crate::core::{Happening, Node};
use crate::{receipt, replay, work};

/// Jobs that took more fuel than this are not run again here: it would take minutes.
const FUEL_MAX: u64 = 100_000_000_000;

/// Runs a job again, with the chance that its executor's record gives it. One at a time: while one runs, others go unchecked.
pub(crate) fn maybe(node: &Arc<Node>, space: &Did, executor: &Did, job: Cid, receipt: Cid) {
    if !is_drawn(node.trust.check_ppm(space, executor)) {
        return;
    }
    let Ok(permit) = Arc::clone(&node.spot_check).try_acquire_owned() else { return };
    let node = Arc::clone(node);
    tokio::spawn(async move {
        let result = check(&node, receipt).await;
        drop(permit);
        match result {
            Ok(Some(differences)) => {
                if !differences.is_empty() {
                    tracing::warn!(%job, %receipt, ?differences, "a receipt lies: the job was run again, and came out otherwise");
                }
                node.metrics.job_checked(if differences.is_empty() { "agreed" } else { "differed" });
                node.happen(Happening::Originator(OriginatorEvent::Checked { job, differences })).await;
            }
            Ok(None) => node.metrics.job_checked("not_repeatable"),
            Err(error) => {
                node.metrics.job_checked("failed");
                tracing::debug!(%job, error = format!("{error:#}"), "a job could not be checked");
            }
        }
    });
}

/// Returns what differs; none when the job cannot be repeated.
async fn check(node: &Node, cid: Cid) -> anyhow::Result<Option<Vec<String>>> {
    let bytes = node.blocks.get(&cid)?.context("the receipt is not here any more")?;
    let verified = receipt::verify_file(&bytes, |cid| node.blocks.get(cid).ok().flatten())?;
    let held = verified.receipt.receipt();
    if held.fuel_used > FUEL_MAX {
        return Ok(None);
    }
    let providers = [icn_identity::peer_id(&held.executor_did), icn_identity::peer_id(&held.originator_did)];
    work::prepare(node, held.announcement_id, &verified.params, &providers).await?;
    let replay = replay::replay(&node.runtime, &node.blocks, held, &verified.params).await;
    Ok(replay.identical.map(|_| replay.differences))
}

/// Draws a lot that nobody can foresee. Without randomness from the system nothing is drawn.
fn is_drawn(chance_ppm: u32) -> bool {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).is_ok()
        && u64::from_le_bytes(bytes) % u64::from(icn_types::SCORE_MAX_PPM) < u64::from(chance_ppm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_is_what_it_says() {
        let drawn = |chance_ppm| (0..10_000).filter(|_| is_drawn(chance_ppm)).count();
        assert_eq!((drawn(0), drawn(icn_types::SCORE_MAX_PPM)), (0, 10_000));
        // Fifteen standard deviations on either side.
        assert!((550..1_450).contains(&drawn(100_000)));
    }
}
