//! Asking the books for payments, holds and requests, how they stand, and what is claimed.

use std::collections::BTreeSet;

use icn_types::{Cid, Did, Timestamp};

use crate::act::OrderRef;
use crate::books::Books;
use crate::books::reason::derived_id;
use crate::books::state::{
    CERTIFIED, CLAIMED, FINAL, Kind, LAPSED, NONE, Order, PAID, RELEASED, Standing, State, cid_of, hash_of,
    number,
};
use crate::books::views::{ClaimCause, ClaimRecord, OrderKind, OrderStatus, OrderView};

impl State {
    pub(in crate::books) fn order_ref(&self, order: &Order) -> OrderRef {
        OrderRef { entry: cid_of(&self.id(order.entry)), index: u32::from(order.index) }
    }
}

impl Books {
    /// Lists the entries whose payments and holds are not decided yet.
    #[must_use]
    pub fn open_entries(&self) -> BTreeSet<Cid> {
        let purses = self.state.accounts.iter().flat_map(|account| &account.purses);
        let orders = purses.flat_map(|purse| &purse.open).filter_map(|order| self.state.order(*order));
        orders.map(|order| cid_of(&self.state.id(order.entry))).collect()
    }

    pub(in crate::books) fn status(&self, order: &Order) -> OrderStatus {
        match order.standing {
            Standing::Bad => return OrderStatus::Invalid,
            Standing::Void | Standing::Stopped | Standing::Uncovered => return OrderStatus::Void,
            Standing::Lapsed => return OrderStatus::Expired,
            Standing::Good => {}
        }
        let paid = if order.kind == Kind::Hold { self.state.order(order.link) } else { Some(order) };
        if let Some(paid) = paid.filter(|paid| paid.accepted != NONE) {
            let entry = self.state.entry(paid.entry);
            return match entry {
                Some(entry) if entry.sealed != NONE => OrderStatus::Sealed,
                Some(entry) if entry.flags & CERTIFIED != 0 => OrderStatus::Certified,
                Some(_) | None => OrderStatus::Accepted,
            };
        }
        if order.returned != NONE {
            return OrderStatus::Returned;
        }
        let is_lapsed = self.is_lapsed(order);
        if order.flags & CLAIMED != 0 {
            return OrderStatus::Claimed;
        }
        if is_lapsed || order.flags & LAPSED != 0 {
            return OrderStatus::Expired;
        }
        if order.declined != NONE {
            return OrderStatus::Declined;
        }
        match (order.kind, paid) {
            (Kind::Pay, _) => OrderStatus::Sent,
            (Kind::Hold, Some(capture)) if capture.amount == 0 => OrderStatus::Released,
            (Kind::Hold, Some(_)) | (Kind::Capture, _) => OrderStatus::Captured,
            (Kind::Hold, None) => OrderStatus::Placed,
            (Kind::Request, _) if order.flags & PAID != 0 => OrderStatus::Paid,
            (Kind::Request, _) => OrderStatus::Open,
        }
    }

    /// Tells whether a seal has ended an order, whether its payer has seen it or not.
    pub(in crate::books) fn is_lapsed(&self, order: &Order) -> bool {
        let is_undecided = matches!(order.kind, Kind::Pay | Kind::Hold) && order.accepted == NONE;
        let is_captured = order.kind == Kind::Hold && order.link != NONE;
        let mark = |idx| self.state.sealed(idx);
        let is_ended = || self.facts.ends(order.expires, &[order.declined], mark, NONE, |_| true);
        is_undecided && !is_captured && is_ended()
    }

    pub(in crate::books) fn show(&self, order: &Order) -> OrderView {
        let state = &self.state;
        let known = |idx: u32| (idx != NONE).then(|| cid_of(&state.id(idx)));
        let link = state.order(order.link);
        OrderView {
            id: state.order_ref(order),
            kind: match order.kind {
                Kind::Pay => OrderKind::Pay,
                Kind::Hold => OrderKind::Hold,
                Kind::Capture => OrderKind::Capture,
                Kind::Request => OrderKind::Request,
            },
            from: state.did(order.from),
            to: state.did(order.to),
            amount: order.amount,
            currency: state.code(order.currency).to_owned(),
            expires: (order.expires != u64::MAX).then(|| Timestamp::from_millis(order.expires)),
            at: Timestamp::from_millis(state.entry(order.entry).map_or(0, |entry| entry.at)),
            status: self.status(order),
            is_final: order.flags & FINAL != 0,
            accepted: known(order.accepted),
            declined: known(order.declined),
            link: link.map(|link| state.order_ref(link)),
            captured: link.filter(|_| order.kind == Kind::Hold).map(|capture| capture.amount),
        }
    }

