//! Paying standing orders when they are due.
//!
//! Each payment is a post of its own, with a key made from the standing order and its number: the books take one post with
//! a key from a chain, ever. So whether this node crashed before, between or after any two of them, was restored from
//! a copy, or has a twin, each is paid once.

use std::collections::BTreeMap;

use icn_types::{Did, Duration, Timestamp};

use super::Replica;
use super::event::Effect;
use super::posting::Refusal;
use crate::act::{OrderRef, Post};
use crate::books::{Reason, StandingView};
use crate::standing::standing_key;
use crate::treasury::Mandate;

/// How often it is looked whether a payment is due.
const LOOK: Duration = Duration::from_secs(1);
/// How long a standing order rests after a payment was refused.
const RETRY: Duration = Duration::from_secs(600);
/// The payments of one turn. More are due: the next turn goes on.
const PAID_AT_ONCE: usize = 64;

/// What is remembered of the standing orders of this node's members; all of it can be found out anew.
#[derive(Debug, Default)]
pub(super) struct Standings {
    next_look: Timestamp,
    /// How many payments of each are known to be made.
    paid: BTreeMap<OrderRef, u32>,
    /// Those whose payment was refused: until when they rest, and why.
    refused: BTreeMap<OrderRef, (Timestamp, Refusal)>,
}

impl Standings {
    /// Forgets what is paid: the books were judged anew.
    pub(super) fn forget(&mut self) {
        self.paid.clear();
    }
}

impl Replica {
    /// Lists the standing orders of an account, oldest first; with the refusal of the payment that is due, if this node
    /// tried it in vain.
    #[must_use]
    pub fn standings(&self, of: &Did) -> Vec<(StandingView, Option<Refusal>)> {
        let list = self.books.standings(of, |id| self.paid_of(id));
        let with_refusal = list.into_iter().map(|standing| {
            let refused = self.standings.refused.get(&standing.id).filter(|_| !standing.is_ended);
            let refused = refused.map(|(_, refusal)| refusal.clone());
            (standing, refused)
        });
        with_refusal.collect()
    }

    fn paid_of(&self, standing: &OrderRef) -> u32 {
        self.standings.paid.get(standing).copied().unwrap_or(0)
    }

    /// Makes the payments that are due, in the order in which they fell due.
    pub(super) fn pay_standing(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if now < self.standings.next_look || self.books.needs_rejudge() {
            return effects;
        }
        self.standings.next_look = now.plus(LOOK);
        let mut left = PAID_AT_ONCE;
        let members: Vec<Did> = self.own.keys().copied().collect();
        for member in members {
            for standing in self.books.standings(&member, |id| self.paid_of(id)) {
                self.standings.paid.insert(standing.id, standing.paid);
                let rests = self.standings.refused.get(&standing.id).is_some_and(|(until, _)| now < *until);
                if standing.is_ended || rests {
                    continue;
                }
                let mut number = standing.paid;
                while left > 0 && standing.terms.due(number).is_some_and(|due| due <= now) {
                    let Some(more) = self.pay_one(now, member, &standing, number) else { break };
                    effects.extend(more);
                    left -= 1;
                    number += 1;
                    self.standings.paid.insert(standing.id, number);
                }
            }
        }
        if left == 0 {
            self.standings.next_look = now;
        }
        effects
    }

    fn pay_one(
        &mut self,
        now: Timestamp,
        member: Did,
        standing: &StandingView,
        number: u32,
    ) -> Option<Vec<Effect>> {
        let terms = &standing.terms;
        let pay = terms.payment();
        let mandate = terms.budget.map(|_| Mandate::Standing(standing.id));
        let key = Some(standing_key(&standing.id, number));
        let head = self.chain_head(&member);
        match self.append(now, member, Post { key, mandate, ..Post::new(vec![pay]) }, head) {
            Ok((_, effects)) => {
                self.standings.refused.remove(&standing.id);
                Some(effects)
            }
            // It is tried again with the next look.
            Err(Refusal::Books { reason: Reason::Pending, .. }) => None,
            Err(refusal) => {
                self.standings.refused.insert(standing.id, (now.plus(RETRY), refusal));
                None
            }
        }
    }
}
