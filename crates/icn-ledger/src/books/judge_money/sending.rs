//! Judging payments, holds and requests as they are sent: to whom, within which line and budget.

use icn_types::Did;

use super::clamp;
use crate::act::{Act, OrderRef};
use crate::books::judge::Judge;
use crate::books::reason::Reason;
use crate::books::state::{Kind, NONE, Order, PAID, Standing};
use crate::lines::covers;

/// What a payment, hold or request says.
pub(super) struct Terms<'a> {
    kind: Kind,
    to: Did,
    amount: i64,
    currency: &'a str,
    expires: u64,
    request: Option<OrderRef>,
}

impl Judge<'_> {
    pub(super) fn new_order(&mut self, index: u32, terms: &Terms<'_>, standing: Standing) -> Order {
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

    pub(super) fn place_order(&mut self, index: u32, terms: &Terms<'_>) -> Result<(), Reason> {
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
}

/// Reads what an act that sends something says.
pub(super) fn terms_of(act: &Act) -> Option<Terms<'_>> {
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
