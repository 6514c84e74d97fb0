//! Reconciling with other nodes of the space: with whom, when, and what follows.

use std::collections::BTreeMap;

use icn_gossip::{Hello, Step, SyncSession};
use icn_types::{Did, Duration, Timestamp};

use super::event::{Effect, SessionId, Write};
use super::pass::{Bearer, Pass};
use super::posting::Own;
use super::{Replica, view};
use crate::certificate::SignedVote;
use crate::misbehaviour::Violation;
use crate::witness::Era;

/// Reconciliations that this node has opened, at once. Full: the next one waits.
const OURS_MAX: usize = 2;
/// Reconciliations in all. Full: a new one is refused.
const SESSIONS_MAX: usize = 16;
/// Nodes that are remembered. Full: those that leave are forgotten at once.
const NODES_MAX: usize = 1_024;
/// After an entry whose past is missing, so long is waited for it to come by itself.
const MISSING_PAUSE: Duration = Duration::from_millis(150);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// After a failed try, so long until the next.
const RETRY_PAUSE: Duration = Duration::from_millis(1_000);
/// A node that left is tried for so long.
const ABSENCE_MAX: Duration = Duration::from_secs(600);
/// Two nodes that meet do not both begin at once: the one with the higher DID waits so long.
const YIELD: Duration = Duration::from_millis(400);
/// A reconciliation that takes longer is given up.
const SESSION_TIME_MAX: Duration = Duration::from_secs(600);
/// Votes that go with a reconciliation.
const VOTES_MAX: usize = 4_096;
/// So long after the start one merged node is enough: another that never finishes must not keep everybody from writing.
const CONFIRM_TIME: Duration = Duration::from_secs(30);
/// So many merged nodes confirm the own head, even when more are connected.
const CONFIRMING: usize = 3;

/// A node of the space.
#[derive(Debug)]
pub(super) struct Node {
    is_up: bool,
    /// When it left: it is tried for a while, since it may be the network that went.
    left: Timestamp,
    /// Whether a stream to it is being opened.
    is_opening: bool,
    /// Whether everything that it had was taken in since the start.
    is_merged: bool,
    /// The member on whose word it last read.
    member: Option<Did>,
    /// How long until the next try, after one that did not bring everything.
    pause: Duration,
    next: Timestamp,
}

/// One reconciliation.
pub(super) struct Session {
    node: Did,
    is_ours: bool,
    began: Timestamp,
    machine: Option<SyncSession>,
    /// On whose word the other side reads.
    member: Option<Did>,
    /// What the witnesses of this node knew when it began.
    eras: BTreeMap<Did, Era>,
    /// Batches that are being checked.
    unchecked: u32,
    /// Whether both sides have said all, and whether that was everything.
    is_done: Option<bool>,
    /// Whether something that it brought could not be applied.
    is_partial: bool,
    is_closed: bool,
}

impl Node {
    /// Is reconciled with again soon, and each time a little later: nobody makes us run in circles.
    fn try_again(&mut self, now: Timestamp) {
        self.next = self.next.min(now.plus(self.pause));
        self.pause = Duration::from_millis((self.pause.as_millis() * 2).min(PAUSE_MAX.as_millis()));
    }
}

impl Replica {
    pub(super) fn peer_up(&mut self, now: Timestamp, node: Did) -> Vec<Effect> {
        if node == self.config.node || (self.nodes.len() >= NODES_MAX && !self.nodes.contains_key(&node)) {
            return Vec::new();
        }
        let next = if self.config.node < node { now } else { now.plus(YIELD) };
        let known = self.nodes.entry(node).or_insert(Node {
            is_up: true,
            left: now,
            is_opening: false,
            is_merged: false,
            member: None,
            pause: MISSING_PAUSE,
            next,
        });
        known.is_up = true;
        known.next = known.next.min(next);
        self.begin_due(now)
    }

    pub(super) fn peer_down(&mut self, now: Timestamp, node: Did) -> Vec<Effect> {
        if let Some(known) = self.nodes.get_mut(&node) {
            known.is_up = false;
            known.left = now;
            known.next = now.plus(RETRY_PAUSE);
        }
        if self.nodes.len() >= NODES_MAX {
            self.nodes.remove(&node);
        }
        Vec::new()
    }

