//! What a node's shell does: start the machine from the disk, hand it what happens, carry out what it asks for.

use std::sync::Arc;

use icn_gossip::{LiveMessage, SignedEntry};
use icn_identity::Verifier;
use icn_ledger::SignedVote;
use icn_ledger::replica::{Arrived, Checked, Effect, Event, Replica, ReplicaConfig, SessionId, Turn, Write};
use icn_types::Duration;

use super::node::Step;
use super::planted::Planted;
use super::world::{Federation, Happening};

/// How often nodes reconcile, in these short lives.
const SYNC_PERIOD: Duration = Duration::from_secs(3);

impl Federation {
    /// Starts a node from its disk.
    pub(super) fn start(&mut self, at: usize) {
        let (now, space, planted) = (self.clock(at), self.space, self.planted);
        let seed = self.random.next();
        let verifier = Arc::clone(&self.verifier);
        let Some(node) = self.nodes.get_mut(at).filter(|node| !node.is_up()) else { return };
        node.boot += 1;
        node.is_new = false;
        let config = ReplicaConfig {
            has_peers: node.disk.has_peers && planted != Some(Planted::NoConfirming),
            invitation: node.invitation.clone(),
            sync_period: SYNC_PERIOD,
            accepts: node.plan.accepts,
            seed,
            ..ReplicaConfig::new(space, node.did)
        };
        let mut replica = Replica::new(config, Box::new(node.disk.reader()), verifier);
        for signer in &node.signers {
            replica.add_identity(Arc::clone(signer));
        }
        for (witness, record) in &node.disk.votes {
            replica.restore_vote(*witness, record);
        }
        let mut damaged = None;
        for (idx, entry) in node.disk.entries() {
            if let Err(error) = replica.restore(entry) {
                damaged = Some(format!("entry {idx} of n{at}'s disk cannot be read back: {error}"));
            }
        }
        replica.restored(now);
        node.looked_at = 0;
        node.written = u32::try_from(replica.log().len()).unwrap_or(u32::MAX);
        let lost = node.told.iter().find(|id| !node.is_restored && !replica.log().contains(id)).copied();
        node.replica = Some(replica);
        self.story.tell(self.now_ms, || format!("n{at} starts"));
        self.ensure(damaged.is_none(), || damaged.unwrap_or_default());
        self.ensure(lost.is_none(), || {
            format!("n{at} has told a user of entry {lost:?}, and after a crash it is gone")
        });
        self.relink();
        self.tick_soon(at);
    }

