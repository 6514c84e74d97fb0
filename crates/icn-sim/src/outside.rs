//! Users and fate: who submits and cancels, what is killed, cut and healed, and when.

use icn_mesh::{Executor, ExecutorEvent, Originator, OriginatorEvent, Submission};
use icn_protocol::{Params, announcement_id};
use icn_types::{Cid, codec};

use crate::job::Job;
use crate::node::Machines;
use crate::world::{Happening, Plan, World};

/// How often an executor advertises itself, in milliseconds.
const ADVERTISE_MS: u64 = 120_000;

/// How often a cheat does what it does, in milliseconds.
pub(crate) const CHEAT_MS: u64 = 2_000;

/// How long a user waits before submitting again to a node that did not take the job, in milliseconds.
const RESUBMIT_MS: u64 = 1_000;

/// Something that no node decides.
#[derive(Debug, Clone)]
pub(crate) enum Outside {
    Submit { job: Cid },
    Cancel { job: Cid, reason: String },
    Kill { node: usize },
    Start { node: usize },
    Cut { from: usize, to: usize },
    Heal,
    Calm,
    Drain { node: usize },
    HandBack { node: usize },
}

impl World {
    /// Submits a job at a node at a moment; the user insists until the node has taken it. A job whose
    /// parameters break a rule of the protocol has the CID of an empty block as its id, and is never taken.
    pub fn submit_at(&mut self, ms: u64, owner: usize, job: Job) -> Cid {
        let number = self.plans.len() as u64;
        let id = Params::new(job.params(self.seed, number))
            .map_or_else(|_| Cid::of_dag_cbor(&[]), |params| announcement_id(&params, &self.did(owner)));
        self.plans.insert(id, Plan { owner, number, job, taken: false });
        self.at(ms, Happening::Outside(Outside::Submit { job: id }));
        id
    }

    /// Cancels a job at a moment.
    pub fn cancel_at(&mut self, ms: u64, job: Cid, reason: &str) {
        self.at(ms, Happening::Outside(Outside::Cancel { job, reason: reason.to_owned() }));
    }

    /// Kills a node at a moment, without warning.
    pub fn kill_at(&mut self, ms: u64, node: usize) {
        self.at(ms, Happening::Outside(Outside::Kill { node }));
    }

    /// Starts a killed node at a moment.
    pub fn start_at(&mut self, ms: u64, node: usize) {
        self.at(ms, Happening::Outside(Outside::Start { node }));
    }

    /// Cuts the way from one node to another at a moment; the way back stays.
    pub fn cut_at(&mut self, ms: u64, from: usize, to: usize) {
        self.at(ms, Happening::Outside(Outside::Cut { from, to }));
    }

    /// Heals all cuts at a moment.
    pub fn heal_at(&mut self, ms: u64) {
        self.at(ms, Happening::Outside(Outside::Heal));
    }

    /// Ends all faults at a moment: nothing is lost any more, all nodes are up, all ways are open, no node drains.
    pub fn calm_at(&mut self, ms: u64) {
        self.at(ms, Happening::Outside(Outside::Calm));
    }

    /// Lets a node take no more jobs from a moment on.
    pub fn drain_at(&mut self, ms: u64, node: usize) {
        self.at(ms, Happening::Outside(Outside::Drain { node }));
    }

    /// Lets a node hand back what it runs at a moment.
    pub fn hand_back_at(&mut self, ms: u64, node: usize) {
        self.at(ms, Happening::Outside(Outside::HandBack { node }));
    }

    pub(crate) fn outside(&mut self, outside: Outside) {
        self.story.tell(self.now_ms, || format!("=== {outside:?}"));
        match outside {
            Outside::Submit { job } => self.submit(job),
            Outside::Cancel { job, reason } => self.cancel(job, reason),
            Outside::Kill { node } => self.kill_node(node),
            Outside::Start { node } => self.start_node(node),
            Outside::Cut { from, to } => drop(self.cuts.insert((from, to))),
            Outside::Heal => self.heal(),
            Outside::Calm => {
                self.config.network.loss_ppm = 0;
                self.config.network.repeat_ppm = 0;
                self.config.disk.stall_ppm = 0;
                self.heal();
                for at in 0..self.nodes.len() {
                    // A process that drains is about to end; the next one takes jobs again.
                    if self.nodes.get(at).is_some_and(|node| node.draining) {
                        self.kill_node(at);
                    }
                    self.start_node(at);
                }
            }
            Outside::Drain { node } => self.drain(node, ExecutorEvent::Drain),
            Outside::HandBack { node } => self.drain(node, ExecutorEvent::HandBack),
        }
    }

