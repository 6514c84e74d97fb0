//! Measures what the choice of backend rests on (`docs/adr/0001-embedded-database.md`):
//! durable batches a second with 1, 16 and 64 writers through group commit, on fjall and on redb, beside a bare
//! `fdatasync` after each append; where small and large blocks go; and adding and reading a file of 50 MB.
//!
//! ```text
//! cargo run --release -p icn-store --example backend [FOLDER]
//! ```

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use icn_store::unixfs::{self, Reader};
use icn_store::{Batch, Block, Database, OpenOptions};
use icn_types::{Cid, RAW};

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_millis(1_200);
/// How often, in turns.
const ROUNDS: usize = 5;
/// What a state change of a job writes: its own row and one of its history.
const ROW_BYTES: [usize; 2] = [600, 120];

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::Builder::new().prefix("icn-backend-").tempdir_in(base)?;
    // In turns, and the median of the rounds: other work on the machine then troubles all of them alike.
    for writers in [1, 16, 64] {
        let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            let path = dir.path().join(format!("{writers}-{round}"));
            let measured = [bare_sync(&path)?, fjall(&path, writers)?, redb(&path, writers)?];
            rounds.iter_mut().zip(measured).for_each(|(rounds, figure)| rounds.push(figure));
        }
        for (name, rounds) in ["bare append + fdatasync", "fjall", "redb"].iter().zip(rounds) {
            let writers = if name.starts_with("bare") { 1 } else { writers };
            median(rounds).print(&format!("{name}, {writers} writers"));
        }
    }
    blocks(&dir.path().join("blocks"))?;
    file(&dir.path().join("file"))?;
    Ok(())
}

/// What was measured of one way to commit.
#[derive(Debug, Clone, Copy)]
struct Figure {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Figure {
    fn new(mut times: Vec<Duration>, elapsed: Duration) -> Self {
        times.sort_unstable();
        let at =
            |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        Self { per_second: times.len() as f64 / elapsed.as_secs_f64(), p50_ms: at(50), p99_ms: at(99) }
    }

    fn print(self, name: &str) {
        println!("{name:36} {:7.0}/s, p50 {:.3} ms, p99 {:.3} ms", self.per_second, self.p50_ms, self.p99_ms);
    }
}

fn median(mut rounds: Vec<Figure>) -> Figure {
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    rounds.swap_remove(rounds.len() / 2)
}

fn bare_sync(path: &Path) -> Outcome<Figure> {
    std::fs::create_dir_all(path)?;
    let mut file = File::create_new(path.join("bare"))?;
    file.set_len(64 * 1024 * 1024)?;
    file.sync_all()?;
    let row = vec![7; ROW_BYTES.iter().sum()];
    run_one(|| {
        file.write_all(&row)?;
        Ok(file.sync_data()?)
    })
}

fn fjall(path: &Path, writers: u64) -> Outcome<Figure> {
    let database = Database::open(&path.join("fjall"), OpenOptions::default())?;
    let table = database.table::<serde_bytes::ByteBuf>("jobs");
    run(writers, |key| {
        let mut batch = Batch::new();
        for (part, len) in (0_u64..).zip(ROW_BYTES) {
            batch.put(&table, (key, part), &serde_bytes::ByteBuf::from(vec![7; len]))?;
        }
        Ok(database.commit_blocking(batch)?)
    })
}

fn redb(path: &Path, writers: u64) -> Outcome<Figure> {
    let redb = Redb::open(&path.join("redb"))?;
    run(writers, |key| redb.commit(key))
}

fn run_one(mut commit: impl FnMut() -> Outcome) -> Outcome<Figure> {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < MEASURED {
        let begun = Instant::now();
        commit()?;
        times.push(begun.elapsed());
    }
    Ok(Figure::new(times, start.elapsed()))
}

/// Commits from many threads until the time is over.
fn run(writers: u64, commit: impl Fn(u64) -> Outcome + Sync) -> Outcome<Figure> {
    let (over, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    let times = std::thread::scope(|scope| -> Outcome<Vec<Duration>> {
        let threads: Vec<_> = (0..writers)
            .map(|_| {
                scope.spawn(|| -> Outcome<Vec<Duration>> {
                    let mut times = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        let begun = Instant::now();
                        commit(next.fetch_add(1, Ordering::Relaxed))?;
                        times.push(begun.elapsed());
                    }
                    Ok(times)
                })
            })
            .collect();
        std::thread::sleep(MEASURED);
        over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a writer panicked")??);
        }
        Ok(all)
    })?;
    Ok(Figure::new(times, start.elapsed()))
}

