//! What goes to stdout and stderr, and how it looks.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use icn_gateway::api::books::{Explanation, Party};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::ColorChoice;
use crate::error::CliError;

/// How a word looks, on a screen that can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
    Cyan,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

/// Where a text is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// A column of a table, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// For words.
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Left(name) | Self::Right(name) => name,
        }
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// Makes a cell that looks so.
    pub(crate) fn styled(text: impl Into<String>, style: Option<Style>) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), style: None }
    }
}

/// The process's output: JSON or tables on stdout, everything else on stderr.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    color_stdout: bool,
    color_stderr: bool,
    live: bool,
}

impl Output {
    /// Looks at the terminal and the environment once.
    pub(crate) fn new(json: bool, color: ColorChoice) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colored = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => wanted && terminal,
        };
        Self {
            json,
            color_stdout: colored(io::stdout().is_terminal()),
            color_stderr: colored(io::stderr().is_terminal()),
            live: io::stderr().is_terminal(),
        }
    }

    /// Tells whether scripts are reading.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Paints a word for a stream, if that stream shows colour.
    pub(crate) fn paint(&self, stream: Stream, style: Style, text: &str) -> String {
        let colored = match stream {
            Stream::Stdout => self.color_stdout,
            Stream::Stderr => self.color_stderr,
        };
        if colored { format!("\u{1b}[{}m{text}\u{1b}[0m", style.code()) } else { text.to_owned() }
    }

    /// Prints one JSON value, followed by a line end.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(CliError::because("the result cannot be written as JSON: report this as a bug"))?;
        text.push('\n');
        write_stdout(text.as_bytes())
    }

    /// Prints one JSON value in one line, for streams of values.
    pub(crate) fn json_line<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let mut text = serde_json::to_string(value)
            .map_err(CliError::because("the result cannot be written as JSON: report this as a bug"))?;
        text.push('\n');
        write_stdout(text.as_bytes())
    }

    /// Prints a line on stdout.
    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        write_stdout(format!("{text}\n").as_bytes())
    }

    /// Prints bytes on stdout as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        write_stdout(bytes)
    }

    /// Says something on stderr; a closed stderr is nobody's concern.
    pub(crate) fn note(&self, text: &str) {
        let _closed = writeln!(io::stderr(), "{text}");
    }

    /// Prints `key  value` lines, the values in one column.
    pub(crate) fn pairs(&self, pairs: &[(&str, String)]) -> Result<(), CliError> {
        let width = pairs.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (key, value) in pairs {
            let key = self.paint(Stream::Stdout, Style::Dim, &format!("{key:width$}"));
            let _infallible = writeln!(text, "{key}  {value}");
        }
        write_stdout(text.as_bytes())
    }

    /// Prints a table with a heading.
    pub(crate) fn table(&self, heading: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
        let heading_row: Vec<String> = heading.iter().map(|name| (*name).to_owned()).collect();
        let widths = column_widths(&heading_row, rows);
        let top = self.paint(Stream::Stdout, Style::Bold, &table_line(&heading_row, &widths));
        let mut text = format!("{top}\n");
        for row in rows {
            let _infallible = writeln!(text, "{}", table_line(row, &widths));
        }
        write_stdout(text.as_bytes())
    }

    /// Prints a table whose columns may be right-aligned and whose cells may have a style.
    pub(crate) fn columns(&self, heading: &[Column], rows: &[Vec<Cell>]) -> Result<(), CliError> {
        let mut widths: Vec<usize> = heading.iter().map(|column| column.name().chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.chars().count().max(*width);
            }
        }
        let names: Vec<Cell> = heading.iter().map(|column| Cell::from(column.name())).collect();
        let top = self.columns_line(heading, &names, &widths);
        let mut text = format!("{}\n", self.paint(Stream::Stdout, Style::Bold, &top));
        for row in rows {
            let _infallible = writeln!(text, "{}", self.columns_line(heading, row, &widths));
        }
        write_stdout(text.as_bytes())
    }

    fn columns_line(&self, heading: &[Column], row: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        // Blanks are owed until something follows them: none stand at the end of a line, nor inside a colour.
        let mut owed = 0;
        for ((column, cell), width) in heading.iter().zip(row).zip(widths) {
            let missing = width.saturating_sub(cell.text.chars().count());
            let (before, after) = match column {
                Column::Left(_) => (0, missing),
                Column::Right(_) => (missing, 0),
            };
            if !cell.text.is_empty() {
                line.push_str(&" ".repeat(owed + before));
                owed = 0;
                match cell.style {
                    Some(style) => line.push_str(&self.paint(Stream::Stdout, style, &cell.text)),
                    None => line.push_str(&cell.text),
                }
                owed += after + 2;
            } else {
                owed += width + 2;
            }
        }
        line
    }

    /// Renders an error for stderr.
    pub(crate) fn failure(&self, error: &CliError) -> String {
        format!("{} {}", self.paint(Stream::Stderr, Style::Red, "error:"), error.story())
    }

    /// Starts a bar on stderr that counts things, or one that shows nothing when nobody watches.
    pub(crate) fn counter(&self, label: &str, total: u64) -> ProgressBar {
        if !self.live {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total);
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(clean(label));
        bar
    }

    /// Starts a progress bar on stderr, or one that shows nothing when nobody watches.
    pub(crate) fn progress(&self, label: &str, bytes: Option<u64>) -> ProgressBar {
        if !self.live {
            return ProgressBar::hidden();
        }
        let template = match bytes {
            Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        let bar = bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_message(clean(label));
        bar
    }
}

