//! Users and fate: what comes from outside, and when.

use icn_ledger::{Act, OrderRef};
use icn_types::Did;

use super::world::Federation;

/// The currency of every federation.
pub(super) const HOURS: &str = "hours";
/// How often members look after what they decide by hand, in milliseconds.
const BY_HAND_MS: u64 = 3_000;

/// Something from outside.
#[derive(Debug, Clone)]
pub(super) enum Outside {
    /// A member wants something new.
    Work,
    /// A member wants what was not answered, once more.
    Ask(usize),
    /// A member goes on with a hold or request.
    Follow(usize),
    /// An approver decides about a proposal, and looks for it so many times more.
    Decide { proposal: OrderRef, by: Did, approves: bool, looks: u8 },
    /// Members accept, decline and take back by hand.
    ByHand(usize),
    /// A steward changes a rule.
    Rule,
    /// A node is killed, and comes back after so many milliseconds.
    Crash(usize, u64),
    /// A node starts.
    Start(usize),
    /// Somebody copies a node's disk.
    Backup(usize),
    /// A node comes back with that copy.
    Restore(usize),
    /// Nodes fall apart into groups.
    Split(Vec<u8>),
    /// They hear each other again.
    Heal,
    /// A node hears nobody for so many milliseconds.
    Drop(usize, u64),
    /// Who was cut off may be back.
    Relink,
    /// A member signs several entries at one place.
    Fork(usize),
    /// A member pays what it does not have.
    Overdraw(usize),
    /// A node publishes what nobody signed.
    Forge(usize),
}

impl Federation {
    /// Draws everything that comes from outside during the trouble.
    pub(super) fn draw_outside(&mut self) {
        let (span, count) = (self.plan.trouble_ms, self.nodes.len());
        let when = |this: &mut Self| this.random.within((0, span));
        for _ in 0..self.plan.posts {
            let at = when(self);
            self.come(at, Outside::Work);
        }
        for _ in 0..self.plan.steward_acts {
            let at = when(self);
            self.come(at, Outside::Rule);
        }
        for _ in 0..self.plan.crashes {
            let (at, node, down) = (when(self), self.random.index(count), self.random.within((10, 9_000)));
            self.come(at, Outside::Crash(node, down));
        }
        for _ in 0..self.plan.backups {
            let (at, node) = (self.random.within((0, span / 2)), self.random.index(count));
            self.come(at, Outside::Backup(node));
            let later = self.random.within((500, span - at));
            self.come(at + later, Outside::Restore(node));
        }
        for _ in 0..self.plan.partitions {
            let groups = (0..count).map(|_| u8::try_from(self.random.index(2)).unwrap_or(0)).collect();
            let (at, long) = (when(self), self.random.within((1_000, 20_000)));
            self.come(at, Outside::Split(groups));
            self.come(at + long, Outside::Heal);
        }
        for _ in 0..self.plan.drops {
            let (at, node, long) = (when(self), self.random.index(count), self.random.within((200, 12_000)));
            self.come(at, Outside::Drop(node, long));
        }
        for at in 0..count {
            let first = self.random.within((0, BY_HAND_MS));
            (0..span.div_ceil(BY_HAND_MS))
                .for_each(|n| self.come(first + n * BY_HAND_MS, Outside::ByHand(at)));
            if self.nodes.get(at).is_some_and(|node| node.is_new) {
                let arrives = self.random.within((0, span));
                self.come(arrives, Outside::Start(at));
            }
            if self.nodes.get(at).is_some_and(|node| !node.is_honest()) {
                for _ in 0..self.plan.forks {
                    let forks = when(self);
                    self.come(forks, Outside::Fork(at));
                    let spends = when(self);
                    self.come(spends, Outside::Overdraw(at));
                    let forges = when(self);
                    self.come(forges, Outside::Forge(at));
                }
            }
        }
    }

    pub(super) fn come(&mut self, after: u64, outside: Outside) {
        self.after(after, super::world::Happening::Outside(outside));
    }

