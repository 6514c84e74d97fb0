//! Which space is meant, and how members are shown.

use icn_gateway::api::Problem;
use icn_gateway::api::books::Space;
use icn_types::Page;
use serde::Serialize;

use super::Context;
use crate::cli::{PageArgs, ScopeArgs};
use crate::client::{BooksClient, Client, Query};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, clean, page_note};

/// How many spaces are looked at to find the only one.
const SPACES_LOOKED_AT: u64 = 100;

/// The books that a command is about, and the identity that acts.
#[derive(Debug, Clone)]
pub(super) struct Books {
    pub(super) books: BooksClient,
    pub(super) identity: Option<String>,
}

impl Books {
    /// Finds the space that is meant: the one that was named, or the only one.
    pub(super) async fn find(context: &Context<'_>, scope: &ScopeArgs) -> Result<Self, CliError> {
        let client = context.client()?;
        let space = match &scope.space {
            Some(space) => space.clone(),
            None => match only(&client).await? {
                Only::This(space) => space.id.to_string(),
                Only::None => return Err(no_space().into()),
                Only::Several(spaces) => return Err(several(&spaces)),
            },
        };
        Ok(Self { books: BooksClient::new(client, &space), identity: scope.identity.clone() })
    }

    /// Makes the question for a part of a list.
    pub(super) fn part(&self, page: PageArgs) -> Query<'static> {
        let mut query = vec![("offset", page.offset.to_string()), ("limit", page.limit.to_string())];
        query.extend(self.identity.clone().map(|identity| ("as", identity)));
        query
    }
}

/// Which spaces there are, when none was named.
pub(super) enum Only {
    None,
    This(Box<Space>),
    Several(Vec<Space>),
}

/// Looks whether there is only one space.
pub(super) async fn only(client: &Client) -> Result<Only, CliError> {
    let mut page = client.spaces(0, SPACES_LOOKED_AT).await?;
    Ok(match (page.items.pop(), page.items.is_empty()) {
        (None, _) => Only::None,
        (Some(space), true) => Only::This(Box::new(space)),
        (Some(last), false) => {
            page.items.push(last);
            Only::Several(page.items)
        }
    })
}

fn no_space() -> Problem {
    Problem::not_found(
        "no-space",
        "this node keeps no common books yet: found a space with `icn space create NAME`, or take up an invitation \
         with `icn space join INVITATION`",
    )
}

/// Says that one of several spaces has to be named.
pub(super) fn several(spaces: &[Space]) -> CliError {
    let names: Vec<String> =
        spaces.iter().map(|space| format!("\n  {}  {}", space.id, clean(&space.name))).collect();
    CliError::Usage(format!(
        "this node keeps the books of several spaces: name one with `--space NAME` or ICN_SPACE:{}",
        names.concat()
    ))
}

/// Prints a page of a list: as JSON, as a table, or what to do when it is empty.
pub(super) fn print_page<T: Serialize>(
    context: &Context<'_>,
    page: &Page<T>,
    offset: u64,
    empty: &str,
    heading: &[Column],
    row: impl Fn(&T) -> Vec<Cell>,
) -> Result<Exit, CliError> {
    if context.out.is_json() {
        context.out.json(page)?;
        return Ok(Exit::DONE);
    }
    if page.total == 0 {
        context.out.note(empty);
        return Ok(Exit::DONE);
    }
    if !page.items.is_empty() {
        let rows: Vec<Vec<Cell>> = page.items.iter().map(row).collect();
        context.out.columns(heading, &rows)?;
    }
    if let Some(note) = page_note(offset, page.items.len(), page.total) {
        context.out.note(&note);
    }
    Ok(Exit::DONE)
}

/// Shows enough of a reference to find it again: the start of the id, and the number of the act unless it is the first.
pub(super) fn reference_start(reference: &str) -> String {
    const ID_CHARS: usize = 18;
    let (id, number) = reference.split_once('#').unwrap_or((reference, "0"));
    let start: String = id.chars().take(ID_CHARS).collect();
    clean(&if number == "0" { start } else { format!("{start}#{number}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_shortened_to_what_can_be_typed() {
        let id = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        assert_eq!(reference_start(&format!("{id}#0")), "bafyreihdwdcefgh4d");
        assert_eq!(reference_start(&format!("{id}#12")), "bafyreihdwdcefgh4d#12");
        assert_eq!(reference_start(id), "bafyreihdwdcefgh4d");
    }
}
