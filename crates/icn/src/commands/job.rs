//! `icn job …`: running jobs and looking after them.

pub(super) mod folder;
mod follow;
mod interrupt;
mod outputs;
mod run;
mod show;

use std::time::Instant;

use icn_gateway::api::Job;
use icn_types::StandardJobStatus;

pub(super) use self::follow::{History, turn_line, watch};
pub(super) use self::interrupt::ctrl_c;
pub(super) use self::show::{JOB_HEADING, id_start, job_row, score};
use super::Context;
use crate::cli::{CancelArgs, JobCommand, WaitArgs};
use crate::error::{CliError, Exit};

/// Carries out one of the job commands.
pub(crate) async fn run(context: &Context<'_>, command: JobCommand) -> Result<Exit, CliError> {
    match command {
        JobCommand::Run(args) => run::run(context, &args).await,
        JobCommand::List(args) => show::list(context, &args).await,
        JobCommand::Show(args) => show::show(context, &args.id).await,
        JobCommand::Logs(args) => show::logs(context, &args).await,
        JobCommand::Bids(args) => show::bids(context, &args.id).await,
        JobCommand::Cancel(args) => cancel(context, &args).await,
        JobCommand::Wait(args) => wait(context, &args).await,
        JobCommand::Why(args) => show::why(context, &args.id).await,
    }
}

async fn cancel(context: &Context<'_>, args: &CancelArgs) -> Result<Exit, CliError> {
    let job = context.client()?.cancel(&args.job.id, args.reason.clone()).await?;
    if context.out.is_json() {
        context.out.json(&job)?;
    } else {
        let what = match job.status {
            StandardJobStatus::Cancelled => "is cancelled",
            StandardJobStatus::Pending | StandardJobStatus::Running => "is being cancelled",
            StandardJobStatus::CompletedSuccessfully | StandardJobStatus::Failed => "had already ended",
        };
        context.out.note(&format!("{} {what}", job.id));
    }
    Ok(Exit::DONE)
}

async fn wait(context: &Context<'_>, args: &WaitArgs) -> Result<Exit, CliError> {
    let mut client = context.client()?;
    let end = watch(context, &mut client, &args.job.id, |_| {});
    let job = match args.timeout {
        None => end.await?,
        Some(patience) => {
            let begun = Instant::now();
            tokio::time::timeout(patience.to_std(), end).await.map_err(|_| {
                let seconds = begun.elapsed().as_secs();
                CliError::Failed(format!("the job has not ended within {seconds} s; it goes on"))
            })??
        }
    };
    if context.out.is_json() {
        context.out.json(&job)?;
    } else {
        context.out.line(&summary(&job))?;
    }
    Ok(Exit::of_job(&job))
}

/// Says in a line how a job stands or ended.
pub(super) fn summary(job: &Job) -> String {
    use std::fmt::Write as _;
    let mut text = match job.status {
        StandardJobStatus::CompletedSuccessfully => "completed".to_owned(),
        StandardJobStatus::Failed => "failed".to_owned(),
        StandardJobStatus::Cancelled => "cancelled".to_owned(),
        StandardJobStatus::Running => "running".to_owned(),
        StandardJobStatus::Pending => "pending".to_owned(),
    };
    if let Some(executor) = job.executor {
        let _infallible = write!(text, " on {}", executor.short());
    }
    if let Some(code) = job.exit_code.filter(|code| *code != 0) {
        let _infallible = write!(text, " with exit code {code}");
    }
    if let Some(fuel) = job.fuel_used {
        let _infallible = write!(text, ", {fuel} fuel");
    }
    if let Some(price) = &job.price {
        let _infallible = write!(text, ", {price}");
    }
    if let Some(payment) = &job.payment {
        let _infallible = write!(text, " ({})", crate::output::clean(payment));
    }
    if let Some(error) = &job.error {
        let _infallible = write!(
            text,
            ": {} ({})",
            crate::output::clean(error.message.lines().next().unwrap_or_default()),
            crate::output::clean(&error.code)
        );
    }
    text
}
