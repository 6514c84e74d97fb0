//! A backup is everything at one moment, and a restore is all of it or nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::fs;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use icn_store::{Batch, Database, OpenOptions, StoreError};
use icn_types::{Cid, RAW};

fn open(dir: &std::path::Path) -> Database {
    Database::open(dir, OpenOptions::default()).unwrap()
}

fn filled(dir: &std::path::Path) -> Database {
    let database = open(dir);
    let blocks = database.blocks();
    for seed in 0..20_u8 {
        let mut batch = Batch::new();
        batch.put(&database.table::<u64>("numbers"), u64::from(seed), &u64::from(seed)).unwrap();
        let bytes = vec![seed; if seed % 4 == 0 { 70_000 } else { 60 }];
        blocks.pin_in(&mut batch, &Cid::of_raw(&bytes), "kept");
        blocks.put_in(&mut batch, vec![icn_store::Block::of(RAW, bytes)]).unwrap();
        database.commit_blocking(batch).unwrap();
    }
    database
}

fn backup(database: &Database) -> Vec<u8> {
    let mut bytes = Vec::new();
    database.backup(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_restored_store_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let database = filled(&dir.path().join("a"));
    let mut bytes = Vec::new();
    let made = database.backup(&mut bytes).unwrap();
    assert_eq!((made.blocks, made.damaged), (20, 0));
    let target = dir.path().join("b");
    fs::create_dir(&target).unwrap();
    assert_eq!(Database::restore(&target, &mut bytes.as_slice()).unwrap(), made);
    let restored = open(&target);
    assert_eq!(restored.blocks().stats(), database.blocks().stats());
    assert_eq!(restored.blocks().pins().unwrap(), database.blocks().pins().unwrap());
    let rows =
        |database: &Database| database.table::<u64>("numbers").iter().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows(&restored), rows(&database));
    for seed in 0..20_u8 {
        let bytes = vec![seed; if seed % 4 == 0 { 70_000 } else { 60 }];
        assert_eq!(restored.blocks().get(&Cid::of_raw(&bytes)).unwrap().unwrap(), bytes);
    }
    // The copy of the copy is the same bytes.
    assert!(backup(&restored) == bytes);
    assert!(matches!(Database::restore(&target, &mut bytes.as_slice()), Err(StoreError::NotEmpty(_))));
}

#[test]
fn a_changed_or_shortened_backup_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = backup(&filled(&dir.path().join("a")));
    let target = dir.path().join("b");
    let refuse = |bytes: &[u8], what: &str| {
        let error = Database::restore(&target, &mut &*bytes).expect_err(what);
        assert!(matches!(error, StoreError::Backup(_) | StoreError::WrongBlock(_)), "{what}: {error:?}");
        assert!(!target.exists(), "{what}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{what}");
    };
    for at in [0, 3, 4, 10, 40, 200, bytes.len() / 2, bytes.len() - 40, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        refuse(&changed, &format!("byte {at} is another"));
        refuse(&bytes[..at], &format!("only {at} bytes"));
    }
    refuse(&[&bytes[..], b"x"].concat(), "one byte more");
    refuse(b"PK\x03\x04 something else entirely", "another kind of file");
    refuse(&[0xff; 64], "a boastful length");
    Database::restore(&target, &mut bytes.as_slice()).unwrap();
}

/// Commits while it is written to.
struct Busy<'a> {
    database: &'a Database,
    bytes: Vec<u8>,
    began: AtomicBool,
}

impl Write for Busy<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // After the first record the snapshot stands.
        if self.bytes.len() > 100 && !self.began.swap(true, Ordering::SeqCst) {
            let mut batch = Batch::new();
            let numbers = self.database.table::<u64>("numbers");
            batch.put(&numbers, 1_000_u64, &1_000).unwrap();
            batch.delete(&numbers, 3_u64);
            self.database.commit_blocking(batch).unwrap();
            for seed in [4_u8, 5] {
                let bytes = vec![seed; if seed == 4 { 70_000 } else { 60 }];
                assert!(self.database.blocks().delete(&Cid::of_raw(&bytes)).unwrap());
            }
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_backup_is_one_moment_while_others_write_and_remove() {
    let dir = tempfile::tempdir().unwrap();
    let database = filled(&dir.path().join("a"));
    let still = backup(&database);
    let mut busy = Busy { database: &database, bytes: Vec::new(), began: AtomicBool::new(false) };
    let made = database.backup(&mut busy).unwrap();
    assert!(busy.began.load(Ordering::SeqCst));
    assert_eq!((made.blocks, made.damaged), (20, 0));
    assert!(busy.bytes == still);
    assert_eq!(database.blocks().stats().blocks, 18);
    // The file that had to stay for the backup goes now.
    let now = icn_types::Timestamp::from_millis(0);
    assert_eq!(database.blocks().gc(now, u64::MAX).unwrap().orphans, 1);
}

/// Gives bytes, then fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::Error::other("the tape broke")) } else { self.0.read(buffer) }
    }
}

#[test]
fn a_source_or_target_that_fails_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let database = filled(&dir.path().join("a"));
    let bytes = backup(&database);
    let error = Database::restore(&dir.path().join("b"), &mut Failing(&bytes[..1_000])).unwrap_err();
    assert!(matches!(error, StoreError::Io { action: "read", .. }), "{error:?}");
    assert!(!dir.path().join("b").exists());
    // A target that takes 1,000 bytes.
    let error = database.backup(&mut io::Cursor::new(&mut [0; 1_000][..])).unwrap_err();
    assert!(matches!(error, StoreError::Io { action: "write", .. }), "{error:?}");
}
