//! What can go wrong on the network.

use icn_types::Cid;
use libp2p::{Multiaddr, PeerId};

/// An operation of the swarm that failed.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// An address cannot be listened on.
    ///
    /// Blame: us, or another program that holds the port.
    #[error("cannot listen on `{address}`: {reason}; choose another port or stop the program that holds it")]
    Listen {
        /// The address asked for.
        address: Multiaddr,
        /// What the system said.
        reason: String,
    },
    /// The transports cannot be set up.
    #[error("cannot set up the network: {0}")]
    Setup(String),
    /// A peer cannot be reached.
    ///
    /// Blame: nobody; peers come and go.
    #[error("cannot reach `{target}`: {reason}")]
    Dial {
        /// The address or peer id asked for.
        target: String,
        /// What each attempt ended with.
        reason: String,
    },
    /// The peer is this node.
    #[error("`{0}` is this node itself")]
    Myself(PeerId),
    /// The topic is not one of those that may be used.
    #[error("the topic `{0}` is not one of this network's")]
    Topic(String),
    /// The message is larger than the network carries.
    #[error("{bytes} bytes are too many: at most {bytes_max} are carried")]
    TooLarge {
        /// The size of the message.
        bytes: usize,
        /// The largest size.
        bytes_max: usize,
    },
    /// The record was not accepted by this node's own check.
    #[error("the record is not valid for its key, so no peer would keep it")]
    InvalidRecord,
    /// A bounded queue is full.
    #[error("the {0} is full: wait a moment and try again")]
    Full(&'static str),
    /// The peer does not speak a protocol.
    ///
    /// Blame: nobody; it runs another version.
    #[error("`{peer}` does not speak `{protocol}`: it may need a newer version of its program")]
    Unsupported {
        /// The peer.
        peer: PeerId,
        /// The protocol.
        protocol: &'static str,
    },
    /// A stream could not be opened, broke off, or rested too long.
    ///
    /// Blame: nobody; connections break.
    #[error("the stream with `{peer}` broke: {reason}; try again later")]
    Stream {
        /// The peer.
        peer: PeerId,
        /// What happened.
        reason: String,
    },
    /// The peer began a frame that is larger than the protocol allows. It was reported.
    ///
    /// Blame: sender.
    #[error("`{peer}` sent a frame that is too large: leave this peer alone for a while")]
    Frame {
        /// The peer.
        peer: PeerId,
    },
    /// The swarm has ended.
    #[error("the network has been shut down")]
    Closed,
}

/// A direct request without a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The peer is not connected and cannot be reached.
    #[error("cannot reach `{peer}`: {reason}")]
    NotConnected {
        /// The peer asked for.
        peer: PeerId,
        /// What each attempt ended with.
        reason: String,
    },
    /// No response came in time; the peer may have acted on the request all the same.
    #[error("no response within the time limit")]
    Timeout,
    /// The peer says that we ask too much.
    #[error("the peer refuses: too many requests")]
    Refused,
    /// The peer says that too many of our requests are open.
    #[error("the peer refuses: too many requests are open; wait until one has ended")]
    TooManyStreams,
    /// The request or the response is larger than 1 MiB.
    #[error("the request or its response is larger than 1 MiB")]
    TooLarge,
    /// The connection ended before the response came.
    #[error("the connection ended before the response: {0}")]
    Closed(String),
    /// The peer does not speak the protocol.
    #[error("the peer does not speak `/icn/mesh/direct/1.0.0`")]
    Unsupported,
    /// Too many requests wait for this peer here.
    #[error("too many requests wait for this peer: wait a moment and try again")]
    Full,
    /// The swarm has ended.
    #[error("the network has been shut down")]
    Shutdown,
}

/// A block that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody who was asked has it.
    #[error("no provider of `{0}` was found")]
    NotFound(Cid),
    /// No block arrived for the time given; the fetch ended.
    #[error("no block arrived in time; {missing} still missing, `{first}` among them")]
    Timeout {
        /// One of the blocks that are missing.
        first: Cid,
        /// How many are missing.
        missing: usize,
    },
    /// The swarm has ended.
    #[error("the network has been shut down")]
    Shutdown,
}
