//! Raising credit lines to what the policy suggests.

use icn_gateway::api::books::{GrantRequest, Granted};

use super::super::Context;
use super::super::scope::Books;
use crate::cli::GrantArgs;
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Style, clean, party};

pub(super) async fn grant(context: &Context<'_>, books: &Books, args: GrantArgs) -> Result<Exit, CliError> {
    let request = GrantRequest {
        account: args.account,
        currency: args.currency,
        dry_run: args.dry_run,
        identity: books.identity.clone(),
        key: args.key.key,
    };
    let granted: Granted = books.books.post("grants", &request).await?;
    if context.out.is_json() {
        context.out.json(&granted)?;
        return Ok(Exit::DONE);
    }
    if granted.grants.is_empty() {
        context.out.note("every line is as high as its policy suggests by now");
        return Ok(Exit::DONE);
    }
    let heading =
        [Column::Left("ACCOUNT"), Column::Right("LINE"), Column::Right("SUGGESTED"), Column::Left("WHY")];
    let rows: Vec<Vec<Cell>> = granted
        .grants
        .iter()
        .map(|grant| {
            vec![
                party(&grant.account).into(),
                clean(&grant.before.text).into(),
                Cell::styled(clean(&grant.after.text), Some(Style::Green)),
                clean(&grant.why).into(),
            ]
        })
        .collect();
    context.out.columns(&heading, &rows)?;
    match &granted.entry {
        Some(entry) => context.out.line(&format!("granted with entry {entry}"))?,
        None => context.out.note("nothing was written: leave out --dry-run to grant this"),
    }
    Ok(Exit::DONE)
}
