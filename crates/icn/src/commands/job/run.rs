//! `icn job run`: from a file on this disk to verified outputs on this disk.

use std::path::Path;

use icn_gateway::api::books::Amount;
use icn_gateway::api::{Job, JobRequest, NamedCid, Verdict};
use icn_types::{Cid, Mode, TokenAmount};
use serde::Serialize;

use super::super::scope::{Only, only, several};
use super::super::{Context, content};
use super::interrupt::{self, Choice};
use super::{History, outputs, summary, watch};
use crate::cli::{JobRunArgs, values};
use crate::client::Client;
use crate::error::{CliError, Exit};
use crate::output::{Stream, Style};

/// A job that has run, as JSON: the job, and what we found when we checked its receipt.
#[derive(Debug, Serialize)]
struct Ran<'a> {
    #[serde(flatten)]
    job: &'a Job,
    receipt_verified: Option<bool>,
}

/// How following a job ended.
enum Followed {
    /// The job is final.
    Ended(Box<Job>),
    /// The person left it running.
    Detached,
}

/// Runs a job.
pub(super) async fn run(context: &Context<'_>, args: &JobRunArgs) -> Result<Exit, CliError> {
    let mut client = context.client()?;
    let request = prepare(context, &client, args).await?;
    let job = match client.submit(&request).await {
        Ok(job) => job,
        Err(error) if error.exit() == Exit::REFUSED => {
            context.out.note(&context.out.failure(&error));
            return Ok(Exit::JOB_REFUSED);
        }
        Err(error) => return Err(error),
    };
    if args.detach {
        return detached(context, &job);
    }
    context.out.note(&format!("job {}", context.out.paint(Stream::Stderr, Style::Bold, &job.id.to_string())));
    match follow(context, &mut client, &job).await? {
        Followed::Ended(job) => tokio::select! {
            exit = finish(context, &client, &job, args.output.as_deref()) => exit,
            () = interrupt::ctrl_c() => Err(CliError::Failed(format!(
                "interrupted while the outputs were fetched: see `icn job show {}`", super::id_start(&job.id)
            ))),
        },
        Followed::Detached => detached(context, &job),
    }
}

/// Adds what has to be added and writes down the request.
async fn prepare(context: &Context<'_>, client: &Client, args: &JobRunArgs) -> Result<JobRequest, CliError> {
    icn_types::check_paths(args.inputs.iter().map(|input| input.name.as_str()))
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let wasm_cid = Some(resolve(context, client, &args.module).await?);
    let stdin_cid = match &args.stdin {
        Some(source) => Some(resolve(context, client, source).await?),
        None => None,
    };
    let mut inputs = Vec::with_capacity(args.inputs.len());
    for input in &args.inputs {
        inputs
            .push(NamedCid { name: input.name.clone(), cid: resolve(context, client, &input.value).await? });
    }
    let (max_price, space) = price(client, args).await?;
    Ok(JobRequest {
        wasm_cid,
        description: args.description.clone().or_else(|| Some(file_name(&args.module))),
        args: args.args.clone(),
        env: args.env.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect(),
        stdin_cid,
        inputs,
        max_price,
        space,
        identity: args.scope.identity.clone(),
        region: args.placement.region.clone(),
        placement: args.placement.placement.clone(),
        min_reputation: args.placement.min_reputation.clone(),
        reputation_weight: args.placement.reputation_weight.clone(),
        remote: args.placement.remote,
        allowed_executors: args.placement.allowed_executors.clone(),
        resources_required: args.placement.required.iter().cloned().collect(),
        timeout_seconds: args.limits.timeout,
        max_fuel: args.limits.max_fuel,
        memory_bytes_max: args.limits.memory,
        output_bytes_max: args.limits.output_max,
        mode: if args.limits.fast { Mode::Fast } else { Mode::Canonical },
        entry: None,
    })
}

/// Reads the price in the decimals of its currency, and tells which space's books pay. A node without common books
/// counts prices in whole numbers.
async fn price(
    client: &Client,
    args: &JobRunArgs,
) -> Result<(Option<TokenAmount>, Option<String>), CliError> {
    let Some(text) = &args.placement.max_price else { return Ok((None, args.scope.space.clone())) };
    let space = match &args.scope.space {
        Some(space) => client.space(space).await?,
        None => match only(client).await {
            Ok(Only::This(space)) => *space,
            Ok(Only::Several(spaces)) => return Err(several(&spaces)),
            Ok(Only::None) => return whole(text),
            Err(CliError::Problem(problem)) if problem.code == "books-unavailable" => return whole(text),
            Err(error) => return Err(error),
        },
    };
    let currencies = space.currencies.iter().map(|currency| (currency.code.as_str(), currency.decimals));
    let amount = Amount::parse(text, currencies)?;
    let smallest = u64::try_from(amount.smallest).unwrap_or_default();
    Ok((Some(TokenAmount { amount: smallest, currency: amount.currency }), Some(space.id.to_string())))
}

