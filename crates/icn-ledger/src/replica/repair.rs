//! A chain that was forked by its own author: where it goes on, and saying so.
//!
//! A restored backup that wrote without having found its head has forked its author's chain. As long as nobody relied on
//! one of the branches, the author can give it up: a fault, not a fraud.

use icn_gossip::Idx;
use icn_types::{Cid, Did, Timestamp};

use super::Replica;
use super::event::Effect;
use crate::act::{Act, OrderRef, Post};
use crate::books::{ForkRule, ForkView};

/// The longest walk along a chain behind a fork. Longer: the chain goes on where the log says.
const WALK_MAX: usize = 100_000;

impl Replica {
    /// Returns where an author's chain goes on: behind its last entry on the branch that stands.
    #[must_use]
    pub fn chain_head(&self, author: &Did) -> Option<(u64, Cid)> {
        let forks: Vec<ForkView> =
            self.books.forks().into_iter().filter(|fork| fork.author == *author).collect();
        match forks.first() {
            Some(first) => self.head_behind(author, first.seq, first.winner, &forks),
            None => self.log.head_of(author),
        }
    }

    /// Follows a branch to its end.
    fn head_behind(&self, author: &Did, seq: u64, from: Cid, forks: &[ForkView]) -> Option<(u64, Cid)> {
        let (mut seq, mut head) = (seq, from);
        for _ in 0..WALK_MAX {
            let place = self.log.idx(&head)?;
            let follows = |id: &Cid| {
                let position = self.log.idx(id).and_then(|idx: Idx| self.log.position(idx));
                position.is_some_and(|position| position.prev == Some(place))
            };
            let next: Vec<Cid> = self.log.at(author, seq + 1).into_iter().filter(follows).collect();
            let winner = forks.iter().find(|fork| fork.seq == seq + 1).map(|fork| fork.winner);
            let Some(next) = next.iter().copied().find(|id| Some(*id) == winner).or(next.first().copied())
            else {
                return Some((seq, head));
            };
            (seq, head) = (seq + 1, next);
        }
        self.log.head_of(author)
    }

    /// Gives up branches of the own chains on which nobody relied.
    pub(super) fn repair(&mut self, now: Timestamp) -> Vec<Effect> {
        let forks = self.books.forks();
        if forks.len() == self.repaired {
            return Vec::new();
        }
        self.repaired = forks.len();
        let mut effects = Vec::new();
        for fork in &forks {
            if !self.own.contains_key(&fork.author) {
                continue;
            }
            let is_decided = fork.rule == ForkRule::Repaired || fork.is_lifted;
            let relied: Vec<Cid> =
                fork.branches.iter().copied().filter(|branch| self.is_relied_on(branch)).collect();
            if is_decided || relied.len() > 1 {
                continue;
            }
            let kept = relied.first().copied().unwrap_or(fork.winner);
            let lost = fork.branches.iter().copied().filter(|branch| *branch != kept).collect();
            let head = self.head_behind(&fork.author, fork.seq, kept, &forks);
            let act = Act::Repair { at: fork.seq, lost };
            let written = self.append(now, fork.author, Post::new(vec![act]), head);
            effects.extend(written.map_or_else(|_| Vec::new(), |(_, effects)| effects));
        }
        effects
    }

    /// Tells whether somebody else acted on what an entry says.
    fn is_relied_on(&self, entry: &Cid) -> bool {
        let Some(checked) = self.read(entry) else { return false };
        let orders = 0..u32::try_from(checked.post.acts.len()).unwrap_or(u32::MAX);
        let is_taken = |index| {
            let order = self.order(&OrderRef { entry: *entry, index });
            order.is_some_and(|order| order.accepted.is_some() || order.declined.is_some())
        };
        self.is_certified(entry) || orders.into_iter().any(is_taken)
    }
}
