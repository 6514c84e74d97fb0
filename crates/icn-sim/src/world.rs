//! The loop: what happens next, to whom, and whether all promises still hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use icn_identity::Verifier;
use icn_mesh::{Answer, Effect, Executor, ExecutorEvent, JobRecord, Originator, OriginatorEvent, Timer};
use icn_types::{Cid, Did};

use crate::check::{Violation, Watch};
use crate::config::Config;
use crate::guest::Moment;
use crate::job::Job;
use crate::keys;
use crate::ledger::{Ledger, Says};
use crate::network::Exchange;
use crate::node::Node;
use crate::outside::Outside;
use crate::random::Random;
use crate::story::Story;

/// Something that happens at a moment.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A direct message arrives.
    Direct { from: usize, to: usize, exchange: u64, bytes: Vec<u8> },
    /// The answer to one arrives.
    Respond { from: usize, exchange: u64, bytes: Vec<u8> },
    /// The sender of one waits no longer.
    GiveUp { exchange: u64, answer: Answer },
    /// A gossip message arrives.
    Gossip { from: usize, to: usize, topic: String, bytes: Vec<u8> },
    /// A timer fires.
    Fire { node: usize, boot: u64, timer: Timer },
    /// Writes up to this one are durable.
    Durable { node: usize, boot: u64, number: u64 },
    /// A guest starts, speaks or ends.
    Guest { node: usize, boot: u64, guest: u64, moment: Moment },
    /// A receipt was fetched, or could not be.
    Fetched { node: usize, boot: u64, job: Cid, receipt: Cid, executor: Did },
    /// What a node asks of the ledger is done.
    Ledger { node: usize, boot: u64, effect: Box<Effect> },
    /// The ledger tells a node something.
    LedgerSays { node: usize, boot: u64, says: Says },
    /// The time of a hold is over.
    HoldExpires { hold: String },
    /// An executor advertises itself.
    Advertise { node: usize, boot: u64 },
    /// A cheat does what it does.
    Cheat { node: usize, boot: u64 },
    /// A peer has subscribed.
    Listener { node: usize, boot: u64 },
    /// Users and fate.
    Outside(Outside),
}

/// A job, as its user knows it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) owner: usize,
    pub(crate) number: u64,
    pub(crate) job: Job,
    /// Whether its user was told that it is taken.
    pub(crate) taken: bool,
}

/// A deterministic network of nodes.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) config: Config,
    pub(crate) random: Random,
    pub(crate) now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    numbers: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) by_did: BTreeMap<Did, usize>,
    pub(crate) cuts: BTreeSet<(usize, usize)>,
    pub(crate) exchanges: BTreeMap<u64, Exchange>,
    pub(crate) plans: BTreeMap<Cid, Plan>,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) ledger: Ledger,
    pub(crate) watch: Watch,
    pub(crate) story: Story,
}