fn whole(text: &str) -> Result<(Option<TokenAmount>, Option<String>), CliError> {
    values::price(text).map(|price| (Some(price), None)).map_err(|error| {
        CliError::Usage(format!("{error}; decimals need a space with that currency: see `icn space list`"))
    })
}

/// Turns a file or CID into a CID. What exists as a file is a file.
async fn resolve(context: &Context<'_>, client: &Client, source: &str) -> Result<Cid, CliError> {
    let path = Path::new(source);
    if source == "-" || path.exists() {
        return content::add_file(client, context.out, path).await.map(|content| content.cid);
    }
    source.parse().map_err(|_| {
        CliError::Usage(format!("`{source}` is neither a file that exists nor a CID: check the spelling"))
    })
}

/// Describes a job by its module's name.
fn file_name(source: &str) -> String {
    let name = Path::new(source).file_name().map_or(source.into(), |name| name.to_string_lossy());
    name.chars().take(100).collect()
}

fn detached(context: &Context<'_>, job: &Job) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(job)?;
    } else {
        context.out.line(&job.id.to_string())?;
        let id = super::id_start(&job.id);
        context.out.note(&format!("the job goes on: `icn job wait {id}`, `icn job show {id}`"));
    }
    Ok(Exit::DONE)
}

/// Shows the job live until it ends or the person leaves.
async fn follow(context: &Context<'_>, client: &mut Client, job: &Job) -> Result<Followed, CliError> {
    let id = job.id.to_string();
    let mut history = History::default();
    let mut cancelled = false;
    let end = watch(context, client, &id, |job| history.show_new(context.out, job));
    tokio::pin!(end);
    loop {
        tokio::select! {
            job = &mut end => return job.map(|job| Followed::Ended(Box::new(job))),
            () = interrupt::ctrl_c(), if !cancelled => match interrupt::ask(context.out).await {
                Choice::Detach => return Ok(Followed::Detached),
                Choice::GoOn => {}
                Choice::Cancel => {
                    cancelled = true;
                    context.out.note("cancelling; Ctrl-C once more leaves without waiting");
                    context.client()?.cancel(&id, Some("interrupted".to_owned())).await?;
                }
            },
            () = interrupt::ctrl_c(), if cancelled => return Ok(Followed::Detached),
        }
    }
}

/// Verifies the receipt, brings the outputs home and says how it went.
async fn finish(
    context: &Context<'_>,
    client: &Client,
    job: &Job,
    folder: Option<&Path>,
) -> Result<Exit, CliError> {
    let verdict = verify(client, job).await?;
    if let Some(verdict) = verdict.as_ref().filter(|verdict| !verdict.valid) {
        let reason = crate::output::clean(&verdict.reason);
        context
            .out
            .note(&context.out.failure(&CliError::Failed(format!("the receipt does not hold: {reason}"))));
    }
    match folder {
        Some(folder) => outputs::save(context, client, job, folder).await?,
        None if context.out.is_json() => {}
        None => outputs::pass_on(context, client, job).await?,
    }
    context.out.note(&closing_line(context, job, verdict.as_ref()));
    let receipt_verified = verdict.map(|verdict| verdict.valid);
    if context.out.is_json() {
        context.out.json(&Ran { job, receipt_verified })?;
    }
    Ok(if receipt_verified == Some(false) { Exit::JOB_FAILED } else { Exit::of_job(job) })
}

/// Has the receipt checked, if there is one.
async fn verify(client: &Client, job: &Job) -> Result<Option<Verdict>, CliError> {
    match &job.receipt_cid {
        Some(cid) => {
            let receipt = client.fetch(cid, icn_gateway::RECEIPT_BYTES_MAX).await?;
            client.verify(receipt).await.map(Some)
        }
        None => Ok(None),
    }
}

fn closing_line(context: &Context<'_>, job: &Job, verdict: Option<&Verdict>) -> String {
    let summary = context.out.paint(Stream::Stderr, super::follow::status_style(job.status), &summary(job));
    match (&job.receipt_cid, verdict) {
        (Some(cid), Some(verdict)) if verdict.valid => format!("{summary}\nreceipt {cid} (verified)"),
        (Some(cid), _) => format!("{summary}\nreceipt {cid} (NOT valid)"),
        (None, _) => summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_described_by_its_module() {
        assert_eq!(file_name("guests/count.wasm"), "count.wasm");
        assert_eq!(file_name("bafkreigh2"), "bafkreigh2");
        assert_eq!(file_name(&"x".repeat(300)).len(), 100);
    }
}
