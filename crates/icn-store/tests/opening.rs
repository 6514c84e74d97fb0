//! Folders of other versions, and folders that something happened to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::fs;
use std::path::Path;

use icn_store::{Batch, Database, OpenOptions, StoreError};

fn with_schema(schema: u32) -> OpenOptions {
    OpenOptions { schema, ..OpenOptions::default() }
}

fn fill(dir: &Path, schema: u32) {
    let database = Database::open(dir, with_schema(schema)).unwrap();
    let table = database.table::<u64>("t");
    let mut batch = Batch::new();
    for number in 0..100_u64 {
        batch.put(&table, number, &number).unwrap();
    }
    database.commit_blocking(batch).unwrap();
}

#[test]
fn newer_data_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    let refused = Database::open(dir.path(), with_schema(2)).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 3, known: 2 }), "{refused}");
    Database::open(dir.path(), with_schema(3)).unwrap();

    fs::write(dir.path().join("store.format"), "icn-store 9\n").unwrap();
    let refused = Database::open(dir.path(), with_schema(3)).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 9, known: 1 }), "{refused}");
}

#[test]
fn older_data_is_migrated_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    let refused = Database::open(dir.path(), with_schema(2)).unwrap_err();
    assert!(matches!(refused, StoreError::NoMigration { found: 1, known: 2 }), "{refused}");

    let failing = OpenOptions {
        migrate: Some(|database, _, _, batch| {
            batch.delete(&database.table::<u64>("t"), 0_u64);
            Err(StoreError::Closed)
        }),
        ..with_schema(2)
    };
    Database::open(dir.path(), failing).unwrap_err();

    let migrating = OpenOptions {
        migrate: Some(|database, from, to, batch| {
            assert_eq!((from, to), (1, 2));
            let table = database.table::<u64>("t");
            for row in table.iter() {
                let (key, value) = row?;
                batch.put(&table, key, &(value * 2))?;
            }
            Ok(())
        }),
        ..with_schema(2)
    };
    for _ in 0..2 {
        let database = Database::open(dir.path(), migrating.clone()).unwrap();
        assert_eq!(database.table::<u64>("t").get(21_u64).unwrap(), Some(42));
        assert_eq!(database.table::<u64>("t").get(0_u64).unwrap(), Some(0));
    }
}

/// Does something to a filled folder and expects to be told of damage.
fn expect_damage(what: &str, harm: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 1);
    harm(dir.path());
    let error = Database::open(dir.path(), with_schema(1)).expect_err(what);
    assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error:?}");
    // The folder is free again, and the second look says the same.
    let error = Database::open(dir.path(), with_schema(1)).expect_err(what);
    assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error:?}");
}

#[test]
fn damage_is_named() {
    expect_damage("the database is gone", |dir| fs::remove_dir_all(dir.join("database")).unwrap());
    expect_damage("the version file is gone", |dir| fs::remove_file(dir.join("database/version")).unwrap());
    expect_damage("the version file is another", |dir| {
        fs::write(dir.join("database/version"), "something").unwrap();
    });
    expect_damage("the format file is another", |dir| fs::write(dir.join("store.format"), [0xff]).unwrap());
    expect_damage("a stray folder among the keyspaces", |dir| {
        fs::create_dir(dir.join("database/keyspaces/stray")).unwrap();
    });
    expect_damage("a byte in the middle of the journal", |dir| {
        let journal = fs::read_dir(dir.join("database"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "jnl"))
            .unwrap();
        let mut bytes = fs::read(&journal).unwrap();
        // The last byte of a row's value in the one large batch.
        let at = bytes.iter().rposition(|byte| *byte == 99).unwrap();
        bytes[at] ^= 1;
        fs::write(&journal, bytes).unwrap();
    });
}

#[test]
fn a_first_start_that_was_killed_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("database/keyspaces")).unwrap();
    fs::write(dir.path().join("database/0.jnl"), [0; 64]).unwrap();
    fill(dir.path(), 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let refused = Database::open(&dir.path().join("file/store"), with_schema(1)).unwrap_err();
    assert!(matches!(refused, StoreError::Io { action: "create", .. }), "{refused:?}");
}
