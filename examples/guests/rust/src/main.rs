//! Counts the lines of every file in `/in` and writes `/out/lines.txt`, one `count name` a line, sorted by name.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};

fn main() -> io::Result<()> {
    let mut out = File::create("/out/lines.txt")?;
    let mut total = 0;
    // The names come in the order of their bytes.
    for entry in fs::read_dir("/in")? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let lines = BufReader::new(File::open(entry.path())?).lines().count();
            writeln!(out, "{lines} {}", entry.file_name().to_string_lossy())?;
            total += lines;
        }
    }
    println!("{total} lines");
    Ok(())
}