    /// Kills a node: memory is lost, and every write that was not durable.
    pub(super) fn kill(&mut self, at: usize) {
        let survivors = self.nodes.get(at).map_or(0, |node| node.disk.queue_len());
        let survivors = self.random.index(survivors + 1);
        let planted = self.planted;
        let Some(node) = self.nodes.get_mut(at).filter(|node| node.is_up()) else { return };
        let had = node.replica.take();
        node.line.clear();
        node.disk.kill(survivors);
        if planted == Some(Planted::LastEntryLost) {
            node.disk.lose_last();
        }
        if let Some(had) = had {
            self.forget_takings(at, &had);
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        let unanswered: Vec<usize> = std::mem::take(&mut node.tickets).into_values().collect();
        self.report.crashes += 1;
        self.story.tell(self.now_ms, || format!("n{at} is killed"));
        for intent in unanswered {
            self.ask_again(intent);
        }
        self.cut_sessions_of(at);
        self.relink();
    }

    /// Hands something that happened to the machine, and lets it do what follows.
    pub(super) fn turn(&mut self, at: usize, event: Event) {
        let now = self.clock(at);
        let is_tick = matches!(event, Event::Tick);
        // A shell hands over all that waits before it lets the machine settle.
        let settles = is_tick || !self.random.chance(200_000);
        if !is_tick {
            self.say(|it| format!("n{at} {}", it.event_line(&event)));
        }
        let Some(replica) = self.nodes.get_mut(at).and_then(|node| node.replica.as_mut()) else { return };
        let mut effects = replica.handle(now, event);
        if settles {
            effects.extend(replica.settle(now));
        }
        self.report.turns += 1;
        self.take(at, effects);
        self.look(at);
    }

    /// Makes one write of all the writes of a turn, and puts everything else behind it.
    fn take(&mut self, at: usize, effects: Vec<Effect>) {
        let mut turn = Turn::of(effects);
        let planted = self.planted;
        turn.at_once.extend(turn.behind.extract_if(.., |effect| match effect {
            Effect::Publish(_) => planted == Some(Planted::PublishFirst),
            Effect::Answer { .. } => planted == Some(Planted::AnswerFirst),
            Effect::Persist(_)
            | Effect::Verdict { .. }
            | Effect::OpenSession { .. }
            | Effect::SendFrame { .. }
            | Effect::CloseSession { .. }
            | Effect::Check { .. }
            | Effect::Changed(_) => false,
        }));
        for effect in std::mem::take(&mut turn.at_once) {
            self.perform(at, effect);
        }
        if self.planted == Some(Planted::VotesForgotten) {
            turn.writes.retain(|write| !matches!(write, Write::Vote { .. }));
        }
        self.watch_writes(at, &turn.writes);
        // A disk has bytes, not promises.
        turn.promises().for_each(SignedEntry::keep_promise);
        let entries = turn.entries();
        let Turn { writes, behind, .. } = turn;
        let write = if writes.is_empty() { None } else { self.write(at, writes) };
        if let Some(node) = self.nodes.get_mut(at)
            && (write.is_some() || !behind.is_empty())
        {
            node.line.push_back(Step { write, entries, effects: behind });
        }
        self.advance(at);
    }

    fn write(&mut self, at: usize, writes: Vec<Write>) -> Option<u64> {
        let stalls = self.random.chance(self.plan.stall_ppm);
        let mut takes = self.random.within(self.plan.sync_ms);
        if stalls && !self.is_calm {
            takes += 1_500;
        }
        let now = self.now_ms;
        let node = self.nodes.get_mut(at)?;
        let number = node.disk.write(writes);
        let boot = node.boot;
        node.disk.busy_until = node.disk.busy_until.max(now) + takes;
        let after = node.disk.busy_until - now;
        self.after(after, Happening::Durable { node: at, boot, number });
        Some(number)
    }

    /// Carries out what waited for writes that are durable now.
    pub(super) fn advance(&mut self, at: usize) {
        loop {
            let now = self.clock(at);
            let Some(node) = self.nodes.get_mut(at) else { return };
            let Some(step) = node.line.front() else { return };
            if step.write.is_some_and(|write| !node.disk.is_durable(write)) {
                return;
            }
            let Some(step) = node.line.pop_front() else { return };
            if let (Some(entries), Some(replica)) = (step.entries, node.replica.as_mut()) {
                drop(replica.handle(now, Event::Durable { entries }));
            }
            for effect in step.effects {
                self.perform(at, effect);
            }
        }
    }

    fn perform(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Persist(_) | Effect::Verdict { .. } | Effect::Changed(_) => {}
            Effect::Publish(message) => {
                let Ok(bytes) = message.encode() else { return };
                self.watch_publish(at, &bytes);
                self.publish(at, &bytes);
            }
            Effect::Answer { ticket, result } => self.answered(at, ticket, result),
            Effect::OpenSession { node } => self.open_session(at, node),
            Effect::SendFrame { session, bytes } => self.send_frame(at, session, bytes),
            Effect::CloseSession { session } => self.close_session(session),
            Effect::Check { session, entries, proofs, votes } => {
                let arrived = self.checked(entries, proofs, &votes);
                let takes = self.random.within((0, 20));
                let boot = self.nodes.get(at).map_or(0, |node| node.boot);
                let event = Event::Checked { session, arrived };
                self.after(takes, Happening::Event { node: at, boot, event });
            }
        }
    }

    fn checked(
        &self,
        entries: Vec<SignedEntry>,
        proofs: Vec<icn_gossip::ForkProof>,
        votes: &[Vec<u8>],
    ) -> Arrived {
        if self.planted == Some(Planted::DeafToSync) {
            return Arrived::default();
        }
        let verifier: &dyn Verifier = self.verifier.as_ref();
        Arrived {
            entries: entries.into_iter().map(|entry| Checked::new(entry, verifier)).collect(),
            proofs: proofs.into_iter().filter(|proof| proof.check(verifier).is_ok()).collect(),
            votes: votes
                .iter()
                .filter_map(|vote| SignedVote::parse(vote).ok())
                .filter(|vote| vote.verify(verifier).is_ok())
                .collect(),
        }
    }

    pub(super) fn session_name(&self, session: SessionId) -> String {
        self.ends.get(&session).map_or_else(
            || format!("s{}", session.0),
            |end| format!("s{} with n{}", session.0 / 2, end.peer_node),
        )
    }

    pub(super) fn live_line(&self, bytes: &[u8]) -> String {
        match LiveMessage::parse(bytes) {
            Ok(LiveMessage::Entry(signed)) => self.entry_line(&signed),
            Ok(LiveMessage::Proof(_)) => "a proof of a fork".to_owned(),
            Ok(LiveMessage::Extra(bytes)) => match SignedVote::parse(&bytes) {
                Ok(vote) => format!(
                    "a vote of {} for {}/{} {}",
                    self.name(&vote.by),
                    self.name(&vote.vote.author),
                    vote.vote.seq,
                    vote.vote.entry.short()
                ),
                Err(_) => "no vote".to_owned(),
            },
            Err(_) => "no message".to_owned(),
        }
    }
}