fn write_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(CliError::Stdout)
}

fn column_widths(heading: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = vec![0; heading.len()];
    for row in std::iter::once(heading).chain(rows.iter().map(Vec::as_slice)) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

fn table_line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    cells.join("  ").trim_end().to_owned()
}

/// Takes out of a stranger's text what could command a terminal: control characters and changes of direction.
pub(crate) fn clean(text: &str) -> String {
    let commands = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if commands(character) { '\u{fffd}' } else { character }).collect()
}

/// Names somebody by nickname and the end of the DID, or by that alone.
pub(crate) fn party(party: &Party) -> String {
    match &party.nickname {
        Some(nickname) => format!("{} ({})", clean(nickname), party.did.short()),
        None => party.did.short(),
    }
}

/// Says why an account can or cannot spend: the rule, the numbers, and what would change them.
pub(crate) fn explanation_pairs(explanation: &Explanation) -> Vec<(&'static str, String)> {
    let amounts = [
        ("asked for", explanation.requested.as_ref()),
        ("line", Some(&explanation.line)),
        ("balance", Some(&explanation.booked)),
        ("by others", explanation.derived.as_ref()),
        ("reserved", Some(&explanation.reserved)),
        ("not final", Some(&explanation.pending)),
        ("available", Some(&explanation.available)),
        ("by formula", explanation.recommended.as_ref()),
    ];
    let width =
        amounts.iter().filter_map(|(_, amount)| amount.map(|amount| amount.text.len())).max().unwrap_or(0);
    let mut pairs = vec![("account", party(&explanation.account)), ("rule", clean(&explanation.rule))];
    for (name, amount) in amounts {
        if let Some(amount) = amount {
            let note = match (name, &explanation.line_from) {
                ("line", Some(entry)) => format!("  granted by {entry}"),
                ("line", None) => "  as for every new member".to_owned(),
                ("by others", _) => "  of the balance: see `icn ledger transfers`".to_owned(),
                _ => String::new(),
            };
            pairs.push((name, format!("{:>width$}{note}", clean(&amount.text))));
        }
    }
    if let Some(reason) = &explanation.frozen {
        pairs.push(("frozen", clean(reason)));
    }
    for raise in &explanation.would_raise {
        pairs.push(("would help", clean(raise)));
    }
    pairs
}

