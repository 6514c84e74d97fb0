//! A peer of the mesh that does as the test wants, with a key of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use icn_identity::{Keypair, PeerId, Signer as _};
use icn_net::{BlockSource, Event, Handle, RecordCheck, ReplySender, RequestError, Verdict};
use icn_protocol::topics::Topic;
use icn_protocol::{
    Body, DIRECT_BYTES_MAX, ExecutionReceipt, ExecutionReceiptAvailable, Incoming, JobAnnouncement,
    JobAssignment, JobBid, Message, NodeCapability, OutputCid, Response, RuntimeInfo, Signed, sign,
};
use icn_types::{Cid, Did, End, Mode, Timestamp, Value, codec};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::node::{Node, PATIENCE};
use crate::world::wait_for;

/// The blocks that a rogue serves; what it serves need not be what was asked for.
#[derive(Clone, Default)]
pub(crate) struct Served(Arc<Mutex<HashMap<Cid, Bytes>>>);

impl Served {
    pub(crate) fn put(&self, cid: Cid, bytes: impl Into<Bytes>) -> Cid {
        self.0.lock().unwrap().insert(cid, bytes.into());
        cid
    }
}

impl BlockSource for Served {
    fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.0.lock().unwrap().get(cid).cloned()
    }
    fn size(&self, cid: &Cid) -> Option<usize> {
        self.get(cid).map(|bytes| bytes.len())
    }
}

pub(crate) struct Anything;

impl RecordCheck for Anything {
    fn accept(&self, _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// Starts a swarm that has nothing and ignores whatever it hears.
pub(crate) fn deaf(runtime: &Runtime, config: icn_net::Config) -> Handle {
    let (source, metrics) = (Arc::new(Served::default()), icn_net::Metrics::default());
    let (net, mut events) =
        runtime.block_on(icn_net::start(config, source, Arc::new(Anything), metrics)).unwrap();
    runtime.spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Gossip { verdict, .. } = event {
                verdict.send(Verdict::Ignore);
            }
        }
    });
    net
}

/// A direct message that a node sent to the rogue and that waits for its answer.
pub(crate) struct Asked {
    pub(crate) message: Message,
    /// The message's CID, as bids and assignments are named.
    pub(crate) cid: Cid,
    reply: ReplySender,
}

impl Asked {
    pub(crate) fn answer(self, response: &Response) -> Message {
        self.reply.send(response.encode().into());
        self.message
    }
}

/// A peer that nobody programmed to behave.
pub(crate) struct Rogue {
    runtime: tokio::runtime::Runtime,
    pub(crate) key: Keypair,
    pub(crate) net: Handle,
    pub(crate) blocks: Served,
    asked: mpsc::UnboundedReceiver<Asked>,
    heard: Arc<Mutex<Vec<Message>>>,
}

/// Reads the clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

