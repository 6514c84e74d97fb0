//! Tables and batches against a plain map, over any history of commits and restarts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::collections::BTreeMap;

use icn_store::{Batch, Database, OpenOptions, StoreError, Table};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    text: String,
    number: u64,
}

fn open(dir: &tempfile::TempDir) -> Database {
    Database::open(dir.path(), OpenOptions::default()).unwrap()
}

#[derive(Debug, Clone)]
enum Op {
    Commit(Vec<Change>, How),
    Reopen,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Durable,
    Relaxed,
}

#[derive(Debug, Clone)]
struct Change {
    table: bool,
    key: Vec<u8>,
    value: Option<u64>,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    let change = (any::<bool>(), key(), proptest::option::weighted(0.7, any::<u64>()))
        .prop_map(|(table, key, value)| Change { table, key, value });
    let how = prop_oneof![Just(How::Durable), Just(How::Relaxed)];
    prop_oneof![
        12 => (proptest::collection::vec(change, 0..6), how).prop_map(|(changes, how)| Op::Commit(changes, how)),
        1 => Just(Op::Reopen),
    ]
}

fn all(table: &Table<u64>) -> Vec<(Vec<u8>, u64)> {
    table.iter().collect::<Result<_, _>>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn tables_are_maps(ops in proptest::collection::vec(op(), 1..40), from in key(), to in key(), start in key()) {
        let dir = tempfile::tempdir().unwrap();
        let mut database = open(&dir);
        // One name is the beginning of the other, and a zero byte stands where names end.
        let names = ["a", "a\0b"];
        let mut models: [BTreeMap<Vec<u8>, u64>; 2] = Default::default();
        for op in ops {
            match op {
                Op::Commit(changes, how) => {
                    let mut batch = Batch::new();
                    for Change { table, key, value } in changes {
                        let rows = database.table::<u64>(names[usize::from(table)]);
                        let model = &mut models[usize::from(table)];
                        if let Some(value) = value {
                            batch.put(&rows, &key, &value).unwrap();
                            model.insert(key, value);
                        } else {
                            batch.delete(&rows, &key);
                            model.remove(&key);
                        }
                    }
                    match how {
                        How::Durable => database.commit_blocking(batch).unwrap(),
                        How::Relaxed => database.commit_relaxed(batch).unwrap(),
                    }
                }
                Op::Reopen => {
                    drop(database);
                    database = open(&dir);
                }
            }
        }
        for (name, model) in names.iter().zip(&models) {
            let table = database.table::<u64>(name);
            let expected: Vec<_> = model.iter().map(|(key, value)| (key.clone(), *value)).collect();
            prop_assert_eq!(all(&table), expected.clone());
            prop_assert_eq!(table.len().unwrap(), model.len());
            prop_assert_eq!(table.is_empty().unwrap(), model.is_empty());
            let back: Vec<_> = table.iter().rev().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(back, expected.into_iter().rev().collect::<Vec<_>>());
            prop_assert_eq!(table.get(&from).unwrap(), model.get(&from).copied());
            prop_assert_eq!(table.contains(&from).unwrap(), model.contains_key(&from));
            let in_range: Vec<_> = table.range(from.clone()..to.clone()).map(|row| row.unwrap().0).collect();
            let expected: Vec<_> = model.keys().filter(|key| **key >= from && **key < to).cloned().collect();
            prop_assert_eq!(in_range, expected);
            let begun: Vec<_> = table.scan(&start).map(|row| row.unwrap().0).collect();
            let expected: Vec<_> = model.keys().filter(|key| key.starts_with(&start)).cloned().collect();
            prop_assert_eq!(begun, expected);
        }
    }
}

#[test]
fn typed_rows_scan_in_the_order_of_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir);
    let table = database.table::<Row>("history");
    let mut batch = Batch::new();
    for (job, at) in [("b", 3_u64), ("a", 2), ("a", 300), ("ab", 1)] {
        batch.put(&table, (job, at), &Row { text: job.into(), number: at }).unwrap();
    }
    database.commit_blocking(batch).unwrap();
    let numbers = |rows: icn_store::Rows<Row>| rows.map(|row| row.unwrap().1.number).collect::<Vec<_>>();
    assert_eq!(numbers(table.scan(("a",))), [2, 300]);
    assert_eq!(numbers(table.iter()), [2, 300, 1, 3]);
    let last: Vec<_> = table.scan(("a",)).rev().take(1).map(|row| row.unwrap().1.number).collect();
    assert_eq!(last, [300]);
    assert_eq!(numbers(table.range(("a", 3_u64)..=("ab", 1))), [300, 1]);
    assert_eq!(numbers(table.range(("b", 9_u64)..("a", 0))), [0_u64; 0]);
}

#[test]
fn a_snapshot_does_not_move() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir);
    let table = database.table::<u64>("t");
    let put = |key: &str, value: u64| {
        let mut batch = Batch::new();
        batch.put(&table, key, &value).unwrap();
        database.commit_blocking(batch).unwrap();
    };
    put("k", 1);
    let snapshot = database.snapshot();
    put("k", 2);
    put("l", 3);
    assert_eq!(snapshot.get(&table, "k").unwrap(), Some(1));
    assert_eq!(snapshot.iter(&table).count(), 1);
    assert_eq!(table.get("k").unwrap(), Some(2));
}

#[test]
fn rows_of_another_type_and_keys_too_long_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir);
    let mut batch = Batch::new();
    batch.put(&database.table::<u64>("t"), "k", &7).unwrap();
    database.commit_blocking(batch).unwrap();
    let misread = database.table::<Row>("t").get("k");
    assert!(matches!(misread, Err(StoreError::Decode { table, .. }) if table == "t"));

    let long = vec![b'x'; 100_000];
    let table = database.table::<u64>("t");
    let mut batch = Batch::new();
    assert!(matches!(batch.put(&table, &long, &1), Err(StoreError::KeyTooLong { .. })));
    batch.delete(&table, &long);
    database.commit_blocking(batch).unwrap();
    assert_eq!(table.get(&long).unwrap(), None);
    assert_eq!(table.range(long.clone()..).count(), 0);
    assert_eq!(table.range(..long).count(), 1);
    assert!(matches!(
        Batch::new().put(&database.table::<f64>("t"), "k", &f64::NAN),
        Err(StoreError::Encode { .. })
    ));
}
