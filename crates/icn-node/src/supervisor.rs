//! A node from start to clean end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use icn_identity::Keypair;
use icn_mesh::{Effect, Executor, ExecutorConfig, ExecutorEvent, Originator, OriginatorConfig};
use icn_net::{Multiaddr, PeerId};
use icn_obs::{Metrics, SupervisorState};
use icn_protocol::replay::GuardLimits;
use icn_protocol::topics::Topic;
use icn_protocol::{ReplayGuard, capacity};
use icn_runtime::Runtime;
use icn_store::{Database, OpenOptions, StoreError};
use icn_types::{NodeCapacity, ResourceType};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::{QuotasError, TrustLimits};
use crate::core::{Core, Happening, Machines, Node, Parts, Tables, lock};
use crate::data_dir::DataDir;
use crate::index::Role;
use crate::node_file::NodeFile;
use crate::spaces::{Identities, SpaceTables, Spaces};
use crate::trust::{Kept, KeptTables, Oracle};
use crate::{Config, advertise, api, hearing, receipt, spaces};

/// The version of what is in the database. Raise it together with a migration.
pub(crate) const SCHEMA: u32 = 1;

/// The port of the node-to-node protocol when the operator names none.
const PORT: u16 = 7100;

/// How often the addresses of peers are written down.
const PEERS_PERIOD: Duration = Duration::from_secs(30);

/// How often a stopping node looks whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// How long a stopping node tries to tell originators of its receipts.
const TELLING_MAX: Duration = Duration::from_secs(3);

/// How long peers must ask for nothing until a stopping node takes it that they have what they were told of, and how long
/// it waits for that.
const QUIET: Duration = Duration::from_millis(400);
const FETCHING_MAX: Duration = Duration::from_secs(10);

