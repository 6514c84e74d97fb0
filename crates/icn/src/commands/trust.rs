//! `icn trust …` and `icn reputation …`.

use icn_gateway::api::books::Written;
use icn_gateway::api::trust::{Allowance, Answer, Edge, Offender, Reputation, TrustRequest};
use icn_types::{Page, format_score};

use super::Context;
use super::scope::{Books, print_page, reference_start};
use crate::cli::{
    PageArgs, ReputationArgs, ReputationCommand, TrustAddArgs, TrustArgs, TrustCommand, TrustListArgs,
    TrustPathArgs, TrustRevokeArgs,
};
use crate::client::{Query, escaped};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Style, clean, party};

/// Carries out one of the commands about trust.
pub(crate) async fn run(context: &Context<'_>, args: TrustArgs) -> Result<Exit, CliError> {
    let books = || Books::find(context, &args.scope);
    match args.command {
        TrustCommand::Add(args) => add(context, &books().await?, args).await,
        TrustCommand::Revoke(args) => revoke(context, &books().await?, args).await,
        TrustCommand::List(args) => list(context, &books().await?, &args).await,
        TrustCommand::Path(args) => path(context, &books().await?, &args).await,
        TrustCommand::Offenders(page) => offenders(context, page).await,
        TrustCommand::Forgive(args) => forgive(context, &args.did.to_string()).await,
    }
}

/// Carries out one of the commands about reputation.
pub(crate) async fn run_reputation(context: &Context<'_>, args: ReputationArgs) -> Result<Exit, CliError> {
    let books = Books::find(context, &args.scope).await?;
    match args.command {
        ReputationCommand::List(page) => executors(context, &books, page).await,
        ReputationCommand::Show(args) => executor(context, &books, &args.executor).await,
    }
}

async fn add(context: &Context<'_>, books: &Books, args: TrustAddArgs) -> Result<Exit, CliError> {
    let request = TrustRequest {
        of: args.of,
        score: args.score,
        context: args.context.context,
        expires_seconds: args.expires,
        note: args.note,
        identity: books.identity.clone(),
        key: None,
    };
    say(context, books, &request, "said").await
}

async fn revoke(context: &Context<'_>, books: &Books, args: TrustRevokeArgs) -> Result<Exit, CliError> {
    let request = TrustRequest {
        of: args.of,
        score: "0".to_owned(),
        context: args.context.context,
        expires_seconds: None,
        note: args.note,
        identity: books.identity.clone(),
        key: None,
    };
    say(context, books, &request, "taken back").await
}

async fn say(
    context: &Context<'_>,
    books: &Books,
    request: &TrustRequest,
    done: &str,
) -> Result<Exit, CliError> {
    let written: Written = books.books.post("trust", request).await?;
    if context.out.is_json() {
        context.out.json(&written)?;
        return Ok(Exit::DONE);
    }
    context.out.line(&format!("{done} with entry {}", written.entry))?;
    if let Some(note) = &written.note {
        context.out.note(&clean(note));
    }
    Ok(Exit::DONE)
}

async fn list(context: &Context<'_>, books: &Books, args: &TrustListArgs) -> Result<Exit, CliError> {
    let mut query: Query<'_> =
        vec![("offset", args.page.offset.to_string()), ("limit", args.page.limit.to_string())];
    query.extend(args.by.clone().map(|who| ("from", who)));
    query.extend(args.of.clone().map(|who| ("to", who)));
    query.extend(args.context.map(|context| ("context", context.to_string())));
    let page: Page<Edge> = books.books.get("trust", &query).await?;
    let heading = [
        Column::Left("WHO"),
        Column::Left("TRUSTS"),
        Column::Right("SCORE"),
        Column::Left("IN"),
        Column::Left("SINCE"),
        Column::Left("UNTIL"),
        Column::Left("REF"),
    ];
    let empty = "nobody has said whom it trusts yet: say it with `icn trust add WHOM SCORE`";
    print_page(context, &page, args.page.offset, empty, &heading, |edge| {
        let until = edge.expires.map_or_else(|| "-".to_owned(), |time| time.to_string());
        vec![
            party(&edge.from).into(),
            party(&edge.to).into(),
            format_score(edge.score_ppm).into(),
            edge.context.to_string().into(),
            edge.given.to_string().into(),
            Cell::styled(until, edge.expired.then_some(Style::Dim)),
            reference_start(&edge.act).into(),
        ]
    })
}

async fn path(context: &Context<'_>, books: &Books, args: &TrustPathArgs) -> Result<Exit, CliError> {
    let mut query: Query<'_> = vec![("context", args.context.context.to_string())];
    match args.who.as_slice() {
        [from, to] => query.extend([("from", from.clone()), ("to", to.clone())]),
        who => query.extend(who.iter().map(|to| ("to", to.clone()))),
    }
    let answer: Answer = books.books.get("trust/path", &query).await?;
    if context.out.is_json() {
        context.out.json(&answer)?;
        return Ok(Exit::DONE);
    }
    let from: Vec<String> = answer.from.iter().map(party).collect();
    let mut pairs = vec![
        ("from", from.join(", ")),
        ("to", party(&answer.to)),
        ("in", answer.context.to_string()),
        ("score", format!("{} ({})", format_score(answer.score_ppm), clean(&answer.class))),
    ];
    if let Some(allowance) = &answer.allowance {
        pairs.extend(allowed(allowance));
    }
    context.out.pairs(&pairs)?;
    for step in &answer.path {
        context.out.line(&format!(
            "  {} trusts {} by {}, which leaves {}",
            party(&step.from),
            party(&step.to),
            format_score(step.said_ppm),
            format_score(step.left_ppm)
        ))?;
    }
    for sentence in &answer.sentences {
        context.out.line(&clean(sentence))?;
    }
    Ok(Exit::DONE)
}

