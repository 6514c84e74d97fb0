//! What one turn of a replica asks for, as shells carry it out: one write, and everything else before or behind it.

use icn_gossip::SignedEntry;

use super::event::{Effect, Write};

/// The effects of one turn ([`super::Replica::handle`] any number of times, then [`super::Replica::settle`]), cut.
///
/// A turn may be made one write: its effects only ever wait for something that was written in the same turn or before.
#[derive(Debug, Default)]
pub struct Turn {
    /// What may be done at once: it says nothing that must be on the disk before.
    pub at_once: Vec<Effect>,
    /// What is written, all at once.
    pub writes: Vec<Write>,
    /// What is done after that write, and every write before it, is durable.
    pub behind: Vec<Effect>,
}

impl Turn {
    /// Cuts effects, and keeps the order within each part.
    #[must_use]
    pub fn of(effects: impl IntoIterator<Item = Effect>) -> Self {
        let mut turn = Self::default();
        for effect in effects {
            match effect {
                Effect::Persist(more) if turn.writes.is_empty() => turn.writes = more,
                Effect::Persist(more) => turn.writes.extend(more),
                Effect::Verdict { .. } | Effect::Check { .. } => turn.at_once.push(effect),
                Effect::Publish(_)
                | Effect::Answer { .. }
                | Effect::OpenSession { .. }
                | Effect::SendFrame { .. }
                | Effect::CloseSession { .. }
                | Effect::Changed(_) => turn.behind.push(effect),
            }
        }
        turn
    }

    /// Tells whether nothing is left but what may be done at once.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.writes.is_empty() && self.behind.is_empty()
    }

    /// Tells up to which number of entries the disk has everything after this write: for [`super::Event::Durable`].
    #[must_use]
    pub fn entries(&self) -> Option<u32> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Entry { idx, .. } => Some(idx + 1),
            Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => None,
        })
    }

    /// Finds the entries whose signature is still to be made. Whoever encodes the write makes it, one after the other; a
    /// shell with more than one processor calls [`SignedEntry::keep_promise`] on several before.
    pub fn promises(&self) -> impl Iterator<Item = &SignedEntry> {
        self.writes.iter().filter_map(|write| match write {
            Write::Entry { entry, .. } => Some(entry).filter(|entry| entry.is_promise()),
            Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => None,
        })
    }
}
