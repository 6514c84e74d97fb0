//! Reading entries of the books for what people said in them.

use icn_gossip::Entry;
use icn_ledger::replica::Replica;
use icn_ledger::{Act, OrderRef, Post, post_of};
use icn_types::Cid;

use crate::spaces::Space;

/// Reads an entry with what it says.
pub(super) fn entry(replica: &Replica, id: &Cid) -> Option<(Entry, Post)> {
    open(replica.entry(id)?)
}

/// Opens an entry that was checked when it came.
pub(super) fn open(signed: icn_gossip::SignedEntry) -> Option<(Entry, Post)> {
    let entry = signed.check().ok()?.trusted().entry().clone();
    let post = post_of(&entry).ok()?;
    Some((entry, post))
}

/// Reads what an entry says.
pub(super) fn post(space: &Space, id: &Cid) -> Option<Post> {
    entry(&space.replica(), id).map(|(_, post)| post)
}

/// Reads one act.
pub(super) fn act(replica: &Replica, order: &OrderRef) -> Option<Act> {
    let (_, post) = entry(replica, &order.entry)?;
    let index = usize::try_from(order.index).ok()?;
    post.acts.into_iter().nth(index)
}
