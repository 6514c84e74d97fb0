//! One reconciliation of a log over one stream, as a pure machine; both sides end with the union of their entries.
//!
//! The sides take turns, so neither can be blocked by writing while the other writes. The initiator says `hello`, the
//! responder answers `hello` (or `refused`), and equal digests end it with `done` from both. Where chains have few tips, or
//! one side lacks much, tips are exchanged: they tell the difference exactly, and what is lacking is sent in causal order.
//! Else, and where chains clash so that tips do not tell, Negentropy finds the difference; the initiator leads, asks with `want`, and sends its own.
//! Each side's first turn after `hello` starts with the fork proofs and statements that it has for the other.

mod error;
mod frame;
mod message;
mod neg;
mod outbox;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::{BTreeSet, VecDeque};

use icn_types::{Cid, Did};

pub use self::error::SyncError;
pub use self::frame::{frame, frame_length, unframe};
use self::message::Message;
pub use self::message::{Hello, refuse};
use self::neg::Difference;
use self::outbox::Outgoing;
use crate::entry::SignedEntry;
use crate::fork::ForkProof;
use crate::id::Digest;
use crate::log::Log;

/// The version of the protocol.
pub const SYNC_VERSION: u8 = 1;
/// The largest message, in bytes.
pub const SYNC_MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The largest pass, in bytes.
pub const PASS_BYTES_MAX: usize = 16 * 1024;
/// How many entries or proofs go into one message, in bytes.
const LIST_BYTES_MAX: usize = 512 * 1024;
/// How much is handed out at a time, in bytes; the rest waits for [`SyncSession::pump`].
const PUMP_BYTES: usize = 1024 * 1024;
/// The largest frame of set reconciliation that is made, in bytes.
const NEG_BYTES_MAX: usize = 256 * 1024;
/// Up to so many tips are exchanged without a second thought.
const TIPS_FEW: u64 = 512;
/// The most tips in one message. More: the difference is found by set reconciliation.
const TIPS_MAX: usize = 8_192;
/// The most rounds of set reconciliation in one session. Full: what was found is exchanged, the rest is left to the next.
const ROUNDS_MAX: u32 = 64;
/// The most ids in one `want`. Full: another follows.
const WANT_IDS_MAX: usize = 8_192;
/// The most ids that one side asks for in a session. Full: the session ends.
const WANTED_MAX: usize = 1024 * 1024;
/// The most entries that are taken in one session. Full: the session ends.
const RECEIVED_MAX: u64 = 16 * 1024 * 1024;
/// The most proofs in one session. Full: further ones are not sent; a peer that sends more ends the session.
const PROOFS_MAX: usize = 1_024;
/// The most statements in one session. Full: as with proofs.
const VOTES_MAX: usize = 4_096;
/// The most bytes of statements in one session. Full: as with proofs.
const VOTES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The largest statement, in bytes; larger ones are not sent.
const VOTE_BYTES_MAX: usize = 64 * 1024;

/// What the shell has to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write a message; [`frame`] puts its length before it.
    Send(Vec<u8>),
    /// The responder introduced itself; whoever does not like its pass drops the session and sends nothing of what follows.
    Peer(Hello),
    /// Entries came, in the sender's causal order; nothing about them is checked.
    Received(Vec<SignedEntry>),
    /// Fork proofs came; nothing about them is checked.
    Proofs(Vec<ForkProof>),
    /// Statements of the application came; nothing about them is checked.
    Extra(Vec<Vec<u8>>),
    /// The responder does not take part. The session is over.
    Refused {
        /// A stable code.
        code: String,
        /// A text for people.
        message: String,
    },
    /// Both sides are through. The session is over.
    Done(Summary),
}

