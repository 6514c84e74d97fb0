//! Carrying out what treasuries of this node were asked to do, once enough approvers approve it or a budget covers it.

use std::collections::BTreeMap;

use icn_types::{Did, Duration, Timestamp};
use serde_bytes::ByteBuf;

use super::Replica;
use super::event::Effect;
use super::posting::Refusal;
use super::view;
use crate::act::{OrderRef, Post};
use crate::books::{ProposalView, Reason, Verdict};
use crate::certificate::Approval;
use crate::treasury::Mandate;

/// How often it is looked whether a proposal can be carried out.
const LOOK: Duration = Duration::from_millis(250);
/// How long a proposal rests after it was refused.
const RETRY: Duration = Duration::from_secs(10);
/// The entries of one turn. More are due: the next turn goes on.
const ENACTED_AT_ONCE: usize = 64;

/// What is remembered of the treasuries of this node; all of it can be found out anew.
#[derive(Debug, Default)]
pub(super) struct Treasuries {
    next_look: Timestamp,
    /// Until when proposals rest that were refused.
    resting: BTreeMap<OrderRef, Timestamp>,
}

impl Replica {
    /// Writes the entries of this node's treasuries that are approved, or within a budget.
    pub(super) fn enact(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if now < self.treasuries.next_look || self.books.needs_rejudge() {
            return effects;
        }
        self.treasuries.next_look = now.plus(LOOK);
        self.treasuries.resting.retain(|_, until| now < *until);
        let members: Vec<Did> = self.own.keys().copied().collect();
        let mut left = ENACTED_AT_ONCE;
        for member in members {
            for proposal in self.books.open_proposals(&member) {
                let is_ready =
                    proposal.approved.len() >= proposal.needed as usize || proposal.proposal.budget.is_some();
                if left == 0 || !is_ready || self.treasuries.resting.contains_key(&proposal.id) {
                    continue;
                }
                left -= 1;
                match self.append(now, member, carried_out(&proposal), self.chain_head(&member)) {
                    Ok((_, more)) => effects.extend(more),
                    // It is tried again with the next look.
                    Err(Refusal::Books { reason: Reason::Pending, .. }) => {}
                    Err(_) => drop(self.treasuries.resting.insert(proposal.id, now.plus(RETRY))),
                }
            }
        }
        effects
    }

    /// Says which rule would refuse a proposal by what this node knows, approvals aside. Any node can tell.
    #[must_use]
    pub fn trouble_of(&self, now: Timestamp, proposal: &ProposalView) -> Option<Reason> {
        let mut post = carried_out(proposal);
        let is_short = proposal.approved.len() < proposal.needed as usize;
        if is_short && proposal.proposal.budget.is_none() {
            // The books look at signers alone: signatures are checked where entries come in.
            let sign = |by: &Did| Approval { by: *by, sig: ByteBuf::new() };
            post.approvals = proposal.approvers.iter().map(sign).collect();
        }
        self.refusal_of(now, proposal.proposal.treasury, post)
    }

    /// Says which rule would refuse the next entry of an account, wherever its key is.
    fn refusal_of(&self, now: Timestamp, author: Did, post: Post) -> Option<Reason> {
        let form = Post { approvals: Vec::new(), ..post.clone() };
        let entry = self.next_entry(now, author, &form).ok()?;
        let verdicts = self.books.preview(&view::unsigned_item(&self.log, &entry, post));
        verdicts.into_iter().find_map(Verdict::err)
    }
}

/// Makes the treasury's entry that carries a proposal out.
fn carried_out(proposal: &ProposalView) -> Post {
    let mandate = Some(Mandate::Proposal(proposal.id));
    Post { mandate, ..Post::new(proposal.proposal.acts.clone()) }
}
