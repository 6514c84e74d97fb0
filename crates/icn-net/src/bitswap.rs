//! Content exchange: Bitswap 1.2.0, client and server.
//!
//! Each side sends on one stream that it opens and keeps open ([`link`]); what comes in on the other side's stream is
//! sorted here ([`Exchange`]): wants go to the queue of the link that will answer them, blocks and presences to the
//! fetches that asked for them ([`table`], [`session`]). A reader never waits for a writer, so two nodes that fetch from
//! each other cannot block each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use icn_types::{BLOCK_BYTES_MAX, Cid};
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

use crate::error::{FetchError, NetError};
use crate::handle::{Command, Misbehaviour};
use crate::shared::Shared;

mod link;
#[doc(hidden)]
pub mod message;
mod session;
mod table;

use link::{Link, Want};
use message::{Presence, WantType};
use session::Session;
use table::{Heard, Table};

/// The protocol of content exchange.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// Streams that one peer may keep open towards us. Full: the new one is closed.
const STREAMS_PER_PEER_MAX: usize = 4;
/// A frame that has begun must be complete after so long.
const FRAME_TIMEOUT: Duration = Duration::from_secs(120);

/// Where the blocks that this node serves come from.
pub trait BlockSource: Send + Sync + 'static {
    /// Returns a block. May read a disk; is called off the swarm's task.
    fn get(&self, cid: &Cid) -> Option<Bytes>;
    /// Returns the size of a block, in bytes, without reading it where that can be.
    fn size(&self, cid: &Cid) -> Option<usize>;
}

/// The exchange of one node.
pub(crate) struct Exchange {
    shared: Arc<Shared>,
    control: libp2p_stream::Control,
    /// Weak, so that the exchange does not keep a swarm alive that nobody uses.
    commands: mpsc::WeakSender<Command>,
    blocks: Arc<dyn BlockSource>,
    links: Mutex<HashMap<PeerId, Arc<Link>>>,
    readers: Mutex<HashMap<PeerId, usize>>,
    table: Mutex<Table>,
}