/// What a session took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// How often the initiator waited for an answer.
    pub round_trips: u32,
    /// How many of these were set reconciliation.
    pub neg_round_trips: u32,
    /// The bytes of set reconciliation, both ways.
    pub neg_bytes: u64,
    /// The bytes of all messages sent.
    pub bytes_up: u64,
    /// The bytes of all messages received.
    pub bytes_down: u64,
    /// The entries sent.
    pub sent: u64,
    /// The entries received.
    pub received: u64,
    /// Whether all that was lacking was exchanged, as far as this side can tell. If not, another session will do more.
    pub is_complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The initiator waits for the responder's hello.
    Hello,
    /// The initiator waits for the responder's tips.
    Frontier,
    /// The initiator waits for a frame of set reconciliation.
    Neg,
    /// The initiator takes entries until `tails`.
    Tails,
    /// The initiator waits for the responder's `done`.
    Done,
    /// The responder takes what comes.
    Open,
    /// Nothing more happens.
    Over,
}

/// One session. See the module.
#[derive(Debug, Clone)]
pub struct SyncSession {
    stage: Stage,
    mine: Hello,
    theirs: Option<Hello>,
    outbox: VecDeque<Outgoing>,
    extra: Vec<Vec<u8>>,
    has_opened: bool,
    summary: Summary,
    found: Difference,
    /// Initiator: local places that the responder lacks, by its tips.
    lacking: Vec<u32>,
    /// Initiator: whether tips are left out; tests reach set reconciliation with few authors so.
    is_neg_only: bool,
    /// Initiator: whether the tips leave something open.
    is_inexact: bool,
    /// Initiator: what came before set reconciliation, which may not be applied yet.
    got: BTreeSet<Digest>,
    /// Initiator: what it asked for and has not got.
    wanted: Option<BTreeSet<Digest>>,
    /// Responder: local places that were asked for.
    asked: Vec<u32>,
    /// Responder: whether tips came.
    has_tips: bool,
    /// Responder: whether the last `want` came.
    has_asked: bool,
    proofs_in: usize,
    votes_in: usize,
    votes_in_bytes: usize,
}

impl SyncSession {
    /// Begins a session as the side that opened the stream; `extra` are statements for the other side.
    #[must_use]
    pub fn initiate(log: &Log, pass: Option<Vec<u8>>, extra: Vec<Vec<u8>>) -> (Self, Vec<Step>) {
        let mine = Hello::of(log, pass);
        let mut session = Self::new(Stage::Hello, mine.clone(), None, extra);
        let mut steps = Vec::new();
        session.send(&Message::Hello(mine), &mut steps);
        (session, steps)
    }

    /// Begins a session as the other side, with the initiator's hello ([`Hello::parse`]), whose pass was accepted.
    ///
    /// # Errors
    ///
    /// [`SyncError`] when the hello is not for this log, or of another version.
    pub fn respond(
        log: &Log,
        hello: Hello,
        pass: Option<Vec<u8>>,
        extra: Vec<Vec<u8>>,
    ) -> Result<(Self, Vec<Step>), SyncError> {
        hello.check()?;
        let mine = Hello::of(log, pass);
        if hello.log_id() != *log.log_id() {
            return Err(SyncError::WrongLog);
        }
        let hello_bytes = Message::Hello(hello.clone()).encode().len() as u64;
        let mut session = Self::new(Stage::Open, mine.clone(), Some(hello), extra);
        session.summary.bytes_down = hello_bytes;
        session.summary.round_trips = 1;
        let mut steps = Vec::new();
        session.send(&Message::Hello(mine), &mut steps);
        Ok((session, steps))
    }

    fn new(stage: Stage, mine: Hello, theirs: Option<Hello>, extra: Vec<Vec<u8>>) -> Self {
        Self {
            stage,
            mine,
            theirs,
            outbox: VecDeque::new(),
            extra,
            has_opened: false,
            summary: Summary { is_complete: true, ..Summary::default() },
            found: Difference::default(),
            lacking: Vec::new(),
            is_neg_only: false,
            is_inexact: false,
            got: BTreeSet::new(),
            wanted: None,
            asked: Vec::new(),
            has_tips: false,
            has_asked: false,
            proofs_in: 0,
            votes_in: 0,
            votes_in_bytes: 0,
        }
    }

