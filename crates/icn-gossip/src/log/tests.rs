use std::collections::BTreeSet;

use icn_identity::Ed25519Verifier;
use proptest::prelude::*;

use super::*;
use crate::testing::{closed, dag, disk, entry, fill, keys, log, ops};
use crate::{Fork, ForkProof};

/// All that a log says about its set of entries.
fn view(log: &Log) -> impl PartialEq + std::fmt::Debug + use<> {
    let heads_of: Vec<_> = log.frontier().into_iter().map(|tip| log.head_of(&tip.author)).collect();
    let ids: BTreeSet<Cid> = log.ids_from(Idx(0)).collect();
    let deps: Vec<_> = log.frontier().into_iter().map(|tip| log.deps_for(&tip.author)).collect();
    let set = (log.len(), ids, log.forked(), log.proofs_digest());
    (set, log.heads(), log.frontier(), log.tips(), log.frontier_digest(), heads_of, deps)
}

#[test]
fn an_entry_waits_for_its_past() {
    let (a, b) = (keys(1), keys(2));
    let first = entry(&a, 1, None, vec![], 1);
    let second = entry(&b, 1, None, vec![first.id()], 2);
    let third = entry(&a, 2, Some(first.id()), vec![], 3);
    let mut log = log();
    let waits = |missing: &[&VerifiedEntry]| Admitted::Waiting {
        missing: missing.iter().map(|entry| entry.id()).collect(),
    };
    assert_eq!(log.admit(third.clone(), vec![second.id()]), {
        let mut both = [&first, &second];
        both.sort_by_key(|entry| entry.id());
        waits(&both)
    });
    assert_eq!(log.admit(third.clone(), vec![second.id()]), Admitted::Known);
    assert_eq!(log.admit(second.clone(), vec![]), waits(&[&first]));
    assert_eq!(log.missing(), vec![first.id()]);
    assert_eq!(log.heads(), vec![]);
    let Admitted::Applied(applied) = log.admit(first.clone(), vec![]) else { panic!("not applied") };
    let ids: Vec<Cid> = applied.iter().map(|applied| applied.entry.id()).collect();
    assert_eq!(ids, vec![first.id(), second.id(), third.id()]);
    let extra = Position { idx: Idx(2), prev: Some(Idx(0)), deps: vec![], extra: vec![Idx(1)] };
    assert_eq!(applied[2].position, extra);
    assert_eq!(log.position(Idx(2)), Some(extra));
    assert_eq!((log.waiting_len(), log.missing().len()), (0, 0));
    assert_eq!(log.heads(), vec![third.id()]);
    assert_eq!(log.deps_for(&a.did()), vec![]);
    assert_eq!(log.deps_for(&b.did()), vec![third.id()]);
    assert_eq!(log.admit(first, vec![]), Admitted::Known);
}

#[test]
fn what_cannot_stand_is_refused() {
    let (a, b) = (keys(1), keys(2));
    let first = entry(&a, 1, None, vec![], 1);
    let mut log = log();
    fill(&mut log, &[(first.clone(), vec![])]);
    let refused = |log: &mut Log, entry, refs| match log.admit(entry, refs) {
        Admitted::Refused(refusal) => refusal,
        other @ (Admitted::Applied(_) | Admitted::Known | Admitted::Waiting { .. }) => panic!("{other:?}"),
    };
    // `prev` is somebody else's; `prev` is not at the place before.
    for wrong in [entry(&b, 2, Some(first.id()), vec![], 2), entry(&a, 3, Some(first.id()), vec![], 2)] {
        assert_eq!(refused(&mut log, wrong, vec![]), Refusal::ChainBroken);
    }
    let raw = entry(&b, 1, None, vec![Cid::of_raw(b"x")], 2);
    assert_eq!(refused(&mut log, raw, vec![]), Refusal::NotAnEntry);
    let many = (0..=REFS_MAX as u32).map(|n| Cid::of_dag_cbor(&n.to_be_bytes())).collect();
    assert_eq!(refused(&mut log, entry(&b, 1, None, vec![], 2), many), Refusal::TooMany);
    let mut other =
        Log::new(LogId { topic: "other".parse().unwrap(), ..crate::testing::log_id() }, LogLimits::default());
    assert_eq!(refused(&mut other, first.clone(), vec![]), Refusal::WrongLog);
    let mut small = Log::new(crate::testing::log_id(), LogLimits { entries_max: 1, ..LogLimits::default() });
    fill(&mut small, &[(first, vec![])]);
    assert_eq!(refused(&mut small, entry(&b, 1, None, vec![], 2), vec![]), Refusal::Full);
}

