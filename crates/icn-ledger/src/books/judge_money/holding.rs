//! Judging what becomes of holds: captured, or claimed.

use crate::act::OrderRef;
use crate::books::judge::Judge;
use crate::books::reason::Reason;
use crate::books::state::{CLAIMED, ClaimRec, Kind, LAPSED, NONE, Order, RELEASED, Standing};

impl Judge<'_> {
    pub(super) fn capture(&mut self, index: u32, named: &OrderRef, amount: i64) -> Result<(), Reason> {
        let (number, mut hold) = self.order(named).ok_or(Reason::NoSuchOrder)?;
        if hold.kind != Kind::Hold {
            return Err(Reason::NoSuchOrder);
        }
        if hold.from != self.draft.author {
            return Err(Reason::NotYours);
        }
        if hold.standing != Standing::Good {
            return Err(Reason::OrderInvalid);
        }
        if hold.link != NONE {
            return Err(Reason::AlreadyDone);
        }
        if hold.flags & RELEASED != 0 {
            return Err(if hold.returned == NONE { Reason::Expired } else { Reason::AlreadyDone });
        }
        if amount < 0 || amount > hold.amount {
            return Err(Reason::Amount);
        }
        self.check_approvals()?;
        if self.ended(&hold).is_some() {
            // A seal had ended the hold, unknown to the payer, who has the credit back all the same.
            let capture = self.capture_of(index, number, &hold, amount, Standing::Lapsed);
            self.push_order(capture);
            hold.flags |= RELEASED | LAPSED;
            self.put_order(number, hold);
            self.free(&hold, number, hold.amount, true);
            return Err(Reason::Expired);
        }
        let capture = self.capture_of(index, number, &hold, amount, Standing::Good);
        hold.link = self.push_order(capture);
        self.put_order(number, hold);
        let own = hold.link;
        self.draft.moved.push(own);
        self.free(&hold, number, hold.amount.saturating_sub(amount), amount == 0);
        Ok(())
    }

    fn free(&mut self, hold: &Order, number: u32, amount: i64, closes: bool) {
        let author = self.draft.author;
        let change = self.change(author, hold.currency);
        change.debits -= i128::from(amount);
        if closes {
            change.open.insert(number, false);
        }
    }

    fn capture_of(&self, index: u32, number: u32, hold: &Order, amount: i64, standing: Standing) -> Order {
        Order {
            entry: self.item.idx,
            index: u16::try_from(index).unwrap_or(u16::MAX),
            kind: Kind::Capture,
            standing,
            flags: 0,
            amount,
            link: number,
            accepted: NONE,
            declined: NONE,
            returned: NONE,
            ..*hold
        }
    }

    pub(super) fn claim(&mut self, index: u32, named: &OrderRef, amount: i64) -> Result<(), Reason> {
        let (number, mut hold) = self.order(named).ok_or(Reason::NoSuchOrder)?;
        if hold.kind != Kind::Hold {
            return Err(Reason::NoSuchOrder);
        }
        if hold.to != self.draft.author {
            return Err(Reason::NotYours);
        }
        if hold.standing == Standing::Bad {
            return Err(Reason::OrderInvalid);
        }
        if amount <= 0 || amount > hold.amount {
            return Err(Reason::Amount);
        }
        let taken = self.order_at(hold.link).is_some_and(|capture| capture.accepted != NONE);
        if hold.declined != NONE || hold.flags & CLAIMED != 0 || taken {
            return Err(Reason::AlreadyDone);
        }
        hold.flags |= CLAIMED;
        self.put_order(number, hold);
        let entry = self.item.idx;
        self.draft.claims.push(ClaimRec { entry, index, order: number, amount, is_hold: true });
        Ok(())
    }

    /// Remembers a capture that has no effect: what pays out an undone hold is undone with it.
    pub(super) fn note_capture(&mut self, index: u32, named: &OrderRef, amount: i64, standing: Standing) {
        let Some((number, mut hold)) = self.order(named) else { return };
        let is_own = hold.kind == Kind::Hold && hold.from == self.draft.author;
        if !is_own || !(0..=hold.amount).contains(&amount) {
            return;
        }
        let is_first = hold.standing.is_undone() && hold.link == NONE;
        if standing != Standing::Bad {
            let capture = self.capture_of(index, number, &hold, amount, standing);
            self.push_order(capture);
        } else if is_first {
            let capture = self.capture_of(index, number, &hold, amount, hold.standing);
            hold.link = self.push_order(capture);
            self.put_order(number, hold);
        }
    }
}
