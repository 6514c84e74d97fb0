//! Balances, and why an amount can be spent or not.

use icn_types::Did;

use super::Books;
use super::judge_money::clamp;
use super::reason::Reason;
use super::state::{Kind, NONE, Order, Purse, RELEASED, Standing, cid_of};
use super::views::{Balance, Explanation};

impl Books {
    /// Returns what an account has in a currency, as its next entry would find it with everything known in its past.
    #[must_use]
    pub fn balance(&self, account: &Did, code: &str) -> Balance {
        let (Some(account), Some(currency)) =
            (self.account_of(account), self.state.by_code.get(code).copied())
        else {
            return Balance::default();
        };
        let view = self.everything();
        let lens = self.lens(&view);
        let (line, _) = lens.line(account, currency);
        let none = Purse::default();
        let purse = self.state.purse(account, currency).unwrap_or(&none);
        let order = |number: &u32| self.state.order(*number).copied();
        let mut released: i128 = 0;
        let mut reserved: i128 = 0;
        for number in &purse.open {
            let Some(open) = order(number).filter(|open| open.flags & RELEASED == 0) else { continue };
            let captured = order(&open.link).filter(|_| open.kind == Kind::Hold);
            let amount = i128::from(captured.map_or(open.amount, |capture| capture.amount));
            if self.is_lapsed(&open) {
                released += amount;
            } else {
                reserved += amount;
            }
        }
        let has_witnesses = lens.has_witnesses();
        let mut pending: i128 = 0;
        for (number, level) in &purse.pending {
            let Some(credit) = order(number) else { continue };
            let is_sealed = self.state.sealed(credit.entry) != NONE;
            let amount = i128::from(credit.amount);
            if credit.is_final(*level, is_sealed, has_witnesses) {
                released += amount;
            } else {
                pending += amount;
            }
        }
        let incoming: i128 = self.incoming(account, currency);
        let derived = lens.derived(account, currency);
        let did = self.state.did(account);
        Balance {
            booked: clamp(purse.booked + derived),
            line,
            reserved: clamp(reserved),
            pending: clamp(pending),
            incoming: clamp(incoming),
            available: clamp(i128::from(line) + purse.credits - purse.debits + released + derived),
            frozen: lens.is_frozen(account) || self.is_forked(&did),
        }
    }

    fn incoming(&self, account: u32, currency: u32) -> i128 {
        let orders = self.state.account(account).map_or(&[][..], |account| &account.orders);
        let waits = |order: &&Order| {
            order.to == account
                && order.currency == currency
                && order.standing == Standing::Good
                && order.accepted == NONE
                && order.declined == NONE
                && order.flags & RELEASED == 0
                && !self.is_lapsed(order)
        };
        let mut sum = 0;
        for order in orders.iter().filter_map(|order| self.state.order(*order)).filter(waits) {
            sum += match order.kind {
                Kind::Pay => i128::from(order.amount),
                Kind::Hold => {
                    let capture = self.state.order(order.link).filter(|capture| capture.accepted == NONE);
                    capture.map_or(0, |capture| i128::from(capture.amount))
                }
                Kind::Capture | Kind::Request => 0,
            };
        }
        sum
    }

    /// Lists the accounts of a currency with what is booked, by DID.
    #[must_use]
    pub fn accounts(&self, code: &str) -> Vec<(Did, i64)> {
        let Some(currency) = self.state.by_code.get(code) else { return Vec::new() };
        let holders = self.holders(*currency).into_iter();
        let mut list: Vec<(Did, i64)> = holders
            .map(|account| (self.state.did(account), clamp(self.booked(account, *currency))))
            .collect();
        list.sort_unstable();
        list
    }

