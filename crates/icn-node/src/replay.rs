//! Running the job of a receipt again.

use std::time::{Duration, Instant};

use icn_gateway::api::Replay;
use icn_protocol::{ExecutionReceipt, Params};
use icn_runtime::{Control, Outcome, Runtime};
use icn_store::Blocks;
use icn_types::Mode;

use crate::{content, work};

/// How much longer than the receipt's job a replay may take: fuel decides its end, not the clock.
const TIMEOUT: Duration = Duration::from_secs(3_600);

/// Runs the job of a receipt again, with content that is all here, and compares end, outputs and fuel.
pub(crate) async fn replay(
    runtime: &Runtime,
    blocks: &Blocks,
    receipt: &ExecutionReceipt,
    params: &Params,
) -> Replay {
    if let Some(reason) = unrepeatable(runtime, receipt) {
        return Replay { identical: None, differences: vec![reason], fuel_used: None, elapsed_us: 0 };
    }
    let task = match work::task_of(blocks, receipt.announcement_id, params) {
        Ok(task) => task,
        Err(error) => {
            let reason = format!("the job's content cannot be read: {}", crate::receipt::chain(&error));
            return Replay { identical: None, differences: vec![reason], fuel_used: None, elapsed_us: 0 };
        }
    };
    let began = Instant::now();
    let outcome = runtime.execute(task, Control { timeout: TIMEOUT, ..Control::default() }).await;
    let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (identical, differences) = if outcome.end.is_deterministic() {
        let differences = compare(receipt, &outcome);
        (Some(differences.is_empty()), differences)
    } else {
        let message = outcome.error.as_ref().map_or_else(String::new, |error| format!(": {}", error.message));
        (None, vec![format!("the replay itself did not finish: {}{message}", outcome.end.as_str())])
    };
    Replay { identical, differences, fuel_used: Some(outcome.fuel_used), elapsed_us }
}

/// Says why a receipt cannot be compared with a new run.
fn unrepeatable(runtime: &Runtime, receipt: &ExecutionReceipt) -> Option<String> {
    if !receipt.end.is_deterministic() {
        return Some(format!(
            "the end `{}` was the executor's or originator's doing and does not replay",
            receipt.end.as_str()
        ));
    }
    if receipt.runtime.mode == Mode::Fast {
        return Some("the job ran in fast mode, which does not replay".into());
    }
    if !receipt.is_replayable() {
        return Some("the guest asked who it is or talked with the outside, so its execution key alone does not replay it".into());
    }
    let (theirs, ours) = (&receipt.runtime, work::runtime_info(&runtime.info(receipt.runtime.mode)));
    (*theirs != ours).then(|| {
        format!(
            "the receipt was made by {} {} ({}), this program runs {} {} ({}): use that version",
            theirs.engine, theirs.version, theirs.profile, ours.engine, ours.version, ours.profile
        )
    })
}

fn compare(receipt: &ExecutionReceipt, outcome: &Outcome) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: &str, theirs: String, ours: String| {
        if theirs != ours {
            differences.push(format!("{what}: the receipt says {theirs}, the replay gave {ours}"));
        }
    };
    let code = |code: Option<i32>| code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    differ("end", receipt.end.as_str().into(), outcome.end.as_str().into());
    differ("exit code", code(receipt.exit_code), code(outcome.exit_code));
    differ("fuel", receipt.fuel_used.to_string(), outcome.fuel_used.to_string());
    for output in &outcome.outputs {
        let theirs = receipt.output_cids.iter().find(|theirs| theirs.name == output.name);
        let ours = content::blocks_of(&output.bytes).0.to_string();
        differ(
            &format!("output `{}`", output.name),
            theirs.map_or_else(|| "nothing".into(), |t| t.cid.to_string()),
            ours,
        );
    }
    for theirs in &receipt.output_cids {
        if outcome.output(&theirs.name).is_none() {
            differ(&format!("output `{}`", theirs.name), theirs.cid.to_string(), "nothing".into());
        }
    }
    differences
}
