//! Between log, books and witnesses: each in the other's terms.

use icn_gossip::{Applied, Entry, Idx, Log, Position, VerifiedEntry};
use icn_types::{Cid, Did};

use super::Replica;
use crate::act::Post;
use crate::books::Item;
use crate::witness::{Handover, WitnessSet, WitnessView};

/// Puts an applied entry into the terms of the books.
pub(super) fn item(log: &Log, applied: &Applied, post: Post) -> Item {
    let position = &applied.position;
    make(log, &applied.entry, position.idx, position.prev, position.deps.clone(), post)
}

/// Puts an entry that would come next into the terms of the books; what it names is in the log.
pub(super) fn next_item(log: &Log, entry: &VerifiedEntry, post: Post) -> Item {
    let body = entry.entry();
    let place = |id: &Cid| log.idx(id);
    let next = Idx(u32::try_from(log.len()).unwrap_or(u32::MAX));
    let prev = body.prev.as_ref().and_then(place);
    make(log, entry, next, prev, body.deps.iter().filter_map(place).collect(), post)
}

/// The same for an entry that nobody has signed.
pub(super) fn unsigned_item(log: &Log, body: &Entry, post: Post) -> Item {
    let place = |id: &Cid| log.idx(id);
    let next = Idx(u32::try_from(log.len()).unwrap_or(u32::MAX));
    let deps = body.deps.iter().filter_map(place).map(|idx| idx.0).collect();
    Item {
        idx: next.0,
        prev: body.prev.as_ref().and_then(place).map(|idx| idx.0),
        deps,
        refs: refs_of(log, &post),
        id: Cid::of_dag_cbor(&body.body),
        author: body.author,
        seq: body.seq,
        at: body.at,
        space: body.space,
        post,
    }
}

fn refs_of(log: &Log, post: &Post) -> Vec<(Cid, u32)> {
    post.refs().into_iter().filter_map(|id| log.idx(&id).map(|idx| (id, idx.0))).collect()
}

fn make(log: &Log, entry: &VerifiedEntry, idx: Idx, prev: Option<Idx>, deps: Vec<Idx>, post: Post) -> Item {
    let refs = refs_of(log, &post);
    Item {
        idx: idx.0,
        prev: prev.map(|idx| idx.0),
        deps: deps.into_iter().map(|idx| idx.0).collect(),
        refs,
        id: entry.id(),
        author: entry.entry().author,
        seq: entry.entry().seq,
        at: entry.entry().at,
        space: entry.entry().space,
        post,
    }
}

/// Where an entry stands that is in the log already.
pub(super) fn applied(log: &Log, idx: u32, entry: VerifiedEntry) -> Option<Applied> {
    let position: Position = log.position(Idx(idx))?;
    Some(Applied { entry, position, forks: false })
}

/// What this replica knows, for its witnesses.
pub(super) struct View<'a>(&'a Replica);

impl<'a> View<'a> {
    pub(super) const fn new(replica: &'a Replica) -> Self {
        Self(replica)
    }

    fn idx(&self, entry: &Cid) -> Option<u32> {
        self.0.log.idx(entry).map(|idx| idx.0)
    }
}

impl WitnessView for View<'_> {
    fn witness_set(&self) -> Option<WitnessSet> {
        let set = self.0.books.witness_set()?;
        let before = set.members_before.map(|members| Handover { members, voters: set.handed_over_by });
        Some(WitnessSet { number: set.number, members: set.members, before })
    }

    fn set_has_certified(&self, set: u64) -> bool {
        self.0.books.set_has_certified(set)
    }

    fn is_valid(&self, entry: &Cid) -> bool {
        self.idx(entry).is_some_and(|idx| self.0.books.is_valid(idx))
    }

    fn is_alone(&self, author: &Did, seq: u64) -> bool {
        self.0.log.at(author, seq).len() <= 1 && self.0.books.is_alone(author, seq)
    }

    fn is_forked(&self, author: &Did) -> bool {
        self.0.books.is_forked(author)
    }

    fn exceeds_known_line(&self, entry: &Cid) -> bool {
        self.idx(entry).is_some_and(|idx| self.0.books.exceeds_known_line(idx))
    }

    fn seal_is_right(&self, entry: &Cid, _: u32) -> bool {
        self.idx(entry).is_some_and(|idx| self.0.books.seal_is_right(idx))
    }
}
