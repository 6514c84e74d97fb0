//! Balances, movements and what an account can spend.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{Balance, Explain, Explanation, Listing, Movement, OrderKind, Way};
use icn_ledger::replica::Replica;
use icn_ledger::{Books, OrderView, Reason};
use icn_types::{Did, Page, Timestamp};

use super::words::Words;
use super::{BooksFace, convert, grants, members, read};

impl BooksFace {
    pub(super) async fn list_balances(&self, space: &str, part: &Listing) -> Result<Page<Balance>, Problem> {
        let space = self.find(space)?;
        let account = if part.all && part.account.is_none() {
            None
        } else {
            Some(self.account_of(&space, part).await?)
        };
        let replica = space.replica();
        let books = replica.books();
        let words = Words::of(books);
        let codes = words.chosen(part.currency.as_deref())?;
        let mut all: Vec<(Did, String)> = Vec::new();
        for code in codes {
            match account {
                Some(account) => all.push((account, code)),
                None => all.extend(books.accounts(&code).into_iter().map(|(did, _)| (did, code.clone()))),
            }
        }
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let show = |(did, code): &(Did, String)| {
            let balance = books.balance(did, code);
            let amount = |smallest: i64| words.amount(smallest, code);
            Balance {
                account: words.party(*did),
                balance: amount(balance.booked),
                reserved: amount(balance.reserved),
                pending: amount(balance.pending),
                line: amount(balance.line),
                available: amount(balance.available),
                frozen: balance.frozen.then(|| convert::frozen(books, did)).flatten(),
            }
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn list_history(&self, space: &str, part: &Listing) -> Result<Page<Movement>, Problem> {
        let space = self.find(space)?;
        let account = self.account_of(&space, part).await?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        if let Some(code) = &part.currency {
            words.known(code)?;
        }
        let wanted = |order: &OrderView| {
            convert::kind(order.kind).is_some()
                && part.currency.as_ref().is_none_or(|code| *code == order.currency)
        };
        let page = chosen(replica.books(), &account, part, wanted);
        let show = |order: &OrderView| movement(&replica, &words, &account, order);
        let items = page.items.iter().filter_map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn list_limits(
        &self,
        space: &str,
        part: &Listing,
    ) -> Result<Page<Explanation>, Problem> {
        let space = self.find(space)?;
        let account = self.account_of(&space, part).await?;
        let now = self.0.clock.now().at;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let codes = words.chosen(part.currency.as_deref())?;
        let page = Page::cut(codes.into_iter(), part.offset, part.limit);
        let since = members::since(&replica, space.root, &account);
        let trust_ppm = self.credit_trust(&space, &account);
        let show = |code: &String| {
            let mut explanation = explain(replica.books(), &words, account, code, None);
            recommend(&mut explanation, replica.books(), &words, now, (account, since), code, trust_ppm);
            explanation
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn explain_spending(
        &self,
        space: &str,
        question: Explain,
    ) -> Result<Explanation, Problem> {
        let space = self.find(space)?;
        let account = self.account(&space, question.account.as_deref(), question.identity.as_deref()).await?;
        let now = self.0.clock.now().at;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let (code, requested) = match &question.amount {
            Some(text) => {
                // A bare number is of the currency that is named beside it.
                let text = match &question.currency {
                    Some(code) if !text.trim().contains(' ') => format!("{} {code}", text.trim()),
                    Some(_) | None => text.clone(),
                };
                let amount = words.parse(&text)?;
                (amount.currency, Some(amount.smallest))
            }
            None => (words.one(question.currency.as_deref())?, None),
        };
        let since = members::since(&replica, space.root, &account);
        let trust_ppm = self.credit_trust(&space, &account);
        let mut explanation = explain(replica.books(), &words, account, &code, requested);
        recommend(&mut explanation, replica.books(), &words, now, (account, since), &code, trust_ppm);
        Ok(explanation)
    }
}

/// Cuts a page out of the orders of an account that are wanted, newest first.
pub(super) fn chosen(
    books: &Books,
    account: &Did,
    part: &Listing,
    wanted: impl Fn(&OrderView) -> bool,
) -> Page<OrderView> {
    /// How many orders are looked at in one step.
    const STEP: usize = 512;
    let len = books.history_len(account);
    let (mut items, mut total) = (Vec::new(), 0_usize);
    for offset in (0..len).step_by(STEP) {
        for order in books.history(account, offset, STEP).into_iter().filter(&wanted) {
            if total >= part.offset && items.len() < part.limit {
                items.push(order);
            }
            total += 1;
        }
    }
    let has_more = part.offset.saturating_add(items.len()) < total;
    Page { items, total: total as u64, has_more }
}

fn movement(replica: &Replica, words: &Words, account: &Did, order: &OrderView) -> Option<Movement> {
    let kind = convert::kind(order.kind)?;
    let (way, counterparty) = if order.to == *account { (Way::In, order.from) } else { (Way::Out, order.to) };
    let amount = match kind {
        OrderKind::Hold => order.captured.filter(|captured| *captured > 0).unwrap_or(order.amount),
        OrderKind::Payment => order.amount,
    };
    let memo = match read::act(replica, &order.id) {
        Some(icn_ledger::Act::Pay { memo, .. }) => memo,
        Some(_) | None => None,
    };
    Some(Movement {
        reference: order.id.to_string(),
        kind,
        way,
        counterparty: words.party(counterparty),
        amount: words.amount(amount, &order.currency),
        status: convert::status(order.status)?,
        is_final: convert::is_final(replica, order),
        memo,
        at: order.at,
    })
}

/// Explains what an account can spend.
pub(super) fn explain(
    books: &Books,
    words: &Words,
    account: Did,
    code: &str,
    requested: Option<i64>,
) -> Explanation {
    let told = books.explain(&account, code, requested.unwrap_or_default());
    let balance = told.balance;
    let amount = |smallest: i64| words.amount(smallest, code);
    let text = |smallest: i64| amount(smallest).text;
    let rule = match told.rule {
        Some(Reason::LimitExceeded { .. }) | None => format!(
            "the balance of {} may go {} below zero, less what is set aside and what is not final",
            words.name(&account),
            text(balance.line)
        ),
        Some(Reason::UnknownCurrency) => format!("the space has no currency {code}"),
        Some(reason) => reason.to_string(),
    };
    let mut would_raise = Vec::new();
    let frozen = if balance.frozen { convert::frozen(books, &account) } else { None };
    if frozen.is_some() {
        would_raise.push("a steward lifts the freeze: `icn ledger unfreeze`".to_owned());
    }
    if balance.incoming > 0 {
        would_raise.push(format!("accept {} that others have sent", text(balance.incoming)));
    }
    if balance.pending > 0 {
        would_raise.push(format!(
            "wait until {} that were accepted are certified or sealed, as the space's rules ask",
            text(balance.pending)
        ));
    }
    if balance.reserved > 0 {
        would_raise.push(format!(
            "{} set aside come back if they are declined, released or lapse",
            text(balance.reserved)
        ));
    }
    would_raise.push("receive payments from other members".to_owned());
    would_raise.push("ask a steward for a higher credit line".to_owned());
    Explanation {
        account: words.party(account),
        requested: requested.map(amount),
        allowed: requested.map(|_| told.rule.is_none()),
        rule,
        line: amount(balance.line),
        line_from: told.line_from,
        booked: amount(balance.booked),
        derived: (told.derived != 0).then(|| amount(told.derived)),
        reserved: amount(balance.reserved),
        pending: amount(balance.pending),
        available: amount(balance.available),
        recommended: None,
        frozen,
        would_raise,
    }
}

/// Adds the line that the currency's policy would give now, and what would raise that.
fn recommend(
    explanation: &mut Explanation,
    books: &Books,
    words: &Words,
    now: Timestamp,
    (account, since): (Did, Timestamp),
    code: &str,
    trust_ppm: u32,
) {
    let Some((line, why)) = grants::recommended(books, &account, code, (now, since), trust_ppm) else {
        return;
    };
    explanation.recommended = Some(words.amount(line, code));
    if line > explanation.line.smallest {
        let text = words.amount(line, code).text;
        let hint = format!(
            "a steward grants the line of {text} that the policy suggests by now: `icn ledger grant`"
        );
        explanation.would_raise.insert(0, hint);
    }
    let more = why.would_raise().into_iter().map(|hint| format!("for a higher suggested line, {hint}"));
    explanation.would_raise.extend(more);
}
