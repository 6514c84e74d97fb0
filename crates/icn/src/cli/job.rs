//! Jobs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use icn_types::{Did, Region, ResourceType};

use super::scope::{PageArgs, ScopeArgs};
use super::values::{self, Named};

/// A file or a CID, as typed; which of the two it is depends on what exists.
pub(crate) type Source = String;

const RUN_AFTER_HELP: &str = "\
Examples:
  icn job run count.wasm --input book.txt=book.txt -o results
  icn job run tile.wasm --arg 0.5 --arg 0.25 --max-price '5 hours' --region north -o tile
  icn job run tile.wasm --max-price '2.50 hours' --space Bakery
  icn job run bafkrei… --input data.csv=bafybei… --remote --timeout 2m --memory 64MiB
  id=$(icn job run count.wasm --detach) && icn job wait $id

Once the job exists, the exit code is the job's:
  0-99  the guest's own code (higher ones become 99)
  124   timeout
  125   it failed before or outside the guest: trap, limits, bad module, bad receipt
  126   refused
  130   cancelled
Before that, and when the node goes away, the general codes hold (2 usage, 3 no node answers, 4 not found).";

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    Run(Box<JobRunArgs>),
    List(ListArgs),
    /// Show a job: its state, its outputs and its whole history
    #[command(
        after_long_help = "Examples:\n  icn job show bafyrei6x\n  icn job show bafyrei6x --json | jq .outputs"
    )]
    Show(JobIdArgs),
    Logs(LogsArgs),
    /// List the bids for a job
    #[command(after_long_help = "Examples:\n  icn job bids bafyrei6x")]
    Bids(JobIdArgs),
    Cancel(CancelArgs),
    Wait(WaitArgs),
    /// Explain why a job does not run, or why it runs where it runs
    ///
    /// Says who advertised, who was not eligible and by which rule, who bid or declined, who was chosen, and what this
    /// node cannot know.
    #[command(after_long_help = "Examples:\n  icn job why bafyrei6x")]
    Why(JobIdArgs),
}

/// Run a WebAssembly module on the mesh and bring back what it made
///
/// Adds the module and its inputs, submits the job, follows it live, fetches the outputs and verifies the receipt.
/// Without -o the guest's stdout and stderr become this command's own. Ctrl-C asks whether to detach or to cancel.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = RUN_AFTER_HELP)]
pub(crate) struct JobRunArgs {
    /// The module: a WASI preview 1 command, as a file or CID
    #[arg(value_name = "M.wasm")]
    pub(crate) module: Source,

    /// A file that the guest finds as /in/NAME; may be given several times
    #[arg(long = "input", value_name = "NAME=FILE or CID", value_parser = values::input)]
    pub(crate) inputs: Vec<Named>,

    /// An argument for the guest; may be given several times
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,

    /// A variable of the guest's environment; may be given several times
    #[arg(long = "env", value_name = "K=V", value_parser = values::named)]
    pub(crate) env: Vec<Named>,

    /// What the guest reads from stdin, as a file or CID
    #[arg(long, value_name = "FILE")]
    pub(crate) stdin: Option<Source>,

    /// Write every output to this folder, stdout and stderr among them
    #[arg(short, long, value_name = "DIR", conflicts_with = "detach")]
    pub(crate) output: Option<PathBuf>,

    /// Print the job's id and leave it running
    #[arg(long)]
    pub(crate) detach: bool,

    /// A word for people, shown in lists
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,

    #[command(flatten, next_help_heading = "Where it may run")]
    pub(crate) placement: PlacementArgs,

    #[command(flatten, next_help_heading = "Limits")]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}

/// Who may run a job, and for what.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlacementArgs {
    /// Pay no more than this, such as `5 hours`; without it, only nodes that ask nothing run the job
    #[arg(long, value_name = "PRICE", value_parser = values::price_text)]
    pub(crate) max_price: Option<String>,

    /// Only on nodes of this region
    #[arg(long, value_name = "R")]
    pub(crate) region: Option<Region>,

    /// Choose among bids by this policy; FIFO takes the first acceptable one at once
    #[arg(long, value_name = "NAME")]
    pub(crate) placement: Option<String>,

    /// Only on nodes with this reputation at least, such as `0.3` (`icn reputation list` shows them)
    #[arg(long, value_name = "SCORE", value_parser = values::score)]
    pub(crate) min_reputation: Option<String>,

    /// How much reputation counts among bids, from 0 to 1; the price counts as much as is left [default: 0.5]
    #[arg(long, value_name = "SHARE", value_parser = values::score)]
    pub(crate) reputation_weight: Option<String>,

    /// Never on the submitting node itself
    #[arg(long)]
    pub(crate) remote: bool,

    /// Only on this node; may be given several times
    #[arg(long = "on", value_name = "DID")]
    pub(crate) allowed_executors: Vec<Did>,

    /// Only where this much of a resource is, such as `cpu_millicores=4000`; may be given several times
    #[arg(long = "require", value_name = "KIND=N", value_parser = values::resource)]
    pub(crate) required: Vec<(ResourceType, u64)>,
}

/// What a job may use.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LimitArgs {
    /// Stop after this long, such as `90s` [default: 10m]
    #[arg(long, value_name = "D", value_parser = values::seconds)]
    pub(crate) timeout: Option<u64>,

    /// Stop when this much fuel is used [default: 1000000000000, or what executors give this node if that is less]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_fuel: Option<u64>,

    /// Memory limit, such as `64MiB` [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) memory: Option<u64>,

    /// Limit of all outputs together [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) output_max: Option<u64>,

    /// Give up replayability for speed
    #[arg(long)]
    pub(crate) fast: bool,
}

/// List jobs, newest first
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn job list
  icn job list --limit 50 --offset 100
  icn job list --json | jq -r '.items[] | select(.status == \"Failed\") | .id'")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Names a job.
#[derive(Debug, Clone, Args)]
pub(crate) struct JobIdArgs {
    /// The job's id, or a beginning of it that no other job shares
    #[arg(value_name = "ID", value_parser = job_id)]
    pub(crate) id: String,
}

/// Show what a job said: its log, and at the end its stdout and stderr
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn job logs bafyrei6x
  icn job logs -f bafyrei6x")]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) job: JobIdArgs,

    /// Go on until the job ends
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// Cancel a job; one that has ended stays as it is
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn job cancel bafyrei6x
  icn job cancel bafyrei6x --reason 'wrong input'")]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    pub(crate) job: JobIdArgs,

    /// What the executor and the history are told
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// Wait until a job has ended
///
/// Ends with the job's exit code, as `icn job run` does.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn job wait bafyrei6x && echo done
  icn job wait bafyrei6x --timeout 5m")]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) job: JobIdArgs,

    /// Give up after this long and end with 1; the job goes on
    #[arg(long, value_name = "D", value_parser = values::duration)]
    pub(crate) timeout: Option<icn_types::Duration>,
}

/// Accepts what can begin a CID's text, so that an id is always one part of a path.
fn job_id(text: &str) -> Result<String, String> {
    let valid = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if valid { Ok(text.to_owned()) } else { Err("expected the id of a job, such as `bafyrei…`".to_owned()) }
}