impl World {
    /// Makes a world and starts its nodes at the moment 0.
    #[must_use]
    pub fn new(seed: u64, config: Config) -> Self {
        let nodes: Vec<Node> = config
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| Node::new(node.clone(), keys::signer(config.real_signatures, seed, at)))
            .collect();
        let mut world = Self {
            seed,
            random: Random::new(seed),
            now_ms: 0,
            queue: BTreeMap::new(),
            numbers: 0,
            by_did: nodes.iter().enumerate().map(|(at, node)| (node.did, at)).collect(),
            nodes,
            cuts: BTreeSet::new(),
            exchanges: BTreeMap::new(),
            plans: BTreeMap::new(),
            verifier: keys::verifier(config.real_signatures),
            ledger: Ledger::default(),
            watch: Watch::default(),
            story: Story::new(config.story),
            config,
        };
        for at in 0..world.nodes.len() {
            world.start_node(at);
        }
        world
    }

    /// Returns the moment, in milliseconds since the beginning.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Returns the name of a node; all zeros for one that is not there.
    #[must_use]
    pub fn did(&self, node: usize) -> Did {
        self.nodes.get(node).map_or(Did::from_public_key([0; 32]), |node| node.did)
    }

    /// Returns which node has a name.
    #[must_use]
    pub fn node_of(&self, did: &Did) -> Option<usize> {
        self.by_did.get(did).copied()
    }

    /// Returns the jobs that were submitted, or will be.
    #[must_use]
    pub fn jobs(&self) -> Vec<Cid> {
        self.plans.keys().copied().collect()
    }

    /// Returns a job's record: from its originator's memory, or from its disk.
    #[must_use]
    pub fn record(&self, job: &Cid) -> Option<&JobRecord> {
        let node = self.nodes.get(self.plans.get(job)?.owner)?;
        let memory = node.machines.as_ref().and_then(|machines| machines.originator.job(job));
        memory.or_else(|| node.disk.jobs.get(job))
    }

    /// Returns what is durable of a job at its originator.
    #[must_use]
    pub fn durable_record(&self, job: &Cid) -> Option<&JobRecord> {
        self.nodes.get(self.plans.get(job)?.owner)?.disk.jobs.get(job)
    }

    /// Returns a node's originator machine, if the node is up.
    #[must_use]
    pub fn originator(&self, node: usize) -> Option<&Originator> {
        Some(&self.nodes.get(node)?.machines.as_ref()?.originator)
    }

    /// Returns a node's executor machine, if the node is up and has one.
    #[must_use]
    pub fn executor(&self, node: usize) -> Option<&Executor> {
        self.nodes.get(node)?.machines.as_ref()?.executor.as_ref()
    }

    /// Returns what happened so far, if the story is recorded.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        self.story.lines()
    }

    /// Returns how often the guest of a job was started, at all nodes together.
    #[must_use]
    pub fn starts(&self, job: &Cid) -> u64 {
        self.watch.starts(job)
    }

    /// Tells whether all submitted jobs are final on their originators' disks.
    #[must_use]
    pub fn all_final(&self) -> bool {
        self.plans.keys().all(|job| self.durable_record(job).is_some_and(|record| record.status.is_final()))
    }

    /// Tells whether a node has effects that wait for a write.
    pub(crate) fn is_writing(&self) -> bool {
        self.nodes.iter().any(|node| !node.pipeline.is_empty())
    }

    /// Runs until the moment given.
    ///
    /// # Errors
    ///
    /// [`Violation`] when a promise is broken.
    pub fn run_until(&mut self, until_ms: u64) -> Result<(), Box<Violation>> {
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until_ms) {
            self.step()?;
        }
        self.now_ms = self.now_ms.max(until_ms);
        Ok(())
    }

    /// Runs while a condition holds, at most until the moment given; returns whether it ended before that.
    ///
    /// # Errors
    ///
    /// [`Violation`] when a promise is broken.
    pub fn run_while(
        &mut self,
        until_ms: u64,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Box<Violation>> {
        while condition(self) {
            if self.queue.first_key_value().is_none_or(|((at, _), _)| *at > until_ms) {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }

    fn step(&mut self) -> Result<(), Box<Violation>> {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return Ok(()) };
        self.now_ms = at;
        self.happen(happening);
        self.check()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Direct { from, to, exchange, bytes } => self.hear_direct(from, to, exchange, &bytes),
            Happening::Respond { from, exchange, bytes } => self.response_arrives(from, exchange, &bytes),
            Happening::GiveUp { exchange, answer } => self.answered(exchange, answer),
            Happening::Gossip { from, to, topic, bytes } => self.hear_gossip(from, to, &topic, &bytes),
            Happening::Outside(outside) => self.outside(outside),
            Happening::Fire { node, boot, timer } if self.lives(node, boot) => self.fire(node, timer),
            Happening::Durable { node, boot, number } if self.lives(node, boot) => self.durable(node, number),
            Happening::Guest { node, boot, guest, moment } if self.lives(node, boot) => {
                self.guest_moment(node, guest, moment);
            }
            Happening::Fetched { node, boot, job, receipt, executor } if self.lives(node, boot) => {
                self.fetched(node, job, receipt, executor);
            }
            Happening::Ledger { node, boot, effect } if self.lives(node, boot) => {
                self.ledger(node, boot, *effect);
            }
            Happening::LedgerSays { node, boot, says } if self.lives(node, boot) => {
                self.hear_ledger(node, says);
            }
            Happening::HoldExpires { hold } => self.hold_expires(&hold),
            Happening::Advertise { node, boot } if self.lives(node, boot) => self.advertise(node),
            Happening::Cheat { node, boot } if self.lives(node, boot) => self.cheat(node),
            Happening::Listener { node, boot } if self.lives(node, boot) => {
                self.originate(node, OriginatorEvent::ListenerAppeared);
            }
            // The process that this was for is gone.
            Happening::Fire { .. }
            | Happening::Durable { .. }
            | Happening::Guest { .. }
            | Happening::Fetched { .. }
            | Happening::Ledger { .. }
            | Happening::LedgerSays { .. }
            | Happening::Advertise { .. }
            | Happening::Cheat { .. }
            | Happening::Listener { .. } => {}
        }
    }

    fn lives(&self, node: usize, boot: u64) -> bool {
        self.nodes.get(node).is_some_and(|node| node.is_up() && node.boot == boot)
    }

    /// Lets something happen after so many milliseconds.
    pub(crate) fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now_ms.saturating_add(ms), happening);
    }

    pub(crate) fn at(&mut self, ms: u64, happening: Happening) {
        let number = self.number();
        self.queue.insert((ms.max(self.now_ms), number), happening);
    }

    /// Gives a number that was not given before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Brings an event to a node's originator.
    pub(crate) fn originate(&mut self, at: usize, event: OriginatorEvent) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(at) else { return };
        let now = node.now(now_ms);
        let Some(machines) = &mut node.machines else { return };
        self.story.tell(now_ms, || crate::story::originator_line(at, &event));
        let effects = machines.originator.handle(now, event);
        self.take(at, effects);
    }

    /// Brings an event to a node's executor.
    pub(crate) fn execute(&mut self, at: usize, event: ExecutorEvent) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(at) else { return };
        let now = node.now(now_ms);
        let Some(executor) = node.machines.as_mut().and_then(|machines| machines.executor.as_mut()) else {
            return;
        };
        self.story.tell(now_ms, || crate::story::executor_line(at, &event));
        let effects = executor.handle(now, event);
        self.take(at, effects);
    }

    fn fire(&mut self, at: usize, timer: Timer) {
        self.originate(at, OriginatorEvent::Fired(timer.clone()));
        self.execute(at, ExecutorEvent::Fired(timer));
    }
}
