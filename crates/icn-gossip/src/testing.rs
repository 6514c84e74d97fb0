//! Entries and whole DAGs for the tests of this crate.

use std::collections::BTreeMap;

use icn_identity::Keypair;
use icn_types::{Cid, Did, Timestamp};
use proptest::prelude::*;
use serde_bytes::ByteBuf;

use crate::{Admitted, Entry, Log, LogId, LogLimits, SignedEntry, VerifiedEntry};

/// An entry and what its body speaks of.
pub(crate) type Said = (VerifiedEntry, Vec<Cid>);

pub(crate) fn log_id() -> LogId {
    LogId { space: Did::from_public_key([7; 32]), topic: "ledger:sync".parse().unwrap() }
}

pub(crate) fn log() -> Log {
    Log::new(log_id(), LogLimits::default())
}

pub(crate) fn keys(n: u8) -> Keypair {
    Keypair::from_seed([n; 32])
}

/// Signs an entry; `body` makes it differ from others.
pub(crate) fn entry(
    keys: &Keypair,
    seq: u64,
    prev: Option<Cid>,
    mut deps: Vec<Cid>,
    body: u32,
) -> VerifiedEntry {
    deps.sort();
    deps.dedup();
    deps.retain(|dep| Some(*dep) != prev);
    let LogId { space, topic } = log_id();
    let at = Timestamp::from_millis(u64::from(body));
    let body = ByteBuf::from(body.to_be_bytes().to_vec());
    Entry { v: 1, space, topic, author: keys.did(), seq, prev, deps, at, body }.sign(keys).unwrap()
}

/// One step in the making of a DAG.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    author: u8,
    /// Whether the author forgets what it said last.
    forks: bool,
    parent: prop::sample::Index,
    deps: Vec<prop::sample::Index>,
    refs: Vec<prop::sample::Index>,
}

pub(crate) fn ops(authors: u8, len: usize) -> impl Strategy<Value = Vec<Op>> {
    let index = any::<prop::sample::Index>;
    let op = (
        0..authors,
        prop::bool::weighted(0.12),
        index(),
        prop::collection::vec(index(), 0..4),
        prop::collection::vec(index(), 0..2),
    );
    let op = op.prop_map(|(author, forks, parent, deps, refs)| Op { author, forks, parent, deps, refs });
    prop::collection::vec(op, 1..len)
}

/// Makes the entries, in causal order.
pub(crate) fn dag(ops: &[Op]) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    let mut chains: BTreeMap<u8, Vec<(u64, Cid)>> = BTreeMap::new();
    for (n, op) in ops.iter().enumerate() {
        let chain = chains.entry(op.author).or_default();
        let parent = if op.forks {
            // One in so many forks starts the chain anew.
            op.parent.index(chain.len() + 1).checked_sub(1).map(|place| chain[place])
        } else {
            chain.last().copied()
        };
        let pick = |picks: &[prop::sample::Index]| -> Vec<Cid> {
            if said.is_empty() {
                return Vec::new();
            }
            picks.iter().map(|pick| said[pick.index(said.len())].0.id()).collect()
        };
        let (seq, prev) = parent.map_or((1, None), |(seq, id)| (seq + 1, Some(id)));
        let entry = entry(&keys(op.author), seq, prev, pick(&op.deps), n as u32);
        let refs = pick(&op.refs);
        chain.push((seq, entry.id()));
        said.push((entry, refs));
    }
    said
}

/// Takes the entries that `wanted` picks, and their whole past, in causal order.
pub(crate) fn closed(dag: &[Said], wanted: impl Fn(usize) -> bool) -> Vec<Said> {
    let place: BTreeMap<Cid, usize> = dag.iter().enumerate().map(|(n, (entry, _))| (entry.id(), n)).collect();
    let mut taken = vec![false; dag.len()];
    for n in (0..dag.len()).rev() {
        if taken[n] || wanted(n) {
            taken[n] = true;
            let (entry, refs) = &dag[n];
            for named in entry.entry().prev.iter().chain(&entry.entry().deps).chain(refs) {
                taken[place[named]] = true;
            }
        }
    }
    dag.iter().zip(taken).filter(|(_, taken)| *taken).map(|(said, _)| said.clone()).collect()
}

/// Admits entries; all are applied or known.
pub(crate) fn fill(log: &mut Log, said: &[Said]) {
    for (entry, refs) in said {
        let admitted = log.admit(entry.clone(), refs.clone());
        assert!(matches!(admitted, Admitted::Applied(_) | Admitted::Known), "{admitted:?}");
    }
}

/// Stands for the disk.
pub(crate) fn disk(said: &[Said]) -> impl Fn(&Cid) -> Option<SignedEntry> + use<> {
    let entries: BTreeMap<Cid, SignedEntry> =
        said.iter().map(|(entry, _)| (entry.id(), entry.signed().clone())).collect();
    move |id| entries.get(id).cloned()
}
