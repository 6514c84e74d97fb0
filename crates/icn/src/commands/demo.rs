//! `icn demo`: real nodes on this machine run a job and check each other.

mod books;
mod nodes;
mod story;
mod work;

use std::time::{Duration, Instant};

use icn_gateway::api::books::Space;
use icn_gateway::api::{Bid, Job, JobRequest, Replay, Verdict};
use icn_node::NodeFile;
use icn_types::{Did, StandardJobStatus};
use serde::Serialize;

use self::nodes::{DemoNode, Nodes};
use self::story::Story;
use super::Context;
use super::job::ctrl_c;
use crate::cli::DemoArgs;
use crate::error::{CliError, Exit};

/// How long the nodes may take to find each other.
const MEETING_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// The whole demonstration, as JSON.
#[derive(Debug, Serialize)]
struct Shown {
    nodes: Vec<NodeFile>,
    job: JobWithBids,
    receipt_verified: bool,
    replay: Option<ReplayElsewhere>,
    payment: Option<books::Payment>,
    elapsed_ms: u64,
}

/// A job together with its bids.
#[derive(Debug, Serialize)]
struct JobWithBids {
    #[serde(flatten)]
    job: Job,
    bids: Vec<Bid>,
}

/// What another node found when it ran the job again.
#[derive(Debug, Serialize)]
struct ReplayElsewhere {
    executor: Did,
    #[serde(flatten)]
    replay: Replay,
}

impl Shown {
    /// Tells whether all went as it should.
    fn is_good(&self) -> bool {
        let replayed = self.replay.as_ref().is_some_and(|replay| replay.replay.identical != Some(false));
        let paid = self.payment.as_ref().is_some_and(books::Payment::is_good);
        let done = self.job.job.status == StandardJobStatus::CompletedSuccessfully;
        done && self.receipt_verified && replayed && paid
    }
}

/// Shows how it works. The nodes end with this function, whichever way it ends.
pub(crate) async fn run(context: &Context<'_>, args: &DemoArgs) -> Result<Exit, CliError> {
    let story = Story::new(context.out);
    let mut nodes = Nodes::new()?;
    let result = tokio::select! {
        result = show(context, args, &story, &mut nodes) => result,
        () = told_to_end() => Ok(Exit::JOB_CANCELLED),
    };
    if result.is_err() {
        nodes.keep_folder();
    }
    story.say("ending the nodes");
    nodes.stop();
    result
}

async fn show(
    context: &Context<'_>,
    args: &DemoArgs,
    story: &Story<'_>,
    nodes: &mut Nodes,
) -> Result<Exit, CliError> {
    let begun = Instant::now();
    let work = work::Work::from_args(args)?;
    start(story, nodes, usize::try_from(args.nodes).unwrap_or(usize::MAX)).await?;
    let space = books::found(story, nodes).await?;
    let submitter = nodes.submitter()?;
    let (job, bids) = run_job(story, submitter, &work, &space).await?;
    story.outputs(&submitter.client, &job).await?;
    let verdict = verify(story, submitter, &job).await?;
    let replay = replay_elsewhere(story, nodes, &job).await?;
    let payment = books::payment(story, nodes, &space, &job).await?;
    let shown = Shown {
        nodes: nodes.files(),
        job: JobWithBids { job, bids },
        receipt_verified: verdict.is_some_and(|verdict| verdict.valid),
        replay,
        payment,
        elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    if context.out.is_json() {
        context.out.json(&shown)?;
    }
    let exit = if shown.is_good() { Exit::DONE } else { Exit::FAILED };
    story.end(&shown);
    if args.exit {
        return Ok(exit);
    }
    story.where_to_go_on(nodes);
    told_to_end().await;
    Ok(exit)
}

/// Starts the nodes and waits until the first one knows all the others.
async fn start(story: &Story<'_>, nodes: &mut Nodes, count: usize) -> Result<(), CliError> {
    story.title(&format!("Starting {count} nodes"));
    nodes.start(count).await?;
    for node in nodes.iter() {
        story.node(node);
    }
    let submitter = nodes.submitter()?;
    let others = count.saturating_sub(1) as u64;
    let deadline = Instant::now() + MEETING_TIMEOUT;
    loop {
        let status = submitter.client.status().await?;
        if status.peers >= others && status.executors_known >= others {
            story.say(&format!(
                "the first node is connected to {others} others, and knows that they run jobs"
            ));
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(CliError::Failed(format!(
                "after {} s the first node has {} peers and knows {} executors instead of {others}: {}",
                MEETING_TIMEOUT.as_secs(),
                status.peers,
                status.executors_known,
                nodes.log_hint()
            )));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Submits the job and follows it to its end, telling each turn and each bid as it comes.
async fn run_job(
    story: &Story<'_>,
    submitter: &DemoNode,
    work: &work::Work,
    space: &Space,
) -> Result<(Job, Vec<Bid>), CliError> {
    story.title(&format!("Running {}", work.name()));
    let client = &submitter.client;
    let request = JobRequest { space: Some(space.id.to_string()), ..work.add(client, story).await? };
    let id = client.submit(&request).await?.id.to_string();
    story.say(&format!("job {id}"));
    let mut turns = client.follow(&id).await?;
    let mut seen = story::Seen::default();
    while let Some(job) = turns.next().await? {
        if seen.may_have_bids(&job) {
            story.bids(&mut seen, &client.bids(&id).await?.items);
        }
        story.turns(&mut seen, &job);
        if job.status.is_final() {
            let bids = client.bids(&id).await?.items;
            story.bids(&mut seen, &bids);
            story.why(&client.why(&id).await?);
            return Ok((job, bids));
        }
    }
    Err(CliError::Failed("the first node ended before the job did".to_owned()))
}

async fn verify(story: &Story<'_>, submitter: &DemoNode, job: &Job) -> Result<Option<Verdict>, CliError> {
    let Some(cid) = &job.receipt_cid else { return Ok(None) };
    story.title("Checking");
    let receipt = submitter.client.fetch(cid, icn_gateway::RECEIPT_BYTES_MAX).await?;
    let verdict = submitter.client.verify(receipt).await?;
    story.verdict(cid, &verdict);
    Ok(Some(verdict))
}

/// Has another node than the one that ran the job run it again.
async fn replay_elsewhere(
    story: &Story<'_>,
    nodes: &Nodes,
    job: &Job,
) -> Result<Option<ReplayElsewhere>, CliError> {
    let (Some(cid), Some(executor)) = (&job.receipt_cid, job.executor) else { return Ok(None) };
    let submitter = nodes.submitter()?;
    let other = nodes.iter().find(|node| node.file.did != executor && node.file.did != submitter.file.did);
    let Some(other) = other else { return Ok(None) };
    let bundle = submitter.client.receipt_bundle(cid).await?;
    let replay = other.client.replay(bundle).await?;
    story.replay(other, &replay);
    Ok(Some(ReplayElsewhere { executor: other.file.did, replay }))
}

/// Waits for Ctrl-C or SIGTERM.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return ctrl_c().await };
    tokio::select! {
        () = ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