fn allowed(allowance: &Allowance) -> Vec<(&'static str, String)> {
    let rate = format!(
        "{} messages a second, {} at once, {} streams",
        allowance.messages_per_second, allowance.burst, allowance.streams_max
    );
    let mut pairs = vec![("may send", rate)];
    let rights: Vec<String> = allowance.capabilities.iter().map(|right| clean(right)).collect();
    pairs.push(("rights", if rights.is_empty() { "none".to_owned() } else { rights.join(", ") }));
    if let Some(with) = &allowance.shares_with {
        pairs.push(("shares with", format!("everybody whom {} let in", party(with))));
    }
    if allowance.action != "none" {
        let until = allowance.until.map_or_else(String::new, |time| format!(" until {time}"));
        pairs.push(("action", format!("{}{until}", clean(&allowance.action))));
    }
    pairs
}

async fn offenders(context: &Context<'_>, page: PageArgs) -> Result<Exit, CliError> {
    let route = format!("/v1/offenders?offset={}&limit={}", page.offset, page.limit);
    let list: Page<Offender> = context.client()?.get(&route).await?;
    let heading = [
        Column::Left("WHO"),
        Column::Left("ACTION"),
        Column::Left("UNTIL"),
        Column::Right("POINTS"),
        Column::Left("WHAT"),
        Column::Left("LAST"),
    ];
    print_page(context, &list, page.offset, "nobody did anything wrong towards this node", &heading, |one| {
        let what: Vec<String> =
            one.counts.iter().map(|(what, count)| format!("{count} × {}", clean(what))).collect();
        vec![
            one.did.to_string().into(),
            clean(&one.action).into(),
            one.until.map_or_else(|| "-".to_owned(), |time| time.to_string()).into(),
            format!("{}.{:03}", one.milli_points / 1_000, one.milli_points % 1_000).into(),
            what.join(", ").into(),
            one.last.to_string().into(),
        ]
    })
}

async fn forgive(context: &Context<'_>, did: &str) -> Result<Exit, CliError> {
    let forgiven: Offender =
        context.client()?.post(&format!("/v1/offenders/{}/forgive", escaped(did)), &()).await?;
    if context.out.is_json() {
        context.out.json(&forgiven)?;
    } else {
        context.out.line(&format!("forgiven {}", forgiven.did))?;
    }
    Ok(Exit::DONE)
}

async fn executors(context: &Context<'_>, books: &Books, page: PageArgs) -> Result<Exit, CliError> {
    let query: Query<'_> = vec![("offset", page.offset.to_string()), ("limit", page.limit.to_string())];
    let list: Page<Reputation> = books.books.get("reputation", &query).await?;
    let heading = [
        Column::Left("EXECUTOR"),
        Column::Right("SCORE"),
        Column::Right("IN A ROW"),
        Column::Right("JOBS"),
        Column::Left("PROVEN"),
    ];
    let empty = "nobody has said what came of a job yet: it is said by itself when a job of a member ends";
    print_page(context, &list, page.offset, empty, &heading, |one| {
        vec![
            party(&one.executor).into(),
            format_score(one.score_ppm).into(),
            one.row.to_string().into(),
            one.jobs.to_string().into(),
            if one.proven { "yes" } else { "no" }.into(),
        ]
    })
}

async fn executor(context: &Context<'_>, books: &Books, executor: &str) -> Result<Exit, CliError> {
    let found: Reputation =
        books.books.get(&format!("reputation/{}", escaped(executor)), &Query::new()).await?;
    if context.out.is_json() {
        context.out.json(&found)?;
        return Ok(Exit::DONE);
    }
    context.out.pairs(&[
        ("executor", party(&found.executor)),
        ("score", format_score(found.score_ppm)),
        ("in a row", found.row.to_string()),
        ("proven", if found.proven { "yes" } else { "no" }.to_owned()),
    ])?;
    for sentence in &found.sentences {
        context.out.line(&clean(sentence))?;
    }
    let heading = [
        Column::Left("AT"),
        Column::Left("BY"),
        Column::Right("WEIGHT"),
        Column::Left("OUTCOME"),
        Column::Left("JOB"),
    ];
    let rows: Vec<Vec<Cell>> = found
        .ratings
        .iter()
        .map(|rating| {
            vec![
                rating.at.to_string().into(),
                party(&rating.by).into(),
                format_score(rating.weight_ppm).into(),
                rating.outcome.to_string().into(),
                reference_start(&rating.job.to_string()).into(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        context.out.columns(&heading, &rows)?;
    }
    Ok(Exit::DONE)
}