type Answer = mpsc::SyncSender<Result<(), String>>;

/// redb behind the same kind of group commit: one thread takes what is waiting into one transaction.
struct Redb {
    queue: mpsc::SyncSender<(u64, Answer)>,
}

const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("jobs");

impl Redb {
    fn open(path: &Path) -> Outcome<Self> {
        let database = redb::Database::create(path)?;
        let (queue, waiting) = mpsc::sync_channel::<(u64, Answer)>(4_096);
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                let result = Self::write(&database, &group).map_err(|error| error.to_string());
                for (_, answer) in group {
                    drop(answer.send(result.clone()));
                }
            }
        });
        Ok(Self { queue })
    }

    fn write(database: &redb::Database, group: &[(u64, Answer)]) -> Outcome {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, _) in group {
                for (part, len) in (0_u64..).zip(ROW_BYTES) {
                    let key = [key.to_be_bytes(), part.to_be_bytes()].concat();
                    table.insert(key.as_slice(), vec![7; len].as_slice())?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn commit(&self, key: u64) -> Outcome {
        let (answer, answered) = mpsc::sync_channel(1);
        self.queue.send((key, answer))?;
        Ok(answered.recv()??)
    }
}

/// One durable block at a time, of sizes on both sides of the line between rows and files.
fn blocks(dir: &Path) -> Outcome {
    let database = Database::open(dir, OpenOptions::default())?;
    let blocks = database.blocks();
    let mut number = 0_u64;
    for bytes in [1024, 16 * 1024, 64 * 1024, 64 * 1024 + 1, 256 * 1024, 1024 * 1024] {
        let figure = run_one(|| {
            number += 1;
            let mut content = vec![7; bytes];
            content.splice(..8, number.to_be_bytes());
            blocks.put_many(vec![Block::of(RAW, content)])?;
            Ok(())
        })?;
        figure.print(&format!("one block of {bytes} bytes"));
    }
    Ok(())
}

/// Adds and reads a file, beside hashing it and beside writing and syncing it as one file.
fn file(dir: &Path) -> Outcome {
    let mut state = 1_u64;
    let content: Vec<u8> = (0..50_000_000 / 8)
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()
        })
        .collect();
    let speed = |name: &str, start: Instant| {
        println!("{name:26} {:9.0} MB/s", content.len() as f64 / 1e6 / start.elapsed().as_secs_f64());
    };
    let database = Database::open(dir, OpenOptions::default())?;
    let blocks = database.blocks();
    for _ in 0..3 {
        let start = Instant::now();
        for chunk in content.chunks(unixfs::CHUNK_BYTES) {
            std::hint::black_box(Cid::of_raw(chunk));
        }
        speed("SHA-256 of 50 MB", start);
        let start = Instant::now();
        let mut plain = File::create(dir.join("plain"))?;
        plain.write_all(&content)?;
        plain.sync_data()?;
        speed("one plain synced file", start);
        let start = Instant::now();
        let added = unixfs::add(&blocks, &mut content.as_slice())?;
        speed("add, durable", start);
        let start = Instant::now();
        let (mut reader, mut offset, mut buffer) = (Reader::new(added.cid), 0, vec![0; 64 * 1024]);
        loop {
            match reader.read_at(offset, &mut buffer, &blocks)? {
                0 => break,
                len => offset += len as u64,
            }
        }
        speed("read by 64 KiB, verified", start);
        for chunk in content.chunks(unixfs::CHUNK_BYTES) {
            blocks.delete(&Cid::of_raw(chunk))?;
        }
    }
    Ok(())
}
