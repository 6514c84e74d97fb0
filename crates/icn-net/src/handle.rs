//! How the application speaks to the swarm.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use icn_types::Cid;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};

use crate::bitswap::Exchange;
use crate::direct::MESSAGE_BYTES_MAX;
use crate::error::{FetchError, NetError, RequestError};
use crate::gossip::GOSSIP_BYTES_MAX;
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::records::{RECORD_BYTES_MAX, RecordCheck};
use crate::shared::{PeerInfo, Shared};
use crate::sync::{SyncStream, SyncStreams};

mod policy;

/// How long a dial, the look-up of addresses included, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How a peer behaved badly. A score from 0 to -100 comes of it, with a half-life of ten minutes; at -20 the peer is
/// disconnected, at -50 it is refused for an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// A mistake that an honest peer can make: 2 points.
    Minor,
    /// A message or block that the peer could have known to be wrong: 10 points.
    Major,
    /// Only malice explains it: 100 points.
    Fatal,
}

pub(crate) type Answer<T> = oneshot::Sender<T>;

/// What a handle asks of the swarm's task.
pub(crate) enum Command {
    Publish { topic: String, data: Bytes, answer: Answer<Result<(), NetError>> },
    Subscribe { topic: String, answer: Answer<Result<(), NetError>> },
    Unsubscribe { topic: String },
    Request { peer: PeerId, data: Bytes, answer: Answer<Result<Bytes, RequestError>> },
    Connect { peer: PeerId, answer: Answer<Result<PeerId, NetError>> },
    Dial { address: Multiaddr, answer: Answer<Result<PeerId, NetError>> },
    Disconnect { peer: PeerId },
    Provide { key: Vec<u8>, answer: Answer<Result<(), NetError>> },
    FindProviders { key: Vec<u8>, answer: Answer<Vec<PeerId>> },
    PutRecord { key: Vec<u8>, value: Vec<u8>, answer: Answer<Result<(), NetError>> },
    GetRecord { key: Vec<u8>, answer: Answer<Vec<Vec<u8>>> },
    Report { peer: PeerId, misbehaviour: Misbehaviour },
    TellTopology,
    Redial { peer: PeerId },
    Pardon { peer: PeerId },
    Score { peer: PeerId, answer: Answer<Option<f64>> },
    Shutdown { answer: Answer<()> },
}

/// A handle on the running swarm; cheap to clone. When the last one is dropped the swarm ends.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) sync: Arc<SyncStreams>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) records: Arc<dyn RecordCheck>,
    pub(crate) refusal: Bytes,
    pub(crate) refusal_streams: Bytes,
}

