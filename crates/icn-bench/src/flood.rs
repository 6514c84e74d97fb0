//! What a flood from 200 identities behind one introducer costs an honest job.
//!
//! There are two co-ops with the same books: in each, ada submits, bob executes, and mallory has let 200 identities in. The
//! identities connect to the nodes of one co-op alone. Jobs run in both, in turn with the flood and without it, so that what
//! else the machine does falls on all of them alike. The jobs of the other co-op during the flood show what it costs merely to
//! share a machine with the flooders and the nodes that are flooded.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use icn_bench::Context;
use icn_bench::cores::Cores;
use icn_bench::crowd::Crowd;
use icn_bench::measure::Samples;
use icn_bench::mesh::{NOOP, succeeded};
use icn_bench::process::{Node, Usage, runtime};
use icn_bench::report::{Row, Section, Unit};
use icn_gateway::api::JobRequest;
use icn_gateway::api::books::{
    Invited, JoinRequest, NewInvitation, NewSpace, Rule, RuleRequest, Space, Written,
};
use icn_gateway::api::trust::TrustRequest;
use icn_identity::Keypair;
use icn_types::Did;
use tempfile::TempDir;

/// How many identities.
const CROWD: usize = 200;
/// Requests a second of each of them to each node; all of them together may send one. The first is what each of them may send
/// alone, so that no limit of its own stops it: only that of the branch does.
const PACES: [u32; 3] = [1, 5, 50];
/// What the specification asks for: at most a tenth more.
const RATIO_MAX: f64 = 1.10;
/// How often each pace has its turn.
const ROUNDS: usize = 3;
/// How often the two co-ops have their turns while a pace holds.
const TURNS: usize = 16;
/// Jobs of each turn at least: the ratio of two medians needs many.
const JOBS_MIN: usize = 25;
/// Jobs before anything is measured, in each co-op.
const WARM_UP: usize = 20;
/// How long a new pace holds before jobs are measured: longer than a request waits for its answer, so that nothing of the pace
/// before is left, and a flood has used up what a branch may do at once.
const SETTLE: Duration = Duration::from_secs(12);
/// How long the nodes may take to agree on something.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// One co-op. Dropping it kills its nodes and removes their folders.
struct Coop {
    /// ada and bob.
    nodes: Vec<Node>,
    request: JobRequest,
    _folder: TempDir,
}

/// Under which condition jobs ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    /// Whether in the co-op whose nodes the crowd is connected to.
    among: bool,
    /// The pace of each identity.
    pace: u32,
}

/// What was measured under one condition.
#[derive(Debug, Default)]
struct Measured {
    durations: Vec<Duration>,
    wall: Duration,
    /// Of ada, bob and this process.
    cpu: [Duration; 3],
}

/// Measures jobs with and without the flood.
pub(crate) fn measure(context: &Context) -> Result<Section> {
    // The crowd would not run on the machine of those whom it floods: it has threads and, if one can be spared, a processor of
    // its own.
    let cores = Cores::split()?;
    let crowds = crowds_runtime(cores.clone())?;
    let _held = cores.as_ref().map(Cores::hold).transpose()?;
    runtime()?.block_on(async {
        let keys: Vec<Keypair> =
            (0..CROWD).map(|_| Ok(Keypair::generate_from_os()?)).collect::<Result<_>>()?;
        let dids: Vec<Did> = keys.iter().map(Keypair::did).collect();
        let (quiet, flooded) = (Coop::found(context, &dids).await?, Coop::found(context, &dids).await?);
        let addresses: Vec<String> =
            flooded.nodes.iter().map(|node| Ok(node.address()?.to_owned())).collect::<Result<_>>()?;
        let crowd = crowds.spawn(Crowd::connect(keys, addresses)).await??;
        let conditions: Vec<Condition> = std::iter::once(0)
            .chain(PACES)
            .flat_map(|pace| [false, true].map(|among| Condition { among, pace }))
            .collect();
        let mut measured: Vec<(Condition, Measured)> =
            conditions.iter().map(|condition| (*condition, Measured::default())).collect();
        let jobs = (context.plan.jobs_single / (ROUNDS * TURNS)).max(JOBS_MIN);
        let mut flooding = Duration::ZERO;
        for _ in 0..ROUNDS {
            for pace in std::iter::once(0).chain(PACES) {
                let begun = Instant::now();
                crowd.set_pace(pace);
                tokio::time::sleep(SETTLE).await;
                for _ in 0..TURNS {
                    for (condition, measured) in measured.iter_mut().filter(|(it, _)| it.pace == pace) {
                        measured.run(if condition.among { &flooded } else { &quiet }, jobs).await?;
                    }
                }
                if pace > 0 {
                    flooding += begun.elapsed();
                }
            }
        }
        crowd.set_pace(0);
        tokio::time::sleep(SETTLE).await;
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let tally = &crowd.tally;
        let counts = [&tally.sent, &tally.limited, &tally.heard, &tally.lost, &tally.published].map(count);
        for node in &flooded.nodes {
            let status = node.client.status().await?;
            anyhow::ensure!(status.peers > CROWD as u64, "only {} peers stayed until the end", status.peers);
        }
        section(&measured, counts, flooding, cores.is_some())
    })
}