impl Rogue {
    /// Starts a rogue that is connected to a node.
    #[track_caller]
    pub(crate) fn beside(node: &Node) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let key = Keypair::generate_from_os().unwrap();
        let blocks = Served::default();
        let topics = [Topic::Capabilities, Topic::Jobs, Topic::Receipts];
        let config = icn_net::Config {
            listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()],
            topics: topics.iter().map(ToString::to_string).collect(),
            topic_allowed: Arc::new(|_| true),
            ..icn_net::Config::new(key.to_libp2p())
        };
        let source: Arc<dyn BlockSource> = Arc::new(blocks.clone());
        let (net, events) = runtime
            .block_on(async {
                icn_net::start(config, source, Arc::new(Anything), icn_net::Metrics::default()).await
            })
            .unwrap();
        let (sender, asked) = mpsc::unbounded_channel();
        let heard = Arc::new(Mutex::new(Vec::new()));
        runtime.spawn(listen(events, sender, Arc::clone(&heard)));
        runtime.block_on(net.dial(node.address().parse().unwrap())).unwrap();
        Self { runtime, key, net, blocks, asked, heard }
    }

    pub(crate) fn did(&self) -> Did {
        self.key.did()
    }

    fn peer_id(&self) -> PeerId {
        icn_identity::peer_id(&self.did())
    }

    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, future).await })
            .expect("an answer in time")
    }

    /// Publishes bytes on a topic.
    pub(crate) fn publish(&self, topic: &Topic, bytes: Vec<u8>) {
        self.run(self.net.publish(&topic.to_string(), bytes.into())).unwrap();
    }

    /// Says that it runs jobs of every size.
    pub(crate) fn advertise(&self) {
        let capability = NodeCapability {
            node_did: self.did(),
            peer_id: self.peer_id(),
            alias: None,
            region: None,
            supported_runtimes: Vec::new(),
            available_resources: BTreeMap::new(),
            specialized_features: Vec::new(),
            timestamp: now(),
            attestation_cid: None,
        };
        self.publish(&Topic::Capabilities, sign(capability, &self.key).unwrap().into_wire());
    }

    /// Waits for the announcement of a job, and for no other.
    #[track_caller]
    pub(crate) fn announcement(&self, id: &str) -> JobAnnouncement {
        wait_for("announcement of the job", PATIENCE, || {
            self.heard.lock().unwrap().iter().find_map(|message| match message {
                Message::JobAnnouncementV1(announcement)
                    if announcement.announcement_id.to_string() == id =>
                {
                    Some((**announcement).clone())
                }
                _ => None,
            })
        })
    }

    /// Makes a bid that asks for nothing.
    pub(crate) fn bid(&self, job: Cid, at: Timestamp) -> Signed<JobBid> {
        let bid = JobBid {
            announcement_id: job,
            executor_did: self.did(),
            executor_peer_id: self.peer_id(),
            price: None,
            region: None,
            timestamp: at,
            bid_expires_at: None,
            available_resources: None,
            queue_depth: None,
            estimated_start_ms: None,
            blobs_held: Vec::new(),
            rates: None,
        };
        sign(bid, &self.key).unwrap()
    }

    /// Bids for a job, and accepts it when it is assigned.
    #[track_caller]
    pub(crate) fn win(&mut self, node: &Node, id: &str) -> Won {
        let announcement = self.announcement(id);
        let bid = self.bid(announcement.announcement_id, now());
        assert_eq!(self.send(node, bid.wire()), Response::Ack);
        let asked = self.next(|message| matches!(message, Message::AssignJobV1(_)));
        let assignment_cid = asked.cid;
        let Message::AssignJobV1(assignment) = asked.answer(&Response::Ack) else { unreachable!() };
        Won { announcement, assignment: *assignment, assignment_cid }
    }

    /// Waits for a direct message; others that come before it are acknowledged.
    #[track_caller]
    pub(crate) fn next(&mut self, wanted: impl Fn(&Message) -> bool) -> Asked {
        loop {
            let asked = self
                .runtime
                .block_on(async { tokio::time::timeout(PATIENCE, self.asked.recv()).await })
                .expect("a message in time")
                .unwrap();
            if wanted(&asked.message) {
                return asked;
            }
            asked.answer(&Response::Ack);
        }
    }

    /// Takes a direct message that has come already.
    pub(crate) fn waiting(&mut self) -> Option<Asked> {
        self.asked.try_recv().ok()
    }

    pub(crate) fn try_send(&self, node: &Node, bytes: &[u8]) -> Result<Bytes, RequestError> {
        let peer = icn_identity::peer_id(&node.did());
        self.run(self.net.request(peer, Bytes::copy_from_slice(bytes)))
    }

    /// Sends a direct message and reads the answer.
    #[track_caller]
    pub(crate) fn send(&self, node: &Node, bytes: &[u8]) -> Response {
        Response::decode(&self.try_send(node, bytes).unwrap()).unwrap()
    }

    /// Signs and sends a direct message.
    #[track_caller]
    pub(crate) fn say<T: Body>(&self, node: &Node, body: T) -> Response {
        self.send(node, sign(body, &self.key).unwrap().wire())
    }

    /// Signs the news that a receipt can be had.
    pub(crate) fn news(&self, node: &Node, job: Cid, receipt: Cid) -> Signed<ExecutionReceiptAvailable> {
        let available = ExecutionReceiptAvailable {
            announcement_id: job,
            originator_did: node.did(),
            executor_did: self.did(),
            receipt_cid: receipt,
            providers: Vec::new(),
            timestamp: now(),
        };
        sign(available, &self.key).unwrap()
    }

    /// Says that a receipt can be had.
    #[track_caller]
    pub(crate) fn offer(&self, node: &Node, job: Cid, receipt: Cid) -> Response {
        self.send(node, self.news(node, job, receipt).wire())
    }

    /// Fills in a receipt that would hold: a job that wrote nothing and ended well.
    pub(crate) fn receipt(&self, won: &Won) -> ExecutionReceipt {
        let params = &won.announcement.job_params;
        let empty = |name: &str| OutputCid { name: name.to_owned(), cid: Cid::of_raw(b""), bytes: 0 };
        ExecutionReceipt {
            announcement_id: won.assignment.announcement_id,
            assignment_cid: won.assignment_cid,
            lease_epoch: won.assignment.lease_epoch,
            job_params_cid: params.cid(),
            originator_did: won.assignment.originator_did,
            executor_did: self.did(),
            status: icn_types::StandardJobStatus::CompletedSuccessfully,
            end: End::Exit,
            exit_code: Some(0),
            error: None,
            wasm_cid: params.wasm_cid,
            stdin_cid: params.stdin_cid,
            input_cids: params.input_cids.clone(),
            output_cids: vec![empty("stderr"), empty("stdout")],
            fuel_used: 1,
            memory_peak_bytes: 0,
            host_calls: BTreeMap::new(),
            started_at: now(),
            finished_at: now(),
            stages_us: BTreeMap::new(),
            price: None,
            runtime: RuntimeInfo {
                engine: "wasmtime".to_owned(),
                version: "0".to_owned(),
                profile: "icn-1".to_owned(),
                mode: Mode::Canonical,
            },
            anchors: Vec::new(),
        }
    }

    /// Signs a receipt with whatever is in it, and serves it.
    pub(crate) fn publish_receipt(&self, receipt: &ExecutionReceipt) -> Cid {
        let bytes = sign_anything(&self.key, icn_protocol::receipt::NAME, receipt);
        self.blocks.put(Cid::of_dag_cbor(&bytes), bytes)
    }
}

