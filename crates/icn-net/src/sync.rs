//! Streams on which two nodes reconcile their logs: `/icn/sync/1.0.0`.
//!
//! A stream carries frames both ways ([`crate::frame`]) and knows nothing of what they mean. Nothing here runs on the
//! swarm's task: one task takes in what peers open ([`SyncStreams::accept`]), one task for each stream reads it ([`stream`]),
//! and whoever sends writes itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::OpenStreamError;
use tokio::sync::mpsc;

use crate::error::NetError;
use crate::event::Event;
use crate::handle::{Command, Misbehaviour};
use crate::limits::StreamPermit;
use crate::shared::Shared;

mod inbound;
mod stream;

pub(crate) use inbound::{Inbound, Opened};
pub use stream::{SyncReceiver, SyncSender, SyncStream};

/// The name of the protocol.
const NAME: &str = "/icn/sync/1.0.0";
/// The protocol.
const PROTOCOL: StreamProtocol = StreamProtocol::new(NAME);
/// The largest frame on a stream that reconciles logs, in bytes.
pub const SYNC_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Streams that one peer has opened and this node still holds. Full: the new one is closed and counted.
const INCOMING_PER_PEER_MAX: usize = 4;
/// Streams that all peers together have opened. Full: the new one is closed and counted.
const INCOMING_MAX: usize = 64;
/// How long the peer may take to agree to the protocol.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The streams of one node.
pub(crate) struct SyncStreams {
    shared: Arc<Shared>,
    control: libp2p_stream::Control,
    /// Weak, so that open streams do not keep a swarm alive that nobody uses.
    commands: mpsc::WeakSender<Command>,
    /// How many streams each peer has opened.
    incoming: Mutex<HashMap<PeerId, usize>>,
}

/// The place of one incoming stream; free again when it is dropped.
#[derive(Debug)]
struct Slot {
    sync: Arc<SyncStreams>,
    peer: PeerId,
    _stream: StreamPermit,
}

impl SyncStreams {
    pub(crate) fn new(
        shared: Arc<Shared>,
        control: libp2p_stream::Control,
        commands: mpsc::WeakSender<Command>,
    ) -> Arc<Self> {
        Arc::new(Self { shared, control, commands, incoming: Mutex::default() })
    }

    /// Takes in streams and hands them to the application, until the swarm ends.
    pub(crate) async fn accept(
        self: Arc<Self>,
        mut incoming: mpsc::Receiver<Opened>,
        events: mpsc::WeakSender<Event>,
    ) {
        while let Some((peer, stream)) = incoming.recv().await {
            let Some(events) = events.upgrade() else { return };
            let Some(slot) = self.enter(peer) else {
                tracing::debug!(%peer, "a stream too many is closed");
                self.shared.metrics.dropped("sync_streams");
                self.shared.metrics.stream_rejected();
                continue;
            };
            // A place among the events comes first: a stream that nobody will see need not be read.
            match events.try_reserve() {
                Ok(place) => {
                    let stream = SyncStream::new(&self, peer, stream, Some(slot));
                    place.send(Event::Sync { peer, stream });
                }
                Err(_) => self.shared.metrics.dropped("events"),
            }
        }
    }

    /// Opens a stream to a peer that is connected.
    pub(crate) async fn open(self: &Arc<Self>, peer: PeerId) -> Result<SyncStream, NetError> {
        let mut control = self.control.clone();
        let opening = tokio::time::timeout(OPEN_TIMEOUT, control.open_stream(peer, PROTOCOL));
        let broken = |reason: &str| NetError::Stream { peer, reason: reason.to_owned() };
        let stream = opening.await.map_err(|_| broken("the peer did not agree to the protocol in time"))?;
        let stream = stream.map_err(|error| {
            let is_unknown = matches!(error, OpenStreamError::UnsupportedProtocol(_));
            if is_unknown {
                NetError::Unsupported { peer, protocol: NAME }
            } else {
                broken(&error.to_string())
            }
        })?;
        Ok(SyncStream::new(self, peer, stream, None))
    }

    fn enter(self: &Arc<Self>, peer: PeerId) -> Option<Slot> {
        let stream = self.shared.limits.stream(peer)?;
        let mut incoming = self.lock();
        if incoming.values().sum::<usize>() >= INCOMING_MAX {
            return None;
        }
        let count = incoming.entry(peer).or_default();
        if *count >= INCOMING_PER_PEER_MAX {
            return None;
        }
        *count += 1;
        Some(Slot { sync: Arc::clone(self), peer, _stream: stream })
    }

    fn leave(&self, peer: PeerId) {
        let mut incoming = self.lock();
        let left = incoming.get(&peer).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            incoming.remove(&peer);
        } else {
            incoming.insert(peer, left);
        }
    }

    fn report(&self, peer: PeerId, misbehaviour: Misbehaviour) {
        if let Some(commands) = self.commands.upgrade()
            && commands.try_send(Command::Report { peer, misbehaviour }).is_err()
        {
            self.shared.metrics.dropped("reports");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, usize>> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SyncStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncStreams").field("incoming", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.sync.leave(self.peer);
    }
}
