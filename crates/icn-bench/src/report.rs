//! The table: figure, limit, ratio.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

/// What a number counts, and which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things in a second; more is better.
    PerSecond,
    /// 10^6 bytes in a second; more is better.
    MegabytesPerSecond,
    /// Microseconds for one thing; fewer is better.
    Microseconds,
    /// 2^20 bytes held; fewer is better.
    Mebibytes,
    /// Hundredths of one core; fewer is better.
    PercentCpu,
    /// Things counted; fewer is better.
    Count,
    /// Bytes; fewer is better.
    Bytes,
    /// Seconds for one thing; fewer is better.
    Seconds,
    /// How many times as much as something else; more is better.
    Times,
    /// How many times as long as something else; fewer is better.
    TimesAsLong,
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "µs",
            Self::Mebibytes => "MiB",
            Self::PercentCpu => "% CPU",
            Self::Count => "",
            Self::Bytes => "B",
            Self::Seconds => "s",
            Self::Times | Self::TimesAsLong => "×",
        }
    }

    const fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::MegabytesPerSecond | Self::Times)
    }
}

/// What bounds a figure, in the unit of the figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Limit {
    value: f64,
    what: String,
}

/// One measured figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    name: String,
    figure: f64,
    unit: Unit,
    limit: Option<Limit>,
    floor: Option<f64>,
}

impl Row {
    /// A figure that nothing bounds, or that is itself a limit.
    pub fn new(name: impl Into<String>, figure: f64, unit: Unit) -> Self {
        Self { name: name.into(), figure, unit, limit: None, floor: None }
    }

    /// Puts the figure beside its limit: `value` in the same unit, and what it is.
    #[must_use]
    pub fn beside(mut self, value: f64, what: impl Into<String>) -> Self {
        self.limit = Some(Limit { value, what: what.into() });
        self
    }

    /// Says what the specification asks for at least (at most, where fewer is better), in the same unit.
    #[must_use]
    pub const fn floor(mut self, value: f64) -> Self {
        self.floor = Some(value);
        self
    }

    /// Tells whether the specification is met, where it says anything.
    fn is_met(&self) -> Option<bool> {
        self.floor.map(
            |floor| {
                if self.unit.more_is_better() { self.figure >= floor } else { self.figure <= floor }
            },
        )
    }

    /// Returns the row as JSON.
    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "figure": self.figure,
            "unit": self.unit.as_str(),
            "limit": self.limit,
            "ratio": self.ratio(),
            "floor": self.floor,
            "met": self.is_met(),
        })
    }

    /// Returns how many times worse than its limit the figure is: 1 is the best that can be.
    fn ratio(&self) -> Option<f64> {
        let limit = self.limit.as_ref()?.value;
        let (worse, better) =
            if self.unit.more_is_better() { (limit, self.figure) } else { (self.figure, limit) };
        (better > 0.0).then(|| worse / better)
    }

    fn cells(&self) -> [String; 5] {
        let unit = self.unit.as_str();
        let amount = |value: f64| format!("{} {unit}", number(value)).trim_end().to_owned();
        let limit = self.limit.as_ref();
        let sign = if self.unit.more_is_better() { "≥" } else { "≤" };
        let verdict = |met| if met { "met" } else { "MISSED" };
        [
            self.name.clone(),
            amount(self.figure),
            limit.map_or_else(String::new, |limit| format!("{} ({})", amount(limit.value), limit.what)),
            self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}×")),
            self.floor.zip(self.is_met()).map_or_else(String::new, |(floor, met)| {
                format!("{sign} {}: {}", amount(floor), verdict(met))
            }),
        ]
    }
}

/// The figures of one part of the program.
#[derive(Debug)]
pub struct Section {
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Section {
    /// Starts a section without rows.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a figure.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a sentence below the table, such as why a figure is missing.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Returns the section as JSON: `{"title","rows":[{"name","figure","unit","limit","ratio","floor","met"}…],"notes"}`.
    pub fn to_json(&self) -> Value {
        let rows: Vec<_> = self.rows.iter().map(Row::to_json).collect();
        json!({ "title": self.title, "rows": rows, "notes": self.notes })
    }
}

impl fmt::Display for Section {
    /// Writes a heading and a Markdown table whose columns line up when it is read as plain text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [self.title.as_str(), "figure", "limit", "ratio", "floor"].map(str::to_owned);
        let body: Vec<_> = self.rows.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let cells = std::iter::once(&head).chain(&body).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let [name, figure, limit, ratio, floor] = [0, 1, 2, 3, 4].map(width);
        let mut line = |[a, b, c, d, e]: &[String; 5]| {
            writeln!(f, "| {a:name$} | {b:>figure$} | {c:limit$} | {d:>ratio$} | {e:floor$} |")
        };
        line(&head)?;
        line(&["-".repeat(name), rule(figure), "-".repeat(limit), rule(ratio), "-".repeat(floor)])?;
        body.iter().try_for_each(line)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

/// The rule below a heading whose column is set to the right.
fn rule(width: usize) -> String {
    format!("{}:", "-".repeat(width.saturating_sub(1)))
}

/// Prints a number with as many places as a reader can use: three figures, thousands set apart.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value < 100.0 {
        return format!(
            "{value:.*}",
            if value < 1.0 {
                3
            } else if value < 10.0 {
                2
            } else {
                1
            }
        );
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |value, expected| assert_eq!(number(value), expected);
        check(0.0, "0");
        check(0.1234, "0.123");
        check(1.234, "1.23");
        check(12.34, "12.3");
        check(123.4, "123");
        check(1_234.0, "1,234");
        check(1_234_567.0, "1,234,567");
    }

    #[test]
    fn ratio_is_how_many_times_worse() {
        let check = |unit, figure, limit, expected: f64| {
            let ratio = Row::new("row", figure, unit).beside(limit, "limit").ratio().unwrap();
            assert!((ratio - expected).abs() < 1e-9, "{ratio}");
        };
        check(Unit::PerSecond, 500.0, 1_000.0, 2.0);
        check(Unit::Microseconds, 30.0, 10.0, 3.0);
        assert_eq!(Row::new("row", 1.0, Unit::PerSecond).ratio(), None);
        assert_eq!(Row::new("row", 0.0, Unit::PerSecond).beside(1.0, "limit").ratio(), None);
    }

    #[test]
    fn floors_are_met_or_missed() {
        let check = |unit, figure, floor, met| {
            let row = Row::new("row", figure, unit).floor(floor);
            assert_eq!(row.is_met(), Some(met));
            assert_eq!(row.to_json()["met"], met);
        };
        check(Unit::PerSecond, 200.0, 200.0, true);
        check(Unit::PerSecond, 199.0, 200.0, false);
        check(Unit::Microseconds, 19.0, 20.0, true);
        check(Unit::Count, 1.0, 0.0, false);
        assert_eq!(Row::new("row", 1.0, Unit::Count).is_met(), None);
    }

    #[test]
    fn table_lines_up_and_is_markdown() {
        let mut section = Section::new("messages");
        section
            .push(Row::new("decode and verify", 15_000.0, Unit::PerSecond).beside(18_000.0, "bare verify"));
        section.push(Row::new("idle", 30.0, Unit::Mebibytes));
        let text = section.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width), "{text}");
        assert!(lines[2].contains("15,000 /s") && lines[2].contains("1.20×"), "{text}");
    }
}