    pub(super) fn outside(&mut self, outside: Outside) {
        match outside {
            Outside::Work if self.is_calm => {}
            Outside::Work => self.work(),
            Outside::Ask(intent) => self.ask(intent),
            Outside::Follow(intent) => self.follow(intent),
            Outside::ByHand(at) => self.by_hand(at, false),
            Outside::Decide { proposal, by, approves, looks } => self.decide(proposal, by, approves, looks),
            Outside::Rule if self.is_calm => {}
            Outside::Rule => self.rule(),
            Outside::Crash(..)
            | Outside::Restore(_)
            | Outside::Split(_)
            | Outside::Drop(..)
            | Outside::Fork(_)
            | Outside::Overdraw(_)
            | Outside::Forge(_)
                if self.is_calm => {}
            Outside::Crash(at, down) => {
                self.kill(at);
                self.come(down, Outside::Start(at));
            }
            Outside::Start(at) => self.start_or_join(at),
            Outside::Backup(at) => {
                // A copy from before the founder met anybody cannot know that there are others.
                if let Some(node) = self.nodes.get_mut(at).filter(|node| node.disk.has_peers && !node.is_new)
                {
                    node.backup = Some(node.disk.image());
                    self.story.tell(self.now_ms, || format!("n{at}'s disk is copied"));
                }
            }
            Outside::Restore(at) => self.restore(at),
            Outside::Split(groups) => {
                self.report.partitions += 1;
                self.story.tell(self.now_ms, || format!("the network falls apart: {groups:?}"));
                self.groups = groups;
                self.relink();
            }
            Outside::Heal => {
                self.story.tell(self.now_ms, || "the network is whole".to_owned());
                self.groups = vec![0; self.nodes.len()];
                self.relink();
            }
            Outside::Drop(at, long) => {
                let until = self.now_ms + long;
                if let Some(node) = self.nodes.get_mut(at) {
                    node.dropped_until = until;
                }
                self.story.tell(self.now_ms, || format!("n{at} hears nobody for {long} ms"));
                self.relink();
                self.come(long, Outside::Relink);
            }
            Outside::Relink => self.relink(),
            Outside::Fork(at) => self.fork(at),
            Outside::Overdraw(at) => self.overdraw(at),
            Outside::Forge(at) => {
                self.forge_approvals(at);
                self.forge(at);
            }
        }
    }

    fn start_or_join(&mut self, at: usize) {
        let is_new = self.nodes.get(at).is_some_and(|node| node.is_new);
        if is_new {
            self.invite(at);
        }
        self.start(at);
        if is_new {
            self.join(at);
        }
    }

    /// Brings a node back with an old copy of its disk: what it wrote since must be known to whoever it will ask.
    fn restore(&mut self, at: usize) {
        let Some(node) = self.nodes.get(at).filter(|node| node.is_up()) else { return };
        let Some(image) = node.backup.clone() else { return };
        let mine: Vec<Did> = node.signers.iter().map(|signer| signer.did()).collect();
        let Some(replica) = &node.replica else { return };
        // Entries on the way to the own disk have not left the node.
        let heads: Vec<_> =
            mine.iter().filter_map(|did| replica.log().head_of(did)).map(|(_, id)| id).collect();
        let others = || self.nodes.iter().enumerate().filter(|(other, node)| *other != at && !node.is_new);
        let known = others().all(|(other, node)| {
            let forges = node.plan.cheat == Some(super::plan::Cheat::Forges);
            self.is_linked(at, other) && heads.iter().all(|head| node.disk.has(head)) && !forges
        });
        if !known || others().count() == 0 || self.nodes.iter().any(|node| node.is_restored) {
            return;
        }
        self.kill(at);
        self.report.backups += 1;
        self.story.tell(self.now_ms, || {
            format!("n{at} comes back with a copy of its disk that has {} entries", image.entries.len())
        });
        if let Some(node) = self.nodes.get_mut(at) {
            node.disk.restore(image);
            node.is_restored = true;
            node.was_restored = true;
        }
        self.start(at);
    }

    /// Founds the space: everybody who is there from the start is a member.
    pub(super) fn found(&mut self) {
        let founder = self.nodes.first().map_or(self.space, |node| node.did);
        let policy = icn_ledger::CreditPolicy { initial: super::check::LINE, ..Default::default() };
        let rules = icn_ledger::SpacePolicy { epoch_seconds: self.plan.epoch_seconds, ..Default::default() };
        let mut acts = vec![
            Act::Found { name: "bakery".to_owned(), created: self.clock(0) },
            Act::Currency { code: HOURS.to_owned(), decimals: 0, policy },
            Act::Policy(rules),
        ];
        for node in self.nodes.iter().filter(|node| !node.is_new) {
            for signer in node.signers.iter().filter(|signer| signer.did() != self.space) {
                acts.push(Act::Admit { member: signer.did(), nickname: None });
            }
        }
        acts.push(Act::Appoint { member: founder });
        let mut members: Vec<Did> =
            self.nodes.iter().take(self.plan.witnesses).map(|node| node.did).collect();
        members.sort_unstable();
        if !members.is_empty() {
            acts.push(Act::Witnesses { number: 1, members });
        }
        acts.extend(self.pot.iter().flat_map(super::pot::Pot::founding));
        self.intend(0, self.space, acts);
    }
}
