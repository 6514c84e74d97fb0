//! Judging payments, holds, and what becomes of them.

use icn_types::{Cid, Did};

use super::judge::Judge;
use super::reason::Reason;
use super::state::{CLAIMED, ClaimRec, FINAL, Kind, MISLED, NONE, Order, PAID, RELEASED, Standing, hash_of};
use crate::act::{Act, OrderRef};
use crate::lines::covers;
use crate::policy::Finality;

/// What a payment, hold or request says.
struct Terms<'a> {
    kind: Kind,
    to: Did,
    amount: i64,
    currency: &'a str,
    expires: u64,
    request: Option<OrderRef>,
}

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

    fn new_order(&mut self, index: u32, terms: &Terms<'_>, standing: Standing) -> Order {
        let currency = self.new_currency(terms.currency);
        let (from, to) = (self.draft.author, self.account(terms.to));
        Order {
            entry: self.item.idx,
            index: u16::try_from(index).unwrap_or(u16::MAX),
            kind: terms.kind,
            standing,
            flags: 0,
            from,
            to,
            currency,
            amount: terms.amount,
            expires: terms.expires,
            link: NONE,
            accepted: NONE,
            declined: NONE,
            returned: NONE,
        }
    }

    fn place_order(&mut self, index: u32, terms: &Terms<'_>) -> Result<(), Reason> {
        if terms.amount <= 0 {
            return Err(Reason::Amount);
        }
        if terms.to == self.item.author {
            return Err(Reason::SelfPayment);
        }
        let to = self.account(terms.to);
        let currency = self.find_currency(terms.currency).ok_or(Reason::UnknownCurrency)?;
        let lens = self.lens();
        if lens.currency(currency).is_none() {
            return Err(Reason::UnknownCurrency);
        }
        // Whether who has forked its chain ever joined may be decided one way and later the other: what was sent to it stays
        // set aside, so that its payer does not spend it twice.
        if !lens.is_member(to) && !self.has_seen_branch_of(to) {
            return Err(Reason::NotAMember(terms.to));
        }
        if terms.kind == Kind::Request {
            let order = self.new_order(index, terms, Standing::Good);
            self.push_order(order);
            return Ok(());
        }
        self.check_fork()?;
        if self.lens().is_frozen(self.draft.author) {
            return Err(Reason::Frozen);
        }
        let draw = match terms.kind {
            Kind::Pay => self.check_budget(currency, terms.amount)?,
            Kind::Hold | Kind::Capture | Kind::Request => {
                self.check_approvals()?;
                None
            }
        };
        if self.last_seal_time().is_some_and(|time| time >= terms.expires) {
            return Err(Reason::Expired);
        }
        let request = match &terms.request {
            None => None,
            Some(request) => Some(self.open_request(request, to, currency)?),
        };
        self.check_limit(currency, terms.amount)?;
        self.draft.draws.extend(draw);
        let order = self.new_order(index, terms, Standing::Good);
        let number = self.push_order(order);
        let author = self.draft.author;
        let change = self.change(author, currency);
        change.debits += i128::from(terms.amount);
        change.open.insert(number, true);
        if let Some((number, mut request)) = request {
            request.flags |= PAID;
            self.put_order(number, request);
        }
        Ok(())
    }

    /// Tells whether the entry's past has an entry at a forked place of somebody's chain, or one behind it.
    fn has_seen_branch_of(&self, author: u32) -> bool {
        let mut branches = self.facts.places_of(author).flat_map(|(_, place)| &place.branches);
        branches.any(|idx| self.state.branch_events.get(idx).is_some_and(|event| self.view.contains(*event)))
    }

    fn open_request(&self, request: &OrderRef, to: u32, currency: u32) -> Result<(u32, Order), Reason> {
        let (number, order) = self.order(request).ok_or(Reason::NoSuchOrder)?;
        if order.kind != Kind::Request || order.from != to || order.currency != currency {
            return Err(Reason::NoSuchOrder);
        }
        if order.to != self.draft.author {
            return Err(Reason::NotYours);
        }
        if order.flags & PAID != 0 || order.declined != NONE {
            return Err(Reason::AlreadyDone);
        }
        Ok((number, order))
    }

    fn check_limit(&mut self, currency: u32, amount: i64) -> Result<(), Reason> {
        let (line, _) = self.lens().line(self.draft.author, currency);
        let (balance, lost) = self.sums(currency);
        let available = balance + i128::from(line);
        let requested = i128::from(amount);
        if covers(balance, line, amount) {
            return Ok(());
        }
        if requested <= available + lost {
            if self.facts.is_certified(self.item.idx) {
                // Its witnesses have seen it covered: the loss stays with whoever took the credit that is void now.
                return Ok(());
            }
            let author = self.draft.author;
            self.change(author, currency).lost -= requested;
            return Err(Reason::Uncovered);
        }
        Err(Reason::LimitExceeded { available: clamp(available), requested: amount })
    }

    fn accept(&mut self, index: u32, named: &OrderRef) -> Result<(), Reason> {
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
        if order.standing.is_undone() || hold_standing.is_undone() {
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

    fn decline(&mut self, named: &OrderRef) -> Result<(), Reason> {
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

    fn give_back(&mut self, named: &OrderRef, decline: &Cid) -> Result<(), Reason> {
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

    fn capture(&mut self, index: u32, named: &OrderRef, amount: i64) -> Result<(), Reason> {
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
            hold.flags |= RELEASED | super::state::LAPSED;
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

    fn claim(&mut self, index: u32, named: &OrderRef, amount: i64) -> Result<(), Reason> {
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
    fn note_capture(&mut self, index: u32, named: &OrderRef, amount: i64, standing: Standing) {
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

fn terms_of(act: &Act) -> Option<Terms<'_>> {
    let never = u64::MAX;
    match act {
        Act::Pay { to, amount, currency, request, expires, .. } => Some(Terms {
            kind: Kind::Pay,
            to: *to,
            amount: *amount,
            currency,
            expires: expires.map_or(never, icn_types::Timestamp::as_millis),
            request: *request,
        }),
        Act::Hold { to, amount, currency, expires, .. } => Some(Terms {
            kind: Kind::Hold,
            to: *to,
            amount: *amount,
            currency,
            expires: expires.as_millis(),
            request: None,
        }),
        Act::Request { of, amount, currency, expires, .. } => Some(Terms {
            kind: Kind::Request,
            to: *of,
            amount: *amount,
            currency,
            expires: expires.map_or(never, icn_types::Timestamp::as_millis),
            request: None,
        }),
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
        | Act::Accept { .. }
        | Act::Decline { .. }
        | Act::Return { .. }
        | Act::Capture { .. }
        | Act::Claim { .. }
        | Act::Seal { .. }
        | Act::Repair { .. }
        | Act::Trust { .. }
        | Act::Rate { .. }
        | Act::Demurrage { .. }
        | Act::Dispute(_)
        | Act::EndStanding { .. }
        | Act::Standing(_)
        | Act::WriteOff { .. }
        | Act::Propose(_)
        | Act::Approve { .. }
        | Act::Withdraw { .. }
        | Act::Budget(_)
        | Act::EndBudget { .. } => None,
    }
}

pub(super) fn clamp(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}
