//! Proposals to treasuries, and their budgets.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    Budget, BudgetRequest, BudgetTerms, Every, Listing, Proposal, ProposalRequest, ProposalStatus,
    ProposalTurn, Proposed, Share, TurnRequest,
};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, BudgetView, OrderRef, ProposalView, Reason, StandingOrder, TreasuryView};
use icn_types::{Did, Page};

use super::words::Words;
use super::{BooksFace, acts, convert, standings};
use crate::spaces::Space;

impl BooksFace {
    pub(super) async fn list_proposals(
        &self,
        space: &str,
        part: &Listing,
    ) -> Result<Page<Proposal>, Problem> {
        let space = self.find(space)?;
        let of = self.treasury_of(&space, part).await?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let mut all = replica.books().proposals(of.as_ref());
        all.retain(|one| part.all || one.status == icn_ledger::ProposalStatus::Waiting);
        all.reverse();
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let items = page.items.iter().map(|one| self.shown_proposal(&replica, &words, one)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    /// Lists with an account are about this treasury; others about all.
    async fn treasury_of(&self, space: &Space, part: &Listing) -> Result<Option<Did>, Problem> {
        match &part.account {
            Some(_) => {
                let did = self.account_of(space, part).await?;
                treasury(space, did).map(|treasury| Some(treasury.account))
            }
            None => Ok(None),
        }
    }

    pub(super) async fn make_proposal(
        &self,
        space: &str,
        request: ProposalRequest,
    ) -> Result<Proposal, Problem> {
        let space = self.find(space)?;
        let author = self.actor(&space, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let treasury = treasury(&space, self.member(&request.treasury, &words)?)?;
        let acts = self.proposed(&space, &words, treasury.account, request.act)?;
        let named = request.budget.map(|text| budget_of(&space, &text)).transpose()?;
        let may_approve = author == treasury.account || treasury.approvers.contains(&author);
        let budget = chosen_budget(&space, &words, author, &treasury, &acts, named, may_approve)?;
        let now = self.0.clock.now().at;
        let expires = request.expires_seconds.map(|seconds| convert::after(now, seconds));
        let proposal = icn_ledger::Proposal { treasury: treasury.account, acts, budget, expires };
        let act = Act::Propose(Box::new(proposal));
        let posted = self.post(&space, author, vec![act], request.key).await?;
        self.one_proposal(&space, &OrderRef { entry: posted.entry, index: 0 })
    }

    pub(super) fn show_proposal(&self, space: &str, reference: &str) -> Result<Proposal, Problem> {
        let space = self.find(space)?;
        let id = proposal_of(&space, reference)?.id;
        self.one_proposal(&space, &id)
    }

    pub(super) async fn take_proposal_turn(
        &self,
        space: &str,
        reference: &str,
        turn: ProposalTurn,
        request: TurnRequest,
    ) -> Result<Proposal, Problem> {
        let space = self.find(space)?;
        let view = proposal_of(&space, reference)?;
        let proposal = view.id;
        let (act, may) = match turn {
            ProposalTurn::Approve => (Act::Approve { proposal }, view.approvers),
            // An approval can be taken back; whoever proposed it comes first.
            ProposalTurn::Withdraw => {
                let mut may = vec![view.by];
                may.extend(view.approved.into_iter().filter(|did| *did != view.by));
                (Act::Withdraw { proposal }, may)
            }
        };
        let author = match &request.identity {
            Some(_) => self.actor(&space, request.identity.as_deref()).await?,
            None => self.first_of(&space, &may).await?,
        };
        self.post(&space, author, vec![act], request.key).await?;
        self.one_proposal(&space, &proposal)
    }

    /// Chooses the usual actor if it is among these, else the first of them whose key is here, else the usual actor: the
    /// books say why it may not.
    async fn first_of(&self, space: &Space, may: &[Did]) -> Result<Did, Problem> {
        let usual = self.actor(space, None).await;
        if let Ok(usual) = &usual
            && may.contains(usual)
        {
            return Ok(*usual);
        }
        let own = self.own();
        let found = may.iter().find(|did| own.iter().any(|(_, known)| known == *did));
        found.copied().map_or(usual, Ok)
    }

    fn one_proposal(&self, space: &Space, id: &OrderRef) -> Result<Proposal, Problem> {
        let replica = space.replica();
        let words = Words::of(replica.books());
        let found = replica.books().proposals(None).into_iter().find(|one| one.id == *id);
        let shown = found.map(|view| self.shown_proposal(&replica, &words, &view));
        shown.ok_or_else(|| no_proposal(&id.to_string()))
    }

    fn shown_proposal(&self, replica: &Replica, words: &Words, view: &ProposalView) -> Proposal {
        let orders = |order: &OrderRef| convert::order_of(replica, order);
        let said = &view.proposal;
        let (status, entry) = match view.status {
            icn_ledger::ProposalStatus::Waiting => (ProposalStatus::Waiting, None),
            icn_ledger::ProposalStatus::Enacted(entry) => (ProposalStatus::Enacted, Some(entry)),
            icn_ledger::ProposalStatus::Withdrawn => (ProposalStatus::Withdrawn, None),
            icn_ledger::ProposalStatus::Expired => (ProposalStatus::Expired, None),
        };
        let trouble = (status == ProposalStatus::Waiting)
            .then(|| replica.trouble_of(self.0.clock.now().at, view))
            .flatten();
        Proposal {
            reference: view.id.to_string(),
            treasury: words.party(said.treasury),
            by: words.party(view.by),
            does: said.acts.iter().map(|act| acts::text(act, words, &orders)).collect(),
            budget: said.budget.map(|budget| budget.to_string()),
            expires: said.expires,
            at: view.at,
            approvers: words.parties(&view.approvers),
            approved: words.parties(&view.approved),
            needed: view.needed,
            status,
            entry,
            trouble: trouble.map(|reason| reason_text(words, &said.acts, reason)),
        }
    }

    /// Makes the acts that a treasury is asked for: names become DIDs and texts amounts.
    fn proposed(
        &self,
        space: &Space,
        words: &Words,
        treasury: Did,
        proposed: Proposed,
    ) -> Result<Vec<Act>, Problem> {
        let now = self.0.clock.now().at;
        Ok(match proposed {
            Proposed::Pay { to, amount, memo } => {
                let amount = words.parse_positive(&amount)?;
                vec![Act::Pay {
                    to: self.member(&to, words)?,
                    amount: amount.smallest,
                    currency: amount.currency,
                    memo,
                    request: None,
                    expires: None,
                }]
            }
            Proposed::Split { amount, shares, memo } => {
                self.split_acts(words, treasury, &amount, &shares, memo.as_ref())?
            }
            Proposed::Standing { to, amount, memo, every, start, count, until, budget } => {
                let amount = words.parse_positive(&amount)?;
                vec![Act::Standing(StandingOrder {
                    to: self.member(&to, words)?,
                    amount: amount.smallest,
                    currency: amount.currency,
                    memo,
                    start: start.unwrap_or(now),
                    every: ledger_every(every),
                    count,
                    until,
                    budget: budget.map(|text| budget_of(space, &text)).transpose()?,
                })]
            }
            Proposed::EndStanding { standing } => {
                vec![Act::EndStanding { standing: standings::standing_of(space, treasury, &standing)? }]
            }
            Proposed::Budget(terms) => vec![Act::Budget(self.budget_terms(words, treasury, terms)?)],
            Proposed::EndBudget { budget } => vec![Act::EndBudget { budget: budget_of(space, &budget)? }],
            Proposed::Rule(rule) => vec![self.act_of(space, *rule)?],
        })
    }

    /// Makes one payment for each share.
    pub(super) fn split_acts(
        &self,
        words: &Words,
        payer: Did,
        amount: &str,
        named: &[Share],
        memo: Option<&String>,
    ) -> Result<Vec<Act>, Problem> {
        let amount = words.parse_positive(amount)?;
        let mut shares: Vec<(Did, u64)> = Vec::new();
        if named.is_empty() {
            shares.extend(words.others(payer).map(|did| (did, 1)));
        }
        for share in named {
            let to = self.member(&share.to, words)?;
            if shares.iter().any(|(known, _)| *known == to) {
                let detail = format!("{} is named twice: give each member one weight", words.name(&to));
                return Err(Problem::invalid("bad-shares", detail));
            }
            shares.push((to, share.weight));
        }
        let parts = icn_ledger::split(amount.smallest, &shares)
            .map_err(|error| Problem::invalid("bad-shares", error.to_string()))?;
        let pay = |((to, _), part): (&(Did, u64), &i64)| Act::Pay {
            to: *to,
            amount: *part,
            currency: amount.currency.clone(),
            memo: memo.cloned(),
            request: None,
            expires: None,
        };
        Ok(shares.iter().zip(&parts).filter(|(_, part)| **part > 0).map(pay).collect())
    }

    fn budget_terms(
        &self,
        words: &Words,
        treasury: Did,
        terms: BudgetTerms,
    ) -> Result<icn_ledger::Budget, Problem> {
        let amount = words.parse_positive(&terms.amount)?;
        Ok(icn_ledger::Budget {
            treasury,
            holder: terms.holder.map(|holder| self.member(&holder, words)).transpose()?,
            purpose: terms.purpose,
            currency: amount.currency,
            amount: amount.smallest,
            every: terms.every.map(ledger_every),
            start: terms.start.unwrap_or(self.0.clock.now().at),
            until: terms.until,
        })
    }

    pub(super) async fn list_budgets(&self, space: &str, part: &Listing) -> Result<Page<Budget>, Problem> {
        let space = self.find(space)?;
        let of = self.treasury_of(&space, part).await?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let mut all = replica.books().budgets(of.as_ref());
        all.retain(|one| {
            (part.all || !one.is_ended && !one.is_over)
                && part.currency.as_ref().is_none_or(|code| *code == one.terms.currency)
        });
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let items = page.items.iter().map(|one| shown_budget(&words, one)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) async fn new_budget(&self, space: &str, request: BudgetRequest) -> Result<Budget, Problem> {
        let space = self.find(space)?;
        let author = self.steward(&space, request.identity.as_deref()).await?;
        let words = Words::of(space.replica().books());
        let treasury = treasury(&space, self.member(&request.treasury, &words)?)?;
        let act = Act::Budget(self.budget_terms(&words, treasury.account, request.terms)?);
        let posted = self.post(&space, author, vec![act], request.key).await?;
        one_budget(&space, &OrderRef { entry: posted.entry, index: 0 })
    }

    pub(super) async fn close_budget(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Budget, Problem> {
        let space = self.find(space)?;
        let budget = budget_of(&space, reference)?;
        let view = budget_view(&space, &budget)?;
        let author = match (&request.identity, view.terms.holder) {
            (None, Some(holder)) if self.own().iter().any(|(_, did)| *did == holder) => holder,
            _ => self.steward(&space, request.identity.as_deref()).await?,
        };
        self.post(&space, author, vec![Act::EndBudget { budget }], request.key).await?;
        one_budget(&space, &budget)
    }
}

const fn ledger_every(every: Every) -> icn_ledger::Every {
    match every {
        Every::Days(days) => icn_ledger::Every::Days(days),
        Every::Months(months) => icn_ledger::Every::Months(months),
    }
}

const fn shown_every(every: icn_ledger::Every) -> Every {
    match every {
        icn_ledger::Every::Days(days) => Every::Days(days),
        icn_ledger::Every::Months(months) => Every::Months(months),
    }
}

fn treasury(space: &Space, account: Did) -> Result<TreasuryView, Problem> {
    let replica = space.replica();
    let mut all = replica.books().treasuries().into_iter();
    all.find(|one| one.account == account).ok_or_else(|| {
        let name = Words::of(replica.books()).name(&account);
        let detail = format!(
            "{name} is no treasury: name one, or have a steward make it one with `icn space treasury`"
        );
        Problem::invalid("not-a-treasury", detail)
    })
}

/// Sums up what acts pay: the currency, and how much, if they do nothing else and in one currency.
fn paid_by(acts: &[Act]) -> Option<(&str, i64)> {
    let mut sum: Option<(&str, i64)> = None;
    for act in acts {
        let Act::Pay { amount, currency, .. } = act else { return None };
        sum = Some(match sum {
            None => (currency, *amount),
            Some((known, so_far)) if known == currency => (known, so_far.saturating_add(*amount)),
            Some(_) => return None,
        });
    }
    sum
}

/// Chooses the budget that a proposal names: the one that was said, else one of the proposer's that covers it. What no budget
/// covers is refused at once where approvers were not asked for.
fn chosen_budget(
    space: &Space,
    words: &Words,
    author: Did,
    treasury: &TreasuryView,
    acts: &[Act],
    named: Option<OrderRef>,
    may_approve: bool,
) -> Result<Option<OrderRef>, Problem> {
    let replica = space.replica();
    let mut own = replica.books().budgets(Some(&treasury.account));
    own.retain(|one| {
        one.terms.holder == Some(author) && named.map_or(!one.is_ended && !one.is_over, |id| id == one.id)
    });
    if let [Act::Standing(terms)] = acts {
        // Whoever holds the budget places standing orders within it; others need approvals to do so.
        return Ok(own.iter().map(|one| one.id).find(|id| terms.budget == Some(*id)));
    }
    let Some((currency, amount)) = paid_by(acts) else { return Ok(named) };
    let mut fitting = own.iter().filter(|one| one.terms.currency == currency);
    if let Some(found) = fitting.clone().find(|one| one.left >= amount && !one.is_ended && !one.is_over) {
        return Ok(Some(found.id));
    }
    if may_approve && named.is_none() {
        return Ok(None);
    }
    match fitting.next() {
        Some(short) if !short.is_ended && !short.is_over => Err(over_budget(words, short, amount)),
        Some(_) => Err(Problem::refused("budget-ended", Reason::BudgetEnded.to_string())),
        // The books say what is wrong.
        None => Ok(named),
    }
}

fn over_budget(words: &Words, budget: &BudgetView, amount: i64) -> Problem {
    let code = &budget.terms.currency;
    let text = |smallest: i64| words.amount(smallest, code).text;
    let next = budget.terms.period_end(budget.period);
    let next = next.map_or_else(String::new, |end| format!(", wait for the period after {end}"));
    let detail = format!(
        "the budget has {} left of {}, but this takes {}: lower the amount{next}, or ask the approvers",
        text(budget.left),
        text(budget.terms.amount),
        text(amount)
    );
    Problem::refused("over-budget", detail)
}

/// Says by which rule something is refused, with amounts as people read them.
fn reason_text(words: &Words, acts: &[Act], reason: Reason) -> String {
    let code = acts.iter().find_map(|act| {
        let (Act::Pay { currency, .. } | Act::Hold { currency, .. }) = act else { return None };
        Some(currency.as_str())
    });
    let text = |smallest: i64| words.amount(smallest, code.unwrap_or_default()).text;
    if let Reason::OverBudget { left, requested } = reason {
        format!("the budget has {} left in this period, but this takes {}", text(left), text(requested))
    } else if let Reason::LimitExceeded { available, requested } = reason {
        format!("the treasury can spend {}, but this takes {}", text(available), text(requested))
    } else {
        reason.to_string()
    }
}

fn shown_budget(words: &Words, view: &BudgetView) -> Budget {
    let terms = &view.terms;
    let amount = |smallest: i64| words.amount(smallest, &terms.currency);
    Budget {
        reference: view.id.to_string(),
        treasury: words.party(terms.treasury),
        holder: terms.holder.map(|holder| words.party(holder)),
        purpose: terms.purpose.clone(),
        amount: amount(terms.amount),
        every: terms.every.map(shown_every),
        start: terms.start,
        until: terms.until,
        spent: amount(view.spent),
        left: amount(view.left),
        period_ends: terms.period_end(view.period),
        ended: view.is_ended || view.is_over,
    }
}

fn budget_view(space: &Space, id: &OrderRef) -> Result<BudgetView, Problem> {
    let found = space.replica().books().budgets(None).into_iter().find(|one| one.id == *id);
    found.ok_or_else(|| no_budget(&id.to_string()))
}

fn one_budget(space: &Space, id: &OrderRef) -> Result<Budget, Problem> {
    let view = budget_view(space, id)?;
    Ok(shown_budget(&Words::of(space.replica().books()), &view))
}

fn no_budget(shown: &str) -> Problem {
    Problem::not_found(
        "budget-not-found",
        format!("there is no budget `{shown}`: see `icn ledger budget list --all`"),
    )
}

fn no_proposal(shown: &str) -> Problem {
    Problem::not_found(
        "proposal-not-found",
        format!("there is no proposal `{shown}`: see `icn ledger proposal list --all`"),
    )
}

/// Finds a budget by its reference or a beginning of it.
fn budget_of(space: &Space, text: &str) -> Result<OrderRef, Problem> {
    let all = space.replica().books().budgets(None).into_iter().map(|one| (one.id, one.id));
    only(text, all, no_budget)
}

/// Finds a proposal in the same way.
fn proposal_of(space: &Space, text: &str) -> Result<ProposalView, Problem> {
    let all = space.replica().books().proposals(None).into_iter().map(|one| (one.id, one));
    only(text, all, no_proposal)
}

fn only<T>(
    text: &str,
    all: impl Iterator<Item = (OrderRef, T)>,
    missing: impl Fn(&str) -> Problem,
) -> Result<T, Problem> {
    let shown: String = text.chars().take(80).collect();
    let (entry, index) = text.split_once('#').unwrap_or((text, "0"));
    let mut found = all
        .filter(|(id, _)| id.entry.to_string().starts_with(entry) && index.parse() == Ok(id.index))
        .map(|(_, one)| one);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(missing(&shown)),
        (Some(_), Some(_)) => Err(Problem::new(
            409,
            "order-ambiguous",
            format!("`{shown}` is the beginning of several references: give more of it"),
        )),
    }
}
