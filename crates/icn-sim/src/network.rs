//! The network between the nodes: direct messages with answers, and gossip.

use icn_mesh::{Answer, ExecutorEvent, OriginatorEvent, RequestId};
use icn_protocol::Response;
use icn_types::{Did, Duration};

use crate::world::{Happening, World};

/// How often a node that cannot be reached is found so at once, in parts per million; else the message is just lost.
const UNSENT_PPM: u64 = 500_000;

/// A direct message whose answer somebody waits for.
#[derive(Debug)]
pub(crate) struct Exchange {
    from: usize,
    boot: u64,
    request: RequestId,
}

impl World {
    /// Sends a direct message; its answer, or that there is none, comes back to the machine that asked.
    pub(crate) fn send(
        &mut self,
        from: usize,
        to: &Did,
        bytes: Vec<u8>,
        request: RequestId,
        patience: Duration,
    ) {
        let to = self.by_did.get(to).copied();
        let boot = self.nodes.get(from).map_or(0, |node| node.boot);
        let exchange = self.number();
        if request != RequestId::Forget {
            self.exchanges.insert(exchange, Exchange { from, boot, request });
            self.after(patience.as_millis(), Happening::GiveUp { exchange, answer: Answer::Silent });
        }
        let Some(to) = to else { return };
        let reachable = self.is_reachable(from, to);
        if !reachable && self.random.chance(UNSENT_PPM) {
            let after = self.random.within((1, 200));
            return self.after(after, Happening::GiveUp { exchange, answer: Answer::Unsent });
        }
        self.deliver(from, to, exchange, bytes);
    }

    /// Puts a message on its way, once, twice or never.
    pub(crate) fn deliver(&mut self, from: usize, to: usize, exchange: u64, bytes: Vec<u8>) {
        let Some(delay) = self.delay(from, to) else { return };
        if from != to && self.random.chance(self.config.network.repeat_ppm) {
            let again = delay + self.random.within((0, 3_000));
            self.after(again, Happening::Direct { from, to, exchange, bytes: bytes.clone() });
        }
        self.after(delay, Happening::Direct { from, to, exchange, bytes });
    }

    /// Says how long a message is on its way, if it arrives at all.
    fn delay(&mut self, from: usize, to: usize) -> Option<u64> {
        if from == to {
            return Some(0);
        }
        if !self.is_reachable(from, to) || self.random.chance(self.config.network.loss_ppm) {
            return None;
        }
        Some(self.random.within(self.config.network.delay_ms))
    }

    /// Tells whether anything can go from one node to another now.
    pub(crate) fn is_reachable(&self, from: usize, to: usize) -> bool {
        let up = self.nodes.get(to).is_some_and(crate::node::Node::is_up);
        up && !self.cuts.contains(&(from, to))
    }

    /// Sends an answer back.
    pub(crate) fn respond(&mut self, exchange: u64, from: usize, response: &Response) {
        let Some(to) = self.exchanges.get(&exchange).map(|exchange| exchange.from) else { return };
        if let Some(delay) = self.delay(from, to) {
            self.after(delay, Happening::Respond { from, exchange, bytes: response.encode() });
        }
    }

    pub(crate) fn response_arrives(&mut self, from: usize, exchange: u64, bytes: &[u8]) {
        let to = self.exchanges.get(&exchange).map(|exchange| exchange.from);
        let open = to.is_some_and(|to| !self.cuts.contains(&(from, to)));
        if let (true, Ok(response)) = (open, Response::decode(bytes)) {
            self.answered(exchange, Answer::Response(response));
        }
    }

    /// Brings an answer, or its absence, to the machine that asked; the first one counts.
    pub(crate) fn answered(&mut self, exchange: u64, answer: Answer) {
        let Some(Exchange { from, boot, request, .. }) = self.exchanges.remove(&exchange) else { return };
        if self.nodes.get(from).is_none_or(|node| node.boot != boot) {
            return;
        }
        self.story.tell(self.now_ms, || format!("n{from} hears {answer:?} to {request:?}"));
        match request {
            RequestId::Assignment { .. } | RequestId::Cancel { .. } => {
                self.originate(from, OriginatorEvent::Answered { request, answer });
            }
            RequestId::Bid { .. } | RequestId::Status { .. } | RequestId::Receipt { .. } => {
                self.execute(from, ExecutorEvent::Answered { request, answer });
            }
            RequestId::Forget => {}
        }
    }

    /// Publishes to every node; to oneself unless only others shall hear it.
    pub(crate) fn gossip(&mut self, from: usize, topic: &str, bytes: &[u8], remote_only: bool) {
        for to in 0..self.nodes.len() {
            if to == from && remote_only {
                continue;
            }
            if let Some(delay) = self.delay(from, to) {
                let (topic, bytes) = (topic.to_owned(), bytes.to_vec());
                self.after(delay, Happening::Gossip { from, to, topic, bytes });
            }
        }
    }
}
