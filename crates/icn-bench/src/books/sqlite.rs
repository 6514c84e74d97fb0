//! SQLite doing the same double entry, 1,000 to a commit, through Python's module: what a single writer that collects
//! many payments for one sync can do.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use icn_bench::Context;

const SCRIPT: &str = r#"
import sqlite3, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, line INTEGER NOT NULL, balance INTEGER NOT NULL, CHECK (balance >= -line))")
db.execute("CREATE TABLE transfer (id INTEGER PRIMARY KEY, payer INTEGER, payee INTEGER, amount INTEGER CHECK (amount > 0), at INTEGER)")
db.execute("CREATE TABLE entry (transfer INTEGER, account INTEGER, amount INTEGER, PRIMARY KEY (transfer, account)) WITHOUT ROWID")
db.executemany("INSERT INTO account VALUES (?, 1000000000, 0)", ((n,) for n in range(10000)))
begun, done = time.monotonic(), 0
while time.monotonic() - begun < seconds:
    db.execute("BEGIN IMMEDIATE")
    for n in range(done, done + 1000):
        a, b = n * 7919 % 10000, (n * 104729 + 1) % 10000
        if a == b: b = (b + 1) % 10000
        db.execute("INSERT INTO transfer VALUES (?, ?, ?, 1, ?)", (n, a, b, n))
        db.execute("UPDATE account SET balance = balance - 1 WHERE id = ?", (a,))
        db.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (b,))
        db.execute("INSERT INTO entry VALUES (?, ?, -1), (?, ?, 1)", (n, a, n, b))
    db.execute("COMMIT")
    done += 1000
print(done / (time.monotonic() - begun))
"#;

/// Measures payments in a second, or says why not.
pub(super) fn measure(context: &Context) -> Result<Result<f64, &'static str>> {
    let folder = tempfile::tempdir_in(&context.dir)?;
    let mut python = Command::new("python3");
    python.arg("-c").arg(SCRIPT).arg(folder.path().join("books.db"));
    python.arg(context.plan.books.load.as_secs_f64().to_string()).stdin(Stdio::null());
    let Ok(output) = python.output() else {
        return Ok(Err("install the package `python3` to see it"));
    };
    if !output.status.success() {
        return Ok(Err("Python has no module `sqlite3`"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().context("what the script wrote is no number").map(Ok)
}
