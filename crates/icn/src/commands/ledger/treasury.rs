//! What treasuries are asked to do, and their budgets.

use icn_gateway::api::books::{
    Budget, BudgetRequest, BudgetTerms, Proposal, ProposalRequest, ProposalStatus, Proposed, TurnRequest,
};
use icn_types::Page;

use super::super::Context;
use super::super::scope::{Books, print_page, reference_start};
use super::account::add;
use super::coins::every_words;
use crate::cli::{
    BudgetCommand, BudgetEndArgs, BudgetListArgs, BudgetSetArgs, FromArgs, PayArgs, ProposalCommand,
    ProposalListArgs, ProposalTurnArgs,
};
use crate::client::{Query, escaped};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, party};

pub(super) async fn proposal(
    context: &Context<'_>,
    books: &Books,
    command: ProposalCommand,
) -> Result<Exit, CliError> {
    match command {
        ProposalCommand::List(args) => list(context, books, &args).await,
        ProposalCommand::Show(args) => {
            let route = format!("proposals/{}", escaped(&args.reference));
            print(context, &books.books.get(&route, &Query::new()).await?)
        }
        ProposalCommand::Approve(args) => turn(context, books, args, "approve").await,
        ProposalCommand::Withdraw(args) => turn(context, books, args.turn, "withdraw").await,
    }
}

async fn turn(
    context: &Context<'_>,
    books: &Books,
    args: ProposalTurnArgs,
    turn: &str,
) -> Result<Exit, CliError> {
    let request =
        TurnRequest { key: args.key.key, identity: books.identity.clone(), ..TurnRequest::default() };
    let route = format!("proposals/{}/{turn}", escaped(&args.proposal.reference));
    print(context, &books.books.post(&route, &request).await?)
}

/// Asks a treasury to do something.
pub(super) async fn propose(
    context: &Context<'_>,
    books: &Books,
    from: FromArgs,
    act: Proposed,
    key: Option<String>,
) -> Result<Exit, CliError> {
    let request = ProposalRequest {
        treasury: from.from.unwrap_or_default(),
        act,
        budget: from.budget,
        expires_seconds: from.lapses,
        key,
        identity: books.identity.clone(),
    };
    print(context, &books.books.post("proposals", &request).await?)
}

/// Asks a treasury to pay.
pub(super) async fn pay(context: &Context<'_>, books: &Books, args: PayArgs) -> Result<Exit, CliError> {
    let act = if args.several.among || !args.several.split.is_empty() {
        // `TO` is the beginning of the amount then.
        let mut words = vec![args.to];
        words.extend(args.amount);
        Proposed::Split { amount: words.join(" "), shares: args.several.split, memo: args.memo }
    } else {
        Proposed::Pay { to: args.to, amount: args.amount.join(" "), memo: args.memo }
    };
    propose(context, books, args.treasury, act, args.key.key).await
}

fn print(context: &Context<'_>, proposal: &Proposal) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(proposal)?;
        return Ok(Exit::DONE);
    }
    let status = context.out.paint(Stream::Stdout, style_of(proposal.status), proposal.status.as_str());
    let mut pairs = vec![
        ("proposal", clean(&proposal.reference)),
        ("status", status),
        ("treasury", party(&proposal.treasury)),
        ("by", party(&proposal.by)),
    ];
    pairs.extend(proposal.does.iter().map(|act| ("does", clean(act))));
    pairs.push(("approvals", approvals(proposal)));
    pairs.extend(proposal.approved.iter().map(|who| ("approved by", party(who))));
    let further = [
        ("budget", proposal.budget.as_deref().map(clean)),
        ("expires", proposal.expires.map(|time| time.to_string())),
        ("entry", proposal.entry.map(|entry| entry.to_string())),
        ("would be refused", proposal.trouble.as_deref().map(clean)),
    ];
    pairs.extend(further.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    context.out.pairs(&pairs)?;
    Ok(Exit::DONE)
}

/// Says how many approve, of how many that must.
fn approvals(proposal: &Proposal) -> String {
    let found = format!("{} of {}", proposal.approved.len(), proposal.needed);
    if proposal.budget.is_some() { format!("{found}, or the budget") } else { found }
}

const fn style_of(status: ProposalStatus) -> Style {
    match status {
        ProposalStatus::Waiting => Style::Yellow,
        ProposalStatus::Enacted => Style::Green,
        ProposalStatus::Withdrawn | ProposalStatus::Expired => Style::Dim,
    }
}

