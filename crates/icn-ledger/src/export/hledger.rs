//! The hledger journal (hledger 1.x, journal format).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use icn_types::Did;

use super::{Export, ExportRow};
use crate::money::format_amount;

/// How much of a DID tells accounts apart in their names; more is taken where that is not enough.
const DID_TAIL_CHARS: usize = 8;

pub(super) fn write(export: &Export<'_>) -> String {
    let accounts = accounts(export);
    let mut journal = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut journal, export, &accounts);
    journal
}

fn write_all(
    journal: &mut String,
    export: &Export<'_>,
    accounts: &BTreeMap<Did, String>,
) -> std::fmt::Result {
    writeln!(journal, "; Books of {}\n", comment(export.title))?;
    writeln!(journal, "decimal-mark .")?;
    let currencies: BTreeSet<(String, u8)> =
        export.rows.iter().map(|row| (commodity(&row.currency), row.decimals)).collect();
    for (code, decimals) in &currencies {
        // A commodity directive wants its decimal mark even where nothing follows it.
        let dot = if *decimals == 0 { "." } else { "" };
        writeln!(journal, "commodity {}{dot} \"{code}\"", format_amount(0, *decimals))?;
    }
    for (did, account) in accounts {
        writeln!(journal, "account {account}  ; {}", comment(&format!("key {}", key(did))))?;
    }
    for row in export.rows {
        write_row(journal, row, accounts)?;
    }
    Ok(())
}

fn write_row(journal: &mut String, row: &ExportRow, accounts: &BTreeMap<Did, String>) -> std::fmt::Result {
    let account = |did| accounts.get(did).map_or("members:unknown", String::as_str);
    let at = row.at.to_string();
    let date = at.split('T').next().unwrap_or_default();
    let code = commodity(&row.currency);
    let (entry, status) = (word(&row.entry), word(&row.status));
    let memo = description(row.memo.as_deref().unwrap_or_default());
    if !row.booked {
        let (payer, payee) = (account(&row.payer), account(&row.payee));
        let amount = format_amount(row.amount, row.decimals);
        return writeln!(
            journal,
            "\n; not booked ({status}): {date} {amount} {code} from {payer} to {payee}, {entry} {memo}"
        );
    }
    writeln!(journal, "\n{date} * ({entry}) {memo}  ; status:{status}")?;
    let amount = format_amount(row.amount, row.decimals);
    writeln!(journal, "    {}  {amount} \"{code}\"", account(&row.payee))?;
    // The text of the opposite, so that the smallest number there is has one too.
    let opposite = amount.strip_prefix('-').map_or_else(|| format!("-{amount}"), ToOwned::to_owned);
    writeln!(journal, "    {}  {opposite} \"{code}\"", account(&row.payer))
}

/// Names an account for each member: its name as far as that is harmless, and enough of the key to be its own.
fn accounts(export: &Export<'_>) -> BTreeMap<Did, String> {
    let dids: BTreeSet<Did> = export.rows.iter().flat_map(|row| [row.payer, row.payee]).collect();
    let label = |did: &Did, tail: String| match account_word(export.name(did)) {
        name if name.is_empty() => format!("members:{tail}"),
        name => format!("members:{name}-{tail}"),
    };
    let short = |did: &Did| {
        let key = key(did);
        label(did, key.chars().skip(key.chars().count().saturating_sub(DID_TAIL_CHARS)).collect())
    };
    let mut uses: BTreeMap<String, u32> = BTreeMap::new();
    for did in &dids {
        *uses.entry(short(did)).or_default() += 1;
    }
    let pick = |did: Did| {
        let name = short(&did);
        // A name that somebody made to look like another's gets the whole key.
        let is_own = uses.get(&name).is_none_or(|uses| *uses == 1);
        (did, if is_own { name } else { label(&did, key(&did)) })
    };
    dids.into_iter().map(pick).collect()
}

fn key(did: &Did) -> String {
    did.to_string().trim_start_matches("did:icn:").to_owned()
}

/// One word of letters and digits of any script: the others have meanings (`:` `;` two spaces, brackets, quotes).
fn account_word(text: &str) -> String {
    let joined: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    joined.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn commodity(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// A code in brackets, or the value of a tag.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '#' | '-' | '_')).collect()
}

/// A line of text that ends where the line ends.
fn comment(text: &str) -> String {
    let plain = |c: char| {
        if c.is_control() || is_mark(c) { ' ' } else { c }
    };
    text.chars().map(plain).map(|c| if c == ':' { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// A description: `;` would begin a comment, where tags have effects, and `|` ends the payee's name.
fn description(text: &str) -> String {
    let plain = |c: char| match c {
        ';' => ',',
        '|' => '/',
        c if c.is_control() || is_mark(c) => ' ',
        c => c,
    };
    text.chars().map(plain).collect::<String>().trim().to_owned()
}

/// Line ends of other scripts, and marks that turn the direction in which a line is shown.
pub(crate) const fn is_mark(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
