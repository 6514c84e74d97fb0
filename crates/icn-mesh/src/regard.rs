//! What policy thinks of members: facts that the machines weigh without asking where they come from.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Constraints, Did, Duration};

/// What policy thinks of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regard {
    /// How far it is trusted from here with jobs, in parts per million.
    pub trust_ppm: u32,
    /// How it kept its word, by everybody whose word counts here, in parts per million.
    pub reputation_ppm: u32,
    /// What it may ask of this node.
    pub constraints: Constraints,
}

/// What policy thinks of everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Regards {
    /// The least trust in an executor, in parts per million; none as long as trust tells nobody apart.
    pub trust_min_ppm: Option<u32>,
    /// What those may ask of whom nothing is known.
    pub strangers: Constraints,
    /// Those of whom something is known.
    pub members: BTreeMap<Did, Regard>,
    /// How long a message to them and back takes, where it was measured.
    pub round_trips: BTreeMap<Did, Duration>,
    /// In which spaces of this node somebody is a member; kept where there are quotas.
    pub coops: BTreeMap<Did, BTreeSet<Did>>,
}

impl Regards {
    /// Returns how far somebody is trusted, in parts per million.
    #[must_use]
    pub fn trust(&self, did: &Did) -> u32 {
        self.members.get(did).map_or(0, |regard| regard.trust_ppm)
    }

    /// Returns what somebody may ask of this node.
    #[must_use]
    pub fn constraints(&self, did: &Did) -> &Constraints {
        self.members.get(did).map_or(&self.strangers, |regard| &regard.constraints)
    }

    /// Returns the reputation that the members' words add up to.
    #[must_use]
    pub fn reputation(&self, did: &Did) -> u64 {
        self.members.get(did).map_or(0, |regard| u64::from(regard.reputation_ppm))
    }

    /// Returns the co-op for which somebody has a job run: the space that the job names, if it is a member there, else the first
    /// one that it is a member of. None: it is in none of them.
    #[must_use]
    pub fn coop(&self, originator: &Did, named: Option<&Did>) -> Option<Did> {
        let own = self.coops.get(originator)?;
        named.filter(|named| own.contains(named)).or_else(|| own.first()).copied()
    }

    /// Returns trust in an executor and the least that is asked for, where trust counts.
    pub(crate) fn gate(&self, executor: &Did) -> Option<Gate> {
        self.trust_min_ppm.map(|least_ppm| Gate { has_ppm: self.trust(executor), least_ppm })
    }
}

/// Trust in an executor, and the least that a job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) has_ppm: u32,
    pub(crate) least_ppm: u32,
}
