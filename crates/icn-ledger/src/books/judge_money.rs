//! Judging what moves money, or is said about it: which act is judged where, and what stays of those without effect.

mod holding;
mod sending;
mod taking;

use self::sending::terms_of;
use super::judge::Judge;
use super::reason::Reason;
use super::state::hash_of;
use crate::act::Act;

impl<'a> Judge<'a> {
    pub(super) fn money(&mut self, index: u32, act: &'a Act) -> Result<(), Reason> {
        match act {
            Act::Pay { .. } | Act::Hold { .. } | Act::Request { .. } => match terms_of(act) {
                Some(terms) => self.place_order(index, &terms),
                None => Ok(()),
            },
            Act::Accept { order } => self.accept(index, order),
            Act::Decline { order, .. } => self.decline(order),
            Act::Return { order, decline } => self.give_back(order, decline),
            Act::Capture { hold, amount, .. } => self.capture(index, hold, *amount),
            Act::Claim { hold, amount, .. } => self.claim(index, hold, *amount),
            Act::Repair { at, lost } => {
                if *at >= self.item.seq {
                    return Err(Reason::Number(self.item.seq.saturating_sub(1)));
                }
                self.draft.repairs.push((*at, lost.iter().map(hash_of).collect()));
                Ok(())
            }
            Act::Found { .. }
            | Act::Policy(_)
            | Act::Appoint { .. }
            | Act::Dismiss { .. }
            | Act::Admit { .. }
            | Act::Expel { .. }
            | Act::Join { .. }
            | Act::Currency { .. }
            | Act::Line { .. }
            | Act::Freeze { .. }
            | Act::Unfreeze { .. }
            | Act::Witnesses { .. }
            | Act::Treasury { .. }
            | Act::Seal { .. }
            | Act::Trust { .. }
            | Act::Rate { .. }
            | Act::Demurrage { .. }
            | Act::WriteOff { .. } => Ok(()),
            Act::Propose(_)
            | Act::Approve { .. }
            | Act::Withdraw { .. }
            | Act::Budget(_)
            | Act::EndBudget { .. } => self.treasury_act(index, act),
            Act::Dispute(step) => self.dispute(index, step),
            Act::EndStanding { standing } => self.end_standing(standing),
            Act::Standing(terms) => self.standing(index, terms),
        }
    }

    /// Remembers an order that has no effect, so that whoever accepts it is told why, or gets a claim.
    pub(super) fn note_without_effect(&mut self, index: u32, act: &'a Act, result: Result<(), Reason>) {
        let standing = Self::standing_of(result);
        if let Some(terms) = terms_of(act) {
            let order = self.new_order(index, &terms, standing);
            self.push_order(order);
        } else if let Act::Capture { hold, amount, .. } = act {
            self.note_capture(index, hold, *amount, standing);
        } else if let Act::Repair { at, lost } = act {
            // Which branch counts may follow from this very act.
            self.draft.repairs.push((*at, lost.iter().map(hash_of).collect()));
        } else if let (Act::Propose(_) | Act::Approve { .. } | Act::Withdraw { .. }, true) =
            (act, self.draft.is_void && self.lens().is_member(self.draft.author))
        {
            // What was proposed or approved there may have been carried out in good faith.
            let _ = self.treasury_act(index, act);
        } else if let Act::Accept { order } = act {
            let named = self.order(order).filter(|(_, order)| order.to == self.draft.author);
            self.draft.relied.extend(named.map(|(_, order)| order.entry));
        } else if let (Act::Decline { order, .. }, true) = (act, self.draft.is_void) {
            let named = self.order(order).filter(|(_, order)| order.to == self.draft.author);
            self.draft.void_declines.extend(named.map(|(number, _)| number));
        }
    }
}

pub(super) fn clamp(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}
