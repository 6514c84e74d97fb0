//! What shows that the books are right.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use icn_gateway::api::books::{
    DebtClaim, EntryView, ExportFormat, Fork, LedgerVerdict, Misbehaviour, Quarantined, Seal,
};
use icn_types::{Cid, Page};

use super::super::Context;
use super::super::scope::{Books, print_page, reference_start};
use super::account::add;
use crate::cli::{EntriesArgs, ExportArgs, PageArgs};
use crate::client::Download;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, micros, party};

pub(super) async fn entries(
    context: &Context<'_>,
    books: &Books,
    args: &EntriesArgs,
) -> Result<Exit, CliError> {
    let mut query = books.part(args.page);
    add(&mut query, "account", args.author.as_ref());
    let page: Page<EntryView> = books.books.get("entries", &query).await?;
    let heading = [
        Column::Left("ENTRY"),
        Column::Left("AT"),
        Column::Left("AUTHOR"),
        Column::Right("SEQ"),
        Column::Left("SEEN"),
        Column::Left("ACTS"),
    ];
    print_page(context, &page, args.page.offset, "no entries yet", &heading, |entry| {
        let valid = entry.acts.iter().all(|act| act.valid);
        vec![
            start(&entry.id).into(),
            entry.at.to_string().into(),
            party(&entry.author).into(),
            entry.seq.to_string().into(),
            seen(entry),
            Cell::styled(acts(entry), (!valid).then_some(Style::Red)),
        ]
    })
}

pub(super) fn start(cid: &Cid) -> String {
    reference_start(&cid.to_string())
}

/// Says how far others have seen an entry.
fn seen(entry: &EntryView) -> Cell {
    Cell::styled(seen_word(entry), entry.forked.then_some(Style::Red))
}

/// The same, as a word.
pub(super) fn seen_word(entry: &EntryView) -> String {
    match (entry.forked, entry.sealed_in, entry.certified) {
        (true, _, _) => "forked".to_owned(),
        (false, Some(number), _) => format!("sealed in {number}"),
        (false, None, true) => "certified".to_owned(),
        (false, None, false) => "-".to_owned(),
    }
}

/// Says in a line what an entry does, and which of it does not count.
pub(super) fn acts(entry: &EntryView) -> String {
    let words: Vec<String> = entry
        .acts
        .iter()
        .map(|act| match (act.valid, &act.reason) {
            (true, _) => clean(&act.text),
            (false, Some(reason)) => format!("{} [does not count: {}]", clean(&act.text), clean(reason)),
            (false, None) => format!("{} [does not count]", clean(&act.text)),
        })
        .collect();
    words.join("; ")
}

pub(super) async fn forks(context: &Context<'_>, books: &Books, page: PageArgs) -> Result<Exit, CliError> {
    let forks: Page<Fork> = books.books.get("forks", &books.part(page)).await?;
    let heading = [
        Column::Left("AUTHOR"),
        Column::Right("SEQ"),
        Column::Left("STANDS"),
        Column::Left("BY"),
        Column::Left("FALLS"),
        Column::Left("ACCOUNT"),
    ];
    let empty = "no forks: no member signed two entries at one place";
    print_page(context, &forks, page.offset, empty, &heading, |fork| {
        let fallen: Vec<String> =
            fork.branches.iter().filter(|branch| !branch.stands).map(|branch| start(&branch.entry)).collect();
        let account = match (fork.repaired, fork.frozen) {
            (true, _) => Cell::from("reported by itself"),
            (false, true) => Cell::styled("frozen", Some(Style::Red)),
            (false, false) => Cell::from("free again"),
        };
        vec![
            party(&fork.author).into(),
            fork.seq.to_string().into(),
            start(&fork.winner).into(),
            clean(&fork.rule).into(),
            fallen.join(", ").into(),
            account,
        ]
    })
}

pub(super) async fn claims(context: &Context<'_>, books: &Books, page: PageArgs) -> Result<Exit, CliError> {
    let claims: Page<DebtClaim> = books.books.get("claims", &books.part(page)).await?;
    let heading =
        [Column::Left("CREDITOR"), Column::Left("DEBTOR"), Column::Right("AMOUNT"), Column::Left("CAUSE")];
    let empty = "no claims: no payment was voided after it had been accepted";
    print_page(context, &claims, page.offset, empty, &heading, |claim| {
        vec![
            party(&claim.creditor).into(),
            party(&claim.debtor).into(),
            clean(&claim.amount.text).into(),
            reference_start(&claim.cause).into(),
        ]
    })
}

pub(super) async fn quarantine(
    context: &Context<'_>,
    books: &Books,
    page: PageArgs,
) -> Result<Exit, CliError> {
    let list: Page<Quarantined> = books.books.get("quarantine", &books.part(page)).await?;
    let heading =
        [Column::Left("ACT"), Column::Left("AUTHOR"), Column::Left("REASON"), Column::Left("DETAIL")];
    print_page(context, &list, page.offset, "nothing is in quarantine: every act counts", &heading, |item| {
        vec![
            reference_start(&item.reference).into(),
            party(&item.author).into(),
            Cell::styled(clean(&item.reason), Some(Style::Yellow)),
            clean(&item.detail).into(),
        ]
    })
}