// A waiting entry whose chain turns out to be broken goes, and takes no other with it.
#[test]
fn a_broken_chain_is_found_late() {
    let (a, b) = (keys(1), keys(2));
    let first = entry(&a, 1, None, vec![], 1);
    let broken = entry(&b, 2, Some(first.id()), vec![], 2);
    let good = entry(&b, 1, None, vec![first.id()], 3);
    let mut log = log();
    for waiting in [broken, good] {
        assert!(matches!(log.admit(waiting, vec![]), Admitted::Waiting { .. }));
    }
    let Admitted::Applied(applied) = log.admit(first, vec![]) else { panic!("not applied") };
    assert_eq!(applied.len(), 2);
    assert_eq!((log.counts().waiting_refused, log.waiting_len()), (1, 0));
}

#[test]
fn the_waiting_store_is_bounded() {
    let limits = LogLimits { waiting_max: 8, waiting_per_author_max: 3, ..LogLimits::default() };
    let mut log = Log::new(crate::testing::log_id(), limits);
    let lost = Cid::of_dag_cbor(b"lost");
    let waiting = |author: u8, n: u32| entry(&keys(author), 1, None, vec![lost], n);
    for n in 0..5 {
        log.admit(waiting(1, n), vec![]);
    }
    assert_eq!((log.waiting_len(), log.counts().waiting_dropped), (3, 2));
    assert!(log.waiting(&waiting(1, 0).id()).is_none());
    assert!(log.waiting(&waiting(1, 4).id()).is_some());
    for author in 2..12 {
        log.admit(waiting(author, 9), vec![]);
    }
    assert_eq!((log.waiting_len(), log.counts().waiting_dropped), (8, 7));
    assert!(log.waiting(&waiting(1, 4).id()).is_none());
    let by_bytes = LogLimits { waiting_bytes_max: 5_000, ..LogLimits::default() };
    let mut log = Log::new(crate::testing::log_id(), by_bytes);
    for author in 1..100 {
        log.admit(waiting(author, 9), vec![]);
    }
    assert!((1..5).contains(&log.waiting_len()), "{}", log.waiting_len());
    assert!(log.memory_bytes() <= 5_000);
    assert_eq!(log.missing(), vec![lost]);
}

#[test]
fn both_branches_stand_and_are_proven() {
    let a = keys(1);
    let first = entry(&a, 1, None, vec![], 1);
    let left = entry(&a, 2, Some(first.id()), vec![], 2);
    let right = entry(&a, 2, Some(first.id()), vec![], 3);
    let after = entry(&a, 3, Some(left.id()), vec![], 4);
    let beside = entry(&a, 3, Some(right.id()), vec![], 5);
    let all = [&first, &left, &right, &after, &beside].map(|entry| (entry.clone(), vec![]));
    let mut log = log();
    fill(&mut log, &all[..2]);
    assert_eq!(log.proofs_digest(), [0; 32]);
    let Admitted::Applied(applied) = log.admit(right.clone(), vec![]) else { panic!("not applied") };
    assert!(applied[0].forks);
    fill(&mut log, &all[3..]);
    let mut twins = vec![left.id(), right.id()];
    twins.sort();
    assert_eq!(log.at(&a.did(), 2), twins);
    assert_eq!(log.head_of(&a.did()), Some((3, after.id().min(beside.id()))));
    // One proof, where the branches part; not one for each place behind it.
    assert_eq!(log.forked(), vec![(a.did(), 2)]);
    let proofs = log.proofs(&disk(&all));
    assert_eq!(proofs.len(), 1);
    let fork = proofs[0].check(&Ed25519Verifier::default()).unwrap();
    let expected =
        Fork { log: log.log_id().clone(), author: a.did(), seq: 2, first: twins[0], second: twins[1] };
    assert_eq!(fork, expected);
}