impl Handle {
    /// Returns this node's libp2p identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.shared.peer_id
    }

    /// Lists the addresses that peers can dial, with their real ports, each ending in `/p2p/<peer_id>`.
    #[must_use]
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.shared.listen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the counters of the swarm.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Publishes a message. Without a subscribed peer it is kept for up to 60 seconds and sent to the first that comes.
    ///
    /// # Errors
    ///
    /// [`NetError::TooLarge`] above 256 KiB, [`NetError::Topic`] for a topic that is not allowed, [`NetError::Closed`].
    pub async fn publish(&self, topic: &str, data: Bytes) -> Result<(), NetError> {
        check_size(data.len(), GOSSIP_BYTES_MAX)?;
        self.ask(|answer| Command::Publish { topic: topic.to_owned(), data, answer }).await?
    }

    /// Subscribes to a topic; one of a space is always allowed ([`crate::is_space_topic`]).
    ///
    /// # Errors
    ///
    /// [`NetError::Topic`] for a topic that is not allowed, [`NetError::Full`] beyond 256 topics, [`NetError::Closed`].
    pub async fn subscribe(&self, topic: &str) -> Result<(), NetError> {
        self.ask(|answer| Command::Subscribe { topic: topic.to_owned(), answer }).await?
    }

    /// Ends a subscription.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn unsubscribe(&self, topic: &str) -> Result<(), NetError> {
        self.tell(Command::Unsubscribe { topic: topic.to_owned() }).await
    }

    /// Sends a direct request and waits for the response. Dials the peer when it is not connected, by the addresses
    /// that are known or that the DHT gives. More requests than a peer takes wait for their turn.
    ///
    /// # Errors
    ///
    /// See [`RequestError`]. After `Timeout` and `Closed` the peer may have acted on the request all the same.
    pub async fn request(&self, peer: PeerId, data: Bytes) -> Result<Bytes, RequestError> {
        if data.len() > MESSAGE_BYTES_MAX {
            return Err(RequestError::TooLarge);
        }
        let _turn = self.outbound.turn(peer).await.ok_or(RequestError::Full)?;
        self.connect(peer).await.map_err(|error| {
            if let NetError::Dial { reason, .. } = error {
                RequestError::NotConnected { peer, reason }
            } else if matches!(error, NetError::Closed) {
                RequestError::Shutdown
            } else {
                RequestError::NotConnected { peer, reason: error.to_string() }
            }
        })?;
        self.shared.limits.outbound(peer, data.len()).await;
        let answer = self.ask(|answer| Command::Request { peer, data, answer }).await;
        let response = answer.map_err(|_| RequestError::Shutdown)??;
        if response == self.refusal {
            Err(RequestError::Refused)
        } else if response == self.refusal_streams {
            Err(RequestError::TooManyStreams)
        } else {
            Ok(response)
        }
    }

    /// Connects to an address, with or without `/p2p/<peer_id>`. Succeeds at once when the connection exists.
    ///
    /// # Errors
    ///
    /// [`NetError::Dial`] when nobody, or somebody else, answers; [`NetError::Myself`]; [`NetError::Closed`].
    pub async fn dial(&self, address: Multiaddr) -> Result<PeerId, NetError> {
        let target = address.to_string();
        let dial = self.ask(|answer| Command::Dial { address, answer });
        tokio::time::timeout(CONNECT_TIMEOUT, dial).await.map_err(|_| too_late(target))??
    }

    /// Connects to a peer by the addresses that are known or that the DHT gives. Succeeds at once when connected.
    ///
    /// # Errors
    ///
    /// As [`Handle::dial`].
    pub async fn connect(&self, peer: PeerId) -> Result<PeerId, NetError> {
        if self.shared.is_connected(peer) {
            return Ok(peer);
        }
        let connect = self.ask(|answer| Command::Connect { peer, answer });
        tokio::time::timeout(CONNECT_TIMEOUT, connect).await.map_err(|_| too_late(peer.to_string()))??
    }

    /// Lists the connected peers, sorted by identity.
    pub async fn peers(&self) -> Vec<PeerInfo> {
        self.shared.infos()
    }

    /// Ends all connections to a peer.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn disconnect(&self, peer: PeerId) -> Result<(), NetError> {
        self.tell(Command::Disconnect { peer }).await
    }

    /// Notes addresses at which a peer may be reached.
    pub fn add_addresses(&self, peer: PeerId, addresses: Vec<Multiaddr>) {
        self.shared.with_book(|book| book.add(peer, addresses));
    }

    /// Lists the addresses of peers that were reached, most recent first, to be kept over a restart.
    #[must_use]
    pub fn known_addresses(&self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        self.shared.with_book(|book| book.known())
    }

    /// Fetches blocks, in whatever order they come, from several providers at once: first from those named, then from
    /// connected peers, then from those that the DHT names. Each block was checked against its CID. `timeout` is the
    /// longest time without a new block; the fetch ends when the receiver is dropped, and what has arrived need not be
    /// asked for again.
    pub fn fetch(
        &self,
        cids: Vec<Cid>,
        providers: Vec<PeerId>,
        timeout: Duration,
    ) -> mpsc::Receiver<Result<(Cid, Bytes), FetchError>> {
        self.exchange.fetch(cids, providers, timeout)
    }

    /// Fetches one block.
    ///
    /// # Errors
    ///
    /// See [`FetchError`].
    pub async fn fetch_one(
        &self,
        cid: Cid,
        providers: Vec<PeerId>,
        timeout: Duration,
    ) -> Result<Bytes, FetchError> {
        let mut blocks = self.fetch(vec![cid], providers, timeout);
        blocks.recv().await.ok_or(FetchError::Shutdown)?.map(|(_, bytes)| bytes)
    }

    /// Opens a stream to reconcile logs with a peer. Dials the peer when it is not connected.
    ///
    /// # Errors
    ///
    /// As [`Handle::dial`]; [`NetError::Unsupported`] when the peer does not speak the protocol, [`NetError::Stream`] when
    /// it does not answer. A peer that is busy closes the stream instead: see [`SyncStream`].
    pub async fn open_sync(&self, peer: PeerId) -> Result<SyncStream, NetError> {
        self.connect(peer).await?;
        tokio::select! {
            biased;
            () = self.commands.closed() => Err(NetError::Closed),
            opened = self.sync.open(peer) => opened,
        }
    }

    /// Announces in the DHT that this node has a block; repeated by itself every 12 hours.
    ///
    /// # Errors
    ///
    /// [`NetError::Full`] when this node announces too many, [`NetError::Closed`].
    pub async fn provide(&self, cid: &Cid) -> Result<(), NetError> {
        self.ask(|answer| Command::Provide { key: cid.multihash_bytes(), answer }).await?
    }

    /// Asks the DHT who has a block. Empty when nobody says so.
    pub async fn find_providers(&self, cid: &Cid) -> Vec<PeerId> {
        self.ask(|answer| Command::FindProviders { key: cid.multihash_bytes(), answer })
            .await
            .unwrap_or_default()
    }

    /// Keeps a record and offers it to the nodes nearest to its key.
    ///
    /// # Errors
    ///
    /// [`NetError::TooLarge`] above 8 KiB, [`NetError::InvalidRecord`] when the check refuses it, [`NetError::Full`],
    /// [`NetError::Closed`].
    pub async fn put_record(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), NetError> {
        check_size(value.len(), RECORD_BYTES_MAX)?;
        let mut checked = self.checked(key.clone(), vec![value]).await;
        let value = checked.pop().ok_or(NetError::InvalidRecord)?;
        self.ask(|answer| Command::PutRecord { key, value: value.into(), answer }).await?
    }

    /// Looks a record up; values that the check refuses are left out.
    pub async fn get_record(&self, key: Vec<u8>) -> Vec<Bytes> {
        let found =
            self.ask(|answer| Command::GetRecord { key: key.clone(), answer }).await.unwrap_or_default();
        self.checked(key, found).await
    }

    /// Reports that a peer behaved badly: see [`Misbehaviour`].
    pub fn report(&self, peer: PeerId, misbehaviour: Misbehaviour) {
        if self.commands.try_send(Command::Report { peer, misbehaviour }).is_err() {
            self.shared.metrics.dropped("reports");
        }
    }

    /// Returns a peer's gossip score. None when it is not connected.
    pub async fn score(&self, peer: PeerId) -> Option<f64> {
        self.ask(|answer| Command::Score { peer, answer }).await.ok().flatten()
    }

    /// Closes all connections and ends the swarm.
    pub async fn shutdown(&self) {
        // An error says that the swarm has ended already.
        let _ = self.ask(|answer| Command::Shutdown { answer }).await;
    }

    async fn tell(&self, command: Command) -> Result<(), NetError> {
        self.commands.send(command).await.map_err(|_| NetError::Closed)
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, NetError> {
        let (tx, rx) = oneshot::channel();
        self.tell(command(tx)).await?;
        rx.await.map_err(|_| NetError::Closed)
    }

    async fn checked(&self, key: Vec<u8>, values: Vec<Vec<u8>>) -> Vec<Bytes> {
        if values.is_empty() {
            return Vec::new();
        }
        let records = Arc::clone(&self.records);
        let check = move || {
            let valid = |value: &Vec<u8>| value.len() <= RECORD_BYTES_MAX && records.accept(&key, value);
            values.into_iter().filter(valid).map(Bytes::from).collect()
        };
        // A check that panics accepts nothing.
        tokio::task::spawn_blocking(check).await.unwrap_or_default()
    }
}

fn too_late(target: String) -> NetError {
    NetError::Dial { target, reason: "no answer in time".to_owned() }
}

fn check_size(bytes: usize, bytes_max: usize) -> Result<(), NetError> {
    if bytes > bytes_max { Err(NetError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}