    /// Explains whether an account could spend an amount, with all figures, and what would raise what it can spend.
    #[must_use]
    pub fn explain(&self, account: &Did, code: &str, amount: i64) -> Explanation {
        let balance = self.balance(account, code);
        let view = self.everything();
        let lens = self.lens(&view);
        let known = self.account_of(account);
        let currency = self.state.by_code.get(code).copied();
        let line_from = match (known, currency) {
            (Some(account), Some(currency)) => lens.line(account, currency).1,
            (None | Some(_), _) => NONE,
        };
        let mut would_raise = Vec::new();
        let rule = if currency.is_none_or(|currency| lens.currency(currency).is_none()) {
            Some(Reason::UnknownCurrency)
        } else if !known.is_some_and(|account| lens.is_member(account)) {
            Some(Reason::NotAMember(*account))
        } else if balance.frozen {
            would_raise.push("a steward lifts the freeze".to_owned());
            Some(Reason::Frozen)
        } else if amount > balance.available {
            Some(Reason::LimitExceeded { available: balance.available, requested: amount })
        } else {
            None
        };
        if balance.incoming > 0 {
            would_raise.push(format!("accept the {} that others have sent", balance.incoming));
        }
        if balance.pending > 0 {
            would_raise.push(format!(
                "wait until the {} accepted but not final are certified or sealed",
                balance.pending
            ));
        }
        if balance.reserved > 0 {
            would_raise
                .push(format!("the {} set aside come back if they are declined or expire", balance.reserved));
        }
        would_raise.push("earn credit from other members".to_owned());
        would_raise.push("ask a steward for a higher line".to_owned());
        let line_from = (line_from != NONE).then(|| cid_of(&self.state.id(line_from)));
        let derived = known.zip(currency).map_or(0, |(account, currency)| lens.derived(account, currency));
        Explanation { rule, balance, derived: clamp(derived), line_from, would_raise }
    }

    /// Returns how far beyond a new, lower limit an account may come in the worst case, in the smallest unit: what it can
    /// still spend in entries that do not have the lowering in their past. Its one chain bounds it, however many
    /// members have not heard; with witnesses, only until they have.
    #[must_use]
    pub fn overrun(&self, account: &Did, code: &str, new_limit: i64) -> i64 {
        let balance = self.balance(account, code);
        let room = i128::from(balance.available) + i128::from(new_limit) - i128::from(balance.line);
        clamp(i128::from(balance.available.max(0)) - room.max(0)).max(0)
    }

    /// Tells whether an entry spends although, by everything known here, its author is frozen or beyond its line: a
    /// witness does not certify it, even if the entry's own past did not know.
    #[must_use]
    pub fn exceeds_known_line(&self, idx: u32) -> bool {
        let Some(entry) = self.state.entry(idx) else { return false };
        let did = self.state.did(entry.author);
        let mut order = entry.first_order;
        while let Some(known) = self.state.order(order).filter(|order| order.entry == idx) {
            if matches!(known.kind, Kind::Pay | Kind::Hold) && known.standing == Standing::Good {
                let balance = self.balance(&did, self.state.code(known.currency));
                // What was derived since is nothing that its author could know, and no reason to leave it uncertified.
                let seen = self.lens(&self.state.views.get(entry.view)).derived(entry.author, known.currency);
                let since = self.lens(&self.everything()).derived(entry.author, known.currency) - seen;
                if balance.frozen || i128::from(balance.available) - since.min(0) < 0 {
                    return true;
                }
            }
            order = order.saturating_add(1);
        }
        false
    }

    /// Returns how much an account may accept until its balance is as high as the currency allows; none: it has no bound.
    #[must_use]
    pub fn room(&self, account: &Did, code: &str) -> Option<i64> {
        let view = self.everything();
        let max = self.lens(&view).balance_max(*self.state.by_code.get(code)?)?;
        let balance = self.balance(account, code);
        let held = i128::from(balance.available) - i128::from(balance.line) + i128::from(balance.pending);
        Some(clamp(i128::from(max) - held))
    }

    /// Lists what an account received from each other one less what it gave back: what lines are measured by.
    #[must_use]
    pub fn net_received(&self, account: &Did, code: &str) -> Vec<(Did, i64)> {
        let (Some(account), Some(currency)) = (self.account_of(account), self.state.by_code.get(code)) else {
            return Vec::new();
        };
        let mut nets: std::collections::BTreeMap<Did, i128> = std::collections::BTreeMap::new();
        let orders = self.state.account(account).map_or(&[][..], |account| &account.orders);
        for order in orders.iter().filter_map(|order| self.state.order(*order)) {
            let paid = if order.kind == Kind::Hold { self.state.order(order.link) } else { Some(order) };
            let Some(paid) = paid.filter(|paid| paid.accepted != NONE && paid.currency == *currency) else {
                continue;
            };
            let amount = i128::from(paid.amount);
            if paid.to == account {
                *nets.entry(self.state.did(paid.from)).or_default() += amount;
            } else {
                *nets.entry(self.state.did(paid.to)).or_default() -= amount;
            }
        }
        for (other, amount) in self.refunds(account, *currency) {
            *nets.entry(other).or_default() += i128::from(amount);
        }
        nets.into_iter().map(|(did, net)| (did, clamp(net))).collect()
    }
}