    /// Takes one message of the peer; `entries` reads entries from the disk.
    ///
    /// # Errors
    ///
    /// [`SyncError`] when the peer breaks a rule. The session is over.
    pub fn handle(
        &mut self,
        log: &Log,
        entries: &dyn Fn(&Cid) -> Option<SignedEntry>,
        message: &[u8],
    ) -> Result<Vec<Step>, SyncError> {
        let mut steps = Vec::new();
        if let Err(error) = self.take(log, message, &mut steps) {
            self.stage = Stage::Over;
            self.outbox.clear();
            return Err(error);
        }
        steps.extend(self.pump(log, entries));
        Ok(steps)
    }

    /// Tells whether more of the own turn is left: once all is written, [`Self::pump`] gives the next part.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Tells whether nothing more will happen.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Returns the hello of the other side, once it came.
    #[must_use]
    pub const fn peer(&self) -> Option<&Hello> {
        self.theirs.as_ref()
    }

    /// Returns what the session took so far.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    fn take(&mut self, log: &Log, bytes: &[u8], steps: &mut Vec<Step>) -> Result<(), SyncError> {
        if self.stage == Stage::Over {
            return Err(SyncError::Over);
        }
        let message = Message::parse(bytes)?;
        self.summary.bytes_down += bytes.len() as u64;
        // The turn is ours until all is sent, and nobody can know what we have not said yet.
        if self.is_sending() {
            return Err(SyncError::OutOfPlace(message.name()));
        }
        match (self.stage, message) {
            (stage, Message::Proofs { list }) if stage != Stage::Hello => self.take_proofs(list, steps),
            (stage, Message::Votes { list }) if stage != Stage::Hello => self.take_votes(list, steps),
            (Stage::Tails | Stage::Open, Message::Entries { list }) => self.take_entries(list, steps),
            (Stage::Open, other) => self.take_as_responder(log, other),
            (_, other) => self.take_as_initiator(log, other, steps),
        }
    }

    fn take_proofs(&mut self, list: Vec<ForkProof>, steps: &mut Vec<Step>) -> Result<(), SyncError> {
        self.proofs_in += list.len();
        check_list("proofs", list.len(), self.proofs_in <= PROOFS_MAX)?;
        steps.push(Step::Proofs(list));
        Ok(())
    }

    fn take_votes(
        &mut self,
        list: Vec<serde_bytes::ByteBuf>,
        steps: &mut Vec<Step>,
    ) -> Result<(), SyncError> {
        self.votes_in += list.len();
        self.votes_in_bytes += list.iter().map(|vote| vote.len()).sum::<usize>();
        let is_within = self.votes_in <= VOTES_MAX && self.votes_in_bytes <= VOTES_BYTES_MAX;
        check_list("votes", list.len(), is_within)?;
        steps.push(Step::Extra(list.into_iter().map(serde_bytes::ByteBuf::into_vec).collect()));
        Ok(())
    }

    fn take_entries(&mut self, list: Vec<SignedEntry>, steps: &mut Vec<Step>) -> Result<(), SyncError> {
        self.summary.received += list.len() as u64;
        check_list("entries", list.len(), self.summary.received <= RECEIVED_MAX)?;
        if let Some(wanted) = &mut self.wanted {
            for entry in &list {
                let digest = message::digest_of_entry(entry);
                if !digest.is_some_and(|digest| wanted.remove(&digest)) {
                    return Err(SyncError::Unwanted);
                }
            }
        } else if self.is_inexact {
            self.got.extend(list.iter().filter_map(message::digest_of_entry));
        }
        steps.push(Step::Received(list));
        Ok(())
    }

    /// Tells whether fork proofs are worth sending.
    fn proofs_differ(&self) -> bool {
        self.theirs.as_ref().is_some_and(|theirs| theirs.proofs != self.mine.proofs)
    }
}

fn check_list(name: &'static str, length: usize, is_within: bool) -> Result<(), SyncError> {
    if length == 0 {
        return Err(SyncError::Field(name, "an empty list is not sent"));
    }
    if is_within { Ok(()) } else { Err(SyncError::TooMany(name)) }
}

/// The places to prove to the other side.
fn places(log: &Log) -> Vec<(Did, u64)> {
    let mut places = log.forked();
    places.truncate(PROOFS_MAX);
    places
}
