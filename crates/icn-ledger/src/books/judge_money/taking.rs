//! Judging what payees and payers make of what was sent: accepted, declined, taken back.

use icn_types::Cid;

use super::clamp;
use crate::act::OrderRef;
use crate::books::judge::Judge;
use crate::books::reason::Reason;
use crate::books::state::{CLAIMED, ClaimRec, FINAL, Kind, MISLED, NONE, Order, PAID, RELEASED, Standing};
use crate::policy::Finality;

impl Judge<'_> {
    pub(super) fn accept(&mut self, index: u32, named: &OrderRef) -> Result<(), Reason> {
        let (number, mut order) = self.order(named).ok_or(Reason::NoSuchOrder)?;
        if order.to != self.draft.author {
            return Err(Reason::NotYours);
        }
        let hold = match order.kind {
            Kind::Pay => None,
            Kind::Capture => Some(self.order_at(order.link).ok_or(Reason::NoSuchOrder)?),
            Kind::Hold => return Err(Reason::NotCaptured),
            Kind::Request => return Err(Reason::NoSuchOrder),
        };
        self.draft.relied.push(order.entry);
        let declined = order.declined != NONE || hold.is_some_and(|hold| hold.declined != NONE);
        if order.accepted != NONE || order.flags & CLAIMED != 0 || declined {
            return Err(Reason::AlreadyDone);
        }
        let others = self.others_of(&order);
        if others.iter().any(|(_, other)| other.accepted != NONE) {
            return Err(Reason::AlreadyDone);
        }
        let hold_standing = hold.map_or(Standing::Good, |hold| hold.standing);
        let is_undone = order.standing.is_undone() || hold_standing.is_undone();
        if is_undone && others.iter().any(|(_, other)| other.flags & CLAIMED != 0) {
            return Err(Reason::AlreadyDone);
        }
        if is_undone {
            return self.undone(index, number, order, Reason::OrderVoid);
        }
        if order.standing != Standing::Good || hold_standing != Standing::Good {
            return Err(Reason::OrderInvalid);
        }
        if order.amount == 0 {
            return Err(Reason::Amount);
        }
        match self.ended(&order).filter(|_| hold.is_none()) {
            Some(true) => return Err(Reason::Expired),
            Some(false) => return self.undone(index, number, order, Reason::Expired),
            None => self.book(number, &mut order)?,
        }
        if let Some(mut hold) = hold.filter(|hold| hold.flags & CLAIMED != 0) {
            hold.flags &= !CLAIMED;
            self.put_order(order.link, hold);
        }
        self.settle_claims(others);
        Ok(())
    }

    /// Moves both legs of an accepted order.
    fn book(&mut self, number: u32, order: &mut Order) -> Result<(), Reason> {
        let (payee, currency) = (self.draft.author, order.currency);
        let purse = self.state.purse(payee, currency);
        let (balance, _) = self.sums(currency);
        let waiting: i128 = purse.map_or(0, |purse| {
            purse
                .pending
                .keys()
                .filter_map(|order| self.order_at(*order))
                .map(|order| i128::from(order.amount))
                .sum()
        });
        if balance + waiting + i128::from(order.amount) > i128::from(i64::MAX) {
            return Err(Reason::Overflow);
        }
        let would = balance + waiting + i128::from(order.amount);
        if let Some(max) = self.lens().balance_max(currency).filter(|max| would > i128::from(*max)) {
            return Err(Reason::BalanceMax { max, would: clamp(would) });
        }
        let level = match self.lens().final_at(order.amount) {
            Finality::Accepted => 0,
            Finality::Certified => 1,
            Finality::Sealed => 2,
        };
        order.accepted = self.item.idx;
        self.show(order);
        let is_final = self.is_final(order, level, self.lens().has_witnesses());
        if is_final {
            order.flags |= FINAL;
        }
        self.put_order(number, *order);
        self.draft.moved.push(number);
        let amount = order.amount;
        let change = self.change(payee, currency);
        change.booked += i128::from(amount);
        if is_final {
            change.credits += i128::from(amount);
        } else {
            change.pending.insert(number, Some(level));
        }
        let root = if order.kind == Kind::Capture { order.link } else { number };
        let change = self.change(order.from, currency);
        change.booked -= i128::from(amount);
        change.open.insert(root, false);
        Ok(())
    }

    /// An acceptance that was right by what its author knew, of an order that does not stand: a claim takes its place.
    fn undone(&mut self, index: u32, number: u32, mut order: Order, reason: Reason) -> Result<(), Reason> {
        order.flags |= CLAIMED;
        let (amount, currency) = (order.amount, order.currency);
        self.put_order(number, order);
        if amount > 0 {
            let author = self.draft.author;
            self.change(author, currency).lost += i128::from(amount);
            self.draft.claims.push(ClaimRec {
                entry: self.item.idx,
                index,
                order: number,
                amount,
                is_hold: false,
            });
        }
        Err(reason)
    }

    pub(super) fn decline(&mut self, named: &OrderRef) -> Result<(), Reason> {
        let (number, mut order) = self.order(named).ok_or(Reason::NoSuchOrder)?;
        if order.to != self.draft.author {
            return Err(Reason::NotYours);
        }
        let captured_and_taken = self.order_at(order.link).is_some_and(|linked| linked.accepted != NONE);
        match order.kind {
            Kind::Capture => return Err(Reason::NoSuchOrder),
            Kind::Pay | Kind::Hold | Kind::Request => {}
        }
        let done = order.accepted != NONE || order.declined != NONE || order.flags & CLAIMED != 0;
        if done || captured_and_taken || (order.kind == Kind::Request && order.flags & PAID != 0) {
            return Err(Reason::AlreadyDone);
        }
        order.declined = self.item.idx;
        self.put_order(number, order);
        Ok(())
    }

    pub(super) fn give_back(&mut self, named: &OrderRef, decline: &Cid) -> Result<(), Reason> {
        let (number, mut order) = self.order(named).ok_or(Reason::NoSuchOrder)?;
        if order.from != self.draft.author {
            return Err(Reason::NotYours);
        }
        match order.kind {
            Kind::Pay | Kind::Hold => {}
            Kind::Capture | Kind::Request => return Err(Reason::NoSuchOrder),
        }
        if order.standing != Standing::Good {
            return Err(Reason::OrderInvalid);
        }
        let named = self.referred(decline);
        if named.is_some_and(|named| self.state.void_declines.contains(&(named, number))) {
            if order.flags & MISLED == 0 {
                // What the author spent of it since is uncovered, as if a credit had been void.
                order.flags |= MISLED;
                let (author, amount) = (self.draft.author, i128::from(order.amount));
                self.put_order(number, order);
                self.change(author, order.currency).lost += amount;
            }
            return Err(Reason::DeclineVoid);
        }
        if order.declined == NONE || named != Some(order.declined) {
            return Err(Reason::NotDeclined);
        }
        if order.flags & RELEASED != 0 {
            return Err(Reason::AlreadyDone);
        }
        order.flags |= RELEASED;
        order.returned = self.item.idx;
        let captured = (order.kind == Kind::Hold).then(|| self.order_at(order.link)).flatten();
        let amount = captured.map_or(order.amount, |capture| capture.amount);
        self.put_order(number, order);
        let author = self.draft.author;
        let change = self.change(author, order.currency);
        change.debits -= i128::from(amount);
        change.open.insert(number, false);
        Ok(())
    }
}
