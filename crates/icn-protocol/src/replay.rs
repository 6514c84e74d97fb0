//! What was seen before: the replay guard.

use std::collections::BTreeMap;

use icn_types::{Did, Duration, Timestamp};

use crate::envelope::{RawMessage, Verified};
use crate::limits::MESSAGE_AGE_MAX;
use crate::response::Response;

/// Half of a SHA-256: 128 bits tell messages apart, and fit twice as often into memory.
type ShortId = [u8; 16];

/// How long the messages of one bucket are apart at most, in milliseconds. Whole buckets are forgotten at once.
const BUCKET_MS: u64 = 10_000;

/// What identifies a message for the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageKey {
    /// Who signs it.
    pub sender: Did,
    /// When it was made.
    pub stamped: Timestamp,
    /// The SHA-256 of its bytes.
    pub id: [u8; 32],
}

impl From<&RawMessage> for MessageKey {
    fn from(raw: &RawMessage) -> Self {
        Self { sender: raw.speaker(), stamped: raw.timestamp(), id: raw.id() }
    }
}

impl From<&Verified> for MessageKey {
    fn from(verified: &Verified) -> Self {
        Self { sender: verified.sender(), stamped: verified.message().timestamp(), id: verified.id() }
    }
}

/// What the guard knows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: go on with it.
    New,
    /// It came before. Gossip ignores it; a direct request gets the first answer again.
    Repeat {
        /// The first answer; nothing while it is still being worked out.
        answer: Option<Response>,
    },
    /// Nothing, and there is no room to remember it: refuse it as `replay_full`.
    Full,
}

/// How much the guard remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardLimits {
    /// How long a message is remembered after its time stamp: as long as it would be fresh.
    pub age_max: Duration,
    /// Messages of one sender. Full: its new messages are refused until old ones have aged.
    pub per_sender: usize,
    /// Messages of all senders. Full: as above, for everybody; rate limits per peer keep strangers from getting there.
    pub total: usize,
    /// Bytes of refusal texts of one sender. Full: further refusals are remembered by their code alone.
    pub answer_bytes_per_sender: usize,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            age_max: MESSAGE_AGE_MAX,
            per_sender: 1 << 19,
            total: 1 << 20,
            answer_bytes_per_sender: 64 * 1024,
        }
    }
}

/// Remembers which messages came, until they are too old to be taken again.
///
/// [`Self::check`] comes before the signature is verified and changes nothing; [`Self::record`] comes after, so that
/// nobody can have a victim's message refused by sending forged copies first. Ids that are still fresh are never
/// forgotten to make room.
#[derive(Debug, Default)]
pub struct ReplayGuard {
    limits: GuardLimits,
    senders: BTreeMap<Did, Sender>,
    total: usize,
}

#[derive(Debug, Default)]
struct Sender {
    buckets: BTreeMap<u64, BTreeMap<ShortId, Answer>>,
    len: usize,
    answer_bytes: usize,
}

#[derive(Debug)]
enum Answer {
    Pending,
    Ack,
    Refused {
        response: Box<Response>,
        /// What the texts count against the sender's share.
        bytes: usize,
    },
}

impl ReplayGuard {
    /// Makes a guard that has seen nothing.
    #[must_use]
    pub fn new(limits: GuardLimits) -> Self {
        Self { limits, senders: BTreeMap::new(), total: 0 }
    }

    /// Looks a message up. Its freshness must have been checked before.
    #[must_use]
    pub fn check(&self, now: Timestamp, message: impl Into<MessageKey>) -> Seen {
        let key = message.into();
        let sender = self.senders.get(&key.sender);
        if let Some(answer) = sender.and_then(|sender| sender.find(&key)) {
            return Seen::Repeat { answer: answer.response() };
        }
        // What has aged but was not yet swept does not count against the sender.
        let aged = sender.map_or(0, |sender| sender.aged(self.oldest(now)));
        let len = sender.map_or(0, |sender| sender.len) - aged;
        if len >= self.limits.per_sender || self.total - aged >= self.limits.total {
            return Seen::Full;
        }
        Seen::New
    }

