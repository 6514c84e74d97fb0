//! Blocks: what is put is got, what changed is missing, what is pinned stays, and the quota holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use icn_store::unixfs::{self, Builder};
use icn_store::{Batch, Block, Blocks, Database, INLINE_BYTES_MAX, OpenOptions, StoreError};
use icn_types::{BLOCK_BYTES_MAX, Cid, DAG_CBOR, Duration, RAW, Timestamp};
use proptest::prelude::*;

/// A clock that the test moves.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn advance(&self, seconds: u64) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(seconds * 1_000, Ordering::SeqCst) + seconds * 1_000)
    }
}

struct Store {
    dir: tempfile::TempDir,
    clock: Clock,
    bytes_max: u64,
    database: Option<Database>,
}

impl Store {
    fn new(bytes_max: u64) -> Self {
        let mut store =
            Self { dir: tempfile::tempdir().unwrap(), clock: Clock::default(), bytes_max, database: None };
        store.reopen();
        store
    }

    fn reopen(&mut self) {
        self.database = None;
        let clock = self.clock.clone();
        let options = OpenOptions {
            blocks_bytes_max: self.bytes_max,
            blocks_keep: Duration::from_secs(60),
            clock: Arc::new(move || clock.advance(0)),
            ..OpenOptions::default()
        };
        self.database = Some(Database::open(self.dir.path(), options).unwrap());
    }

    fn blocks(&self) -> Blocks {
        self.database.as_ref().unwrap().blocks()
    }
}

fn large(seed: u8) -> Vec<u8> {
    vec![seed; 100_000]
}

/// Returns the files under a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn what_is_put_is_got_at_every_size() {
    let mut store = Store::new(u64::MAX);
    let sizes = [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 1024 * 1024, BLOCK_BYTES_MAX];
    for round in 0..2 {
        for size in sizes {
            let bytes = vec![7; size];
            let cid = store.blocks().put(RAW, bytes.clone()).unwrap();
            assert_eq!(cid, Cid::of_raw(&bytes));
            assert_eq!(store.blocks().get(&cid).unwrap().unwrap(), bytes);
            assert_eq!(store.blocks().size(&cid).unwrap(), Some(size as u64));
        }
        // Again, and again after a restart: each block is counted once.
        let stats = store.blocks().stats();
        assert_eq!((stats.blocks, stats.bytes), (6, sizes.iter().sum::<usize>() as u64), "round {round}");
        store.reopen();
    }
    let refused = store.blocks().put(RAW, vec![0; BLOCK_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(refused, StoreError::BlockTooLarge { .. }));
    assert_eq!(store.blocks().get(&Cid::of_raw(b"never put")).unwrap(), None);
}

#[test]
fn a_strangers_name_is_checked() {
    let store = Store::new(u64::MAX);
    let cid = Cid::of(DAG_CBOR, b"\xa0");
    assert!(matches!(store.blocks().put_as(cid, &b"\xa1"[..]), Err(StoreError::WrongBlock(_))));
    store.blocks().put_as(cid, &b"\xa0"[..]).unwrap();
    assert!(store.blocks().has(&cid).unwrap());
}

#[test]
fn blocks_appear_with_the_rows_of_their_batch() {
    let store = Store::new(u64::MAX);
    let blocks = store.blocks();
    let table = blocks.database().table::<Cid>("receipts");
    let (small, big) = (Block::of(RAW, &b"small"[..]), Block::of(RAW, large(1)));
    let cids = [small.cid(), big.cid()];
    let mut batch = Batch::new();
    blocks.put_in(&mut batch, vec![small, big]).unwrap();
    batch.put(&table, "r", &cids[0]).unwrap();
    assert!(cids.iter().all(|cid| !blocks.has(cid).unwrap()));
    blocks.database().commit_blocking(batch).unwrap();
    assert!(cids.iter().all(|cid| blocks.has(cid).unwrap()));
    assert_eq!(table.get("r").unwrap(), Some(cids[0]));
}