impl Exchange {
    pub(crate) fn new(
        shared: Arc<Shared>,
        control: libp2p_stream::Control,
        commands: mpsc::WeakSender<Command>,
        blocks: Arc<dyn BlockSource>,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared,
            control,
            commands,
            blocks,
            links: Mutex::default(),
            readers: Mutex::default(),
            table: Mutex::default(),
        })
    }

    /// Takes in streams until the swarm ends.
    pub(crate) async fn accept(self: Arc<Self>, mut incoming: libp2p_stream::IncomingStreams) {
        while let Some((peer, stream)) = incoming.next().await {
            if self.enter(peer) {
                let exchange = Arc::clone(&self);
                tokio::spawn(async move {
                    exchange.read(peer, stream).await;
                    exchange.leave(peer);
                });
            } else {
                self.shared.metrics.dropped("bitswap_streams");
                self.shared.metrics.stream_rejected();
            }
        }
    }

    /// Starts a fetch: see [`crate::Handle::fetch`].
    pub(crate) fn fetch(
        self: &Arc<Self>,
        cids: Vec<Cid>,
        providers: Vec<PeerId>,
        timeout: Duration,
    ) -> mpsc::Receiver<Result<(Cid, Bytes), FetchError>> {
        let (tx, rx) = mpsc::channel(session::READY_MAX);
        tokio::spawn(Session::new(Arc::clone(self), cids, providers, timeout, tx).run());
        rx
    }

    /// Notes that the last connection to a peer has ended.
    pub(crate) fn disconnected(&self, peer: PeerId) {
        if let Some(link) = lock(&self.links).remove(&peer) {
            link.close();
        }
        lock(&self.table).forget(peer);
    }

    /// Ends all links.
    pub(crate) fn close(&self) {
        for (_, link) in lock(&self.links).drain() {
            link.close();
        }
    }

    /// Asks a peer for blocks, or whether it has them.
    fn ask(self: &Arc<Self>, peer: PeerId, wants: &[(Cid, WantType)]) {
        lock(&self.table).asked(peer, wants);
        let link = self.link(peer);
        link.ask(wants);
        self.keep_running(peer, link);
    }

    /// Takes wants back.
    fn cancel(self: &Arc<Self>, peer: PeerId, cids: &[Cid]) {
        // Without a link there is nobody who would still answer.
        let link = lock(&self.links).get(&peer).cloned();
        if let Some(link) = link {
            link.cancel(cids);
            self.keep_running(peer, link);
        }
    }

    fn link(&self, peer: PeerId) -> Arc<Link> {
        Arc::clone(lock(&self.links).entry(peer).or_default())
    }

    /// Starts the task of a link that has something to send.
    fn keep_running(self: &Arc<Self>, peer: PeerId, link: Arc<Link>) {
        if link.start() {
            tokio::spawn(link::run(Arc::clone(self), peer, link));
        }
    }

    /// Forgets a link that failed.
    fn broken(&self, peer: PeerId, link: &Arc<Link>) {
        let mut links = lock(&self.links);
        if links.get(&peer).is_some_and(|known| Arc::ptr_eq(known, link)) {
            links.remove(&peer);
        }
        drop(links);
        link.close();
        if self.shared.is_connected(peer) {
            lock(&self.table).gone(peer, false);
        } else {
            lock(&self.table).forget(peer);
        }
    }

    fn enter(&self, peer: PeerId) -> bool {
        let mut readers = lock(&self.readers);
        let count = readers.entry(peer).or_default();
        let has_room = *count < STREAMS_PER_PEER_MAX.min(self.shared.limits.streams_max(peer) as usize);
        *count += usize::from(has_room);
        has_room
    }

    fn leave(&self, peer: PeerId) {
        let mut readers = lock(&self.readers);
        if let Some(count) = readers.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&peer);
                // What was read after the connection ended may have made a link anew.
                if !self.shared.is_connected(peer) {
                    lock(&self.links).remove(&peer);
                }
            }
        }
    }

    async fn read(self: &Arc<Self>, peer: PeerId, mut stream: Stream) {
        loop {
            let frame = match self.frame(peer, &mut stream).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%peer, %error, "a Bitswap stream ends");
                    if matches!(error, message::DecodeError::FrameTooLarge(_)) {
                        self.report(peer, Misbehaviour::Major);
                    }
                    return;
                }
            };
            match message::decode(frame) {
                Ok(message) => self.handle(peer, message),
                Err(error) => {
                    tracing::debug!(%peer, %error, "bytes that are no Bitswap message");
                    self.report(peer, Misbehaviour::Major);
                    return;
                }
            }
        }
    }

    async fn frame(&self, peer: PeerId, stream: &mut Stream) -> Result<Option<Bytes>, message::DecodeError> {
        use futures::AsyncReadExt;
        // Between frames a stream may rest as long as it likes; the first byte starts the clock.
        let mut first = [0u8];
        if stream.read(&mut first).await? == 0 {
            return Ok(None);
        }
        let link = self.link(peer);
        let mut rest = futures::io::Cursor::new(first).chain(stream);
        let frame = message::read_frame(&mut rest, || link.touch());
        tokio::time::timeout(FRAME_TIMEOUT, frame)
            .await
            .unwrap_or_else(|_| Err(message::DecodeError::Io(std::io::ErrorKind::TimedOut.into())))
    }

    fn handle(self: &Arc<Self>, peer: PeerId, message: message::Message) {
        for block in message.payload {
            self.block(peer, &block);
        }
        for presence in message.block_presences {
            let Ok(cid) = Cid::from_bytes(&presence.cid) else { continue };
            let has_it = presence.presence == Presence::Have as i32;
            lock(&self.table).presence(peer, cid, has_it);
        }
        if let Some(wantlist) = message.wantlist {
            self.wants(peer, wantlist);
        }
    }

    fn block(&self, peer: PeerId, block: &message::Block) {
        let cid = if block.data.len() > BLOCK_BYTES_MAX { None } else { message::cid_of(block) };
        let heard = cid.map_or(Heard::Unasked, |cid| lock(&self.table).block(peer, cid, &block.data));
        match heard {
            Heard::Wanted => self.shared.metrics.bitswap("received", block.data.len()),
            Heard::Late => self.shared.metrics.bitswap("duplicate", block.data.len()),
            Heard::Unasked => {
                tracing::debug!(%peer, "a block that nobody asked this peer for, or with another hash");
                self.shared.metrics.bitswap("refused", block.data.len());
                lock(&self.table).gone(peer, true);
                self.report(peer, Misbehaviour::Major);
            }
        }
    }

    fn wants(self: &Arc<Self>, peer: PeerId, wantlist: message::Wantlist) {
        let link = self.link(peer);
        let mut dropped = 0;
        for entry in wantlist.entries {
            let Ok(cid) = Cid::from_bytes(&entry.block) else { continue };
            if entry.cancel {
                link.unwant(&cid);
                continue;
            }
            let is_block = entry.want_type == WantType::Block as i32;
            let want = Want { is_block, says_no: entry.send_dont_have };
            dropped += usize::from(!link.want(cid, want));
        }
        if dropped > 0 {
            self.shared.metrics.dropped("bitswap_wants");
        }
        self.keep_running(peer, link);
    }

    fn report(&self, peer: PeerId, misbehaviour: Misbehaviour) {
        if let Some(commands) = self.commands.upgrade()
            && commands.try_send(Command::Report { peer, misbehaviour }).is_err()
        {
            self.shared.metrics.dropped("reports");
        }
    }

    /// Sees to it that a peer is connected.
    async fn connect(&self, peer: PeerId) -> bool {
        if self.shared.is_connected(peer) {
            return true;
        }
        let connected = self.command(|answer| Command::Connect { peer, answer }).await;
        matches!(connected, Some(Ok(_)))
    }

    async fn providers(&self, cid: &Cid) -> Vec<PeerId> {
        let key = cid.multihash_bytes();
        self.command(|answer| Command::FindProviders { key, answer }).await.unwrap_or_default()
    }

    async fn command<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (tx, rx) = oneshot::channel();
        self.commands.upgrade().ok_or(NetError::Closed).ok()?.send(command(tx)).await.ok()?;
        rx.await.ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
