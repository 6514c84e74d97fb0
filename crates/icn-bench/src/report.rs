//! The table: figure, limit, ratio.

use std::fmt;

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
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "µs",
            Self::Mebibytes => "MiB",
            Self::PercentCpu => "% CPU",
        }
    }

    const fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::MegabytesPerSecond)
    }
}

/// What bounds a figure, in the unit of the figure.
#[derive(Debug, Clone, PartialEq)]
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
}

impl Row {
    /// A figure that nothing bounds, or that is itself a limit.
    pub fn new(name: impl Into<String>, figure: f64, unit: Unit) -> Self {
        Self { name: name.into(), figure, unit, limit: None }
    }

    /// Puts the figure beside its limit: `value` in the same unit, and what it is.
    #[must_use]
    pub fn beside(mut self, value: f64, what: impl Into<String>) -> Self {
        self.limit = Some(Limit { value, what: what.into() });
        self
    }

    /// Returns how many times worse than its limit the figure is: 1 is the best that can be.
    fn ratio(&self) -> Option<f64> {
        let limit = self.limit.as_ref()?.value;
        let (worse, better) =
            if self.unit.more_is_better() { (limit, self.figure) } else { (self.figure, limit) };
        (better > 0.0).then(|| worse / better)
    }

    fn cells(&self) -> [String; 4] {
        let unit = self.unit.as_str();
        let limit = self.limit.as_ref();
        [
            self.name.clone(),
            format!("{} {unit}", number(self.figure)),
            limit
                .map_or_else(String::new, |limit| format!("{} {unit} ({})", number(limit.value), limit.what)),
            self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}×")),
        ]
    }
}

/// The figures of one part of the program.
#[derive(Debug)]
pub struct Section {
    title: String,
    rows: Vec<Row>,
}

impl Section {
    /// Starts a section without rows.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a figure.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Section {
    /// Writes a heading and a Markdown table whose columns line up when it is read as plain text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [self.title.as_str(), "figure", "limit", "ratio"].map(str::to_owned);
        let body: Vec<_> = self.rows.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let cells = std::iter::once(&head).chain(&body).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let [name, figure, limit, ratio] = [0, 1, 2, 3].map(width);
        let mut line = |[a, b, c, d]: &[String; 4]| {
            writeln!(f, "| {a:name$} | {b:>figure$} | {c:limit$} | {d:>ratio$} |")
        };
        line(&head)?;
        line(&["-".repeat(name), rule(figure), "-".repeat(limit), rule(ratio)])?;
        body.iter().try_for_each(line)
    }
}

/// The rule below a heading whose column is set to the right.
fn rule(width: usize) -> String {
    format!("{}:", "-".repeat(width.saturating_sub(1)))
}

/// Prints a number with as many places as a reader can use: three figures, thousands set apart.
fn number(value: f64) -> String {
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
