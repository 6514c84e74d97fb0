//! One node: its members, its disk, its replica while it is up, and the line of effects that wait for the disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use icn_identity::Signer;
use icn_ledger::Invitation;
use icn_ledger::replica::{Effect, Replica};
use icn_types::Did;

use super::disk::{Disk, Image};
use super::plan::NodePlan;

/// Effects of one turn, and the write that they wait for.
pub(super) struct Step {
    pub(super) write: Option<u64>,
    /// Up to which entry the disk has everything after that write.
    pub(super) entries: Option<u32>,
    pub(super) effects: Vec<Effect>,
}

pub(super) struct Node {
    pub(super) did: Did,
    pub(super) plan: NodePlan,
    /// Whoever speaks from here; the first is the node itself.
    pub(super) signers: Vec<Arc<dyn Signer>>,
    pub(super) invitation: Option<Invitation>,
    /// None while it is down.
    pub(super) replica: Option<Replica>,
    pub(super) boot: u64,
    pub(super) disk: Disk,
    pub(super) line: VecDeque<Step>,
    pub(super) backup: Option<Image>,
    /// Requests that were not answered: which intent each ticket is for.
    pub(super) tickets: BTreeMap<u64, usize>,
    /// Has not been switched on yet.
    pub(super) is_new: bool,
    /// Cut off from everybody until then.
    pub(super) dropped_until: u64,
    /// Which entries the disk must have: (author's entry) that users were told of.
    pub(super) told: Vec<icn_types::Cid>,
    /// Came up from a backup and has not found everything again.
    pub(super) is_restored: bool,
    /// Ever came up from a backup: it may have forgotten votes.
    pub(super) was_restored: bool,
    /// How many entries the machine has given to the disk.
    pub(super) written: u32,
    /// Its log when it was last compared with others.
    pub(super) looked_at: usize,
}

impl Node {
    pub(super) fn new(plan: NodePlan, signers: Vec<Arc<dyn Signer>>) -> Self {
        let did = signers.first().map_or_else(|| Did::from_public_key([0; 32]), |signer| signer.did());
        Self {
            did,
            is_new: plan.is_late,
            plan,
            signers,
            invitation: None,
            replica: None,
            boot: 0,
            disk: Disk::default(),
            line: VecDeque::new(),
            backup: None,
            tickets: BTreeMap::new(),
            dropped_until: 0,
            told: Vec::new(),
            is_restored: false,
            was_restored: false,
            written: 0,
            looked_at: 0,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.replica.is_some()
    }

    pub(super) const fn is_honest(&self) -> bool {
        self.plan.cheat.is_none()
    }
}