#[test]
fn proofs_of_others_are_kept() {
    let a = keys(1);
    let (left, right) = (entry(&a, 1, None, vec![], 2), entry(&a, 1, None, vec![], 3));
    let proof = ForkProof::new(left.signed().clone(), right.signed().clone()).unwrap();
    let fork = proof.check(&Ed25519Verifier::default()).unwrap();
    let mut log = log();
    assert!(log.add_proof(proof.clone(), &fork));
    assert!(!log.add_proof(proof.clone(), &fork));
    assert_eq!(log.forked(), vec![(a.did(), 1)]);
    let said = [(left, vec![]), (right, vec![])];
    assert_eq!(log.proofs(&|_| None), vec![proof.clone()]);
    let digest = log.proofs_digest();
    fill(&mut log, &said);
    assert_eq!((log.proofs(&disk(&said)), log.proofs_digest()), (vec![proof.clone()], digest));
    let elsewhere = Fork { log: LogId { topic: "other".parse().unwrap(), ..fork.log.clone() }, ..fork };
    assert!(!crate::testing::log().add_proof(proof, &elsewhere));
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let a = keys(1);
    let first = entry(&a, 1, None, vec![], 1);
    let second = entry(&a, 2, Some(first.id()), vec![], 2);
    let mut log = log();
    fill(&mut log, &[(first, vec![]), (second, vec![])]);
    let bytes = log.snapshot();
    let read = |bytes: &[u8]| Log::from_snapshot(crate::testing::log_id(), LogLimits::default(), bytes);
    assert!(read(&bytes).is_ok());
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        // It may read as another index, but never panics, and the id set stays whole.
        if let Ok(read) = read(&changed) {
            assert_eq!(read.len(), 2);
        }
    }
    assert!(read(&bytes[..bytes.len() - 1]).is_err());
    assert_eq!(log.read_page(&bytes), Err(SnapshotError::Gap { start: 0, len: 2 }));
    let other = LogId { topic: "other".parse().unwrap(), ..crate::testing::log_id() };
    assert!(matches!(Log::from_snapshot(other, LogLimits::default(), &bytes), Err(SnapshotError::WrongLog)));
}

