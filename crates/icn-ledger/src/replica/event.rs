//! What happens to a replica, and what it asks of the shell.

use icn_gossip::{ForkProof, LiveMessage, SignedEntry};
use icn_types::{Cid, Did};

use super::checked::{CheckError, Checked};
use crate::act::Act;
use crate::certificate::{Approval, SignedVote};
use crate::misbehaviour::Offence;
use crate::witness::VoteRecord;

/// Names one reconciliation with one node, for as long as its stream is open. The shell numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What came over the air and was checked.
#[derive(Debug, Clone)]
pub enum Live {
    /// An entry.
    Entry(Box<Checked>),
    /// Somebody's fork.
    Proof(Box<ForkProof>),
    /// A witness's vote.
    Vote(Box<SignedVote>),
}

/// What a reconciliation brought, after [`Effect::Check`].
#[derive(Debug, Default)]
pub struct Arrived {
    /// The entries, in the order in which they came.
    pub entries: Vec<Result<Checked, CheckError>>,
    /// Forks whose proof holds.
    pub proofs: Vec<ForkProof>,
    /// Votes whose signature holds.
    pub votes: Vec<SignedVote>,
}

/// Something that happens.
#[derive(Debug)]
pub enum Event {
    /// A live message came from a node; its verdict goes to the ticket.
    Live {
        /// From which node.
        from: Did,
        /// Whom the verdict is for.
        ticket: u64,
        /// What it says.
        message: Live,
    },
    /// A member wants to say something.
    Post {
        /// Whom the answer is for.
        ticket: u64,
        /// What.
        request: PostRequest,
    },
    /// A member whose key is elsewhere has signed an entry.
    Submit {
        /// Whom the answer is for.
        ticket: u64,
        /// The entry.
        entry: Box<Checked>,
    },
    /// A node of the space is connected.
    PeerUp(Did),
    /// A node of the space has left.
    PeerDown(Did),
    /// A stream to a node is open.
    SessionOpened {
        /// Which.
        session: SessionId,
        /// With whom.
        node: Did,
        /// Whether this node opened it.
        is_ours: bool,
    },
    /// A stream that [`Effect::OpenSession`] asked for did not open.
    SessionFailed {
        /// With whom.
        node: Did,
    },
    /// A frame came on a stream.
    SessionFrame {
        /// Which.
        session: SessionId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A stream has ended.
    SessionClosed {
        /// Which.
        session: SessionId,
    },
    /// Every frame of a stream has been sent.
    SessionDrained {
        /// Which.
        session: SessionId,
    },
    /// [`Effect::Check`] is done.
    Checked {
        /// Which session brought it.
        session: SessionId,
        /// What holds.
        arrived: Arrived,
    },
    /// Everything up to this number of entries is on the disk.
    Durable {
        /// How many.
        entries: u32,
    },
    /// Some time has passed; comes several times a second.
    Tick,
}

/// What a member wants to say.
#[derive(Debug, Clone)]
pub struct PostRequest {
    /// Who: an identity whose key is here.
    pub author: Did,
    /// What.
    pub acts: Vec<Act>,
    /// For a treasury.
    pub approvals: Vec<Approval>,
    /// The client's word for it: the same word again gives the first answer again.
    pub key: Option<String>,
    /// Whether to append although no other node has confirmed the own head.
    pub is_offline: bool,
}

/// An entry that was appended and is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// Its id.
    pub entry: Cid,
    /// Its place in the author's chain.
    pub seq: u64,
    /// Whether an earlier request with the same key had appended it.
    pub is_repeat: bool,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// An entry, at its place in the order of application.
    Entry {
        /// The place.
        idx: u32,
        /// The entry.
        entry: SignedEntry,
    },
    /// A witness has voted: never otherwise at this place.
    Vote {
        /// Who.
        witness: Did,
        /// For what.
        record: VoteRecord,
    },
    /// Another node of the space exists: from now on the own head must be confirmed at each start.
    HasPeers,
    /// Somebody broke a rule.
    Offence {
        /// Who.
        offender: Did,
        /// What, and what shows it.
        offence: Box<Offence>,
    },
}

/// What becomes of a live message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to others.
    Accept,
    /// It does not, and nobody is to blame.
    Ignore,
    /// It does not, and the node that sent it is to blame.
    Reject,
}

/// What the shell does for a replica, in the order given. What stands behind a `Persist` is done after that write is
/// durable.
#[derive(Debug)]
pub enum Effect {
    /// Writes all of these at once.
    Persist(Vec<Write>),
    /// Publishes on the log's gossip topic. To encode it makes the signature of an own entry, which encoding the write
    /// before it has made already.
    Publish(LiveMessage),
    /// Says what becomes of a live message.
    Verdict {
        /// Whose.
        ticket: u64,
        /// What.
        verdict: Verdict,
    },
    /// Answers a request.
    Answer {
        /// Whose.
        ticket: u64,
        /// With what.
        result: Result<Posted, super::Refusal>,
    },
    /// Opens a stream to a node: [`Event::SessionOpened`] or [`Event::SessionFailed`] follows.
    OpenSession {
        /// To whom.
        node: Did,
    },
    /// Sends a frame on a stream.
    SendFrame {
        /// Which.
        session: SessionId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Ends a stream.
    CloseSession {
        /// Which.
        session: SessionId,
    },
    /// Checks what came on a stream, on other threads: [`Event::Checked`] follows.
    Check {
        /// Which.
        session: SessionId,
        /// Entries.
        entries: Vec<SignedEntry>,
        /// Proofs.
        proofs: Vec<ForkProof>,
        /// Votes, encoded.
        votes: Vec<Vec<u8>>,
    },
    /// Tells followers of entries that were applied, or whose certificate came to light.
    Changed(Vec<Cid>),
}
