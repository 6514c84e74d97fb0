//! The answers that direct messages wait for.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use icn_net::ReplySender;
use icn_protocol::Response;
use icn_protocol::replay::MessageKey;
use tokio::sync::oneshot;

use crate::core::{Node, lock};

/// Where one answer goes.
pub(crate) enum Asker {
    /// To a peer.
    Peer(ReplySender),
    /// To this node itself.
    Local(oneshot::Sender<Response>),
}

impl Asker {
    pub(crate) fn answer(self, response: &Response) {
        match self {
            Self::Peer(reply) => reply.send(response.encode().into()),
            Self::Local(sender) => drop(sender.send(response.clone())),
        }
    }
}

struct Waiting {
    key: MessageKey,
    askers: Vec<Asker>,
}

/// The direct messages that a machine has not answered yet.
#[derive(Default)]
pub(crate) struct Tickets {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Waiting>>,
    by_id: Mutex<HashMap<[u8; 32], u64>>,
}

impl Tickets {
    /// Gives out a ticket for a message.
    pub(crate) fn issue(&self, key: MessageKey, asker: Asker) -> u64 {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.by_id).insert(key.id, ticket);
        lock(&self.open).insert(ticket, Waiting { key, askers: vec![asker] });
        ticket
    }

    /// Adds one who sent the same message again; gives it back when the message is not waiting any more.
    pub(crate) fn join(&self, id: &[u8; 32], asker: Asker) -> Option<Asker> {
        let Some(ticket) = lock(&self.by_id).get(id).copied() else { return Some(asker) };
        match lock(&self.open).get_mut(&ticket) {
            Some(waiting) => {
                waiting.askers.push(asker);
                None
            }
            None => Some(asker),
        }
    }
}

impl Node {
    /// Answers the message of a ticket, to all who sent it, and remembers the answer for those who send it again.
    pub(crate) fn reply(&self, ticket: u64, response: &Response) {
        let Some(waiting) = lock(&self.tickets.open).remove(&ticket) else { return };
        lock(&self.tickets.by_id).remove(&waiting.key.id);
        lock(&self.guard).answer(waiting.key, response);
        for asker in waiting.askers {
            asker.answer(response);
        }
    }
}