async fn list(context: &Context<'_>, books: &Books, args: &ProposalListArgs) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.treasury.account.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Proposal> = books.books.get("proposals", &query).await?;
    let heading = [
        Column::Left("PROPOSAL"),
        Column::Left("TREASURY"),
        Column::Left("BY"),
        Column::Left("APPROVALS"),
        Column::Left("STATUS"),
        Column::Left("DOES"),
    ];
    let empty = "nothing waits: ask a treasury with `icn ledger pay TO AMOUNT --from TREASURY`";
    print_page(context, &page, args.page.offset, empty, &heading, |proposal| {
        let does: Vec<String> = proposal.does.iter().map(|act| clean(act)).collect();
        let status = match &proposal.trouble {
            Some(trouble) => Cell::styled(format!("waiting: {}", clean(trouble)), Some(Style::Red)),
            None => Cell::styled(proposal.status.as_str(), Some(style_of(proposal.status))),
        };
        vec![
            reference_start(&proposal.reference).into(),
            party(&proposal.treasury).into(),
            party(&proposal.by).into(),
            approvals(proposal).into(),
            status,
            does.join("; ").into(),
        ]
    })
}

pub(super) async fn budget(
    context: &Context<'_>,
    books: &Books,
    command: BudgetCommand,
) -> Result<Exit, CliError> {
    match command {
        BudgetCommand::Set(args) => allot(context, books, args).await,
        BudgetCommand::List(args) => budgets(context, books, &args).await,
        BudgetCommand::End(args) => end(context, books, args).await,
    }
}

async fn allot(context: &Context<'_>, books: &Books, args: BudgetSetArgs) -> Result<Exit, CliError> {
    let terms = BudgetTerms {
        holder: args.holder,
        amount: args.amount.join(" "),
        purpose: args.purpose,
        every: args.every,
        start: args.start,
        until: args.until,
    };
    if args.propose {
        let from = FromArgs { from: Some(args.treasury), budget: None, lapses: None };
        return propose(context, books, from, Proposed::Budget(terms), args.key.key).await;
    }
    let (treasury, key, identity) = (args.treasury, args.key.key, books.identity.clone());
    let request = BudgetRequest { treasury, terms, key, identity };
    print_budget(context, &books.books.post("budgets", &request).await?)
}

async fn end(context: &Context<'_>, books: &Books, args: BudgetEndArgs) -> Result<Exit, CliError> {
    let budget = args.budget.reference;
    if args.propose.is_some() {
        let from = FromArgs { from: args.propose, budget: None, lapses: None };
        return propose(context, books, from, Proposed::EndBudget { budget }, args.key.key).await;
    }
    let request =
        TurnRequest { key: args.key.key, identity: books.identity.clone(), ..TurnRequest::default() };
    let route = format!("budgets/{}/end", escaped(&budget));
    print_budget(context, &books.books.post(&route, &request).await?)
}

fn print_budget(context: &Context<'_>, budget: &Budget) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(budget)?;
        return Ok(Exit::DONE);
    }
    let amount = context.out.paint(Stream::Stdout, Style::Bold, &clean(&budget.amount.text));
    let every = budget.every.map_or_else(|| "once".to_owned(), every_words);
    let mut pairs = vec![
        ("budget", clean(&budget.reference)),
        ("treasury", party(&budget.treasury)),
        ("amount", format!("{amount} {every}")),
        ("holder", holder(budget)),
        ("spent", clean(&budget.spent.text)),
        ("left", clean(&budget.left.text)),
        ("start", budget.start.to_string()),
    ];
    let further = [
        ("for", budget.purpose.as_deref().map(clean)),
        ("period ends", budget.period_ends.map(|time| time.to_string())),
        ("until", budget.until.map(|time| time.to_string())),
        ("ended", budget.ended.then(|| "yes".to_owned())),
    ];
    pairs.extend(further.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    context.out.pairs(&pairs)?;
    Ok(Exit::DONE)
}

fn holder(budget: &Budget) -> String {
    budget.holder.as_ref().map_or_else(|| "standing orders".to_owned(), party)
}

async fn budgets(context: &Context<'_>, books: &Books, args: &BudgetListArgs) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.treasury.account.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Budget> = books.books.get("budgets", &query).await?;
    let heading = [
        Column::Left("BUDGET"),
        Column::Left("TREASURY"),
        Column::Left("HOLDER"),
        Column::Right("AMOUNT"),
        Column::Left("EVERY"),
        Column::Right("LEFT"),
        Column::Left("FOR"),
    ];
    let empty = "no budgets: allot one with `icn ledger budget set TREASURY AMOUNT --holder MEMBER`";
    print_page(context, &page, args.page.offset, empty, &heading, |budget| {
        let every = budget.every.map_or_else(|| "once".to_owned(), every_words);
        let left = if budget.ended {
            Cell::styled("ended", Some(Style::Dim))
        } else {
            Cell::from(clean(&budget.left.text))
        };
        vec![
            reference_start(&budget.reference).into(),
            party(&budget.treasury).into(),
            holder(budget).into(),
            clean(&budget.amount.text).into(),
            every.trim_start_matches("every ").to_owned().into(),
            left,
            budget.purpose.as_deref().map_or_else(|| "-".to_owned(), clean).into(),
        ]
    })
}
