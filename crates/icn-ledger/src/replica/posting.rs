//! Saying something as a member of this node: once, at the right place, and only what the books will take.
//!
//! A chain has one writer, and a restored backup must not write where the original has written already. So before the
//! first entry after a start, another node of the space must have shown what it has of the author's chain.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use icn_gossip::{Entry, LiveMessage};
use icn_identity::Signer;
use icn_types::{Cid, Did, Timestamp};

use super::checked::Checked;
use super::event::{Effect, PostRequest, Posted};
use super::taking::Taken;
use super::{Replica, view};
use crate::act::{Act, OrderRef, PROOFS_MAX, Post};
use crate::books::Reason;
use crate::certificate::Certificate;
use crate::error::PostError;

/// How many requests wait for the own head to be confirmed. Full: the next is refused.
const WAITING_MAX: usize = 1_024;

/// Why something was not said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its author's key is not on this node.
    #[error("the key of {0} is not on this node: choose one of its identities")]
    NoKey(Did),
    /// The books would not take it.
    #[error("{reason}")]
    Books {
        /// Which act, from 0.
        index: usize,
        /// By which rule, with the numbers.
        reason: Reason,
    },
    /// It is no post.
    #[error("the entry cannot be written")]
    Post(#[source] PostError),
    /// No other node has confirmed the own head since the start.
    #[error(
        "no other node of the space has confirmed yet where the chain of {0} ends, and a restored copy must not write \
         twice: connect to another node of the space and try again"
    )]
    Unconfirmed(Did),
    /// Too much waits already.
    #[error("too many requests wait for another node of the space: try again in a moment")]
    Busy,
    /// The author's chain does not go on where the entry says.
    #[error("the entry does not follow the author's last one, which is number {0}: prepare it again")]
    NotNext(u64),
    /// The author was never let in.
    #[error("{0} is not a member of the space: ask a steward for an invitation")]
    NotAMember(Did),
    /// The node stops.
    #[error("the node is stopping: ask again after it has started")]
    Closed,
}

/// A member that speaks from here.
pub(super) struct Own {
    pub(super) signer: Arc<dyn Signer>,
    /// Whether another node has shown what it has of this chain, or there is none.
    pub(super) is_confirmed: bool,
    /// The entries by the client's word for them.
    pub(super) keys: BTreeMap<String, (Cid, u64)>,
    /// What the member is paid and has not answered.
    pub(super) incoming: BTreeSet<OrderRef>,
    /// What the member's payees declined: it is to be taken back.
    pub(super) declined: BTreeSet<OrderRef>,
    waiting: VecDeque<(Timestamp, u64, PostRequest)>,
}

impl Own {
    pub(super) fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            signer,
            is_confirmed: false,
            keys: BTreeMap::new(),
            incoming: BTreeSet::new(),
            declined: BTreeSet::new(),
            waiting: VecDeque::new(),
        }
    }
}

impl Replica {
    /// Hears what a member wants to say.
    pub(super) fn hear_post(&mut self, now: Timestamp, ticket: u64, request: PostRequest) -> Vec<Effect> {
        let author = request.author;
        let is_open = request.is_offline || !self.config.has_peers;
        let Some(own) = self.own.get_mut(&author) else {
            return answered(ticket, Err(Refusal::NoKey(author)));
        };
        if own.is_confirmed || is_open {
            return self.post(now, ticket, request);
        }
        if own.waiting.len() >= WAITING_MAX {
            return answered(ticket, Err(Refusal::Busy));
        }
        own.waiting.push_back((now, ticket, request));
        self.asking.insert(author);
        Vec::new()
    }

    /// Answers requests whose author's head is confirmed by now, and those that have waited for too long.
    pub(super) fn answer_waiting(&mut self, now: Timestamp) -> Vec<Effect> {
        let patience = self.config.confirm_patience;
        let mut due = Vec::new();
        self.asking.retain(|author| {
            let Some(own) = self.own.get_mut(author) else { return false };
            let is_confirmed = own.is_confirmed;
            while let Some((since, _, _)) = own.waiting.front()
                && (is_confirmed || now.since(*since) > patience)
            {
                due.extend(own.waiting.pop_front());
            }
            !own.waiting.is_empty()
        });
        let mut effects = Vec::new();
        for (_, ticket, request) in due {
            let author = request.author;
            if self.own.get(&author).is_some_and(|own| own.is_confirmed) {
                effects.extend(self.post(now, ticket, request));
            } else {
                effects.extend(answered(ticket, Err(Refusal::Unconfirmed(author))));
            }
        }
        effects
    }

    fn post(&mut self, now: Timestamp, ticket: u64, request: PostRequest) -> Vec<Effect> {
        self.judge();
        let PostRequest { author, acts, approvals, key, .. } = request;
        let earlier = key.as_ref().and_then(|key| self.own.get(&author)?.keys.get(key).copied());
        if let Some((entry, seq)) = earlier {
            // Behind whatever was written before: the first answer may be on its way to the disk.
            return answered(ticket, Ok((Posted { entry, seq, is_repeat: true }, Vec::new())));
        }
        let certificates = self.shown_by(&author, &acts);
        let post = Post { approvals, key, certificates, ..Post::new(acts) };
        let appended = self.append(now, author, post, self.chain_head(&author));
        answered(ticket, appended)
    }

