//! What a log looks like from its end: heads, tips of chains, and what another replica lacks.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Cid, Did};
use sha2::{Digest as _, Sha256};

use super::Log;
use crate::entry::DEPS_MAX;
use crate::id::{Digest, cid_of, digest_of};

/// What the digest of a frontier starts with.
const FRONTIER_DOMAIN: &[u8] = b"icn-frontier-v1\0";

/// The end of an author's chain, or of one branch of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tip {
    /// The author.
    pub author: Did,
    /// The place, from 1.
    pub seq: u64,
    /// The entry there.
    pub head: Cid,
}

/// What follows from another replica's tips.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Local places of the entries that it lacks for certain, in causal order.
    pub(crate) lacking: Vec<u32>,
    /// Chains with a tip that is not known here; what it lacks of these is not in `lacking`.
    pub(crate) unknown: Vec<UnknownChain>,
}

/// A chain of which another replica has more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownChain {
    pub(crate) author: Did,
    /// Whether an unknown tip stands at a place where other entries stand here, so that it cannot go on from these.
    pub(crate) is_taken: bool,
    /// Whether all its tips are below the highest place here.
    pub(crate) is_shorter: bool,
}

impl Log {
    /// Returns the author's highest place and the entry there; at a fork, the lowest id.
    #[must_use]
    pub fn head_of(&self, author: &Did) -> Option<(u64, Cid)> {
        let seq = self.index.height(author);
        let at = self.index.at(author, seq).into_iter().next()?;
        Some((seq, cid_of(&self.index.digest(at)?)))
    }

    /// Returns all entries at one place, sorted by id: more than one at a fork.
    #[must_use]
    pub fn at(&self, author: &Did, seq: u64) -> Vec<Cid> {
        let entries = self.index.at(author, seq).into_iter();
        entries.filter_map(|at| self.index.digest(at)).map(|digest| cid_of(&digest)).collect()
    }

    /// Returns the entries that no other one names, sorted by id.
    #[must_use]
    pub fn heads(&self) -> Vec<Cid> {
        self.index.heads().iter().map(cid_of).collect()
    }

    /// Returns the heads that the author's next entry names: sorted, at most [`DEPS_MAX`], without the author's own last
    /// entry, which is its `prev`.
    #[must_use]
    pub fn deps_for(&self, author: &Did) -> Vec<Cid> {
        let own = self.head_of(author).and_then(|(_, head)| digest_of(&head));
        let heads = self.index.heads().iter().filter(|head| Some(**head) != own);
        heads.take(DEPS_MAX).map(cid_of).collect()
    }

    /// Counts the authors.
    #[must_use]
    pub fn authors_len(&self) -> usize {
        self.index.authors_len()
    }

    /// Returns the head of each author, sorted by author.
    #[must_use]
    pub fn frontier(&self) -> Vec<Tip> {
        let tip = |author: &Did| self.head_of(author).map(|(seq, head)| Tip { author: *author, seq, head });
        self.index.authors().filter_map(tip).collect()
    }

    /// Returns the end of every branch of every chain, sorted by author, place and id.
    ///
    /// Chains are linked by hashes, so two logs with the same tips have the same entries.
    #[must_use]
    pub fn tips(&self) -> Vec<Tip> {
        let mut tips = Vec::new();
        self.each_tip(|author, seq, head| tips.push(Tip { author: *author, seq, head: cid_of(head) }));
        tips
    }

    /// Digests all tips: two logs with the same digest have the same entries.
    ///
    /// It is SHA-256 over `icn-frontier-v1`, a zero byte, and for each tip the author's 32 bytes, the place as eight bytes,
    /// most significant first, and the 32 bytes of SHA-256 in the entry's id.
    #[must_use]
    pub fn frontier_digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| {
            let mut hash = Sha256::new_with_prefix(FRONTIER_DOMAIN);
            self.each_tip(|author, seq, head| {
                hash.update(author.public_key());
                hash.update(seq.to_be_bytes());
                hash.update(head);
            });
            hash.finalize().into()
        })
    }

    /// Counts the tips.
    #[must_use]
    pub fn tips_len(&self) -> usize {
        let mut tips = 0;
        self.each_tip(|_, _, _| tips += 1);
        tips
    }

    fn each_tip(&self, mut each: impl FnMut(&Did, u64, &Digest)) {
        for author in self.index.authors() {
            let mut tips: Vec<(u64, Digest)> = self
                .index
                .tips(author)
                .into_iter()
                .filter_map(|at| Some((self.index.author_seq(at)?.1, self.index.digest(at)?)))
                .collect();
            tips.sort_unstable();
            for (seq, head) in tips {
                each(author, seq, &head);
            }
        }
    }

    /// Compares another replica's tips, each author's together, with the own entries.
    pub(crate) fn compare(&self, theirs: &BTreeMap<Did, Vec<(u64, Digest)>>) -> Comparison {
        let mut found = Comparison::default();
        for author in self.index.authors() {
            match theirs.get(author) {
                None => found.lacking.extend(self.index.all_of(author)),
                Some(tips) => self.compare_author(author, tips, &mut found),
            }
        }
        found.lacking.sort_unstable();
        found
    }

    fn compare_author(&self, author: &Did, theirs: &[(u64, Digest)], found: &mut Comparison) {
        let height = self.index.height(author);
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (seq, head) in theirs {
            match self.index.find(head).filter(|at| self.index.author_seq(*at) == Some((*author, *seq))) {
                Some(at) => known.push(at),
                None => unknown.push(*seq),
            }
        }
        if !unknown.is_empty() {
            found.unknown.push(UnknownChain {
                author: *author,
                is_taken: unknown.iter().any(|seq| *seq <= height),
                is_shorter: theirs.iter().all(|(seq, _)| *seq < height),
            });
            return;
        }
        if self.index.is_forked(author) {
            let mut theirs = BTreeSet::new();
            for tip in known {
                let mut at = Some(tip);
                while let Some(entry) = at.filter(|entry| theirs.insert(*entry)) {
                    at = self.index.prev(entry);
                }
            }
            found.lacking.extend(self.index.all_of(author).into_iter().filter(|at| !theirs.contains(at)));
        } else {
            let seq = theirs.iter().map(|(seq, _)| *seq).max().unwrap_or_default();
            found.lacking.extend(self.index.after(author, seq));
        }
    }
}