    /// Lists the nodes that were reconciled with since the start on the word of a member, each with that member.
    pub fn serving(&self) -> impl Iterator<Item = (Did, Did)> {
        self.nodes.iter().filter_map(|(node, known)| Some((*node, known.member?)))
    }

    /// Begins what is due, and gives up what takes too long.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let is_late = |session: &Session| now.since(session.began) > SESSION_TIME_MAX;
        let late: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| is_late(session)).map(|(id, _)| *id).collect();
        let mut effects: Vec<Effect> =
            late.into_iter().map(|session| Effect::CloseSession { session }).collect();
        effects.extend(self.begin_due(now));
        effects
    }

    /// An entry came whose past is not here: whoever sent it has it.
    pub(super) fn miss(&mut self, now: Timestamp, from: Did) {
        if let Some(node) = self.nodes.get_mut(&from) {
            node.try_again(now);
        }
    }

    fn begin_due(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut ours = self.sessions.values().filter(|session| session.is_ours).count();
        let mut due: Vec<(Timestamp, Did)> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.is_up || (node.is_merged && now.since(node.left) < ABSENCE_MAX))
            .filter(|(_, node)| !node.is_opening && node.next <= now)
            .map(|(did, node)| (node.next, *did))
            .collect();
        due.sort_unstable();
        for (_, did) in due {
            if ours >= OURS_MAX {
                break;
            }
            if self.sessions.values().any(|session| session.node == did) {
                continue;
            }
            let next = now.plus(self.period());
            if let Some(node) = self.nodes.get_mut(&did) {
                node.next = next;
                node.is_opening = true;
                ours += usize::from(node.is_up);
                effects.push(Effect::OpenSession { node: did });
            }
        }
        effects
    }

    /// The usual period, a little different each time, so that nodes do not march in step.
    fn period(&mut self) -> Duration {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.turn = self.turn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.turn;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let period = self.config.sync_period.as_millis();
        Duration::from_millis(period * 3 / 4 + (mixed >> 33) % (period / 2 + 1))
    }

    pub(super) fn session_failed(&mut self, now: Timestamp, node: Did) -> Vec<Effect> {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.is_opening = false;
            node.next = now.plus(RETRY_PAUSE);
        }
        Vec::new()
    }

    pub(super) fn session_opened(
        &mut self,
        now: Timestamp,
        session: SessionId,
        node: Did,
        is_ours: bool,
    ) -> Vec<Effect> {
        if let Some(node) = self.nodes.get_mut(&node).filter(|_| is_ours) {
            node.is_opening = false;
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return vec![Effect::CloseSession { session }];
        }
        let mut witnesses = std::mem::take(&mut self.witnesses);
        let eras = {
            let view = view::View::new(self);
            witnesses.iter_mut().map(|(did, witness)| (*did, witness.sync_began(&view))).collect()
        };
        self.witnesses = witnesses;
        let mut state = Session {
            node,
            is_ours,
            began: now,
            machine: None,
            member: None,
            eras,
            unchecked: 0,
            is_done: None,
            is_partial: false,
            is_closed: false,
        };
        let mut effects = Vec::new();
        if is_ours {
            let (machine, steps) = SyncSession::initiate(&self.log, self.pass(now), self.votes());
            state.machine = Some(machine);
            effects = self.follow(now, session, &mut state, steps);
        }
        self.sessions.insert(session, state);
        effects
    }

    pub(super) fn session_frame(&mut self, now: Timestamp, session: SessionId, bytes: &[u8]) -> Vec<Effect> {
        let Some(mut state) = self.sessions.remove(&session) else { return Vec::new() };
        let answered = match &mut state.machine {
            Some(machine) => machine.handle(&self.log, &|id| self.entry(id), bytes),
            None => match self.answer_hello(now, &mut state, bytes) {
                Ok(answered) => answered,
                Err(refusal) => {
                    let close = Effect::CloseSession { session };
                    return vec![Effect::SendFrame { session, bytes: refusal }, close];
                }
            },
        };
        let effects = match answered {
            Ok(steps) => self.follow(now, session, &mut state, steps),
            Err(error) => {
                self.offend(now, state.node, Violation::Malformed, &error.to_string());
                vec![Effect::CloseSession { session }]
            }
        };
        self.sessions.insert(session, state);
        effects
    }

    /// Everything that was sent has left: there may be more.
    pub(super) fn session_drained(&mut self, now: Timestamp, session: SessionId) -> Vec<Effect> {
        let Some(mut state) = self.sessions.remove(&session) else { return Vec::new() };
        let steps = match &mut state.machine {
            Some(machine) if machine.is_sending() => machine.pump(&self.log, &|id| self.entry(id)),
            Some(_) | None => Vec::new(),
        };
        let effects = self.follow(now, session, &mut state, steps);
        self.sessions.insert(session, state);
        effects
    }

    /// Answers the first message of a stream that another node opened, if it may read.
    fn answer_hello(
        &self,
        now: Timestamp,
        state: &mut Session,
        bytes: &[u8],
    ) -> Result<Result<Vec<Step>, icn_gossip::SyncError>, Vec<u8>> {
        let hello = match Hello::parse(bytes) {
            Ok(hello) => hello,
            Err(error) => return Ok(Err(error)),
        };
        match self.may_read(now, state.node, &hello) {
            Some(member) => state.member = member,
            None => {
                return Err(icn_gossip::refuse(
                    "not_a_member",
                    "the books of this space are shown to its members, to whoever holds an invitation, and to those whom members trust",
                ));
            }
        }
        Ok(SyncSession::respond(&self.log, hello, self.pass(now), self.votes()).map(|(machine, steps)| {
            state.machine = Some(machine);
            steps
        }))
    }

    /// Tells whether a node may read, and on which member's word.
    fn may_read(&self, now: Timestamp, node: Did, hello: &Hello) -> Option<Option<Did>> {
        let pass = hello.pass.as_ref().and_then(|bytes| Pass::parse(bytes));
        let verifier = self.verifier.as_ref();
        let introduced = pass.as_ref().and_then(|pass| pass.introduced_by(self.config.space, now, verifier));
        let bearer = pass.and_then(|pass| pass.verify(self.config.space, node, now, verifier).ok());
        let (is_member, member) = match bearer {
            // Its entry may not have come here yet; the steward that invited it is known.
            Some(Bearer::Member(member)) => {
                let is_introduced = introduced.is_some_and(|steward| self.knows(&steward));
                (self.knows(&member) || is_introduced, Some(member))
            }
            Some(Bearer::Invited { by }) => (self.knows(&by), None),
            None => (false, None),
        };
        let trusted = || [Some(node), member].into_iter().flatten().map(|did| (self.trust)(&did)).max();
        let trust_ppm = if is_member { 0 } else { trusted().unwrap_or(0) };
        self.access.admits(is_member, trust_ppm).then_some(member)
    }

    /// Tells whether somebody belongs to the space. Who has just been let in knows nobody yet, and believes its own
    /// invitation.
    fn knows(&self, member: &Did) -> bool {
        self.writers.contains(member) || self.log.is_empty()
    }

    /// What this node shows to others.
    fn pass(&self, now: Timestamp) -> Option<Vec<u8>> {
        let member = self.own.values().find(|own| self.writers.contains(&own.signer.did()));
        let word = |own: &Own| Pass::member(self.config.space, self.config.node, now, own.signer.as_ref());
        let pass = match (member, &self.config.invitation) {
            (Some(own), invitation) => word(own).with_invitation(invitation.as_ref()),
            (None, Some(invitation)) => Pass::Invitation(Box::new(invitation.clone())),
            // Who has nothing of the books yet cannot know which of its members they let in: each in turn.
            (None, None) => {
                let turn = usize::try_from(self.turn >> 33).unwrap_or(0);
                word(self.own.values().nth(turn.checked_rem(self.own.len())?)?)
            }
        };
        Some(pass.to_bytes())
    }

    /// Lists the votes that others may need: those that wait for more, and those of certificates that no entry carries.
    fn votes(&self) -> Vec<Vec<u8>> {
        let unwritten = self.certificates.values().filter(|certificate| !self.is_written(&certificate.entry));
        let of_certificates = unwritten.flat_map(|certificate| {
            let vote = certificate.vote(self.config.space);
            certificate.votes.iter().map(move |(by, sig)| SignedVote {
                vote: vote.clone(),
                by: *by,
                sig: sig.clone(),
            })
        });
        let pending = self.tally.pending(VOTES_MAX).into_iter();
        pending.chain(of_certificates).take(VOTES_MAX).map(|vote| vote.encode()).collect()
    }

    fn follow(
        &mut self,
        now: Timestamp,
        session: SessionId,
        state: &mut Session,
        steps: Vec<Step>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let (mut entries, mut proofs, mut votes) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Send(bytes) => effects.push(Effect::SendFrame { session, bytes }),
                Step::Peer(hello) => match self.may_read(now, state.node, &hello) {
                    Some(member) => state.member = member,
                    // It must not be shown what we have.
                    None => return vec![Effect::CloseSession { session }],
                },
                Step::Received(list) => entries.extend(list),
                Step::Proofs(list) => proofs.extend(list),
                Step::Extra(list) => votes.extend(list),
                Step::Refused { .. } => {
                    if let Some(node) = self.nodes.get_mut(&state.node) {
                        node.next = now.plus(RETRY_PAUSE);
                    }
                    effects.push(Effect::CloseSession { session });
                }
                Step::Done(summary) => {
                    state.is_done = Some(summary.is_complete);
                    effects.push(Effect::CloseSession { session });
                }
            }
        }
        if !(entries.is_empty() && proofs.is_empty() && votes.is_empty()) {
            state.unchecked += 1;
            effects.push(Effect::Check { session, entries, proofs, votes });
        }
        if state.unchecked == 0 && state.is_done.is_some() {
            self.merge(now, state);
        }
        effects
    }

    /// A batch that a session brought was taken in.
    pub(super) fn session_checked(&mut self, now: Timestamp, session: SessionId) -> Vec<Effect> {
        let Some(mut state) = self.sessions.remove(&session) else { return Vec::new() };
        state.unchecked = state.unchecked.saturating_sub(1);
        if state.unchecked == 0 && state.is_done.is_some() {
            self.merge(now, &mut state);
        }
        if !(state.is_closed && state.unchecked == 0) {
            self.sessions.insert(session, state);
        }
        Vec::new()
    }

    pub(super) fn session_closed(&mut self, now: Timestamp, session: SessionId) -> Vec<Effect> {
        let Some(mut state) = self.sessions.remove(&session) else { return Vec::new() };
        if state.is_done.is_none() {
            if let Some(node) = self.nodes.get_mut(&state.node) {
                node.next = node.next.min(now.plus(RETRY_PAUSE));
            }
        } else if state.unchecked > 0 {
            state.is_closed = true;
            self.sessions.insert(session, state);
        }
        Vec::new()
    }

    /// Notes that something which a session brought could not be applied.
    pub(super) fn partial(&mut self, session: SessionId) {
        if let Some(state) = self.sessions.get_mut(&session) {
            state.is_partial = true;
        }
    }

    /// Names the node at the other end of a session.
    pub(super) fn session_node(&self, session: SessionId) -> Option<Did> {
        self.sessions.get(&session).map(|session| session.node)
    }

    /// Everything that a node had is here.
    fn merge(&mut self, now: Timestamp, state: &mut Session) {
        // What a node has is whole by itself: entries that wait here for an invented past say nothing about it.
        if state.is_done != Some(true) || state.is_partial {
            if let Some(node) = self.nodes.get_mut(&state.node) {
                node.try_again(now);
            }
            return;
        }
        if let Some(node) = self.nodes.get_mut(&state.node) {
            node.is_merged = true;
            node.member = state.member;
            node.pause = MISSING_PAUSE;
        }
        for (did, era) in std::mem::take(&mut state.eras) {
            if let Some(witness) = self.witnesses.get_mut(&did) {
                for with in [Some(state.node), state.member].into_iter().flatten() {
                    witness.merged(with, era);
                }
            }
        }
        if state.member.is_some() && !self.config.has_peers {
            self.config.has_peers = true;
            self.notes.push(Write::HasPeers);
        }
        let merged = self.nodes.values().filter(|node| node.is_merged).count();
        let all_up = self.nodes.values().filter(|node| node.is_up).all(|node| node.is_merged);
        if merged >= CONFIRMING || (merged > 0 && (all_up || now.since(self.started) > CONFIRM_TIME)) {
            for own in self.own.values_mut() {
                own.is_confirmed = true;
            }
        }
    }

    /// Notes, before anybody else is let in, that from now on other nodes may have parts of the chains that are written
    /// here.
    pub fn note_peers(&mut self) {
        if !self.config.has_peers {
            self.config.has_peers = true;
            self.notes.push(Write::HasPeers);
            // Until now nobody else could have had anything.
            for own in self.own.values_mut() {
                own.is_confirmed = true;
            }
        }
    }
}