    /// Returns an order by the place of its entry in the order of application, and its act.
    #[must_use]
    pub fn order_at(&self, idx: u32, act: u32) -> Option<OrderView> {
        self.state.order(self.state.find_order(idx, act)?).map(|order| self.show(order))
    }

    /// Returns an order by its name. Slow: prefer [`Books::order_at`] where the place of the entry is known.
    #[must_use]
    pub fn order(&self, order: &OrderRef) -> Option<OrderView> {
        let hash = hash_of(&order.entry);
        let idx = self.state.entries.iter().position(|entry| entry.id == hash)?;
        self.order_at(number(idx), order.index)
    }

    /// Lists orders and requests of an account, newest first.
    #[must_use]
    pub fn history(&self, account: &Did, offset: usize, limit: usize) -> Vec<OrderView> {
        let account = self.account_of(account).and_then(|account| self.state.account(account));
        let orders = account.map_or(&[][..], |account| &account.orders);
        let page = orders.iter().rev().skip(offset).take(limit);
        page.filter_map(|order| self.state.order(*order)).map(|order| self.show(order)).collect()
    }

    /// Counts orders and requests of an account.
    #[must_use]
    pub fn history_len(&self, account: &Did) -> usize {
        let account = self.account_of(account).and_then(|account| self.state.account(account));
        account.map_or(0, |account| account.orders.len())
    }

    fn with_captures(&self, account: &Did) -> Vec<&Order> {
        let account = self.account_of(account).and_then(|account| self.state.account(account));
        let orders = account.map_or(&[][..], |account| &account.orders);
        let own = orders.iter().filter_map(|order| self.state.order(*order));
        own.flat_map(|order| {
            let capture = (order.kind == Kind::Hold).then(|| self.state.order(order.link)).flatten();
            [Some(order), capture].into_iter().flatten()
        })
        .collect()
    }

    /// Lists what a payee may accept now: payments and captures.
    #[must_use]
    pub fn open_to(&self, account: &Did) -> Vec<OrderView> {
        let Some(payee) = self.account_of(account) else { return Vec::new() };
        let is_open = |order: &&Order| {
            let hold = (order.kind == Kind::Capture).then(|| self.state.order(order.link)).flatten();
            order.to == payee
                && matches!(order.kind, Kind::Pay | Kind::Capture)
                && matches!(self.status(order), OrderStatus::Sent | OrderStatus::Captured)
                && order.amount > 0
                && hold.is_none_or(|hold| hold.declined == NONE)
        };
        self.with_captures(account).into_iter().filter(is_open).map(|order| self.show(order)).collect()
    }

    /// Lists what a payer may take back: what its payee declined.
    #[must_use]
    pub fn declined_of(&self, account: &Did) -> Vec<OrderView> {
        let Some(payer) = self.account_of(account) else { return Vec::new() };
        let may_return = |order: &&Order| {
            order.from == payer
                && matches!(order.kind, Kind::Pay | Kind::Hold)
                && order.standing == Standing::Good
                && order.declined != NONE
                && order.flags & RELEASED == 0
        };
        self.with_captures(account).into_iter().filter(may_return).map(|order| self.show(order)).collect()
    }

    /// Lists the requests that wait for an account, newest first.
    #[must_use]
    pub fn requests(&self, of: &Did) -> Vec<OrderView> {
        let Some(asked) = self.account_of(of) else { return Vec::new() };
        let list = self.with_captures(of).into_iter().rev();
        list.filter(|order| order.kind == Kind::Request && order.to == asked)
            .filter(|order| self.status(order) == OrderStatus::Open)
            .map(|order| self.show(order))
            .collect()
    }

    /// Lists the claims, by id.
    #[must_use]
    pub fn claims(&self) -> Vec<ClaimRecord> {
        let show = |claim: &crate::books::state::ClaimRec| {
            let order = self.state.order(claim.order)?;
            let by = OrderRef { entry: cid_of(&self.state.id(claim.entry)), index: claim.index };
            let named = self.state.order_ref(order);
            let capture = self.state.order(order.link).filter(|_| claim.is_hold);
            Some(ClaimRecord {
                id: derived_id("claim", &[named, by]),
                creditor: self.state.did(order.to),
                debtor: self.state.did(order.from),
                currency: self.state.code(order.currency).to_owned(),
                amount: claim.amount,
                order: named,
                by,
                cause: if claim.is_hold { ClaimCause::Hold } else { ClaimCause::Void },
                is_settled: if claim.is_hold {
                    capture.is_some_and(|capture| capture.accepted != NONE)
                } else {
                    order.flags & CLAIMED == 0
                },
            })
        };
        let mut claims: Vec<ClaimRecord> = self.state.claims.iter().filter_map(show).collect();
        claims.sort_by_key(|claim| claim.id);
        claims
    }
}