    fn drain(&mut self, at: usize, event: ExecutorEvent) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.draining = true;
        }
        self.execute(at, event);
    }

    fn heal(&mut self) {
        self.cuts.clear();
        for at in 0..self.nodes.len() {
            self.listener(at);
        }
    }

    fn listener(&mut self, at: usize) {
        let boot = self.nodes.get(at).map_or(0, |node| node.boot);
        let after = self.random.within((5, 500));
        self.after(after, Happening::Listener { node: at, boot });
    }

    fn submit(&mut self, job: Cid) {
        let again = Happening::Outside(Outside::Submit { job });
        let Some(plan) = self.plans.get(&job).filter(|plan| !plan.taken) else { return };
        let (owner, params, remote) = (plan.owner, plan.job.params(self.seed, plan.number), plan.job.remote);
        let Some(node) = self.nodes.get_mut(owner) else { return };
        if node.disk.jobs.contains_key(&job) {
            self.plans.entry(job).and_modify(|plan| plan.taken = true);
            return;
        }
        let now = node.now(self.now_ms);
        let submitted = node
            .machines
            .as_mut()
            .map(|machines| machines.originator.submit(now, Submission { params, remote, note: None }));
        if let Some(Ok((_, effects))) = submitted {
            self.take(owner, effects);
        }
        // Whether it was taken shows on the disk.
        self.after(RESUBMIT_MS, again);
    }

    fn cancel(&mut self, job: Cid, reason: String) {
        if let Some(owner) = self.plans.get(&job).map(|plan| plan.owner) {
            self.originate(owner, OriginatorEvent::Cancel { job, reason: Some(reason) });
        }
    }

    fn kill_node(&mut self, at: usize) {
        let survivors = self.nodes.get(at).map_or(0, |node| self.random.index(node.disk.queue_len() + 1));
        if let Some(node) = self.nodes.get_mut(at).filter(|node| node.is_up()) {
            node.kill(survivors);
            self.watch_disk(at);
        }
    }

    /// Starts a node that is down: its machines come back from its disk, and from nothing else.
    pub(crate) fn start_node(&mut self, at: usize) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(at).filter(|node| !node.is_up()) else { return };
        node.boot(now_ms);
        let now = node.now(now_ms);
        let signer = || std::sync::Arc::clone(&node.signer);
        let mut originator = Originator::new(signer(), self.config.originator.clone());
        let mut executor = node.config.executor.clone().map(|config| Executor::new(signer(), config));
        let mut effects = Vec::new();
        for record in node.disk.jobs.values().filter_map(read_again) {
            effects.extend(originator.restore(now, record));
        }
        if let Some(executor) = &mut executor {
            for record in node.disk.executions.values().filter_map(read_again) {
                effects.extend(executor.restore(now, record));
            }
            for offer in node.disk.offers.values().filter_map(read_again) {
                effects.extend(executor.restore_offer(now, offer));
            }
        }
        let (boot, executes, cheats) = (node.boot, executor.is_some(), node.config.cheat.is_some());
        node.machines = Some(Machines { originator, executor });
        self.take(at, effects);
        if executes {
            let after = self.random.within((10, 300));
            self.after(after, Happening::Advertise { node: at, boot });
        }
        if cheats {
            self.after(CHEAT_MS, Happening::Cheat { node: at, boot });
        }
        for other in 0..self.nodes.len() {
            self.listener(other);
        }
    }

    pub(crate) fn advertise(&mut self, at: usize) {
        let Some(node) = self.nodes.get(at) else { return };
        let (boot, now) = (node.boot, node.now(self.now_ms));
        let bytes = node
            .machines
            .as_ref()
            .and_then(|machines| machines.executor.as_ref())
            .filter(|_| !node.draining)
            .and_then(|executor| executor.advertisement(now.at, None));
        if let Some(bytes) = bytes {
            self.gossip(at, icn_protocol::topics::CAPABILITIES, &bytes, false);
        }
        self.after(ADVERTISE_MS, Happening::Advertise { node: at, boot });
    }

    pub(crate) fn cheat_again(&mut self, at: usize) {
        let boot = self.nodes.get(at).map_or(0, |node| node.boot);
        self.after(CHEAT_MS, Happening::Cheat { node: at, boot });
    }
}

/// Gives what a record is after it was written and read: what has no stored form is lost here as on a real disk.
fn read_again<T: serde::Serialize + serde::de::DeserializeOwned>(record: &T) -> Option<T> {
    codec::decode(&codec::encode(record).ok()?).ok()
}
