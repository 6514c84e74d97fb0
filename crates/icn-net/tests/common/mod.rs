//! Nodes for tests: real swarms over loopback sockets, in one process.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod cable;
pub(crate) mod corner;
pub(crate) mod stranger;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use icn_net::{
    BlockSource, Config, Event, Handle, Keypair, Multiaddr, NetError, PeerId, RecordCheck, Verdict,
};
use icn_types::Cid;
use tokio::sync::mpsc;

pub(crate) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
pub(crate) const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub(crate) const WS: &str = "/ip4/127.0.0.1/tcp/0/ws";
pub(crate) const TOPIC: &str = "/icn/mesh/capabilities/v1";

/// Blocks in memory.
#[derive(Clone, Default)]
pub(crate) struct Blocks(pub(crate) Arc<Mutex<HashMap<Cid, Bytes>>>);

impl Blocks {
    pub(crate) fn add(&self, data: impl Into<Bytes>) -> Cid {
        let data = data.into();
        let cid = Cid::of_raw(&data);
        self.0.lock().unwrap().insert(cid, data);
        cid
    }
}

impl BlockSource for Blocks {
    fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.0.lock().unwrap().get(cid).cloned()
    }
    fn size(&self, cid: &Cid) -> Option<usize> {
        self.0.lock().unwrap().get(cid).map(Bytes::len)
    }
}

/// Accepts records whose value begins with `good`.
pub(crate) struct Good;

impl RecordCheck for Good {
    fn accept(&self, _: &[u8], value: &[u8]) -> bool {
        value.starts_with(b"good")
    }
}

pub(crate) struct Node {
    pub(crate) net: Handle,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) blocks: Blocks,
}

impl Node {
    pub(crate) async fn start(edit: impl FnOnce(&mut Config)) -> Self {
        Self::with_blocks(Blocks::default(), edit).await
    }

    pub(crate) async fn with_blocks(blocks: Blocks, edit: impl FnOnce(&mut Config)) -> Self {
        Self::try_start(blocks, edit).await.unwrap()
    }

    pub(crate) async fn try_start(blocks: Blocks, edit: impl FnOnce(&mut Config)) -> Result<Self, NetError> {
        let mut config = Config::new(Keypair::generate_ed25519());
        config.listen = vec![QUIC.parse().unwrap()];
        config.topics = vec![TOPIC.to_owned()];
        edit(&mut config);
        let source = Arc::new(blocks.clone());
        let (net, events) =
            icn_net::start(config, source, Arc::new(Good), icn_net::Metrics::default()).await?;
        Ok(Self { net, events, blocks })
    }

    pub(crate) fn address(&self) -> Multiaddr {
        self.net.listen_addrs()[0].clone()
    }

    pub(crate) fn id(&self) -> PeerId {
        self.net.peer_id()
    }

    /// Waits for the next event that `pick` takes; the others are dropped.
    pub(crate) async fn next<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            let event = self.events.recv().await.expect("the swarm runs");
            if let Some(found) = pick(event) {
                return found;
            }
        }
    }

    pub(crate) async fn subscribed(&mut self, by: PeerId) {
        self.next(|event| match event {
            Event::Subscribed { peer, topic } if peer == by && topic == TOPIC => Some(()),
            _ => None,
        })
        .await;
    }

    /// Answers each request with what it said, and accepts each message.
    pub(crate) fn echo(self) -> Handle {
        let (net, mut events) = (self.net, self.events);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Request { data, reply, .. } => reply.send(data),
                    Event::Gossip { verdict, .. } => verdict.send(Verdict::Accept),
                    _ => {}
                }
            }
        });
        net
    }
}

/// Fails instead of hanging.
pub(crate) async fn within<T>(seconds: u64, what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), what).await.expect("the test ends in time")
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