    /// Finds the certificates that make what a member accepts, or has accepted, spendable.
    fn shown_by(&self, author: &Did, acts: &[Act]) -> Vec<Certificate> {
        if self.certificates.is_empty() {
            return Vec::new();
        }
        let accepted = acts
            .iter()
            .filter_map(|act| if let Act::Accept { order } = act { Some(order.entry) } else { None });
        let entries: BTreeSet<Cid> = accepted.chain(self.books.to_show(author)).collect();
        let known = entries.iter().filter_map(|entry| self.certificates.get(entry));
        known.take(PROOFS_MAX).cloned().collect()
    }

    /// Writes something as a member of this node by itself. What the books would not take is left.
    pub(super) fn write(&mut self, now: Timestamp, author: Did, post: Post) -> Vec<Effect> {
        let appended = self.append(now, author, post, self.chain_head(&author));
        appended.map_or_else(|_| Vec::new(), |(_, effects)| effects)
    }

    /// Appends to the chain of a member of this node, behind `head`, unless the books would not take it.
    pub(super) fn append(
        &mut self,
        now: Timestamp,
        author: Did,
        post: Post,
        head: Option<(u64, Cid)>,
    ) -> Result<(Posted, Vec<Effect>), Refusal> {
        let signer = Arc::clone(&self.own.get(&author).ok_or(Refusal::NoKey(author))?.signer);
        let entry = self.entry_behind(now, author, &post, head)?;
        let entry = entry.promise(signer).map_err(|_| too_large())?;
        self.take_next(now, Checked { entry, post })
    }

    /// Takes the next entry of a chain in and publishes it, unless the books would not take it.
    fn take_next(&mut self, now: Timestamp, checked: Checked) -> Result<(Posted, Vec<Effect>), Refusal> {
        self.preview(&checked)?;
        let entry = checked.entry.entry();
        let (author, seq) = (entry.author, entry.seq);
        let posted = Posted { entry: checked.entry.id(), seq, is_repeat: false };
        let live = LiveMessage::Entry(checked.entry.signed().clone());
        let (taken, mut effects) = self.admit_and_tell(now, checked);
        match taken {
            Taken::Applied => {
                effects.push(Effect::Publish(live));
                Ok((posted, effects))
            }
            Taken::Stranger => Err(Refusal::NotAMember(author)),
            Taken::Known | Taken::Waiting | Taken::Refused => {
                Err(Refusal::NotNext(self.chain_head(&author).map_or(0, |(seq, _)| seq)))
            }
        }
    }

    /// Makes the entry that would come next in a chain, unsigned.
    ///
    /// # Errors
    ///
    /// [`Refusal::Post`] when the post is not one.
    pub fn next_entry(&self, now: Timestamp, author: Did, post: &Post) -> Result<Entry, Refusal> {
        self.entry_behind(now, author, post, self.chain_head(&author))
    }

    fn entry_behind(
        &self,
        now: Timestamp,
        author: Did,
        post: &Post,
        head: Option<(u64, Cid)>,
    ) -> Result<Entry, Refusal> {
        let mut deps = self.log.deps_for(&author);
        deps.retain(|dep| head.is_none_or(|(_, head)| head != *dep));
        let log = self.log.log_id();
        Ok(Entry {
            v: icn_gossip::ENTRY_VERSION,
            space: log.space,
            topic: log.topic.clone(),
            author,
            seq: head.map_or(1, |(seq, _)| seq + 1),
            prev: head.map(|(_, head)| head),
            deps,
            at: now,
            body: post.encode().map_err(Refusal::Post)?,
        })
    }

    /// Hears an entry that was signed elsewhere. It must be the next of its chain, and all that it names must be here: what
    /// comes late or twice is no fork by this node's doing, and what would only wait is not acknowledged.
    pub(super) fn hear_submit(&mut self, now: Timestamp, ticket: u64, checked: Checked) -> Vec<Effect> {
        self.judge();
        let entry = checked.entry.entry();
        let (seq, id) = (entry.seq, checked.entry.id());
        if self.log.contains(&id) {
            return answered(ticket, Ok((Posted { entry: id, seq, is_repeat: true }, Vec::new())));
        }
        let head = self.chain_head(&entry.author);
        let is_next = entry.prev == head.map(|(_, head)| head) && entry.log() == *self.log.log_id();
        let is_whole = entry.deps.iter().chain(&checked.post.refs()).all(|id| self.log.contains(id));
        if !is_next || !is_whole {
            return answered(ticket, Err(Refusal::NotNext(head.map_or(0, |(seq, _)| seq))));
        }
        let taken = self.take_next(now, checked);
        answered(ticket, taken)
    }

    /// Asks the books what they would say of an entry that is not in the log yet.
    fn preview(&mut self, checked: &Checked) -> Result<(), Refusal> {
        let item = view::next_item(&self.log, &checked.entry, checked.post.clone());
        let verdicts = self.books.consider(item).into_iter().enumerate();
        let mut refused = verdicts.filter_map(|(index, verdict)| verdict.err().map(|reason| (index, reason)));
        match refused.next() {
            Some((index, reason)) => Err(Refusal::Books { index, reason }),
            None => Ok(()),
        }
    }
}

/// Answers behind what was written, or at once with why it was not.
fn answered(ticket: u64, result: Result<(Posted, Vec<Effect>), Refusal>) -> Vec<Effect> {
    let (result, mut effects) = match result {
        Ok((posted, effects)) => (Ok(posted), effects),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    effects.push(Effect::Answer { ticket, result });
    effects
}

fn too_large() -> Refusal {
    Refusal::Post(PostError::Field("acts", "the entry is too large: spread it over several entries"))
}
