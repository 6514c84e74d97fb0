//! What has moved between whom, and when: what health and statements are drawn from.
//!
//! Times here are for people. A movement stands at the clock of whoever accepted it, held within the epoch whose seal covers
//! it: a wrong clock moves nothing out of a sealed epoch. No verdict and no balance depends on them.

use icn_types::{Did, Timestamp};

use super::Books;
use super::lens::Lens;
use super::state::{Kind, NONE, Order, RELEASED, Rule, Standing, number};
use super::views::OrderView;
use crate::health::{AccountFacts, Attempt, HealthFacts, Movement};

impl Books {
    /// Lists the orders of an account in one currency, oldest first, each with the time at which it was booked, as far as it
    /// was: the payee's clock, held within the epoch whose seal covers its acceptance. Of a hold it is its capture that
    /// is booked.
    ///
    /// The times are for display: another entry or seal that becomes known may change them, and no balance depends on them.
    #[must_use]
    pub fn booked_history(&self, account: &Did, code: &str) -> Vec<(OrderView, Option<Timestamp>)> {
        let known = self.account_of(account).and_then(|account| self.state.account(account));
        let currency = self.state.by_code.get(code).copied();
        let orders = known.map_or(&[][..], |account| &account.orders);
        let orders = orders.iter().filter_map(|order| self.state.order(*order));
        orders
            .filter(|order| Some(order.currency) == currency)
            .map(|order| {
                let paid = if order.kind == Kind::Hold { self.state.order(order.link) } else { Some(order) };
                let paid = paid.filter(|paid| is_booked(paid));
                (self.show(order), paid.map(|paid| self.entered(paid.accepted)))
            })
            .collect()
    }

    /// Gathers what the health of a currency is judged by; nothing when there is no such currency.
    #[must_use]
    pub fn health_facts(&self, code: &str) -> Option<HealthFacts> {
        let currency = *self.state.by_code.get(code)?;
        let view = self.everything();
        let lens = self.lens(&view);
        let (decimals, ..) = lens.currency(currency)?;
        // By number of the account: its place in the list, if it has one.
        let mut places: Vec<Option<u32>> = Vec::with_capacity(self.state.accounts.len());
        let mut accounts = Vec::new();
        for account in 0..number(self.state.accounts.len()) {
            let known = self.account_facts(&lens, account, currency);
            places.push(known.is_some().then(|| number(accounts.len())));
            accounts.extend(known);
        }
        let place = |account: u32| places.get(account as usize).copied().flatten();
        let mut facts = HealthFacts { decimals, accounts, ..HealthFacts::default() };
        for order in self.state.orders.iter().filter(|order| order.currency == currency) {
            if let (true, Some(from), Some(to)) = (is_booked(order), place(order.from), place(order.to)) {
                facts.movements.push(Movement {
                    from,
                    to,
                    amount: order.amount,
                    at: self.entered(order.accepted),
                });
            }
            if matches!(order.kind, Kind::Pay | Kind::Hold) && order.standing == Standing::Good {
                let is_taken_back = order.flags & RELEASED != 0 && order.kind == Kind::Pay;
                facts.attempts.push(Attempt {
                    at: self.entered(order.entry),
                    has_failed: order.declined != NONE || is_taken_back || self.is_lapsed(order),
                });
            }
        }
        for account in 0..number(self.state.accounts.len()) {
            let did = self.state.did(account);
            let paid = self.transfers(&did, 0, usize::MAX).into_iter();
            for transfer in paid.filter(|transfer| transfer.from == did && transfer.currency == code) {
                let to = self.account_of(&transfer.to).and_then(place);
                if let (Some(from), Some(to)) = (place(account), to) {
                    facts.movements.push(Movement { from, to, amount: transfer.amount, at: transfer.at });
                }
            }
        }
        facts.movements.sort_by_key(|movement| movement.at);
        let open = self.claims().into_iter().filter(|claim| !claim.is_settled && claim.currency == code);
        facts.claims = open.map(|claim| (claim.creditor, claim.amount)).collect();
        Some(facts)
    }

    fn account_facts(&self, lens: &Lens<'_>, account: u32, currency: u32) -> Option<AccountFacts> {
        let is_member = lens.is_member(account);
        let purse = self.state.purse(account, currency);
        if !is_member && purse.is_none() {
            return None;
        }
        let did = self.state.did(account);
        Some(AccountFacts {
            did,
            is_member,
            is_treasury: lens.treasury(account).is_some(),
            is_frozen: lens.is_frozen(account) || self.is_forked(&did),
            booked: self.balance(&did, self.state.code(currency)).booked,
            line: lens.line(account, currency).0,
            since: self.member_since(account),
        })
    }

    /// Finds when an account was first admitted, or, where nobody was, when it first spoke.
    fn member_since(&self, account: u32) -> Timestamp {
        let Some(known) = self.state.account(account) else { return Timestamp::default() };
        let joined = known.membership.iter().filter_map(|event| self.state.events.get(*event as usize));
        let is_about =
            |rule: &Rule| matches!(rule, Rule::Admit(whom, _) | Rule::Join(whom, ..) if *whom == account);
        let joined = joined.filter(|event| is_about(&event.rule)).map(|event| event.entry);
        let first = joined.chain(known.chain.first().copied()).min();
        first.map_or_else(Timestamp::default, |idx| self.entered(idx))
    }

    /// Tells when an entry came into the books, as people are told.
    fn entered(&self, idx: u32) -> Timestamp {
        let Some(entry) = self.state.entry(idx) else { return Timestamp::default() };
        let sealed_at = |place: usize| self.facts.line.get(place).map(|seal| seal.time);
        let (after, until) = if entry.sealed == NONE {
            (self.facts.line.last().map(|seal| seal.time), None)
        } else {
            let place = entry.sealed as usize;
            (place.checked_sub(1).and_then(sealed_at), sealed_at(place))
        };
        let at = entry.at.max(after.unwrap_or(0));
        Timestamp::from_millis(until.map_or(at, |until| at.min(until)))
    }
}

/// Tells whether an order has moved both balances.
const fn is_booked(order: &Order) -> bool {
    order.accepted != NONE && order.amount > 0
}
