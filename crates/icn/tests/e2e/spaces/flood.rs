//! Two hundred identities behind one introducer send as fast as they are let, and honest jobs go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use icn_identity::{Keypair, Signer as _};
use icn_net::{Handle, PeerId, RequestError};
use icn_protocol::topics::Topic;
use icn_protocol::{JobBid, NodeCapability, sign};
use icn_types::Cid;
use libp2p::Multiaddr;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{agree, found, join, keeper, until};
use crate::guests::guest;
use crate::node::{Node, PATIENCE};
use crate::rogue::{deaf, now};
use crate::world::{World, wait_for};

/// How many identities.
const CROWD: usize = 200;
/// How many of them connect at once: a node takes 64 that are being set up.
const CONNECTING: usize = 16;
/// Honest jobs while the flood lasts.
const JOBS: usize = 10;
/// Requests of each identity to each node that are under way at once.
const UNDER_WAY: usize = 8;
/// How long each identity waits between an answer and its next request to the same node. All run in this process, beside the
/// nodes that they flood.
const PAUSE: Duration = Duration::from_millis(50);
/// How often each of them publishes: never above what it may alone, so that the network blames none of them.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// What a branch gets of whom nobody has vouched: messages a second, and at once.
const SHARE_PER_SECOND: u64 = 1;
const SHARE_BURST: u64 = 10;
/// Streams that a node takes in from the branch: of each identity at first and in ten seconds, of all together a second and at
/// once. Whatever else they open is not read.
const STREAMS_EACH: u64 = 12;
const STREAMS_EVERY_SECONDS: u64 = 10;
const STREAMS_PER_SECOND: u64 = SHARE_PER_SECOND + 8;
const STREAMS_BURST: u64 = SHARE_BURST + 32;

/// What became of the requests of the crowd to one node.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    /// Refused for their number.
    limited: AtomicU64,
    /// Answered in any other way: somebody looked into them.
    heard: AtomicU64,
    /// Not taken in, or refused for how many were under way.
    lost: AtomicU64,
}

/// A node as the crowd sees it.
#[derive(Clone)]
struct Target {
    peer: PeerId,
    address: Multiaddr,
    tally: Arc<Tally>,
}

/// Identities with swarms of their own. Dropping it ends them.
struct Crowd {
    runtime: tokio::runtime::Runtime,
    members: Vec<(Arc<Keypair>, Handle)>,
    targets: Vec<Target>,
    is_over: Arc<AtomicBool>,
}

impl Tally {
    /// Sent, refused, heard, lost.
    fn get(&self) -> [u64; 4] {
        [&self.sent, &self.limited, &self.heard, &self.lost].map(|count| count.load(Ordering::Relaxed))
    }
}

impl Crowd {
    /// Makes their keys and swarms; none of them listens, so that they do not find each other.
    fn new(nodes: [&Node; 2]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let members = (0..CROWD).map(|_| {
            let key = Keypair::generate_from_os().unwrap();
            let config = icn_net::Config {
                topics: vec![Topic::Capabilities.to_string(), Topic::Jobs.to_string()],
                topic_allowed: Arc::new(|_| true),
                ..icn_net::Config::new(key.to_libp2p())
            };
            (Arc::new(key), deaf(&runtime, config))
        });
        let members = members.collect();
        let targets = nodes.map(|node| Target {
            peer: icn_identity::peer_id(&node.did()),
            address: node.address().parse().unwrap(),
            tally: Arc::default(),
        });
        Self { runtime, members, targets: targets.to_vec(), is_over: Arc::default() }
    }

