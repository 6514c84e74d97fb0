//! What a commit has answered is there after a restart, after kill -9, and in no part.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use icn_store::{Batch, Blocks, Database, OpenOptions, StoreError};
use icn_types::RAW;
use rand::{RngExt, SeedableRng};

/// Rows of one numbered batch of the crash test; the last one goes into another table.
const ROWS: u64 = 5;
/// Which part the test binary plays when it is started by one of its own tests.
const ROLE: &str = "ICN_STORE_TEST_ROLE";
const DIR: &str = "ICN_STORE_TEST_DIR";

fn open(dir: &Path) -> Result<Database, StoreError> {
    Database::open(dir, OpenOptions::default())
}

/// Starts this test binary again in another part; it prints lines for its parent.
fn start(role: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n>{line}").unwrap();
    out.flush().unwrap();
}

/// Lines that the child said so far and says until it ends.
fn heard(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| line.strip_prefix('>').map(str::to_owned))
}

/// Not a test of its own: the parts that other tests start in another process. Alone it has nothing to do.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let database = open(&PathBuf::from(std::env::var(DIR).unwrap())).unwrap();
    if role == "hold" {
        say("open");
        // Until the parent goes away or closes the pipe.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let writer = |start: u64, step: u64| {
        let database = database.clone();
        move || {
            for number in (start..).step_by(usize::try_from(step).unwrap()) {
                write_numbered(&database, number);
                say(number);
            }
        }
    };
    let first = database.table::<u64>("numbers").len().unwrap() as u64 * 1_000;
    let threads: Vec<_> = (0..3).map(|n| std::thread::spawn(writer(first + n, 3))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Commits the batch of a number: rows, a small and a large block, a pin.
fn write_numbered(database: &Database, number: u64) {
    let blocks = database.blocks();
    let mut batch = Batch::new();
    let rows = database.table::<u64>("rows");
    for row in 0..ROWS - 1 {
        batch.put(&rows, (number, row), &number).unwrap();
    }
    let (small, large) = contents(number);
    let small = icn_store::Block::of(RAW, small);
    blocks.pin_in(&mut batch, &small.cid(), &number.to_string());
    blocks.put_in(&mut batch, vec![small, icn_store::Block::of(RAW, large)]).unwrap();
    batch.put(&database.table::<u64>("numbers"), number, &number).unwrap();
    database.commit_blocking(batch).unwrap();
}

fn contents(number: u64) -> (Vec<u8>, Vec<u8>) {
    let small = number.to_be_bytes().to_vec();
    // A large block for one batch in four.
    let large = number.to_le_bytes().repeat(if number.is_multiple_of(4) { 12_500 } else { 2 });
    (small, large)
}

/// Checks that each batch is there whole or not at all, and returns the numbers that are.
fn check_whole(database: &Database) -> Vec<u64> {
    let rows = database.table::<u64>("rows");
    let blocks = database.blocks();
    let numbers: Vec<u64> = database.table::<u64>("numbers").iter().map(|row| row.unwrap().1).collect();
    assert_eq!(rows.len().unwrap() as u64, numbers.len() as u64 * (ROWS - 1));
    assert_eq!(blocks.pins().unwrap().len(), numbers.len());
    for number in &numbers {
        assert_eq!(rows.scan((*number,)).count() as u64, ROWS - 1, "batch {number}");
        let (small, large) = contents(*number);
        for bytes in [small, large] {
            let cid = icn_types::Cid::of_raw(&bytes);
            assert_eq!(blocks.get(&cid).unwrap().as_deref(), Some(bytes.as_slice()), "batch {number}");
        }
    }
    check_stats(&blocks);
    numbers
}

/// Counts kept while writing must be those that a fresh start finds; a fresh start is what this is.
fn check_stats(blocks: &Blocks) {
    assert_eq!(blocks.stats().damaged, 0);
}

#[test]
fn a_killed_writer_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let mut answered = Vec::new();
    for _ in 0..6 {
        let mut child = start("write", dir.path());
        let mut lines = heard(&mut child);
        let stop_after = rng.random_range(1..150);
        answered.extend(lines.by_ref().take(stop_after).map(|line| line.parse::<u64>().unwrap()));
        child.kill().unwrap();
        // What was said before the kill counts, too.
        answered.extend(lines.filter_map(|line| line.parse::<u64>().ok()));
        child.wait().unwrap();
        let database = open(dir.path()).unwrap();
        let found = check_whole(&database);
        for number in &answered {
            assert!(found.binary_search(number).is_ok(), "batch {number} was answered and is gone");
        }
    }
    assert!(answered.len() > 20);
}