#[test]
fn a_changed_block_is_missing_and_can_come_back() {
    let mut store = Store::new(u64::MAX);
    let cid = store.blocks().put(RAW, large(1)).unwrap();
    let path = files(store.dir.path()).into_iter().find(|path| path.ends_with(cid.to_string())).unwrap();
    for harm in [&b"short"[..], &[2; 100_000], &[1; 100_001]] {
        fs::write(&path, harm).unwrap();
        assert_eq!(store.blocks().get(&cid).unwrap(), None);
        assert!(!store.blocks().has(&cid).unwrap());
        assert_eq!(store.blocks().stats().bytes, 0);
        store.blocks().put(RAW, large(1)).unwrap();
        assert_eq!(store.blocks().get(&cid).unwrap().unwrap(), large(1));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(store.blocks().get(&cid).unwrap(), None);
    assert_eq!(store.blocks().stats().damaged, 4);
    store.reopen();
    assert_eq!(store.blocks().stats().damaged, 0);
}

#[test]
fn collection_takes_the_least_recently_used_and_leaves_the_young() {
    let mut store = Store::new(u64::MAX);
    let cids: Vec<_> = (0..6)
        .map(|seed| {
            store.clock.advance(10);
            store.blocks().put(RAW, large(seed)).unwrap()
        })
        .collect();
    store.clock.advance(100);
    // The oldest is read, and being read survives a restart.
    store.blocks().get(&cids[0]).unwrap().unwrap();
    store.reopen();
    store.clock.advance(55);
    let young = store.blocks().put(DAG_CBOR, large(9)).unwrap();
    let now = store.clock.advance(0);
    // Room for four: the second, third and fourth go; the first is younger by its reading.
    let collected = store.blocks().gc(now, 400_000).unwrap();
    assert_eq!((collected.blocks, collected.bytes), (3, 300_000));
    let left: Vec<_> = cids.iter().map(|cid| store.blocks().has(cid).unwrap()).collect();
    assert_eq!(left, [true, false, false, false, true, true]);
    // All that is old enough goes: the first was read 55 seconds ago, the new one just put.
    assert_eq!(store.blocks().gc(now, 0).unwrap().blocks, 2);
    assert!(store.blocks().has(&cids[0]).unwrap() && store.blocks().has(&young).unwrap());
    assert_eq!(store.blocks().stats().bytes, 200_000);
    assert_eq!(files(&store.dir.path().join("blocks")).len(), 2);
}

#[test]
fn a_pin_keeps_the_whole_file_for_each_of_its_reasons() {
    let mut store = Store::new(u64::MAX);
    let mut builder = Builder::with_layout(50_000, 2);
    let content: Vec<u8> = (0..500_000_u32).map(|i| (i % 241) as u8).collect();
    let mut made = builder.push(&content);
    let (added, last) = builder.finish();
    made.extend(last);
    let unique: BTreeSet<_> = made.iter().map(Block::cid).collect();
    store.blocks().put_many(made).unwrap();
    let other = store.blocks().put(DAG_CBOR, large(3)).unwrap();
    store.blocks().pin(&added.cid, "job 1").unwrap();
    store.blocks().pin(&added.cid, "job 2").unwrap();
    store.blocks().pin(&Cid::of_raw(b"not here yet"), "job 3").unwrap();
    store.reopen();
    let later = store.clock.advance(3_600);
    assert_eq!(store.blocks().gc(later, 0).unwrap().blocks, 1);
    assert!(!store.blocks().has(&other).unwrap());
    assert!(unixfs::missing(&store.blocks(), &added.cid, 10).unwrap().is_empty());

    store.blocks().unpin(&added.cid, "job 1").unwrap();
    assert_eq!(store.blocks().gc(later, 0).unwrap().blocks, 0);
    let pins = store.blocks().pins().unwrap();
    assert_eq!(pins.len(), 2);
    store.blocks().unpin(&added.cid, "job 2").unwrap();
    let later = store.clock.advance(3_600);
    assert_eq!(store.blocks().gc(later, 0).unwrap().blocks, unique.len() as u64);
    assert_eq!(store.blocks().stats().blocks, 0);
}

#[test]
fn the_quota_makes_room_where_it_can_and_refuses_where_not() {
    let store = Store::new(1_000_000);
    let blocks = store.blocks();
    for seed in 0..10 {
        blocks.put(RAW, large(seed)).unwrap();
        store.clock.advance(1);
    }
    // Everything is young.
    let refused = blocks.put(RAW, large(10)).unwrap_err();
    assert!(
        matches!(refused, StoreError::Quota { used: 1_000_000, needed: 100_000, quota: 1_000_000 }),
        "{refused:?}"
    );
    // Nothing of a refused block stays counted.
    store.clock.advance(300);
    let first = Cid::of_raw(&large(0));
    blocks.pin(&first, "kept").unwrap();
    for seed in 10..15 {
        blocks.put(RAW, large(seed)).unwrap();
    }
    assert!(blocks.stats().bytes <= 1_000_000);
    assert!(blocks.has(&first).unwrap());
    for seed in 10..15 {
        assert!(blocks.has(&Cid::of_raw(&large(seed))).unwrap());
    }
    // More than the quota at once is refused whole.
    let many: Vec<_> = (50..70).map(|seed| Block::of(RAW, large(seed))).collect();
    assert!(matches!(blocks.put_many(many.clone()), Err(StoreError::Quota { .. })));
    assert!(many.iter().all(|block| !blocks.has(&block.cid()).unwrap()));
}

#[test]
fn files_without_a_block_are_swept() {
    let mut store = Store::new(u64::MAX);
    let kept = store.blocks().put(RAW, large(1)).unwrap();
    let mut batch = Batch::new();
    store.blocks().put_in(&mut batch, vec![Block::of(RAW, large(2))]).unwrap();
    // While its batch lives, the block may still appear.
    let now = store.clock.advance(0);
    assert_eq!(store.blocks().gc(now, u64::MAX).unwrap().orphans, 0);
    drop(batch);
    assert_eq!(store.blocks().gc(now, u64::MAX).unwrap().orphans, 1);
    fs::write(store.dir.path().join("blocks/unfinished/77"), "half").unwrap();
    store.reopen();
    assert_eq!(files(&store.dir.path().join("blocks")).len(), 1);
    assert!(store.blocks().has(&kept).unwrap());
}

#[test]
fn putting_reading_and_collecting_at_once_loses_nothing_that_is_pinned() {
    let store = Store::new(3_000_000);
    let blocks = store.blocks();
    std::thread::scope(|scope| {
        for thread in 0..3_u8 {
            let (blocks, clock) = (blocks.clone(), store.clock.clone());
            scope.spawn(move || {
                for round in 0..40_u8 {
                    // The same blocks from all threads, some of them large.
                    let bytes = vec![round % 16; if round % 2 == 0 { 90_000 } else { 900 }];
                    // The clock of the others may run past the youth of a block, so the pin comes first.
                    let cid = Cid::of_raw(&bytes);
                    blocks.pin(&cid, &format!("{thread} {round}")).unwrap();
                    blocks.put(RAW, bytes.clone()).unwrap();
                    clock.advance(120);
                    assert_eq!(blocks.get(&cid).unwrap().unwrap(), bytes);
                    if round % 5 == thread {
                        blocks.gc(clock.advance(120), 0).unwrap();
                    }
                    blocks.unpin(&cid, &format!("{thread} {round}")).unwrap();
                }
            });
        }
    });
    let later = store.clock.advance(3_600);
    blocks.gc(later, 0).unwrap();
    let stats = blocks.stats();
    assert_eq!((stats.blocks, stats.bytes, stats.damaged), (0, 0, 0));
    assert!(files(&store.dir.path().join("blocks")).is_empty());
}

#[tokio::test]
async fn tasks_put_and_get_without_holding_a_thread() {
    let store = Store::new(u64::MAX);
    let blocks = store.blocks();
    for bytes in [vec![1; 10], large(1)] {
        let cid = blocks.put_async(RAW, bytes.clone()).await.unwrap();
        assert_eq!(blocks.get_async(&cid).await.unwrap().unwrap(), bytes);
    }
    assert_eq!(blocks.get_async(&Cid::of_raw(b"none")).await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_a_set(ops in proptest::collection::vec((0_u8..8, any::<bool>()), 1..40)) {
        let mut store = Store::new(u64::MAX);
        let mut model = BTreeSet::new();
        for (seed, put) in ops {
            let bytes = vec![seed; if seed % 2 == 0 { 70_000 } else { 40 }];
            if put {
                store.blocks().put(RAW, bytes).unwrap();
                model.insert(seed);
            } else {
                let was = store.blocks().delete(&Cid::of_raw(&bytes)).unwrap();
                prop_assert_eq!(was, model.remove(&seed));
            }
        }
        for _ in 0..2 {
            let stats = store.blocks().stats();
            prop_assert_eq!(stats.blocks, model.len() as u64);
            let bytes: u64 = model.iter().map(|seed| if seed % 2 == 0 { 70_000 } else { 40 }).sum();
            prop_assert_eq!(stats.bytes, bytes);
            store.reopen();
        }
    }
}
