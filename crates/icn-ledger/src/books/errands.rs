//! Errands: what a treasury carries out on more than one branch of its chain is paid once.
//!
//! A treasury that forked carries out on the branch that counts what it had carried out on the one that lost. Whoever had
//! accepted it there has a claim, and is now paid what is claimed. Both are acceptances of one payee, who has an order for
//! them: its own chain. So the first of them that counts is the payment. It settles the claims for the others, and nobody
//! can claim or take another one behind it. While none counts there is one claim, the first. Nothing beside the past of the payee's entry decides this.

use super::judge::Judge;
use super::standings::short_key;
use super::state::{CLAIMED, Kind, Order};
use super::treasuries::Errand;
use crate::treasury::Mandate;

impl Judge<'_> {
    /// Finds out what the entry carries out, whether it counts or not, and however the approvals stand.
    pub(super) fn errand(&self) -> Option<Errand> {
        match self.item.post.mandate.as_ref()? {
            Mandate::Proposal(named) => {
                let of = self.place_of(named)?;
                let asked = self.lens().proposal(of)?;
                let is_it = asked.treasury == self.draft.author && asked.proposal.acts == self.item.post.acts;
                is_it.then_some(Errand { of, key: None })
            }
            Mandate::Standing(named) => {
                let key = self.item.post.key.as_deref().map(short_key)?;
                Some(Errand { of: self.place_of(named)?, key: Some(key) })
            }
        }
    }

    /// Lists the same payment as other entries of its errand make it.
    pub(super) fn others_of(&self, order: &Order) -> Vec<(u32, Order)> {
        if order.kind != Kind::Pay {
            return Vec::new();
        }
        let entries = self.state.treasuries.others_of(order.entry);
        let orders = entries.filter_map(|entry| {
            let number = self.state.find_order(entry, u32::from(order.index))?;
            Some((number, self.order_at(number)?))
        });
        let is_same = |other: &Order| {
            let what = |order: &Order| (order.kind, order.from, order.to, order.currency, order.amount);
            what(other) == what(order)
        };
        orders.filter(|(_, other)| is_same(other)).collect()
    }

    /// Settles claims for payments of which another one was taken now.
    pub(super) fn settle_claims(&mut self, others: Vec<(u32, Order)>) {
        for (number, mut other) in others {
            if other.flags & CLAIMED != 0 {
                other.flags &= !CLAIMED;
                self.put_order(number, other);
            }
        }
    }
}