#[test]
fn a_folder_has_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("hold", dir.path());
    assert_eq!(heard(&mut child).next().as_deref(), Some("open"));
    let pid = child.id();
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { pid: Some(found), .. } if *found == pid), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    let database = open(dir.path()).unwrap();
    assert!(
        matches!(open(dir.path()), Err(StoreError::Locked { pid: Some(found), .. }) if found == std::process::id())
    );
    // A table keeps the database open; the last handle frees the folder.
    let table = database.table::<u64>("t");
    drop(database);
    assert!(matches!(open(dir.path()), Err(StoreError::Locked { .. })));
    drop(table);
    open(dir.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_syncs_and_all_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).unwrap();
    let tasks: Vec<_> = (0..64_u64)
        .map(|task| {
            let database = database.clone();
            tokio::spawn(async move {
                let table = database.table::<u64>("t");
                for commit in 0..50_u64 {
                    let mut batch = Batch::new();
                    batch.put(&table, (task, commit), &commit).unwrap();
                    database.commit(batch).await.unwrap();
                    assert_eq!(table.get((task, commit)).unwrap(), Some(commit));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(database);
    let database = open(dir.path()).unwrap();
    let table = database.table::<u64>("t");
    assert_eq!(table.len().unwrap(), 64 * 50);
    for task in 0..64_u64 {
        assert_eq!(
            table.scan((task,)).map(|row| row.unwrap().1).collect::<Vec<_>>(),
            (0..50).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_full_queue_makes_writers_wait_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).unwrap();
    let table = database.table::<String>("t");
    // Together ten times what the queue holds.
    let text = Arc::new("x".repeat(1024 * 1024));
    let tasks: Vec<_> = (0..160_u64)
        .map(|task| {
            let (database, table, text) = (database.clone(), table.clone(), Arc::clone(&text));
            tokio::spawn(async move {
                let mut batch = Batch::new();
                batch.put(&table, task, &*text).unwrap();
                database.commit(batch).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(table.len().unwrap(), 160);
}

#[test]
fn relaxed_commits_survive_a_clean_end_and_flush_makes_them_durable() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).unwrap();
    let table = database.table::<u64>("t");
    for number in 0..100_u64 {
        let mut batch = Batch::new();
        batch.put(&table, number, &number).unwrap();
        database.commit_relaxed(batch).unwrap();
        assert_eq!(table.get(number).unwrap(), Some(number));
    }
    database.flush().unwrap();
    drop((database, table));
    assert_eq!(open(dir.path()).unwrap().table::<u64>("t").len().unwrap(), 100);
}

#[test]
fn a_disk_without_room_refuses_what_adds_and_takes_what_removes() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).unwrap();
    let table = database.table::<u64>("t");
    let mut batch = Batch::new();
    batch.put(&table, "k", &1).unwrap();
    database.commit_blocking(batch).unwrap();
    drop((database, table));

    let database =
        Database::open(dir.path(), OpenOptions { free_bytes_min: u64::MAX, ..OpenOptions::default() })
            .unwrap();
    let table = database.table::<u64>("t");
    let mut batch = Batch::new();
    batch.put(&table, "l", &1).unwrap();
    let refused = database.commit_blocking(batch).unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(matches!(database.blocks().put(RAW, vec![1; 100_000]), Err(StoreError::Full { .. })));
    assert_eq!(table.get("l").unwrap(), None);
    let mut batch = Batch::new();
    batch.delete(&table, "k");
    database.commit_blocking(batch).unwrap();
    assert!(table.is_empty().unwrap());
    assert_eq!(database.blocks().stats().bytes, 0);
}

/// A small disk of our own, where the system lets us have one.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "icn-store-test"]).arg(dir.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then(|| Self(dir))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

/// Fills a real disk to the brim. Needs the right to mount; without it the test above covers the refusal.
#[test]
fn a_disk_that_really_fills_up_keeps_what_was_answered() {
    // With a reserve the store refuses in time; without one it runs into the wall.
    for free_bytes_min in [4 * 1024 * 1024, 0] {
        let Some(disk) = TinyDisk::mount("40m") else { return };
        let dir = disk.0.path().join("store");
        let options = || OpenOptions { free_bytes_min, ..OpenOptions::default() };
        let database = Database::open(&dir, options()).unwrap();
        let mut answered = Vec::new();
        let refused = loop {
            let number = answered.len() as u64;
            let mut batch = Batch::new();
            batch.put(&database.table::<u64>("numbers"), number, &number).unwrap();
            let block = icn_store::Block::of(
                RAW,
                number.to_be_bytes().repeat(if number.is_multiple_of(2) { 4_000 } else { 9_000 }),
            );
            let cid = block.cid();
            let result = database.blocks().put_in(&mut batch, vec![block]);
            match result.and_then(|()| database.commit_blocking(batch)) {
                Ok(()) => answered.push(cid),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
        assert!(answered.len() > 20);
        drop(database);
        let database = Database::open(&dir, options());
        let database = match database {
            Ok(database) => database,
            // Not one byte is left for opening.
            Err(StoreError::Full { .. }) if free_bytes_min == 0 => continue,
            Err(error) => panic!("{error:?}"),
        };
        let found = database.table::<u64>("numbers").len().unwrap();
        assert!(found == answered.len() || (found == answered.len() + 1 && free_bytes_min == 0));
        for cid in answered {
            assert!(database.blocks().get(&cid).unwrap().is_some());
        }
        drop(database);
    }
}
