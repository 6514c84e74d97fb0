//! What the swarm tells the application.

use bytes::Bytes;
use icn_types::Did;
use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::limits::StreamPermit;
use crate::sync::SyncStream;

/// Something that happened on the network.
#[derive(Debug)]
pub enum Event {
    /// A gossip message arrived and waits for a verdict before it is forwarded.
    Gossip {
        /// The topic that it came on.
        topic: String,
        /// The peer that forwarded it, not its author.
        from: PeerId,
        /// The message.
        data: Bytes,
        /// Takes the verdict.
        verdict: VerdictSender,
    },
    /// A peer asks something and waits for the response.
    Request {
        /// The peer that asks.
        from: PeerId,
        /// The request.
        data: Bytes,
        /// Takes the response.
        reply: ReplySender,
    },
    /// A peer has opened a stream to reconcile logs. Dropping the stream refuses it.
    Sync {
        /// The peer.
        peer: PeerId,
        /// The stream.
        stream: SyncStream,
    },
    /// The first connection to a peer is up.
    PeerConnected {
        /// The peer.
        peer: PeerId,
        /// Its DID, when its key is of type Ed25519.
        did: Option<Did>,
    },
    /// The last connection to a peer has ended.
    PeerDisconnected {
        /// The peer.
        peer: PeerId,
    },
    /// A peer has subscribed to a topic.
    Subscribed {
        /// The peer.
        peer: PeerId,
        /// The topic.
        topic: String,
    },
    /// The node listens on another address.
    Listening(Multiaddr),
    /// A peer does what it may not, as this floor sees it; told at most once a minute for each peer and offence.
    Offence {
        /// The peer, by the key of its connection.
        peer: PeerId,
        /// What it does.
        offence: Offence,
        /// How often since it was told last.
        count: u64,
    },
}

/// What a peer does that it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offence {
    /// It sends more than its own limits allow. What its group or all peers together are refused is not its offence.
    ExcessRate,
    /// It opens more streams, or requests, than it may.
    ExcessStreams,
}

impl Offence {
    /// Returns its name, as in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExcessRate => "excess_rate",
            Self::ExcessStreams => "excess_streams",
        }
    }
}

/// What becomes of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is valid: forward it.
    Accept,
    /// It is nobody's fault, but of no use (stale, seen, overloaded): do not forward it.
    Ignore,
    /// The sender could have known that it is wrong: do not forward it, and lower the sender's score.
    Reject,
}

/// A verdict on its way to the swarm. Holds the message's share of the queue until it is carried out.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) id: MessageId,
    pub(crate) from: PeerId,
    pub(crate) topic: String,
    pub(crate) verdict: Verdict,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Takes the verdict on one gossip message; dropped without one, the message is ignored.
///
/// The verdict must come within 12 seconds: then the message has left the cache and is not forwarded any more.
#[derive(Debug)]
pub struct VerdictSender {
    id: MessageId,
    from: PeerId,
    topic: String,
    tx: mpsc::UnboundedSender<Judged>,
    permit: Option<OwnedSemaphorePermit>,
    sent: bool,
}

impl VerdictSender {
    pub(crate) fn new(
        id: MessageId,
        from: PeerId,
        topic: String,
        tx: mpsc::UnboundedSender<Judged>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { id, from, topic, tx, permit: Some(permit), sent: false }
    }

    /// Gives the verdict.
    pub fn send(mut self, verdict: Verdict) {
        self.deliver(verdict);
    }

    fn deliver(&mut self, verdict: Verdict) {
        self.sent = true;
        let judged = Judged {
            id: self.id.clone(),
            from: self.from,
            topic: std::mem::take(&mut self.topic),
            verdict,
            _permit: self.permit.take(),
        };
        // The swarm may have ended: then nobody needs the verdict.
        let _ = self.tx.send(judged);
    }
}

impl Drop for VerdictSender {
    fn drop(&mut self) {
        if !self.sent {
            self.deliver(Verdict::Ignore);
        }
    }
}

/// A response on its way to the swarm.
#[derive(Debug)]
pub(crate) struct Replied {
    /// The channel and the response; absent when the application gave none.
    pub(crate) response: Option<(ResponseChannel<Bytes>, Bytes)>,
    _held: Option<Held>,
}

/// What a request holds until its response is on its way.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) _room: OwnedSemaphorePermit,
    pub(crate) _stream: StreamPermit,
}

/// Takes the response to one direct request; dropped without one, the peer sees its stream end.
#[derive(Debug)]
pub struct ReplySender {
    channel: Option<ResponseChannel<Bytes>>,
    tx: mpsc::UnboundedSender<Replied>,
    held: Option<Held>,
}

impl ReplySender {
    pub(crate) fn new(
        channel: ResponseChannel<Bytes>,
        tx: mpsc::UnboundedSender<Replied>,
        held: Held,
    ) -> Self {
        Self { channel: Some(channel), tx, held: Some(held) }
    }

    /// Sends the response, at most 1 MiB; a larger one ends the stream instead.
    pub fn send(mut self, response: Bytes) {
        let response = self.channel.take().map(|channel| (channel, response));
        self.deliver(response);
    }

    fn deliver(&mut self, response: Option<(ResponseChannel<Bytes>, Bytes)>) {
        let _ = self.tx.send(Replied { response, _held: self.held.take() });
    }
}

impl Drop for ReplySender {
    fn drop(&mut self) {
        if self.held.is_some() {
            self.deliver(None);
        }
    }
}