/// A job that was assigned to a rogue.
pub(crate) struct Won {
    pub(crate) announcement: JobAnnouncement,
    pub(crate) assignment: JobAssignment,
    pub(crate) assignment_cid: Cid,
}

impl Won {
    pub(crate) fn job(&self) -> Cid {
        self.assignment.announcement_id
    }
}

/// Signs a map as the protocol does, without any of its checks.
pub(crate) fn sign_anything(key: &Keypair, name: &str, body: &impl serde::Serialize) -> Vec<u8> {
    let Value::Map(mut map) = codec::to_value(body).unwrap() else { panic!("only maps are signed") };
    let signature = key.sign(name, &codec::encode(&map).unwrap());
    map.insert("signature".to_owned(), Value::Bytes(signature.as_bytes().to_vec()));
    codec::encode(&map).unwrap()
}

/// Makes a message of a map that is signed, or not, already.
pub(crate) fn wrap(name: &str, inner: &[u8]) -> Vec<u8> {
    [&[0xa1], codec::encode(name).unwrap().as_slice(), inner].concat()
}

async fn listen(
    mut events: mpsc::Receiver<Event>,
    asked: mpsc::UnboundedSender<Asked>,
    heard: Arc<Mutex<Vec<Message>>>,
) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Gossip { data, verdict, .. } => {
                if let Ok(Incoming::Message(raw)) = icn_protocol::parse(&data, DIRECT_BYTES_MAX) {
                    heard.lock().unwrap().push(raw.unverified().clone());
                }
                verdict.send(Verdict::Accept);
            }
            Event::Request { data, reply, .. } => {
                if let Ok(Incoming::Message(raw)) = icn_protocol::parse(&data, DIRECT_BYTES_MAX) {
                    let inner = &data[wrap(raw.name(), &[]).len()..];
                    let asks =
                        Asked { message: raw.unverified().clone(), cid: Cid::of_dag_cbor(inner), reply };
                    // The test may be over.
                    let _ = asked.send(asks);
                }
            }
            _ => {}
        }
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.runtime.block_on(async {
            // The swarm need not end in order.
            let _ = tokio::time::timeout(Duration::from_secs(5), self.net.shutdown()).await;
        });
    }
}