    /// Connects each to every node, and sends until each was told once that it is over a bound: from then on all of them
    /// have the limits that their branch gets, and nothing is left of the first burst.
    fn connect(&self) {
        let gate = Arc::new(Semaphore::new(CONNECTING));
        self.each(|key, net, target| {
            let gate = Arc::clone(&gate);
            async move {
                let place = gate.acquire_owned().await.unwrap();
                net.dial(target.address).await.unwrap();
                drop(place);
                while ask(&key, &net, target.peer).await != Answered::Limited {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }

    /// Lets all of them send until it is over.
    fn flood(&self) {
        for (key, net) in &self.members {
            for target in self.targets.iter().flat_map(|target| std::iter::repeat_n(target, UNDER_WAY)) {
                let target = target.clone();
                let (key, net, is_over) = (Arc::clone(key), net.clone(), Arc::clone(&self.is_over));
                self.runtime.spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        target.tally.sent.fetch_add(1, Ordering::Relaxed);
                        let count = match ask(&key, &net, target.peer).await {
                            Answered::Limited => &target.tally.limited,
                            Answered::Heard => &target.tally.heard,
                            Answered::Not => &target.tally.lost,
                        };
                        count.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(PAUSE).await;
                    }
                });
            }
            let (key, net, is_over) = (Arc::clone(key), net.clone(), Arc::clone(&self.is_over));
            self.runtime.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let said = sign(capability(&key), &key).unwrap().into_wire();
                    // Nobody may want it any more.
                    let _ = net.publish(&Topic::Capabilities.to_string(), said.into()).await;
                    tokio::time::sleep(PUBLISH_EVERY).await;
                }
            });
        }
    }

    /// Has each do something with every node, and waits until all are through.
    fn each<F>(&self, act: impl Fn(Arc<Keypair>, Handle, Target) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for (key, net) in &self.members {
                for target in &self.targets {
                    tasks.spawn(act(Arc::clone(key), net.clone(), target.clone()));
                }
            }
            tokio::time::timeout(2 * PATIENCE, tasks.join_all()).await.expect("a crowd that is ready");
        });
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// How a node answered a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Limited,
    Heard,
    Not,
}

/// Sends a bid for a job that does not exist, signed and fresh: whoever is let through costs a signature.
async fn ask(key: &Keypair, net: &Handle, node: PeerId) -> Answered {
    let bid = JobBid {
        announcement_id: Cid::of_raw(b"no job"),
        executor_did: key.did(),
        executor_peer_id: icn_identity::peer_id(&key.did()),
        price: None,
        region: None,
        timestamp: now(),
        bid_expires_at: None,
        available_resources: None,
        queue_depth: None,
        estimated_start_ms: None,
        blobs_held: Vec::new(),
        rates: None,
    };
    let wire = Bytes::copy_from_slice(sign(bid, key).unwrap().wire());
    match net.request(node, wire).await {
        Ok(_) => Answered::Heard,
        Err(RequestError::Refused) => Answered::Limited,
        Err(_) => Answered::Not,
    }
}

fn capability(key: &Keypair) -> NodeCapability {
    NodeCapability {
        node_did: key.did(),
        peer_id: icn_identity::peer_id(&key.did()),
        alias: None,
        region: None,
        supported_runtimes: Vec::new(),
        available_resources: BTreeMap::new(),
        specialized_features: Vec::new(),
        timestamp: now(),
        attestation_cid: None,
    }
}