/// What a node is started with.
pub struct RunOptions {
    /// Where it keeps its things.
    pub data_dir: DataDir,
    /// Its settings, flags included.
    pub config: Config,
    /// Its unlocked key.
    pub keypair: Keypair,
    /// What unlocked it, for the keys of members beside it; none when they lie in plain text.
    pub passphrase: Option<Zeroizing<String>>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database is held, damaged, or newer than the program.
    #[error("the data folder `{0}` cannot be used")]
    Store(String, #[source] StoreError),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Runs a node until `stop`, then ends it: no more bids, what runs finishes or is handed back, everything is on disk.
/// A second `stop` (the token `now`) ends without waiting.
///
/// # Errors
///
/// [`RunError`] when the node cannot start; nothing was changed then.
pub async fn run(
    options: RunOptions,
    stop: CancellationToken,
    now: CancellationToken,
) -> Result<(), RunError> {
    let RunOptions { data_dir, config, keypair, passphrase } = options;
    let clock = Clock::start();
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    metrics.set_supervisor_state(SupervisorState::Starting);
    let keypair = Arc::new(keypair);
    let db = open_database(&data_dir, &config)?;
    // A node file of a process that was killed must not lead anybody astray; the database lock says that none runs.
    remove_node_file(&data_dir);
    let tables = open_tables(&db);
    let identities = Identities::open(&data_dir.identities(), Arc::clone(&keypair), passphrase)
        .context("the folder `identities` cannot be used")?;
    let spaces = Spaces::new(SpaceTables::open(&db), identities, metrics.register(spaces::Metrics::register));
    let runtime = start_runtime(&data_dir, &config)?;
    let (listener, bound) = bind_api(&config.api.bind).await?;
    let served = Arc::new(Served { blocks: db.blocks(), given: AtomicU64::new(0) });
    let kept = Kept::read(&tables.kept);
    let bans = kept.bans(clock.now().at);
    let trust = Oracle::new(config.trust.clone(), &config.network.rate_limiting, kept, clock.now().at)
        .context("`[trust]` or `[network.rate_limiting]` of the configuration cannot be used")?;
    let is_limited = config.trust.limits == TrustLimits::On;
    let strangers = config.network.strangers(trust.of_strangers(), is_limited);
    let policy = (bans, strangers.context("`[network]` of the configuration cannot be used")?);
    let (net, events) = start_net(&config, &keypair, Arc::clone(&served), &tables, &metrics, policy).await?;
    let api = format!("http://{bound}");
    metrics.set_supervisor_state(SupervisorState::Recovering);
    let signer: Arc<dyn icn_identity::Signer> = keypair.clone();
    let executing =
        executor_config(&config, &runtime).context("`[quotas]` of the configuration cannot be used")?;
    let machines = Machines {
        originator: Originator::new(Arc::clone(&signer), originator_config(&config)),
        executor: config.executor.enabled.then(|| Executor::new(signer, executing)),
    };
    let parts = Parts {
        me: keypair.did(),
        config,
        data_dir: data_dir.clone(),
        clock,
        api: api.clone(),
        db,
        tables,
        spaces,
        net,
        trust,
        runtime,
        metrics,
        guard: ReplayGuard::new(GuardLimits::default()),
        machines,
    };
    let (mut core, node) = Core::new(parts);
    // What is recovered may ask the books at once.
    spaces::open_all(&node).await.context("the books of a space cannot be read")?;
    let effects = recover(&node).context("the jobs in the database cannot be read")?;
    core.begin(effects).await;
    let token = icn_gateway::create_token_file(&data_dir.token()).context("`api.token` cannot be written")?;
    let halt = CancellationToken::new();
    let core_task = tokio::spawn(core.run(halt.clone()));
    let hearing_task = tokio::spawn(hearing::run(Arc::clone(&node), events));
    let advertising = tokio::spawn(advertise::run(Arc::clone(&node)));
    let keeping = tokio::spawn(keep(Arc::clone(&node)));
    let trusting = tokio::spawn(crate::trust::run(Arc::clone(&node)));
    let remembering = tokio::spawn(crate::trust::kept::run(Arc::clone(&node)));
    let face: Arc<dyn icn_gateway::api::Node> = Arc::new(api::Face(Arc::clone(&node)));
    let closing = halt.clone();
    let books = Arc::new(api::books::BooksFace(Arc::clone(&node)));
    let trust = Arc::new(api::trust::TrustFace(api::books::BooksFace(Arc::clone(&node))));
    let gateway = icn_gateway::Api::new(face, token).with_books(books).with_trust(trust);
    let serving = tokio::spawn(gateway.serve(listener, async move { closing.cancelled().await }));
    let node_file = write_node_file(&node).context("`node.json` cannot be written")?;
    node.metrics.set_supervisor_state(SupervisorState::Running);
    tracing::info!(did = %node.me, listen = ?node_file.listen, api = node_file.api, "ready");
    let telling = tokio::spawn(keep_node_file(Arc::clone(&node), node_file));

    stop.cancelled().await;
    telling.abort();
    node.metrics.set_supervisor_state(SupervisorState::Draining);
    tracing::info!("stopping: no new jobs are taken; what runs may finish");
    remove_node_file(&data_dir);
    advertising.abort();
    trusting.abort();
    drain(&node, &served, &now).await;
    node.spaces.close(&node.db).await;
    keep_peers(&node);
    remembering.abort();
    crate::trust::kept::save(&node);
    halt.cancel();
    drop(serving.await);
    keeping.abort();
    node.net.shutdown().await;
    drop(core_task.await);
    hearing_task.abort();
    node.db.flush().map_err(|error| RunError::Store(data_dir.path().display().to_string(), error))?;
    tracing::info!("stopped");
    Ok(())
}

/// Tells programs on this machine where the node is.
fn write_node_file(node: &Node) -> std::io::Result<NodeFile> {
    let node_file = NodeFile {
        pid: std::process::id(),
        did: node.me,
        peer_id: node.net.peer_id().to_string(),
        listen: node.addresses(),
        api: node.api.clone(),
    };
    node_file.write(&node.data_dir.node_file())?;
    Ok(node_file)
}

/// Keeps `node.json` true while addresses come and go with the machine's interfaces.
async fn keep_node_file(node: Arc<Node>, mut told: NodeFile) {
    loop {
        node.listening.notified().await;
        let listen = node.addresses();
        if listen != told.listen {
            match write_node_file(&node) {
                Ok(node_file) => told = node_file,
                Err(error) => tracing::warn!(error = %error, "`node.json` could not be written"),
            }
        }
    }
}

/// Removes `node.json`, where there is one.
fn remove_node_file(data_dir: &DataDir) {
    if let Err(error) = std::fs::remove_file(data_dir.node_file())
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(error = %error, "`node.json` could not be removed");
    }
}

pub(crate) fn store_options(config: &Config) -> OpenOptions {
    OpenOptions {
        schema: SCHEMA,
        blocks_bytes_max: config.storage.blocks_bytes_max,
        free_bytes_min: config.storage.free_bytes_min,
        ..OpenOptions::default()
    }
}

fn open_database(data_dir: &DataDir, config: &Config) -> Result<Database, RunError> {
    let opened = Database::open(&data_dir.database(), store_options(config)).and_then(|db| {
        match keep_empty_block(&db) {
            // A full disk keeps a node from taking more, not from showing and finishing what it has.
            Err(error) if error.is_full() => {
                tracing::error!(error = %error, "the node starts on a full disk")
            }
            other => other?,
        }
        Ok(db)
    });
    opened.map_err(|error| RunError::Store(data_dir.path().display().to_string(), error))
}

/// Every job without output names the empty block; nobody should have to ask for it.
fn keep_empty_block(db: &Database) -> Result<(), StoreError> {
    let empty = db.blocks().put(icn_types::RAW, bytes::Bytes::new())?;
    db.blocks().pin(&empty, "empty")
}

pub(crate) fn open_tables(db: &Database) -> Tables {
    Tables {
        jobs: db.table("jobs"),
        executions: db.table("executions"),
        offers: db.table("offers"),
        peers: db.table("peers"),
        kept: KeptTables::open(db),
    }
}

fn start_runtime(data_dir: &DataDir, config: &Config) -> anyhow::Result<Runtime> {
    let runtime = icn_runtime::Config {
        cache_dir: Some(data_dir.module_cache()),
        concurrent_max: config.executor.jobs_max.max(1),
        memory_bytes_max: config.executor.memory_bytes_max,
        ..icn_runtime::Config::default()
    };
    Runtime::new(runtime).context("the WebAssembly runtime did not start")
}

async fn bind_api(bind: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(bind).await.with_context(|| {
        format!("the API cannot listen on `{bind}`: choose another port with `--api` or stop the program that holds it")
    })?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

async fn start_net(
    config: &Config,
    keypair: &Keypair,
    served: Arc<Served>,
    tables: &Tables,
    metrics: &Metrics,
    (bans, strangers): (Vec<icn_net::Ban>, icn_net::Strangers),
) -> anyhow::Result<(icn_net::Handle, tokio::sync::mpsc::Receiver<icn_net::Event>)> {
    let region = config.node.region.as_ref();
    // Announcements of any region are relayed to, but only those that concern this node are subscribed to.
    let mut topics: Vec<String> = vec![Topic::Capabilities.to_string(), Topic::Receipts.to_string()];
    topics.extend(Topic::jobs_for(region).iter().map(ToString::to_string));
    let net = icn_net::Config {
        listen: listen_addresses(&config.network.listen)?,
        peers: config.network.peers.iter().map(|peer| peer_address(peer)).collect::<anyhow::Result<_>>()?,
        known_peers: known_peers(tables),
        mdns: config.network.mdns,
        topics,
        topic_allowed: Arc::new(|topic| topic.parse::<Topic>().is_ok()),
        peers_max: config.network.max_peers,
        trust_ppm_min: config.network.min_trust_threshold,
        strangers: Some(strangers),
        bans,
        group_of: match config.network.strangers.private_groups {
            true => Arc::new(icn_net::any_address_group),
            false => Arc::new(icn_net::address_group),
        },
        topology: config.network.topology.info(region),
        neighbor_limits: (&config.network.topology.neighbor_limits).into(),
        messages_per_second_max: config.network.rate_limiting.max_global_mps,
        ..icn_net::Config::new(keypair.to_libp2p())
    };
    let records = Arc::new(receipt::ReceiptRecords::default());
    let counters = metrics.register(icn_net::Metrics::register);
    let served: Arc<dyn icn_net::BlockSource> = served;
    Ok(icn_net::start(net, served, records, counters).await?)
}

/// The blocks that peers may ask for.
struct Served {
    blocks: icn_store::Blocks,
    /// How many were given so far.
    given: AtomicU64,
}

impl icn_net::BlockSource for Served {
    fn get(&self, cid: &icn_types::Cid) -> Option<bytes::Bytes> {
        self.given.fetch_add(1, Ordering::Relaxed);
        self.blocks.get(cid).ok().flatten()
    }

    fn size(&self, cid: &icn_types::Cid) -> Option<usize> {
        self.blocks.size(cid).ok().flatten().and_then(|size| usize::try_from(size).ok())
    }
}

/// Reads the addresses to listen on; without any, the usual port where it is free, else any.
fn listen_addresses(listen: &[String]) -> anyhow::Result<Vec<Multiaddr>> {
    if !listen.is_empty() {
        let parse = |text: &String| {
            text.parse::<Multiaddr>().with_context(|| {
                format!("`{text}` is not an address to listen on: expected a multiaddr such as `/ip4/0.0.0.0/udp/7100/quic-v1`")
            })
        };
        return listen.iter().map(parse).collect();
    }
    let free = std::net::UdpSocket::bind(("0.0.0.0", PORT)).is_ok()
        && std::net::TcpListener::bind(("0.0.0.0", PORT)).is_ok();
    let port = if free { PORT } else { 0 };
    if !free {
        tracing::info!("port {PORT} is taken: another free port is used and told in `node.json`");
    }
    let addresses = [format!("/ip4/0.0.0.0/udp/{port}/quic-v1"), format!("/ip4/0.0.0.0/tcp/{port}")];
    Ok(addresses.iter().filter_map(|address| address.parse().ok()).collect())
}

/// Reads the address of a peer: a multiaddr, or `icn://<did>@host:port`.
pub(crate) fn peer_address(text: &str) -> anyhow::Result<Multiaddr> {
    let wrong = || {
        format!(
            "`{text}` is not a peer: expected a multiaddr such as `/ip4/192.0.2.1/udp/7100/quic-v1`, or `icn://<did>@host:port`"
        )
    };
    let Some(rest) = text.strip_prefix("icn://") else { return text.parse().with_context(wrong) };
    let (did, host) = rest.split_once('@').with_context(wrong)?;
    let did: icn_types::Did = did.parse().with_context(wrong)?;
    let peer_id = icn_identity::peer_id(&did);
    let (name, port) = host.rsplit_once(':').with_context(wrong)?;
    let port: u16 = port.parse().with_context(wrong)?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let kind = match name.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => "ip4",
        Ok(std::net::IpAddr::V6(_)) => "ip6",
        Err(_) => "dns",
    };
    format!("/{kind}/{name}/udp/{port}/quic-v1/p2p/{peer_id}").parse().with_context(wrong)
}

fn known_peers(tables: &Tables) -> Vec<(PeerId, Vec<Multiaddr>)> {
    let mut known = BTreeMap::<PeerId, Vec<Multiaddr>>::new();
    for row in tables.peers.iter().flatten() {
        let (key, addresses) = row;
        if let Ok(peer) = PeerId::from_bytes(&key) {
            known.insert(peer, addresses.iter().filter_map(|address| address.parse().ok()).collect());
        }
    }
    known.into_iter().collect()
}

/// Writes down where peers were reached, so that a restarted node finds them without bootstrap.
fn keep_peers(node: &Node) {
    let mut batch = icn_store::Batch::new();
    for (peer, addresses) in node.net.known_addresses().into_iter().take(512) {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        if batch.put(&node.tables.peers, peer.to_bytes().as_slice(), &addresses).is_err() {
            return;
        }
    }
    if let Err(error) = node.db.commit_relaxed(batch) {
        tracing::warn!(error = %error, "the addresses of peers were not written down");
    }
}

/// Does what is to be done from time to time.
async fn keep(node: Arc<Node>) {
    loop {
        tokio::time::sleep(PEERS_PERIOD).await;
        keep_peers(&node);
        let keeping = Arc::clone(&node);
        drop(tokio::task::spawn_blocking(move || keeping.spaces.keep_checkpoints(&keeping.db)).await);
        lock(&node.guard).sweep(node.clock.now().at);
    }
}

fn originator_config(config: &Config) -> OriginatorConfig {
    let section = &config.originator;
    OriginatorConfig {
        lease: icn_types::Duration::from_secs(section.lease_seconds.clamp(3, 3_600)),
        bidding_duration: icn_types::Duration::from_secs(section.bidding_seconds.max(1)),
        open_max: section.open_max,
        ..OriginatorConfig::default()
    }
}

fn executor_config(config: &Config, runtime: &Runtime) -> Result<ExecutorConfig, QuotasError> {
    let section = &config.executor;
    let other = |name: &str| ResourceType::Other(name.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let info = runtime.info(icn_types::Mode::Canonical);
    Ok(ExecutorConfig {
        quotas: config.quotas.quotas(section.price.as_ref())?,
        region: config.node.region.clone(),
        capacity: NodeCapacity(
            [
                (ResourceType::CpuMillicores, cores * 1_000),
                (ResourceType::MemoryBytes, section.memory_bytes_max),
                (other(capacity::FUEL_MAX), section.fuel_max),
                (other(capacity::MEMORY_BYTES_MAX), section.memory_bytes_max),
                (other(capacity::OUTPUT_BYTES_MAX), section.output_bytes_max),
                (other(capacity::TIMEOUT_SECONDS_MAX), section.timeout_seconds_max),
                (other(capacity::MODULE_BYTES_MAX), runtime.config().module_bytes_max),
                (other(capacity::JOBS_MAX), u64::from(section.jobs_max)),
            ]
            .into(),
        ),
        runtimes: vec![format!("{}-{}", info.engine, info.version), info.profile],
        running_max: section.jobs_max.max(1) as usize,
        queued_max: section.queue_max as usize,
        price_base: section.price.clone(),
        price_per_million_fuel: section.price_per_million_fuel,
        ..ExecutorConfig::default()
    })
}

/// Reads every job from disk and lets the machines go on with those that are not over.
fn recover(node: &Node) -> anyhow::Result<Vec<Effect>> {
    let now = node.clock.now();
    let mut effects = Vec::new();
    let mut machines = node.machines();
    let mut index = lock(&node.index);
    for row in node.tables.jobs.iter() {
        let (_, record) = row?;
        index.add(record.id, record.submitted_at, Role::Originator);
        effects.extend(machines.originator.restore(now, record));
    }
    for row in node.tables.executions.iter() {
        let (_, record) = row?;
        index.add(record.job, record.accepted_at, Role::Executor);
        if let Some(executor) = &mut machines.executor {
            effects.extend(executor.restore(now, record));
        }
    }
    for row in node.tables.offers.iter() {
        let (_, offer) = row?;
        if let Some(executor) = &mut machines.executor {
            effects.extend(executor.restore_offer(now, offer));
        }
    }
    Ok(effects)
}

/// Lets what runs finish, for a while, hands the rest back, and stays until the receipts are told and fetched.
async fn drain(node: &Arc<Node>, served: &Served, now: &CancellationToken) {
    let patience = Duration::from_secs(node.config.executor.drain_seconds);
    node.happen(Happening::Executor(ExecutorEvent::Drain)).await;
    let given = served.given.load(Ordering::Relaxed);
    let undelivered = || node.machines().executor.as_ref().map_or(0, icn_mesh::Executor::undelivered_len);
    let is_idle = undelivered() == 0;
    let idle = async {
        while node.machines().executor.as_ref().is_some_and(|executor| executor.open_len() > 0) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = idle => {}
        () = hand_back_after(node, patience, now) => {}
    }
    let told = async {
        while undelivered() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    drop(tokio::time::timeout(TELLING_MAX, told).await);
    if !is_idle || served.given.load(Ordering::Relaxed) > given {
        drop(tokio::time::timeout(FETCHING_MAX, fetched(served)).await);
    }
}

/// Gives running jobs back when the time for them is up.
async fn hand_back_after(node: &Arc<Node>, patience: Duration, now: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(patience) => {}
        () = now.cancelled() => {}
    }
    tracing::info!("handing running jobs back");
    node.happen(Happening::Executor(ExecutorEvent::HandBack)).await;
}

/// Waits until peers ask for no more blocks: an originator that was told of a receipt fetches it, and the outputs, from
/// this node alone.
async fn fetched(served: &Served) {
    loop {
        let given = served.given.load(Ordering::Relaxed);
        tokio::time::sleep(QUIET).await;
        if served.given.load(Ordering::Relaxed) == given {
            return;
        }
    }
}