/// Starts the threads of the crowd.
fn crowds_runtime(cores: Option<Cores>) -> Result<tokio::runtime::Runtime> {
    let Some(cores) = cores else { return runtime() };
    // A thread that cannot be moved shares a processor with the nodes, which makes the figures worse, never better.
    let leave = move || drop(cores.leave());
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .on_thread_start(leave)
        .enable_all()
        .build()
        .context("starting the crowd's threads")
}

impl Coop {
    /// Starts ada, bob and mallory; mallory lets everybody in, and has no node after that.
    async fn found(context: &Context, crowd: &[Did]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("icn-bench-").tempdir_in(&context.dir)?;
        let settings = [("ICN_NETWORK_MAX_PEERS", "300")];
        let mut nodes: Vec<Node> = Vec::new();
        for (name, flag) in [("ada", "--no-executor"), ("bob", "--executor"), ("mallory", "--no-executor")] {
            let data_dir = folder.path().join(name);
            Node::init(&context.icn, &data_dir)?;
            let mut flags = vec![flag];
            for node in &nodes {
                flags.extend(["--peer", node.address()?]);
            }
            let node = Node::start_with(&context.icn, &data_dir, &flags, &settings)?;
            nodes.push(node);
        }
        let [ada, bob, mallory] = nodes.as_slice() else { bail!("no nodes") };
        let new = NewSpace {
            name: "Bakery".to_owned(),
            nickname: Some("ada".to_owned()),
            currency: None,
            identity: None,
        };
        let space: Space = ada.client.post("/v1/spaces", &new).await?;
        let space = format!("/v1/spaces/{}", space.id);
        for (node, name) in [(bob, "bob"), (mallory, "mallory")] {
            let path = format!("{space}/invitations");
            let invited: Invited = ada.client.post(&path, &NewInvitation::default()).await?;
            let (invitation, nickname) = (invited.invitation, Some(name.to_owned()));
            let _joined: Space =
                node.client.post("/v1/join", &JoinRequest { invitation, nickname, identity: None }).await?;
        }
        // The root is a member, too.
        until(ada, &space, "who joined", |space| space.members >= 4).await?;
        // Only stewards let others in.
        let mallorys = || "mallory".to_owned();
        rule(ada, &space, Rule::Appoint { member: mallorys() }).await?;
        catch_up(ada, mallory, &space).await?;
        for member in crowd {
            rule(mallory, &space, Rule::Admit { member: *member, nickname: None }).await?;
        }
        let members = crowd.len() as u64 + 4;
        for node in [ada, bob] {
            until(node, &space, "all members", |space| space.members >= members).await?;
        }
        rule(ada, &space, Rule::Dismiss { member: mallorys() }).await?;
        let trust = TrustRequest {
            of: "bob".to_owned(),
            score: "0.8".to_owned(),
            context: icn_types::TrustContext::General,
            expires_seconds: None,
            note: None,
            identity: None,
            key: None,
        };
        let _said: Written = ada.client.post(&format!("{space}/trust"), &trust).await?;
        catch_up(ada, bob, &space).await?;
        let wasm = ada.client.add(Bytes::from_static(NOOP)).await?;
        let request =
            JobRequest { wasm_cid: Some(wasm.cid), placement: Some("FIFO".into()), ..JobRequest::default() };
        nodes.truncate(2);
        let coop = Self { nodes, request, _folder: folder };
        Measured::default().run(&coop, WARM_UP).await?;
        Ok(coop)
    }
}