    /// Remembers a message whose signature held. Returns what [`Self::check`] would have; only [`Seen::New`] is recorded.
    pub fn record(&mut self, now: Timestamp, message: impl Into<MessageKey>) -> Seen {
        let key = message.into();
        self.sweep_sender(now, &key.sender);
        if self.total >= self.limits.total {
            self.sweep(now);
        }
        let seen = self.check(now, key);
        if seen == Seen::New {
            let sender = self.senders.entry(key.sender).or_default();
            sender.buckets.entry(bucket(key.stamped)).or_default().insert(short(&key.id), Answer::Pending);
            sender.len += 1;
            self.total += 1;
        }
        seen
    }

    /// Remembers the answer that a direct message got, for its repeats. The first answer stays.
    pub fn answer(&mut self, message: impl Into<MessageKey>, response: &Response) {
        let key = message.into();
        let bytes_max = self.limits.answer_bytes_per_sender;
        let Some(sender) = self.senders.get_mut(&key.sender) else { return };
        let known = sender.buckets.get_mut(&bucket(key.stamped)).and_then(|b| b.get_mut(&short(&key.id)));
        let Some(slot @ Answer::Pending) = known else { return };
        *slot = match response {
            Response::Ack => Answer::Ack,
            Response::Refused { code, message } => {
                let bytes = code.as_str().len() + message.len();
                let (response, bytes) = if sender.answer_bytes + bytes > bytes_max {
                    (Response::refused(code.clone(), ""), 0)
                } else {
                    (response.clone(), bytes)
                };
                sender.answer_bytes += bytes;
                Answer::Refused { response: Box::new(response), bytes }
            }
        };
    }

    /// Forgets everything that has aged, of all senders. Worth calling once a minute.
    pub fn sweep(&mut self, now: Timestamp) {
        let oldest = self.oldest(now);
        for sender in self.senders.values_mut() {
            self.total -= sender.forget(oldest);
        }
        self.senders.retain(|_, sender| sender.len > 0);
    }

    /// Returns how many messages are remembered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.total
    }

    /// Tells whether nothing is remembered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    fn sweep_sender(&mut self, now: Timestamp, did: &Did) {
        let oldest = self.oldest(now);
        if let Some(sender) = self.senders.get_mut(did) {
            self.total -= sender.forget(oldest);
        }
    }

    /// The first bucket that may still hold a fresh message.
    fn oldest(&self, now: Timestamp) -> u64 {
        bucket(now.minus(self.limits.age_max))
    }
}

impl Sender {
    fn find(&self, key: &MessageKey) -> Option<&Answer> {
        self.buckets.get(&bucket(key.stamped))?.get(&short(&key.id))
    }

    fn aged(&self, oldest: u64) -> usize {
        self.buckets.range(..oldest).map(|(_, bucket)| bucket.len()).sum()
    }

    fn forget(&mut self, oldest: u64) -> usize {
        let kept = self.buckets.split_off(&oldest);
        let aged = std::mem::replace(&mut self.buckets, kept);
        let count = aged.values().map(BTreeMap::len).sum();
        self.answer_bytes -= aged.values().flat_map(BTreeMap::values).map(Answer::bytes).sum::<usize>();
        self.len -= count;
        count
    }
}

impl Answer {
    fn response(&self) -> Option<Response> {
        match self {
            Self::Pending => None,
            Self::Ack => Some(Response::Ack),
            Self::Refused { response, .. } => Some(Response::clone(response)),
        }
    }

    const fn bytes(&self) -> usize {
        match self {
            Self::Refused { bytes, .. } => *bytes,
            Self::Pending | Self::Ack => 0,
        }
    }
}

fn bucket(stamped: Timestamp) -> u64 {
    stamped.as_millis() / BUCKET_MS
}

fn short(id: &[u8; 32]) -> ShortId {
    let mut short = ShortId::default();
    short.iter_mut().zip(id).for_each(|(to, from)| *to = *from);
    short
}
