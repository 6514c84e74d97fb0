//! The network between replicas: live messages that get lost, and streams that keep order or break.

use icn_gossip::LiveMessage;
use icn_ledger::SignedVote;
use icn_ledger::replica::{Checked, Event, Live, SessionId};
use icn_types::Did;

use super::plan::Cheat;
use super::planted::Planted;
use super::world::{Federation, Happening};

/// How long it takes until a node notices that another one is there or gone.
const NOTICE_MS: u64 = 30;
/// How many frames of a node that forges are damaged, in parts per million.
const DAMAGED_PPM: u64 = 80_000;

/// One end of a stream.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) node: usize,
    boot: u64,
    peer: SessionId,
    pub(super) peer_node: usize,
    pub(super) began: u64,
    is_ours: bool,
    /// Its node knows of it.
    is_known: bool,
    /// Says nothing more.
    is_closed: bool,
    /// What is sent next arrives after this.
    last_arrival: u64,
}

impl Federation {
    /// Connects who can hear each other, and separates who cannot.
    pub(super) fn relink(&mut self) {
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                let (was, is) = (self.links.contains(&(a, b)), self.hears(a, b));
                if was == is {
                    continue;
                }
                if is {
                    self.links.insert((a, b));
                } else {
                    self.links.remove(&(a, b));
                    let cut: Vec<SessionId> = self
                        .ends
                        .iter()
                        .filter(|(_, end)| (end.node, end.peer_node) == (a, b))
                        .map(|(session, _)| *session)
                        .collect();
                    cut.into_iter().for_each(|session| self.break_session(session));
                }
                for (to, other) in [(a, b), (b, a)] {
                    let Some(did) = self.nodes.get(other).map(|node| node.did) else { continue };
                    let event = if is { Event::PeerUp(did) } else { Event::PeerDown(did) };
                    let boot = self.boot(to);
                    self.after(NOTICE_MS, Happening::Event { node: to, boot, event });
                }
            }
        }
    }

    fn hears(&self, a: usize, b: usize) -> bool {
        let is_there = |at: usize| {
            self.nodes.get(at).is_some_and(|node| node.is_up() && node.dropped_until <= self.now_ms)
        };
        is_there(a) && is_there(b) && self.groups.get(a) == self.groups.get(b)
    }

    pub(super) fn is_linked(&self, a: usize, b: usize) -> bool {
        self.links.contains(&(a.min(b), a.max(b)))
    }

    fn boot(&self, at: usize) -> u64 {
        self.nodes.get(at).map_or(0, |node| node.boot)
    }

    fn is_lost(&mut self) -> bool {
        let ppm = self.plan.loss_ppm;
        !self.is_calm && self.random.chance(ppm)
    }

    fn delay(&mut self) -> u64 {
        if self.is_calm { self.random.within((1, 5)) } else { self.random.within(self.plan.delay_ms) }
    }

    /// Publishes to every node that is connected.
    pub(super) fn publish(&mut self, from: usize, bytes: &[u8]) {
        self.say(|it| format!("n{from} publishes {}", it.live_line(bytes)));
        for to in 0..self.nodes.len() {
            if to != from && self.is_linked(from, to) && !self.is_lost() {
                self.bring(from, to, bytes.to_vec());
            }
        }
    }

    /// Puts a message on its way, once or twice.
    pub(super) fn bring(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let delay = self.delay();
        if !self.is_calm && self.random.chance(self.plan.repeat_ppm) {
            let again = delay + self.random.within((0, 3_000));
            self.after(again, Happening::Live { from, to, bytes: bytes.clone() });
        }
        self.after(delay, Happening::Live { from, to, bytes });
    }

    pub(super) fn live_arrives(&mut self, from: usize, to: usize, bytes: &[u8]) {
        if !self.is_linked(from, to) {
            return;
        }
        let verifier = self.verifier.as_ref();
        let live = match LiveMessage::parse(bytes) {
            Ok(LiveMessage::Entry(signed)) => {
                Checked::new(signed, verifier).ok().map(|checked| Live::Entry(Box::new(checked)))
            }
            Ok(LiveMessage::Proof(proof)) => {
                proof.check(verifier).is_ok().then(|| Live::Proof(Box::new(proof)))
            }
            Ok(LiveMessage::Extra(bytes)) => SignedVote::parse(&bytes)
                .ok()
                .filter(|vote| vote.verify(verifier).is_ok())
                .map(|vote| Live::Vote(Box::new(vote))),
            Err(_) => None,
        };
        let (Some(message), Some(from)) = (live, self.nodes.get(from).map(|node| node.did)) else {
            self.story.tell(self.now_ms, || format!("n{to} refuses what n{from} published"));
            return;
        };
        self.turn(to, Event::Live { from, ticket: 0, message });
    }

    pub(super) fn open_session(&mut self, from: usize, node: Did) {
        self.report.sessions += 1;
        let to = self.by_did.get(&node).copied();
        let delay = self.delay();
        let fails = self.is_lost();
        let Some(to) = to.filter(|to| self.is_linked(from, *to) && !fails) else {
            let boot = self.boot(from);
            let event = Event::SessionFailed { node };
            return self.after(delay + 200, Happening::Event { node: from, boot, event });
        };
        let number = self.number();
        let (ours, theirs) = (SessionId(number * 2), SessionId(number * 2 + 1));
        let from_did = self.nodes.get(from).map(|node| node.did);
        let arrival = self.now_ms + delay;
        let back = self.delay();
        for (session, peer, at, other, arrives) in
            [(ours, theirs, from, to, arrival), (theirs, ours, to, from, arrival + back)]
        {
            let end = End {
                node: at,
                boot: self.boot(at),
                peer,
                peer_node: other,
                began: self.now_ms,
                is_ours: session == ours,
                is_known: false,
                is_closed: false,
                last_arrival: arrives,
            };
            self.ends.insert(session, end);
        }
        if let Some(other) = from_did {
            self.after(delay, Happening::Opened { session: theirs, other, is_ours: false });
        }
        self.after(delay + back, Happening::Opened { session: ours, other: node, is_ours: true });
    }

    /// A stream is open; or not, when it broke on the way.
    pub(super) fn session_opened(&mut self, session: SessionId, other: Did, is_ours: bool) {
        let Some(end) = self.ends.get_mut(&session) else { return };
        end.is_known = true;
        let node = end.node;
        self.turn(node, Event::SessionOpened { session, node: other, is_ours });
    }

    pub(super) fn send_frame(&mut self, at: usize, session: SessionId, bytes: Vec<u8>) {
        let is_open = self.ends.get(&session).is_some_and(|end| !end.is_closed);
        if !is_open {
            return;
        }
        if !self.is_calm && self.random.chance(self.plan.break_ppm) {
            self.report.sessions_broken += 1;
            self.say(|it| format!("{} breaks off", it.session_name(session)));
            return self.break_session(session);
        }
        let forges = self.nodes.get(at).is_some_and(|node| node.plan.cheat == Some(Cheat::Forges));
        let bytes = if forges && !self.is_calm && self.random.chance(DAMAGED_PPM) {
            self.damage(bytes)
        } else {
            bytes
        };
        let (delay, now) = (self.delay(), self.now_ms);
        let Some(end) = self.ends.get_mut(&session) else { return };
        end.last_arrival = end.last_arrival.max(now + delay);
        let (after, boot, peer) = (end.last_arrival - now, end.boot, end.peer);
        self.after(after, Happening::Frame { session: peer, bytes });
        self.after(1, Happening::Event { node: at, boot, event: Event::SessionDrained { session } });
    }

    pub(super) fn frame_arrives(&mut self, session: SessionId, bytes: Vec<u8>) {
        let Some(End { node, boot, .. }) = self.ends.get(&session).cloned() else { return };
        if self.is_same(node, boot) {
            self.turn(node, Event::SessionFrame { session, bytes });
        }
    }

    /// One side says nothing more; what it said before still arrives.
    pub(super) fn close_session(&mut self, session: SessionId) {
        let (delay, now) = (self.delay(), self.now_ms);
        let Some(end) = self.ends.get_mut(&session).filter(|end| !end.is_closed) else { return };
        end.is_closed = true;
        end.last_arrival = end.last_arrival.max(now + delay);
        let (after, peer) = (end.last_arrival - now, end.peer);
        self.after(after, Happening::Ended { session: peer });
    }

    pub(super) fn session_ended(&mut self, session: SessionId) {
        self.close_session(session);
        if let Some(end) = self.ends.remove(&session) {
            self.tell_closed(&end, session);
        }
    }

    fn tell_closed(&mut self, end: &End, session: SessionId) {
        if self.planted == Some(Planted::SilentBreaks) {
            return;
        }
        let (node, boot) = (end.node, end.boot);
        if !end.is_known {
            if let (true, Some(other)) = (end.is_ours, self.nodes.get(end.peer_node)) {
                let event = Event::SessionFailed { node: other.did };
                self.after(1, Happening::Event { node, boot, event });
            }
            return;
        }
        self.after(1, Happening::Event { node, boot, event: Event::SessionClosed { session } });
    }

    /// A stream breaks: what is on its way never arrives.
    pub(super) fn break_session(&mut self, session: SessionId) {
        let Some(end) = self.ends.remove(&session) else { return };
        self.tell_closed(&end, session);
        if let Some(peer) = self.ends.remove(&end.peer) {
            self.tell_closed(&peer, end.peer);
        }
    }

    pub(super) fn cut_sessions_of(&mut self, at: usize) {
        let cut: Vec<SessionId> =
            self.ends.iter().filter(|(_, end)| end.node == at).map(|(session, _)| *session).collect();
        cut.into_iter().for_each(|session| self.break_session(session));
    }
}
