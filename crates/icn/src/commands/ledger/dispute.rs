//! Disputes about accepted payments.

use icn_gateway::api::books::{
    Dispute, DisputeOutcome, DisputeRequest, DisputeStatus, DisputeStep, DisputeStepRequest,
};
use icn_types::{Cid, Page};

use super::super::Context;
use super::super::scope::{Books, print_page, reference_start};
use super::account::add;
use crate::cli::{DisputeCommand, DisputeFileArgs, DisputeListArgs, DisputeResolveArgs};
use crate::client::{Query, escaped};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, party};

pub(super) async fn run(
    context: &Context<'_>,
    books: &Books,
    command: DisputeCommand,
) -> Result<Exit, CliError> {
    match command {
        DisputeCommand::File(args) => file(context, books, args).await,
        DisputeCommand::List(args) => list(context, books, &args).await,
        DisputeCommand::Show(args) => {
            let route = format!("disputes/{}", escaped(&args.reference));
            print(context, &books.books.get(&route, &Query::new()).await?)
        }
        DisputeCommand::Evidence(args) => {
            let step = DisputeStep::Evidence { items: args.items, note: args.note };
            take(context, books, &args.dispute.reference, step, args.key.key).await
        }
        DisputeCommand::Mediate(args) => {
            let step = DisputeStep::Mediate { mediator: args.mediator };
            take(context, books, &args.dispute.reference, step, args.key.key).await
        }
        DisputeCommand::Resolve(args) => {
            let outcome = outcome_of(&args);
            let step = DisputeStep::Resolve { outcome };
            take(context, books, &args.dispute.reference, step, args.key.key).await
        }
        DisputeCommand::Escalate(args) => {
            take(context, books, &args.dispute.reference, DisputeStep::Escalate, args.key.key).await
        }
    }
}

fn outcome_of(args: &DisputeResolveArgs) -> DisputeOutcome {
    match (&args.refund, &args.write_off) {
        (Some(amount), _) => DisputeOutcome::Refund(amount.clone()),
        (None, Some(amount)) => DisputeOutcome::WriteOff(amount.clone()),
        (None, None) if args.reverse => DisputeOutcome::Reversed,
        (None, None) => DisputeOutcome::Valid,
    }
}

async fn file(context: &Context<'_>, books: &Books, args: DisputeFileArgs) -> Result<Exit, CliError> {
    let request = DisputeRequest {
        order: args.order.reference,
        reason: args.reason,
        evidence: args.evidence,
        key: args.key.key,
        identity: books.identity.clone(),
    };
    print(context, &books.books.post("disputes", &request).await?)
}

async fn take(
    context: &Context<'_>,
    books: &Books,
    reference: &str,
    step: DisputeStep,
    key: Option<String>,
) -> Result<Exit, CliError> {
    let request = DisputeStepRequest { step, key, identity: books.identity.clone() };
    let route = format!("disputes/{}", escaped(reference));
    print(context, &books.books.post(&route, &request).await?)
}

const fn style_of(status: DisputeStatus) -> Style {
    match status {
        DisputeStatus::Contested | DisputeStatus::Escalated => Style::Red,
        DisputeStatus::UnderMediation => Style::Yellow,
        DisputeStatus::Resolved => Style::Green,
    }
}

fn print(context: &Context<'_>, dispute: &Dispute) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(dispute)?;
        return Ok(Exit::DONE);
    }
    let status = context.out.paint(Stream::Stdout, style_of(dispute.status), dispute.status.as_str());
    let mut pairs = vec![
        ("dispute", clean(&dispute.reference)),
        ("payment", clean(&dispute.order)),
        ("amount", context.out.paint(Stream::Stdout, Style::Bold, &clean(&dispute.amount.text))),
        ("payer", party(&dispute.payer)),
        ("payee", party(&dispute.payee)),
        ("opened by", party(&dispute.by)),
        ("because", clean(&dispute.reason)),
        ("status", status),
        ("at", dispute.at.to_string()),
    ];
    let further = [
        ("mediator", dispute.mediator.as_ref().map(party)),
        ("escalates", dispute.escalates_at.map(|at| at.to_string())),
        ("outcome", dispute.outcome.as_deref().map(clean)),
    ];
    pairs.extend(further.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    context.out.pairs(&pairs)?;
    for exhibit in &dispute.evidence {
        let items: Vec<String> = exhibit.items.iter().map(Cid::to_string).collect();
        let said = exhibit.note.as_deref().map(clean).into_iter().chain(items).collect::<Vec<_>>().join(", ");
        context.out.line(&format!("{}  {}: {said}", exhibit.at, party(&exhibit.by)))?;
    }
    Ok(Exit::DONE)
}

async fn list(context: &Context<'_>, books: &Books, args: &DisputeListArgs) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.account.account.as_ref());
    if args.all {
        query.push(("all", "true".to_owned()));
    }
    let page: Page<Dispute> = books.books.get("disputes", &query).await?;
    let heading = [
        Column::Left("DISPUTE"),
        Column::Right("AMOUNT"),
        Column::Left("PAYER"),
        Column::Left("PAYEE"),
        Column::Left("STATUS"),
        Column::Left("MEDIATOR"),
        Column::Left("BECAUSE"),
    ];
    let empty = "no open disputes: see those that are over with `--all`";
    print_page(context, &page, args.page.offset, empty, &heading, |dispute| {
        vec![
            reference_start(&dispute.reference).into(),
            clean(&dispute.amount.text).into(),
            party(&dispute.payer).into(),
            party(&dispute.payee).into(),
            Cell::styled(dispute.status.as_str(), Some(style_of(dispute.status))),
            dispute.mediator.as_ref().map_or_else(|| "-".to_owned(), party).into(),
            clean(&dispute.reason).into(),
        ]
    })
}
