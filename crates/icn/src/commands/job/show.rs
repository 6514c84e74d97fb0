//! Looking at jobs.

use icn_gateway::api::{Bid, Job, Turn};
use icn_types::{Cid, Page};

use super::super::Context;
use super::follow::{History, status_style, turn_line, watch};
use super::{outputs, summary};
use crate::cli::{ListArgs, LogsArgs};
use crate::error::{CliError, Exit};
use crate::output::{Stream, Style, clean, micros, page_note, size};

/// How much of an id is shown: beyond the prefix that all ids share, 11 characters are 55 bits.
const ID_CHARS: usize = 18;

/// States of turns in which the guest itself speaks.
const SPOKEN: [&str; 2] = ["Log", "Progress"];

/// Shows enough of a job's id to find it again.
pub(in crate::commands) fn id_start(id: &Cid) -> String {
    id.to_string().chars().take(ID_CHARS).collect()
}

/// Lists jobs.
pub(super) async fn list(context: &Context<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let page = context.client()?.jobs(args.page.offset, args.page.limit).await?;
    if context.out.is_json() {
        context.out.json(&page)?;
        return Ok(Exit::DONE);
    }
    if page.total == 0 {
        context.out.note("no jobs yet: run one with `icn job run M.wasm`");
        return Ok(Exit::DONE);
    }
    if !page.items.is_empty() {
        let rows: Vec<Vec<String>> = page.items.iter().map(job_row).collect();
        context.out.table(&JOB_HEADING, &rows)?;
    }
    if let Some(note) = page_note(args.page.offset, page.items.len(), page.total) {
        context.out.note(&note);
    }
    Ok(Exit::DONE)
}

/// The heading of a table of jobs.
pub(in crate::commands) const JOB_HEADING: [&str; 6] =
    ["ID", "STATUS", "STATE", "EXECUTOR", "SUBMITTED", "DESCRIPTION"];

/// One line of a table of jobs.
pub(in crate::commands) fn job_row(job: &Job) -> Vec<String> {
    vec![
        id_start(&job.id),
        format!("{:?}", job.status),
        clean(&job.p2p_status),
        job.executor.map_or_else(|| "-".to_owned(), |did| did.short()),
        job.submitted_at.to_string(),
        clean(job.description.as_deref().unwrap_or("")),
    ]
}

/// Shows one job.
pub(super) async fn show(context: &Context<'_>, id: &str) -> Result<Exit, CliError> {
    let job = context.client()?.job(id).await?;
    if context.out.is_json() {
        context.out.json(&job)?;
        return Ok(Exit::DONE);
    }
    context.out.pairs(&job_pairs(context, &job))?;
    if !job.outputs.is_empty() {
        context.out.line("")?;
        let rows: Vec<Vec<String>> = job
            .outputs
            .iter()
            .map(|output| vec![clean(&output.name), size(output.bytes), output.cid.to_string()])
            .collect();
        context.out.table(&["OUTPUT", "SIZE", "CID"], &rows)?;
    }
    context.out.line("")?;
    for turn in &job.history {
        context.out.line(&turn_line(context.out, Stream::Stdout, job.submitted_at, turn))?;
    }
    Ok(Exit::DONE)
}

fn job_pairs(context: &Context<'_>, job: &Job) -> Vec<(&'static str, String)> {
    let dash = || "-".to_owned();
    let status = context.out.paint(Stream::Stdout, status_style(job.status), &summary(job));
    let stages: Vec<String> =
        job.stages_us.iter().map(|(stage, us)| format!("{} {}", clean(stage), micros(*us))).collect();
    let mut pairs = vec![
        ("id", job.id.to_string()),
        ("status", status),
        ("state", clean(&job.p2p_status)),
        ("about", clean(job.description.as_deref().unwrap_or("-"))),
        ("originator", job.originator.to_string()),
        ("executor", job.executor.map_or_else(dash, |did| did.to_string())),
        ("epoch", job.lease_epoch.to_string()),
        ("submitted", job.submitted_at.to_string()),
        ("receipt", job.receipt_cid.map_or_else(dash, |cid| cid.to_string())),
    ];
    if !stages.is_empty() {
        pairs.push(("stages", stages.join(", ")));
    }
    pairs
}