/// Lets somebody in by its DID. There are 200 of them: the command line would take its time.
async fn admit(http: &reqwest::Client, steward: &Node, space: &str, key: &Keypair) {
    let token = std::fs::read_to_string(steward.folder().join("api.token")).unwrap();
    let path = format!("{}/v1/spaces/{space}/rules", steward.file["api"].as_str().unwrap());
    let body = serde_json::json!({ "act": { "admit": { "member": key.did() } } });
    let answer = http.post(path).bearer_auth(token.trim()).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// How many messages on a topic a node has looked into.
fn looked_into(node: &Node, topic: &Topic) -> u64 {
    let count = |verdict| {
        node.metric(&format!("network_gossip_messages_total{{topic=\"{topic}\",verdict=\"{verdict}\"}}"))
    };
    ["accepted", "ignored", "rejected"].into_iter().map(count).sum()
}

#[test]
fn two_hundred_identities_behind_one_introducer_do_not_stop_honest_jobs() {
    let world = World::new();
    let plan = |name| keeper(&world, name).env("ICN_NETWORK_MAX_PEERS", "300").env("RUST_LOG", "info");
    let ada = plan("ada").no_executor().start();
    let bob = plan("bob").peer(&ada).start();
    let mallory = plan("mallory").no_executor().peer(&ada).peer(&bob).start();
    let space = found(&ada, "ada")["id"].as_str().unwrap().to_owned();
    join(&ada, &bob, "bob");
    join(&ada, &mallory, "mallory");
    agree([&ada, &bob, &mallory]);

    // Only stewards let others in: she is one for as long as that takes.
    ada.json(&["space", "appoint", "mallory"]);
    agree([&ada, &mallory]);
    let crowd = Crowd::new([&ada, &bob]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (key, _) in &crowd.members {
        crowd.runtime.block_on(admit(&http, &mallory, &space, key));
    }
    until(&ada, &["space", "members"], |members| members["total"] == CROWD + 4);
    ada.json(&["space", "dismiss", "mallory"]);
    ada.json(&["trust", "add", "bob", "0.8"]);
    agree([&ada, &bob, &mallory]);
    let one = crowd.members[0].0.did().to_string();
    for node in [&ada, &bob] {
        let line = ["trust", "path", one.as_str()];
        until(node, &line, |answer| answer["allowance"]["messages_per_second"] == SHARE_PER_SECOND);
    }
    drop(mallory);

    let begun = Instant::now();
    crowd.connect();
    for node in [&ada, &bob] {
        wait_for("the whole crowd", PATIENCE, || {
            (node.metric("network_sessions_active") > CROWD as u64).then_some(())
        });
    }
    let looked_before = [&ada, &bob].map(|node| looked_into(node, &Topic::Capabilities));
    crowd.flood();
    let hello = guest("hello");
    for number in 0..JOBS {
        let job = ada.submit(&[&hello]);
        let job = ada.until_job(&job, "ended", |job| job["status"] == "CompletedSuccessfully");
        assert_eq!(job["executor"], bob.file["did"], "job {number}: {job:#}");
    }
    wait_for("a flood of some size", PATIENCE, || {
        let is_large = |target: &Target| target.tally.get()[3] > 10 * CROWD as u64;
        crowd.targets.iter().all(is_large).then_some(())
    });

    // What was sent last may still be answered.
    let tallies: Vec<_> = crowd.targets.iter().map(|target| target.tally.get()).collect();
    let share = SHARE_BURST + SHARE_PER_SECOND * (begun.elapsed().as_secs() + 1);
    let streams = (STREAMS_EACH + begun.elapsed().as_secs() / STREAMS_EVERY_SECONDS + 1) * CROWD as u64
        + STREAMS_PER_SECOND * (begun.elapsed().as_secs() + 1)
        + STREAMS_BURST;
    for ((node, tally), before) in [&ada, &bob].into_iter().zip(tallies).zip(looked_before) {
        let [sent, limited, heard, lost] = tally;
        let looked = looked_into(node, &Topic::Capabilities) - before;
        let by_group: u64 = ["own", "group"]
            .map(|bound| {
                let labels = format!("{{class=\"isolated\",bound=\"{bound}\"}}");
                node.metric(&format!("messages_rate_limited_total{labels}"))
            })
            .iter()
            .sum();
        eprintln!(
            "{}: {sent} requests, {limited} refused, {heard} let through of at most {share}, {lost} not taken in; {streams} streams \
             at most; {looked} gossip; {by_group} limited",
            node.plan.folder().display()
        );
        assert!(heard <= share, "{heard} requests of the crowd were let through, more than its {share}");
        assert!(
            limited + heard <= streams,
            "{limited} were refused and {heard} let through: of {streams} streams"
        );
        assert!(lost > limited + heard, "{lost} were not even looked at, {limited} were refused");
        assert!(node.metric("network_rate_limited_total{kind=\"streams_opened\"}") > 0);
        // The message with which each of them goes over its limits still counts, and then it is muted for ten seconds. Each
        // node passes on to the other what it was told, and both tell of themselves.
        let over = CROWD as u64 * (begun.elapsed().as_secs() / 10 + 2);
        assert!(looked <= 2 * (over + share) + 10, "{looked} messages of the crowd were looked into");
        assert!(node.metric("network_rate_limited_total{kind=\"direct\"}") >= limited);
        assert!(node.metric("network_rate_limited_total{kind=\"gossip\"}") > 0);
    }
    let offenders = ada.json(&["trust", "offenders"]);
    let honest = [ada.did().to_string(), bob.did().to_string()];
    let text = offenders.to_string();
    assert!(honest.iter().all(|did| !text.contains(did.as_str())), "{offenders:#}");
    let text = bob.json(&["trust", "offenders"]).to_string();
    assert!(honest.iter().all(|did| !text.contains(did.as_str())), "{text}");
}
