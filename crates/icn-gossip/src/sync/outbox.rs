//! What a side still has to send in its turn, handed out in parts so that memory stays bounded.

use std::collections::VecDeque;

use icn_types::{Cid, Did};
use serde_bytes::ByteBuf;

use super::message::{Message, id_of};
use super::{
    LIST_BYTES_MAX, PUMP_BYTES, Stage, Step, SyncSession, VOTE_BYTES_MAX, VOTES_BYTES_MAX, VOTES_MAX, places,
};
use crate::entry::SignedEntry;
use crate::fork::ForkProof;
use crate::log::Log;

/// What the wire form of an entry has beside its bytes, about.
const ENTRY_OVERHEAD_BYTES: usize = 96;

#[derive(Debug, Clone)]
pub(super) enum Outgoing {
    Message(Message),
    /// Forked places that are still to be proven.
    Proofs(VecDeque<(Did, u64)>),
    /// Local places of entries that are still to be sent.
    Entries(VecDeque<u32>),
    /// The session is over once all is sent.
    End,
}

impl SyncSession {
    /// Hands out the next part of the own turn; `entries` reads entries from the disk.
    pub fn pump(&mut self, log: &Log, entries: &dyn Fn(&Cid) -> Option<SignedEntry>) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut sent = 0;
        while sent < PUMP_BYTES
            && let Some(next) = self.outbox.pop_front()
        {
            match next {
                Outgoing::Message(message) => sent += self.send(&message, &mut steps),
                Outgoing::Proofs(mut places) => {
                    let list = next_proofs(log, entries, &mut places);
                    if !places.is_empty() {
                        self.outbox.push_front(Outgoing::Proofs(places));
                    }
                    if !list.is_empty() {
                        sent += self.send(&Message::Proofs { list }, &mut steps);
                    }
                }
                Outgoing::Entries(mut places) => {
                    let list = self.next_entries(log, entries, &mut places);
                    if !places.is_empty() {
                        self.outbox.push_front(Outgoing::Entries(places));
                    }
                    if !list.is_empty() {
                        self.summary.sent += list.len() as u64;
                        sent += self.send(&Message::Entries { list }, &mut steps);
                    }
                }
                Outgoing::End => {
                    self.stage = Stage::Over;
                    steps.push(Step::Done(self.summary));
                }
            }
        }
        steps
    }

    /// Sends a message at once; returns its length in bytes.
    pub(super) fn send(&mut self, message: &Message, steps: &mut Vec<Step>) -> usize {
        let bytes = message.encode();
        let length = bytes.len();
        self.summary.bytes_up += length as u64;
        steps.push(Step::Send(bytes));
        length
    }

    pub(super) fn queue(&mut self, message: Message) {
        self.outbox.push_back(Outgoing::Message(message));
    }

    pub(super) fn queue_entries(&mut self, places: Vec<u32>) {
        if !places.is_empty() {
            self.outbox.push_back(Outgoing::Entries(places.into()));
        }
    }

    /// Queues what goes ahead of all else in the own first turn: proofs, then statements.
    pub(super) fn open(&mut self, log: &Log) {
        if std::mem::replace(&mut self.has_opened, true) {
            return;
        }
        if self.proofs_differ() {
            self.outbox.push_back(Outgoing::Proofs(places(log).into()));
        }
        let mut list = Vec::new();
        let (mut bytes, mut total) = (0, 0);
        for vote in std::mem::take(&mut self.extra).into_iter().take(VOTES_MAX) {
            if vote.len() > VOTE_BYTES_MAX || total + vote.len() > VOTES_BYTES_MAX {
                self.summary.is_complete = false;
                continue;
            }
            total += vote.len();
            bytes += vote.len() + 8;
            list.push(ByteBuf::from(vote));
            if bytes >= LIST_BYTES_MAX {
                bytes = 0;
                self.queue(Message::Votes { list: std::mem::take(&mut list) });
            }
        }
        if !list.is_empty() {
            self.queue(Message::Votes { list });
        }
    }

    fn next_entries(
        &mut self,
        log: &Log,
        entries: &dyn Fn(&Cid) -> Option<SignedEntry>,
        places: &mut VecDeque<u32>,
    ) -> Vec<SignedEntry> {
        let mut list = Vec::new();
        let mut bytes = 0;
        while bytes < LIST_BYTES_MAX
            && let Some(place) = places.pop_front()
        {
            match log.digest_at(place).and_then(|digest| entries(&id_of(&digest))) {
                Some(entry) => {
                    bytes += entry.entry().len() + ENTRY_OVERHEAD_BYTES;
                    list.push(entry);
                }
                None => self.summary.is_complete = false,
            }
        }
        list
    }
}

fn next_proofs(
    log: &Log,
    entries: &dyn Fn(&Cid) -> Option<SignedEntry>,
    places: &mut VecDeque<(Did, u64)>,
) -> Vec<ForkProof> {
    let mut list = Vec::new();
    let mut bytes = 0;
    while bytes < LIST_BYTES_MAX
        && let Some((author, seq)) = places.pop_front()
    {
        if let Some(proof) = log.proof(&author, seq, entries) {
            bytes += proof.first.entry().len() + proof.second.entry().len() + 2 * ENTRY_OVERHEAD_BYTES;
            list.push(proof);
        }
    }
    list
}