#[test]
fn an_entry_takes_little_memory() {
    let (entries, authors) = (100_000u32, 2_000u32);
    let mut log = log();
    let id = |n: u32| Cid::of_dag_cbor(&n.to_be_bytes());
    for n in 0..entries {
        let author = Did::from_public_key(std::array::from_fn(|at| (n % authors).to_be_bytes()[at % 4]));
        let prev = n.checked_sub(authors).map(id);
        let deps = n.checked_sub(1).map(id).into_iter().collect();
        let seq = u64::from(n / authors) + 1;
        log.restore(&Restored { id: id(n), author, seq, prev, deps, refs: vec![] }).unwrap();
    }
    let each = log.memory_bytes() / entries as usize;
    assert!(each <= 150, "{each} bytes");
    let read = Log::from_snapshot(log.log_id().clone(), *log.limits(), &log.snapshot()).unwrap();
    assert_eq!(read.frontier_digest(), log.frontier_digest());
    println!("{each} bytes for each entry; {} in a snapshot", log.snapshot().len() / entries as usize);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_arrival_does_not_matter(
        ops in ops(5, 60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 120),
    ) {
        let dag = dag(&ops);
        let mut straight = log();
        fill(&mut straight, &dag);
        let mut shuffled = dag.clone();
        for (n, pick) in order.iter().enumerate().take(dag.len()) {
            shuffled.swap(n, pick.index(dag.len()));
        }
        // Some come twice.
        shuffled.extend(order.iter().skip(dag.len()).map(|pick| dag[pick.index(dag.len())].clone()));
        let mut log = log();
        let mut applied = Vec::new();
        for (entry, refs) in &shuffled {
            match log.admit(entry.clone(), refs.clone()) {
                Admitted::Applied(released) => applied.extend(released),
                Admitted::Known => {}
                Admitted::Waiting { missing } => {
                    for id in missing {
                        prop_assert!(!log.contains(&id) && log.waiting(&id).is_none());
                    }
                }
                Admitted::Refused(refusal) => prop_assert!(false, "{refusal}"),
            }
        }
        prop_assert_eq!((log.waiting_len(), log.missing()), (0, vec![]));
        prop_assert_eq!(log.memory_bytes() > 0, true);
        prop_assert_eq!(view(&log), view(&straight));
        prop_assert_eq!(log.proofs(&disk(&dag)), straight.proofs(&disk(&dag)));
        prop_assert_eq!(applied.len(), dag.len());
        for (n, one) in applied.iter().enumerate() {
            let position = &one.position;
            prop_assert_eq!(position.idx.0 as usize, n);
            let past: Vec<Idx> =
                position.prev.iter().chain(&position.deps).chain(&position.extra).copied().collect();
            prop_assert!(past.iter().all(|idx| *idx < position.idx));
            prop_assert_eq!(log.id(position.idx), Some(one.entry.id()));
            prop_assert_eq!(log.idx(&one.entry.id()), Some(position.idx));
            let said = one.entry.entry();
            prop_assert_eq!(log.author_seq(position.idx), Some((said.author, said.seq)));
            prop_assert_eq!(position.prev.and_then(|idx| log.id(idx)), said.prev);
        }
    }

    #[test]
    fn heads_are_what_nobody_names(ops in ops(5, 60)) {
        let dag = dag(&ops);
        let mut log = log();
        fill(&mut log, &dag);
        let mut heads: BTreeSet<Cid> = dag.iter().map(|(entry, _)| entry.id()).collect();
        for (entry, refs) in &dag {
            for named in entry.entry().prev.iter().chain(&entry.entry().deps).chain(refs) {
                heads.remove(named);
            }
        }
        prop_assert_eq!(log.heads(), heads.into_iter().collect::<Vec<_>>());
        for author in 0..5 {
            let did = keys(author).did();
            let own: Vec<_> = dag.iter().filter(|(entry, _)| entry.entry().author == did).collect();
            let top = own.iter().map(|(entry, _)| (entry.entry().seq, std::cmp::Reverse(entry.id()))).max();
            prop_assert_eq!(log.head_of(&did), top.map(|(seq, id)| (seq, id.0)));
            // An honest author's next entry can always be made of what the log says.
            let deps = log.deps_for(&did);
            let next = log.head_of(&did).map_or((1, None), |(seq, id)| (seq + 1, Some(id)));
            let next = entry(&keys(author), next.0, next.1, deps, 1_000);
            prop_assert!(matches!(log.clone().admit(next, vec![]), Admitted::Applied(_)));
        }
    }

    #[test]
    fn the_digest_tells_sets_apart(ops in ops(4, 40), mask in any::<u64>(), other in any::<u64>()) {
        let dag = dag(&ops);
        let part = |mask: u64| closed(&dag, |n| mask >> (n % 64) & 1 == 1 && n % 7 == 0);
        let (one, two) = (part(mask), part(other));
        let (mut a, mut b) = (log(), log());
        fill(&mut a, &one);
        fill(&mut b, &two);
        let same = one.iter().map(|(entry, _)| entry.id()).eq(two.iter().map(|(entry, _)| entry.id()));
        prop_assert_eq!(a.frontier_digest() == b.frontier_digest(), same);
    }

    #[test]
    fn the_index_is_read_back(ops in ops(5, 60), cut in any::<prop::sample::Index>()) {
        let dag = dag(&ops);
        let mut log = log();
        fill(&mut log, &dag);
        let id = || log.log_id().clone();
        let whole = Log::from_snapshot(id(), *log.limits(), &log.snapshot()).unwrap();
        prop_assert_eq!(view(&whole), view(&log));
        prop_assert_eq!(whole.snapshot(), log.snapshot());
        let cut = cut.index(log.len() + 1);
        let mut paged = Log::new(id(), *log.limits());
        prop_assert_eq!(paged.read_page(&log.page(Idx(0), cut)), Ok(cut));
        prop_assert_eq!(paged.read_page(&log.page(Idx(cut as u32), usize::MAX)), Ok(log.len() - cut));
        prop_assert_eq!(view(&paged), view(&log));
        let mut restored = Log::new(id(), *log.limits());
        for at in 0..log.len() as u32 {
            let entry = log.restored(Idx(at)).unwrap();
            prop_assert_eq!(restored.restore(&entry), Ok(Idx(at)));
        }
        prop_assert_eq!(restored.snapshot(), log.snapshot());
    }
}
