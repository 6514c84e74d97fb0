//! Just enough of JSON to write vectors: keys sorted, two spaces, as the other files of `docs/protocol/vectors/` have it.

use std::collections::BTreeMap;

/// A value of a vector file.
pub enum Json {
    Text(String),
    Number(u64),
    List(Vec<Json>),
    Map(BTreeMap<&'static str, Json>),
}

pub fn map<const N: usize>(fields: [(&'static str, Json); N]) -> Json {
    Json::Map(fields.into_iter().collect())
}

pub fn list(items: impl IntoIterator<Item = Json>) -> Json {
    Json::List(items.into_iter().collect())
}

pub fn text(text: impl ToString) -> Json {
    Json::Text(text.to_string())
}

pub fn hex(bytes: &[u8]) -> Json {
    Json::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Json {
    /// Writes the value as a file.
    pub fn to_file(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            // The texts of vectors are ASCII: Rust's form of them is JSON's.
            Self::Text(text) => out.push_str(&format!("{text:?}")),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::List(items) => block(out, depth, "[]", items, |out, item| item.write(out, depth + 1)),
            Self::Map(fields) => block(out, depth, "{}", fields, |out, (name, value)| {
                out.push_str(&format!("{name:?}: "));
                value.write(out, depth + 1);
            }),
        }
    }
}

fn block<T>(
    out: &mut String,
    depth: usize,
    brackets: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    let (open, close) = brackets.split_at(1);
    out.push_str(open);
    let mut is_empty = true;
    for item in items {
        out.push_str(if is_empty { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        write(out, item);
        is_empty = false;
    }
    if !is_empty {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push_str(close);
}