pub(super) async fn misbehaviour(
    context: &Context<'_>,
    books: &Books,
    page: PageArgs,
) -> Result<Exit, CliError> {
    let list: Page<Misbehaviour> = books.books.get("misbehaviour", &books.part(page)).await?;
    let heading = [Column::Left("AT"), Column::Left("WHAT"), Column::Left("WHO"), Column::Left("DETAIL")];
    print_page(context, &list, page.offset, "no misbehaviour was seen", &heading, |item| {
        let who = item.who.as_ref().map(party).or_else(|| item.peer.as_deref().map(clean));
        vec![
            item.at.to_string().into(),
            Cell::styled(clean(&item.kind), Some(Style::Red)),
            who.unwrap_or_else(|| "-".to_owned()).into(),
            clean(&item.detail).into(),
        ]
    })
}

pub(super) async fn seals(context: &Context<'_>, books: &Books, page: PageArgs) -> Result<Exit, CliError> {
    let seals: Page<Seal> = books.books.get("seals", &books.part(page)).await?;
    let heading = [
        Column::Right("EPOCH"),
        Column::Left("UNTIL"),
        Column::Right("ENTRIES"),
        Column::Left("BY"),
        Column::Left("COUNTS"),
        Column::Left("DIGEST"),
    ];
    print_page(context, &seals, page.offset, "no epoch was sealed yet", &heading, |seal| {
        vec![
            seal.number.to_string().into(),
            seal.time.to_string().into(),
            seal.entries.to_string().into(),
            party(&seal.author).into(),
            if seal.counts { "yes" } else { "no" }.into(),
            seal.digest.chars().take(16).collect::<String>().into(),
        ]
    })
}

pub(super) async fn verify(context: &Context<'_>, books: &Books) -> Result<Exit, CliError> {
    let verdict = books.books.verify().await?;
    let exit = if verdict.ok { Exit::DONE } else { Exit::FAILED };
    if context.out.is_json() {
        context.out.json(&verdict)?;
        return Ok(exit);
    }
    let (style, words) = if verdict.ok {
        (Style::Green, "the books are right")
    } else {
        (Style::Red, "the books are NOT right")
    };
    context.out.line(&context.out.paint(Stream::Stdout, style, words))?;
    context.out.pairs(&verdict_pairs(&verdict))?;
    for difference in &verdict.differences {
        context.out.line(&format!("wrong: {}", clean(difference)))?;
    }
    Ok(exit)
}

fn verdict_pairs(verdict: &LedgerVerdict) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("digest", clean(&verdict.digest)),
        ("entries", format!("{}, computed again in {}", verdict.entries, micros(verdict.elapsed_us))),
    ];
    for currency in &verdict.currencies {
        let zero = if currency.sum == 0 {
            "sum zero".to_owned()
        } else {
            format!("sum NOT zero: {} of the smallest unit", currency.sum)
        };
        let credit = clean(&currency.credit.text);
        pairs.push((
            "currency",
            format!(
                "{}: {zero}, {} accounts, {credit} in credit",
                clean(&currency.currency),
                currency.accounts
            ),
        ));
    }
    pairs.push(("forks", verdict.forks.to_string()));
    pairs.push(("claims", verdict.claims.to_string()));
    pairs.push(("quarantine", verdict.quarantined.to_string()));
    if verdict.waiting > 0 {
        pairs.push(("waiting", format!("{} entries, for what came before them", verdict.waiting)));
    }
    pairs
}

pub(super) async fn export(
    context: &Context<'_>,
    books: &Books,
    args: &ExportArgs,
) -> Result<Exit, CliError> {
    let format = ExportFormat::from(args.format);
    let mut query = vec![("format", format.to_string())];
    add(&mut query, "account", args.account.as_ref());
    save(context, books.books.export(&query).await?, args.output.as_deref()).await
}

/// Writes what comes to stdout, or to a file that is not there yet.
pub(super) async fn save(
    context: &Context<'_>,
    mut download: Download,
    output: Option<&Path>,
) -> Result<Exit, CliError> {
    let Some(path) = output else {
        while let Some(piece) = download.next().await? {
            context.out.bytes(&piece)?;
        }
        return Ok(Exit::DONE);
    };
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = created.map_err(CliError::file("create", path))?;
    let mut bytes = 0;
    while let Some(piece) = download.next().await? {
        file.write_all(&piece).map_err(CliError::file("write", path))?;
        bytes += piece.len() as u64;
    }
    file.sync_all().map_err(CliError::file("write", path))?;
    context.out.note(&format!("wrote {} to `{}`", crate::output::size(bytes), path.display()));
    Ok(Exit::DONE)
}