/// Says which part of a list is shown, and how to see more; nothing when all of it is.
pub(crate) fn page_note(offset: u64, shown: usize, total: u64) -> Option<String> {
    let shown = shown as u64;
    if offset == 0 && shown >= total {
        return None;
    }
    if shown == 0 {
        return Some(format!("Showing none of {total} total: offset {offset} is past the end"));
    }
    let last = offset.saturating_add(shown);
    let mut note = format!("Showing {}-{last} of {total} total", offset.saturating_add(1));
    if last < total {
        let _infallible = write!(note, "\nUse --offset {last} to see more");
    }
    Some(note)
}

/// Writes a size for people.
pub(crate) fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// Writes a length of time for people: `850 µs`, `12.3 ms`, `4.20 s`, `3 min 20 s`.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        1_000_000..60_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        _ => format!("{} min {} s", us / 60_000_000, us % 60_000_000 / 1_000_000),
    }
}

/// A job for tests.
#[cfg(test)]
pub(crate) fn sample_job() -> icn_gateway::api::Job {
    icn_gateway::api::Job {
        id: icn_types::Cid::of_dag_cbor(b"job"),
        role: "originator".to_owned(),
        description: None,
        status: icn_types::StandardJobStatus::Pending,
        p2p_status: "Bidding".to_owned(),
        originator: icn_types::Did::from_public_key([1; 32]),
        executor: None,
        lease_epoch: 0,
        end: None,
        exit_code: None,
        error: None,
        fuel_used: None,
        payment: None,
        price: None,
        outputs: Vec::new(),
        receipt_cid: None,
        stages_us: std::collections::BTreeMap::new(),
        submitted_at: icn_types::Timestamp::from_millis(0),
        history: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_what_is_shown() {
        let check = |offset, shown, total, expected: Option<&str>| {
            assert_eq!(page_note(offset, shown, total).as_deref(), expected, "{offset} {shown} {total}");
        };
        check(20, 20, 157, Some("Showing 21-40 of 157 total\nUse --offset 40 to see more"));
        check(0, 20, 157, Some("Showing 1-20 of 157 total\nUse --offset 20 to see more"));
        check(140, 17, 157, Some("Showing 141-157 of 157 total"));
        check(0, 5, 5, None);
        check(0, 0, 0, None);
        check(200, 0, 157, Some("Showing none of 157 total: offset 200 is past the end"));
    }

    #[test]
    fn times_for_people() {
        let check = |us, expected: &str| assert_eq!(micros(us), expected);
        check(0, "0 µs");
        check(850, "850 µs");
        check(12_345, "12.3 ms");
        check(4_204_000, "4.20 s");
        check(200_000_000, "3 min 20 s");
    }

    #[test]
    fn strangers_cannot_command_the_terminal() {
        assert_eq!(clean("plain text, ümläute, 漢字"), "plain text, ümläute, 漢字");
        assert_eq!(clean("\u{1b}]0;owned\u{7}\r\n\u{9b}2J\u{202e}"), "�]0;owned���".to_owned() + "�2J�");
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let out = Output { json: false, color_stdout: true, color_stderr: false, live: false };
        let heading = [Column::Left("WHO"), Column::Right("AMOUNT"), Column::Left("NOTE")];
        let row = |who: &str, amount: &str, note: &str| {
            out.columns_line(
                &heading,
                &[who.into(), Cell::styled(amount, Some(Style::Red)), note.into()],
                &[4, 6, 4],
            )
        };
        assert_eq!(row("bob", "2.50", "x"), "bob     \u{1b}[31m2.50\u{1b}[0m  x");
        assert_eq!(
            row("", "-12.50", ""),
            "      \u{1b}[31m-12.50\u{1b}[0m",
            "no blanks at the end of a line"
        );
        assert_eq!(row("dana", "", "x"), "dana          x");
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), String::new()]];
        let heading = ["X".to_owned(), "Y".to_owned()];
        let widths = column_widths(&heading, &rows);
        assert_eq!(widths, [3, 2]);
        assert_eq!(table_line(&rows[0], &widths), "a    bb");
        assert_eq!(table_line(&rows[1], &widths), "ccc", "no blanks at the end of a line");
    }
}