impl Measured {
    /// Runs jobs one after another.
    async fn run(&mut self, coop: &Coop, jobs: usize) -> Result<()> {
        let [ada, bob] = coop.nodes.as_slice() else { bail!("no nodes") };
        let usage = || {
            let read = [ada.usage()?, bob.usage()?, Usage::read(std::process::id())?];
            anyhow::Ok(read.map(|usage| usage.cpu))
        };
        let (before, begun) = (usage()?, Instant::now());
        for _ in 0..jobs {
            let begun = Instant::now();
            succeeded(ada.client.run(&coop.request).await?)?;
            self.durations.push(begun.elapsed());
        }
        self.wall += begun.elapsed();
        for ((sum, after), before) in self.cpu.iter_mut().zip(usage()?).zip(before) {
            *sum += after.saturating_sub(before);
        }
        Ok(())
    }

    fn samples(&self) -> Result<Samples> {
        Samples::of(&self.durations, self.wall)
    }
}

async fn rule(node: &Node, space: &str, act: Rule) -> Result<()> {
    let request = RuleRequest { act, identity: None, key: None };
    let _written: Written = node.client.post(&format!("{space}/rules"), &request).await?;
    Ok(())
}

/// Waits until a node has as many entries as another has now.
async fn catch_up(with: &Node, node: &Node, space: &str) -> Result<()> {
    let entries = with.client.get::<Space>(space).await?.entries;
    until(node, space, "the entries of another", |space| space.entries >= entries).await
}

async fn until(node: &Node, space: &str, what: &str, is_so: impl Fn(&Space) -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so(&node.client.get::<Space>(space).await?) {
        if begun.elapsed() > PATIENCE {
            bail!("a node does not see {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn section(
    measured: &[(Condition, Measured)],
    counts: [u64; 5],
    flooding: Duration,
    is_apart: bool,
) -> Result<Section> {
    let mut section = Section::new("no-op job, 2 nodes, FIFO, 200 identities");
    let of = |among, pace| {
        let wanted = Condition { among, pace };
        let found = measured.iter().find(|(condition, _)| *condition == wanted);
        found.map(|(_, measured)| measured).context("a condition was not measured")
    };
    let alone = of(false, 0)?.samples()?;
    for (condition, measured) in measured {
        let samples = measured.samples()?;
        let rate = condition.pace as usize * CROWD;
        let name = match (condition.among, condition.pace) {
            (false, 0) => "they are not connected".to_owned(),
            (true, 0) => "connected, silent".to_owned(),
            (false, _) => format!("others get {rate} requests/s each"),
            (true, _) => format!("each node gets {rate} requests/s"),
        };
        for (quantile, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            let row = Row::new(format!("{name}, {quantile}"), samples.quantile_us(share), Unit::Microseconds);
            let is_first = *condition == Condition { among: false, pace: 0 };
            section.push(if is_first { row } else { row.beside(alone.quantile_us(share), "not connected") });
        }
        let percent = |cpu: Duration| 100.0 * cpu.as_secs_f64() / measured.wall.as_secs_f64();
        for (who, cpu) in ["ada", "bob", "the flooders' process"].iter().zip(measured.cpu) {
            section.push(Row::new(format!("… {who}"), percent(cpu), Unit::PercentCpu));
        }
    }
    for pace in PACES {
        let (median, rate) = (of(true, pace)?.samples()?.quantile_us(0.5), pace as usize * CROWD);
        let beside = of(false, pace)?.samples()?.quantile_us(0.5);
        section.push(cost(format!("median at {rate}/s ÷ not connected"), median / alone.quantile_us(0.5)));
        section.push(cost(format!("median at {rate}/s ÷ others get them"), median / beside));
    }
    let [sent, limited, heard, lost, published] = counts;
    section.note(format!(
        "{CROWD} identities behind one introducer may send 1 message/s together, and 10 at once. In {:.0} s of flood they sent \
         {sent} direct requests ({limited} refused for their number, {heard} let through, {lost} without an answer) and \
         published {published} messages, each signed; they pass on what they hear. They are in the benchmark's own process, \
         which signs requests beforehand and sends at an even pace, {}; \"others get them\" are jobs on two further nodes of \
         the same machine at the same time, which have nothing to do with the crowd. A pace held for 12 s before its jobs; all paces had {ROUNDS} turns.",
        flooding.as_secs_f64(),
        if is_apart { "on a processor that no node runs on" } else { "on the processors of the nodes" }
    ));
    Ok(section)
}

/// How many times as long something takes; fewer is better.
fn cost(name: String, ratio: f64) -> Row {
    Row::new(name, ratio, Unit::TimesAsLong).floor(RATIO_MAX)
}