/// Shows what the guest said.
pub(super) async fn logs(context: &Context<'_>, args: &LogsArgs) -> Result<Exit, CliError> {
    let mut client = context.client()?;
    let mut history = History::default();
    let job = if args.follow {
        let mut failed = None;
        let job = watch(context, &mut client, &args.job.id, |job| {
            let printed = history.take_new(job).try_for_each(|turn| spoken(context, job, turn));
            failed = failed.take().or(printed.err());
        })
        .await?;
        failed.map_or(Ok(()), Err)?;
        job
    } else {
        let job = client.job(&args.job.id).await?;
        if context.out.is_json() {
            let items: Vec<&Turn> = job.history.iter().filter(|turn| is_spoken(turn)).collect();
            let total = items.len() as u64;
            context.out.json(&Page { items, total, has_more: false })?;
        } else {
            history.take_new(&job).try_for_each(|turn| spoken(context, &job, turn))?;
        }
        job
    };
    if job.status.is_final() && !context.out.is_json() {
        outputs::pass_on(context, &client, &job).await?;
    }
    Ok(Exit::DONE)
}

fn is_spoken(turn: &Turn) -> bool {
    SPOKEN.iter().any(|state| turn.state.eq_ignore_ascii_case(state))
}

fn spoken(context: &Context<'_>, job: &Job, turn: &Turn) -> Result<(), CliError> {
    if !is_spoken(turn) {
        return Ok(());
    }
    if context.out.is_json() {
        return context.out.json_line(turn);
    }
    context.out.line(&turn_line(context.out, Stream::Stdout, job.submitted_at, turn))
}

/// Lists the bids for a job.
pub(super) async fn bids(context: &Context<'_>, id: &str) -> Result<Exit, CliError> {
    let page = context.client()?.bids(id).await?;
    if context.out.is_json() {
        context.out.json(&page)?;
    } else if page.items.is_empty() {
        context.out.note("no bids: see `icn job why ID`");
    } else {
        let rows: Vec<Vec<String>> = page.items.iter().map(bid_row).collect();
        context.out.table(&["EXECUTOR", "PRICE", "SCORE", "REGION", "AT", "OUTCOME"], &rows)?;
    }
    Ok(Exit::DONE)
}

fn bid_row(bid: &Bid) -> Vec<String> {
    let outcome = bid.outcome.as_deref().map(clean);
    vec![
        bid.executor.to_string(),
        bid.price.as_ref().map_or_else(|| "free".to_owned(), ToString::to_string),
        score(bid.score),
        bid.region.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        bid.at.to_string(),
        outcome.unwrap_or_else(|| if bid.chosen { "chosen".to_owned() } else { "-".to_owned() }),
    ]
}

/// Writes parts per million as a fraction with three digits.
pub(in crate::commands) fn score(ppm: u64) -> String {
    format!("{}.{:03}", ppm / 1_000_000, ppm % 1_000_000 / 1_000)
}

/// Explains why a job is where it is.
pub(super) async fn why(context: &Context<'_>, id: &str) -> Result<Exit, CliError> {
    let why = context.client()?.why(id).await?;
    if context.out.is_json() {
        context.out.json(&why)?;
        return Ok(Exit::DONE);
    }
    context.out.line(&context.out.paint(Stream::Stdout, Style::Bold, &clean(&why.summary)))?;
    if !why.executors.is_empty() {
        context.out.line("")?;
        let rows: Vec<Vec<String>> = why
            .executors
            .iter()
            .map(|known| vec![known.executor.to_string(), clean(&known.standing), clean(&known.detail)])
            .collect();
        context.out.table(&["EXECUTOR", "STANDING", "WHY"], &rows)?;
    }
    for unknown in &why.unknown {
        context.out.line(&format!("not known: {}", clean(unknown)))?;
    }
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_fractions() {
        let check = |ppm, expected: &str| assert_eq!(score(ppm), expected);
        check(0, "0.000");
        check(873_456, "0.873");
        check(1_000_000, "1.000");
    }
}
