//! Which authors said two things at one place, and the proofs of it.

use std::collections::BTreeMap;

use icn_types::{Cid, Did};
use sha2::{Digest as _, Sha256};

use super::Log;
use crate::entry::SignedEntry;
use crate::fork::{Fork, ForkProof};

/// What the digest of the proven places starts with.
const PROOFS_DOMAIN: &[u8] = b"icn-proofs-v1\0";

/// Proofs that came from others, for places where the own index shows no fork (yet).
#[derive(Debug, Clone, Default)]
pub(super) struct ProofStore {
    foreign: BTreeMap<(Did, u64), ForkProof>,
}

impl Log {
    /// Keeps a proof that came from somebody else; `false` when the place was known, or the bound is reached.
    ///
    /// `fork` is what [`ForkProof::check`] returned for this proof.
    pub fn add_proof(&mut self, proof: ForkProof, fork: &Fork) -> bool {
        let place = (fork.author, fork.seq);
        let is_wanted = fork.log == self.id
            && !self.index.forked().contains(&place)
            && !self.proofs.foreign.contains_key(&place)
            && self.proofs.foreign.len() < self.limits.proofs_max;
        if is_wanted {
            self.proofs.foreign.insert(place, proof);
        }
        is_wanted
    }

    /// Returns the places where a fork is known, sorted: those where two entries follow the same one, and those that
    /// others have proven.
    #[must_use]
    pub fn forked(&self) -> Vec<(Did, u64)> {
        let mut places: Vec<(Did, u64)> = self.index.forked().iter().copied().collect();
        places.extend(self.proofs.foreign.keys().filter(|place| !self.index.forked().contains(place)));
        places.sort_unstable();
        places
    }

    /// Returns the proof for a forked place; `entries` reads entries from the disk.
    ///
    /// Of more than two entries at the place, the two with the lowest ids that follow the same entry prove it.
    #[must_use]
    pub fn proof(
        &self,
        author: &Did,
        seq: u64,
        entries: &dyn Fn(&Cid) -> Option<SignedEntry>,
    ) -> Option<ForkProof> {
        if !self.index.forked().contains(&(*author, seq)) {
            return self.proofs.foreign.get(&(*author, seq)).cloned();
        }
        let twins = self.index.at(author, seq);
        let first = twins.iter().copied().find(|at| {
            let siblings = twins.iter().filter(|twin| self.index.prev(**twin) == self.index.prev(*at));
            siblings.count() > 1
        })?;
        let same = |at: &&u32| **at != first && self.index.prev(**at) == self.index.prev(first);
        let second = *twins.iter().find(same)?;
        let read = |at| self.id(super::Idx(at)).and_then(|id| entries(&id));
        Some(ForkProof { first: read(first)?, second: read(second)? })
    }

    /// Returns the proofs of all forked places, sorted by place.
    #[must_use]
    pub fn proofs(&self, entries: &dyn Fn(&Cid) -> Option<SignedEntry>) -> Vec<ForkProof> {
        self.forked().iter().filter_map(|(author, seq)| self.proof(author, *seq, entries)).collect()
    }

    /// Digests the forked places: 32 zero bytes when there are none.
    #[must_use]
    pub fn proofs_digest(&self) -> [u8; 32] {
        let places = self.forked();
        if places.is_empty() {
            return [0; 32];
        }
        let mut hash = Sha256::new_with_prefix(PROOFS_DOMAIN);
        for (author, seq) in places {
            hash.update(author.public_key());
            hash.update(seq.to_be_bytes());
        }
        hash.finalize().into()
    }
}
