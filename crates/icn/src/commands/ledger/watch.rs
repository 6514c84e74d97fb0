//! Entries as they come.

use icn_gateway::api::books::EntryView;

use super::super::Context;
use super::super::job::ctrl_c;
use super::super::scope::Books;
use super::audit::{acts, seen_word, start};
use crate::cli::WatchArgs;
use crate::error::{CliError, Exit};
use crate::output::{Stream, Style, party};

/// Prints entries until so many lines are printed, or until Ctrl-C.
pub(super) async fn watch(context: &Context<'_>, books: &Books, args: &WatchArgs) -> Result<Exit, CliError> {
    let mut entries = books.books.follow().await?;
    let mut left = args.count;
    while left != Some(0) {
        let entry = tokio::select! {
            entry = entries.next() => entry?,
            () = ctrl_c() => return Ok(Exit::DONE),
        };
        let Some(entry) = entry else {
            return Err(CliError::Failed(
                "the node told no more: it ends, or more entries came than could be told; see `icn ledger entries`"
                    .to_owned(),
            ));
        };
        if context.out.is_json() {
            context.out.json_line(&entry)?;
        } else {
            context.out.line(&line(context, &entry))?;
        }
        left = left.map(|left| left - 1);
    }
    Ok(Exit::DONE)
}

/// Writes an entry in a line: when, whose, how far others have seen it, what it does.
fn line(context: &Context<'_>, entry: &EntryView) -> String {
    let paint = |style, text: &str| context.out.paint(Stream::Stdout, style, text);
    let who = format!("{} {}", party(&entry.author), entry.seq);
    let seen = format!("{:<9}", seen_word(entry));
    let seen = match (entry.forked, entry.certified) {
        (true, _) => paint(Style::Red, &seen),
        (false, true) => paint(Style::Green, &seen),
        (false, false) => seen,
    };
    let what = acts(entry);
    let what = if entry.acts.iter().all(|act| act.valid) { what } else { paint(Style::Red, &what) };
    format!("{}  {}  {who:<16}  {seen}  {what}", start(&entry.id), entry.at)
}
