//! One virtual node: a shell around the machines, as thin as the real one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use icn_identity::Signer;
use icn_mesh::{Effect, Executor, Now, Originator, Tick};
use icn_protocol::ReplayGuard;
use icn_protocol::replay::MessageKey;
use icn_types::{Cid, Did, Duration, Timestamp};

use crate::config::NodeConfig;
use crate::disk::Disk;
use crate::guest::Guest;

/// The wall clock at the beginning of every world: 2026-01-01.
const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Tells the true time, which no node knows.
pub(crate) const fn wall(world_ms: u64) -> Timestamp {
    BEGINNING.plus(Duration::from_millis(world_ms))
}

/// How far a monotonic clock stands when its process starts; its zero means nothing.
const TICK_AT_BOOT: u64 = 1_000;

pub(crate) struct Node {
    pub(crate) did: Did,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) config: NodeConfig,
    /// The machines; nothing while the node is down.
    pub(crate) machines: Option<Machines>,
    /// Counts the starts, so that what belongs to an earlier process falls away.
    pub(crate) boot: u64,
    booted_ms: u64,
    pub(crate) disk: Disk,
    /// Effects that wait for writes, oldest first.
    pub(crate) pipeline: VecDeque<Step>,
    pub(crate) guard: ReplayGuard,
    pub(crate) tickets: BTreeMap<u64, Ticket>,
    pub(crate) guests: BTreeMap<u64, Guest>,
    pub(crate) draining: bool,
    /// What a cheat remembers of what it sent: to whom, and the bytes.
    pub(crate) sent: VecDeque<(usize, Vec<u8>)>,
    /// Blocks that a cheat made up.
    pub(crate) forged: BTreeMap<Cid, Vec<u8>>,
}

pub(crate) struct Machines {
    pub(crate) originator: Originator,
    pub(crate) executor: Option<Executor>,
}

/// Effects behind one write.
pub(crate) struct Step {
    /// Steps of one line are carried out in order.
    pub(crate) line: u64,
    /// The number of the write, if there is one.
    pub(crate) write: Option<u64>,
    pub(crate) effects: Vec<Effect>,
}

/// A direct message that waits for its answer.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The exchanges that carried it: more than one when it came twice.
    pub(crate) exchanges: Vec<u64>,
    pub(crate) key: MessageKey,
    pub(crate) about: About,
}

/// What an acknowledgement would promise.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About {
    /// That this assignment is on disk.
    Assignment { job: Cid, assignment: Cid },
    /// That this receipt is on disk of the originator.
    Receipt { job: Cid },
    /// Nothing that has to be on disk.
    Other,
}

impl Node {
    pub(crate) fn new(config: NodeConfig, signer: Arc<dyn Signer>) -> Self {
        Self {
            did: signer.did(),
            signer,
            config,
            machines: None,
            boot: 0,
            booted_ms: 0,
            disk: Disk::default(),
            pipeline: VecDeque::new(),
            guard: ReplayGuard::default(),
            tickets: BTreeMap::new(),
            guests: BTreeMap::new(),
            draining: false,
            sent: VecDeque::new(),
            forged: BTreeMap::new(),
        }
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.machines.is_some()
    }

    pub(crate) const fn is_honest(&self) -> bool {
        self.config.cheat.is_none()
    }

    /// Reads the node's two clocks.
    pub(crate) fn now(&self, world_ms: u64) -> Now {
        Now { at: self.wall(world_ms), tick: Tick(TICK_AT_BOOT + world_ms.saturating_sub(self.booted_ms)) }
    }

    fn wall(&self, world_ms: u64) -> Timestamp {
        let at = wall(world_ms);
        let skew = Duration::from_millis(self.config.skew_ms.unsigned_abs());
        if self.config.skew_ms < 0 { at.minus(skew) } else { at.plus(skew) }
    }

    /// Tells the wall clock's time when the process started.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.wall(self.booted_ms)
    }

    /// Begins a process: all that was in memory is new.
    pub(crate) fn boot(&mut self, world_ms: u64) {
        self.boot += 1;
        self.booted_ms = world_ms;
        self.guard = ReplayGuard::default();
        self.draining = false;
    }

    /// Ends the process without warning; so many of the writes that were on their way become durable all the same.
    pub(crate) fn kill(&mut self, survivors: usize) {
        self.machines = None;
        self.boot += 1;
        self.disk.kill(survivors);
        self.pipeline.clear();
        self.tickets.clear();
        self.guests.clear();
    }
}
