//! Standing orders, payments to several at once, charges, and transfers that nobody's chain wrote.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    DemurrageRule, Every, Listing, Order, SplitRequest, Standing, StandingRequest, Transfer, TurnRequest,
};
use icn_ledger::replica::{Refusal, Replica};
use icn_ledger::{Act, OrderRef, StandingOrder, StandingView, TransferCause};
use icn_types::{Did, Page};

use super::words::Words;
use super::{BooksFace, find, orders};
use crate::receipt;
use crate::spaces::Space;

/// The most transfers that are counted for a page.
const TRANSFERS_MAX: usize = 100_000;

impl BooksFace {
    pub(super) async fn pay_several(
        &self,
        space: &str,
        request: SplitRequest,
    ) -> Result<Vec<Order>, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let acts =
            self.split_acts(&words, author, &request.amount, &request.shares, request.memo.as_ref())?;
        let count = u32::try_from(acts.len()).unwrap_or(u32::MAX);
        let posted = self.post(&space, author, acts, request.key).await?;
        let entry = posted.entry;
        (0..count).map(|index| orders::shown(&space, &OrderRef { entry, index })).collect()
    }

    pub(super) async fn list_standings(
        &self,
        space: &str,
        part: &Listing,
    ) -> Result<Page<Standing>, Problem> {
        let space = self.find(space)?;
        let account = self.account_of(&space, part).await?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let all = replica.standings(&account).into_iter();
        let all: Vec<(StandingView, Option<Refusal>)> = all
            .filter(|(standing, _)| {
                (part.all || !standing.is_ended && standing.next_due.is_some())
                    && part.currency.as_ref().is_none_or(|code| *code == standing.terms.currency)
            })
            .collect();
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let show = |(standing, refused): &(StandingView, Option<Refusal>)| {
            shown(&words, account, standing, refused.as_ref())
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn new_standing(
        &self,
        space: &str,
        request: StandingRequest,
    ) -> Result<Standing, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let amount = words.parse_positive(&request.amount)?;
        let terms = StandingOrder {
            to: self.member(&request.to, &words)?,
            amount: amount.smallest,
            currency: amount.currency,
            memo: request.memo,
            start: request.start.unwrap_or(self.0.clock.now().at),
            every: match request.every {
                Every::Days(days) => icn_ledger::Every::Days(days),
                Every::Months(months) => icn_ledger::Every::Months(months),
            },
            count: request.count,
            until: request.until,
            budget: None,
        };
        let posted = self.post(&space, author, vec![Act::Standing(terms)], request.key).await?;
        one(&space.replica(), author, &OrderRef { entry: posted.entry, index: 0 })
    }

    pub(super) async fn close_standing(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Standing, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let standing = standing_of(&space, author, reference)?;
        self.post(&space, author, vec![Act::EndStanding { standing }], request.key).await?;
        one(&space.replica(), author, &standing)
    }

    pub(super) async fn list_transfers(
        &self,
        space: &str,
        part: &Listing,
    ) -> Result<Page<Transfer>, Problem> {
        let space = self.find(space)?;
        let account = self.account_of(&space, part).await?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let all = replica.books().transfers(&account, 0, TRANSFERS_MAX).into_iter();
        let is_wanted =
            |one: &icn_ledger::Transfer| part.currency.as_ref().is_none_or(|code| *code == one.currency);
        let all: Vec<icn_ledger::Transfer> = all.filter(is_wanted).collect();
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let show = |one: &icn_ledger::Transfer| Transfer {
            id: one.id,
            from: words.party(one.from),
            to: words.party(one.to),
            amount: words.amount(one.amount, &one.currency),
            cause: match one.cause {
                TransferCause::Demurrage { .. } => "demurrage",
                TransferCause::Dispute { .. } => "dispute",
                TransferCause::WriteOff => "write-off",
            }
            .to_owned(),
            by: one.by.to_string(),
            at: one.at,
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) fn list_demurrage(&self, space: &str, part: &Listing) -> Result<Page<DemurrageRule>, Problem> {
        let space = self.find(space)?;
        let replica = space.replica();
        let books = replica.books();
        let words = Words::of(books);
        let page = Page::cut(books.demurrage().into_iter(), part.offset, part.limit);
        let show = |(currency, rule, fund): &(String, icn_ledger::Demurrage, Did)| DemurrageRule {
            currency: currency.clone(),
            above: words.amount(rule.threshold, currency),
            rate_ppm: rule.rate_ppm,
            period_days: rule.period_days,
            fund: words.party(*fund),
            pot: words.amount(books.balance(fund, currency).booked, currency),
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }
}

/// Says how often a standing order pays.
pub(super) fn every_text(every: icn_ledger::Every) -> String {
    match every {
        icn_ledger::Every::Days(1) => "every day".to_owned(),
        icn_ledger::Every::Days(days) => format!("every {days} days"),
        icn_ledger::Every::Months(1) => "every month".to_owned(),
        icn_ledger::Every::Months(months) => format!("every {months} months"),
    }
}

/// Finds a standing order of an account by its reference or a beginning of it.
pub(super) fn standing_of(space: &Space, account: Did, text: &str) -> Result<OrderRef, Problem> {
    let shown: String = text.chars().take(80).collect();
    let (entry, index) = text.split_once('#').unwrap_or((text, "0"));
    let list = space.replica().books().standings(&account, |_| 0);
    let mut found = list
        .into_iter()
        .map(|standing| standing.id)
        .filter(|id| id.entry.to_string().starts_with(entry) && index.parse() == Ok(id.index));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::not_found(
            "order-not-found",
            format!(
                "there is no standing order `{shown}` of this account: see `icn ledger recurring list --all`"
            ),
        )),
        (Some(_), Some(_)) => Err(Problem::new(
            409,
            "order-ambiguous",
            format!("`{shown}` is the beginning of several references: give more of it"),
        )),
    }
}

fn one(replica: &Replica, account: Did, id: &OrderRef) -> Result<Standing, Problem> {
    let words = Words::of(replica.books());
    let mut list = replica.standings(&account).into_iter();
    let found = list.find(|(standing, _)| standing.id == *id);
    let found = found.map(|(standing, refused)| shown(&words, account, &standing, refused.as_ref()));
    found.ok_or_else(|| find::order_missing(&id.to_string()))
}

fn shown(words: &Words, account: Did, standing: &StandingView, refused: Option<&Refusal>) -> Standing {
    let terms = &standing.terms;
    Standing {
        reference: standing.id.to_string(),
        from: words.party(account),
        to: words.party(terms.to),
        amount: words.amount(terms.amount, &terms.currency),
        memo: terms.memo.clone(),
        every: match terms.every {
            icn_ledger::Every::Days(days) => Every::Days(days),
            icn_ledger::Every::Months(months) => Every::Months(months),
        },
        start: terms.start,
        count: terms.count,
        until: terms.until,
        ended: standing.is_ended,
        paid: standing.paid,
        next_due: standing.next_due,
        refused: refused.map(|refusal| receipt::chain(refusal)),
    }
}
